"""What real servers do, and what restante does then: each line of docs/QUIRKS.md about the fetch is a case here.

The server is tests/tools/fake_pop3.py; a case runs a few checks and looks at the folder, the server and the words.
"""
import contextlib
import glob
import json
import os
import sqlite3
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rs_serve
import tap
from fake_pop3 import FakePop3, wire

import subprocess

RESTANTE = rs_serve.program("restante")
DONE, UNAVAILABLE, TEMP, PROTOCOL, REFUSED, CONFIG = 0, 69, 75, 76, 77, 78


def message(i, lines=20):
    return (f"Received: from a by b; {i}\nMessage-ID: <{i}@example.org>\nSubject: message {i}\n"
            f"From: peer <p@example.org>\n\n" + f"line of {i}\n" * lines).encode()


class Box:
    """An account `a` on a fake server."""

    def __init__(self, server, home, leave):
        self.server, self.home = server, home
        with open(os.path.join(home, "config.ini"), "w") as f:
            f.write(f"[account a]\naddress = a@example.org\npop3 = 127.0.0.1:{server.port}\n"
                    f"security = none\nleave = {leave}\npassword-command = echo secret\ntimeout = 2\n")

    def set(self, line):
        with open(os.path.join(self.home, "config.ini"), "a") as f:
            f.write(line + "\n")

    def check(self, *args, status=DONE):
        """(the JSON of the account, what was said to the person)"""
        env = {"PATH": os.environ["PATH"], "HOME": self.home, "RESTANTE_HOME": self.home,
               "LC_ALL": "C.UTF-8", "ASAN_OPTIONS": "detect_leaks=1"}
        run = lambda *more: subprocess.run([RESTANTE, "check", *more, *args], env=env, text=True,
                                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        done = run("--json")
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        assert "Sanitizer" not in done.stderr, done.stderr
        return json.loads(done.stdout.splitlines()[-1]), done.stderr

    def run(self, *args):
        env = {"PATH": os.environ["PATH"], "HOME": self.home, "RESTANTE_HOME": self.home, "LC_ALL": "C.UTF-8"}
        return subprocess.run([RESTANTE, *args], env=env, text=True, check=True, stdout=subprocess.PIPE).stdout

    def bodies(self):
        found = []
        for path in glob.glob(os.path.join(self.home, "mail/a/new/*")):
            with open(path, "rb") as f:
                found.append(f.read())
        return sorted(found)

    def has(self, *messages):
        got = self.bodies()
        assert got == sorted(messages), (len(got), len(messages))

    def ledger(self, sql):
        with contextlib.closing(sqlite3.connect(os.path.join(self.home, "ledger.db"))) as db:
            rows = db.execute(sql).fetchall()
            db.commit()
            return rows


@contextlib.contextmanager
def box(messages, leave="keep", **more):
    with tempfile.TemporaryDirectory(prefix="rs-quirk-") as home, FakePop3(messages, **more) as server:
        yield Box(server, home, leave)


A, B, C = message(1), message(2), message(3)


# --- what it says of itself ---------------------------------------------------------------------------

@tap.case("the second check needs four turns: greeting, login with UIDL, RETR with QUIT")
def _():
    with box([A, B]) as b:
        b.check()
        b.server.messages.append(C)
        b.check()
        assert b.server.turns[1] == 2, (b.server.turns, b.server.log)
        b.check()  # nothing new: greeting, login with UIDL, QUIT
        assert b.server.turns[2] == 2, b.server.turns
        b.has(A, B, C)


@tap.case("delete mode: one turn more, DELE and QUIT together")
def _():
    with box([A], leave="delete") as b:
        b.check()
        b.server.messages, b.server.deleted, b.server.uids = [B, C], set(), ["x", "y"]
        b.check()
        assert b.server.turns[1] == 3, (b.server.turns, b.server.log)
        assert b.server.deleted == {1, 2}
        b.has(A, B, C)


@tap.case("throws away what came behind PASS: the slow way is taken at once, and the next times")
def _():
    with box([A, B]) as b:
        b.check()
        b.server.ignores_pipelining = True
        b.server.messages.append(C)
        b.check()
        b.has(A, B, C)
        n = len(b.server.turns)
        b.check()
        assert len(b.server.turns) == n + 1, "one session, not two"


@tap.case("says that it is Courier: nothing goes out behind the login, so nothing is lost and nobody waits")
def _():
    capa = ("USER", "UIDL", "TOP", "PIPELINING", "IMPLEMENTATION Courier Mail Server")
    with box([A, B], capa=capa, ignores_pipelining=True) as b:
        b.check()
        b.server.messages.append(C)
        for n in (1, 2):
            b.check()
            assert len(b.server.turns) == n + 1, "one session a check, not two"
        b.has(A, B, C)


@tap.case("hangs up at CAPA: asked again without it")
def _():
    with box([A, B], replies={"CAPA": None}) as b:
        b.check()
        b.has(A, B)


@tap.case("knows no CAPA, and no PIPELINING: one after the other")
def _():
    with box([A, B, C], leave="delete", capa=None) as b:
        b.check()
        b.has(A, B, C)
        assert b.server.deleted == {1, 2, 3}


@tap.case("tells PIPELINING, UIDL and TOP only behind the login")
def _():
    state = {"in": False}

    def capa(words):
        return False if state["in"] else b"+OK\r\nUSER\r\n.\r\n"

    def login(words):
        state["in"] = True
        return False
    with box([A, B], replies={"CAPA": capa, "PASS": login}) as b:
        b.check()
        state["in"] = False
        b.check()
        b.has(A, B)


@tap.case("STAT with junk, LIST with -1, 0 and words: sizes are hints")
def _():
    with box([A, B, C], sizes=["-1", "0", "many"], replies={"STAT": "+OK -3 x"}) as b:
        b.check()
        b.has(A, B, C)
        assert b.check()[0]["new"] == 0


@tap.case("refuses LIST, and LIST n")
def _():
    with box([A, B], leave="delete", replies={"LIST": "-ERR no"}) as b:
        b.check()
        b.has(A, B)
        assert b.server.deleted == {1, 2}


# --- UIDs ---------------------------------------------------------------------------------------------

@tap.case("the same UID twice in a listing, and the copies come once each")
def _():
    with box([A, B, B], uids=["same", "two", "same"]) as b:
        b.check()
        assert b.check()[0]["new"] == 0
        b.has(A, B, B)


@tap.case("a UID that is used again for another message: the new one is fetched, and nothing is deleted unread")
def _():
    with box([A, B], leave="keep") as b:
        b.check()
        b.set("leave = delete".replace("leave", "#"))
        b.server.messages = [message(9, lines=40), B]
        b.ledger("UPDATE account SET listed_s = 0")
        row, _ = b.check()
        assert row["new"] == 1 and not b.server.deleted, row
        b.has(A, B, message(9, lines=40))
        assert b.check()[0]["new"] == 0


@tap.case("a known UID with another size, the same message: known, and not fetched again")
def _():
    with box([A, B]) as b:
        b.check()
        b.server.sizes = ["77", "78"]
        b.ledger("UPDATE account SET listed_s = 0")
        assert b.check()[0]["new"] == 0
        assert b.check()[0]["new"] == 0
        b.has(A, B)


@tap.case("all UIDs are new: recognised by TOP, one sentence, nothing comes twice, nothing is deleted")
def _():
    with box([A, B, C], leave="keep") as b:
        b.check()
        b.server.uids = ["n1", "n2", "n3"]
        row, said = b.check()
        assert row["new"] == 0 and "other names" in said, (row, said)
        assert "RETR" not in b.server.log[-6:], b.server.log
        row, said = b.check()
        assert row["new"] == 0 and not said
        b.has(A, B, C)


@tap.case("all UIDs are new, there is no TOP: what comes is recognised when it has come")
def _():
    with box([A, B, C], capa=("USER", "UIDL", "PIPELINING"), replies={"TOP": "-ERR no"}) as b:
        b.check()
        b.server.uids = ["n1", "n2", "n3"]
        assert b.check()[0]["new"] == 0
        assert b.check()[0]["new"] == 0
        b.has(A, B, C)


@tap.case("new UIDs, and a message that is really new among them")
def _():
    with box([A, B]) as b:
        b.check()
        b.server.uids, b.server.messages = ["n1", "n2", "n3"], [B, C, A]
        assert b.check()[0]["new"] == 1
        b.has(A, B, C)


@tap.case("alike to the last octet without Message-ID: two messages, both come")
def _():
    alike = b"Subject: x\nFrom: a@example.org\n\nhello\n"
    with box([alike], leave="keep") as b:
        b.check()
        b.server.uids = ["other"]
        assert b.check()[0]["new"] == 1
        b.has(alike, alike)


@tap.case("UIDs of blanks, with blanks, of 300 octets, of octets above 127, with NUL")
def _():
    uids = [b"   ", b"a b", b"x" * 300, b"\xfc\xff", b"nul\0l", b"."]
    with box([message(i) for i in range(6)], uids=uids) as b:
        b.check()
        b.check()
        b.has(*[message(i) for i in range(6)])


@tap.case("a row that cannot be read: the others come, nothing is taken for gone, one sentence")
def _():
    with box([A, B, C]) as b:
        b.check()
        b.server.replies["UIDL"] = b"+OK\r\n1 uid-1\r\nrubbish\r\n0 x\r\n3 uid-3\r\n4\r\n.\r\n"
        row, said = b.check()
        assert "could not be read" in said and row["new"] == 0
        assert b.ledger("SELECT count(*) FROM message WHERE gone_s") == [(0,)]
        del b.server.replies["UIDL"]
        assert b.check()[0]["new"] == 0


@tap.case("nothing listed for one session (STAT 0, empty UIDL): one sentence, nothing forgotten")
def _():
    with box([A, B, C], leave="delete,grace=1d") as b:
        b.check()
        keep, b.server.messages = b.server.messages, []
        row, said = b.check()
        assert "lists no message at all" in said
        b.server.messages = keep
        assert b.check()[0]["new"] == 0
        b.has(A, B, C)


@tap.case("UIDs missing for 59 days are known, after 61 they are not")
def _():
    with box([A, B]) as b:
        b.check()
        b.server.messages = [A]
        b.check()
        for days, n in ((59, 2), (61, 1)):
            b.ledger(f"UPDATE message SET gone_s = strftime('%s') - {days} * 86400 WHERE gone_s")
            b.check()
            assert b.ledger("SELECT count(*) FROM message") == [(n,)], days


@tap.case("no UIDL at all: names are made of the headers")
def _():
    with box([A, B], capa=("USER", "TOP", "PIPELINING"), replies={"UIDL": "-ERR what?"}) as b:
        b.check()
        b.server.messages.insert(0, C)
        assert b.check()[0]["new"] == 1
        assert b.check()[0]["new"] == 0
        b.has(A, B, C)


@tap.case("UIDL announced and refused: that is for later, nothing is fetched")
def _():
    with box([A], replies={"UIDL": "-ERR not now"}) as b:
        row, _ = b.check(status=TEMP)
        assert "UIDL" in row["error"]["text"]
        b.has()


# --- messages -----------------------------------------------------------------------------------------

@tap.case("refuses one message: the others come, it is asked for again later, and later comes")
def _():
    with box([A, B, C], leave="delete", replies={"RETR 2": "-ERR cannot read it"}) as b:
        row, _ = b.check(status=TEMP)
        assert row["new"] == 2 and b.server.deleted == {1, 3}, row
        b.has(A, C)
        b.server.deleted.clear()
        assert b.ledger("SELECT note FROM message WHERE state = 4")[0][0].endswith("cannot read it")
        b.server.replies.clear()
        n = len(b.server.log)
        b.check()
        assert "RETR 2" not in b.server.log[n:], "asked before its time"
        b.ledger("UPDATE message SET next_s = 1 WHERE state = 4")
        b.check()
        b.has(A, B, C)


@tap.case("hangs up in the middle of one message each time: the others pass it")
def _():
    with box([A, B, C], hang_at=1) as b:
        b.check(status=UNAVAILABLE)
        b.has()
        b.check(status=UNAVAILABLE)
        b.has(B, C)
        b.server.hang_at = 0
        b.ledger("UPDATE message SET next_s = 1 WHERE state = 4")
        b.check()
        b.has(A, B, C)


@tap.case("falls silent in the middle: the time-out ends it, what was whole is kept")
def _():
    with box([A, B, C], stall_at=2) as b:
        b.check(status=UNAVAILABLE)
        b.has(A)
        b.server.stall_at = 0
        b.check()
        b.has(A, B, C)


@tap.case("a final dot much too early: kept, marked, never deleted there")
def _():
    long = message(7, lines=900)
    with box([A, long], leave="delete", early=[2]) as b:
        b.check()
        assert b.server.deleted == {1}
        assert len(b.bodies()) == 2 and b.ledger("SELECT hold FROM message ORDER BY id") == [(0,), (1,)]
        b.server.deleted.clear()
        b.check()
        assert 2 not in b.server.deleted


@tap.case("ends a message with LF and a dot that it should have doubled, NUL, bare CR, lines of a megabyte")
def _():
    odd = b"Subject: odd\n\n\0 nul\rcr\n.dot\n..\n" + b"x" * 1000000 + b"\n"
    with box([odd]) as b:
        b.check()
        b.has(odd)


@tap.case("the download quota is used up in the middle: what came stays, the rest comes later")
def _():
    def retr(words):
        return "-ERR Download exceed" if int(words[1]) > 1 else False
    with box([A, B, C], replies={"RETR": retr}) as b:
        row, _ = b.check(status=TEMP)
        assert row["new"] == 1
        b.has(A)
        b.server.replies.clear()
        b.ledger("UPDATE message SET next_s = 1 WHERE state = 4")
        b.check()
        b.has(A, B, C)


@tap.case("larger than the limit: left there, listed, and fetched when asked for")
def _():
    large = message(8, lines=400)
    with box([A, large, C], leave="delete") as b:
        b.set("size-limit = 2k")
        row, said = b.check()
        assert row["new"] == 2 and b.server.deleted == {1, 3} and "restante fetch" in said, (row, said)
        rows = [json.loads(line) for line in b.run("fetch", "--json").splitlines()]
        assert [(r["state"], r["size"]) for r in rows] == [("skipped", len(wire(large)))], rows
        assert "comes with the next check" in b.run("fetch", str(rows[0]["id"]))
        b.server.deleted.clear()
        assert b.check()[0]["new"] == 1
        b.has(A, large, C)
        assert "Everything was fetched" in b.run("fetch")


@tap.case("rules: into a folder, marked, deleted here; known afterwards, wherever they lie")
def _():
    with box([A, B, C], leave="delete") as b:
        with open(os.path.join(b.home, "rules"), "w") as f:
            f.write("[one]\nsubject = message 1\nfolder = Lists/One\nmark = seen, flagged\n"
                    "[two]\nsubject = message 2\ndelete = yes\n")
        b.set(f"rules = {b.home}/rules")
        row, _ = b.check()
        assert row["new"] == 3 and b.server.deleted == {1, 2, 3}, row
        b.has(C)
        (one,) = glob.glob(os.path.join(b.home, "mail/Lists/One/cur/*:2,FS"))
        assert open(one, "rb").read() == A
        assert len(glob.glob(os.path.join(b.home, "mail/Trash/new/*"))) == 1
        assert b.check()[0]["new"] == 0
        with open(os.path.join(b.home, "rules"), "a") as f:
            f.write("colour = red\n")
        row, _ = b.check(status=CONFIG)
        assert "rules:8: colour = red" in row["error"]["text"], row


# --- login and end ------------------------------------------------------------------------------------

@tap.case("[IN-USE]: not asked again before its time, over runs; --now asks")
def _():
    with box([A], replies={"PASS": "-ERR [IN-USE] busy"}) as b:
        row, _ = b.check(status=TEMP)
        assert row["error"]["code"] == "locked", row
        n = len(b.server.turns)
        row, _ = b.check(status=TEMP)
        assert len(b.server.turns) == n and "asked us to wait" in row["error"]["text"], row
        b.server.replies.clear()
        b.check("--now")
        b.has(A)
        b.check()


@tap.case("[LOGIN-DELAY]: the same, as long as the server says")
def _():
    with box([A], capa=("USER", "UIDL", "LOGIN-DELAY 900"),
             replies={"PASS": "-ERR [LOGIN-DELAY] slowly"}) as b:
        b.check(status=TEMP)
        (until,) = b.ledger("SELECT until_s - strftime('%s') FROM wait")[0]
        assert 890 <= until <= 920, until


@tap.case("a wrong password is said once, not tried twice")
def _():
    with box([A]) as b:
        b.check()
        b.server.replies["PASS"] = "-ERR [AUTH] no"
        n = b.server.seen.count("PASS")
        b.check(status=REFUSED)
        assert b.server.seen.count("PASS") == n + 1


@tap.case("refuses QUIT, hangs up at QUIT, hangs up at DELE: nothing comes twice, the rest is deleted the next time")
def _():
    for replies in ({"QUIT": "-ERR not all removed"}, {"QUIT": None}, {"DELE": None}, {"DELE 2": "-ERR no"}):
        with box([A, B], leave="delete", replies=replies) as b:
            b.check(status=DONE if "DELE 2" in replies else (
                PROTOCOL if replies.get("QUIT") else UNAVAILABLE))
            b.has(A, B)
            b.server.replies.clear()
            b.server.deleted.clear()
            row, _ = b.check()
            assert row["new"] == 0 and 2 in b.server.deleted, (replies, row)
            b.has(A, B)


@tap.case("a clock that was set back years: nothing is deleted early, nothing comes twice")
def _():
    with box([A, B], leave="days=10") as b:
        b.check()
        b.ledger("UPDATE account SET checked_s = checked_s + 400 * 86400")
        b.server.messages.append(C)
        row, _ = b.check()
        assert row["new"] == 1
        b.ledger("UPDATE message SET stored_s = strftime('%s') - 9 * 86400")
        b.ledger("UPDATE account SET checked_s = 0")
        assert b.check()[0]["deleted"] == 0
        b.has(A, B, C)


@tap.case("the policies against a server: days, newest, quota, grace")
def _():
    with box([A, B, C], leave="days=3") as b:
        b.check()
        b.ledger("UPDATE message SET stored_s = stored_s - 3 * 86400 WHERE uid = CAST('uid-2' AS BLOB)")
        assert b.check()[0]["deleted"] == 1 and b.server.deleted == {2}
    with box([A, B, C], leave="newest=1") as b:
        assert b.check()[0]["deleted"] == 2 and b.server.deleted == {1, 2}
    with box([A, B, C], leave=f"quota={len(wire(C))}") as b:
        assert b.check()[0]["deleted"] == 2 and b.server.deleted == {1, 2}
    with box([A, B, C], leave="delete,grace=1h") as b:
        assert b.check()[0]["deleted"] == 0
        b.ledger("UPDATE message SET stored_s = stored_s - 3600")
        assert b.check()[0]["deleted"] == 3


tap.run()
