/* sasl_server.c - the server's side of the mechanisms, see sasl.h. */
#include "sasl/sasl_int.h"

#include <string.h>

#include "base/err.h"
#include "base/secret.h"
#include "sasl/oauth.h"
#include "sasl/scram_int.h"

enum kind { GNU, SCRAM, OAUTH };

struct rs_sasl_server {
	enum kind kind;
	Gsasl_session *gnu; /* GNU                                                     */
	char *gnu_out;      /* its memory                                              */
	enum rs_sasl_step gnu_asks;
	bool asks_name; /* LOGIN, before its first step */
	struct scram_server *scram;
	enum oauth_form form;
	bool oauth_last; /* the error is told: whatever comes, it is over         */
	struct rs_secret *user;
	struct rs_secret *secret;
	struct rs_buf out;
};

#define OUT_MAX 2048u

static bool keep(struct rs_secret **to, struct rs_slice text)
{
	rs_secret_destroy(to);
	return rs_secret_create(text, to) == 0;
}

/* --- GNU SASL ------------------------------------------------------------------------------- */

/* It asks whether name and password are right; we take them and say yes: the owner of the exchange
 * asks the question (RS_SASL_PASSWORD, RS_SASL_IDENTITY). */
static int callback(Gsasl *ctx, Gsasl_session *session, Gsasl_property prop)
{
	struct rs_sasl_server *s = gsasl_session_hook_get(session);
	const char *authzid = gsasl_property_fast(session, GSASL_AUTHZID);
	const char *authid = gsasl_property_fast(session, GSASL_AUTHID);
	const char *password = gsasl_property_fast(session, GSASL_PASSWORD);

	if (prop == GSASL_VALIDATE_EXTERNAL) {
		s->gnu_asks = RS_SASL_IDENTITY;
		return keep(&s->user, rs_slice_str(authzid)) && keep(&s->secret, rs_slice(NULL, 0))
			       ? GSASL_OK
			       : GSASL_AUTHENTICATION_ERROR;
	}
	if (prop != GSASL_VALIDATE_SIMPLE)
		return GSASL_NO_CALLBACK;
	s->gnu_asks = RS_SASL_PASSWORD;
	if (!authid || !*authid || !password || !*password ||
		(authzid && *authzid && strcmp(authid, authzid) != 0))
		return GSASL_AUTHENTICATION_ERROR;
	return keep(&s->user, rs_slice_str(authid)) && keep(&s->secret, rs_slice_str(password))
		       ? GSASL_OK
		       : GSASL_AUTHENTICATION_ERROR;
}

Gsasl *sasl_gnu(void)
{
	static gsize once;
	static Gsasl *ctx; /* of the process: read only once it is made */

	if (g_once_init_enter(&once)) {
		if (gsasl_init(&ctx) == GSASL_OK)
			gsasl_callback_set(ctx, callback);
		else
			ctx = NULL;
		g_once_init_leave(&once, 1);
	}
	return ctx;
}

static enum rs_sasl_step gnu_step(
	struct rs_sasl_server *s, struct rs_slice in, struct rs_slice *out)
{
	size_t n = 0;
	int rc;

	/* LOGIN has no initial response, but clients give the name as one; the question comes first then */
	if (s->asks_name && in.n &&
		gsasl_step(s->gnu, NULL, 0, &s->gnu_out, &n) != GSASL_NEEDS_MORE)
		return RS_SASL_FAILED;
	s->asks_name = false;
	if (s->gnu_out)
		gsasl_free(s->gnu_out);
	s->gnu_out = NULL;
	rc = gsasl_step(s->gnu, (const char *)in.p, in.n, &s->gnu_out, &n);
	*out = rs_slice(s->gnu_out, n);
	if (rc == GSASL_NEEDS_MORE)
		return RS_SASL_CHALLENGE;
	return rc == GSASL_OK && s->user && s->secret ? s->gnu_asks : RS_SASL_FAILED;
}

static int gnu_create(struct rs_sasl_server *s, const char *mech)
{
	Gsasl *ctx = sasl_gnu();

	if (!ctx || gsasl_server_start(ctx, mech, &s->gnu) != GSASL_OK)
		return -RS_ENOMEM;
	gsasl_session_hook_set(s->gnu, s);
	s->asks_name = strcmp(mech, "LOGIN") == 0;
	return 0;
}

/* --- OAuth ---------------------------------------------------------------------------------- */

static enum rs_sasl_step oauth_no(struct rs_sasl_server *s, const char *scope,
	const char *configuration, struct rs_slice *out)
{
	rs_buf_clear(&s->out);
	if (s->oauth_last ||
		oauth_error(s->form, s->secret && s->secret->n, scope, configuration, &s->out) < 0)
		return RS_SASL_FAILED;
	s->oauth_last = true;
	*out = rs_buf_slice(&s->out);
	return RS_SASL_CHALLENGE;
}

static enum rs_sasl_step oauth_step(
	struct rs_sasl_server *s, struct rs_slice in, struct rs_slice *out)
{
	struct rs_slice token;
	char user[256];

	if (s->oauth_last || s->secret)
		return RS_SASL_FAILED;
	if (!in.p) {
		*out = rs_slice("", 0);
		return RS_SASL_CHALLENGE;
	}
	if (oauth_parse(s->form, in, user, &token) < 0 || !keep(&s->user, rs_slice_str(user)) ||
		!keep(&s->secret, token))
		return RS_SASL_FAILED;
	return RS_SASL_TOKEN; /* an empty one is refused by the owner, with the words where to get one */
}

/* --- all ------------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	enum kind kind;
	unsigned which; /* enum oauth_form, enum rs_scram_hash */
	bool plus;
} mechs[] = {
	{"PLAIN", GNU, 0, false},
	{"LOGIN", GNU, 0, false},
	{"EXTERNAL", GNU, 0, false},
	{"SCRAM-SHA-1", SCRAM, RS_SCRAM_SHA1, false},
	{"SCRAM-SHA-1-PLUS", SCRAM, RS_SCRAM_SHA1, true},
	{"SCRAM-SHA-256", SCRAM, RS_SCRAM_SHA256, false},
	{"SCRAM-SHA-256-PLUS", SCRAM, RS_SCRAM_SHA256, true},
	{"OAUTHBEARER", OAUTH, OAUTH_BEARER, false},
	{"XOAUTH2", OAUTH, OAUTH_XOAUTH2, false},
};

int rs_sasl_server_create(
	const char *mech, const struct rs_sasl_server_cfg *cfg, struct rs_sasl_server **out)
{
	struct rs_sasl_server *s;
	size_t i = 0;
	int rc = 0;

	while (i < G_N_ELEMENTS(mechs) && strcmp(mechs[i].name, mech) != 0)
		i++;
	if (i == G_N_ELEMENTS(mechs))
		return -RS_ENOENT;
	s = g_new0(struct rs_sasl_server, 1);
	s->kind = mechs[i].kind;
	rs_buf_init(&s->out, OUT_MAX);
	if (s->kind == GNU)
		rc = gnu_create(s, mech);
	else if (s->kind == SCRAM)
		s->scram = scram_server_new((enum rs_scram_hash)mechs[i].which, mechs[i].plus, cfg);
	else
		s->form = (enum oauth_form)mechs[i].which;
	if (rc < 0)
		rs_sasl_server_destroy(&s);
	else
		*out = s;
	return rc;
}

void rs_sasl_server_destroy(struct rs_sasl_server **sp)
{
	struct rs_sasl_server *s = *sp;

	if (!s)
		return;
	if (s->gnu_out)
		gsasl_free(s->gnu_out);
	if (s->gnu)
		gsasl_finish(s->gnu);
	scram_server_free(s->scram);
	rs_secret_destroy(&s->user);
	rs_secret_destroy(&s->secret);
	rs_buf_finish(&s->out);
	g_free(s);
	*sp = NULL;
}

enum rs_sasl_step rs_sasl_server_step(
	struct rs_sasl_server *s, struct rs_slice in, struct rs_slice *out)
{
	*out = rs_slice(NULL, 0);
	switch (s->kind) {
	case GNU:
		return gnu_step(s, in, out);
	case SCRAM:
		return scram_server_step(s->scram, in, out);
	case OAUTH:
		break;
	}
	return oauth_step(s, in, out);
}

enum rs_sasl_step rs_sasl_server_keys(
	struct rs_sasl_server *s, const struct rs_scram_keys *v, bool real, struct rs_slice *out)
{
	*out = rs_slice(NULL, 0);
	return s->kind == SCRAM ? scram_server_keys(s->scram, v, real, out) : RS_SASL_FAILED;
}

enum rs_scram_hash rs_sasl_server_hash(const struct rs_sasl_server *s)
{
	return s->kind == SCRAM ? scram_server_hash(s->scram) : RS_SCRAM_SHA256;
}

enum rs_sasl_step rs_sasl_server_refused(struct rs_sasl_server *s, const char *scope,
	const char *configuration, struct rs_slice *out)
{
	*out = rs_slice(NULL, 0);
	return s->kind == OAUTH ? oauth_no(s, scope, configuration, out) : RS_SASL_FAILED;
}

struct rs_slice rs_sasl_server_user(const struct rs_sasl_server *s)
{
	if (s->kind == SCRAM)
		return rs_slice_str(scram_server_user(s->scram));
	return s->user ? rs_slice(s->user->octets, s->user->n) : rs_slice(NULL, 0);
}

struct rs_slice rs_sasl_server_secret(const struct rs_sasl_server *s)
{
	return s->secret ? rs_slice(s->secret->octets, s->secret->n) : rs_slice(NULL, 0);
}
