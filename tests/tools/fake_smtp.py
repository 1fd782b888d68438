"""An SMTP server that does what a test wants: the relay of a provider.

    with FakeSmtp(tls="starttls", certificate=(crt, key), users={"us": "secret"}) as relay:
        relay.port; relay.messages  # [(sender, [recipients], octets, commands)]

`refuse` maps a command ("MAIL", "DATA", "END"), or a recipient, to the reply it gets instead of yes. `hold` names a
command that gets no answer at all; `hang_up` one at which the connection ends. `caps` are the extensions
announced. Each connection has a thread; Python 3 standard library only.
"""
import base64
import socket
import ssl
import threading

CAPS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 10000000", "ENHANCEDSTATUSCODES")


class FakeSmtp:
    def __init__(self, tls=None, certificate=None, users=None, caps=CAPS, refuse=None, hold=(), hang_up=()):
        self.tls, self.certificate, self.users, self.caps = tls, certificate, users, caps
        self.hang_up_once = set()
        self.refuse, self.hold, self.hang_up = dict(refuse or {}), set(hold), set(hang_up)
        self.messages, self.logins, self.connections, self.commands = [], [], 0, []
        self.stop = threading.Event()
        self.open = []

    def __enter__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(50)
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.stop.set()
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for s in self.open:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def serve(self):
        while not self.stop.is_set():
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.open.append(s)
            threading.Thread(target=self.session, args=(s,), daemon=True).start()

    def wrap(self, s):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.certificate)
        return context.wrap_socket(s, server_side=True)

    def session(self, s):
        try:
            if self.tls == "tls":
                s = self.wrap(s)
            Session(self, s).run()
        except (OSError, ValueError, IndexError):
            pass
        finally:
            s.close()


class Session:
    def __init__(self, server, s):
        self.server, self.s, self.f = server, s, s.makefile("rb")
        self.secure = server.tls == "tls"
        self.commands = []
        self.reset()

    def reset(self):
        self.sender, self.rcpts = None, []

    def say(self, text):
        self.s.sendall(text.encode() + b"\r\n")

    def run(self):
        self.say("220 relay.example.net ESMTP")
        while True:
            line = self.f.readline()
            if not line.endswith(b"\r\n"):
                return
            text = line[:-2].decode()
            self.commands.append(text)
            self.server.commands.append(text)
            verb = text.split()[0].upper()
            if verb in self.server.hang_up_once:
                self.server.hang_up_once.discard(verb)
                self.s.shutdown(socket.SHUT_RDWR)
                return
            if verb in self.server.hang_up:
                self.s.shutdown(socket.SHUT_RDWR)
                return
            if verb in self.server.hold:
                self.server.stop.wait(600)
                return
            if verb in self.server.refuse:
                self.say(self.server.refuse[verb])
                continue
            if getattr(self, "do_" + verb.lower(), self.unknown)(text) is False:
                return

    def unknown(self, text):
        self.say("500 5.5.1 what?")

    def do_ehlo(self, text):
        caps = list(self.server.caps)
        if self.server.tls == "starttls" and not self.secure:
            caps.append("STARTTLS")
        if self.server.users is not None:
            caps.append("AUTH PLAIN LOGIN")
        lines = ["relay.example.net"] + caps
        for i, cap in enumerate(lines):
            self.say(f"250{' ' if i == len(lines) - 1 else '-'}{cap}")

    def do_helo(self, text):
        self.say("250 relay.example.net")

    def do_starttls(self, text):
        self.say("220 go")
        self.s = self.server.wrap(self.s)
        self.f = self.s.makefile("rb")
        self.secure = True

    def do_auth(self, text):
        _, user, password = base64.b64decode(text.split()[2]).decode().split("\0")
        good = self.server.users.get(user) == password
        self.server.logins.append((user, password, self.secure))
        self.say("235 2.7.0 welcome" if good else "535 5.7.8 no")

    def do_mail(self, text):
        self.reset()
        self.sender = text.split(":", 1)[1].split(">")[0].lstrip(" <")
        self.say("250 2.1.0 ok")

    def do_rcpt(self, text):
        rcpt = text.split(":", 1)[1].split(">")[0].lstrip(" <")
        if rcpt in self.server.refuse:
            self.say(self.server.refuse[rcpt])
            return
        self.rcpts.append(rcpt)
        self.say("250 2.1.5 ok")

    def do_data(self, text):
        self.say("354 go on")
        lines = []
        while True:
            line = self.f.readline()
            if not line:
                return False
            assert line.endswith(b"\r\n") and b"\r" not in line[:-2], line
            if line == b".\r\n":
                break
            lines.append(line[1:] if line.startswith(b".") else line)
        if "END" in self.server.hang_up:
            return False
        if "END" in self.server.hold:
            self.server.stop.wait(600)
            return False
        if "END" in self.server.refuse:
            self.say(self.server.refuse["END"])
            return None
        self.server.messages.append((self.sender, self.rcpts, b"".join(lines), self.commands))
        self.say("250 2.0.0 queued")
        return None

    def do_rset(self, text):
        self.reset()
        self.say("250 2.0.0 ok")

    def do_noop(self, text):
        self.say("250 2.0.0 ok")

    def do_quit(self, text):
        self.say("221 2.0.0 bye")
        return False
