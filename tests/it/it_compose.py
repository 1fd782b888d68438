"""Writing with the mail program: compose, reply and forward with an editor that a test steers, drafts, attachments."""
import email
import email.policy
import os
import pty
import select
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rs_serve
import tap
from fake_smtp import FakeSmtp
from it_home import ANNA, BEN, CARA, Home


def editor(home, script):
    """A program that changes the file: `script` is the body of a shell function with the file as $1."""
    path = os.path.join(home.folder, "editor.sh")
    with open(path, "w") as f:
        f.write("#!/bin/sh\n" + script + "\n")
    os.chmod(path, 0o755)
    return path


def at_terminal(home, words, answers, script="true"):
    """Run it at a terminal; `answers` are (text to wait for, what to type). Returns status and everything shown."""
    me, other = pty.openpty()
    process = subprocess.Popen([rs_serve.program("restante"), *words], stdin=other, stdout=other, stderr=other,
                               env={**os.environ, "RESTANTE_HOME": home.folder, "LC_ALL": "C.UTF-8", "VISUAL": "",
                                    "EDITOR": editor(home, script)}, start_new_session=True)
    os.close(other)
    shown, seen, end = b"", 0, time.monotonic() + 120
    answers = list(answers)
    while True:
        assert time.monotonic() < end, shown
        if select.select([me], [], [], 1)[0]:
            try:
                piece = os.read(me, 65536)
            except OSError:
                piece = b""
            if not piece:
                break
            shown += piece
        while answers and answers[0][0].encode() in shown[seen:]:
            seen = shown.index(answers[0][0].encode(), seen) + len(answers[0][0].encode())
            os.write(me, answers.pop(0)[1].encode() + b"\n")
    os.close(me)
    return process.wait(60), shown.decode()


def parsed(octets):
    return email.message_from_bytes(octets, policy=email.policy.default)


def arrives(home, octets):
    for sub in ("tmp", "new", "cur"):
        os.makedirs(os.path.join(home.folder, "mail", "home", sub), exist_ok=True)
    with open(os.path.join(home.folder, "mail/home/cur", f"1700000000.M{len(octets)}P1.x:2,S"), "wb") as f:
        f.write(octets)


QUESTION = "[s]end"
LETTER = (b"From: Ben <ben@example.org>\nTo: Anna <anna@example.org>, cara@example.org\nSubject: Lunch?\n"
          b"Date: Mon, 23 Nov 2026 10:00:00 +0000\nMessage-ID: <q1@example.org>\nReferences: <q0@example.org>\n\n"
          b"When do we meet?\n-- \nBen\n")


@tap.case("compose: editor, question, sent; the fields, an attachment, one copy in Sent, no draft left")
def _():
    with FakeSmtp() as server, Home(server.port, full_name="Anna Schmidt") as home:
        photo = os.path.join(home.folder, "photo.png")
        with open(photo, "wb") as f:
            f.write(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 400)
        status, shown = at_terminal(
            home, ["compose", "--subject", "Grüße", "--attach", photo, BEN], [(QUESTION, "s")],
            'sed -i "s/^Cc:.*/Cc: cara@example.org/; s/^Bcc:.*/Bcc: dora@example.org/" "$1"; echo "Hällo" >> "$1"')
        assert status == 0 and "Sent to ben@example.org and 2 more" in shown, shown
        (sender, rcpts, octets, _), = server.messages
        assert sender == ANNA and rcpts == [BEN, CARA, "dora@example.org"]
        m = parsed(octets)
        assert m["From"] == "Anna Schmidt <anna@example.org>" and m["Subject"] == "Grüße" and m["Bcc"] is None
        assert m.get_body().get_content() == "Hällo\n", m.get_body().get_content()
        part, = m.iter_attachments()
        assert part.get_content_type() == "image/png" and part.get_filename() == "photo.png"
        assert part.get_content().endswith(bytes(range(256)))
        copy, = home.kept("Sent")
        assert parsed(copy)["Bcc"] == "dora@example.org"
        assert home.kept("Drafts") == []
        home.empty()


@tap.case("compose: edited again, kept as a draft, discarded; a mistake is told and put right; the terminal goes away")
def _():
    with FakeSmtp() as server, Home(server.port) as home:
        script = 'echo "more" >> "$1"'
        status, shown = at_terminal(home, ["compose", BEN], [(QUESTION, "e"), (QUESTION, "d")], script)
        assert status == 0 and "Kept in Drafts" in shown, shown
        draft, = home.kept("Drafts")
        assert draft.count(b"more") == 2
        status, shown = at_terminal(home, ["compose", BEN], [(QUESTION, "q")], script)
        assert status == 0 and len(home.kept("Drafts")) == 1, shown
        # an address that is none: told, and nothing is lost
        status, shown = at_terminal(home, ["compose", "ben at home"], [(QUESTION, "s"), (QUESTION, "q")], script)
        assert status == 0 and "To: " in shown and "not a mail address" in shown, shown
        # a field that is none: edited again
        once = 'if [ -e "$1.x" ]; then sed -i "/^Helo/d" "$1"; else touch "$1.x"; sed -i "2s/^/Helo\\n/" "$1"; fi'
        status, shown = at_terminal(home, ["compose", BEN], [("Edit again?", ""), (QUESTION, "q")], once)
        assert status == 0 and "line 2" in shown, shown
        # end of input where the question stands: a draft
        status, shown = at_terminal(home, ["compose", BEN], [(QUESTION, "\x04")], script)
        assert len(home.kept("Drafts")) == 2, shown
        assert server.messages == []
        left = [name for name in os.listdir(home.folder) if name.startswith("compose-") and not name.endswith(".x")]
        assert left == [], left


@tap.case("reply, reply --all: thread, quote, people, account; by a script without a terminal")
def _():
    with FakeSmtp() as server, Home(server.port) as home:
        arrives(home, LETTER)
        assert home.run("list")[0] == 0
        status, _, err = home.run("reply", "1", "--body-file", "-", "--send", stdin="Täglich\n".encode())
        assert status == 0, err
        status, _, err = home.run("reply", "1", "--all", "--body-file", "-", "--send", stdin=b"x\n")
        assert status == 0, err
        first, second = server.messages
        assert first[1] == [BEN] and second[1] == [BEN, CARA], (first[1], second[1])
        m = parsed(first[2])
        assert m["Subject"] == "Re: Lunch?" and m["In-Reply-To"] == "<q1@example.org>"
        assert m["References"] == "<q0@example.org> <q1@example.org>"
        text = m.get_content().replace("\r\n", "\n")
        assert text.startswith("Täglich\n\nOn 23 November 2026"), text
        assert "> When do we meet?" in text and "> Ben" not in text, text
        # without --send it is a draft
        status, out, err = home.run("reply", "1", "--body-file", "-", stdin=b"later\n")
        assert status == 0 and "Drafts" in out and len(home.kept("Drafts")) == 1, err
        # the original is marked as answered
        assert any("R" in name.rpartition(":2,")[2] for name in os.listdir(os.path.join(home.folder, "mail/home/cur")))


@tap.case("forward: inline with what was attached, and the whole message as it was")
def _():
    with FakeSmtp() as server, Home(server.port) as home:
        whole = (b"From: ben@example.org\nTo: anna@example.org\nSubject: see\nMIME-Version: 1.0\n"
                 b"Content-Type: multipart/mixed; boundary=q\n\n--q\nContent-Type: text/plain\n\nLook\n--q\n"
                 b"Content-Type: application/pdf\nContent-Disposition: attachment; filename=\"a b.pdf\"\n"
                 b"Content-Transfer-Encoding: base64\n\nJVBERi0=\n--q--\n")
        arrives(home, whole)
        home.run("list")
        for more in ([], ["--as-attachment"]):
            status, _, err = home.run("forward", "1", *more, "--to", CARA, "--body-file", "-", "--send", stdin=b"fyi\n")
            assert status == 0, err
        first, second = (parsed(m[2]) for m in server.messages)
        assert first["Subject"] == "Fwd: see" and "Look" in first.get_body().get_content()
        part, = first.iter_attachments()
        assert part.get_filename() == "a b.pdf" and part.get_content() == b"%PDF-"
        inner, = second.iter_attachments()
        assert inner.get_content_type() == "message/rfc822" and inner.get_content()["Subject"] == "see"
        assert whole.replace(b"\n", b"\r\n") in server.messages[1][2]


@tap.case("a server that is away: what was written waits in the outbox; an account without one says so")
def _():
    with FakeSmtp() as server, Home(server.port) as home:
        server.close()
        status, _, err = home.run("compose", BEN, "--body-file", "-", "--send", stdin=b"x\n")
        assert status == 69 and "stays in the outbox" in err, (status, err)
        assert [m["state"] for m in home.outbox()] == ["queued"] and home.kept("Drafts") == []
    with Home(1, smtp=None) as home:
        status, _, err = home.run("compose", BEN, "--body-file", "-", "--send", stdin=b"x\n")
        assert status == 78 and "mail can be read with it, not sent" in err, (status, err)


@tap.case("in German")
def _():
    with FakeSmtp() as server, Home(server.port) as home:
        locale = os.path.join(rs_serve.BUILD, "po")
        env = {"LC_ALL": "C.UTF-8", "LANGUAGE": "de", "RESTANTE_LOCALEDIR": locale}
        status, _, err = home.run("compose", "ben", "--body-file", "-", "--send", stdin=b"x\n", env=env)
        assert status == 65 and ("Mailadresse" in err or not os.path.isdir(locale)), (status, err)


tap.run()
