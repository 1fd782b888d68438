/* front_http.c - a connection of the autoconfig listener: one request, one answer (autoconfig.h).
 *
 *   READING --whole request, or one that is refused--> ANSWERING --all written--> closed
 * Facts: no user, no file, no other role is asked; a request is bounded by http.h, its time by
 *        HTTP_TIME_S (or pre-login-timeout, where that is less) in all, not by progress. */
#include <string.h>

#include "server/autoconfig.h"
#include "server/front.h"
#include "server/log.h"

#define HTTP_TIME_S 20u

struct http {
	GString *out; /* NULL: READING */
	size_t sent;
	guint status;
};

static uint32_t time_s(const struct rs_conn *c)
{
	return MIN(HTTP_TIME_S, c->front->proc->conf->pre_login_timeout_s);
}

/* The answer; kept so that what the kernel does not take now is written when it does. */
static void answer(struct rs_conn *c, enum rs_http_step step, const struct rs_http_req *req)
{
	struct http *h = c->driver;

	h->out = g_string_new(NULL);
	h->status = rs_autoconfig_answer(c->front->proc->conf, step, req, h->out);
	rs_conn_alive(c, time_s(c));
}

static void step(struct rs_conn *c)
{
	struct http *h = c->driver;
	struct rs_http_req req;
	enum rs_http_step got;
	size_t n;

	if (!h->out) {
		got = rs_http_read(rs_buf_slice(&c->in), &req);
		if (got == RS_HTTP_MORE) {
			if (c->eof)
				rs_conn_close(c, false);
			else
				rs_conn_read(c, true);
			return;
		}
		answer(c, got, &req);
	}
	while (h->sent < h->out->len) {
		n = rs_conn_write(c, rs_slice(h->out->str + h->sent, h->out->len - h->sent));
		if (n == 0 || c->closing)
			return;
		h->sent += n;
	}
	rs_conn_close(c, true);
}

static void nothing(struct rs_conn *c)
{
}

static void on_free(struct rs_conn *c)
{
	struct http *h = c->driver;

	/* not what was asked: an address may be in it */
	rs_log(RS_LOG_INFO, "disconnect", "id", rs_log_id(c->id), "peer", c->peer_text, "status",
		rs_log_num(h->status), "in", rs_log_num(c->octets_in), "out",
		rs_log_num(c->octets_out), NULL);
	if (h->out)
		g_string_free(h->out, TRUE);
	g_free(h);
}

static void end(struct rs_conn *c)
{
	rs_conn_close(c, false);
}

static void on_about(const struct rs_conn *c, struct rs_conn_about *out)
{
	const struct http *h = c->driver;

	out->user = "";
	out->state = h->out ? "answering" : "reading";
}

static const struct rs_conn_ops conn_ops = {
	.step = step,
	.tls_up = step,
	.gone = nothing,
	.free = on_free,
	.idle = end,
	.stop = end,
	.about = on_about,
};

void front_http_begin(struct rs_conn *c)
{
	c->driver = g_new0(struct http, 1);
	c->ops = &conn_ops;
	rs_conn_alive(c, time_s(c));
	if (c->service != RS_SERVICE_AUTOCONFIGS)
		step(c);
	else if (!rs_conn_tls_first(c, c->front->tls))
		rs_conn_close(c, false);
}
