"""Ways to prove who one is: SCRAM with and without channel binding, certificates of users.

Against the real restanted (tests/tools/rs_serve.py), over loopback. SCRAM is spoken by Python's own
hashes, and (tls-exporter) by tests/it/pop3_login.c.
"""
import base64
import hashlib
import hmac
import os
import re
import secrets
import socket
import ssl
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import peers
import pop3_line
import rs_serve
import tap

ANNA, BEN, CARA, DORA = (n + "@example.org" for n in ("anna", "ben", "cara", "dora"))
ALL = ("SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN")
LOGIN = os.path.join(os.environ.get("RS_BUILD", "build/test"), "tests", "it", "pop3_login")


def b64(octets):
    return base64.b64encode(octets).decode()


def verifier(password, hash_name="sha256", iterations=4096, salt=b"sixteen octets!!"):
    salted = hashlib.pbkdf2_hmac(hash_name, password.encode(), salt, iterations)
    client = hmac.digest(salted, b"Client Key", hash_name)
    stored = hashlib.new(hash_name, client).digest()
    server = hmac.digest(salted, b"Server Key", hash_name)
    return f"{iterations},{b64(salt)},{b64(stored)},{b64(server)}"


class Line(pop3_line.Line):
    def scram(self, mech, user, password, flag="n", binding=b"", authzid="", cut=False):
        """The last reply; checks the server's signature on a success."""
        hash_name = "sha256" if "256" in mech else "sha1"
        header = f"{flag},{authzid},"
        bare = f"n={user},r={secrets.token_hex(12)}"
        got = self.say(f"AUTH {mech} " + b64((header + bare).encode()))
        if not got.startswith("+ "):
            return got
        first = base64.b64decode(got[2:]).decode()
        nonce, salt, count = re.fullmatch(r"r=(\S+),s=([^,]+),i=(\d+)", first).groups()
        salted = hashlib.pbkdf2_hmac(hash_name, password.encode(), base64.b64decode(salt), int(count))
        key = hmac.digest(salted, b"Client Key", hash_name)
        final = f"c={b64(header.encode() + binding)},r={nonce}"
        signed = f"{bare},{first},{final}".encode()
        mine = hmac.digest(hashlib.new(hash_name, key).digest(), signed, hash_name)
        proof = bytes(a ^ b for a, b in zip(key, mine))
        got = self.say(b64(f"{final},p={b64(proof)}".encode()))
        if not got.startswith("+ "):
            return got
        theirs = hmac.digest(hmac.digest(salted, b"Server Key", hash_name), signed, hash_name)
        assert base64.b64decode(got[2:]).decode() == "v=" + b64(theirs), "the server's proof is wrong"
        return self.say(b64(b"x") if cut else "")

    def end_point(self):
        return hashlib.sha256(self.s.getpeercert(True)).digest()


class Server(rs_serve.Restanted):
    """With a user file of our own."""
    lines = []

    def lay_out(self):
        super().lay_out()
        with open(self.path("users"), "w", encoding="ascii") as f:
            f.write("".join(l + "\n" for l in self.lines))


def serve(lines, **sections):
    s = Server({}, **sections)
    s.lines = lines
    return s


def scram_users():
    crypt = subprocess.run(["openssl", "passwd", "-6", "secret"], stdout=subprocess.PIPE, text=True,
                           check=True).stdout.strip()
    return [f"{ANNA}:{{SCRAM-SHA-256}}{verifier('secret')}::::::",
            f"{BEN}:{{PLAIN}}secret::::::",
            f"{CARA}:{{CRYPT}}{crypt}::::::",
            f"{DORA}:{{SCRAM-SHA-256}}{verifier('secret')}::::::pop3=no",
            f"emil@example.org:{{SCRAM-SHA-1}}{verifier('secret', 'sha1', 5000)}::::::"]


@tap.case("mechanisms are announced where they can be used, and nowhere else")
def _():
    with serve(scram_users(), auth={"mechanisms": ALL, "cleartext": "loopback"}) as s:
        assert Line(s).mechs() == ALL
        assert Line(s, plain=True).mechs() == "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN"
        line = Line(s, plain=True)
        assert line.say("AUTH SCRAM-SHA-256-PLUS").startswith("-ERR")
        assert line.say("AUTH EXTERNAL").startswith("-ERR")
    with serve(scram_users()) as s:
        assert Line(s).mechs() == "PLAIN LOGIN"
        assert Line(s, plain=True).mechs() == ""
        assert Line(s).say("AUTH SCRAM-SHA-256").startswith("-ERR")


@tap.case("SCRAM: verifiers and plain passwords let in, everything else gets the same words")
def _():
    with serve(scram_users(), auth={"mechanisms": ALL}) as s:
        s.deliver(ANNA, [b"Subject: x\n\nx\n"])
        line = Line(s)
        assert line.scram("SCRAM-SHA-256", ANNA, "secret").startswith("+OK")
        assert line.say("STAT").startswith("+OK 1 ") and line.say("QUIT").startswith("+OK")
        for mech, user in (("SCRAM-SHA-256", BEN), ("SCRAM-SHA-1", BEN), ("SCRAM-SHA-1", "emil@example.org"),
                           ("SCRAM-SHA-256", "Ben@Example.ORG")):
            assert Line(s).scram(mech, user, "secret").startswith("+OK"), (mech, user)
        assert Line(s).scram("SCRAM-SHA-256", BEN, "secret", authzid=f"a={BEN}").startswith("+OK")
        # passwords as they are still work with the verifier
        assert Line(s).say("AUTH PLAIN " + b64(f"\0{ANNA}\0secret".encode())).startswith("+OK")
        words = set()
        for mech, user, password in (("SCRAM-SHA-256", ANNA, "wrong"), ("SCRAM-SHA-256", "nobody@example.org", "x"),
                                     ("SCRAM-SHA-1", ANNA, "secret"),      # has none of that hash
                                     ("SCRAM-SHA-256", CARA, "secret"),    # crypt(3) cannot
                                     ("SCRAM-SHA-256", DORA, "secret"),    # may not
                                     ("SCRAM-SHA-256", "../etc", "secret")):
            line = Line(s)
            words.add(line.scram(mech, user, password))
            assert line.scram("SCRAM-SHA-256", BEN, "secret").startswith("+OK"), "the session goes on"
        assert words == {next(iter(words))} and next(iter(words)).startswith("-ERR [AUTH] "), words
        assert Line(s).scram("SCRAM-SHA-256", BEN, "secret", authzid=f"a={ANNA}").startswith("-ERR [AUTH]")
        assert Line(s).scram("SCRAM-SHA-256", BEN, "secret", cut=True).startswith("-ERR [AUTH]")
        # what nobody is told of whom there is: the same salt each time, as for a real user
        def salt(user):
            got = Line(s).say("AUTH SCRAM-SHA-256 " + b64(f"n,,n={user},r=abc".encode()))
            return re.sub(rb"r=[^,]+,", b"", base64.b64decode(got[2:]))
        assert salt("nobody@example.org") == salt("nobody@example.org") != salt("nobody2@example.org")
        assert salt(ANNA) == salt(ANNA)


@tap.case("SCRAM with channel binding: tls-server-end-point and tls-exporter, TLS 1.2 and 1.3")
def _():
    with serve(scram_users(), auth={"mechanisms": ALL}) as s:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.create_default_context(cafile=s.ca_file)
            context.minimum_version = context.maximum_version = version
            line = Line(s, context=context)
            flag = "p=tls-server-end-point"
            assert line.scram("SCRAM-SHA-256-PLUS", ANNA, "secret", flag, b"x" * 32).startswith("-ERR [AUTH]")
            assert line.scram("SCRAM-SHA-256-PLUS", ANNA, "secret", flag).startswith("-ERR [AUTH]")
            assert line.scram("SCRAM-SHA-256-PLUS", ANNA, "secret").startswith("-ERR [AUTH]"), "no p="
            assert line.scram("SCRAM-SHA-256-PLUS", ANNA, "secret", "p=tls-unique", b"x" * 12).startswith("-ERR")
            # it says that it saw no -PLUS: somebody has taken it out
            assert line.scram("SCRAM-SHA-256", ANNA, "secret", "y").startswith("-ERR [AUTH]")
            assert line.scram("SCRAM-SHA-1-PLUS", BEN, "secret", flag, line.end_point()).startswith("+OK")

        def login(mech, how, version, password="secret"):
            return subprocess.run([LOGIN, str(s.pop3s_port), mech, ANNA, password, how, version],
                                  stdout=subprocess.PIPE, text=True, timeout=120)
        for how, version, good in (("exporter", "1.3", True), ("end-point", "1.3", True), ("end-point", "1.2", True),
                                   ("wrong", "1.3", False), ("exporter", "1.2", False)):
            done = login("SCRAM-SHA-256-PLUS", how, version)
            assert (done.returncode == 0) == good, (how, version, done)
        assert login("SCRAM-SHA-256", "none", "1.3").returncode == 0
        assert login("SCRAM-SHA-256-PLUS", "exporter", "1.3", "wrong").returncode == 1
    with serve(scram_users(), auth={"mechanisms": "SCRAM-SHA-256"}) as s: # nothing was taken out here
        assert Line(s).scram("SCRAM-SHA-256", ANNA, "secret", "y").startswith("+OK")


class Submission(Line):
    """The same exchanges over SMTP: its replies told as POP3 would."""

    def __init__(self, server, context):
        self.s = context.wrap_socket(socket.create_connection(("127.0.0.1", server.smtps_port), 60),
                                     server_hostname="localhost")
        self.f = self.s.makefile("rwb", buffering=0)
        assert self.f.readline().startswith(b"220 ")
        self.f.write(b"EHLO pc\r\n")
        self.offered = ""
        while not (line := self.f.readline()).startswith(b"250 "):
            if line.startswith(b"250-AUTH "):
                self.offered = line[9:].decode().strip()

    def say(self, text):
        got = super().say(text)
        return {"334": "+ " + got[4:], "235": "+OK", "535": "-ERR [AUTH] "}.get(got[:3], got)


@tap.case("submission: the same mechanisms, bound to its own TLS channel; certificates too")
def _():
    s = serve(scram_users())
    s.smtps_port = peers.free_port()
    lay_out = s.lay_out

    def more():
        lay_out()
        s.ca = Authority(s.folder)
        with open(s.conf, encoding="utf-8") as f:
            text = f.read()
        text = text.replace("[listen]\n", f"[listen]\nsubmissions = 127.0.0.1:{s.smtps_port}\n")
        text = text.replace("[auth]\n", f"[auth]\nmechanisms = {ALL} EXTERNAL\n")
        with open(s.conf, "w", encoding="utf-8") as f:
            f.write(text.replace("[tls]\n", f"[tls]\nclient-ca = {s.ca.crt}\n"))
    s.lay_out = more
    with s:
        line = Submission(s, shown(s))
        assert line.offered == ALL, line.offered
        flag = "p=tls-server-end-point"
        assert line.scram("SCRAM-SHA-256-PLUS", ANNA, "secret", flag, b"x" * 32).startswith("-ERR [AUTH]")
        assert line.scram("SCRAM-SHA-256-PLUS", ANNA, "wrong", flag, line.end_point()).startswith("-ERR [AUTH]")
        assert line.scram("SCRAM-SHA-256-PLUS", ANNA, "secret", flag, line.end_point()).startswith("+OK")
        assert line.say(f"MAIL FROM:<{ANNA}>").startswith("250")
        line = Submission(s, shown(s, s.ca.user("x", BEN)))
        assert line.offered == ALL + " EXTERNAL"
        assert line.say("AUTH EXTERNAL " + b64(ANNA.encode())).startswith("-ERR [AUTH]")
        assert line.say("AUTH EXTERNAL =").startswith("+OK")


# --- certificates of users ---------------------------------------------------------------------------


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Authority:
    def __init__(self, folder, name="users"):
        self.folder, self.name, self.n = folder, name, 0
        self.crt, self.key = self.path("ca.pem"), self.path("ca.key")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                self.key, "-out", self.crt, "-days", "2", "-subj", "/CN=" + name)
        with open(self.path("index"), "w"), open(self.path("ca.cnf"), "w") as f:
            f.write(f"[ca]\ndefault_ca=x\n[x]\ndatabase={self.path('index')}\ndefault_md=sha256\n"
                    "default_crl_days=2\n")

    def path(self, name):
        return os.path.join(self.folder, f"{self.name}-{name}")

    def user(self, cn, *emails, days=2):
        """(certificate, key) with these addresses in subjectAltName."""
        self.n += 1
        crt, key, csr, ext = (self.path(f"{self.n}.{e}") for e in ("crt", "key", "csr", "ext"))
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", csr,
                "-subj", f"/CN={cn}")
        with open(ext, "w", encoding="ascii") as f:
            f.write("basicConstraints=CA:FALSE\n")
            if emails:
                f.write("subjectAltName=" + ",".join("email:" + e for e in emails) + "\n")
        openssl("x509", "-req", "-in", csr, "-CA", self.crt, "-CAkey", self.key, "-days", str(days), "-extfile", ext,
                "-out", crt, "-set_serial", str(self.n + 1000))
        return crt, key

    def revoke(self, crt):
        """PEM of a list with this certificate on it."""
        common = ["-config", self.path("ca.cnf"), "-cert", self.crt, "-keyfile", self.key]
        openssl("ca", *common, "-revoke", crt)
        openssl("ca", *common, "-gencrl", "-out", self.path("crl"))
        with open(self.path("crl"), encoding="ascii") as f:
            return f.read()


def shown(server, pair=None):
    """A context that shows this certificate."""
    context = ssl.create_default_context(cafile=server.ca_file)
    if pair:
        context.load_cert_chain(*pair)
    return context


def serve_external(client_name=None, mechs=None):
    s = serve([f"{n}:{{PLAIN}}secret::::::" for n in (ANNA, BEN)] + [f"{DORA}:{{PLAIN}}secret::::::disabled"])
    lay_out = s.lay_out

    def with_ca():
        lay_out()
        s.ca = Authority(s.folder)
        with open(s.conf, encoding="utf-8") as f:
            text = f.read()
        text = text.replace("[tls]\n", f"[tls]\nclient-ca = {s.ca.crt}\n" +
                            (f"client-name = {client_name}\n" if client_name else ""))
        if mechs:
            text = text.replace("[auth]\n", f"[auth]\nmechanisms = {mechs}\n")
        with open(s.conf, "w", encoding="utf-8") as f:
            f.write(text)
    s.lay_out = with_ca
    return s


def external(server, pair, name=""):
    line = Line(server, context=shown(server, pair))
    return line.say("AUTH EXTERNAL " + (b64(name.encode()) or "="))


@tap.case("EXTERNAL: a certificate logs its owner in, and nobody else")
def _():
    with serve_external() as s:
        anna = s.ca.user("whoever", ANNA, "anna@other.example")
        assert Line(s, context=shown(s, anna)).mechs() == "PLAIN LOGIN EXTERNAL"
        assert Line(s).mechs() == "PLAIN LOGIN"
        assert Line(s).say("AUTH EXTERNAL =").startswith("-ERR")
        assert external(s, anna).startswith("+OK")
        assert external(s, anna, ANNA).startswith("+OK")
        assert external(s, anna, "ANNA@example.org").startswith("+OK")
        line = Line(s, context=shown(s, anna)) # without an initial response
        assert line.say("AUTH EXTERNAL") == "+ " and line.say("").startswith("+OK")
        for name in (BEN, "anna@other.example", "anna+x@example.org", "..", "nobody@example.org"):
            assert external(s, anna, name).startswith("-ERR [AUTH]"), name
        assert external(s, s.ca.user(ANNA, "nobody@example.org")).startswith("-ERR [AUTH]")
        assert external(s, s.ca.user("x", DORA)).startswith("-ERR [AUTH]"), "disabled"
        line = Line(s, context=shown(s, s.ca.user(ANNA))) # no address in it
        assert line.mechs() == "PLAIN LOGIN"
        # whose certificate does not verify may still give a password
        line = Line(s, context=shown(s, Authority(s.folder, "others").user("x", ANNA)))
        assert line.mechs() == "PLAIN LOGIN" and line.say("AUTH EXTERNAL =").startswith("-ERR")
        assert line.say("AUTH PLAIN " + b64(f"\0{ANNA}\0secret".encode())).startswith("+OK")
        log = s.log_text()
        assert " error" not in log, log


@tap.case("EXTERNAL: also in a session that is resumed, and by the common name where that is configured")
def _():
    with serve_external(client_name="cn", mechs="EXTERNAL PLAIN") as s:
        pair = s.ca.user(ANNA, BEN)
        context = shown(s, pair)
        line = Line(s, context=context)
        assert line.mechs() == "EXTERNAL PLAIN"
        session = line.s.session
        plain = socket.create_connection(("127.0.0.1", s.pop3s_port), 60)
        again = context.wrap_socket(plain, server_hostname="localhost", session=session)
        f = again.makefile("rwb", buffering=0)
        f.readline()
        assert again.session_reused
        f.write(b"AUTH EXTERNAL " + base64.b64encode(ANNA.encode()) + b"\r\n")
        assert f.readline().startswith(b"+OK")
        assert external(s, pair, BEN).startswith("-ERR [AUTH]"), "the address counts for nothing here"


@tap.case("EXTERNAL: a certificate that was revoked is none, after a reload, also in a session to be resumed")
def _():
    with serve_external() as s:
        bad, good = s.ca.user("x", ANNA), s.ca.user("y", BEN)
        context = shown(s, bad)
        line = Line(s, context=context)
        assert "EXTERNAL" in line.mechs()
        session = line.s.session
        with open(s.ca.crt, "a", encoding="ascii") as f:
            f.write(s.ca.revoke(bad[0]))
        done = subprocess.run([s.program, "reload", "-c", s.conf], timeout=120, stderr=subprocess.PIPE)
        assert done.returncode == 0, done
        assert "EXTERNAL" not in Line(s, context=shown(s, bad)).mechs()
        assert external(s, good).startswith("+OK")
        plain = socket.create_connection(("127.0.0.1", s.pop3s_port), 60)
        again = context.wrap_socket(plain, server_hostname="localhost", session=session)
        assert not again.session_reused


@tap.case("check-config: mechanisms that cannot work are refused, with the reason")
def _():
    with serve([f"{ANNA}:{{PLAIN}}secret::::::"]) as s:
        with open(s.conf, encoding="utf-8") as f:
            good = f.read()
        for value, words in (("EXTERNAL", "client-ca"), ("DIGEST-MD5", "may hold"), ("PLAIN plain", "may hold")):
            with open(s.conf, "w", encoding="utf-8") as f:
                f.write(good.replace("[auth]\n", f"[auth]\nmechanisms = {value}\n"))
            done = subprocess.run([s.program, "check-config", "-c", s.conf], stderr=subprocess.PIPE, text=True)
            assert done.returncode == 78 and words in done.stderr, done


tap.run()
