/* oauth_token.c - tokens: what an issuer answers, how they are kept, when they are got anew. One refresh at a time: an issuer that
 * hands out a new refresh token with each takes a second use of the old one for a theft. */
#include <string.h>
#include <unistd.h>

#include "client/oauth_priv.h"
#include "client/places.h"
#include "client/secret_store.h"
#include "client/text.h"

#define TOKEN_MAX 16384u /* RS_SASL_TOKEN_MAX: longer ones no server takes */

static void wipe_free(char *text)
{
	if (text)
		rs_wipe(text, strlen(text));
	g_free(text);
}

void oauth_tokens_finish(struct oauth_tokens *t)
{
	wipe_free(t->access);
	wipe_free(t->refresh);
	*t = (struct oauth_tokens){.access = NULL};
}

/* RFC 6750: what may stand in a header, a form and a SASL message. */
static bool token_ok(const char *token)
{
	size_t n = strlen(token);

	if (n > TOKEN_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (token[i] <= 0x20 || token[i] == 0x7f)
			return false;
	}
	return n > 0;
}

int oauth_tokens_read(const char *json, gint64 now_s, struct oauth_tokens *out, char **error)
{
	JsonParser *parser = NULL;
	JsonObject *o = oauth_json(json, &parser);
	const char *access = oauth_json_text(o, "access_token");
	const char *refresh = oauth_json_text(o, "refresh_token");
	gint64 lasts_s = oauth_json_number(o, "expires_in", 0);
	int rc = 0;

	*error = NULL;
	if (oauth_json_text(o, "error")) {
		*error = g_strdup(oauth_json_text(o, "error"));
		rc = -RS_EAUTH;
	} else if (!access || !token_ok(access)) {
		rc = -RS_EPROTO;
	} else {
		*out = (struct oauth_tokens){.access = g_strdup(access),
			.refresh = refresh && token_ok(refresh) ? g_strdup(refresh) : NULL,
			.expires_s = lasts_s > 0 ? now_s + MIN(lasts_s, 366 * 86400) : 0};
	}
	g_object_unref(parser);
	return rc;
}

int oauth_tokens_ask(const struct rs_account *a, GCancellable *cancel, const struct oauth_server *s,
	const char *form, struct oauth_tokens *out, char **error, struct rs_err *err)
{
	const struct oauth_http h = {
		.ca_file = a->ca_file, .cancel = cancel, .url = s->token, .form = form};
	char *body = NULL;
	long status = 0;
	int rc = oauth_http(&h, &status, &body, err);

	*error = NULL;
	if (rc < 0)
		return rc;
	if (status >= 500) {
		rc = rs_err_set(err, RS_ETEMP,
			_("%s cannot give tokens just now (HTTP %ld); try again later"), s->issuer,
			status);
	} else {
		rc = oauth_tokens_read(body, g_get_real_time() / G_USEC_PER_SEC, out, error);
		if (rc == -RS_EAUTH)
			rc = rs_err_set(err, RS_EAUTH, _("%s refused: %s"), s->issuer, *error);
		else if (rc < 0)
			rc = rs_err_set(err, RS_EPROTO, _("%s answered with no token (HTTP %ld)"),
				s->issuer, status);
	}
	wipe_free(body);
	return rc;
}

/* --- the secret -------------------------------------------------------------------------------------- */

static void member(JsonBuilder *b, const char *name, const char *value)
{
	if (!value)
		return;
	json_builder_set_member_name(b, name);
	json_builder_add_string_value(b, value);
}

int oauth_store(const struct rs_places *p, const struct rs_account *a, const struct oauth_server *s,
	const struct oauth_tokens *t, struct rs_err *err)
{
	g_autoptr(JsonBuilder) b = json_builder_new();
	g_autoptr(JsonNode) root = NULL;
	struct rs_secret *secret = NULL;
	char *text;
	int rc;

	json_builder_begin_object(b);
	member(b, "issuer", s->issuer);
	member(b, "token_endpoint", s->token);
	member(b, "client_id", s->client_id);
	member(b, "client_secret", s->client_secret);
	member(b, "scope", s->scope);
	member(b, "access_token", t->access);
	member(b, "refresh_token", t->refresh);
	json_builder_set_member_name(b, "expires");
	json_builder_add_int_value(b, t->expires_s);
	json_builder_end_object(b);
	root = json_builder_get_root(b);
	text = json_to_string(root, FALSE);
	rc = rs_secret_create(rs_slice_str(text), &secret);
	rc = rc < 0 ? rs_err_set(err, RS_ENOMEM, _("no memory"))
		    : rs_secret_store_put(p, a->name, RS_SECRET_OAUTH, secret, err);
	rs_secret_destroy(&secret);
	wipe_free(text);
	return rc;
}

static int log_in_again(const struct rs_account *a, const char *why, struct rs_err *err)
{
	return rs_err_set(err, RS_EAUTH,
		_("%s for account '%s'; log in again: restante account login %s"), why, a->name,
		a->name);
}

static int load(const struct rs_places *p, const struct rs_account *a, struct oauth_server *s,
	struct oauth_tokens *t, struct rs_err *err)
{
	struct rs_secret *secret = NULL;
	JsonParser *parser = NULL;
	JsonObject *o;
	int rc = rs_secret_store_get(p, a->name, RS_SECRET_OAUTH, &secret, err);

	if (rc == -RS_ENOENT)
		return log_in_again(a, _("there is no login by OAuth 2 yet"), err);
	if (rc < 0)
		return rc;
	o = oauth_json((const char *)secret->octets, &parser);
	*s = (struct oauth_server){.issuer = g_strdup(oauth_json_text(o, "issuer")),
		.token = g_strdup(oauth_json_text(o, "token_endpoint")),
		.client_id = g_strdup(oauth_json_text(o, "client_id")),
		.client_secret = g_strdup(oauth_json_text(o, "client_secret")),
		.scope = g_strdup(oauth_json_text(o, "scope"))};
	*t = (struct oauth_tokens){.access = g_strdup(oauth_json_text(o, "access_token")),
		.refresh = g_strdup(oauth_json_text(o, "refresh_token")),
		.expires_s = oauth_json_number(o, "expires", 0)};
	if (!s->token || !s->issuer || !t->access)
		rc = log_in_again(a, _("the stored login by OAuth 2 cannot be read"), err);
	g_object_unref(parser);
	rs_secret_destroy(&secret);
	return rc;
}

/* --- anew ------------------------------------------------------------------------------------------------ */

static int refresh(const struct rs_places *p, const struct rs_account *a,
	const struct oauth_server *s, struct oauth_tokens *t, struct rs_err *err)
{
	struct oauth_tokens got = {.access = NULL};
	g_autofree char *error = NULL;
	GString *form = g_string_new(NULL);
	int rc;

	if (!t->refresh) {
		g_string_free(form, TRUE);
		return log_in_again(
			a, _("the login has ended, and its issuer gave nothing to renew it"), err);
	}
	oauth_form_add(form, "grant_type", "refresh_token");
	oauth_form_add(form, "refresh_token", t->refresh);
	oauth_form_add(form, "client_id", s->client_id);
	oauth_form_add(form, "client_secret", s->client_secret);
	rc = oauth_tokens_ask(a, NULL, s, form->str, &got, &error, err);
	rs_wipe(form->str, form->len);
	g_string_free(form, TRUE);
	if (rc == -RS_EAUTH && g_strcmp0(error, "invalid_grant") == 0)
		return log_in_again(a, _("the login was revoked or has ended"), err);
	if (rc < 0)
		return rc;
	if (!got.refresh) /* RFC 6749 section 6: then the old one goes on */
		got.refresh = g_steal_pointer(&t->refresh);
	rc = oauth_store(p, a, s, &got, err);
	if (rc < 0) {
		oauth_tokens_finish(&got);
		return rc;
	}
	oauth_tokens_finish(t);
	*t = got;
	return 0;
}

static bool is_due(const struct oauth_tokens *t, const struct rs_secret *refused)
{
	gint64 now_s = g_get_real_time() / G_USEC_PER_SEC;

	if (t->expires_s && t->expires_s - now_s < OAUTH_SOON_S)
		return true;
	/* another program may have renewed it since */
	return refused &&
	       rs_secret_eq(rs_slice(refused->octets, refused->n), rs_slice_str(t->access));
}

int rs_oauth_token(const struct rs_places *p, const struct rs_account *a,
	const struct rs_secret *refused, struct rs_secret **out, struct rs_err *err)
{
	g_autofree char *beside = g_build_filename(p->data_dir, "secrets", "lock", NULL);
	struct oauth_server s = {.issuer = NULL};
	struct oauth_tokens t = {.access = NULL};
	int lock = rs_file_lock(beside, err);
	int rc = lock < 0 ? lock : load(p, a, &s, &t, err);

	if (rc == 0 && is_due(&t, refused))
		rc = refresh(p, a, &s, &t, err);
	if (rc == 0 && rs_secret_create(rs_slice_str(t.access), out) < 0)
		rc = rs_err_set(err, RS_ENOMEM, _("no memory"));
	if (lock >= 0)
		close(lock);
	oauth_tokens_finish(&t);
	oauth_server_finish(&s);
	return rc;
}
