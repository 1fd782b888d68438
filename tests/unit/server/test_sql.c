/* the query of the configuration as a statement, and the ports of a URI. What a database says is tested with a
 * real one: tests/it/it_sql.py. */
#include "tests/unit/test.h"

#include <glib.h>

#include "server/sql_conn.h"
#include "server/sql_query.h"

static void sql__what_strangers_say_is_a_parameter(void **state)
{
	static const struct {
		const char *query;
		const char *statement; /* NULL: refused */
	} rows[] = {
		{"SELECT p FROM u WHERE a = %u", "SELECT p FROM u WHERE a = $1"},
		{"SELECT p FROM u WHERE a = '%u'", "SELECT p FROM u WHERE a = $1"},
		{"SELECT p WHERE n=%n AND d='%d'", "SELECT p WHERE n=$2 AND d=$3"},
		{"SELECT 'it''s %%', '%u'", "SELECT 'it''s %', $1"},
		{"SELECT a LIKE '%%' || %d", "SELECT a LIKE '%' || $3"},
		{"SELECT '', '%n'", "SELECT '', $2"},
		{"SELECT $1", "SELECT $1"},
		{"SELECT '%u@x'", NULL},
		{"SELECT 'x%u'", NULL},
		{"SELECT %x", NULL},
		{"SELECT 5 %", NULL},
		{"SELECT '%", NULL},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *out = NULL;
		struct rs_err err;
		int rc = rs_sql_statement(rows[i].query, &out, &err);

		assert_int_equal(rc, rows[i].statement ? 0 : -RS_ECONFIG);
		if (rows[i].statement)
			assert_string_equal(out, rows[i].statement);
		else
			assert_non_null(strstr(err.text, "[auth] query"));
	}
}

static void sql__columns_are_the_keys_of_a_user(void **state)
{
	static PGresAttDesc columns[] = {
		{.name = (char *)(uintptr_t) "password", .typid = 25, .typlen = -1},
		{.name = (char *)(uintptr_t) "send_as", .typid = 25, .typlen = -1},
		{.name = (char *)(uintptr_t) "expire", .typid = 25, .typlen = -1},
		{.name = (char *)(uintptr_t) "pop3", .typid = 25, .typlen = -1},
	};
	static const char *const values[] = {
		"{PLAIN}x", "info@example.org,@example.net", "30", "f"};
	PGresult *res = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	struct rs_user *u = NULL;

	assert_true(PQsetResultAttrs(res, G_N_ELEMENTS(columns), columns));
	for (int i = 0; i < (int)G_N_ELEMENTS(columns); i++)
		assert_true(PQsetvalue(
			res, 0, i, (char *)(uintptr_t)values[i], (int)strlen(values[i])));
	assert_int_equal(rs_sql_user(res, "anna@example.org", &u, NULL), 0);
	assert_string_equal(u->senders, values[1]);
	assert_string_equal(u->rules, "\nexpire=30");
	assert_false(u->pop3);
	rs_user_free(u);
	PQclear(res);
}

static void sql__a_uri_tells_its_ports_and_errors_no_password(void **state)
{
	static const struct {
		const char *uri;
		bool known;
		unsigned n;
		uint16_t first;
	} rows[] = {
		{"postgresql://u@h/db", true, 1, 5432},
		{"postgresql://u@h:6432/db", true, 1, 6432},
		{"postgresql://u@[::1]:7/db", true, 1, 7},
		{"postgresql://h1:1,h2:2/db", true, 2, 1},
		{"postgresql:///db", true, 0, 0},
		{"postgresql://u@/db?host=/run/postgresql&port=5", true, 0, 0},
		{"postgresql://u:secret@h:99999/db", false, 0, 0},
		{"postgresql://u:secret@h/db?nonsense=1", false, 0, 0},
	};
	struct rs_sql_target *t = NULL;
	struct rs_err err;

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		uint16_t ports[4] = {0};
		unsigned n;

		assert_int_equal(rs_sql_ports(rows[i].uri, ports, 4, &n), rows[i].known);
		assert_int_equal(n, rows[i].n);
		assert_int_equal(ports[0], rows[i].first);
	}
	assert_int_equal(rs_sql_target_create("postgresql://u:secret@h/db?nonsense=1", &t, &err),
		-RS_ECONFIG);
	assert_null(strstr(err.text, "secret"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sql__what_strangers_say_is_a_parameter),
		cmocka_unit_test(sql__columns_are_the_keys_of_a_user),
		cmocka_unit_test(sql__a_uri_tells_its_ports_and_errors_no_password),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
