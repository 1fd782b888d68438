/* children.c - the processes of the roles: starting them (again), the links between them, what
 * each is told. See master_int.h.
 *
 * A child:  NONE --spawn--> STARTING --READY--> READY --exit--> NONE (again after a delay, or its
 *           place is free when its generation ends)
 * Facts:    a child that is STARTING or READY has a process and a control link; listeners and links
 *           are handed out when it is READY; `peers` of both ends are made anew together. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/log.h"
#include "server/master_int.h"
#include "server/sandbox.h"

#define AGAIN_FIRST_MS 100    /* before a role that ended is started again …       */
#define AGAIN_MAX_MS   10000  /* … doubled each time it ends soon after             */
#define WELL_MS        30000  /* a role that lived so long is well                  */
#define BEATS_A_CHECK  4      /* of a role that turns, see children_check           */
#define STILL_CHECKS   2      /* without a beat: it hangs                           */
#define START_MAX_MS   120000 /* a million users are read by then                   */

static void spawn(struct child *c);

void children_init(struct master *m)
{
	for (uint32_t i = 0; i < CHILDREN_MAX; i++)
		m->children[i] =
			(struct child){.master = m, .slot = i, .stats_fd = -1, .counts_fd = -1};
}

unsigned children_n(const struct master *m, const struct generation *g, enum rs_role role)
{
	unsigned n = 0;

	for (unsigned i = 0; i < CHILDREN_MAX; i++) {
		const struct child *c = &m->children[i];

		n += c->gen == g && (role == RS_ROLE_N || c->role == role);
	}
	return n;
}

void children_tell(
	struct master *m, const struct generation *g, enum rs_role role, enum rs_msg_type type)
{
	for (unsigned i = 0; i < CHILDREN_MAX; i++) {
		struct child *c = &m->children[i];

		if (c->gen != g || !c->control || (role != RS_ROLE_N && c->role != role))
			continue;
		rs_link_begin(c->control, type);
		rs_link_end(c->control);
	}
}

void children_kill(struct master *m, const struct generation *g)
{
	for (unsigned i = 0; i < CHILDREN_MAX; i++) {
		struct child *c = &m->children[i];

		if (c->process_open && (!g || c->gen == g))
			(void)uv_process_kill(&c->process, SIGKILL);
	}
}

/* --- roles that hang ----------------------------------------------------------------------- */

static void end_hanging(struct child *c, const char *why)
{
	rs_log(RS_LOG_ERROR, "role-hangs", "role", rs_role_name(c->role), "index",
		rs_log_num(c->index), "pid", rs_log_num((uint64_t)c->process.pid), "why", why,
		NULL);
	(void)uv_process_kill(&c->process, SIGKILL);
}

/* Whoever's loop does not turn serves nobody: it is ended, and started again. Two checks in a row, so
 * that a machine that slept is not taken for it. */
void children_check(struct master *m)
{
	for (unsigned i = 0; i < CHILDREN_MAX; i++) {
		struct child *c = &m->children[i];
		uint64_t beats = c->stats ? rs_stats_beats(c->stats) : 0;

		if (!c->gen || !c->process_open)
			continue;
		c->still_n = c->state == CHILD_READY && beats == c->beats ? c->still_n + 1 : 0;
		c->beats = beats;
		if (c->still_n > STILL_CHECKS)
			end_hanging(c, "its loop does not turn");
		else if (c->state == CHILD_STARTING &&
			 uv_now(&m->loop) - c->started_ms > START_MAX_MS)
			end_hanging(c, "it does not get ready");
	}
}

/* --- what the administrator's role is told -------------------------------------------------- */

static bool is_admin(const struct child *c)
{
	return c->gen && c->role == RS_ROLE_ADMIN && c->state == CHILD_READY;
}

static void tell_of(struct child *admin, const struct child *c)
{
	rs_link_begin(admin->control, RS_MSG_CHILD);
	rs_link_u32(admin->control, c->slot);
	rs_link_u8(admin->control, (uint8_t)(c->gen ? c->role : RS_ROLE_N));
	rs_link_u32(admin->control, c->index);
	rs_link_u32(admin->control, c->gen ? c->gen->number : 0);
	rs_link_u8(admin->control, (uint8_t)c->state);
	rs_link_u64(admin->control, c->process_open ? (uint64_t)c->process.pid : 0);
	rs_link_u64(admin->control, c->started_s);
	rs_link_u32(admin->control, c->restarts);
	rs_link_end(admin->control);
}

static void tell_page(struct child *admin, uint32_t slot, int fd)
{
	rs_link_begin(admin->control, RS_MSG_PAGE);
	rs_link_u32(admin->control, slot);
	rs_link_fd(admin->control, fcntl(fd, F_DUPFD_CLOEXEC, 0));
	rs_link_end(admin->control);
}

/* Something about `c` has changed. */
static void tell_admins(struct child *c, bool new_page)
{
	struct master *m = c->master;

	for (unsigned i = 0; i < CHILDREN_MAX; i++) {
		struct child *admin = &m->children[i];

		if (!is_admin(admin) || admin == c)
			continue;
		if (new_page)
			tell_page(admin, c->slot, c->stats_fd);
		tell_of(admin, c);
	}
}

static void tell_all(struct child *admin)
{
	struct master *m = admin->master;

	tell_page(admin, CHILDREN_MAX, m->stats_fd);
	for (unsigned i = 0; i < CHILDREN_MAX; i++) {
		if (m->children[i].stats)
			tell_page(admin, i, m->children[i].stats_fd);
		if (m->children[i].gen)
			tell_of(admin, &m->children[i]);
	}
}

/* --- what the fronts are told of one another (counts.h) ------------------------------------- */

static void tell_counts(struct child *front, const struct child *of)
{
	bool own = front == of;
	int fd = own ? fcntl(of->counts_fd, F_DUPFD_CLOEXEC, 0) : rs_counts_reader(of->counts_fd);

	if (fd < 0) {
		rs_log(RS_LOG_ERROR, "counts", "why", g_strerror(errno), "means",
			"ceilings of the whole service are not exact", NULL);
		return;
	}
	rs_link_begin(front->control, RS_MSG_COUNTS);
	rs_link_u32(front->control, of->slot);
	rs_link_u8(front->control, own);
	rs_link_fd(front->control, fd);
	rs_link_end(front->control);
}

/* A front is being started: it gets its page, and those of all others; they get its. */
static void share_counts(struct child *c)
{
	struct master *m = c->master;

	if (c->role != RS_ROLE_FRONT)
		return;
	tell_counts(c, c);
	for (unsigned i = 0; i < CHILDREN_MAX; i++) {
		struct child *other = &m->children[i];

		if (other == c || !other->counts || !other->gen || other->role != RS_ROLE_FRONT)
			continue;
		tell_counts(c, other);
		if (other->control && other->state != CHILD_NONE)
			tell_counts(other, c);
	}
}

static bool counts_ready(struct child *c)
{
	uint32_t connections = c->gen->conf->connections;

	if (c->role != RS_ROLE_FRONT)
		return true;
	if (c->counts && !rs_counts_fits(c->counts, connections)) {
		rs_counts_unmap(&c->counts);
		close(c->counts_fd);
	}
	return c->counts || rs_counts_create(connections, &c->counts_fd, &c->counts) == 0;
}

/* --- what a child is given ----------------------------------------------------------------- */

/* The configuration as a sealed memory file, without what the role must not know; -1 with the reason logged. */
static int conf_fd(const struct generation *g, enum rs_role role)
{
	g_autofree char *text = g_memdup2(g->conf_text, g->conf_text_n);
	int fd = memfd_create("restanted.conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (role != RS_ROLE_RELAY)
		rs_conf_hide_secrets(g->conf, text, g->conf_text_n);
	if (fd >= 0 && write(fd, text, g->conf_text_n) == (ssize_t)g->conf_text_n &&
		fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) ==
			0)
		return fd;
	rs_log(RS_LOG_ERROR, "memory-file", "why", g_strerror(errno), NULL);
	if (fd >= 0)
		close(fd);
	return -1;
}

static void give_tickets(struct child *c)
{
	rs_link_begin(c->control, RS_MSG_TICKETS);
	rs_link_octets(c->control, rs_slice(c->master->ticket_keys, RS_TLS_KEYS_OCTETS));
	rs_link_end(c->control);
}

void children_tickets(struct master *m)
{
	for (unsigned i = 0; i < CHILDREN_MAX; i++) {
		struct child *c = &m->children[i];

		if (c->gen && c->role == RS_ROLE_FRONT && c->control)
			give_tickets(c);
	}
}

static void give_start(struct child *c)
{
	const struct rs_conf *conf_now = c->gen->conf;
	bool tls = c->role == RS_ROLE_FRONT && conf_now->certificate && conf_now->key;
	struct rs_err err = {.text = "out of memory files"};
	int certificates = tls ? rs_tls_pack(conf_now, &err) : -1;
	int conf = conf_fd(c->gen, c->role);

	if (conf < 0 || (tls && certificates < 0)) {
		rs_log(RS_LOG_ERROR, "cannot-start", "role", rs_role_name(c->role), "why", err.text,
			NULL);
		if (conf >= 0)
			close(conf);
		if (certificates >= 0)
			close(certificates);
		(void)uv_process_kill(&c->process, SIGKILL); /* it is tried again, or refused */
		return;
	}
	if (tls)
		give_tickets(c);
	rs_link_begin(c->control, RS_MSG_START);
	rs_link_u8(c->control, (uint8_t)c->role);
	rs_link_u32(c->control, c->index);
	rs_link_u32(c->control, conf_now->workers);
	rs_link_u32(c->control, conf_now->workers);
	rs_link_u32(c->control, (uint32_t)(c->master->check_ms / BEATS_A_CHECK));
	rs_link_u8(c->control, tls);
	rs_link_fd(c->control, conf);
	rs_link_fd(c->control, fcntl(c->stats_fd, F_DUPFD_CLOEXEC, 0));
	if (tls)
		rs_link_fd(c->control, certificates);
	rs_link_end(c->control);
}

static bool is_for(enum rs_role role, enum rs_service service)
{
	bool admin = service == RS_SERVICE_ADMIN || service == RS_SERVICE_METRICS;

	return role == RS_ROLE_ADMIN ? admin : role == RS_ROLE_FRONT && !admin;
}

static void give_listeners(struct child *c)
{
	const struct rs_listeners *l = &c->gen->listeners;

	for (unsigned i = 0; i < l->n; i++) {
		if (!is_for(c->role, l->rows[i].service))
			continue;
		rs_link_begin(c->control, RS_MSG_LISTENER);
		rs_link_u8(c->control, (uint8_t)l->rows[i].service);
		rs_link_fd(c->control, fcntl(l->rows[i].fd, F_DUPFD_CLOEXEC, 0));
		rs_link_end(c->control);
	}
}

/* The architecture: who talks to whom. Roles of one generation; the administrator's of the current
 * one also fronts that have been left behind. Not those that are still starting: a front has one
 * administrator's role, the last it was given, and its own may have been there already. */
static bool are_peers(const struct child *a, const struct child *b)
{
	if (a->role == RS_ROLE_ADMIN && b->role == RS_ROLE_FRONT && a->gen != b->gen)
		return a->gen->state == GEN_CURRENT && b->gen->state == GEN_DRAINING;
	if (a->gen != b->gen)
		return false;
	if (a->role == RS_ROLE_ADMIN && b->role == RS_ROLE_FRONT)
		return a->gen->state != GEN_DRAINING;
	if (b->role == RS_ROLE_RELAY)
		return a->role == RS_ROLE_FRONT || a->role == RS_ROLE_AUTH;
	return (a->role == RS_ROLE_FRONT &&
		       (b->role == RS_ROLE_AUTH || b->role == RS_ROLE_STORE)) ||
	       (a->role == RS_ROLE_AUTH && b->role == RS_ROLE_STORE);
}

static void give_link(struct child *to, const struct child *peer, int fd)
{
	rs_link_begin(to->control, RS_MSG_LINK);
	rs_link_u8(to->control, (uint8_t)peer->role);
	/* one administrator's role has the fronts of all generations: it knows them by their place */
	rs_link_u32(to->control, to->role == RS_ROLE_ADMIN ? peer->slot : peer->index);
	rs_link_fd(to->control, fd);
	rs_link_end(to->control);
}

/* With those of its own generation, or with those of the others. */
static void connect_peers(struct child *c, bool others)
{
	struct master *m = c->master;

	for (unsigned i = 0; i < CHILDREN_MAX; i++) {
		struct child *peer = &m->children[i];
		int fds[2];

		if (!peer->gen || peer->state != CHILD_READY || others != (peer->gen != c->gen) ||
			(!are_peers(c, peer) && !are_peers(peer, c)))
			continue;
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
			rs_log(RS_LOG_ERROR, "socketpair", "why", g_strerror(errno), NULL);
			return;
		}
		give_link(c, peer, fds[0]);
		give_link(peer, c, fds[1]);
	}
}

void children_serve(struct master *m, struct generation *g)
{
	for (unsigned i = 0; i < CHILDREN_MAX; i++) {
		struct child *c = &m->children[i];

		if (c->gen != g || c->state != CHILD_READY)
			continue;
		give_listeners(c);
		if (c->role == RS_ROLE_ADMIN)
			connect_peers(c, true);
	}
}

static bool all_ready(const struct master *m, const struct generation *g)
{
	for (unsigned i = 0; i < CHILDREN_MAX; i++) {
		if (m->children[i].gen == g && m->children[i].state != CHILD_READY)
			return false;
	}
	return true;
}

static void on_ready(struct child *c)
{
	struct generation *g = c->gen;

	connect_peers(c, false); /* before it counts as a peer itself */
	connect_peers(c, true);
	c->state = CHILD_READY;
	tell_admins(c, false);
	if (c->role == RS_ROLE_ADMIN)
		tell_all(c);
	/* nobody is let in before all are there who must answer him */
	if (g->state == GEN_CURRENT)
		give_listeners(c);
	else if (g->state == GEN_STARTING && all_ready(c->master, g))
		generation_ready(g, c->master);
}

/* --- messages ------------------------------------------------------------------------------ */

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

bool children_message(struct child *c, struct rs_msg_in *msg)
{
	uint64_t ask;

	if (msg->type == RS_MSG_VIOLATION)
		return on_violation(c, msg);
	if (msg->type == RS_MSG_RELOAD) {
		ask = rs_msg_u64(msg);
		if (!rs_msg_end(msg) || ask == 0)
			return false;
		generation_reload(c->master, ask);
		return true;
	}
	if (!rs_msg_end(msg) || c->state != CHILD_STARTING)
		return false;
	on_ready(c);
	return true;
}

static bool on_message(void *arg, struct rs_link *l, struct rs_msg_in *msg)
{
	return children_message(arg, msg);
}

static void on_closed(void *arg, struct rs_link *l, const char *why)
{
	struct child *c = arg;

	c->control = NULL;
	c->state =
		CHILD_NONE; /* nothing can be told it any more, though the process may not be gone yet */
	if (c->process_open) /* it closed its link or broke a rule: it is of no use any more */
		(void)uv_process_kill(&c->process, SIGKILL);
}

static const struct rs_link_ops control_ops = {.message = on_message, .closed = on_closed};

/* --- processes ----------------------------------------------------------------------------- */

/* Is a process that ended to be started again? Not the fronts and the administrator's role of a
 * generation that only waits for its last sessions. */
static bool wanted(const struct child *c)
{
	enum gen_state s = c->gen->state;

	if (c->master->stopping || s == GEN_STOPPING)
		return false;
	return s != GEN_DRAINING || (c->role != RS_ROLE_FRONT && c->role != RS_ROLE_ADMIN);
}

static void leave_place(struct child *c)
{
	struct generation *g = c->gen;

	c->gen = NULL;
	tell_admins(c, false);
	generation_less(g, c->master);
}

static void on_again(uv_timer_t *t)
{
	struct child *c = t->data;

	if (wanted(c))
		spawn(c);
	else
		leave_place(c);
}

static void on_process_closed(uv_handle_t *h)
{
	struct child *c = h->data;

	c->process_open = false;
	if (!wanted(c)) {
		leave_place(c);
		return;
	}
	uv_timer_start(&c->again, on_again, c->delay_ms, 0);
	tell_admins(c, false);
}

static void on_exit_of_child(uv_process_t *p, int64_t status, int sig)
{
	struct child *c = p->data;
	struct master *m = c->master;
	bool well = uv_now(&m->loop) - c->started_ms > WELL_MS;

	c->state = CHILD_NONE;
	if (c->control)
		rs_link_drain(c->control); /* its last words */
	rs_link_destroy(&c->control);
	rs_stats_ended(c->stats);
	if (c->counts)
		rs_counts_clear(c->counts, c->counts_fd);
	c->delay_ms = well || !c->delay_ms ? AGAIN_FIRST_MS : MIN(c->delay_ms * 2, AGAIN_MAX_MS);
	if (!m->stopping && (wanted(c) || status || sig))
		rs_log(RS_LOG_ERROR, "role-ended", "role", rs_role_name(c->role), "index",
			rs_log_num(c->index), "status", rs_log_num((uint64_t)status), "signal",
			sig ? g_strsignal(sig) : NULL, "again-in-ms", rs_log_num(c->delay_ms),
			NULL);
	if (!m->told_ready && !m->stopping) { /* it cannot even start: say so and end */
		m->status = status ? (int)status : 70;
		m->stopping = true;
		(void)raise(SIGTERM);
	} else if (c->gen->state == GEN_STARTING) {
		generation_failed(c->gen, m, c);
	}
	if (wanted(c)) {
		c->restarts++;
		rs_stats_add(RS_STAT_RESTARTS + (unsigned)c->role, 1);
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
	c->started_s = (uint64_t)(g_get_real_time() / G_USEC_PER_SEC);
	c->state = CHILD_STARTING;
	if (rc < 0 || rs_link_create(&m->loop, fds[0], RS_ROLE_MASTER, c->role, &control_ops, c,
			      &c->control) < 0) {
		rs_log(RS_LOG_ERROR, "spawn", "role", role, "why", uv_strerror(rc), NULL);
		if (rc < 0) {
			close(fds[0]);
			c->delay_ms = AGAIN_MAX_MS;
			uv_close((uv_handle_t *)&c->process, on_process_closed);
		}
		return;
	}
	tell_admins(c, true);
	give_start(c);
	share_counts(c);
}

/* A place for a process, with its page of numbers; NULL: there is none. */
static struct child *child_add(
	struct master *m, struct generation *g, enum rs_role role, uint32_t index)
{
	struct child *c = m->children;

	while (c < m->children + CHILDREN_MAX && c->gen)
		c++;
	if (c == m->children + CHILDREN_MAX ||
		(!c->stats && rs_stats_create(&c->stats_fd, &c->stats) < 0))
		return NULL;
	c->gen = g;
	c->role = role;
	if (!counts_ready(c)) {
		c->gen = NULL;
		return NULL;
	}
	c->index = index;
	c->delay_ms = 0;
	c->restarts = 0;
	if (!c->timed)
		uv_timer_init(&m->loop, &c->again);
	c->timed = true;
	c->again.data = c;
	return c;
}

int children_start(struct master *m, struct generation *g, struct rs_err *err)
{
	bool ok = child_add(m, g, RS_ROLE_ADMIN, 0) && child_add(m, g, RS_ROLE_AUTH, 0);

	if (ok && g->conf->relay.host)
		ok = child_add(m, g, RS_ROLE_RELAY, 0) != NULL;
	for (uint32_t i = 0; ok && i < g->conf->workers; i++)
		ok = child_add(m, g, RS_ROLE_STORE, i) && child_add(m, g, RS_ROLE_FRONT, i);
	if (!ok) {
		for (unsigned i = 0; i < CHILDREN_MAX; i++) {
			if (m->children[i].gen == g)
				m->children[i].gen = NULL;
		}
		return rs_err_set(err, RS_ELIMIT,
			"no room for more processes; wait until sessions of earlier "
			"configurations have ended");
	}
	for (unsigned i = 0; i < CHILDREN_MAX; i++) {
		if (m->children[i].gen == g)
			spawn(&m->children[i]);
	}
	return 0;
}
