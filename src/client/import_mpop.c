/* import_mpop.c - mpop's configuration ("account NAME : BASE", a command a line) and its UIDLs files: a line
 * " COUNT HOST USER", then that many UIDs, a line each. */
#include "client/import_priv.h"

#include <string.h>

#include "base/num.h"
#include "client/text.h"

#define BASE_MAX 16 /* accounts that one takes values from, one behind the other */

struct reader {
	struct rs_import *i;
	const char *path;
	guint line;
	GHashTable *accounts; /* name -> its own values (with those it took over) */
	GPtrArray *order;     /* names, owned by `accounts` */
	GHashTable *defaults;
	GHashTable *at; /* of the account at hand; borrowed */
};

static GHashTable *values_new(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, import_value_free);
}

static void take_over(GHashTable *to, GHashTable *from)
{
	GHashTableIter iter;
	gpointer key;
	gpointer value;

	g_hash_table_iter_init(&iter, from);
	while (g_hash_table_iter_next(&iter, &key, &value))
		g_hash_table_replace(to, g_strdup(key), g_strdup(value));
}

/* "account NAME" or "account NAME : BASE, BASE". */
static int account_line(struct reader *r, const char *arg, struct rs_err *err)
{
	g_auto(GStrv) parts = g_strsplit(arg, ":", 2);
	g_auto(GStrv) bases = g_strsplit(parts[0] && parts[1] ? parts[1] : "", ",", BASE_MAX);
	char *name = g_strdup(parts[0] ? g_strstrip(parts[0]) : "");

	r->at = values_new();
	take_over(r->at, r->defaults);
	for (char **base = bases; *base; base++) {
		GHashTable *from = g_hash_table_lookup(r->accounts, g_strstrip(*base));

		if (from)
			take_over(r->at, from);
		else if (**base) {
			g_hash_table_unref(g_steal_pointer(&r->at));
			g_free(name);
			return rs_err_set(err, RS_ECONFIG, _("%s:%u: there is no account '%s'"),
				r->path, r->line, *base);
		}
	}
	/* "account default : x" is x under another name */
	g_hash_table_replace(r->at, g_strdup(""),
		g_strdup(*bases && **bases && strcmp(name, "default") == 0 ? "again" : ""));
	if (!g_hash_table_contains(r->accounts, name))
		g_ptr_array_add(r->order, name);
	g_hash_table_replace(r->accounts, name, r->at);
	return 0;
}

static int command_line(struct reader *r, char *line, struct rs_err *err)
{
	size_t n = strcspn(line, " \t");
	char *arg = g_strstrip(line + n);
	g_autofree char *name = g_ascii_strdown(line, (gssize)n);
	size_t arg_n = strlen(arg);

	if (arg_n >= 2 && arg[0] == '"' && arg[arg_n - 1] == '"') {
		arg[arg_n - 1] = '\0';
		arg++;
	}
	if (strcmp(name, "defaults") == 0)
		r->at = r->defaults;
	else if (strcmp(name, "account") == 0)
		return account_line(r, arg, err);
	else if (!r->at)
		return rs_err_set(err, RS_ECONFIG,
			_("%s:%u: '%s' stands in front of the first account"), r->path, r->line,
			name);
	else
		g_hash_table_replace(r->at, g_steal_pointer(&name), g_strdup(arg));
	return 0;
}

/* --- one account -------------------------------------------------------------------------------- */

static bool is_on(GHashTable *v, const char *key, bool standard)
{
	const char *text = g_hash_table_lookup(v, key);

	return text ? g_ascii_strcasecmp(text, "off") != 0 : standard;
}

static void server_values(struct rs_import_account *a, GHashTable *v)
{
	const char *host = g_hash_table_lookup(v, "host");
	const char *port_text = g_hash_table_lookup(v, "port");
	const char *user = g_hash_table_lookup(v, "user");
	const char *trust = g_hash_table_lookup(v, "tls_trust_file");
	enum rs_security how = RS_SECURITY_NONE;
	uint32_t port = 0;

	if (port_text && rs_num_u32(rs_slice_str(port_text), 65535, &port) < 0)
		port = strcmp(port_text, "pop3s") == 0 ? 995 : 0;
	if (is_on(v, "tls", false))
		how = is_on(v, "tls_starttls", true) ? RS_SECURITY_STARTTLS : RS_SECURITY_TLS;
	import_server(a, "pop3", host, port);
	import_security(a, "security", host, how);
	import_set(a, "user", user);
	if (user && strchr(user, '@'))
		import_set(a, "address", user);
	if (trust && strcmp(trust, "system") != 0 && *trust) {
		g_autofree char *file = import_path(trust, g_get_home_dir());

		/* what mpop is told on Debian is the system's own list */
		if (strcmp(file, "/etc/ssl/certs/ca-certificates.crt") != 0)
			import_set(a, "ca-file", file);
	}
	if (g_hash_table_lookup(v, "tls_fingerprint")) {
		const char *pin = g_hash_table_lookup(v, "tls_fingerprint");

		if (strlen(pin) >= 64)
			import_set(a, "pin", pin);
		else
			import_note(a->notes,
				_("its tls_fingerprint is not one of SHA-256; it was left out"));
	}
}

static void delivery_values(struct rs_import_account *a, GHashTable *v)
{
	const char *how = g_hash_table_lookup(v, "delivery");
	size_t n = how ? strcspn(how, " \t") : 0;
	g_autofree char *what = how ? g_strstrip(g_strdup(how + n)) : NULL;

	if (!how)
		return;
	if (n == 7 && g_ascii_strncasecmp(how, "maildir", n) == 0) {
		g_autofree char *folder = import_path(what, g_get_home_dir());
		size_t folder_n = strlen(folder);

		if (folder_n > 1 && folder[folder_n - 1] == '/')
			folder[folder_n - 1] = '\0';
		import_set(a, "maildir", folder);
	} else if (n == 3 && g_ascii_strncasecmp(how, "mda", n) == 0 && !strchr(what, '%')) {
		g_autofree char *target = g_strconcat("mda:", what, NULL);

		import_set(a, "deliver-to", target);
	} else {
		import_note(
			a->notes, _("mpop put new mail into %s; here it goes into a folder"), how);
	}
}

static void other_values(struct rs_import_account *a, GHashTable *v)
{
	const char *timeout = g_hash_table_lookup(v, "timeout");
	const char *skip = g_hash_table_lookup(v, "skipsize");

	import_set(a, "leave", is_on(v, "keep", false) ? "keep" : "delete");
	if (timeout && strcmp(timeout, "off") != 0)
		import_set(a, "timeout", timeout);
	if (skip && strcmp(skip, "off") != 0) {
		g_autofree char *size = g_ascii_strdown(skip, -1);
		size_t n = strlen(size);

		if (n && size[n - 1] == 'm')
			size[n - 1] = 'M';
		import_set(a, "size-limit", size);
		import_set(a, "over-limit", "skip");
	}
	import_password(a, g_hash_table_lookup(v, "password"));
	import_set(a, "password-command", g_hash_table_lookup(v, "passwordeval"));
	if (g_hash_table_lookup(v, "filter") || g_hash_table_lookup(v, "killsize"))
		import_note(a->notes, _("filter and killsize are not taken over"));
}

static void uids_read(struct rs_import_account *a, GHashTable *v)
{
	const char *user = g_hash_table_lookup(v, "user");
	const char *host = g_hash_table_lookup(v, "host");
	const char *file = g_hash_table_lookup(v, "uidls_file");
	g_autoptr(GString) path = g_string_new(file ? file : "~/.mpop_uidls/%U_at_%H");
	g_autofree char *full = NULL;
	g_autofree char *text = NULL;
	gsize n;

	if (!user || !host)
		return;
	g_string_replace(path, "%U", user, 0);
	g_string_replace(path, "%H", host, 0);
	full = import_path(path->str, g_get_home_dir());
	text = import_state_read(a, full, &n);
	if (text)
		import_uidls(a, text, user, host);
}

static void account_end(struct reader *r, const char *name)
{
	GHashTable *v = g_hash_table_lookup(r->accounts, name);
	const char *again = g_hash_table_lookup(v, "");
	struct rs_import_account *a;

	if (!g_hash_table_lookup(v, "host") || (again && *again))
		return; /* a base for others, or one of them under another name */
	if (!g_hash_table_lookup(v, "user")) {
		import_note(r->i->notes, _("account '%s' has no user name: left out"), name);
		return;
	}
	a = import_account_add(r->i);
	if (*name && strcmp(name, "default") != 0)
		a->account->name = g_strdup(name);
	server_values(a, v);
	delivery_values(a, v);
	other_values(a, v);
	uids_read(a, v);
}

static void values_free(gpointer v)
{
	g_hash_table_unref(v);
}

int import_mpop(struct rs_import *i, const char *path, const char *text, struct rs_err *err)
{
	struct reader r = {.i = i,
		.path = path,
		.accounts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, values_free),
		.order = g_ptr_array_new(),
		.defaults = values_new()};
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	int rc = 0;

	for (char **line = lines; rc == 0 && *line; line++) {
		r.line++;
		g_strstrip(*line);
		if (**line && **line != '#')
			rc = command_line(&r, *line, err);
	}
	for (guint n = 0; rc == 0 && n < r.order->len; n++)
		account_end(&r, r.order->pdata[n]);
	g_ptr_array_unref(r.order);
	g_hash_table_unref(r.accounts);
	g_hash_table_unref(r.defaults);
	return rc;
}

void import_uidls(struct rs_import_account *a, const char *text, const char *user, const char *host)
{
	g_autofree char *end = g_strdup_printf(" %s %s", host, user);
	bool ours = false;

	for (const char *line = text; *line;) {
		size_t n = strcspn(line, "\n");
		size_t digits = line[0] == ' ' ? strspn(line + 1, "0123456789") : 0;

		if (line[0] == ' ')
			ours = digits && n == 1 + digits + strlen(end) &&
			       strncmp(line + 1 + digits, end, strlen(end)) == 0;
		else if (ours && line[0] != '#')
			import_uid(a, line, n, 0);
		line += n + (line[n] != '\0');
	}
}
