"""Sending with the mail program: `send` in the place of sendmail, the outbox, what servers refuse, and the moment of which
nobody can know. Against a server that does what a test wants, and against our own."""
import email
import glob
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import peers
import rs_serve
import tap
from fake_smtp import FakeSmtp
from it_home import ANNA, BEN, CARA, Home

MESSAGE = b"To: ben@example.org\nSubject: x\n\nHello\n.dot\n"


def headers(octets):
    return email.message_from_bytes(octets)


@tap.case("send: the message as it was, with Date, Message-ID and From; a copy in Sent; nothing left in the outbox")
def _():
    with FakeSmtp() as server, Home(server.port) as home:
        status, out, err = home.run("send", "-i", BEN, stdin=MESSAGE)
        assert (status, out, err) == (0, "", ""), (status, out, err)
        (sender, rcpts, octets, commands), = server.messages
        assert (sender, rcpts) == (ANNA, [BEN])
        assert octets.endswith(b"\r\n\r\nHello\r\n.dot\r\n"), octets
        m = headers(octets)
        assert m["From"] == ANNA and m["Date"] and m["Message-ID"].endswith("@example.org>"), octets
        assert home.kept("Sent") == [octets.replace(b"\r\n", b"\n")]
        home.empty()


@tap.case("send -t: recipients from To, Cc, Bcc; Bcc stays in our copy and leaves the wire; sendmail's other options")
def _():
    with FakeSmtp() as server, Home(server.port) as home:
        text = (b"From: Anna <anna@example.org>\nTo: Ben <ben@example.org>,\n Team: dora@example.org;\n"
                b"Bcc: cara@example.org,\n emil@example.org\nDate: Thu, 1 Jan 1970 00:00:00 +0000\n"
                b"Message-ID: <a@b>\nSubject: x\n\nfirst\n..\n.\nlast\n")
        status, _, err = home.run("send", "-t", "-oi", "-odi", "-F", "Anna", "-fbounce@example.org", "-oem", stdin=text)
        assert status == 0, err
        sender, rcpts, octets, _ = server.messages[0]
        assert sender == "bounce@example.org"
        assert rcpts == [BEN, "dora@example.org", CARA, "emil@example.org"], rcpts
        assert b"bcc" not in octets.lower() and b"emil" not in octets, octets
        assert octets.endswith(b"first\r\n..\r\n.\r\nlast\r\n")
        assert octets.count(b"Date:") == 1 and octets.count(b"Message-ID:") == 1
        assert headers(home.kept("Sent")[0])["Bcc"].startswith(CARA)
        # without -i a dot alone ends it; an mbox line in front, and no header at all, are no trouble
        assert home.run("send", BEN, stdin=b"From x Thu Jan  1 00:00:00 1970\nSubject: y\n\na\n.\nb\n")[0] == 0
        assert server.messages[1][2].endswith(b"\r\n\r\na\r\n"), server.messages[1]
        assert home.run("send", "-i", "-F", "Ännä", BEN, stdin=b"just text\n")[0] == 0
        assert server.messages[2][2].endswith(b"\r\n\r\njust text\r\n")
        assert headers(server.messages[2][2])["From"].startswith("=?UTF-8?"), server.messages[2]


@tap.case("send: refused for good, put off, too large, not there: exit statuses; nobody has it, nothing is kept")
def _():
    cases = [
        ({BEN: "550 5.1.1 no such user"}, 67, "no such user"),
        ({BEN: "450 4.2.1 later"}, 75, "later"),
        ({"MAIL": "550 5.7.1 not you"}, 65, "not you"),
        ({"DATA": "451 4.3.0 busy"}, 75, "busy"),
        ({"END": "554 5.6.0 spam"}, 65, "spam"),
        ({"END": "452 4.3.1 full"}, 75, "full"),
    ]
    for refuse, want, words in cases:
        with FakeSmtp(refuse=refuse) as server, Home(server.port) as home:
            status, _, err = home.run("send", "-i", BEN, CARA, stdin=MESSAGE)
            assert status == want and words in err, (refuse, status, err)
            assert server.messages == [] and home.kept("Sent") == []
            home.empty()
    with FakeSmtp(caps=("SIZE 1000",)) as server, Home(server.port) as home:
        status, _, err = home.run("send", "-i", BEN, stdin=MESSAGE + b"x" * 2000)
        assert status == 65 and "takes at most 1.0" in err, err
    with FakeSmtp() as server, Home(server.port) as home:
        server.close()
        status, _, err = home.run("send", BEN, stdin=MESSAGE)
        assert status == 69 and "refuses connections" in err, (status, err)
        home.empty()
        status, _, err = home.run("send", "-odb", BEN, stdin=MESSAGE)
        assert status == 0 and "stays in the outbox" in err and len(home.outbox()) == 1
    with Home(1, smtp=None) as home:
        status, _, err = home.run("send", BEN, stdin=MESSAGE)
        assert status == 78 and "no account can send" in err, err
    with Home(1) as home:
        status, _, err = home.run("send", stdin=MESSAGE)
        assert status == 65 and "-t" in err, (status, err)
        assert home.run("send", "ben at example", stdin=MESSAGE)[0] == 65


@tap.case("the link cut at each moment: before the final dot it is sent later, behind it nobody can know, and that is told")
def _():
    for verb in ("EHLO", "MAIL", "RCPT", "DATA"):
        with FakeSmtp(hang_up=[verb]) as server, Home(server.port) as home:
            status, _, err = home.run("send", "-odb", BEN, stdin=MESSAGE)
            assert status == 0, (verb, status, err)
            assert [m["state"] for m in home.outbox()] == ["queued"], verb
            server.hang_up.clear()
            status, out, err = home.run("outbox", "flush")
            assert status == 0 and "Sent to ben@example.org" in out, (verb, out, err)
            assert len(server.messages) == 1 and len(home.kept("Sent")) == 1
            home.empty()
    for how in ({"hang_up": ["END"]}, {"hold": ["END"]}):
        with FakeSmtp(**how) as server, Home(server.port, timeout="1") as home:
            status, _, err = home.run("send", "-i", BEN, stdin=MESSAGE)
            assert status == 76 and "nobody can know" in err and "not sent again" in err, (how, status, err)
            item, = home.outbox()
            assert item["state"] == "unsure", item
            server.hang_up.clear(), server.hold.clear()
            assert home.run("outbox", "flush")[0] == 0
            assert server.messages == [], "it was sent again by itself"
            assert "unsure" in home.run("outbox")[1]
            if "hold" in how:
                assert home.run("outbox", "flush", item["id"])[0] == 0
                assert len(server.messages) == 1
            else:
                assert "Sent" in home.run("outbox", "cancel", item["id"])[1]
                assert server.messages == []
            assert len(home.kept("Sent")) == 1
            home.empty()


@tap.case("login: PLAIN; a wrong password; no login offered; a server that is silent; one that is no SMTP")
def _():
    with FakeSmtp(users={ANNA: "secret"}) as server:
        with Home(server.port, smtp_user=ANNA, password_command="echo secret") as home:
            assert home.run("send", BEN, stdin=MESSAGE)[0] == 0
            assert server.logins == [(ANNA, "secret", False)]
        with Home(server.port, smtp_user=ANNA, password_command="echo wrong") as home:
            status, _, err = home.run("send", BEN, stdin=MESSAGE)
            assert status == 77 and "refused user name or password" in err, (status, err)
            home.empty()
    with FakeSmtp() as server, Home(server.port, smtp_user=ANNA, password_command="echo secret") as home:
        status, _, err = home.run("send", BEN, stdin=MESSAGE)
        assert status == 77 and "offers no login" in err, (status, err)
    with FakeSmtp(hold=["EHLO"]) as server, Home(server.port, timeout="1") as home:
        status, _, err = home.run("send", BEN, stdin=MESSAGE)
        assert status == 69 and "silent" in err, (status, err)


@tap.case("TLS from the start and STARTTLS; a certificate nobody knows; a server without STARTTLS gets no word")
def _():
    with tempfile.TemporaryDirectory() as folder:
        certificate = peers.make_certificate(folder)
        for tls in ("tls", "starttls"):
            with FakeSmtp(tls=tls, certificate=certificate, users={ANNA: "secret"}) as server:
                keys = {"smtp_security": tls, "smtp_user": ANNA, "password_command": "echo secret"}
                with Home(server.port, ca_file=certificate[0], **keys) as home:
                    status, _, err = home.run("send", BEN, stdin=MESSAGE)
                    assert status == 0, err
                    assert server.logins == [(ANNA, "secret", True)]
                with Home(server.port, **keys) as home:
                    status, _, err = home.run("send", BEN, stdin=MESSAGE)
                    assert status == 77 and "certificate" in err, (status, err)
        with FakeSmtp(users={ANNA: "secret"}) as server:
            with Home(server.port, smtp_security="starttls", smtp_user=ANNA, password_command="echo secret") as home:
                status, _, err = home.run("send", BEN, stdin=MESSAGE)
                assert status == 76 and "offers no TLS" in err, (status, err)
                assert server.logins == [] and server.messages == []


@tap.case("our own service: submissions and submission, SCRAM bound to the channel, local delivery")
def _():
    port, tls_port = peers.free_port(), peers.free_port()
    with rs_serve.Restanted({ANNA: "secret", BEN: "geheim"},
                            listen={"submission": f"127.0.0.1:{port}",
                                    "submissions": f"127.0.0.1:{tls_port}"}) as server:
        for at, security in ((port, "starttls"), (tls_port, "tls")):
            with Home(at, smtp_security=security, ca_file=server.ca_file, smtp_user=ANNA,
                      password_command="echo secret") as home:
                status, _, err = home.run("send", "-i", BEN, stdin=MESSAGE)
                assert status == 0, err
                assert len(home.kept("Sent")) == 1
                status, _, err = home.run("send", "-i", "nobody@example.org", stdin=MESSAGE)
                assert status == 67 and "nobody@example.org was refused" in err, (status, err)
            with Home(at, smtp_security=security, ca_file=server.ca_file, smtp_user=ANNA,
                      password_command="echo wrong") as home:
                assert home.run("send", BEN, stdin=MESSAGE)[0] == 77
        assert len(glob.glob(server.mailbox(BEN) + "/new/*")) == 2
    with rs_serve.Restanted({ANNA: "secret", BEN: "geheim"}, auth={"mechanisms": "SCRAM-SHA-256-PLUS"},
                            listen={"submissions": f"127.0.0.1:{tls_port}"}) as server:
        with Home(tls_port, smtp_security="tls", ca_file=server.ca_file, smtp_user=ANNA,
                  password_command="echo secret") as home:
            status, _, err = home.run("send", "-i", BEN, stdin=MESSAGE)
            assert status == 0, err


tap.run()
