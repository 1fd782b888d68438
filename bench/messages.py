"""1,040 messages that servers get wrong, and a look at whether this one does.

800 are as they come (lines of any length, attachments), 240 are awkward: no line end at the end, lines
of dots, CRLF and LF in one file, lone CRs, NULs and 8-bit octets, no header, no body, nothing but a
header, lines of 100,000 octets. The octets are made from a fixed seed, so every run has the same.
"""
import random
import socket

PIECES = (b"plain", b".", b"..", b".\n.", b"\r", b"\r\n", b"\n", b"\n\n", b"\0", b"\xff\xfe", b" ", b"\t",
          b".\r\n.\r\n", b"From me\n", b">From\n", b"\r\r\n", b"x" * 998, b"y" * 5000)


def realistic(chance):
    lines = [b"Return-Path: <a@example.org>", b"Received: from x by y;", b"\tMon, 1 Jan 2024 00:00:00 +0000",
             b"From: A <a@example.org>", b"Subject: %d" % chance.randrange(10**6), b""]
    for _ in range(chance.randrange(3, 300)):
        n = chance.choice((0, 20, 60, 72, 76, 76, 76, 120, 998))
        lines.append((b"." if chance.randrange(20) == 0 else b"") + bytes(
            chance.choice(b"abcdefghij ABCDEFGHIJ+/=0123456789") for _ in range(chance.randrange(n + 1))))
    return b"\n".join(lines) + b"\n"


def awkward(chance, i):
    head = b"" if i % 12 == 0 else b"Subject: odd\n"
    if i % 12 == 1:
        return head                          # nothing but a header
    if i % 12 == 2:
        return head + b"\n" + b"z" * 100000  # one long line without an end
    if i % 12 == 3:
        return (head + b"\nbody\n.\nmore\n").replace(b"\n", b"\r\n")
    return head + b"\n" + b"".join(chance.choice(PIECES) for _ in range(chance.randrange(1, 40)))


def all_of_them():
    chance = random.Random(1939)
    return [realistic(chance) for _ in range(800)] + [awkward(chance, i) for i in range(240)]


def wire(text):
    """What RFC 1939 wants sent: CRLF at each line end, a dot doubled, a last line end if there is none."""
    lines = text.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    lines = [line[:-1] if line.endswith(b"\r") and i + 1 < len(lines) or
             (line.endswith(b"\r") and text.endswith(b"\n")) else line for i, line in enumerate(lines)]
    return b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines)


def differ(port, user, password, texts):
    """How many messages of this maildrop are sent other than wire() says; of how many another size is told."""
    wrong = lied = 0
    with socket.create_connection(("127.0.0.1", port)) as s, s.makefile("rwb") as f:
        def ask(line):
            f.write(line + b"\r\n")
            f.flush()
            answer = f.readline()
            if not answer.startswith(b"+OK"):
                raise RuntimeError(f"{line!r}: {answer!r}")
            return answer
        f.readline()
        ask(b"USER " + user.encode())
        ask(b"PASS " + password.encode())
        for i, text in enumerate(texts):
            told = int(ask(b"LIST %d" % (i + 1)).split()[2])
            want, got = wire(text), []
            ask(b"RETR %d" % (i + 1))
            while (line := f.readline()) != b".\r\n" and line:
                got.append(line)
            octets = len(want) - sum(line.startswith(b".") for line in text.split(b"\n"))
            wrong += b"".join(got) != want
            lied += told != octets
        ask(b"QUIT")
    return wrong, lied
