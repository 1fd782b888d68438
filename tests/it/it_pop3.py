"""POP3 sessions that are in no hurry, in too much of it, or not wanted: who may use a password in
the clear, what a quiet or stuck client costs, commands by the thousand, ends from either side.
"""
import os
import signal
import socket
import ssl
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rs_serve
import tap

ANNA = "anna@example.org"
USERS = {ANNA: "secret", "bob@example.org": "hidden"}
CLEAR = {"cleartext": "loopback"}


class Session:
    """A raw session; `tls`: to the POP3S port."""

    def __init__(self, s, tls=False, window=None):
        self.s = socket.socket()
        self.s.settimeout(60)
        if window:
            self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self.s.connect(("127.0.0.1", s.pop3s_port if tls else s.pop3_port))
        if tls:
            context = ssl.create_default_context(cafile=s.ca_file)
            context.check_hostname = False
            self.s = context.wrap_socket(self.s)
        self.f = self.s.makefile("rb")
        self.greeting = self.f.readline()
        assert self.greeting.startswith(b"+OK"), self.greeting

    def say(self, *lines):
        self.s.sendall(b"".join(line + b"\r\n" for line in lines))

    def ask(self, line):
        self.say(line)
        return self.f.readline()

    def login(self, user=ANNA, password="secret"):
        assert self.ask(b"USER " + user.encode()).startswith(b"+OK")
        answer = self.ask(b"PASS " + password.encode())
        assert answer.startswith(b"+OK"), answer
        return self

    def many(self, command):
        """Lines of a long answer."""
        self.say(command)
        return self.rest()

    def rest(self):
        lines = [self.f.readline()]
        while lines[-1] not in (b".\r\n", b""):
            lines.append(self.f.readline())
        return lines

    def ended(self, within=20):
        """The server ends the connection in that time; returns what it still said."""
        self.s.settimeout(within)
        try:
            return self.f.read()
        except ConnectionResetError:
            return b""

    def close(self):
        self.f.close()
        self.s.close()


def until(true, seconds=30):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@tap.case("cleartext = never: no USER, no mechanism, and the refusal says what to do")
def _():
    with rs_serve.Restanted(USERS, auth={"cleartext": "never"}) as s:
        p = Session(s)
        capa = b"".join(p.many(b"CAPA"))
        assert b"STLS" in capa and b"\nUSER" not in capa and b"SASL" not in capa, capa
        for line in (b"USER " + ANNA.encode(), b"AUTH PLAIN AGFubmFAZXhhbXBsZS5vcmcAc2VjcmV0"):
            answer = p.ask(line)
            assert answer.startswith(b"-ERR") and b"TLS" in answer, answer
            assert b"[AUTH]" not in answer, answer  # the password is not what was wrong
        Session(s, tls=True).login().close()


@tap.case("cleartext = loopback: from 127.0.0.1 a password is taken, and AUTH too")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR) as s:
        Session(s).login().ask(b"QUIT")
        answer = Session(s).ask(b"AUTH PLAIN AGFubmFAZXhhbXBsZS5vcmcAc2VjcmV0")
        assert answer.startswith(b"+OK"), answer


@tap.case("20000 commands in one go, in the clear and under TLS: 20000 answers")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR) as s:
        for tls in (False, True):
            p = Session(s, tls).login()
            p.s.settimeout(60)
            p.say(*[b"NOOP"] * 20000)
            for i in range(20000):
                answer = p.f.readline()
                assert answer.startswith(b"+OK"), (tls, i, answer)
            assert p.ask(b"QUIT").startswith(b"+OK")


@tap.case("who says nothing is told so and let go: before the login, and after it")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR,
                            limits={"pre-login-timeout": 1, "idle-timeout": 3}) as s:
        s.deliver(ANNA, [b"Subject: x\n\nHello\n"])
        began = time.monotonic()
        assert Session(s).ended().startswith(b"-ERR"), "no word of farewell"
        assert time.monotonic() - began < 10
        p = Session(s).login()
        assert p.ask(b"DELE 1").startswith(b"+OK")
        assert p.ended().startswith(b"-ERR")
        p = Session(s).login()
        assert p.ask(b"STAT").startswith(b"+OK 1 "), "deleted without QUIT"


@tap.case("who reads nothing is let go, also behind its QUIT")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR, limits={"idle-timeout": 2}) as s:
        s.deliver(ANNA, [b"Subject: big\n\n" + (b"x" * 70 + b"\n") * 30000])
        for tls in (False, True):
            for last in ([], [b"QUIT"]):
                seen = s.log_text().count("retrieved=")
                p = Session(s, tls).login()
                p.say(*[b"RETR 1"] * 20, *last)
                until(lambda: s.log_text().count("retrieved=") > seen)
                p.close()


@tap.case("who stops reading just before the end of the last answer is let go too")
def _():
    users = {f"u{i}@example.org": "secret" for i in range(1, 61)}
    with rs_serve.Restanted(users, auth=CLEAR, limits={"idle-timeout": 2}) as s:
        s.deliver_many(list(users), [b"Subject: big\n\n" + (b"x" * 70 + b"\n") * 800])
        time.sleep(0.5)
        seen = s.log_text().count("retrieved=")
        sessions = []
        for i, user in enumerate(users, 1):
            p = Session(s, window=4096).login(user)
            p.say(*[b"RETR 1"] * i, b"QUIT")
            sessions.append(p)
        until(lambda: s.log_text().count("retrieved=") >= seen + len(users))


@tap.case("end of the service: no login is waited for, DELE without QUIT deletes nothing")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR) as s:
        s.deliver(ANNA, [b"Subject: x\n\nHello\n"])
        early, late = Session(s), Session(s).login()
        stuck = Session(s, tls=True).login("bob@example.org", "hidden")
        assert late.ask(b"DELE 1").startswith(b"+OK")
        s.process.send_signal(signal.SIGTERM)
        assert b"-ERR" in early.ended(4), "a login that has not begun is not waited for"
        assert b"-ERR" in late.ended(20)
        stuck.ended(20)
        assert s.process.wait(20) == 0
        s.process = None
        s.start()
        assert Session(s).login().ask(b"STAT").startswith(b"+OK 1 ")


@tap.case("refused logins are answered later and later, and nobody else waits for it")
def _():
    with rs_serve.Restanted(USERS, workers=1, auth=CLEAR, limits={"failed-login-delay": "on"}) as s:
        p = Session(s)
        for _ in range(3): # from this machine only what an account has failed counts, from the fourth on
            p.ask(b"USER " + ANNA.encode())
            assert p.ask(b"PASS wrong").startswith(b"-ERR [AUTH]")
        p.ask(b"USER " + ANNA.encode())
        began = time.monotonic()
        p.say(b"PASS wrong")
        Session(s).login("bob@example.org", "hidden").ask(b"QUIT")
        p.s.settimeout(0.05)
        try:
            p.s.recv(1, socket.MSG_PEEK)
            answered = True
        except TimeoutError:
            answered = False
        assert not answered or time.monotonic() - began >= 0.9, "answered at once"
        p.s.settimeout(60)
        assert p.f.readline().startswith(b"-ERR [AUTH]")
        assert time.monotonic() - began >= 0.9


@tap.case("connections over the ceiling are turned away, and there is room again when one ends")
def _():
    with rs_serve.Restanted(USERS, workers=1, auth=CLEAR, limits={"connections": 3}) as s:
        until(lambda: "disconnect" in s.log_text())  # rs_serve's own look whether it is there
        time.sleep(0.2)
        seen = s.log_text().count("retrieved=")
        open_ones = [Session(s) for _ in range(3)]
        more = socket.create_connection(("127.0.0.1", s.pop3_port), 20)
        assert not more.makefile("rb").readline().startswith(b"+OK")
        open_ones.pop().close()
        until(lambda: s.log_text().count("retrieved=") > seen)
        Session(s).login()


@tap.case("half a command and gone; cut in every state: the next session gets in at once")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR) as s:
        s.deliver(ANNA, [b"Subject: x\n\nHello\n"])
        whole = b"USER %s\r\nPASS secret\r\nDELE 1\r\nRETR 1\r\nLIST\r\nQUI" % ANNA.encode()
        for n in range(0, len(whole), 3):
            seen = s.log_text().count("retrieved=")
            p = Session(s)
            p.s.sendall(whole[:n])
            p.s.shutdown(socket.SHUT_WR)
            p.ended(20)
            p.close()
            until(lambda: s.log_text().count("retrieved=") > seen)
        assert Session(s).login().ask(b"STAT").startswith(b"+OK 1 ")


@tap.case("a password is in no log")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR, log={"level": "debug"}) as s:
        p = Session(s)
        p.ask(b"USER " + ANNA.encode())
        p.ask(b"PASS not-my-word-47")
        p.login()
        p.ask(b"QUIT")
        until(lambda: "disconnect" in s.log_text())
        log = s.log_text()
        assert "secret" not in log and "not-my-word" not in log, log


@tap.case("who has read the answer to QUIT may log in again at once, at whatever front")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR, workers=4) as s:
        s.deliver(ANNA, [b"Subject: x\n\nx\n"] * 3)
        for i in range(300):
            p = Session(s).login()
            if i % 100 == 50:
                assert p.ask(b"DELE 1").startswith(b"+OK")
            assert p.ask(b"QUIT").startswith(b"+OK")


tap.run()
