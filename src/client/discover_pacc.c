/* discover_pacc.c - PACC, and SRV records: see discover_parse.h */
#include "client/discover_parse.h"

#include <json-glib/json-glib.h>
#include <string.h>

bool rs_found_host_ok(const char *host)
{
	size_t label = 0;
	size_t n = strlen(host);

	if (n == 0 || n > 253)
		return false;
	for (const char *c = host; *c; c++) {
		if (*c == '.' && label == 0)
			return false;
		label = *c == '.' ? 0 : label + 1;
		if (label > 63 || (!g_ascii_isalnum(*c) && *c != '-' && *c != '.' && *c != '_'))
			return false;
	}
	return label > 0;
}

/* --- the digest --------------------------------------------------------------------------------- */

/* "v=UAAC1; a=sha256; d=..." with our digest? */
static bool digest_fits(const char *txt, const char *digest)
{
	g_auto(GStrv) tags = g_strsplit(txt, ";", 16);
	bool version = false;
	bool method = false;
	bool same = false;

	for (char **t = tags; *t; t++) {
		const char *tag = g_strstrip(*t);

		version |= strcmp(tag, "v=UAAC1") == 0;
		method |= strcmp(tag, "a=sha256") == 0;
		same |= g_str_has_prefix(tag, "d=") && strcmp(tag + 2, digest) == 0;
	}
	return version && method && same;
}

static bool digest_ok(const char *text, gsize n, const char *const *txt)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	g_autofree char *base64 = NULL;
	guint8 digest[32];
	gsize digest_n = sizeof(digest);

	g_checksum_update(sum, (const guchar *)text, (gssize)n);
	g_checksum_get_digest(sum, digest, &digest_n);
	base64 = g_base64_encode(digest, digest_n);
	for (; txt && *txt; txt++) {
		if (digest_fits(*txt, base64))
			return true;
	}
	return false;
}

/* --- the document ------------------------------------------------------------------------------- */

/* Member of the kind asked for; NULL. Borrowed. */
static JsonObject *object_of(JsonObject *o, const char *name)
{
	JsonNode *node = o ? json_object_get_member(o, name) : NULL;

	return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

static const char *text_of(JsonObject *o, const char *name)
{
	JsonNode *node = o ? json_object_get_member(o, name) : NULL;

	return node && json_node_get_value_type(node) == G_TYPE_STRING ? json_node_get_string(node)
								       : NULL;
}

static bool true_of(JsonObject *o, const char *name)
{
	JsonNode *node = o ? json_object_get_member(o, name) : NULL;

	return node && json_node_get_value_type(node) == G_TYPE_BOOLEAN &&
	       json_node_get_boolean(node);
}

static void pacc_server(
	struct rs_found_server *s, JsonObject *protocols, const char *name, JsonObject *auth)
{
	const char *host = text_of(object_of(protocols, name), "host");

	if (!host || !rs_found_host_ok(host))
		return;
	s->host = g_strdup(host);
	s->port = strcmp(name, "pop3") == 0 ? 995 : 465;
	s->oauth2 = object_of(auth, "oauth-public") != NULL;
	s->password = true_of(auth, "password") || !s->oauth2;
}

/* JSON in one another deeper than that would go deeper on the parser's stack. */
static bool shallow(const char *text, gsize n)
{
	guint depth = 0;

	for (gsize i = 0; i < n; i++) {
		if (text[i] == '{' || text[i] == '[')
			depth++;
		else if ((text[i] == '}' || text[i] == ']') && depth)
			depth--;
		if (depth > RS_DISCOVER_DEPTH_MAX)
			return false;
	}
	return true;
}

static struct rs_found *pacc_found(JsonObject *root, const char *address)
{
	JsonObject *protocols = object_of(root, "protocols");
	JsonObject *auth = object_of(root, "authentication");
	const char *name = text_of(object_of(object_of(root, "info"), "provider"), "name");
	const char *issuer = text_of(object_of(auth, "oauth-public"), "issuer");
	struct rs_found *f = rs_found_new(RS_FOUND_PACC, NULL);

	pacc_server(&f->pop3, protocols, "pop3", auth);
	pacc_server(&f->smtp, protocols, "smtp", auth);
	f->pop3.user = g_strdup(address);
	f->smtp.user = g_strdup(address);
	f->provider = g_strdup(name);
	f->oauth_issuer = g_strdup(issuer);
	return f;
}

int rs_found_read_pacc(const char *text, gsize n, const char *const *txt, const char *address,
	struct rs_found **out)
{
	g_autoptr(JsonParser) parser = NULL;
	struct rs_found *f;
	JsonNode *root;

	if (n > RS_DISCOVER_DOCUMENT_MAX || !shallow(text, n))
		return -RS_ELIMIT;
	if (!digest_ok(text, n, txt))
		return -RS_ECERT;
	parser = json_parser_new_immutable();
	if (!g_utf8_validate(text, (gssize)n, NULL) ||
		!json_parser_load_from_data(parser, text, (gssize)n, NULL))
		return -RS_EINVAL;
	root = json_parser_get_root(parser);
	if (!root || !JSON_NODE_HOLDS_OBJECT(root))
		return -RS_EINVAL;
	f = pacc_found(json_node_get_object(root), address);
	if (f->pop3.host) {
		*out = f;
		return 0;
	}
	rs_found_free(f);
	return -RS_ENOENT;
}

/* --- SRV ---------------------------------------------------------------------------------------- */

static bool srv_take(
	struct rs_found_server *s, const GArray *rows, enum rs_security security, const char *user)
{
	for (guint i = 0; rows && i < rows->len; i++) {
		const struct rs_name_srv *row = &g_array_index(rows, struct rs_name_srv, i);
		g_autofree char *host = g_strdup(row->target);

		if (g_str_has_suffix(host, "."))
			host[strlen(host) - 1] = '\0';
		if (!row->port || !rs_found_host_ok(host))
			continue;
		s->host = g_steal_pointer(&host);
		s->port = row->port;
		s->security = security;
		s->user = g_strdup(user);
		s->password = true;
		return true;
	}
	return false;
}

int rs_found_read_srv(const GArray *const records[4], const char *address, struct rs_found **out)
{
	const char *domain = strrchr(address, '@');
	struct rs_found *f = rs_found_new(RS_FOUND_SRV, NULL);

	if (!srv_take(&f->pop3, records[0], RS_SECURITY_TLS, address) &&
		!srv_take(&f->pop3, records[1], RS_SECURITY_STARTTLS, address)) {
		rs_found_free(f);
		return -RS_ENOENT;
	}
	if (!srv_take(&f->smtp, records[2], RS_SECURITY_TLS, address))
		(void)srv_take(&f->smtp, records[3], RS_SECURITY_STARTTLS, address);
	domain = domain ? domain + 1 : "";
	f->trusted = rs_found_inside(f->pop3.host, domain) &&
		     (!f->smtp.host || rs_found_inside(f->smtp.host, domain));
	*out = f;
	return 0;
}
