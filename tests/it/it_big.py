"""Big things: ten thousand idle sessions, a maildrop of a hundred thousand messages, one of more than 4 GiB. Loosely
bounded: what is measured well is in bench/. `./test --long` also sends a message of more than 4 GiB."""
import os
import poplib
import resource
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rs_serve
import tap

ANNA = "anna@example.org"
CLEAR = {"cleartext": "loopback"}
LIMITS = {"connections": "30000", "connections-per-address": "0", "idle-timeout": "3600",
          "pre-login-timeout": "600"}
IDLE = 10000
MANY = 100000
GIB = 1 << 30
LONG = os.environ.get("RS_TEST_LONG")
RELEASE = os.environ.get("RS_RELEASE_BUILD")


def own(path):
    """Give a mailbox that was laid out by hand to the user of the service."""
    if os.getuid() == 0:
        for at in [path, *(os.path.join(path, sub) for sub in ("new", "cur", "tmp"))]:
            os.chown(at, 65534, 65534)
            while os.path.dirname(at) != at and not at.endswith("/mail"):
                at = os.path.dirname(at)
                if os.stat(at).st_uid == 0 and "/mail/" in at:
                    os.chown(at, 65534, 65534)


def login(s, user=ANNA):
    pop = poplib.POP3("127.0.0.1", s.pop3_port, timeout=300)
    pop.user(user)
    pop.pass_("secret")
    return pop


def pss(pids):
    """KiB of the processes, shared pages in parts."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup") as f:
            total += sum(int(l.split()[1]) for l in f if l.startswith("Pss:"))
    return total


def connect_all(s, n):
    found = []
    for _ in range(n):
        found.append(socket.create_connection(("127.0.0.1", s.pop3_port), 120))
    return found


def lines(link, n):
    """The next n lines of a socket."""
    text = b""
    while text.count(b"\n") < n:
        part = link.recv(4096)
        assert part, "the session was ended: " + repr(text)
        text += part
    return text.splitlines()


@tap.case("10,000 idle sessions: all logged in, little memory, and everything still answers")
def _():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < IDLE + 2000:
        raise tap.Skip(f"this machine allows {hard} descriptors a process")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    users = {f"u{i}@example.org": "secret" for i in range(IDLE)}
    users[ANNA] = "secret"
    with rs_serve.Restanted(users, release=bool(RELEASE), auth=CLEAR, limits=LIMITS) as s:
        some = [f"u{i}@example.org" for i in range(0, 500)]
        for at in range(0, len(some), 50):
            s.deliver_many(some[at:at + 50], [b"Subject: for many\n\nx\n"])
        pids = [p for group in s.roles().values() for p in group]
        before = pss(pids)
        links = connect_all(s, IDLE)
        for link in links:
            assert lines(link, 1)[0].startswith(b"+OK")
        for i, link in enumerate(links):
            link.sendall(b"USER u%d@example.org\r\nPASS secret\r\n" % i)
        for i, link in enumerate(links):
            answer = lines(link, 2)
            assert answer[1].startswith(b"+OK"), (i, answer)
        used = (pss(pids) - before) / IDLE
        print(f"# {used:.1f} KiB a session")
        if RELEASE:
            assert used < 40, f"{used:.1f} KiB a session"
        s.deliver(ANNA, [b"Subject: in between\n\nx\n"])
        pop = login(s)
        assert pop.stat()[0] == 1 and b"Subject: in between" in pop.retr(1)[1]
        pop.quit()
        assert len([p for group in s.roles().values() for p in group]) == len(pids)
        for i, link in enumerate(links):
            link.sendall(b"STAT\r\n")
        for i, link in enumerate(links):
            assert lines(link, 1)[0].startswith(b"+OK 1 " if i < 500 else b"+OK 0 0"), i
        for link in links[::2]:
            link.sendall(b"QUIT\r\n")
        for link in links[::2]:
            assert lines(link, 1)[0].startswith(b"+OK")
        for link in links:
            link.close()
        end = time.monotonic() + 60
        while time.monotonic() < end:  # all maildrops are free again
            try:
                login(s, "u1@example.org").quit()
                break
            except poplib.error_proto as e:
                assert b"IN-USE" in e.args[0], e
                time.sleep(0.1)
        else:
            raise AssertionError("a maildrop stayed locked")


def many(box, n):
    """n messages as other programs deliver them and as we do, half each; hard links of a few files."""
    for sub in ("new", "cur", "tmp"):
        os.makedirs(os.path.join(box, sub))
    text = b"Subject: one of many\n\nline\n"
    wire = len(text) + text.count(b"\n")
    for i in range(n):
        if i % 50000 == 0:
            first = os.path.join(box, "tmp", f"first{i}")
            with open(first, "wb") as f:
                f.write(text)
            os.chmod(first, 0o644)
        name = f"{1500000000 + i}.M000001P1Q{i}R00000000.host,S={len(text)},W={wire}" if i % 2 else \
            f"{1500000000 + i}.P1Q{i}.other:2,S"
        os.link(first, os.path.join(box, "new" if i % 2 else "cur", name))
    return wire


@tap.case("100,000 messages: counted, listed, fetched, 50,000 deleted; the next session is right")
def _():
    with rs_serve.Restanted({ANNA: "secret"}, release=bool(RELEASE), auth=CLEAR, limits=LIMITS) as s:
        box = s.mailbox(ANNA)
        wire = many(box, MANY)
        own(box)
        pop = login(s)
        assert pop.stat() == (MANY, MANY * wire)
        sizes = pop.list()[1]
        uids = pop.uidl()[1]
        assert len(sizes) == MANY and sizes[-1] == b"%d %d" % (MANY, wire)
        assert uids[0] == b"1 1500000000.P1Q0.other" and len({u.split()[1] for u in uids}) == MANY
        assert b"line" in pop.retr(MANY)[1] and b"line" in pop.retr(MANY // 2)[1]
        pop.sock.settimeout(600)
        pop.sock.sendall(b"".join(b"DELE %d\r\n" % i for i in range(1, MANY // 2 + 1)))
        for _ in range(MANY // 2):
            assert pop.file.readline().startswith(b"+OK")
        assert pop.stat() == (MANY // 2, MANY // 2 * wire)
        assert pop.quit().startswith(b"+OK")
        end = time.monotonic() + 120
        while True:
            try:
                pop = login(s)
                break
            except poplib.error_proto as e:
                assert b"IN-USE" in e.args[0] and time.monotonic() < end, e
                time.sleep(0.1)
        assert pop.stat() == (MANY // 2, MANY // 2 * wire)
        assert [u.split()[1] for u in pop.uidl()[1]] == [u.split()[1] for u in uids[MANY // 2:]]
        pop.quit()
        assert len(os.listdir(os.path.join(box, "cur"))) + len(os.listdir(os.path.join(box, "new"))) == MANY // 2


def sparse(box, i, octets):
    """A message of so many octets that takes no room: a header, and nothing behind it but NULs and a line end."""
    head = b"Subject: sparse %d\n\n" % i
    name = f"{1600000000 + i}.M000001P1Q{i}R00000000.host,S={octets},W={octets + 3}"  # three line ends
    with open(os.path.join(box, "new", name), "wb") as f:
        f.write(head)
        f.truncate(octets - 1)
        f.seek(octets - 1)
        f.write(b"\n")
    if os.getuid() == 0:
        os.chown(os.path.join(box, "new", name), 65534, 65534)


def body_octets(link, rest):
    """Octets of a multi-line answer up to its end, without holding it."""
    count, tail = 0, b""
    while True:
        part = rest or link.recv(1 << 20)
        rest = b""
        assert part, "it broke off"
        count += len(part)
        tail = (tail + part)[-5:]
        if tail == b"\r\n.\r\n":
            return count - 3


@tap.case("a maildrop of more than 4 GiB: totals and sizes are right, the header of each can be had, one is deleted")
def _():
    with rs_serve.Restanted({ANNA: "secret"}, release=bool(RELEASE), auth=CLEAR, limits=LIMITS) as s:
        box = s.mailbox(ANNA)
        for sub in ("new", "cur", "tmp"):
            os.makedirs(os.path.join(box, sub))
        sizes = [GIB, 3 * GIB, 5 * GIB, 4 * GIB - 3, 4 * GIB - 2, 1000, (1 << 40)]
        try:
            for i, octets in enumerate(sizes):
                sparse(box, i, octets)
        except OSError as e:
            raise tap.Skip(f"this file system has no files so large: {e}")
        own(box)
        wire = [n + 3 for n in sizes]
        pop = login(s)
        assert pop.stat() == (len(sizes), sum(wire)), pop.stat()
        assert [int(l.split()[1]) for l in pop.list()[1]] == wire
        for i in range(len(sizes)):
            assert pop.top(i + 1, 0)[1] == [b"Subject: sparse %d" % i, b""], i
        assert sum(len(l) + 2 for l in pop.retr(6)[1]) == wire[5]
        pop.dele(7)
        assert pop.stat() == (len(sizes) - 1, sum(wire[:-1]))
        pop.quit()
        if LONG:
            link = socket.create_connection(("127.0.0.1", s.pop3_port), 300)
            while True:
                f = link.makefile("rb", buffering=0)
                f.readline()
                link.sendall(b"USER %s\r\nPASS secret\r\n" % ANNA.encode())
                f.readline()
                if f.readline().startswith(b"+OK"):
                    break
                link = socket.create_connection(("127.0.0.1", s.pop3_port), 300)
            link.sendall(b"RETR 3\r\n")
            assert f.readline() == b"+OK %d octets\r\n" % wire[2]
            assert body_octets(link, b"") == wire[2], "not the octets that were told"
            link.close()
            pids = [p for group in s.roles().values() for p in group]
            assert pss(pids) < 400 * 1024, "a large message is held in memory"
        else:
            print("# the message of 5 GiB is sent by ./test --long only")


tap.run()
