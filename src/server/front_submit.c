/* front_submit.c - mail of users (RFC 6409): they log in, auth says whose sender it is; the rest is front_mail.c.
 *
 *   NOT_LOGGED_IN --AUTH--> ASKED --CHALLENGE--> NOT_LOGGED_IN ;  --REFUSED--> (HELD_BACK) --> NOT_LOGGED_IN
 *                             '--LOGGED_IN--> LOGGED_IN
 * Facts: auth knows of a login under the connection's number until LOGIN_GONE; when auth is started again it knows of
 *        none, so those who are logged in have to come back. */
#include "server/front_mail.h"

#include "server/log.h"

#define LOGIN_TIME_S \
	45 /* auth must have answered by then, the delay of a right password included */

void front_submit_configure(struct mail *p)
{
	const struct rs_conn *c = p->txn.conn;
	const struct rs_conf *conf = proc_of(p)->conf;
	bool clear = conf->cleartext == RS_CLEARTEXT_ALWAYS ||
		     (conf->cleartext == RS_CLEARTEXT_LOOPBACK && c->loopback);

	p->submit = true;
	p->cfg.flags = RS_LMTPS_SMTP | RS_LMTPS_AUTH | (clear ? RS_LMTPS_CLEARTEXT : 0);
	if (c->service == RS_SERVICE_SUBMISSIONS)
		p->cfg.flags |= RS_LMTPS_TLS;
	else if (c->front->tls)
		p->cfg.flags |= RS_LMTPS_STARTTLS;
	p->cfg.mechs = front_mechs(c);
	p->cfg.limits.rcpt_max = conf->submission_rcpts;
	p->login = (struct front_sess){.id = c->id, .conn = p->txn.conn, .ops = &front_login_ops};
}

/* --- the login ----------------------------------------------------------------------------- */

void front_submit_auth(struct mail *p, const struct rs_lmtps_event *ev)
{
	struct rs_conn *c = p->txn.conn;
	struct front_login ask = {.service = c->service,
		.tls = c->ssl != NULL,
		.channel = c,
		.kind = RS_LOGIN_SASL,
		.first = ev->first,
		.has_secret = ev->has_secret,
		.mech = ev->mech,
		.secret = ev->text,
		.peer = c->peer_text};

	if (!front_login_ask(c->front, p->login.id, &ask)) {
		rs_lmtps_reply(p->engine, 454, "4.7.0", "Temporary failure, try again later");
		return;
	}
	if (ev->first)
		p->mech = rs_stats_mech_of(ev->mech);
	p->login_state = MAIL_LOGIN_ASKED;
	p->asked_ns = uv_hrtime();
	rs_conn_alive(c, LOGIN_TIME_S);
}

static bool on_logged_in(struct mail *p, struct rs_msg_in *m)
{
	struct rs_slice user = rs_msg_octets(m);

	if (!rs_msg_end(m) || p->login_state != MAIL_LOGIN_ASKED)
		return false;
	p->login_state = MAIL_NOT_LOGGED_IN;
	g_free(p->user);
	p->user = g_strndup((const char *)user.p, user.n);
	if (!front_user_admit(p->txn.conn, p->user)) {
		rs_stats_login(p->mech, RS_STATS_LOGIN_FAILED);
		front_login_gone(p->txn.conn->front, p->login.id);
		rs_lmtps_reply(p->engine, 454, "4.7.0",
			"Too many connections of this user, try again later");
		return true;
	}
	p->login_state = MAIL_LOGGED_IN;
	rs_stats_login(p->mech, RS_STATS_LOGIN_OK);
	rs_stats_time(RS_STAT_LOGIN_TIME, (uv_hrtime() - p->asked_ns) / 1000);
	rs_log(RS_LOG_INFO, "login", "id", rs_log_id(p->login.id), "user", p->user, NULL);
	rs_lmtps_auth_ok(p->engine);
	return true;
}

static void refuse(struct mail *p)
{
	p->login_state = MAIL_NOT_LOGGED_IN;
	rs_lmtps_reply(p->engine, 535, "5.7.8", "Wrong user or password");
}

static bool on_refused(struct mail *p, struct rs_msg_in *m)
{
	struct rs_conn *c = p->txn.conn;
	const struct front_tried tried = {
		.session = p->login.id, .mech = p->mech, .peer = c->peer_text};
	struct front_refused no;

	if (p->login_state != MAIL_LOGIN_ASKED || !front_login_refused(m, &tried, &no))
		return false;
	p->login_state = MAIL_NOT_LOGGED_IN;
	if (no.code != RS_POP3_CODE_AUTH) {
		rs_lmtps_reply(p->engine, 454, "4.7.0", "Temporary failure, try again later");
		return true;
	}
	if (no.delay_ms == 0) {
		refuse(p);
		return true;
	}
	c->held_back_ms += no.delay_ms;
	rs_conn_alive(c, no.delay_ms / 1000 + LOGIN_TIME_S);
	p->refuse_at_ms = uv_now(&proc_of(p)->loop) + no.delay_ms;
	p->login_state = MAIL_LOGIN_HELD_BACK;
	return true;
}

static bool on_challenge(struct mail *p, struct rs_msg_in *m)
{
	struct rs_slice octets = rs_msg_octets(m);

	if (!rs_msg_end(m) || p->login_state != MAIL_LOGIN_ASKED)
		return false;
	p->login_state = MAIL_NOT_LOGGED_IN;
	if (rs_lmtps_challenge(p->engine, octets) < 0)
		rs_lmtps_reply(p->engine, 454, "4.7.0", NULL);
	return true;
}

void front_submit_tick(struct mail *p, uint64_t now_ms)
{
	if (p->login_state != MAIL_LOGIN_HELD_BACK || now_ms < p->refuse_at_ms)
		return;
	refuse(p);
	front_mail_step(p->txn.conn);
}

void front_submit_gone(struct mail *p)
{
	if (!p->login.id)
		return;
	front_sess_remove(p->txn.conn->front, &p->login);
	front_login_gone(p->txn.conn->front, p->login.id);
}

/* --- the sender ---------------------------------------------------------------------------- */

void front_submit_mail(struct mail *p, const struct rs_lmtps_event *ev)
{
	struct rs_link *l = proc_of(p)->auth;

	if (!l) {
		front_txn_end(p);
		rs_lmtps_reply(p->engine, 451, "4.3.0", NULL);
		return;
	}
	rs_link_begin(l, RS_MSG_MAIL);
	rs_link_u64(l, p->txn.id);
	rs_link_u8(l, (uint8_t)((ev->body_8bit ? RS_MSG_MAIL_8BIT : 0) |
				(ev->utf8 ? RS_MSG_MAIL_UTF8 : 0)));
	rs_link_u64(l, ev->size);
	rs_link_octets(l, ev->text);
	rs_link_end(l);
	p->mail_asked = true;
	rs_conn_alive(p->txn.conn, LOGIN_TIME_S);
}

bool front_submit_mail_answer(struct mail *p, struct rs_msg_in *m)
{
	struct rs_msg_answer a;

	if (!rs_msg_answer(m, 250, &a) || !p->mail_asked)
		return false;
	p->mail_asked = false;
	if (a.code >= 400)
		front_txn_end(p);
	rs_lmtps_reply(p->engine, a.code, a.status, a.text);
	return true;
}

/* --- the seam to auth ---------------------------------------------------------------------- */

static bool login_message(
	struct front_sess *s, enum rs_role peer, uint32_t index, struct rs_msg_in *m)
{
	struct mail *p = mail_of(s);
	bool ok = false;

	if (m->type == RS_MSG_LOGGED_IN)
		ok = on_logged_in(p, m);
	else if (m->type == RS_MSG_REFUSED)
		ok = on_refused(p, m);
	else if (m->type == RS_MSG_CHALLENGE)
		ok = on_challenge(p, m);
	front_later(s->conn);
	return ok;
}

/* A login that was asked for may never be answered, and one that was given is not known any more. A message
 * that is on its way is finished first: its recipients are with stores and relay already. */
static void login_peer_gone(struct front_sess *s, enum rs_role peer, uint32_t index)
{
	struct mail *p = mail_of(s);

	if (peer != RS_ROLE_AUTH || s->conn->closing)
		return;
	p->auth_lost |= p->login_state == MAIL_LOGGED_IN;
	if (p->login_state == MAIL_LOGIN_ASKED) {
		p->login_state = MAIL_NOT_LOGGED_IN;
		rs_lmtps_abort(p->engine, "A part of the service is being started again");
	}
	front_mail_step(s->conn);
}

const struct front_sess_ops front_login_ops = {
	.message = login_message, .peer_gone = login_peer_gone};
