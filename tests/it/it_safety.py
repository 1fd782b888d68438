"""What keeps the service safe: the sandbox of its roles, ceilings, delays, injections.

Against the real restanted (tests/tools/rs_serve.py), over loopback.
"""
import os
import poplib
import re
import signal
import socket
import ssl
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rs_serve
import tap

ANNA = "anna@example.org"
USERS = {ANNA: "secret", "ben@example.org": "hidden"}
CLEAR = {"cleartext": "loopback"}


def login(server, user=ANNA, password="secret"):
    pop = poplib.POP3("127.0.0.1", server.pop3_port, timeout=60)
    pop.user(user)
    pop.pass_(password)
    return pop


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return dict(re.findall(r"^(\w+):\s+(.*)$", f.read(), re.M))


def threads_of(pid):
    return [status_of(f"{pid}/task/{t}") for t in os.listdir(f"/proc/{pid}/task")]


@tap.case("every role and each of its threads runs under seccomp, without new privileges")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR) as s:
        s.deliver(ANNA, [b"Subject: x\n\nx\n"])
        pop = login(s)
        assert pop.retr(1) # by now the pools of threads are there
        pop.quit()
        roles = s.roles()
        assert set(roles) >= {"front", "auth", "store"}, roles
        for role, pids in roles.items():
            for pid in pids:
                for status in threads_of(pid):
                    assert status["Seccomp"] == "2", (role, status)
                    assert status["NoNewPrivs"] == "1", (role, status)
        several = [len(threads_of(pid)) for pid in roles["store"]]
        assert max(several) > 1, "no worker thread was looked at"
        assert "sandbox-violation" not in s.log_text()


@tap.case("sandbox = off works, and is loud")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR, server={"sandbox": "off"}) as s:
        login(s).quit()
        assert s.log_text().count("no-sandbox") == sum(map(len, s.roles().values())), s.log_text()
        for pids in s.roles().values():
            assert all(status_of(p)["Seccomp"] == "0" for p in pids)


@tap.case("a role has no descriptor that it was not given, and no core file")
def _():
    inherited = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(inherited, True)
    with rs_serve.Restanted(USERS, auth=CLEAR) as s:
        for pids in s.roles().values():
            for pid in pids:
                with open(f"/proc/{pid}/limits", encoding="ascii") as f:
                    assert re.search(r"Max core file size\s+0\s+0", f.read())
                if os.getuid() == 0: # else they are hidden, as they should be
                    files = [os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")
                                 if int(n) > 2]
                    assert all(re.match(r"socket:|anon_inode:|pipe:|/memfd:|/dev/null|.*/run/empty$", n)
                               for n in files), files
                    # libuv's reserve, and the end of standard input
                    assert len([n for n in files if n.startswith("/") and "memfd" not in n]) <= 1, files
    os.close(inherited)


# --- ceilings ---------------------------------------------------------------------------------

class Line:
    """One connection to the POP3 port, from an address of this machine or as a balancer's client."""

    def __init__(self, server, port=None, source="127.0.0.1", client=None):
        self.s = socket.create_connection(("127.0.0.1", port or server.pop3_port), 60, (source, 0))
        self.f = self.s.makefile("rb")
        if client:
            self.s.sendall(b"PROXY TCP4 " + client.encode() + b" 127.0.0.1 1 2\r\n")

    def say(self, text):
        self.s.sendall(text + b"\r\n")
        return self.f.readline()

    def greeted(self):
        try:
            return self.f.readline().startswith(b"+OK")
        except ConnectionResetError:
            return False

    def closed(self):
        """What came until the server ended the connection."""
        try:
            return self.f.read()
        except ConnectionResetError:
            return b""

    def close(self):
        self.f.close()
        self.s.close()


def fill(server, n, **more):
    """So many that are greeted; connections of before may still be ending."""
    kept = []

    def one():
        line = Line(server, **more)
        if line.greeted():
            kept.append(line)
        return len(kept) == n
    until(one, "not so many are let in")
    return kept


def until(what, why="it did not happen in time"):
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end, why
        time.sleep(0.05)


def limits(**keys):
    return {"failed-login-delay": "off", **{k.replace("_", "-"): v for k, v in keys.items()}}


@tap.case("the ceiling of connections is exact over several fronts, told, and open again when one ends")
def _():
    with rs_serve.Restanted(USERS, workers=4, auth=CLEAR, limits=limits(connections=5)) as s:
        for _ in range(3):
            kept = fill(s, 5)
            for _ in range(8):
                line = Line(s)
                assert line.closed() == b"-ERR [SYS/TEMP] Too many connections, try again later\r\n"
            tls = socket.create_connection(("127.0.0.1", s.pop3s_port), 60)
            assert tls.recv(100) == b"" # a handshake would cost more than it tells
            for line in kept:
                line.close()
        assert "ceiling=connections " in s.log_text() or "ceiling=connections\n" in s.log_text()


@tap.case("a front that dies gives back what it had")
def _():
    with rs_serve.Restanted(USERS, workers=3, auth=CLEAR, limits=limits(connections=6)) as s:
        kept = fill(s, 6)
        assert Line(s).closed().startswith(b"-ERR [SYS/TEMP]")
        for pid in s.roles()["front"]:
            os.kill(pid, signal.SIGKILL)
        for line in kept:
            assert line.closed() == b""
        for _ in range(2):
            kept = fill(s, 6)
            assert Line(s).closed().startswith(b"-ERR [SYS/TEMP]")
            for line in kept:
                line.close()


@tap.case("the ceiling of an address is exact over several fronts; others, and loopback, are not touched")
def _():
    with rs_serve.Restanted(USERS, workers=4, auth={"cleartext": "always"}, proxy={"trusted": "127.0.0.9"},
                            limits=limits(connections_per_address=3)) as s:
        def client(address):
            return Line(s, source="127.0.0.9", client=address)
        kept = [client("192.0.2.1") for _ in range(3)]
        assert all(k.greeted() for k in kept)
        for _ in range(8):
            assert client("192.0.2.1").closed().startswith(b"-ERR [SYS/TEMP]")
        kept += [client("192.0.2.2"), *[Line(s) for _ in range(5)]]
        assert all(k.greeted() for k in kept[3:])
        kept[0].say(b"QUIT")
        until(lambda: client("192.0.2.1").greeted())
        assert "ceiling=connections-per-address" in s.log_text()


@tap.case("the ceiling of a user is exact over several fronts, told, and free again with QUIT's answer")
def _():
    # a mailbox that does not exist yet has no lock that would speak first
    with rs_serve.Restanted(USERS, workers=3, auth=CLEAR, limits=limits(connections_per_user=2)) as s:
        for _ in range(5):
            kept = [login(s), login(s), login(s, "ben@example.org", "hidden")]
            for _ in range(4):
                try:
                    login(s)
                    raise AssertionError("a third session")
                except poplib.error_proto as e:
                    assert b"[SYS/TEMP] Too many" in e.args[0], e
            for pop in kept:
                pop.quit()
        assert "ceiling=connections-per-user" in s.log_text()


@tap.case("handshakes under way have a ceiling; those who are in go on")
def _():
    with rs_serve.Restanted(USERS, workers=1, auth=CLEAR, limits=limits(handshakes=2)) as s:
        pop = login(s)
        half = [socket.create_connection(("127.0.0.1", s.pop3s_port), 60) for _ in range(2)]
        until(lambda: socket_closed(socket.create_connection(("127.0.0.1", s.pop3s_port), 60)))
        line = Line(s)
        assert line.greeted() and line.say(b"STLS").startswith(b"+OK")
        assert line.closed() == b""
        assert pop.stat()[0] == 0
        half[0].close()
        context = ssl.create_default_context(cafile=s.ca_file)
        context.check_hostname = False

        def shake():
            try:
                raw = socket.create_connection(("127.0.0.1", s.pop3s_port), 60)
                return context.wrap_socket(raw).recv(3) == b"+OK"
            except OSError:
                return False
        until(shake)
        assert "ceiling=handshakes" in s.log_text()


def socket_closed(s):
    s.settimeout(1)
    try:
        return s.recv(1) == b""
    except socket.timeout:
        return False
    except OSError:
        return True


# --- refused logins ---------------------------------------------------------------------------

def try_login(server, client, user, password):
    """(answer, seconds) of one login on a connection of its own, so at any of the fronts."""
    line = Line(server, source="127.0.0.9", client=client)
    assert line.greeted()
    assert line.say(b"USER " + user.encode()).startswith(b"+OK")
    began = time.monotonic()
    answer = line.say(b"PASS " + password.encode())
    line.close()
    return answer[:4], time.monotonic() - began


def guarded(**more):
    return rs_serve.Restanted(USERS, workers=3, auth={"cleartext": "always"}, proxy={"trusted": "127.0.0.9"},
                              limits={"failed-login-delay": "on"}, **more)


@tap.case("refusals come later and later, for a source at all fronts together; its right password waits too")
def _():
    with guarded() as s:
        pop = login(s)
        assert try_login(s, "192.0.2.1", ANNA, "wrong")[1] >= 1
        # nobody at all waits as long as somebody
        assert try_login(s, "192.0.2.1", "nobody@example.org", "wrong")[1] >= 2
        answer, seconds = try_login(s, "192.0.2.1", "ben@example.org", "hidden")
        assert answer == b"+OK " and seconds >= 2, (answer, seconds)
        # the others, and who is in, are not held up: the whole would take nine seconds more
        began = time.monotonic()
        assert try_login(s, "192.0.2.2", "ben@example.org", "hidden")[0] == b"+OK "
        assert pop.stat() and login(s, "ben@example.org", "hidden")
        assert time.monotonic() - began < 20
        log = s.log_text()
        assert re.search(r"login-refused .*peer=192.0.2.1 .*held-back-ms=1000", log), log
        assert re.search(r"login-refused .*user=nobody@example.org held-back-ms=2000", log), log
        pop.quit()


@tap.case("an IPv6 source is a /64; who has logged in before does not wait for an attacker's sake")
def _():
    with guarded() as s:
        def six(i, user, password):
            line = Line(s, source="127.0.0.9")
            line.s.sendall(f"PROXY TCP6 2001:db8:0:1::{i} ::1 1 2\r\nUSER {user}\r\nPASS {password}\r\n".encode())
            assert line.greeted() and line.greeted()
            answer = line.f.readline()[:4]
            line.close()
            return answer
        assert try_login(s, "192.0.2.7", ANNA, "secret")[0] == b"+OK "
        for i in range(1, 4):
            assert six(i, ANNA, "wrong") == b"-ERR"
        until(lambda: "held-back-ms=4000" in s.log_text())
        log = s.log_text()
        assert [int(n) for n in re.findall(r"held-back-ms=(\d+)", log)] == [1000, 2000, 4000], log
        # 192.0.2.7 fails at another account; anna's own machine behind the same address does not wait for it
        assert try_login(s, "192.0.2.7", "ben@example.org", "wrong")[0] == b"-ERR"
        assert try_login(s, "192.0.2.7", ANNA, "secret")[0] == b"+OK "
        assert "login-held-back" not in s.log_text()
        answer, seconds = try_login(s, "192.0.2.7", "ben@example.org", "hidden")
        assert answer == b"+OK " and seconds >= 1
        assert re.search("login-held-back .*user=ben@example.org ms=1000", s.log_text())


# --- before the login -------------------------------------------------------------------------

@tap.case("who is silent before the login is ended, who only seems busy too, whoever logged in is not")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR, limits=limits(pre_login_timeout=2)) as s:
        pop = login(s)
        silent = Line(s)
        assert b"-ERR" in silent.closed()
        busy, drip = Line(s), Line(s)
        began = time.monotonic()
        ended = set()

        def end_of(line, text):
            try:
                line.s.sendall(text)
                line.s.settimeout(0.3)
                if line.s.recv(100) == b"":
                    ended.add(line)
            except socket.timeout:
                pass
            except OSError:
                ended.add(line)
        while len(ended) < 2:
            assert time.monotonic() < began + 60
            for line, text in ((busy, b"CAPA\r\n"), (drip, b"U")):
                if line not in ended:
                    end_of(line, text)
        assert time.monotonic() - began > 5 # three times two seconds: not the silence ended it
        assert pop.stat()[0] == 0
        pop.quit()


@tap.case("octets before the login have a ceiling")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR) as s:
        line = Line(s)
        sent = 0
        try:
            while sent < 4 << 20:
                line.s.sendall(b"CAPA\r\n" * 1000)
                sent += 6000
                line.s.recv(1 << 20)
        except OSError:
            pass
        assert 200 << 10 < sent < 2 << 20, sent
        until(lambda: "ceiling=pre-login-octets" in s.log_text())


# --- descriptors ------------------------------------------------------------------------------

@tap.case("out of descriptors: the rest wait without a busy loop, and are served when there are some again")
def _():
    with rs_serve.Restanted(USERS, workers=1, auth=CLEAR, limits=limits(connections=0),
                            descriptors=160) as s:
        pop = login(s)
        kept = []
        while "no-descriptors" not in s.log_text():
            assert len(kept) < 400
            kept.append(Line(s))
            time.sleep(0.002)
        waits = Line(s)
        waits.s.settimeout(1)
        front = s.roles()["front"][0]
        before = cpu_of(front)
        try:
            assert waits.s.recv(1) == b"", "served without a descriptor"
            raise AssertionError("turned away")
        except socket.timeout:
            pass
        assert cpu_of(front) - before < 0.5, "a busy loop"
        assert pop.stat()[0] == 0 # who is in is served
        for line in kept:
            line.close()
        waits.s.settimeout(60)
        assert waits.greeted()
        assert login(s, "ben@example.org", "hidden").stat()[0] == 0
        assert s.log_text().count("no-descriptors") < 5


def descriptors(pid, soft):
    """How many it may open from now on; what it has it keeps. As its own user: others may not."""
    who = status_of(pid)
    ids = {"user": int(who["Uid"].split()[0]), "group": int(who["Gid"].split()[0]), "extra_groups": []}
    subprocess.run(["prlimit", "--pid", str(pid), f"--nofile={soft}:"], check=True,
                   **(ids if os.getuid() == 0 else {}))


@tap.case("out of descriptors: a message that cannot be handed over is refused, other sessions do not notice")
def _():
    with rs_serve.Restanted(USERS, workers=1, auth=CLEAR) as s:
        big = b"Subject: big\n\n" + (b"x" * 70 + b"\n") * 1000 # as a descriptor, not as octets
        s.deliver("anna@example.org", [big, big, b"Subject: small\n\nx\n"])
        pop, other = login(s), login(s, "ben@example.org", "hidden")
        descriptors(s.roles()["front"][0], 0)
        try:
            pop.retr(1)
            raise AssertionError("sent without a descriptor")
        except poplib.error_proto as e:
            assert b"-ERR [SYS/TEMP]" in e.args[0], e
        assert other.noop().startswith(b"+OK") and other.stat()[0] == 0
        assert b"Subject: small" in pop.retr(3)[1]
        descriptors(s.roles()["front"][0], 1024)
        assert b"Subject: big" in pop.retr(1)[1] and b"Subject: big" in pop.retr(2)[1]
        assert pop.quit().startswith(b"+OK") and other.quit().startswith(b"+OK")
        assert "link-lost" not in s.log_text()


@tap.case("out of descriptors: a maildrop whose table cannot be handed over is refused and can be opened later")
def _():
    with rs_serve.Restanted(USERS, workers=1, auth=CLEAR) as s:
        s.deliver("anna@example.org", [b"Subject: x\n\n\n"] * 700) # its table is a memory file
        other, late = login(s, "ben@example.org", "hidden"), poplib.POP3("127.0.0.1", s.pop3_port, timeout=60)
        descriptors(s.roles()["front"][0], 0)
        late.user("anna@example.org")
        try:
            late.pass_("secret")
            raise AssertionError("a table without a descriptor")
        except poplib.error_proto as e:
            assert b"-ERR [SYS/TEMP]" in e.args[0], e
        assert other.noop().startswith(b"+OK")
        descriptors(s.roles()["front"][0], 1024)
        late.user("anna@example.org")
        assert late.pass_("secret").startswith(b"+OK") and late.stat()[0] == 700
        assert "link-lost" not in s.log_text()


@tap.case("out of descriptors: who asks for numbers waits without a busy loop, and is answered then")
def _():
    with rs_serve.Restanted(USERS, workers=1, auth=CLEAR) as s:
        admin = s.roles()["admin"][0]
        descriptors(admin, 0)
        with socket.socket(socket.AF_UNIX) as ask:
            ask.settimeout(60)
            ask.connect(s.path("run/admin"))
            ask.sendall(b'{"do":"status"}\n')
            until(lambda: "no-descriptors" in s.log_text())
            used = cpu_of(admin)
            time.sleep(1)
            assert cpu_of(admin) - used < 0.5, "a busy loop"
            assert s.log_text().count("no-descriptors") < 8
            descriptors(admin, 1024)
            assert ask.recv(1) == b"{"


def cpu_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


tap.run()
