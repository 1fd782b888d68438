"""Setting up an account of restante: found by the address at a provider of our own, told by a file of names in place
of the DNS (src/client/names.h); tried, mended, changed, removed.
"""
import base64
import hashlib
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import peers
import rs_serve
import tap
from it_cli import CONFIG, DONE, NOTHING, PASSWORD, REFUSED, USAGE, Home, at_terminal, message, one_sentence

tap._cases.clear()  # those of it_cli
ANNA = "anna@example.org"
NAMES = ["localhost", "example.org", "autoconfig.example.org", "ua-auto-config.example.org", "pop.example.org",
         "pop3.example.org", "mail.example.org", "smtp.example.org", "autoconfig.example.net", "db.example.com"]


def certificate(folder, names=tuple(NAMES)):
    crt, key = os.path.join(folder, "crt.pem"), os.path.join(folder, "key.pem")
    alt = ",".join("DNS:" + n for n in names)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", key, "-out", crt, "-days", "2", "-subj", "/CN=localhost", "-addext",
                    f"subjectAltName={alt},IP:127.0.0.1"], check=True, stderr=subprocess.DEVNULL)
    return crt, key


class Provider(rs_serve.Restanted):
    """Ours, with autoconfig by HTTPS and submission, under the names of example.org."""

    def __init__(self, users=None, **more):
        self.https_port, self.submit_port = peers.free_port(), peers.free_port()
        listen = {"autoconfigs": f"127.0.0.1:{self.https_port}", "submissions": f"127.0.0.1:{self.submit_port}"}
        listen.update(more.pop("listen", {}))
        super().__init__(users or {ANNA: PASSWORD}, workers=1, listen=listen, auth={"cleartext": "loopback"}, **more)

    def lay_out(self):
        was = peers.make_certificate
        peers.make_certificate = certificate
        try:
            super().lay_out()
        finally:
            peers.make_certificate = was

    def names(self, home, *lines):
        """The file of names: where each of these leads to."""
        path = home.path("names")
        with open(path, "w") as f:
            f.write("".join(line.format(https=self.https_port, pop3s=self.pop3s_port, pop3=self.pop3_port,
                                        smtp=self.submit_port) + "\n" for line in lines))
        return {"RESTANTE_TEST_NAMES": path}


AUTOCONFIG = "connect autoconfig.example.org:443 127.0.0.1:{https}"


def add(home, server, env, *more, status=DONE, password=PASSWORD, ca=True):
    ca = ["--ca-file", server.ca_file] if ca else []
    return home.run("account", "add", ANNA, "--name", "anna", "--no-input", "--password-stdin", *ca, *more,
                    stdin=password + "\n", env=env, status=status)


def shown(home, name="anna"):
    return dict(line.split(" = ", 1) for line in home.run("account", "show", name)[0].splitlines() if " = " in line)


@tap.case("address and password are enough: autoconfig by HTTPS, both logins tried, saved")
def _():
    with Home() as home, Provider() as server:
        server.deliver(ANNA, [message(1), message(2)])
        out, err = add(home, server, server.names(home, AUTOCONFIG))
        assert "published by the provider (https://autoconfig.example.org/mail/config-v1.1.xml?" in out, out
        assert "password accepted · 2 messages," in out and "can UIDL, TOP, PIPELINING" in out, out
        assert "Sending works: password accepted by localhost" in out and not err, (out, err)
        got = shown(home)
        assert got["pop3"] == f"localhost:{server.pop3s_port}" and got["security"] == "tls", got
        assert got["smtp"] == f"localhost:{server.submit_port}" and got["smtp-user"] == ANNA, got
        assert got["leave"] == "keep" and PASSWORD not in str(got)
        assert "2 new messages" in home.run("check")[0]


@tap.case("at a terminal the password is the only question; a wrong one is asked for again")
def _():
    with Home() as home, Provider() as server:
        home_env = home.env
        env = server.names(home, AUTOCONFIG)
        home.env = lambda **more: home_env(**env, **more)
        out, status = at_terminal(home, ["account", "add", ANNA, "--ca-file", server.ca_file],
                                  [("Password", "wrong"), ("Password", PASSWORD)])
        assert status == DONE and "does not accept user" in out and "is added" in out, out
        assert out.count("Password (") == 2 and PASSWORD not in out, out
        assert "all mail stays there" in out, out


@tap.case("field by field: what was found can be changed before the password is given")
def _():
    with Home() as home, Provider() as server:
        home_env = home.env
        env = server.names(home, AUTOCONFIG)
        home.env = lambda **more: home_env(**env, **more)
        out, status = at_terminal(home, ["account", "add", ANNA, "--ca-file", server.ca_file],
                                  [("Password", ""), ("Number to change", "1"), ("POP3 server", "127.0.0.1:" +
                                   str(server.pop3_port)), ("Number to change", "2"), ("security", "starttls"),
                                   ("Number to change", "4"), ("SMTP server", "-"), ("Number to change", "7"),
                                   ("Mail on the server", "days=30"), ("Number to change", "timeout = 7"),
                                   ("Number to change", ""), ("Password", PASSWORD)])
        assert status == DONE and "has no SMTP server" in out, out
        got = shown(home, ANNA)
        assert got["pop3"] == f"127.0.0.1:{server.pop3_port}" and got["security"] == "starttls", got
        assert "smtp" not in got and "smtp-user" not in got and got["leave"] == "days=30", got
        assert got["timeout"] == "7"


@tap.case("the well-known place, the database of providers, and the MX record's provider")
def _():
    with Home() as home, Provider() as server:
        out, _ = add(home, server, server.names(home, "connect example.org:443 127.0.0.1:{https}"))
        assert "https://example.org/.well-known/autoconfig/mail/config-v1.1.xml" in out, out
        home.run("account", "remove", "anna")
        with open(home.path("config.ini"), "w") as f:
            f.write("[discovery]\nisp-database = https://db.example.com/mail/config-v1.1.xml?emailaddress=a@\n")
        _, err = add(home, server, server.names(home, "connect db.example.com:443 127.0.0.1:{https}"), status=CONFIG)
        assert "--pop3" in one_sentence(err), err  # the path of an own service has no / at its end
        mx = server.names(home, "mx example.org 10 mx1.example.net",
                          "connect autoconfig.example.net:443 127.0.0.1:{https}")
        _, err = add(home, server, mx, status=CONFIG)
        assert "DNS alone" in err and f"--pop3 localhost:{server.pop3s_port}" in err, err
        home_env = home.env
        home.env = lambda **more: home_env(**mx, **more)
        out, status = at_terminal(home, ["account", "add", ANNA, "--ca-file", server.ca_file],
                                  [("Use these?", "y"), ("Password", PASSWORD)])
        assert status == DONE and "careful" in out, out


@tap.case("SRV records: in the domain they are used, outside it they are shown and not used unasked")
def _():
    with Home() as home, Provider() as server:
        env = server.names(home, "srv _pop3s._tcp.example.org 20 0 995 wrong.example.org",
                           "srv _pop3s._tcp.example.org 10 0 995 pop.example.org",
                           "srv _submissions._tcp.example.org 0 0 465 mail.example.org",
                           "srv _pop3._tcp.example.org 0 0 110 .",
                           "connect pop.example.org:995 127.0.0.1:{pop3s}",
                           "connect mail.example.org:465 127.0.0.1:{smtp}")
        out, err = add(home, server, env)
        assert "(SRV)" in out and not err, (out, err)
        assert shown(home)["pop3"] == "pop.example.org:995" and shown(home)["smtp"] == "mail.example.org:465"
        home.run("account", "remove", "anna")
        env = server.names(home, "srv _pop3s._tcp.example.org 10 0 995 pop.evil.example")
        _, err = add(home, server, env, status=CONFIG)
        assert "pop.evil.example" in err and "DNS alone" in err, err


@tap.case("PACC: used with the digest of the DNS, not without it")
def _():
    with Home() as home, Provider(autoconfig={"pop3s": "pop.example.org:995",
                                              "submissions": "smtp.example.org:465"}) as server:
        lines = ["connect ua-auto-config.example.org:443 127.0.0.1:{https}",
                 "connect pop.example.org:995 127.0.0.1:{pop3s}", "connect smtp.example.org:465 127.0.0.1:{smtp}"]
        body = subprocess.run(["curl", "-s", "--cacert", server.ca_file,
                               f"https://localhost:{server.https_port}/.well-known/user-agent-configuration.json"],
                              capture_output=True, check=True).stdout
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        txt = "txt _ua-auto-config.example.org v=UAAC1; a=sha256; d="
        env = server.names(home, *lines[:1], txt + base64.b64encode(bytes(32)).decode())
        _, err = add(home, server, env, status=CONFIG)
        assert "nothing says" in one_sentence(err), err
        out, _ = add(home, server, server.names(home, *lines, txt + digest))
        assert "user-agent-configuration.json" in out and shown(home)["pop3"] == "pop.example.org:995", out


@tap.case("common names: TLS with a certificate that verifies; nothing else is taken")
def _():
    with Home() as home, Provider() as server:
        env = server.names(home, "connect mail.example.org:995 127.0.0.1:{pop3s}",
                           "connect pop.example.org:995 127.0.0.1:{https}",  # speaks TLS, and no POP3
                           "connect pop3.example.org:110 127.0.0.1:{pop3}",
                           "connect smtp.example.org:465 127.0.0.1:{smtp}")
        out, _ = add(home, server, env)
        assert "guessed" in out, out
        assert shown(home)["pop3"] == "mail.example.org:995" and shown(home)["smtp"] == "smtp.example.org:465"
        home.run("account", "remove", "anna")
        env = server.names(home, "connect pop3.example.org:110 127.0.0.1:{pop3}")
        out, _ = add(home, server, env)
        assert shown(home)["pop3"] == "pop3.example.org:110" and shown(home)["security"] == "starttls"
        assert "cannot be sent" not in out and "has no SMTP server" in out, out
        home.run("account", "remove", "anna")
        _, err = add(home, server, env, status=CONFIG, ca=False)
        assert "nothing says" in one_sentence(err), err


@tap.case("the better source wins")
def _():
    with Home() as home, Provider() as server:
        env = server.names(home, AUTOCONFIG, "srv _pop3s._tcp.example.org 0 0 995 pop.example.org",
                           "connect pop.example.org:995 127.0.0.1:{pop3s}", "mx example.org 1 aspmx.l.google.com")
        out, _ = add(home, server, env)
        assert "autoconfig.example.org" in out and shown(home)["pop3"].startswith("localhost:"), out


@tap.case("large providers are known: no packet, and what they want is said")
def _():
    with Home() as home:
        for address, host, words in (("a@gmx.de", "pop.gmx.net:995", "switched on"),
                                     ("a@t-online.de", "securepop.t-online.de:995", "password of its own"),
                                     ("a@gmail.com", "pop.gmail.com:995", "app password")):
            out, _ = home.run("account", "add", address, "--no-input", "--no-test", "--password-stdin", stdin="x\n")
            assert host in out and words in out, out
        _, err = home.run("account", "add", "a@icloud.com", "--no-input", "--password-stdin", stdin="x\n",
                          status=CONFIG)
        assert "no POP3" in one_sentence(err)
        env = {"RESTANTE_TEST_NAMES": home.path("n")}
        with open(home.path("n"), "w") as f:
            f.write("mx example.com 1 aspmx.l.google.com\n")
        _, err = home.run("account", "add", "a@example.com", "--no-input", "--password-stdin", env=env, stdin="x\n",
                          status=CONFIG)
        assert "pop.gmail.com" in err, err


@tap.case("a certificate that does not verify is shown and can be pinned, never silently taken")
def _():
    with Home() as home, Provider() as server:
        args = ["--pop3", f"localhost:{server.pop3s_port}", "--smtp", f"localhost:{server.submit_port}"]
        _, err = add(home, server, {}, *args, ca=False, status=REFUSED)
        assert "SHA-256" in err and "Nothing is saved" in err, err
        answers = [("User name", ""), ("Mail on the server", ""), ("Password", PASSWORD), ("Type \"pin\"", "pin"),
                   ("Type \"pin\"", "pin")]
        out, status = at_terminal(home, ["account", "add", ANNA, *args], answers[:4])
        assert status == DONE, out  # one host, one certificate: one pin
        assert len(shown(home, ANNA)["pin"]) == 64 and shown(home, ANNA)["pin"] in out


# --- edit, test, remove -----------------------------------------------------------------------------

def added(home, server, *more):
    add(home, server, {}, "--pop3", f"localhost:{server.pop3s_port}", "--no-smtp", *more)


@tap.case("account test says what works; account edit changes, tries, and saves only what works")
def _():
    with Home() as home, Provider() as server:
        server.deliver(ANNA, [message(1)])
        added(home, server)
        out, err = home.run("account", "test", "anna")
        assert "password accepted · 1 message," in out and not err, (out, err)
        home.run("account", "edit", "anna", "--smtp", f"localhost:{server.submit_port}", "--timeout", "20")
        assert shown(home)["smtp-user"] == ANNA and shown(home)["timeout"] == "20"
        assert "Sending works" in home.run("account", "test", "anna")[0]
        _, err = home.run("account", "edit", "anna", "--password-stdin", stdin="wrong\n", status=REFUSED)
        assert "Nothing is changed" in err, err
        home.run("account", "test", "anna")
        _, err = home.run("account", "edit", "anna", "--unset", "address", status=USAGE)
        assert "cannot be left out" in one_sentence(err)
        home.run("account", "edit", "anna", "--no-smtp", "--unset", "timeout")
        assert not {"smtp", "smtp-user", "timeout"} & set(shown(home))
        home.run("account", "edit", "anna", status=USAGE)


@tap.case("another name of the same mailbox: what is known goes along; of another one nothing does")
def _():
    with Home() as home, Provider() as server:
        server.deliver(ANNA, [message(1), message(2)])
        added(home, server)
        assert "2 new" in home.run("check")[0]
        move = ["account", "edit", "anna", "--pop3", f"127.0.0.1:{server.pop3s_port}"]
        _, err = home.run(*move, status=USAGE)
        assert "--same-mailbox" in one_sentence([line for line in err.splitlines() if "same" in line][0] + "\n")
        home.run(*move, "--same-mailbox")
        assert "nothing new, 2 on the server" in home.run("check")[0]
        home.run("account", "edit", "anna", "--pop3", f"localhost:{server.pop3s_port}", "--other-mailbox")
        assert "2 new" in home.run("check")[0]


@tap.case("a changed policy is shown before it deletes anything")
def _():
    with Home() as home, Provider() as server:
        server.deliver(ANNA, [message(1), message(2), message(3)])
        added(home, server)
        home.run("check")
        out, _ = home.run("account", "edit", "anna", "--leave", "delete")
        assert "3 messages would go from the server: not at the next check" in out, out
        assert "3 on the server" in home.run("check")[0]


@tap.case("remove: the mail stays, or goes with what is known of it; the password is forgotten")
def _():
    with Home() as home, Provider() as server:
        server.deliver(ANNA, [message(1)])
        added(home, server)
        home.run("check")
        out, _ = home.run("account", "remove", "anna")
        assert "stays" in out and home.messages() and not os.path.exists(home.path("secrets"))
        added(home, server)
        assert "nothing new" in home.run("check")[0]
        out, status = at_terminal(home, ["account", "remove", "anna"],
                                  [("Delete the mail here, too?", "y"), ("Remove the account?", "y")])
        assert status == DONE and not os.path.exists(home.path("mail", "anna")), out
        added(home, server)
        assert "1 new" in home.run("check")[0]


# --- doctor -----------------------------------------------------------------------------------------

def doctor(home, status=DONE, env=None):
    out, _ = home.run("doctor", "anna", "--json", status=status, env=env)
    return {row["check"]: row for row in map(json.loads, out.splitlines())}


@tap.case("doctor: a line for each thing, ok where all is well")
def _():
    with Home() as home, Provider() as server:
        added(home, server)
        home.run("account", "edit", "anna", "--smtp", f"localhost:{server.submit_port}")
        rows = doctor(home)
        assert {"secret", "folder", "space", "pop3-name", "pop3-connect", "pop3-tls", "pop3-capabilities",
                "pop3-login", "smtp-name", "smtp-connect", "smtp-tls", "smtp-login", "clock"} == set(rows), rows
        assert all(r["state"] != "fail" for r in rows.values()), rows
        assert "TLS 1.3" in rows["pop3-tls"]["text"] and "UIDL" in rows["pop3-capabilities"]["text"]
        assert PASSWORD not in str(rows)
        out, _ = home.run("doctor")
        assert "  ok    disk space: " in out or "  WARN  disk space" in out, out


@tap.case("doctor: what is wrong, with its cure and its exit status")
def _():
    with Home() as home, Provider() as server:
        added(home, server)
        home.run("account", "edit", "anna", "--no-test", "--password-stdin", stdin="wrong\n")
        rows = doctor(home, REFUSED)
        assert rows["pop3-login"]["state"] == "fail" and "check both" in rows["pop3-login"]["text"], rows
        home.run("account", "edit", "anna", "--no-test", "--unset", "ca-file")
        rows = doctor(home, REFUSED)
        assert rows["pop3-tls"]["state"] == "fail" and "SHA-256" in rows["pop3-tls"]["text"], rows
        home.run("account", "edit", "anna", "--no-test", "--pop3", "localhost:1")
        rows = doctor(home, 69)
        assert rows["pop3-connect"]["state"] == "fail" and "port 1" in rows["pop3-connect"]["text"], rows
        home.run("account", "edit", "anna", "--no-test", "--pop3", "pop.nowhere.example")
        rows = doctor(home, 69)
        assert rows["pop3-name"]["state"] == "fail" and "spelling" in rows["pop3-name"]["text"], rows


# --- secrets ----------------------------------------------------------------------------------------

@tap.case("with a secret service the password is there, not in a file; without one it is in a file of 0600")
def _():
    fake = os.path.join(rs_serve.BUILD, "tests", "it", "fake_secrets")
    with Home() as home, Provider() as server:
        env = {"RESTANTE_HOME": "", "XDG_CONFIG_HOME": home.path("c"), "XDG_DATA_HOME": home.path("d")}
        secrets = home.path("d", "restante", "secrets")
        bus = subprocess.Popen(["dbus-daemon", "--session", "--nofork", "--print-address"], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
        service = None
        try:
            env["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().strip()
            service = subprocess.Popen([fake], env=home.env(**env), stdout=subprocess.PIPE, text=True)
            assert service.stdout.readline() == "ready\n"
            add(home, server, env, "--pop3", f"localhost:{server.pop3s_port}", "--no-smtp")
            assert not os.path.exists(secrets)
            assert "secret service" in home.run("account", "show", "anna", env=env)[0]
            home.run("check", env=env)
            home.run("account", "remove", "anna", env=env)
            assert service.stdout.readline() == "stored\n" and service.stdout.readline() == "deleted\n"
        finally:
            for p in (service, bus):
                if p:
                    p.terminate()
                    p.wait()
        env["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=" + home.path("nobody")
        add(home, server, env, "--pop3", f"localhost:{server.pop3s_port}", "--no-smtp")
        path = os.path.join(secrets, "anna.password")
        assert os.stat(path).st_mode & 0o777 == 0o600 and open(path).read() == PASSWORD


if __name__ == "__main__":
    tap.run()
