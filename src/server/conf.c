/* conf.c - see conf.h: lines, sections, the whole file. Keys and values: conf_keys.c. */
#include "server/conf_priv.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define FILE_MAX (1024u * 1024)

const char *rs_service_name(enum rs_service s)
{
	static const char *const names[RS_SERVICE_N] = {
		[RS_SERVICE_POP3] = "pop3",
		[RS_SERVICE_POP3S] = "pop3s",
		[RS_SERVICE_LMTP] = "lmtp",
		[RS_SERVICE_SUBMISSION] = "submission",
		[RS_SERVICE_SUBMISSIONS] = "submissions",
		[RS_SERVICE_AUTOCONFIG] = "autoconfig",
		[RS_SERVICE_AUTOCONFIGS] = "autoconfigs",
		[RS_SERVICE_METRICS] = "metrics",
		[RS_SERVICE_SASL] = "sasl",
		[RS_SERVICE_ADMIN] = "admin",
	};

	return names[s];
}

static struct rs_conf *conf_new(void)
{
	struct rs_conf *c = g_new0(struct rs_conf, 1);

	c->workers = CLAMP(uv_available_parallelism(), 1, 16);
	c->sandbox = TRUE;
	c->implementation = TRUE;
	c->log_level = 2;
	c->connections = 10000;
	c->connections_per_address = 100;
	c->connections_per_user = 50;
	c->handshakes = 1000;
	c->failed_login_delay = TRUE;
	c->pre_login_timeout_s = 60;
	c->idle_timeout_s = 600;
	c->query_connections = 4;
	c->query_timeout_s = 10;
	c->message_size = 128u << 20;
	c->submission_rcpts = 100;
	c->submission_rate = 600;
	rs_rules_init(&c->rules);
	c->oauth_user_claim = g_strdup("email");
	c->oauth_cache_s = 300;
	return c;
}

void rs_conf_destroy(struct rs_conf **cp)
{
	struct rs_conf *c = *cp;
	char **texts[] = {&c->hostname, &c->state_dir, &c->run_dir, &c->user, &c->front_user,
		&c->auth_user, &c->relay_user, &c->admin_group, &c->certificate, &c->key, &c->users,
		&c->query, &c->mechanisms, &c->store_path, &c->client_ca, &c->oauth_introspection,
		&c->oauth_jwks, &c->oauth_issuer, &c->oauth_audience, &c->oauth_scope,
		&c->oauth_user_claim, &c->oauth_client_secret, &c->oauth_ca_file,
		&c->oauth_configuration, &c->autoconfig_name, &c->autoconfig_short_name,
		&c->autoconfig_documentation};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		g_free(*texts[i]);
	if (c->listen)
		g_ptr_array_unref(c->listen);
	g_strfreev(c->store_roots);
	for (gsize i = 0; i < G_N_ELEMENTS(c->autoconfig_public); i++)
		g_free(c->autoconfig_public[i]);
	g_strfreev(c->autoconfig_domains);
	g_strfreev(c->local_domains);
	rs_conf_relay_finish(&c->relay);
	if (c->proxy_trusted)
		g_array_unref(c->proxy_trusted);
	if (c->tls_names)
		g_ptr_array_unref(c->tls_names);
	g_free(c);
	*cp = NULL;
}

/* --- lines --------------------------------------------------------------------------------- */

struct reader {
	const char *name;
	guint line_n;
	char *section; /* NULL before the first */
	bool *seen;    /* of each row of conf_keys, in this section */
	struct rs_conf *c;
	struct rs_err *err;
};

static int bad(struct reader *r, const char *what, const char *why)
{
	return rs_err_set(r->err, RS_ECONFIG, "%s:%u: %s %s", r->name, r->line_n, what, why);
}

/* Without the comment (a ';' or '#' at the start, or " ;" behind a value), trimmed in place. */
static char *strip(char *line)
{
	char *cut = line[0] == ';' || line[0] == '#' ? line : strstr(line, " ;");
	char *tab = strstr(line, "\t;");

	if (tab && (!cut || tab < cut))
		cut = tab;
	if (cut)
		*cut = '\0';
	return g_strstrip(line);
}

static bool section_known(const char *name)
{
	for (size_t i = 0; i < conf_keys_n; i++) {
		if (strcmp(conf_keys[i].section, name) == 0)
			return true;
	}
	return false;
}

static void tls_free(gpointer p)
{
	struct rs_conf_tls *row = p;

	g_strfreev(row->names);
	g_free(row->certificate);
	g_free(row->key);
	g_free(row);
}

/* Letters, digits, hyphens and dots; a "*" only as the whole first label. Made lower case. */
static bool host_name(char *name)
{
	size_t n = strlen(name);
	char *rest = g_str_has_prefix(name, "*.") ? name + 2 : name;

	for (char *c = rest; *c; c++)
		*c = g_ascii_tolower(*c);
	return n <= 253 && *rest && *rest != '.' && !strstr(rest, "..") &&
	       strspn(rest, "abcdefghijklmnopqrstuvwxyz0123456789-.") == strlen(rest);
}

static bool tls_name_taken(const struct rs_conf *c, const char *name)
{
	for (guint i = 0; c->tls_names && i < c->tls_names->len; i++) {
		const struct rs_conf_tls *row = g_ptr_array_index(c->tls_names, i);

		if (g_strv_contains((const char *const *)row->names, name))
			return true;
	}
	return false;
}

/* "[tls NAME, …]": what follows is the certificate of these names. */
static int tls_section(struct reader *r, const char *list)
{
	g_auto(GStrv) names = g_strsplit(list, ",", -1);
	struct rs_conf *c = r->c;

	if (c->tls_names && c->tls_names->len == RS_CONF_TLS_MAX)
		return bad(r, list, "is one section [tls NAME] too many");
	for (char **name = names; *name; name++) {
		if (!host_name(g_strstrip(*name)))
			return bad(r, list,
				"is not a list of host names, as in [tls mail.example.org, "
				"*.example.net]");
		if (tls_name_taken(c, *name))
			return bad(
				r, *name, "has a certificate already; remove one of the sections");
	}
	if (!names[0])
		return bad(r, "[tls ]", "has no name");
	for (size_t i = 0; i < conf_keys_n; i++)
		r->seen[i] = r->seen[i] && strcmp(conf_keys[i].section, "tls") != 0;
	if (!c->tls_names)
		c->tls_names = g_ptr_array_new_with_free_func(tls_free);
	c->tls_open = g_new0(struct rs_conf_tls, 1);
	c->tls_open->names = g_steal_pointer(&names);
	g_ptr_array_add(c->tls_names, c->tls_open);
	return 0;
}

static int section_line(struct reader *r, char *line)
{
	size_t n = strlen(line);

	if (line[n - 1] != ']')
		return bad(r, line, "is not a section; end it with ]");
	line[n - 1] = '\0';
	r->c->tls_open = NULL;
	g_free(r->section);
	if (g_str_has_prefix(line, "[tls ")) {
		r->section = g_strdup("tls");
		return tls_section(r, g_strstrip(line + 5));
	}
	r->section = g_strdup(line + 1);
	if (!section_known(line + 1))
		return bad(
			r, line + 1, "is not a section of restanted.conf (see restanted.conf(5))");
	return 0;
}

static int key_line(struct reader *r, char *line)
{
	char *equals = strchr(line, '=');
	g_autofree char *what = NULL;
	const char *value;
	const char *why;

	if (!equals)
		return bad(r, line, "is neither [section] nor key = value");
	*equals = '\0';
	value = g_strstrip(equals + 1);
	g_strchomp(line);
	if (!r->section)
		return bad(r, line, "stands in front of the first [section]");
	for (size_t i = 0; i < conf_keys_n; i++) {
		const struct conf_key *k = &conf_keys[i];

		if (strcmp(k->section, r->section) != 0 || strcmp(k->key, line) != 0)
			continue;
		if (r->seen[i])
			return bad(r, line, "is given twice; remove one of them");
		r->seen[i] = true;
		why = *value ? k->set(r->c, k, value) : "has no value";
		what = g_strdup_printf("%s = %s:", line, value);
		return why ? bad(r, what, why) : 0;
	}
	what = g_strdup_printf("[%s] %s:", r->section, line);
	return bad(r, what, "there is no such key (see restanted.conf(5))");
}

/* --- the whole ----------------------------------------------------------------------------- */

static bool has_service(const struct rs_conf *c, enum rs_service s)
{
	for (guint i = 0; c->listen && i < c->listen->len; i++) {
		if (((struct rs_conf_listen *)g_ptr_array_index(c->listen, i))->service == s)
			return true;
	}
	return false;
}

static const char *tls_half(const struct rs_conf *c)
{
	for (guint i = 0; c->tls_names && i < c->tls_names->len; i++) {
		const struct rs_conf_tls *row = g_ptr_array_index(c->tls_names, i);

		if (!row->certificate || !row->key)
			return row->names[0];
	}
	return NULL;
}

/* Sections of [tls] against one another. */
static int whole_tls(struct reader *r)
{
	const struct rs_conf *c = r->c;
	const char *half = tls_half(c);

	if (half)
		return rs_err_set(r->err, RS_ECONFIG, "%s: [tls %s] needs certificate and key",
			r->name, half);
	if ((c->tls_names || c->client_ca) && (!c->certificate || !c->key))
		return rs_err_set(r->err, RS_ECONFIG,
			"%s: [tls] certificate and key are missing: they are for every name that "
			"has no section of its own",
			r->name);
	return 0;
}

/* What [tls] lacks for the services that are listened for; NULL: nothing. */
static const char *missing_tls(const struct rs_conf *c)
{
	if (c->certificate && c->key)
		return NULL;
	if (has_service(c, RS_SERVICE_POP3S) || has_service(c, RS_SERVICE_AUTOCONFIGS) ||
		has_service(c, RS_SERVICE_SUBMISSIONS))
		return "[tls] certificate and key";
	if (c->cleartext != RS_CLEARTEXT_NEVER)
		return NULL;
	if (has_service(c, RS_SERVICE_POP3))
		return "[tls] certificate and key (POP3 without TLS needs cleartext = loopback)";
	return has_service(c, RS_SERVICE_SUBMISSION)
		       ? "[tls] certificate and key (submission without TLS needs cleartext = "
			 "loopback)"
		       : NULL;
}

static int whole(struct reader *r)
{
	const struct rs_conf *c = r->c;
	const char *missing = NULL;

	if (!c->hostname)
		missing = "[server] hostname";
	else if (!c->state_dir)
		missing = "[server] state-dir";
	else if (!c->run_dir)
		missing = "[server] run-dir";
	else if (!c->listen)
		missing = "[listen] with at least one service, e.g. pop3s = 0.0.0.0:995";
	else if (!c->users)
		missing = "[auth] users";
	else if (g_str_has_prefix(c->users, "sql:") && !c->query)
		missing = "[auth] query, which finds a user in the database,";
	else if (c->store_type == RS_STORE_MAILDIR && !c->store_path)
		missing = "[store] path";
	else
		missing = missing_tls(c);
	if (!missing && conf_submission_wrong(c))
		return rs_err_set(r->err, RS_ECONFIG, "%s: %s", r->name, conf_submission_wrong(c));
	if (!missing)
		return whole_tls(r) < 0 ? -RS_ECONFIG : conf_login_whole(r->name, r->c, r->err);
	return rs_err_set(r->err, RS_ECONFIG, "%s: %s is missing", r->name, missing);
}

int rs_conf_parse(const char *name, struct rs_slice text, struct rs_conf **out, struct rs_err *err)
{
	g_autofree char *copy = g_strndup((const char *)text.p, text.n);
	g_auto(GStrv) lines = g_strsplit(copy, "\n", -1);
	g_autofree bool *seen = g_new0(bool, conf_keys_n);
	struct reader r = {.name = name, .err = err, .c = conf_new(), .seen = seen};
	int rc = 0;

	if (rs_slice_find(text, 0) != text.n)
		rc = rs_err_set(
			err, RS_ECONFIG, "%s: holds a NUL octet; it is not a text file", name);
	for (char **l = lines; *l && rc == 0; l++) {
		char *line = strip(*l);

		r.line_n++;
		if (*line)
			rc = *line == '[' ? section_line(&r, line) : key_line(&r, line);
	}
	if (rc == 0)
		rc = whole(&r);
	g_free(r.section);
	r.c->tls_open = NULL;
	if (rc < 0)
		rs_conf_destroy(&r.c);
	else
		*out = r.c;
	return rc;
}

static int readable(const char *name, const char *key, const char *path, struct rs_err *err)
{
	if (!path || access(path, R_OK) == 0)
		return 0;
	return rs_err_set(
		err, RS_ECONFIG, "%s: %s: cannot read %s: %s", name, key, path, g_strerror(errno));
}

int rs_conf_load(
	const char *file, struct rs_conf **out, char **text, gsize *text_n, struct rs_err *err)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *octets = NULL;
	struct rs_conf *c = NULL;
	gsize n;
	int rc;

	if (!g_file_get_contents(file, &octets, &n, &error))
		return rs_err_set(
			err, RS_ECONFIG, "cannot read the configuration: %s", error->message);
	if (n > FILE_MAX)
		return rs_err_set(err, RS_ECONFIG, "%s is too large to be a configuration", file);
	rc = rs_conf_parse(file, rs_slice(octets, n), &c, err);
	if (rc == 0)
		rc = readable(file, "[tls] certificate", c->certificate, err);
	if (rc == 0)
		rc = readable(file, "[tls] key", c->key, err);
	if (rc == 0)
		rc = readable(file, "[tls] client-ca", c->client_ca, err);
	for (guint i = 0; rc == 0 && c->tls_names && i < c->tls_names->len; i++) {
		const struct rs_conf_tls *row = g_ptr_array_index(c->tls_names, i);

		rc = readable(file, "[tls NAME] certificate", row->certificate, err);
		if (rc == 0)
			rc = readable(file, "[tls NAME] key", row->key, err);
	}
	if (rc == 0)
		rc = readable(file, "[submission] relay-ca", c->relay.ca, err);
	if (rc < 0) {
		if (c)
			rs_conf_destroy(&c);
		return rc;
	}
	*out = c;
	if (text) {
		*text = g_steal_pointer(&octets);
		*text_n = n;
	}
	return 0;
}
