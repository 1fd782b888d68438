"""restante watch: new mail is fetched and shown on the desktop (a private bus with a service of our own), it ends
at once whatever a server does, it gets over servers and networks that go away, and there is one of it."""
import contextlib
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rs_serve
import tap
from fake_pop3 import FakePop3
from fake_smtp import FakeSmtp

RESTANTE = rs_serve.program("restante")
DESKTOP = os.path.join(rs_serve.BUILD, "tests/it/notification_service")
PATIENCE_S = 60


def message(i):
    return f"From: =?utf-8?q?Z=C3=B6e?= <zoe@example.net>\nSubject: <b>letter</b> {i}\nMessage-ID: <{i}@x>\n\nSecret {i}\n".encode()


class Lines:
    """Lines of a pipe, waited for with patience."""

    def __init__(self, pipe):
        self.queue, self.all = queue.Queue(), []
        threading.Thread(target=lambda: [self.queue.put(line.rstrip("\n")) for line in pipe], daemon=True).start()

    def next(self, wanted):
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                line = self.queue.get(timeout=max(end - time.monotonic(), 0.01))
            except queue.Empty:
                raise AssertionError(f"waited in vain; had {self.all}") from None
            self.all.append(line)
            if wanted(line):
                return line


class Watch:
    def __init__(self, folder, *args, bus=None, **env):
        self.process = subprocess.Popen(
            [RESTANTE, "watch", "--json", *args], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "HOME": folder, "RESTANTE_HOME": folder, "LC_ALL": "C.UTF-8",
                 "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", ""), "XDG_RUNTIME_DIR": folder,
                 "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={folder}/none",
                 **({"DBUS_SESSION_BUS_ADDRESS": bus} if bus else {}), **env})
        self.lines = Lines(self.process.stdout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def event(self, kind, wanted=lambda e: True):
        return json.loads(self.lines.next(lambda s: (e := json.loads(s))["event"] == kind and wanted(e)))

    def now(self):
        self.process.send_signal(signal.SIGUSR1)

    def end(self, how=signal.SIGTERM):
        """Seconds it took."""
        began = time.monotonic()
        self.process.send_signal(how)
        status = self.process.wait(PATIENCE_S)
        assert status == 0, (status, self.process.stderr.read())
        return time.monotonic() - began


def config(folder, port, more="", name="a"):
    with open(os.path.join(folder, "config.ini"), "a") as f:
        f.write(f"[account {name}]\naddress = anna@example.org\npop3 = 127.0.0.1:{port}\nsecurity = none\n"
                f"password-command = echo secret\ntimeout = 30\nevery = 3600\n{more}")


@contextlib.contextmanager
def home(server, more=""):
    with tempfile.TemporaryDirectory(prefix="rs-watch-") as folder:
        config(folder, server.port, more)
        yield folder


def inbox(folder):
    new = os.path.join(folder, "mail/a/new")
    return len(os.listdir(new)) if os.path.isdir(new) else 0


@contextlib.contextmanager
def desktop(folder):
    """Address of a bus with the notification service, and what that prints."""
    address = f"unix:path={folder}/session-bus"
    bus = subprocess.Popen(["dbus-daemon", "--session", "--nofork", "--print-address", f"--address={address}"],
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    bus.stdout.readline()
    service = subprocess.Popen([DESKTOP], stdout=subprocess.PIPE, text=True,
                               env={**os.environ, "DBUS_SESSION_BUS_ADDRESS": address})
    lines = Lines(service.stdout)
    try:
        lines.next(lambda s: s == "ready")
        yield address, lines
    finally:
        service.kill()
        service.wait()
        bus.kill()
        bus.wait()


@tap.case("new mail is fetched, and shown with sender and subject, never with what is in it")
def _():
    with FakePop3([message(0)]) as server, home(server) as folder, desktop(folder) as (bus, shown):
        with Watch(folder, bus=bus) as w:
            first = w.event("check")
            assert first["new"] == 1 and 3000 < first["next"] < 4000, first
            assert shown.next(bool) == "a: 1 new message\tZöe – &lt;b&gt;letter&lt;/b&gt; 0"
            for i in range(1, 8):
                server.messages.append(message(i))
            w.now()
            assert w.event("check")["new"] == 7
            notice = shown.next(bool)
            assert notice.startswith("a: 7 new messages\t") and notice.count("–") == 5 and notice.endswith("…"), notice
            assert inbox(folder) == 8 and not any("Secret" in s for s in shown.all)
            w.now()
            assert w.event("check")["new"] == 0
            assert w.end() < 5
        with Watch(folder, bus=bus, **{"DBUS_SESSION_BUS_ADDRESS": bus}) as w:
            assert w.event("check")["new"] == 0
            w.end(signal.SIGINT)
        assert shown.queue.empty()


@tap.case("notify = off shows nothing, what rules mark as read is not shown, a refused login is shown once")
def _():
    with FakePop3([message(0)]) as server, home(server, "notify = off\n") as folder, desktop(folder) as (bus, shown):
        config(folder, server.port, f"maildir = {folder}/mail/b\nrules = {folder}/rules\n", name="b")
        with open(os.path.join(folder, "rules"), "w") as f:
            f.write("[all]\nfrom = zoe@example.net\nmark = seen\n")
        with Watch(folder, "--once", bus=bus) as w:
            assert {w.event("check")["account"], w.event("check")["account"]} == {"a", "b"}
            assert w.process.wait(PATIENCE_S) == 0
        server.replies = {"PASS": "-ERR [AUTH] no"}
        with Watch(folder, "b", bus=bus) as w:
            refused = w.event("check")
            assert refused["error"]["code"] == "login-refused" and refused["next"] >= 3000, refused
            w.now()
            w.event("check")
            assert shown.next(bool).startswith("b\t")
            w.end()
        assert shown.queue.empty(), shown.queue.get()


@tap.case("SIGTERM in the middle of a message, the server silent: it ends at once, and nothing is lost")
def _():
    with FakePop3([message(i) for i in range(5)], stall_at=4) as server, home(server, "leave = delete\n") as folder:
        with Watch(folder) as w:
            assert server.stalled.wait(PATIENCE_S)
            took = w.end()
        assert took < 5, took  # 0.7 s by itself; the rest is for a busy machine
        server.stall_at = 0
        with Watch(folder, "--once") as w:
            w.event("check")
            assert w.process.wait(PATIENCE_S) == 0
        assert inbox(folder) == 5 and server.deleted == {1, 2, 3, 4, 5}, (inbox(folder), server.deleted)


@tap.case("a password command that never ends does not hold it up, and other accounts go on")
def _():
    with FakePop3([message(0)]) as server, home(server) as folder:
        config(folder, server.port, f"maildir = {folder}/mail/b\n", name="b")
        path = os.path.join(folder, "config.ini")
        with open(path) as f:
            text = f.read().replace("echo secret", "exec sleep 20", 1)
        with open(path, "w") as f:
            f.write(text)
        with Watch(folder) as w:
            assert w.event("check")["account"] == "b"
            assert w.end() < 5


@tap.case("a server that goes away and comes back: said once, tried again, and said when it works")
def _():
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="rs-watch-") as folder:
        config(folder, port)
        with Watch(folder) as w:
            waits = []
            for _ in range(2):
                e = w.event("check")
                assert e["error"]["code"] == "network", e
                waits.append(e["next"])
                w.now()
            with FakePop3([message(0)]) as server:
                back = threading.Thread(target=relay, args=(port, server.port), daemon=True)
                back.start()
                end = time.monotonic() + PATIENCE_S
                while (e := w.event("check"))["error"] and time.monotonic() < end:
                    time.sleep(0.1)
                    w.now()
                assert e["new"] == 1, e
            assert w.end() < 5
        assert inbox(folder) == 1


def relay(port, to):
    """The network, back: what comes to `port` goes to `to`, until the process ends."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        while True:
            a, _ = listener.accept()
            b = socket.create_connection(("127.0.0.1", to))
            for x, y in ((a, b), (b, a)):
                threading.Thread(target=pump, args=(x, y), daemon=True).start()


def pump(x, y):
    with contextlib.suppress(OSError):
        while piece := x.recv(65536):
            y.sendall(piece)
        y.shutdown(socket.SHUT_WR)


@tap.case("two at once: the second says so and ends with 75")
def _():
    with FakePop3([message(0)]) as server, home(server) as folder, Watch(folder) as w:
        w.event("check")
        with Watch(folder, "--once") as second:
            assert second.process.wait(PATIENCE_S) == 75
            assert str(w.process.pid) in second.process.stderr.read()
        assert w.end() < 5


@tap.case("the configuration is read again; one that is wrong is said and changes nothing")
def _():
    with FakePop3([message(0)]) as server, home(server) as folder, Watch(folder) as w:
        w.event("check")
        config(folder, server.port, f"maildir = {folder}/mail/b\n", name="b")
        w.process.send_signal(signal.SIGHUP)
        assert w.event("config")["error"] is None
        assert w.event("check", lambda e: e["account"] == "b")["new"] == 1
        with open(os.path.join(folder, "config.ini"), "a") as f:
            f.write("nonsense\n")
        w.process.send_signal(signal.SIGHUP)
        assert "nonsense" in w.event("config")["error"]
        w.event("check", lambda e: e["account"] == "b")
        assert w.end() < 5


@tap.case("what waits in the outbox goes out while it watches; a server that is away is said once")
def _():
    with FakePop3([message(0)]) as server, FakeSmtp() as smtp:
        with home(server, f"smtp = localhost:{smtp.port}\nsmtp-security = none\n") as folder:
            smtp.refuse = {"MAIL": "451 4.3.0 later"}
            put = subprocess.run([RESTANTE, "send", "-odb", "bob@example.net"], input="Subject: x\n\nHello\n", text=True,
                                 stderr=subprocess.PIPE, timeout=PATIENCE_S,
                                 env={**os.environ, "HOME": folder, "RESTANTE_HOME": folder})
            assert put.returncode == 0, put
            smtp.refuse = {}
            envelope, = [os.path.join(folder, "outbox", n) for n in os.listdir(os.path.join(folder, "outbox"))]
            with open(envelope) as f:
                text = f.read()
            with open(envelope, "w") as f:  # its time has come
                f.write("\n".join("next=1" if line.startswith("next") else line for line in text.split("\n")))
            with Watch(folder) as w:
                sent = w.event("sent")
                assert sent["to"] == "bob@example.net" and sent["error"] is None, sent
                assert w.end() < 5
            assert len(smtp.messages) == 1 and os.listdir(os.path.join(folder, "outbox")) == []


@tap.case("logind says that the computer woke up: it checks soon")
def _():
    with FakePop3([message(0)]) as server, home(server) as folder:
        address = f"unix:path={folder}/system-bus"
        bus = subprocess.Popen(["dbus-daemon", "--session", "--nofork", "--print-address", f"--address={address}"],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        bus.stdout.readline()
        logind = None
        try:
            logind = subprocess.Popen([DESKTOP, "logind"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                      env={**os.environ, "DBUS_SESSION_BUS_ADDRESS": address})
            Lines(logind.stdout).next(lambda s: s == "ready")
            with Watch(folder, DBUS_SYSTEM_BUS_ADDRESS=address) as w:
                w.event("check")
                server.messages.append(message(1))
                end = time.monotonic() + PATIENCE_S
                while w.lines.queue.empty() and time.monotonic() < end:
                    logind.stdin.write("wake\n")  # again until it listens
                    logind.stdin.flush()
                    time.sleep(0.2)
                w.event("resume")
                assert w.event("check")["new"] == 1
                w.end()
        finally:
            if logind:
                logind.kill()
                logind.wait()
            bus.kill()
            bus.wait()


tap.run()
