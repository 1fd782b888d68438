"""Folders, listings, search, marks and moves, beside other programs on the same Maildirs, killed, and with hostile mail."""
import json
import mailbox
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rs_serve
import tap

RESTANTE = rs_serve.program("restante")
DONE, NOTHING, USAGE, DATA = 0, 1, 64, 65


class Home:
    """A RESTANTE_HOME with one account, anna, that fetches nothing."""

    def __enter__(self):
        self.tmp = tempfile.TemporaryDirectory(prefix="rs-library-")
        self.dir = self.tmp.name
        with open(self.path("config.ini"), "w") as f:
            f.write("[account anna]\naddress = anna@example.org\npop3 = localhost\n")
        os.chmod(self.path("config.ini"), 0o600)
        self.box("anna")
        return self

    def __exit__(self, *_):
        self.tmp.cleanup()

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def box(self, name):
        """That folder as Python's own mailbox module opens it: another program."""
        os.makedirs(self.path("mail"), exist_ok=True)
        return mailbox.Maildir(self.path("mail", name), create=True)

    def put(self, octets, n, folder="anna", sub="new"):
        with open(self.path("mail", folder, sub, f"{1767225600 + n}.M{n}P1Q1.test"), "wb") as f:
            f.write(octets)

    def env(self, **more):
        return {"PATH": os.environ["PATH"], "HOME": self.dir, "RESTANTE_HOME": self.dir, "LC_ALL": "C.UTF-8",
                "TZ": "UTC", "ASAN_OPTIONS": "detect_leaks=1", **more}

    def run(self, *args, status=DONE, **more):
        done = subprocess.run([RESTANTE, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.env(), **more)
        assert done.returncode == status, (args, done.returncode, done.stdout[-500:], done.stderr[-2000:])
        return done.stdout.decode()

    def found(self, *query, status=DONE):
        return [json.loads(line) for line in self.run("search", "--json", *query, status=status).splitlines()]


def letter(n, body="text", **fields):
    head = {"From": f"Person {n} <p{n}@example.net>", "To": "anna@example.org", "Subject": f"letter {n}",
            "Message-ID": f"<{n}@example.net>", **fields}
    return ("".join(f"{k}: {v}\n" for k, v in head.items()) + f"\n{body}\n").encode()


@tap.case("another program's flags, moves and deletions are seen by the next search; ours by it")
def _():
    with Home() as home:
        for n in range(6):
            home.put(letter(n), n)
        assert len(home.found("letter")) == 6
        box, other = home.box("anna"), home.box("Lists")
        keys = sorted(box.keys())
        with_flags = box[keys[0]]
        with_flags.set_subdir("cur")
        with_flags.set_flags("FRS")
        box[keys[0]] = with_flags  # writes it anew and renames it
        moved = box.pop(keys[1])
        other.add(moved)
        box.remove(keys[2])
        rows = {row["subject"]: row for row in home.found("letter")}
        assert set(rows) == {f"letter {n}" for n in (0, 1, 3, 4, 5)}, rows
        assert rows["letter 0"]["flagged"] and rows["letter 0"]["answered"] and not rows["letter 0"]["unread"]
        assert rows["letter 1"]["folder"] == "Lists"
        home.run("mark", rows["letter 3"]["id"], "read", "flagged")
        home.run("move", rows["letter 4"]["id"], "Archive")
        home.run("delete", rows["letter 5"]["id"])
        flags = {str(m["Subject"]): m.get_flags() for m in home.box("anna")}
        assert flags["letter 3"] == "FS" and "letter 4" not in flags and "letter 5" not in flags
        assert [str(m["Subject"]) for m in home.box("Archive")] == ["letter 4"]
        assert [str(m["Subject"]) for m in home.box("Trash")] == ["letter 5"]


@tap.case("numbers, ranges, ids; unread, threads, JSON; undo; exit statuses")
def _():
    with Home() as home:
        for n in range(8):
            home.put(letter(n, **({"References": "<0@example.net>"} if 0 < n < 4 else {})), n)
        rows = home.run("list").splitlines()
        assert len(rows) == 8 and "letter 7" in rows[0]
        home.run("mark", "1-3,5", "read")
        assert len(home.run("list", "--unread", "--json").splitlines()) == 4
        threads = [json.loads(line) for line in home.run("list", "--threads", "--json").splitlines()]
        assert len(threads) == 5 and sorted(row["thread"] for row in threads) == [1, 1, 1, 1, 4]
        assert len(home.run("thread", "8").splitlines()) == 4
        home.run("list")
        home.run("delete", "1-2", "4")
        assert len(home.run("list", "Trash").splitlines()) == 3
        home.run("undo")
        assert len(home.run("list").splitlines()) == 8
        home.run("undo", status=NOTHING)
        home.run("delete", "--for-good", "1")
        assert len(home.run("list").splitlines()) == 7
        home.run("search", "nowhere-to-be-found", status=NOTHING)
        home.run("search", "is:lost", status=USAGE)
        home.run("search", "in:Nowhere", "x", status=NOTHING)
        home.run("search", "letter", "-from:p3@example.net")
        home.run("move", "1", "Nowhere", status=NOTHING)
        home.run("delete", "5-2", status=DATA)
        home.run("mark", "1", "purple", status=USAGE)
        home.run("mark", "1", "read", "unread", status=USAGE)
        home.run("folder", "create", "Lists/Linux")
        home.run("move", "1-2", "Lists/Linux")
        assert len(home.found("in:Lists", "letter")) == 2
        home.run("folder", "remove", "Lists/Linux", status=75)
        home.run("folder", "rename", "Lists/Linux", "Letters")
        assert len(home.found("in:Letters", "letter")) == 2
        assert re.search(r"^Letters +2  [0-2] unread$", home.run("folder"), re.M), home.run("folder")


@tap.case("killed while it indexes, at any moment, it goes on where it stopped; a torn index costs a rebuild")
def _():
    chance = random.Random(7)
    with Home() as home:
        for n in range(1500):
            home.put(letter(n, body=" ".join(f"word{n * k % 977}" for k in range(60))), n)
        for _ in range(12):
            run = subprocess.Popen([RESTANTE, "index"], env=home.env(), stdout=subprocess.DEVNULL)
            time.sleep(chance.random() * 0.6)
            run.send_signal(signal.SIGKILL)
            run.wait()
        assert home.run("index") == "1500 messages in the index\n"
        assert len(home.found("letter")) == 1500
        size = os.path.getsize(home.path("index.db"))
        for cut in (size // 2, 5000, 100, 0):
            with open(home.path("index.db"), "r+b") as f:
                f.truncate(cut)
            assert len(home.found("word4")) > 0, cut
            assert home.run("index") == "1500 messages in the index\n", cut
        with open(home.path("index.db"), "r+b") as f: # pages full of nonsense
            f.seek(4096 * 4)
            f.write(os.urandom(4096 * 20))
        assert len(home.found("letter")) == 1500
        home.run("index", "--rebuild")
        assert len(home.found("word4")) > 0
        assert os.stat(home.path("index.db")).st_mode & 0o077 == 0, "the words of all mail, for everybody"


@tap.case("two programs at once: both see all, each message once")
def _():
    with Home() as home:
        for n in range(800):
            home.put(letter(n), n)
        runs = [subprocess.Popen([RESTANTE, "index"], env=home.env(), stdout=subprocess.PIPE) for _ in range(3)]
        for run in runs:
            assert run.communicate()[0] == b"800 messages in the index\n" and run.returncode == 0
        assert len(home.found("letter")) == 800


HOSTILE = {
    "escapes": b"From: \x1b]0;owned\x07\x1b[2J <a@x>\nSubject: =?utf-8?q?=1b[31mred=07?= \xe2\x80\xaeevil\n\n\x1b[2J\x1b]52;c;x\x07 body \x9b31m\n",
    "huge header": b"Subject: hostile big\nX: " + b"y" * 3_000_000 + b"\nTo: " + b"a@b.c, " * 50000 + b"\n\nhello\n",
    "no header end": b"Subject: hostile" * 1000,
    "parts": b"Subject: hostile parts\nContent-Type: multipart/mixed; boundary=b\n\n" +
             b"".join(b"--b\nContent-Type: text/plain; name=f%d\n\nx\n" % i for i in range(10000)) + b"--b--\n",
    "nested": b"Subject: hostile nested\n" + b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(500)) + b"\nx\n",
    "nul": b"Subject: hostile\x00nul\n\nbo\x00dy\n",
    "broken base64": b"Subject: hostile b64\nContent-Type: text/html\nContent-Transfer-Encoding: base64\n\n" + b"PGI+" * 9 + b"!!!!\n",
    "references": b"Subject: hostile refs\nReferences: " + b" ".join(b"<%d@z>" % i for i in range(30000)) + b"\n\nx\n",
    "empty": b"",
    "one long line": b"Subject: hostile line\n\n" + b"w " * 2_000_000,
    "bare cr": b"Subject: hostile cr\r\rbody\r",
    "charset": b"Subject: =?none?b?////?= hostile\nContent-Type: text/plain; charset=\"utf-7; DROP\"\n\n+AGE-\n",
}


@tap.case("hostile mail: listed, searched and shown, and nothing of it reaches the terminal")
def _():
    with Home() as home:
        for n, octets in enumerate(HOSTILE.values()):
            home.put(octets, n)
        os.mkfifo(home.path("mail", "anna", "cur", "1767225600.fifo:2,S"))
        os.symlink("/dev/zero", home.path("mail", "anna", "cur", "1767225600.zero:2,S"))
        out = home.run("list", "--ids")
        rows = [json.loads(line) for line in home.run("list", "--json").splitlines()]
        assert len(rows) == len(HOSTILE), (len(rows), out)
        for text in (out, *(home.run("show", row["id"]) for row in rows), *(home.run("show", "--headers", row["id"]) for row in rows)):
            bad = [c for c in text if (ord(c) < 32 and c not in "\n\t") or 0x7f <= ord(c) < 0xa0 or c in "\u202e\u202d\u2066\u2067"]
            assert not bad, bad[:5]
        assert len(home.found("hostile")) >= 8
        assert len(home.found("subject:31mred*")) == 1


@tap.case("a message of 300 MiB is indexed in bounded memory")
def _():
    with Home() as home:
        path = home.path("mail", "anna", "new", "1767225600.M1P1Q1.test")
        with open(path, "wb") as f:
            f.write(b"Subject: large\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nfirstword\n--b\n"
                    b"Content-Type: application/octet-stream; name=big.bin\nContent-Transfer-Encoding: base64\n\n")
            for _ in range(300):
                f.write((b"A" * 76 + b"\n") * 13618)
            f.write(b"--b--\n")
        program = rs_serve.program("restante", release=True)
        usage = subprocess.run([sys.executable, "-c", "import resource,subprocess,sys;"
                                "subprocess.run(sys.argv[1:], check=True);"
                                "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)",
                                program, "search", "firstword", "file:big"], env=home.env(), stdout=subprocess.PIPE, check=True)
        words = usage.stdout.decode().splitlines()
        assert "large" in words[0], words
        if os.environ.get("RS_RELEASE_BUILD"):
            assert int(words[-1]) < 64 * 1024, words


@tap.case("a home that cannot be written: mail can be read and searched")
def _():
    if os.getuid() != 0:
        raise tap.Skip("needs root to become nobody")
    with Home() as home:
        home.put(letter(1), 1)
        for top, folders, files in os.walk(home.dir):
            os.chmod(top, 0o755)
            for name in files:
                os.chmod(os.path.join(top, name), 0o644)
        out = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", RESTANTE, "search", "letter"],
                             env=home.env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert out.returncode == 0 and b"letter 1" in out.stdout, out


tap.run()
