"""TLS of the service: versions, names (SNI), protocols (ALPN), tickets that every front takes.

Against the real restanted (tests/tools/rs_serve.py), over loopback.
"""
import os
import re
import signal
import socket
import ssl
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import peers
import rs_serve
import tap

USERS = {"anna@example.org": "secret"}


def context(**options):
    c = ssl.create_default_context()
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    for name, value in options.items():
        setattr(c, name, value)
    return c


def connect(server, ctx, session=None, name="localhost", port=None):
    plain = socket.create_connection(("127.0.0.1", port or server.pop3s_port), 60)
    tls = ctx.wrap_socket(plain, server_hostname=name, session=session)
    f = tls.makefile("rwb", buffering=0)
    line = f.readline()
    assert line.startswith(b"+OK"), line # behind it the ticket of TLS 1.3 has come as well
    return tls, f


def visit(server, ctx, session=None, **options):
    """Connect, NOOP-like QUIT, close; returns (session for the next time, was it resumed)."""
    tls, f = connect(server, ctx, session, **options)
    reused, ticket = tls.session_reused, tls.session
    f.write(b"QUIT\r\n")
    f.readline()
    tls.close()
    return ticket, reused


def certificate(server, *names):
    """A self-signed certificate of its own for `names`, in a folder of its own; (crt, key, DER)."""
    folder = server.path("tls-" + names[0].replace("*", "any"))
    os.mkdir(folder)
    crt, key = os.path.join(folder, "crt.pem"), os.path.join(folder, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-keyout", key, "-out", crt, "-days", "2", "-subj", "/CN=x", "-addext",
                    "subjectAltName=" + ",".join("DNS:" + n for n in names)],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if server.ordinary:
        os.chown(key, 65534, 65534)
    with open(crt, encoding="ascii") as f:
        return crt, key, ssl.PEM_cert_to_DER_cert(f.read())


def section(server, *rows):
    with open(server.conf, "a", encoding="utf-8") as f:
        for names, (crt, key, _) in rows:
            f.write(f"[tls {names}]\ncertificate = {crt}\nkey = {key}\n")


def command(server, *args):
    return subprocess.run([server.program, args[0], "-c", server.conf, *args[1:]], text=True, timeout=120,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def leaf(server, name, ctx=None):
    tls, _ = connect(server, ctx or context(), name=name)
    der = tls.getpeercert(True)
    tls.close()
    return der


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@tap.case("TLS 1.2 and 1.3 are spoken, TLS 1.1 is not")
def _():
    with rs_serve.Restanted(USERS) as s:
        for version in VERSIONS:
            tls, _ = connect(s, context(minimum_version=version, maximum_version=version))
            assert tls.version() == {VERSIONS[0]: "TLSv1.2", VERSIONS[1]: "TLSv1.3"}[version]
            tls.close()
        old = context(minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)
        old.set_ciphers("ALL:@SECLEVEL=0")
        try:
            connect(s, old)
        except ssl.SSLError:
            return
        raise AssertionError("TLS 1.1 was spoken")


@tap.case("ALPN: pop3 is picked, others are refused, none is fine")
def _():
    with rs_serve.Restanted(USERS) as s:
        for offer, want in ((["imap", "pop3"], "pop3"), (["pop3"], "pop3"), (None, None)):
            c = context()
            if offer:
                c.set_alpn_protocols(offer)
            tls, _ = connect(s, c)
            assert tls.selected_alpn_protocol() == want, (offer, tls.selected_alpn_protocol())
            tls.close()
        c = context()
        c.set_alpn_protocols(["http/1.1"])
        try:
            connect(s, c)
        except ssl.SSLError as why:
            assert "NO_APPLICATION_PROTOCOL" in str(why).upper().replace(" ", "_"), why
            return
        raise AssertionError("a client of another protocol was taken")


def stopped(pids):
    """The fronts of these ids do not run: what connects goes to the others."""
    class Pause:
        def __enter__(self):
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)

        def __exit__(self, *_):
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
    return Pause()


@tap.case("a ticket is taken by every front, and after a reload")
def _():
    with rs_serve.Restanted(USERS, workers=3) as s:
        for version in VERSIONS:
            c = context(minimum_version=version, maximum_version=version)
            fronts = s.roles()["front"]
            with stopped(fronts[1:]):
                session, reused = visit(s, c)
                assert not reused and session is not None
            for one in fronts:
                with stopped([pid for pid in fronts if pid != one]):
                    session, reused = visit(s, c, session)
                    assert reused, (version, "front", fronts.index(one))
            done = command(s, "reload")
            assert done.returncode == 0, done
            fronts = [pid for pid in s.roles()["front"] if pid not in fronts]
            assert len(fronts) == 3
            for one in fronts:
                with stopped([pid for pid in fronts if pid != one]):
                    session, reused = visit(s, c, session)
                    assert reused, (version, "front after reload", fronts.index(one))
        text = s.log_text()
        assert " error" not in text, text


@tap.case("every name gets its certificate, an unknown one that of [tls]; wildcards stand for one label")
def _():
    s = rs_serve.Restanted(USERS)
    lay_out = s.lay_out

    def with_names():
        lay_out()
        s.certs = {"mail": certificate(s, "mail.example.net", "mx.example.net"),
                   "wild": certificate(s, "*.example.com")}
        section(s, ("mail.example.net, MX.example.net", s.certs["mail"]), ("*.example.com", s.certs["wild"]))
    s.lay_out = with_names
    with s:
        with open(s.crt, encoding="ascii") as f:
            default = ssl.PEM_cert_to_DER_cert(f.read())
        rows = {"mail.example.net": s.certs["mail"][2], "mx.example.net": s.certs["mail"][2],
                "MAIL.Example.NET": s.certs["mail"][2], "a.example.com": s.certs["wild"][2],
                "a.b.example.com": default, "example.com": default, "localhost": default,
                "other.example.org": default, None: default}
        for name, want in rows.items():
            for version in VERSIONS:
                c = context(minimum_version=version, maximum_version=version)
                assert leaf(s, name, c) == want, (name, version)
        # a session of a name is resumed under that name
        session, _ = visit(s, context(), name="a.example.com")
        assert visit(s, c := context(), visit(s, c, name="a.example.com")[0], name="a.example.com")[1]


@tap.case("reload takes new certificates, sessions under the old ones go on, nobody resumes under them")
def _():
    with rs_serve.Restanted(USERS) as s:
        before = leaf(s, "localhost")
        c = context()
        ticket, _ = visit(s, c)
        tls, f = connect(s, c)
        peers.make_certificate(s.folder) # over the old one
        assert leaf(s, "localhost") == before, "taken without a reload"
        assert command(s, "reload").returncode == 0
        assert leaf(s, "localhost") != before
        _, reused = visit(s, c, ticket)
        assert not reused, "a session of the certificate that is gone was resumed"
        f.write(b"NOOP\r\nUSER anna@example.org\r\n")
        assert f.readline().startswith(b"-ERR") and f.readline().startswith(b"+OK")
        f.write(b"PASS secret\r\n")
        assert f.readline().startswith(b"+OK")


@tap.case("check-config and reload name what is wrong with certificates")
def _():
    with rs_serve.Restanted(USERS) as s:
        other = certificate(s, "other.example.net")
        with open(s.conf, encoding="utf-8") as f:
            good = f.read()
        junk = s.path("junk.pem")
        with open(junk, "w", encoding="ascii") as f:
            f.write("nothing\n")
        crt, key, _ = other
        rows = [(f"[tls mail.example.net]\ncertificate = {crt}\nkey = {key}\n", r"\[tls mail\.example\.net\].*is not for"),
                (f"[tls other.example.net]\ncertificate = {crt}\nkey = {s.key}\n", r"\[tls other\.example\.net\] key"),
                (f"[tls other.example.net]\ncertificate = {junk}\nkey = {key}\n", r"not a PEM certificate"),
                (f"[tls other.example.net]\ncertificate = {crt}\nkey = {junk}\n", r"not a PEM private key"),
                (f"[tls other.example.net]\ncertificate = {crt}\nkey = {s.path('gone.pem')}\n", r"gone\.pem"),
                (f"[tls other.example.net]\ncertificate = {crt}\n", r"needs certificate and key"),
                (f"[tls *.*.net]\ncertificate = {crt}\nkey = {key}\n", r":\d+: .*not a list of host names"),
                ("[tls ]\n", r":\d+: .*(no name|not a list)"),
                (f"[tls other.example.net]\ncertificate = {crt}\nkey = {key}\n"
                 f"[tls x.example.net, other.example.net]\ncertificate = {crt}\nkey = {key}\n", r":\d+: .*already")]
        for text, words in rows:
            with open(s.conf, "w", encoding="utf-8") as f:
                f.write(good + text)
            checked = command(s, "check-config")
            assert checked.returncode == 78 and re.search(words, checked.stderr), (text, checked)
        for text, _ in rows[:3]:
            with open(s.conf, "w", encoding="utf-8") as f:
                f.write(good + text)
            done = command(s, "reload")
            assert done.returncode == 78, done
        visit(s, context()) # goes on as it was
        with open(s.conf, "w", encoding="utf-8") as f:
            f.write(good + f"[tls other.example.net]\ncertificate = {crt}\nkey = {key}\n")
        assert command(s, "check-config").returncode == 0
        assert command(s, "reload").returncode == 0
        assert leaf(s, "other.example.net") == other[2]


tap.run()
