"""Our server to mail programs that others wrote: curl, mpop, fetchmail, getmail6 and Python's poplib
each fetch a mailbox of 200 awkward messages; and Postfix delivers to our LMTP."""
import os
import poplib
import re
import smtplib
import ssl
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import corpus
import peers
import rs_serve
import tap

peers.need_root()
peers.unpack("curl", "mpop", "fetchmail", "getmail6", "postfix")
ANNA = "anna@example.org"
MESSAGES = corpus.corpus(200)
poplib._MAXLINE = 1 << 20


def run(package, *command, **kwargs):
    done = subprocess.run([peers.NS, package, "-", *command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=300, **kwargs)
    return done.returncode, done.stdout


def canon(octets):
    """For comparing across programs: LF ends, one end of the last line, no header of a delivering program."""
    octets = octets.replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n"
    return re.sub(rb"\A(?:(?:Return-Path|Delivered-To|Received|X-getmail-retrieved-from-mailbox)"
                  rb":[^\n]*\n(?:[ \t][^\n]*\n)*)+", b"", octets)


def maildir(path):
    found = []
    for sub in ("new", "cur"):
        for name in os.listdir(os.path.join(path, sub)):
            with open(os.path.join(path, sub, name), "rb") as f:
                found.append(canon(f.read()))
    return sorted(found)


WANT = sorted(canon(m) for m in MESSAGES)


def make_maildir(server, name):
    path = server.path(name)
    for sub in ("", "new", "cur", "tmp"):
        os.makedirs(os.path.join(path, sub), exist_ok=True)
    return path


def with_mail(function):
    with rs_serve.Restanted({ANNA: "secret"}, release=True, auth={"cleartext": "loopback"}) as s:
        s.deliver(ANNA, MESSAGES)
        function(s)


@tap.case("poplib, over TLS")
def _():
    def fetch(s):
        context = ssl.create_default_context(cafile=s.ca_file)
        pop = poplib.POP3_SSL("localhost", s.pop3s_port, context=context, timeout=60)
        pop.user(ANNA)
        pop.pass_("secret")
        got = [canon(b"\n".join(pop.retr(i + 1)[1])) for i in range(pop.stat()[0])]
        pop.quit()
        assert sorted(got) == WANT
    with_mail(fetch)


@tap.case("curl, over TLS and with STLS")
def _():
    def fetch(s):
        for i in (1, 7, 100, 200):
            status, plain = run("curl", "curl", "-s", "--cacert", s.ca_file, "-u", ANNA + ":secret",
                                f"pop3s://localhost:{s.pop3s_port}/{i}")
            assert status == 0 and canon(plain) == canon(MESSAGES[i - 1]), (i, status, plain[:300])
            status, stls = run("curl", "curl", "-s", "--ssl-reqd", "--cacert", s.ca_file, "-u",
                               ANNA + ":secret", f"pop3://localhost:{s.pop3_port}/{i}")
            assert status == 0 and canon(stls) == canon(plain), (i, status, stls[:300])
        status, listing = run("curl", "curl", "-s", "--cacert", s.ca_file, "-u", ANNA + ":secret",
                              f"pop3s://localhost:{s.pop3s_port}/")
        assert status == 0 and listing.count(b"\n") == 200, (status, listing[:200])
    with_mail(fetch)


@tap.case("mpop: pipelined, into a Maildir, deleting")
def _():
    def fetch(s):
        box = make_maildir(s, "mpop")
        conf = s.path("mpoprc")
        with open(conf, "w") as f:
            f.write(f"account x\nhost localhost\nport {s.pop3s_port}\ntls on\ntls_starttls off\n"
                    f"tls_trust_file {s.ca_file}\nuser {ANNA}\npassword secret\nauth plain\n"
                    f"delivery maildir {box}\nuidls_file {s.path('uidls')}\nkeep off\n")
        os.chmod(conf, 0o600)
        status, out = run("mpop", "mpop", "-C", conf, "x")
        assert status == 0, out
        assert maildir(box) == WANT
        pop = poplib.POP3("127.0.0.1", s.pop3_port, timeout=60)
        pop.user(ANNA)
        pop.pass_("secret")
        assert pop.stat()[0] == 0
        pop.quit()
    with_mail(fetch)


@tap.case("fetchmail: through an MDA, keeping")
def _():
    def fetch(s):
        out_dir = s.path("fetchmail")
        os.mkdir(out_dir)
        mda = s.path("mda.sh")
        with open(mda, "w") as f:
            f.write(f"#!/bin/sh\nexec cat > $(mktemp {out_dir}/XXXXXXXX)\n")
        os.chmod(mda, 0o755)
        conf = s.path("fetchmailrc")
        with open(conf, "w") as f:
            f.write(f"poll localhost service {s.pop3s_port} protocol pop3 uidl\n"
                    f" user \"{ANNA}\" password \"secret\" ssl sslcertck sslcertfile {s.ca_file}\n"
                    f" keep mda \"{mda}\"\n")
        os.chmod(conf, 0o600)
        status, out = run("fetchmail", "fetchmail", "-f", conf, "-i", s.path("ids"), "--nosyslog",
                          "--pidfile", s.path("pid"), env={**os.environ, "HOME": s.folder})
        assert status == 0, out[-2000:]
        got = []
        for name in os.listdir(out_dir):
            with open(os.path.join(out_dir, name), "rb") as f:
                got.append(canon(f.read()))
        # fetchmail puts a Received line of its own in front, and rewrites some headers: compare bodies
        body = [m.partition(b"\n\n")[2] for m in got]
        assert sorted(body) == sorted(m.partition(b"\n\n")[2] for m in WANT), len(got)
    with_mail(fetch)


@tap.case("getmail6: into a Maildir, keeping")
def _():
    some = MESSAGES[:40]

    def once(s, attempt):
        state = s.path(f"getmail{attempt}")
        os.mkdir(state)
        box = make_maildir(s, f"getmail{attempt}/box")
        peers.mail_owner(box)  # it refuses to deliver as root
        conf = os.path.join(state, "getmailrc")
        with open(conf, "w") as f:
            f.write(f"[retriever]\ntype = SimplePOP3SSLRetriever\nserver = localhost\n"
                    f"port = {s.pop3s_port}\nusername = {ANNA}\npassword = secret\n"
                    f"ca_certs = {s.ca_file}\n[destination]\ntype = Maildir\npath = {box}/\nuser = nobody\n"
                    "[options]\nread_all = false\ndelivered_to = false\nreceived = false\n")
        _, out = run("getmail6", "/usr/bin/python3", "/usr/bin/getmail", "--getmaildir", state,
                     "--rcfile", conf)
        return maildir(box), out

    with rs_serve.Restanted({ANNA: "secret"}, release=True) as s:
        s.deliver(ANNA, some)
        for attempt in range(6):
            got, out = once(s, attempt)
            # on a busy machine its wait for its own child fails now and then: that is its affair
            if b"timed out" not in out:
                break
        assert len(got) == len(some), (len(got), out[-1500:])
        # it rewrites long header lines: compare bodies
        assert sorted(m.partition(b"\n\n")[2] for m in got) == \
            sorted(canon(m).partition(b"\n\n")[2] for m in some)


@tap.case("Postfix delivers to our LMTP; an unknown recipient comes back to it")
def _():
    with rs_serve.Restanted({ANNA: "secret"}, auth={"cleartext": "loopback"}) as s:
        os.chmod(s.path("run"), 0o755)
        with peers.Postfix("unix:" + s.lmtp) as mx:
            with smtplib.SMTP("127.0.0.1", mx.port, local_hostname="sender.example.com",
                              timeout=60) as smtp:
                for octets in MESSAGES[:50]:
                    smtp.sendmail("a@example.com", [ANNA], octets.replace(b"\n", b"\r\n"),
                                  mail_options=["BODY=8BITMIME"])
            end = time.monotonic() + 120
            box = os.path.join(s.mailbox(ANNA), "new")
            while time.monotonic() < end and (not os.path.isdir(box) or len(os.listdir(box)) < 50):
                time.sleep(0.2)
            got = [m.partition(b"\n\n")[2] for m in maildir(s.mailbox(ANNA))]
            # Postfix breaks lines over 998 octets, as RFC 5322 wants: compare the others
            want = [canon(m).partition(b"\n\n")[2] for m in MESSAGES[:50]]
            short = [m for m in want if max(map(len, m.split(b"\n"))) <= 990]
            with open(mx.log, errors="replace") as f:
                log = f.read()
            assert len(got) == 50, (len(got), log[-2000:])
            assert all(m in got for m in short), len(short)
            assert log.count("status=sent (250 2.0.0") == 50, log[-2000:]


tap.run()
