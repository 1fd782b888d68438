"""Reload, start and stop as an operator's system does them: no session and no connection is lost.

Against the real restanted (tests/tools/rs_serve.py), over loopback; systemd is played by this file.
"""
import os
import poplib
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import peers
import rs_serve
import tap

ANNA, BEN = "anna@example.org", "ben@example.org"
USERS = {ANNA: "secret", BEN: "hidden"}
CLEAR = {"cleartext": "loopback"}


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return
        except (OSError, poplib.error_proto, AssertionError):
            pass
        time.sleep(0.05)
    raise AssertionError("it did not come to that")


def login(server, user=ANNA, password="secret", port=None):
    pop = poplib.POP3("127.0.0.1", port or server.pop3_port, timeout=60)
    pop.user(user)
    pop.pass_(password)
    return pop


def command(server, *args):
    return subprocess.run([server.program, args[0], "-c", server.conf, *args[1:]], text=True, timeout=120,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def change(server, old, new):
    with open(server.conf, encoding="utf-8") as f:
        text = f.read()
    assert old in text
    with open(server.conf, "w", encoding="utf-8") as f:
        f.write(text.replace(old, new, 1))


def lhlo_name(server):
    with server.lmtp_connect() as link:
        return link.ehlo()[1].split()[0].decode()


def leaf(server):
    """The certificate a new connection gets."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", server.pop3s_port), 30) as plain:
        with context.wrap_socket(plain) as tls:
            return tls.getpeercert(True)


def processes_n(server):
    return sum(len(pids) for pids in server.roles().values())


@tap.case("reload: sessions go on to a good end, new ones have the new configuration, the old set of roles leaves")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR, workers=2) as s:
        s.deliver(ANNA, [b"Subject: x\n\nHello\n"] * 3)
        old = login(s)
        old.retr(1)
        began = s.process.pid
        more = peers.free_port()
        change(s, "hostname = localhost", "hostname = renamed.example")
        change(s, "pop3 = ", f"pop3 = 127.0.0.1:{more}, ")
        done = command(s, "reload")
        assert done.returncode == 0 and "Reloaded" in done.stdout, done
        assert lhlo_name(s) == "renamed.example" and s.process.pid == began
        login(s, BEN, "hidden", port=more).quit()
        login(s, BEN, "hidden").quit()
        old.retr(2)
        old.dele(1)
        old.dele(2)
        assert processes_n(s) > 6, "the old set has left too early"
        assert any(r["user"] == ANNA for r in sessions(s)), "the old session is not shown any more"
        old.quit()
        until(lambda: processes_n(s) == 6)
        assert login(s).stat()[0] == 1
        assert not re.search(r" (error|warning) ", s.log_text()), s.log_text()


def sessions(server):
    import json
    return json.loads(command(server, "sessions", "--json").stdout)["sessions"]


@tap.case("a bad configuration is refused with file and line, and everything goes on as it was")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR, workers=2) as s:
        s.deliver(ANNA, [b"Subject: x\n\nHello\n"])
        old = login(s)
        with open(s.conf, encoding="utf-8") as f:
            good = f.read()
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            bad = [(good + "nonsense = 1\n", r"restanted\.conf:\d+: \[limits\] nonsense"),
                   (good.replace("hostname", "hostnam"), r"restanted\.conf:2: "),
                   (good.replace("key.pem", "gone.pem"), r"gone\.pem"),
                   (good.replace("run-dir = ", "run-dir = /tmp"), r"run-dir.*reload cannot change it"),
                   (good.replace("pop3 = ", f"pop3 = 127.0.0.1:{other.getsockname()[1]}, "), r"in use"),
                   (good.replace("passwd-file:" + s.path("users"), "passwd-file:" + s.path("no-users")),
                    r"no-users|cannot start")]
            for text, words in bad:
                assert text != good
                with open(s.conf, "w", encoding="utf-8") as f:
                    f.write(text)
                done = subprocess.run([s.program, "reload", "--socket", s.path("run/admin")], text=True,
                                      timeout=120, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                assert done.returncode == 78 and re.search(words, done.stderr), (words, done)
                login(s, BEN, "hidden").quit()
        with open(s.conf, "w", encoding="utf-8") as f:
            f.write(good)
        assert old.stat()[0] == 1
        done = command(s, "reload")
        assert done.returncode == 0, done
        old.quit()
        until(lambda: processes_n(s) == 6)
        login(s).quit()


@tap.case("reload takes a new certificate; the sessions under the old one go on")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR, workers=2) as s:
        s.deliver(ANNA, [b"Subject: x\n\nHello\n"])
        old = poplib.POP3_SSL("localhost", s.pop3s_port, timeout=60,
                              context=ssl.create_default_context(cafile=s.ca_file))
        old.user(ANNA)
        old.pass_("secret")
        first = leaf(s)
        os.mkdir(s.path("new"))
        crt, key = peers.make_certificate(s.path("new"))
        os.replace(crt, s.crt)
        os.replace(key, s.key)
        assert leaf(s) == first, "taken without a reload"
        s.process.send_signal(signal.SIGHUP)
        until(lambda: leaf(s) != first)
        assert old.retr(1)[0].startswith(b"+OK")
        old.quit()
        os.truncate(s.crt, 10)
        assert command(s, "reload").returncode == 78
        until(lambda: leaf(s) != first)


@tap.case("a listener that is taken out is closed, and its socket file removed; the others stay")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR, workers=1) as s:
        change(s, f"pop3s = 127.0.0.1:{s.pop3s_port}\n", "")
        change(s, "lmtp = unix:" + s.lmtp, "lmtp = unix:" + s.path("run/lmtp2"))
        assert command(s, "reload").returncode == 0
        until(lambda: not os.path.exists(s.lmtp))
        try:
            socket.create_connection(("127.0.0.1", s.pop3s_port), 5).close()
            raise RuntimeError("still listening")
        except OSError:
            pass
        s.lmtp = s.path("run/lmtp2")
        s.deliver(ANNA, [b"Subject: x\n\nHello\n"])
        assert login(s).stat()[0] == 1


@tap.case("reload after reload while clients come and go: every one is served")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR, workers=2) as s:
        s.deliver(BEN, [b"Subject: x\n\nHello\n"])
        failed, served, stop = [], [], threading.Event()

        def client(user, password):
            while not stop.is_set():
                try:
                    pop = login(s, user, password)
                    pop.stat()
                    pop.quit()
                    served.append(1)
                except Exception as e:
                    failed.append(repr(e))

        threads = [threading.Thread(target=client, args=who) for who in USERS.items()]
        for t in threads:
            t.start()
        for n in range(6):
            before = len(served)
            until(lambda: command(s, "reload").returncode == 0)
            until(lambda: len(served) > before + 5)
        stop.set()
        for t in threads:
            t.join()
        assert not failed and len(served) > 30, (failed, len(served))
        until(lambda: processes_n(s) == 6)


@tap.case("after every reload the administrator sees the sessions of all fronts, old and new")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR, server={"workers": "3"}) as s:
        held = []
        for _ in range(4):
            done = command(s, "reload")
            assert done.returncode == 0, done
            for _ in range(6):
                held.append(socket.create_connection(("127.0.0.1", s.pop3_port), 60))
                assert held[-1].recv(99).startswith(b"+OK")
            seen = sessions(s)
            assert len(seen) == len(held), (seen, len(held))
            for old in held[:-3]:
                old.close()
            held = held[-3:]
            until(lambda: len(sessions(s)) == len(held))
        for client in held:
            client.close()


@tap.case("sessions of many configurations ago are ended when the places are used up, the newest go on")
def _():
    with rs_serve.Restanted({f"u{i}@example.org": "x" for i in range(6)}, auth=CLEAR, workers=1) as s:
        pops = []
        for i in range(4):
            pops.append(login(s, f"u{i}@example.org", "x"))
            if i < 3:
                assert command(s, "reload").returncode == 0
        done = command(s, "reload")
        assert done.returncode == 75 and "earlier" in done.stderr, done
        until(lambda: command(s, "reload").returncode == 0)
        time.sleep(6)  # those that are not to end would have ended by now
        try:
            pops[0].noop()
            raise RuntimeError("the oldest is still there")
        except (poplib.error_proto, OSError, EOFError):
            pass
        assert all(pop.noop().startswith(b"+OK") for pop in pops[1:])


@tap.case("a role that dies while its configuration is the old one: its sessions only, and the set still leaves")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR, workers=2) as s:
        s.deliver(ANNA, [b"Subject: x\n\nHello\n"])
        old = login(s)
        first = {role: set(pids) for role, pids in s.roles().items()}
        assert command(s, "reload").returncode == 0
        for role in ("auth", "store", "front"):
            for pid in first[role]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        until(lambda: processes_n(s) == 6)
        assert login(s).stat()[0] == 1
        del old


# --- as under systemd ------------------------------------------------------------------------


class Notified:
    """A socket that takes what sd_notify(3) says."""

    def __init__(self, server):
        self.server, self.path, self.said = server, server.path("notify"), []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o777)
        self.socket.setblocking(False)

    def lines(self):
        while True:
            try:
                self.said += self.socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                return self.said


class Activated(rs_serve.Restanted):
    """Its listening sockets are held by this process, as systemd would."""

    names = True

    def lay_out(self):
        super().lay_out()
        self.notified = Notified(self)
        self.held = []
        for port in (self.pop3_port, self.pop3s_port):
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", port))
            sock.listen(100)
            self.held.append(sock)
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(self.lmtp)
        os.chmod(self.lmtp, 0o666)
        sock.listen(100)
        self.held.append(sock)
        fds = [sock.fileno() for sock in self.held]

        def hand_over():
            for i, fd in enumerate(fds):
                os.dup2(fd, 100 + i)
            for i in range(len(fds)):
                os.dup2(100 + i, 3 + i, inheritable=True)
                os.close(100 + i)

        names = "pop3:pop3s:lmtp" if self.names else "restanted.socket:restanted.socket:restanted.socket"
        self.prefix = ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh"]
        self.popen = {"preexec_fn": hand_over, "close_fds": False,
                      "env": {**os.environ, "LISTEN_FDS": str(len(fds)), "LISTEN_FDNAMES": names,
                              "NOTIFY_SOCKET": self.notified.path, "WATCHDOG_USEC": "200000"}}


@tap.case("sd_notify: READY when it serves, RELOADING and READY, WATCHDOG in between, STOPPING at the end")
def _():
    with Activated(USERS, auth=CLEAR, workers=1) as s:
        n = s.notified
        assert "READY=1" in n.lines()
        until(lambda: n.lines().count("WATCHDOG=1") >= 3)
        ready = n.said.count("READY=1")
        s.process.send_signal(signal.SIGHUP)
        until(lambda: n.lines().count("READY=1") > ready)
        assert "RELOADING=1" in n.said
        assert any(re.fullmatch(r"MONOTONIC_USEC=\d+", l) for l in n.said)
        assert n.said.index("RELOADING=1") < len(n.said) - 1 - n.said[::-1].index("READY=1")
        # a refused one is told too, and the service is ready again
        os.rename(s.conf, s.conf + ".away")
        ready = n.lines().count("READY=1")
        s.process.send_signal(signal.SIGHUP)
        until(lambda: n.lines().count("READY=1") > ready)
        assert any(l.startswith("STATUS=Reload refused") for l in n.said)
        os.rename(s.conf + ".away", s.conf)
        assert s.stop() == 0
        assert "STOPPING=1" in n.lines()


@tap.case("a role that hangs is ended and started again, and its users are served")
def _():
    with Activated(USERS, auth=CLEAR, workers=1) as s:
        s.deliver(ANNA, [b"Subject: x\n\nHello\n"])
        for role in ("store", "front", "auth", "admin"):
            pid = s.roles()[role][0]
            os.kill(pid, signal.SIGSTOP)
            until(lambda: s.roles().get(role, [pid])[0] != pid)
            until(lambda: login(s).stat()[0] == 1)
            assert "role-hangs role=" + role in s.log_text()
        # who is only idle, or has been stopped for a moment, is left alone
        before = s.roles()
        os.kill(before["front"][0], signal.SIGSTOP)
        time.sleep(1)
        os.kill(before["front"][0], signal.SIGCONT)
        time.sleep(7)
        assert s.roles() == before


@tap.case("socket activation: who connects while the service is away is served when it is back")
def _():
    for names in (True, False):
        Activated.names = names
        with Activated(USERS, auth=CLEAR, workers=2) as s:
            s.deliver(ANNA, [b"Subject: x\n\nHello\n"])
            login(s).quit()
            for _ in range(2):
                status = s.stop()
                assert status == 0, (status, s.log_text()[-3000:])
                assert os.path.exists(s.lmtp), "a socket that is not ours was removed"
                waiting = [socket.create_connection(("127.0.0.1", s.pop3_port), 60) for _ in range(20)]
                mail = socket.socket(socket.AF_UNIX)
                mail.settimeout(60)
                mail.connect(s.lmtp)
                s.start()
                for w in waiting:
                    assert w.recv(100).startswith(b"+OK"), "a connection was lost"
                    w.sendall(b"QUIT\r\n")
                    assert b"+OK" in w.recv(100)
                assert mail.recv(100).startswith(b"220")
            # a reload keeps them too
            assert command(s, "reload").returncode == 0
            login(s).quit()
            s.deliver(ANNA, [b"Subject: y\n\nHello\n"])


@tap.case("a restart loses no connection that was not accepted, under load")
def _():
    Activated.names = True
    with Activated(USERS, auth=CLEAR, workers=2) as s:
        lost, stop = [], threading.Event()
        served = []

        def client():
            while not stop.is_set():
                greeted = False
                try:
                    with socket.create_connection(("127.0.0.1", s.pop3_port), 60) as link:
                        greeted = link.recv(100).startswith(b"+OK")
                        link.sendall(b"QUIT\r\n")
                        link.recv(100)
                except OSError:
                    pass
                (served if greeted else lost).append(1)

        threads = [threading.Thread(target=client) for _ in range(4)]
        for t in threads:
            t.start()
        for _ in range(3):
            before = len(served)
            s.stop()
            s.start()
            until(lambda: len(served) > before + 10)
        stop.set()
        for t in threads:
            t.join()
        assert not lost, f"{len(lost)} of {len(lost) + len(served)} connections were not greeted"


@tap.case("a socket handed over that nothing asks for is refused with a cure")
def _():
    s = Activated(USERS, auth=CLEAR, workers=1)
    try:
        s.names = False
        with s:
            s.stop()
            change(s, f"pop3s = 127.0.0.1:{s.pop3s_port}\n", "")
            try:
                s.start()
                raise AssertionError("it started")
            except RuntimeError as e:
                assert "FileDescriptorName" in str(e) and str(s.pop3s_port) in str(e), e
    finally:
        s.names = True


tap.run()
