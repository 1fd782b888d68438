/* the plan of a check, against a real ledger: what is fetched, deleted, marked, and left alone. */
#include "tests/unit/test.h"

#include <glib/gstdio.h>

#include "client/plan.h"

#define NOW_S (1000 * 86400)

struct fixture {
	char *folder;
	char *file;
	struct rs_ledger *ledger;
	struct rs_ledger_table table;
	GArray *listing;
	struct rs_plan plan;
};

static void begin(struct fixture *t)
{
	struct rs_err err;

	*t = (struct fixture){.folder = g_dir_make_tmp("restante-XXXXXX", NULL)};
	assert_non_null(t->folder);
	t->file = g_build_filename(t->folder, "ledger.db", NULL);
	assert_int_equal(rs_ledger_open(t->file, &t->ledger, &err), 0);
	t->listing = g_array_new(FALSE, FALSE, sizeof(struct rs_listed));
}

static void end(struct fixture *t)
{
	g_autofree char *rm = NULL;
	GDir *d;

	rs_plan_finish(&t->plan);
	rs_ledger_table_finish(&t->table);
	rs_ledger_close(&t->ledger);
	g_array_unref(t->listing);
	d = g_dir_open(t->folder, 0, NULL);
	for (const char *name; (name = g_dir_read_name(d));) {
		g_free(rm);
		rm = g_build_filename(t->folder, name, NULL);
		assert_int_equal(g_unlink(rm), 0);
	}
	g_dir_close(d);
	assert_int_equal(g_rmdir(t->folder), 0);
	g_free(t->file);
	g_free(t->folder);
}

static gint64 known(
	struct fixture *t, const char *uid, guint32 occurrence, guint64 size, gboolean hold)
{
	struct rs_ledger_row row = {
		.uid = rs_slice_str(uid), .occurrence = occurrence, .size = size, .hold = hold};
	struct rs_err err;
	gint64 id = 0;

	assert_int_equal(rs_ledger_begin(t->ledger, &err), 0);
	assert_int_equal(rs_ledger_storing(t->ledger, "a", &row, uid, &id, &err), 0);
	assert_int_equal(rs_ledger_state(t->ledger, id, RS_LEDGER_STORED, &err), 0);
	assert_int_equal(rs_ledger_commit(t->ledger, &err), 0);
	return id;
}

static void gone(struct fixture *t, gint64 id, gint64 since_s)
{
	struct rs_err err;

	assert_int_equal(rs_ledger_begin(t->ledger, &err), 0);
	assert_int_equal(rs_ledger_gone(t->ledger, id, since_s, &err), 0);
	assert_int_equal(rs_ledger_commit(t->ledger, &err), 0);
}

static void listed(struct fixture *t, const char *uid, guint64 size)
{
	struct rs_listed m = {.num = t->listing->len + 1, .uid = rs_slice_str(uid), .size = size};

	g_array_append_val(t->listing, m);
}

static void make(struct fixture *t, enum rs_leave leave)
{
	struct rs_err err;

	assert_int_equal(rs_ledger_load(t->ledger, "a", &t->table, &err), 0);
	rs_plan_make(&t->plan, t->listing, &t->table, leave, NOW_S);
}

static void counts(const struct fixture *t, guint fetch, guint remove, guint doubtful)
{
	assert_int_equal(t->plan.fetch->len, fetch);
	assert_int_equal(t->plan.remove->len, remove);
	assert_int_equal(t->plan.doubtful, doubtful);
}

static void plan__a_uid_listed_twice_is_two_messages(void **state)
{
	struct fixture t;

	begin(&t);
	known(&t, "same", 0, 10, FALSE);
	listed(&t, "same", 10);
	listed(&t, "same", 10);
	make(&t, RS_LEAVE_DELETE);
	counts(&t, 1, 1, 0);
	assert_int_equal(g_array_index(t.plan.fetch, guint, 0), 1);
	assert_int_equal(g_array_index(t.plan.remove, struct rs_plan_remove, 0).num, 1);
	end(&t);
}

static void plan__a_known_uid_of_another_size_is_left_alone(void **state)
{
	struct fixture t;

	begin(&t);
	known(&t, "reused", 0, 10, FALSE);
	known(&t, "unsized", 0, UINT64_MAX, FALSE);
	listed(&t, "reused", 11);
	listed(&t, "unsized", 12); /* nothing to compare with is no doubt */
	make(&t, RS_LEAVE_DELETE);
	counts(&t, 0, 1, 1);
	assert_int_equal(g_array_index(t.plan.remove, struct rs_plan_remove, 0).num, 2);
	end(&t);
}

static void plan__a_held_message_and_a_kept_one_are_never_deleted(void **state)
{
	struct fixture t;

	begin(&t);
	known(&t, "short", 0, 10, TRUE);
	listed(&t, "short", 10);
	make(&t, RS_LEAVE_DELETE);
	counts(&t, 0, 0, 0);
	end(&t);
	begin(&t);
	known(&t, "kept", 0, 10, FALSE);
	listed(&t, "kept", 10);
	make(&t, RS_LEAVE_KEEP);
	counts(&t, 0, 0, 0);
	end(&t);
}

static void plan__an_empty_listing_forgets_nothing_before_its_time(void **state)
{
	struct fixture t;
	gint64 lately;
	gint64 old;

	begin(&t);
	(void)known(&t, "now", 0, 10, FALSE);
	lately = known(&t, "lately", 0, 10, FALSE);
	old = known(&t, "old", 0, 10, FALSE);
	gone(&t, lately, NOW_S - RS_LEDGER_KEEP_S);
	gone(&t, old, NOW_S - RS_LEDGER_KEEP_S - 1);
	make(&t, RS_LEAVE_DELETE);
	counts(&t, 0, 0, 0);
	assert_int_equal(t.plan.gone->len, 1);
	assert_int_equal(t.plan.forget->len, 1);
	assert_int_equal(g_array_index(t.plan.forget, gint64, 0), old);
	end(&t);
}

static void plan__what_comes_back_is_known_and_not_fetched(void **state)
{
	struct fixture t;
	gint64 id;

	begin(&t);
	id = known(&t, "back", 0, 10, FALSE);
	gone(&t, id, NOW_S - 5);
	listed(&t, "back", 10);
	listed(&t, "new", 10);
	make(&t, RS_LEAVE_KEEP);
	counts(&t, 1, 0, 0);
	assert_int_equal(t.plan.back->len, 1);
	assert_int_equal(g_array_index(t.plan.back, gint64, 0), id);
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plan__a_uid_listed_twice_is_two_messages),
		cmocka_unit_test(plan__a_known_uid_of_another_size_is_left_alone),
		cmocka_unit_test(plan__a_held_message_and_a_kept_one_are_never_deleted),
		cmocka_unit_test(plan__an_empty_listing_forgets_nothing_before_its_time),
		cmocka_unit_test(plan__what_comes_back_is_known_and_not_fetched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
