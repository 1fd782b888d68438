/* sandbox_calls.c - which system calls a role may make: the table, and putting it in force with
 * libseccomp. See sandbox.h for who needs what.
 *
 * Everything not in the table ends the role (SIGSYS), after the master was told the number. Calls
 * whose arguments matter are not in the table but in `conditions`, with the reason. Numbers
 * that this kernel's architecture or library does not know are passed over. */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/sandbox.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define ALL       0u /* every role */
#define CLIENTS   RS_NEED_CLIENTS
#define READ      RS_NEED_READ
#define WRITE     RS_NEED_WRITE
#define THREADS   RS_NEED_THREADS
#define CONNECT   RS_NEED_CONNECT
#define HELPERS   RS_NEED_HELPERS
#define LOCAL     RS_NEED_LOCAL
#define SANITIZER (1u << 31) /* only in builds with a sanitizer */

struct row {
	const char *name;
	unsigned needs; /* any of them; ALL */
};

static const struct row table[] = {
	/* memory; mmap and mprotect: see conditions */
	{"brk", ALL},
	{"munmap", ALL},
	{"mremap", ALL},
	{"madvise", ALL},
	/* time, chance, and what the process is */
	{"clock_gettime", ALL},
	{"clock_getres", ALL},
	{"clock_nanosleep", ALL},
	{"nanosleep", ALL},
	{"gettimeofday", ALL},
	{"time", ALL},
	{"getrandom", ALL},
	{"getpid", ALL},
	{"gettid", ALL},
	{"getuid", ALL},
	{"geteuid", ALL},
	{"getgid", ALL},
	{"getegid", ALL},
	{"getrusage", ALL},
	{"getcpu", ALL},
	{"uname", ALL},
	{"sysinfo", ALL},
	{"sched_getaffinity", ALL},
	{"sched_yield", ALL},
	/* signals of its own, the end */
	{"rt_sigaction", ALL},
	{"rt_sigprocmask", ALL},
	{"rt_sigreturn", ALL},
	{"sigaltstack", ALL},
	{"restart_syscall", ALL},
	{"exit", ALL},
	{"exit_group", ALL},
	/* threads: g_mutex and libuv wait by futex even where there is one thread only */
	{"futex", ALL},
	{"rseq", THREADS},
	{"set_robust_list", THREADS},
	{"set_tid_address", THREADS},
	/* descriptors that it has: links, log, memory files handed over, timers of the loop */
	{"read", ALL},
	{"readv", ALL},
	{"pread64", ALL},
	{"preadv", ALL},
	{"write", ALL},
	{"writev", ALL},
	{"lseek", ALL},
	{"_llseek", ALL},
	{"close", ALL},
	{"close_range", ALL},
	{"fcntl", ALL},
	{"fcntl64", ALL},
	{"fstat", ALL},
	{"fstat64", ALL},
	{"dup", ALL},
	{"dup2", ALL},
	{"dup3", ALL},
	{"poll", ALL},
	{"ppoll", ALL},
	{"epoll_create1", ALL},
	{"epoll_ctl", ALL},
	{"epoll_wait", ALL},
	{"epoll_pwait", ALL},
	{"epoll_pwait2", ALL},
	{"eventfd2", ALL},
	{"pipe2", ALL},
	{"sendmsg", ALL},
	{"recvmsg", ALL},
	{"sendto", ALL},
	{"recvfrom", ALL},
	{"getsockopt", ALL},
	{"setsockopt", ALL},
	{"getsockname", ALL},
	{"getpeername", ALL},
	{"shutdown", ALL},
	/* clients: new connections of a listener that the master has bound; large bodies */
	{"listen", CLIENTS},
	{"accept4", CLIENTS},
	{"accept", CLIENTS},
	{"sendfile", CLIENTS},
	{"splice", CLIENTS},
	/* files, under the eyes of Landlock; open: see conditions */
	{"stat", READ},
	{"lstat", READ},
	{"newfstatat", READ},
	{"fstatat64", READ},
	{"statx", READ},
	{"access", READ},
	{"faccessat", READ},
	{"faccessat2", READ},
	{"getdents64", READ},
	{"readlink", READ},
	{"readlinkat", READ},
	{"getcwd", READ},
	{"statfs", READ},
	{"fstatfs", READ},
	{"fadvise64", READ},
	{"readahead", READ},
	{"inotify_init1", READ},
	{"inotify_add_watch", READ},
	{"inotify_rm_watch", READ},
	{"pwrite64", WRITE},
	{"pwritev", WRITE},
	{"mkdir", WRITE},
	{"mkdirat", WRITE},
	{"link", WRITE},
	{"linkat", WRITE},
	{"rename", WRITE},
	{"renameat", WRITE},
	{"renameat2", WRITE},
	{"unlink", WRITE},
	{"unlinkat", WRITE},
	{"rmdir", WRITE},
	{"ftruncate", WRITE},
	{"ftruncate64", WRITE},
	{"fallocate", WRITE},
	{"fsync", WRITE},
	{"fdatasync", WRITE},
	{"sync_file_range", WRITE},
	{"syncfs", WRITE},
	{"flock", WRITE},
	{"utimensat", WRITE},
	{"fchmod", WRITE},
	{"copy_file_range", WRITE},
	/* the table of a maildrop goes to the front as a memory file */
	{"memfd_create", READ},
	/* asking others: a database, a relay, an authorization server; socket: see conditions */
	{"connect", CONNECT | LOCAL},
	{"bind", CONNECT | LOCAL}, /* libc binds to find the source address of a name's addresses */
	{"sendmmsg", CONNECT | LOCAL},
	{"recvmmsg", CONNECT | LOCAL},
	{"socketpair", CONNECT | LOCAL},
	{"select", CONNECT | LOCAL},
	{"pselect6", CONNECT | LOCAL},
	/* PAM modules: unix_chkpwd and kin are programs of their own */
	{"execve", HELPERS},
	{"vfork", HELPERS},
	{"fork", HELPERS},
	{"wait4", HELPERS},
	{"waitid", HELPERS},
	{"pipe", HELPERS},
	{"socket", HELPERS},
	{"connect", HELPERS},
	{"bind", HELPERS},
	{"select", HELPERS},
	{"pselect6", HELPERS},
	{"flock", HELPERS},
	{"mkdir", HELPERS},
	{"unlink", HELPERS},
	{"rename", HELPERS},
	{"fchmod", HELPERS},
	{"fchown", HELPERS},
	{"fsync", HELPERS},
	{"umask", HELPERS},
	{"alarm", HELPERS},
	{"getppid", HELPERS},
	{"getpgrp", HELPERS},
	{"getresuid", HELPERS},
	{"getresgid", HELPERS},
	{"getgroups", HELPERS},
	{"arch_prctl", HELPERS}, /* the helper's own start, under the same list */
	{"set_tid_address", HELPERS},
	{"rseq", HELPERS},
	{"prlimit64", HELPERS},
	{"chdir", HELPERS},
	{"keyctl", HELPERS},
	{"capget", HELPERS},
	{"setsid",
		HELPERS}, /* pam_exec: a program is not to have our terminal, nor less than our user */
	{"setuid", HELPERS},
	{"setgid", HELPERS},
	/* AddressSanitizer reads its maps when it reports, and asks for them at the start of threads */
	{"mincore", SANITIZER},
	{"readlink", SANITIZER},
	{"readlinkat", SANITIZER},
	{"getppid", SANITIZER},
	{"rseq", SANITIZER},
};

static bool wanted(const struct row *r, unsigned needs)
{
	return r->needs == ALL || (r->needs & needs) || (SANITIZED && r->needs == SANITIZER);
}

/* --- a refused call is told ----------------------------------------------------------------- */

static int tell_fd = -1;

/* A whole message of its own packet, so it may come between those of the link. Only what a signal
 * handler may do; then SIGSYS again, without a handler: the role ends by it. */
static void on_sigsys(int sig, siginfo_t *info, void *context)
{
	struct {
		uint16_t type;
		uint16_t fds_n;
		uint32_t n;
		uint32_t call;
	} packet = {.type = RS_MSG_VIOLATION, .n = sizeof(uint32_t)};
	struct sigaction standard = {.sa_handler = SIG_DFL};
	sigset_t set;

	packet.call = (uint32_t)info->si_syscall;
	if (tell_fd >= 0)
		(void)send(tell_fd, &packet, sizeof(packet), MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGSYS);
	(void)sigaction(SIGSYS, &standard, NULL);
	(void)raise(sig);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
	_exit(159);
}

char *rs_sandbox_call_name(uint32_t number)
{
	char *found = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int)number);
	char *name = g_strdup(found ? found : "?");

	free(found);
	return name;
}

/* --- the filter ----------------------------------------------------------------------------- */

static int rule(
	scmp_filter_ctx f, uint32_t action, const char *name, const struct scmp_arg_cmp *arg)
{
	int call = seccomp_syscall_resolve_name(name);
	int rc;

	if (call == __NR_SCMP_ERROR)
		return 0;
	rc = seccomp_rule_add_array(f, action, call, arg ? 1 : 0, arg);
	return rc == -EDOM || rc == -EEXIST ? 0 : rc; /* not on this architecture; there already */
}

static int allow(scmp_filter_ctx f, const char *name, unsigned arg, enum scmp_compare op,
	scmp_datum_t a, scmp_datum_t b)
{
	struct scmp_arg_cmp cmp = {.arg = arg, .op = op, .datum_a = a, .datum_b = b};

	return rule(f, SCMP_ACT_ALLOW, name, &cmp);
}

/* New memory may not be code, nor become it: what comes in as octets stays octets. */
static int memory(scmp_filter_ctx f, unsigned needs)
{
	static const char *const calls[] = {"mmap", "mmap2", "mprotect"};
	bool loads = needs & (RS_NEED_HELPERS | RS_NEED_CONNECT |
				     RS_NEED_LOCAL); /* modules of libc and PAM */
	int rc = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(calls) && rc == 0; i++)
		rc = loads ? rule(f, SCMP_ACT_ALLOW, calls[i], NULL)
			   : allow(f, calls[i], 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	return rc;
}

/* Opening: not at all (EACCES, libraries look for what need not be there), to read, or freely. */
static int opening(scmp_filter_ctx f, unsigned needs)
{
	static const char *const other[] = {"open", "openat2", "creat"};
	scmp_datum_t writes = O_ACCMODE | O_CREAT | O_TRUNC;
	int rc = 0;

	/* openat2 has its flags in memory, which a filter cannot read */
	for (size_t i = 0; i < G_N_ELEMENTS(other) && rc == 0; i++)
		rc = rule(f, SCMP_ACT_ERRNO(i == 1 ? ENOSYS : EACCES), other[i], NULL);
	if (rc < 0)
		return rc;
	if (needs & (RS_NEED_WRITE | RS_NEED_HELPERS))
		return rule(f, SCMP_ACT_ALLOW, "openat", NULL);
	if (!(needs & RS_NEED_READ))
		return rule(f, SCMP_ACT_ERRNO(EACCES), "openat", NULL);
	return allow(f, "openat", 2, SCMP_CMP_MASKED_EQ, writes, O_RDONLY);
}

/* Sockets of the families that are needed; netlink is how libc learns which addresses this machine has. */
static int sockets(scmp_filter_ctx f, unsigned needs)
{
	static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
	size_t n = needs & RS_NEED_CONNECT ? G_N_ELEMENTS(families) : 1;
	int rc = 0;

	if (!(needs & (RS_NEED_CONNECT | RS_NEED_LOCAL)))
		return 0;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = allow(f, "socket", 0, SCMP_CMP_EQ, (scmp_datum_t)families[i], 0);
	return rc;
}

/* Threads, but no processes: clone(2) shows its flags; clone3(2) hides them in memory, and libc
 * takes clone when there is none. */
static int threads(scmp_filter_ctx f, unsigned needs)
{
	int rc = rule(f, SCMP_ACT_ERRNO(ENOSYS), "clone3", NULL);

	if (rc < 0)
		return rc;
	if (needs & RS_NEED_HELPERS)
		return rule(f, SCMP_ACT_ALLOW, "clone", NULL);
	return needs & RS_NEED_THREADS
		       ? allow(f, "clone", 0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)
		       : 0;
}

/* Calls of which one use is harmless and others are not. */
static int harmless_uses(scmp_filter_ctx f, unsigned needs)
{
	static const unsigned long ioctls[] = {FIONBIO, FIOCLEX, FIONREAD, TIOCOUTQ};
	static const scmp_datum_t prctls[] = {
		PR_SET_NAME, PR_GET_DUMPABLE, 0x53564d41 /* names of maps */};
	/* libcap, which modules bring along: it looks, and sets nothing */
	static const scmp_datum_t looks[] = {
		PR_CAPBSET_READ, PR_CAP_AMBIENT, PR_GET_SECUREBITS, PR_GET_NO_NEW_PRIVS};
	int rc = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(looks) && rc == 0 && needs & RS_NEED_HELPERS; i++)
		rc = allow(f, "prctl", 0, SCMP_CMP_EQ, looks[i], 0);
	for (size_t i = 0; i < G_N_ELEMENTS(ioctls) && rc == 0; i++)
		rc = allow(f, "ioctl", 1, SCMP_CMP_EQ, ioctls[i], 0);
	for (size_t i = 0; i < G_N_ELEMENTS(prctls) && rc == 0; i++)
		rc = allow(f, "prctl", 0, SCMP_CMP_EQ, prctls[i], 0);
	/* raise and abort; to itself only */
	if (rc == 0)
		rc = allow(f, "tgkill", 0, SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0);
	/* asking for limits (malloc, threads), not setting them */
	if (rc == 0)
		rc = allow(f, "prlimit64", 2, SCMP_CMP_EQ, 0, 0);
	/* fstat(3) of newer libc; a path in it would be relative to a descriptor that is no folder */
	if (rc == 0)
		rc = allow(f, "newfstatat", 3, SCMP_CMP_EQ, AT_EMPTY_PATH, 0);
	/* is this a terminal (stdio) */
	if (rc == 0)
		rc = allow(f, "ioctl", 1, SCMP_CMP_EQ, 0x5401 /* TCGETS */, 0);
	/* newer libuv asks whether there is io_uring: there is none */
	return rc == 0 ? rule(f, SCMP_ACT_ERRNO(ENOSYS), "io_uring_setup", NULL) : rc;
}

static int fill(scmp_filter_ctx f, unsigned needs)
{
	int rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1); /* threads that are there as well */

	if (rc == 0)
		rc = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (rc == 0) /* a tree instead of a list: the calls of the hot path cost few steps */
		rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t i = 0; i < G_N_ELEMENTS(table) && rc == 0; i++) {
		if (wanted(&table[i], needs))
			rc = rule(f, SCMP_ACT_ALLOW, table[i].name, NULL);
	}
	if (rc == 0)
		rc = memory(f, needs);
	if (rc == 0)
		rc = opening(f, needs);
	if (rc == 0)
		rc = sockets(f, needs);
	if (rc == 0)
		rc = threads(f, needs);
	return rc == 0 ? harmless_uses(f, needs) : rc;
}

int rs_sandbox_calls(enum rs_role role, const struct rs_conf *c, int report_fd, struct rs_err *err)
{
	struct sigaction tell = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO | SA_NODEFER};
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_TRAP);
	int rc = f ? fill(f, rs_sandbox_needs(role, c)) : -ENOMEM;

	tell_fd = report_fd;
	if (rc == 0 && sigaction(SIGSYS, &tell, NULL) < 0)
		rc = -errno;
	if (rc == 0)
		rc = seccomp_load(f); /* sets no_new_privs as well */
	seccomp_release(f);
	return rc == 0 ? 0 : rs_err_set(err, RS_EIO, "seccomp: %s", g_strerror(-rc));
}
