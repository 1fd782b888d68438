/* import_getmail.c - getmail's configuration and its oldmail-SERVER-PORT-USER files: a line UID, NUL, seconds. */
#include "client/import_priv.h"

#include <string.h>

#include "base/num.h"
#include "client/text.h"

/* ("program", "argument", …) as Python writes a tuple: its strings. g_strfreev it. */
static char **tuple(const char *text)
{
	GPtrArray *out = g_ptr_array_new();

	while (text && *text) {
		const char *sign = text + strcspn(text, "\"'");
		g_autoptr(GString) word = g_string_new(NULL);
		const char *at;

		if (!*sign)
			break;
		for (at = sign + 1; *at && *at != *sign; at++) {
			if (*at == '\\' && at[1])
				at++;
			g_string_append_c(word, *at);
		}
		g_ptr_array_add(out, g_strdup(word->str));
		text = *at ? at + 1 : at;
	}
	g_ptr_array_add(out, NULL);
	return (char **)g_ptr_array_free(out, FALSE);
}

/* The same for a shell. g_free it. */
static char *command(const char *program, const char *arguments)
{
	g_auto(GStrv) words = tuple(arguments);
	g_autoptr(GString) line = g_string_new(NULL);

	if (program) {
		g_autofree char *quoted = g_shell_quote(program);

		g_string_append(line, quoted);
	}
	for (char **word = words; *word; word++) {
		g_autofree char *quoted = g_shell_quote(*word);

		g_string_append_printf(line, "%s%s", line->len ? " " : "", quoted);
	}
	return g_string_free(g_steal_pointer(&line), FALSE);
}

static const struct import_section *section(const struct import_ini *ini, const char *name)
{
	for (guint i = 0; i < ini->sections->len; i++) {
		const struct import_section *s = ini->sections->pdata[i];

		if (strcmp(s->name, name) == 0)
			return s;
	}
	return NULL;
}

static void destination(
	struct rs_import_account *a, const struct import_section *s, const char *base)
{
	const char *type = import_ini_get(s, "type");
	const char *path = import_ini_get(s, "path");

	if (type && path && strcmp(type, "Maildir") == 0) {
		g_autofree char *folder = import_path(path, base);
		size_t n = strlen(folder);

		if (n > 1 && folder[n - 1] == '/')
			folder[n - 1] = '\0';
		import_set(a, "maildir", folder);
	} else if (type && path && strcmp(type, "MDA_external") == 0 && !strchr(path, '%')) {
		const char *arguments = import_ini_get(s, "arguments");
		g_autofree char *line = command(path, arguments);
		g_autofree char *target = g_strconcat("mda:", line, NULL);

		if (arguments && strchr(arguments, '%'))
			import_note(a->notes,
				_("its delivery command has places for addresses, which are not "
				  "filled here; new mail goes into a folder"));
		else
			import_set(a, "deliver-to", target);
	} else if (type) {
		import_note(a->notes,
			_("getmail put new mail into %s %s; here it goes into a folder"), type,
			path ? path : "");
	}
}

static void leave(struct rs_import_account *a, const struct import_section *s)
{
	const char *after = import_ini_get(s, "delete_after");
	uint32_t days = 0;

	if (import_ini_true(s, "delete", false)) {
		import_set(a, "leave", "delete");
	} else if (after && rs_num_u32(rs_slice_str(after), RS_POLICY_DAYS_MAX, &days) == 0 &&
		   days) {
		g_autofree char *policy = g_strdup_printf("days=%u", days);

		import_set(a, "leave", policy);
	}
	if (import_ini_get(s, "delete_bigger_than") &&
		strcmp(import_ini_get(s, "delete_bigger_than"), "0") != 0)
		import_note(a->notes, _("delete_bigger_than is not taken over"));
}

static char *oldmail_name(const char *server, guint port, const char *user)
{
	char *name = g_strdup_printf("oldmail-%s-%u-%s", server, port, user);
	char *to = name;

	for (const char *at = name; *at; at++) { /* several in a row become one */
		bool odd = strchr("/\\:;<>|", *at) != NULL;

		if (!odd || at == name || !strchr("/\\:;<>|", at[-1]))
			*to++ = odd ? '-' : *at;
	}
	*to = '\0';
	return name;
}

static void retriever(
	struct rs_import_account *a, const struct import_section *s, bool tls, const char *base)
{
	const char *server = import_ini_get(s, "server");
	const char *user = import_ini_get(s, "username");
	const char *port_text = import_ini_get(s, "port");
	const char *password_command = import_ini_get(s, "password_command");
	uint32_t port = 0;

	if (port_text && rs_num_u32(rs_slice_str(port_text), 65535, &port) < 0)
		port = 0;
	import_server(a, "pop3", server, port);
	import_security(a, "security", server, tls ? RS_SECURITY_TLS : RS_SECURITY_NONE);
	import_set(a, "user", user);
	if (user && strchr(user, '@'))
		import_set(a, "address", user);
	import_password(a, import_ini_get(s, "password"));
	if (password_command) {
		g_autofree char *line = command(NULL, password_command);

		import_set(a, "password-command", line);
	}
	if (import_ini_get(s, "ca_certs")) {
		g_autofree char *file = import_path(import_ini_get(s, "ca_certs"), base);

		import_set(a, "ca-file", file);
	}
	a->oauth2 = import_ini_true(s, "use_xoauth2", false);
	if (server && user) {
		g_autofree char *name = oldmail_name(server, port ? port : (tls ? 995 : 110), user);
		g_autofree char *file = g_build_filename(base, name, NULL);
		g_autofree char *text = NULL;
		gsize n;

		text = import_state_read(a, file, &n);
		if (text)
			import_oldmail(a, text, n);
	}
}

int import_getmail(struct rs_import *i, const char *path, const char *text, struct rs_err *err)
{
	struct import_ini *ini = import_ini_parse(text, true);
	const struct import_section *s = section(ini, "retriever");
	const char *type = import_ini_get(s, "type");
	g_autofree char *base = g_path_get_dirname(path);
	struct rs_import_account *a;
	int rc = 0;

	if (!type) {
		rc = rs_err_set(err, RS_ECONFIG, _("%s has no [retriever] with a type"), path);
	} else if (!strstr(type, "POP3")) {
		import_note(i->notes, _("%s: %s is not POP3: left out"), path, type);
	} else {
		a = import_account_add(i);
		retriever(a, s, strstr(type, "SSL") != NULL, base);
		destination(a, section(ini, "destination"), base);
		leave(a, section(ini, "options"));
		if (section(ini, "filter-1") || section(ini, "filter"))
			import_note(a->notes, _("its filters are not taken over"));
	}
	import_ini_free(ini);
	return rc;
}

void import_oldmail(struct rs_import_account *a, const char *text, gsize n)
{
	for (gsize at = 0; at < n;) {
		const char *line = text + at;
		const char *end = memchr(line, '\n', n - at);
		gsize line_n = end ? (gsize)(end - line) : n - at;
		const char *nul = memchr(line, '\0', line_n);
		uint64_t seconds = 0;

		if (nul) {
			struct rs_slice number =
				rs_slice_trim(rs_slice(nul + 1, line_n - (gsize)(nul + 1 - line)));

			if (number.n && number.p[number.n - 1] == '\r')
				number.n--;
			if (rs_num_u64(number, G_MAXUINT32, &seconds) < 0)
				seconds = 0;
			import_uid(a, line, (gsize)(nul - line), seconds);
		}
		at += line_n + 1;
	}
}
