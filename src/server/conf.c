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
		[RS_SERVICE_METRICS] = "metrics",
		[RS_SERVICE_ADMIN] = "admin",
	};

	return names[s];
}

static struct rs_conf *conf_new(void)
{
	struct rs_conf *c = g_new0(struct rs_conf, 1);

	c->workers = CLAMP(uv_available_parallelism(), 1, 16);
	c->sandbox = TRUE;
	c->log_level = 2;
	c->connections = 10000;
	c->connections_per_address = 100;
	c->failed_login_delay = TRUE;
	c->pre_login_timeout_s = 60;
	c->idle_timeout_s = 600;
	c->message_size = 128u << 20;
	rs_rules_init(&c->rules);
	c->mechanisms = g_strdup("PLAIN LOGIN");
	return c;
}

void rs_conf_destroy(struct rs_conf **cp)
{
	struct rs_conf *c = *cp;
	char **texts[] = {&c->hostname, &c->state_dir, &c->run_dir, &c->user, &c->front_user,
		&c->auth_user, &c->admin_group, &c->certificate, &c->key, &c->users, &c->mechanisms,
		&c->store_path};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		g_free(*texts[i]);
	if (c->listen)
		g_ptr_array_unref(c->listen);
	g_strfreev(c->store_roots);
	if (c->proxy_trusted)
		g_array_unref(c->proxy_trusted);
	g_free(c);
	*cp = NULL;
}

/* --- lines --------------------------------------------------------------------------------- */

struct reader {
	const char *name;
	guint line_n;
	char *section; /* NULL before the first */
	guint64 seen;  /* a bit for each row of conf_keys that was given */
	struct rs_conf *c;
	struct rs_err *err;
};

G_STATIC_ASSERT(sizeof(guint64) * 8 >= 40);

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

static int section_line(struct reader *r, char *line)
{
	size_t n = strlen(line);

	if (line[n - 1] != ']')
		return bad(r, line, "is not a section; end it with ]");
	line[n - 1] = '\0';
	if (!section_known(line + 1))
		return bad(
			r, line + 1, "is not a section of restanted.conf (see restanted.conf(5))");
	g_free(r->section);
	r->section = g_strdup(line + 1);
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
		if (r->seen & G_GUINT64_CONSTANT(1) << i)
			return bad(r, line, "is given twice; remove one of them");
		r->seen |= G_GUINT64_CONSTANT(1) << i;
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
	else if (c->store_type == RS_STORE_MAILDIR && !c->store_path)
		missing = "[store] path";
	else if ((has_service(c, RS_SERVICE_POP3S) || has_service(c, RS_SERVICE_POP3)) &&
		 (!c->certificate || !c->key) && c->cleartext == RS_CLEARTEXT_NEVER)
		missing = "[tls] certificate and key (POP3 without TLS needs cleartext = loopback)";
	else if (has_service(c, RS_SERVICE_POP3S) && (!c->certificate || !c->key))
		missing = "[tls] certificate and key";
	if (!missing)
		return 0;
	return rs_err_set(r->err, RS_ECONFIG, "%s: %s is missing", r->name, missing);
}

int rs_conf_parse(const char *name, struct rs_slice text, struct rs_conf **out, struct rs_err *err)
{
	g_autofree char *copy = g_strndup((const char *)text.p, text.n);
	g_auto(GStrv) lines = g_strsplit(copy, "\n", -1);
	struct reader r = {.name = name, .err = err, .c = conf_new()};
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
