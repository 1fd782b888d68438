"""A throw-away restanted for one test.

    with Restanted(users={"anna@example.org": "secret"}) as server:
        server.deliver("anna@example.org", [b"Subject: x\\n\\nHello\\n"])   # by LMTP
        server.pop3_port, server.pop3s_port, server.lmtp (path), server.ca_file

Listens on loopback on free ports, works in a temporary folder, is ended by process id. Keyword
arguments: `limits`, `auth`, `log`, `server` are dicts of further keys of restanted.conf;
`descriptors` is how many files may be open; `program` is another binary (default: the one of the build that runs the test).

Python 3 standard library only.
"""
import os
import pwd
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import time

import peers

TOP = peers.TOP
BUILD = os.environ.get("RS_BUILD") or os.path.join(TOP, "build")


def program(name, release=False):
    """Path of a built program; `release`: the build without sanitizers, where there is one."""
    build = os.environ.get("RS_RELEASE_BUILD") if release else None
    return os.path.join(build or BUILD, "src", name, name)


class Restanted:
    def __init__(self, users, workers=2, release=False, ordinary=False, descriptors=None, **sections):
        self.users, self.workers, self.sections = users, workers, sections
        self.ordinary = ordinary and os.getuid() == 0  # run it as nobody, not as root
        self.program = program("restanted", release)
        self.process = None
        self.prefix, self.popen = [], {}  # in front of the command, further arguments of Popen
        if descriptors: # as LimitNOFILE= of a unit
            self.prefix = ["prlimit", f"--nofile={descriptors}:{descriptors}"]

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="rs-serve-")
        os.chmod(self.folder, 0o755)
        try:
            self.lay_out()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        if os.environ.get("RS_KEEP"):
            print("# kept:", self.folder)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def lay_out(self):
        for sub in ("run", "state", "mail"):
            os.mkdir(self.path(sub))
        self.crt, self.key = peers.make_certificate(self.folder)
        self.ca_file = self.crt
        self.lmtp = self.path("run/lmtp")
        self.pop3_port, self.pop3s_port = peers.free_port(), peers.free_port()
        server = {"hostname": "localhost", "state-dir": self.path("state"),
                  "run-dir": self.path("run"), "workers": self.workers}
        if os.getuid() == 0:
            who = pwd.getpwnam("nobody")
            if not self.ordinary:
                server["user"] = f"{who.pw_uid}:{who.pw_gid}"
            for sub in ("state", "mail") + (("run", "key.pem") if self.ordinary else ()):
                os.chown(self.path(sub), who.pw_uid, who.pw_gid)
        parts = {"server": server,
                 "listen": {"pop3": f"127.0.0.1:{self.pop3_port}",
                            "pop3s": f"127.0.0.1:{self.pop3s_port}", "lmtp": "unix:" + self.lmtp},
                 "tls": {"certificate": self.crt, "key": self.key},
                 "auth": {"users": "passwd-file:" + self.path("users")},
                 "store": {"type": "maildir", "path": self.path("mail/%d/%n")},
                 "limits": {"failed-login-delay": "off"}}
        for name, keys in self.sections.items():
            parts.setdefault(name, {}).update(keys)
        self.conf = self.path("restanted.conf")
        with open(self.conf, "w") as f:
            for name, keys in parts.items():
                f.write(f"[{name}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items()))
        with open(self.path("users"), "w") as f:
            f.writelines(f"{name}:{{PLAIN}}{password}::::::\n" for name, password in self.users.items())
        os.chmod(self.path("users"), 0o644)
        self.log = self.path("log")

    def start(self):
        with open(self.log, "ab") as log:
            self.began = log.tell()
            who = {}
            if self.ordinary: # the build may lie where nobody cannot go
                shutil.copy(self.program, self.path("restanted"))
                who = {"user": 65534, "group": 65534, "extra_groups": [], "cwd": self.folder}
            self.process = subprocess.Popen(
                [*self.prefix, self.path("restanted") if self.ordinary else self.program, "serve", "-c",
                 self.conf],
                stderr=log, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **who, **self.popen)
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            if " ready " in self.log_text(self.began) or '"event":"ready"' in self.log_text(self.began):
                peers.wait_port(self.pop3_port, self.process, self.log)
                return
            time.sleep(0.02)
        raise RuntimeError("restanted did not start:\n" + self.log_text())

    def stop(self, sig=signal.SIGTERM):
        """End it; returns the exit status (None: it was not running)."""
        if not self.process:
            return None
        self.process.send_signal(sig)
        try:
            status = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.process = None
        return status

    def log_text(self, start=0):
        with open(self.log, "rb") as f:
            f.seek(start)
            return f.read().decode(errors="replace")

    def roles(self):
        """{"front0": pid, ...} of the running roles, told by their command lines and the log."""
        found = {}
        out = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)], text=True,
                             stdout=subprocess.PIPE).stdout
        for line in out.splitlines():
            pid, *args = line.split()
            if len(args) > 2 and args[1] == "role":
                found.setdefault(args[2], []).append(int(pid))
        return found

    def mailbox(self, address):
        name, _, domain = address.partition("@")
        return self.path("mail", domain, name)

    def lmtp_connect(self, timeout=60):
        link = smtplib.LMTP(self.lmtp, 0, local_hostname="test")
        link.sock.settimeout(timeout)
        return link

    def deliver(self, address, messages, sender="peer@example.org"):
        """By LMTP, one transaction a message; raises when one is refused."""
        with self.lmtp_connect() as link:
            for octets in messages:
                wire = octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
                link.sendmail(sender, [address], wire, mail_options=["BODY=8BITMIME"])

    def deliver_many(self, addresses, messages, sender="peer@example.org"):
        """Each message once for many recipients; every recipient's reply must be 250."""
        link = socket.socket(socket.AF_UNIX)
        link.settimeout(120)
        link.connect(self.lmtp)
        f = link.makefile("rwb")

        def expect(code):
            line = f.readline()
            while line[3:4] == b"-":
                line = f.readline()
            assert line.startswith(code), line

        def say(text, code):
            f.write(text + b"\r\n")
            f.flush()
            expect(code)

        expect(b"220")
        say(b"LHLO test", b"250")
        for octets in messages:
            say(b"MAIL FROM:<" + sender.encode() + b"> BODY=8BITMIME", b"250")
            for address in addresses:
                say(b"RCPT TO:<" + address.encode() + b">", b"250")
            say(b"DATA", b"354")
            body = octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            body = re.sub(rb"(?m)^\.", b"..", body)
            f.write(body if body.endswith(b"\r\n") else body + b"\r\n")
            say(b".", b"250")
            for _ in addresses[1:]:
                expect(b"250")
        say(b"QUIT", b"221")
        link.close()

    def raw(self, port=None):
        """A plain socket to the POP3 port behind the greeting, as a file."""
        s = socket.create_connection(("127.0.0.1", port or self.pop3_port), 60)
        f = s.makefile("rwb", buffering=0)
        assert f.readline().startswith(b"+OK")
        return s, f
