/* session.c - see session.h */
#include "client/session.h"

#include <string.h>

#include "client/clean.h"
#include "client/text.h"
#include "sasl/sasl.h"

/* --- events -------------------------------------------------------------------------------- */

static int engine_fail(const struct rs_session *s, struct rs_err *err)
{
	const struct rs_err *why = rs_pop3c_error(s->engine);

	if (why->kind == RS_ECLOSED)
		return rs_err_set(err, RS_ENET,
			_("%s closed the connection in the middle; try again"),
			s->account->pop3_host);
	return rs_err_set(err, RS_EPROTO, _("%s does not speak POP3 as it should: %s"),
		s->account->pop3_host, why->text);
}

int rs_session_event(struct rs_session *s, struct rs_pop3c_event *ev, struct rs_err *err)
{
	struct rs_net_in in = {.buf = s->buf, .max = sizeof(s->buf)};

	for (;;) {
		enum rs_step step;
		size_t written;
		size_t used;
		int rc;

		step = rs_pop3c_recv(s->engine, s->rest.p, s->rest.n, &used, ev);
		s->rest = rs_slice_sub(s->rest, used, s->rest.n);
		if (step == RS_EVENT)
			return 0;
		if (step != RS_MORE)
			return engine_fail(s, err);
		rc = rs_net_exchange(s->net, rs_pop3c_out(s->engine), &written, &in, err);
		if (rc < 0)
			return rc;
		rs_pop3c_sent(s->engine, written);
		s->rest = rs_slice(s->buf, in.got);
		if (in.ended) {
			(void)rs_pop3c_eof(s->engine);
			return engine_fail(s, err);
		}
	}
}

int rs_session_ask(struct rs_session *s, enum rs_pop3_verb v, const char *arg,
	struct rs_pop3c_event *ev, struct rs_err *err)
{
	gint64 began_us = g_get_monotonic_time();
	gint64 took_us;
	int rc = rs_pop3c_send(s->engine, v, 0, arg);

	if (rc < 0)
		return rs_err_set(err, (enum rs_err_kind) - rc, _("%s cannot be sent to %s"),
			rs_pop3_verbs[v].name, s->account->pop3_host);
	rc = rs_session_event(s, ev, err);
	took_us = g_get_monotonic_time() - began_us;
	s->rtt_us = s->rtt_us ? MIN(s->rtt_us, took_us) : took_us;
	return rc;
}

static enum rs_err_kind kind_of(enum rs_pop3_code code)
{
	switch (code) {
	case RS_POP3_CODE_IN_USE:
		return RS_ELOCKED;
	case RS_POP3_CODE_LOGIN_DELAY:
	case RS_POP3_CODE_SYS_TEMP:
		return RS_ETEMP;
	case RS_POP3_CODE_AUTH:
		return RS_EAUTH;
	case RS_POP3_CODE_NONE:
	case RS_POP3_CODE_SYS_PERM:
	case RS_POP3_CODE_UTF8:
	case RS_POP3_CODE_OTHER:
		break;
	}
	return RS_EPROTO;
}

int rs_session_refused(const struct rs_session *s, const struct rs_pop3c_event *ev,
	const char *doing, struct rs_err *err)
{
	g_autofree char *said =
		g_utf8_make_valid((const char *)ev->text.p, (gssize)MIN(ev->text.n, 120));

	for (char *c = said; *c; c++) {
		if ((guchar)*c < 0x20 || *c == 0x7f)
			*c = ' ';
	}
	if (kind_of(ev->code) == RS_ELOCKED)
		return rs_err_set(err, RS_ELOCKED,
			_("another program is reading this mailbox on %s just now; try again in a "
			  "few minutes"),
			s->account->pop3_host);
	return rs_err_set(err, kind_of(ev->code), _("%s refused %s: %s"), s->account->pop3_host,
		doing, *said ? said : _("without a reason"));
}

/* --- greeting and capabilities ------------------------------------------------------------- */

static int greeting(struct rs_session *s, struct rs_err *err)
{
	struct rs_pop3c_event ev;
	int rc = rs_session_event(s, &ev, err);

	if (rc < 0)
		return rc;
	s->told->code = ev.code;
	return ev.kind == RS_C_GREETING ? 0 : rs_session_refused(s, &ev, _("the connection"), err);
}

/* CAPA; a server without it is an old one, and no failure. */
static int capabilities(struct rs_session *s, struct rs_err *err)
{
	struct rs_pop3c_event ev;
	int rc = rs_session_ask(s, RS_POP3_CAPA, NULL, &ev, err);

	s->told->hung_at_capa = rc == -RS_ENET;
	while (rc == 0 && ev.kind != RS_C_END && ev.kind != RS_C_ERR)
		rc = rs_session_event(s, &ev, err);
	return rc;
}

static int start_tls(struct rs_session *s, struct rs_err *err)
{
	struct rs_pop3c_event ev;
	int rc;

	if (!(rs_pop3c_caps(s->engine) & RS_CAP_STLS) && (rs_pop3c_caps(s->engine) & RS_CAP_KNOWN))
		return rs_err_set(err, RS_EPROTO,
			_("%s offers no TLS on port %u, so no password was sent; try --security "
			  "tls with port 995"),
			s->account->pop3_host, s->account->pop3_port);
	rc = rs_session_ask(s, RS_POP3_STLS, NULL, &ev, err);
	if (rc < 0)
		return rc;
	if (ev.kind != RS_C_START_TLS)
		return rs_err_set(err, RS_EPROTO,
			_("%s refuses TLS on port %u, so no password was sent; try --security tls "
			  "with port 995"),
			s->account->pop3_host, s->account->pop3_port);
	if (rs_pop3c_tls_up(s->engine, s->rest.n) == RS_FAILED)
		return engine_fail(s, err);
	return rs_net_start_tls(s->net, err);
}

/* --- login --------------------------------------------------------------------------------- */

static int login_refused(struct rs_session *s, const struct rs_pop3c_event *ev, struct rs_err *err)
{
	bool codes = (rs_pop3c_caps(s->engine) & RS_CAP_AUTH_RESP_CODE) != 0;

	s->told->code = ev->code;
	s->told->login_delay_s = rs_pop3c_login_delay_s(s->engine);
	/* with AUTH-RESP-CODE (RFC 3206) only [AUTH] means the password */
	if (ev->code == RS_POP3_CODE_AUTH || (ev->code == RS_POP3_CODE_NONE && !codes))
		return rs_err_set(err, RS_EAUTH,
			_("%s does not accept user %s with this password; check both (some "
			  "providers want POP3 "
			  "switched on, or a password of its own for mail programs)"),
			s->account->pop3_host, s->account->pop3_user);
	if (ev->code == RS_POP3_CODE_NONE)
		return rs_err_set(err, RS_ETEMP, _("%s cannot log %s in just now; try again later"),
			s->account->pop3_host, s->account->pop3_user);
	return rs_session_refused(s, ev, _("the login"), err);
}

/* For a token other words than for a password. `why`: what the mechanism was told, "" where nothing. */
static int token_refused(
	struct rs_session *s, const struct rs_pop3c_event *ev, const char *why, struct rs_err *err)
{
	int rc = login_refused(s, ev, err);
	g_autofree char *clean = rs_clean_line(why);

	if (rc != -RS_EAUTH)
		return rc;
	return rs_err_set(err, RS_EAUTH,
		_("%s does not accept the token of %s%s%s; log in again: restante account login %s "
		  "(some "
		  "providers want POP3 switched on, too)"),
		s->account->pop3_host, s->account->pop3_user, *clean ? ": " : "", clean,
		s->account->name);
}

static int no_such_login(struct rs_err *err)
{
	return rs_err_set(err, RS_EAUTH, _("this user name or password cannot be sent by POP3"));
}

static int plain_send(struct rs_session *s, const struct rs_secret *password, struct rs_err *err)
{
	struct rs_buf message;
	int rc;

	rs_buf_init(&message, 16384);
	rc = rs_sasl_plain_message(rs_slice_str(s->account->pop3_user),
		rs_slice(password->octets, password->n), &message);
	if (rc == 0)
		rc = rs_pop3c_auth(s->engine, 0, "PLAIN", rs_buf_slice(&message));
	rs_buf_wipe(&message);
	rs_buf_finish(&message);
	return rc < 0 ? no_such_login(err) : 0;
}

/* The answer to AUTH or PASS. */
static int login_answer(struct rs_session *s, struct rs_err *err)
{
	struct rs_pop3c_event ev = {.kind = RS_C_ERR};
	int rc = rs_session_event(s, &ev, err);

	if (rc == 0 && ev.kind == RS_C_CHALLENGE) { /* one that asks for more is not PLAIN */
		(void)rs_pop3c_sasl(s->engine, rs_slice(NULL, 0));
		rc = rs_session_event(s, &ev, err);
	}
	if (rc < 0)
		return rc;
	return ev.kind == RS_C_OK ? 0 : login_refused(s, &ev, err);
}

static int pass_send(struct rs_session *s, const struct rs_secret *password, struct rs_err *err)
{
	if (rs_pop3c_send(s->engine, RS_POP3_PASS, 0, (const char *)password->octets) < 0)
		return rs_err_set(err, RS_EAUTH, _("this password cannot be sent by POP3"));
	return 0;
}

static int login_user(struct rs_session *s, const struct rs_secret *password, struct rs_err *err)
{
	struct rs_pop3c_event ev;
	int rc = rs_session_ask(s, RS_POP3_USER, s->account->pop3_user, &ev, err);

	if (rc == 0 && ev.kind != RS_C_OK)
		return login_refused(s, &ev, err);
	if (rc == 0)
		rc = pass_send(s, password, err);
	return rc == 0 ? login_answer(s, err) : rc;
}

/* SCRAM where the password should not be sent as it is: without TLS, or where PLAIN is not taken. With
 * TLS and PLAIN that one is quicker by two turns. NULL: none. */
static const char *scram_of(const struct rs_session *s)
{
	static const char *const mechs[] = {"SCRAM-SHA-256", "SCRAM-SHA-1"};

	if (rs_net_is_tls(s->net) && rs_pop3c_has_mech(s->engine, "PLAIN"))
		return NULL;
	for (size_t i = 0; i < G_N_ELEMENTS(mechs); i++) {
		if (rs_pop3c_has_mech(s->engine, mechs[i]))
			return mechs[i];
	}
	return NULL;
}

/* Exchange Online and others do not announce XOAUTH2 before the login, and take it all the same. */
static const char *token_mech_of(const struct rs_session *s)
{
	return rs_pop3c_has_mech(s->engine, "OAUTHBEARER") ? "OAUTHBEARER" : "XOAUTH2";
}

static int proof_missing(struct rs_session *s, struct rs_err *err)
{
	return rs_err_set(err, RS_EAUTH,
		_("%s could not prove that it knows the password of %s: somebody else may answer "
		  "in "
		  "its place"),
		s->account->pop3_host, s->account->pop3_user);
}

/* Challenges and responses until the server says yes or no. */
static int sasl_exchange(struct rs_session *s, struct rs_sasl_client *c, struct rs_err *err)
{
	for (;;) {
		struct rs_pop3c_event ev;
		struct rs_slice out;
		int rc = rs_session_event(s, &ev, err);

		if (rc < 0)
			return rc;
		if (ev.kind == RS_C_OK)
			return rs_sasl_client_succeeded(c) ? 0 : proof_missing(s, err);
		if (ev.kind != RS_C_CHALLENGE && s->account->oauth2)
			return token_refused(s, &ev, rs_sasl_client_error(c), err);
		if (ev.kind != RS_C_CHALLENGE)
			return login_refused(s, &ev, err);
		if (rs_sasl_client_step(c, ev.text, &out) < 0)
			return proof_missing(s, err);
		if (rs_pop3c_sasl(s->engine, out.p ? out : rs_slice("", 0)) < 0)
			return rs_err_set(err, RS_ENOMEM, _("out of memory"));
	}
}

static int login_sasl(struct rs_session *s, const struct rs_secret *password, const char *mech,
	struct rs_err *err)
{
	const struct rs_sasl_client_cfg cfg = {.mech = mech,
		.user = rs_slice_str(s->account->pop3_user),
		.secret = rs_slice(password->octets, password->n),
		.host = s->account->pop3_host,
		.port = s->account->pop3_port};
	struct rs_sasl_client *c = NULL;
	struct rs_slice initial;
	int rc = rs_sasl_client_create(&cfg, &c);

	if (rc == 0)
		rc = rs_sasl_client_step(c, rs_slice(NULL, 0), &initial);
	if (rc == 0)
		rc = rs_pop3c_auth(s->engine, 0, mech, initial);
	rc = rc < 0 ? no_such_login(err) : sasl_exchange(s, c, err);
	rs_sasl_client_destroy(&c);
	return rc;
}

static int login(
	struct rs_session *s, const struct rs_secret *password, bool may_ask, struct rs_err *err)
{
	int rc;

	s->early = (rs_pop3c_caps(s->engine) & (RS_CAP_PIPELINING | RS_CAP_LOGIN_ALONE)) ==
		   RS_CAP_PIPELINING;
	s->scram = scram_of(s) != NULL;
	if (s->scram) {
		rc = login_sasl(s, password, scram_of(s), err);
	} else if (rs_net_is_tls(s->net) && rs_pop3c_has_mech(s->engine, "PLAIN")) {
		rc = plain_send(s, password, err);
		if (rc == 0)
			rc = login_answer(s, err);
	} else {
		rc = login_user(s, password, err);
	}
	/* some servers tell PIPELINING, UIDL and TOP only now */
	if (rc == 0 && may_ask && !s->early)
		rc = capabilities(s, err);
	if (rc == 0)
		rs_pop3c_pipelining(s->engine, (rs_pop3c_caps(s->engine) & RS_CAP_PIPELINING) != 0);
	return rc;
}

/* With a token in place of the password, always step by step; afterwards it is asked once more what the server can. */
static int login_token(
	struct rs_session *s, const struct rs_secret *token, bool may_ask, struct rs_err *err)
{
	int rc = login_sasl(s, token, token_mech_of(s), err);

	if (rc == 0 && may_ask)
		rc = capabilities(s, err);
	if (rc == 0)
		rs_pop3c_pipelining(s->engine, (rs_pop3c_caps(s->engine) & RS_CAP_PIPELINING) != 0);
	return rc;
}

/* RFC 6856: without it a server has to rewrite headers in UTF-8, and the message is not the one that was
 * sent any more. */
static bool utf8_wanted(const struct rs_session *s)
{
	return (rs_pop3c_caps(s->engine) & RS_CAP_UTF8) != 0;
}

/* --- in one flight, on what is remembered ---------------------------------------------------- */

static int flight_send(struct rs_session *s, const struct rs_secret *password,
	const struct rs_session_how *how, bool plain, struct rs_err *err)
{
	int rc;

	rs_pop3c_assume(s->engine, how->caps & ~(RS_SESSION_PLAIN | RS_SESSION_EARLY));
	if (utf8_wanted(s) && rs_pop3c_send(s->engine, RS_POP3_UTF8, 0, NULL) < 0)
		return rs_err_set(err, RS_ENOMEM, _("out of memory"));
	if (plain)
		rc = plain_send(s, password, err);
	else if (rs_pop3c_send(s->engine, RS_POP3_USER, 0, s->account->pop3_user) < 0)
		rc = no_such_login(err);
	else
		rc = pass_send(s, password, err);
	/* a long password leaves no room behind AUTH: then they go out one by one */
	if (rc == 0 && how->uidl && rs_pop3c_send(s->engine, RS_POP3_UIDL, 0, NULL) == 0)
		s->asked_uidl = true;
	if (rc == 0 && s->asked_uidl && how->list &&
		rs_pop3c_send(s->engine, RS_POP3_LIST, 0, NULL) == 0)
		s->asked_list = true;
	return rc;
}

static int flight(struct rs_session *s, const struct rs_secret *password,
	const struct rs_session_how *how, struct rs_err *err)
{
	bool plain = rs_net_is_tls(s->net) && (how->caps & RS_SESSION_PLAIN);
	struct rs_pop3c_event ev;
	int rc = flight_send(s, password, how, plain, err);

	s->told->flown = true;
	if (rc == 0 && utf8_wanted(s)) /* refused: then headers come in ASCII, as without it */
		rc = rs_session_event(s, &ev, err);
	if (rc == 0 && !plain) {
		rc = rs_session_event(s, &ev, err);
		if (rc == 0 && ev.kind != RS_C_OK)
			rc = login_refused(s, &ev, err);
	}
	return rc == 0 ? login_answer(s, err) : rc;
}

/* The slow way: ask what it can, one thing after the other. */
static int by_steps(struct rs_session *s, const struct rs_secret *password,
	const struct rs_session_how *how, struct rs_err *err)
{
	bool may_ask = !how || !how->no_capa;
	bool known = (rs_pop3c_caps(s->engine) & RS_CAP_KNOWN) != 0;
	int rc = may_ask && !known ? capabilities(s, err) : 0;
	struct rs_pop3c_event ev;

	if (rc == 0 && utf8_wanted(s))
		rc = rs_session_ask(s, RS_POP3_UTF8, NULL, &ev, err);
	if (rc == 0 && s->account->oauth2)
		rc = login_token(s, password, may_ask, err);
	else if (rc == 0)
		rc = login(s, password, may_ask, err);
	if (rc == 0 && how && how->uidl && rs_pop3c_send(s->engine, RS_POP3_UIDL, 0, NULL) == 0)
		s->asked_uidl = true;
	if (rc == 0 && s->asked_uidl && how->list &&
		rs_pop3c_send(s->engine, RS_POP3_LIST, 0, NULL) == 0)
		s->asked_list = true;
	return rc;
}

/* --- the session --------------------------------------------------------------------------- */

static int open_session(struct rs_session *s, const struct rs_secret *password,
	const struct rs_session_how *how, struct rs_err *err)
{
	bool known = how && (how->caps & RS_CAP_PIPELINING) && (how->caps & RS_SESSION_EARLY) &&
		     !(how->caps & RS_SESSION_SCRAM) && !s->account->oauth2;
	int rc = rs_net_open(&s->where, &s->net, err);

	if (rc == 0)
		rc = greeting(s, err);
	if (rc == 0 && s->account->pop3_security == RS_SECURITY_STARTTLS) {
		if (!known && !(how && how->no_capa))
			rc = capabilities(s, err);
		if (rc == 0)
			rc = start_tls(s, err);
	}
	if (rc < 0)
		return rc;
	return known ? flight(s, password, how, err) : by_steps(s, password, how, err);
}

int rs_session_open(const struct rs_account *a, const struct rs_secret *password,
	GCancellable *cancel, const struct rs_session_how *how, struct rs_session **out,
	struct rs_session_told *told, struct rs_err *err)
{
	struct rs_session_told none;
	struct rs_pop3c_limits limits = rs_pop3c_limits_default;
	struct rs_session *s = g_new0(struct rs_session, 1);
	int rc;

	s->told = told ? told : &none;
	*s->told = (struct rs_session_told){.flown = false};
	s->account = a;
	s->where = (struct rs_net_where){.host = a->pop3_host,
		.port = a->pop3_port,
		.tls_at_once = a->pop3_security == RS_SECURITY_TLS,
		.ca_file = a->ca_file,
		.pin_sha256 = a->pin_sha256,
		.timeout_s = a->timeout_s,
		.cancel = cancel,
		.seen = s->told->certificate};
	limits.depth_max = RS_SESSION_WINDOW / 8; /* none is shorter than "RETR 1" and its end */
	rc = rs_pop3c_create(&limits, &s->engine);
	if (rc < 0)
		rc = rs_err_set(err, RS_ENOMEM, _("out of memory"));
	if (rc == 0)
		rc = open_session(s, password, how, err);
	s->told = NULL;
	s->where.seen = NULL;
	if (rc < 0)
		rs_session_close(&s);
	else
		*out = s;
	return rc;
}

guint32 rs_session_caps(const struct rs_session *s)
{
	guint32 caps = rs_pop3c_caps(s->engine);

	return caps | (rs_pop3c_has_mech(s->engine, "PLAIN") ? RS_SESSION_PLAIN : 0) |
	       (s->early ? RS_SESSION_EARLY : 0) | (s->scram ? RS_SESSION_SCRAM : 0);
}

void rs_session_close(struct rs_session **s)
{
	if (!*s)
		return;
	rs_net_close(&(*s)->net);
	rs_pop3c_destroy(&(*s)->engine);
	g_free(*s);
	*s = NULL;
}
