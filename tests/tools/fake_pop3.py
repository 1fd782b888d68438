"""A POP3 server that does as the test says: for refusals and faults a right server does not show.

    with FakePop3([b"Subject: x\\n\\nHello\\n"], replies={"PASS": "-ERR [IN-USE] locked"}) as fake:
        fake.port

replies   verb, or verb and argument ("RETR 2") -> the whole answer line in place of the right one; bytes are sent as
          they are; None hangs up; a function is called with the words and gives one of these, or False for the right answer
tls       None, "implicit" or "starttls"; then certificate = (certificate file, key file)
greeting  the first line
capa      what CAPA lists; None: -ERR
uids      the second words of UIDL (str or bytes); None: uid-1, uid-2, ...
sizes     the second words of LIST; None: the right ones
early     numbers of messages that end in their middle, with a final dot as if they were whole
stall_at  number of the message in whose middle the server falls silent (until it is closed)
hang_at   number of the message in whose middle the server hangs up
ignores_pipelining  what came together with a login is thrown away

deleted   numbers that were deleted by a session that said QUIT
seen      verbs; log: lines; turns: how often it had to wait for the client, by session

All of it may be changed between sessions. Octets of messages have LF line ends. Python 3 standard library only.
"""
import socket
import ssl
import threading


class FakePop3:
    def __init__(self, messages=(), replies=None, tls=None, certificate=None, greeting="+OK fake",
                 capa=("USER", "UIDL", "TOP", "PIPELINING", "RESP-CODES", "AUTH-RESP-CODE"),
                 stall_at=0, uids=None, sizes=None, early=(), hang_at=0, ignores_pipelining=False):
        self.messages, self.replies = list(messages), replies or {}
        self.tls, self.certificate = tls, certificate
        self.greeting, self.capa, self.stall_at = greeting, capa, stall_at
        self.uids, self.sizes, self.early, self.hang_at = uids, sizes, set(early), hang_at
        self.ignores_pipelining = ignores_pipelining
        self.deleted, self.seen, self.log, self.turns = set(), [], [], []
        self.stalled = threading.Event()
        self.closing = threading.Event()

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)

    def accept(self):
        while not self.closing.is_set():
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(link,), daemon=True).start()

    def context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.certificate)
        return context

    def serve(self, link):
        link.settimeout(60)
        try:
            if self.tls == "implicit":
                link = self.context().wrap_socket(link, server_side=True)
            Session(self, link).run()
        except (OSError, ssl.SSLError):
            pass
        finally:
            link.close()


class Session:
    def __init__(self, fake, link):
        self.fake, self.link = fake, link
        self.pending, self.out, self.marked = b"", b"", set()
        fake.turns.append(0)
        self.session = len(fake.turns) - 1

    def flush(self):
        self.link.sendall(self.out)
        self.out = b""

    def readline(self):
        while b"\n" not in self.pending:
            self.flush()
            self.fake.turns[self.session] += 1
            piece = self.link.recv(65536)
            if not piece:
                return b""
            self.pending += piece
        line, _, self.pending = self.pending.partition(b"\n")
        return line.rstrip(b"\r")

    def say(self, text):
        self.out += (text if isinstance(text, bytes) else text.encode()) + b"\r\n"

    def lines(self, first, rows):
        self.say(b"\r\n".join(r if isinstance(r, bytes) else r.encode() for r in [first, *rows, "."]))

    def run(self):
        self.say(self.fake.greeting)
        while line := self.readline():
            verb, *rest = line.decode(errors="replace").split() or [""]
            verb = verb.upper()
            self.fake.seen.append(verb)
            self.fake.log.append(" ".join([verb, *rest]))
            if not self.answer(verb, rest):
                break
        self.flush()

    def told(self, verb, rest):
        for key in (" ".join([verb, *rest]), verb):
            if key in self.fake.replies:
                told = self.fake.replies[key]
                told = told([verb, *rest]) if callable(told) else told
                if told is not False:
                    return True, told
        return False, None

    def answer(self, verb, rest):
        """False: the session is over."""
        fake = self.fake
        number = int(rest[0]) if rest and rest[0].isdigit() else 0
        is_told, told = self.told(verb, rest)
        if is_told:
            if told is None:
                return False
            if isinstance(told, bytes):
                self.out += told
            else:
                self.say(told)
            return verb != "QUIT"
        handler = getattr(self, "on_" + verb.lower(), None)
        if not handler:
            self.say("-ERR what?")
            return True
        return handler(number, rest) is not False

    def on_capa(self, number, rest):
        if self.fake.capa is None:
            self.say("-ERR what?")
        else:
            self.lines("+OK", [*self.fake.capa, *(["STLS"] if self.fake.tls == "starttls" else [])])

    def on_stls(self, number, rest):
        self.say("+OK")
        self.flush()
        self.link = self.fake.context().wrap_socket(self.link, server_side=True)

    def on_user(self, number, rest):
        self.say("+OK")

    def on_pass(self, number, rest):
        self.say("+OK")
        if self.fake.ignores_pipelining:
            self.pending = b""

    on_noop = on_user

    def on_stat(self, number, rest):
        self.say(f"+OK {len(self.fake.messages)} {sum(map(len, self.fake.messages))}")

    def size(self, i):
        return self.fake.sizes[i - 1] if self.fake.sizes else str(len(wire(self.fake.messages[i - 1])))

    def uid(self, i):
        uid = self.fake.uids[i - 1] if self.fake.uids else f"uid-{i}"
        return uid if isinstance(uid, bytes) else uid.encode()

    def on_list(self, number, rest):
        if number:
            self.say(f"+OK {number} {self.size(number)}")
        else:
            self.lines("+OK", [f"{i} {self.size(i)}" for i in range(1, len(self.fake.messages) + 1)])

    def on_uidl(self, number, rest):
        self.lines("+OK", [b"%d %s" % (i, self.uid(i)) for i in range(1, len(self.fake.messages) + 1)])

    def on_top(self, number, rest):
        head = wire(self.fake.messages[number - 1]).split(b"\r\n\r\n")[0]
        self.lines("+OK", [head, b""])

    def on_retr(self, number, rest):
        fake = self.fake
        self.say("+OK")
        body = wire(fake.messages[number - 1]).replace(b"\n.", b"\n..")
        if number in (fake.stall_at, fake.hang_at):
            self.out += body[:len(body) // 2]
            self.flush()
            if number == fake.hang_at:
                return False
            fake.stalled.set()
            fake.closing.wait(60)
            return False
        if number in fake.early:
            body = body[:body.index(b"\n", len(body) // 2) + 1]
        self.out += body + b".\r\n"

    def on_dele(self, number, rest):
        self.marked.add(number)
        self.say("+OK")

    def on_quit(self, number, rest):
        self.fake.deleted |= self.marked
        self.say("+OK")
        return False


def wire(message):
    return message.replace(b"\n", b"\r\n")
