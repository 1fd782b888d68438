/* front.c - the front role: its connections, whose they become and when they are stepped; the table of
 * sessions. */
#include "server/front.h"

#include <openssl/rand.h>
#include <string.h>
#include <unistd.h>

#include "server/log.h"
#include "server/stats.h"
#include "server/tls.h"

#define TICK_MS      1000
#define STOP_GRACE_S 5 /* sessions in TRANSACTION get so long to say QUIT */

/* --- sessions ------------------------------------------------------------------------------ */

/* Never used twice, not even by the process that comes after a crash: begins at chance. */
uint64_t front_id(struct front *f)
{
	return f->next_id += RS_MSG_TXN_MASK + 1;
}

/* After a million transactions the connection gets a new id; who reads the log sees it go on there. */
uint64_t front_txn_id(struct rs_conn *c)
{
	uint64_t was = c->id;

	if (c->txn_n == RS_MSG_TXN_MASK) {
		c->id = front_id(c->front);
		c->txn_n = 0;
		rs_log(RS_LOG_INFO, "id-renewed", "id", rs_log_id(was), "new-id", rs_log_id(c->id),
			NULL);
	}
	return c->id + ++c->txn_n;
}

void front_sess_add(struct front *f, struct front_sess *s)
{
	g_hash_table_insert(f->sessions, &s->id, s);
}

void front_sess_remove(struct front *f, struct front_sess *s)
{
	if (g_hash_table_lookup(f->sessions, &s->id) == s)
		g_hash_table_remove(f->sessions, &s->id);
}

/* A store did something for a session that ended meanwhile (CLOSE: a maildrop is open, DATA_DROP: a
 * recipient is ready): it must not keep it. */
static void end_orphan(struct rs_link *l, uint64_t id, enum rs_msg_type type)
{
	if (!l)
		return;
	rs_link_begin(l, type);
	rs_link_u64(l, id);
	rs_link_end(l);
}

static bool front_message(struct rs_proc *r, enum rs_role peer, uint32_t index, struct rs_msg_in *m)
{
	struct front *f = r->arg;
	struct front_sess *s;
	uint64_t id;

	if (peer == RS_ROLE_ADMIN)
		return front_admin_message(r, m);
	id = rs_msg_u64(m);
	s = g_hash_table_lookup(f->sessions, &id);
	if (m->bad)
		return false;
	if (s)
		return s->ops->message(s, peer, index, m);
	if (m->type == RS_MSG_OPENED)
		end_orphan(r->stores[index], id, RS_MSG_CLOSE);
	else if (m->type == RS_MSG_RCPT_READY && peer == RS_ROLE_STORE)
		end_orphan(r->stores[index], id, RS_MSG_DATA_DROP);
	else if (peer == RS_ROLE_RELAY &&
		 (m->type == RS_MSG_RCPT_READY || m->type == RS_MSG_RCPT_REFUSED))
		end_orphan(r->relay, id, RS_MSG_DATA_DROP);
	return true; /* it crossed with the end of the session */
}

static void front_peer_gone(struct rs_proc *r, enum rs_role peer, uint32_t index)
{
	struct front *f = r->arg;
	g_autoptr(GList) all = g_hash_table_get_values(f->sessions);

	for (GList *l = peer == RS_ROLE_ADMIN ? NULL : all; l; l = l->next) {
		struct front_sess *s = l->data;

		s->ops->peer_gone(s, peer, index);
	}
}

/* --- stepping ------------------------------------------------------------------------------ */

static void on_hurry(uv_idle_t *h)
{
}

void front_later(struct rs_conn *c)
{
	if (c->later || c->closing)
		return;
	c->later = true;
	g_ptr_array_add(c->front->later, c);
	(void)uv_idle_start(&c->front->hurry, on_hurry);
}

static void on_after(uv_check_t *h)
{
	struct front *f = h->data;

	f->after_now = true;
	while (f->later->len) { /* stepping one may put others behind it */
		struct rs_conn *c = g_ptr_array_steal_index_fast(f->later, f->later->len - 1);

		c->later = false;
		if (!c->closing)
			c->ops->step(c);
	}
	f->after_now = false;
	(void)uv_idle_stop(&f->hurry);
}

bool front_has_login(enum rs_service s)
{
	return s == RS_SERVICE_POP3 || s == RS_SERVICE_POP3S || s == RS_SERVICE_SUBMISSION ||
	       s == RS_SERVICE_SUBMISSIONS;
}

/* --- connections --------------------------------------------------------------------------- */

static void list_add(struct front *f, struct rs_conn *c)
{
	c->next = f->conns;
	if (f->conns)
		f->conns->prev = c;
	f->conns = c;
	f->conns_n++;
	rs_stats_add(RS_STAT_CONNECTIONS + (unsigned)c->service, 1);
	rs_stats_add(RS_STAT_OPEN + (unsigned)c->service, 1);
}

void front_conn_forget(struct rs_conn *c)
{
	struct front *f = c->front;

	if (c->prev)
		c->prev->next = c->next;
	else
		f->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	f->conns_n--;
	if (c->later)
		(void)g_ptr_array_remove_fast(f->later, c);
	front_ceiling_leave(c);
	front_listen_freed(f);
	rs_stats_sub(RS_STAT_OPEN + (unsigned)c->service, 1);
	if ((f->proc->stopping || f->proc->draining) && f->conns_n == 0)
		rs_role_leave(f->proc, 0);
}

static void no_step(struct rs_conn *c)
{
}

/* Of a connection that is turned away before any driver has it. */
static const struct rs_conn_ops refused_ops = {.step = no_step,
	.tls_up = no_step,
	.gone = no_step,
	.free = no_step,
	.idle = no_step,
	.stop = no_step};

static void turn_away(struct rs_conn *c, enum rs_stats_turned why)
{
	static const char pop3[] = "-ERR [SYS/TEMP] Too many connections, try again later\r\n";
	static const char smtp[] = "421 4.7.0 Too many connections, try again later\r\n";

	front_ceiling_told(c->front, c, why);
	/* under TLS a handshake would cost more than it tells */
	if (c->service == RS_SERVICE_POP3)
		(void)rs_conn_write(c, rs_slice_str(pop3));
	else if (c->service == RS_SERVICE_LMTP || c->service == RS_SERVICE_SUBMISSION)
		(void)rs_conn_write(c, rs_slice_str(smtp));
	rs_conn_close(c, false);
}

void front_admit(struct rs_conn *c)
{
	c->ops = &refused_ops;
	if (!front_ceiling_enter_source(c)) {
		turn_away(c, RS_STATS_TURNED_SOURCE);
		return;
	}
	rs_log(RS_LOG_INFO, "connect", "id", rs_log_id(c->id), "peer", c->peer_text, "proxy",
		c->proxy_text[0] ? c->proxy_text : NULL, "service", rs_service_name(c->service),
		NULL);
	if (c->service == RS_SERVICE_POP3 || c->service == RS_SERVICE_POP3S)
		front_pop3_begin(c);
	else if (c->service == RS_SERVICE_AUTOCONFIG || c->service == RS_SERVICE_AUTOCONFIGS)
		front_http_begin(c);
	else if (c->service == RS_SERVICE_SASL)
		front_sasl_begin(c);
	else
		front_mail_begin(c);
}

void front_begin(struct rs_conn *c)
{
	struct front *f = c->front;

	c->id = front_id(f);
	c->ops = &refused_ops;
	c->began_ms = uv_now(&f->proc->loop);
	list_add(f, c);
	if (!front_ceiling_enter(c))
		turn_away(c, RS_STATS_TURNED_ALL);
	else if (front_proxy_wanted(c))
		front_proxy_begin(c);
	else
		front_admit(c);
}

/* --- time ---------------------------------------------------------------------------------- */

static void on_tick(uv_timer_t *t)
{
	struct front *f = t->data;
	uint64_t now = uv_now(&f->proc->loop);
	struct rs_conn *next;

	for (struct rs_conn *c = f->conns; c; c = next) {
		next = c->next;
		if (c->closing)
			continue;
		if (f->proc->stopping && now >= f->stop_by_ms)
			c->ops->stop(c);
		else if (front_progress_waits(c, now))
			front_progress_check(c, now);
		else if (now >= c->quiet_until_ms || front_login_late(c, now))
			c->ops->idle(c);
		else if (c->ops->tick)
			c->ops->tick(c);
	}
}

/* --- the role ------------------------------------------------------------------------------ */

static bool load_tls(struct front *f)
{
	struct rs_proc *r = f->proc;
	struct rs_err err;
	int rc;

	if (r->tls_fd < 0)
		return true;
	rc = rs_tls_create(r->tls_fd, r->conf, &f->tls, &err);
	close(r->tls_fd);
	r->tls_fd = -1;
	if (rc == 0)
		rs_tls_keys_set(f->tls, r->ticket_keys);
	else
		rs_log(RS_LOG_ERROR, "no-tls", "why", err.text, NULL);
	return rc == 0;
}

static bool front_start(struct rs_proc *r)
{
	struct front *f = g_new0(struct front, 1);

	f->proc = r;
	if (RAND_bytes((unsigned char *)&f->next_id, sizeof(f->next_id)) != 1)
		return false;
	f->next_id &= ~RS_MSG_TXN_MASK;
	f->sessions = g_hash_table_new(g_int64_hash, g_int64_equal);
	front_ceilings_init(f);
	front_listen_init(f);
	f->later = g_ptr_array_new();
	uv_check_init(&r->loop, &f->after);
	uv_idle_init(&r->loop, &f->hurry);
	f->after.data = f;
	uv_check_start(&f->after, on_after);
	uv_timer_init(&r->loop, &f->tick);
	f->tick.data = f;
	uv_timer_start(&f->tick, on_tick, TICK_MS, TICK_MS);
	r->loop.data = f;
	r->arg = f;
	front_login_init(f);
	return load_tls(f);
}

static void front_tickets(struct rs_proc *r)
{
	const struct front *f = r->arg;

	if (f && f->tls)
		rs_tls_keys_set(f->tls, r->ticket_keys);
}

/* Others take the new connections; these here go on as if nothing had happened. */
static void front_drain(struct rs_proc *r)
{
	struct front *f = r->arg;

	front_listeners_close(f);
	if (f->conns_n == 0)
		rs_role_leave(r, 0);
}

static void front_stop(struct rs_proc *r)
{
	struct front *f = r->arg;
	struct rs_conn *next;

	front_listeners_close(f);
	f->stop_by_ms = uv_now(&r->loop) + STOP_GRACE_S * 1000;
	if (f->conns_n == 0) {
		rs_role_leave(r, 0);
		return;
	}
	for (struct rs_conn *c = f->conns; c; c = next) {
		next = c->next;
		/* those that hold no maildrop and no half message lose nothing */
		if (!c->closing)
			c->ops->stop(c);
	}
}

const struct rs_role_ops rs_front_ops = {
	.start = front_start,
	.message = front_message,
	.peer_gone = front_peer_gone,
	.tickets = front_tickets,
	.listener = front_listener,
	.control = front_control,
	.drain = front_drain,
	.stop = front_stop,
};
