"""A mixed load on a restanted that keeps books: what was acknowledged, what was decided, and what may be either
way because the answer did not come. `Load.verify` holds the service to it.

    load = load.Load(server, users)
    load.start(); ...; load.stop()
    load.verify()

Python 3 standard library only.
"""
import hashlib
import poplib
import random
import smtplib
import socket
import ssl
import threading
import time

poplib._MAXLINE = 1 << 20
BROKEN = (OSError, EOFError, poplib.error_proto, smtplib.SMTPException)


def message(name, size):
    """A message that can be checked by itself: nothing of it may be missing, or another's."""
    body = ("." * (size % 3) + hashlib.sha256(name.encode()).hexdigest() + "\n") * (size // 65 + 1)
    digest = hashlib.sha256(body.encode()).hexdigest()
    return f"Subject: {name}\nX-Sum: {digest}\n\n{body}".encode()


def name_of(lines):
    """Name of a message that was fetched; raises when it is damaged."""
    at = lines.index(b"")
    head, body = lines[:at], b"\n".join(lines[at + 1:]) + b"\n"
    names = [l[9:].decode() for l in head if l.startswith(b"Subject: ")]
    sums = [l[7:].decode() for l in head if l.startswith(b"X-Sum: ")]
    assert len(names) == 1 and sums == [hashlib.sha256(body).hexdigest()], (names, "is damaged")
    return names[0]


class Books:
    """Of one account."""

    def __init__(self):
        self.lock = threading.Lock()
        self.acked, self.maybe_in = set(), set()
        self.deleted, self.maybe_out = set(), set()


class Load:
    def __init__(self, server, users, senders=3, seed=1):
        self.server, self.users, self.seed = server, users, seed
        self.books = {user: Books() for user in users}
        self.ending = threading.Event()
        self.failures = []
        self.sent = self.sessions = self.broken = 0
        self.threads = [threading.Thread(target=self.guard, args=(self.send, i)) for i in range(senders)]
        self.threads += [threading.Thread(target=self.guard, args=(self.fetch, user)) for user in users]

    def start(self):
        for t in self.threads:
            t.start()

    def stop(self):
        self.ending.set()
        for t in self.threads:
            t.join(120)
            assert not t.is_alive(), "somebody waits for an answer for ever"
        if self.failures:
            raise self.failures[0]

    def guard(self, function, argument):
        try:
            function(argument, random.Random(f"{self.seed} {argument}"))
        except BaseException as e:
            self.failures.append(e)
            self.ending.set()

    # --- mail in ---

    def send(self, who, r):
        link, n = None, 0
        while not self.ending.is_set():
            to = r.sample(list(self.users), r.choice((1, 1, 2)))
            name = f"s{self.seed}-{who}-{n}"
            n += 1
            try:
                if not link:
                    link = self.server.lmtp_connect(30)
                    link.ehlo_or_helo_if_needed()
                self.deliver(link, to, name, r.choice((10, 700, 5000, 100000)))
                if r.random() < 0.2:
                    link.quit()
                    link = None
            except BROKEN:
                self.broken += 1
                link = None
                time.sleep(0.02)

    def deliver(self, link, to, name, size):
        """One transaction. Until its answer has come it may be either way."""
        wire = message(name, size).replace(b"\n", b"\r\n")
        link.mail("load@example.net")
        taken = [a for a in to if link.rcpt(a)[0] == 250]
        if not taken:
            link.rset()
            return
        for a in taken:
            self.books[a].maybe_in.add(name)
        answers = [link.data(wire)]
        for at, a in enumerate(taken):
            code = answers[at][0]
            with self.books[a].lock:
                if code == 250:
                    self.books[a].acked.add(name)
            self.sent += code == 250
            if at + 1 < len(taken):
                answers.append(link.getreply())

    # --- mail out ---

    def session(self, user, r):
        if r.random() < 0.3:
            context = ssl.create_default_context(cafile=self.server.ca_file)
            pop = poplib.POP3_SSL("localhost", self.server.pop3s_port, context=context, timeout=30)
        else:
            pop = poplib.POP3("127.0.0.1", self.server.pop3_port, timeout=30)
        try:
            pop.user(user)
            pop.pass_(self.users[user])
        except BROKEN:
            pop.close()
            raise
        return pop

    def fetch(self, user, r):
        while not self.ending.is_set():
            marked, pop = set(), None
            try:
                pop = self.session(user, r)
                count = len(pop.list()[1])
                some = r.choice((0, 3, 10)) if count < 60 else count - 20  # else maildrops grow without end
                for i in r.sample(range(1, count + 1), min(count, some)):
                    name = name_of(pop.retr(i)[1])
                    with self.books[user].lock:
                        assert name not in self.books[user].deleted, f"{name} came back"
                    if r.random() < 0.6:
                        pop.dele(i)
                        marked.add(name)
                self.sessions += 1
                if r.random() < 0.2:
                    pop.sock.shutdown(socket.SHUT_RDWR)  # nothing may go
                    pop.close()
                else:
                    self.quit(user, pop, marked)
            except BROKEN as e:
                # a session that hung up may have the maildrop until its end is noticed
                self.broken += "IN-USE" not in str(e)
                if pop:
                    pop.close()
                time.sleep(0.02)
            time.sleep(r.random() * 0.03)

    def quit(self, user, pop, marked):
        books = self.books[user]
        with books.lock:
            books.maybe_out |= marked
        try:
            pop.quit()
        except poplib.error_proto:
            return  # -ERR: it says how many remain, so it may be some of them
        with books.lock:
            books.deleted |= marked

    # --- the books ---

    def present(self, user):
        end = time.monotonic() + 60
        while True:
            try:
                pop = self.session(user, random.Random(0))
                names = [name_of(pop.retr(i + 1)[1]) for i in range(pop.stat()[0])]
                pop.quit()
                return names
            except BROKEN:
                assert time.monotonic() < end, f"{user} cannot log in any more"
                time.sleep(0.1)

    def verify(self):
        """Nothing lost, nothing twice, nothing back, nothing from nowhere."""
        for user, b in self.books.items():
            names = self.present(user)
            there = set(names)
            assert len(names) == len(there), f"{user}: something is there twice"
            lost = b.acked - there - b.deleted - b.maybe_out
            assert not lost, f"{user}: acknowledged, not deleted, and not there: {sorted(lost)[:5]}"
            back = b.deleted & there
            assert not back, f"{user}: deleted and there again: {sorted(back)[:5]}"
            strange = there - b.acked - b.maybe_in
            assert not strange, f"{user}: never sent: {sorted(strange)[:5]}"
