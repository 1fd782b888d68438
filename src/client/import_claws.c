/* import_claws.c - Claws Mail and Sylpheed: accountrc (a section an account) and uidl/SERVER-USER: a line UID, tab,
 * seconds, and with Claws a tab and whether it came whole (0). */
#include "client/import_priv.h"

#include <string.h>

#include "base/num.h"
#include "client/text.h"

#define TIME_MIN 100000000u /* smaller ones are marks, not times */

static guint number(const struct import_section *s, const char *key)
{
	const char *text = import_ini_get(s, key);
	uint32_t v = 0;

	return text && rs_num_u32(rs_slice_str(text), G_MAXINT32, &v) == 0 ? v : 0;
}

static enum rs_security security(guint ssl)
{
	return ssl == 1 ? RS_SECURITY_TLS : ssl == 2 ? RS_SECURITY_STARTTLS : RS_SECURITY_NONE;
}

static void receiving(struct rs_import_account *a, const struct import_section *s)
{
	const char *host = import_ini_get(s, "receive_server");

	import_server(a, "pop3", host,
		import_ini_true(s, "set_popport", false) ? number(s, "pop_port") : 0);
	import_security(a, "security", host, security(number(s, "ssl_pop")));
	import_set(a, "user", import_ini_get(s, "user_id"));
	import_set(a, "address", import_ini_get(s, "address"));
	if (import_ini_true(s, "remove_mail", true)) {
		guint hours =
			number(s, "message_leave_time") * 24 + number(s, "message_leave_hour");
		g_autofree char *policy =
			hours ? g_strdup_printf("days=%u", MAX(1u, (hours + 23) / 24))
			      : g_strdup("delete");

		import_set(a, "leave", policy);
	}
	if (import_ini_true(s, "enable_size_limit", false) && number(s, "size_limit")) {
		g_autofree char *size = g_strdup_printf("%uk", number(s, "size_limit"));

		import_set(a, "size-limit", size);
	}
}

static void sending(struct rs_import_account *a, const struct import_section *s)
{
	const char *host = import_ini_get(s, "smtp_server");
	const char *user = import_ini_get(s, "smtp_user_id");

	if (!host || !*host)
		return;
	import_server(a, "smtp", host,
		import_ini_true(s, "set_smtpport", false) ? number(s, "smtp_port") : 0);
	import_security(a, "smtp-security", host, security(number(s, "ssl_smtp")));
	if (import_ini_true(s, "use_smtp_auth", false))
		import_set(a, "smtp-user", user && *user ? user : import_ini_get(s, "user_id"));
}

/* Sylpheed keeps it as it is; Claws keeps it elsewhere, enciphered. */
static void password(struct rs_import_account *a, const struct import_section *s)
{
	const char *text = import_ini_get(s, "password");

	if (text && *text && *text != '!' && *text != '{')
		import_password(a, text);
}

/* Each program and version puts '_' for other characters. */
static bool same_name(const char *file, const char *name)
{
	for (; *file && *name; file++, name++) {
		if (*file != *name && (*file != '_' || g_ascii_isalnum(*name)))
			return false;
	}
	return *file == *name;
}

static void uids_read(struct rs_import_account *a, const char *base)
{
	g_autofree char *folder = g_build_filename(base, "uidl", NULL);
	g_autofree char *want =
		g_strdup_printf("%s-%s", a->account->pop3_host ? a->account->pop3_host : "",
			a->account->pop3_user ? a->account->pop3_user : "");
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	const char *name;

	a->uids_file = g_build_filename(folder, want, NULL);
	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *file = g_build_filename(folder, name, NULL);
		g_autofree char *text = NULL;
		gsize n;

		if (!same_name(name, want))
			continue;
		text = import_state_read(a, file, &n);
		if (text)
			import_claws_uidl(a, text);
	}
}

int import_claws(struct rs_import *i, const char *path, const char *text, struct rs_err *err)
{
	struct import_ini *ini = import_ini_parse(text, false);
	g_autofree char *base = g_path_get_dirname(path);

	for (guint n = 0; n < ini->sections->len; n++) {
		const struct import_section *s = ini->sections->pdata[n];
		const char *name = import_ini_get(s, "account_name");
		struct rs_import_account *a;

		if (!g_str_has_prefix(s->name, "Account: "))
			continue;
		if (number(s, "protocol") > 1 || !import_ini_get(s, "receive_server")) {
			import_note(i->notes, _("account '%s' is not of POP3: left out"),
				name ? name : s->name);
			continue;
		}
		a = import_account_add(i);
		receiving(a, s);
		sending(a, s);
		password(a, s);
		uids_read(a, base);
	}
	import_ini_free(ini);
	return 0;
}

void import_claws_uidl(struct rs_import_account *a, const char *text)
{
	for (const char *line = text; *line;) {
		size_t n = strcspn(line, "\n");
		size_t uid_n = strcspn(line, "\t\r\n");
		const char *rest = line + uid_n + (line[uid_n] == '\t');
		size_t time_n = strcspn(rest, "\t\r\n");
		const char *part = rest + time_n + (rest[time_n] == '\t');
		uint64_t seconds = 0;

		if (rs_num_u64(rs_slice(rest, time_n), G_MAXUINT32, &seconds) < 0 ||
			seconds < TIME_MIN)
			seconds = 0;
		/* what came in part only is to come whole now */
		if (part >= line + n || strcspn(part, "\t\r\n") == 0 ||
			(*part == '0' && strcspn(part, "\t\r\n") == 1))
			import_uid(a, line, uid_n, seconds);
		line += n + (line[n] != '\0');
	}
}
