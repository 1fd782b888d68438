"""Mail servers that others wrote, started for one test and ended by process id.

    with Dovecot(messages) as peer:          # also: Courier, Popa3d
        peer.host, peer.port, peer.user, peer.password, peer.security, peer.ca_file

Each listens on loopback on a free port, works in a temporary folder, and is run from its unpacked
Debian package (tests/tools/peers.sh) inside a mount namespace (tests/tools/peer_ns.sh), so
nothing of it is installed. `messages` is a list of bytes with LF line ends. They need root (the
servers change to users of their own); need_root() skips a test where it is not to be had.

Python 3 standard library only.
"""
import glob
import os
import poplib
import pwd
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

TOOLS = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(TOOLS))
NS = os.path.join(TOOLS, "peer_ns.sh")
USER, PASSWORD = "anna", "secret Geheim 1"


def unpack(*names):
    """Have the peers' packages unpacked; raises with apt's words when that fails."""
    done = subprocess.run([os.path.join(TOOLS, "peers.sh"), *names], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise RuntimeError(done.stdout)


def peer_there(name):
    """Is this peer unpacked?"""
    return os.path.exists(os.path.join(TOP, "build", "peers", name, "ready"))


def need_root():
    if os.getuid() != 0:
        print("1..0 # SKIP the peers' servers need root; run ./test as root or with sudo")
        sys.exit(77)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_port(port, process, log, seconds=30):
    """Wait until somebody listens; a server that died instead is told with its log."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    with open(log, errors="replace") as f:
        raise RuntimeError("the server did not come up:\n" + f.read()[-3000:])


def make_certificate(folder, name="localhost", days=2):
    """A self-signed certificate for `name` and 127.0.0.1; returns (certificate, key)."""
    crt, key = os.path.join(folder, "crt.pem"), os.path.join(folder, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", crt,
                    "-days", str(days), "-subj", "/CN=" + name,
                    "-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return crt, key


def fill_maildir(path, messages):
    for sub in ("cur", "new", "tmp"):
        os.makedirs(os.path.join(path, sub), exist_ok=True)
    for i, octets in enumerate(messages):
        with open(os.path.join(path, "new", f"{1700000000 + i}.P1Q{i}.peer"), "wb") as f:
            f.write(octets)


def mail_owner(path):
    """Root must not own mail in these servers: give `path` to nobody. Returns (uid, gid)."""
    who = pwd.getpwnam("nobody")
    for at, _, files in os.walk(path):
        os.chown(at, who.pw_uid, who.pw_gid)
        for name in files:
            os.chown(os.path.join(at, name), who.pw_uid, who.pw_gid)
    return who.pw_uid, who.pw_gid


def end_group(process, seconds=10):
    """End a server and what it started: its own process group, by id."""
    for sig in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sig)
        except ProcessLookupError:
            break
        try:
            process.wait(seconds)
            break
        except subprocess.TimeoutExpired:
            continue
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def inner(pid, command):
    """The number, as seen from here, of the first process below `pid` whose command line begins so: what runs
    in a namespace of peer_ns.sh (whose own processes pass no signals on). None: there is none."""
    out = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], stdout=subprocess.PIPE, text=True).stdout
    rows = [line.split(None, 2) for line in out.splitlines()]
    below = [pid]
    for parent in below:
        for p, pp, args in rows:
            if int(pp) == parent:
                if args.startswith(command):
                    return int(p)
                below.append(int(p))
    return None


class Peer:
    package = None
    security = "tls"
    patience = 10  # seconds it may take to end when it is told to

    def __init__(self, messages):
        self.messages = messages
        self.host, self.user, self.password = "localhost", USER, PASSWORD
        self.ca_file = None
        self.processes = []

    def __enter__(self):
        unpack(self.package)
        self.folder = tempfile.mkdtemp(prefix="rs-peer-")
        os.chmod(self.folder, 0o755)
        self.log = os.path.join(self.folder, "log")
        self.port = free_port()
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            end_group(process, self.patience)
        if os.environ.get("RS_PEER_KEEP"):
            print("kept:", self.folder, file=sys.stderr)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        return path

    def spawn(self, *command, extra="-", **kwargs):
        log = open(self.log, "ab")
        process = subprocess.Popen([NS, self.package, extra, *command], stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=log, start_new_session=True, **kwargs)
        log.close()
        self.processes.append(process)
        return process

    def retrieve(self):
        """All messages as an independent client (poplib) sees them: list of bytes, LF ends."""
        if self.security == "tls":
            context = ssl.create_default_context(cafile=self.ca_file)
            pop = poplib.POP3_SSL(self.host, self.port, context=context, timeout=60)
        else:
            pop = poplib.POP3("127.0.0.1", self.port, timeout=60)
        poplib._MAXLINE = 1 << 20
        pop.user(self.user)
        pop.pass_(self.password)
        count = pop.stat()[0]
        got = [b"\n".join(pop.retr(i + 1)[1]) + b"\n" for i in range(count)]
        pop.quit()
        return got


class Dovecot(Peer):
    """`extra`: further lines of its configuration."""
    package = "dovecot-pop3d"
    protocol = "pop3"

    def __init__(self, messages, extra=""):
        super().__init__(messages)
        self.extra = extra

    def place_mail(self):
        """Returns the Maildir, and the numbers of who owns it."""
        fill_maildir(os.path.join(self.folder, "home/mail"), self.messages)
        return (os.path.join(self.folder, "home/mail"),
                *mail_owner(os.path.join(self.folder, "home")))

    def start(self):
        crt, key = make_certificate(self.folder)
        self.ca_file = crt
        os.makedirs(os.path.join(self.folder, "home"), exist_ok=True)
        self.maildir, uid, gid = self.place_mail()
        self.write("users", f"{USER}:{{PLAIN}}{PASSWORD}::::::\n")
        conf = self.write("dovecot.conf", f"""
base_dir = {self.folder}/run
state_dir = {self.folder}/state
log_path = {self.log}
protocols = {self.protocol}
listen = 127.0.0.1
ssl = required
ssl_cert = <{crt}
ssl_key = <{key}
mail_location = maildir:{self.maildir}
first_valid_uid = 1
first_valid_gid = 1
default_internal_user = root
default_internal_group = root
default_login_user = nobody
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {self.folder}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={self.folder}/home
}}
service anvil {{
  chroot =
}}
service {self.protocol}-login {{
  chroot =
  inet_listener {self.protocol} {{
    port = 0
  }}
  inet_listener {self.protocol}s {{
    port = {self.port}
  }}
}}
{self.extra}
""")
        process = self.spawn("dovecot", "-F", "-c", conf)
        wait_port(self.port, process, self.log)


class DovecotImap(Dovecot):
    """On a Maildir that is there already, and stays its owner's."""
    package = "dovecot-imapd"
    protocol = "imap"

    def __init__(self, maildir):
        super().__init__([])
        self.maildir = maildir

    def place_mail(self):
        who = os.stat(self.maildir)
        return self.maildir, who.st_uid, who.st_gid


class Courier(Peer):
    package = "courier-pop"
    patience = 0.5  # couriertcpd as the first process of a namespace hears no SIGTERM
    security = "none"

    def start(self):
        home = os.path.join(self.folder, "home")
        fill_maildir(os.path.join(home, "Maildir"), self.messages)
        uid, gid = mail_owner(home)
        etc = os.path.join(self.folder, "etc")
        sock = os.path.join(self.folder, "auth")
        os.makedirs(sock)
        with open(os.path.join(TOP, "build/peers/courier-pop/root/etc/courier/authdaemonrc")) as f:
            lines = [l for l in f if not l.startswith(("authmodulelist", "daemons", "authdaemonvar"))]
        self.write("etc/courier/authdaemonrc", "".join(lines) + 'authmodulelist="authuserdb"\n'
                   f'authmodulelistorig="authuserdb"\ndaemons=2\nauthdaemonvar={sock}\n')
        # authuserdb reads /etc/courier/userdb.dat (gdbm), made by the package's own tools.
        crypted = subprocess.run(["openssl", "passwd", "-6", PASSWORD], check=True, text=True,
                                 stdout=subprocess.PIPE).stdout.strip()
        self.write("etc/courier/userdb", f"{USER}\tuid={uid}|gid={gid}|home={home}|"
                   f"mail={home}/Maildir|systempw={crypted}\n")
        os.chmod(os.path.join(etc, "courier/userdb"), 0o600)
        run = self.write("run.sh", f"""#!/bin/bash
set -e
cp -a /etc/courier {self.folder}/courier
mount --bind {self.folder}/courier /etc/courier
makeuserdb
mount -t tmpfs tmpfs /run
mkdir -p /run/courier/authdaemon
/usr/lib/courier/courier-authlib/authdaemond &
sleep 0.3
exec couriertcpd -address=127.0.0.1 -maxprocs=20 -maxperip=20 -nodnslookup -noidentlookup \\
    {self.port} /usr/lib/courier/courier/courierpop3login \\
    /usr/lib/courier/courier/courierpop3d Maildir
""")
        os.chmod(run, 0o755)
        process = self.spawn(run, extra=etc)
        wait_port(self.port, process, self.log)


class Cyrus(Peer):
    """Cyrus 3: its master, pop3d and lmtpd. Passwords are asked of a saslauthd that is played here. The mail comes by
    LMTP; where it lies then is self.maildir."""
    package = "cyrus-pop3d"
    security = "none"
    patience = 2

    def __init__(self, messages, extra=""):
        super().__init__(messages)
        self.extra = extra

    def start(self):
        lmtp = free_port()
        who = pwd.getpwnam("nobody")
        for sub in ("config", "spool", "sasl"):
            os.makedirs(os.path.join(self.folder, sub))
        self.write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"
                   f"cyrus:x:{who.pw_uid}:{who.pw_gid}::/nonexistent:/bin/sh\n")
        self.write("etc/group", f"root:x:0:\nmail:x:{who.pw_gid}:\n")
        self.write("etc/imapd.conf", f"""
configdirectory: {self.folder}/config
proc_path: {self.folder}/config/proc
mboxname_lockpath: {self.folder}/config/lock
defaultpartition: default
partition-default: {self.folder}/spool
unixhierarchysep: yes
virtdomains: no
allowplaintext: yes
sasl_pwcheck_method: saslauthd
sasl_saslauthd_path: {self.folder}/sasl/mux
sasl_mech_list: PLAIN
lmtp_downcase_rcpt: yes
autocreate_quota: 0
autocreate_post: yes
popminpoll: 0
{self.extra}
""")
        self.write("etc/cyrus.conf", f"""
START {{
  recover cmd="/usr/sbin/cyrus ctl_cyrusdb -r"
}}
SERVICES {{
  pop3 cmd="pop3d" listen="127.0.0.1:{self.port}" prefork=0
  lmtp cmd="lmtpd -a" listen="127.0.0.1:{lmtp}" prefork=0
}}
EVENTS {{
}}
""")
        mail_owner(self.folder)
        self.saslauthd = socket.socket(socket.AF_UNIX)
        self.saslauthd.bind(os.path.join(self.folder, "sasl/mux"))
        os.chmod(os.path.join(self.folder, "sasl/mux"), 0o666)
        self.saslauthd.listen()
        threading.Thread(target=self.answer, daemon=True).start()
        run = self.write("run.sh", "#!/bin/bash\nexec /usr/sbin/cyrmaster -D -C /etc/imapd.conf "
                         "-M /etc/cyrus.conf -p /tmp/cyrus-$$.pid\n")
        os.chmod(run, 0o755)
        process = self.spawn(run, extra=os.path.join(self.folder, "etc"))
        wait_port(lmtp, process, self.log)
        with smtplib.LMTP("127.0.0.1", lmtp, local_hostname="test") as link:
            for octets in self.messages:
                link.sendmail("peer@example.org", [USER], octets.replace(b"\n", b"\r\n"))
        wait_port(self.port, process, self.log)
        found = glob.glob(os.path.join(self.folder, "spool/**/cyrus.index"), recursive=True)
        self.maildir = os.path.dirname(found[0])

    def answer(self):
        """saslauthd: four counted strings (login, password, service, realm), one back."""
        while True:
            try:
                link, _ = self.saslauthd.accept()
            except OSError:
                return
            with link:
                parts = []
                for _ in range(4):
                    n = int.from_bytes(link.recv(2, socket.MSG_WAITALL), "big")
                    parts.append(link.recv(n, socket.MSG_WAITALL).decode() if n else "")
                word = b"OK" if parts[1] == PASSWORD else b"NO"
                link.sendall(len(word).to_bytes(2, "big") + word)

    def __exit__(self, *rest):
        if hasattr(self, "saslauthd"):
            self.saslauthd.close()
        super().__exit__(*rest)


class Popa3d(Peer):
    """popa3d knows only ports and users of the system: it is run as inetd would, on our socket,
    with a passwd and a shadow file of its own."""
    package = "popa3d"
    security = "none"

    def start(self):
        crypted = subprocess.run(["openssl", "passwd", "-6", PASSWORD], check=True, text=True,
                                 stdout=subprocess.PIPE).stdout.strip()
        who = pwd.getpwnam("nobody")
        self.write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"
                   "popa3d:x:64001:65534::/nonexistent:/usr/sbin/nologin\n"
                   f"{USER}:x:{who.pw_uid}:{who.pw_gid}::/nonexistent:/bin/sh\n")
        self.write("etc/shadow", "root:*:19000:0:99999:7:::\npopa3d:*:19000:0:99999:7:::\n"
                   f"{USER}:{crypted}:19000:0:99999:7:::\n")
        box = os.path.join(self.folder, "mail", USER)
        os.makedirs(os.path.dirname(box))
        with open(box, "wb") as f:
            for octets in self.messages:
                body = b"\n".join(b">" + line if line.startswith(b"From ") else line
                                  for line in octets.rstrip(b"\n").split(b"\n"))
                f.write(b"From peer@example.org Thu Jan  1 00:00:00 2026\n" + body + b"\n\n")
        os.chown(box, who.pw_uid, who.pw_gid)
        os.chmod(box, 0o600)
        run = self.write("run.sh", f"""#!/bin/bash
set -e
mount -t tmpfs tmpfs /var
mkdir -p /var/lib/popa3d /var/mail /var/spool
ln -s /var/mail /var/spool/mail
mount --bind {self.folder}/mail /var/mail
exec python3 {TOOLS}/inetd.py {self.port} /usr/sbin/popa3d
""")
        os.chmod(run, 0o755)
        process = self.spawn(run, extra=os.path.join(self.folder, "etc"))
        wait_port(self.port, process, self.log)


class Postfix(Peer):
    """Takes mail by SMTP on self.port and hands all of example.org to `lmtp`, e.g.
    "inet:127.0.0.1:2424" or "unix:/path". With `sasl`, the path of a SASL service, its clients can log in there, under
    TLS only, and only they can send."""
    package = "postfix"

    def __init__(self, lmtp, sasl=None):
        super().__init__([])
        self.lmtp, self.sasl = lmtp, sasl

    def sasl_conf(self):
        if not self.sasl:
            return ""
        self.ca_file, key = make_certificate(self.folder)
        return f"""
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {self.sasl}
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_tls_chain_files = {key}, {self.ca_file}
smtpd_delay_reject = no
smtpd_client_restrictions =
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_sender_restrictions = permit_sasl_authenticated, reject
"""

    def start(self):
        self.write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"
                   "postfix:x:64002:64002::/var/spool/postfix:/usr/sbin/nologin\n"
                   "nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n")
        self.write("etc/group", "root:x:0:\nnogroup:x:65534:\npostfix:x:64002:\npostdrop:x:64003:\n")
        self.write("etc/postfix/main.cf", f"""
compatibility_level = 3.6
myhostname = mx.example.org
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
maillog_file = /dev/stdout
virtual_mailbox_domains = example.org
virtual_transport = lmtp:{self.lmtp}
virtual_mailbox_maps = static:all
smtpd_peername_lookup = no
smtputf8_enable = yes
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 2s
alias_maps =
alias_database =
""" + self.sasl_conf())
        services = [f"127.0.0.1:{self.port} inet n - n - - smtpd",
                    "postlog unix-dgram n - n - 1 postlogd"]
        services += [f"{name} unix {private} - n {wakeup} {most} {command}" for
                     name, private, wakeup, most, command in (
                         ("pickup", "n", "60", "1", "pickup"), ("cleanup", "n", "-", "0", "cleanup"),
                         ("qmgr", "n", "300", "1", "qmgr"), ("rewrite", "-", "-", "-", "trivial-rewrite"),
                         ("bounce", "-", "-", "0", "bounce"), ("defer", "-", "-", "0", "bounce"),
                         ("proxymap", "-", "-", "-", "proxymap"), ("lmtp", "-", "-", "-", "lmtp"),
                         ("tlsmgr", "-", "1000?", "1", "tlsmgr"),
                         ("error", "-", "-", "-", "error"), ("retry", "-", "-", "-", "error"),
                         ("anvil", "-", "-", "1", "anvil"), ("scache", "-", "-", "1", "scache"))]
        self.write("etc/postfix/master.cf", "\n".join(services) + "\n")
        run = self.write("run.sh", f"""#!/bin/bash
mount -t tmpfs tmpfs /var
mkdir -p /var/spool/postfix /var/lib/postfix /var/log /var/tmp
chown postfix /var/lib/postfix
exec postfix start-fg
""")
        os.chmod(run, 0o755)
        process = self.spawn(run, extra=os.path.join(self.folder, "etc"))
        wait_port(self.port, process, self.log)


class Exim(Peer):
    """Takes mail by SMTP on self.port from those who log in, under TLS, at the SASL service `sasl`, and throws it
    away."""
    package = "exim4-daemon-heavy"

    def __init__(self, sasl):
        super().__init__([])
        self.sasl = sasl

    def start(self):
        self.ca_file, key = make_certificate(self.folder)
        os.chmod(key, 0o644)
        self.write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"
                   "Debian-exim:x:64004:64004::/var/spool/exim4:/usr/sbin/nologin\n"
                   "nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n")
        self.write("etc/group", "root:x:0:\nnogroup:x:65534:\nDebian-exim:x:64004:\n")
        self.write("etc/exim4/exim4.conf", f"""
keep_environment =
primary_hostname = mx.example.org
spool_directory = /var/spool/exim4
log_file_path = syslog
syslog_facility = mail
host_lookup =
rfc1413_query_timeout = 0s
tls_advertise_hosts = *
tls_certificate = {self.ca_file}
tls_privatekey = {key}
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
acl_smtp_rcpt = rcpt
begin acl
rcpt:
  accept authenticated = *
  deny message = log in first
begin routers
all:
  driver = redirect
  data = :blackhole:
begin authenticators
plain:
  driver = dovecot
  public_name = PLAIN
  server_socket = {self.sasl}
  server_set_id = $auth1
login:
  driver = dovecot
  public_name = LOGIN
  server_socket = {self.sasl}
  server_set_id = $auth1
""")
        run = self.write("run.sh", f"""#!/bin/bash
mount -t tmpfs tmpfs /var
mkdir -p /var/spool/exim4 /var/log /var/tmp
chown Debian-exim /var/spool/exim4
exec /usr/sbin/exim4 -bdf -v -oX 127.0.0.1.{self.port} -oP /var/spool/exim4/pid
""")
        os.chmod(run, 0o755)
        process = self.spawn(run, extra=os.path.join(self.folder, "etc"))
        wait_port(self.port, process, self.log)


if __name__ == "__main__":
    if sys.argv[1] == "postfix":
        with Postfix("inet:127.0.0.1:9") as running:
            input(f"postfix on {running.port}, in {running.folder}; Enter ends it ")
        sys.exit()
    which = {"dovecot": Dovecot, "courier": Courier, "popa3d": Popa3d, "cyrus": Cyrus}[sys.argv[1]]
    sample = [b"Subject: one\n\nHello\n.dot\n..\n", b"Subject: two\n\nno end"]
    with which(sample) as running:
        print(running.port, running.retrieve())
