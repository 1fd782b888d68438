"""Who lives here: the commands of the administrator, the switches of an account, app passwords, a user
file that changes while the service runs, and that Dovecot reads the same file."""
import base64
import json
import os
import poplib
import pty
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import peers
import rs_serve
import tap

ANNA = "anna@example.org"
BOB = "bob@example.org"
CLEAR = {"cleartext": "loopback"}
# "pencil", RFC 7677
SCRAM = ("{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
         "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=")


def ctl(s, *args, data=None):
    return subprocess.run([s.program, *args[:1], "-c", s.conf, *args[1:]], input=data, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)


def done(s, *args, data=None):
    answer = ctl(s, *args, data=data)
    assert answer.returncode == 0, (args, answer)
    return answer.stdout


def login(s, user, password):
    pop = poplib.POP3("127.0.0.1", s.pop3_port, timeout=120)
    pop.user(user)
    pop.pass_(password)
    return pop


def comes_in(s, user, password):
    """The reply that refuses, "" when the login is right."""
    try:
        login(s, user, password).quit()
    except poplib.error_proto as e:
        return e.args[0].decode()
    return ""


def plain(s, user, password):
    """AUTH PLAIN; the reply."""
    pop = poplib.POP3("127.0.0.1", s.pop3_port, timeout=120)
    token = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
    try:
        return pop._shortcmd("AUTH PLAIN " + token).decode()
    except poplib.error_proto as e:
        return e.args[0].decode()
    finally:
        pop.close()


def rcpt(s, address):
    link = s.lmtp_connect()
    link.ehlo_or_helo_if_needed()
    link.mail("peer@example.net")
    reply = link.rcpt(address)
    link.quit()
    return reply


def until(what, seconds=60):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "did not come about"
        time.sleep(0.05)


def users(s, text):
    """Put the file in place of the old one, as editors and our own commands do."""
    with open(s.path("users.new"), "w") as f:
        f.write(text)
    os.chmod(s.path("users.new"), 0o644)
    os.rename(s.path("users.new"), s.path("users"))


@tap.case("add, password, disable, enable, list, remove: a running service heeds each at once")
def _():
    with rs_serve.Restanted({ANNA: "secret"}, auth=CLEAR) as s:
        done(s, "user", "add", "--password-stdin", "Carl@Example.org", "--set", "quota=10M:50",
             "--set", "view=newest:7", "--set", "smtp=no", data="first\n")
        assert comes_in(s, "carl@example.org", "first") == ""
        done(s, "user", "password", "--password-stdin", "carl@example.org", data="second\n")
        assert "[AUTH]" in comes_in(s, "carl@example.org", "first")
        assert comes_in(s, "carl@example.org", "second") == ""
        done(s, "user", "password", "--scheme", "scram-sha-256", "--password-stdin",
             "carl@example.org", data="third\n")
        assert "carl@example.org:{SCRAM-SHA-256}4096," in open(s.path("users")).read()
        assert comes_in(s, "carl@example.org", "third") == ""
        assert "disabled" in done(s, "user", "disable", "carl@example.org")
        assert "[AUTH]" in comes_in(s, "carl@example.org", "third")
        assert rcpt(s, "carl@example.org")[0] == 550
        assert "already" in done(s, "user", "disable", "carl@example.org")
        assert done(s, "user", "list").splitlines() == [
            "anna@example.org", "carl@example.org disabled smtp=no quota=10M:50 view=newest:7"]
        row = json.loads(done(s, "user", "list", "--json", "carl@example.org"))
        assert row == {"user": "carl@example.org", "disabled": True, "pop3": True, "smtp": False,
                       "quota": "10M:50", "view": "newest:7", "apps": []}, row
        done(s, "user", "enable", "carl@example.org")
        assert comes_in(s, "carl@example.org", "third") == ""
        assert rcpt(s, "carl@example.org")[0] == 250
        done(s, "user", "remove", "carl@example.org")
        assert "[AUTH]" in comes_in(s, "carl@example.org", "third")
        assert rcpt(s, "carl@example.org")[0] == 550
        assert comes_in(s, ANNA, "secret") == ""


@tap.case("set: keys of an account that is there, each in the place of the old one, or taken away")
def _():
    with rs_serve.Restanted({ANNA: "secret", BOB: "hidden"}, auth=CLEAR) as s:
        assert done(s, "user", "set", "Anna@example.org", "quota=10M", "pop3=no", "send-as=info@example.org",
                    "expire=30").splitlines() == ["anna@example.org pop3=no quota=10M expire=30"]
        assert "[AUTH]" in comes_in(s, ANNA, "secret")
        assert "send-as=info@example.org" in open(s.path("users")).read()
        assert done(s, "user", "set", ANNA, "quota=1G:5", "pop3=", "smtp=no") == \
            "anna@example.org smtp=no expire=30 quota=1G:5\n"
        assert comes_in(s, ANNA, "secret") == ""
        for n in range(6):
            code = rcpt(s, ANNA)[0] if n == 5 else (s.deliver(ANNA, [b"Subject: x\n\nx\n"]), 250)[1]
            assert code == 250
        before = open(s.path("users")).read()
        for args, words in ((["quotta=1G"], "no key of an account"), (["quota=lots"], "quota=lots"), (["quota"], "KEY=VALUE"),
                            (["pop3=no", "view=never"], "view=never"), (["app=x,y,z"], "--app"),
                            (["disabled=yes"], "user disable"), (["quotta="], "no key of an account"), (["maildir=x"], "maildir")):
            out = ctl(s, "user", "set", ANNA, *args)
            assert out.returncode == 65 and words in out.stderr, (args, out)
        assert ctl(s, "user", "set", ANNA).returncode == 64
        assert ctl(s, "user", "set", "nobody@example.org", "quota=1G").returncode == 67
        assert open(s.path("users")).read() == before
        done(s, "user", "set", ANNA, "smtp=", "expire=", "quota=")
        assert open(s.path("users")).read().splitlines()[0].split("::::::")[1] == "send-as=info@example.org"
        assert comes_in(s, BOB, "hidden") == ""


@tap.case("orders that cannot be are refused by name, and nothing is changed")
def _():
    with rs_serve.Restanted({ANNA: "secret"}, auth=CLEAR) as s:
        before = open(s.path("users")).read()
        for args, data, status, words in (
                (("add", "--password-stdin", ANNA), "x\n", 65, "already"),
                (("add", "--password-stdin", "new@example.org", "--set", "quota=lots"), "x\n", 65,
                 "quota=lots"),
                (("add", "--password-stdin", "new@example.org", "--set", "qouta=1G"), "x\n", 65,
                 "no key of an account"),
                (("add", "--password-stdin", "new@example.org", "--set", "pop3=off"), "x\n", 65,
                 "neither yes nor no"),
                (("add", "--password-stdin", "new@example.org", "--scheme", "rot13"), "x\n", 65,
                 "rot13"),
                (("add", "--password-stdin", "new@example.org"), "\n", 65, "no password"),
                (("add", "--password-stdin", "new@example.org"), "x" * 2000 + "\n", 65, "at most"),
                (("add", "new@example.org"), "x\n", 65, "--password-stdin"),
                (("add", "--password-stdin", "../x"), "x\n", 65, "../x"),
                (("password", "--password-stdin", BOB), "x\n", 67, BOB),
                (("password", BOB, "--app", "phone"), "", 67, BOB),
                (("password", ANNA, "--app", "my phone"), "", 65, "my phone"),
                (("password", ANNA, "--revoke", "phone"), "", 67, "phone"),
                (("password", ANNA, "--revoke", "a", "--apps"), "", 64, "one of"),
                (("disable", BOB), "", 67, BOB), (("enable", BOB), "", 67, BOB),
                (("remove", BOB), "", 67, BOB), (("list", BOB), "", 67, BOB),
                (("disable", ANNA, "--app", "x"), "", 64, "user password"),
                (("disable",), "", 65, "ADDRESS"), (("frob", ANNA), "", 64, "wanted")):
            answer = ctl(s, "user", *args, data=data)
            assert answer.returncode == status and words in answer.stderr, (args, answer)
        assert open(s.path("users")).read() == before


@tap.case("on a terminal the password is asked for twice, and not shown")
def _():
    with rs_serve.Restanted({ANNA: "secret"}, auth=CLEAR) as s:
        for answers, status in ((b"typed one\ntyped one\n", 0), (b"typed two\ntyped 2\n", 65)):
            ours, theirs = pty.openpty()
            process = subprocess.Popen([s.program, "user", "password", ANNA, "-c", s.conf],
                                       stdin=theirs, stdout=theirs, stderr=theirs)
            os.close(theirs)
            shown = b""
            for prompt, answer in zip((b"Password: ", b"Once more: "), answers.splitlines(True)):
                while not shown.endswith(prompt):
                    shown += os.read(ours, 1000)
                os.write(ours, answer)
            try:
                while True:
                    shown += os.read(ours, 1000)
            except OSError: # the other end is closed
                pass
            os.close(ours)
            assert process.wait(60) == status and b"typed" not in shown, shown
        assert comes_in(s, ANNA, "typed one") == ""


@tap.case("app passwords: made, shown once, used for PASS and AUTH, named in the log, revoked one by one")
def _():
    with rs_serve.Restanted({ANNA: "secret", BOB: "secret"}, auth=CLEAR) as s:
        phone = done(s, "user", "password", ANNA, "--app", "phone").strip()
        desk = done(s, "user", "password", ANNA, "--app", "desk").strip()
        assert re.fullmatch(r"([a-z2-9]{5}-){3}[a-z2-9]{5}", phone) and phone != desk
        assert phone not in open(s.path("users")).read()
        names = [line.split() for line in done(s, "user", "password", ANNA, "--apps").splitlines()]
        assert [n for n, _ in names] == ["phone", "desk"]
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", day) for _, day in names), names
        assert "app-passwords=2" in done(s, "user", "list", ANNA)
        for password in ("secret", phone, desk, phone.replace("-", ""), phone.upper()):
            assert comes_in(s, ANNA, password) == "", password
        assert plain(s, ANNA, phone).startswith("+OK")
        assert "[AUTH]" in comes_in(s, BOB, phone)
        assert "[AUTH]" in comes_in(s, ANNA, phone[:-1])
        assert re.search(r"app-password .*user=anna@example.org app=phone", s.log_text()), s.log_text()
        assert phone not in s.log_text() and phone.replace("-", "") not in s.log_text()
        assert ctl(s, "user", "password", ANNA, "--app", "desk").returncode == 65
        done(s, "user", "password", ANNA, "--revoke", "phone")
        assert "[AUTH]" in comes_in(s, ANNA, phone)
        assert comes_in(s, ANNA, desk) == "" and comes_in(s, ANNA, "secret") == ""
        done(s, "user", "password", "--password-stdin", ANNA, data="new one\n")
        assert comes_in(s, ANNA, desk) == "" and "[AUTH]" in comes_in(s, ANNA, "secret")
        done(s, "user", "disable", ANNA)
        assert "[AUTH]" in comes_in(s, ANNA, desk)


@tap.case("pop3=no, disabled, quota, maildir of an account; a verifier as password; all refused alike")
def _():
    with rs_serve.Restanted({}, auth=CLEAR, store={}) as s:
        users(s, f"anna@example.org:{SCRAM}::::::\n"
                 "nopop@example.org:{PLAIN}pencil::::::pop3=no\n"
                 "off@example.org:{PLAIN}pencil::::::disabled\n"
                 "small@example.org:{PLAIN}pencil::::::quota=1k\n"
                 f"own@example.org:{{PLAIN}}pencil::::::maildir={s.path('mail/elsewhere')}\n")
        assert comes_in(s, ANNA, "pencil") == "" and plain(s, "ANNA@example.org", "pencil").startswith("+OK")
        wrong = comes_in(s, ANNA, "Pencil")
        assert "[AUTH]" in wrong
        for user, password in (("nopop@example.org", "pencil"), ("nopop@example.org", "x"), ("off@example.org", "pencil"), ("off@example.org", "x"),
                               ("nobody@example.org", "pencil"), ("../x", "pencil"), ("small@example.org", "x")):
            assert comes_in(s, user, password) == wrong, (user, password)
        assert "not-for-this-user" in s.log_text()
        assert rcpt(s, "nopop@example.org")[0] == 250 and rcpt(s, "nobody@example.org")[0] == 550, (rcpt(s, "nopop@example.org"), rcpt(s, "nobody@example.org"))
        code, text = rcpt(s, "off@example.org")
        assert code == 550 and b"5.2.1" in text, (code, text)
        s.deliver("own@example.org", [b"Subject: x\n\nHello\n"])
        assert len(os.listdir(s.path("mail/elsewhere/new"))) == 1
        pop = login(s, "own@example.org", "pencil")
        assert pop.stat()[0] == 1
        pop.quit()
        try:
            s.deliver("small@example.org", [b"Subject: x\n\n" + b"Hello\n" * 1000])
            raise AssertionError("it fits")
        except rs_serve.smtplib.SMTPResponseException as e:
            assert e.smtp_code == 452, e


@tap.case("a user file that became wrong is told with its line, and the old users stay")
def _():
    with rs_serve.Restanted({ANNA: "secret"}, auth=CLEAR) as s:
        users(s, f"{ANNA}:{{PLAIN}}secret\n{BOB}:{{PLAIN}}pw::::::quota=-3\n")
        assert comes_in(s, ANNA, "secret") == ""
        assert "[AUTH]" in comes_in(s, BOB, "pw")
        assert re.search(r"users-not-read .*users:2: ", s.log_text()), s.log_text()
        assert s.log_text().count("users-not-read") == 1
        os.remove(s.path("users"))
        assert comes_in(s, ANNA, "secret") == ""
        users(s, f"{BOB}:{{PLAIN}}pw\n")
        assert comes_in(s, BOB, "pw") == "" and "[AUTH]" in comes_in(s, ANNA, "secret")


@tap.case("while 200,000 users are read the old ones are served, and then the new ones are there")
def _():
    with rs_serve.Restanted({ANNA: "secret"}, auth=CLEAR) as s:
        many = "".join(f"u{i}@example.org:{{PLAIN}}pw{i}::::::quota={i + 1}k\n" for i in range(200000))
        users(s, f"{ANNA}:{{PLAIN}}secret\n" + many)
        assert comes_in(s, "u199999@example.org", "pw199999") == ""
        failures, stop = [], threading.Event()

        def go_on():
            while not stop.is_set():
                failures.extend(filter(None, [comes_in(s, ANNA, "secret")]))
        thread = threading.Thread(target=go_on)
        thread.start()
        for i in range(3):
            users(s, f"{ANNA}:{{PLAIN}}secret\nnew{i}@example.org:{{PLAIN}}pw\n" + many)
            assert comes_in(s, f"new{i}@example.org", "pw") == ""
        stop.set()
        thread.join()
        assert not failures, failures
        assert "[AUTH]" in comes_in(s, "new0@example.org", "pw")


@tap.case("Dovecot reads the same file: app passwords are passed over, who is disabled is refused")
def _():
    peers.need_root()
    class OurFile(peers.Dovecot):
        def write(self, name, text):
            if name == "users":
                with rs_serve.Restanted({}) as s:
                    for name_, args in ((peers.USER, ["--set", "quota=1G"]), ("off", [])):
                        done(s, "user", "add", "--scheme", "scram-sha-256", "--password-stdin", name_,
                             *args, data=peers.PASSWORD + "\n")
                    done(s, "user", "password", peers.USER, "--app", "phone")
                    done(s, "user", "disable", "off")
                    text = open(s.path("users")).read()
                    assert "app=phone," in text
            return super().write(name, text)
    with OurFile([b"Subject: x\n\nHello\n"]) as dovecot:
        assert len(dovecot.retrieve()) == 1
        dovecot.user = "off"
        try:
            dovecot.retrieve()
            raise AssertionError("Dovecot let a disabled user in")
        except poplib.error_proto as e:
            assert b"AUTH" in e.args[0], e


tap.run()
