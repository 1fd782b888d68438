/* What each role can still do in its sandbox: a child process enters it and tries. */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/sandbox.h"

#define DIES  1000 /* by SIGSYS, and the master is told */
#define WORKS 0

static char *top; /* with mail/, more/, conf/users, secret */
static struct rs_conf *conf;
static bool landlock;
static bool landlock_ports;

static char *at(const char *name)
{
	static char paths[8][512];
	static unsigned next;
	char *to = paths[next++ % 8];

	g_snprintf(to, sizeof(paths[0]), "%s/%s", top, name);
	return to;
}

/* --- acts: 0 or errno ---------------------------------------------------------------------- */

static int opened(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int read_secret(void)
{
	return opened(at("secret"), O_RDONLY);
}

static int read_users(void)
{
	return opened(at("conf/users"), O_RDONLY);
}

static int write_users(void)
{
	return opened(at("conf/users"), O_WRONLY);
}

static int read_mail(void)
{
	return opened(at("mail/a"), O_RDONLY);
}

static int write_mail(void)
{
	return opened(at("mail/new"), O_RDWR | O_CREAT);
}

static int write_more(void)
{
	return opened(at("more/new"), O_RDWR | O_CREAT);
}

static int write_beside(void)
{
	return opened(at("beside"), O_WRONLY | O_CREAT);
}

static int rename_mail(void)
{
	(void)mkdir(at("mail/tmp"), 0700);
	(void)mkdir(at("mail/cur"), 0700);
	if (opened(at("mail/tmp/x"), O_WRONLY | O_CREAT) != 0)
		return errno;
	if (link(at("mail/tmp/x"), at("mail/cur/x")) < 0)
		return errno;
	return rename(at("mail/tmp/x"), at("mail/cur/y")) < 0 ? errno : 0;
}

static int move_out(void)
{
	return rename(at("mail/a"), at("stolen")) < 0 ? errno : 0;
}

static int remove_secret(void)
{
	return unlink(at("secret")) < 0 ? errno : 0;
}

static int a_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int connected_to(uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc = fd < 0 ? -1 : connect(fd, (const struct sockaddr *)&to, sizeof(to));
	int why = rc < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	return why;
}

static int connect_relay(void)
{
	return connected_to(9);
}

static int connect_elsewhere(void)
{
	return connected_to(10);
}

static int a_program(void)
{
	char *args[] = {(char[]){"true"}, NULL};

	(void)execv("/bin/true", args);
	return errno;
}

static int a_process(void)
{
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	return child < 0 ? errno : 0;
}

static int foreign_kill(void)
{
	return kill(getppid(), 0) < 0 ? errno : 0;
}

static int tracing(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 ? errno : 0;
}

static int code_in_memory(void)
{
	void *p = mmap(
		NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? errno : 0;
}

static int memory_to_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(p, 4096, PROT_READ | PROT_EXEC) < 0 ? errno : 0;
}

static int become_root(void)
{
	return setuid(0) < 0 ? errno : 0;
}

static int mounting(void)
{
	return (int)syscall(SYS_mount, "none", "/", "tmpfs", 0, NULL) < 0 ? errno : 0;
}

static int leave_chroot(void)
{
	return chroot("/") < 0 ? errno : 0;
}

static void *nothing(void *arg)
{
	return arg;
}

static int a_thread(void)
{
	pthread_t t;
	int rc = pthread_create(&t, NULL, nothing, NULL);

	if (rc == 0)
		pthread_join(t, NULL);
	return rc;
}

static int memory_and_time(void)
{
	g_autofree char *p = g_malloc0(1 << 20);

	return p[1 << 19] || time(NULL) == 0 || getpid() == 0;
}

/* --- the table ------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	int (*act)(void);
	int front;
	int auth;
	int store;
	int relay;
} acts[] = {
	{"read a file of nobody's business", read_secret, EACCES, EACCES, EACCES, EACCES},
	{"read the users", read_users, EACCES, WORKS, EACCES, EACCES},
	{"change the users", write_users, EACCES, DIES, EACCES, DIES},
	{"read mail", read_mail, EACCES, EACCES, WORKS, EACCES},
	{"write mail", write_mail, EACCES, DIES, WORKS, DIES},
	{"write mail in a further root", write_more, EACCES, DIES, WORKS, DIES},
	{"write beside the mail", write_beside, EACCES, DIES, EACCES, DIES},
	{"rename mail from folder to folder", rename_mail, DIES, DIES, WORKS, DIES},
	{"move mail out", move_out, DIES, DIES, EACCES, DIES},
	{"remove a file", remove_secret, DIES, DIES, EACCES, DIES},
	{"a socket", a_socket, DIES, DIES, DIES, WORKS},
	{"a connection to the relay's port", connect_relay, DIES, DIES, DIES, ECONNREFUSED},
	{"a connection to another port", connect_elsewhere, DIES, DIES, DIES, EACCES},
	{"a program", a_program, DIES, DIES, DIES, DIES},
	{"a process", a_process, DIES, DIES, DIES, DIES},
	{"a signal to another", foreign_kill, DIES, DIES, DIES, DIES},
	{"tracing", tracing, DIES, DIES, DIES, DIES},
	{"memory that is code", code_in_memory, DIES, DIES, DIES, WORKS},
	{"memory that becomes code", memory_to_code, DIES, DIES, DIES, WORKS},
	{"another user", become_root, DIES, DIES, DIES, DIES},
	{"a mount", mounting, DIES, DIES, DIES, DIES},
	{"another root folder", leave_chroot, DIES, DIES, DIES, DIES},
	{"a thread", a_thread, DIES, WORKS, WORKS, WORKS},
	{"memory and time", memory_and_time, WORKS, WORKS, WORKS, WORKS},
};

/* In a child: the role's sandbox, then the act. The child's end is the answer; *told is the number of
 * the call that the master would hear of, or -1. */
static int try(enum rs_role role, int (*act)(void), int64_t *told)
{
	uint32_t packet[3] = {0};
	int fds[2];
	int status = 0;
	ssize_t n;
	pid_t child;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct rs_err err;
		int version;

		if (rs_sandbox_files(role, conf, &version, &err) < 0 ||
			rs_sandbox_calls(role, conf, fds[1], &err) < 0)
			_exit(255);
		_exit(act());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	n = recv(fds[0], packet, sizeof(packet), 0);
	*told = n == (ssize_t)sizeof(packet) ? (int64_t)packet[2] : -1;
	if (*told >= 0)
		assert_int_equal(packet[0] & 0xffff, RS_MSG_VIOLATION);
	close(fds[0]);
	close(fds[1]);
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSYS ? DIES : -WTERMSIG(status);
	return WEXITSTATUS(status);
}

/* Without Landlock the list of calls alone is there: who may open may open. */
static bool needs_landlock(enum rs_role role, int want)
{
	return role != RS_ROLE_FRONT && role != RS_ROLE_ADMIN && want == EACCES;
}

static void a_role_does_what_it_must_and_nothing_else(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(acts); i++) {
		const int wants[] = {acts[i].front, acts[i].auth, acts[i].store, acts[i].relay,
			acts[i].front /* the administrator's role can do no more */};

		for (size_t r = 0; r < G_N_ELEMENTS(wants); r++) {
			static const enum rs_role roles[] = {RS_ROLE_FRONT, RS_ROLE_AUTH,
				RS_ROLE_STORE, RS_ROLE_RELAY, RS_ROLE_ADMIN};
			enum rs_role role = roles[r];
			int64_t told;
			int got;

			if (!landlock && needs_landlock(role, wants[r]))
				continue;
			if (!landlock_ports && acts[i].act == connect_elsewhere)
				continue;
			got = try(role, acts[i].act, &told);
			/* libc makes a thread with all signals blocked: nothing can be told then */
			if (got != wants[r] ||
				(told >= 0) != (got == DIES && acts[i].act != a_thread))
				fail_msg("%s: %s: %d instead of %d, call %d told",
					rs_role_name(role), acts[i].name, got, wants[r], (int)told);
		}
	}
}

static void the_call_that_was_refused_has_a_name(void **state)
{
	g_autofree char *name = NULL;
	g_autofree char *unknown = rs_sandbox_call_name(0x7ffffff);
	int64_t told;

	assert_int_equal(try(RS_ROLE_FRONT, a_socket, &told), DIES);
	name = rs_sandbox_call_name((uint32_t)told);
	assert_string_equal(name, "socket");
	assert_string_equal(unknown, "?");
}

static int connected(int family, uint16_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return errno;
	rc = connect(fd, (struct sockaddr *)&in, sizeof(in)) < 0 ? errno : 0;
	close(fd);
	return rc;
}

/* Nobody listens there: reaching that answer is reaching the port. */
static int to_the_database(void)
{
	return connected(AF_INET, 9) == ECONNREFUSED ? WORKS : errno;
}

static int to_another_port(void)
{
	return connected(AF_INET, 10);
}

static int a_local_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int a_raw_socket(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0) < 0 ? errno : 0;
}

/* What the database of the users needs, and nothing beyond: by TCP its port only, or none. */
static void auth_reaches_its_database_and_nothing_else(void **state)
{
	static const struct {
		const char *users;
		int (*act)(void);
		int want;
	} rows[] = {
		{"sql:postgresql://u@127.0.0.1:9/db", to_the_database, WORKS},
		{"sql:postgresql://u@127.0.0.1:9/db", to_another_port, EACCES},
		{"sql:postgresql://u@127.0.0.1:9/db", a_local_socket, WORKS},
		{"sql:postgresql://u@127.0.0.1:9/db", a_raw_socket, DIES},
		{"sql:postgresql://u@127.0.0.1:9/db", a_program, DIES},
		{"sql:postgresql://u@127.0.0.1:9/db", read_secret, EACCES},
		{"sql:postgresql://u@/db?host=/run/postgresql", a_local_socket, WORKS},
		{"sql:postgresql://u@/db?host=/run/postgresql", a_socket, DIES},
		{"sql:postgresql:///db", a_socket, DIES},
		{"pam:login", a_program, WORKS}, /* modules start helpers and read what they like */
		{"pam:login", read_secret, WORKS},
		{"pam:login", tracing, DIES},
		{"pam:login", mounting, DIES},
		{"pam:login", leave_chroot, DIES},
	};
	char *before = conf->users;

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		int64_t told;
		int got;

		conf->users = (char *)(uintptr_t)rows[i].users;
		if (rows[i].want == EACCES && syscall(444, NULL, 0, 1) < 4)
			continue;
		got = try(RS_ROLE_AUTH, rows[i].act, &told);
		if (got != rows[i].want)
			fail_msg("%s, row %zu: %d instead of %d", rows[i].users, i, got,
				rows[i].want);
	}
	conf->users = before;
}

/* libuv may have started its pool before the list is in force. */
static void *waits_then_opens_a_socket(void *go)
{
	while (!g_atomic_int_get((gint *)go))
		g_usleep(1000);
	(void)a_socket();
	return NULL;
}

static void threads_that_are_there_are_covered(void **state)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		struct rs_err err;
		gint go = 0;
		pthread_t t;

		if (pthread_create(&t, NULL, waits_then_opens_a_socket, &go) != 0 ||
			rs_sandbox_calls(RS_ROLE_STORE, conf, -1, &err) < 0)
			_exit(255);
		g_atomic_int_set(&go, 1);
		pthread_join(t, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

/* --- set-up --------------------------------------------------------------------------------- */

static int set_up(void **state)
{
	g_autofree char *text = NULL;
	struct rs_err err;

	top = g_dir_make_tmp("rs-sandbox-XXXXXX", NULL);
	for (const char *const *p = (const char *const[]){"mail", "more", "conf", NULL}; *p; p++)
		g_mkdir(at(*p), 0755);
	g_file_set_contents(at("secret"), "x", 1, NULL);
	g_file_set_contents(at("conf/users"), "x", 1, NULL);
	g_file_set_contents(at("mail/a"), "x", 1, NULL);
	text = g_strdup_printf(
		"[server]\nhostname = h\nstate-dir = /s\nrun-dir = /r\n[listen]\nlmtp = unix:/l\n"
		"[auth]\nusers = passwd-file:%s/conf/users\n"
		"[store]\ntype = maildir\npath = %s/mail/%%d/%%n\nroots = %s/more\n"
		"[submission]\nrelay = smtp://127.0.0.1:9\nrelay-tls = none\n",
		top, top, top);
	landlock = syscall(444, NULL, 0, 1) >= 2;
	landlock_ports = syscall(444, NULL, 0, 1) >= 4;
	if (!landlock)
		print_message("# this kernel has no Landlock: half of the rows are left out\n");
	return rs_conf_parse("test", rs_slice_str(text), &conf, &err);
}

static int tear_down(void **state)
{
	const char *const names[] = {"mail/tmp/x", "mail/cur/x", "mail/cur/y", "mail/tmp",
		"mail/cur", "mail/a", "mail/new", "more/new", "conf/users", "secret", "beside",
		"stolen", "mail", "more", "conf", "."};

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		(void)g_remove(at(names[i]));
	(void)g_rmdir(top);
	g_free(top);
	rs_conf_destroy(&conf);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_role_does_what_it_must_and_nothing_else),
		cmocka_unit_test(auth_reaches_its_database_and_nothing_else),
		cmocka_unit_test(the_call_that_was_refused_has_a_name),
		cmocka_unit_test(threads_that_are_there_are_covered),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
