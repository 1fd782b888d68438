"""The log: every line is JSON whatever strangers say, one id from connect to quit through all roles.

Against the real restanted (tests/tools/rs_serve.py), over loopback.
"""
import base64
import json
import os
import poplib
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rs_serve
import tap

ANNA = "anna@example.org"
USERS = {ANNA: "secret", "ben@example.org": "hidden"}
JSON = {"format": "json", "level": "debug"}
CLEAR = {"cleartext": "loopback"}


def lines(server):
    return [json.loads(line) for line in server.log_text().splitlines()]


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to that")


def events(server, id):
    return [(l["role"], l["event"]) for l in lines(server) if l.get("id") == id]


@tap.case("every line is a JSON object with time, level, role and event, whatever the user name is")
def _():
    hostile = [b'a"b', b"a\\b", b"a\x01\x1b[31mb", b"\xff\xfe\x80", "ä€😀".encode(), b"x" * 200,
               b"\xf0\x9f", b"a\x7fb", b'","event":"login', b"\xed\xa0\x80"]
    with rs_serve.Restanted(USERS, auth=CLEAR, log=JSON) as s:
        for name in hostile:
            # in the middle of a line and, by SASL, as raw octets
            with socket.create_connection(("127.0.0.1", s.pop3_port), 30) as link:
                f = link.makefile("rwb", buffering=0)
                f.readline()
                f.write(b"USER " + name + b"\r\n")
                f.readline()
                f.write(b"PASS x\r\n")
                f.readline()
                f.write(b"AUTH PLAIN " + base64.b64encode(b"\0" + name + b"\0x") + b"\r\n")
                f.readline()
        with socket.create_connection(("127.0.0.1", s.pop3_port), 30) as link:
            f = link.makefile("rwb", buffering=0)
            f.readline()
            f.write(b"AUTH PLAIN " + base64.b64encode(b"\0Nobody@Example.org\0x") + b"\r\n")
            f.readline()
        until(lambda: sum(l["event"] == "disconnect" for l in lines(s)) >= len(hostile) + 1)
        assert any(l["event"] == "login-refused" and l.get("user") == "nobody@example.org" for l in lines(s))
        for line in s.log_text().splitlines():
            row = json.loads(line)
            assert isinstance(row, dict) and {"time", "level", "role", "event"} <= set(row), line
            assert all(isinstance(v, str) for v in row.values()), line
        assert not any(l["event"] == "login" for l in lines(s))
        assert any(l["event"] == "login-refused" for l in lines(s))


@tap.case("a POP3 session has one id, through front and store")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR, log=JSON) as s:
        s.deliver(ANNA, [b"Subject: x\n\nHello\n"])
        pop = poplib.POP3("127.0.0.1", s.pop3_port, timeout=60)
        pop.user(ANNA)
        pop.pass_("secret")
        # a second session is told IN-USE: that line is the store's
        second = poplib.POP3("127.0.0.1", s.pop3_port, timeout=60)
        second.user(ANNA)
        try:
            second.pass_("secret")
            raise AssertionError("two sessions in one maildrop")
        except poplib.error_proto as e:
            assert "IN-USE" in str(e)
        second.close()
        pop.quit()
        ids = [l["id"] for l in lines(s) if l["event"] == "connect" and l["service"] == "pop3"]
        assert len(set(ids)) == len(ids) >= 2
        until(lambda: ("disconnect" in [e for _, e in events(s, ids[-1])]))
        seen = {tuple(e for _, e in events(s, id)) for id in ids}
        assert ("connect", "login", "disconnect") in seen, seen
        roles = {r.rstrip("0123456789") for id in ids for r, e in events(s, id)}
        assert roles == {"front", "store"}, roles


@tap.case("mail coming in has the id of its connection at every store, and a number in it")
def _():
    with rs_serve.Restanted(USERS, auth=CLEAR, log=JSON, workers=2) as s:
        s.deliver_many(list(USERS), [b"Subject: %d\n\nx\n" % n for n in range(3)])
        until(lambda: any(l["event"] == "disconnect" and "transactions" in l for l in lines(s)))
        rows = lines(s)
        id = [l["id"] for l in rows if l["event"] == "connect" and l["service"] == "lmtp"][-1]
        mine = [l for l in rows if l.get("id") == id]
        assert [l["txn"] for l in mine if l["event"] == "received"] == ["1", "2", "3"]
        delivered = [l for l in mine if l["event"] == "delivered"]
        assert len(delivered) == 6 and {l["role"].rstrip("0123456789") for l in delivered} == {"store"}
        assert sorted(l["txn"] for l in delivered) == ["1", "1", "2", "2", "3", "3"]
        # and it is in the trace header of the message
        new = os.path.join(s.mailbox(ANNA), "new")
        with open(os.path.join(new, sorted(os.listdir(new))[0]), "rb") as f:
            assert id.encode() in f.read()


tap.run()
