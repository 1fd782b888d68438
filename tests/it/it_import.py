"""Moving in from other servers: UIDL values and order are taken over, so clients that left mail there download
nothing again. With the real Dovecot and Courier, and real clients that keep their state over the move."""
import os
import poplib
import shutil
import ssl
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import corpus
import peers
import rs_serve
import tap

peers.need_root()
peers.unpack("mpop", "fetchmail", "getmail6")
peers.USER = USER = "anna@example.org"  # the same on both servers
PASSWORD = peers.PASSWORD
URL_USER = USER.replace("@", "%40")
poplib._MAXLINE = 1 << 20


class Ours(rs_serve.Restanted):
    """Our service for the same user; with `port` at the old server's place."""

    def __init__(self, port=None, tls=True):
        self.port, self.tls = port, tls
        super().__init__({USER: PASSWORD}, auth={"cleartext": "loopback"},
                         listen={"pop3s" if tls else "pop3": f"127.0.0.1:{port}"} if port else {})

    def lay_out(self):
        super().lay_out()
        if self.port and self.tls:
            self.pop3s_port = self.port
        elif self.port:
            self.pop3_port = self.port


def ours(port=None, tls=True):
    s = Ours(port, tls)
    s.__enter__()
    return s


def box(s):
    return s.mailbox(USER)


def restanted(s, *args, status=0, text=None):
    done = subprocess.run([rs_serve.program("restanted"), args[0], "-c", s.conf, *args[1:]], text=True,
                          input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    assert done.returncode == status, (args, done.returncode, done.stdout)
    return done.stdout


def move(source, s, rename=False):
    """The mail itself, as an administrator copies it; `rename`: by a tool that makes names of its own."""
    target = box(s)
    for sub in ("new", "cur", "tmp"):
        os.makedirs(os.path.join(target, sub), exist_ok=True)
        for i, name in enumerate(sorted(os.listdir(os.path.join(source, sub)), reverse=True)):
            new = f"{1600000000 + i}.copied{i}.host" if rename else name
            shutil.copy(os.path.join(source, sub, name), os.path.join(target, sub, new))
    peers.mail_owner(os.path.dirname(target))


def listing(port, ca_file=None, user=USER):
    """[(octets, UID), …] as a client sees it."""
    if ca_file:
        pop = poplib.POP3_SSL("localhost", port, context=ssl.create_default_context(cafile=ca_file), timeout=60)
    else:
        pop = poplib.POP3("127.0.0.1", port, timeout=60)
    pop.user(user)
    pop.pass_(PASSWORD)
    sizes = [int(l.split()[1]) for l in pop.list()[1]]
    uids = [l.split()[1].decode() for l in pop.uidl()[1]]
    pop.quit()
    return list(zip(sizes, uids))


# --- clients that keep what they know -------------------------------------------------------------


def run(package, *command, **kwargs):
    done = subprocess.run([peers.NS, package, "-", *command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=300, **kwargs)
    return done.returncode, done.stdout.decode(errors="replace")


class Mpop:
    def __init__(self, home):
        self.box = os.path.join(home, "mpop")
        self.conf = os.path.join(home, "mpoprc")
        self.uids = os.path.join(home, "mpop-uids")
        for sub in ("new", "cur", "tmp"):
            os.makedirs(os.path.join(self.box, sub))

    def fetch(self, port, ca_file):
        with open(self.conf, "w") as f:
            f.write(f"account x\nhost localhost\nport {port}\nuser {USER}\npassword {PASSWORD}\nauth user\n"
                    + (f"tls on\ntls_starttls off\ntls_trust_file {ca_file}\n" if ca_file else "tls off\n")
                    + f"delivery maildir {self.box}\nuidls_file {self.uids}\nkeep on\n")
        os.chmod(self.conf, 0o600)
        status, out = run("mpop", "mpop", "-C", self.conf, "x")
        assert status == 0, out

    def have(self):
        return len(os.listdir(os.path.join(self.box, "new")))


class Fetchmail:
    def __init__(self, home):
        self.home = home
        self.out = os.path.join(home, "fetchmail")
        os.mkdir(self.out)
        self.mda = os.path.join(home, "mda.sh")
        with open(self.mda, "w") as f:
            f.write(f"#!/bin/sh\nexec cat > $(mktemp {self.out}/XXXXXXXX)\n")
        os.chmod(self.mda, 0o755)

    def fetch(self, port, ca_file):
        conf = os.path.join(self.home, "fetchmailrc")
        tls = f"ssl sslcertck sslcertfile {ca_file}" if ca_file else 'sslproto ""'
        with open(conf, "w") as f:
            f.write(f"poll localhost service {port} protocol pop3 uidl\n user \"{USER}\" password "
                    f"\"{PASSWORD}\" {tls}\n keep mda \"{self.mda}\"\n")
        os.chmod(conf, 0o600)
        status, out = run("fetchmail", "fetchmail", "-f", conf, "-i", os.path.join(self.home, "ids"),
                          "--nosyslog", "--pidfile", os.path.join(self.home, "pid"),
                          env={**os.environ, "HOME": self.home})
        assert status in (0, 1), out  # 1: nothing new

    def have(self):
        return len(os.listdir(self.out))


class Getmail:
    def __init__(self, home):
        self.state = os.path.join(home, "getmail")
        self.box = os.path.join(self.state, "box")
        for sub in ("new", "cur", "tmp"):
            os.makedirs(os.path.join(self.box, sub))
        peers.mail_owner(self.box)  # it refuses to deliver as root

    def fetch(self, port, ca_file):
        conf = os.path.join(self.state, "getmailrc")
        with open(conf, "w") as f:
            f.write(f"[retriever]\ntype = SimplePOP3{'SSL' if ca_file else ''}Retriever\nserver = localhost\n"
                    f"port = {port}\nusername = {USER}\npassword = {PASSWORD}\n"
                    + (f"ca_certs = {ca_file}\n" if ca_file else "")
                    + f"[destination]\ntype = Maildir\npath = {self.box}/\nuser = nobody\n"
                    "[options]\nread_all = false\ndelivered_to = false\nreceived = false\n")
        for _ in range(6):  # on a busy machine its wait for its own child fails now and then
            _, out = run("getmail6", "/usr/bin/python3", "/usr/bin/getmail", "--getmaildir", self.state,
                         "--rcfile", conf)
            if "timed out" not in out:
                return

    def have(self):
        return len(os.listdir(os.path.join(self.box, "new")))


def walk(peer, maildir, source, ca_file=True):
    """Clients fetch and keep; the mail moves; the same clients find nothing new, and then only what is new."""
    messages = corpus.corpus(25)
    home = peers.tempfile.mkdtemp(prefix="rs-clients-")
    os.chmod(home, 0o755)
    clients = [Mpop(home), Fetchmail(home), Getmail(home)]
    with peer(messages) as old:
        for client in clients:
            client.fetch(old.port, old.ca_file)
        have = [client.have() for client in clients]
        assert have == [25] * 3, have
        before = listing(old.port, old.ca_file)
        port, old_box = old.port, os.path.join(old.folder, maildir)
        for process in old.processes:
            peers.end_group(process, old.patience)
        s = ours(port, tls=bool(old.ca_file))
        try:
            move(old_box, s)
            out = restanted(s, "import", "diff", "--from", f"{source}:{old_box}", USER, status=1)
            assert "download 25 again" in out and "take 25 for deleted" in out, out
            out = restanted(s, "import", "uidl", "--from", f"{source}:{old_box}", USER)
            assert out.startswith("took over 25 of 25"), out
            out = restanted(s, "import", "diff", "--from", f"{source}:{old_box}", USER)
            assert "know 25 messages again, download 0 again, get 0 new ones, and take 0 for deleted; " \
                "the order is the same" in out, out
            s.deliver(USER, [b"Subject: after the move\n\nnew\n"])
            after = listing(port, s.ca_file if old.ca_file else None)
            assert after[:25] == before, "other UIDs, sizes or another order"
            for client in clients:
                client.fetch(port, s.ca_file if old.ca_file else None)
            got = [client.have() - 25 for client in clients]
            assert got == [1] * 3, f"downloaded again: {got}"
        finally:
            s.__exit__()
    shutil.rmtree(home, ignore_errors=True)


@tap.case("from Dovecot: mpop, fetchmail and getmail6 keep their state and fetch nothing again")
def _():
    walk(peers.Dovecot, "home/mail", "dovecot")


@tap.case("from Courier: mpop, fetchmail and getmail6 keep their state and fetch nothing again")
def _():
    walk(peers.Courier, "home/Maildir", "courier")


@tap.case("the UIDLs of Dovecot's files are those it tells, whatever its pop3_uidl_format")
def _():
    for form, extra in (("%v-%u", ""), ("%08Xv%08Xu", ""), ("%f", ""), ("%g", ""), ("%u.%v", "pop3_save_uidl = yes"),
                        ("%08Xu%08Xv", "pop3_reuse_xuidl = yes\npop3_save_uidl = yes")):
        messages = corpus.corpus(5) + [b"X-UIDL: of-long-ago\nSubject: x\n\nx\n"]
        with peers.Dovecot(messages, f"protocol pop3 {{\n  pop3_uidl_format = {form}\n  {extra}\n}}\n") as old:
            told = [u for _, u in listing(old.port, old.ca_file)]
            told = [u for _, u in listing(old.port, old.ca_file)]  # saved ones are written when it ends
            s = ours()
            try:
                move(os.path.join(old.folder, "home/mail"), s)
                restanted(s, "import", "uidl", "--uidl-format", form, "--from",
                          f"dovecot:{old.folder}/home/mail", USER)
                assert [u for _, u in listing(s.pop3_port)] == told, (form, told, listing(s.pop3_port))
                assert "of-long-ago" in told or "reuse" not in extra, told
            finally:
                s.__exit__()


@tap.case("from the files of Cyrus, with each of its formats; a message that it has expunged is none")
def _():
    messages = corpus.corpus(12)
    peers.USER = "anna"  # it is a mailbox's name there
    for name, form in (("cyrus", None), ("uidonly", "%u"), ("dovecot", "%08Xu%08Xv"), ("courier", "%v-%u")):
        with peers.Cyrus(messages, f"uidl_format: {name}\nexpunge_mode: delayed") as old:
            pop = poplib.POP3("127.0.0.1", old.port, timeout=60)
            pop.user(peers.USER)
            pop.pass_(PASSWORD)
            pop.dele(5)
            pop.quit()
            before = listing(old.port, user=peers.USER)
            assert len(before) == 11
            s = ours()
            try:
                for sub in ("new", "cur", "tmp"):
                    os.makedirs(os.path.join(box(s), sub))
                for i, file in enumerate(sorted(f for f in os.listdir(old.maildir) if f.endswith("."))):
                    shutil.copy(os.path.join(old.maildir, file), os.path.join(box(s), "new", f"16{i:08}.c.host"))
                peers.mail_owner(os.path.dirname(box(s)))
                out = restanted(s, "import", "uidl", "--from", "cyrus:" + old.maildir, USER,
                                *(["--uidl-format", form] if form else []))
                assert out.startswith("took over 11 of 11"), out
                assert listing(s.pop3_port)[:11] == before, name
            finally:
                s.__exit__()
    peers.USER = USER


@tap.case("from a server that runs, over TLS: messages that were copied under other names are found again")
def _():
    messages = corpus.corpus(120)  # more than are asked for at a time
    with peers.Dovecot(messages) as old:
        before = listing(old.port, old.ca_file)
        s = ours()
        try:
            move(os.path.join(old.folder, "home/mail"), s, rename=True)
            address = f"pop3s://{URL_USER}@localhost:{old.port}"
            out = restanted(s, "import", "uidl", "--ca-file", old.ca_file, "--password-stdin", "--dry-run",
                            "--from", address, USER, text=PASSWORD + "\n")
            assert out.startswith("would take over 120 of 120") and \
                not os.path.exists(os.path.join(box(s), "restante.uidl")), out
            restanted(s, "import", "uidl", "--ca-file", old.ca_file, "--password-stdin", "--from", address,
                      USER, text=PASSWORD + "\n")
            assert listing(s.pop3_port) == before
            assert not [f for f in os.listdir(box(s)) if os.stat(os.path.join(box(s), f)).st_uid == 0]
            # a wrong password, a certificate that is not trusted
            out = restanted(s, "import", "diff", "--ca-file", old.ca_file, "--password-stdin", "--from", address,
                            USER, text="wrong\n", status=77)
            assert "refused PASS" in out, out
            out = restanted(s, "import", "diff", "--password-stdin", "--from", address, USER,
                            text=PASSWORD + "\n", status=77)
            assert "certificate" in out and "--ca-file" in out, out
        finally:
            s.__exit__()


@tap.case("from a Courier that runs: delivered anew by LMTP, found by what deliveries leave alone")
def _():
    messages = corpus.corpus(40)
    with peers.Courier(messages) as old:
        before = listing(old.port)
        s = ours()
        try:
            s.deliver(USER, messages[::-1])
            password = PASSWORD.replace(" ", "%20")
            out = restanted(s, "import", "uidl", "--from", f"pop3://{URL_USER}:{password}@127.0.0.1:{old.port}", USER)
            assert out.startswith("took over 40 of 40"), out
            assert [u for _, u in listing(s.pop3_port)] == [u for _, u in before]
            pop = poplib.POP3("127.0.0.1", s.pop3_port, timeout=60)
            pop.user(USER)
            pop.pass_(PASSWORD)
            want = [m.rstrip(b"\n").split(b"\n\n", 1)[-1] for m in messages]
            for i in range(40):
                got = b"\n".join(pop.retr(i + 1)[1])
                assert got.rstrip(b"\n").endswith(want[i][-200:]), f"message {i + 1} got the UID of another"
            pop.quit()
        finally:
            s.__exit__()


@tap.case("alike messages, double UIDs, UIDs that may not be told, mail that is not here: each is told")
def _():
    s = ours()
    try:
        twins = [b"Subject: twin\n\nsame\n"] * 3
        source = s.path("old")
        peers.fill_maildir(source, twins + [b"Subject: single\n\nx\n"])
        with open(os.path.join(source, "dovecot-uidlist"), "w") as f:
            f.write("3 V9 N9 Gabc\n"
                    "1 O4 Pzzz :1700000000.P1Q0.peer\n2 O3 Pyyy :1700000001.P1Q1.peer\n"
                    "3 O2 Pyyy :1700000002.P1Q2.peer\nnonsense\n"
                    f"4 O1 P{'x' * 71} :1700000003.P1Q3.peer\n5 :1700000009.gone.peer\n")
        move(source, s)
        shutil.rmtree(os.path.join(source, "new"))  # only the list was kept
        out = restanted(s, "import", "uidl", "--from", f"dovecot:{source}", USER, status=65)
        assert "line 5 of dovecot-uidlist is not one" in out, out
        assert "told twice" in out and "70 visible" in out, out
        assert "took over 2 of 5" in out and "1 messages of it are not here" in out, out
        rows = [u for _, u in listing(s.pop3_port)]
        assert rows[:2] == ["yyy", "zzz"] and len(set(rows)) == 4, rows
        out = restanted(s, "import", "uidl", "--from", "dovecot:/nowhere", USER, status=65)
        assert "/nowhere/dovecot-uidlist" in out, out
        assert "is not pop3://" in restanted(s, "import", "uidl", "--from", "exchange:x", USER, status=65)
        assert "--uidl-format" in restanted(s, "import", "uidl", "--uidl-format", "%q", "--from",
                                            f"dovecot:{source}", USER, status=65)
        restanted(s, "import", "uidl", "--from", f"dovecot:{source}", "nobody@example.org", status=67)
    finally:
        s.__exit__()


@tap.case("a list in a file: order and UIDs as written; a second import does not forget the first")
def _():
    s = ours()
    try:
        s.deliver(USER, [b"Subject: %d\n\n" % i for i in range(6)])
        names = sorted(os.listdir(os.path.join(box(s), "new")))
        with open(s.path("list"), "w") as f:
            f.write("# from qmail\n" + "".join(f"old-{i} {'new/' if i == 1 else ''}{names[i]}\n" for i in (3, 1, 2)))
        restanted(s, "import", "uidl", "--from", "uidl-file:" + s.path("list"), USER)
        assert [u for _, u in listing(s.pop3_port)][:3] == ["old-3", "old-1", "old-2"]
        with open(s.path("list"), "w") as f:
            f.write(f"old-0 {names[0]}\n")
        restanted(s, "import", "uidl", "--from", "uidl-file:" + s.path("list"), USER)
        rows = [u for _, u in listing(s.pop3_port)]
        assert rows[:4] == ["old-0", "old-3", "old-1", "old-2"], rows
        pop = poplib.POP3("127.0.0.1", s.pop3_port, timeout=60)
        pop.user(USER)
        pop.pass_(PASSWORD)
        with open(s.path("list"), "a") as f:
            f.write("old-9 nowhere\n")
        out = restanted(s, "import", "uidl", "--dry-run", "--from", "uidl-file:" + s.path("list"), USER, status=65)
        assert "1 messages of it are not here" in out, out
        code = subprocess.run([rs_serve.program("restanted"), "import", "-c", s.conf, "uidl", "--from",
                               "uidl-file:" + s.path("list"), USER], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE).returncode
        assert code == 75, code
        pop.quit()
    finally:
        s.__exit__()


tap.run()
