/* front_sasl.c - the SASL service: an MTA asks whether its client is who he says (proto/sasls.h), auth knows.
 *
 * Each request has a session number of its own towards auth, as a transaction of mail has.
 *   (none) --AUTH--> ASKED --CHALLENGE--> CONT --> ASKED --LOGGED_IN, REFUSED--> (none)
 * Facts: a request of the engine that is under way has a row here, and auth hears LOGIN_GONE for one that ends
 *        without its word. Who may connect may ask: the folder of the socket, or the network, is the lock. */
#include <openssl/rand.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "proto/sasls.h"
#include "server/front.h"
#include "server/log.h"
#include "server/stats.h"

#define IDLE_S        86400 /* an MTA keeps its connection as long as its process lives */
#define LOGIN_TIME_MS 45000 /* the delay of a right password included */

struct sasl {
	struct rs_conn *conn;
	struct rs_sasls_cfg cfg;
	struct rs_sasls *engine;
	GPtrArray *requests; /* struct request, owned */
	uint64_t asked_n;
	bool stepping;
};

struct request {
	struct front_sess sess; /* first */
	uint32_t id;            /* the MTA's */
	enum rs_stats_mech mech;
	char *peer;
	bool secured;
	bool held_back;
	uint64_t due_ms; /* held back: told then; else given up then */
};

static void step(struct rs_conn *c);
static const struct front_sess_ops request_ops;

static struct rs_proc *proc_of(const struct sasl *p)
{
	return p->conn->front->proc;
}

/* --- requests ------------------------------------------------------------------------------ */

static void request_free(gpointer p)
{
	struct request *r = p;

	g_free(r->peer);
	g_free(r);
}

static struct request *find(const struct sasl *p, uint32_t id)
{
	for (guint i = 0; i < p->requests->len; i++) {
		struct request *r = g_ptr_array_index(p->requests, i);

		if (r->id == id)
			return r;
	}
	return NULL;
}

/* `tell`: auth has not said its last word. */
static void forget(struct sasl *p, struct request *r, bool tell)
{
	if (tell)
		front_login_gone(p->conn->front, r->sess.id);
	front_sess_remove(p->conn->front, &r->sess);
	(void)g_ptr_array_remove_fast(p->requests, r);
}

static void fail(struct sasl *p, struct request *r, bool temporary)
{
	rs_sasls_fail(p->engine, r->id, NULL, temporary);
	forget(p, r, temporary);
}

static void ask(struct sasl *p, struct request *r, const struct rs_sasls_event *ev)
{
	struct front_login ask = {.service = RS_SERVICE_SASL,
		.tls = r->secured,
		.kind = RS_LOGIN_SASL,
		.first = ev->kind == RS_A_AUTH,
		.has_secret = ev->has_response,
		.mech = ev->mech,
		.secret = ev->response,
		.peer = r->peer};

	if (front_login_ask(p->conn->front, r->sess.id, &ask))
		r->due_ms = uv_now(&proc_of(p)->loop) + LOGIN_TIME_MS;
	else
		fail(p, r, true);
}

/* Is it about mail, and may the password or token be sent as it is? */
static bool may_use(const struct sasl *p, const struct rs_sasls_event *ev)
{
	enum rs_cleartext clear = proc_of(p)->conf->cleartext;
	bool plain = rs_slice_ieq_str(ev->mech, "PLAIN") || rs_slice_ieq_str(ev->mech, "LOGIN") ||
		     rs_slice_ieq_str(ev->mech, "XOAUTH2") ||
		     rs_slice_ieq_str(ev->mech, "OAUTHBEARER");
	bool loopback = rs_slice_eq_str(ev->peer, "127.0.0.1") || rs_slice_eq_str(ev->peer, "::1");

	if (!rs_slice_ieq_str(ev->service, "smtp"))
		return false;
	return !plain || ev->secured || clear == RS_CLEARTEXT_ALWAYS ||
	       (clear == RS_CLEARTEXT_LOOPBACK && loopback);
}

static void on_auth(struct sasl *p, const struct rs_sasls_event *ev)
{
	struct request *r = g_new0(struct request, 1);
	char peer[64];

	if (rs_slice_copy(ev->peer, peer, sizeof(peer)) < 0 || !g_utf8_validate(peer, -1, NULL))
		peer[0] = '\0';
	r->sess = (struct front_sess){
		.id = front_txn_id(p->conn), .conn = p->conn, .ops = &request_ops};
	r->id = ev->id;
	r->mech = rs_stats_mech_of(ev->mech);
	r->peer = g_strdup(peer);
	r->secured = ev->secured;
	g_ptr_array_add(p->requests, r);
	front_sess_add(p->conn->front, &r->sess);
	p->asked_n++;
	if (may_use(p, ev)) {
		ask(p, r, ev);
		return;
	}
	rs_log(RS_LOG_WARNING, "sasl-refused", "id", rs_log_id(r->sess.id), "txn",
		rs_log_txn(r->sess.id), "peer", r->peer, "why",
		rs_slice_ieq_str(ev->service, "smtp")
			? "a password without TLS; see cleartext in restanted.conf(5)"
			: "a service that is not smtp",
		NULL);
	fail(p, r, false);
}

/* --- answers ------------------------------------------------------------------------------- */

static bool on_logged_in(struct sasl *p, struct request *r, struct rs_msg_in *m)
{
	struct rs_slice octets = rs_msg_octets(m);
	g_autofree char *user = g_strndup((const char *)octets.p, octets.n);

	if (!rs_msg_end(m) || r->held_back)
		return false;
	rs_stats_login(r->mech, RS_STATS_LOGIN_OK);
	rs_log(RS_LOG_INFO, "login", "id", rs_log_id(r->sess.id), "txn", rs_log_txn(r->sess.id),
		"peer", r->peer, "user", user, NULL);
	rs_sasls_ok(p->engine, r->id, user);
	forget(p, r, false);
	return true;
}

static bool on_refused(struct sasl *p, struct request *r, struct rs_msg_in *m)
{
	const struct front_tried tried = {.session = r->sess.id, .mech = r->mech, .peer = r->peer};
	struct front_refused no;

	if (r->held_back || !front_login_refused(m, &tried, &no))
		return false;
	if (no.delay_ms == 0) {
		fail(p, r, no.code != RS_POP3_CODE_AUTH);
		return true;
	}
	r->held_back = true;
	r->due_ms = uv_now(&proc_of(p)->loop) + no.delay_ms;
	return true;
}

static bool request_message(
	struct front_sess *s, enum rs_role peer, uint32_t index, struct rs_msg_in *m)
{
	struct rs_conn *c = s->conn;
	struct sasl *p = c->driver;
	struct request *r = (struct request *)s;
	struct rs_slice octets;
	bool ok = false;

	if (m->type == RS_MSG_LOGGED_IN) {
		ok = on_logged_in(p, r, m);
	} else if (m->type == RS_MSG_REFUSED) {
		ok = on_refused(p, r, m);
	} else if (m->type == RS_MSG_CHALLENGE) {
		octets = rs_msg_octets(m);
		ok = rs_msg_end(m) && !r->held_back;
		if (ok)
			rs_sasls_challenge(p->engine, r->id, octets);
	}
	front_later(c);
	return ok;
}

/* Whatever was asked, the answer may never come. */
static void request_peer_gone(struct front_sess *s, enum rs_role peer, uint32_t index)
{
	struct rs_conn *c = s->conn;
	struct request *r = (struct request *)s;

	if (peer != RS_ROLE_AUTH || r->held_back || c->closing)
		return;
	fail(c->driver, r, true);
	step(c);
}

static const struct front_sess_ops request_ops = {
	.message = request_message, .peer_gone = request_peer_gone};

/* --- stepping ------------------------------------------------------------------------------ */

static void on_event(struct sasl *p, const struct rs_sasls_event *ev)
{
	struct request *r = find(p, ev->id);

	if (ev->kind == RS_A_AUTH)
		on_auth(p, ev);
	else if (r && ev->kind == RS_A_CONT)
		ask(p, r, ev);
	else if (r)
		forget(p, r, true);
}

static bool flush(struct sasl *p)
{
	size_t n = rs_conn_write(p->conn, rs_sasls_out(p->engine));

	if (n)
		rs_sasls_sent(p->engine, n);
	return n > 0;
}

/* False: nothing more can be done now. */
static bool round_once(struct sasl *p)
{
	struct rs_conn *c = p->conn;
	struct rs_slice in = rs_buf_slice(&c->in);
	struct rs_sasls_event ev;
	enum rs_step s;
	size_t used;

	s = rs_sasls_recv(p->engine, in.p, in.n, &used, &ev);
	if (used) {
		rs_wipe(c->in.p + c->in.head, used); /* passwords; the event is the engine's own */
		rs_buf_consume(&c->in, used);
		rs_conn_alive(c, IDLE_S);
	}
	if (s == RS_EVENT)
		on_event(p, &ev);
	if (s == RS_FAILED)
		rs_log(RS_LOG_WARNING, "sasl-broken", "id", rs_log_id(c->id), "why",
			rs_sasls_error(p->engine)->text, NULL);
	if (s == RS_CLOSED || s == RS_FAILED) {
		(void)flush(p);
		rs_conn_close(c, true);
		return false;
	}
	return s == RS_EVENT || flush(p) || used > 0;
}

static void step(struct rs_conn *c)
{
	struct sasl *p = c->driver;

	if (p->stepping || c->closing)
		return;
	p->stepping = true;
	while (!c->closing && round_once(p))
		continue;
	if (!c->closing)
		(void)flush(p);
	p->stepping = false;
	if (c->closing)
		return;
	if (c->eof)
		rs_conn_close(c, true);
	else
		rs_conn_read(c, true);
	rs_buf_shrink(&c->in);
}

/* --- the connection's calls ---------------------------------------------------------------- */

static void on_gone(struct rs_conn *c)
{
	(void)rs_sasls_eof(((struct sasl *)c->driver)->engine);
}

static void on_free(struct rs_conn *c)
{
	struct sasl *p = c->driver;

	rs_log(RS_LOG_INFO, "disconnect", "id", rs_log_id(c->id), "peer", c->peer_text, "requests",
		rs_log_num(p->asked_n), NULL);
	while (p->requests->len)
		forget(p, g_ptr_array_index(p->requests, 0), true);
	rs_sasls_destroy(&p->engine);
	g_ptr_array_unref(p->requests);
	g_free(p);
}

/* Of an MTA nobody knows when it asks next; it comes again. */
static void on_end(struct rs_conn *c)
{
	rs_conn_close(c, false);
}

static void on_stop(struct rs_conn *c)
{
	const struct sasl *p = c->driver;

	if (p->requests->len == 0 || uv_now(&c->front->proc->loop) >= c->front->stop_by_ms)
		rs_conn_close(c, false);
}

static void no_tls(struct rs_conn *c)
{
}

static void on_about(const struct rs_conn *c, struct rs_conn_about *out)
{
	const struct sasl *p = c->driver;

	out->messages = 0;
	out->user = "";
	out->state = p->requests->len ? "login" : "idle";
}

static void on_kick(struct rs_conn *c, const char *why)
{
	rs_log(RS_LOG_INFO, "kicked", "id", rs_log_id(c->id), NULL);
	rs_conn_close(c, false);
}

static void on_tick(struct rs_conn *c)
{
	struct sasl *p = c->driver;
	uint64_t now = uv_now(&c->front->proc->loop);

	for (guint i = p->requests->len; i-- > 0;) {
		struct request *r = g_ptr_array_index(p->requests, i);

		if (now >= r->due_ms)
			fail(p, r, !r->held_back);
	}
	step(c);
}

static const struct rs_conn_ops conn_ops = {
	.step = step,
	.tls_up = no_tls,
	.gone = on_gone,
	.free = on_free,
	.idle = on_end,
	.stop = on_stop,
	.tick = on_tick,
	.about = on_about,
	.kick = on_kick,
};

void front_sasl_begin(struct rs_conn *c)
{
	struct sasl *p = g_new0(struct sasl, 1);
	uint8_t chance[16];

	p->conn = c;
	p->cfg.mechs = c->front->mechs[0][0]; /* the MTA tells neither channel nor certificate */
	p->cfg.pid = (uint64_t)getpid();
	p->cfg.connection = c->id >> RS_MSG_TXN_BITS;
	p->cfg.limits = rs_sasls_limits_default;
	if (RAND_bytes(chance, sizeof(chance)) != 1) {
		g_free(p);
		rs_conn_close(c, false);
		return;
	}
	for (size_t i = 0; i < sizeof(chance); i++)
		g_snprintf(p->cfg.cookie + 2 * i, 3, "%02x", chance[i]);
	if (rs_sasls_create(&p->cfg, &p->engine) < 0) {
		g_free(p);
		rs_conn_close(c, false);
		return;
	}
	p->requests = g_ptr_array_new_with_free_func(request_free);
	c->driver = p;
	c->ops = &conn_ops;
	rs_conn_alive(c, IDLE_S);
	step(c);
}
