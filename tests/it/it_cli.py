"""The program restante as a person and a script meet it: commands, words, exit statuses.

Against our own service where all is well (tests/tools/rs_serve.py), and against a server that
misbehaves as it is told (tests/tools/fake_pop3.py) where it is not.
"""
import contextlib
import glob
import json
import os
import pty
import re
import select
import signal
import stat
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import peers
import rs_serve
import tap
from fake_pop3 import FakePop3

RESTANTE = rs_serve.program("restante")
SAMPLES = sorted(glob.glob(os.path.join(peers.TOP, "data/samples/*.eml")))
PASSWORD = "dot.not-in-any-log"
DONE, NOTHING, USAGE, DATA, UNAVAILABLE, IO, TEMP, PROTOCOL, REFUSED, CONFIG = (
    0, 1, 64, 65, 69, 74, 75, 76, 77, 78)


# --- running it -----------------------------------------------------------------------------------

class Home:
    """A throw-away RESTANTE_HOME."""

    def __enter__(self):
        self.tmp = tempfile.TemporaryDirectory(prefix="rs-cli-")
        self.dir = self.tmp.name
        return self

    def __exit__(self, *_):
        self.tmp.cleanup()

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def env(self, **more):
        env = {"PATH": os.environ["PATH"], "HOME": self.dir, "RESTANTE_HOME": self.dir,
               "LC_ALL": "C.UTF-8", "TZ": "UTC", "COLUMNS": "80",
               "RESTANTE_LOCALEDIR": os.path.join(rs_serve.BUILD, "po"),
               "RESTANTE_TEST_NAMES": "/dev/null"}
        env["ASAN_OPTIONS"] = "detect_leaks=1"
        env.update(more)
        return env

    def run(self, *args, stdin="", env=None, status=DONE, **more):
        """Run restante; the exit status must be as said. Returns (stdout, stderr)."""
        more.setdefault("stdout", subprocess.PIPE)
        done = subprocess.run([RESTANTE, *args], input=stdin.encode(), stderr=subprocess.PIPE,
                              env=self.env(**(env or {})), timeout=120, **more)
        out = (done.stdout or b"").decode()
        err = done.stderr.decode()
        assert done.returncode == status, (args, done.returncode, out, err)
        return out, err

    def start(self, *args):
        return subprocess.Popen([RESTANTE, *args], env=self.env(), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    def add(self, port, *more, name="anna", security="tls", status=DONE, password=PASSWORD,
            host="localhost"):
        return self.run("account", "add", "anna@example.org", "--name", name, "--no-input",
                        "--pop3", f"{host}:{port}", "--security", security, "--no-smtp",
                        "--password-stdin", *more, stdin=password + "\n", status=status)

    def messages(self, name="anna"):
        """Octets of all messages of an account, without what the server put in front."""
        found = []
        for path in sorted(glob.glob(self.path("mail", name, "[nc][eu][wr]", "*"))):
            with open(path, "rb") as f:
                found.append(strip_trace(f.read()))
        return sorted(found)


def strip_trace(octets):
    return re.sub(rb"\A(?:(?:Return-Path|Delivered-To|Received):[^\n]*\n(?:[ \t][^\n]*\n)*)+", b"",
                  octets)


def one_sentence(err):
    """What went wrong is one line that begins with the program's name; returns it."""
    lines = err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("restante: "), err
    return lines[0]


@contextlib.contextmanager
def fake(*args, **keys):
    with Home() as home, FakePop3(*args, **keys) as server:
        yield home, server


def message(i, size=200):
    return (f"Subject: message {i}\nFrom: peer <p@example.org>\n"
            f"Date: Thu, {i % 28 + 1} Jan 2026 10:00:00 +0000\n\n" + "x" * 70 * (size // 70) +
            "\n").encode()


# --- commands and options -------------------------------------------------------------------------

@tap.case("help, version and wrong usage")
def _():
    with Home() as home:
        out, _ = home.run("--help")
        commands = re.findall(r"^  (\w+) ", out, re.M)
        assert {"account", "check", "list", "show"} <= set(commands), out
        for command in commands:
            out, err = home.run(command, "--help")
            assert f"restante {command}" in out and not err, out
            _, err = home.run(command, "--nonsense", status=USAGE)
            assert "--help" in one_sentence(err)
        for sub in ("add", "list", "show", "remove"):
            out, _ = home.run("account", sub, "--help")
            assert f"restante account {sub}" in out
        out, _ = home.run("--version")
        assert re.fullmatch(r"restante \d+\.\d+\.\d+\n", out)
        home.run(status=USAGE)
        _, err = home.run("fetchit", status=USAGE)
        assert "fetchit" in one_sentence(err)
        for words in (["account"], ["account", "fly"], ["show"], ["list", "a", "b"],
                      ["account", "show"], ["list", "--limit=-1"]):
            one_sentence(home.run(*words, status=USAGE)[1])


@tap.case("every help fits a terminal of 80 columns, in each language")
def _():
    with Home() as home:
        for language in ("en", "de"):
            env = {"LANGUAGE": language}
            names = re.findall(r"^  (\w+) ", home.run("--help", env=env)[0], re.M)
            for words in ([], *([name] for name in names), *(["account", sub] for sub in (
                    "add", "list", "show", "edit", "test", "remove"))):
                out, _ = home.run(*words, "--help", env=env)
                long = [line for line in out.splitlines() if len(line) > 80]
                assert not long, long


@tap.case("the manual names every command and every option")
def _():
    with open(os.path.join(peers.TOP, "data/man/restante.1")) as f:
        manual = f.read()
    with Home() as home:
        for name in re.findall(r"^  (\w+) ", home.run("--help")[0], re.M):
            assert f"Cm {name}" in manual, name
            subs = ("add", "list", "show", "remove") if name == "account" else ("",)
            for sub in subs:
                out, _ = home.run(name, *filter(None, [sub]), "--help")
                for short, long in re.findall(r"^  (?:-(\w), )?--([\w-]+)", out, re.M):
                    assert f"Fl Fl {long}" in manual or f"Fl {short}" in manual, (name, long)


@tap.case("account add: what does not fit together is said in one sentence, and nothing is saved")
def _():
    with Home() as home:
        base = ["account", "add", "anna@example.org", "--no-input", "--pop3", "localhost"]
        _, err = home.run(*base, "--oauth2", "--password-stdin", status=USAGE)
        assert "not both" in one_sentence(err), err
        _, err = home.run("account", "add", "anna@example.org", "--no-input", status=CONFIG)
        assert "--pop3" in one_sentence(err)
        _, err = home.run(*base, status=USAGE)
        assert "--password-stdin" in one_sentence(err)
        _, err = home.run(*base, "--password-stdin", status=USAGE)
        assert "empty" in one_sentence(err)
        _, err = home.run("account", "add", "anna", *base[3:], status=USAGE)
        assert "anna@example.org" in one_sentence(err)
        assert not os.path.exists(home.path("config.ini"))


@tap.case("account: add, list, show, remove; the password is in a file of its own")
def _():
    with fake([message(1)]) as (home, server):
        out, err = home.add(server.port, "--leave", "delete", security="none")
        assert "password accepted · 1 message," in out and "Account anna is added" in out
        assert "without TLS" in one_sentence(err)
        _, err = home.add(server.port, security="none", status=USAGE)
        assert "there already" in err
        assert "anna <anna@example.org>" in home.run("account", "list")[0]
        row = json.loads(home.run("account", "list", "--json")[0])
        assert row["account"] == "anna" and row["leave"] == "delete" and row["smtp"] is None
        assert "security = none\n" in home.run("account", "show", "anna")[0]
        with open(home.path("config.ini")) as f:
            assert PASSWORD not in f.read()
        secret = home.path("secrets/anna.password")
        assert stat.S_IMODE(os.stat(secret).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(home.path("config.ini")).st_mode) == 0o600
        out, _ = home.run("account", "remove", "anna@example.org")
        assert "stays" in out and not os.path.exists(secret)
        _, err = home.run("account", "show", "anna", status=CONFIG)
        assert "anna" in one_sentence(err)
        _, err = home.run("check", status=CONFIG)
        assert "account add" in one_sentence(err)


@tap.case("a changed policy deletes nothing before one more check, and a dry run shows it")
def _():
    with fake([message(1), message(2)]) as (home, server):
        home.add(server.port, "--leave", "keep", security="none")
        home.run("check")
        with open(home.path("config.ini")) as f:
            text = f.read()
        with open(home.path("config.ini"), "w") as f:
            f.write(text.replace("leave = keep", "leave = delete"))
        out, _ = home.run("check", "--dry-run")
        assert out.count("would delete at the check after this one") == 2 and "uid-1" in out, out
        rows = [json.loads(line) for line in home.run("check", "-n", "--json")[0].splitlines()]
        assert [r.get("would") for r in rows] == ["delete-next", "delete-next", None], rows
        out, err = home.run("check")
        assert not server.deleted and "by the changed policy 2 messages go" in one_sentence(err)
        out, _ = home.run("check", "--dry-run")
        assert out.count("would delete on the server") == 2 and not server.deleted, out
        out, err = home.run("check")
        assert "2 deleted there" in out and not err and server.deleted == {1, 2}, (out, err)


@tap.case("until-deleted: gone here at two checks, then there; a folder that is not the same counts for nothing")
def _():
    with fake([message(1), message(2)]) as (home, server):
        home.add(server.port, "--leave", "until-deleted", security="none")
        home.run("check")
        home.run("check")
        os.rename(home.path("mail", "anna"), home.path("away"))
        out, err = home.run("check")
        assert "is not the folder" in one_sentence(err) and not server.deleted, err
        home.run("check", "-q", status=DONE)
        assert not server.deleted
        subprocess.run(["rm", "-r", home.path("mail", "anna")], check=True)
        os.rename(home.path("away"), home.path("mail", "anna"))
        first = sorted(os.listdir(home.path("mail", "anna", "new")))[0]
        os.makedirs(home.path("mail", "kept", "cur"))
        os.makedirs(home.path("mail", "kept", "new"))
        os.makedirs(home.path("mail", "kept", "tmp"))
        for name in os.listdir(home.path("mail", "anna", "new")):
            if name == first:
                os.unlink(home.path("mail", "anna", "new", name))
            else:
                os.rename(home.path("mail", "anna", "new", name),
                          home.path("mail", "kept", "cur", name + ":2,S"))
        home.run("check")
        assert not server.deleted
        time.sleep(1.1)  # the ledger counts seconds
        out, _ = home.run("check")
        assert "1 deleted there" in out and len(server.deleted) == 1, (out, server.deleted)


@tap.case("accounts side by side: one whose server hangs stops only itself; progress as JSON lines")
def _():
    with Home() as home, FakePop3([message(1)]) as good, FakePop3([message(2)], stall_at=1) as bad:
        home.add(bad.port, "--no-test", "--timeout", "3", name="bad", security="none")
        home.add(good.port, "--no-test", name="good", security="none")
        check = home.start("check", "--json", "--progress")
        rows = []
        for line in check.stdout:
            rows.append(json.loads(line))
            if rows[-1]["account"] == "good" and "new" in rows[-1]:
                assert check.poll() is None, "it waited for the other one"
        assert check.wait(60) == UNAVAILABLE
        events = [r for r in rows if r.get("event") == "progress" and r["account"] == "bad"]
        assert events and events[-1]["phase"] == "retrieve" and events[-1]["of"] == 1, rows
        last = {r["account"]: r for r in rows if "new" in r}
        assert last["good"]["new"] == 1 and last["bad"]["error"]["code"] == "network", last


@tap.case("a password by command is asked of the command at each check")
def _():
    with fake([message(1)]) as (home, server):
        home.run("account", "add", "anna@example.org", "--pop3", f"127.0.0.1:{server.port}",
                 "--security", "none", "--no-smtp", "--no-input", "--password-command",
                 f"touch '{home.dir}/asked'; echo {PASSWORD}")
        assert os.path.exists(home.path("asked")) and not os.path.exists(home.path("secrets"))
        os.unlink(home.path("asked"))
        home.run("check")
        assert os.path.exists(home.path("asked"))
        with open(home.path("config.ini"), "a") as f:
            f.write("[account b]\naddress = b@example.org\npop3 = localhost\n"
                    "password-command = exit 3\n")
        _, err = home.run("check", "b", status=CONFIG)
        assert "exit 3" in one_sentence(err)


@tap.case("questions at a terminal: what is missing is asked, the password is not shown")
def _():
    with fake([message(1)]) as (home, server):
        answers = [("Mail address: ", "anna"), ("Mail address: ", "anna@example.org"),
                   ("POP3 server", f"localhost:{server.port}"), ("User name", ""), ("SMTP server", ""),
                   ("Mail on the server", ""), ("Password", PASSWORD)]
        out, status = at_terminal(home, ["account", "add", "--security", "none"], answers)
        assert status == DONE and "is added" in out, out
        assert "is not a mail address" in out and PASSWORD not in out, out
        assert "user = anna@example.org" in home.run("account", "show", "anna@example.org")[0]


def at_terminal(home, args, answers, seconds=60):
    """Run at a terminal of 80 columns; give each answer when its question shows."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(RESTANTE, [RESTANTE, *args], home.env())
    out, from_here, end = "", 0, time.monotonic() + seconds
    waiting = list(answers)
    while time.monotonic() < end:
        if waiting and waiting[0][0] in out[from_here:]:
            from_here = len(out)
            time.sleep(0.05)  # the echo is switched off behind the question
            os.write(fd, waiting.pop(0)[1].encode() + b"\n")
        if not select.select([fd], [], [], 0.05)[0]:
            continue
        try:
            piece = os.read(fd, 65536)
        except OSError:
            break
        if not piece:
            break
        out += piece.decode(errors="replace")
    return out, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


# --- check, list, show ----------------------------------------------------------------------------

@tap.case("check, list and show against our own service")
def _():
    with Home() as home, rs_serve.Restanted(users={"anna@example.org": PASSWORD}) as server:
        originals = [open(path, "rb").read() for path in SAMPLES]
        server.deliver("anna@example.org", [m.replace(b"\n", b"\r\n") for m in originals])
        out, err = home.add(server.pop3s_port, "--ca-file", server.ca_file)
        assert f"password accepted · {len(originals)} messages," in out and not err
        out, err = home.run("check")
        assert out.startswith(f"anna: {len(originals)} new messages (") and not err, (out, err)
        assert home.messages() == sorted(originals)
        out, err = home.run("check")
        assert out == f"anna: nothing new, {len(originals)} on the server\n" and not err, out
        assert home.run("check", "--quiet") == ("", "")
        see_list(home, len(originals))
        see_show(home)


def see_list(home, n):
    out, _ = home.run("list")
    rows = out.splitlines()
    assert len(rows) == n and all(len(row) <= 80 for row in rows), out
    assert re.match(r" 1 N   20 Nov .* Clara Probe +Re: The hut in December", rows[0]), rows[0]
    for words in ("Grüße aus Köln ☔", "Rückgabe: 2 Bücher sind fällig", "Ihre Rechnung für Oktober",
                  "Zoë Brontë-Muster    Küche fertig – kommt zum Kaffee"):
        assert words in out, words
    entries = [json.loads(line) for line in home.run("list", "--json")[0].splitlines()]
    assert [e["number"] for e in entries] == list(range(1, n + 1))
    assert entries[0]["date"] == "2026-11-20T20:24:00Z" and entries[0]["unread"] is True
    assert entries[0]["from_address"] == "clara@example.net"
    assert len(home.run("list", "-n", "3")[0].splitlines()) == 4  # and the hint
    assert len(home.run("list", "anna")[0].splitlines()) == n
    one_sentence(home.run("list", "nowhere", status=NOTHING)[1])


def number_of(home, subject):
    for line in home.run("list", "--json")[0].splitlines():
        entry = json.loads(line)
        if subject in entry["subject"]:
            return str(entry["number"]), entry["id"]
    raise AssertionError(subject)


def see_show(home):
    n, ident = number_of(home, "Neuer Fahrplan")
    out, _ = home.run("show", n)
    assert "die Kleinbahn fährt künftig stündlich" in out and "[1] https://bahn.example.com/" in out
    assert "open.gif" not in out and "alert(" not in out
    assert home.run("show", ident)[0] == out == home.run("show", ident[:5])[0]
    assert re.search(rf"^ *{n}   @ 10 Nov", home.run("list")[0], re.M)  # not N any more
    n, _ = number_of(home, "Rechnung")
    out, _ = home.run("show", n)
    assert "14 × Körnerbrötchen" in out
    assert "2  Rechnung für Oktober.pdf  application/pdf, 738 bytes" in out, out
    see_save(home, n)
    n, _ = number_of(home, "begin with a dot")
    assert "\n.\n..\n...\n" in home.run("show", n)[0]
    raw = home.run("show", "--source", n)[0].encode()
    assert strip_trace(raw) == open(SAMPLES[9], "rb").read()
    n, _ = number_of(home, "book about letters")
    out, _ = home.run("show", n)
    assert "> that nobody comes for? I could not put it down." in out
    assert max(map(len, out.splitlines())) <= 80
    _, err = home.run("show", "999", status=NOTHING)
    assert "restante list" in one_sentence(err)
    one_sentence(home.run("show", "no-such", status=DATA)[1])
    one_sentence(home.run("show", "bbbb", status=NOTHING)[1])
    with open("/dev/full", "wb") as full:
        _, err = home.run("list", stdout=full, status=IO)
        assert "standard output" in one_sentence(err)


def see_save(home, n):
    with tempfile.TemporaryDirectory() as folder:
        name = "Rechnung für Oktober.pdf"
        assert home.run("save", n, "2", cwd=folder)[0] == f"./{name}\n"
        with open(os.path.join(folder, name), "rb") as f:
            pdf = f.read()
        assert len(pdf) == 738 and pdf.startswith(b"%PDF-") and pdf.endswith(b"%%EOF\n")
        _, err = home.run("save", n, "2", cwd=folder, status=IO)
        assert "--output" in one_sentence(err)
        home.run("save", n, "2", "-o", os.path.join(folder, "other.pdf"))
        with open(os.path.join(folder, "other.pdf"), "rb") as f:
            assert f.read() == pdf
        assert home.run("save", n, "2", "--output=-")[0].encode() == pdf
        _, err = home.run("save", n, "3", cwd=folder, status=NOTHING)
        assert "no part 3" in one_sentence(err)
        one_sentence(home.run("save", n, "pdf", status=USAGE)[1])
        with open("/dev/full", "wb") as full:
            home.run("save", n, "2", "-o", "-", stdout=full, status=IO)
        assert sorted(os.listdir(folder)) == sorted([name, "other.pdf"])


@tap.case("check --json: one line an account, as the design has it")
def _():
    with fake([message(i) for i in range(5)]) as (home, server):
        home.add(server.port, security="none")
        with open(home.path("config.ini"), "a") as f:
            f.write("[account broken]\naddress = b@example.org\npop3 = localhost:1\n"
                    "password-command = echo x\n")
        out, err = home.run("check", "--json", status=UNAVAILABLE, env={"LC_ALL": "de_DE.UTF-8"})
        good, bad = sorted(out.splitlines())  # they come as they end
        assert re.fullmatch(r'\{"account":"anna","new":5,"bytes":\d+,"on_server":5,"deleted":0,'
                            r'"seconds":\d+\.\d+,"error":null\}', good), good
        bad = json.loads(bad)
        assert list(bad) == ["account", "new", "bytes", "on_server", "deleted", "seconds", "error"]
        assert bad["account"] == "broken" and bad["error"]["code"] == "network"
        assert set(bad["error"]) == {"code", "text"} and not err
        assert json.loads(home.run("check", "anna", "--json")[0])["new"] == 0


@tap.case("a file is saved in this folder whatever the sender calls it")
def _():
    part = b'--b\nContent-Disposition: attachment; filename="%s"\n\nx\n'
    body = b"".join(part % name for name in (b"../../evil", b".bashrc", b"/etc/passwd", b"a\x1bb"))
    head = b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
    with fake([head + body + b"--b--\n"]) as (home, server):
        home.add(server.port, security="none")
        home.run("check")
        home.run("list")
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(os.path.join(folder, "in"))
            for number in "1234":
                home.run("save", "1", number, cwd=os.path.join(folder, "in"))
            assert os.listdir(folder) == ["in"]
            names = sorted(os.listdir(os.path.join(folder, "in")))
            assert names == ["_._.._evil", "_bashrc", "_etc_passwd", "a␛b"], names


@tap.case("delete mode clears the server")
def _():
    with fake([message(i) for i in range(4)]) as (home, server):
        home.add(server.port, "--leave", "delete", security="none")
        out, _ = home.run("check")
        assert "4 new messages" in out and "0 on the server, 4 deleted there" in out, out
        assert server.deleted == {1, 2, 3, 4} and len(home.messages()) == 4


@tap.case("progress at a terminal: account, message i of n, octets, rate")
def _():
    with fake([message(i, 200000) for i in range(30)], stall_at=30) as (home, server):
        home.add(server.port, "--timeout", "2", security="none")
        out, status = at_terminal(home, ["check"], [])
        assert status == UNAVAILABLE and "silent for 2 seconds" in out, out
        assert re.search(r"anna: message \d+ of 30, .*MiB of .*MiB, .*iB/s, \d+ s left", out), out


# --- bad input: one sentence, the right status, nothing lost ---------------------------------------

def refused(home, status, *words):
    """A check that fails as said; returns what it said."""
    out, err = home.run("check", status=status)
    line = one_sentence(err)
    assert all(word in line for word in words), line
    return line


@tap.case("wrong password: 77, nothing is saved; the same at a check")
def _():
    with fake([message(1)], replies={"PASS": "-ERR [AUTH] no\x1b[2J"}) as (home, server):
        _, err = home.add(server.port, security="none", status=REFUSED)
        assert "Nothing is saved" in err and "\x1b" not in err
        assert not os.path.exists(home.path("config.ini")) and not os.path.exists(home.path("secrets"))
        home.add(server.port, "--no-test", security="none")
        refused(home, REFUSED, "anna", "password")


@tap.case("what a server says cannot steer the terminal")
def _():
    with fake(greeting="-ERR go \x1b]0;away\x07 \u202enow") as (home, server):
        home.add(server.port, "--no-test", security="none")
        line = refused(home, PROTOCOL, "go")
        assert not re.search("[\x00-\x1f\x7f\u202e]", line), line


@tap.case("unknown host and refused port: 69")
def _():
    with Home() as home:
        home.add(1, "--no-test")
        refused(home, UNAVAILABLE, "localhost", "port 1")
        home.run("account", "remove", "anna")
        home.add(995, "--no-test", host="pop3.invalid")
        refused(home, UNAVAILABLE, "pop3.invalid")


@tap.case("self-signed: 77 with the fingerprint; pinned: fine; another one pinned: 77")
def _():
    with tempfile.TemporaryDirectory() as folder:
        crt, key = peers.make_certificate(folder)
        with fake([message(1)], tls="implicit", certificate=(crt, key)) as (home, server):
            _, err = home.add(server.port, status=REFUSED)
            pin = re.search(r"[0-9a-f]{64}", err).group(0)
            assert pin == fingerprint(crt) and "--pin" in err
            assert "PASS" not in server.seen
            home.add(server.port, "--pin", pin)
            assert "1 new message" in home.run("check")[0]
            home.run("account", "remove", "anna")
            home.add(server.port, "--no-test", "--pin", "00" * 32)
            refused(home, REFUSED, pin, "--pin")


def fingerprint(crt):
    out = subprocess.run(["openssl", "x509", "-in", crt, "-noout", "-fingerprint", "-sha256"],
                         stdout=subprocess.PIPE, check=True, text=True).stdout
    return out.split("=")[1].strip().replace(":", "").lower()


@tap.case("certificate for another name, and an expired one: 77, each with its reason")
def _():
    with tempfile.TemporaryDirectory() as folder:
        for make, word in ((other_name, "another name"), (expired, "expired")):
            pair = make(folder)
            with fake([message(1)], tls="implicit", certificate=pair) as (home, server):
                home.add(server.port, "--no-test", "--ca-file", pair[0])
                refused(home, REFUSED, word, fingerprint(pair[0]))
                assert "PASS" not in server.seen


def other_name(folder):
    crt, key = os.path.join(folder, "other.pem"), os.path.join(folder, "other.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", crt, "-subj",
                    "/CN=other.example", "-addext", "subjectAltName=DNS:other.example"],
                   check=True, stderr=subprocess.DEVNULL)
    return crt, key


def expired(folder):
    crt, key, req = (os.path.join(folder, "old." + end) for end in ("pem", "key", "req"))
    conf = os.path.join(folder, "ca.conf")
    with open(conf, "w") as f:
        f.write("[ca]\ndefault_ca = d\n[d]\ndatabase = %s/index\nserial = %s/serial\n"
                "new_certs_dir = %s\ndefault_md = sha256\npolicy = p\nx509_extensions = e\n"
                "[p]\ncommonName = supplied\n[e]\nsubjectAltName = DNS:localhost\n"
                "basicConstraints = CA:true\n" % (folder, folder, folder))
    with open(os.path.join(folder, "index"), "w"), open(os.path.join(folder, "serial"), "w") as f:
        f.write("01\n")
    subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", req, "-subj",
                    "/CN=localhost"], check=True, stderr=subprocess.DEVNULL)
    subprocess.run(["openssl", "ca", "-batch", "-selfsign", "-config", conf, "-keyfile", key, "-in",
                    req, "-out", crt, "-startdate", "20200101000000Z", "-enddate",
                    "20200201000000Z", "-notext"], check=True, stderr=subprocess.DEVNULL)
    return crt, key


@tap.case("a server without TLS where TLS is asked: no password is sent")
def _():
    with fake([message(1)], capa=("USER", "UIDL")) as (home, server):
        home.add(server.port, "--no-test", "--timeout", "3", security="starttls")
        refused(home, PROTOCOL, "no TLS")
        home.run("account", "remove", "anna")
        home.add(server.port, "--no-test", "--timeout", "3", security="tls")
        refused(home, PROTOCOL, "does not speak TLS")
        assert "PASS" not in server.seen


@tap.case("STARTTLS works")
def _():
    with tempfile.TemporaryDirectory() as folder:
        pair = peers.make_certificate(folder)
        with fake([message(1)], tls="starttls", certificate=pair) as (home, server):
            home.add(server.port, "--ca-file", pair[0], security="starttls")
            assert "1 new message" in home.run("check")[0]


@tap.case("a locked maildrop: 75")
def _():
    with fake([message(1)], replies={"PASS": "-ERR [IN-USE] locked"}) as (home, server):
        home.add(server.port, "--no-test", security="none")
        refused(home, TEMP, "another program")


@tap.case("a broken line in the configuration: 78 with file, line, account and key")
def _():
    with Home() as home:
        home.add(1, "--no-test")
        with open(home.path("config.ini"), "a") as f:
            f.write("leav = keep\n")
        for words in (["check"], ["list"], ["show", "1"], ["account", "list"],
                      ["account", "add", "b@example.org", "--pop3", "x", "--no-input"]):
            line = one_sentence(home.run(*words, status=CONFIG)[1])
            assert re.search(r"config\.ini:\d+: \[account anna\] leav is not a known key", line), line


@tap.case("two checks of one account at once: the second says so and touches nothing; stopping the first loses nothing")
def _():
    with fake([message(i) for i in range(6)], stall_at=4) as (home, server):
        home.add(server.port, security="none")
        first = home.start("check")
        assert server.stalled.wait(60)
        refused(home, TEMP, "anna", "just now")
        first.send_signal(signal.SIGTERM)
        _, err = first.communicate(timeout=60)
        assert first.returncode == TEMP and b"nothing was lost" in err, (first.returncode, err)
        server.stall_at = 0
        home.run("check")
        assert home.messages() == sorted(message(i) for i in range(6))
        assert json.loads(home.run("check", "--json")[0])["new"] == 0


@tap.case("one broken account does not stop the others")
def _():
    with fake([message(1)]) as (home, server):
        home.add(1, "--no-test", name="broken")
        home.add(server.port, security="none")
        out, err = home.run("check", status=UNAVAILABLE)
        assert "anna: 1 new message" in out and "broken: " in one_sentence(err)
        _, err = home.run("check", "nobody", status=CONFIG)
        assert "nobody" in one_sentence(err)


def mounted(home, options, script):
    """`script` in a shell with a tmpfs of its own at mail/; skipped where that may not be."""
    os.makedirs(home.path("mail"), exist_ok=True)
    shell = f"mount -t tmpfs -o {options} tmpfs '{home.path('mail')}' || exit 99\n{script}"
    done = subprocess.run(["unshare", "--map-root-user", "--mount", "--propagation", "private", "sh",
                           "-c", shell, RESTANTE], env=home.env(), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=120)
    if done.returncode == 99 or "unshare" in done.stderr:
        raise tap.Skip("no mount namespaces here")
    return done


@tap.case("a full disk: 74, and after it has room the rest comes, each message once")
def _():
    messages = [message(i, 60000) for i in range(20)]
    with fake(messages) as (home, server):
        home.add(server.port, security="none")
        done = mounted(home, "size=400k", '"$0" check --json; echo "$?"\n'
                       'mount -o remount,size=8M tmpfs "$RESTANTE_HOME/mail"\n'
                       '"$0" check --json; echo "$?"; "$0" check --json; ls mail 2>/dev/null\n'
                       'cat "$RESTANTE_HOME"/mail/anna/new/* | wc -c')
        full, status, rest, status2, again, octets = done.stdout.split("\n")[:6]
        full, rest, again = json.loads(full), json.loads(rest), json.loads(again)
        assert int(status) == IO and full["error"]["code"] == "no-space", done
        assert "space" in full["error"]["text"], full
        assert int(status2) == DONE and full["new"] + rest["new"] == 20 and again["new"] == 0, done
        assert int(octets) == sum(map(len, messages)), octets


@tap.case("a read-only folder: 74 with the folder's name")
def _():
    with fake([message(1)]) as (home, server):
        home.add(server.port, security="none")
        done = mounted(home, "ro", '"$0" check; echo "$?"')
        assert done.stdout.strip() == str(IO), done
        line = one_sentence(done.stderr)
        assert home.path("mail") in line, line


# --- languages ------------------------------------------------------------------------------------

@tap.case("German, by LANG and by LANGUAGE, whether that locale is installed or not")
def _():
    with Home() as home:
        for env in ({"LC_ALL": "", "LANG": "de_DE.UTF-8"},
                    {"LC_ALL": "C.UTF-8", "LANGUAGE": "de"}):
            out, _ = home.run("--help", env=env)
            assert "Neue Post holen" in out, (env, out)
            _, err = home.run("check", env=env, status=CONFIG)
            assert "noch kein Konto" in err, (env, err)
        assert "Neue Post" not in home.run("--help", env={"LC_ALL": "C"})[0]


if __name__ == "__main__":
    tap.run()
