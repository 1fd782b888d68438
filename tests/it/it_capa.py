"""Every capability that is announced is tried, before and behind a login, with and without TLS; every code of a
refusal comes where it belongs; EXPIRE, LOGIN-DELAY and UTF8 do what they say.
"""
import base64
import glob
import os
import signal
import socket
import ssl
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rs_serve
import tap

ANNA, BERT = "anna@example.org", "bert@example.org"
USERS = {ANNA: "secret", BERT: "hidden", "grün@example.org": "süß"}
CLEAR = {"cleartext": "loopback"}
DAY = 86400


class Session:
    """A raw session."""

    def __init__(self, s, tls=False):
        self.context = ssl.create_default_context(cafile=s.ca_file)
        self.context.check_hostname = False
        self.tls = tls
        self.s = socket.create_connection(("127.0.0.1", s.pop3s_port if tls else s.pop3_port), 60)
        if tls:
            self.s = self.context.wrap_socket(self.s)
        self.f = self.s.makefile("rb")
        self.greeting = self.f.readline()

    def say(self, *lines):
        self.s.sendall(b"".join(line + b"\r\n" for line in lines))

    def ask(self, line):
        self.say(line)
        return self.f.readline()

    def many(self, line):
        """The lines of a long answer, without the first and the dot."""
        first = self.ask(line)
        assert first.startswith(b"+OK"), (line, first)
        lines = []
        while (got := self.f.readline()) != b".\r\n":
            assert got, line
            lines.append(got)
        return lines

    def capa(self):
        return [line.decode().split() for line in self.many(b"CAPA")]

    def login(self, user=ANNA, password="secret"):
        self.ask(b"USER " + user.encode())
        return self.ask(b"PASS " + password.encode())

    def stls(self):
        assert self.ask(b"STLS").startswith(b"+OK")
        self.s = self.context.wrap_socket(self.s)
        self.f = self.s.makefile("rb")
        self.tls = True
        return self

    def close(self):
        self.f.close()
        self.s.close()


def ok(answer, code=None):
    assert answer.startswith(b"+OK" if code is None else b"-ERR [" + code + b"] "), answer
    return answer


def entered(s, tls):
    p = Session(s, tls)
    ok(p.login())
    return p


# --- one function a capability: (server, opener of a session in AUTHORIZATION, its words, logged in) ---

def try_top(s, fresh, words, inside):
    p = fresh()
    ok(p.login())
    assert p.many(b"TOP 1 0")[-1] == b"\r\n"


def try_uidl(s, fresh, words, inside):
    p = fresh()
    ok(p.login())
    assert len(p.many(b"UIDL")) == 1


def try_resp_codes(s, fresh, words, inside):
    holder = fresh()
    ok(holder.login())
    ok(fresh().login(), b"IN-USE")
    holder.close()


def try_auth_resp_code(s, fresh, words, inside):
    ok(fresh().login(password="wrong"), b"AUTH")


def try_pipelining(s, fresh, words, inside):
    p = fresh()
    p.say(b"USER " + ANNA.encode(), b"PASS secret", b"NOOP", b"STAT", b"QUIT")
    answers = [p.f.readline() for _ in range(5)]
    assert all(a.startswith(b"+OK") for a in answers), answers


def try_lang(s, fresh, words, inside):
    p = fresh()
    names = [line.split()[0] for line in p.many(b"LANG")]
    assert names == [b"en", b"de", b"i-default"], names
    ok(p.ask(b"LANG de"))
    assert "Unbekannter Befehl".encode() in p.ask(b"NOPE")


def try_user(s, fresh, words, inside):
    ok(fresh().login())


def try_sasl(s, fresh, words, inside):
    assert words, "SASL without a mechanism"
    for mech in words:
        p = fresh()
        if mech == "PLAIN":
            ok(p.ask(b"AUTH PLAIN " + base64.b64encode(b"\0" + ANNA.encode() + b"\0secret")))
        elif mech == "LOGIN":
            assert p.ask(b"AUTH LOGIN").startswith(b"+ ")
            assert p.ask(base64.b64encode(ANNA.encode())).startswith(b"+ ")
            ok(p.ask(base64.b64encode(b"secret")))
        else:  # the mechanisms themselves have tests of their own
            answer = p.ask(b"AUTH " + mech.encode())
            assert answer.startswith(b"+"), (mech, answer)
            assert p.ask(b"*").startswith(b"-ERR")
        if mech in ("PLAIN", "LOGIN"):
            ok(p.ask(b"QUIT"))


def try_stls(s, fresh, words, inside):
    assert not inside
    p = fresh()
    assert not p.tls
    ok(p.stls().login())
    assert ["STLS"] not in p.capa()


def try_utf8(s, fresh, words, inside):
    assert words == ["USER"]
    p = fresh()
    ok(p.ask(b"UTF8"))
    ok(p.login("grün@example.org", "süß"))


def try_expire(s, fresh, words, inside):
    assert words == ["NEVER"], words  # finite: a case of its own below


def try_login_delay(s, fresh, words, inside):
    raise AssertionError("announced where none is set")


def try_implementation(s, fresh, words, inside):
    assert words == ["Restante"], words


TRIES = {"TOP": try_top, "UIDL": try_uidl, "RESP-CODES": try_resp_codes, "AUTH-RESP-CODE": try_auth_resp_code,
         "PIPELINING": try_pipelining, "LANG": try_lang, "USER": try_user, "SASL": try_sasl, "STLS": try_stls,
         "UTF8": try_utf8, "EXPIRE": try_expire, "LOGIN-DELAY": try_login_delay, "IMPLEMENTATION": try_implementation}
ALWAYS = {"TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "LANG", "UTF8", "EXPIRE", "IMPLEMENTATION"}


def all_true(cleartext):
    with rs_serve.Restanted(USERS, auth={"cleartext": cleartext}) as s:
        s.deliver(ANNA, [b"Subject: x\n\nbody\n"])
        ways = {"without TLS": lambda: Session(s), "behind STLS": lambda: Session(s).stls(),
                "POP3S": lambda: Session(s, tls=True)}
        tried = 0
        for way, fresh in ways.items():
            for inside in (False, True):
                p = fresh()
                closed = way == "without TLS" and cleartext == "never"
                if inside:
                    if closed:
                        continue
                    ok(p.login())
                capas = p.capa()
                p.close()
                names = {c[0] for c in capas}
                assert len(names) == len(capas), capas
                assert ALWAYS <= names, (way, inside, names)
                assert ("USER" in names) == (not closed) and ("SASL" in names) == (not closed), (way, names)
                assert ("STLS" in names) == (way == "without TLS" and not inside), (way, inside, names)
                for name, *words in capas:
                    # what needs a login is tried under TLS where there is none without
                    how = fresh if not closed or name == "STLS" else ways["POP3S"]
                    TRIES[name](s, how, words, inside)
                    tried += 1
        assert tried > 50 or cleartext == "never", tried


@tap.case("every capability that is told is true: passwords without TLS allowed")
def _():
    all_true("loopback")


@tap.case("every capability that is told is true: passwords only under TLS")
def _():
    all_true("never")


@tap.case("IMPLEMENTATION can be switched off")
def _():
    with rs_serve.Restanted(USERS, server={"implementation": "off"}) as s:
        assert "IMPLEMENTATION" not in {c[0] for c in Session(s).capa()}
        assert "IMPLEMENTATION" not in {c[0] for c in entered(s, True).capa()}


@tap.case("LOGIN-DELAY holds over all fronts and is announced")
def _():
    with rs_serve.Restanted(USERS, workers=3, limits={"login-delay": "3"}) as s:
        p = Session(s, tls=True)
        assert ["LOGIN-DELAY", "3"] in p.capa()
        ok(p.login())
        began = time.monotonic()
        assert ["LOGIN-DELAY", "3"] in p.capa()
        ok(p.ask(b"QUIT"))
        for _ in range(8):  # spread over the fronts
            answer = Session(s, tls=True).login()
            if time.monotonic() - began < 2.5:
                ok(answer, b"LOGIN-DELAY")
        ok(Session(s, tls=True).login(BERT, "hidden"))  # it is a matter of one user
        ok(Session(s, tls=True).login(password="wrong"), b"AUTH")  # and tells nothing about the password
        end = time.monotonic() + 30
        while not (answer := Session(s, tls=True).login()).startswith(b"+OK"):
            assert time.monotonic() < end, answer
            ok(answer, b"LOGIN-DELAY")
            time.sleep(0.2)
        assert time.monotonic() - began >= 2.9


def old_message(s, address, days, folder=""):
    """A file as another delivery agent would have left it so long ago."""
    name = f"{int(time.time()) - days * DAY}.V1I{days}M1.other"
    box = os.path.join(s.mailbox(address), folder, "cur")
    path = os.path.join(box, name + ":2,S")
    with open(path, "wb") as f:
        f.write(b"Subject: old\n\n%d\n" % days)
    os.chmod(path, 0o644)
    st = os.stat(s.mailbox(address))
    os.chown(path, st.st_uid, st.st_gid)
    return path


@tap.case("EXPIRE: what is too old is gone at the next opening, a user may have longer")
def _():
    users = {ANNA: "secret", BERT: "hidden", "carl@example.org": "third"}
    with rs_serve.Restanted(users, store={"expire": "30"}) as s:
        with open(s.path("users"), "r+") as f:  # anna: as the provider says; bert: longer; carl: shorter, which is not heeded
            text = f.read().replace("hidden::::::", "hidden::::::expire=90")
            text = text.replace("third::::::", "third::::::expire=5")
            f.seek(0)
            f.write(text)
            f.truncate()
        assert ["EXPIRE", "30", "USER"] in Session(s, tls=True).capa()
        told = {}
        for user, password in users.items():
            s.deliver(user, [b"Subject: new\n\nnew\n"])
            files = {days: old_message(s, user, days) for days in (10, 29, 31, 100)}
            p = Session(s, tls=True)
            ok(p.login(user, password))
            told[user] = [c for c in p.capa() if c[0] == "EXPIRE"]
            left = {days for days, path in files.items() if os.path.exists(path)}
            assert left == ({10, 29, 31} if user == BERT else {10, 29}), (user, left)
            assert ok(p.ask(b"STAT")).split()[1] == str(len(left) + 1).encode()
            ok(p.ask(b"QUIT"))
        assert s.log_text().count(" expired ") == 3, s.log_text()
        # and without a login, in a folder too; not while a session has it
        path, kept = old_message(s, ANNA, 50), old_message(s, ANNA, 3)
        holder = Session(s, tls=True)
        ok(holder.login())  # removes it
        assert not os.path.exists(path)
        path = old_message(s, ANNA, 50)
        run = [s.program, "mailbox", "expire", ANNA, "-c", s.conf]
        assert subprocess.run(run, check=False, capture_output=True).returncode == 75
        ok(holder.ask(b"QUIT"))
        end = time.monotonic() + 30
        while (done := subprocess.run(run, check=False, capture_output=True)).returncode == 75:
            assert time.monotonic() < end
            time.sleep(0.1)
        assert done.returncode == 0 and b"1 messages older than 30 days" in done.stdout, done
        assert not os.path.exists(path) and os.path.exists(kept)
        assert told == {ANNA: [["EXPIRE", "30"]], BERT: [["EXPIRE", "90"]], "carl@example.org": [["EXPIRE", "30"]]}, told


def whole(p):
    """(told by STAT, by LIST, really sent) of all messages; the octets."""
    stat = int(ok(p.ask(b"STAT")).split()[2])
    rows = [int(line.split()[1]) for line in p.many(b"LIST")]
    sent = []
    for i in range(len(rows)):
        lines = p.many(b"RETR %d" % (i + 1))
        sent.append(b"".join(line[1:] if line.startswith(b".") else line for line in lines))
    assert [len(m) for m in sent] == rows, ([len(m) for m in sent], rows)
    assert sum(rows) == stat, (rows, stat)
    return sent


@tap.case("UTF8: who asks gets mail as it is, who does not gets ASCII headers; sizes are true for both")
def _():
    utf8 = ("From: Jörg <jörg@müller.example>\r\nSubject: Grüße aus Köln\r\nMessage-ID: <ä@b>\r\n\r\n"
            ".Körper\r\n").encode()
    latin = b"Subject: gr\xfc\xdfe\r\n\r\nx\r\n"
    with rs_serve.Restanted(USERS) as s:
        s.deliver(ANNA, [utf8, latin, b"Subject: plain\r\n\r\nx\r\n"])
        box = s.mailbox(ANNA)
        names = glob.glob(box + "/new/*")
        assert sum(",U=" in n for n in names) == 1, names
        old_message(s, ANNA, 1)
        foreign = glob.glob(box + "/cur/*")[0]
        with open(foreign, "wb") as f:
            f.write("Subject: fremd: ö\n\nö".encode())
        for _ in range(3):  # worked out, then from the list, then from the index
            p = Session(s, tls=True)
            ok(p.ask(b"UTF8"))
            ok(p.login())
            as_is = whole(p)
            assert any(m.endswith(utf8) for m in as_is), as_is
            assert any("fremd: ö".encode() in m for m in as_is)
            ok(p.ask(b"QUIT"))
            p = Session(s, tls=True)
            ok(p.login())
            ascii_ = whole(p)
            for m in ascii_:
                header = m.split(b"\r\n\r\n")[0]
                assert header.isascii() or b"gr\xfc\xdfe" in header, header
            text = b"".join(ascii_)
            assert b"=?UTF-8?B?" in text and b"Downgraded-Message-ID:" in text, text
            assert ".Körper".encode() in text
            n = next(i for i, m in enumerate(ascii_) if b"Downgraded" in m) + 1
            top = b"".join(p.many(b"TOP %d 0" % n))
            assert top.isascii() and b"Downgraded" in top, top
            ok(p.ask(b"QUIT"))
            time.sleep(0.4)  # until the folder's times can be told from the next change


@tap.case("UTF8: a header that cannot be turned is refused with [UTF8], and sent to who asks")
def _():
    big = ("Subject: x\nX-Big: " + "ö" * 40000 + "\n\nx\n").encode()
    with rs_serve.Restanted(USERS) as s:
        s.deliver(ANNA, [b"Subject: y\n\ny\n"])
        path = old_message(s, ANNA, 1)
        with open(path, "wb") as f:
            f.write(big)
        p = entered(s, True)
        row = next(int(line.split()[0]) for line in p.many(b"LIST") if int(line.split()[1]) > 1000)
        ok(p.ask(b"RETR %d" % row), b"UTF8")
        ok(p.ask(b"TOP %d 0" % row), b"UTF8")
        ok(p.ask(b"QUIT"))
        p = Session(s, tls=True)
        ok(p.ask(b"UTF8"))
        ok(p.login())
        assert len(b"".join(p.many(b"RETR %d" % row))) == len(big) + 4
        ok(p.ask(b"QUIT"))


@tap.case("codes: AUTH for every no about who it is, IN-USE, SYS/PERM, SYS/TEMP where they belong, in both languages")
def _():
    users = {**USERS, "off@example.org": "x", "smtp@example.org": "x"}
    with rs_serve.Restanted(users, auth=CLEAR) as s:
        with open(s.path("users"), "r+") as f:
            text = f.read().replace("off@example.org:{PLAIN}x::::::", "off@example.org:{PLAIN}x::::::disabled=yes")
            text = text.replace("smtp@example.org:{PLAIN}x::::::", "smtp@example.org:{PLAIN}x::::::pop3=no")
            f.seek(0)
            f.write(text)
            f.truncate()
        wrong = Session(s).login(password="wrong")
        ok(wrong, b"AUTH")
        assert Session(s).login("nobody@example.org", "x") == wrong
        for user in ("off@example.org", "smtp@example.org"):
            end = time.monotonic() + 30
            while Session(s).login(user, "x") != wrong:  # until the file has been read again
                assert time.monotonic() < end
                time.sleep(0.2)
        s.deliver(ANNA, [b"Subject: x\n\nx\n"] * 2)
        holder = Session(s)
        ok(holder.login())
        german = Session(s)
        ok(german.ask(b"LANG de"))
        assert "andere Sitzung" in ok(german.login(), b"IN-USE").decode()
        assert "falsch" in ok(german.login(password="wrong"), b"AUTH").decode()
        for path in glob.glob(s.mailbox(ANNA) + "/new/*"):
            os.unlink(path)
        ok(holder.ask(b"LANG de"))
        assert "anderes Programm" in ok(holder.ask(b"RETR 1"), b"SYS/PERM").decode()
        holder.close()
        box = s.mailbox(BERT)
        os.makedirs(os.path.dirname(box), exist_ok=True)
        with open(box, "w"):  # where a folder should be
            pass
        ok(Session(s).login(BERT, "hidden"), b"SYS/PERM")
        quitter = Session(s)
        ok(quitter.login("grün@example.org", "süß"))
        ok(quitter.ask(b"LANG de"))
        s.stop()
        assert "[SYS/TEMP] Der Dienst wird angehalten" in quitter.f.readline().decode()


@tap.case("codes: a message that was changed is SYS/PERM; a part of the service that is being started again never costs a password")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR) as s:
        s.deliver(ANNA, [b"Subject: x\n\nx\n"] * 2)
        p = Session(s)
        ok(p.login())
        for path in glob.glob(s.mailbox(ANNA) + "/new/*"):
            with open(path, "ab") as f:
                f.write(b"more\n")
        ok(p.ask(b"RETR 1"), b"SYS/PERM")
        ok(p.ask(b"TOP 2 0"), b"SYS/PERM")
        ok(p.ask(b"DELE 1"))
        ok(p.ask(b"QUIT"))
        for role in ("auth", "store") * 4:
            for pid in s.roles()[role]:
                os.kill(pid, signal.SIGKILL)
            answers = [Session(s).login(BERT, "hidden") for _ in range(3)]
            for answer in answers:
                assert answer[:3] == b"+OK" or b"[SYS/TEMP]" in answer or b"[IN-USE]" in answer, answers
            end = time.monotonic() + 30
            while not (last := Session(s).login(BERT, "hidden")).startswith(b"+OK"):
                assert time.monotonic() < end, last


tap.run()
