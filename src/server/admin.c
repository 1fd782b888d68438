/* admin.c - the admin role: what the master tells of the other processes, and its listeners. See
 * admin_int.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/admin_int.h"
#include "server/log.h"

#define BACKLOG  64
#define PAUSE_MS 250

void admin_sum(const struct admin *a, struct rs_stats *sum)
{
	for (unsigned i = 0; i <= RS_ROLE_PLACES_MAX; i++) {
		if (a->places[i].page)
			rs_stats_sum(sum, a->places[i].page);
	}
}

void admin_leave_if_done(struct admin *a)
{
	if (a->proc->draining && a->conns_n == 0)
		rs_role_leave(a->proc, 0);
}

/* --- what the master tells ----------------------------------------------------------------- */

static bool on_page(struct admin *a, struct rs_msg_in *m)
{
	uint32_t slot = rs_msg_u32(m);
	int fd = rs_msg_fd(m);

	if (!rs_msg_end(m) || slot > RS_ROLE_PLACES_MAX) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	rs_stats_unmap(&a->places[slot].page);
	a->places[slot].page = rs_stats_map(fd, false);
	return true;
}

static bool on_child(struct admin *a, struct rs_msg_in *m)
{
	uint32_t slot = rs_msg_u32(m);
	struct admin_place p = {.page = NULL};

	p.role = (enum rs_role)rs_msg_u8(m);
	p.index = rs_msg_u32(m);
	p.generation = rs_msg_u32(m);
	p.state = rs_msg_u8(m);
	p.pid = rs_msg_u64(m);
	p.started_s = rs_msg_u64(m);
	p.restarts = rs_msg_u32(m);
	if (!rs_msg_end(m) || slot >= RS_ROLE_PLACES_MAX || p.role > RS_ROLE_N || p.state > 2)
		return false;
	p.page = a->places[slot].page;
	a->places[slot] = p;
	return true;
}

static bool admin_control(struct rs_proc *r, struct rs_msg_in *m)
{
	if (m->type == RS_MSG_PAGE)
		return on_page(r->arg, m);
	if (m->type == RS_MSG_CHILD)
		return on_child(r->arg, m);
	return m->type == RS_MSG_RELOADED && admin_reloaded(r->arg, m);
}

/* --- listeners -----------------------------------------------------------------------------
 * As those of a front (front_listen.c), and for the same reason: when no descriptor is left, libuv would
 * try again at once and for ever. Who waits to be accepted waits in the kernel. */

struct listener {
	uv_poll_t poll;
	struct admin *admin;
	int fd;
	bool http;
};

static void on_pause_over(uv_timer_t *t);

static void on_ready(uv_poll_t *h, int status, int events)
{
	struct listener *l = h->data;
	int fd = status < 0 ? -1 : accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		admin_accept(l->admin, fd, l->http);
	} else if (status < 0 || errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		   errno == ENOMEM) {
		(void)uv_poll_stop(h);
		if (!uv_is_active((uv_handle_t *)&l->admin->pause))
			rs_log(RS_LOG_ERROR, "no-descriptors", "means",
				"who asks for numbers or sessions waits until others have ended",
				NULL);
		uv_timer_start(&l->admin->pause, on_pause_over, PAUSE_MS, 0);
	}
}

static void on_pause_over(uv_timer_t *t)
{
	struct admin *a = t->data;

	for (guint i = 0; i < a->listeners->len; i++) {
		struct listener *l = g_ptr_array_index(a->listeners, i);

		(void)uv_poll_start(&l->poll, UV_READABLE, on_ready);
	}
}

static void on_listener_closed(uv_handle_t *h)
{
	g_free(h->data);
}

static void admin_listener(struct rs_proc *r, enum rs_service service, int fd)
{
	struct admin *a = r->arg;
	struct listener *l = g_new0(struct listener, 1);

	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || listen(fd, BACKLOG) < 0 ||
		uv_poll_init(&r->loop, &l->poll, fd) < 0) {
		rs_log(RS_LOG_ERROR, "listen", "service", rs_service_name(service), "why",
			g_strerror(errno), NULL);
		close(fd);
		g_free(l);
		return;
	}
	l->poll.data = l;
	l->admin = a;
	l->fd = fd;
	l->http = service == RS_SERVICE_METRICS;
	g_ptr_array_add(a->listeners, l);
	(void)uv_poll_start(&l->poll, UV_READABLE, on_ready);
}

/* --- the role ------------------------------------------------------------------------------ */

static bool admin_message(struct rs_proc *r, enum rs_role peer, uint32_t place, struct rs_msg_in *m)
{
	return admin_front_message(r->arg, place, m);
}

static void admin_peer_gone(struct rs_proc *r, enum rs_role peer, uint32_t place)
{
	admin_front_gone(r->arg, place);
}

/* Who may ask: names are looked up while there still is an /etc. */
static int admin_prepare(struct rs_proc *r, struct rs_err *err)
{
	struct admin *a = g_new0(struct admin, 1);
	const struct rs_conf *c = r->conf;
	gid_t gid;
	int rc = c->admin_group ? rs_role_group(c->admin_group, &a->group, err) : 0;

	r->arg = a;
	a->has_group = c->admin_group != NULL;
	a->service_uid = geteuid();
	if (rc == 0 && geteuid() == 0)
		rc = rs_role_user(c->user, &a->service_uid, &gid, err);
	return rc;
}

static bool admin_start(struct rs_proc *r)
{
	struct admin *a = r->arg;

	a->proc = r;
	a->next_ask = (uint64_t)getpid() << 32;
	a->listeners = g_ptr_array_new();
	uv_timer_init(&r->loop, &a->pause);
	a->pause.data = a;
	for (unsigned i = 0; i <= RS_ROLE_PLACES_MAX; i++)
		a->places[i].role = RS_ROLE_N;
	r->loop.data = a;
	return true;
}

static void close_listeners(struct admin *a)
{
	(void)uv_timer_stop(&a->pause);
	for (guint i = 0; i < a->listeners->len; i++) {
		struct listener *l = g_ptr_array_index(a->listeners, i);

		uv_close((uv_handle_t *)&l->poll, on_listener_closed);
		close(l->fd);
	}
	g_ptr_array_set_size(a->listeners, 0);
}

static void admin_drain(struct rs_proc *r)
{
	struct admin *a = r->arg;

	close_listeners(a);
	for (struct admin_conn *c = a->conns; c; c = c->next) {
		/* who asks for nothing may ask the next one */
		if (!c->ask && !c->writing)
			admin_conn_close(c);
		c->close_when_sent = true;
	}
	admin_leave_if_done(a);
}

static void admin_stop(struct rs_proc *r)
{
	rs_role_leave(r, 0);
}

const struct rs_role_ops rs_admin_ops = {
	.prepare = admin_prepare,
	.start = admin_start,
	.message = admin_message,
	.peer_gone = admin_peer_gone,
	.listener = admin_listener,
	.control = admin_control,
	.drain = admin_drain,
	.stop = admin_stop,
};
