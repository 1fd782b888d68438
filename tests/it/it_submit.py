"""Mail of users: the login, whose sender it is, local recipients and the relay, which stays the only one that has a
message when we say yes."""
import email
import glob
import os
import poplib
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import peers
import rs_serve
import tap
from fake_smtp import FakeSmtp

ANNA, BEN = "anna@example.org", "ben@example.org"
USERS = {ANNA: "secret", BEN: "geheim", "cara@example.org": "secret"}
MESSAGE = b"From: Anna <anna@example.org>\r\nSubject: x\r\n\r\nHello\r\n.dot\r\n"


class Server(rs_serve.Restanted):
    def __init__(self, relay=None, users=USERS, **sections):
        self.port, self.tls_port = peers.free_port(), peers.free_port()
        listen = {"submission": f"127.0.0.1:{self.port}", "submissions": f"127.0.0.1:{self.tls_port}",
                  **sections.pop("listen", {})}
        submission = sections.pop("submission", {})
        if relay:
            submission.setdefault("relay", f"smtp://127.0.0.1:{relay.port}")
            submission.setdefault("relay-tls", "none")
        super().__init__(users, listen=listen, **({"submission": submission} if submission else {}), **sections)

    def lay_out(self): # keys of users stand behind their passwords here
        super().lay_out()
        with open(self.path("users"), "w") as f:
            for name, password in self.users.items():
                password, _, keys = password.partition("::::::")
                f.write(f"{name}:{{PLAIN}}{password}::::::{keys}\n")

    def context(self):
        return ssl.create_default_context(cafile=self.ca_file)

    def client(self, user=ANNA, password="secret"):
        link = smtplib.SMTP_SSL("localhost", self.tls_port, local_hostname="pc.example.org",
                                context=self.context(), timeout=120)
        if user:
            link.login(user, password)
        return link

    def kept(self, user):
        found = glob.glob(self.mailbox(user) + "/new/*") + glob.glob(self.mailbox(user) + "/cur/*")
        octets = []
        for path in found:
            with open(path, "rb") as f:
                octets.append(f.read())
        return octets

    def wait_log(self, text, seconds=60):
        end = time.monotonic() + seconds
        while text not in self.log_text():
            assert time.monotonic() < end, (text, self.log_text()[-3000:])
            time.sleep(0.05)


def refused(call, code):
    """The reply of a call that smtplib takes for an error."""
    try:
        call()
    except smtplib.SMTPRecipientsRefused as e:
        got = list(e.recipients.values())[0]
    except smtplib.SMTPResponseException as e:
        got = (e.smtp_code, e.smtp_error)
    else:
        raise AssertionError("it was taken")
    assert got[0] == code, got
    return got[1].decode()


@tap.case("587 with STARTTLS and 465: a login, then local mail with trace, Date and Message-ID")
def _():
    with Server() as s:
        with s.client() as c:
            assert c.sendmail(ANNA, [BEN], MESSAGE) == {}
        with smtplib.SMTP("localhost", s.port, local_hostname="pc.example.org", timeout=60) as c:
            c.ehlo()
            assert not c.has_extn("auth"), "a password may not go out in the clear"
            assert c.docmd("AUTH PLAIN AGFubmEAc2VjcmV0")[0] in (530, 538)
            c.starttls(context=s.context())
            c.login(ANNA, "secret")
            c.sendmail(ANNA, [BEN], b"Date: Thu, 1 Jan 1970 00:00:00 +0000\r\nMessage-ID: <a@b>\r\n\r\nx\r\n")
        first, second = sorted(s.kept(BEN), key=len, reverse=True)
        m = email.message_from_bytes(first)
        assert m["Return-Path"] == "<anna@example.org>" and m["Delivered-To"] == BEN
        assert "from pc.example.org (127.0.0.1)" in m["Received"] and "with ESMTPSA" in m["Received"], m["Received"]
        assert m["Date"] and m["Message-ID"].endswith("@localhost>"), first
        assert first.endswith(b"\n\nHello\n.dot\n"), first
        m = email.message_from_bytes(second)
        assert m.get_all("Date") == ["Thu, 1 Jan 1970 00:00:00 +0000"] and m.get_all("Message-ID") == ["<a@b>"]
        assert 'user=anna@example.org' in s.log_text() and "received" in s.log_text()


@tap.case("wrong password, unknown user, disabled, smtp=no: the same words; pop3=no may send")
def _():
    with Server() as s:
        with open(s.path("users"), "a") as f:
            f.write("off@example.org:{PLAIN}secret::::::disabled=yes\nnosmtp@example.org:{PLAIN}secret::::::smtp=no\n"
                    "nopop@example.org:{PLAIN}secret::::::pop3=no\n")
        answers = set()
        for user, password in ((ANNA, "wrong"), ("nobody@example.org", "secret"), ("off@example.org", "secret"),
                               ("nosmtp@example.org", "secret")):
            c = s.client(None)
            answers.add(refused(lambda: c.login(user, password), 535))
            c.close()
        assert len(answers) == 1, answers
        with s.client("nopop@example.org") as c:
            c.sendmail("nopop@example.org", [BEN], MESSAGE)
        c = s.client(None)
        assert c.docmd("MAIL FROM:<anna@example.org>")[0] in (503, 530)
        c.ehlo()
        assert c.docmd("MAIL FROM:<anna@example.org>")[0] == 530
        c.close()


@tap.case("the sender belongs to the login: own, +tag, send-as, null; nothing else")
def _():
    users = {ANNA: "secret::::::send-as=info@example.org,@example.net", BEN: "geheim"}
    with Server(users=users) as s:
        for sender in (ANNA, "Anna@Example.ORG", "anna+shop@example.org", "", "info@example.org", "any@example.net"):
            with s.client() as c:
                c.sendmail(sender, [BEN], MESSAGE)
        for sender in (BEN, "info@example.com", "anna@example.com", "annax@example.org", "x+anna@example.org",
                       '"anna"@example.org'):
            c = s.client()
            refused(lambda: c.sendmail(sender, [BEN], MESSAGE), 553)
            # the session goes on
            c.sendmail(ANNA, [BEN], MESSAGE)
            c.close()
        assert len(s.kept(BEN)) == 12


@tap.case("local and other recipients: the relay has it as it was sent, without Return-Path; connections are kept")
def _():
    with FakeSmtp() as relay, Server(relay) as s:
        with s.client() as c:
            c.sendmail(ANNA, [BEN, "x@example.net", "y@example.com"], MESSAGE, ["SIZE=100", "BODY=8BITMIME"])
            c.sendmail(ANNA, ["z@example.net"], MESSAGE)
        assert relay.connections == 1, relay.connections
        (sender, rcpts, octets, commands), second = relay.messages
        assert (sender, rcpts) == (ANNA, ["x@example.net", "y@example.com"]) and second[1] == ["z@example.net"]
        assert "MAIL FROM:<anna@example.org> SIZE=100 BODY=8BITMIME" in commands, commands
        m = email.message_from_bytes(octets)
        assert not m["Return-Path"] and not m["Delivered-To"] and m["Date"] and m["Message-ID"], octets
        assert octets.endswith(b"\r\n\r\nHello\r\n.dot\r\n")
        (local,) = s.kept(BEN)
        local = email.message_from_bytes(local)
        assert local["Return-Path"] and local["Message-ID"] == m["Message-ID"]


@tap.case("what the relay refuses is refused with its words, and no recipient here has it either")
def _():
    refuse = {"bad@example.net": "550 5.1.1 nobody there", "later@example.net": "450 4.2.1 later"}
    with FakeSmtp(refuse=refuse) as relay, Server(relay) as s:
        c = s.client()
        got = c.sendmail(ANNA, [BEN, "bad@example.net", "later@example.net", "ok@example.net"], MESSAGE)
        assert got == {"bad@example.net": (550, b"5.1.1 nobody there"),
                       "later@example.net": (450, b"4.2.1 later")}, got
        assert relay.messages[-1][1] == ["ok@example.net"] and len(s.kept(BEN)) == 1
        # all of the relay's refused: local mail goes all the same
        assert "bad@example.net" in c.sendmail(ANNA, [BEN, "bad@example.net"], MESSAGE)
        assert len(relay.messages) == 1 and len(s.kept(BEN)) == 2
        relay.refuse["END"] = "554 5.7.1 spam"
        assert "5.7.1 spam" in refused(lambda: c.sendmail(ANNA, [BEN, "ok@example.net"], MESSAGE), 554)
        relay.refuse["END"] = "451 4.3.0 not now"
        refused(lambda: c.sendmail(ANNA, ["ok@example.net"], MESSAGE), 451)
        del relay.refuse["END"]
        relay.refuse["DATA"] = "452 4.3.1 full"
        refused(lambda: c.sendmail(ANNA, [BEN, "ok@example.net"], MESSAGE), 452)
        del relay.refuse["DATA"]
        relay.refuse["MAIL"] = "553 5.1.8 no such domain"
        assert "5.1.8" in refused(lambda: c.sendmail(ANNA, ["ok@example.net"], MESSAGE), 553)
        del relay.refuse["MAIL"]
        assert len(s.kept(BEN)) == 2 and len(relay.messages) == 1
        c.sendmail(ANNA, [BEN, "ok@example.net"], MESSAGE)
        assert len(s.kept(BEN)) == 3 and len(relay.messages) == 2
        c.close()


@tap.case("a relay that is down, or breaks at any command: 451 while the client waits, nothing half done")
def _():
    with FakeSmtp() as relay, Server(relay) as s:
        for command in ("EHLO", "MAIL", "RCPT", "DATA", "END"):
            relay.hang_up = {command}
            c = s.client()
            text = refused(lambda: c.sendmail(ANNA, [BEN, "x@example.net"], MESSAGE), 451) \
                if command in ("DATA", "END") else None
            if text is None: # the recipient is refused at RCPT; the local one goes
                assert c.sendmail(ANNA, [BEN, "x@example.net"], MESSAGE)["x@example.net"][0] == 451
            c.close()
            relay.hang_up = set()
            # a connection that is kept from before may break; a new one does not
            c = s.client()
            for _ in range(3):
                if c.sendmail(ANNA, [BEN, "x@example.net"], MESSAGE) == {}:
                    break
            else:
                raise AssertionError("the relay is back, and is not asked")
            c.close()
        assert all(m[2].endswith(b".dot\r\n") for m in relay.messages)
        relay.close()
        c = s.client()
        for _ in range(3):
            got = c.sendmail(ANNA, [BEN, "x@example.net"], MESSAGE)
            assert got["x@example.net"][0] == 451, got
        c.close()
        assert "relay-unreachable" in s.log_text()


@tap.case("credentials go out under TLS to a certificate that verifies, and to nobody else")
def _():
    folder = __import__("tempfile").mkdtemp(prefix="rs-relay-")
    good = peers.make_certificate(folder)
    other = os.path.join(folder, "other")
    os.mkdir(other)
    wrong = peers.make_certificate(other, name="elsewhere.example.net")
    # the name in `wrong` is another one, but for the address that make_certificate always puts in
    for tls, scheme in (("starttls", "smtp"), ("tls", "smtps")):
        for crt, ca, host, works in ((good, good, "localhost", True), (good, good, "127.0.0.1", True),
                                     (wrong, wrong, "localhost", False), (good, wrong, "localhost", False)):
            with FakeSmtp(tls=tls, certificate=crt, users={"us@x": "p:w/ä"}) as relay:
                url = f"{scheme}://us%40x:p%3Aw%2F%C3%A4@{host}:{relay.port}"
                with Server(submission={"relay": url, "relay-ca": ca[0]}) as s:
                    with s.client() as c:
                        got = c.sendmail(ANNA, [BEN, "x@example.net"], MESSAGE)
                    assert (got == {}) == works, (tls, host, got, s.log_text()[-2000:])
                    assert relay.logins == ([("us@x", "p:w/ä", True)] if works else []), relay.logins
                    assert len(relay.messages) == works
    with FakeSmtp(users={"us": "pw"}) as relay: # no TLS offered
        with Server(submission={"relay": f"smtp://us:pw@localhost:{relay.port}", "relay-ca": good[0]}) as s:
            with s.client() as c:
                assert c.sendmail(ANNA, [BEN, "x@example.net"], MESSAGE)["x@example.net"][0] == 451
            assert relay.logins == [] and "STARTTLS" in s.log_text()


@tap.case("opportunistic: TLS where it is offered, whoever it is; no password with it")
def _():
    folder = __import__("tempfile").mkdtemp(prefix="rs-relay-")
    for tls in ("starttls", None):
        with FakeSmtp(tls=tls, certificate=peers.make_certificate(folder)) as relay:
            with Server(relay, submission={"relay-tls": "opportunistic"}) as s:
                with s.client() as c:
                    assert c.sendmail(ANNA, ["x@example.net"], MESSAGE) == {}
                assert ("STARTTLS" in relay.commands) == (tls == "starttls")
    with Server() as s:
        for keys, words in (("relay = smtp://u:p@h\nrelay-tls = none", "verified only"),
                            ("relay = http://h", "smtp(s)://"), ("relay = smtp://u@h", "without a password"),
                            ("relay = smtps://h\nrelay-tls = none", "smtps://"), ("recipients = 0", "range")):
            with open(s.conf) as f:
                text = f.read()
            path = s.path("bad.conf")
            with open(path, "w") as f:
                f.write(text + "[submission]\n" + keys + "\n")
            done = subprocess.run([s.program, "check-config", "-c", path], text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
            assert done.returncode == 78 and words in done.stdout, (keys, done)


@tap.case("extensions that the relay lacks are told before the message comes")
def _():
    with FakeSmtp(caps=("SIZE 1000",)) as relay, Server(relay) as s:
        c = s.client()
        c.ehlo()
        for options, code in ((["BODY=8BITMIME"], 554), (["SMTPUTF8"], 553), (["SIZE=2000"], 552)):
            refused(lambda: c.sendmail(ANNA, ["x@example.net"], MESSAGE, options), code)
        assert c.sendmail(ANNA, ["x@example.net"], MESSAGE, ["SIZE=500"]) == {}
        c.close()


@tap.case("no relay: other places are refused; local-domains are never relayed")
def _():
    with Server() as s:
        c = s.client()
        refused(lambda: c.sendmail(ANNA, ["x@example.net"], MESSAGE), 550)
        c.close()
    with FakeSmtp() as relay, Server(relay, submission={"local-domains": "example.org, Example.NET"}) as s:
        c = s.client()
        got = c.sendmail(ANNA, [BEN, "nobody@example.org", "x@example.net", "x@example.com"], MESSAGE)
        assert {k: v[0] for k, v in got.items()} == {"nobody@example.org": 550, "x@example.net": 550}, got
        assert relay.messages[0][1] == ["x@example.com"]
        c.close()
    with FakeSmtp() as relay, Server(relay) as s: # without it, who is not ours goes to the relay
        with s.client() as c:
            assert c.sendmail(ANNA, [BEN, "nobody@example.org"], MESSAGE) == {}
        assert relay.messages[0][1] == ["nobody@example.org"]


@tap.case("limits: recipients of a message, recipients an hour, size")
def _():
    with Server(submission={"recipients": 2, "rate": 5}, limits={"message-size": "10k"}) as s:
        c = s.client()
        got = c.sendmail(ANNA, [BEN, "cara@example.org", ANNA], MESSAGE)
        assert got[ANNA][0] == 452, got
        c.sendmail(ANNA, [BEN, "cara@example.org"], MESSAGE)
        c.sendmail(ANNA, [BEN], MESSAGE)
        text = refused(lambda: c.sendmail(ANNA, [BEN], MESSAGE), 450)
        assert "hour" in text
        c.close()
        with s.client() as c: # another connection is the same account
            refused(lambda: c.sendmail(ANNA, [BEN], MESSAGE), 450)
        with s.client(BEN, "geheim") as c:
            c.sendmail(BEN, [ANNA], MESSAGE)
            refused(lambda: c.sendmail(BEN, [ANNA], MESSAGE + b"x" * 20000), 552)
        assert len(s.kept(ANNA)) == 1


@tap.case("a mailbox here that is full when the relay has the message: the answer names it")
def _():
    users = {ANNA: "secret", BEN: "geheim::::::quota=1k", "cara@example.org": "secret"}
    with FakeSmtp() as relay, Server(relay, users=users) as s:
        big = MESSAGE + b"0123456789\r\n" * 200
        c = s.client()
        text = refused(lambda: c.sendmail(ANNA, [BEN, "cara@example.org", "x@example.net"], big), 452)
        assert "all but ben@example.org" in text and "cara" not in text, text
        assert len(relay.messages) == 1 and len(s.kept("cara@example.org")) == 1 and not s.kept(BEN)
        text = refused(lambda: c.sendmail(ANNA, [BEN], big), 452)
        assert "all but" not in text
        c.close()


@tap.case("roles that end: auth, relay, store in the middle; 4xx or 421, never a false 250")
def _():
    with FakeSmtp() as relay, Server(relay) as s:
        for role in ("relay", "auth", "store"):
            c = s.client()
            c.ehlo()
            c.mail(ANNA)
            assert c.rcpt(BEN)[0] == 250 and c.rcpt("x@example.net")[0] == 250
            before = len(s.log_text())
            for pid in s.roles()[role]:
                os.kill(pid, signal.SIGKILL)
            end = time.monotonic() + 60
            while "role-ended" not in s.log_text(before):
                assert time.monotonic() < end
                time.sleep(0.05)
            relayed, local = len(relay.messages), len(s.kept(BEN))
            try:
                code = c.data(MESSAGE)[0]
            except smtplib.SMTPException as e:
                code = getattr(e, "smtp_code", 421)
            if code == 250:
                assert len(relay.messages) == relayed + 1 and len(s.kept(BEN)) == local + 1
            else:
                assert 400 <= code < 500, code
                assert role == "store" or len(relay.messages) == relayed
            c.close()
            for _ in range(100): # it comes back
                try:
                    with s.client() as c:
                        if c.sendmail(ANNA, [BEN, "x@example.net"], MESSAGE) == {}:
                            break
                except (smtplib.SMTPException, OSError):
                    pass
                time.sleep(0.1)
            else:
                raise AssertionError("it does not come back:\n" + s.log_text()[-3000:])


@tap.case("octets sent behind STARTTLS end the session")
def _():
    with Server() as s:
        sock = socket.create_connection(("127.0.0.1", s.port), 60)
        f = sock.makefile("rb")
        assert f.readline().startswith(b"220")
        sock.sendall(b"EHLO x\r\n")
        while not f.readline().startswith(b"250 "):
            pass
        sock.sendall(b"STARTTLS\r\nMAIL FROM:<anna@example.org>\r\n")
        f.readline()
        assert f.read() == b""
        s.wait_log("injection")


@tap.case("sessions and kick know submission; metrics count what was relayed")
def _():
    with FakeSmtp() as relay, Server(relay) as s:
        c = s.client()
        c.sendmail(ANNA, ["x@example.net"], MESSAGE)
        out = subprocess.run([s.program, "sessions", "-c", s.conf, "--json"], text=True, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT).stdout
        assert "submissions" in out and ANNA in out, out
        one = [part for part in __import__("json").loads(out)["sessions"] if part["service"] == "submissions"][0] \
            if out.lstrip().startswith("{") else None
        if one:
            subprocess.run([s.program, "kick", "-c", s.conf, str(one["id"])], check=True, stdout=subprocess.DEVNULL)
            assert c.noop()[0] == 421
        c.close()


@tap.case("a kept connection that the relay has closed meanwhile: the next one takes its place, nobody notices")
def _():
    with FakeSmtp() as relay, Server(relay) as s:
        c = s.client()
        for n in range(3):
            assert c.sendmail(ANNA, [BEN, "x@example.net"], MESSAGE) == {}
            relay.hang_up_once = {"MAIL"}
        assert relay.connections == 3 and len(relay.messages) == 3 and len(s.kept(BEN)) == 3
        relay.hang_up_once = {"RCPT"} # MAIL was answered: that is no stale connection
        assert c.sendmail(ANNA, [BEN, "x@example.net"], MESSAGE)["x@example.net"][0] == 451
        c.close()


@tap.case("a reload in the middle of a message: the session goes on with the roles it has")
def _():
    with FakeSmtp() as relay, Server(relay) as s:
        c = s.client()
        c.ehlo()
        c.mail(ANNA)
        assert c.rcpt(BEN)[0] == 250 and c.rcpt("x@example.net")[0] == 250
        subprocess.run([s.program, "reload", "-c", s.conf], check=True, stdout=subprocess.DEVNULL)
        assert c.data(MESSAGE)[0] == 250
        assert c.sendmail(ANNA, [BEN, "y@example.net"], MESSAGE) == {}
        with s.client() as new:
            assert new.sendmail(ANNA, [BEN, "z@example.net"], MESSAGE) == {}
        assert [m[1] for m in relay.messages] == [["x@example.net"], ["y@example.net"], ["z@example.net"]]
        assert len(s.kept(BEN)) == 3
        c.quit()
        s.wait_log("generation-ended")


@tap.case("the relay role has a user of its own where it is given one")
def _():
    if os.getuid() != 0:
        raise tap.Skip("needs root to give rights up")
    with FakeSmtp() as relay, Server(relay, server={"relay-user": "65533:65533"}) as s:
        uids = {}
        for role in ("relay", "front"):
            with open(f"/proc/{s.roles()[role][0]}/status", encoding="ascii") as f:
                uids[role] = [l.split()[1:] for l in f if l.startswith("Uid:")][0]
        assert uids["relay"] == ["65533"] * 4 and "65533" not in uids["front"], uids
        with s.client() as c:
            assert c.sendmail(ANNA, ["x@example.net"], MESSAGE) == {}


@tap.case("LOGIN-DELAY is a matter of maildrops: a user who has just fetched his mail may send")
def _():
    with Server(limits={"login-delay": "600"}) as s:
        def fetch():
            pop = poplib.POP3_SSL("localhost", s.pop3s_port, timeout=60, context=s.context())
            pop.user(ANNA)
            pop.pass_("secret")
            return pop.quit()
        with s.client() as c: # nor does it begin with a login to send
            assert c.sendmail(ANNA, [BEN], MESSAGE) == {}
        assert fetch().startswith(b"+OK")
        try:
            fetch()
            raise AssertionError("LOGIN-DELAY is not kept")
        except poplib.error_proto as e:
            assert b"[LOGIN-DELAY]" in e.args[0]
        for _ in range(2):
            with s.client() as c:
                assert c.sendmail(ANNA, [BEN], MESSAGE) == {}


tap.run()
