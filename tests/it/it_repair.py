"""restanted mailbox list|verify|repair: what is in a mailbox, found and mended without the service."""
import json
import os
import poplib
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rs_serve
import tap

ANNA = "anna@example.org"
CLEAR = {"cleartext": "loopback"}
QUOTA = {"quota": "1000000"}


def command(s, *args):
    done = subprocess.run([rs_serve.program("restanted"), args[0], "-c", s.conf, *args[1:]], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return done.returncode, done.stdout, done.stderr


def mailbox(s, verb, status=0):
    got, out, err = command(s, "mailbox", "--json", verb, ANNA)
    assert got == status, (verb, got, out, err)
    return json.loads(out)


def login(s):
    pop = poplib.POP3("127.0.0.1", s.pop3_port, timeout=60)
    pop.user(ANNA)
    pop.pass_("secret")
    return pop


def told(s):
    """What a client sees: [(octets, UID), …]."""
    pop = login(s)
    sizes = [int(l.split()[1]) for l in pop.list()[1]]
    uids = [l.split()[1].decode() for l in pop.uidl()[1]]
    pop.quit()
    return list(zip(sizes, uids))


def messages(n):
    return [b"Subject: %d\n\n" % i + b"line\n" * i for i in range(1, n + 1)]


def foreign(s, name, octets, sub="cur"):
    """A message as another program delivers it."""
    path = os.path.join(s.mailbox(ANNA), sub, name)
    with open(path, "wb") as f:
        f.write(octets)
    if os.getuid() == 0:
        os.chown(path, 65534, 65534)
    return path


def owners(s):
    return {os.stat(os.path.join(at, f)).st_uid for at, _, files in os.walk(s.mailbox(ANNA)) for f in files}


def serve(n):
    s = rs_serve.Restanted({ANNA: "secret"}, auth=CLEAR, store=QUOTA)
    s.__enter__()
    s.deliver(ANNA, messages(n))
    return s


def one(s, sub="new"):
    folder = os.path.join(s.mailbox(ANNA), sub)
    return os.path.join(folder, sorted(os.listdir(folder))[0])


@tap.case("list tells what a POP3 client is told, and where each message is")
def _():
    s = serve(5)
    try:
        foreign(s, "1600000000.x.host:2,S", b"Subject: old\n\nnoend")
        want = told(s)
        rows = mailbox(s, "list")["messages"]
        assert [(r["octets"], r["uid"]) for r in rows] == want
        assert [r["number"] for r in rows] == list(range(1, 7))
        assert rows[0]["file"] == "cur/1600000000.x.host:2,S"
        assert all(os.path.exists(os.path.join(s.mailbox(ANNA), r["file"])) for r in rows)
        text = command(s, "mailbox", "list", ANNA)[1]
        assert text.splitlines()[0].split()[:3] == ["1", str(want[0][0]), want[0][1]], text
        assert command(s, "mailbox", "list", "nobody@example.org")[0] == 67
    finally:
        s.__exit__()


@tap.case("verify: all is well, exit 0; each flaw is named with its place, exit 65; nothing is changed")
def _():
    s = serve(80)
    try:
        foreign(s, "1600000000.x.host:2,S", b"Subject: old\n\nnoend")
        os.unlink(os.path.join(s.mailbox(ANNA), "maildirsize"))  # it did not count that one
        told(s)
        assert mailbox(s, "verify")["flaws"] == []
        box = s.mailbox(ANNA)
        assert os.getuid() != 0 or owners(s) == {65534}, "verify left files of root"
        with open(one(s), "ab") as f:
            f.write(b"somebody was here\n")
        os.symlink("/nowhere", os.path.join(box, "cur", "1600000001.y.host:2,"))
        stray = foreign(s, "1600000002.z.host", b"half", "tmp")
        os.utime(stray, (time.time() - 40 * 3600,) * 2)
        shutil.copy(os.path.join(box, "cur", "1600000000.x.host:2,S"),
                    os.path.join(box, "cur", "1600000000.x.host:2,"))
        with open(os.path.join(box, "restante.index"), "r+b") as f:
            f.seek(200)
            f.write(b"\xff\xfe")
        with open(os.path.join(box, "restante.uidl"), "r+b") as f:
            f.truncate(os.path.getsize(os.path.join(box, "restante.uidl")) - 3)
        with open(os.path.join(box, "maildirsize"), "wb") as f:
            f.write(b"1000000S\n5 1\n")
        with open(os.path.join(box, "restante.delete"), "wb") as f:
            f.write(b"restante-delete 1\n5 a.b.c\nend 1 0000\n")
        before = {n: os.stat(os.path.join(box, n)).st_mtime_ns for n in os.listdir(box)
                  if n != "restante.lock"}
        flaws = mailbox(s, "verify", 65)["flaws"]
        kinds = sorted({f["kind"] for f in flaws})
        assert kinds == ["index", "quota", "record", "size", "tmp", "twin", "uidlist", "unreadable"], flaws
        assert all(box in f["text"] for f in flaws)
        assert before == {n: os.stat(os.path.join(box, n)).st_mtime_ns for n in before}
        code, text, _ = command(s, "mailbox", "verify", ANNA)
        assert code == 65 and "repair" in text
    finally:
        s.__exit__()


@tap.case("repair: sizes are right again, no UID has changed, what it did is told, and then all is well")
def _():
    s = serve(80)
    try:
        foreign(s, "1600000000.x.host:2,S", b"Subject: old\n\nnoend")
        before = told(s)
        box = s.mailbox(ANNA)
        with open(one(s), "ab") as f:
            f.write(b"somebody was here\n")
        pop = login(s)
        try:
            pop.retr(2)
            raise AssertionError("a message that is not what was told was sent")
        except poplib.error_proto:
            pass
        pop.quit()
        with open(os.path.join(box, "restante.index"), "r+b") as f:
            f.seek(200)
            f.write(b"\xff\xfe")
        with open(os.path.join(box, "maildirsize"), "wb") as f:
            f.write(b"1000000S\n5 1\n")
        did = mailbox(s, "repair")["did"]
        assert len(did) >= 2 and any("wrong size" in d for d in did) and any("counted" in d for d in did), did
        after = told(s)
        assert [u for _, u in after] == [u for _, u in before]
        assert after[1][0] == before[1][0] + len(b"somebody was here\r\n")
        pop = login(s)
        assert b"somebody was here" in pop.retr(2)[1]
        pop.quit()
        assert mailbox(s, "verify")["flaws"] == []
        assert os.getuid() != 0 or owners(s) == {65534}, "repair left files of root"
        did = mailbox(s, "repair")["did"]
        assert did == [], did
    finally:
        s.__exit__()


@tap.case("repair: UIDs taken over from another server survive the loss of the UID list, and a damaged one")
def _():
    s = serve(80)
    try:
        names = sorted(os.listdir(os.path.join(s.mailbox(ANNA), "new")))
        path = os.path.join(s.mailbox(ANNA), "restante.uidl")
        order = names[::-1][:20]
        with open(path, "w") as f:
            f.write("restante-uidl 1\n")
            for i, name in enumerate(order):
                f.write(f"1 1 taken-{i} {len(name)} {name}\n")
            f.write("end 20\n")
        if os.getuid() == 0:
            os.chown(path, 65534, 65534)
        before = told(s)
        assert [u for _, u in before][:20] == [f"taken-{i}" for i in range(20)]
        file = os.path.join(s.mailbox(ANNA), "new", order[2])
        with open(file, "ab") as f:  # its name must change, its UID and place must not
            f.write(b"longer\n")
        mailbox(s, "repair")
        assert not os.path.exists(file)
        assert [u for _, u in told(s)] == [u for _, u in before]
        before = told(s)
        assert mailbox(s, "verify")["flaws"] == []
        assert mailbox(s, "verify")["imported"] == 20
        os.unlink(path)  # the index still knows
        did = mailbox(s, "repair")["did"]
        assert any("20 UIDs" in d for d in did), did
        assert told(s) == before
        with open(path, "r+b") as f:  # one line broken, and no index
            text = f.read().replace(b" taken-3 ", b" taken\x003 ")
            f.seek(0)
            f.write(text)
        os.unlink(os.path.join(s.mailbox(ANNA), "restante.index"))
        assert {f["kind"] for f in mailbox(s, "verify", 65)["flaws"]} == {"uidlist"}
        mailbox(s, "repair")
        after = [u for _, u in told(s)]
        kept = [f"taken-{i}" for i in range(20) if i != 3]
        assert after[:19] == kept, after[:21]
        assert os.path.exists(path + ".damaged")
    finally:
        s.__exit__()


@tap.case("repair finishes what a QUIT had decided; with a session open it waits for nobody: exit 75")
def _():
    s = serve(6)
    try:
        pop = login(s)
        for verb in ("verify", "repair"):
            code, _, err = command(s, "mailbox", verb, ANNA)
            assert code == 75 and "session" in err, (verb, code, err)
        assert len(mailbox(s, "list")["messages"]) == 6  # looking needs no lock
        pop.quit()
        while mailbox_locked(s):
            time.sleep(0.05)
        names = sorted(os.listdir(os.path.join(s.mailbox(ANNA), "new")))
        import hashlib
        text = "restante-delete 1\n" + "".join(f"{len(n)} {n}\n" for n in names[:2])
        record = os.path.join(s.mailbox(ANNA), "restante.delete")
        with open(record, "w") as f:
            f.write(text + f"end 2 {hashlib.sha256(text.encode()).hexdigest()}\n")
        if os.getuid() == 0:
            os.chown(record, 65534, 65534)
        flaws = mailbox(s, "verify", 65)["flaws"]
        assert [f["kind"] for f in flaws] == ["pending"], flaws
        mailbox(s, "repair")
        assert len(told(s)) == 4 and not os.path.exists(record)
    finally:
        s.__exit__()


def mailbox_locked(s):
    return command(s, "mailbox", "verify", ANNA)[0] == 75


tap.run()
