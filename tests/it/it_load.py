"""Under load: every role killed again and again, and the master itself, with nothing lost; and a soak, whose descriptors
and memory are counted. `./test --long` kills and soaks for minutes."""
import os
import random
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import load
import rs_serve
import tap

LONG = os.environ.get("RS_TEST_LONG")
RELEASE = bool(os.environ.get("RS_RELEASE_BUILD"))
USERS = {f"user{i}@example.org": "secret" for i in range(6)}
SECTIONS = {"auth": {"cleartext": "loopback"}, "limits": {"connections-per-address": "0"}}
KILLS = 60 if LONG else 5  # of each role
SOAK_S = int(os.environ.get("RS_SOAK_S") or (240 if LONG else 8))


def until(condition, what, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def progress(under, n=3):
    """Wait until the load gets on again: the clients have reconnected."""
    sent, sessions = under.sent, under.sessions
    until(lambda: (under.sent >= sent + n and under.sessions >= sessions + n) or under.failures,
          "the clients do not get on any more")


@tap.case("front, auth and store killed under load: what was acknowledged is there, what was deleted stays deleted")
def _():
    r = random.Random(7)
    with rs_serve.Restanted(USERS, **SECTIONS) as s:
        under = load.Load(s, USERS)
        under.start()
        try:
            for _ in range(KILLS):
                for role in ("front", "auth", "store"):
                    progress(under)
                    roles = {name: pids for name, pids in s.roles().items() if name.startswith(role)}
                    victim = r.choice([pid for pids in roles.values() for pid in pids])
                    time.sleep(r.random() * 0.05)  # in the middle of something
                    os.kill(victim, signal.SIGKILL)
                    until(lambda: not os.path.exists(f"/proc/{victim}"), f"{role} does not end")
            progress(under)
        finally:
            under.stop()
        under.verify()
        print(f"# {under.sent} deliveries, {under.sessions} sessions, {under.broken} broken off, "
              f"{3 * KILLS} processes killed")
        assert under.broken > 0, "nobody noticed: the load did not meet the kills"


@tap.case("the master killed under load: all roles go with it; after the next start nothing is lost")
def _():
    with rs_serve.Restanted(USERS, **SECTIONS) as s:
        under = load.Load(s, USERS, seed=2)
        under.start()
        try:
            for _ in range(3 if not LONG else 20):
                progress(under, 5)
                pids = [pid for group in s.roles().values() for pid in group]
                s.process.kill()
                s.process.wait()
                until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids),
                      "a role outlives its master")
                s.start()
        finally:
            under.stop()
        under.verify()
        print(f"# {under.sent} deliveries, {under.sessions} sessions, {under.broken} broken off")


def count(s):
    """{role: (descriptors, KiB of private memory)} summed over its processes."""
    found = {"master": [s.process.pid], **s.roles()}
    sums = {}
    for role, pids in found.items():
        fds = memory = 0
        for pid in pids:
            fds += len(os.listdir(f"/proc/{pid}/fd"))
            with open(f"/proc/{pid}/smaps_rollup") as f:
                memory += sum(int(l.split()[1]) for l in f if l.startswith(("Private_Dirty:", "Private_Clean:")))
        sums[role] = (fds, memory)
    return sums


def settled(s):
    """The count once nobody is connected: descriptors of the last sessions are closed."""
    last = count(s)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        time.sleep(0.3)
        now = count(s)
        if {k: v[0] for k, v in now.items()} == {k: v[0] for k, v in last.items()}:
            return now
        last = now
    return last


@tap.case("a soak: no descriptor is left open, memory does not grow, and the books are right")
def _():
    with rs_serve.Restanted(USERS, release=RELEASE, **SECTIONS) as s:
        warm = load.Load(s, USERS, seed=3)
        warm.start()
        time.sleep(max(3, SOAK_S / 10))
        warm.stop()
        warm.verify()
        before = settled(s)
        under = load.Load(s, USERS, seed=4)
        under.books = warm.books  # one mailbox, one set of books
        under.start()
        end = time.monotonic() + SOAK_S
        while time.monotonic() < end and not under.failures:
            time.sleep(0.2)
        under.stop()
        under.verify()
        after = settled(s)
        print(f"# {under.sent} deliveries, {under.sessions} sessions; descriptors and KiB: "
              + ", ".join(f"{k} {before[k][0]}->{after[k][0]}, {before[k][1]}->{after[k][1]}" for k in sorted(before)))
        assert under.broken == 0, f"{under.broken} sessions broke off"
        assert set(before) == set(after)
        for role in before:
            assert after[role][0] <= before[role][0] + 2, f"{role} has left descriptors open"
            if RELEASE:  # the sanitizers keep freed memory on purpose
                assert after[role][1] < before[role][1] * 1.3 + 4096, f"{role} has grown"
        s.deliver(list(USERS)[0], [load.message("one-too-many", 10)])  # these books can be wrong
        try:
            under.verify()
        except AssertionError as e:
            assert "one-too-many" in str(e), e
        else:
            raise AssertionError("the books did not notice a message that nobody sent")


tap.run()
