/* oauth_provider.c - who is asked: the large providers' published addresses, else an issuer's own metadata (RFC 8414, OpenID
 * Discovery), and a client id from him where he gives them out (RFC 7591). */
#include <string.h>

#include "client/oauth_priv.h"
#include "client/text.h"

static const struct provider {
	const char *name;
	const char *issuer;
	const char *hosts; /* ends of names of its mail servers and domains, blank between */
	const char *authorize;
	const char *token;
	const char *device; /* NULL: not for mail */
	const char *scope;
} providers[] = {
	{"google", "https://accounts.google.com", "gmail.com googlemail.com",
		"https://accounts.google.com/o/oauth2/v2/auth",
		"https://oauth2.googleapis.com/token", NULL, "https://mail.google.com/"},
	{"microsoft", "https://login.microsoftonline.com/common",
		"office365.com outlook.com hotmail.com live.com msn.com",
		"https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
		"https://login.microsoftonline.com/common/oauth2/v2.0/token",
		"https://login.microsoftonline.com/common/oauth2/v2.0/devicecode",
		"https://outlook.office.com/POP.AccessAsUser.All "
		"https://outlook.office.com/SMTP.Send "
		"offline_access"},
	{"yahoo", "https://api.login.yahoo.com", "yahoo.com ymail.com",
		"https://api.login.yahoo.com/oauth2/request_auth",
		"https://api.login.yahoo.com/oauth2/get_token", NULL, "mail-w"},
	{"aol", "https://api.login.aol.com", "aol.com",
		"https://api.login.aol.com/oauth2/request_auth",
		"https://api.login.aol.com/oauth2/get_token", NULL, "mail-w"},
	{"fastmail", "https://api.fastmail.com", "fastmail.com fastmail.fm messagingengine.com",
		"https://api.fastmail.com/oauth/authorize",
		"https://api.fastmail.com/oauth/refresh", NULL,
		"https://www.fastmail.com/dev/protocol-pop "
		"https://www.fastmail.com/dev/protocol-smtp"},
};

void oauth_server_finish(struct oauth_server *s)
{
	char *all[] = {s->issuer, s->authorize, s->token, s->device, s->registration, s->scope,
		s->client_id, s->client_secret};

	for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
		g_free(all[i]);
	*s = (struct oauth_server){.issuer = NULL};
}

bool oauth_provider_find(const char *name, struct oauth_server *out)
{
	for (size_t i = 0; i < G_N_ELEMENTS(providers); i++) {
		const struct provider *p = &providers[i];

		if (g_ascii_strcasecmp(name, p->name) != 0 && strcmp(name, p->issuer) != 0)
			continue;
		*out = (struct oauth_server){.issuer = g_strdup(p->issuer),
			.authorize = g_strdup(p->authorize),
			.token = g_strdup(p->token),
			.device = g_strdup(p->device),
			.scope = g_strdup(p->scope)};
		return true;
	}
	return false;
}

static bool ends_with_one_of(const char *host, const char *ends)
{
	g_auto(GStrv) all = g_strsplit(ends, " ", -1);

	for (char **end = all; *end; end++) {
		size_t n = strlen(host);
		size_t end_n = strlen(*end);

		if (n >= end_n && g_ascii_strcasecmp(host + n - end_n, *end) == 0 &&
			(n == end_n || host[n - end_n - 1] == '.'))
			return true;
	}
	return false;
}

char *rs_oauth_issuer_guess(const struct rs_account *a)
{
	const char *domain = a->address ? strrchr(a->address, '@') : NULL;

	domain = domain ? domain + 1 : a->pop3_host;
	for (size_t i = 0; i < G_N_ELEMENTS(providers); i++) {
		if ((a->pop3_host && ends_with_one_of(a->pop3_host, providers[i].hosts)) ||
			ends_with_one_of(domain ? domain : "", providers[i].hosts))
			return g_strdup(providers[i].name);
	}
	return domain ? g_strconcat("https://", domain, NULL) : NULL;
}

/* --- metadata ------------------------------------------------------------------------------------- */

static char *endpoint(JsonObject *o, const char *name)
{
	const char *url = oauth_json_text(o, name);

	return url && oauth_url_ok(url) ? g_strdup(url) : NULL;
}

/* The scopes of mail that it offers, and offline_access, without which there is no refresh token. NULL: none is asked for. */
static char *scopes(JsonObject *o)
{
	JsonNode *node = json_object_get_member(o, "scopes_supported");
	JsonArray *all = node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
	g_autoptr(GString) out = g_string_new(NULL);

	for (guint i = 0; all && i < json_array_get_length(all); i++) {
		static const char *const wanted[] = {"pop", "pop3", "smtp", "mail",
			"offline_access", "urn:ietf:params:oauth:scope:mail"};
		JsonNode *one = json_array_get_element(all, i);
		const char *text = JSON_NODE_HOLDS_VALUE(one) ? json_node_get_string(one) : NULL;

		for (size_t w = 0; text && w < G_N_ELEMENTS(wanted); w++) {
			if (strcmp(text, wanted[w]) == 0)
				g_string_append_printf(out, "%s%s", out->len ? " " : "", text);
		}
	}
	return out->len ? g_string_free(g_steal_pointer(&out), FALSE) : NULL;
}

/* Without a "/" at the end. */
static size_t bare_n(const char *url)
{
	size_t n = strlen(url);

	return n && url[n - 1] == '/' ? n - 1 : n;
}

int oauth_metadata_read(
	const char *issuer, const char *json, struct oauth_server *out, struct rs_err *err)
{
	JsonParser *parser = NULL;
	JsonObject *o = oauth_json(json, &parser);
	const char *said = oauth_json_text(o, "issuer");
	int rc = 0;

	/* RFC 8414 section 3.3: one that speaks for another is not to be believed */
	if (!said || bare_n(said) != bare_n(issuer) || strncmp(said, issuer, bare_n(said)) != 0) {
		rc = rs_err_set(
			err, RS_EPROTO, _("what %s says of itself is not about it"), issuer);
	} else {
		*out = (struct oauth_server){.issuer = g_strdup(issuer),
			.authorize = endpoint(o, "authorization_endpoint"),
			.token = endpoint(o, "token_endpoint"),
			.device = endpoint(o, "device_authorization_endpoint"),
			.registration = endpoint(o, "registration_endpoint"),
			.scope = scopes(o)};
		if (!out->token || (!out->authorize && !out->device)) {
			oauth_server_finish(out);
			rc = rs_err_set(
				err, RS_EPROTO, _("%s does not say where to log in"), issuer);
		}
	}
	g_object_unref(parser);
	return rc;
}

/* `well_known` between host and path (RFC 8414) or behind both (OpenID). g_free it. */
static char *metadata_url(const char *issuer, bool openid)
{
	const char *host = strstr(issuer, "://") + 3;
	size_t host_n = strcspn(host, "/");
	g_autofree char *path = g_strndup(host + host_n, bare_n(host + host_n));
	g_autofree char *base = g_strndup(issuer, (size_t)(host - issuer) + host_n);

	if (openid)
		return g_strconcat(base, path, "/.well-known/openid-configuration", NULL);
	return g_strconcat(base, "/.well-known/oauth-authorization-server", path, NULL);
}

static int fetch_metadata(const struct rs_account *a, GCancellable *cancel,
	struct oauth_server *out, struct rs_err *err)
{
	for (int openid = 0; openid < 2; openid++) {
		g_autofree char *url = metadata_url(a->oauth2, openid);
		const struct oauth_http h = {.ca_file = a->ca_file, .cancel = cancel, .url = url};
		g_autofree char *body = NULL;
		long status = 0;
		int rc = oauth_http(&h, &status, &body, err);

		if (rc < 0)
			return rc;
		if (status == 200)
			return oauth_metadata_read(a->oauth2, body, out, err);
	}
	return rs_err_set(err, RS_ECONFIG,
		_("%s does not say how to log in by OAuth 2 (no "
		  "/.well-known/oauth-authorization-server); name the issuer with "
		  "--oauth2=ISSUER, or use a password"),
		a->oauth2);
}

int oauth_discover(const struct rs_account *a, GCancellable *cancel, struct oauth_server *out,
	struct rs_err *err)
{
	int rc = 0;

	if (!oauth_provider_find(a->oauth2, out)) {
		if (!oauth_url_ok(a->oauth2) || strchr(a->oauth2, '?'))
			return rs_err_set(err, RS_ECONFIG,
				_("'%s' is neither google, microsoft, yahoo, aol, fastmail nor the "
				  "https:// address "
				  "of an issuer"),
				a->oauth2);
		rc = fetch_metadata(a, cancel, out, err);
	}
	if (rc < 0)
		return rc;
	out->client_id = g_strdup(a->oauth2_client_id);
	out->client_secret = g_strdup(a->oauth2_client_secret);
	if (a->oauth2_scope) {
		g_free(out->scope);
		out->scope = g_strdup(a->oauth2_scope);
	}
	if (out->client_id || out->registration)
		return 0;
	rc = rs_err_set(err, RS_ECONFIG,
		_("%s wants a client id, and none is built in: providers give it to whoever "
		  "registers a program with "
		  "them. Register one there (kind: desktop or native, redirect to 127.0.0.1), and "
		  "give it with "
		  "--oauth2-client-id; or use an app password"),
		a->oauth2);
	oauth_server_finish(out);
	return rc;
}

/* --- registration ------------------------------------------------------------------------------------ */

static char *registration(const struct oauth_server *s, const char *redirect)
{
	g_autoptr(JsonBuilder) b = json_builder_new();
	g_autoptr(JsonNode) root = NULL;

	json_builder_begin_object(b);
	json_builder_set_member_name(b, "client_name");
	json_builder_add_string_value(b, "Restante");
	json_builder_set_member_name(b, "application_type");
	json_builder_add_string_value(b, "native");
	json_builder_set_member_name(b, "token_endpoint_auth_method");
	json_builder_add_string_value(b, "none");
	json_builder_set_member_name(b, "grant_types");
	json_builder_begin_array(b);
	json_builder_add_string_value(b,
		redirect ? "authorization_code" : "urn:ietf:params:oauth:grant-type:device_code");
	json_builder_add_string_value(b, "refresh_token");
	json_builder_end_array(b);
	if (redirect) {
		json_builder_set_member_name(b, "response_types");
		json_builder_begin_array(b);
		json_builder_add_string_value(b, "code");
		json_builder_end_array(b);
		json_builder_set_member_name(b, "redirect_uris");
		json_builder_begin_array(b);
		json_builder_add_string_value(b, redirect);
		json_builder_end_array(b);
	}
	if (s->scope) {
		json_builder_set_member_name(b, "scope");
		json_builder_add_string_value(b, s->scope);
	}
	json_builder_end_object(b);
	root = json_builder_get_root(b);
	return json_to_string(root, FALSE);
}

int oauth_register(const struct rs_account *a, GCancellable *cancel, const char *redirect,
	struct oauth_server *s, struct rs_err *err)
{
	g_autofree char *json = registration(s, redirect);
	const struct oauth_http h = {
		.ca_file = a->ca_file, .cancel = cancel, .url = s->registration, .json = json};
	g_autofree char *body = NULL;
	JsonParser *parser = NULL;
	JsonObject *o;
	long status = 0;
	int rc = oauth_http(&h, &status, &body, err);

	if (rc < 0)
		return rc;
	o = oauth_json(body, &parser);
	if (status / 100 == 2 && oauth_json_text(o, "client_id")) {
		s->client_id = g_strdup(oauth_json_text(o, "client_id"));
		s->client_secret = g_strdup(oauth_json_text(o, "client_secret"));
	} else {
		rc = rs_err_set(err, RS_ECONFIG,
			_("%s gave this program no client id (%s); register it there by hand and "
			  "give it with "
			  "--oauth2-client-id"),
			s->issuer,
			oauth_json_text(o, "error") ? oauth_json_text(o, "error")
						    : _("without a reason"));
	}
	g_object_unref(parser);
	return rc;
}
