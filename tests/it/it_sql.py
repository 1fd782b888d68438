"""Users in PostgreSQL: a real one, which is stopped, crashed and started again under the service."""
import os
import poplib
import re
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import peers
import rs_serve
import tap
from postgres import Postgres

SCHEMA = """
CREATE TABLE users (address text PRIMARY KEY, password text, maildir text, quota text, pop3 boolean,
    smtp boolean, disabled boolean, apps text);
CREATE ROLE restante LOGIN;
GRANT SELECT ON users TO restante;
INSERT INTO users (address, password) VALUES
    ('anna@example.org', '{PLAIN}secret'),
    ('bob@example.org', '$6$rounds=1000$saltsalt$bbY.T.ZpN43KapLdmlSbP6MmxBlkMSbhrh.Y1rmY0fYaRO/t.4sKqUiU.Z8byKf8Oa1yagMn/0fncuHSYrb9h.'),
    ('nopassword@example.org', NULL), ('it''s%@example.org', '{PLAIN}x');
INSERT INTO users (address, password, pop3, disabled, quota) VALUES
    ('nopop@example.org', '{PLAIN}secret', false, false, '1G'),
    ('off@example.org', '{PLAIN}secret', true, true, NULL),
    ('small@example.org', '{PLAIN}secret', NULL, NULL, '1k'),
    ('wrong@example.org', '{PLAIN}secret', NULL, NULL, 'lots');
"""
QUERY = "SELECT password, maildir, quota, pop3, smtp, disabled, apps FROM users WHERE address = %u"


def serve(db, query=QUERY, host="127.0.0.1", **auth):
    return rs_serve.Restanted({}, auth={"users": "sql:" + db.uri(host, "restante"), "query": query,
                                        "cleartext": "loopback", **auth})


def comes_in(s, user, password):
    """The reply that refuses, "" when the login is right."""
    pop = poplib.POP3("127.0.0.1", s.pop3_port, timeout=120)
    try:
        pop.user(user)
        pop.pass_(password)
        pop.quit()
    except poplib.error_proto as e:
        return e.args[0].decode()
    finally:
        pop.close()
    return ""


def rcpt(s, address):
    link = s.lmtp_connect()
    link.ehlo_or_helo_if_needed()
    link.mail("peer@example.net")
    reply = link.rcpt(address)
    link.quit()
    return reply[0]


def until(what, seconds=60):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "did not come about"
        time.sleep(0.05)


def database(test):
    """The one database of all cases, each with fresh users."""
    def wrapped():
        DB.sql("DROP TABLE IF EXISTS users; DROP ROLE IF EXISTS restante;" + SCHEMA)
        test(DB)
    return wrapped


@tap.case("users come from the query's row: password, switches, quota, maildir, app passwords")
@database
def _(db):
    with serve(db) as s:
        assert comes_in(s, "Anna@Example.org", "secret") == ""
        assert comes_in(s, "bob@example.org", "pencil") == ""
        wrong = comes_in(s, "anna@example.org", "x")
        assert "[AUTH]" in wrong
        for user, password in (("bob@example.org", "secret"), ("nobody@example.org", "secret"),
                               ("nopop@example.org", "secret"), ("off@example.org", "secret"),
                               ("nopassword@example.org", ""), ("nopassword@example.org", "*"),
                               ("x' OR '1'='1", "secret"), ("%u", "x"), ("anna@example.org'--", "secret")):
            assert comes_in(s, user, password or "x") == wrong, user
        assert [rcpt(s, n + "@example.org") for n in ("anna", "nobody", "nopop", "off")] == [250, 550, 250, 550]
        assert rcpt(s, "anna+junk@example.org") == 250
        s.deliver("anna@example.org", [b"Subject: x\n\nHello\n"])
        assert len(os.listdir(s.mailbox("anna@example.org") + "/new")) == 1
        try:
            s.deliver("small@example.org", [b"Subject: x\n\n" + b"Hello\n" * 1000])
            raise AssertionError("it fits")
        except rs_serve.smtplib.SMTPResponseException as e:
            assert e.smtp_code == 452, e
        db.sql(f"UPDATE users SET maildir = '{s.path('mail/own')}', apps = "
               "'phone,2026-11-25,{SHA256}E4CWaPtDY4Zwb2fcsFLtWEoEuhaowCoX1m00ww/O2iE=' "
               "WHERE address = 'anna@example.org'")
        s.deliver("anna@example.org", [b"Subject: x\n\nHello\n"])
        assert len(os.listdir(s.path("mail/own/new"))) == 1
        db.sql("UPDATE users SET password = '{PLAIN}new' WHERE address = 'anna@example.org'")
        assert comes_in(s, "anna@example.org", "new") == "" # a changed row holds at once
        assert comes_in(s, "anna@example.org", "secret") == wrong


@tap.case("over a name, over the socket; '%u' with quotes, %n and %d, a column user")
@database
def _(db):
    for host, query in (("localhost", "SELECT password FROM users WHERE address = '%u'"),
                        ("", "SELECT address AS user, password FROM users "
                             "WHERE split_part(address, '@', 1) = %n AND (%d = '' OR address LIKE '%%' || %d)")):
        with serve(db, query, host) as s:
            assert comes_in(s, "anna@example.org", "secret") == "", s.log_text()
            assert "[AUTH]" in comes_in(s, "anna@example.net" if not host else "anna", "secret")
            if not host: # the login without a domain has the mailbox of the whole address
                s.deliver("anna@example.org", [b"Subject: x\n\nHello\n"])
                pop = poplib.POP3("127.0.0.1", s.pop3_port, timeout=60)
                pop.user("anna")
                pop.pass_("secret")
                assert pop.stat()[0] == 1
                pop.quit()


@tap.case("the database is started again while people log in: nobody is told a wrong password, all come in")
@database
def _(db):
    with serve(db, **{"query-timeout": "60"}) as s:
        answers, stop = [], threading.Event()

        def go_on(user):
            while not stop.is_set():
                answers.append(comes_in(s, user, "secret"))
        db.sql("INSERT INTO users (address, password) SELECT 'u' || n || '@example.org', '{PLAIN}secret' "
               "FROM generate_series(0, 5) n")
        threads = [threading.Thread(target=go_on, args=(f"u{i}@example.org",)) for i in range(6)]
        for t in threads:
            t.start()
        for sig in (signal.SIGINT, signal.SIGQUIT, signal.SIGINT):
            n = len(answers)
            until(lambda: len(answers) > n + 20)
            db.stop(sig)
            time.sleep(0.3) # logins are under way without it
            db.start()
        n = len(answers)
        until(lambda: len(answers) > n + 20)
        stop.set()
        for t in threads:
            t.join()
        assert not any(answers), ([a for a in answers if a][:3], s.log_text()[-3000:])
        assert re.search("database-connection-lost|database-not-reached", s.log_text())


@tap.case("without the database: SYS/TEMP and 451, never AUTH nor 550; when it is back, all is well")
@database
def _(db):
    with serve(db, **{"query-timeout": "1"}) as s:
        assert comes_in(s, "anna@example.org", "secret") == ""
        db.stop()
        try:
            for user, password in (("anna@example.org", "secret"), ("anna@example.org", "x"),
                                   ("nobody@example.org", "x")):
                reply = comes_in(s, user, password)
                assert "[SYS/TEMP]" in reply, reply
            assert rcpt(s, "anna@example.org") == 451 and rcpt(s, "nobody@example.org") == 451
            assert s.log_text().count("database-not-reached") < 5
            if os.getuid() != 0:
                done = subprocess.run([s.program, "deliver", "-c", s.conf, "anna@example.org"],
                                      input=b"x\n", stderr=subprocess.PIPE, timeout=60)
                assert done.returncode == 75, done
        finally:
            db.start()
        until(lambda: comes_in(s, "anna@example.org", "secret") == "")
        assert rcpt(s, "nobody@example.org") == 550
        assert "database-back" in s.log_text()
        # a service that comes up before its database
        db.stop()
        s.stop()
        s.start()
        assert "[SYS/TEMP]" in comes_in(s, "anna@example.org", "secret")
        db.start()
        until(lambda: comes_in(s, "anna@example.org", "secret") == "")


@tap.case("a database that does not answer, a table that is changed, rows that cannot be: temporary, and told")
@database
def _(db):
    with serve(db, **{"query-timeout": "1", "query-connections": "2"}) as s:
        assert comes_in(s, "anna@example.org", "secret") == ""
        # locked by somebody who does not let go: the connections are given up in time
        holder = subprocess.Popen(db.psql_command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        holder.stdin.write("BEGIN; LOCK TABLE users;\n\\echo locked\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "locked\n"
        assert "[SYS/TEMP]" in comes_in(s, "anna@example.org", "secret")
        holder.stdin.close()
        holder.wait(60)
        holder.stdout.close()
        until(lambda: comes_in(s, "anna@example.org", "secret") == "")
        db.sql("ALTER TABLE users ALTER COLUMN pop3 TYPE text USING CASE WHEN pop3 THEN 'yes' ELSE 'no' END")
        assert comes_in(s, "nopop@example.org", "secret").startswith("-ERR [AUTH]")
        db.sql("UPDATE users SET pop3 = NULL")
        assert comes_in(s, "anna@example.org", "secret") == ""
        assert "[SYS/TEMP]" in comes_in(s, "wrong@example.org", "secret")
        assert re.search(r"user-row-wrong .*quota", s.log_text()), s.log_text()
        db.sql("ALTER TABLE users DROP CONSTRAINT users_pkey; INSERT INTO users (address, password) VALUES "
               "('anna@example.org', '{PLAIN}other')")
        for password in ("secret", "other"):
            assert "[SYS/TEMP]" in comes_in(s, "anna@example.org", password)
        db.sql("REVOKE SELECT ON users FROM restante")
        assert "[SYS/TEMP]" in comes_in(s, "bob@example.org", "pencil")
        db.sql("GRANT SELECT ON users TO restante")
        until(lambda: comes_in(s, "bob@example.org", "pencil") == "")
    with serve(db, "SELEKT %u", **{"query-timeout": "1"}) as s:
        assert "[SYS/TEMP]" in comes_in(s, "anna@example.org", "secret")
        assert re.search(r"database-not-reached .*syntax error", s.log_text()), s.log_text()


@tap.case("commands ask the database too, and what they cannot do there they say")
@database
def _(db):
    with serve(db) as s:
        def ctl(*args):
            return subprocess.run([s.program, *args[:1], "-c", s.conf, *args[1:]], input="x\n", text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        assert ctl("check-config").returncode == 0
        assert "quota=1G" in ctl("user", "list", "nopop@example.org").stdout
        assert ctl("user", "list", "nobody@example.org").returncode == 67
        for args in (("list",), ("disable", "anna@example.org"),
                     ("add", "--password-stdin", "new@example.org")):
            done = ctl("user", *args)
            assert done.returncode in (65, 78) and "database" in done.stderr, done
        for bad, words in (("SELECT '%u x'", "quoted"), ("SELECT %x", "%u, %n")):
            with open(s.conf) as f:
                text = f.read()
            with open(s.path("bad.conf"), "w") as f:
                f.write(text.replace("query = " + QUERY, "query = " + bad))
            done = subprocess.run([s.program, "check-config", "-c", s.path("bad.conf")], text=True,
                                  stderr=subprocess.PIPE, timeout=60)
            assert done.returncode == 78 and words in done.stderr, done


with Postgres() as DB:
    tap.run()
