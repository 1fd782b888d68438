"""Cut the link at octets all over a check, kill the program at any moment, start two at a time: then run it to the
end. Nothing may be lost, come twice or be damaged, and a run ends by itself.

RS_TEST_LONG: a hundred moments of each kind instead of a few.
"""
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import corpus
import rs_serve
import tap
from cutting_proxy import CuttingProxy

N = 40
TIMES = 100 if os.environ.get("RS_TEST_LONG") else 12
ONCE = os.path.join(rs_serve.BUILD, "tests/crash/fetch_once")
MESSAGES = corpus.corpus(N, seed=11)
USERS = [f"u{i}@example.org" for i in range(2 * TIMES + 10)]


def strip_trace(octets):
    return re.sub(rb"\A(?:(?:Return-Path|Delivered-To|Received):[^\n]*\n(?:[ \t][^\n]*\n)*)+", b"", octets)


def inbox(home):
    new = os.path.join(home, "mail/inbox/new")
    return sorted(strip_trace(open(os.path.join(new, name), "rb").read())
                  for name in (os.listdir(new) if os.path.isdir(new) else []))


def command(home, port, user, mode):
    return [ONCE, home, str(port), user, "secret", mode]


def once(home, port, user, mode):
    done = subprocess.run(command(home, port, user, mode), stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.PIPE, timeout=120)
    return done.returncode, done.stdout + done.stderr


def whole(server, home, user, mode, where):
    """Run to the end: all is here once, and on the server what the policy leaves there."""
    for _ in range(3):  # one that broke the link is asked for behind the others; a lock may need a moment
        status, said = once(home, server.pop3_port, user, mode)
        if status == 0:
            break
        time.sleep(0.3)
    assert status == 0, (where, said)
    assert inbox(home) == sorted(MESSAGES), (where, len(inbox(home)), N)
    box = server.mailbox(user)
    left = sum(len(os.listdir(os.path.join(box, sub))) for sub in ("new", "cur"))
    assert left == (0 if mode == "delete" else N), (where, left)
    status, said = once(home, server.pop3_port, user, mode)
    assert status == 0 and said.startswith("new 0 "), (where, said)


def series(mode, disturb):
    with rs_serve.Restanted({name: "secret" for name in USERS}, auth={"cleartext": "loopback"}) as server:
        server.deliver_many(USERS, MESSAGES)
        users = iter(USERS)
        state = {}
        for i in range(TIMES):
            home, user = tempfile.mkdtemp(prefix="rs-cut-"), next(users)
            where = disturb(server, home, user, mode, i, state)
            whole(server, home, user, mode, (mode, where))
            shutil.rmtree(home)


def cut_link(server, home, user, mode, i, state):
    with CuttingProxy(server.pop3_port) as proxy:
        if i == 0:  # learn how long a check is
            assert once(home, proxy.port, user, mode)[0] == 0
            state.update(proxy.octets)
            return "not cut"
        way = ("down", "up")[i % 3 == 0]
        chance = random.Random(i)
        # a fifth of the cuts at the very end: the last answers, and QUIT
        at = (state[way] - chance.randrange(min(60, state[way] - 1)) if i % 5 == 0
              else chance.randrange(1, state[way]))
        proxy.cut = (at, way, ("fin", "rst")[i % 2])
        began = time.monotonic()
        once(home, proxy.port, user, mode)
        assert time.monotonic() - began < 60, "it hung"
        return proxy.cut, at, way


def kill(server, home, user, mode, i, state):
    if i == 0:
        began = time.monotonic()
        assert once(home, server.pop3_port, user, mode)[0] == 0
        state["seconds"] = time.monotonic() - began
        return "not killed"
    child = subprocess.Popen(command(home, server.pop3_port, user, mode), stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    part = random.Random(i).random()
    time.sleep(state["seconds"] * (part if i % 3 else 0.8 + 0.2 * part))
    child.kill()
    child.wait()
    return f"killed at {part:.3f}"


for mode in ("keep", "delete"):
    @tap.case(f"{mode}: the link cut at any octet, by FIN and by RST: 0 lost, 0 twice, 0 damaged, no hang")
    def _(mode=mode):
        series(mode, cut_link)

    @tap.case(f"{mode}: SIGKILL at any moment: 0 lost, 0 twice, 0 damaged")
    def _(mode=mode):
        series(mode, kill)


@tap.case("two programs at once: one works, the other says so; nothing comes twice")
def _():
    with rs_serve.Restanted({"a@example.org": "secret"}, auth={"cleartext": "loopback"}) as server:
        server.deliver("a@example.org", MESSAGES)
        home = tempfile.mkdtemp(prefix="rs-cut-")
        both = [subprocess.Popen(command(home, server.pop3_port, "a@example.org", "delete"),
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        said = [p.communicate(timeout=120)[0] for p in both]
        assert sum("new 40 " in s for s in said) == 1, said
        whole(server, home, "a@example.org", "delete", "two at once")
        shutil.rmtree(home)


tap.run()
