"""A PostgreSQL of Debian's package, unpacked under build/peers, with a database of its own in a throw-away
folder: it can be stopped and started again while others use it.

    with Postgres() as db:
        db.sql("CREATE TABLE …")
        db.uri("/mail")        # postgresql://…
"""
import os
import shutil
import signal
import subprocess
import tempfile
import time

import peers

PACKAGE = "postgresql-15"
BIN = "/usr/lib/postgresql/15/bin"
ROOT = os.path.join(peers.TOP, "build/peers", PACKAGE, "root")


class Postgres:
    def __enter__(self):
        peers.unpack(PACKAGE)
        self.folder = tempfile.mkdtemp(prefix="rs-pg-")
        self.port = peers.free_port()
        self.process = None
        os.chmod(self.folder, 0o755)
        # it refuses to run as root
        self.root = os.getuid() == 0
        if self.root:
            os.chown(self.folder, 65534, 65534)
        try:
            subprocess.run(self.command("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-N",
                                        "--no-locale", "-E", "UTF8"), check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, timeout=300)
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def data(self):
        return os.path.join(self.folder, "data")

    def command(self, program, *args):
        if not self.root:
            return [ROOT + os.path.join(BIN, program), *args]
        # in its own namespace, where it looks installed: the build may lie where nobody cannot go
        return [peers.NS, PACKAGE, "-", "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                os.path.join(BIN, program), *args]

    def start(self):
        self.log = os.path.join(self.folder, "log")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command("postgres", "-D", self.data, "-k", self.folder, "-p", str(self.port), "-c",
                             "listen_addresses=127.0.0.1", "-c", "fsync=off"),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + 120
        while self.psql("SELECT 1").returncode != 0:
            assert self.process.poll() is None and time.monotonic() < end, open(self.log).read()
            time.sleep(0.05)

    def stop(self, sig=signal.SIGINT):
        """SIGINT: sessions are ended; SIGQUIT: at once, as if it had crashed."""
        if not self.process:
            return
        pid = peers.inner(self.process.pid, os.path.join(BIN, "postgres")) if self.root else self.process.pid
        if pid:
            os.kill(pid, sig)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            pass
        peers.end_group(self.process)
        self.process = None

    def psql_command(self):
        return [ROOT + os.path.join(BIN, "psql"), "-h", self.folder, "-p", str(self.port), "-U", "postgres",
                "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", "postgres"]

    def psql(self, text):
        return subprocess.run(self.psql_command(), input=text, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=120)

    def sql(self, text):
        done = self.psql(text)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def uri(self, host="127.0.0.1", user="postgres"):
        """Over TCP; `host` may be a name, or "" for the socket."""
        if host:
            return f"postgresql://{user}@{host}:{self.port}/postgres"
        return f"postgresql://{user}@/postgres?host={self.folder}&port={self.port}"
