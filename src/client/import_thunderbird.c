/* import_thunderbird.c - a Thunderbird profile: prefs.js (a line user_pref("NAME", VALUE); each), Mail/SERVER/popstate.dat,
 * and the folders of POP3 accounts and of "Local Folders": an mbox beside NAME.sbd/, or a Maildir. */
#include "client/import_priv.h"

#include <string.h>

#include "base/num.h"
#include "client/text.h"

#define DEPTH_MAX    16
#define AUTH_NONE    1u
#define AUTH_OAUTH2  10u
#define SOCKET_TLS   3u
#define SOCKET_START 2u
#define SOCKET_TRY   1u

/* --- prefs.js ------------------------------------------------------------------------------------- */

static gunichar hex(const char **at, int n)
{
	gunichar v = 0;

	for (; n && g_ascii_isxdigit(**at); n--, (*at)++)
		v = v * 16 + (gunichar)g_ascii_xdigit_value(**at);
	return v;
}

/* What stands behind a backslash. */
static void escape_take(const char **at, GString *out)
{
	char c = *(*at)++;
	gunichar u = c == 'u' ? hex(at, 4) : c == 'x' ? hex(at, 2) : 0;

	if (u >= 0xd800 && u <= 0xdbff && (*at)[0] == '\\' && (*at)[1] == 'u') {
		gunichar low;

		*at += 2;
		low = hex(at, 4);
		u = 0x10000 + ((u - 0xd800) << 10) + ((low - 0xdc00) & 0x3ff);
	}
	if (u && g_unichar_validate(u))
		g_string_append_unichar(out, u);
	else if (c == 'n' || c == 't' || c == 'r')
		g_string_append_c(out, c == 'n' ? '\n' : c == 't' ? '\t' : '\r');
	else if (c != 'u' && c != 'x')
		g_string_append_c(out, c);
}

/* A JavaScript string from its opening quote on; behind its closing one afterwards. */
static char *string_take(const char **at)
{
	GString *out = g_string_new(NULL);
	char sign = *(*at)++;

	while (**at && **at != sign && **at != '\n') {
		char c = *(*at)++;

		if (c == '\\' && **at)
			escape_take(at, out);
		else
			g_string_append_c(out, c);
	}
	if (**at == sign)
		(*at)++;
	return g_string_free(out, FALSE);
}

static GHashTable *prefs_parse(const char *text)
{
	GHashTable *prefs =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, import_value_free);
	const char *at = text;

	while ((at = strstr(at, "user_pref("))) {
		g_autofree char *name = NULL;
		char *value;

		at += strlen("user_pref(");
		at += strspn(at, " \t");
		if (*at != '"' && *at != '\'')
			continue;
		name = string_take(&at);
		at += strspn(at, " \t");
		if (*at != ',')
			continue;
		at++;
		at += strspn(at, " \t");
		if (*at == '"' || *at == '\'')
			value = string_take(&at);
		else
			value = g_strndup(at, strcspn(at, ") \t\r\n;"));
		g_hash_table_replace(prefs, g_steal_pointer(&name), value);
	}
	return prefs;
}

struct reader {
	struct rs_import *i;
	char *profile;
	GHashTable *prefs;
};

/* Borrowed; NULL where it is not set. */
static const char *get(const struct reader *r, const char *group, const char *id, const char *key)
{
	g_autofree char *name = g_strdup_printf("mail.%s.%s.%s", group, id, key);
	const char *value = g_hash_table_lookup(r->prefs, name);

	return value && *value ? value : NULL;
}

static guint number(const struct reader *r, const char *group, const char *id, const char *key)
{
	const char *text = get(r, group, id, key);
	uint32_t v = 0;

	return text && rs_num_u32(rs_slice_str(text), G_MAXINT32, &v) == 0 ? v : 0;
}

static bool is_true(const struct reader *r, const char *id, const char *key)
{
	return g_strcmp0(get(r, "server", id, key), "true") == 0;
}

/* --- servers ----------------------------------------------------------------------------------------- */

static const char *pop3_host(const struct reader *r, const char *server)
{
	const char *real = get(r, "server", server, "realhostname");

	return real ? real : get(r, "server", server, "hostname");
}

static const char *pop3_user(const struct reader *r, const char *server)
{
	const char *real = get(r, "server", server, "realuserName");

	return real ? real : get(r, "server", server, "userName");
}

static enum rs_security security(guint type)
{
	return type == SOCKET_TLS                           ? RS_SECURITY_TLS
	       : type == SOCKET_START || type == SOCKET_TRY ? RS_SECURITY_STARTTLS
							    : RS_SECURITY_NONE;
}

static void leave(const struct reader *r, struct rs_import_account *a, const char *server)
{
	g_autoptr(GString) policy = g_string_new(NULL);
	guint days = number(r, "server", server, "num_days_to_leave_on_server");

	if (!is_true(r, server, "leave_on_server")) {
		import_set(a, "leave", "delete");
		return;
	}
	if (is_true(r, server, "delete_by_age_from_server") && days)
		g_string_append_printf(policy, "days=%u", MIN(days, RS_POLICY_DAYS_MAX));
	if (is_true(r, server, "delete_mail_left_on_server"))
		g_string_append(policy, policy->len ? ",until-deleted" : "until-deleted");
	import_set(a, "leave", policy->len ? policy->str : "keep");
}

/* "[ProfD]Mail/pop.example.org", else the absolute path it had. g_free it. */
static char *server_folder(const struct reader *r, const char *server)
{
	const char *relative = get(r, "server", server, "directory-rel");
	const char *absolute = get(r, "server", server, "directory");
	const char *host = get(r, "server", server, "hostname");

	if (relative && g_str_has_prefix(relative, "[ProfD]"))
		return g_build_filename(r->profile, relative + strlen("[ProfD]"), NULL);
	if (absolute && g_file_test(absolute, G_FILE_TEST_IS_DIR))
		return g_strdup(absolute);
	return g_build_filename(r->profile, "Mail", host ? host : server, NULL);
}

static void sending(const struct reader *r, struct rs_import_account *a, const char *identity)
{
	const char *id = identity ? get(r, "identity", identity, "smtpServer") : NULL;
	const char *host;
	guint how;

	if (!id)
		id = g_hash_table_lookup(r->prefs, "mail.smtp.defaultserver");
	host = id ? get(r, "smtpserver", id, "hostname") : NULL;
	if (!host)
		return;
	how = number(r, "smtpserver", id, "try_ssl");
	import_server(a, "smtp", host, number(r, "smtpserver", id, "port"));
	import_security(a, "smtp-security", host, security(how));
	if (number(r, "smtpserver", id, "authMethod") != AUTH_NONE)
		import_set(a, "smtp-user", get(r, "smtpserver", id, "username"));
}

static void uids_read(const struct reader *r, struct rs_import_account *a, const char *server)
{
	g_autofree char *folder = server_folder(r, server);
	g_autofree char *file = g_build_filename(folder, "popstate.dat", NULL);
	g_autofree char *text = NULL;
	gsize n;

	text = import_state_read(a, file, &n);
	if (text)
		import_popstate(a, text);
}

static void pop3_account(const struct reader *r, const char *server, const char *identity)
{
	struct rs_import_account *a = import_account_add(r->i);
	const char *host = pop3_host(r, server);
	const char *user = pop3_user(r, server);
	const char *address = identity ? get(r, "identity", identity, "useremail") : NULL;
	guint max_kib = number(r, "server", server, "max_size");

	import_server(a, "pop3", host, number(r, "server", server, "port"));
	import_security(a, "security", host, security(number(r, "server", server, "socketType")));
	import_set(a, "user", user);
	import_set(a, "address", address ? address : user && strchr(user, '@') ? user : NULL);
	leave(r, a, server);
	a->oauth2 = number(r, "server", server, "authMethod") == AUTH_OAUTH2;
	if (is_true(r, server, "limit_offline_message_size") && max_kib) {
		g_autofree char *size = g_strdup_printf("%uk", max_kib);

		import_set(a, "size-limit", size);
	}
	sending(r, a, identity);
	uids_read(r, a, server);
}

/* --- folders ------------------------------------------------------------------------------------------- */

static bool is_mbox(const char *path)
{
	g_autoptr(GFile) file = g_file_new_for_path(path);
	g_autoptr(GFileInputStream) stream = g_file_read(file, NULL, NULL);
	char head[5];
	gsize n = 0;

	return stream && g_input_stream_read_all(G_INPUT_STREAM(stream), head, 5, &n, NULL, NULL) &&
	       n == 5 && memcmp(head, "From ", 5) == 0;
}

static void boxes_add(const struct reader *r, const char *dir_path, const char *above,
	const char *server, int depth);

static void box_add(
	const struct reader *r, const char *path, const char *folder, const char *server)
{
	g_autofree char *cur = g_build_filename(path, "cur", NULL);
	bool maildir = g_file_test(cur, G_FILE_TEST_IS_DIR);
	const char *host = server ? pop3_host(r, server) : NULL;
	struct rs_import_box *b;

	if (!maildir && !is_mbox(path))
		return;
	b = import_box_add(r->i, path, folder, maildir ? RS_IMPORT_MAILDIR : RS_IMPORT_MBOX);
	if (!host)
		return;
	b->host = g_strdup(host);
	b->user = g_strdup(pop3_user(r, server));
	if (strcmp(folder, "Inbox") == 0) {
		g_free(b->folder);
		b->folder = g_strdup("");
	}
}

/* Names of files that are none of mail never begin with "From "; NAME.sbd holds the folders in NAME. */
static void boxes_add(const struct reader *r, const char *dir_path, const char *above,
	const char *server, int depth)
{
	g_autoptr(GDir) dir = depth < DEPTH_MAX ? g_dir_open(dir_path, 0, NULL) : NULL;
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(dir_path, name, NULL);
		g_autofree char *folder = NULL;

		if (name[0] == '.')
			continue;
		if (g_str_has_suffix(name, ".sbd")) {
			g_autofree char *base = g_strndup(name, strlen(name) - 4);

			folder = *above ? g_strdup_printf("%s/%s", above, base) : g_strdup(base);
			boxes_add(r, path, folder, server, depth + 1);
		} else if (!g_str_has_suffix(name, ".msf") && !g_str_has_suffix(name, ".dat")) {
			folder = *above ? g_strdup_printf("%s/%s", above, name) : g_strdup(name);
			box_add(r, path, folder, server);
		}
	}
}

/* --- all of it ------------------------------------------------------------------------------------------- */

static void account(const struct reader *r, const char *id)
{
	const char *server = get(r, "account", id, "server");
	const char *identities = get(r, "account", id, "identities");
	g_autofree char *identity =
		identities ? g_strndup(identities, strcspn(identities, ", ")) : NULL;
	const char *type = server ? get(r, "server", server, "type") : NULL;
	g_autofree char *folder = server ? server_folder(r, server) : NULL;

	if (!type)
		return;
	if (strcmp(type, "pop3") == 0) {
		pop3_account(r, server, identity);
		/* its mail may lie in the inbox of all ("Global Inbox") */
		boxes_add(r, folder, "", server, 0);
	} else if (strcmp(type, "none") == 0) {
		boxes_add(r, folder, "", NULL, 0);
	} else {
		const char *name = get(r, "server", server, "name");

		import_note(r->i->notes, _("account %s is one of %s, not of POP3: left out"),
			name ? name : server, type);
	}
}

int import_thunderbird(struct rs_import *i, const char *path, const char *text, struct rs_err *err)
{
	struct reader r = {.i = i, .profile = g_path_get_dirname(path), .prefs = prefs_parse(text)};
	const char *list = g_hash_table_lookup(r.prefs, "mail.accountmanager.accounts");
	g_auto(GStrv) ids = g_strsplit(list ? list : "", ",", -1);
	int rc = 0;

	for (char **id = ids; *id; id++)
		account(&r, g_strstrip(*id));
	if (!list)
		rc = rs_err_set(err, RS_EINVAL, _("%s lists no accounts"), path);
	g_hash_table_unref(r.prefs);
	g_free(r.profile);
	return rc;
}

/* "*HOST USER", then a line "STATE UID SECONDS" each. State k: kept; d: to be deleted there, and here; b, f: only the
 * header came, so that the whole is still to be fetched. */
void import_popstate(struct rs_import_account *a, const char *text)
{
	bool begun = false;

	for (const char *line = text; *line;) {
		size_t n = strcspn(line, "\r\n");
		size_t uid_n = n > 2 && line[1] == ' ' ? strcspn(line + 2, " \r\n") : 0;
		const char *rest = line + 2 + uid_n + 1;
		uint64_t seconds = 0;

		if (line[0] == '*') {
			begun = true;
		} else if (begun && uid_n && (line[0] == 'k' || line[0] == 'd')) {
			if (rest >= line + n ||
				rs_num_u64(rs_slice(rest, (size_t)(line + n - rest)), G_MAXUINT32,
					&seconds) < 0)
				seconds = 0;
			import_uid(a, line + 2, uid_n, seconds);
		}
		line += n;
		line += strspn(line, "\r\n");
	}
}
