/* accounts_file.c - config.ini: lines in, accounts out; and lines changed in place.
 * Why not GKeyFile: it cannot say in which line something is wrong, knows no ';' comments, takes
 * backslashes out of commands, and lets the last of two groups of one name win.
 * A line is blank, a comment (# or ; at its start), [account NAME], or KEY = VALUE; a value goes
 * to the end of its line, nothing in it is special. */
#include "client/account.h"

#include <string.h>
#include <unistd.h>

#include "client/discover.h"
#include "client/places.h"
#include "client/secret_store.h"
#include "client/settings.h"
#include "client/text.h"

#define FILE_MAX (1024u * 1024)

enum line_kind { LINE_EMPTY, LINE_GROUP, LINE_KEY, LINE_BAD };

struct line {
	enum line_kind kind;
	char *name;  /* of the group, of the key */
	char *value; /* KEY only                 */
};

static void line_finish(struct line *l)
{
	g_free(l->name);
	g_free(l->value);
}

static void line_parse(const char *text, struct line *out)
{
	g_autofree char *line = g_strstrip(g_strdup(text));
	char *equals = strchr(line, '=');
	size_t n = strlen(line);

	*out = (struct line){.kind = LINE_BAD};
	if (!n || line[0] == '#' || line[0] == ';') {
		out->kind = LINE_EMPTY;
	} else if (line[0] == '[' && line[n - 1] == ']') {
		out->kind = LINE_GROUP;
		out->name = g_strstrip(g_strndup(line + 1, n - 2));
	} else if (line[0] != '[' && equals && equals != line) {
		out->kind = LINE_KEY;
		out->name = g_strchomp(g_strndup(line, (size_t)(equals - line)));
		out->value = g_strchug(g_strdup(equals + 1));
	}
}

/* NULL when the group is not one of an account. Borrowed from `l`. */
static const char *account_of(const struct line *l)
{
	const char *name = l->name + strlen("account");

	if (!g_str_has_prefix(l->name, "account") || !g_ascii_isspace(*name))
		return NULL;
	while (g_ascii_isspace(*name))
		name++;
	return name;
}

/* Lines of the file without their ends, ended by NULL; a file that is not there has none. */
static int lines_read(const struct rs_places *p, GPtrArray **out, struct rs_err *err)
{
	g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *text = NULL;
	g_auto(GStrv) parts = NULL;
	size_t n = 0;
	int rc = rs_file_read(p->config_file, FILE_MAX, &text, &n, err);

	if (rc < 0 && rc != -RS_ENOENT)
		return rc;
	if (rc == 0 && (strlen(text) != n || !g_utf8_validate(text, -1, NULL)))
		return rs_err_set(err, RS_ECONFIG, _("%s is not UTF-8 text"), p->config_file);
	parts = g_strsplit(
		rc == 0 ? text + (g_str_has_prefix(text, "\xef\xbb\xbf") ? 3 : 0) : "", "\n", -1);
	for (char **part = parts; *part; part++)
		g_ptr_array_add(lines, g_strdup(g_strchomp(*part)));
	while (lines->len && !*(char *)lines->pdata[lines->len - 1])
		g_ptr_array_set_size(lines, (int)lines->len - 1);
	*out = g_steal_pointer(&lines);
	return 0;
}

/* --- reading --------------------------------------------------------------------------------- */

struct reader {
	const char *file;
	guint line_n;                 /* from 1 */
	struct rs_account *account;   /* of the group, NULL before the first; owned by `accounts` */
	char *group;                  /* of settings (settings.h), NULL in one of an account */
	struct rs_settings *settings; /* NULL: they are only checked */
	GHashTable *seen;             /* keys of this group */
	GArray *group_lines;          /* where each account begins */
	GPtrArray *accounts;
	struct rs_err *err;
};

static int bad(const struct reader *r, const char *what, const char *why)
{
	return rs_err_set(r->err, RS_ECONFIG, "%s:%u: %s %s", r->file, r->line_n, what, why);
}

static int group_line(struct reader *r, const struct line *l)
{
	const char *name = account_of(l);
	g_autofree char *what = g_strdup_printf("[%s]", l->name);

	g_clear_pointer(&r->group, g_free);
	if (rs_settings_group(l->name)) {
		r->group = g_strdup(l->name);
		g_hash_table_remove_all(r->seen);
		return 0;
	}
	if (!name || !*name)
		return bad(r, what, _("is not known; write [account NAME] or [discovery]"));
	for (guint i = 0; i < r->accounts->len; i++) {
		if (strcmp(((struct rs_account *)r->accounts->pdata[i])->name, name) == 0)
			return bad(r, what, _("is there twice; remove or rename one of them"));
	}
	r->account = rs_account_new();
	r->account->name = g_strdup(name);
	g_ptr_array_add(r->accounts, r->account);
	g_array_append_val(r->group_lines, r->line_n);
	g_hash_table_remove_all(r->seen);
	return 0;
}

static int settings_line(struct reader *r, const struct line *l)
{
	g_autofree char *what = g_strdup_printf("[%s] %s", r->group, l->name);
	const char *why;

	if (!g_hash_table_add(r->seen, g_strdup(l->name)))
		return bad(r, what, _("is given twice; remove one of them"));
	why = rs_settings_set(r->settings, r->group, l->name, l->value);
	return why ? bad(r, what, why) : 0;
}

static int key_line(struct reader *r, const struct line *l)
{
	g_autofree char *what = NULL;
	struct rs_err why;

	if (r->group)
		return settings_line(r, l);
	if (!r->account)
		return bad(r, l->name, _("stands in front of the first [account NAME]"));
	what = g_strdup_printf("[account %s] %s", r->account->name, l->name);
	if (!g_hash_table_add(r->seen, g_strdup(l->name)))
		return bad(r, what, _("is given twice; remove one of them"));
	if (rs_account_set(r->account, l->name, l->value, &why) == 0)
		return 0;
	if (*l->value && g_strv_contains(rs_account_keys(), l->name)) {
		g_free(what);
		what = g_strdup_printf(
			"[account %s] %s = %s:", r->account->name, l->name, l->value);
	}
	return bad(r, what, why.text);
}

static int read_line(struct reader *r, const char *text)
{
	struct line l;
	int rc = 0;

	line_parse(text, &l);
	switch (l.kind) {
	case LINE_EMPTY:
		break;
	case LINE_GROUP:
		rc = group_line(r, &l);
		break;
	case LINE_KEY:
		rc = key_line(r, &l);
		break;
	case LINE_BAD:
		rc = bad(r, text, _("is neither [account NAME] nor KEY = VALUE"));
		break;
	}
	line_finish(&l);
	return rc;
}

static int read_lines(const struct rs_places *p, struct reader *r, const GPtrArray *lines)
{
	struct rs_err why;
	int rc = 0;

	for (guint i = 0; rc == 0 && i < lines->len; i++) {
		r->line_n = i + 1;
		rc = read_line(r, lines->pdata[i]);
	}
	for (guint i = 0; rc == 0 && i < r->accounts->len; i++) {
		if (rs_account_complete(p, r->accounts->pdata[i], &why) == 0)
			continue;
		rc = rs_err_set(r->err, RS_ECONFIG, "%s:%u: %s", r->file,
			g_array_index(r->group_lines, guint, i), why.text);
	}
	return rc;
}

static void account_free(void *a)
{
	rs_account_free(a);
}

static int load(const struct rs_places *p, struct rs_settings *settings, GPtrArray **out,
	struct rs_err *err)
{
	g_autoptr(GPtrArray) lines = NULL;
	struct reader r = {.file = p->config_file, .settings = settings, .err = err};
	int rc = lines_read(p, &lines, err);

	if (rc < 0)
		return rc;
	r.accounts = g_ptr_array_new_with_free_func(account_free);
	r.seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	r.group_lines = g_array_new(FALSE, FALSE, sizeof(guint));
	rc = read_lines(p, &r, lines);
	g_hash_table_unref(r.seen);
	g_array_unref(r.group_lines);
	g_free(r.group);
	if (rc < 0)
		g_ptr_array_unref(r.accounts);
	else
		*out = r.accounts;
	return rc;
}

int rs_accounts_load(const struct rs_places *p, GPtrArray **out, struct rs_err *err)
{
	return load(p, NULL, out, err);
}

int rs_settings_load(const struct rs_places *p, struct rs_settings *out, struct rs_err *err)
{
	struct rs_settings s = {.isp_database = g_strdup(RS_DISCOVER_DATABASE)};
	g_autoptr(GPtrArray) accounts = NULL;
	int rc = load(p, &s, &accounts, err);

	if (rc < 0)
		rs_settings_finish(&s);
	else
		*out = s;
	return rc;
}

struct rs_account *rs_accounts_find(const GPtrArray *accounts, const char *name)
{
	struct rs_account *found = NULL;

	for (guint i = 0; i < accounts->len; i++) {
		struct rs_account *a = accounts->pdata[i];

		if (strcmp(a->name, name) == 0)
			return a;
	}
	for (guint i = 0; i < accounts->len; i++) {
		struct rs_account *a = accounts->pdata[i];

		if (g_ascii_strcasecmp(a->address, name) != 0)
			continue;
		if (found)
			return NULL;
		found = a;
	}
	return found;
}

/* --- changing -------------------------------------------------------------------------------- */

/* The group's lines from `*from` to in front of `*to`: from its [..] to its last key. Comments
 * behind that belong to the next group. False: no such group. */
static bool group_find(const GPtrArray *lines, const char *name, guint *from, guint *to)
{
	bool found = false;

	for (guint i = 0; i < lines->len; i++) {
		const char *account;
		struct line l;

		line_parse(lines->pdata[i], &l);
		account = l.kind == LINE_GROUP ? account_of(&l) : NULL;
		if (l.kind == LINE_GROUP && found) {
			line_finish(&l);
			break;
		}
		if (account && strcmp(account, name) == 0) {
			found = true;
			*from = i;
			*to = i + 1;
		} else if (found && l.kind != LINE_EMPTY) {
			*to = i + 1;
		}
		line_finish(&l);
	}
	return found;
}

/* Line of the group that holds `key`; 0 when there is none (0 can only be a [..] line). */
static guint key_find(const GPtrArray *lines, guint from, guint to, const char *key, char **value)
{
	guint at = 0;

	for (guint i = from + 1; !at && i < to; i++) {
		struct line l;

		line_parse(lines->pdata[i], &l);
		if (l.kind == LINE_KEY && strcmp(l.name, key) == 0) {
			at = i;
			*value = g_steal_pointer(&l.value);
		}
		line_finish(&l);
	}
	return at;
}

/* Does the text in the file mean the same as `value`? Then the line stays as it was written. */
static bool same_value(const char *key, const char *text, const char *value)
{
	struct rs_account *a = rs_account_new();
	g_autofree char *meant = NULL;

	if (rs_account_set(a, key, text, NULL) == 0)
		meant = rs_account_get(a, key);
	rs_account_free(a);
	return g_strcmp0(meant, value) == 0;
}

static void key_put(GPtrArray *lines, guint from, guint *to, const char *key, const char *value)
{
	g_autofree char *text = NULL;
	guint at = key_find(lines, from, *to, key, &text);

	if (at && value && same_value(key, text, value))
		return;
	if (at) {
		g_ptr_array_remove_index(lines, at);
		(*to)--;
	}
	if (value) {
		g_ptr_array_insert(
			lines, at ? (int)at : (int)*to, g_strdup_printf("%s = %s", key, value));
		(*to)++;
	}
}

static void account_put(const struct rs_places *p, GPtrArray *lines, const struct rs_account *a)
{
	g_autofree char *standard = g_build_filename(p->mail_dir, a->name, NULL);
	guint from;
	guint to;

	if (!group_find(lines, a->name, &from, &to)) {
		if (lines->len)
			g_ptr_array_add(lines, g_strdup(""));
		from = lines->len;
		g_ptr_array_add(lines, g_strdup_printf("[account %s]", a->name));
		to = lines->len;
	}
	for (const char *const *key = rs_account_keys(); *key; key++) {
		g_autofree char *value = rs_account_get(a, *key);

		/* The standard folder is not written, so that the whole can be moved elsewhere. */
		if (strcmp(*key, "maildir") == 0 && g_strcmp0(value, standard) == 0)
			g_clear_pointer(&value, g_free);
		key_put(lines, from, &to, *key, value);
	}
}

static int lines_write(const struct rs_places *p, GPtrArray *lines, struct rs_err *err)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint i = 0; i < lines->len; i++) {
		g_string_append(text, lines->pdata[i]);
		g_string_append_c(text, '\n');
	}
	return rs_file_replace(p->config_file, rs_slice(text->str, text->len), err);
}

int rs_account_save(const struct rs_places *p, const struct rs_account *a, struct rs_err *err)
{
	g_autoptr(GPtrArray) lines = NULL;
	int lock = rs_file_lock(p->config_file, err);
	int rc;

	if (lock < 0)
		return lock;
	rc = lines_read(p, &lines, err);
	if (rc == 0) {
		account_put(p, lines, a);
		rc = lines_write(p, lines, err);
	}
	close(lock);
	return rc;
}

static int group_remove(
	const struct rs_places *p, GPtrArray *lines, const char *name, struct rs_err *err)
{
	guint from;
	guint to;

	if (!group_find(lines, name, &from, &to))
		return rs_err_set(
			err, RS_ENOENT, _("there is no account '%s' in %s"), name, p->config_file);
	while (to < lines->len && !*(char *)lines->pdata[to])
		to++;
	g_ptr_array_remove_range(lines, from, to - from);
	return lines_write(p, lines, err);
}

int rs_account_remove(const struct rs_places *p, const char *name, struct rs_err *err)
{
	g_autoptr(GPtrArray) lines = NULL;
	int lock = rs_file_lock(p->config_file, err);
	int rc;

	if (lock < 0)
		return lock;
	rc = lines_read(p, &lines, err);
	if (rc == 0)
		rc = group_remove(p, lines, name, err);
	if (rc == 0)
		rc = rs_secret_store_forget(p, name, err);
	close(lock);
	return rc;
}
