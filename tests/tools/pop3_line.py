"""A POP3 session to speak by hand, under TLS or not."""
import socket
import ssl


class Line:
    """A POP3 session: under TLS unless `plain`."""

    def __init__(self, server, plain=False, context=None):
        port = server.pop3_port if plain else server.pop3s_port
        self.s = socket.create_connection(("127.0.0.1", port), 60)
        if not plain:
            if not context:
                context = ssl.create_default_context(cafile=server.ca_file)
            self.s = context.wrap_socket(self.s, server_hostname="localhost")
        self.f = self.s.makefile("rwb", buffering=0)
        assert self.f.readline().startswith(b"+OK")

    def say(self, text):
        self.f.write(text.encode() + b"\r\n")
        return self.f.readline().decode().rstrip("\r\n")

    def mechs(self):
        assert self.say("CAPA").startswith("+OK")
        found = ""
        for text in iter(lambda: self.f.readline().decode().strip(), "."):
            if text.startswith("SASL "):
                found = text[5:]
        return found
