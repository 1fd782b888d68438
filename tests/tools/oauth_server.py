"""A throw-away authorization server: keys (JWKS), introspection (RFC 7662), tokens to try.

    with OAuthServer() as issuer:
        issuer.jwks_url, issuer.introspection_url, issuer.ca_file
        token = issuer.jwt({"email": "anna@example.org"})       # signed RS256 by the key of now
        issuer.rotate()                                         # another key, the old one is gone
        issuer.tokens["opaque"] = {"active": True, "username": …}
        issuer.asked                                            # [(path, form), …]

HTTPS with a certificate of its own unless `plain`. Signs with the openssl program. Python 3 standard
library only.
"""
import base64
import http.server
import json
import os
import shutil
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.parse

import peers


def b64url(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def openssl(*args, data=None):
    return subprocess.run(["openssl", *args], input=data, check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout


def der_pair(der):
    """r and s of an ECDSA signature: SEQUENCE of two short INTEGERs."""
    def integer(at):
        n = der[at + 1]
        return int.from_bytes(der[at + 2:at + 2 + n], "big"), at + 2 + n
    r, at = integer(2)
    s, _ = integer(at)
    return r, s


class Key:
    """alg: RS256, PS256, ES256 or EdDSA."""
    made = 0

    def __init__(self, folder, alg="RS256"):
        Key.made += 1
        self.alg, self.kid = alg, f"key-{Key.made}"
        self.path = os.path.join(folder, self.kid + ".pem")
        args = {"R": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
                "P": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
                "E": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]}[alg[0]]
        if alg == "EdDSA":
            args = ["-algorithm", "ED25519"]
        openssl("genpkey", *args, "-out", self.path)
        self.public = openssl("pkey", "-in", self.path, "-pubout", "-outform", "DER")
        self.pem = openssl("pkey", "-in", self.path, "-pubout")

    def jwk(self):
        out = {"kid": self.kid, "use": "sig"}
        if self.alg[0] in "RP":
            text = openssl("rsa", "-in", self.path, "-noout", "-modulus").decode()
            modulus = bytes.fromhex(text.strip().split("=")[1])
            return out | {"kty": "RSA", "n": b64url(modulus), "e": "AQAB"}
        if self.alg == "EdDSA":
            return out | {"kty": "OKP", "crv": "Ed25519", "x": b64url(self.public[-32:])}
        return out | {"kty": "EC", "crv": "P-256", "x": b64url(self.public[-64:-32]), "y": b64url(self.public[-32:])}

    def sign(self, octets):
        if self.alg == "EdDSA":
            path = self.path + ".in"
            with open(path, "wb") as f:
                f.write(octets)
            return openssl("pkeyutl", "-sign", "-inkey", self.path, "-rawin", "-in", path)
        pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"] if self.alg[0] == "P" else []
        out = openssl("dgst", "-sha256", "-sign", self.path, *pss, data=octets)
        if self.alg == "ES256":
            r, s = der_pair(out)
            out = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return out


def jwt_of(key, claims, header=None, sign=None):
    head = {"alg": key.alg, "kid": key.kid, "typ": "at+jwt"} if header is None else header
    text = b64url(json.dumps(head).encode()) + "." + b64url(json.dumps(claims).encode())
    return text + "." + b64url((sign or key.sign)(text.encode()))


class OAuthServer:
    issuer = "https://login.example.org"

    def __init__(self, plain=False):
        self.plain = plain
        self.tokens, self.asked, self.delay, self.broken = {}, [], 0, False
        self.login = None  # "client:secret" wanted for introspection

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="rs-oauth-")
        os.chmod(self.folder, 0o755)
        self.keys = [Key(self.folder)]
        self.ca_file, key = peers.make_certificate(self.folder)
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def reply(self, status, what):
                body = json.dumps(what).encode() if status == 200 and not owner.broken else b"no"
                self.send_response(503 if owner.broken else status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                owner.asked.append((self.path, {}))
                self.reply(200, owner.jwks())

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = dict(urllib.parse.parse_qsl(body))
                owner.asked.append((self.path, form))
                time.sleep(owner.delay)
                want = owner.login and "Basic " + base64.b64encode(owner.login.encode()).decode()
                if want and self.headers["Authorization"] != want:
                    self.reply(401, {})
                else:
                    self.reply(200, owner.tokens.get(form.get("token"), {"active": False}))

        self.httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.httpd.daemon_threads = True
        if not self.plain:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.ca_file, key)
            self.httpd.socket = context.wrap_socket(self.httpd.socket, server_side=True)
        scheme = "http" if self.plain else "https"
        base = f"{scheme}://localhost:{self.httpd.server_port}"
        self.jwks_url, self.introspection_url = base + "/keys", base + "/introspect"
        threading.Thread(target=self.httpd.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.httpd.shutdown()
        self.httpd.server_close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def jwks(self):
        return {"keys": [k.jwk() for k in self.keys]}

    def rotate(self, alg="RS256", keep=False):
        self.keys = (self.keys if keep else []) + [Key(self.folder, alg)]

    def jwt(self, claims, key=None, header=None, sign=None):
        now = int(time.time())
        return jwt_of(key or self.keys[-1], {"iss": self.issuer, "iat": now, "exp": now + 600} | claims, header, sign)
