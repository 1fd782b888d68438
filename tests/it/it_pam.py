"""Users of the system: the service runs where /etc has users and PAM services of the test's own (a mount
namespace; nothing outside it changes), with the real pam_unix and other real modules."""
import os
import poplib
import re
import signal
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import peers
import rs_serve
import tap

peers.need_root()
PEER = "dovecot-pop3d" # any that is there: of its own files none is used
# "pencil"
HASH = ("$6$rounds=1000$saltsalt$bbY.T.ZpN43KapLdmlSbP6MmxBlkMSbhrh.Y1rmY0fYaRO/t.4sKqUiU.Z8byKf8Oa1yagMn/"
        "0fncuHSYrb9h.")
ETC = {
    "passwd": "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"
              "anna:x:2000:2000::/:/bin/false\nbob:x:2001:2001::/:/bin/false\n"
              "daemon:x:1:1::/:/bin/false\n",
    "shadow": f"root:{HASH}:19000::::::\nanna:{HASH}:19000::::::\nbob:{HASH}:19000:::::1000:\n"
              f"daemon:{HASH}:19000::::::\n",
    "group": "root:x:0:\nnogroup:x:65534:\n",
    "pam.d/other": "auth required pam_deny.so\naccount required pam_deny.so\n",
    "pam.d/unix": "auth required pam_unix.so\naccount required pam_unix.so\n",
    "pam.d/away": "auth required pam_debug.so auth=authinfo_unavail\naccount required pam_permit.so\n",
    "pam.d/noaccount": "auth required pam_permit.so\naccount required pam_debug.so acct=acct_expired\n",
    "pam.d/helper": "auth [success=1 default=ignore] pam_exec.so expose_authtok quiet /etc/restante-helper\n"
                    "auth requisite pam_deny.so\nauth required pam_permit.so\n"
                    "account required pam_permit.so\n",
    "restante-helper": "#!/bin/sh\n[ \"$PAM_USER:$PAM_RHOST:$(tr -d '\\0')\" = anna:127.0.0.1:pencil ]\n",
}


class System(rs_serve.Restanted):
    """The service with users = pam:SERVICE in an /etc of its own."""

    def __init__(self, service, auth_user="0:0"):
        super().__init__({}, auth={"users": "pam:" + service, "cleartext": "loopback"},
                         server={"auth-user": auth_user})
        self.etc = tempfile.TemporaryDirectory(prefix="rs-etc-")
        for name, text in ETC.items():
            path = os.path.join(self.etc.name, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as f:
                f.write(text)
            os.chmod(path, 0o755 if name.endswith("helper") else 0o600 if name == "shadow" else 0o644)
        os.chmod(self.etc.name, 0o755)
        self.prefix = [peers.NS, PEER, self.etc.name]

    def stop(self, sig=signal.SIGTERM):
        pid = self.process and peers.inner(self.process.pid, self.program + " serve")
        if pid:
            os.kill(pid, sig)
            self.process.wait(60)
        return super().stop(sig)

    def __exit__(self, *args):
        super().__exit__(*args)
        self.etc.cleanup()


def comes_in(s, user, password):
    """The reply that refuses, "" when the login is right."""
    pop = poplib.POP3("127.0.0.1", s.pop3_port, timeout=120)
    try:
        pop.user(user)
        pop.pass_(password)
        pop.quit()
    except poplib.error_proto as e:
        return e.args[0].decode()
    finally:
        pop.close()
    return ""


def rcpt(s, address):
    link = s.lmtp_connect()
    link.ehlo_or_helo_if_needed()
    link.mail("peer@example.net")
    reply = link.rcpt(address)
    link.quit()
    return reply[0]


@tap.case("pam_unix: the system's passwords, expired accounts, the system's own users, mail for users")
def _():
    with System("unix") as s:
        assert comes_in(s, "anna", "pencil") == "", s.log_text()
        assert comes_in(s, "Anna@Example.org", "pencil") == ""
        wrong = comes_in(s, "anna", "Pencil")
        assert "[AUTH]" in wrong
        for user in ("bob", "root", "daemon", "ghost", "../anna", "anna+", ""):
            reply = comes_in(s, user or "x", "pencil")
            assert reply == wrong, (user, reply, s.log_text())
        assert comes_in(s, "anna", "x" * 200) == wrong
        assert [rcpt(s, n + "@example.org") for n in ("anna", "bob", "root", "daemon", "ghost")] == [
            250, 250, 550, 550, 550]
        s.deliver("anna@example.org", [b"Subject: x\n\nHello\n"])
        pop = poplib.POP3("127.0.0.1", s.pop3_port, timeout=60)
        pop.user("anna")
        pop.pass_("pencil")
        assert pop.stat()[0] == 1 # one mailbox, whatever the domain
        pop.quit()
        assert "violation" not in s.log_text() and "role-ended" not in s.log_text(), s.log_text()


@tap.case("a module that cannot tell is a temporary failure; a service that is not there lets nobody in")
def _():
    with System("away") as s:
        assert "[SYS/TEMP]" in comes_in(s, "anna", "pencil")
        assert "[SYS/TEMP]" in comes_in(s, "ghost", "pencil")
        assert re.search(r"pam-failed .*service=away phase=authentication", s.log_text()), s.log_text()
    with System("noaccount") as s:
        assert "[AUTH]" in comes_in(s, "anna", "pencil")
    with System("nowhere") as s:
        assert comes_in(s, "anna", "pencil").startswith("-ERR")


@tap.case("a module that starts a program, without root: under the sandbox too")
def _():
    with System("helper", auth_user="65534:65534") as s:
        assert comes_in(s, "anna", "pencil") == "", s.log_text()
        assert "[AUTH]" in comes_in(s, "anna", "x")
        assert "[AUTH]" in comes_in(s, "bob", "pencil")
        assert "violation" not in s.log_text() and "role-ended" not in s.log_text(), s.log_text()


tap.run()
