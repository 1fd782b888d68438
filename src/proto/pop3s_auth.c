/* pop3s_auth.c - the AUTHORIZATION state: USER, PASS, APOP, AUTH, STLS, UTF8, QUIT.
 * RFC 1939 sections 4 and 7, 2595 section 4, 5034, 6856 section 2. */
#include "proto/pop3s_priv.h"

#include "base/b64.h"
#include "base/secret.h"
#include "base/utf8.h"

#define APOP_DIGEST_N 32u /* hex digits of an MD5 */

/* The one gate in front of every login: passwords need TLS unless cleartext is allowed. */
bool pop3s_login_allowed(const struct rs_pop3s *s)
{
	return s->tls || (s->cfg->flags & RS_POP3S_CLEARTEXT);
}

const char *pop3s_mechs(const struct rs_pop3s *s)
{
	const char *mechs = s->tls ? s->cfg->mechs : s->cfg->mechs_plain;

	return mechs ? mechs : "";
}

static bool login_event(struct rs_pop3s *s, struct rs_pop3s_event *ev, enum rs_pop3s_login kind)
{
	ev->kind = RS_S_LOGIN;
	ev->login = kind;
	ev->user = rs_buf_slice(&s->user);
	ev->secret = rs_buf_slice(&s->secret);
	ev->mech = rs_slice_str(s->mech);
	ev->utf8_user = (s->cfg->flags & RS_POP3S_UTF8) != 0;
	pop3s_state_set(s, POP3S_WAIT_LOGIN);
	return true;
}

/* Names and passwords with octets above 0x7F must be UTF-8 (RFC 6856 section 2.2). */
static bool text_ok(struct rs_slice s)
{
	return rs_slice_find(s, 0) == s.n && rs_utf8_valid(s);
}

static void cmd_user(struct rs_pop3s *s, struct rs_slice arg)
{
	pop3s_wipe_login(s);
	if (s->cfg->flags & RS_POP3S_NO_USER)
		pop3s_bad(s, POP3S_T_NOT_OFFERED);
	else if (!pop3s_login_allowed(s))
		pop3s_bad(s, POP3S_T_NEED_TLS);
	else if (arg.n == 0)
		pop3s_bad(s, POP3S_T_ARGS);
	else if (!text_ok(arg))
		pop3s_bad(s, POP3S_T_UTF8_BAD);
	else if (rs_buf_add(&s->user, arg.p, arg.n) < 0)
		pop3s_bad(s, POP3S_T_CODE_SYS_TEMP);
	else
		pop3s_ok(s, POP3S_T_USER); /* the same words for every name */
}

static bool cmd_pass(struct rs_pop3s *s, struct rs_slice arg, struct rs_pop3s_event *ev)
{
	if (rs_buf_n(&s->user) == 0) {
		pop3s_bad(s, POP3S_T_NEED_USER);
		return false;
	}
	rs_buf_wipe(&s->secret);
	if (arg.n == 0 || !text_ok(arg)) {
		pop3s_wipe_login(s);
		pop3s_bad(s, arg.n ? POP3S_T_UTF8_BAD : POP3S_T_ARGS);
		return false;
	}
	if (rs_buf_add(&s->secret, arg.p, arg.n) < 0) {
		pop3s_bad(s, POP3S_T_CODE_SYS_TEMP);
		return false;
	}
	return login_event(s, ev, RS_LOGIN_PASS);
}

static bool cmd_apop(struct rs_pop3s *s, struct rs_slice arg, struct rs_pop3s_event *ev)
{
	struct rs_slice user;
	size_t user_n = arg.n > APOP_DIGEST_N ? arg.n - APOP_DIGEST_N - 1 : 0;

	pop3s_wipe_login(s);
	if (!s->cfg->apop_timestamp) {
		pop3s_bad(s, POP3S_T_NOT_OFFERED);
		return false;
	}
	user = rs_slice_sub(arg, 0, user_n);
	if (user_n == 0 || arg.p[user_n] != ' ' || !text_ok(user)) {
		pop3s_bad(s, POP3S_T_ARGS);
		return false;
	}
	if (rs_buf_add(&s->user, user.p, user.n) < 0 ||
		rs_buf_add(&s->secret, arg.p + user_n + 1, APOP_DIGEST_N) < 0) {
		pop3s_bad(s, POP3S_T_CODE_SYS_TEMP);
		return false;
	}
	return login_event(s, ev, RS_LOGIN_APOP);
}

/* --- AUTH, RFC 5034 ------------------------------------------------------------------------ */

static bool mech_known(const struct rs_pop3s *s, struct rs_slice mech)
{
	struct rs_slice rest = rs_slice_str(pop3s_mechs(s));

	while (rest.n) {
		struct rs_slice word = rs_slice_word(&rest);

		if (word.n == mech.n && rs_slice_istarts(word, s->mech))
			return true;
	}
	return false;
}

/* Keep the name in upper case; false when it is not one of those announced now. */
static bool mech_set(struct rs_pop3s *s, struct rs_slice mech)
{
	if (rs_slice_copy(mech, s->mech, sizeof(s->mech)) < 0 || mech.n == 0)
		return false;
	for (char *c = s->mech; *c; c++) {
		if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
	}
	return mech_known(s, mech);
}

/* Decode one response into s->secret. */
static int response(struct rs_pop3s *s, struct rs_slice text)
{
	uint8_t *to;
	size_t n;
	int rc = rs_buf_reserve(&s->secret, rs_b64_dec_max(text.n) + 1, &to);

	if (rc == 0)
		rc = rs_b64_dec(text, to, &n);
	if (rc == 0)
		rs_buf_added(&s->secret, n);
	return rc;
}

/* Why a response was not taken: our memory is not the client's fault. */
static void bad_response(struct rs_pop3s *s, int rc)
{
	pop3s_bad(s, rc == -RS_ENOMEM ? POP3S_T_CODE_SYS_TEMP : POP3S_T_BASE64);
}

static bool cmd_auth(struct rs_pop3s *s, struct rs_slice arg, struct rs_pop3s_event *ev)
{
	struct rs_slice mech = rs_slice_word(&arg);
	int rc = 0;

	pop3s_wipe_login(s);
	if (mech.n == 0) { /* not in RFC 5034, but asked by many clients: which are there? */
		pop3s_ok(s, POP3S_T_MECHS);
		pop3s_list_begin(s, POP3S_LIST_MECHS);
		return false;
	}
	if (!mech_set(s, mech)) {
		pop3s_bad(s, pop3s_login_allowed(s) ? POP3S_T_NO_MECH : POP3S_T_NEED_TLS);
		return false;
	}
	ev->has_secret = arg.n > 0;
	/* "=" is the empty initial response (RFC 5034 section 4) */
	if (ev->has_secret && !rs_slice_eq_str(arg, "="))
		rc = response(s, arg);
	if (rc < 0) {
		bad_response(s, rc);
		return false;
	}
	ev->first = true;
	return login_event(s, ev, RS_LOGIN_SASL);
}

bool pop3s_sasl_line(struct rs_pop3s *s, struct rs_slice line, struct rs_pop3s_event *ev)
{
	int rc;

	rs_buf_wipe(&s->secret);
	pop3s_state_set(s, POP3S_AUTHORIZATION);
	if (rs_slice_eq_str(line, "*")) {
		pop3s_bad(s, POP3S_T_CANCELLED);
		return false;
	}
	rc = response(s, line);
	if (rc < 0) {
		bad_response(s, rc);
		return false;
	}
	ev->has_secret = true;
	return login_event(s, ev, RS_LOGIN_SASL);
}

int rs_pop3s_challenge(struct rs_pop3s *s, struct rs_slice challenge)
{
	size_t n = rs_b64_enc_n(challenge.n);
	uint8_t *to;
	int rc;

	if (s->state != POP3S_WAIT_LOGIN)
		return -RS_EBUSY;
	pop3s_wipe_login(s);
	rc = rs_buf_reserve(&s->out, n + 4, &to);
	if (rc < 0)
		return rc;
	to[0] = '+';
	to[1] = ' ';
	n = rs_b64_enc(challenge, to + 2);
	to[n + 2] = '\r';
	to[n + 3] = '\n';
	rs_buf_added(&s->out, n + 4);
	pop3s_state_set(s, POP3S_SASL);
	return 0;
}

/* --- the rest ------------------------------------------------------------------------------ */

static bool cmd_stls(struct rs_pop3s *s, struct rs_pop3s_event *ev)
{
	if (s->tls) {
		pop3s_bad(s, POP3S_T_TLS_ALREADY);
	} else if (!(s->cfg->flags & RS_POP3S_STLS)) {
		pop3s_bad(s, POP3S_T_NOT_OFFERED);
	} else if (s->utf8) { /* RFC 6856 section 2.1: not after UTF8 */
		pop3s_bad(s, POP3S_T_TLS_AFTER_UTF8);
	} else {
		pop3s_wipe_login(s);
		pop3s_ok(s, POP3S_T_START_TLS);
		ev->kind = RS_S_START_TLS;
		pop3s_state_set(s, POP3S_WAIT_TLS);
		return true;
	}
	return false;
}

static void cmd_utf8(struct rs_pop3s *s)
{
	if (!(s->cfg->flags & RS_POP3S_UTF8)) {
		pop3s_bad(s, POP3S_T_NOT_OFFERED);
		return;
	}
	s->utf8 = true;
	pop3s_ok(s, POP3S_T_UTF8_ON);
}

bool pop3s_authorization(
	struct rs_pop3s *s, enum rs_pop3_verb v, struct rs_slice arg, struct rs_pop3s_event *ev)
{
	if (rs_pop3_verbs[v].args_max == 0 && rs_slice_trim(arg).n) {
		pop3s_bad(s, POP3S_T_ARGS);
		return false;
	}
	if (v == RS_POP3_USER)
		cmd_user(s, arg);
	else if (v == RS_POP3_PASS)
		return cmd_pass(s, arg, ev);
	else if (v == RS_POP3_APOP)
		return cmd_apop(s, arg, ev);
	else if (v == RS_POP3_AUTH)
		return cmd_auth(s, arg, ev);
	else if (v == RS_POP3_STLS)
		return cmd_stls(s, ev);
	else if (v == RS_POP3_UTF8)
		cmd_utf8(s);
	else if (v == RS_POP3_CAPA)
		pop3s_capa(s);
	else if (v == RS_POP3_LANG)
		pop3s_lang(s, arg);
	else { /* QUIT: the table lets nothing else in */
		pop3s_ok(s, POP3S_T_BYE);
		pop3s_state_set(s, POP3S_CLOSED);
	}
	return false;
}
