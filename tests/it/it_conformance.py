"""The conformance suite (tests/script/README.md, "Against a live server") with our service, with servers that others
wrote, and with one that breaks the rules, so that it is known to notice."""
import glob
import os
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import peers
import rs_serve
import tap

ANNA = "anna@example.org"
SCRIPTS = os.path.join(rs_serve.TOP, "tests", "script")
RUN = os.path.join(rs_serve.BUILD, "tests", "script", "run_script")
LIVE = sorted(glob.glob(os.path.join(SCRIPTS, "live_*.pop3t")), key=lambda f: "update" in f)  # that one last


def messages():
    found = []
    for i in (1, 2, 3):
        with open(os.path.join(SCRIPTS, "live", f"{i}.eml"), "rb") as f:
            found.append(f.read())
    return found


def play(port, user, password, files=LIVE, tls=False):
    """{transcript: None, or what was wrong}."""
    wrong = {}
    for file in files:
        for _ in range(50):  # the session before may hold the maildrop a moment longer
            done = subprocess.run([RUN, "--connect", f"localhost:{port}", "--user", user, "--password", password,
                                   "--timeout", "20", *(["--tls"] if tls else []), file], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if "IN-USE" not in done.stdout:
                break
            time.sleep(0.2)
        name = os.path.basename(file)[5:-6]
        wrong[name] = None if done.returncode == 0 else done.stdout.split("\n", 2)[2].strip()
    return wrong


def without(*names):
    return [f for f in LIVE if os.path.basename(f)[5:-6] not in names]


@tap.case("our service keeps to all of it, in the clear, with STLS and over TLS")
def _():
    with rs_serve.Restanted({ANNA: "secret"}, auth={"cleartext": "loopback"}) as s:
        s.deliver(ANNA, messages())
        wrong = play(s.pop3s_port, ANNA, "secret", without("stls", "update"), tls=True)
        assert not any(wrong.values()), wrong
        wrong = play(s.pop3_port, ANNA, "secret")
        assert len(wrong) == len(LIVE) and not any(wrong.values()), wrong


@tap.case("Dovecot keeps to all of it over TLS")
def _():
    with peers.Dovecot(messages()) as old:
        wrong = play(old.port, old.user, old.password, without("stls"), tls=True)
        assert not any(wrong.values()), wrong


@tap.case("Courier and Cyrus: what they do not keep to is told, the rest passes")
def _():
    for kind in (peers.Courier, peers.Cyrus):
        with kind(messages()) as old:
            wrong = play(old.port, old.user, old.password, without("stls"))
            for name, why in wrong.items():
                if why:
                    print(f"# {kind.__name__}: {name}: {why.splitlines()[0]}")
            passed = {name for name, why in wrong.items() if not why}
            assert {"authorization", "capa", "retr", "update"} <= passed, (kind.__name__, wrong)


def forgetful(port):
    """A server that forgets the transparency of dots: ours behind a relay that takes the doubled ones away."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()

    def up(client, server):
        while data := client.recv(65536):
            server.sendall(data)
        server.shutdown(socket.SHUT_RDWR)

    def down(client, server):
        for line in server.makefile("rb"):
            client.sendall(line[1:] if line.startswith(b"..") else line)
        client.close()

    def serve():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", port))
            threading.Thread(target=down, args=(client, server), daemon=True).start()
            try:
                up(client, server)
            except OSError:
                pass

    threading.Thread(target=serve, daemon=True).start()
    return listener


@tap.case("a server that forgets to double dots is found out, and only where it matters")
def _():
    with rs_serve.Restanted({ANNA: "secret"}, auth={"cleartext": "loopback"}) as s:
        s.deliver(ANNA, messages())
        relay = forgetful(s.pop3_port)
        wrong = play(relay.getsockname()[1], ANNA, "secret", without("stls", "update"))
        relay.close()
        assert {name for name, why in wrong.items() if why} == {"retr", "top"}, wrong
        assert "expected '..dot" in wrong["retr"], wrong["retr"]


tap.run()
