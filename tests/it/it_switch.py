"""Coming from another mail program: what mpop, fetchmail and getmail6 fetched from the real restanted is not fetched again
after `restante import`; Thunderbird, Claws Mail and Sylpheed by files in their form; mail of mbox and Maildir."""
import json
import mailbox
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import peers
import rs_serve
import tap

RESTANTE = rs_serve.program("restante")
ANNA = "anna@example.org"
N = 7
DAY = 86400


def messages(first, n):
    return [f"From: peer@example.org\nMessage-ID: <{i}@example.org>\nDate: Mon, 3 Feb 2025 10:00:{i:02} +0000\n"
            f"Subject: message {i}\n\nline of {i}\n".encode() for i in range(first, first + n)]


class Home(rs_serve.Restanted):
    """A server with N messages for Anna, and a place for restante."""

    def __init__(self):
        super().__init__({ANNA: "secret"}, auth={"cleartext": "loopback"})

    def __enter__(self):
        super().__enter__()
        self.deliver(ANNA, messages(0, N))
        os.mkdir(self.path("home"))
        return self

    def run(self, *args, status=0, text=None):
        env = {"PATH": os.environ["PATH"], "HOME": self.path("home"), "RESTANTE_HOME": self.path("home/restante"),
               "LC_ALL": "C.UTF-8", "ASAN_OPTIONS": "detect_leaks=1"}
        done = subprocess.run([RESTANTE, *args], env=env, text=True, input=text, timeout=120,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == status, (args, done.returncode, done.stdout, done.stderr)
        assert "Sanitizer" not in done.stderr, done.stderr
        return done.stdout + done.stderr

    def config(self):
        with open(self.path("home/restante/config.ini")) as f:
            return f.read()

    def check(self, new, status=0):
        got = json.loads(self.run("check", "--json", status=status).splitlines()[0])
        assert got["new"] == new and not got["error"], got
        return got

    def nothing_again(self):
        """Not fetched again, and what is new is; nothing goes on the server at the first check."""
        self.check(0)
        self.deliver(ANNA, messages(N, 2))
        got = self.check(2)
        return got

    def write(self, name, text):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o600)
        return path

    def uids(self):
        import poplib
        end = time.monotonic() + 60
        while True:
            pop = poplib.POP3("127.0.0.1", self.pop3_port, timeout=60)
            try:
                pop.user(ANNA)
                pop.pass_("secret")
                found = [line.split()[1].decode() for line in pop.uidl()[1]]
                pop.quit()
                return found
            except poplib.error_proto as e:
                assert b"IN-USE" in e.args[0] and time.monotonic() < end
                time.sleep(0.05)


def run_peer(package, *command, env=None, status=0):
    peers.unpack(package)
    done = subprocess.run([peers.NS, package, "-", *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=300, env={**os.environ, **(env or {})})
    assert status is None or done.returncode == status, (command[0], done.returncode, done.stdout[-2000:])
    return done.stdout


def need_root():
    if os.getuid() != 0:
        raise tap.Skip("the unpacked peers need root")


@tap.case("mpop: its accounts, its password, its UIDLs; the real mpop has fetched before")
def _():
    need_root()
    with Home() as s:
        for sub in ("new", "cur", "tmp"):
            os.makedirs(s.path("box", sub))
        conf = s.write("mpoprc", f"defaults\ntls on\ntls_trust_file {s.ca_file}\ntimeout 30\naccount base\nhost localhost\n"
                       f"port {s.pop3s_port}\ntls_starttls off\n\naccount work : base\nuser {ANNA}\n"
                       f"password \"secret\"\n# kept there\nkeep on\ndelivery maildir {s.path('box')}\n"
                       f"uidls_file {s.path('uidls/%U_at_%H')}\naccount default : work\n")
        run_peer("mpop", "mpop", "-C", conf, "work")
        assert len(os.listdir(s.path("box/new"))) == N
        # a dry run changes nothing
        said = s.run("import", conf, "--dry-run")
        assert f"Fetched   {N} messages" in said and "taken over" in said, said
        assert not os.path.exists(s.path("home/restante/config.ini"))
        s.run("import", conf, status=64)  # nobody agreed
        said = s.run("import", conf, "--yes")
        assert f"Account work is added; {N} messages are known" in said, said
        text = s.config()
        assert "secret" not in text and f"maildir = {s.path('box')}" in text and "leave = keep" in text, text
        assert "default" not in text and "[account base]" not in text, text
        s.nothing_again()
        assert len(os.listdir(s.path("box/new"))) == N + 2
        said = s.run("import", conf, "--yes")
        assert "was there already; 0 messages" in said, said


@tap.case("fetchmail: .fetchmailrc and .fetchids; the real fetchmail has fetched before")
def _():
    need_root()
    with Home() as s:
        os.mkdir(s.path("out"))
        mda = s.write("mda.sh", f"#!/bin/sh\nexec cat > $(mktemp {s.path('out')}/XXXXXXXX)\n")
        os.chmod(mda, 0o755)
        conf = s.write("fm/.fetchmailrc", "set daemon 300\nset no bouncemail\ndefaults protocol pop3, timeout 40\n"
                       f"poll pop.example.org via localhost with service {s.pop3_port} and options uidl\n"
                       f"  user \"{ANNA}\" there with password \"se\\x63ret\" is root here options sslproto tls1.2+ "
                       f"sslcertck sslcertfile {s.ca_file} keep mda \"{mda}\"\n"
                       "skip imap.example.org proto IMAP user anna pass x\n")
        out = run_peer("fetchmail", "fetchmail", "-f", conf, "-i", s.path("fm/.fetchids"), "--nosyslog", "--pidfile",
                       s.path("pid"), "-d0", "-v", "pop.example.org", env={"HOME": s.folder})
        assert len(os.listdir(s.path("out"))) == N, out
        said = s.run("import", s.path("fm"), "--yes")
        assert f"{N} messages are known" in said and "speaks IMAP, not POP3" in said, said
        text = s.config()
        assert f"pop3 = localhost:{s.pop3_port}" in text and "security = starttls" in text and "timeout = 40" in text, text
        assert f"deliver-to = mda:{mda}" in text, text
        s.nothing_again()
        assert len(os.listdir(s.path("out"))) == N + 2


@tap.case("getmail6: getmailrc and oldmail; the real getmail has fetched before, days=N counts from its times")
def _():
    need_root()
    with Home() as s:
        state = s.path("getmail")
        box = os.path.join(state, "box")
        for sub in ("new", "cur", "tmp"):
            os.makedirs(os.path.join(box, sub))
        peers.mail_owner(box)
        conf = s.write("getmail/getmailrc", "[retriever]\ntype = SimplePOP3SSLRetriever\nserver = localhost\n"
                       f"port = {s.pop3s_port}\nusername = {ANNA}\npassword: secret\nca_certs = {s.ca_file}\n"
                       f"[destination]\ntype = Maildir\npath = {box}/\nuser = nobody\n[options]\nread_all = false\n"
                       "delete = false\ndelete_after = 30\ndelivered_to = false\nreceived = false\n")
        for _ in range(6):
            out = run_peer("getmail6", "/usr/bin/python3", "/usr/bin/getmail", "--getmaildir", state, "--rcfile", conf,
                           status=None)
            if b"timed out" not in out:
                break
        assert len(os.listdir(os.path.join(box, "new"))) == N
        # three of them came 40 days ago
        name = [f for f in os.listdir(state) if f.startswith("oldmail-")][0]
        with open(os.path.join(state, name)) as f:
            lines = f.read().splitlines()
        with open(os.path.join(state, name), "w") as f:
            for i, line in enumerate(lines):
                uid, seconds = line.split("\0")
                f.write(f"{uid}\0{int(seconds) - (40 * DAY if i < 3 else 0)}\n")
        said = s.run("import", state, "--yes")
        assert f"{N} messages are known" in said, said
        assert "leave = days=30" in s.config()
        got = s.check(0)
        assert got["deleted"] == 0, got  # a policy that is new here shows first what would go
        got = s.check(0)
        assert got["deleted"] == 3 and got["on_server"] == N - 3, got


def thunderbird(s, uids, age=0):
    now = int(time.time()) - age
    prefs = {
        "mail.accountmanager.accounts": "account1,account2,account3",
        "mail.account.account1.server": "server1", "mail.account.account1.identities": "id1,id2",
        "mail.account.account2.server": "server2", "mail.account.account3.server": "server3",
        "mail.server.server1.type": "pop3", "mail.server.server1.hostname": "localhost",
        "mail.server.server1.port": s.pop3s_port, "mail.server.server1.userName": ANNA,
        "mail.server.server1.socketType": 3, "mail.server.server1.authMethod": 3,
        "mail.server.server1.leave_on_server": True, "mail.server.server1.delete_by_age_from_server": True,
        "mail.server.server1.num_days_to_leave_on_server": 14, "mail.server.server1.directory-rel": "[ProfD]Mail/localhost",
        "mail.server.server1.name": "Anna \u00e4 \"quoted\"", "mail.server.server2.type": "none",
        "mail.server.server2.hostname": "Local Folders", "mail.server.server2.directory-rel": "[ProfD]Mail/Local Folders",
        "mail.server.server3.type": "imap", "mail.server.server3.hostname": "imap.example.org",
        "mail.server.server3.name": "Work", "mail.identity.id1.useremail": ANNA, "mail.identity.id1.smtpServer": "smtp1",
        "mail.smtpserver.smtp1.hostname": "localhost", "mail.smtpserver.smtp1.port": 587,
        "mail.smtpserver.smtp1.try_ssl": 2, "mail.smtpserver.smtp1.username": ANNA,
    }
    text = "// Mozilla User Preferences\n\n" + "".join(
        f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in prefs.items())
    s.write("tb/prefs.js", text)
    state = "# POP3 State File\n# This is a generated file!  Do not edit.\n\n*localhost " + ANNA + "\n"
    s.write("tb/Mail/localhost/popstate.dat", state + "\n".join(f"{'kd'[i % 2]} {u} {now}" for i, u in enumerate(uids)))
    box = "".join(f"From - Mon Feb  3 10:00:0{i} 2025\nX-Mozilla-Status: {status}\nX-Mozilla-Status2: 00000000\n"
                  f"Date: Mon, 3 Feb 2025 10:00:0{i} +0000\nSubject: {name}\n\n>From here on\nFrom Monday on, too\n\n"
                  for i, (name, status) in enumerate((("read", "0001"), ("new", "0000"), ("starred", "0005"), ("gone", "0009"))))
    s.write("tb/Mail/localhost/Inbox", box)
    s.write("tb/Mail/localhost/Inbox.msf", "// <!-- <mdb:mork:z v=\"1.4\"/> -->")
    s.write("tb/Mail/Local Folders/Friends", "")
    s.write("tb/Mail/Local Folders/Friends.sbd/Old", box.replace("Subject: ", "Subject: old "))


def names(folder):
    found = {}
    for sub in ("new", "cur"):
        for name in os.listdir(os.path.join(folder, sub)):
            with open(os.path.join(folder, sub, name)) as f:
                text = f.read()
            subject = [line[9:] for line in text.splitlines() if line.startswith("Subject: ")][0]
            found[subject] = (sub, name.partition(":2,")[2], text)
    return found


@tap.case("Thunderbird: accounts, popstate.dat, folders with their marks; a second time nothing comes twice")
def _():
    with Home() as s:
        thunderbird(s, s.uids(), age=DAY)
        said = s.run("import", s.path("tb"), "--yes")
        assert f"{N} messages are known" in said and "Work is one of imap" in said, said
        assert "has no password yet" in said, said
        with open(s.path("home/restante/config.ini"), "a") as f:
            f.write(f"password-command = echo secret\nca-file = {s.ca_file}\n")
        text = s.config()
        for line in ("leave = days=14", f"pop3 = localhost:{s.pop3s_port}", "security = tls", "smtp = localhost:587",
                     "smtp-security = starttls", f"smtp-user = {ANNA}", f"address = {ANNA}"):
            assert line in text, (line, text)
        inbox = names(s.path("home/restante/mail", ANNA))
        assert {k: v[:2] for k, v in inbox.items()} == {"read": ("cur", "S"), "new": ("new", ""), "starred": ("cur", "FS")}, inbox
        assert inbox["read"][2] == ("Date: Mon, 3 Feb 2025 10:00:00 +0000\nSubject: read\n\nFrom here on\n"
                                    "From Monday on, too\n"), inbox["read"]
        assert set(names(s.path("home/restante/mail/Friends/Old"))) == {"old read", "old new", "old starred"}
        s.nothing_again()
        said = s.run("import", s.path("tb"), "--yes")
        assert "0 new messages, 3 here already, 1 deleted there" in said, said
        # what was moved is known, too, and what was read meanwhile
        old = s.path("home/restante/mail/Friends/Old")
        moved = os.listdir(os.path.join(old, "new"))[0]
        os.rename(os.path.join(old, "new", moved), os.path.join(s.path("home/restante/mail", ANNA), "cur", moved + ":2,RS"))
        assert "0 new messages, 3 here already" in s.run("import", s.path("tb"), "--yes", "--no-accounts")


@tap.case("Thunderbird: what came in part only is fetched whole")
def _():
    with Home() as s:
        thunderbird(s, s.uids())
        path = s.path("tb/Mail/localhost/popstate.dat")
        with open(path) as f:
            text = f.read().replace("\nk ", "\nb ", 2)
        with open(path, "w") as f:
            f.write(text)
        s.run("import", s.path("tb"), "--yes", "--no-mail")
        with open(s.path("home/restante/config.ini"), "a") as f:
            f.write(f"password-command = echo secret\nca-file = {s.ca_file}\n")
        s.check(2)


@tap.case("Claws Mail and Sylpheed: accountrc and uidl")
def _():
    for name, part in (("claws", "\t0"), ("sylpheed", "")):
        with Home() as s:
            uids, now = s.uids(), int(time.time())
            password = "password=secret\n" if name == "sylpheed" else "password=!x9qK==\n"
            s.write("rc/accountrc", "[Account: 1]\naccount_name=Home\nis_default=1\nname=Anna\naddress=" + ANNA +
                    f"\nprotocol=0\nreceive_server=localhost\nsmtp_server=localhost\nuser_id={ANNA}\n{password}"
                    f"remove_mail=1\nmessage_leave_time=7\nssl_pop=2\nset_popport=1\npop_port={s.pop3_port}\n"
                    "use_smtp_auth=1\nssl_smtp=1\n\n[Account: 2]\naccount_name=News\nprotocol=4\n")
            s.write("rc/uidl/localhost-anna_example.org" if name == "sylpheed" else f"rc/uidl/localhost-{ANNA}",
                    "".join(f"{u}\t{now}{part}\n" for u in uids))
            said = s.run("import", s.path("rc"), "--yes", "--from", name)
            assert f"{N} messages are known" in said and "'News' is not of POP3" in said, said
            text = s.config()
            for line in ("leave = days=7", "security = starttls", "smtp = localhost:465", f"smtp-user = {ANNA}"):
                assert line in text, (line, text)
            if name == "claws":
                assert "has no password yet" in said, said
                with open(s.path("home/restante/config.ini"), "a") as f:
                    f.write("password-command = echo secret\n")
            with open(s.path("home/restante/config.ini"), "a") as f:
                f.write(f"ca-file = {s.ca_file}\n")
            s.nothing_again()


@tap.case("mbox and Maildir: every message once and whole, flags, huge lines, no end, CRLF; not twice")
def _():
    with Home() as s:
        long = "x" * 200000
        bodies = {"a": "one\n\nFrom nobody at all\n>From quoted\n>>From twice\n", "b": long + "\n" + "y" * 511 + "\n", "c": "",
                  "d": "no end"}
        box = "\n".join(f"From a@b Mon Feb  3 10:00:00 2025\nSubject: {k}\nStatus: RO\nContent-Length: 3\n\n{v}" for k, v in bodies.items())
        path = s.write("mail/archive.mbox", box)
        assert "4 new messages" in s.run("import", path, "--yes")
        got = names(s.path("home/restante/mail/archive"))
        assert all(v[:2] == ("cur", "S") for v in got.values()), got
        want = dict(bodies, a="one\n\nFrom nobody at all\nFrom quoted\n>From twice\n", d="no end\n")
        for k, v in want.items():
            text = got[k][2].replace("\\n", "\n")
            assert text == f"Subject: {k}\nContent-Length: 3\n\n{v}", (k, text[-200:], v[-200:])
        assert "0 new messages, 4 here already" in s.run("import", path, "--yes", "--folder", "Elsewhere/Other")
        s.write("mail/crlf", box.replace("\n", "\r\n").replace("Subject: ", "Subject: crlf "))
        assert "4 new messages" in s.run("import", s.path("mail/crlf"), "--yes", "--from", "mboxo", "--folder", "dos")
        got = names(s.path("home/restante/mail/dos"))
        assert ">>From twice" in got["crlf a"][2] and "\r" not in got["crlf a"][2]
        # mailbox of Python, as somebody else's writer and reader
        theirs = mailbox.mbox(s.path("mail/python"))
        for m in messages(50, 20):
            theirs.add(m + b"\nFrom me to you 10:00 2025\n")
        theirs.close()
        assert "20 new messages" in s.run("import", s.path("mail/python"), "--yes")
        got = names(s.path("home/restante/mail/python"))
        assert all(v[2].endswith("\n\nFrom me to you 10:00 2025\n") for v in got.values())
        # a Maildir, with flags; one in it is broken
        src = s.path("mail/md")
        for sub in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(src, sub))
        s.write("mail/md/cur/1.a.b:2,FRS", "Subject: one\nStatus: RO\n\nFrom a Mon 10:00:00 2025\n>From x\n\n\n")
        s.write("mail/md/new/2.a.b", "Subject: two\n\nx\n")
        s.write("mail/md/cur/3.a.b:2,ST", "Subject: three\n\nx\n")
        os.symlink("/nowhere", os.path.join(src, "cur/4.a.b:2,"))
        said = s.run("import", src, "--yes", "--folder", "Old")
        assert "2 new messages, 1 deleted there" in said and "1 message of" in said, said
        got = names(s.path("home/restante/mail/Old"))
        assert got["one"][:2] == ("cur", "FRS") and got["two"][:2] == ("new", ""), got
        assert got["one"][2] == "Subject: one\nStatus: RO\n\nFrom a Mon 10:00:00 2025\n>From x\n\n\n"
        assert "0 new messages" in s.run("import", src, "--yes", "--folder", "Old")
        s.write("mail/not", "Subject: no mbox\n\nx\n")
        assert "not an mbox" in s.run("import", s.path("mail/not"), "--from", "mbox", "--yes", status=65)


@tap.case("what cannot be read is told with its place; nothing is taken over then")
def _():
    with Home() as s:
        rows = [("fetchmailrc", "poll a proto pop3\n user b pass c frobnicate\n", "fetchmailrc:2: 'frobnicate'", 78),
                ("mpoprc", "host x\naccount a\n", "mpoprc:1: 'host' stands in front", 78),
                ("getmailrc", "[retriever]\nserver = x\n", "no [retriever] with a type", 78),
                ("getmailrc", "[retriever]\ntype = SimpleIMAPRetriever\n", "is not POP3", 0),
                ("prefs.js", "user_pref(\"a\", 1);\n", "lists no accounts", 65),
                ("words", "nothing of the kind\n", "not to be recognised", 65)]
        for name, text, words, status in rows:
            path = s.write("bad/" + name, text)
            said = s.run("import", path, "--yes", status=status)
            assert words in said, (name, said)
        assert "cannot read" in s.run("import", s.path("bad/none"), "--yes", status=65)
        assert not os.path.exists(s.path("home/restante/config.ini"))
        s.write("home/.fetchmailrc", "poll a proto pop3 user b pass c\n")
        assert "import " + s.path("home/.fetchmailrc") in s.run("import")
        s.write("plain", "account a\nhost pop.example.org\nuser b\npassword c\n")
        said = s.run("import", s.path("plain"), "--from", "mpop", "--yes")
        assert "without TLS" in said and "security = starttls" in s.config(), said
        assert "address = b@example.org" in s.config() and "taken for b@example.org" in said


tap.run()
