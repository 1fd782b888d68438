"""Kill a check in front of every lasting step, then run it to the end: nothing may be lost, come
twice, or be damaged, whether mail is kept on the server or deleted.

A step is a change of the ledger, a sync, a rename, a DELE, QUIT (src/client/fetch_*.c). The whole
series runs once undisturbed to learn how many steps there are.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import corpus
import rs_serve
import tap

N = 12
ONCE = os.path.join(rs_serve.BUILD, "tests/crash/fetch_once")
MESSAGES = corpus.corpus(N, seed=5)
USERS_MAX = 160


def strip_trace(octets):
    """Without what the server put in front: Return-Path, Delivered-To, Received."""
    return re.sub(rb"\A(?:(?:Return-Path|Delivered-To|Received):[^\n]*\n(?:[ \t][^\n]*\n)*)+", b"",
                  octets)


def inbox(home):
    new = os.path.join(home, "mail/inbox/new")
    found = []
    for name in sorted(os.listdir(new)) if os.path.isdir(new) else []:
        with open(os.path.join(new, name), "rb") as f:
            found.append(strip_trace(f.read()))
    return found


def check_once(server, home, user, mode, kill_at=0):
    done = subprocess.run([ONCE, home, str(server.pop3_port), user, "secret", mode, str(kill_at)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def left_on_server(server, user):
    box = server.mailbox(user)
    return sum(len(os.listdir(os.path.join(box, sub))) for sub in ("new", "cur"))


def series(server, users, mode):
    """Every kill point of one mode; returns how many there were."""
    user = next(users)
    home = tempfile.mkdtemp(prefix="rs-kill-")
    status, out, err = check_once(server, home, user, mode)
    assert status == 0, (out, err)
    steps = int(re.search(r"steps (\d+)", out).group(1))
    shutil.rmtree(home)
    assert steps > N, out
    for kill_at in range(1, steps + 1):
        user = next(users)
        home = tempfile.mkdtemp(prefix="rs-kill-")
        status, _, err = check_once(server, home, user, mode, kill_at)
        assert status == -9, (kill_at, status, err)
        where = f"{mode}, killed at step {kill_at}"
        status, out, err = check_once(server, home, user, mode)
        assert status == 0, (where, out, err)
        got = inbox(home)
        assert sorted(got) == sorted(MESSAGES), (where, len(got), "of", N)
        if mode == "delete":
            assert left_on_server(server, user) == 0, where
        else:
            assert left_on_server(server, user) == N, where
        status, out, err = check_once(server, home, user, mode)
        assert status == 0 and out.startswith("new 0 "), (where, out, err)
        assert len(inbox(home)) == N, where
        shutil.rmtree(home)
    return steps


def with_server(mode):
    names = [f"u{i}@example.org" for i in range(USERS_MAX)]
    with rs_serve.Restanted({name: "secret" for name in names}, auth={"cleartext": "loopback"}) as s:
        s.deliver_many(names, MESSAGES)
        print(f"# {mode}: {series(s, iter(names), mode)} steps", flush=True)


@tap.case("keep: killed at every lasting step, 0 lost, 0 twice, 0 damaged")
def _():
    with_server("keep")


@tap.case("delete: killed at every lasting step, 0 lost, 0 twice, 0 damaged")
def _():
    with_server("delete")


@tap.case("an account that is pointed at another mailbox does not take its UIDs for known")
def _():
    names = ["one@example.org", "two@example.org"]
    with rs_serve.Restanted({name: "secret" for name in names}, auth={"cleartext": "loopback"}) as s:
        s.deliver(names[0], MESSAGES)
        subprocess.run(["cp", "-a", s.mailbox(names[0]), s.mailbox(names[1])], check=True)
        home = tempfile.mkdtemp(prefix="rs-kill-")
        for name in names:
            status, out, err = check_once(s, home, name, "delete")
            assert status == 0 and out.startswith(f"new {N} deleted {N} "), (name, out, err)
        assert len(inbox(home)) == 2 * N
        shutil.rmtree(home)


tap.run()
