"""The provider's data for mail programs: what the autoconfig listener serves is read as the programs read it,
and leads to a login; what strangers send it ends in an answer; `user card` says the same to a person.
"""
import hashlib
import base64
import http.client
import json
import os
import plistlib
import poplib
import socket
import ssl
import subprocess
import sys
import time
import xml.etree.ElementTree as ET

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import peers
import rs_serve
import tap

ANNA = "anna@example.org"
USERS = {ANNA: "secret"}
POX = "{http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a}"


class Server(rs_serve.Restanted):
    """With autoconfig by HTTP and HTTPS."""

    def __init__(self, users=None, autoconfig=None, **more):
        self.http_port, self.https_port = peers.free_port(), peers.free_port()
        listen = {"autoconfig": f"127.0.0.1:{self.http_port}",
                  "autoconfigs": f"127.0.0.1:{self.https_port}"}
        super().__init__(users or USERS, listen=listen, autoconfig={
            "name": "Example & Söhne", "short-name": "Example",
            "submissions": "smtp.example.org:465", **(autoconfig or {})}, **more)

    def link(self, tls=False):
        if not tls:
            return http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=60)
        context = ssl.create_default_context(cafile=self.ca_file)
        return http.client.HTTPSConnection("localhost", self.https_port, timeout=60, context=context)

    def ask(self, method, path, body=None, tls=False):
        link = self.link(tls)
        link.request(method, path, body)
        answer = link.getresponse()
        data = answer.read()
        link.close()
        return answer, data

    def raw(self, octets, half=False):
        with socket.create_connection(("127.0.0.1", self.http_port), 60) as s:
            s.sendall(octets)
            if half:
                s.shutdown(socket.SHUT_WR)
            got = b""
            try:
                while chunk := s.recv(65536):
                    got += chunk
            except ConnectionResetError:
                pass
            return got

    def command(self, *words):
        return subprocess.run([self.program, *words, "-c", self.conf], capture_output=True,
                              text=True, check=False)


@tap.case("config-v1.1.xml by HTTP and HTTPS, read by Thunderbird's rules, leads to a login")
def _():
    with Server() as s:
        for path in ("/mail/config-v1.1.xml", "/.well-known/autoconfig/mail/config-v1.1.xml"):
            for tls in (False, True):
                answer, data = s.ask("GET", path + "?emailaddress=anna%40example.org", tls=tls)
                assert answer.status == 200, (answer.status, data)
                assert answer.getheader("Content-Type").startswith("text/xml"), answer.headers
                root = ET.fromstring(data)
                assert root.tag == "clientConfig" and root.get("version") == "1.1"
        provider = root.find("emailProvider")
        assert [d.text for d in provider.findall("domain")] == ["example.org"], data
        assert provider.findtext("displayName") == "Example & Söhne", data
        assert provider.findtext("displayShortName") == "Example"
        incoming = provider.findall("incomingServer")
        assert [i.get("type") for i in incoming] == ["pop3", "pop3"], data
        for server in incoming + provider.findall("outgoingServer"):
            assert server.findtext("socketType") in ("SSL", "STARTTLS", "plain")
            assert server.findtext("authentication") in ("password-cleartext", "password-encrypted")
            assert server.findtext("username") == "%EMAILADDRESS%"
            assert 0 < int(server.findtext("port")) < 65536
        assert provider.find("outgoingServer").get("type") == "smtp"
        assert provider.find("outgoingServer").findtext("hostname") == "smtp.example.org"
        first = incoming[0]
        assert first.findtext("socketType") == "SSL" and incoming[1].findtext("socketType") == "STARTTLS"
        context = ssl.create_default_context(cafile=s.ca_file)
        pop = poplib.POP3_SSL(first.findtext("hostname"), int(first.findtext("port")), context=context)
        pop.user(first.findtext("username").replace("%EMAILADDRESS%", ANNA))
        assert pop.pass_("secret").startswith(b"+OK")
        pop.quit()
        pop = poplib.POP3(incoming[1].findtext("hostname"), int(incoming[1].findtext("port")))
        pop.stls(context)
        pop.user(ANNA)
        assert pop.pass_("secret").startswith(b"+OK")
        pop.quit()


@tap.case("Outlook's POX autodiscover: settings for an address, error 600 without one")
def _():
    request = ("<?xml version='1.0'?><Autodiscover xmlns='http://schemas.microsoft.com/exchange/autodiscover/"
               "outlook/requestschema/2006'><Request><EMailAddress>%s</EMailAddress><AcceptableResponseSchema>"
               "x</AcceptableResponseSchema></Request></Autodiscover>")
    with Server() as s:
        for path in ("/autodiscover/autodiscover.xml", "/Autodiscover/Autodiscover.xml"):
            answer, data = s.ask("POST", path, request % ANNA)
            assert answer.status == 200, data
            account = ET.fromstring(data).find(f"{POX}Response/{POX}Account")
            assert account.findtext(POX + "Action") == "settings", data
            types = {p.findtext(POX + "Type"): p for p in account.findall(POX + "Protocol")}
            assert set(types) == {"POP3", "SMTP"}, data
            assert types["SMTP"].findtext(POX + "UsePOPAuth") == "on"
            for p in types.values():
                assert p.findtext(POX + "SSL") == "on" and p.findtext(POX + "LoginName") == ANNA
        answer, data = s.ask("POST", path, "<x/>")
        assert b"<ErrorCode>600</ErrorCode>" in data, data
        assert s.ask("GET", path)[0].status == 405


@tap.case("Apple's profile is a property list with both servers; the same again for the same address")
def _():
    with Server() as s:
        answer, data = s.ask("GET", "/email.mobileconfig?email=anna@example.org")
        assert answer.status == 200 and answer.getheader("Content-Type") == "application/x-apple-aspen-config"
        profile = plistlib.loads(data)
        mail = profile["PayloadContent"][0]
        assert profile["PayloadType"] == "Configuration" and mail["PayloadType"] == "com.apple.mail.managed"
        assert mail["EmailAccountType"] == "EmailTypePOP" and mail["EmailAddress"] == ANNA
        assert mail["IncomingMailServerHostName"] == "localhost"
        assert mail["IncomingMailServerPortNumber"] == s.pop3s_port and mail["IncomingMailServerUseSSL"] is True
        assert mail["OutgoingMailServerPortNumber"] == 465
        assert mail["IncomingMailServerUsername"] == mail["OutgoingMailServerUsername"] == ANNA
        assert s.ask("GET", "/email.mobileconfig?email=anna@example.org")[1] == data
        assert s.ask("GET", "/email.mobileconfig?email=bert@example.org")[1] != data


@tap.case("PACC: the JSON, and the digest that check-config prints is the one of what is served")
def _():
    with Server(autoconfig={"pop3s": "pop.example.org:995", "documentation": "https://example.org/help"}) as s:
        answer, data = s.ask("GET", "/.well-known/user-agent-configuration.json", tls=True)
        assert answer.status == 200 and answer.getheader("Content-Type") == "application/json"
        said = json.loads(data)
        assert said["protocols"] == {"pop3": {"host": "pop.example.org"}, "smtp": {"host": "smtp.example.org"}}
        assert said["authentication"]["password"] is True
        assert said["info"]["provider"]["name"] == "Example & Söhne"
        assert said["info"]["help"]["documentation"] == "https://example.org/help"
        done = s.command("check-config")
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        assert done.returncode == 0 and f'"v=UAAC1; a=sha256; d={digest}"' in done.stdout, done
        for line in ("_pop3s._tcp.DOMAIN. SRV 0 1 995 pop.example.org.", "_submissions._tcp.DOMAIN. SRV 0 1 465 smtp.example.org.",
                     f"_pop3._tcp.DOMAIN. SRV 10 1 {s.pop3_port} localhost."):
            assert line in done.stdout.splitlines(), (line, done.stdout)


@tap.case("it does not say who lives here; other domains get 404")
def _():
    with Server(autoconfig={"domains": "example.org"}) as s:
        there = s.ask("GET", "/mail/config-v1.1.xml?emailaddress=anna@example.org")
        nobody = s.ask("GET", "/mail/config-v1.1.xml?emailaddress=nobody@example.org")
        assert there[1] == nobody[1] and there[0].status == nobody[0].status == 200
        a = s.ask("GET", "/email.mobileconfig?email=anna@example.org")
        b = s.ask("GET", "/email.mobileconfig?email=zoey@example.org")
        assert a[0].status == b[0].status == 200 and len(a[1]) == len(b[1])
        assert s.ask("GET", "/mail/config-v1.1.xml?emailaddress=a@example.com")[0].status == 404
        assert "anna" not in s.log_text().replace("anna@example.org:", ""), "addresses in the log"


@tap.case("hostile requests are answered or ended, and the next one is served")
def _():
    with Server() as s:
        assert s.raw(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n").startswith(b"HTTP/1.1 400")
        assert s.raw(b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n").startswith(b"HTTP/1.1 400")
        assert s.raw(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").startswith(b"HTTP/1.1 501")
        assert s.raw(b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n").startswith(b"HTTP/1.1 413")
        assert s.raw(b"GET /" + b"x" * 20000)[:12] in (b"", b"HTTP/1.1 400")
        assert s.raw(b"GET / HTTP/1.1\r\n", half=True) == b""
        # one octet at a time, and a second request behind the first is not answered
        with socket.create_connection(("127.0.0.1", s.http_port), 60) as c:
            for octet in b"GET /mail/config-v1.1.xml HTTP/1.1\r\n\r\n":
                c.sendall(bytes([octet]))
            got = c.makefile("rb").read()
        assert got.count(b"HTTP/1.1 ") == 1 and got.startswith(b"HTTP/1.1 200"), got[:80]
        assert s.ask("HEAD", "/mail/config-v1.1.xml")[1] == b""
        assert s.ask("GET", "/mail/config-v1.1.xml")[0].status == 200


@tap.case("who sends a request octet by octet, or nothing at all, is ended in time; others are served meanwhile")
def _():
    with Server(limits={"pre-login-timeout": "2"}) as s:
        quiet = socket.create_connection(("127.0.0.1", s.http_port), 60)
        shaking = socket.create_connection(("127.0.0.1", s.https_port), 60)
        slow = socket.create_connection(("127.0.0.1", s.http_port), 60)
        began = time.monotonic()
        try:
            while time.monotonic() < began + 40:
                slow.sendall(b"G")
                assert s.ask("GET", "/mail/config-v1.1.xml")[0].status == 200
                time.sleep(0.3)
            raise AssertionError("a slow one is never ended")
        except (BrokenPipeError, ConnectionResetError):
            pass
        for c in (quiet, shaking):
            assert c.recv(1) == b""
            c.close()
        slow.close()


@tap.case("user card says the same to a person, and what holds for the mailbox")
def _():
    with Server(store={"junk": "show", "view": "newest:500", "quota": "1G", "expire": "30"}) as s:
        done = s.command("user", "card", ANNA)
        assert done.returncode == 0, done
        for text in ("Example & Söhne", ANNA, "localhost", str(s.pop3s_port), "smtp.example.org", "465",
                     "TLS from the start", "1.0 GiB", "newest 500", "30 days", "X-Restante-Folder", "QUIT"):
            assert text in done.stdout.replace("\xa0", " "), (text, done.stdout)
        done = s.command("user", "card", "nobody@example.org")
        assert done.returncode == 67 and "nobody@example.org" in done.stderr, done


tap.run()
