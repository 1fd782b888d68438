"""Mail coming in by raw LMTP: cuts, many recipients over several stores, ends of roles."""
import glob
import os
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rs_serve
import tap

USERS = {f"u{i}@example.org": "secret" for i in range(8)}


class Lmtp:
    def __init__(self, s):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(60)
        self.s.connect(s.lmtp)
        self.f = self.s.makefile("rb")
        assert self.answer().startswith(b"220")
        assert self.ask(b"LHLO test").startswith(b"250")

    def answer(self):
        line = self.f.readline()
        while line[3:4] == b"-":
            line = self.f.readline()
        return line

    def ask(self, line):
        self.s.sendall(line + b"\r\n")
        return self.answer()

    def envelope(self, users=tuple(USERS)):
        assert self.ask(b"MAIL FROM:<peer@example.net>").startswith(b"250")
        for user in users:
            assert self.ask(b"RCPT TO:<" + user.encode() + b">").startswith(b"250")
        return self

    def close(self):
        self.f.close()
        self.s.close()


def kept(s, user):
    return len(glob.glob(s.mailbox(user) + "/new/*")) + len(glob.glob(s.mailbox(user) + "/cur/*"))


@tap.case("a message cut anywhere before its last dot is nowhere kept, and nobody was told 250")
def _():
    whole = b"DATA\r\nSubject: x\r\n\r\nHello\r\n..dot\r\n.\r\n"
    with rs_serve.Restanted(USERS) as s:
        for n in range(0, len(whole) - 2):
            p = Lmtp(s).envelope(["u0@example.org"])
            p.s.sendall(whole[:n])
            p.s.shutdown(socket.SHUT_WR)
            assert b"250" not in p.f.read(), n
            p.close()
        assert kept(s, "u0@example.org") == 0
        p = Lmtp(s).envelope(["u0@example.org"])
        p.s.sendall(whole)
        assert p.answer().startswith(b"354") and p.answer().startswith(b"250")
        assert kept(s, "u0@example.org") == 1


@tap.case("a store dies in mid-message: a reply for each recipient, and 250 exactly for what is kept")
def _():
    with rs_serve.Restanted(USERS, workers=2) as s:
        p = Lmtp(s).envelope()
        assert p.ask(b"DATA").startswith(b"354")
        p.s.sendall(b"Subject: x\r\n\r\n" + b"line\r\n" * 1000)
        time.sleep(0.3)
        victim = sorted(pid for name, pids in s.roles().items() if name.startswith("store")
                        for pid in pids)[0]
        os.kill(victim, signal.SIGKILL)
        time.sleep(0.3)
        p.s.sendall(b"end\r\n.\r\n")
        answers = [p.answer() for _ in USERS]
        assert {a[:1] for a in answers} <= {b"2", b"4"}, answers
        assert {a[:1] for a in answers} >= {b"4"}, answers
        for user, answer in zip(USERS, answers):
            assert kept(s, user) == (answer[:3] == b"250"), (user, answer)
        p.close()
        s.deliver_many(list(USERS), [b"Subject: again\n\nx\n"])


@tap.case("one transaction after another in one pipelined batch: replies in order, all kept")
def _():
    with rs_serve.Restanted(USERS) as s:
        p = Lmtp(s)
        one = (b"MAIL FROM:<>\r\nRCPT TO:<u0@example.org>\r\nRCPT TO:<nobody@example.org>\r\n"
               b"RCPT TO:<u1@example.org>\r\nDATA\r\nSubject: x\r\n\r\nHello\r\n.\r\n")
        p.s.sendall(one * 20 + b"QUIT\r\n")
        for _ in range(20):
            got = [p.answer()[:1] for _ in range(7)]
            assert got == [b"2", b"2", b"5", b"2", b"3", b"2", b"2"], got
        assert p.answer().startswith(b"221")
        assert kept(s, "u0@example.org") == kept(s, "u1@example.org") == 20


tap.run()
