"""A POP3 server that does as the test says: for refusals and faults a right server does not show.

    with FakePop3([b"Subject: x\\n\\nHello\\n"], replies={"PASS": "-ERR [IN-USE] locked"}) as fake:
        fake.port

replies   verb -> the whole answer line, in place of the right one
tls       None, "implicit" or "starttls"; then certificate = (certificate file, key file)
greeting  the first line
capa      what CAPA lists; None: -ERR
stall_at  number of the message in whose middle the server falls silent (until it is closed)
deleted   numbers that were deleted by a session that said QUIT

Octets of messages have LF line ends. Python 3 standard library only.
"""
import socket
import ssl
import threading


class FakePop3:
    def __init__(self, messages=(), replies=None, tls=None, certificate=None, greeting="+OK fake",
                 capa=("USER", "UIDL", "TOP", "PIPELINING", "RESP-CODES", "AUTH-RESP-CODE"),
                 stall_at=0):
        self.messages, self.replies = list(messages), replies or {}
        self.tls, self.certificate = tls, certificate
        self.greeting, self.capa, self.stall_at = greeting, capa, stall_at
        self.deleted, self.seen = set(), []
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
            self.session(link)
        except (OSError, ssl.SSLError):
            pass
        finally:
            link.close()

    def session(self, link):
        marked = set()
        f = link.makefile("rwb")

        def say(text):
            f.write(text.encode() + b"\r\n")
            f.flush()

        def lines(first, rows):
            say("\r\n".join([first, *rows, "."]))

        say(self.greeting)
        while line := f.readline():
            verb, *rest = line.decode(errors="replace").split() or [""]
            verb = verb.upper()
            self.seen.append(verb)
            number = int(rest[0]) if rest and rest[0].isdigit() else 0
            if verb in self.replies:
                say(self.replies[verb])
                if verb == "QUIT":
                    return
            elif verb == "CAPA" and self.capa is not None:
                lines("+OK", [*self.capa, *(["STLS"] if self.tls == "starttls" else [])])
            elif verb == "STLS" and self.tls == "starttls":
                say("+OK")
                link = self.context().wrap_socket(link, server_side=True)
                f = link.makefile("rwb")
            elif verb in ("USER", "PASS", "NOOP"):
                say("+OK")
            elif verb == "STAT":
                say(f"+OK {len(self.messages)} {sum(map(len, self.messages))}")
            elif verb == "LIST":
                lines("+OK", [f"{i} {len(wire(m))}" for i, m in enumerate(self.messages, 1)])
            elif verb == "UIDL":
                lines("+OK", [f"{i} uid-{i}" for i in range(1, len(self.messages) + 1)])
            elif verb == "RETR" and number == self.stall_at:
                say("+OK")
                f.write(wire(self.messages[number - 1])[:20])
                f.flush()
                self.stalled.set()
                self.closing.wait(60)
                return
            elif verb == "RETR":
                say("+OK")
                f.write(wire(self.messages[number - 1]).replace(b"\n.", b"\n..") + b".\r\n")
                f.flush()
            elif verb == "DELE":
                marked.add(number)
                say("+OK")
            elif verb == "QUIT":
                self.deleted |= marked
                say("+OK")
                return
            else:
                say("-ERR what?")


def wire(message):
    return message.replace(b"\n", b"\r\n")
