/* sasl_client.c - the client's side of the mechanisms, see sasl.h. */
#include "sasl/sasl_int.h"

#include <string.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/utf8.h"
#include "sasl/oauth.h"
#include "sasl/scram_int.h"

#define OUT_MAX   (RS_SASL_TOKEN_MAX + 2048u)
#define ERROR_MAX 300u

enum kind { ONCE, LOGIN, CRAM, SCRAM, OAUTH };

struct rs_sasl_client {
	enum kind kind;
	unsigned step_n;
	bool asked;        /* for an initial response that was kept back: once */
	struct rs_buf out; /* the message that is next: of ONCE and OAUTH from the beginning */
	struct rs_secret *user;
	struct rs_secret *secret;
	Gsasl_session *gnu;
	struct scram_client *scram;
	enum oauth_form form;
	char error[ERROR_MAX];
};

/* --- choosing ------------------------------------------------------------------------------- */

bool rs_sasl_is_offered(const char *offered, const char *mech)
{
	struct rs_slice rest = rs_slice_str(offered);

	while (rest.n) {
		if (rs_slice_ieq_str(rs_slice_word(&rest), mech))
			return true;
	}
	return false;
}

const char *rs_sasl_choose(const struct rs_sasl_means *m)
{
	bool binding = m->tls && (m->exporter || m->end_point);
	/* best first; with TLS a password is better sent than kept by the server in a form that CRAM-MD5 can use */
	const struct {
		const char *mech;
		bool can;
	} rows[] = {
		{"EXTERNAL", m->certificate && m->tls},
		{"OAUTHBEARER", m->token && m->tls},
		{"XOAUTH2", m->token && m->tls},
		{"SCRAM-SHA-256-PLUS", m->password && binding},
		{"SCRAM-SHA-1-PLUS", m->password && binding},
		{"SCRAM-SHA-256", m->password},
		{"SCRAM-SHA-1", m->password},
		{"PLAIN", m->password && m->tls},
		{"LOGIN", m->password && m->tls},
		{"CRAM-MD5", m->password},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		if (rows[i].can && rs_sasl_is_offered(m->offered, rows[i].mech))
			return rows[i].mech;
	}
	return NULL;
}

/* --- messages ------------------------------------------------------------------------------- */

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

static int cram_create(struct rs_sasl_client *c)
{
	Gsasl *ctx = sasl_gnu();

	if (!ctx || gsasl_client_start(ctx, "CRAM-MD5", &c->gnu) != GSASL_OK ||
		gsasl_property_set(c->gnu, GSASL_AUTHID, (const char *)c->user->octets) !=
			GSASL_OK ||
		gsasl_property_set(c->gnu, GSASL_PASSWORD, (const char *)c->secret->octets) !=
			GSASL_OK)
		return -RS_ENOMEM;
	return 0;
}

static int scram_create(
	struct rs_sasl_client *c, const struct rs_sasl_client_cfg *cfg, enum rs_scram_hash hash)
{
	bool plus = g_str_has_suffix(cfg->mech, "-PLUS");

	if (plus && cfg->binding.exporter.n == 0 && cfg->binding.end_point.n == 0)
		return -RS_ENOENT;
	c->scram = scram_client_new(hash, plus, cfg);
	return c->scram ? 0 : -RS_EINVAL;
}

static const struct {
	const char *name;
	enum kind kind;
	unsigned which;
} mechs[] = {
	{"PLAIN", ONCE, 0},
	{"EXTERNAL", ONCE, 1},
	{"LOGIN", LOGIN, 0},
	{"CRAM-MD5", CRAM, 0},
	{"SCRAM-SHA-1", SCRAM, RS_SCRAM_SHA1},
	{"SCRAM-SHA-1-PLUS", SCRAM, RS_SCRAM_SHA1},
	{"SCRAM-SHA-256", SCRAM, RS_SCRAM_SHA256},
	{"SCRAM-SHA-256-PLUS", SCRAM, RS_SCRAM_SHA256},
	{"OAUTHBEARER", OAUTH, OAUTH_BEARER},
	{"XOAUTH2", OAUTH, OAUTH_XOAUTH2},
};

static int begin(struct rs_sasl_client *c, const struct rs_sasl_client_cfg *cfg, unsigned which)
{
	switch (c->kind) {
	case ONCE:
		return which ? rs_buf_add(&c->out, cfg->user.p, cfg->user.n)
			     : rs_sasl_plain_message(cfg->user, cfg->secret, &c->out);
	case OAUTH:
		c->form = (enum oauth_form)which;
		return oauth_message(
			c->form, cfg->user, cfg->secret, cfg->host, cfg->port, &c->out);
	case SCRAM:
		return scram_create(c, cfg, (enum rs_scram_hash)which);
	case LOGIN:
	case CRAM:
		break;
	}
	if (cfg->user.n == 0 || rs_slice_find(cfg->user, 0) != cfg->user.n ||
		rs_slice_find(cfg->secret, 0) != cfg->secret.n)
		return -RS_EINVAL;
	if (rs_secret_create(cfg->user, &c->user) < 0 ||
		rs_secret_create(cfg->secret, &c->secret) < 0)
		return -RS_ENOMEM;
	return c->kind == CRAM ? cram_create(c) : 0;
}

int rs_sasl_client_create(const struct rs_sasl_client_cfg *cfg, struct rs_sasl_client **out)
{
	struct rs_sasl_client *c;
	size_t i = 0;
	int rc;

	while (i < G_N_ELEMENTS(mechs) && strcmp(mechs[i].name, cfg->mech) != 0)
		i++;
	if (i == G_N_ELEMENTS(mechs))
		return -RS_ENOENT;
	c = g_new0(struct rs_sasl_client, 1);
	c->kind = mechs[i].kind;
	rs_buf_init(&c->out, OUT_MAX);
	rc = begin(c, cfg, mechs[i].which);
	if (rc < 0)
		rs_sasl_client_destroy(&c);
	else
		*out = c;
	return rc;
}

void rs_sasl_client_destroy(struct rs_sasl_client **cp)
{
	struct rs_sasl_client *c = *cp;

	if (!c)
		return;
	if (c->gnu)
		gsasl_finish(c->gnu);
	scram_client_free(c->scram);
	rs_secret_destroy(&c->user);
	rs_secret_destroy(&c->secret);
	rs_buf_wipe(&c->out);
	rs_buf_finish(&c->out);
	g_free(c);
	*cp = NULL;
}

/* --- steps ---------------------------------------------------------------------------------- */

static int no_more(struct rs_sasl_client *c)
{
	if (!*c->error)
		g_strlcpy(c->error, "the server asks on after the end", sizeof(c->error));
	return -RS_EPROTO;
}

static int login_step(struct rs_sasl_client *c, struct rs_slice *out)
{
	const struct rs_secret *say = c->step_n == 1 ? c->user : c->secret;

	if (c->step_n == 0) /* the server speaks first; its words are those it likes */
		*out = rs_slice(NULL, 0);
	else if (c->step_n <= 2)
		*out = rs_slice(say->octets, say->n);
	else
		return no_more(c);
	return 0;
}

static int cram_step(struct rs_sasl_client *c, struct rs_slice in, struct rs_slice *out)
{
	char *text = NULL;
	size_t n = 0;
	int rc;

	if (c->step_n == 0) {
		*out = rs_slice(NULL, 0);
		return 0;
	}
	if (c->step_n > 1)
		return no_more(c);
	rc = gsasl_step(c->gnu, (const char *)in.p, in.n, &text, &n);
	if (rc == GSASL_OK || rc == GSASL_NEEDS_MORE)
		rc = rs_buf_add(&c->out, text, n);
	else
		rc = -RS_EPROTO;
	if (text)
		gsasl_free(text);
	*out = rs_buf_slice(&c->out);
	return rc;
}

/* A challenge is the JSON that says why not: a person should see it. Then the answer that ends it. */
static int oauth_step(struct rs_sasl_client *c, struct rs_slice in, struct rs_slice *out)
{
	size_t n = MIN(in.n, ERROR_MAX - 1);

	if (*c->error)
		return no_more(c);
	for (size_t i = 0; i < n; i++)
		c->error[i] = in.p[i] < 0x20 || in.p[i] > 0x7e ? '?' : (char)in.p[i];
	if (n == 0)
		g_strlcpy(c->error, "the server does not take the token", sizeof(c->error));
	*out = c->form == OAUTH_BEARER ? rs_slice("\x01", 1) : rs_slice("", 0);
	return 0;
}

/* The initial response, also when it was kept back and the server asks for it. */
static bool is_initial(struct rs_sasl_client *c, struct rs_slice challenge)
{
	if (c->step_n == 0)
		return true;
	if (c->step_n > 1 || c->asked || challenge.n)
		return false;
	c->asked = true;
	c->step_n = 0;
	return true;
}

int rs_sasl_client_step(struct rs_sasl_client *c, struct rs_slice challenge, struct rs_slice *out)
{
	int rc = 0;

	if (c->kind == LOGIN)
		rc = login_step(c, out);
	else if (c->kind == CRAM)
		rc = cram_step(c, challenge, out);
	else if (is_initial(c, challenge))
		*out = c->kind == SCRAM ? scram_client_first(c->scram) : rs_buf_slice(&c->out);
	else if (c->kind == SCRAM)
		rc = scram_client_step(c->scram, challenge, out);
	else
		rc = c->kind == OAUTH ? oauth_step(c, challenge, out) : no_more(c);
	if (rc == 0 && !out->p && c->kind == ONCE)
		*out = rs_slice("", 0); /* EXTERNAL: "as the owner of the certificate" */
	c->step_n++;
	return rc;
}

bool rs_sasl_client_succeeded(const struct rs_sasl_client *c)
{
	return c->kind == SCRAM ? scram_client_proven(c->scram) : !*c->error;
}

const char *rs_sasl_client_error(const struct rs_sasl_client *c)
{
	if (c->kind == SCRAM && !*c->error)
		return scram_client_error(c->scram);
	return c->error;
}
