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


def octets_of(s, user):
    found = []
    for path in sorted(glob.glob(s.mailbox(user) + "/new/*") + glob.glob(s.mailbox(user) + "/cur/*")):
        with open(path, "rb") as f:
            found.append(f.read())
    return found


@tap.case("what LHLO announces, and each of it works: SIZE, 8BITMIME, SMTPUTF8, PIPELINING, CHUNKING, enhanced codes")
def _():
    with rs_serve.Restanted(USERS, limits={"message-size": "10k"}) as s:
        p = Lmtp(s)
        p.s.sendall(b"LHLO test\r\n")
        lines = []
        while not lines or lines[-1][3:4] == b"-":
            lines.append(p.f.readline().strip())
        caps = {line[4:] for line in lines[1:]}
        assert caps == {b"PIPELINING", b"ENHANCEDSTATUSCODES", b"8BITMIME", b"SMTPUTF8", b"CHUNKING",
                        b"SIZE 10240"}, caps
        assert p.ask(b"MAIL FROM:<a@b.org> SIZE=10241").startswith(b"552 5.3.4")
        assert p.ask("MAIL FROM:<ä@b.org>".encode()).startswith(b"553 5.1.7")
        assert p.ask("MAIL FROM:<ä@b.org> SMTPUTF8 BODY=8BITMIME SIZE=100".encode()).startswith(b"250 2.1.0")
        assert p.ask(b"RCPT TO:<nobody@example.org>").startswith(b"550 5.1.1")
        assert p.ask(b"RCPT TO:<u0@example.org>").startswith(b"250 2.1.5")
        assert p.ask(b"DATA").startswith(b"354")
        assert p.ask("Subject: grüße\r\n\r\nä\r\n.".encode()).startswith(b"250 2.0.0")
        (got,) = octets_of(s, "u0@example.org")
        assert got.startswith("Return-Path: <ä@b.org>\nDelivered-To: u0@example.org\n".encode()), got
        assert b"with UTF8LMTP" in got and got.endswith("Subject: grüße\n\nä\n".encode()), got
        p.envelope(["u0@example.org", "u1@example.org"])
        assert p.ask(b"DATA").startswith(b"354")
        p.s.sendall(b"x" * 20000 + b"\r\n.\r\n")
        assert [p.answer()[:9] for _ in range(2)] == [b"552 5.3.4"] * 2
        p.close()


@tap.case("no bare CR or LF ends a message: one message is kept, whatever stands in it")
def _():
    ends = [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r\n.\n", b"\r\r\n.\r", b"\n\n.\r\r\n"]
    with rs_serve.Restanted(USERS) as s:
        for n, end in enumerate(ends):
            p = Lmtp(s).envelope(["u0@example.org"])
            assert p.ask(b"DATA").startswith(b"354")
            p.s.sendall(b"Subject: one\r\n\r\nx" + end + b"MAIL FROM:<evil@example.net>\r\nRCPT TO:<u1@example.org>"
                        b"\r\nDATA\r\nSubject: two\r\n\r\n\r\n.\r\nQUIT\r\n")
            answers = [line[:3] for line in p.f.read().splitlines()]
            assert answers == [b"250", b"221"], (end, answers)
            assert kept(s, "u0@example.org") == n + 1 and kept(s, "u1@example.org") == 0, end
            p.close()


@tap.case("BDAT: counted octets for many recipients, with what looks like ends and commands in it")
def _():
    with rs_serve.Restanted(USERS) as s:
        p = Lmtp(s).envelope()
        one, two = b"Subject: x\r\n\r\n.\r\nQUIT\r\n\r\n.\r\n", b"RSET\r\n" * 20000
        p.s.sendall(b"BDAT %d\r\n" % len(one) + one + b"BDAT %d LAST\r\n" % len(two) + two)
        assert p.answer().startswith(b"250 2.0.0")
        assert all(p.answer().startswith(b"250 2.0.0 Delivered") for _ in USERS)
        for user in USERS:
            (got,) = octets_of(s, user)
            assert got.endswith((b"Subject: x\r\n\r\n.\r\nQUIT\r\n\r\n.\r\n" + two).replace(b"\r\n", b"\n")), got[:300]
        # cut within a chunk, or before the last one: nothing is kept
        for cut in (b"BDAT 10 LAST\r\n123", b"BDAT 3\r\n123"):
            q = Lmtp(s).envelope(["u0@example.org"])
            q.s.sendall(cut)
            q.s.shutdown(socket.SHUT_WR)
            assert q.f.read().count(b"Delivered") == 0
            q.close()
        assert kept(s, "u0@example.org") == 1
        p.close()


@tap.case("over quota: 452, or 552 where that is configured; the others have it")
def _():
    users = {"u0@example.org": "secret", "u1@example.org": "secret"}
    for exceeded, code in (("temporary", b"452 4.2.2"), ("permanent", b"552 5.2.2")):
        with rs_serve.Restanted(users, store={"quota-exceeded": exceeded}) as s:
            with open(s.path("users"), "w") as f:
                f.write("u0@example.org:{PLAIN}x::::::quota=1k\nu1@example.org:{PLAIN}x::::::\n")
            p = Lmtp(s).envelope(list(users))
            assert p.ask(b"DATA").startswith(b"354")
            p.s.sendall(b"Subject: x\r\n\r\n" + b"0123456789\r\n" * 200 + b".\r\n")
            answers = [p.answer()[:9] for _ in users]
            assert answers == [code, b"250 2.0.0"], answers
            assert (kept(s, "u0@example.org"), kept(s, "u1@example.org")) == (0, 1)
            p.close()


@tap.case("a full disk: 452, nothing half there, and it goes on when there is room")
def _():
    if os.getuid() != 0:
        return # a file system of its own needs root
    with rs_serve.Restanted(USERS) as s:
        s.stop()
        owner = os.stat(s.path("mail"))
        s.prefix = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                    f'mount -t tmpfs -o size=512k,mode=0755,uid={owner.st_uid},gid={owner.st_gid} tmpfs "$0" && exec "$@"',
                    s.path("mail")]
        s.start()
        for _ in range(3):
            p = Lmtp(s).envelope(["u0@example.org"])
            assert p.ask(b"DATA").startswith(b"354")
            p.s.sendall(b"Subject: big\r\n\r\n" + b"0123456789\r\n" * 100000 + b".\r\n")
            assert p.answer().startswith(b"452 4.3.1")
            p.close()
        p = Lmtp(s).envelope(["u0@example.org"])
        assert p.ask(b"DATA").startswith(b"354") and p.ask(b"Subject: small\r\n\r\nx\r\n.").startswith(b"250")
        p.close()
        root = f"/proc/{s.process.pid}/root" + s.mailbox("u0@example.org")
        assert len(os.listdir(root + "/new")) == 1 and os.listdir(root + "/tmp") == [], os.listdir(root + "/tmp")


@tap.case("restanted deliver keeps to the same rules: disabled, too large, user+folder")
def _():
    import subprocess
    with rs_serve.Restanted(USERS, limits={"message-size": "10k"}) as s:
        with open(s.path("users"), "a") as f:
            f.write("off@example.org:{PLAIN}x::::::disabled=yes\n")

        def deliver(address, octets):
            return subprocess.run([s.program, "deliver", "-c", s.conf, "-f", "peer@example.net", address], input=octets,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT).returncode

        assert deliver("off@example.org", b"Subject: x\n\nx\n") == 67
        assert deliver("nobody@example.org", b"x\n") == 67
        assert deliver("u0@example.org", b"x" * 10241) == 65
        assert kept(s, "u0@example.org") == 0
        assert deliver("u0@example.org", b"From anna Mon\nSubject: x\n\nx\n") == 0
        assert deliver("u0+tag@example.org", b"Subject: x\n\nx" + b"y" * 10000) == 0
        assert octets_of(s, "u0@example.org")[0].startswith(b"Return-Path: <peer@example.net>\nDelivered-To: u0@")
        assert kept(s, "u0@example.org") == 2 and not os.listdir(s.mailbox("u0@example.org") + "/tmp")


tap.run()
