"""A person's folder with one account, and the mail program in it: for tests of sending and writing.

    with Home(port, smtp_user="anna@example.org") as home:
        status, out, err = home.run("send", "ben@example.org", stdin=b"...")
"""
import glob
import json
import os
import shutil
import subprocess
import tempfile

import rs_serve

ANNA, BEN, CARA = "anna@example.org", "ben@example.org", "cara@example.org"


class Home:
    """A person's folder with one account."""

    def __init__(self, port, **keys):
        self.keys = {"address": ANNA, "pop3": "127.0.0.1:1", "security": "none", "smtp": f"localhost:{port}",
                     "smtp-security": "none", "timeout": "5", **{k.replace("_", "-"): v for k, v in keys.items()}}

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="rs-send-")
        with open(os.path.join(self.folder, "config.ini"), "w") as f:
            f.write("[account home]\n" + "".join(f"{k} = {v}\n" for k, v in self.keys.items() if v is not None))
        os.chmod(os.path.join(self.folder, "config.ini"), 0o600)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, *words, stdin=b"", env=None):
        done = subprocess.run([rs_serve.program("restante"), *words], input=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=120,
                              env={**os.environ, "RESTANTE_HOME": self.folder, "LC_ALL": "C.UTF-8", **(env or {})})
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def kept(self, folder):
        found = []
        for path in sorted(glob.glob(os.path.join(self.folder, "mail", folder, "[nc]*", "*"))):
            with open(path, "rb") as f:
                found.append(f.read())
        return found

    def outbox(self):
        status, out, err = self.run("outbox", "--json")
        assert status == 0, err
        return [json.loads(line) for line in out.splitlines()]

    def envelopes(self):
        folder = os.path.join(self.folder, "outbox")
        return os.listdir(folder) if os.path.isdir(folder) else []

    def empty(self):
        assert self.outbox() == [] and self.kept("Outbox") == [] and self.envelopes() == []
