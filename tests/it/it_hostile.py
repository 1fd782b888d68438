"""Clients that do harm by reading, writing or shaking hands: readers that are stuck or slow, floods, injections.

Against the real restanted (tests/tools/rs_serve.py), over loopback.
"""
import os
import re
import socket
import ssl
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import peers
import rs_serve
import tap

ANNA = "anna@example.org"
USERS = {f"u{i}@example.org": "secret" for i in range(40)} | {ANNA: "secret"}
CLEAR = {"cleartext": "loopback"}


def connect(server, port=None, rcvbuf=None):
    s = socket.socket()
    if rcvbuf:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    s.settimeout(120)
    s.connect(("127.0.0.1", port or server.pop3_port))
    return s


def line_of(s):
    got = b""
    while not got.endswith(b"\n"):
        octet = s.recv(1)
        if not octet:
            return got
        got += octet
    return got


def logged_in(server, user=ANNA, rcvbuf=None, tls=False):
    s = connect(server, server.pop3s_port if tls else None, rcvbuf)
    if tls:
        context = ssl.create_default_context(cafile=server.ca_file)
        context.check_hostname = False
        s = context.wrap_socket(s)
    assert line_of(s).startswith(b"+OK")
    for command in (b"USER " + user.encode(), b"PASS secret"):
        s.sendall(command + b"\r\n")
        assert line_of(s).startswith(b"+OK"), command
    return s


def until(what, why="it did not happen in time"):
    end = time.monotonic() + 120
    while not what():
        assert time.monotonic() < end, why
        time.sleep(0.05)


BIG = b"Subject: big\n\n" + (b"x" * 70 + b"\n") * (8 << 20 >> 6) # more than the kernel keeps for a slow reader


# --- readers ----------------------------------------------------------------------------------

@tap.case("a reader that is stuck goes, in the clear and under TLS; one that is slow and steady stays")
def _():
    with rs_serve.Restanted(USERS, workers=1, auth=CLEAR, limits={"idle-timeout": 3}) as s:
        s.deliver(ANNA, [BIG])
        for tls in (False, True):
            stuck = logged_in(s, rcvbuf=4096, tls=tls)
            stuck.sendall(b"RETR 1\r\n")
            seen = s.log_text().count("ceiling=slow-reader")
            until(lambda: s.log_text().count("ceiling=slow-reader") > seen, "the stuck one stays")
            until(lambda: s.log_text().count(" disconnect ") > seen)
            stuck.close()
        slow = logged_in(s, rcvbuf=4096)
        slow.sendall(b"RETR 1\r\nNOOP\r\n")
        began, got = time.monotonic(), 0
        while time.monotonic() < began + 15: # five times what silence is allowed
            octets = slow.recv(4096)
            assert octets, f"the slow one was ended after {time.monotonic() - began:.1f} s"
            got += len(octets)
            time.sleep(0.3)
        assert got < len(BIG) // 2
        rest = b""
        while not rest.endswith(b"\r\n.\r\n+OK\r\n") and b"\r\n.\r\n+OK" not in rest:
            octets = slow.recv(1 << 20)
            assert octets, "not the whole message"
            rest = (rest + octets)[-200:]
        assert s.log_text().count("ceiling=slow-reader") == 2


@tap.case("what lies in the kernel for a slow reader keeps the session too; then silence ends it")
def _():
    with rs_serve.Restanted(USERS, workers=1, auth=CLEAR, limits={"idle-timeout": 2}) as s:
        s.deliver(ANNA, [b"Subject: x\n\n" + b"y" * 70 * 600]) # the kernel takes it whole
        slow = logged_in(s, rcvbuf=2048)
        slow.sendall(b"RETR 1\r\n")
        began, got = time.monotonic(), b""
        while time.monotonic() < began + 8:
            octets = slow.recv(1024)
            assert octets, "it was ended while it read"
            got += octets
            time.sleep(0.25)
        while not got.endswith(b".\r\n"):
            got += slow.recv(65536)
        assert b"-ERR" not in got
        assert line_of(slow).startswith(b"-ERR") and slow.recv(1) == b"" # two seconds of silence


@tap.case("silence is allowed for ten minutes where nothing else is configured (RFC 1939 section 3)")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR, limits={"pre-login-timeout": 1}) as s:
        quiet = logged_in(s)
        stranger = connect(s)
        line_of(stranger)
        assert line_of(stranger).startswith(b"-ERR") # silence before the login is short
        time.sleep(3) # thrice as long as the stranger had in all
        quiet.sendall(b"NOOP\r\n")
        assert line_of(quiet).startswith(b"+OK")
    with open(os.path.join(rs_serve.TOP, "data/man/restanted.conf.5"), encoding="utf-8") as f:
        assert "Default: 600." in f.read()


# --- memory -----------------------------------------------------------------------------------

def memory_of(server):
    """KiB of its own that the fronts have."""
    total = 0
    for pid in server.roles()["front"]:
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith("RssAnon:"))
    return total


@tap.case("however much a client sends, and however little it reads: a session has at most 512 KiB before the login, 1 MiB after it")
def _():
    if not os.environ.get("RS_RELEASE_BUILD"):
        raise tap.Skip("needs the build without sanitizers")
    with rs_serve.Restanted(USERS, workers=1, release=True, auth=CLEAR,
                            limits={"connections-per-address": 0}) as s:
        s.deliver_many(list(USERS)[:40], [b"Subject: x\n\n" + b"y" * 60000 + b"\n"] * 60)
        before = memory_of(s)
        lines = []
        for first in (b"AUTH PLAIN\r\n" + b"A" * 23000, b"CAPA\r\n" * 40000, b"USER " + b"a" * 240 + b"\r\n",
                      b"\0" * 250000):
            for _ in range(25):
                c = connect(s, rcvbuf=2048)
                c.setblocking(False)
                try:
                    c.send(first)
                except OSError:
                    pass
                lines.append(c)
        settle(s)
        used = memory_of(s) - before
        print(f"# {used / 100:.0f} KiB a stranger")
        assert used < 100 * 512, f"{used} KiB for 100 strangers"
        for c in lines:
            c.close()
        for tls in (False, True):
            before = memory_of(s)
            lines = [logged_in(s, user, 2048, tls) for user in list(USERS)[:40]]
            for c in lines:
                c.setblocking(False)
                try:
                    c.send(b"".join(b"RETR %d\r\n" % (1 + i % 60) for i in range(2000)))
                except OSError:
                    pass
            settle(s)
            used = memory_of(s) - before
            print(f"# {used / 40:.0f} KiB a session")
            assert used < 40 * 1024, f"{used} KiB for 40 sessions"
            for c in lines:
                c.close()
            until(lambda: s.log_text().count("user=u39@example.org retrieved=") == 1 + tls)


def settle(server):
    """Until it has taken what it will take."""
    was = -1
    while memory_of(server) != was:
        was = memory_of(server)
        time.sleep(1)


# --- STLS -------------------------------------------------------------------------------------

INJECTED = [b"USER anna\r\n", b"CAPA\r\n", b"NOOP\r\nQUIT\r\n", b"\r\n", b"\n", b"A", b"\0", b"STLS\r\n",
            b"\x16\x03\x01\x00\x05hello"]


def received(c):
    got = b""
    try:
        while octets := c.recv(65536):
            got += octets
    except OSError:
        pass
    return got


@tap.case("STLS: whatever came in the same packet ends the connection, and is never acted on")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR) as s:
        context = ssl.create_default_context(cafile=s.ca_file)
        context.check_hostname = False
        for n, extra in enumerate(INJECTED, 1):
            for command in (b"STLS\r\n", b"stls\r\n", b"STLS\n", b"CAPA\r\nSTLS\r\n"):
                c = connect(s)
                line_of(c)
                c.sendall(command + extra)
                got = received(c)
                assert b"SASL" not in got.split(b"+OK")[-1], (command, extra, got)
                assert got.count(b"+OK") + got.count(b"-ERR") <= command.count(b"\n"), (command, extra, got)
            # a client that goes on to shake hands does not get through
            c = connect(s)
            line_of(c)
            c.sendall(b"STLS\r\n" + extra)
            line_of(c)
            try:
                context.wrap_socket(c)
                raise AssertionError(f"TLS after an injection of {extra}")
            except OSError:
                pass
            until(lambda: s.log_text().count(" injection ") >= 4 * n, s.log_text())


@tap.case("STLS: the same at every cut of what is sent; octets that come later are part of a handshake that fails")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR) as s:
        for extra in INJECTED[:6]:
            whole = b"STLS\r\n" + extra
            for cut in range(1, len(whole)):
                c = connect(s)
                line_of(c)
                c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                c.sendall(whole[:cut])
                time.sleep(0.002)
                try:
                    c.sendall(whole[cut:])
                    c.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
                got = received(c)
                # "+OK" of STLS, then at most an alert of TLS: no answer to what was injected
                answer, _, rest = got.partition(b"\r\n")
                assert answer.startswith(b"+OK") and b"+OK" not in rest and b"-ERR" not in rest, (cut, got)
                assert rest == b"" or rest[:1] == b"\x15", (cut, got)


@tap.case("STLS: nothing said before is remembered after it")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR) as s:
        context = ssl.create_default_context(cafile=s.ca_file)
        context.check_hostname = False
        c = connect(s)
        line_of(c)
        c.sendall(b"USER " + ANNA.encode() + b"\r\n")
        assert line_of(c).startswith(b"+OK")
        c.sendall(b"STLS\r\n")
        assert line_of(c).startswith(b"+OK")
        c = context.wrap_socket(c)
        c.sendall(b"PASS secret\r\n")
        assert line_of(c).startswith(b"-ERR")


# --- STARTTLS ---------------------------------------------------------------------------------

SMTP_INJECTED = [b"EHLO evil\r\n", b"AUTH PLAIN AGFubmEAc2VjcmV0\r\n", b"NOOP\r\nQUIT\r\n", b"\r\n", b"\n", b"A", b"\0",
                 b"STARTTLS\r\n", b"MAIL FROM:<a@b>\r\n", b"\x16\x03\x01\x00\x05hello"]


class Submission(rs_serve.Restanted):
    def __init__(self, **sections):
        self.port, self.tls_port = peers.free_port(), peers.free_port()
        super().__init__(USERS, listen={"submission": f"127.0.0.1:{self.port}",
                                        "submissions": f"127.0.0.1:{self.tls_port}"}, **sections)

    def ready(self):
        """A connection behind EHLO, and the lines of its answer."""
        c = connect(self, self.port)
        assert line_of(c).startswith(b"220 ")
        return c, ehlo(c)


def ehlo(c):
    c.sendall(b"EHLO pc.example.org\r\n")
    lines = [line_of(c)]
    while lines[-1][3:4] == b"-":
        lines.append(line_of(c))
    assert lines[-1].startswith(b"250 "), lines
    return lines


@tap.case("STARTTLS: whatever came in the same packet ends the connection, and is never acted on")
def _():
    with Submission() as s:
        context = ssl.create_default_context(cafile=s.ca_file)
        context.check_hostname = False
        for n, extra in enumerate(SMTP_INJECTED, 1):
            for command in (b"STARTTLS\r\n", b"starttls\r\n", b"STARTTLS\n", b"NOOP\r\nSTARTTLS\r\n"):
                c, _ = s.ready()
                c.sendall(command + extra)
                got = received(c)
                assert len(re.findall(rb"(?m)^\d\d\d ", got)) <= command.count(b"\n"), (command, extra, got)
            c, _ = s.ready()
            c.sendall(b"STARTTLS\r\n" + extra)
            line_of(c)
            try: # a client that goes on to shake hands does not get through
                context.wrap_socket(c)
                raise AssertionError(f"TLS after an injection of {extra}")
            except OSError:
                pass
            until(lambda: s.log_text().count(" injection ") >= 5 * n, s.log_text())


@tap.case("STARTTLS: the same at every cut of what is sent")
def _():
    with Submission() as s:
        for extra in SMTP_INJECTED[:6]:
            whole = b"STARTTLS\r\n" + extra
            for cut in range(1, len(whole)):
                c, _ = s.ready()
                c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                c.sendall(whole[:cut])
                time.sleep(0.002)
                try:
                    c.sendall(whole[cut:])
                    c.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
                # "220", then at most an alert of TLS: no answer to what was injected
                answer, _, rest = received(c).partition(b"\r\n")
                assert answer.startswith(b"220 "), (cut, answer)
                assert rest == b"" or rest[:1] == b"\x15", (cut, rest)


@tap.case("STARTTLS: nothing said before is remembered after it: EHLO is due again, and what it announced is new")
def _():
    with Submission() as s:
        context = ssl.create_default_context(cafile=s.ca_file)
        context.check_hostname = False
        c, before = s.ready()
        assert any(l[4:].startswith(b"STARTTLS") for l in before) and not any(l[4:].startswith(b"AUTH") for l in before)
        c.sendall(b"STARTTLS\r\n")
        assert line_of(c).startswith(b"220 ")
        c = context.wrap_socket(c)
        for command in (b"MAIL FROM:<anna@example.org>\r\n", b"AUTH PLAIN AGFubmEAc2VjcmV0\r\n"):
            c.sendall(command)
            assert line_of(c).startswith(b"503 "), command
        after = ehlo(c)
        assert any(l[4:].startswith(b"AUTH") for l in after) and not any(l[4:].startswith(b"STARTTLS") for l in after)


@tap.case("one connection too many of submission is told 421 in place of the greeting; under TLS it is closed")
def _():
    with Submission(workers=1, limits={"connections": 4}) as s:
        kept = [s.ready()[0] for _ in range(4)]
        c = connect(s, s.port)
        assert received(c) == b"421 4.7.0 Too many connections, try again later\r\n"
        assert received(connect(s, s.tls_port)) == b"" # a handshake would cost more than it tells
        kept.pop().close()
        until(lambda: received_first(s).startswith(b"220 "))


def received_first(s):
    with connect(s, s.port) as c:
        return line_of(c)


tap.run()
