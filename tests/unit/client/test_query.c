/* queries: what they mean, and what is said of those that mean nothing. */
#include "tests/unit/test.h"

#include "client/query.h"

#define NOW_S 1795600000 /* in November 2026 */

static char *folder_ids(void *arg, const char *name)
{
	(void)arg;
	return strcmp(name, "Archive") == 0 ? g_strdup("7") : NULL;
}

/* "MATCH | WHERE | ARG, …", or what is wrong. */
static char *meaning(const char *text)
{
	struct rs_query *q = NULL;
	struct rs_query_sql sql;
	struct rs_err err;
	GString *out;

	if (rs_query_parse(text, NOW_S, &q, &err) < 0)
		return g_strdup(err.text);
	if (rs_query_sql(q, folder_ids, NULL, &sql, &err) < 0) {
		rs_query_destroy(&q);
		return g_strdup(err.text);
	}
	out = g_string_new(sql.match ? sql.match : "-");
	g_string_append_printf(out, " | %s", sql.where);
	for (guint i = 0; i < sql.args->len; i++)
		g_string_append_printf(out, " | %s", (char *)sql.args->pdata[i]);
	rs_query_sql_finish(&sql);
	rs_query_destroy(&q);
	return g_string_free(out, FALSE);
}

static void query__words_and_phrases_become_one_expression(void **state)
{
	static const char *const rows[][2] = {
		{"hut", "(\"hut\") | 1"},
		{"hut snow", "(\"hut\") AND (\"snow\") | 1"},
		{"\"the hut\" sn*", "(\"the hut\") AND (\"sn*\" *) | 1"},
		{"from:bert hut", "{sender} : (\"bert\") AND (\"hut\") | 1"},
		{"subject:\"a b\"", "{subject} : (\"a b\") | 1"},
		{"hut OR snow", "((\"hut\") OR (\"snow\")) | 1"},
		{"(hut OR snow) ice", "((\"hut\") OR (\"snow\")) AND (\"ice\") | 1"},
		{"hut AND snow", "(\"hut\") AND (\"snow\") | 1"},
		{"12:30", "(\"12:30\") | 1"},
		{"http://x.example", "(\"http://x.example\") | 1"},
		{"or", "(\"or\") | 1"},
		{"ORder", "(\"ORder\") | 1"},
	};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		g_autofree char *got = meaning(rows[i][0]);

		assert_string_equal(got, rows[i][1]);
	}
}

static void query__umlauts_are_found_in_each_spelling(void **state)
{
	g_autofree char *wide = meaning("Müller");
	g_autofree char *narrow = meaning("mueller");
	g_autofree char *sharp = meaning("strasse");

	(void)state;
	assert_string_equal(wide, "(\"Müller\" OR \"mueller\") | 1");
	assert_string_equal(narrow, "(\"mueller\" OR \"müller\") | 1");
	assert_string_equal(sharp, "(\"strasse\" OR \"straße\") | 1");
}

static void query__properties_become_conditions(void **state)
{
	static const char *const rows[][2] = {
		{"is:read", "- | 1 AND m.flags & 80 = 16"},
		{"is:unread", "- | 1 AND NOT (m.flags & 80 = 16)"},
		{"is:flagged hut", "(\"hut\") | 1 AND m.flags & 2 = 2"},
		{"has:attachment", "- | 1 AND m.attached > 0"},
		{"in:Archive", "- | 1 AND m.folder IN (7)"},
		{"larger:20k", "- | 1 AND m.size > 20480"},
		{"-hut", "- | 1 AND m.id NOT IN (SELECT rowid FROM fts WHERE fts MATCH ?1) | "
			 "(\"hut\")"},
		{"snow -hut", "((\"snow\")) NOT ((\"hut\")) | 1"},
		{"-a snow -(b c)", "((\"snow\")) NOT ((\"a\") OR ((\"b\") AND (\"c\"))) | 1"},
		{"NOT is:flagged", "- | 1 AND NOT (m.flags & 2 = 2)"},
		{"hut OR has:attachment",
			"- | 1 AND (m.id IN (SELECT rowid FROM fts WHERE fts MATCH ?1) OR "
			"m.attached > 0) | (\"hut\")"},
		{"in:Nowhere", "there is no folder 'Nowhere'; restante folder list shows all"},
	};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		g_autofree char *got = meaning(rows[i][0]);

		assert_string_equal(got, rows[i][1]);
	}
}

static gint64 day(const char *text, bool before)
{
	g_autofree char *query = g_strconcat(before ? "before:" : "since:", text, NULL);
	struct rs_query *q = NULL;
	gint64 s;

	assert_int_equal(rs_query_parse(query, NOW_S, &q, NULL), 0);
	assert_int_equal(q->kind, before ? RS_QUERY_BEFORE : RS_QUERY_SINCE);
	s = q->number;
	rs_query_destroy(&q);
	return s;
}

static void query__days_are_days_of_this_place(void **state)
{
	(void)state;
	assert_int_equal(day("2026-11-25", false), 1795564800); /* TZ=UTC, below */
	assert_int_equal(day("2026-11", false), 1793491200);
	assert_int_equal(day("2026", true), 1767225600);
	assert_int_equal(day("today", false), 1795564800);
	assert_int_equal(day("yesterday", false), 1795564800 - 86400);
	assert_int_equal(day("7d", true), 1795564800 - 7 * 86400);
	assert_int_equal(day("2w", false), 1795564800 - 14 * 86400);
	assert_int_equal(day("1y", false), 1764028800);
}

static void query__quotes_in_words_cannot_leave_their_string(void **state)
{
	g_autofree char *got = meaning("a'b from:x\\y;DROP");

	(void)state;
	assert_string_equal(got, "(\"a'b\") AND {sender} : (\"x\\y;DROP\") | 1");
}

static void query__what_is_wrong_is_said_with_its_place(void **state)
{
	static const char *const rows[][2] = {
		{"", "character 1: something to look for is missing"},
		{"hut OR", "character 7: something to look for is missing"},
		{"OR hut", "character 1: something"},
		{"ü (hut", "character 3: this bracket is not closed"},
		{"hut)", "character 4: no bracket was opened"},
		{"\"hut", "character 1: this quote is not closed"},
		{"a fro:bert", "character 3: there is no 'fro:'"},
		{"is:foo", "character 4: is: knows read"},
		{"since:31.12.2026", "character 7: '31.12.2026' is no day"},
		{"since:2026-13", "is no day"},
		{"larger:many", "is no size"},
		{"has:fun", "has: knows attachment"},
		{"from: bert", "character 1: behind 'from:'"},
		{"!!!", "has no letter or digit"},
		{"((((((((((((((((((a))))))))))))))))))", "nested too deep"},
		{"\xff", "not valid UTF-8"},
	};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		struct rs_query *q = NULL;
		struct rs_err err;

		assert_int_equal(rs_query_parse(rows[i][0], NOW_S, &q, &err), -RS_EINVAL);
		assert_null(q);
		if (!strstr(err.text, rows[i][1]))
			fail_msg("%s: %s", rows[i][0], err.text);
	}
}

static void query__ceilings_hold(void **state)
{
	g_autofree char *long_one = g_strnfill(RS_QUERY_MAX + 1, 'a');
	GString *many = g_string_new(NULL);
	struct rs_query *q = NULL;

	(void)state;
	assert_int_equal(rs_query_parse(long_one, NOW_S, &q, NULL), -RS_EINVAL);
	for (guint i = 0; i < RS_QUERY_TERMS_MAX; i++)
		g_string_append(many, "a ");
	assert_int_equal(rs_query_parse(many->str, NOW_S, &q, NULL), 0);
	rs_query_destroy(&q);
	g_string_append(many, "a");
	assert_int_equal(rs_query_parse(many->str, NOW_S, &q, NULL), -RS_EINVAL);
	g_string_free(many, TRUE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(query__words_and_phrases_become_one_expression),
		cmocka_unit_test(query__umlauts_are_found_in_each_spelling),
		cmocka_unit_test(query__properties_become_conditions),
		cmocka_unit_test(query__days_are_days_of_this_place),
		cmocka_unit_test(query__quotes_in_words_cannot_leave_their_string),
		cmocka_unit_test(query__what_is_wrong_is_said_with_its_place),
		cmocka_unit_test(query__ceilings_hold),
	};

	g_setenv("TZ", "UTC", TRUE);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
