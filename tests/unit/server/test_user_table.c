/* a million users: all found, nobody else, and what the table costs beside its file. */
#include "tests/unit/test.h"

#include <glib.h>
#include <glib/gstdio.h>
#include <stdio.h>

#include "server/userdb_table.h"

#define USERS_N 1000000u
#define STEP    997u

struct place {
	char *dir;
	char *file;
};

static int set_up(void **state)
{
	struct place *p = g_new0(struct place, 1);

	p->dir = g_dir_make_tmp("rs-million-XXXXXX", NULL);
	p->file = g_build_filename(p->dir, "users", NULL);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	g_remove(p->file);
	g_remove(p->dir);
	g_free(p->dir);
	g_free(p->file);
	g_free(p);
	return 0;
}

/* Each line says which one it is: in the quota, and every third is disabled. */
static void write_users(const char *file, unsigned n, const char *last)
{
	FILE *f = g_fopen(file, "w");

	assert_non_null(f);
	for (unsigned i = 0; i < n; i++)
		(void)fprintf(f,
			"User%u@d%u.Example.org:$y$j9T$saltsalt$"
			"omXDDdgHjJfqbIo8bxzuKKrXUMXgoahUMnyWdgNq6/5:::::/x:userdb_quota=%uk%s\n",
			i, i % 100, i + 1, i % 3 ? "" : " disabled");
	(void)fputs(last, f);
	assert_int_equal(fclose(f), 0);
}

static void check_user(const struct rs_user_table *t, unsigned i)
{
	g_autofree char *name = g_strdup_printf("user%u@d%u.example.org", i, i % 100);
	g_autofree char *other = g_strdup_printf("user%u@d%u.example.org", i, (i + 1) % 100);
	g_autofree char *rules = g_strdup_printf("\nquota=%uk", i + 1);
	struct rs_user *u = rs_user_table_find(t, name);

	assert_non_null(u);
	assert_string_equal(u->name, name);
	assert_string_equal(u->rules, rules);
	assert_int_equal(u->disabled, i % 3 == 0);
	rs_user_free(u);
	assert_null(rs_user_table_find(t, other));
}

static void table__a_million_users_are_found_and_nobody_else(void **state)
{
	const struct place *p = *state;
	struct rs_user_table *t = NULL;
	struct rs_file_id id;
	struct rs_err err;
	size_t octets;

	write_users(p->file, USERS_N, "");
	assert_int_equal(rs_user_table_read(p->file, &t, &id, &err), 0);
	assert_int_equal(rs_user_table_n(t), USERS_N);
	for (unsigned i = 0; i < USERS_N; i += STEP)
		check_user(t, i);
	check_user(t, USERS_N - 1);
	assert_null(rs_user_table_find(t, "user1000000@d0.example.org"));
	/* the file itself, and at most 32 octets a user */
	octets = rs_user_table_octets(t);
	assert_in_range(octets, (size_t)id.size, (size_t)id.size + 32u * USERS_N);
	rs_user_table_destroy(&t);
	assert_null(t);
}

static void table__a_wrong_line_far_down_is_named(void **state)
{
	const struct place *p = *state;
	struct rs_user_table *t = NULL;
	struct rs_file_id id;
	struct rs_err err;

	write_users(p->file, 20000, "user5@D5.example.ORG:x\n");
	assert_int_equal(rs_user_table_read(p->file, &t, &id, &err), -RS_ECONFIG);
	assert_non_null(strstr(err.text, "users:20001: this user is there already"));
	assert_null(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			table__a_million_users_are_found_and_nobody_else, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			table__a_wrong_line_far_down_is_named, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
