/* query_sql.c - a query as FTS5 and SQL. Words that must all fit drive the search (FTS5 gives newest first);
 * everything else is a condition. Texts of the person are always bound or quoted. */
#include <string.h>

#include "client/catalog.h"
#include "client/query.h"
#include "client/text.h"

#define ID_BITS 20 /* of the catalog's ids, below the date */

struct writer {
	struct rs_query_sql *out;
	GString *words;    /* that must be there      */
	GString *unwanted; /* words, one of them must not */
	GString *where;
	rs_query_folder folder;
	void *arg;
	struct rs_err *err;
};

static int condition(struct writer *w, const struct rs_query *q, GString *to);

/* --- FTS5 -------------------------------------------------------------------------------------------- */

static void quoted(GString *to, const char *text, bool prefix)
{
	g_string_append_c(to, '"');
	for (const char *c = text; *c; c++) {
		if (*c == '"')
			g_string_append_c(to, '"');
		g_string_append_c(to, *c);
	}
	g_string_append(to, prefix ? "\" *" : "\"");
}

/* With each `from` become `to`; NULL where there is none. */
static char *replaced(const char *text, const char *const (*pairs)[2], gsize n)
{
	GString *s = g_string_new(text);
	guint count = 0;

	for (gsize i = 0; i < n; i++)
		count += g_string_replace(s, pairs[i][0], pairs[i][1], 0);
	return g_string_free(s, count == 0);
}

/* The other ways to write it: Mueller, Müller; Straße, Strasse. */
static void variants(GString *to, const char *text, bool prefix)
{
	static const char *const wide[][2] = {{"ä", "ae"}, {"ö", "oe"}, {"ü", "ue"}, {"ß", "ss"}};
	static const char *const narrow[][2] = {{"ae", "ä"}, {"oe", "ö"}, {"ue", "ü"}};
	static const char *const sharp[][2] = {{"ss", "ß"}};
	static const char *const both[][2] = {{"ae", "ä"}, {"oe", "ö"}, {"ue", "ü"}, {"ss", "ß"}};
	g_autofree char *lower = g_utf8_strdown(text, -1);
	char *forms[] = {replaced(lower, wide, G_N_ELEMENTS(wide)),
		replaced(lower, narrow, G_N_ELEMENTS(narrow)),
		replaced(lower, sharp, G_N_ELEMENTS(sharp)),
		replaced(lower, both, G_N_ELEMENTS(both))};

	g_string_append_c(to, '(');
	quoted(to, text, prefix);
	for (gsize i = 0; i < G_N_ELEMENTS(forms); i++) {
		bool told = !forms[i];

		for (gsize k = 0; k < i && !told; k++)
			told = g_strcmp0(forms[k], forms[i]) == 0;
		if (told)
			continue;
		g_string_append(to, " OR ");
		quoted(to, forms[i], prefix);
	}
	for (gsize i = 0; i < G_N_ELEMENTS(forms); i++)
		g_free(forms[i]);
	g_string_append_c(to, ')');
}

/* Only words, and negations beside words. */
static bool is_text(const struct rs_query *q)
{
	if (q->kind == RS_QUERY_TEXT)
		return true;
	if (q->kind != RS_QUERY_AND && q->kind != RS_QUERY_OR)
		return false;
	for (guint i = 0; i < q->parts->len; i++) {
		if (!is_text(q->parts->pdata[i]))
			return false;
	}
	return true;
}

static void match(const struct rs_query *q, GString *to)
{
	if (q->kind == RS_QUERY_TEXT) {
		if (q->where)
			g_string_append_printf(to, "{%s} : ", q->where);
		variants(to, q->text, q->prefix);
		return;
	}
	g_string_append_c(to, '(');
	for (guint i = 0; i < q->parts->len; i++) {
		if (i)
			g_string_append(to, q->kind == RS_QUERY_AND ? " AND " : " OR ");
		match(q->parts->pdata[i], to);
	}
	g_string_append_c(to, ')');
}

/* --- conditions ------------------------------------------------------------------------------------------ */

static void text_condition(struct writer *w, const struct rs_query *q, GString *to)
{
	GString *words = g_string_new(NULL);

	match(q, words);
	g_ptr_array_add(w->out->args, g_string_free(words, FALSE));
	g_string_append_printf(
		to, "m.id IN (SELECT rowid FROM fts WHERE fts MATCH ?%u)", w->out->args->len);
}

static int folder_condition(struct writer *w, const struct rs_query *q, GString *to)
{
	g_autofree char *ids = w->folder(w->arg, q->text);

	if (!ids)
		return rs_err_set(w->err, RS_ENOENT,
			_("there is no folder '%s'; restante folder list shows all"), q->text);
	g_string_append_printf(to, "m.folder IN (%s)", ids);
	return 0;
}

static int list_condition(struct writer *w, const struct rs_query *q, GString *to)
{
	int rc = 0;

	if (q->kind == RS_QUERY_NOT)
		g_string_append(to, "NOT ");
	g_string_append_c(to, '(');
	for (guint i = 0; i < q->parts->len && rc == 0; i++) {
		if (i)
			g_string_append(to, q->kind == RS_QUERY_OR ? " OR " : " AND ");
		rc = condition(w, q->parts->pdata[i], to);
	}
	g_string_append_c(to, ')');
	return rc;
}

static int condition(struct writer *w, const struct rs_query *q, GString *to)
{
	const gint64 n = q->number;

	if (is_text(q)) {
		text_condition(w, q, to);
		return 0;
	}
	switch (q->kind) {
	case RS_QUERY_AND:
	case RS_QUERY_OR:
	case RS_QUERY_NOT:
		return list_condition(w, q, to);
	case RS_QUERY_FLAGS:
		g_string_append_printf(
			to, "m.flags & %" G_GINT64_FORMAT " = %" G_GINT64_FORMAT, n, q->other);
		return 0;
	case RS_QUERY_ATTACHED:
		g_string_append(to, "m.attached > 0");
		return 0;
	case RS_QUERY_SINCE:
		g_string_append_printf(to, "m.id >= %" G_GINT64_FORMAT, MAX(n, 0) << ID_BITS);
		return 0;
	case RS_QUERY_BEFORE:
		g_string_append_printf(to, "m.id < %" G_GINT64_FORMAT, MAX(n, 0) << ID_BITS);
		return 0;
	case RS_QUERY_LARGER:
		g_string_append_printf(to, "m.size > %" G_GINT64_FORMAT, n);
		return 0;
	case RS_QUERY_SMALLER:
		g_string_append_printf(to, "m.size < %" G_GINT64_FORMAT, n);
		return 0;
	case RS_QUERY_IN:
		return folder_condition(w, q, to);
	case RS_QUERY_TEXT:
		break; /* is_text */
	}
	return 0;
}

/* One of those that must all fit: words, and words that must not be there, drive the search. */
static int conjunct(struct writer *w, const struct rs_query *q)
{
	bool unwanted = q->kind == RS_QUERY_NOT && is_text(q->parts->pdata[0]);

	if (is_text(q)) {
		if (w->words->len)
			g_string_append(w->words, " AND ");
		match(q, w->words);
		return 0;
	}
	if (unwanted) {
		if (w->unwanted->len)
			g_string_append(w->unwanted, " OR ");
		match(q->parts->pdata[0], w->unwanted);
		return 0;
	}
	g_string_append(w->where, " AND ");
	return condition(w, q, w->where);
}

/* FTS5 has no search for what is not there: without words it becomes a condition. */
static void unwanted_take(struct writer *w)
{
	if (w->unwanted->len && w->words->len) {
		g_string_prepend_c(w->words, '(');
		g_string_append_printf(w->words, ") NOT (%s)", w->unwanted->str);
	} else if (w->unwanted->len) {
		g_ptr_array_add(w->out->args, g_strdup(w->unwanted->str));
		g_string_append_printf(w->where,
			" AND m.id NOT IN (SELECT rowid FROM fts WHERE fts MATCH ?%u)",
			w->out->args->len);
	}
	g_string_free(w->unwanted, TRUE);
}

int rs_query_sql(const struct rs_query *q, rs_query_folder folder, void *arg,
	struct rs_query_sql *out, struct rs_err *err)
{
	struct writer w = {.out = out,
		.words = g_string_new(NULL),
		.unwanted = g_string_new(NULL),
		.where = g_string_new("1"),
		.folder = folder,
		.arg = arg,
		.err = err};
	int rc = 0;

	*out = (struct rs_query_sql){.args = g_ptr_array_new_with_free_func(g_free)};
	if (q->kind == RS_QUERY_AND) {
		for (guint i = 0; i < q->parts->len && rc == 0; i++)
			rc = conjunct(&w, q->parts->pdata[i]);
	} else {
		rc = conjunct(&w, q);
	}
	unwanted_take(&w);
	out->where = g_string_free(w.where, FALSE);
	out->match = g_string_free(w.words, w.words->len == 0);
	if (rc < 0)
		rs_query_sql_finish(out);
	return rc;
}

void rs_query_sql_finish(struct rs_query_sql *s)
{
	g_clear_pointer(&s->match, g_free);
	g_clear_pointer(&s->where, g_free);
	if (s->args)
		g_ptr_array_unref(s->args);
	s->args = NULL;
}
