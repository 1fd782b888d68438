/* user_name.c - a name as given by a stranger becomes a name that may reach a path. */
#include "server/userdb.h"

#include <string.h>

#include "base/utf8.h"

#define NAME_MAX_N 254u /* RFC 5321 section 4.5.3.1.3: a path without its <> */

int rs_user_name_clean(struct rs_slice given, char out[256])
{
	if (given.n == 0 || given.n > NAME_MAX_N || !rs_utf8_valid(given))
		return -RS_EINVAL;
	for (size_t i = 0; i < given.n; i++) {
		uint8_t c = given.p[i];

		if (c <= 0x20 || c == 0x7f || strchr("/:\\\"%", c))
			return -RS_EINVAL;
		out[i] = g_ascii_tolower((char)c);
	}
	out[given.n] = '\0';
	/* neither part may be a step in a path, or hide itself */
	if (out[0] == '.' || strstr(out, "..") || strstr(out, "@.") || out[0] == '@' ||
		out[given.n - 1] == '@')
		return -RS_EINVAL;
	return 0;
}

int rs_user_mailbox(const struct rs_user *u, const char *pattern, char **out, struct rs_err *err)
{
	g_autoptr(GString) path = NULL;
	const char *at = strchr(u->name, '@');

	if (u->maildir) {
		*out = g_strdup(u->maildir);
		return 0;
	}
	path = g_string_new(NULL);
	for (const char *p = pattern ? pattern : "%u"; *p; p++) {
		if (*p != '%') {
			g_string_append_c(path, *p);
			continue;
		}
		p++;
		if (*p == 'u')
			g_string_append(path, u->name);
		else if (*p == 'n')
			g_string_append_len(
				path, u->name, at ? at - u->name : (gssize)strlen(u->name));
		else if (*p == 'd')
			g_string_append(path, at ? at + 1 : "local");
		else
			return rs_err_set(err, RS_ECONFIG,
				"[store] path: only %%u, %%n and %%d may stand behind a %%");
	}
	*out = g_string_free(g_steal_pointer(&path), FALSE);
	return 0;
}
