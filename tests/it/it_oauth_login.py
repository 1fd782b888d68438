"""OAuth 2 of the mail program, end to end: an issuer of ours (metadata, registration, authorization, tokens, codes for other
devices), the real restanted that asks it about tokens, and restante; the browser is played."""
import base64
import hashlib
import http.client
import http.server
import json
import os
import re
import secrets
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import peers
import rs_serve
import tap
from fake_pop3 import FakePop3

RESTANTE = rs_serve.program("restante")
ANNA = "anna@example.org"


class Issuer:
    """Knows one person, Anna, who agrees to everything unless `deny`."""

    def __init__(self, lasts=3600, rotate=True, register=True, device=True, token_pad=0, path=""):
        self.lasts, self.rotate, self.register, self.device = lasts, rotate, register, device
        self.token_pad, self.path = token_pad, path
        self.clients, self.codes, self.refresh, self.access, self.devices = {}, {}, {}, {}, {}
        self.asked, self.deny, self.pending, self.lie, self.spent = [], False, 1, None, set()

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="rs-issuer-")
        os.chmod(self.folder, 0o755)
        self.ca_file, key = peers.make_certificate(self.folder)
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def reply(self, status, what=None, location=None):
                body = json.dumps(what).encode() if what is not None else b""
                self.send_response(status)
                if location:
                    self.send_header("Location", location)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                path, _, query = self.path.partition("?")
                owner.asked.append((path, dict(urllib.parse.parse_qsl(query))))
                self.reply(*owner.get(path, owner.asked[-1][1]))

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                is_json = self.headers["Content-Type"] == "application/json"
                form = json.loads(body) if is_json else dict(urllib.parse.parse_qsl(body))
                owner.asked.append((self.path, form))
                self.reply(*owner.post(self.path, form))

        self.httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.httpd.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca_file, key)
        self.httpd.socket = context.wrap_socket(self.httpd.socket, server_side=True)
        self.base = f"https://localhost:{self.httpd.server_port}"
        self.url = self.base + self.path
        threading.Thread(target=self.httpd.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.httpd.shutdown()
        self.httpd.server_close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def get(self, path, query):
        if path == "/.well-known/oauth-authorization-server" + self.path:
            out = {"issuer": self.lie or self.url, "authorization_endpoint": self.base + "/authorize",
                   "token_endpoint": self.base + "/token", "scopes_supported": ["pop", "profile", "offline_access"]}
            if self.register:
                out["registration_endpoint"] = self.base + "/register"
            if self.device:
                out["device_authorization_endpoint"] = self.base + "/device"
            return 200, out
        if path == "/authorize":
            client = self.clients[query["client_id"]]
            assert query["redirect_uri"] in client["redirect_uris"], (query, client)
            assert query["response_type"] == "code" and query["code_challenge_method"] == "S256", query
            assert query["scope"] == "pop offline_access" and query["login_hint"] == ANNA, query
            back = {"state": query["state"]}
            if self.deny:
                back["error"] = "access_denied"
            else:
                back["code"] = secrets.token_urlsafe(8)
                self.codes[back["code"]] = query
            return 302, None, query["redirect_uri"] + "?" + urllib.parse.urlencode(back)
        return 404, {}

    def grant(self, client):
        access, refresh = secrets.token_urlsafe(24) + "x" * self.token_pad, secrets.token_urlsafe(24)
        self.access[access] = {"active": True, "username": ANNA, "scope": "pop"}
        self.refresh[refresh] = client
        return 200, {"access_token": access, "token_type": "Bearer", "expires_in": self.lasts, "refresh_token": refresh}

    def token(self, form):
        kind = form["grant_type"]
        if kind == "authorization_code":
            query = self.codes.pop(form["code"], None)
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            if not query or base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != query["code_challenge"] or \
                    form["redirect_uri"] != query["redirect_uri"] or form["client_id"] != query["client_id"]:
                return 400, {"error": "invalid_grant"}
            return self.grant(form["client_id"])
        if kind == "refresh_token":
            token = form["refresh_token"]
            if token in self.spent:  # used twice: a thief is about, all is over
                self.refresh.clear()
            if self.refresh.get(token) != form["client_id"]:
                return 400, {"error": "invalid_grant"}
            if not self.rotate:
                status, out = self.grant(form["client_id"])
                del self.refresh[out.pop("refresh_token")]
                return status, out
            del self.refresh[token]
            self.spent.add(token)
            return self.grant(form["client_id"])
        if kind == "urn:ietf:params:oauth:grant-type:device_code":
            if self.deny:
                return 400, {"error": "access_denied"}
            self.pending -= 1
            if self.pending >= 0:
                return 400, {"error": "authorization_pending"}
            return self.grant(form["client_id"])
        return 400, {"error": "unsupported_grant_type"}

    def post(self, path, form):
        if path == "/register":
            assert form["token_endpoint_auth_method"] == "none" and form["application_type"] == "native", form
            client = secrets.token_hex(4)
            self.clients[client] = form
            return 201, {"client_id": client, **form}
        if path == "/token":
            return self.token(form)
        if path == "/device":
            return 200, {"device_code": "d" * 20, "user_code": "WDJB-MJHT", "verification_uri": self.base + "/activate",
                         "verification_uri_complete": self.base + "/activate?c=WDJB-MJHT", "expires_in": 300, "interval": 1}
        if path == "/introspect":
            return 200, self.access.get(form["token"], {"active": False})
        return 404, {}


class Home:
    def __init__(self, issuer, server, **options):
        self.issuer = issuer
        self.folder = tempfile.mkdtemp(prefix="rs-oauth-home-")
        self.ca_file = os.path.join(self.folder, "ca.pem")
        self.config_file = os.path.join(self.folder, "r/config.ini")
        self.env = {"PATH": os.environ["PATH"], "HOME": self.folder, "RESTANTE_HOME": os.path.join(self.folder, "r"),
                    "LC_ALL": "C.UTF-8", "ASAN_OPTIONS": "detect_leaks=1"}
        with open(self.ca_file, "wb") as out:
            for path in (issuer.ca_file, server.ca_file):
                with open(path, "rb") as f:
                    out.write(f.read())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def config(self, port, **more):
        os.makedirs(os.path.dirname(self.config_file), exist_ok=True)
        keys = {"address": ANNA, "pop3": f"localhost:{port}", "security": "tls", "oauth2": self.issuer.url,
                "ca-file": self.ca_file} | {k.replace("_", "-"): v for k, v in more.items()}
        with open(self.config_file, "w") as f:
            f.write("[account a]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items() if v))

    def run(self, *args, status=0):
        done = subprocess.run([RESTANTE, *args], env=self.env, text=True, timeout=120, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == status, (args, done.returncode, done.stdout, done.stderr)
        assert "Sanitizer" not in done.stderr, done.stderr
        return done.stdout + done.stderr

    def log_in(self, *args, status=0, before=None, visit=None):
        """Start it, play the browser, wait for its end."""
        p = subprocess.Popen([RESTANTE, *args], env=self.env, text=True, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said = ""
        for line in p.stdout:
            said += line
            if line.startswith(self.issuer.base + "/authorize?"):
                if before:
                    before(line.strip())
                (visit or self.visit)(line.strip())
        assert p.wait(60) == status, (p.returncode, said)
        assert "Sanitizer" not in said, said
        return said

    def visit(self, url):
        """Go where a browser would go."""
        context = ssl.create_default_context(cafile=self.issuer.ca_file)
        with urllib.request.urlopen(url, context=context, timeout=60) as page:
            assert page.status == 200 and b"can be closed" in page.read()

    def secret(self, account="a"):
        path = os.path.join(self.folder, "r/secrets", account + ".oauth")
        assert os.stat(path).st_mode & 0o77 == 0
        with open(path) as f:
            return json.load(f)

    def change_secret(self, **values):
        path = os.path.join(self.folder, "r/secrets/a.oauth")
        out = self.secret() | values
        with open(path, "w") as f:
            json.dump(out, f)


def serve(issuer, **auth):
    return rs_serve.Restanted({ANNA: "secret"}, workers=1, auth={
        "oauth-introspection": issuer.url.removesuffix(issuer.path) + "/introspect", "oauth-ca-file": issuer.ca_file,
        "oauth-user-claim": "username", "oauth-cache": "0", **auth})


def check(home, status=0):
    out = home.run("check", "--json", status=status)
    return json.loads(out.splitlines()[0]), out


@tap.case("browser: registered, logged in with PKCE and state, mail fetched; wrong answers at the door end nothing")
def _():
    with Issuer(path="/tenant") as issuer, serve(issuer) as s, Home(issuer, s) as home:
        s.deliver(ANNA, [b"Subject: x\n\nHello\n"])
        home.config(s.pop3s_port)
        got, said = check(home, 77)
        assert "log in again: restante account login a" in got["error"]["text"], said

        def strangers(url):
            query = dict(urllib.parse.parse_qsl(url.partition("?")[2]))
            for path in ("?code=evil&state=guess", "?code=evil", "favicon.ico", "?error=x&state="):
                try:
                    urllib.request.urlopen(query["redirect_uri"] + path, timeout=60)
                    raise AssertionError("a stranger was let in")
                except urllib.error.HTTPError as e:
                    assert e.code == 404, e.code

        said = home.log_in("account", "login", "a", before=strangers)
        assert f"Logged in at {issuer.url}" in said, said
        got, _ = check(home)
        assert got["new"] == 1, got
        secret = home.secret()
        assert secret["access_token"] in issuer.access and secret["issuer"] == issuer.url
        with open(home.config_file) as f:
            assert secret["refresh_token"] not in f.read()
        home.run("account", "remove", "a")
        assert not os.path.exists(os.path.join(home.folder, "r/secrets/a.oauth"))


@tap.case("account add --oauth2: browser, a try at both servers, saved; refused: nothing is left")
def _():
    with Issuer() as issuer:
        port = peers.free_port()
        with rs_serve.Restanted({ANNA: "secret"}, workers=1, listen={"submission": f"127.0.0.1:{port}"}, auth={
                "oauth-introspection": issuer.base + "/introspect", "oauth-ca-file": issuer.ca_file,
                "oauth-user-claim": "username"}) as s, Home(issuer, s) as home:
            s.deliver(ANNA, [b"Subject: x\n\nHello\n"])
            add = ("account", "add", ANNA, "--name", "a", "--pop3", f"localhost:{s.pop3s_port}", "--smtp",
                   f"localhost:{port}", "--smtp-security", "starttls", "--ca-file", home.ca_file, "--no-input",
                   f"--oauth2={issuer.url}")
            issuer.deny = True
            home.log_in(*add, status=77)
            issuer.deny = False
            assert not os.path.exists(home.config_file)
            said = home.log_in(*add)
            assert "Account a is added" in said, said
            with open(home.config_file) as f:
                assert f"oauth2 = {issuer.url}" in f.read()
            got, _ = check(home)
            assert got["new"] == 1, got
            assert "not both" in home.run(*add[:3], "--oauth2", "--password-stdin", status=64)
            # sending, too
            done = subprocess.run([RESTANTE, "send", "-f", ANNA, ANNA], env=home.env, text=True, timeout=120,
                                  input="Subject: to me\n\nx\n", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            assert done.returncode == 0, done.stdout
            got, _ = check(home)
            assert got["new"] == 1, got
            home.run("account", "remove", "a")
            issuer.access.clear()
            # the login goes well, the server knows nothing of it: nothing stays behind
            s.stop()
            home.log_in(*add, status=69)
            assert not os.path.exists(os.path.join(home.folder, "r/secrets/a.oauth"))


@tap.case("tokens are renewed before they end; the refresh token that is replaced is replaced here; another login survives")
def _():
    for rotate in (True, False):
        with Issuer(rotate=rotate, lasts=60) as issuer, serve(issuer) as s, Home(issuer, s) as home:
            home.config(s.pop3s_port)
            home.log_in("account", "login", "a")
            seen = {home.secret()["access_token"]}
            for _ in range(3):  # each ends in less than two minutes: each session begins with a new one
                check(home)
                seen.add(home.secret()["access_token"])
            assert len(seen) == 4, len(seen)
            # two programs at once: a refresh token must not be used twice
            both = [subprocess.Popen([RESTANTE, "check", "-q"], env=home.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                    for _ in range(2)]
            for p in both:
                p.communicate(timeout=120)
            check(home)


@tap.case("a token that the server will not take is renewed once; revoked: clear words with the cure")
def _():
    with Issuer() as issuer, serve(issuer) as s, Home(issuer, s) as home:
        home.config(s.pop3s_port)
        home.log_in("account", "login", "a")
        before = home.secret()["access_token"]
        issuer.access.clear()  # the server's side has forgotten it
        got, _ = check(home)
        assert not got["error"] and home.secret()["access_token"] != before
        issuer.access.clear()
        issuer.refresh.clear()
        got, _ = check(home, 77)
        assert got["error"]["code"] == "auth" or "login" in got["error"]["text"], got
        assert "restante account login a" in got["error"]["text"], got
        home.change_secret(expires=1)
        got, _ = check(home, 77)
        assert "revoked or has ended" in got["error"]["text"] and "restante account login a" in got["error"]["text"], got
        home.log_in("account", "login", "a")
        got, _ = check(home)
        assert not got["error"]


@tap.case("device flow: the code is shown, asking goes on until it was typed; refused there")
def _():
    with Issuer() as issuer, serve(issuer) as s, Home(issuer, s) as home:
        home.config(s.pop3s_port)
        said = home.run("account", "login", "a", "--device")
        assert "WDJB-MJHT" in said and issuer.base + "/activate" in said, said
        assert sum(p == "/token" for p, _ in issuer.asked) == 2
        got, _ = check(home)
        assert not got["error"]
        issuer.deny = True
        assert "refused there" in home.run("account", "login", "a", "--device", status=77)
    with Issuer(device=False) as issuer, serve(issuer) as s, Home(issuer, s) as home:
        home.config(s.pop3s_port)
        assert "no codes for other devices" in home.run("account", "login", "a", "--device", status=78)


@tap.case("no: refused in the browser, an issuer that lies, has no client id to give, is not known, is not to be trusted")
def _():
    with Issuer() as issuer, serve(issuer) as s, Home(issuer, s) as home:
        home.config(s.pop3s_port)
        issuer.deny = True
        said = home.log_in("account", "login", "a", status=77)
        assert "refused in the browser (access_denied)" in said, said
        issuer.lie = "https://login.example.org"
        assert "is not about it" in home.run("account", "login", "a", status=76)
        home.config(s.pop3s_port, ca_file=s.ca_file)
        assert "certificate" in home.run("account", "login", "a", status=77)
        home.config(s.pop3s_port, oauth2="http://login.example.org")
        assert "neither google" in home.run("account", "login", "a", status=78)
        home.config(s.pop3s_port, oauth2="google")
        said = home.run("account", "login", "a", status=78)
        assert "wants a client id, and none is built in" in said, said
        home.config(s.pop3_port, security="none")
        assert "oauth2 needs TLS" in home.run("account", "login", "a", status=78)
        home.config(s.pop3s_port, oauth2=issuer.base + "/elsewhere")
        assert "does not say how to log in" in home.run("account", "login", "a", status=78)
    with Issuer(register=False) as issuer, serve(issuer) as s, Home(issuer, s) as home:
        home.config(s.pop3s_port)
        assert "none is built in" in home.run("account", "login", "a", status=78)
        issuer.clients["mine"] = {"redirect_uris": type("Any", (), {"__contains__": lambda *_: True})()}
        home.config(s.pop3s_port, oauth2_client_id="mine")
        home.log_in("account", "login", "a")
        got, _ = check(home)
        assert not got["error"]


@tap.case("tokens of 8 KiB, OAUTHBEARER and XOAUTH2, in one step and in two")
def _():
    for mechanisms in ("XOAUTH2", "OAUTHBEARER", "PLAIN XOAUTH2"):
        for pad in (0, 8000):
            with Issuer(token_pad=pad) as issuer, serve(issuer, mechanisms=mechanisms) as s, Home(issuer, s) as home:
                s.deliver(ANNA, [b"Subject: x\n\nHello\n"])
                home.config(s.pop3s_port)
                home.log_in("account", "login", "a")
                got, said = check(home)
                assert got["new"] == 1, (mechanisms, pad, said)


tap.run()
