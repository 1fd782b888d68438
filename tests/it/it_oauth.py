"""OAuth: tokens by their signature and by asking their issuer, over the real restanted.

The issuer is tests/tools/oauth_server.py.
"""
import base64
import hmac
import json
import os
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rs_serve
import tap
from oauth_server import OAuthServer, b64url, jwt_of
from pop3_line import Line

ANNA, BEN = "anna@example.org", "ben@example.org"
USERS = {ANNA: "secret", BEN: "hidden"}
REFUSED = "-ERR [AUTH] "


def b64(octets):
    return base64.b64encode(octets if isinstance(octets, bytes) else octets.encode()).decode()


def bearer(user, token):
    return f"n,{'a=' + user if user else ''},\x01auth=Bearer {token}\x01\x01"


def xoauth2(user, token):
    return f"user={user}\x01auth=Bearer {token}\x01\x01"


def login(server, token, user=ANNA, mech="OAUTHBEARER", two_steps=False):
    """The last reply; `json` of the challenge that came before a refusal, or None, is in login.json."""
    login.json = None
    line = Line(server)
    message = b64((bearer if mech == "OAUTHBEARER" else xoauth2)(user, token))
    if two_steps:
        assert line.say(f"AUTH {mech}") == "+ "
        got = line.say(message)
    else:
        got = line.say(f"AUTH {mech} {message}")
    if got.startswith("+ "):
        login.json = json.loads(base64.b64decode(got[2:]))
        got = line.say(b64("\x01") if mech == "OAUTHBEARER" else "")
    if got.startswith("+OK"):
        assert line.say("QUIT").startswith("+OK")
    line.s.close()
    return got


def serve(**auth):
    return rs_serve.Restanted(USERS, auth=auth, workers=1)


def jwks_file(folder, issuer):
    path = os.path.join(folder, "keys.json")
    with open(path + ".new", "w", encoding="ascii") as f:
        json.dump(issuer.jwks(), f)
    os.rename(path + ".new", path)
    return path


@tap.case("a signed token: RS256, PS256, ES256 and EdDSA; XOAUTH2 and OAUTHBEARER, inline and on the next line")
def _():
    with OAuthServer() as issuer:
        for alg in ("PS256", "ES256", "EdDSA"):
            issuer.rotate(alg, keep=True)
        with serve(**{"oauth-jwks": jwks_file(issuer.folder, issuer), "oauth-issuer": issuer.issuer}) as s:
            for key in issuer.keys:
                token = issuer.jwt({"email": ANNA}, key)
                for mech in ("XOAUTH2", "OAUTHBEARER"):
                    for two in (False, True):
                        assert login(s, token, ANNA, mech, two).startswith("+OK"), (key.alg, mech, two)
            assert login(s, issuer.jwt({"email": "Anna@Example.org"}), ANNA).startswith("+OK")
            assert login(s, issuer.jwt({"email": ANNA}), "").startswith("+OK"), "whose it is stands in the token"
            assert Line(s).mechs() == "PLAIN LOGIN XOAUTH2 OAUTHBEARER"
            plain = Line(s, plain=True)
            assert "OAUTH" not in plain.mechs() and plain.say("AUTH OAUTHBEARER").startswith("-ERR")
        assert not issuer.asked


@tap.case("a token that is forged, over, too early, of others or for others is refused, with the JSON of RFC 7628")
def _():
    with OAuthServer() as issuer, OAuthServer() as other:
        good, now = issuer.keys[0], int(time.time())
        issuer.rotate("ES256", keep=True)
        rsa, ec = issuer.keys
        options = {"oauth-jwks": jwks_file(issuer.folder, issuer), "oauth-issuer": issuer.issuer,
                   "oauth-audience": "mail", "oauth-scope": "pop",
                   "oauth-configuration": "https://login.example.org/.well-known/openid-configuration"}
        fine = {"email": ANNA, "aud": ["other", "mail"], "scope": "profile pop", "email_verified": True}
        with serve(**options) as s:
            def hs256(secret):
                return lambda text: hmac.digest(secret, text, "sha256")
            body = issuer.jwt(fine, rsa)
            head, payload, signature = body.split(".")
            rows = {
                "alg none": jwt_of(rsa, fine | {"iss": issuer.issuer, "exp": now + 60}, {"alg": "none"}, lambda t: b""),
                "alg none with kid": issuer.jwt(fine, rsa, {"alg": "none", "kid": rsa.kid}, lambda t: b"x"),
                "HMAC with the public key": issuer.jwt(fine, rsa, {"alg": "HS256", "kid": rsa.kid}, hs256(rsa.pem)),
                "HMAC with its DER": issuer.jwt(fine, rsa, {"alg": "HS256", "kid": rsa.kid}, hs256(rsa.public)),
                "ES256 said of an RSA key": issuer.jwt(fine, rsa, {"alg": "ES256", "kid": rsa.kid}),
                "RS256 said of an EC key": issuer.jwt(fine, ec, {"alg": "RS256", "kid": ec.kid}),
                "another's key": other.jwt(fine),
                "another's key under our name": other.jwt(fine, None, {"alg": "RS256", "kid": rsa.kid}),
                "no key named, another's": other.jwt(fine, None, {"alg": "RS256"}),
                "its own key in it": other.jwt(fine, None, {"alg": "RS256", "jwk": other.keys[0].jwk()}),
                "an extension that is critical": issuer.jwt(fine, rsa, {"alg": "RS256", "kid": rsa.kid, "crit": ["x"]}),
                "no signature": f"{head}.{payload}.",
                "half a signature": f"{head}.{payload}.{signature[:40]}",
                "another payload": f"{head}.{issuer.jwt(fine | {'email': BEN}, rsa).split('.')[1]}.{signature}",
                "over": issuer.jwt(fine | {"exp": now - 1}, rsa),
                "not yet": issuer.jwt(fine | {"nbf": now + 3600}, rsa),
                "made in the future": issuer.jwt(fine | {"iat": now + 3600}, rsa),
                "an end that is a text": issuer.jwt(fine | {"exp": "never"}, rsa),
                "another issuer": issuer.jwt(fine | {"iss": "https://evil.example"}, rsa),
                "for somebody else": issuer.jwt(fine | {"aud": "web"}, rsa),
                "for something else": issuer.jwt(fine | {"scope": "profile popx"}, rsa),
                "no user": issuer.jwt({k: v for k, v in fine.items() if k != "email"}, rsa),
                "a user that is a list": issuer.jwt(fine | {"email": [ANNA]}, rsa),
                "an address nobody has verified": issuer.jwt(fine | {"email_verified": False}, rsa),
                "another's": issuer.jwt(fine | {"email": BEN}, rsa),
                "a user that cannot be": issuer.jwt(fine | {"email": "../anna"}, rsa),
                "not a token": "opaque",
                "dots": "..", "three": "e30.e30.e30",
                "deep": b64url(b"[" * 3000) + ".e30.e30",
            }
            for what, token in rows.items():
                if token != "..":
                    got = login(s, token)
                    assert got.startswith(REFUSED), (what, got)
                    assert login.json["status"] == "invalid_token" and login.json["scope"] == "pop", what
                    assert login.json["openid-configuration"].startswith("https://login."), what
                    assert login(s, token, ANNA, "XOAUTH2").startswith(REFUSED) and login.json["status"] == "401", what
            assert login(s, issuer.jwt(fine, rsa)).startswith("+OK")
            assert login(s, issuer.jwt(fine, ec, {"alg": "ES256"})).startswith("+OK"), "no kid"
            log = s.log_text()
            assert "oauth-refused" in log and body not in log and "sandbox" not in log


@tap.case("anna's token opens anna's mailbox only, whatever was remembered")
def _():
    with OAuthServer() as issuer:
        with serve(**{"oauth-jwks": jwks_file(issuer.folder, issuer)}) as s:
            s.deliver(ANNA, [b"Subject: hers\n\nx\n"])
            token = issuer.jwt({"email": ANNA})
            for _ in range(2):
                for mech in ("XOAUTH2", "OAUTHBEARER"):
                    assert login(s, token, ANNA, mech).startswith("+OK")
                    assert login(s, token, BEN, mech).startswith(REFUSED)
                    assert login(s, token, "nobody@example.org", mech).startswith(REFUSED)
            line = Line(s)
            assert line.say("AUTH OAUTHBEARER " + b64(bearer("", token))).startswith("+OK")
            assert line.say("STAT").startswith("+OK 1 ")
            # a token of somebody who is no user here
            assert login(s, issuer.jwt({"email": "zoe@example.org"}), "").startswith(REFUSED)
            with open(s.path("users"), "a", encoding="ascii") as f:
                f.write("dora@example.org:{PLAIN}x::::::disabled\n")
            assert login(s, issuer.jwt({"email": "dora@example.org"}), "").startswith(REFUSED)


@tap.case("tokens of 16 KiB are taken, larger ones are not; the token ends what was remembered")
def _():
    with OAuthServer() as issuer:
        with serve(**{"oauth-jwks": jwks_file(issuer.folder, issuer)}) as s:
            small = len(issuer.jwt({"email": ANNA, "x": ""}))
            n = (16384 - small) * 3 // 4
            while len(token := issuer.jwt({"email": ANNA, "x": "x" * n})) > 16384:
                n -= 1
            assert 16380 <= len(token) <= 16384, len(token)
            for two in (False, True):
                for mech in ("XOAUTH2", "OAUTHBEARER"):
                    assert login(s, token, ANNA, mech, two).startswith("+OK"), (mech, two)
            assert not login(s, token + "A" * 8).startswith("+OK")
            short = issuer.jwt({"email": ANNA, "exp": int(time.time()) + 3})
            assert login(s, short).startswith("+OK")
            end = time.monotonic() + 60
            while login(s, short).startswith("+OK"):
                assert time.monotonic() < end, "a token that is over is still good"
                time.sleep(0.2)


@tap.case("keys from a URL: fetched, asked for again when a token has another key, old ones forgotten")
def _():
    with OAuthServer() as issuer:
        with serve(**{"oauth-jwks": issuer.jwks_url, "oauth-ca-file": issuer.ca_file, "oauth-cache": "0"}) as s:
            first = issuer.jwt({"email": ANNA})
            assert login(s, first).startswith("+OK")
            fetched = len(issuer.asked)
            assert login(s, first).startswith("+OK") and len(issuer.asked) == fetched
            issuer.rotate()
            second = issuer.jwt({"email": ANNA})
            end = time.monotonic() + 60
            while not login(s, second).startswith("+OK"): # keys are asked for every ten seconds at most
                assert time.monotonic() < end, s.log_text()
                time.sleep(0.5)
            assert login(s, first).startswith(REFUSED), "signed by a key that is gone"
            asked = len(issuer.asked)
            for _ in range(5): # unknown keys do not make us ask each time
                assert login(s, first).startswith(REFUSED)
            assert len(issuer.asked) <= asked + 1, issuer.asked
            log = s.log_text()
            assert "sandbox-violation" not in log and "oauth-keys " in log, log


@tap.case("keys in a file are read again when it is replaced; a bad one changes nothing")
def _():
    with OAuthServer() as issuer:
        path = jwks_file(issuer.folder, issuer)
        with serve(**{"oauth-jwks": path}) as s:
            first = issuer.jwt({"email": ANNA})
            assert login(s, first).startswith("+OK")
            issuer.rotate()
            second = issuer.jwt({"email": ANNA})
            assert login(s, second).startswith(REFUSED)
            with open(path, "w", encoding="ascii") as f:
                f.write("{}")
            assert login(s, issuer.jwt({"email": ANNA})).startswith(REFUSED) and "oauth-keys-bad" in s.log_text()
            jwks_file(issuer.folder, issuer)
            assert login(s, second).startswith("+OK")


@tap.case("introspection: the issuer's word, asked once a token and user; its failure is nobody's wrong password")
def _():
    with OAuthServer() as issuer:
        issuer.login = "restante:se:cret"
        secret = os.path.join(issuer.folder, "secret")
        with open(secret, "w", encoding="ascii") as f:
            f.write(issuer.login + "\n")
        now = int(time.time())
        issuer.tokens = {"anna": {"active": True, "username": ANNA, "exp": now + 600, "scope": "pop smtp"},
                         "over": {"active": True, "username": ANNA, "exp": now - 1, "scope": "pop"},
                         "scope": {"active": True, "username": ANNA, "scope": "smtp"},
                         "text": {"active": "true", "username": ANNA, "scope": "pop"},
                         "a.b.c": {"active": True, "username": ANNA, "scope": "pop"},
                         "a+/=": {"active": True, "username": ANNA, "scope": ["pop"]}}
        with serve(**{"oauth-introspection": issuer.introspection_url, "oauth-ca-file": issuer.ca_file,
                      "oauth-client-secret": secret, "oauth-user-claim": "username", "oauth-scope": "pop"}) as s:
            for _ in range(3):
                assert login(s, "anna").startswith("+OK")
            assert [f["token"] for _, f in issuer.asked] == ["anna"], issuer.asked
            assert issuer.asked[0][1]["token_type_hint"] == "access_token"
            assert login(s, "anna", BEN).startswith(REFUSED) and len(issuer.asked) == 2
            for token in ("over", "scope", "text", "unknown"):
                assert login(s, token).startswith(REFUSED), token
            assert login(s, "a.b.c").startswith("+OK") and login(s, "a+/=").startswith("+OK")
            issuer.broken = True
            assert login(s, "anna").startswith("+OK"), "it is remembered"
            assert login(s, "other").startswith("-ERR [SYS/TEMP]")
            issuer.broken = False
            issuer.login = "another:client"
            assert login(s, "more").startswith("-ERR [SYS/TEMP]") and "oauth-client-secret" in s.log_text()
            assert "sandbox-violation" not in s.log_text()


@tap.case("an issuer that is slow or gone keeps nobody else waiting")
def _():
    with OAuthServer(plain=True) as issuer:
        issuer.tokens["slow"] = {"active": True, "email": ANNA}
        with serve(**{"oauth-introspection": issuer.introspection_url}) as s:
            issuer.delay = 4
            done = []
            threads = [threading.Thread(target=lambda: done.append(login(s, "slow", BEN))) for _ in range(12)]
            for t in threads:
                t.start()
            end = time.monotonic() + 60
            while len(issuer.asked) < 4 and time.monotonic() < end:
                time.sleep(0.02)
            line = Line(s)
            assert line.say("AUTH PLAIN " + b64(f"\0{ANNA}\0secret")).startswith("+OK")
            assert len(done) < 12, "a password waited for the issuer"
            for t in threads:
                t.join()
            assert all(got.startswith(REFUSED) for got in done), done
        with serve(**{"oauth-introspection": "http://localhost:9/x"}) as s:
            assert login(s, "slow").startswith("-ERR [SYS/TEMP]")
        with serve(**{"oauth-jwks": "http://localhost:9/x"}) as s: # no keys yet: not the client's fault
            assert login(s, issuer.jwt({"email": ANNA})).startswith("-ERR [SYS/TEMP]")


@tap.case("a certificate of the issuer that does not verify is no answer")
def _():
    with OAuthServer() as issuer:
        issuer.tokens["anna"] = {"active": True, "email": ANNA}
        with serve(**{"oauth-introspection": issuer.introspection_url}) as s:
            assert login(s, "anna").startswith("-ERR [SYS/TEMP]") and not issuer.asked


@tap.case("check-config names what is wrong with OAuth")
def _():
    with OAuthServer() as issuer, serve() as s:
        with open(s.conf, encoding="utf-8") as f:
            good = f.read()
        junk = s.path("junk.json")
        with open(junk, "w", encoding="ascii") as f:
            f.write('{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}')
        rows = [("mechanisms = OAUTHBEARER", "need oauth-jwks"), ("oauth-jwks = /nowhere/keys", "nowhere"),
                (f"oauth-jwks = {junk}", "no key that can be used"), ("oauth-jwks = keys.json", "absolute path"),
                ("oauth-introspection = http://login.example.org/x", "in clear"),
                ("oauth-introspection = http://localhost@evil.example/x", "clear|not a URL"),
                ("oauth-introspection = ldap://x", "https"),
                (f"oauth-jwks = {jwks_file(issuer.folder, issuer)}\noauth-client-secret = {s.conf}", "CLIENT:SECRET")]
        for text, words in rows:
            with open(s.conf, "w", encoding="utf-8") as f:
                f.write(good.replace("[auth]\n", f"[auth]\n{text}\n"))
            done = subprocess.run([s.program, "check-config", "-c", s.conf], stderr=subprocess.PIPE, text=True)
            assert done.returncode == 78 and re.search(words, done.stderr), (text, done)


tap.run()
