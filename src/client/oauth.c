/* oauth.c - the login with the person: discover -> register where needed -> browser or device -> tokens -> stored. */
#include <string.h>
#include <sys/random.h>

#include "client/oauth_priv.h"
#include "client/text.h"

#define CHANCE_N 32u

static char *b64url(const guchar *octets, gsize n)
{
	char *text = g_base64_encode(octets, n);

	text[strcspn(text, "=")] = '\0';
	g_strdelimit(text, "+", '-');
	return g_strdelimit(text, "/", '_');
}

/* 256 bits nobody can guess; NULL: the system has none. g_free it. */
static char *chance(void)
{
	guchar octets[CHANCE_N];

	return getrandom(octets, sizeof(octets), 0) == (ssize_t)sizeof(octets)
		       ? b64url(octets, sizeof(octets))
		       : NULL;
}

/* PKCE, S256 (RFC 7636 section 4.2). */
static char *challenge_of(const char *verifier)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	guint8 digest[32];
	gsize n = sizeof(digest);

	g_checksum_update(sum, (const guchar *)verifier, -1);
	g_checksum_get_digest(sum, digest, &n);
	return b64url(digest, n);
}

static char *authorize_url(const struct rs_account *a, const struct oauth_server *s,
	const char *redirect, const char *state, const char *verifier)
{
	g_autoptr(GString) form = g_string_new(NULL);
	g_autofree char *challenge = challenge_of(verifier);

	oauth_form_add(form, "response_type", "code");
	oauth_form_add(form, "client_id", s->client_id);
	oauth_form_add(form, "redirect_uri", redirect);
	oauth_form_add(form, "scope", s->scope);
	oauth_form_add(form, "state", state);
	oauth_form_add(form, "code_challenge", challenge);
	oauth_form_add(form, "code_challenge_method", "S256");
	oauth_form_add(form, "login_hint", a->address);
	if (strcmp(s->issuer, "https://accounts.google.com") == 0) {
		/* its way to ask for a refresh token */
		oauth_form_add(form, "access_type", "offline");
		oauth_form_add(form, "prompt", "consent");
	}
	return g_strconcat(s->authorize, strchr(s->authorize, '?') ? "&" : "?", form->str, NULL);
}

static int exchange(const struct rs_account *a, const struct oauth_server *s,
	const struct rs_oauth_ask *ask, const char *redirect, const char *code,
	const char *verifier, struct oauth_tokens *out, struct rs_err *err)
{
	GString *form = g_string_new(NULL);
	g_autofree char *error = NULL;
	int rc;

	oauth_form_add(form, "grant_type", "authorization_code");
	oauth_form_add(form, "code", code);
	oauth_form_add(form, "redirect_uri", redirect);
	oauth_form_add(form, "client_id", s->client_id);
	oauth_form_add(form, "client_secret", s->client_secret);
	oauth_form_add(form, "code_verifier", verifier);
	rc = oauth_tokens_ask(a, ask->cancel, s, form->str, out, &error, err);
	rs_wipe(form->str, form->len);
	g_string_free(form, TRUE);
	return rc;
}

static int browser(const struct rs_account *a, struct oauth_server *s,
	const struct rs_oauth_ask *ask, struct oauth_tokens *out, struct rs_err *err)
{
	struct oauth_loop *loop = NULL;
	g_autofree char *state = chance();
	g_autofree char *verifier = chance();
	g_autofree char *url = NULL;
	g_autofree char *code = NULL;
	int rc;

	if (!state || !verifier)
		return rs_err_set(err, RS_EIO, _("this system gives no random numbers"));
	if (!s->authorize)
		return rs_err_set(err, RS_ECONFIG,
			_("%s has no login by the browser; use --device"), s->issuer);
	rc = oauth_loop_open(&loop, err);
	if (rc == 0 && !s->client_id)
		rc = oauth_register(a, ask->cancel, oauth_loop_redirect(loop), s, err);
	if (rc == 0) {
		url = authorize_url(a, s, oauth_loop_redirect(loop), state, verifier);
		ask->visit(ask->arg, url);
		rc = oauth_loop_wait(loop, state, ask, &code, err);
	}
	if (rc == 0)
		rc = exchange(a, s, ask, oauth_loop_redirect(loop), code, verifier, out, err);
	oauth_loop_close(&loop);
	return rc;
}

int rs_oauth_login(const struct rs_places *p, const struct rs_account *a,
	const struct rs_oauth_ask *ask, struct rs_err *err)
{
	struct oauth_server s = {.issuer = NULL};
	struct oauth_tokens t = {.access = NULL};
	int rc = oauth_discover(a, ask->cancel, &s, err);

	if (rc == 0 && ask->device && !s.client_id)
		rc = oauth_register(a, ask->cancel, NULL, &s, err);
	if (rc == 0)
		rc = ask->device ? oauth_device(a, &s, ask, &t, err) : browser(a, &s, ask, &t, err);
	if (rc == 0)
		rc = oauth_store(p, a, &s, &t, err);
	oauth_tokens_finish(&t);
	oauth_server_finish(&s);
	return rc;
}
