/* front_mail.c - mail in, by LMTP and from users: the engine (proto/lmtps.h) between a connection and the roles;
 * see front_mail.h. */
#include "server/front_mail.h"

#include "base/secret.h"
#include "server/log.h"

static void rcpt_clear(gpointer r)
{
	g_free(((struct mail_rcpt *)r)->address);
}

/* --- stepping ------------------------------------------------------------------------------ */

static void on_mail(struct mail *p, const struct rs_lmtps_event *ev)
{
	front_txn_end(p);
	if (p->submit &&
		p->txn.conn->txn_n >= RS_MSG_TXN_MASK) { /* the login is under this number */
		rs_lmtps_abort(p->engine, "A million messages: log in again");
		return;
	}
	front_txn_begin(p, ev);
	if (p->submit)
		front_submit_mail(p, ev);
	else
		rs_lmtps_reply(p->engine, 250, "2.1.0", NULL);
}

static void on_event(struct mail *p, const struct rs_lmtps_event *ev)
{
	switch (ev->kind) {
	case RS_L_HELO:
		g_free(p->helo);
		p->helo = g_strndup((const char *)ev->text.p, ev->text.n);
		break;
	case RS_L_MAIL:
		on_mail(p, ev);
		break;
	case RS_L_RCPT:
		front_txn_rcpt(p, ev->text);
		break;
	case RS_L_DATA:
		front_txn_data_begin(p);
		break;
	case RS_L_BODY:
		front_txn_body(p, ev->text);
		break;
	case RS_L_END:
		front_txn_data_end(p);
		break;
	case RS_L_TOO_BIG:
	case RS_L_RESET:
		front_txn_end(p);
		break;
	case RS_L_AUTH:
		front_submit_auth(p, ev);
		break;
	case RS_L_START_TLS:
		break; /* when the "220" is out: see front_mail_step */
	}
}

static bool flush(struct mail *p)
{
	size_t n = rs_conn_write(p->txn.conn, rs_lmtps_out(p->engine));

	if (n)
		rs_lmtps_sent(p->engine, n);
	return n > 0;
}

static uint32_t idle_s(const struct mail *p)
{
	if (p->submit && p->login_state != MAIL_LOGGED_IN)
		return p->txn.conn->front->proc->conf->pre_login_timeout_s;
	return rs_lmtps_idle_s(p->engine);
}

/* STARTTLS was accepted: once the "220" is with the kernel, the handshake begins. Octets that came
 * with the command are an injection, and the engine says so (RFC 3207 section 4.2). */
static void start_tls(struct mail *p)
{
	struct rs_conn *c = p->txn.conn;
	size_t held = rs_buf_n(&c->in);

	if (held) {
		rs_log(RS_LOG_WARNING, "injection", "id", rs_log_id(c->id), "peer", c->peer_text,
			"octets", rs_log_num(held), NULL);
		(void)rs_lmtps_tls_up(p->engine, held);
		rs_conn_close(c, true);
	} else if (!rs_conn_tls(c, c->front->tls)) {
		rs_conn_close(c, false);
	}
}

/* False: nothing more can be done now. */
static bool round_once(struct mail *p, bool *tls)
{
	struct rs_conn *c = p->txn.conn;
	struct rs_slice in = rs_buf_slice(&c->in);
	struct rs_lmtps_event ev;
	enum rs_step s;
	size_t used;

	front_txn_results(p);
	if (p->auth_lost && !p->txn.id)
		rs_lmtps_abort(p->engine, "A part of the service is being started again");
	if (!front_txn_window_open(p))
		return false;
	s = rs_lmtps_recv(p->engine, in.p, in.n, &used, &ev);
	if (s == RS_EVENT)
		on_event(p, &ev); /* before the input moves: a BODY is borrowed from it */
	if (used) {
		if (p->submit && p->login_state != MAIL_LOGGED_IN)
			rs_wipe(c->in.p + c->in.head, used); /* passwords */
		rs_buf_consume(&c->in, used);
		if (!p->asked && !p->mail_asked && p->login_state != MAIL_LOGIN_ASKED && !p->ending)
			rs_conn_alive(c, idle_s(p));
	}
	*tls = s == RS_EVENT && ev.kind == RS_L_START_TLS;
	if (s == RS_CLOSED || s == RS_FAILED) {
		(void)flush(p);
		if (rs_lmtps_out(p->engine).n == 0 || c->closing)
			rs_conn_close(c, true);
		return false;
	}
	return s == RS_EVENT || flush(p) || used > 0;
}

void front_mail_step(struct rs_conn *c)
{
	struct mail *p = c->driver;
	bool tls = false;

	if (p->stepping || c->closing || c->shaking)
		return;
	p->stepping = true;
	do {
		while (!c->closing && !tls && round_once(p, &tls))
			continue;
		if (!c->closing) {
			front_txn_flush(p);
			(void)flush(p);
		}
	} while (!tls && front_txn_window_open(p) && rs_conn_more(c));
	if (tls && !c->closing)
		start_tls(p);
	p->stepping = false;
	if (c->closing)
		return;
	if (c->eof && !p->ending && !p->asked && !p->mail_asked && !c->writing &&
		front_txn_window_open(p))
		rs_conn_close(c, true);
	else
		rs_conn_read(c, front_txn_window_open(p));
	rs_buf_shrink(&c->in);
}

static void on_gone(struct rs_conn *c)
{
	struct mail *p = c->driver;

	(void)rs_lmtps_eof(p->engine);
}

static void on_free(struct rs_conn *c)
{
	struct mail *p = c->driver;

	rs_log(RS_LOG_INFO, "disconnect", "id", rs_log_id(c->id), "peer", c->peer_text, "user",
		p->user, "transactions", rs_log_num(c->txn_n), "in", rs_log_num(c->octets_in),
		"out", rs_log_num(c->octets_out), NULL);
	front_txn_end(p);
	front_submit_gone(p);
	rs_lmtps_destroy(&p->engine);
	rs_buf_finish(&p->chunk);
	g_array_unref(p->rcpts);
	g_free(p->helo);
	g_free(p->sender);
	g_free(p->user);
	g_free(p);
}

static void on_idle(struct rs_conn *c)
{
	struct mail *p = c->driver;

	if (p->ending || c->writing || c->shaking) {
		rs_conn_close(c, false);
		return;
	}
	rs_lmtps_abort(p->engine, "Nothing happened for too long");
	front_mail_step(c);
}

static void on_stop(struct rs_conn *c)
{
	struct mail *p = c->driver;
	bool late = uv_now(&c->front->proc->loop) >= c->front->stop_by_ms;

	if (!late && p->txn.id) /* a message on its way may still be taken in */
		return;
	if (c->shaking) {
		rs_conn_close(c, !late);
		return;
	}
	rs_lmtps_abort(p->engine, "The service is being stopped");
	front_mail_step(c);
	if (late && !c->closing)
		rs_conn_close(c, false);
}

static void on_tls_up(struct rs_conn *c)
{
	struct mail *p = c->driver;

	p->cfg.mechs = front_mechs(c); /* some are for this TLS connection */
	if (c->service == RS_SERVICE_SUBMISSION)
		(void)rs_lmtps_tls_up(p->engine, rs_buf_n(&c->in));
	front_mail_step(c);
}

static void on_about(const struct rs_conn *c, struct rs_conn_about *out)
{
	const struct mail *p = c->driver;

	out->messages = (uint32_t)c->txn_n;
	out->user = p->user ? p->user : "";
	if (p->submit && p->login_state != MAIL_LOGGED_IN)
		out->state = p->login_state == MAIL_NOT_LOGGED_IN ? "authorization" : "login";
	else if (p->ending)
		out->state = "delivering";
	else
		out->state = p->txn.id ? "receiving" : "idle";
}

static void on_kick(struct rs_conn *c, const char *why)
{
	struct mail *p = c->driver;

	rs_log(RS_LOG_INFO, "kicked", "id", rs_log_id(c->id), "user", p->user, NULL);
	if (c->writing || c->shaking) {
		rs_conn_close(c, false);
		return;
	}
	rs_lmtps_abort(p->engine, why);
	front_mail_step(c);
}

static void on_tick(struct rs_conn *c)
{
	front_submit_tick(c->driver, uv_now(&c->front->proc->loop));
}

static const struct rs_conn_ops conn_ops = {
	.step = front_mail_step,
	.tls_up = on_tls_up,
	.gone = on_gone,
	.free = on_free,
	.idle = on_idle,
	.stop = on_stop,
	.tick = on_tick,
	.about = on_about,
	.kick = on_kick,
};

void front_mail_begin(struct rs_conn *c)
{
	const struct rs_conf *conf = c->front->proc->conf;
	struct mail *p = g_new0(struct mail, 1);

	p->txn = (struct front_sess){.conn = c, .ops = &front_txn_ops};
	p->cfg.hostname = conf->hostname;
	p->cfg.mechs = "";
	p->cfg.limits = rs_lmtps_limits_default;
	p->cfg.limits.size_max = conf->message_size;
	if (c->service != RS_SERVICE_LMTP)
		front_submit_configure(p);
	if (rs_lmtps_create(&p->cfg, &p->engine) < 0) {
		g_free(p);
		rs_conn_close(c, false);
		return;
	}
	p->rcpts = g_array_new(FALSE, TRUE, sizeof(struct mail_rcpt));
	g_array_set_clear_func(p->rcpts, rcpt_clear);
	rs_buf_init(&p->chunk, RS_MSG_INLINE_MAX);
	c->driver = p;
	c->ops = &conn_ops;
	if (p->submit)
		front_sess_add(c->front, &p->login);
	rs_conn_alive(c, idle_s(p));
	if (c->service != RS_SERVICE_SUBMISSIONS)
		front_mail_step(c);
	else if (!rs_conn_tls_first(c, c->front->tls))
		rs_conn_close(c, false);
}
