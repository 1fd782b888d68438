/* front_proxy.c - connections that a trusted balancer hands on ([proxy] trusted): they begin with a header
 * of the PROXY protocol that says who the client is (proto/proxy.h).
 * Facts: whoever is trusted must send one, at once and whole, or is closed without a word; from
 *        anybody else it is no more than a command that does not exist; until the header is there
 *        the connection counts for the whole service only, and no driver has it. */
#include <netinet/in.h>
#include <string.h>

#include "base/secret.h"
#include "proto/proxy.h"
#include "server/front.h"
#include "server/log.h"
#include "server/stats.h"

#define HEADER_TIME_S 10 /* a balancer sends it with its first packet */

/* Services of people. Who delivers (LMTP) is a mail server beside us and speaks to us directly. */
bool front_proxy_wanted(const struct rs_conn *c)
{
	const GArray *trusted = c->front->proc->conf->proxy_trusted;
	struct rs_ip ip;

	if (!trusted || !front_has_login(c->service) || !rs_ip_of(&c->peer, &ip))
		return false;
	for (guint i = 0; i < trusted->len; i++) {
		if (rs_net_has(&g_array_index(trusted, struct rs_net, i), &ip))
			return true;
	}
	return false;
}

static void close_bad(struct rs_conn *c, const char *why)
{
	rs_stats_add(RS_STAT_PROXY_BAD, 1);
	rs_log(RS_LOG_WARNING, "no-proxy-header", "id", rs_log_id(c->id), "peer", c->peer_text,
		"why", why, "cure",
		"let the balancer send it (HAProxy: send-proxy-v2), or take it out of [proxy] "
		"trusted",
		NULL);
	rs_conn_close(c, false);
}

static void address_of(const struct rs_proxy_head *h, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (h->family == RS_PROXY_INET) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(h->from_port);
		memcpy(&v4->sin_addr, h->from, 4);
	} else {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(h->from_port);
		memcpy(&v6->sin6_addr, h->from, 16);
	}
}

/* A client of the balancer is at this machine only when both say so; one that it cannot name never. */
static void take_over(struct rs_conn *c, const struct rs_proxy_head *h)
{
	bool beside = c->loopback;
	struct sockaddr_storage from;

	if (h->family == RS_PROXY_LOCAL) /* a connection of the balancer's own */
		return;
	g_strlcpy(c->proxy_text, c->peer_text, sizeof(c->proxy_text));
	c->loopback = false;
	if (h->family == RS_PROXY_UNKNOWN)
		return;
	address_of(h, &from);
	rs_conn_set_peer(c, &from);
	c->loopback = c->loopback && beside;
}

static void step(struct rs_conn *c)
{
	struct rs_proxy_head head;
	size_t used = 0;

	switch (rs_proxy_parse(rs_buf_slice(&c->in), &used, &head)) {
	case RS_PROXY_MORE:
		if (c->eof && c->octets_in == 0) /* is somebody there? That was all it asked */
			rs_conn_close(c, false);
		else if (c->eof)
			close_bad(c, "it ended before its header did");
		else
			rs_conn_read(c, true);
		break;
	case RS_PROXY_BAD:
		close_bad(c, "it does not begin with a header of the PROXY protocol");
		break;
	case RS_PROXY_DONE:
		rs_buf_consume(&c->in, used);
		take_over(c, &head);
		front_admit(c);
		break;
	}
}

static void on_idle(struct rs_conn *c)
{
	close_bad(c, "its header did not come in time");
}

static void on_stop(struct rs_conn *c)
{
	rs_conn_close(c, false);
}

static void nothing(struct rs_conn *c)
{
}

static const struct rs_conn_ops ops = {.step = step,
	.tls_up = nothing,
	.gone = nothing,
	.free = nothing,
	.idle = on_idle,
	.stop = on_stop};

void front_proxy_begin(struct rs_conn *c)
{
	c->ops = &ops;
	rs_conn_alive(c, MIN(HEADER_TIME_S, c->front->proc->conf->pre_login_timeout_s));
	rs_conn_read(c, true);
}
