/* discover_xml.c - config-v1.1: see discover_parse.h. GMarkup reads; what is not of the form is no form. */
#include "client/discover_parse.h"

#include <string.h>

#include "base/num.h"

/* One incomingServer or outgoingServer while it is read. */
struct reading {
	struct rs_found *found;
	const char *address;
	guint depth;
	bool seen_provider;
	bool in_server; /* of a kind that we use */
	bool outgoing;
	bool in_oauth;
	struct rs_found_server now;
	bool security_known;
	bool no_login;
	GString *text; /* of the element at hand */
};

static void now_clear(struct reading *r)
{
	g_free(r->now.host);
	g_free(r->now.user);
	r->now = (struct rs_found_server){.host = NULL};
	r->security_known = false;
	r->no_login = false;
}

/* %EMAILADDRESS% and its kin; what is left of a % is not known, and makes the name useless. NULL then. */
static char *placeholders(const char *text, const char *address)
{
	const char *sign = strrchr(address, '@');
	g_autoptr(GString) out = g_string_new(text);

	g_string_replace(out, "%EMAILADDRESS%", address, 0);
	if (sign) {
		g_autofree char *local = g_strndup(address, (gsize)(sign - address));

		g_string_replace(out, "%EMAILLOCALPART%", local, 0);
		g_string_replace(out, "%EMAILDOMAIN%", sign + 1, 0);
	}
	if (strchr(text, '%') && strcmp(text, out->str) == 0)
		return NULL;
	return g_strdup(out->str);
}

static void set_security(struct reading *r, const char *text)
{
	static const char *const names[] = {"SSL", "STARTTLS", "plain"};

	for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
		if (g_ascii_strcasecmp(text, names[i]) != 0)
			continue;
		r->now.security = (enum rs_security)i;
		r->security_known = true;
	}
}

static void set_authentication(struct reading *r, const char *text)
{
	if (g_ascii_strcasecmp(text, "OAuth2") == 0)
		r->now.oauth2 = true;
	else if (g_str_has_prefix(text, "password-") || strcmp(text, "plain") == 0)
		r->now.password = true;
	else if (strcmp(text, "none") == 0 || strcmp(text, "client-IP-address") == 0)
		r->no_login = true;
}

static void server_text(struct reading *r, const char *name, const char *text)
{
	uint32_t port;

	if (strcmp(name, "hostname") == 0 && !r->now.host)
		r->now.host = placeholders(text, r->address);
	else if (strcmp(name, "port") == 0 && rs_num_u32(rs_slice_str(text), 65535, &port) == 0)
		r->now.port = (guint16)port;
	else if (strcmp(name, "socketType") == 0)
		set_security(r, text);
	else if (strcmp(name, "username") == 0 && !r->now.user)
		r->now.user = placeholders(text, r->address);
	else if (strcmp(name, "authentication") == 0)
		set_authentication(r, text);
}

/* Is the server at hand better than the one we have? It is then that one. */
static void server_end(struct reading *r)
{
	struct rs_found_server *have = r->outgoing ? &r->found->smtp : &r->found->pop3;
	bool login = r->now.password || r->now.oauth2;

	if (r->no_login && !login) {
		g_clear_pointer(&r->now.user, g_free);
	} else {
		r->now.password |= !login;
		if (!r->now.user)
			r->now.user = g_strdup(r->address);
	}
	if (r->now.host && rs_found_host_ok(r->now.host) && r->now.port && r->security_known &&
		(r->outgoing || r->now.user) && (!have->host || r->now.security < have->security)) {
		struct rs_found_server old = *have;

		*have = r->now;
		r->now = old;
	}
	now_clear(r);
}

/* --- GMarkup ----------------------------------------------------------------------------------- */

static const char *attribute(const char **names, const char **values, const char *name)
{
	for (guint i = 0; names[i]; i++) {
		if (strcmp(names[i], name) == 0)
			return values[i];
	}
	return "";
}

static void on_start(GMarkupParseContext *context, const char *element, const char **names,
	const char **values, gpointer data, GError **error)
{
	struct reading *r = data;
	const char *type = attribute(names, values, "type");
	const char *url = attribute(names, values, "visiturl");

	if (++r->depth > RS_DISCOVER_DEPTH_MAX) {
		g_set_error_literal(error, G_MARKUP_ERROR, G_MARKUP_ERROR_INVALID_CONTENT, "deep");
		return;
	}
	g_string_truncate(r->text, 0);
	if (r->depth == 1 && strcmp(element, "clientConfig") != 0) {
		g_set_error_literal(error, G_MARKUP_ERROR, G_MARKUP_ERROR_UNKNOWN_ELEMENT, element);
	} else if (r->depth == 2 && strcmp(element, "emailProvider") == 0) {
		r->seen_provider = true;
	} else if (r->depth == 3 && strcmp(element, "incomingServer") == 0) {
		r->in_server = strcmp(type, "pop3") == 0;
		r->outgoing = false;
	} else if (r->depth == 3 && strcmp(element, "outgoingServer") == 0) {
		r->in_server = strcmp(type, "smtp") == 0;
		r->outgoing = true;
	} else if (r->depth == 3 && strcmp(element, "enable") == 0 && !r->found->enable_url &&
		   g_str_has_prefix(url, "https://")) {
		r->found->enable_url = g_strdup(url);
	}
	r->in_oauth |= r->depth == 2 && strcmp(element, "oAuth2") == 0;
}

static void on_end(GMarkupParseContext *context, const char *element, gpointer data, GError **error)
{
	struct reading *r = data;
	g_autofree char *text = g_strstrip(g_strdup(r->text->str));

	if (r->in_server && r->depth == 4 && *text) {
		server_text(r, element, text);
	} else if (r->in_server && r->depth == 3) {
		server_end(r);
		r->in_server = false;
	} else if (r->depth == 3 && strcmp(element, "displayName") == 0 && !r->found->provider &&
		   *text) {
		r->found->provider = g_strdup(text);
	} else if (r->depth == 3 && r->in_oauth && strcmp(element, "issuer") == 0 && *text &&
		   !r->found->oauth_issuer) {
		r->found->oauth_issuer = g_strdup(text);
	}
	if (r->depth == 2)
		r->in_oauth = false;
	g_string_truncate(r->text, 0);
	r->depth--;
}

static void on_text(
	GMarkupParseContext *context, const char *text, gsize n, gpointer data, GError **error)
{
	struct reading *r = data;

	if (r->text->len + n <= 1024) /* no value we know is longer */
		g_string_append_len(r->text, text, (gssize)n);
}

int rs_found_read_xml(const char *text, gsize n, const char *address, struct rs_found **out)
{
	static const GMarkupParser parser = {
		.start_element = on_start, .end_element = on_end, .text = on_text};
	struct reading r = {.address = address, .found = rs_found_new(RS_FOUND_AUTOCONFIG, NULL)};
	g_autoptr(GMarkupParseContext) context =
		g_markup_parse_context_new(&parser, G_MARKUP_TREAT_CDATA_AS_TEXT, &r, NULL);
	int rc = 0;

	r.text = g_string_new(NULL);
	if (n > RS_DISCOVER_DOCUMENT_MAX)
		rc = -RS_ELIMIT;
	else if (!g_markup_parse_context_parse(context, text, (gssize)n, NULL) ||
		 !g_markup_parse_context_end_parse(context, NULL) || !r.seen_provider)
		rc = -RS_EINVAL;
	else if (!r.found->pop3.host)
		rc = -RS_ENOENT;
	now_clear(&r);
	g_string_free(r.text, TRUE);
	if (rc < 0)
		rs_found_free(r.found);
	else
		*out = r.found;
	return rc;
}
