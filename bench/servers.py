"""The servers that bench/run compares: each in a control group of its own, pinned to core 0."""
import os
import pwd
import subprocess
import time

import peers

NOBODY = pwd.getpwnam("nobody")


class Cgroup:
    """CPU time and memory of a server's processes, whatever it forks (cgroup v1 or v2)."""

    def __init__(self, name):
        self.folders = {}
        v1 = {"cpuacct": "/sys/fs/cgroup/cpuacct", "memory": "/sys/fs/cgroup/memory"}
        for kind, top in v1.items() if os.path.isdir(v1["cpuacct"]) else [("v2", "/sys/fs/cgroup")]:
            path = os.path.join(top, f"rs-bench-{os.getpid()}-{name}")
            os.makedirs(path, exist_ok=True)
            self.folders[kind] = path

    def enter(self):
        """To be called in the child before it becomes the server."""
        for path in self.folders.values():
            with open(os.path.join(path, "cgroup.procs"), "w") as f:
                f.write("0")

    def read(self, kind, name):
        with open(os.path.join(self.folders[kind], name)) as f:
            return f.read()

    def cpu(self):
        if "cpuacct" in self.folders:
            return int(self.read("cpuacct", "cpuacct.usage")) / 1e9
        for line in self.read("v2", "cpu.stat").splitlines():
            if line.startswith("usage_usec"):
                return int(line.split()[1]) / 1e6
        raise RuntimeError("the control group does not tell CPU time")

    def kernel(self):
        if "memory" in self.folders:
            return int(self.read("memory", "memory.kmem.usage_in_bytes"))
        for line in self.read("v2", "memory.stat").splitlines():
            if line.startswith("kernel "):
                return int(line.split()[1])
        return 0

    def memory(self):
        """PSS of all processes and what the kernel holds for them, octets."""
        pss = 0
        kind = "cpuacct" if "cpuacct" in self.folders else "v2"
        for pid in self.read(kind, "cgroup.procs").split():
            with open(f"/proc/{pid}/smaps_rollup") as f:
                for line in f:
                    if line.startswith("Pss:"):
                        pss += int(line.split()[1]) * 1024
        return pss + self.kernel()

    def remove(self):
        for path in self.folders.values():
            for _ in range(50):
                try:
                    os.rmdir(path)
                    break
                except OSError:
                    time.sleep(0.1)


class Server:
    def __init__(self, folder, users):
        self.folder = os.path.join(folder, self.name)
        self.mail = os.path.join(self.folder, "mail")
        os.makedirs(self.mail)
        os.chown(self.mail, NOBODY.pw_uid, NOBODY.pw_gid)
        self.users = users
        self.log = os.path.join(self.folder, "log")
        self.pop3, self.pop3s = peers.free_port(), peers.free_port()
        self.processes = []
        self.cgroup = Cgroup(self.name)

    def file(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o644)
        return path

    def run(self, *command):
        self.log_at = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        with open(self.log, "ab") as log:
            self.processes.append(subprocess.Popen(
                ["taskset", "-c", "0", *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=self.cgroup.enter))

    def wait_log(self, text):
        """Until the log says so: listening alone does not mean that every process is up."""
        end = time.monotonic() + 60
        while time.monotonic() < end and self.processes[-1].poll() is None:
            with open(self.log, errors="replace") as f:
                if text in f.read()[self.log_at:]:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"{self.name} did not come up, see {self.log}")

    def stop(self, last=True):
        for process in self.processes:
            peers.end_group(process)
        self.processes = []
        if last:
            self.cgroup.remove()

    def restart(self):
        self.stop(False)
        self.start()


class Ours(Server):
    name = "restante"

    def __init__(self, folder, program, users):
        super().__init__(folder, users)
        self.program = program

    def start(self):
        crt, key = peers.make_certificate(self.folder)
        for sub in ("run", "state"):
            os.makedirs(os.path.join(self.folder, sub), exist_ok=True)
        users = self.file("users", "".join(f"u{i}@example.org:{{PLAIN}}pw::::::\n" for i in range(self.users)))
        self.lmtp = os.path.join(self.folder, "run/lmtp")
        conf = self.file("restanted.conf", f"""
[server]
hostname = localhost
state-dir = {self.folder}/state
run-dir = {self.folder}/run
user = {NOBODY.pw_uid}:{NOBODY.pw_gid}
[listen]
pop3 = 127.0.0.1:{self.pop3}
pop3s = 127.0.0.1:{self.pop3s}
lmtp = unix:{self.lmtp}
[tls]
certificate = {crt}
key = {key}
[auth]
users = passwd-file:{users}
cleartext = always
[store]
type = maildir
path = {self.mail}/%n
[limits]
connections = 20000
""")
        self.run(self.program, "serve", "-c", conf)
        self.wait_log(" ready ")


class Dovecot(Server):
    name = "dovecot"

    def conf(self, name, protocols, services):
        crt, key = peers.make_certificate(self.folder)
        users = self.file("users", "".join(f"u{i}@example.org:{{PLAIN}}pw::::::\n" for i in range(self.users)))
        return self.file(name + ".conf", f"""
base_dir = {self.folder}/{name}-run
state_dir = {self.folder}/{name}-state
log_path = {self.log}
protocols = {protocols}
listen = 127.0.0.1
ssl = yes
ssl_cert = <{crt}
ssl_key = <{key}
disable_plaintext_auth = no
mail_location = maildir:{self.mail}/%n
first_valid_uid = 1
first_valid_gid = 1
default_internal_user = root
default_internal_group = root
default_login_user = nobody
default_client_limit = 20000
default_process_limit = 500
mail_max_userip_connections = 0
mail_fsync = optimized
auth_cache_size = 10M
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {users}
}}
userdb {{
  driver = static
  args = uid={NOBODY.pw_uid} gid={NOBODY.pw_gid} home={self.mail}/%n
}}
service anvil {{
  chroot =
  client_limit = 20000
}}
service auth {{
  client_limit = 20000
}}
{services}
""")

    def start(self):
        conf = self.conf("pop3", "pop3", f"""
service pop3-login {{
  chroot =
  service_count = 0
  client_limit = 10000
  process_min_avail = 1
  process_limit = 2
  inet_listener pop3 {{
    port = {self.pop3}
  }}
  inet_listener pop3s {{
    port = {self.pop3s}
  }}
}}
service pop3 {{
  service_count = 0
  client_limit = 100
  process_min_avail = 1
  process_limit = 500
}}
""")
        peer = os.path.join(peers.TOOLS, "peer_ns.sh")
        self.lmtp = os.path.join(self.folder, "lmtp-run", "lmtp")
        self.run(peer, "dovecot-pop3d", "-", "dovecot", "-F", "-c", conf)
        peers.wait_port(self.pop3s, self.processes[-1], self.log)
        if peers.peer_there("dovecot-lmtpd"):
            conf = self.conf("lmtp", "lmtp", """
service lmtp {
  service_count = 0
  process_min_avail = 16
}
""")
            self.run(peer, "dovecot-lmtpd", "-", "dovecot", "-F", "-c", conf)
            end = time.monotonic() + 30
            while not os.path.exists(self.lmtp) and time.monotonic() < end:
                time.sleep(0.1)
