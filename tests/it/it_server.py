"""The service as a whole: what a session may rely on, what happens when a role is killed.

Against the real restanted (tests/tools/rs_serve.py), over loopback.
"""
import os
import poplib
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import corpus
import rs_serve
import tap

ANNA = "anna@example.org"
USERS = {ANNA: "secret", "ben@example.org": "hidden"}
CLEAR = {"cleartext": "loopback"}
poplib._MAXLINE = 1 << 20


def login(server, user=ANNA, password="secret"):
    pop = poplib.POP3("127.0.0.1", server.pop3_port, timeout=60)
    pop.user(user)
    pop.pass_(password)
    return pop


def hang_up(pop):
    pop.sock.shutdown(socket.SHUT_RDWR)
    pop.close()


def refused(function, *words):
    """The error text of a call that must be refused, holding one of `words`."""
    try:
        function()
    except poplib.error_proto as e:
        text = str(e)
        assert not words or any(w in text for w in words), text
        return text
    raise AssertionError("this should have been refused")


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return
        except (OSError, poplib.error_proto, AssertionError):
            pass
        time.sleep(0.05)
    raise AssertionError("it did not come to that")


def wait_pids(server, role, old):
    until(lambda: server.roles().get(role) and not set(server.roles()[role]) & set(old))


@tap.case("what LMTP took in comes out of POP3S octet by octet")
def _():
    messages = corpus.corpus(60, final_newline=False)
    with rs_serve.Restanted(USERS) as s:
        s.deliver(ANNA, messages)
        context = ssl.create_default_context(cafile=s.ca_file)
        pop = poplib.POP3_SSL("localhost", s.pop3s_port, context=context, timeout=60)
        pop.user(ANNA)
        pop.pass_("secret")
        sizes = {int(l.split()[0]): int(l.split()[1]) for l in pop.list()[1]}
        for i, source in enumerate(messages, 1):
            _, lines, _ = pop.retr(i)
            got = b"\r\n".join(lines) + b"\r\n"
            assert len(got) == sizes[i], "law 5: LIST told another size"
            body = re.sub(rb"\A(?:(?:Return-Path|Delivered-To|Received):[^\n]*\n(?:[ \t][^\n]*\n)*)+",
                          b"", got)
            want = source.replace(b"\n", b"\r\n")
            assert body == (want if want.endswith(b"\r\n") else want + b"\r\n"), i
        pop.quit()


@tap.case("STLS: a handshake, then a login; octets sent with STLS end the session")
def _():
    with rs_serve.Restanted(USERS) as s:
        pop = poplib.POP3("127.0.0.1", s.pop3_port, timeout=60)
        refused(lambda: pop.user(ANNA), "TLS")
        context = ssl.create_default_context(cafile=s.ca_file)
        context.check_hostname = False
        pop.stls(context)
        pop.user(ANNA)
        pop.pass_("secret")
        pop.quit()
        raw, f = s.raw()
        f.write(b"STLS\r\nUSER evil\r\nPASS evil\r\n")
        assert f.readline().startswith(b"+OK")
        raw.settimeout(20)
        try:
            assert f.read(100) == b"", "something was answered"
        except ConnectionResetError:
            pass
        assert "injection" in s.log_text()


@tap.case("wrong password, unknown user, disabled user: the same words, code AUTH")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR) as s:
        one = refused(lambda: login(s, ANNA, "wrong"), "[AUTH]")
        assert one == refused(lambda: login(s, "nobody@example.org", "x"), "[AUTH]")
        assert one == refused(lambda: login(s, "../../etc/passwd", "x"), "[AUTH]")
        login(s).quit()


@tap.case("AUTH PLAIN and AUTH LOGIN over TLS")
def _():
    with rs_serve.Restanted(USERS) as s:
        context = ssl.create_default_context(cafile=s.ca_file)
        for lines in ((b"AUTH PLAIN AGFubmFAZXhhbXBsZS5vcmcAc2VjcmV0",),
                      (b"AUTH PLAIN", b"AGFubmFAZXhhbXBsZS5vcmcAc2VjcmV0"),
                      (b"AUTH LOGIN", b"YW5uYUBleGFtcGxlLm9yZw==", b"c2VjcmV0")):
            with socket.create_connection(("localhost", s.pop3s_port), 60) as plain:
                with context.wrap_socket(plain, server_hostname="localhost") as tls:
                    f = tls.makefile("rwb", buffering=0)
                    f.readline()
                    for i, line in enumerate(lines, 1):
                        f.write(line + b"\r\n")
                        answer = f.readline()
                        assert answer.startswith(b"+OK" if i == len(lines) else b"+ "), answer
                    f.write(b"QUIT\r\n")
                    f.readline()


@tap.case("one session at a time: the second is told IN-USE, the next one gets in")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR) as s:
        s.deliver(ANNA, corpus.corpus(2))
        first = login(s)
        refused(lambda: login(s), "[IN-USE]")
        first.quit()
        until(lambda: login(s).quit())
        dropped = login(s)
        hang_up(dropped)
        until(lambda: login(s).quit())


@tap.case("many sessions of one user at once, again and again: each gets in or is told IN-USE")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR) as s:
        replies = []

        def one_by_one():
            for _ in range(40):
                try:
                    login(s).quit()
                except poplib.error_proto as e:
                    replies.append(e.args[0].decode())
        threads = [threading.Thread(target=one_by_one) for _ in range(6)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert all("[IN-USE]" in r for r in replies), replies[:3]
        assert "role-ended" not in s.log_text()


@tap.case("a session that hangs up deletes nothing, wherever it is cut")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR) as s:
        s.deliver(ANNA, corpus.corpus(3))
        text = f"USER {ANNA}\r\nPASS secret\r\nDELE 1\r\nDELE 2\r\nRETR 3\r\nQUIT\r".encode()
        for cut in range(1, len(text) + 1, 3):
            raw, f = s.raw()
            f.write(text[:cut])
            f.close()
            raw.close()
        def whole():
            pop = login(s)
            count = pop.stat()[0]
            pop.quit()
            assert count == 3, count
            return True
        until(whole)


@tap.case("mail that comes during a session is not in its table, and is in the next one's")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR) as s:
        s.deliver(ANNA, corpus.corpus(2))
        pop = login(s)
        s.deliver(ANNA, corpus.corpus(1, seed=9))
        assert pop.stat()[0] == 2
        uids = pop.uidl()[1]
        pop.dele(1)
        pop.quit()
        pop = login(s)
        assert pop.stat()[0] == 2
        assert pop.uidl()[1][0].split()[1] == uids[1].split()[1]
        pop.quit()


@tap.case("500 pipelined RETR, all answers in order")
def _():
    messages = corpus.corpus(500)
    with rs_serve.Restanted(USERS, auth=CLEAR) as s:
        s.deliver(ANNA, messages)
        raw, f = s.raw()
        f = raw.makefile("rwb")
        commands = f"USER {ANNA}\r\nPASS secret\r\n" + "".join(f"RETR {i}\r\n" for i in range(1, 501))
        f.write(commands.encode() + b"QUIT\r\n")
        f.flush()
        assert f.readline().startswith(b"+OK") and f.readline().startswith(b"+OK")
        for i in range(500):
            size = int(f.readline().split()[1])
            octets = 0
            while (line := f.readline()) != b".\r\n":
                octets += len(line) - line.startswith(b"..")
            assert octets == size, (i, octets, size)
        assert f.readline().startswith(b"+OK")


@tap.case("LMTP: unknown and good recipients of one message, NUL and bare LF kept, one body for all")
def _():
    with rs_serve.Restanted(USERS, workers=1, auth=CLEAR) as s:
        with s.lmtp_connect() as lmtp:
            lmtp.ehlo_or_helo_if_needed()
            lmtp.mail("peer@example.org")
            assert lmtp.rcpt("nobody@example.org")[0] == 550
            assert lmtp.rcpt("anna+tag@example.org")[0] == 250
            assert lmtp.rcpt("../x@example.org")[0] in (550, 553)
            assert lmtp.data(b"Subject: x\r\n\r\na\0b\r\n")[0] == 250
        s.deliver_many([ANNA, "ben@example.org"], corpus.corpus(1, seed=3))
        box = [os.path.join(s.mailbox(u), "new") for u in (ANNA, "ben@example.org")]
        inodes = [{os.stat(os.path.join(b, n)).st_ino for n in os.listdir(b)} for b in box]
        assert inodes[0] & inodes[1], "the body was written twice"
        pop = login(s)
        assert b"a\0b" in pop.retr(1)[1]
        pop.quit()


@tap.case("a message over message-size is refused and nothing of it is kept")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR, limits={"message-size": "10k"}) as s:
        try:
            s.deliver(ANNA, [b"Subject: x\n\n" + b"y" * 70 * 1000])
            raise AssertionError("it was accepted")
        except rs_serve.smtplib.SMTPResponseException as e:
            assert e.smtp_code == 552, e
        assert not os.path.exists(os.path.join(s.mailbox(ANNA), "new")) or \
            not os.listdir(os.path.join(s.mailbox(ANNA), "new"))
        s.deliver(ANNA, [b"Subject: small\n\n"])


@tap.case("roles are processes of their own, without root where it was given")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR) as s:
        roles = s.roles()
        assert {k: len(v) for k, v in roles.items()} == {"admin": 1, "auth": 1, "front": 2, "store": 2}, roles
        for pids in roles.values():
            for pid in pids:
                with open(f"/proc/{pid}/status") as f:
                    status = f.read()
                assert re.search(r"NoNewPrivs:\s+1", status)
                if os.getuid() == 0:
                    assert re.search(r"Uid:\s+65534\s+65534\s+65534\s+65534", status), status
        if os.getuid() == 0:
            assert os.readlink(f"/proc/{roles['front'][0]}/root").endswith("/run/empty")


@tap.case("as an ordinary user: mail in, mail out, nothing of root")
def _():
    with rs_serve.Restanted(USERS, ordinary=True, auth=CLEAR) as s:
        s.deliver(ANNA, corpus.corpus(3))
        pop = login(s)
        assert pop.stat()[0] == 3
        pop.dele(2)
        pop.quit()
        until(lambda: login(s).stat()[0] == 2)
        for pids in s.roles().values():
            for pid in pids:
                with open(f"/proc/{pid}/status") as f:
                    assert not re.search(r"Uid:\s+0", f.read())


@tap.case("SIGKILL of a store in mid-session: an error, nothing lost, the next session works")
def _():
    with rs_serve.Restanted(USERS, workers=1, auth=CLEAR) as s:
        s.deliver(ANNA, corpus.corpus(5))
        pop = login(s)
        pop.dele(1)
        old = s.roles()["store"]
        os.kill(old[0], signal.SIGKILL)
        try:
            pop.retr(2)
            raise AssertionError("the session went on without its store")
        except (poplib.error_proto, OSError, EOFError):
            pass
        wait_pids(s, "store", old)
        until(lambda: login(s).quit())
        pop = login(s)
        assert pop.stat()[0] == 5
        pop.quit()
        assert "role-ended" in s.log_text()
        s.deliver(ANNA, corpus.corpus(1))


@tap.case("SIGKILL of a front in mid-session: the line breaks, nothing lost, the next session works")
def _():
    with rs_serve.Restanted(USERS, workers=1, auth=CLEAR) as s:
        s.deliver(ANNA, corpus.corpus(5))
        pop = login(s)
        pop.dele(1)
        old = s.roles()["front"]
        os.kill(old[0], signal.SIGKILL)
        try:
            pop.quit()
            raise AssertionError("QUIT was answered by nobody")
        except (poplib.error_proto, OSError, EOFError):
            pass
        wait_pids(s, "front", old)
        until(lambda: login(s).stat()[0] == 5)


@tap.case("SIGKILL of auth: logins go on when it is back")
def _():
    with rs_serve.Restanted(USERS, workers=1, auth=CLEAR) as s:
        staying = login(s)
        old = s.roles()["auth"]
        os.kill(old[0], signal.SIGKILL)
        wait_pids(s, "auth", old)
        staying.noop()
        staying.quit()
        until(lambda: login(s).quit())


@tap.case("kills of the store while mail comes in: what was told 250 is there, once")
def _():
    with rs_serve.Restanted(USERS, workers=1, auth=CLEAR) as s:
        told = []
        for i in range(60):
            octets = b"Subject: n%d\n\nbody %d\n" % (i, i)
            if i % 12 == 6:
                os.kill(s.roles()["store"][0], signal.SIGKILL)
            try:
                s.deliver(ANNA, [octets])
                told.append(b"Subject: n%d" % i)
            except (rs_serve.smtplib.SMTPException, OSError):
                time.sleep(0.1)
        until(lambda: login(s).quit())
        pop = login(s)
        there = [next(l for l in pop.retr(i + 1)[1] if l.startswith(b"Subject:"))
                 for i in range(pop.stat()[0])]
        pop.quit()
        assert len(told) > 20
        assert set(told) <= set(there), set(told) - set(there)
        assert len(there) == len(set(there)), "something is there twice"


@tap.case("SIGTERM: clean end, no process left, sockets gone, 0 as exit status")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR) as s:
        pop = login(s)
        pids = [p for group in s.roles().values() for p in group]
        assert s.stop() == 0, s.log_text()
        assert not any(os.path.exists(f"/proc/{p}") for p in pids)
        assert not os.path.exists(s.lmtp)
        try:
            pop.noop()
            raise AssertionError("answered by nobody")
        except (poplib.error_proto, OSError, EOFError):
            pass
        s.start()
        until(lambda: login(s).quit())


@tap.case("a second restanted on the same run-dir is refused, and says why")
def _():
    with rs_serve.Restanted(USERS) as s:
        done = subprocess.run([s.program, "serve", "-c", s.conf], stderr=subprocess.PIPE, text=True,
                              timeout=60)
        assert done.returncode == 75 and "another restanted" in done.stderr, done.stderr


@tap.case("a broken line in the configuration: file, line, what and the cure; exit status 78")
def _():
    with rs_serve.Restanted(USERS) as s:
        good = open(s.conf).read()
        for broken, words in (("[server]\nhostnam = x\n", "hostnam"), ("[nonsense]\n", "nonsense"),
                              ("[listen]\npop3s = nowhere\n", "ADDRESS:PORT"),
                              ("[auth]\ncleartext = perhaps\n", "never, loopback or always")):
            path = s.path("broken.conf")
            with open(path, "w") as f:
                f.write("; a comment\n" + broken)
            done = subprocess.run([s.program, "check-config", "-c", path], stderr=subprocess.PIPE,
                                  text=True, timeout=60)
            assert done.returncode == 78 and words in done.stderr, (broken, done.stderr)
            assert re.search(r"broken\.conf:\d+: ", done.stderr), done.stderr
        # names that nobody has: before the start, not at it
        for key in ["admin-group", "front-user"] if os.getuid() == 0 else ["admin-group"]:
            lines = [line for line in good.splitlines(True) if not line.startswith(key)]
            lines.insert(lines.index("[server]\n") + 1, f"{key} = nobody-here\n")
            with open(path, "w") as f:
                f.writelines(lines)
            done = subprocess.run([s.program, "check-config", "-c", path], stderr=subprocess.PIPE,
                                  text=True, timeout=60)
            assert done.returncode == 78 and "nobody-here" in done.stderr, (key, done)


@tap.case("user add, list, remove, and deliver")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR) as s:
        def run(*args, text=""):
            return subprocess.run([s.program, *args[:1], *args[1:], "-c", s.conf], input=text,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        assert run("user", "add", "--password-stdin", "Carl@Example.org", text="pw\n").returncode == 0
        assert "carl@example.org" in run("user", "list").stdout
        again = run("user", "add", "--password-stdin", "carl@example.org", text="pw\n")
        assert again.returncode == 65 and "already" in again.stderr
        until(lambda: login(s, "carl@example.org", "pw").quit())
        for i in (1, 2):  # as root too it is the owner's: first where there is no mailbox yet, then where there is
            done = run("deliver", "-f", "a@b.org", "carl@example.org", text="Subject: x\n\nHello\n")
            assert done.returncode == 0, done.stderr
            pop = login(s, "carl@example.org", "pw")
            assert b"Return-Path: <a@b.org>" in pop.retr(i)[1]
            pop.quit()
        assert run("deliver", "nobody@example.org", text="x\n").returncode == 67
        assert run("user", "remove", "carl@example.org").returncode == 0
        until(lambda: refused(lambda: login(s, "carl@example.org", "pw"), "[AUTH]"))


@tap.case("a full disk: 452, and the mail program of the sender keeps the message")
def _():
    if os.getuid() != 0:
        raise tap.Skip("a small file system needs root")
    with rs_serve.Restanted(USERS, auth=CLEAR) as s:
        s.stop()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k,uid=65534,gid=65534", "tmpfs",
                        s.path("mail")], check=True)
        s.start() # Landlock holds on to the folder that was there when the store started
        try:
            s.deliver(ANNA, [b"Subject: small\n\n"])
            try:
                s.deliver(ANNA, [b"Subject: big\n\n" + (b"y" * 70 + b"\n") * 10000])
                raise AssertionError("it was accepted")
            except rs_serve.smtplib.SMTPResponseException as e:
                assert e.smtp_code == 452, e
            box = os.path.join(s.mailbox(ANNA))
            assert len(os.listdir(box + "/new")) == 1 and not os.listdir(box + "/tmp")
            pop = login(s)
            assert pop.stat()[0] == 1
            pop.quit()
        finally:
            s.stop()
            subprocess.run(["umount", s.path("mail")], check=True)


def peak_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1))


@tap.case("a message of 100 MiB in and out: every role stays within 32 MiB above idle")
def _():
    if not os.environ.get("RS_RELEASE_BUILD"):
        raise tap.Skip("memory is measured without sanitizers: run ./test")
    line = b"0123456789abcdef" * 4 + b"\n"
    with rs_serve.Restanted(USERS, workers=1, release=True, auth=CLEAR) as s:
        pids = [p for group in s.roles().values() for p in group]
        idle = {p: peak_kib(p) for p in pids}
        s.deliver(ANNA, [b"Subject: big\n\n" + line * (100 * 1024 * 1024 // len(line))])
        raw, f = s.raw()
        f = raw.makefile("rwb")
        f.write(f"USER {ANNA}\r\nPASS secret\r\nRETR 1\r\nQUIT\r\n".encode())
        f.flush()
        f.readline(), f.readline()
        size = int(f.readline().split()[1])
        octets = 0
        while (got := f.readline()) != b".\r\n":
            octets += len(got)
        assert octets == size > 100 * 1024 * 1024
        for name, group in s.roles().items():
            for pid in group:
                grown = peak_kib(pid) - idle[pid]
                print(f"# {name}: peak {peak_kib(pid)} KiB, {grown} KiB above idle")
                assert grown < 32 * 1024, name


def peak_of(command, env):
    """Peak RSS in KiB of one program that runs to its end. Measured by a small process: a child
    counts what its parent held when it forked."""
    code = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, "
            "stdout=subprocess.DEVNULL); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    return int(subprocess.run([sys.executable, "-c", code, *command], env=env, check=True, text=True,
                              stdout=subprocess.PIPE).stdout)


@tap.case("the mail program fetches a message of 100 MiB within 32 MiB above an idle check")
def _():
    if not os.environ.get("RS_RELEASE_BUILD"):
        raise tap.Skip("memory is measured without sanitizers: run ./test")
    line = b"0123456789abcdef" * 4 + b"\n"
    octets = b"Subject: big\n\n" + line * (100 * 1024 * 1024 // len(line))
    with rs_serve.Restanted(USERS, release=True) as s:
        restante = rs_serve.program("restante", release=True)
        env = {**os.environ, "RESTANTE_HOME": s.path("home")}
        subprocess.run([restante, "account", "add", ANNA, "--name", "anna", "--no-input", "--no-smtp",
                        "--pop3", f"localhost:{s.pop3s_port}", "--user", ANNA, "--ca-file", s.ca_file,
                        "--password-stdin"], input=b"secret\n", env=env, check=True,
                       stdout=subprocess.DEVNULL)
        idle = peak_of([restante, "check"], env)
        s.deliver(ANNA, [octets])
        peak = peak_of([restante, "check"], env)
        print(f"# restante check: idle {idle} KiB, peak {peak} KiB")
        assert peak - idle < 32 * 1024
        found = []
        for folder, _, files in os.walk(s.path("home/mail")):
            found += [os.path.getsize(os.path.join(folder, n)) for n in files]
        assert max(found) >= len(octets), found


tap.run()
