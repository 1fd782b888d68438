"""Running the service: status, sessions, kick, unlock, reload, metrics, as an administrator does it.

Against the real restanted (tests/tools/rs_serve.py), over loopback.
"""
import grp
import http.client
import json
import os
import poplib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import peers
import rs_serve
import tap

sys.path.append("/usr/lib/python3/dist-packages")  # Debian's modules, for a python3 that is not Debian's
from prometheus_client.openmetrics import parser as openmetrics

ANNA, BEN = "anna@example.org", "ben@example.org"
USERS = {ANNA: "secret", BEN: "hidden"}
CLEAR = {"cleartext": "loopback"}


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return
        except (OSError, poplib.error_proto, AssertionError):
            pass
        time.sleep(0.05)
    raise AssertionError("it did not come to that")


def login(server, user=ANNA, password="secret", tls=False):
    if tls:
        pop = poplib.POP3_SSL("localhost", server.pop3s_port, timeout=60,
                              context=ssl.create_default_context(cafile=server.ca_file))
    else:
        pop = poplib.POP3("127.0.0.1", server.pop3_port, timeout=60)
    pop.user(user)
    pop.pass_(password)
    return pop


def command(server, *args, **more):
    """A restanted command; the result has returncode, stdout and stderr as text."""
    return subprocess.run([server.program, args[0], "-c", server.conf, *args[1:]], text=True, timeout=120,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)


def answer(server, *args):
    done = command(server, *args, "--json")
    assert done.stdout and not done.stderr, done.stderr
    return json.loads(done.stdout)


def ask_raw(server, octets):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(30)
        s.connect(server.path("run/admin"))
        s.sendall(octets)
        s.shutdown(socket.SHUT_WR)
        got = b""
        while chunk := s.recv(65536):
            got += chunk
    return got


def metrics_text(port, method="GET", path="/metrics"):
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    link.request(method, path)
    reply = link.getresponse()
    return reply, reply.read().decode()


def metrics(port):
    """{(sample, frozenset of labels): value}, read by a strict parser."""
    reply, text = metrics_text(port)
    assert reply.status == 200
    return {(s.name, frozenset(s.labels.items())): s.value
            for family in openmetrics.text_string_to_metric_families(text) for s in family.samples}


def value(port, name, **labels):
    return metrics(port)[name, frozenset(labels.items())]


def served(metrics_too=False, **more):
    port = peers.free_port()
    listen = {"metrics": f"127.0.0.1:{port}"} if metrics_too else {}
    s = rs_serve.Restanted(USERS, auth=CLEAR, listen=listen, **more)
    s.metrics_port = port
    return s


@tap.case("status counts what happened and knows every process")
def _():
    with served(workers=2) as s:
        s.deliver(ANNA, [b"Subject: x\n\nHello\n"] * 3)
        pop = login(s)
        pop.retr(1)
        pop.dele(2)
        pop.quit()
        try:
            login(s, password="wrong")
        except poplib.error_proto:
            pass
        stay = login(s, BEN, "hidden", tls=True)
        until(lambda: answer(s, "status")["numbers"]["messages-deleted"] == 1)
        a = answer(s, "status")
        n = a["numbers"]
        assert a["ok"] is True and a["pid"] == s.process.pid and 0 <= a["uptime"] < 600
        assert n["sessions"] == 1 and n["logins"] == 2 and n["logins-refused"] == 1, n
        assert n["messages-retrieved"] == 1 and n["messages-received"] == 3 and n["deliveries"] == 3, n
        assert n["tls-handshakes"] == 1 and n["octets-in"] > 300 and n["octets-out"] > 300, n
        pids = {pid for pids in s.roles().values() for pid in pids}
        assert {r["pid"] for r in a["roles"]} == pids and len(pids) == 6
        assert {r["role"] for r in a["roles"]} == {"admin0", "auth0", "front0", "front1", "store0", "store1"}
        assert all(r["state"] == "ready" and r["restarts"] == 0 for r in a["roles"])
        done = command(s, "status")
        text = done.stdout
        assert done.stderr == "" and done.returncode == 0, done
        assert "2 ok, 1 refused, 0 failed" in text and "front1" in text, text
        stay.quit()


@tap.case("sessions shows who is there, since when, over what; kick ends one, and nothing is deleted")
def _():
    with served(workers=2) as s:
        s.deliver(ANNA, [b"Subject: x\n\nHello\n"] * 3)
        anna, ben = login(s, tls=True), login(s, BEN, "hidden")
        anna.retr(1)
        anna.dele(1)
        early = socket.create_connection(("127.0.0.1", s.pop3_port), 30)
        early.recv(100)
        rows = {r["user"]: r for r in answer(s, "sessions")["sessions"]}
        assert set(rows) == {ANNA, BEN, ""}, rows
        a = rows[ANNA]
        assert a["service"] == "pop3s" and a["tls"] == "TLSv1.3" and a["messages"] == 1, a
        assert a["state"] == "transaction" and a["peer"] == "127.0.0.1", a
        assert abs(a["since"] - time.time()) < 60 and a["octets-out"] > 0 and "store" in a, a
        assert rows[BEN]["tls"] == "" and rows[""]["state"] == "authorization"
        assert ANNA in command(s, "sessions").stdout
        done = command(s, "kick", a["id"])
        assert done.returncode == 0 and ANNA in done.stdout and "pop3s" in done.stdout, done
        try:
            anna.noop()
            raise AssertionError("still there")
        except (poplib.error_proto, OSError, EOFError) as e:
            assert not isinstance(e, poplib.error_proto) or "administrator" in str(e) or "EOF" in str(e), e
        again = login(s)
        assert again.stat()[0] == 3, "a kick deleted a message"
        assert ben.noop().startswith(b"+OK"), "another session was hit"
        assert command(s, "kick", a["id"]).returncode == 1, "it was there twice"
        assert command(s, "kick", "zzz").returncode == 65
        assert f'"id":"{a["id"]}"' not in json.dumps(answer(s, "sessions"))
        again.quit()


@tap.case("unlock ends the session that has the maildrop, wherever it is")
def _():
    with served(workers=2) as s:
        s.deliver(ANNA, [b"Subject: x\n\nHello\n"])
        anna = login(s)
        anna.dele(1)
        done = command(s, "unlock", ANNA)
        assert done.returncode == 0 and "127.0.0.1" in done.stdout, done
        again = login(s)
        assert again.stat()[0] == 1, "unlock deleted a message"
        again.quit()
        done = command(s, "unlock", ANNA)
        assert done.returncode == 1 and ANNA in done.stderr, done


@tap.case("the last session of an old configuration: unlock ends it, and the answer comes at once")
def _():
    with served(workers=2) as s:
        s.deliver(ANNA, [b"Subject: x\n\nHello\n"])
        anna = login(s)
        assert command(s, "reload").returncode == 0
        a = answer(s, "unlock", ANNA)
        assert a["complete"] is True, "an answer was waited for that cannot come"
        assert [r["user"] for r in a["ended"]] == [ANNA] and a["silent"] == [], a
        login(s).quit()
        del anna


@tap.case("unlock names another program that has the maildrop, and ends it where it is told to")
def _():
    with served(workers=1) as s:
        s.deliver(ANNA, [b"Subject: x\n\nHello\n"])
        login(s).quit()
        lock = os.path.join(s.mailbox(ANNA), "restante.lock")
        holder = subprocess.Popen(
            ["/usr/bin/python3", "-c", "import fcntl,os,struct,sys,time\nf=open(sys.argv[1],'r+b')\n"
             "fcntl.fcntl(f,37,struct.pack('hhqqi4x',1,0,0,0,0))\nprint('held',flush=True)\ntime.sleep(600)", lock],
            stdout=subprocess.PIPE)
        try:
            assert holder.stdout.readline() == b"held\n"
            try:
                login(s)
                raise AssertionError("two have the maildrop")
            except poplib.error_proto as e:
                assert "IN-USE" in str(e), e
            done = command(s, "unlock", ANNA)
            assert done.returncode == 75 and f"process {holder.pid}" in done.stderr, done
            assert "python3" in done.stderr and holder.poll() is None
            done = command(s, "unlock", "--force", ANNA)
            assert done.returncode == 0 and str(holder.pid) in done.stdout, done
            assert holder.wait(10) == -signal.SIGTERM
            login(s).quit()
        finally:
            if holder.poll() is None:
                holder.kill()
            holder.wait()


@tap.case("what is asked wrongly is told so, and the service goes on")
def _():
    with served() as s:
        for octets in (b"x\n", b"{}\n", b'{"do":1}\n', b'{"do":"fly"}\n', b'{"do":"kick"}\n', b"[" * 4000 + b"\n",
                       b'{"do":"status","id":"00000000001"}\n', b'{"do":"kick","id":"-1"}\n', b"\xff\xfe\n",
                       b'{"do":"unlock","address":"../x"}\n', b"x" * 5000):
            got = json.loads(ask_raw(s, octets))
            assert got["ok"] is False and got["error"], (octets, got)
        assert ask_raw(s, b"") == b"" and ask_raw(s, b'{"do":"status"}') == b"", "half a line is no request"
        two = ask_raw(s, b'{"do":"status"}\n{"do":"sessions"}\n').splitlines()
        assert [json.loads(l)["ok"] for l in two] == [True, True]


@tap.case("only root, the service's user and the group may ask")
def _():
    if os.getuid() != 0:
        raise tap.Skip("needs root to be somebody else")
    with served(server={"admin-group": "mail"}) as s:
        os.chmod(s.folder, 0o755)
        nobody = json.loads(ask_as(s, 1, 1, []))
        assert nobody["ok"] is False and "admin-group" in nobody["error"], nobody
        mail = grp.getgrnam("mail").gr_gid
        assert json.loads(ask_as(s, 1, mail, []))["ok"] is True
        assert json.loads(ask_as(s, 1, 1, [5, mail, 7]))["ok"] is True
        assert json.loads(ask_as(s, 65534, 65534, []))["ok"] is True, "the service's own user"
        # the commands work for a member who cannot read the private key
        os.chmod(s.key, 0o600)
        os.chmod(s.conf, 0o644)
        shutil.copy(s.program, s.path("restanted"))
        done = subprocess.run([s.path("restanted"), "status", "-c", s.conf], user=1, group=1, extra_groups=[mail],
                              cwd="/", text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == 0 and "front0" in done.stdout, done
        done = subprocess.run([s.path("restanted"), "status", "-c", s.conf], user=1, group=1, extra_groups=[],
                              cwd="/", text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == 77 and "admin-group" in done.stderr, done


def ask_as(server, uid, gid, groups):
    code = ("import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
            "s.sendall(b'{\"do\":\"status\"}\\n')\ns.shutdown(1)\nd=b''\n"
            "while c:=s.recv(65536): d+=c\nsys.stdout.buffer.write(d)")
    return subprocess.run(["/usr/bin/python3", "-c", code, server.path("run/admin")], user=uid, group=gid,
                          extra_groups=groups, cwd="/", stdout=subprocess.PIPE, timeout=30).stdout


@tap.case("metrics: OpenMetrics that a strict parser takes, with the numbers of what happened")
def _():
    with served(metrics_too=True, workers=2) as s:
        s.deliver(ANNA, [b"Subject: x\n\nHello\n"] * 3)
        pop = login(s, tls=True)
        pop.retr(1)
        pop.dele(1)
        pop.quit()
        sasl = socket.create_connection(("127.0.0.1", s.pop3_port), 30).makefile("rwb", buffering=0)
        sasl.readline()
        sasl.write(b"AUTH PLAIN AGFubmFAZXhhbXBsZS5vcmcAd3Jvbmc=\r\n")
        assert sasl.readline().startswith(b"-ERR")
        until(lambda: value(s.metrics_port, "restante_messages_deleted_total") == 1)
        reply, text = metrics_text(s.metrics_port)
        assert reply.getheader("Content-Type") == \
            "application/openmetrics-text; version=1.0.0; charset=utf-8"
        assert text.endswith("# EOF\n") and text.count("# EOF") == 1
        m = metrics(s.metrics_port)

        def get(name, **labels):
            return m[name, frozenset(labels.items())]

        assert get("restante_logins_total", mechanism="PASS", result="ok") == 1
        assert get("restante_logins_total", mechanism="PLAIN", result="refused") == 1
        assert get("restante_logins_total", mechanism="PLAIN", result="ok") == 0
        assert get("restante_messages_received_total") == 3 == get("restante_deliveries_total")
        assert get("restante_messages_retrieved_total") == 1
        assert get("restante_tls_handshakes_total") == 1
        assert get("restante_connections_total", service="pop3s") == 1
        assert get("restante_open_connections", service="pop3") == 1
        assert get("restante_delivery_duration_seconds_count") == 3
        assert get("restante_delivery_duration_seconds_bucket", le="+Inf") == 3
        assert get("restante_login_duration_seconds_count") == 1
        assert 0 < get("restante_login_duration_seconds_sum") < 60
        assert get("restante_commit_duration_seconds_count") == 1
        assert abs(get("restante_start_time_seconds") - time.time()) < 600
        assert get("restante_role_restarts_total", role="store") == 0
        assert m["restante_build_info", frozenset({("version", version(s))})] == 1


def version(server):
    return subprocess.run([server.program, "--version"], text=True, stdout=subprocess.PIPE).stdout.split()[1]


@tap.case("the metrics listener takes GET and HEAD of /metrics and nothing else")
def _():
    with served(metrics_too=True) as s:
        port = s.metrics_port
        for method, path, status in (("GET", "/metrics", 200), ("HEAD", "/metrics", 200), ("GET", "/", 404),
                                     ("GET", "/metrics?x=1", 200), ("GET", "/metricsx", 404), ("POST", "/metrics", 405),
                                     ("GET", "/../etc/passwd", 404)):
            reply, body = metrics_text(port, method, path)
            assert reply.status == status, (method, path, reply.status)
            assert (body == "") == (method == "HEAD"), (method, body)

        def raw(octets):
            link = socket.create_connection(("127.0.0.1", port), 30)
            try:
                link.sendall(octets)
                return link.recv(65536)
            except ConnectionError:
                return b""

        assert raw(b"GET /metrics HTTP/1.1\n\n\r\n\r\n").startswith(b"HTTP/1.1 400")
        assert raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n").startswith(b"HTTP/1.1 400")
        assert raw(b"GET /metrics HTTP/1.1\r\nX: " + b"y" * 20000)[:12] in (b"", b"HTTP/1.1 400")
        assert metrics_text(port)[0].status == 200


@tap.case("numbers outlive their process: counters go on, what was open is not open any more")
def _():
    with served(metrics_too=True, workers=2) as s:
        s.deliver(ANNA, [b"Subject: x\n\nHello\n"] * 2)
        pops = [login(s), login(s, BEN, "hidden")]
        pops[0].retr(1)
        assert value(s.metrics_port, "restante_sessions") == 2
        before = metrics(s.metrics_port)
        for role in ("front", "store", "auth"):
            pids = s.roles()[role]
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            until(lambda: value(s.metrics_port, "restante_role_restarts_total", role=role) == len(pids))
        until(lambda: value(s.metrics_port, "restante_sessions") == 0)
        until(lambda: value(s.metrics_port, "restante_open_connections", service="pop3") == 0)
        until(lambda: login(s).stat()[0] == 2)
        after = metrics(s.metrics_port)
        for key, was in before.items():
            if key[0].endswith(("_total", "_count", "_bucket")):
                assert after[key] >= was, key
        rows = {r["role"]: r for r in answer(s, "status")["roles"]}
        assert rows["auth0"]["restarts"] == 1 and rows["store1"]["restarts"] == 1, rows
        assert answer(s, "status")["numbers"]["restarts"] == 5
        # and the administrator's own role is only one more
        os.kill(s.roles()["admin"][0], signal.SIGKILL)
        until(lambda: answer(s, "status")["numbers"]["restarts"] == 6)
        after_again = metrics(s.metrics_port)
        assert after_again["restante_logins_total", frozenset({("mechanism", "PASS"), ("result", "ok")})] >= 3
        until(lambda: len(answer(s, "sessions")["sessions"]) >= 0)


@tap.case("a front that does not answer is named, and the others' sessions are shown")
def _():
    with served(workers=2) as s:
        pops = [login(s), login(s, BEN, "hidden")]
        os.kill(s.roles()["front"][0], signal.SIGSTOP)
        try:
            a = json.loads(command(s, "sessions", "--json").stdout)
            assert a["ok"] is True and len(a["silent"]) == 1 and a["complete"] is False, a
            assert "does not answer" in command(s, "sessions").stderr
            assert answer(s, "status")["ok"] is True
        finally:
            os.kill(s.roles()["front"][0], signal.SIGCONT)
        assert len(answer(s, "sessions")["sessions"]) == 2
        del pops


tap.run()
