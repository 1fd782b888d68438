/* master.c - see master.h
 *
 * A child:  NONE --spawn--> STARTING --READY--> READY --exit--> NONE (again after a delay)
 * Facts:    a child that is STARTING or READY has a process and a control link; listeners and links
 *           are handed out when it is READY; `peers` of both ends are made anew together. */
#include "server/master.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "server/conf.h"
#include "server/listen.h"
#include "server/log.h"
#include "server/role.h"
#include "server/sandbox.h"

#define CHILDREN_MAX   (RS_ROLE_PEERS_MAX * 2 + 1)
#define STOP_GRACE_MS  10000 /* then what is left is killed                       */
#define AGAIN_FIRST_MS 100   /* before a role that ended is started again …       */
#define AGAIN_MAX_MS   10000 /* … doubled each time it ends soon after             */
#define WELL_MS        30000 /* a role that lived so long is well                  */

enum child_state { CHILD_NONE, CHILD_STARTING, CHILD_READY };

struct child {
	struct master *master;
	enum rs_role role;
	uint32_t index;
	enum child_state state;
	uv_process_t process;
	bool process_open;
	struct rs_link *control;
	uv_timer_t again;
	uint64_t started_ms;
	uint64_t delay_ms;
};

struct master {
	uv_loop_t loop;
	struct rs_conf *conf;
	char *conf_text;
	gsize conf_text_n;
	struct rs_listeners listeners;
	struct child children[CHILDREN_MAX];
	unsigned children_n;
	uv_signal_t term;
	uv_signal_t interrupt;
	uv_timer_t grace;
	int lock_fd;
	bool stopping;
	bool told_ready;
	int status;
};

static void spawn(struct child *c);

/* --- sd_notify(3), without the library ----------------------------------------------------- */

static void notify(const char *text)
{
	const char *path = g_getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t n = path ? strlen(path) : 0;
	int fd;

	if (n < 2 || n >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, n);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&to,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		rs_log(RS_LOG_WARNING, "notify-failed", "why", g_strerror(errno), NULL);
	close(fd);
}

/* --- what a child is given ----------------------------------------------------------------- */

/* The configuration as a sealed memory file; -1 with the reason logged. */
static int conf_fd(const struct master *m)
{
	int fd = memfd_create("restanted.conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 && write(fd, m->conf_text, m->conf_text_n) == (ssize_t)m->conf_text_n &&
		fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) ==
			0)
		return fd;
	rs_log(RS_LOG_ERROR, "memory-file", "why", g_strerror(errno), NULL);
	if (fd >= 0)
		close(fd);
	return -1;
}

static void give_start(struct child *c)
{
	struct master *m = c->master;
	bool tls = c->role == RS_ROLE_FRONT && m->conf->certificate && m->conf->key;
	int certificate = tls ? open(m->conf->certificate, O_RDONLY | O_CLOEXEC) : -1;
	int key = tls ? open(m->conf->key, O_RDONLY | O_CLOEXEC) : -1;
	int conf = conf_fd(m);

	if (conf < 0 || (tls && (certificate < 0 || key < 0))) {
		rs_log(RS_LOG_ERROR, "cannot-start", "role", rs_role_name(c->role), "why",
			"certificate, key or configuration cannot be opened", NULL);
		return; /* the child waits; the next reload or restart mends it */
	}
	rs_link_begin(c->control, RS_MSG_START);
	rs_link_u8(c->control, (uint8_t)c->role);
	rs_link_u32(c->control, c->index);
	rs_link_u32(c->control, m->conf->workers);
	rs_link_u32(c->control, m->conf->workers);
	rs_link_u8(c->control, tls);
	rs_link_fd(c->control, conf);
	if (tls) {
		rs_link_fd(c->control, certificate);
		rs_link_fd(c->control, key);
	}
	rs_link_end(c->control);
}

static void give_listeners(struct child *c)
{
	const struct rs_listeners *l = &c->master->listeners;

	for (unsigned i = 0; i < l->n; i++) {
		rs_link_begin(c->control, RS_MSG_LISTENER);
		rs_link_u8(c->control, (uint8_t)l->rows[i].service);
		rs_link_fd(c->control, fcntl(l->rows[i].fd, F_DUPFD_CLOEXEC, 0));
		rs_link_end(c->control);
	}
}

/* The architecture: who talks to whom. */
static bool are_peers(enum rs_role a, enum rs_role b)
{
	return (a == RS_ROLE_FRONT && (b == RS_ROLE_AUTH || b == RS_ROLE_STORE)) ||
	       (a == RS_ROLE_AUTH && b == RS_ROLE_STORE);
}

static void give_link(struct child *to, const struct child *peer, int fd)
{
	rs_link_begin(to->control, RS_MSG_LINK);
	rs_link_u8(to->control, (uint8_t)peer->role);
	rs_link_u32(to->control, peer->index);
	rs_link_fd(to->control, fd);
	rs_link_end(to->control);
}

static void connect_peers(struct child *c)
{
	struct master *m = c->master;

	for (unsigned i = 0; i < m->children_n; i++) {
		struct child *peer = &m->children[i];
		int fds[2];

		if (peer->state != CHILD_READY ||
			(!are_peers(c->role, peer->role) && !are_peers(peer->role, c->role)))
			continue;
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
			rs_log(RS_LOG_ERROR, "socketpair", "why", g_strerror(errno), NULL);
			return;
		}
		give_link(c, peer, fds[0]);
		give_link(peer, c, fds[1]);
	}
}

static bool all_ready(const struct master *m)
{
	for (unsigned i = 0; i < m->children_n; i++) {
		if (m->children[i].state != CHILD_READY)
			return false;
	}
	return true;
}

static void on_ready(struct child *c)
{
	struct master *m = c->master;

	connect_peers(c); /* before it counts as a peer itself */
	c->state = CHILD_READY;
	if (c->role == RS_ROLE_FRONT)
		give_listeners(c);
	if (!all_ready(m) || m->told_ready)
		return;
	m->told_ready = true;
	rs_log(RS_LOG_INFO, "ready", "pid", rs_log_num((uint64_t)getpid()), "workers",
		rs_log_num(m->conf->workers), NULL);
	notify("READY=1");
}

/* --- children ------------------------------------------------------------------------------ */

/* The sandbox ends a role that calls what it may not: the last that is heard of it. */
static bool on_violation(const struct child *c, struct rs_msg_in *msg)
{
	uint32_t number = rs_msg_u32(msg);
	g_autofree char *name = rs_sandbox_call_name(number);

	if (!rs_msg_end(msg))
		return false;
	rs_log(RS_LOG_ERROR, "sandbox-violation", "role", rs_role_name(c->role), "index",
		rs_log_num(c->index), "call", name, "number", rs_log_num(number), "means",
		"a break-in was stopped, or the role needs what src/server/sandbox_calls.c "
		"does not allow it",
		NULL);
	return true;
}

static bool on_message(void *arg, struct rs_link *l, struct rs_msg_in *msg)
{
	struct child *c = arg;

	if (msg->type == RS_MSG_VIOLATION)
		return on_violation(c, msg);
	if (!rs_msg_end(msg) || c->state != CHILD_STARTING)
		return false;
	on_ready(c);
	return true;
}

static void on_closed(void *arg, struct rs_link *l, const char *why)
{
	struct child *c = arg;

	c->control = NULL;
	if (c->process_open) /* it closed its link or broke a rule: it is of no use any more */
		(void)uv_process_kill(&c->process, SIGKILL);
}

static const struct rs_link_ops control_ops = {.message = on_message, .closed = on_closed};

static void leave_if_done(struct master *m)
{
	for (unsigned i = 0; i < m->children_n; i++) {
		if (m->children[i].process_open)
			return;
	}
	uv_stop(&m->loop);
}

static void on_again(uv_timer_t *t)
{
	struct child *c = t->data;

	if (!c->master->stopping)
		spawn(c);
}

static void on_process_closed(uv_handle_t *h)
{
	struct child *c = h->data;

	c->process_open = false;
	if (c->master->stopping)
		leave_if_done(c->master);
	else
		uv_timer_start(&c->again, on_again, c->delay_ms, 0);
}

static void on_exit_of_child(uv_process_t *p, int64_t status, int sig)
{
	struct child *c = p->data;
	struct master *m = c->master;
	bool was_ready = c->state == CHILD_READY;
	bool well = uv_now(&m->loop) - c->started_ms > WELL_MS;

	c->state = CHILD_NONE;
	if (c->control)
		rs_link_drain(c->control); /* its last words */
	rs_link_destroy(&c->control);
	c->delay_ms = well || !c->delay_ms ? AGAIN_FIRST_MS : MIN(c->delay_ms * 2, AGAIN_MAX_MS);
	if (!m->stopping) {
		rs_log(RS_LOG_ERROR, "role-ended", "role", rs_role_name(c->role), "index",
			rs_log_num(c->index), "status", rs_log_num((uint64_t)status), "signal",
			sig ? g_strsignal(sig) : NULL, "again-in-ms", rs_log_num(c->delay_ms),
			NULL);
		if (!was_ready && !m->told_ready) { /* it cannot even start: say so and end */
			m->status = status ? (int)status : 70;
			m->stopping = true;
			(void)raise(SIGTERM);
		}
	}
	uv_close((uv_handle_t *)&c->process, on_process_closed);
}

static void spawn(struct child *c)
{
	struct master *m = c->master;
	char role[8];
	char *args[] = {(char[]){"restanted"}, (char[]){"role"}, role, NULL};
	uv_stdio_container_t stdio[4] = {{.flags = UV_IGNORE}, {.flags = UV_IGNORE},
		{.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO}, {.flags = UV_INHERIT_FD}};
	uv_process_options_t o = {.file = "/proc/self/exe",
		.args = args,
		.stdio = stdio,
		.stdio_count = 4,
		.exit_cb = on_exit_of_child};
	int fds[2];
	int rc;

	g_strlcpy(role, rs_role_name(c->role), sizeof(role));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
		rs_log(RS_LOG_ERROR, "socketpair", "why", g_strerror(errno), NULL);
		uv_timer_start(&c->again, on_again, AGAIN_MAX_MS, 0);
		return;
	}
	stdio[RS_ROLE_CONTROL_FD].data.fd = fds[1];
	c->process.data = c;
	rc = uv_spawn(&m->loop, &c->process, &o);
	close(fds[1]);
	c->process_open = true; /* also after a failure: the handle wants to be closed */
	c->started_ms = uv_now(&m->loop);
	c->state = CHILD_STARTING;
	if (rc < 0 || rs_link_create(&m->loop, fds[0], RS_ROLE_MASTER, RS_ROLE_N, &control_ops, c,
			      &c->control) < 0) {
		rs_log(RS_LOG_ERROR, "spawn", "role", role, "why", uv_strerror(rc), NULL);
		if (rc < 0) {
			close(fds[0]);
			c->delay_ms = AGAIN_MAX_MS;
			uv_close((uv_handle_t *)&c->process, on_process_closed);
		}
		return;
	}
	give_start(c);
}

static void child_add(struct master *m, enum rs_role role, uint32_t index)
{
	struct child *c = &m->children[m->children_n++];

	*c = (struct child){.master = m, .role = role, .index = index};
	uv_timer_init(&m->loop, &c->again);
	c->again.data = c;
}

/* --- the end ------------------------------------------------------------------------------- */

static void on_grace_over(uv_timer_t *t)
{
	struct master *m = t->data;

	for (unsigned i = 0; i < m->children_n; i++) {
		if (m->children[i].process_open)
			(void)uv_process_kill(&m->children[i].process, SIGKILL);
	}
}

static void on_signal(uv_signal_t *s, int sig)
{
	struct master *m = s->data;

	rs_log(RS_LOG_INFO, "stopping", "signal", g_strsignal(sig), NULL);
	notify("STOPPING=1");
	m->stopping = true;
	rs_listeners_close(&m->listeners);
	for (unsigned i = 0; i < m->children_n; i++) {
		struct child *c = &m->children[i];

		if (!c->control)
			continue;
		rs_link_begin(c->control, RS_MSG_STOP);
		rs_link_end(c->control);
	}
	uv_timer_start(&m->grace, on_grace_over, STOP_GRACE_MS, 0);
	leave_if_done(m);
}

/* --- the beginning ------------------------------------------------------------------------- */

static int make_dir(const char *path, mode_t mode, struct rs_err *err)
{
	if (g_mkdir_with_parents(path, (int)mode) < 0)
		return rs_err_set(
			err, RS_EIO, "cannot make the folder %s: %s", path, g_strerror(errno));
	return 0;
}

/* One instance a run folder: a lock that is gone with its holder. */
static int lock_run_dir(struct master *m, struct rs_err *err)
{
	g_autofree char *path = g_build_filename(m->conf->run_dir, "restanted.lock", NULL);
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	m->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (m->lock_fd < 0)
		return rs_err_set(err, RS_EIO, "cannot open %s: %s", path, g_strerror(errno));
	if (fcntl(m->lock_fd, F_OFD_SETLK, &whole) < 0)
		return rs_err_set(err, RS_ELOCKED,
			"another restanted is running on %s; stop it first, or give this one a "
			"run-dir of its own",
			m->conf->run_dir);
	return 0;
}

static int check_users(const struct rs_conf *c, struct rs_err *err)
{
	const char *const names[] = {c->user, c->front_user, c->auth_user};
	uid_t uid;
	gid_t gid;
	int rc = 0;

	if (geteuid() != 0)
		return 0;
	if (!c->user)
		return rs_err_set(err, RS_ECONFIG,
			"started as root, but [server] user is not given; make one (useradd "
			"--system "
			"--no-create-home restante), let it own the mail, and write: user = "
			"restante");
	for (size_t i = 0; i < G_N_ELEMENTS(names) && rc == 0; i++)
		rc = names[i] ? rs_role_user(names[i], &uid, &gid, err) : 0;
	return rc;
}

static int prepare(struct master *m, const char *conf_file, struct rs_err *err)
{
	g_autofree char *empty = NULL;
	int rc = rs_conf_load(conf_file, &m->conf, &m->conf_text, &m->conf_text_n, err);

	if (rc < 0)
		return rc;
	rs_log_init("master", m->conf->log_json, m->conf->log_level);
	empty = g_build_filename(m->conf->run_dir, "empty", NULL);
	rc = check_users(m->conf, err);
	if (rc == 0)
		rc = make_dir(empty, 0755, err);
	if (rc == 0)
		rc = lock_run_dir(m, err);
	if (rc == 0)
		rc = rs_listeners_open(&m->listeners, m->conf, err);
	return rc;
}

static int exit_of(int rc)
{
	switch (-rc) {
	case RS_ECONFIG:
		return 78;
	case RS_ELOCKED:
		return 75;
	case RS_ENET:
		return 69;
	default:
		return 74;
	}
}

static void close_handle(uv_handle_t *h, void *arg)
{
	if (!uv_is_closing(h))
		uv_close(h, NULL);
}

int rs_master_main(const char *conf_file)
{
	g_autofree struct master *m = g_new0(struct master, 1);
	struct rs_err err;
	int rc;

	rs_log_init("master", false, RS_LOG_INFO);
	(void)signal(SIGPIPE, SIG_IGN);
	rc = prepare(m, conf_file, &err);
	if (rc < 0) {
		rs_log(RS_LOG_ERROR, "cannot-serve", "why", err.text, NULL);
		return exit_of(rc);
	}
	uv_loop_init(&m->loop);
	uv_timer_init(&m->loop, &m->grace);
	uv_signal_init(&m->loop, &m->term);
	uv_signal_init(&m->loop, &m->interrupt);
	m->grace.data = m->term.data = m->interrupt.data = m;
	uv_signal_start(&m->term, on_signal, SIGTERM);
	uv_signal_start(&m->interrupt, on_signal, SIGINT);
	child_add(m, RS_ROLE_AUTH, 0);
	for (uint32_t i = 0; i < m->conf->workers; i++)
		child_add(m, RS_ROLE_STORE, i);
	for (uint32_t i = 0; i < m->conf->workers; i++)
		child_add(m, RS_ROLE_FRONT, i);
	for (unsigned i = 0; i < m->children_n; i++)
		spawn(&m->children[i]);
	(void)uv_run(&m->loop, UV_RUN_DEFAULT);
	uv_walk(&m->loop, close_handle, NULL);
	(void)uv_run(&m->loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&m->loop);
	rs_log(RS_LOG_INFO, "stopped", NULL);
	rs_conf_destroy(&m->conf);
	g_free(m->conf_text);
	return m->status;
}
