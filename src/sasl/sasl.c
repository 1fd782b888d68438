/* sasl.c - see sasl.h */
#include "sasl/sasl.h"

#include <gsasl.h>
#include <glib.h>
#include <string.h>

#include "base/err.h"
#include "base/secret.h"

struct rs_sasl_server {
	Gsasl *ctx;
	Gsasl_session *session;
	char *out; /* gsasl's memory */
	size_t out_n;
	struct rs_secret *user;
	struct rs_secret *password;
};

static bool keep(struct rs_secret **to, const char *text)
{
	rs_secret_destroy(to);
	return text && *text && rs_secret_create(rs_slice_str(text), to) == 0;
}

/* GNU SASL asks whether name and password are right; we take them and say yes: the owner of the
 * exchange asks the question (RS_SASL_CREDENTIALS). */
static int callback(Gsasl *ctx, Gsasl_session *session, Gsasl_property prop)
{
	struct rs_sasl_server *s = gsasl_session_hook_get(session);
	const char *authzid;
	const char *authid;

	if (prop != GSASL_VALIDATE_SIMPLE)
		return GSASL_NO_CALLBACK;
	authid = gsasl_property_fast(session, GSASL_AUTHID);
	authzid = gsasl_property_fast(session, GSASL_AUTHZID);
	if (authzid && *authzid && (!authid || strcmp(authid, authzid) != 0))
		return GSASL_AUTHENTICATION_ERROR;
	if (!keep(&s->user, authid) ||
		!keep(&s->password, gsasl_property_fast(session, GSASL_PASSWORD)))
		return GSASL_AUTHENTICATION_ERROR;
	return GSASL_OK;
}

int rs_sasl_server_create(const char *mech, struct rs_sasl_server **out)
{
	struct rs_sasl_server *s;

	if (strcmp(mech, "PLAIN") != 0 && strcmp(mech, "LOGIN") != 0)
		return -RS_ENOENT;
	s = g_new0(struct rs_sasl_server, 1);
	if (gsasl_init(&s->ctx) != GSASL_OK) {
		g_free(s);
		return -RS_ENOMEM;
	}
	gsasl_callback_set(s->ctx, callback);
	if (gsasl_server_start(s->ctx, mech, &s->session) != GSASL_OK) {
		rs_sasl_server_destroy(&s);
		return -RS_ENOENT;
	}
	gsasl_session_hook_set(s->session, s);
	*out = s;
	return 0;
}

static void out_free(struct rs_sasl_server *s)
{
	if (s->out)
		gsasl_free(s->out);
	s->out = NULL;
	s->out_n = 0;
}

void rs_sasl_server_destroy(struct rs_sasl_server **s)
{
	if (!*s)
		return;
	out_free(*s);
	if ((*s)->session)
		gsasl_finish((*s)->session);
	if ((*s)->ctx)
		gsasl_done((*s)->ctx);
	rs_secret_destroy(&(*s)->user);
	rs_secret_destroy(&(*s)->password);
	g_free(*s);
	*s = NULL;
}

enum rs_sasl_step rs_sasl_server_step(
	struct rs_sasl_server *s, struct rs_slice in, struct rs_slice *out)
{
	int rc;

	out_free(s);
	rc = gsasl_step(s->session, (const char *)in.p, in.n, &s->out, &s->out_n);
	*out = rs_slice(s->out, s->out_n);
	if (rc == GSASL_NEEDS_MORE)
		return RS_SASL_CHALLENGE;
	return rc == GSASL_OK && s->user && s->password ? RS_SASL_CREDENTIALS : RS_SASL_FAILED;
}

struct rs_slice rs_sasl_server_user(const struct rs_sasl_server *s)
{
	return rs_slice(s->user->octets, s->user->n);
}

struct rs_slice rs_sasl_server_password(const struct rs_sasl_server *s)
{
	return rs_slice(s->password->octets, s->password->n);
}

int rs_sasl_plain_message(struct rs_slice user, struct rs_slice password, struct rs_buf *out)
{
	int rc;

	if (user.n == 0 || rs_slice_find(user, 0) != user.n ||
		rs_slice_find(password, 0) != password.n)
		return -RS_EINVAL;
	rc = rs_buf_add(out, "\0", 1);
	if (rc == 0)
		rc = rs_buf_add(out, user.p, user.n);
	if (rc == 0)
		rc = rs_buf_add(out, "\0", 1);
	return rc == 0 ? rs_buf_add(out, password.p, password.n) : rc;
}
