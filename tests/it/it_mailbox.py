"""What a mailbox holds and shows: quota, folders, junk, views, what is kept, the commands for it."""
import concurrent.futures
import glob
import os
import poplib
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rs_serve
import tap

ANNA = "anna@example.org"
BOB = "bob@example.org"
USERS = {ANNA: "secret", BOB: "secret"}


def message(n, size=0):
    body = b"x" * 70 + b"\n"
    return b"Subject: number %d\n\n" % n + body * (size // 71)


def lmtp(s, to, data):
    """Replies of one delivery to `to` (a list): {address: (code, text)} of those refused."""
    link = s.lmtp_connect()
    link.ehlo_or_helo_if_needed()
    link.mail("peer@example.net")
    refused = {a: r for a, r in ((a, link.rcpt(a)) for a in to) if r[0] >= 400}
    to = [a for a in to if a not in refused]
    if to:
        replies = [link.data(data)] + [link.getreply() for _ in to[1:]]
        refused.update({a: r for a, r in zip(to, replies) if r[0] >= 400})
    link.quit()
    return refused


def login(s, user, password="secret"):
    p = poplib.POP3("127.0.0.1", s.pop3_port, timeout=60)
    p.user(user)
    p.pass_(password)
    return p


def subjects(s, user):
    p = login(s, user)
    found = []
    for i in range(1, p.stat()[0] + 1):
        found += [l[9:].decode() for l in p.top(i, 0)[1] if l.lower().startswith(b"subject: ")]
    p.quit()
    return found


def kept(s, user, folder=""):
    box = os.path.join(s.mailbox(user), folder)
    return len(glob.glob(box + "/new/*") + glob.glob(box + "/cur/*"))


def ctl(s, *args, data=None):
    return subprocess.run([rs_serve.program("restanted"), *args[:1], "-c", s.conf, *args[1:]],
                          input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def set_rules(s, user, rules):
    """Write `rules` into the user's line."""
    with open(s.path("users")) as f:
        lines = f.readlines()
    with open(s.path("users"), "w") as f:
        for line in lines:
            name, password = line.rstrip("\n").split(":")[:2]
            old = line.rstrip("\n").split(":", 7)[7]
            f.write(f"{name}:{password}::::::{rules if name == user else old}\n")


CLEAR = {"auth": {"cleartext": "loopback"}}


@tap.case("a full mailbox refuses with 452 4.2.2, says so by recipient, and takes again when there is room")
def _():
    with rs_serve.Restanted(USERS, store={"quota": "20k"}, **CLEAR) as s:
        set_rules(s, BOB, "quota=0")
        big = message(1, 6000)
        assert not lmtp(s, [ANNA], big) and not lmtp(s, [ANNA], big) and not lmtp(s, [ANNA], big)
        refused = lmtp(s, [ANNA, BOB], big)
        assert list(refused) == [ANNA] and refused[ANNA][0] == 452, refused
        assert b"4.2.2" in refused[ANNA][1], refused
        assert kept(s, ANNA) == 3 and kept(s, BOB) == 1
        assert lmtp(s, [BOB, ANNA], big).keys() == {ANNA} and kept(s, BOB) == 2
        assert not lmtp(s, [ANNA], message(2)), "a small one still fits"
        p = login(s, ANNA)
        p.dele(1)
        p.quit()
        assert not lmtp(s, [ANNA], big) and kept(s, ANNA) == 4
        assert ctl(s, "deliver", ANNA, data=big).returncode == 75
        assert not glob.glob(s.mailbox(ANNA) + "/tmp/*")


@tap.case("quota-exceeded = permanent: 552 5.2.2; messages count too; a user's own quota counts more")
def _():
    with rs_serve.Restanted(USERS, store={"quota": "1M", "quota-exceeded": "permanent"}, **CLEAR) as s:
        set_rules(s, ANNA, "quota=0:2")
        assert not lmtp(s, [ANNA], message(1)) and not lmtp(s, [ANNA], message(2))
        refused = lmtp(s, [ANNA], message(3))
        assert refused[ANNA][0] == 552 and b"5.2.2" in refused[ANNA][1], refused
        assert ctl(s, "deliver", ANNA, data=message(3)).returncode == 73


@tap.case("deliveries at the same time do not go over the quota together")
def _():
    with rs_serve.Restanted(USERS, store={"quota": "100k"}, **CLEAR) as s:
        data = message(1, 6000)
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda _: lmtp(s, [ANNA], data), range(60)))
        used = sum(os.path.getsize(f) for f in glob.glob(s.mailbox(ANNA) + "/new/*"))
        assert 60_000 < used <= 100 * 1024, used


@tap.case("user+folder: login reaches the folder, delivery too where it is; +junk makes Junk; others go to main")
def _():
    with rs_serve.Restanted(USERS, **CLEAR) as s:
        assert not lmtp(s, ["anna+lists@example.org"], message(1))
        assert kept(s, ANNA) == 1, "no such folder: the main one"
        for sub in ("tmp", "new", "cur"):
            os.makedirs(s.mailbox(ANNA) + "/.Lists/" + sub, 0o777)
        os.system(f"chmod -R a+rwX {s.mailbox(ANNA)}/.Lists")
        assert not lmtp(s, ["anna+lists@example.org"], message(2))
        assert not lmtp(s, ["anna+JUNK@example.org", BOB], message(3))
        assert (kept(s, ANNA), kept(s, ANNA, ".Lists"), kept(s, ANNA, ".Junk")) == (1, 1, 1)
        assert os.path.exists(s.mailbox(ANNA) + "/.Junk/maildirfolder")
        assert subjects(s, "anna+Lists@example.org") == ["number 2"]
        assert subjects(s, "Anna+junk@example.org") == ["number 3"]
        assert subjects(s, "anna+nothere@example.org") == []
        assert subjects(s, ANNA) == ["number 1"]
        for bad in ("anna+@example.org", "anna+a..b@example.org", "anna+../bob@example.org",
                    "anna+.x@example.org", "bob+" + "x" * 65 + "@example.org"):
            try:
                login(s, bad)
                raise AssertionError("logged in as " + bad)
            except poplib.error_proto:
                pass
        p = login(s, "anna+junk@example.org")
        p.dele(1)
        p.quit()
        assert subjects(s, "anna+junk@example.org") == [] and kept(s, ANNA) == 1


def whole(p, i):
    """Message i as sent: (octets told by LIST, octets)."""
    told = int(p.list(i).split()[2])
    return told, b"\r\n".join(p.retr(i)[1]) + b"\r\n"


def uids(s, user):
    p = login(s, user)
    found = [l.split()[1].decode() for l in p.uidl()[1]]
    p.quit()
    return found


@tap.case("junk = show: in the main maildrop with a mark, sizes true, UIDs those of the folder; hide hides it")
def _():
    with rs_serve.Restanted(USERS, store={"junk": "show"}, **CLEAR) as s:
        assert not lmtp(s, [ANNA], message(1))
        assert not lmtp(s, ["anna+junk@example.org"], message(2, 200))
        assert not lmtp(s, ["anna+junk@example.org"], message(3, 3_000_000))
        assert not lmtp(s, [ANNA], message(4))
        p = login(s, ANNA)
        try:
            login(s, "anna+junk@example.org")
            raise AssertionError("two sessions in one maildrop")
        except poplib.error_proto as e:
            assert b"IN-USE" in e.args[0], e
        marked = []
        for i in range(1, 5):
            told, text = whole(p, i)
            assert told == len(text), (i, told, len(text))
            marked.append(text.startswith(b"X-Restante-Folder: Junk\r\nReturn-Path: "))
        assert marked == [False, True, True, False], marked
        assert p.stat()[1] == sum(whole(p, i)[0] for i in range(1, 5))
        p.quit()
        shown, alone = uids(s, ANNA), uids(s, "anna+junk@example.org")
        assert shown[1:3] == alone and len(set(shown)) == 4
        p = login(s, ANNA)
        p.dele(1)
        p.dele(2)
        p.quit()
        assert subjects(s, ANNA) == ["number 3", "number 4"]
        assert kept(s, ANNA, ".Junk") == 1 and uids(s, "anna+junk@example.org") == shown[2:3]
        set_rules(s, ANNA, "junk=separate")
        assert uids(s, ANNA) == shown[3:] and uids(s, "anna+junk@example.org") == shown[2:3]
        set_rules(s, ANNA, "junk=hide")
        assert uids(s, ANNA) == shown[3:] and uids(s, "anna+junk@example.org") == []


@tap.case("views: newest, age, since show a part and touch nothing else")
def _():
    with rs_serve.Restanted(USERS, store={"view": "newest:2"}, **CLEAR) as s:
        for i in range(4):
            assert not lmtp(s, [ANNA], message(i))
        old = s.mailbox(ANNA) + "/cur/1100000000.old.host:2,S"
        with open(old, "wb") as f:
            f.write(message(9))
        os.chmod(old, 0o644)
        assert subjects(s, ANNA) == ["number 2", "number 3"]
        set_rules(s, ANNA, "view=age:10")
        assert subjects(s, ANNA) == [f"number {i}" for i in range(4)]
        set_rules(s, ANNA, "view=since:2004-11-09")
        assert subjects(s, ANNA) == ["number 9"] + [f"number {i}" for i in range(4)]
        set_rules(s, ANNA, "view=since:2004-11-10")
        assert subjects(s, ANNA) == [f"number {i}" for i in range(4)]
        set_rules(s, ANNA, "view=newest:1")
        p = login(s, ANNA)
        p.dele(1)
        p.quit()
        set_rules(s, ANNA, "view=all")
        assert subjects(s, ANNA) == ["number 9"] + [f"number {i}" for i in range(3)]


@tap.case("deleted = keep: what a client deletes is in Kept, whole, and there it can be removed")
def _():
    with rs_serve.Restanted(USERS, store={"deleted": "keep", "junk": "show"}, **CLEAR) as s:
        for i in range(3):
            assert not lmtp(s, [ANNA], message(i))
        assert not lmtp(s, ["anna+junk@example.org"], message(3))
        p = login(s, ANNA)
        for i in (1, 3, 4):
            p.dele(i)
        p.quit()
        assert subjects(s, ANNA) == ["number 1"]
        assert sorted(subjects(s, "anna+kept@example.org")) == ["number 0", "number 2", "number 3"]
        assert not os.path.exists(s.mailbox(ANNA) + "/restante.delete")
        p = login(s, "anna+kept@example.org")
        for i in (1, 2):
            p.dele(i)
        p.quit()
        assert subjects(s, "anna+kept@example.org") and kept(s, ANNA, ".Kept") == 1
        assert kept(s, ANNA) == 1, os.listdir(s.mailbox(ANNA) + "/new")


tap.run()
