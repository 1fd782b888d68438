"""The PROXY protocol in: raw sockets play the balancer, the client and whoever only pretends.

Against the real restanted (tests/tools/rs_serve.py), over loopback.
"""
import os
import re
import socket
import ssl
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rs_serve
import tap

ANNA = "anna@example.org"
USERS = {ANNA: "secret"}
V2 = b"\r\n\r\n\0\r\nQUIT\n"
V1_ANNA = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 110\r\n"


def v2(source="192.0.2.7", command=0x21, tlvs=b""):
    six = ":" in source
    family = socket.AF_INET6 if six else socket.AF_INET
    body = (socket.inet_pton(family, source) + socket.inet_pton(family, "::1" if six else "198.51.100.1")
            + struct.pack("!HH", 56324, 110) + tlvs)
    return V2 + bytes([command, 0x21 if six else 0x11]) + struct.pack("!H", len(body)) + body


def serve(trusted="127.0.0.1/32", cleartext="always", **more):
    return rs_serve.Restanted(USERS, auth={"cleartext": cleartext}, proxy={"trusted": trusted}, **more)


class Line:
    """One connection of the balancer, or of somebody who is none (from another loopback address)."""

    def __init__(self, server, first=b"", source=("127.0.0.1", 0), port=None):
        self.s = socket.create_connection(("127.0.0.1", port or server.pop3_port), 60, source)
        self.s.sendall(first)
        self.f = self.s.makefile("rb")

    def say(self, text):
        self.s.sendall(text + b"\r\n")
        return self.f.readline()

    def closed(self):
        """What came until the server ended the connection."""
        try:
            return self.f.read()
        except ConnectionResetError:
            return b""


def wait_log(server, words):
    end = time.monotonic() + 60
    while words not in server.log_text():
        assert time.monotonic() < end, f"not in the log: {words}\n{server.log_text()}"
        time.sleep(0.02)


@tap.case("versions 1 and 2: the session is the named client's, in the log and for the administrator")
def _():
    with serve() as s:
        for first, peer in ((V1_ANNA, "192.0.2.7"),
                            (b"PROXY TCP6 2001:db8::5 ::1 1 2\r\n", "2001:db8::5"),
                            (b"PROXY TCP6 ::ffff:192.0.2.9 ::1 1 2\r\n", "192.0.2.9"),
                            (v2("192.0.2.11"), "192.0.2.11"), (v2("2001:db8::6"), "2001:db8::6"),
                            (v2("192.0.2.12", tlvs=b"\x02\0\x04mail\x04\0\0"), "192.0.2.12")):
            line = Line(s, first)
            assert line.f.readline().startswith(b"+OK"), peer
            wait_log(s, f"peer={peer} proxy=127.0.0.1 ")
            assert line.say(b"USER " + ANNA.encode()).startswith(b"+OK")
            assert line.say(b"PASS wrong").startswith(b"-ERR [AUTH]")
            wait_log(s, f"peer={peer} user={ANNA}")
            assert line.say(b"PASS secret").startswith(b"-ERR") # needs USER again
            assert line.say(b"USER " + ANNA.encode()).startswith(b"+OK")
            assert line.say(b"PASS secret").startswith(b"+OK")
            assert line.say(b"QUIT").startswith(b"+OK")


@tap.case("the header may come in pieces, and commands in its packet")
def _():
    with serve() as s:
        for first in (V1_ANNA, v2()):
            for cut in range(1, len(first)):
                line = Line(s, first[:cut])
                line.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                time.sleep(0.001)
                line.s.sendall(first[cut:] + b"CAPA\r\nQUIT\r\n")
                assert line.f.readline().startswith(b"+OK"), cut
                answer = line.closed()
                assert b"\r\n.\r\n+OK" in answer, answer


@tap.case("under TLS: the header is in front of the handshake, also in one packet with it")
def _():
    with serve() as s:
        context = ssl.create_default_context(cafile=s.ca_file)
        context.check_hostname = False
        for first in (V1_ANNA, v2()):
            raw = socket.create_connection(("127.0.0.1", s.pop3s_port), 60)
            raw.sendall(first)
            f = context.wrap_socket(raw).makefile("rwb")
            assert f.readline().startswith(b"+OK")
            # by hand, so that header and first flight are one write
            got, put = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = context.wrap_bio(got, put)
            raw = socket.create_connection(("127.0.0.1", s.pop3s_port), 60)
            pending, greeting = first, b""
            while b"\r\n" not in greeting:
                try:
                    greeting += tls.read(100) if tls.version() else (tls.do_handshake() or b"")
                except ssl.SSLWantReadError:
                    raw.sendall(pending + put.read())
                    pending = b""
                    got.write(raw.recv(65536))
            assert greeting.startswith(b"+OK"), greeting


@tap.case("a balancer must send it: garbage, half a header, TLS or silence end the connection")
def _():
    with serve(limits={"pre-login-timeout": 2, "failed-login-delay": "off"}) as s:
        for first in (b"USER anna\r\n", b"\x16\x03\x01\x02\x00\x01\x00", V1_ANNA[:-2] + b"x\r\n",
                      b"PROXY TCP4 192.0.2.7\r\n", V2 + b"\x21\x11\0\x03abc", V2[:-1] + b"X",
                      V2 + b"\x21\x11\xff\xff", b"A" * 100000, b"PROXY " + b"A" * 200):
            line = Line(s)
            try:
                line.s.sendall(first)
            except OSError:
                pass
            assert line.closed() == b"", first
        for first in (b"", V1_ANNA[:20], v2()[:20]):
            line = Line(s, first)
            line.s.shutdown(socket.SHUT_WR)
            assert line.closed() == b"", first
            line = Line(s, first) # and says nothing more
            assert line.closed() == b"", first
        assert s.log_text().count(" no-proxy-header ") == 9 + 5, s.log_text()
        assert " connect " not in s.log_text()


@tap.case("from anybody else it is a wrong command, and names nobody")
def _():
    with serve(trusted="127.0.0.9/32, 2001:db8::/32") as s:
        line = Line(s)
        assert line.f.readline().startswith(b"+OK")
        assert line.say(V1_ANNA[:-2]).startswith(b"-ERR")
        assert line.say(b"CAPA").startswith(b"+OK")
        line = Line(s)
        assert line.f.readline().startswith(b"+OK")
        line.s.sendall(v2())
        assert "192.0.2.7" not in s.log_text()
        balancer = Line(s, V1_ANNA, ("127.0.0.9", 0))
        assert balancer.f.readline().startswith(b"+OK")
        wait_log(s, "peer=192.0.2.7 proxy=127.0.0.9 ")


@tap.case("a client is not at loopback because the balancer is")
def _():
    def capa(server, first, source="127.0.0.1"):
        line = Line(server, first, (source, 0))
        assert line.f.readline().startswith(b"+OK")
        line.s.sendall(b"CAPA\r\nQUIT\r\n")
        return b"\r\nUSER\r\n" in line.closed()

    with serve(trusted="127.0.0.1", cleartext="loopback") as s:
        assert not capa(s, V1_ANNA)
        assert not capa(s, v2())
        assert not capa(s, b"PROXY UNKNOWN\r\n")
        assert not capa(s, V2 + b"\x21\0\0\0")
        assert capa(s, b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n") # both are
        assert capa(s, V2 + b"\x20\0\0\0") # the balancer's own
        assert capa(s, b"", "127.0.0.2")


@tap.case("the named client is what the ceiling of an address counts: IPv6 by /64; the balancer is not counted")
def _():
    with serve(workers=1, limits={"connections-per-address": 2, "failed-login-delay": "off"}) as s:
        kept = []
        for net in ("192.0.2.{}", "2001:db8:0:1::{}"):
            same = (lambda i: net.format(7)) if "." in net else net.format
            for i in range(1, 3):
                kept.append(Line(s, v2(same(i))))
                assert kept[-1].f.readline().startswith(b"+OK")
            line = Line(s, v2(same(3)))
            assert line.closed().startswith(b"-ERR [SYS/TEMP]"), net
        for other in ("192.0.2.8", "2001:db8:0:2::1"):
            kept.append(Line(s, v2(other)))
            assert kept[-1].f.readline().startswith(b"+OK"), other
        kept[0].s.close()
        kept[0].f.close()
        end = time.monotonic() + 60
        while not Line(s, v2("192.0.2.7")).f.readline().startswith(b"+OK"):
            assert time.monotonic() < end
            time.sleep(0.05)


@tap.case("mail in (LMTP) is not for balancers")
def _():
    with serve() as s:
        s.deliver(ANNA, [b"Subject: x\n\nx\n"])
        assert re.search(r"connect .*peer=unix service=lmtp", s.log_text()), s.log_text()


@tap.case("a list that is none is an error with its line")
def _():
    for value, why in (("10.0.0.1/8", "machine of a network"), ("balancer", "is not ADDRESS"),
                       ("10.0.0.0/33", "number of bits"), ("10.0.0.0/8,", "is not ADDRESS")):
        try:
            with serve(trusted=value):
                raise AssertionError(value)
        except RuntimeError as e:
            assert "trusted" in str(e) and why in str(e), str(e)


tap.run()
