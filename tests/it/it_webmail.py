"""A Maildir that Dovecot's IMAP serves at the same time, as for a webmail, stays right for both: what one removes
the other no longer shows, flags survive, names that change in the middle of a session are followed, and
neither touches what is the other's."""
import email.message
import imaplib
import os
import poplib
import ssl
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import peers
import rs_serve
import tap

peers.need_root()
ANNA = "anna@example.org"
poplib._MAXLINE = 1 << 20


class Both:
    """Our service, and Dovecot IMAP on the same Maildir."""

    def __enter__(self):
        self.ours = rs_serve.Restanted({ANNA: "secret"}, auth={"cleartext": "loopback"})
        self.ours.__enter__()
        try:
            self.box = self.ours.mailbox(ANNA)
            self.deliver(6)
            os.chmod(self.ours.path("mail"), 0o755)
            self.imapd = peers.DovecotImap(self.box)
            self.imapd.__enter__()
        except BaseException:
            self.ours.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.imapd.__exit__()
        self.ours.__exit__()

    def deliver(self, n, start=0):
        self.ours.deliver(ANNA, [b"Subject: number %d\n\nbody %d\n" % (i, i) for i in range(start, start + n)])

    def imap(self):
        context = ssl.create_default_context(cafile=self.imapd.ca_file)
        link = imaplib.IMAP4_SSL("localhost", self.imapd.port, ssl_context=context, timeout=60)
        link.login(self.imapd.user, self.imapd.password)
        link.select("INBOX")
        return link

    def pop(self):
        end = time.monotonic() + 30
        while True:
            pop = poplib.POP3("127.0.0.1", self.ours.pop3_port, timeout=60)
            try:
                pop.user(ANNA)
                pop.pass_("secret")
                return pop
            except poplib.error_proto as e:
                if b"IN-USE" not in e.args[0] or time.monotonic() > end:
                    raise
                time.sleep(0.05)


def uids(pop):
    return [l.split()[1] for l in pop.uidl()[1]]


def pop_subjects(pop):
    found = []
    for i in range(1, len(pop.list()[1]) + 1):
        found += [l[9:].decode() for l in pop.top(i, 0)[1] if l.startswith(b"Subject: ")]
    return found


def imap_all(link, what="(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])"):
    """[(subject, flags), …] in the order of UIDs."""
    link.noop()
    _, data = link.fetch("1:*", what)
    rows = []
    for part in data:
        if isinstance(part, tuple):
            subject = part[1].decode().replace("Subject: ", "").strip()
            rows.append((subject, set(imaplib.ParseFlags(part[0])) - {b"\\Recent"}))
    return rows


def imap_all_when(link, wanted):
    """imap_all, asked again until it has these subjects: Dovecot looks at a folder anew by its times."""
    end = time.monotonic() + 30
    while True:
        rows = imap_all(link)
        if [s for s, _ in rows] == wanted or time.monotonic() > end:
            return rows
        time.sleep(0.2)


def numbers(*which):
    return [f"number {i}" for i in which]


def dovecot_files(box):
    """Octets of what is Dovecot's; without its cache and log, which reading alone may write."""
    found = {}
    for at, _, files in os.walk(box):
        for name in files:
            if name.startswith(("dovecot-uid", "subscriptions", "dovecot-keywords")):
                with open(os.path.join(at, name), "rb") as f:
                    found[os.path.relpath(os.path.join(at, name), box)] = f.read()
    return found


@tap.case("mail left on the server is seen by both; Dovecot moving it to cur/ changes no UIDL, no size, no order")
def _():
    with Both() as b:
        pop = b.pop()
        before = uids(pop), pop.list()[1], pop_subjects(pop)
        pop.quit()
        link = b.imap()
        assert [s for s, _ in imap_all_when(link, numbers(*range(6)))] == numbers(*range(6))
        assert os.listdir(os.path.join(b.box, "new")) == [] and len(os.listdir(os.path.join(b.box, "cur"))) == 6
        pop = b.pop()
        assert (uids(pop), pop.list()[1], pop_subjects(pop)) == before
        pop.quit()
        b.deliver(2, 6)
        assert [s for s, _ in imap_all_when(link, numbers(*range(8)))] == numbers(*range(8))
        pop = b.pop()
        assert uids(pop)[:6] == before[0] and pop_subjects(pop) == numbers(*range(8))
        pop.quit()
        link.logout()


@tap.case("what POP3 deletes is gone in IMAP; what IMAP expunges is gone in POP3; flags of the rest survive")
def _():
    with Both() as b:
        link = b.imap()
        link.store("1", "+FLAGS", r"(\Seen \Flagged)")
        link.store("2", "+FLAGS", r"(\Answered)")
        link.store("5", "+FLAGS", r"(\Seen)")
        pop = b.pop()
        kept = uids(pop)
        pop.dele(2)
        pop.dele(3)
        pop.quit()
        rows = imap_all_when(link, numbers(0, 3, 4, 5))
        assert [s for s, _ in rows] == numbers(0, 3, 4, 5), rows
        assert dict(rows)["number 0"] == {b"\\Seen", b"\\Flagged"} and dict(rows)["number 4"] == {b"\\Seen"}
        link.store("1", "+FLAGS", r"(\Deleted)")
        link.expunge()
        pop = b.pop()
        assert pop_subjects(pop) == numbers(3, 4, 5) and uids(pop) == kept[3:]
        pop.quit()
        assert dict(imap_all(link))["number 4"] == {b"\\Seen"}
        link.logout()


@tap.case("in the middle of a POP3 session: new/ to cur/, flags, and an expunge by IMAP; numbers and sizes stay")
def _():
    with Both() as b:
        pop = b.pop()
        before = pop.list()[1], uids(pop)
        link = b.imap()  # all move to cur/
        link.store("2", "+FLAGS", r"(\Seen \Flagged)")
        for i in range(1, 7):
            assert b"Subject: number %d" % (i - 1) in pop.retr(i)[1], i
        link.store("3", "+FLAGS", r"(\Deleted)")
        link.expunge()
        assert (pop.list()[1], uids(pop)) == before
        try:
            pop.retr(3)
            raise AssertionError("an expunged message was sent")
        except poplib.error_proto as e:
            assert b"-ERR" in e.args[0]
        link.store("1", "+FLAGS", r"(\Answered)")  # renamed again, then deleted by us
        pop.dele(1)
        pop.dele(2)
        pop.dele(3)  # it is gone already: that is what was wanted
        assert pop.quit().startswith(b"+OK")
        assert [s for s, _ in imap_all_when(link, numbers(3, 4, 5))] == numbers(3, 4, 5)
        pop = b.pop()
        assert pop_subjects(pop) == numbers(3, 4, 5) and uids(pop) == before[1][3:]
        pop.quit()
        link.logout()


@tap.case("Dovecot's files and folders are left alone; messages of its own delivery are served with stable UIDLs")
def _():
    with Both() as b:
        link = b.imap()
        link.create("Archive")
        link.subscribe("Archive")
        link.copy("1:2", "Archive")
        note = email.message.EmailMessage()
        note["Subject"] = "number 99"
        note.set_content("appended by a webmail\nwithout an end")
        link.append("INBOX", r"(\Seen)", None, note.as_bytes().replace(b"\n", b"\r\n"))
        files = dovecot_files(b.box)
        pop = b.pop()
        mine = uids(pop)
        assert pop_subjects(pop) == numbers(*range(6), 99)
        size = int(pop.list(7).split()[2])
        got = pop.retr(7)[1]
        assert sum(len(l) + 2 for l in got) == size and b"without an end" in got
        pop.dele(1)
        pop.quit()
        pop = b.pop()
        assert uids(pop) == mine[1:]
        pop.quit()
        assert dovecot_files(b.box) == files, "a file of Dovecot's was changed"
        assert [s for s, _ in imap_all_when(link, numbers(*range(1, 6), 99))] == numbers(*range(1, 6), 99)
        link.select("Archive")
        assert [s for s, _ in imap_all_when(link, numbers(0, 1))] == numbers(0, 1), "a subfolder was touched"
        link.logout()
        assert os.path.isdir(os.path.join(b.box, ".Archive", "cur"))


@tap.case("both at once for a while: no message is lost, seen twice or damaged")
def _():
    with Both() as b:
        link = b.imap()
        fetched = {}
        flagged = set()
        for turn in range(15):
            b.deliver(3, 100 + 3 * turn)
            rows = imap_all(link)
            if rows:
                link.store(str(1 + turn % len(rows)), "+FLAGS" if turn % 2 else "FLAGS", r"(\Flagged)")
                flagged |= {s for s, f in imap_all(link) if b"\\Flagged" in f}
            pop = b.pop()
            for i, uid in enumerate(uids(pop), 1):
                if uid not in fetched:
                    fetched[uid] = b"\n".join(pop.retr(i)[1])
                    if i % 2:
                        pop.dele(i)
            pop.quit()
        subjects = sorted(line for text in fetched.values() for line in text.split(b"\n")
                          if line.startswith(b"Subject: "))
        want = sorted(b"Subject: number %d" % i for i in [*range(6), *range(100, 145)])
        assert subjects == want, "lost or double"
        left = imap_all(link)
        pop = b.pop()
        assert pop_subjects(pop) == [s for s, _ in left], "the two disagree"
        pop.quit()
        assert {s for s, f in left if b"\\Flagged" in f} <= flagged
        link.logout()


tap.run()
