/* smtpc_begin.c - from the greeting to READY: EHLO, STARTTLS, AUTH. RFC 5321 section 3.2, 3207, 4954, 4616. */
#include "proto/smtpc_priv.h"

#include <stdio.h>

#include "base/b64.h"
#include "base/secret.h"

static enum rs_step refused(struct rs_smtpc *c, struct rs_smtpc_event *ev)
{
	ev->kind = RS_M_REFUSED;
	c->state = SMTPC_CLOSED;
	return RS_EVENT;
}

/* Of our own: the server has not refused. */
static enum rs_step unfit(struct rs_smtpc *c, struct rs_smtpc_event *ev, const char *why)
{
	ev->code = 0;
	ev->status = rs_slice(NULL, 0);
	ev->text = rs_slice_str(why);
	return refused(c, ev);
}

void smtpc_ehlo(struct rs_smtpc *c)
{
	c->caps = 0;
	c->size_max = 0;
	rs_buf_clear(&c->mechs);
	c->state = SMTPC_EHLO;
	smtpc_say(c, "EHLO ", rs_slice_str(c->cfg->hostname));
}

/* base64 of up to three parts with NULs between, behind `verb`. */
static void say_b64(struct rs_smtpc *c, const char *verb, struct rs_slice raw)
{
	size_t n = rs_b64_enc_n(raw.n);
	struct rs_buf text;
	uint8_t *to;

	rs_buf_init(&text, n + 1);
	if (rs_buf_reserve(&text, n + 1, &to) < 0) {
		(void)smtpc_fail(c, RS_ENOMEM, "out of memory");
		return;
	}
	rs_buf_added(&text, rs_b64_enc(raw, to));
	smtpc_say(c, verb, rs_buf_slice(&text));
	rs_buf_wipe(&text);
	rs_buf_finish(&text);
}

static void auth_plain(struct rs_smtpc *c)
{
	size_t user_n = strlen(c->cfg->user);
	size_t password_n = strlen(c->cfg->password);
	struct rs_buf raw;

	rs_buf_init(&raw, user_n + password_n + 2);
	if (rs_buf_add(&raw, "", 1) < 0 || rs_buf_add(&raw, c->cfg->user, user_n) < 0 ||
		rs_buf_add(&raw, "", 1) < 0 || rs_buf_add(&raw, c->cfg->password, password_n) < 0)
		(void)smtpc_fail(c, RS_ENOMEM, "out of memory");
	else
		say_b64(c, "AUTH PLAIN ", rs_buf_slice(&raw));
	rs_buf_wipe(&raw);
	rs_buf_finish(&raw);
}

static enum rs_step ready(struct rs_smtpc *c, struct rs_smtpc_event *ev)
{
	c->state = SMTPC_READY;
	ev->kind = RS_M_READY;
	return RS_EVENT;
}

static enum rs_step login(struct rs_smtpc *c, struct rs_smtpc_event *ev)
{
	if (c->cfg->flags & RS_SMTPC_SASL) {
		c->state = SMTPC_LOGIN;
		ev->kind = RS_M_LOGIN;
		ev->text = rs_buf_slice(&c->mechs);
		return RS_EVENT;
	}
	if (!c->cfg->user)
		return ready(c, ev);
	if (!c->tls && !(c->cfg->flags & RS_SMTPC_CLEARTEXT))
		return unfit(c, ev, "no TLS, and the password is not sent without it");
	if (!(c->caps & (RS_SMTPC_CAP_PLAIN | RS_SMTPC_CAP_LOGIN)))
		return unfit(c, ev, "the server offers neither AUTH PLAIN nor AUTH LOGIN");
	c->state = SMTPC_AUTH;
	if (c->caps & RS_SMTPC_CAP_PLAIN) {
		c->auth = SMTPC_AUTH_DONE;
		auth_plain(c);
	} else {
		c->auth = SMTPC_AUTH_USER;
		smtpc_say(c, "AUTH LOGIN", rs_slice(NULL, 0));
	}
	return RS_MORE;
}

/* EHLO or HELO is answered with yes. */
static enum rs_step greeted(struct rs_smtpc *c, struct rs_smtpc_event *ev)
{
	bool offered = c->caps & RS_SMTPC_CAP_STARTTLS;
	uint32_t wish = c->cfg->flags & (RS_SMTPC_STARTTLS | RS_SMTPC_STARTTLS_IF);

	if (c->tls || !wish || (!offered && wish == RS_SMTPC_STARTTLS_IF))
		return login(c, ev);
	if (!offered)
		return unfit(c, ev, "the server does not offer STARTTLS");
	c->state = SMTPC_STARTTLS;
	smtpc_say(c, "STARTTLS", rs_slice(NULL, 0));
	return RS_MORE;
}

/* A command of the owner must fit what the output can hold: a token may be long. */
static int sasl_say(struct rs_smtpc *c, const char *verb, struct rs_slice raw)
{
	if (rs_buf_room(&c->out) < rs_b64_enc_n(raw.n) + strlen(verb) + 4)
		return -RS_ELIMIT;
	c->auth = SMTPC_AUTH_OWNER;
	c->state = SMTPC_AUTH;
	say_b64(c, verb, raw);
	return c->state == SMTPC_FAILED ? -RS_ENOMEM : 0;
}

int rs_smtpc_auth(struct rs_smtpc *c, const char *mech, struct rs_slice initial)
{
	char verb[64];

	if (c->state != SMTPC_LOGIN)
		return -RS_EBUSY;
	/* RFC 4954 section 4: an initial response without octets is "=" */
	if (snprintf(verb, sizeof(verb), "AUTH %s%s%s", mech, initial.p ? " " : "",
		    initial.p && initial.n == 0 ? "=" : "") >= (int)sizeof(verb))
		return -RS_EINVAL;
	return sasl_say(c, verb, initial);
}

int rs_smtpc_no_auth(struct rs_smtpc *c)
{
	if (c->state != SMTPC_LOGIN)
		return -RS_EBUSY;
	c->state = SMTPC_READY;
	return 0;
}

int rs_smtpc_sasl(struct rs_smtpc *c, struct rs_slice response)
{
	if (c->state != SMTPC_SASL)
		return -RS_EBUSY;
	return sasl_say(c, response.p ? "" : "*", response.p ? response : rs_slice(NULL, 0));
}

static enum rs_step auth_reply(struct rs_smtpc *c, struct rs_smtpc_event *ev)
{
	if (ev->code == 235)
		return ready(c, ev);
	if (ev->code != 334 || c->auth == SMTPC_AUTH_DONE)
		return refused(c, ev);
	if (c->auth == SMTPC_AUTH_OWNER) {
		c->state = SMTPC_SASL;
		ev->kind = RS_M_CHALLENGE;
		ev->text = rs_buf_slice(&c->reply.challenge);
		return RS_EVENT;
	}
	if (c->auth == SMTPC_AUTH_USER) {
		c->auth = SMTPC_AUTH_PASSWORD;
		say_b64(c, "", rs_slice_str(c->cfg->user));
	} else {
		c->auth = SMTPC_AUTH_DONE;
		say_b64(c, "", rs_slice_str(c->cfg->password));
	}
	return RS_MORE;
}

enum rs_step smtpc_begin(struct rs_smtpc *c, struct rs_smtpc_event *ev)
{
	bool yes = ev->code / 100 == 2;

	switch (c->state) {
	case SMTPC_GREETING:
		if (!yes)
			return refused(c, ev);
		smtpc_ehlo(c);
		return RS_MORE;
	case SMTPC_EHLO:
		if (yes)
			return greeted(c, ev);
		if (ev->code / 100 != 5)
			return refused(c, ev);
		c->caps = 0; /* RFC 5321 section 3.2: a server of before, no extensions */
		c->state = SMTPC_HELO;
		smtpc_say(c, "HELO ", rs_slice_str(c->cfg->hostname));
		return RS_MORE;
	case SMTPC_HELO:
		return yes ? greeted(c, ev) : refused(c, ev);
	case SMTPC_STARTTLS:
		if (ev->code != 220)
			return refused(c, ev);
		ev->kind = RS_M_START_TLS;
		c->state = SMTPC_WAIT_TLS;
		return RS_EVENT;
	case SMTPC_AUTH:
		return auth_reply(c, ev);
	case SMTPC_WAIT_TLS:
	case SMTPC_LOGIN:
	case SMTPC_SASL:
	case SMTPC_READY:
	case SMTPC_BODY:
	case SMTPC_QUIT:
	case SMTPC_CLOSED:
	case SMTPC_FAILED:
		break;
	}
	return RS_MORE;
}
