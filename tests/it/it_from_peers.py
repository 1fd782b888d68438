"""Our mail program on servers that others wrote: 500 awkward messages each, compared octet by octet
with the source and with what an independent client (poplib) reads there; kept, then deleted."""
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import corpus
import peers
import rs_serve
import tap

peers.need_root()
N = 500
RESTANTE = rs_serve.program("restante")


def restante(home, *args, text=None, status=0):
    done = subprocess.run([RESTANTE, *args], input=text, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=600, stdin=None if text else subprocess.DEVNULL,
                          env={**os.environ, "RESTANTE_HOME": home, "LC_ALL": "C.UTF-8"})
    assert done.returncode == status, (args, done.returncode, done.stdout)
    return done.stdout


def fetched(home):
    found = []
    for folder, _, files in os.walk(os.path.join(home, "mail")):
        if os.path.basename(folder) in ("new", "cur"):
            for name in files:
                with open(os.path.join(folder, name), "rb") as f:
                    found.append(f.read())
    return sorted(found)


def add(home, peer, leave):
    options = ["--ca-file", peer.ca_file] if peer.ca_file else []
    restante(home, "account", "add", "anna@example.org", "--name", leave, "--no-input", "--no-smtp",
             "--pop3", f"{peer.host}:{peer.port}", "--security", peer.security, "--user", peer.user,
             "--leave", leave, "--password-stdin", "--maildir", os.path.join(home, "mail", leave),
             *options, text=peer.password + "\n")


def walk(kind, messages, exact):
    """keep: all of them, once; again: none; delete: all of them, and the server is empty."""
    with kind(messages) as peer:
        independent = sorted(peer.retrieve())
        for leave in ("keep", "delete"):
            home = tempfile.mkdtemp(prefix="rs-home-")
            add(home, peer, leave)
            restante(home, "check")
            got = fetched(home)
            assert len(got) == len(messages), (leave, len(got))
            assert got == independent, "not what poplib reads there"
            if exact:
                assert got == sorted(m if m.endswith(b"\n") else m + b"\n" for m in messages)
            restante(home, "check")
            assert len(fetched(home)) == len(messages), "something came twice"
            shutil.rmtree(home)
        assert peer.retrieve() == [], "delete left something"


@tap.case("500 messages from Dovecot, over TLS")
def _():
    walk(peers.Dovecot, corpus.corpus(N, final_newline=False), True)


@tap.case("SCRAM-SHA-256 and SCRAM-SHA-1 with Dovecot, where PLAIN is not taken; a wrong password is refused")
def _():
    for mech in ("scram-sha-256", "scram-sha-1"):
        with peers.Dovecot(corpus.corpus(3), extra=f"auth_mechanisms = {mech}\n") as peer:
            home = tempfile.mkdtemp(prefix="rs-home-")
            add(home, peer, "keep")
            restante(home, "check")
            restante(home, "check")
            assert len(fetched(home)) == 3
            with open(os.path.join(home, "secrets/keep.password"), "w") as f:
                f.write("wrong")
            try:
                restante(home, "check")
            except (AssertionError, subprocess.CalledProcessError):
                pass
            else:
                raise AssertionError("a wrong password was taken")
            shutil.rmtree(home)


@tap.case("500 messages from Courier")
def _():
    walk(peers.Courier, corpus.corpus(N), True)


@tap.case("500 messages from popa3d")
def _():
    walk(peers.Popa3d, corpus.corpus(N), False)  # an mbox: "From " lines are quoted by whoever delivers


tap.run()
