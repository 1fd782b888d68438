"""Handing mail on: a command, LMTP (our own service), SMTP (a server that does as it is told), IMAP (Dovecot).

Nothing is deleted on the server that the target has not said to have; what it refuses is tried again; killed at every step,
an IMAP folder has each message once, and a target that cannot be asked has at most the one in doubt twice.
"""
import contextlib
import glob
import imaplib
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import peers
import rs_serve
import tap
from fake_pop3 import FakePop3, wire

RESTANTE = rs_serve.program("restante")
ONCE = os.path.join(rs_serve.BUILD, "tests/crash/fetch_once")
DONE, UNAVAILABLE, TEMP, REFUSED, CONFIG = 0, 69, 75, 77, 78


def message(i):
    return (f"Return-Path: <list-{i}@example.net>\nReceived: from a by b; Mon, 02 Nov 2026 10:11:{i:02} +0100\n"
            f"Message-ID: <{i}@example.org>\nSubject: message {i}\nFrom: p@example.org\n"
            f"Date: Sun, 01 Nov 2026 10:00:00 +0000\n\n.dot\nline of {i}\n").encode()


MESSAGES = [message(i) for i in range(4)]


class Smtp:
    """One recipient at a time; `replies`: verb -> list of answers to be given first."""

    def __init__(self):
        self.replies, self.got, self.log = {}, [], []

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), link:
                self.session(link.makefile("rwb", buffering=0))

    def session(self, f):
        f.write(b"220 fake\r\n")
        while line := f.readline():
            verb = line.split()[0].upper().decode()
            self.log.append(line.strip().decode())
            told = self.replies.get(verb)
            if told:
                f.write(told.pop(0).encode() + b"\r\n")
            elif verb in ("EHLO", "LHLO"):
                f.write(b"250-fake\r\n250 8BITMIME\r\n")
            elif verb == "DATA":
                f.write(b"354 go on\r\n")
                body = b""
                while (line := f.readline()) != b".\r\n":
                    body += line[1:] if line.startswith(b".") else line
                told = self.replies.get("END")
                if told:
                    answer = told.pop(0)
                    if answer is None:
                        return
                    f.write(answer.encode() + b"\r\n")
                else:
                    self.got.append(body)
                    f.write(b"250 taken\r\n")
            else:
                f.write(b"250 fine\r\n")


class Home:
    def __init__(self, folder, server, target, leave="delete", more=""):
        self.dir, self.server = folder, server
        with open(os.path.join(folder, "config.ini"), "w") as f:
            f.write(f"[account a]\naddress = anna@example.org\npop3 = 127.0.0.1:{server.port}\nsecurity = none\n"
                    f"leave = {leave}\npassword-command = echo secret\ntimeout = 5\ndeliver-to = {target}\n{more}")

    def check(self, *args, status=DONE):
        env = {"PATH": os.environ["PATH"], "HOME": self.dir, "RESTANTE_HOME": self.dir, "LC_ALL": "C.UTF-8",
               "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "")}
        done = subprocess.run([RESTANTE, "check", "--json", *args], env=env, text=True, timeout=120,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        return json.loads(done.stdout.splitlines()[-1]) if done.stdout else None, done.stderr

    def due(self):
        """What failed may be tried again now."""
        import sqlite3
        with contextlib.closing(sqlite3.connect(os.path.join(self.dir, "ledger.db"))) as db:
            db.execute("UPDATE message SET next_s = 1 WHERE state = 4")
            db.commit()

    def files(self, *parts):
        return sorted(open(p, "rb").read() for p in glob.glob(os.path.join(self.dir, *parts)))


@contextlib.contextmanager
def home(target, **more):
    with tempfile.TemporaryDirectory(prefix="rs-target-") as folder, FakePop3(MESSAGES) as server:
        yield Home(folder, server, target.replace("HOME", folder), **more)


@tap.case("a command: each message on its standard input, sender and recipient in its environment")
def _():
    with home('mda:cat > "HOME/got.$SENDER.$RECIPIENT"') as h:
        row, _ = h.check()
        assert row["new"] == 4 and row["deleted"] == 4, row
        assert h.files("got.*") == sorted(MESSAGES)
        assert os.path.exists(os.path.join(h.dir, "got.list-2@example.net.anna@example.org"))
        assert not h.files("spool", "a", "*", "*")


@tap.case("a command's exit status: 75 and others keep the message on the server, and it is tried again")
def _():
    for status in (75, 67, "KILL"):
        end = "kill -KILL $$" if status == "KILL" else f"exit {status}"
        with home(f'mda:test $SENDER = list-1@example.net -a ! -e "HOME/ok" && {end}; cat > "HOME/got.$SENDER"') as h:
            row, said = h.check(status=TEMP)
            assert row["new"] == 3 and h.server.deleted == {1, 3, 4}, row
            assert "handed over" in row["error"]["text"] and "the command" in said, (row, said)
            open(os.path.join(h.dir, "ok"), "w").close()
            h.server.deleted.clear()
            h.check()  # its time has not come
            assert 2 not in h.server.deleted
            h.due()
            assert h.check()[0]["new"] == 1
            assert h.files("got.*") == sorted(MESSAGES)


@tap.case("LMTP into our own service, with the sender of Return-Path")
def _():
    with rs_serve.Restanted({"anna@example.org": "secret"}, auth={"cleartext": "loopback"}) as service:
        with home(f"lmtp:{service.lmtp}") as h:
            row, _ = h.check()
            assert row["new"] == 4 and row["deleted"] == 4, row
            box = service.mailbox("anna@example.org")
            got = [open(p, "rb").read() for p in glob.glob(os.path.join(box, "new", "*"))]
            assert len(got) == 4
            for m in MESSAGES:
                assert any(g.endswith(m.split(b"\n", 1)[1]) for g in got), m
        with home(f"lmtp:{service.lmtp}", more="recipient = nobody@example.org\n") as h:
            row, said = h.check(status=TEMP)
            assert row["new"] == 0 and not h.server.deleted, row


@tap.case("SMTP: refused sender, recipient and message, a server that is away, hangs up behind the dot")
def _():
    with Smtp() as smtp, home(f"smtp:127.0.0.1:{smtp.port}") as h:
        smtp.replies = {"RCPT": ["550 5.1.1 nobody"], "END": ["451 later"]}
        row, said = h.check(status=TEMP)
        assert row["new"] == 2 and len(smtp.got) == 2 and len(h.server.deleted) == 2, (row, smtp.log)
        assert "550" in said or "451" in said
        h.due()
        assert h.check()[0]["new"] == 2
        assert sorted(smtp.got) == sorted(wire(m) for m in MESSAGES)
        assert "MAIL FROM:<list-0@example.net>" in smtp.log and "RCPT TO:<anna@example.org>" in smtp.log
    with Smtp() as smtp, home(f"smtp:127.0.0.1:{smtp.port}") as h:
        smtp.replies = {"END": [None]}
        h.check(status=UNAVAILABLE)
        assert not h.server.deleted
        h.check()
        assert sorted(smtp.got) == sorted(wire(m) for m in MESSAGES)
    with home("smtp:127.0.0.1:1") as h:
        h.check(status=UNAVAILABLE)
        assert not h.server.deleted


@contextlib.contextmanager
def dovecot():
    peers.need_root()
    peers.unpack("dovecot-imapd")
    with tempfile.TemporaryDirectory(prefix="rs-imap-") as folder:
        os.chmod(folder, 0o755)
        maildir = os.path.join(folder, "mail")
        peers.fill_maildir(maildir, [])
        uid, gid = peers.mail_owner(folder)
        with peers.DovecotImap(maildir) as server:
            yield server


def imap(server):
    link = imaplib.IMAP4_SSL("localhost", server.port, ssl_context=ssl.create_default_context(cafile=server.ca_file))
    link.login(peers.USER, peers.PASSWORD)
    return link


def in_folder(server, folder="INBOX"):
    link = imap(server)
    link.select(folder, readonly=True)
    _, rows = link.fetch("1:*", "(INTERNALDATE BODY.PEEK[])")
    link.logout()
    return [r for r in rows if isinstance(r, tuple)]


@tap.case("IMAP: original octets, date of arrival; a folder that is not there keeps all on the server")
def _():
    with dovecot() as server:
        user = peers.USER.replace("@", "%40")
        more = f"deliver-password-command = echo {peers.PASSWORD}\nca-file = {server.ca_file}\n"
        with home(f"imaps://{user}@localhost:{server.port}/INBOX", more=more) as h:
            row, _ = h.check()
            assert row["new"] == 4 and row["deleted"] == 4, row
            got = in_folder(server)
            assert sorted(body for _, body in got) == sorted(wire(m) for m in MESSAGES)
            assert all(b'"02-Nov-2026 09:11:0' in head or b'"02-Nov-2026 10:11:0' in head for head, _ in got), got[0]
        with home(f"imaps://{user}@localhost:{server.port}/Nowhere", more=more) as h:
            row, said = h.check(status=TEMP)
            assert row["new"] == 0 and not h.server.deleted and "Nowhere" in said
        with home(f"imaps://{user}@localhost:{server.port}/INBOX",
                  more=more.replace(peers.PASSWORD, "wrong")) as h:
            h.check(status=REFUSED)
            assert not h.server.deleted
        with home(f"imaps://{user}@localhost:{server.port}/INBOX") as h:
            row, _ = h.check(status=CONFIG)
            assert "deliver-password-command" in row["error"]["text"]


def once(folder, server, target, kill_at=0, **env):
    done = subprocess.run([ONCE, folder, str(server.port), "anna", "secret", "delete", str(kill_at)], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                          env={**os.environ, "RS_DELIVER_TO": target.replace("HOME", folder), **env})
    return done.returncode, done.stdout + done.stderr


def kill_series(target, count, **env):
    """`count(folder, server)`: how often each message is at the target; yields it after each point."""
    points = 0
    with tempfile.TemporaryDirectory() as folder, FakePop3(MESSAGES[:2]) as server:
        status, said = once(folder, server, target, **env)
        assert status == 0, said
        points = int(re.search(r"steps (\d+)", said).group(1))
        count(folder)
    for kill_at in range(1, points + 1):
        with tempfile.TemporaryDirectory() as folder, FakePop3(MESSAGES[:2]) as server:
            assert once(folder, server, target, kill_at, **env)[0] == -9, kill_at
            status, said = once(folder, server, target, **env)
            assert status == 0, (kill_at, said)
            assert server.deleted == {1, 2}, (kill_at, server.deleted)
            yield kill_at, count(folder)


@tap.case("killed at every step: an IMAP folder has each message once")
def _():
    with dovecot() as server:
        user = peers.USER.replace("@", "%40")

        def count(folder):
            n = [sum(f"message {i}\r\n".encode() in body for _, body in in_folder(server)) for i in range(2)]
            link = imap(server)
            link.select("INBOX")
            link.store("1:*", "+FLAGS", "\\Deleted")
            link.expunge()
            link.logout()
            return n
        for kill_at, n in kill_series(f"imaps://{user}@localhost:{server.port}/INBOX", count,
                                      RS_DELIVER_PASSWORD=f"echo {peers.PASSWORD}", RS_CA_FILE=server.ca_file):
            assert n == [1, 1], (kill_at, n)


@tap.case("killed at every step: a command has none lost, and at most the one in doubt twice")
def _():
    def count(folder):
        text = open(os.path.join(folder, "all"), "rb").read()
        return [text.count(f"message {i}\n".encode()) for i in range(2)]
    twice = 0
    for kill_at, n in kill_series('mda:cat >> HOME/all', count):
        assert min(n) >= 1 and sum(n) <= 3, (kill_at, n)
        twice += sum(n) == 3
    assert twice <= 2 * 2, twice


tap.run()
