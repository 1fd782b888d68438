/* rules.c - see rules.h */
#include "client/rules.h"

#include <string.h>

#include "base/num.h"
#include "client/header.h"
#include "client/places.h"
#include "client/text.h"

#define TRASH "Trash"

enum part { PART_FROM, PART_TO, PART_SUBJECT, PART_LIST_ID, PART_N };

struct condition {
	enum part part;
	GPatternSpec *pattern;
};

struct rule {
	GArray *conditions; /* struct condition */
	guint64 larger;     /* 0: not asked */
	guint64 smaller;
	char *folder;
	bool seen;
	bool flagged;
};

struct rs_rules {
	GPtrArray *rules; /* struct rule */
};

static void condition_clear(gpointer p)
{
	g_pattern_spec_free(((struct condition *)p)->pattern);
}

static void rule_free(gpointer p)
{
	struct rule *r = p;

	g_array_unref(r->conditions);
	g_free(r->folder);
	g_free(r);
}

void rs_rules_free(struct rs_rules *r)
{
	if (!r)
		return;
	g_ptr_array_unref(r->rules);
	g_free(r);
}

/* --- reading ------------------------------------------------------------------------------------ */

/* Setters return NULL or what is wrong with the value. */

static const char *pattern_set(struct rule *r, enum part part, const char *value)
{
	g_autofree char *folded = g_utf8_casefold(value, -1);
	g_autofree char *around = g_strdup_printf("*%s*", folded);
	struct condition c = {.part = part};

	c.pattern = g_pattern_spec_new(strpbrk(folded, "*?") ? folded : around);
	g_array_append_val(r->conditions, c);
	return NULL;
}

static const char *size_set(guint64 *field, const char *value)
{
	uint64_t v;

	if (rs_num_size(rs_slice_str(value), INT64_MAX, &v) < 0 || v == 0)
		return _("must be a size such as 500k or 20M");
	*field = v;
	return NULL;
}

static const char *folder_set(struct rule *r, const char *value)
{
	g_auto(GStrv) parts = g_strsplit(value, "/", -1);

	for (char **part = parts; *part; part++) {
		if (!**part || **part == '.' || strcmp(*part, "new") == 0 ||
			strcmp(*part, "cur") == 0 || strcmp(*part, "tmp") == 0)
			return _("cannot be a folder: its parts may not be empty, begin with a "
				 "dot, or be "
				 "new, cur or tmp");
	}
	g_free(r->folder);
	r->folder = g_strdup(value);
	return NULL;
}

static const char *mark_set(struct rule *r, const char *value)
{
	g_auto(GStrv) words = g_strsplit(value, ",", -1);

	for (char **word = words; *word; word++) {
		g_strstrip(*word);
		if (strcmp(*word, "seen") == 0)
			r->seen = true;
		else if (strcmp(*word, "flagged") == 0)
			r->flagged = true;
		else
			return _("must be seen, flagged, or both with a comma");
	}
	return NULL;
}

static const char *delete_set(struct rule *r, const char *value)
{
	return strcmp(value, "yes") == 0 ? folder_set(r, TRASH) : _("must be yes");
}

static const char *key_set(struct rule *r, const char *key, const char *value)
{
	static const char *const parts[PART_N] = {"from", "to", "subject", "list-id"};

	if (!*value)
		return _("has no value");
	for (guint i = 0; i < PART_N; i++) {
		if (strcmp(key, parts[i]) == 0)
			return pattern_set(r, (enum part)i, value);
	}
	if (strcmp(key, "larger") == 0)
		return size_set(&r->larger, value);
	if (strcmp(key, "smaller") == 0)
		return size_set(&r->smaller, value);
	if (strcmp(key, "folder") == 0)
		return folder_set(r, value);
	if (strcmp(key, "mark") == 0)
		return mark_set(r, value);
	if (strcmp(key, "delete") == 0)
		return delete_set(r, value);
	return _("is not known: conditions are from, to, subject, list-id, larger, smaller; then "
		 "folder, "
		 "mark, delete");
}

/* NULL, or what is wrong with the line. */
static const char *line_read(struct rs_rules *rules, char *line)
{
	struct rule *last = rules->rules->len ? rules->rules->pdata[rules->rules->len - 1] : NULL;
	char *equals = strchr(line, '=');
	size_t n = strlen(line);
	struct rule *r;

	if (!n || *line == '#' || *line == ';')
		return NULL;
	if (*line == '[' && line[n - 1] == ']') {
		if (rules->rules->len >= RS_RULES_MAX)
			return _("is one rule too many");
		r = g_new0(struct rule, 1);
		r->conditions = g_array_new(FALSE, FALSE, sizeof(struct condition));
		g_array_set_clear_func(r->conditions, condition_clear);
		g_ptr_array_add(rules->rules, r);
		return NULL;
	}
	if (!equals)
		return _("is neither [NAME] nor KEY = VALUE");
	if (!last)
		return _("stands in front of the first [NAME]");
	*equals = '\0';
	return key_set(last, g_strchomp(line), g_strstrip(equals + 1));
}

static const char *incomplete(const struct rule *r)
{
	if (!r->conditions->len && !r->larger && !r->smaller)
		return _("a rule has no condition");
	if (!r->folder && !r->seen && !r->flagged)
		return _("a rule does nothing: give it folder, mark or delete");
	return NULL;
}

int rs_rules_parse(const char *text, const char *name, struct rs_rules **out, struct rs_err *err)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	struct rs_rules *r = g_new0(struct rs_rules, 1);
	const char *why = NULL;
	int rc = 0;

	r->rules = g_ptr_array_new_with_free_func(rule_free);
	for (guint i = 0; lines[i] && rc == 0; i++) {
		g_autofree char *line = g_strstrip(g_strdup(lines[i]));
		g_autofree char *as_it_is = g_strdup(line);

		why = g_utf8_validate(line, -1, NULL) ? line_read(r, line) : _("is not UTF-8");
		if (why)
			rc = rs_err_set(
				err, RS_ECONFIG, "%s:%u: %s: %s", name, i + 1, as_it_is, why);
	}
	for (guint i = 0; i < r->rules->len && rc == 0; i++) {
		why = incomplete(r->rules->pdata[i]);
		if (why)
			rc = rs_err_set(err, RS_ECONFIG, "%s: %u: %s", name, i + 1, why);
	}
	if (rc == 0)
		*out = r;
	else
		rs_rules_free(r);
	return rc;
}

int rs_rules_load(const char *path, struct rs_rules **out, struct rs_err *err)
{
	g_autofree char *text = NULL;
	size_t n = 0;
	int rc = rs_file_read(path, RS_RULES_FILE_MAX, &text, &n, err);

	if (rc == 0 && strlen(text) != n)
		rc = rs_err_set(err, RS_ECONFIG, _("%s is not UTF-8 text"), path);
	return rc < 0 ? rc : rs_rules_parse(text, path, out, err);
}

/* --- applying ------------------------------------------------------------------------------------ */

static char *folded(const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);

	return g_utf8_casefold(valid, -1);
}

static char *part_of(const char *head, gsize n, enum part part)
{
	static const char *const fields[PART_N] = {"From", "To", "Subject", "List-Id"};
	g_autofree char *raw = rs_header_get(head, n, fields[part]);
	g_autofree char *cc = part == PART_TO ? rs_header_get(head, n, "Cc") : NULL;
	g_autofree char *text = NULL;
	g_autofree char *more = cc ? rs_header_addresses(cc) : NULL;
	g_autofree char *both = NULL;

	if (!raw)
		text = g_strdup("");
	else if (part == PART_SUBJECT || part == PART_LIST_ID)
		text = rs_header_text(raw);
	else
		text = rs_header_addresses(raw);
	both = more ? g_strdup_printf("%s, %s", text, more) : NULL;
	return folded(both ? both : text);
}

static bool holds(
	const struct rule *r, char *parts[PART_N], const char *head, gsize n, guint64 size)
{
	if ((r->larger && size <= r->larger) || (r->smaller && size >= r->smaller))
		return false;
	for (guint i = 0; i < r->conditions->len; i++) {
		const struct condition *c = &g_array_index(r->conditions, struct condition, i);

		if (!parts[c->part])
			parts[c->part] = part_of(head, n, c->part);
		if (!g_pattern_spec_match_string(c->pattern, parts[c->part]))
			return false;
	}
	return true;
}

struct rs_verdict rs_rules_apply(const struct rs_rules *r, const char *head, gsize n, guint64 size)
{
	char *parts[PART_N] = {NULL};
	struct rs_verdict v = {.folder = NULL};

	for (guint i = 0; i < r->rules->len; i++) {
		const struct rule *rule = r->rules->pdata[i];

		if (!holds(rule, parts, head, n, size))
			continue;
		v = (struct rs_verdict){
			.folder = rule->folder, .seen = rule->seen, .flagged = rule->flagged};
		break;
	}
	for (guint i = 0; i < PART_N; i++)
		g_free(parts[i]);
	return v;
}
