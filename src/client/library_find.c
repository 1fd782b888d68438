/* library_find.c - names of messages for people: numbers of the last listing, ids, ranges. */
#include "client/library_priv.h"

#include <string.h>

#include "client/places.h"
#include "client/text.h"

#define LAST_MAX  (64u * 1024 * 1024)
#define RANGE_MAX 100000u

/* Consonants only (catalog.h). */
static const char letters[] = "bcdfghjkmnpqrstvwxz";

/* <data folder>/last-list: a line "ID PATH" for each number. */
static char *last_file(const struct rs_library *l)
{
	return g_build_filename(l->places->data_dir, "last-list", NULL);
}

void rs_library_remember(struct rs_library *l, const GPtrArray *entries)
{
	g_autofree char *file = last_file(l);
	g_autoptr(GString) text = g_string_new(NULL);

	if (!entries->len) /* what was seen before it keeps its numbers */
		return;
	for (guint i = 0; i < entries->len; i++) {
		struct rs_entry *e = entries->pdata[i];

		rs_library_fill(l, e);
		g_string_append_printf(text, "%s %s\n", *e->id ? e->id : "--------",
			e->folder ? e->folder->path : "-");
	}
	(void)g_file_set_contents_full(
		file, text->str, (gssize)text->len, G_FILE_SET_CONTENTS_CONSISTENT, 0600, NULL);
}

/* The lines of the last listing, owned. */
static int last_read(const struct rs_library *l, char ***out, struct rs_err *err)
{
	g_autofree char *file = last_file(l);
	g_autofree char *text = NULL;
	size_t n;

	if (rs_file_read(file, LAST_MAX, &text, &n, err) < 0)
		return rs_err_set(err, RS_ENOENT,
			_("there is no listing that numbers could mean; run: restante list"));
	*out = g_strsplit(text, "\n", -1);
	return 0;
}

/* Folders that were listed by path: ids of their messages are found again. */
static void last_folders_add(struct rs_library *l, char *const *lines)
{
	const char *before = "";

	for (char *const *line = lines; lines && *line; line++) {
		const char *path =
			strlen(*line) > RS_ENTRY_ID_N + 1 ? *line + RS_ENTRY_ID_N + 1 : "";

		if (!g_path_is_absolute(path) || strcmp(path, before) == 0)
			continue;
		before = path;
		(void)library_folder_add(l, path, path);
	}
}

/* Messages whose id begins so, in that folder or (0) all. */
static int by_code(
	struct rs_library *l, const char *code, gint64 folder, GArray **ids, struct rs_err *err)
{
	g_autoptr(GPtrArray) args = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GString) where = g_string_new("m.code >= ?1 AND m.code < ?2");

	g_ptr_array_add(args, g_strdup(code));
	g_ptr_array_add(args, g_strconcat(code, "{", NULL)); /* behind "z" */
	if (folder)
		g_string_append_printf(where, " AND m.folder = %" G_GINT64_FORMAT, folder);
	return rs_catalog_ids(l->catalog, NULL, where->str, args, 0, ids, err);
}

static struct rs_entry *filled(struct rs_library *l, gint64 row)
{
	struct rs_entry *e = library_entry(row);

	rs_library_fill(l, e);
	return e;
}

/* Where it was then; else, when it was moved, where it is. */
static int number_find(struct rs_library *l, char *const *lines, guint64 number,
	struct rs_entry **out, struct rs_err *err)
{
	g_autofree char *shown = g_strdup_printf("%" G_GUINT64_FORMAT, number);
	guint n = g_strv_length((char **)(gsize)lines);
	const char *line = number && number <= n ? lines[number - 1] : "";
	g_autofree char *code = g_strndup(line, RS_ENTRY_ID_N);
	const struct rs_folder *f;
	GArray *ids = NULL;
	int rc;

	if (strlen(line) < RS_ENTRY_ID_N + 2)
		return rs_err_set(err, RS_ENOENT,
			_("the last listing has no number %s; run: restante list"), shown);
	f = library_folder_add(l, line + RS_ENTRY_ID_N + 1, line + RS_ENTRY_ID_N + 1);
	rc = by_code(l, code, f->row, &ids, err);
	if (rc == 0 && !ids->len) {
		g_array_unref(ids);
		rc = by_code(l, code, 0, &ids, err);
	}
	if (rc < 0)
		return rc;
	if (ids->len)
		*out = filled(l, g_array_index(ids, gint64, 0));
	else
		rc = rs_err_set(err, RS_ENOENT,
			_("message %s of the last listing is not there any more"), shown);
	g_array_unref(ids);
	return rc;
}

static int code_find(
	struct rs_library *l, const char *word, struct rs_entry **out, struct rs_err *err)
{
	GArray *ids = NULL;
	guint found;
	int rc;

	if (strlen(word) < RS_ENTRY_ID_MIN || strlen(word) > RS_ENTRY_ID_N ||
		strspn(word, letters) != strlen(word))
		return rs_err_set(err, RS_EINVAL,
			_("'%s' is neither a number of the last listing nor the id of a message"),
			word);
	rc = by_code(l, word, 0, &ids, err);
	if (rc < 0)
		return rc;
	found = ids->len;
	if (found == 1)
		*out = filled(l, g_array_index(ids, gint64, 0));
	g_array_unref(ids);
	if (found == 1)
		return 0;
	if (found)
		return rs_err_set(err, RS_EINVAL,
			_("%u messages have an id that begins with '%s'; give more of it"), found,
			word);
	return rs_err_set(err, RS_ENOENT,
		_("there is no message '%s'; restante list --ids shows which there are"), word);
}

/* --- several -------------------------------------------------------------------------------------------- */

struct finding {
	struct rs_library *l;
	char **lines; /* of the last listing, NULL before it is needed */
	GPtrArray *out;
	GHashTable *rows; /* that are in `out`: each once */
};

static int numbers_add(struct finding *f, guint64 first, guint64 last, struct rs_err *err)
{
	int rc = 0;

	if (!f->lines)
		return last_read(f->l, &f->lines, err);
	for (guint64 i = first; i <= last && rc == 0; i++) {
		struct rs_entry *e = NULL;

		rc = number_find(f->l, f->lines, i, &e, err);
		if (rc == 0 && g_hash_table_add(f->rows, g_memdup2(&e->row, sizeof(e->row))))
			g_ptr_array_add(f->out, e);
		else
			rs_entry_free(e);
	}
	return rc;
}

/* "3", "2-7", an id. */
static int word_add(struct finding *f, const char *word, struct rs_err *err)
{
	char *end = NULL;
	guint64 first = g_ascii_isdigit(*word) ? g_ascii_strtoull(word, &end, 10) : 0;
	guint64 last = first;
	struct rs_entry *e = NULL;
	int rc;

	if (end && *end == '-' && g_ascii_isdigit(end[1]))
		last = g_ascii_strtoull(end + 1, &end, 10);
	if (end && !*end) {
		if (last < first || last - first >= RANGE_MAX)
			return rs_err_set(err, RS_EINVAL,
				_("'%s' is no range of numbers; right is 2-7"), word);
		return numbers_add(f, first, last, err);
	}
	rc = code_find(f->l, word, &e, err);
	if (rc == 0 && g_hash_table_add(f->rows, g_memdup2(&e->row, sizeof(e->row))))
		g_ptr_array_add(f->out, g_steal_pointer(&e));
	rs_entry_free(e);
	return rc;
}

static void entry_free(void *e)
{
	rs_entry_free(e);
}

int rs_library_find_all(
	struct rs_library *l, char *const *words, GPtrArray **out, struct rs_err *err)
{
	struct finding f = {.l = l, .out = g_ptr_array_new_with_free_func(entry_free)};
	int rc;

	(void)last_read(l, &f.lines, NULL);
	last_folders_add(l, f.lines);
	f.rows = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	rc = rs_library_look(l, err);
	for (; rc == 0 && *words; words++) {
		g_auto(GStrv) each = g_strsplit(*words, ",", -1);

		for (char **word = each; rc == 0 && *word; word++)
			rc = word_add(&f, *word, err);
		if (rc == 0 && !*each)
			rc = word_add(&f, "", err);
	}
	g_strfreev(f.lines);
	g_hash_table_unref(f.rows);
	if (rc < 0)
		g_ptr_array_unref(f.out);
	else
		*out = f.out;
	return rc;
}

int rs_library_find(
	struct rs_library *l, const char *word, struct rs_entry **out, struct rs_err *err)
{
	g_autofree char *copy = g_strdup(word);
	char *words[] = {copy, NULL};
	GPtrArray *found = NULL;
	int rc;

	if (strchr(word, ',') || strchr(word, '-'))
		return rs_err_set(err, RS_EINVAL,
			_("'%s' is neither a number of the last listing nor the id of a message"),
			word);
	rc = rs_library_find_all(l, words, &found, err);
	if (rc < 0)
		return rc;
	*out = g_ptr_array_steal_index(found, 0);
	g_ptr_array_unref(found);
	return 0;
}
