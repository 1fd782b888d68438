/* mailbox.c - see mailbox.h */
#include "server/mailbox.h"

#include <string.h>

#define FOLDER_KEY "folder"

int rs_mailbox_text(const struct rs_user *u, const char *pattern, const char *folder, char **out,
	struct rs_err *err)
{
	g_autofree char *path = NULL;
	int rc = rs_user_mailbox(u, pattern, &path, err);
	bool sub = folder && *folder;

	if (rc < 0)
		return rc;
	if (strchr(path, '\n'))
		return rs_err_set(err, RS_ECONFIG, "a mailbox's path holds no line end");
	*out = g_strconcat(
		path, u->rules ? u->rules : "", sub ? "\n" FOLDER_KEY "=" : NULL, folder, NULL);
	return 0;
}

static const char *parse_line(struct rs_mailbox *m, const char *line)
{
	const char *eq = strchr(line, '=');
	g_autofree char *key = eq ? g_strndup(line, (gsize)(eq - line)) : NULL;

	if (!eq)
		return "is not key=value";
	if (strcmp(key, FOLDER_KEY) != 0)
		return rs_rules_set(&m->rules, key, eq + 1);
	if (!rs_folder_name_ok(rs_slice_str(eq + 1)))
		return "is not a folder's name";
	g_free(m->folder);
	m->folder = g_strdup(eq + 1);
	return NULL;
}

int rs_mailbox_parse(const char *text, const struct rs_rules *defaults, struct rs_mailbox *out,
	struct rs_err *err)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	*out = (struct rs_mailbox){.rules = *defaults, .path = g_strdup(lines[0] ? lines[0] : "")};
	for (char **l = lines[0] ? lines + 1 : lines; *l; l++) {
		const char *why = parse_line(out, *l);

		if (why)
			return rs_err_set(err, RS_EINVAL, "'%s' of a mailbox %s", *l, why);
	}
	rs_rules_within(&out->rules, defaults);
	return 0;
}

void rs_mailbox_finish(struct rs_mailbox *m)
{
	g_free(m->path);
	g_free(m->folder);
	m->path = m->folder = NULL;
}

bool rs_user_name_split(char name[256], char folder[RS_FOLDER_NAME_MAX + 1], bool any)
{
	char *plus = strchr(name, '+');
	char *at = strchr(name, '@');
	struct rs_slice detail;
	bool ok;

	if (!plus || plus == name || (at && plus > at))
		return false;
	detail = rs_slice(plus + 1, at ? (size_t)(at - plus - 1) : strlen(plus + 1));
	ok = rs_folder_name_ok(detail);
	if (!ok && !any)
		return false;
	if (!ok)
		detail.n = 0;
	memcpy(folder, detail.p, detail.n);
	folder[detail.n] = '\0';
	if (at)
		memmove(plus, at, strlen(at) + 1);
	else
		*plus = '\0';
	return true;
}

const char *rs_user_rule_add(struct rs_user *u, const char *key, const char *value)
{
	struct rs_rules r;
	const char *why;
	char *old = u->rules;

	rs_rules_init(&r);
	why = rs_rules_set(&r, key, value);
	if (why)
		return why;
	u->rules = g_strdup_printf("%s\n%s=%s", old ? old : "", key, value);
	g_free(old);
	return NULL;
}
