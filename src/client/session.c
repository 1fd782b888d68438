/* session.c - see session.h */
#include "client/session.h"

#include <string.h>

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
	for (;;) {
		struct rs_slice out;
		enum rs_step step;
		size_t used;
		size_t got;
		int rc;

		step = rs_pop3c_recv(s->engine, s->rest.p, s->rest.n, &used, ev);
		s->rest = rs_slice_sub(s->rest, used, s->rest.n);
		if (step == RS_EVENT)
			return 0;
		if (step != RS_MORE)
			return engine_fail(s, err);
		out = rs_pop3c_out(s->engine);
		rc = rs_net_write(s->net, out, err);
		if (rc < 0)
			return rc;
		rs_pop3c_sent(s->engine, out.n);
		rc = rs_net_read(s->net, s->buf, sizeof(s->buf), &got, err);
		if (rc < 0)
			return rc;
		if (got == 0) {
			(void)rs_pop3c_eof(s->engine);
			return engine_fail(s, err);
		}
		s->rest = rs_slice(s->buf, got);
	}
}

int rs_session_ask(struct rs_session *s, enum rs_pop3_verb v, const char *arg,
	struct rs_pop3c_event *ev, struct rs_err *err)
{
	int rc = rs_pop3c_send(s->engine, v, 0, arg);

	if (rc < 0)
		return rs_err_set(err, (enum rs_err_kind) - rc, _("%s cannot be sent to %s"),
			rs_pop3_verbs[v].name, s->account->pop3_host);
	return rs_session_event(s, ev, err);
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
	return ev.kind == RS_C_GREETING ? 0 : rs_session_refused(s, &ev, _("the connection"), err);
}

/* CAPA; a server without it is an old one, and no failure. */
static int capabilities(struct rs_session *s, struct rs_err *err)
{
	struct rs_pop3c_event ev;
	int rc = rs_session_ask(s, RS_POP3_CAPA, NULL, &ev, err);

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
	rc = rs_net_start_tls(s->net, err);
	return rc == 0 ? capabilities(s, err) : rc;
}

/* Messages as they are stored, with UTF-8 in their headers where it is (RFC 6856): else a server may send them
 * turned into ASCII. One that refuses is taken as it is. */
static int ask_for_utf8(struct rs_session *s, struct rs_err *err)
{
	struct rs_pop3c_event ev;

	if (!(rs_pop3c_caps(s->engine) & RS_CAP_UTF8))
		return 0;
	return rs_session_ask(s, RS_POP3_UTF8, NULL, &ev, err);
}

/* --- login --------------------------------------------------------------------------------- */

static int login_refused(struct rs_session *s, const struct rs_pop3c_event *ev, struct rs_err *err)
{
	bool codes = (rs_pop3c_caps(s->engine) & RS_CAP_AUTH_RESP_CODE) != 0;

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

static int login_plain(struct rs_session *s, const struct rs_secret *password, struct rs_err *err)
{
	struct rs_pop3c_event ev = {.kind = RS_C_ERR};
	struct rs_buf message;
	int rc;

	rs_buf_init(&message, 16384);
	rc = rs_sasl_plain_message(rs_slice_str(s->account->pop3_user),
		rs_slice(password->octets, password->n), &message);
	if (rc == 0)
		rc = rs_pop3c_auth(s->engine, 0, "PLAIN", rs_buf_slice(&message));
	rs_buf_wipe(&message);
	rs_buf_finish(&message);
	if (rc < 0)
		return rs_err_set(
			err, RS_EAUTH, _("this user name or password cannot be sent by POP3"));
	rc = rs_session_event(s, &ev, err);
	if (rc == 0 && ev.kind == RS_C_CHALLENGE) { /* one that asks for more is not PLAIN */
		(void)rs_pop3c_sasl(s->engine, rs_slice(NULL, 0));
		rc = rs_session_event(s, &ev, err);
	}
	if (rc < 0)
		return rc;
	return ev.kind == RS_C_OK ? 0 : login_refused(s, &ev, err);
}

static int login_user(struct rs_session *s, const struct rs_secret *password, struct rs_err *err)
{
	struct rs_pop3c_event ev;
	int rc = rs_session_ask(s, RS_POP3_USER, s->account->pop3_user, &ev, err);

	if (rc == 0 && ev.kind == RS_C_OK) {
		rc = rs_pop3c_send(s->engine, RS_POP3_PASS, 0, (const char *)password->octets);
		if (rc < 0)
			return rs_err_set(err, RS_EAUTH, _("this password cannot be sent by POP3"));
		rc = rs_session_event(s, &ev, err);
	}
	if (rc < 0)
		return rc;
	return ev.kind == RS_C_OK ? 0 : login_refused(s, &ev, err);
}

static int login(struct rs_session *s, const struct rs_secret *password, struct rs_err *err)
{
	int rc;

	if (rs_net_is_tls(s->net) && rs_pop3c_has_mech(s->engine, "PLAIN"))
		rc = login_plain(s, password, err);
	else
		rc = login_user(s, password, err);
	/* some servers tell PIPELINING, UIDL and TOP only now */
	if (rc == 0 && !(rs_pop3c_caps(s->engine) & RS_CAP_PIPELINING))
		rc = capabilities(s, err);
	if (rc == 0)
		rs_pop3c_pipelining(s->engine, (rs_pop3c_caps(s->engine) & RS_CAP_PIPELINING) != 0);
	return rc;
}

/* --- the session --------------------------------------------------------------------------- */

int rs_session_open(const struct rs_account *a, const struct rs_secret *password,
	GCancellable *cancel, struct rs_session **out, struct rs_err *err)
{
	struct rs_session *s = g_new0(struct rs_session, 1);
	int rc;

	s->account = a;
	s->where = (struct rs_net_where){.host = a->pop3_host,
		.port = a->pop3_port,
		.tls_at_once = a->pop3_security == RS_SECURITY_TLS,
		.ca_file = a->ca_file,
		.pin_sha256 = a->pin_sha256,
		.timeout_s = a->timeout_s,
		.cancel = cancel};
	rc = rs_pop3c_create(&rs_pop3c_limits_default, &s->engine);
	if (rc < 0)
		rc = rs_err_set(err, RS_ENOMEM, _("out of memory"));
	if (rc == 0)
		rc = rs_net_open(&s->where, &s->net, err);
	if (rc == 0)
		rc = greeting(s, err);
	if (rc == 0)
		rc = capabilities(s, err);
	if (rc == 0 && a->pop3_security == RS_SECURITY_STARTTLS)
		rc = start_tls(s, err);
	if (rc == 0)
		rc = ask_for_utf8(s, err);
	if (rc == 0)
		rc = login(s, password, err);
	if (rc < 0)
		rs_session_close(&s);
	else
		*out = s;
	return rc;
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
