"""What is installed beside the program: units, users, folders and the sample configuration fit one
another, systemd takes them, and the service runs with the rights they leave it."""
import configparser
import os
import poplib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rs_serve
import tap

DATA = os.path.join(rs_serve.peers.TOP, "data")
ANNA = "anna@example.org"
SOCKETS = ("restanted.socket", "restanted-submission.socket", "restanted-autoconfig.socket")


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as f:
        return f.read()


def unit(name):
    """[(key, value)] of a unit file."""
    text = read(rs_serve.BUILD, "data", name) if name.endswith(".service") else read(DATA, "systemd", name)
    return [tuple(line.split("=", 1)) for line in text.splitlines() if re.match(r"[A-Za-z]+=", line)]


def values(name, key):
    return [word for k, v in unit(name) if k == key for word in v.split()]


def sample():
    conf = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=(" ;",))
    conf.read(os.path.join(DATA, "restanted.conf"))
    return conf


def run(*command, **more):
    return subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, **more)


class Units:
    """A folder with the units, the service pointing at the program of this build."""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="rs-units-")
        text = re.sub(r"=\S*/restanted ", "=" + rs_serve.program("restanted") + " ",
                      read(rs_serve.BUILD, "data", "restanted.service"))
        with open(os.path.join(self.folder, "restanted.service"), "w", encoding="utf-8") as f:
            f.write(text)
        for name in SOCKETS:
            shutil.copy(os.path.join(DATA, "systemd", name), self.folder)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)


@tap.case("systemd takes the units without a word, and calls the service well confined")
def _():
    with Units() as u:
        done = run("systemd-analyze", "verify", "--man=no", u.path("restanted.service"), *map(u.path, SOCKETS))
        assert done.returncode == 0 and "restante" not in done.stdout, done.stdout
        done = run("systemd-analyze", "security", "--offline=yes", "--threshold=30", u.path("restanted.service"))
        assert done.returncode == 0, done.stdout[-400:]


@tap.case("systemd takes the units of a person, which run commands that there are")
def _():
    with tempfile.TemporaryDirectory(prefix="rs-user-") as folder:
        names = ["restante-watch.service", "restante-check.service", "restante-check.timer"]
        for name in names:
            text = read(DATA, "systemd/user", name) if name.endswith(".timer") else read(rs_serve.BUILD, "data", name)
            with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
                f.write(re.sub(r"=\S*/restante ", "=" + rs_serve.program("restante") + " ", text))
        done = run("systemd-analyze", "--user", "verify", "--man=no", *(os.path.join(folder, n) for n in names),
                   env={**os.environ, "XDG_RUNTIME_DIR": folder})
        assert done.returncode == 0 and "restante" not in done.stdout, done.stdout
        for name in names[:2]:
            command = re.search(r"ExecStart=(.*)", read(folder, name)).group(1).split()
            done = run(*command, "--help", env={**os.environ, "RESTANTE_HOME": folder})
            assert done.returncode == 0, done.stdout


@tap.case("the sample configuration is right, and fits the socket unit, the users and the folders")
def _():
    conf = sample()
    with rs_serve.Restanted({ANNA: "x"}) as s:
        text = read(DATA, "restanted.conf")
        for was, now in (("/etc/restante/fullchain.pem", s.crt), ("/etc/restante/privkey.pem", s.key),
                         ("/etc/restante/users", s.path("users"))):
            assert was in text
            text = text.replace(was, now)
        # users and groups that sysusers makes: here somebody who is there already
        text = re.sub(r"^((?:front-|auth-|relay-)?user) = .*$", r"\1 = nobody", text, flags=re.M)
        text = re.sub(r"^admin-group = .*$", "admin-group = root", text, flags=re.M)
        with open(s.path("sample.conf"), "w", encoding="utf-8") as f:
            f.write(text)
        done = run(s.program, "check-config", "-c", s.path("sample.conf"))
        assert done.returncode == 0, done.stdout
    listed = {a.strip().removeprefix("unix:") for v in conf["listen"].values() for a in v.split(",")}
    assert set(values("restanted.socket", "ListenStream")) <= listed
    made = re.findall(r"^([ug]) (\S+)", read(DATA, "systemd", "restante.sysusers"), re.M)
    for key in ("user", "front-user", "auth-user", "relay-user"):
        assert ("u", conf["server"][key]) in made, key
    assert ("g", conf["server"]["admin-group"]) in made
    folders = set(re.findall(r"^d (\S+)", read(DATA, "systemd", "restante.tmpfiles"), re.M))
    mail = conf["store"]["path"].split("/%")[0]
    assert {conf["server"]["run-dir"], conf["server"]["state-dir"], mail} <= folders
    writable = {p.lstrip("-") for p in values("restanted.service", "ReadWritePaths")}
    assert {conf["server"]["run-dir"], conf["server"]["state-dir"], mail} == writable


@tap.case("the socket units beside it: no address twice, all for the one service")
def _():
    listed = [a for name in SOCKETS for a in values(name, "ListenStream")]
    assert len(set(listed)) == len(listed), listed
    for name in SOCKETS:
        assert values(name, "Service") == ["restanted.service"]
    ports = {a.rsplit(":", 1)[1] for a in values("restanted-submission.socket", "ListenStream")}
    assert ports == {"465", "587"}, ports


@tap.case("sysusers and tmpfiles make users and folders that belong to them")
def _():
    if os.getuid() != 0:
        raise tap.Skip("needs root to make folders of others")
    root = tempfile.mkdtemp(prefix="rs-root-")
    try:
        os.makedirs(os.path.join(root, "etc"))
        done = run("systemd-sysusers", "--root=" + root, os.path.join(DATA, "systemd", "restante.sysusers"))
        assert done.returncode == 0, done.stdout
        users = {l.split(":")[0]: int(l.split(":")[2]) for l in read(root, "etc/passwd").splitlines()}
        done = run("systemd-tmpfiles", "--root=" + root, "--create",
                   os.path.join(DATA, "systemd", "restante.tmpfiles"))
        assert done.returncode == 0, done.stdout
        for folder, owner in (("var/mail/restante", "restante"), ("var/lib/restante", "restante"),
                              ("run/restante", "root")):
            have = os.stat(os.path.join(root, folder)).st_uid
            assert have == (0 if owner == "root" else users[owner]), folder
        assert len({users[u] for u in ("restante", "restante-front", "restante-auth", "restante-relay")}) == 4
    finally:
        shutil.rmtree(root)


@tap.case("with the capabilities of the unit, and no others, it serves, reloads and mends itself")
def _():
    if os.getuid() != 0:
        raise tap.Skip("needs root to give rights up")
    keep = ",".join("+" + c.removeprefix("CAP_").lower() for c in values("restanted.service", "CapabilityBoundingSet"))
    s = rs_serve.Restanted({ANNA: "secret"}, workers=2, auth={"cleartext": "loopback"})
    # CAP_DAC_OVERRIDE is gone: the folders must belong to who writes there
    s.prefix = ["setpriv", "--bounding-set=-all," + keep, "--no-new-privs", "--"]
    with s:
        with open(f"/proc/{s.process.pid}/status", encoding="utf-8") as f:
            bits = int(re.search(r"CapEff:\s+(\w+)", f.read()).group(1), 16)
        assert bin(bits).count("1") == keep.count("+"), bin(bits)
        s.deliver(ANNA, [b"Subject: x\n\nHello\n"])

        def works():
            pop = poplib.POP3("127.0.0.1", s.pop3_port, timeout=60)
            pop.user(ANNA)
            pop.pass_("secret")
            n = pop.stat()[0]
            pop.quit()
            return n == 1

        assert works()
        done = run(s.program, "reload", "-c", s.conf)
        assert done.returncode == 0, done.stdout + s.log_text()
        assert works()
        for role in ("front", "store", "auth", "admin"):
            os.kill(s.roles()[role][0], signal.SIGKILL)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                if works():
                    break
            except (OSError, EOFError, poplib.error_proto):
                time.sleep(0.1)
        assert works()
        # a role that hangs is another user's process: it can be ended all the same
        os.kill(s.roles()["front"][0], signal.SIGSTOP)
        began = time.monotonic()
        assert s.stop() == 0 and time.monotonic() - began < 25


tap.run()
