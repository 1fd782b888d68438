"""Kill the sending in front of every lasting step, then send what is there: nothing is lost, nothing leaves twice, and the one moment of
which nobody can know is told as such and left to a person."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rs_serve
import tap
from fake_smtp import FakeSmtp
from it_home import Home

ONCE = os.path.join(rs_serve.BUILD, "tests/crash/send_once")


def once(home, mode, kill_at=0):
    done = subprocess.run([ONCE, home.folder, mode, str(kill_at)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=120, env={**os.environ, "LC_ALL": "C.UTF-8"})
    return done.returncode, done.stdout, done.stderr


@tap.case("killed at every lasting step of putting and sending: 0 lost, 0 twice")
def _():
    with FakeSmtp() as server, Home(server.port) as home:
        status, out, err = once(home, "put")
        assert status == 0 and len(server.messages) == 1 and len(home.kept("Sent")) == 1, (out, err)
        home.empty()
        steps, put = (int(n) for n in re.search(r"steps (\d+) put (\d+)", out).groups())
    assert steps > put >= 4, out
    unsure = 0
    for kill_at in range(1, steps + 1):
        with FakeSmtp() as server, Home(server.port) as home:
            status, out, err = once(home, "put", kill_at)
            where = f"killed at step {kill_at} of {steps} ({put} of putting)"
            assert status == -9, (where, status, err)
            before = len(server.messages)
            status, out, err = once(home, "flush")
            left, sent = home.kept("Outbox"), home.kept("Sent")
            assert len(server.messages) <= 1, (where, "left twice")
            if kill_at <= put and not left and not sent:
                assert not server.messages, where  # it was never said to be in the outbox
                continue
            assert len(left) + len(sent) == 1, (where, "lost or twice", left, sent)
            if left: # only where the dot may have gone out
                assert home.outbox()[0]["state"] == "unsure" and kill_at > put and status == 75, (where, out, err)
                assert len(server.messages) == before, (where, "sent again by itself")
                unsure += 1
            else:
                assert len(server.messages) == 1 and status == 0, (where, out, err)
                home.empty()
            assert once(home, "flush")[0] == 0 and len(server.messages) <= 1, where
    print(f"# {steps} steps, unsure at {unsure}", flush=True)
    assert 1 <= unsure <= 3, unsure


tap.run()
