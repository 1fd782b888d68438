/* admin_conn.c - the connections of the admin role: who may ask, requests in, answers out.
 * Facts: a connection has at most one request under way; what is read is bounded by the largest
 *        request; each connection ends ADMIN_WAIT_MS after it last moved. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/admin_int.h"
#include "server/log.h"

#define GROUPS_MAX 1024u

/* --- the end ------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *h)
{
	struct admin_conn *c = h->data;
	struct admin *a = c->admin;
	struct admin_conn **at = &a->conns;

	if (--c->handles_n)
		return;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	a->conns_n--;
	g_string_free(c->in, TRUE);
	g_clear_pointer(&c->rows, json_array_unref);
	g_free(c);
	admin_leave_if_done(a);
}

void admin_conn_close(struct admin_conn *c)
{
	if (c->closing)
		return;
	c->closing = true;
	uv_close((uv_handle_t *)&c->h.stream, on_closed);
	uv_close((uv_handle_t *)&c->timer, on_closed);
}

/* --- writing ------------------------------------------------------------------------------- */

struct answer {
	uv_write_t req;
	struct admin_conn *conn;
	GString *text;
};

/* Who has ended its side still gets what it has asked. */
static void next_or_end(struct admin_conn *c)
{
	admin_conn_next(c);
	if (c->eof && !c->ask && !c->writing)
		admin_conn_close(c);
}

static void on_written(uv_write_t *req, int status)
{
	struct answer *w = (struct answer *)req;
	struct admin_conn *c = w->conn;

	g_string_free(w->text, TRUE);
	g_free(w);
	c->writing = false;
	if (status < 0 || c->close_when_sent)
		admin_conn_close(c);
	else
		next_or_end(c);
}

void admin_conn_send(struct admin_conn *c, GString *taken, bool close)
{
	struct answer *w = g_new0(struct answer, 1);
	uv_buf_t buf = uv_buf_init(taken->str, (unsigned)taken->len);

	w->conn = c;
	w->text = taken;
	c->writing = true;
	c->close_when_sent |= close;
	c->ask = 0;
	admin_conn_wait(c, ADMIN_WAIT_MS);
	if (c->closing || uv_write(&w->req, &c->h.stream, &buf, 1, on_written) < 0) {
		g_string_free(taken, TRUE);
		g_free(w);
		c->writing = false;
		admin_conn_close(c);
	}
}

/* --- time ---------------------------------------------------------------------------------- */

static void on_time(uv_timer_t *t)
{
	struct admin_conn *c = t->data;

	if (c->ask && !c->writing)
		admin_do_late(c);
	else
		admin_conn_close(c);
}

void admin_conn_wait(struct admin_conn *c, uint64_t ms)
{
	if (!c->closing)
		uv_timer_start(&c->timer, on_time, ms, 0);
}

/* --- reading ------------------------------------------------------------------------------- */

static void next_http(struct admin_conn *c)
{
	struct rs_slice in = rs_slice(c->in->str, c->in->len);
	enum rs_metrics_http what = rs_metrics_request(in);
	struct rs_stats sum = {.rows = {0}};
	GString *out;

	if (what == RS_METRICS_MORE)
		return;
	admin_sum(c->admin, &sum);
	out = g_string_new(NULL);
	rs_metrics_answer(out, what, &sum);
	(void)uv_read_stop(&c->h.stream);
	admin_conn_send(c, out, true);
}

void admin_conn_next(struct admin_conn *c)
{
	const char *end;
	struct rs_err err;
	int rc;

	if (c->closing || c->writing || c->ask)
		return;
	if (c->http) {
		next_http(c);
		return;
	}
	end = memchr(c->in->str, '\n', c->in->len);
	if (!end && c->in->len <= RS_ADMIN_LINE_MAX)
		return;
	c->close_when_sent |= c->refused || !end;
	if (c->refused) {
		admin_fail(c, RS_ADMIN_NOT_YOU,
			"only root, the user of the service and members of [server] "
			"admin-group may ask");
		return;
	}
	if (!end) {
		admin_fail(c, RS_ADMIN_BAD, "the request is too long");
		return;
	}
	rc = rs_admin_req_parse(rs_slice(c->in->str, (size_t)(end - c->in->str)), &c->req, &err);
	g_string_erase(c->in, 0, end + 1 - c->in->str);
	if (rc < 0)
		admin_fail(c, RS_ADMIN_BAD, err.text);
	else
		admin_do(c);
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
	static char octets[4096]; /* one a process: the loop has one thread */

	*buf = uv_buf_init(octets, sizeof(octets));
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct admin_conn *c = s->data;

	if (n == 0 || c->closing)
		return;
	if (n == UV_EOF) {
		c->eof = true;
		(void)uv_read_stop(s);
		next_or_end(c);
		return;
	}
	if (n < 0 || c->in->len > RS_METRICS_HEAD_MAX) {
		admin_conn_close(c);
		return;
	}
	g_string_append_len(c->in, buf->base, n);
	admin_conn_next(c);
}

/* --- accepting ----------------------------------------------------------------------------- */

/* Root, the user the service runs as, or a member of [server] admin-group. */
static bool may_ask(const struct admin *a, int fd, struct ucred *who)
{
	gid_t groups[GROUPS_MAX];
	socklen_t n = sizeof(*who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, who, &n) < 0)
		return false;
	if (who->uid == 0 || who->uid == a->service_uid || (a->has_group && who->gid == a->group))
		return true;
	n = sizeof(groups);
	if (!a->has_group || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n) < 0)
		return false;
	for (size_t i = 0; i < n / sizeof(groups[0]); i++) {
		if (groups[i] == a->group)
			return true;
	}
	return false;
}

static void check_asker(struct admin_conn *c)
{
	struct ucred who = {.uid = (uid_t)-1};
	int fd = -1;

	if (uv_fileno((uv_handle_t *)&c->h.stream, &fd) == 0 && may_ask(c->admin, fd, &who))
		return;
	rs_log(RS_LOG_WARNING, "admin-refused", "uid", rs_log_num(who.uid), "pid",
		rs_log_num((uint64_t)who.pid), NULL);
	c->refused = true;
}

void admin_accept(struct admin *a, int fd, bool http)
{
	struct admin_conn *c = g_new0(struct admin_conn, 1);
	int rc;

	c->admin = a;
	c->http = http;
	c->in = g_string_new(NULL);
	c->next = a->conns;
	a->conns = c;
	a->conns_n++;
	c->handles_n = 2;
	uv_timer_init(&a->proc->loop, &c->timer);
	if (http)
		(void)uv_tcp_init(&a->proc->loop, &c->h.tcp);
	else
		(void)uv_pipe_init(&a->proc->loop, &c->h.pipe, 0);
	c->h.stream.data = c->timer.data = c;
	rc = http ? uv_tcp_open(&c->h.tcp, fd) : uv_pipe_open(&c->h.pipe, fd);
	if (rc < 0)
		close(fd);
	if (rc < 0 || a->conns_n > ADMIN_CONNS_MAX) {
		admin_conn_close(c);
		return;
	}
	admin_conn_wait(c, ADMIN_WAIT_MS);
	if (!http)
		check_asker(c);
	if (uv_read_start(&c->h.stream, on_alloc, on_read) < 0)
		admin_conn_close(c);
}
