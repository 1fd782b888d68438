"""What keeps the service safe: the sandbox of its roles, ceilings, delays, injections.

Against the real restanted (tests/tools/rs_serve.py), over loopback.
"""
import os
import poplib
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rs_serve
import tap

ANNA = "anna@example.org"
USERS = {ANNA: "secret", "ben@example.org": "hidden"}
CLEAR = {"cleartext": "loopback"}


def login(server, user=ANNA, password="secret"):
    pop = poplib.POP3("127.0.0.1", server.pop3_port, timeout=60)
    pop.user(user)
    pop.pass_(password)
    return pop


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return dict(re.findall(r"^(\w+):\s+(.*)$", f.read(), re.M))


def threads_of(pid):
    return [status_of(f"{pid}/task/{t}") for t in os.listdir(f"/proc/{pid}/task")]


@tap.case("every role and each of its threads runs under seccomp, without new privileges")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR) as s:
        s.deliver(ANNA, [b"Subject: x\n\nx\n"])
        pop = login(s)
        assert pop.retr(1) # by now the pools of threads are there
        pop.quit()
        roles = s.roles()
        assert set(roles) >= {"front", "auth", "store"}, roles
        for role, pids in roles.items():
            for pid in pids:
                for status in threads_of(pid):
                    assert status["Seccomp"] == "2", (role, status)
                    assert status["NoNewPrivs"] == "1", (role, status)
        several = [len(threads_of(pid)) for pid in roles["store"]]
        assert max(several) > 1, "no worker thread was looked at"
        assert "sandbox-violation" not in s.log_text()


@tap.case("sandbox = off works, and is loud")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR, server={"sandbox": "off"}) as s:
        login(s).quit()
        assert s.log_text().count("no-sandbox") == sum(map(len, s.roles().values())), s.log_text()
        for pids in s.roles().values():
            assert all(status_of(p)["Seccomp"] == "0" for p in pids)


@tap.case("a role has no descriptor that it was not given, and no core file")
def _():
    inherited = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(inherited, True)
    with rs_serve.Restanted(USERS, auth=CLEAR) as s:
        for pids in s.roles().values():
            for pid in pids:
                with open(f"/proc/{pid}/limits", encoding="ascii") as f:
                    assert re.search(r"Max core file size\s+0\s+0", f.read())
                if os.getuid() == 0: # else they are hidden, as they should be
                    files = [os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")
                                 if int(n) > 2]
                    assert all(re.match(r"socket:|anon_inode:|pipe:|/memfd:|/dev/null|.*/run/empty$", n)
                               for n in files), files
                    # libuv's reserve, and the end of standard input
                    assert len([n for n in files if n.startswith("/") and "memfd" not in n]) <= 1, files
    os.close(inherited)


tap.run()
