/* query.c - the reader of queries (query.h): recursive descent over
 *   any  = all { "OR" all }      all = one { ["AND"] one }      one = ["-" | "NOT"] ( "(" any ")" | term ) */
#include "client/query.h"

#include <string.h>

#include "client/catalog.h"
#include "client/text.h"

#define DEPTH_MAX 16u
#define DAY_S     G_GINT64_CONSTANT(86400)

struct reader {
	const char *text;
	const char *at;
	gint64 now_s;
	guint depth;
	guint terms;
	struct rs_err *err;
};

static struct rs_query *read_any(struct reader *r);

static void query_free(void *p)
{
	struct rs_query *q = p;

	rs_query_destroy(&q);
}

void rs_query_destroy(struct rs_query **qp)
{
	struct rs_query *q = *qp;

	if (!q)
		return;
	if (q->parts)
		g_ptr_array_unref(q->parts);
	g_free(q->text);
	g_free(q);
	*qp = NULL;
}

static struct rs_query *query_new(enum rs_query_kind kind)
{
	struct rs_query *q = g_new0(struct rs_query, 1);

	q->kind = kind;
	if (kind == RS_QUERY_AND || kind == RS_QUERY_OR || kind == RS_QUERY_NOT)
		q->parts = g_ptr_array_new_with_free_func(query_free);
	return q;
}

/* NULL, with the place (from 1, in characters) in front of the words. */
static struct rs_query *RS_FORMAT(3, 4)
	wrong(const struct reader *r, const char *at, const char *fmt, ...)
{
	g_autofree char *what = NULL;
	va_list ap;

	va_start(ap, fmt);
	what = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	rs_err_set(r->err, RS_EINVAL, _("the query is not understood at character %ld: %s"),
		g_utf8_pointer_to_offset(r->text, at) + 1, what);
	return NULL;
}

/* --- words ------------------------------------------------------------------------------------------ */

static void blanks_skip(struct reader *r)
{
	while (*r->at && g_unichar_isspace(g_utf8_get_char(r->at)))
		r->at = g_utf8_find_next_char(r->at, NULL);
}

static bool is_end(const char *at)
{
	return !*at || *at == '(' || *at == ')' || *at == '"' ||
	       g_unichar_isspace(g_utf8_get_char(at));
}

/* OR, AND, NOT stand in capitals and alone, so that "or" is a word. */
static bool is_word(const char *at, const char *word)
{
	gsize n = strlen(word);

	return strncmp(at, word, n) == 0 && is_end(at + n);
}

/* Up to a blank, a bracket or a quote; or what stands between quotes. NULL: a quote is not closed. */
static char *read_value(struct reader *r, bool *quoted)
{
	const char *from = r->at;
	const char *end;

	*quoted = *from == '"';
	if (*quoted) {
		end = strchr(from + 1, '"');
		if (!end) {
			(void)wrong(r, from, "%s", _("this quote is not closed"));
			return NULL;
		}
		r->at = end + 1;
		return g_strndup(from + 1, (gsize)(end - from - 1));
	}
	while (!is_end(r->at))
		r->at = g_utf8_find_next_char(r->at, NULL);
	return g_strndup(from, (gsize)(r->at - from));
}

/* What FTS5 makes a token of. */
static bool has_token(const char *text)
{
	for (const char *c = text; *c; c = g_utf8_find_next_char(c, NULL)) {
		gunichar u = g_utf8_get_char(c);

		if (g_unichar_isalnum(u) || g_unichar_type(u) == G_UNICODE_OTHER_NUMBER ||
			g_unichar_type(u) == G_UNICODE_LETTER_NUMBER ||
			g_unichar_type(u) == G_UNICODE_PRIVATE_USE)
			return true;
	}
	return false;
}

static struct rs_query *text_term(
	const struct reader *r, const char *at, const char *where, char *value, bool quoted)
{
	g_autofree char *taken = value;
	gsize n = strlen(value);
	struct rs_query *q;

	if (!has_token(value))
		return wrong(
			r, at, _("'%s' has no letter or digit that could be looked for"), value);
	q = query_new(RS_QUERY_TEXT);
	q->prefix = !quoted && value[n - 1] == '*';
	q->where = where;
	q->text = g_steal_pointer(&taken);
	return q;
}

/* --- dates and sizes ---------------------------------------------------------------------------------- */

static bool digits(const char **at, guint n_min, guint n_max, guint64 *out)
{
	gsize n = strspn(*at, "0123456789");

	if (n < n_min || n > n_max)
		return false;
	*out = g_ascii_strtoull(*at, NULL, 10);
	*at += n;
	return true;
}

static GDateTime *day_of(gint64 s)
{
	g_autoptr(GDateTime) now = g_date_time_new_from_unix_local(s);

	return now ? g_date_time_new_local(g_date_time_get_year(now), g_date_time_get_month(now),
			     g_date_time_get_day_of_month(now), 0, 0, 0)
		   : NULL;
}

/* "7d": so long ago, from the beginning of that day. */
static GDateTime *ago(const char *value, gint64 now_s)
{
	g_autoptr(GDateTime) today = day_of(now_s);
	guint64 n;

	if (!today || !digits(&value, 1, 4, &n) || !*value || value[1])
		return NULL;
	switch (*value) {
	case 'd':
		return g_date_time_add_days(today, -(gint)n);
	case 'w':
		return g_date_time_add_days(today, -(gint)n * 7);
	case 'm':
		return g_date_time_add_months(today, -(gint)n);
	case 'y':
		return n < 1000 ? g_date_time_add_years(today, -(gint)n) : NULL;
	default:
		return NULL;
	}
}

/* YYYY[-MM[-DD]]; *end: the beginning of what follows it. */
static GDateTime *calendar(const char *value, GDateTime **end)
{
	guint64 year;
	guint64 month = 1;
	guint64 day = 1;
	guint parts = 1;
	GDateTime *date;

	if (!digits(&value, 4, 4, &year) || !year)
		return NULL;
	if (*value == '-') {
		value++;
		parts++;
		if (!digits(&value, 1, 2, &month))
			return NULL;
	}
	if (parts == 2 && *value == '-') {
		value++;
		parts++;
		if (!digits(&value, 1, 2, &day))
			return NULL;
	}
	date = *value ? NULL : g_date_time_new_local((gint)year, (gint)month, (gint)day, 0, 0, 0);
	if (date)
		*end = parts == 1   ? g_date_time_add_years(date, 1)
		       : parts == 2 ? g_date_time_add_months(date, 1)
				    : g_date_time_add_days(date, 1);
	return date;
}

static bool date_read(const char *value, gint64 now_s, gint64 *from_s, gint64 *to_s)
{
	g_autoptr(GDateTime) end = NULL;
	g_autoptr(GDateTime) date = calendar(value, &end);

	if (!date && g_ascii_strcasecmp(value, "today") == 0)
		date = day_of(now_s);
	if (!date && g_ascii_strcasecmp(value, "yesterday") == 0)
		date = ago("1d", now_s);
	if (!date)
		date = ago(value, now_s);
	if (!date)
		return false;
	if (!end)
		end = g_date_time_add_days(date, 1);
	*from_s = g_date_time_to_unix(date);
	*to_s = end ? g_date_time_to_unix(end) : *from_s + DAY_S;
	return true;
}

static bool size_read(const char *value, gint64 *out)
{
	guint64 n;
	guint shift = 0;

	if (!digits(&value, 1, 9, &n))
		return false;
	if (*value)
		shift = *value == 'k' || *value == 'K'   ? 10
			: *value == 'm' || *value == 'M' ? 20
			: *value == 'g' || *value == 'G' ? 30
							 : 0;
	if (*value && (!shift || value[1]))
		return false;
	*out = (gint64)(n << shift);
	return true;
}

/* --- terms ------------------------------------------------------------------------------------------------ */

static struct rs_query *number_term(enum rs_query_kind kind, gint64 number)
{
	struct rs_query *q = query_new(kind);

	q->number = number;
	return q;
}

static struct rs_query *date_term(
	const struct reader *r, const char *at, const char *key, const char *value)
{
	struct rs_query *q;
	gint64 from_s;
	gint64 to_s;

	if (!date_read(value, r->now_s, &from_s, &to_s))
		return wrong(r, at,
			_("'%s' is no day; right are 2026-11-25, 2026-11, 2026, today, yesterday, "
			  "7d, 2w, 3m, 1y"),
			value);
	if (strcmp(key, "since") == 0)
		return number_term(RS_QUERY_SINCE, from_s);
	if (strcmp(key, "before") == 0)
		return number_term(RS_QUERY_BEFORE, from_s);
	q = query_new(RS_QUERY_AND);
	g_ptr_array_add(q->parts, number_term(RS_QUERY_SINCE, from_s));
	g_ptr_array_add(q->parts, number_term(RS_QUERY_BEFORE, to_s));
	return q;
}

static struct rs_query *is_term(
	const struct reader *r, const char *at, const char *key, const char *value)
{
	static const struct {
		const char *word;
		guint mask;
		guint wanted;
	} rows[] = {
		{"read", RS_FLAG_SEEN | RS_FLAG_NEW, RS_FLAG_SEEN},
		{"flagged", RS_FLAG_FLAGGED, RS_FLAG_FLAGGED},
		{"unflagged", RS_FLAG_FLAGGED, 0},
		{"answered", RS_FLAG_ANSWERED, RS_FLAG_ANSWERED},
		{"unanswered", RS_FLAG_ANSWERED, 0},
		{"forwarded", RS_FLAG_PASSED, RS_FLAG_PASSED},
		{"draft", RS_FLAG_DRAFT, RS_FLAG_DRAFT},
	};
	struct rs_query *q = NULL;

	(void)key;
	for (gsize i = 0; i < G_N_ELEMENTS(rows) && !q; i++) {
		if (g_ascii_strcasecmp(value, rows[i].word) != 0)
			continue;
		q = number_term(RS_QUERY_FLAGS, rows[i].mask);
		q->other = rows[i].wanted;
	}
	if (!q && g_ascii_strcasecmp(value, "unread") == 0) {
		q = query_new(RS_QUERY_NOT);
		g_ptr_array_add(q->parts, is_term(r, at, "is", "read"));
	}
	if (q)
		return q;
	return wrong(r, at,
		_("is: knows read, unread, flagged, unflagged, answered, unanswered, forwarded and "
		  "draft, not '%s'"),
		value);
}

static struct rs_query *size_term(
	const struct reader *r, const char *at, const char *key, const char *value)
{
	gint64 n;

	if (!size_read(value, &n))
		return wrong(r, at, _("'%s' is no size; right are 500, 20k, 3M, 1G"), value);
	return number_term(strcmp(key, "larger") == 0 ? RS_QUERY_LARGER : RS_QUERY_SMALLER, n);
}

static struct rs_query *has_term(
	const struct reader *r, const char *at, const char *key, const char *value)
{
	(void)key;
	if (g_ascii_strcasecmp(value, "attachment") != 0 &&
		g_ascii_strcasecmp(value, "attachments") != 0)
		return wrong(r, at, _("has: knows attachment, not '%s'"), value);
	return query_new(RS_QUERY_ATTACHED);
}

static struct rs_query *in_term(
	const struct reader *r, const char *at, const char *key, const char *value)
{
	struct rs_query *q = query_new(RS_QUERY_IN);

	(void)r;
	(void)at;
	(void)key;
	q->text = g_strdup(value);
	return q;
}

static const struct key {
	const char *name;
	const char *where; /* a column of FTS5, or */
	struct rs_query *(*read)(
		const struct reader *r, const char *at, const char *key, const char *value);
} keys[] = {
	{"from", "sender", NULL},
	{"to", "receivers", NULL},
	{"cc", "receivers", NULL},
	{"subject", "subject", NULL},
	{"body", "body", NULL},
	{"text", "body", NULL},
	{"file", "files", NULL},
	{"since", NULL, date_term},
	{"before", NULL, date_term},
	{"on", NULL, date_term},
	{"is", NULL, is_term},
	{"has", NULL, has_term},
	{"in", NULL, in_term},
	{"larger", NULL, size_term},
	{"smaller", NULL, size_term},
};

/* The key in front of a colon at `at`; NULL: this is a word. Words with a colon in them that is
 * not behind letters alone (12:30, http://x) are words. */
static bool key_read(struct reader *r, const struct key **out)
{
	gsize n = strspn(r->at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
	g_autofree char *name = g_ascii_strdown(r->at, (gssize)n);
	const char *from = r->at;

	*out = NULL;
	if (!n || from[n] != ':' || g_str_has_prefix(from + n, "://"))
		return true;
	for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
		if (strcmp(name, keys[i].name) != 0)
			continue;
		*out = &keys[i];
		r->at += n + 1;
		return true;
	}
	if (is_end(from + n + 1) && from[n + 1] != '"')
		return true; /* "Re:" */
	(void)wrong(r, from,
		_("there is no '%s:'; there are from: to: cc: subject: body: file: since: before: "
		  "on: is: "
		  "has: in: larger: smaller: (to look for it as it stands, put it in quotes)"),
		name);
	return false;
}

static struct rs_query *read_term(struct reader *r)
{
	const char *from = r->at;
	const struct key *key;
	const char *at;
	g_autofree char *value = NULL;
	bool quoted;

	if (++r->terms > RS_QUERY_TERMS_MAX)
		return wrong(r, from, _("more than %u terms"), RS_QUERY_TERMS_MAX);
	if (!key_read(r, &key))
		return NULL;
	at = r->at;
	if (key && is_end(at) && *at != '"')
		return wrong(r, from, _("behind '%s:' something must follow, without a blank"),
			key->name);
	value = read_value(r, &quoted);
	if (!value)
		return NULL;
	if (key && key->read)
		return key->read(r, at, key->name, value);
	return text_term(r, at, key ? key->where : NULL, g_steal_pointer(&value), quoted);
}

/* --- the grammar ------------------------------------------------------------------------------------------- */

static struct rs_query *negated(struct rs_query *one)
{
	struct rs_query *q;

	if (!one)
		return NULL;
	q = query_new(RS_QUERY_NOT);
	g_ptr_array_add(q->parts, one);
	return q;
}

static struct rs_query *read_brackets(struct reader *r)
{
	const char *from = r->at++;
	struct rs_query *q = read_any(r);

	blanks_skip(r);
	if (q && *r->at != ')') {
		rs_query_destroy(&q);
		return wrong(r, from, "%s", _("this bracket is not closed"));
	}
	r->at += q != NULL;
	return q;
}

static struct rs_query *read_one(struct reader *r)
{
	struct rs_query *q = NULL;

	blanks_skip(r);
	if (++r->depth > DEPTH_MAX)
		return wrong(r, r->at, "%s", _("brackets and negations are nested too deep"));
	if (is_word(r->at, "NOT")) {
		r->at += 3;
		q = negated(read_one(r));
	} else if (*r->at == '-' && !is_end(r->at + 1)) {
		r->at++;
		q = negated(read_one(r));
	} else if (*r->at == '-' && (r->at[1] == '"' || r->at[1] == '(')) {
		r->at++;
		q = negated(read_one(r));
	} else if (*r->at == '(') {
		q = read_brackets(r);
	} else if (!*r->at || *r->at == ')' || is_word(r->at, "OR") || is_word(r->at, "AND")) {
		q = wrong(r, r->at, "%s", _("something to look for is missing here"));
	} else {
		q = read_term(r);
	}
	r->depth--;
	return q;
}

/* One alone stays itself. */
static struct rs_query *joined(
	struct rs_query *left, struct rs_query *right, enum rs_query_kind kind)
{
	struct rs_query *q = left;

	if (!right) {
		rs_query_destroy(&left);
		return NULL;
	}
	if (left->kind != kind) {
		q = query_new(kind);
		g_ptr_array_add(q->parts, left);
	}
	g_ptr_array_add(q->parts, right);
	return q;
}

static struct rs_query *read_all(struct reader *r)
{
	struct rs_query *q = read_one(r);

	for (;;) {
		blanks_skip(r);
		if (!q || !*r->at || *r->at == ')' || is_word(r->at, "OR"))
			return q;
		if (is_word(r->at, "AND"))
			r->at += 3;
		q = joined(q, read_one(r), RS_QUERY_AND);
	}
}

static struct rs_query *read_any(struct reader *r)
{
	struct rs_query *q = read_all(r);

	for (;;) {
		blanks_skip(r);
		if (!q || !is_word(r->at, "OR"))
			return q;
		r->at += 2;
		q = joined(q, read_all(r), RS_QUERY_OR);
	}
}

int rs_query_parse(const char *text, gint64 now_s, struct rs_query **out, struct rs_err *err)
{
	struct rs_err mine;
	struct reader r = {.text = text, .at = text, .now_s = now_s, .err = err ? err : &mine};
	struct rs_query *q;

	if (strlen(text) > RS_QUERY_MAX)
		return rs_err_set(
			err, RS_EINVAL, _("the query is longer than %u octets"), RS_QUERY_MAX);
	if (!g_utf8_validate(text, -1, NULL))
		return rs_err_set(err, RS_EINVAL, _("the query is not valid UTF-8"));
	q = read_any(&r);
	if (q && *r.at) {
		rs_query_destroy(&q);
		(void)wrong(&r, r.at, "%s", _("no bracket was opened for this one"));
	}
	if (!q)
		return -RS_EINVAL;
	*out = q;
	return 0;
}
