"""The SASL service: the protocol line by line, then the real Postfix, whose clients log in here."""
import base64
import os
import re
import signal
import smtplib
import socket
import ssl
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import peers
import rs_serve
import tap

ANNA = "anna@example.org"
USERS = {ANNA: "secret", "ben@example.org": "geheim"}


class Server(rs_serve.Restanted):
    def __init__(self, **sections):
        super().__init__(USERS, **sections)
        self.tcp_port = peers.free_port()

    def lay_out(self):
        self.sections.setdefault("listen", {})["sasl"] = \
            f"unix:{self.path('run/sasl')}, 127.0.0.1:{self.tcp_port}"
        super().lay_out()
        with open(self.path("users"), "a") as f:
            f.write("off@example.org:{PLAIN}secret::::::disabled=yes\nnosmtp@example.org:{PLAIN}secret::::::smtp=no\n"
                    "nopop@example.org:{PLAIN}secret::::::pop3=no\n")


class Client:
    """What an MTA does."""
    def __init__(self, server, tcp=False):
        if tcp:
            self.s = socket.create_connection(("127.0.0.1", server.tcp_port), 60)
        else:
            self.s = socket.socket(socket.AF_UNIX)
            self.s.settimeout(60)
            self.s.connect(server.path("run/sasl"))
        self.f = self.s.makefile("rb")
        self.hello = []
        while not self.hello or self.hello[-1] != ["DONE"]:
            self.hello.append(self.line())
        self.say("VERSION", "1", "1")
        self.say("CPID", "4711")

    def line(self):
        line = self.f.readline()
        assert line.endswith(b"\n"), line
        return line[:-1].decode().split("\t")

    def say(self, *fields):
        self.s.sendall("\t".join(fields).encode() + b"\n")

    def plain(self, number, user, password, *fields):
        resp = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        self.say("AUTH", str(number), "PLAIN", *(fields or ("service=smtp", "secured", "rip=192.0.2.7")),
                 "resp=" + resp)
        return self

    def close(self):
        self.f.close()
        self.s.close()


@tap.case("the handshake, PLAIN and LOGIN, by unix socket and by TCP")
def _():
    with Server() as s:
        for tcp in (False, True):
            c = Client(s, tcp)
            assert c.hello[0] == ["VERSION", "1", "1"] and ["MECH", "PLAIN", "plaintext"] in c.hello, c.hello
            assert not any("-PLUS" in f or f == "EXTERNAL" for line in c.hello for f in line)
            assert len(dict((line[0], line[-1]) for line in c.hello)["COOKIE"]) == 32
            assert c.plain(1, ANNA, "secret").line() == ["OK", "1", "user=" + ANNA]
            assert c.plain(2, "ANNA@example.org", "secret").line() == ["OK", "2", "user=" + ANNA]
            c.say("AUTH", "3", "LOGIN", "service=smtp", "secured")
            word, number, challenge = c.line()
            assert (word, number) == ("CONT", "3") and base64.b64decode(challenge).lower().startswith(b"user")
            c.say("CONT", "3", base64.b64encode(ANNA.encode()).decode())
            assert c.line()[:2] == ["CONT", "3"]
            c.say("CONT", "3", base64.b64encode(b"secret").decode())
            assert c.line() == ["OK", "3", "user=" + ANNA]
            c.close()


@tap.case("wrong, unknown, disabled, smtp=no: the same FAIL; pop3=no is none of its business")
def _():
    with Server() as s:
        c = Client(s)
        for n, (user, password) in enumerate([(ANNA, "wrong"), ("nobody@example.org", "secret"),
                                              ("off@example.org", "secret"), ("nosmtp@example.org", "secret")]):
            assert c.plain(n, user, password).line() == ["FAIL", str(n)]
        assert c.plain(9, "nopop@example.org", "secret").line()[0] == "OK"
        log = s.log_text()
        assert re.search(r"login-refused .*peer=192.0.2.7 user=nosmtp@example.org", log), log
        assert re.search(r"login-refused .*peer=192.0.2.7 user=nobody@example.org", log), log
        c.close()


@tap.case("no password in the clear, no other service")
def _():
    for cleartext, works in (("never", (False, False)), ("loopback", (False, True)), ("always", (True, True))):
        with Server(auth={"cleartext": cleartext}) as s:
            c = Client(s)
            for n, (peer, wanted) in enumerate(zip(("192.0.2.7", "127.0.0.1"), works)):
                got = c.plain(n, ANNA, "secret", "service=smtp", "rip=" + peer).line()
                assert (got[0] == "OK") == wanted, (cleartext, peer, got)
            assert c.plain(7, ANNA, "secret", "service=imap", "secured").line() == ["FAIL", "7"]
            c.close()


@tap.case("fifty requests at a time, answered each; a refused login waits, the others do not")
def _():
    with Server(limits={"failed-login-delay": "on"}) as s:
        c = Client(s)
        c.plain(1000, "nobody@example.org", "x")
        for n in range(50):
            c.plain(n, ANNA, "secret", "service=smtp", "secured", f"rip=192.0.2.{n + 10}")
        got = {}
        for _ in range(51):
            line = c.line()
            assert line[1] not in got
            got[line[1]] = line[0]
        assert got.pop("1000") == "FAIL" and set(got.values()) == {"OK"} and len(got) == 50, got
        assert "held-back-ms" in s.log_text()
        c.close()


@tap.case("auth ends in the middle: FAIL temp, then it works again; nonsense ends the connection, not the service")
def _():
    with Server() as s:
        c = Client(s)
        for pid in s.roles()["auth"]:
            os.kill(pid, signal.SIGKILL)
        answers = set()
        end = time.monotonic() + 60
        for n in range(100000):
            line = c.plain(n, ANNA, "secret").line()
            answers.add(line[0])
            assert line[0] == "OK" or line[2:] == ["temp"], line
            if line[0] == "OK" and time.monotonic() > end - 58:
                break
            assert time.monotonic() < end
        bad = Client(s)
        bad.say("CONT", "77", "AAAA")
        assert bad.f.read() == b""
        bad.close()
        assert c.plain(200000, ANNA, "secret").line()[0] == "OK"
        assert "sasl-broken" in s.log_text()
        c.close()


@tap.case("SCRAM by way of it, where it is offered")
def _():
    import hashlib
    import hmac
    with Server(auth={"mechanisms": "SCRAM-SHA-256 PLAIN"}) as s:
        c = Client(s)
        assert ["MECH", "SCRAM-SHA-256", "mutual-auth"] in c.hello, c.hello
        first = "n=" + ANNA + ",r=abcdefgh"
        c.say("AUTH", "1", "SCRAM-SHA-256", "service=smtp", "rip=192.0.2.7",
              "resp=" + base64.b64encode(b"n,," + first.encode()).decode())
        word, _, challenge = c.line()
        assert word == "CONT"
        server_first = base64.b64decode(challenge).decode()
        parts = dict(p.split("=", 1) for p in server_first.split(","))
        salted = hashlib.pbkdf2_hmac("sha256", b"secret", base64.b64decode(parts["s"]), int(parts["i"]))
        key = hmac.digest(salted, b"Client Key", "sha256")
        final = "c=biws,r=" + parts["r"]
        signature = hmac.digest(hashlib.sha256(key).digest(), ",".join((first, server_first, final)).encode(), "sha256")
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature))).decode()
        c.say("CONT", "1", base64.b64encode((final + ",p=" + proof).encode()).decode())
        line = c.line()
        if line[0] == "CONT": # the server's own proof; the client has nothing to say to it
            assert base64.b64decode(line[2]).startswith(b"v=")
            c.say("CONT", "1", "")
            line = c.line()
        assert line[:3] == ["OK", "1", "user=" + ANNA], line
        c.close()


def postfix_client(postfix, user=None, password=None):
    link = smtplib.SMTP("localhost", postfix.port, local_hostname="pc.example.org", timeout=120)
    link.starttls(context=ssl.create_default_context(cafile=postfix.ca_file))
    if user:
        link.login(user, password)
    return link


@tap.case("the real Postfix: its clients log in here; refused ones cannot send; it survives our restart")
def _():
    peers.need_root()
    with Server() as s, peers.Postfix("unix:" + s.lmtp, sasl=s.path("run/sasl")) as postfix:
        c = postfix_client(postfix)
        c.ehlo()
        assert "PLAIN" in c.esmtp_features["auth"], c.esmtp_features
        for user, password in ((ANNA, "wrong"), ("nosmtp@example.org", "secret"), ("off@example.org", "secret")):
            try:
                c.login(user, password)
                raise AssertionError("it was let in")
            except smtplib.SMTPAuthenticationError as e:
                assert e.smtp_code == 535, e
        assert c.mail(ANNA)[0] == 554
        c.close()
        for mechanism in ("auth_plain", "auth_login"):
            c = postfix_client(postfix)
            c.ehlo()
            c.user, c.password = ANNA, "secret"
            assert c.auth(mechanism[5:].upper(), getattr(c, mechanism))[0] == 235
            c.sendmail(ANNA, ["ben@example.org"], b"Subject: by Postfix\r\n\r\nHello\r\n")
            c.quit()
        assert "peer=127.0.0.1 user=anna@example.org" in s.log_text()
        s.stop()
        s.start()
        for _ in range(20): # Postfix finds out that its connection has gone
            try:
                c = postfix_client(postfix, ANNA, "secret")
                c.quit()
                break
            except smtplib.SMTPException:
                time.sleep(0.2)
        else:
            raise AssertionError("no login after a restart")
        s.pop3_wait(2)


@tap.case("the real Exim: its clients log in here; refused ones cannot send")
def _():
    peers.need_root()
    with Server() as s, peers.Exim(s.path("run/sasl")) as exim:
        for mechanism in ("PLAIN", "LOGIN"):
            c = postfix_client(exim)
            c.ehlo()
            assert mechanism in c.esmtp_features["auth"], c.esmtp_features
            c.user, c.password = ANNA, "wrong"
            try:
                c.auth(mechanism, getattr(c, "auth_" + mechanism.lower()))
                raise AssertionError("it was let in")
            except smtplib.SMTPAuthenticationError as e:
                assert e.smtp_code == 535, e
            assert c.mail(ANNA)[0] == 250 and c.rcpt("ben@example.org")[0] == 550
            c.rset()
            c.password = "secret"
            assert c.auth(mechanism, getattr(c, "auth_" + mechanism.lower()))[0] == 235
            assert c.sendmail(ANNA, ["ben@example.org"], b"Subject: by Exim\r\n\r\nHello\r\n") == {}
            c.quit()


@tap.case("in a circle: submission, relay with a login at Postfix, which asks us, and LMTP back")
def _():
    peers.need_root()
    with Server() as s, peers.Postfix("unix:" + s.lmtp, sasl=s.path("run/sasl")) as postfix:
        port = peers.free_port()
        with rs_serve.Restanted({ANNA: "secret"}, listen={"submissions": f"127.0.0.1:{port}"},
                                submission={"relay": f"smtp://ben%40example.org:geheim@localhost:{postfix.port}",
                                            "relay-ca": postfix.ca_file}) as front:
            link = smtplib.SMTP_SSL("localhost", port, context=ssl.create_default_context(cafile=front.ca_file),
                                    timeout=120)
            link.login(ANNA, "secret")
            assert link.sendmail(ANNA, ["ben@example.org"], b"Subject: circle\r\n\r\nHello\r\n.\r\n") == {}
            link.quit()
        (got,) = s.pop3_wait(1)
        assert b"Subject: circle" in got and got.count(b"Received: ") == 3 and b"with ESMTPSA" in got, got


def pop3_wait(self, n, user="ben@example.org", password="geheim"):
    """The messages of `user` when there are n."""
    import poplib
    end = time.monotonic() + 120
    while True:
        pop = poplib.POP3_SSL("localhost", self.pop3s_port,
                              context=ssl.create_default_context(cafile=self.ca_file), timeout=60)
        pop.user(user)
        pop.pass_(password)
        if pop.stat()[0] == n:
            got = [b"\n".join(pop.retr(i + 1)[1]) for i in range(n)]
            pop.quit()
            return got
        pop.quit()
        assert time.monotonic() < end, self.log_text()[-3000:]
        time.sleep(0.2)


Server.pop3_wait = pop3_wait
tap.run()
