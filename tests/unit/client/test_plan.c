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
	guint64 size_limit;
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

static gint64 known_in(struct fixture *t, const char *uid, guint64 size, enum rs_ledger_state state,
	gint64 stored_s)
{
	struct rs_ledger_new row = {
		.uid = rs_slice_str(uid), .size = size, .stored_s = (guint32)stored_s, .file = uid};
	struct rs_err err;
	gint64 id = 0;

	assert_int_equal(rs_ledger_begin(t->ledger, &err), 0);
	assert_int_equal(rs_ledger_storing(t->ledger, "a", &row, &id, &err), 0);
	assert_int_equal(rs_ledger_state(t->ledger, id, state, &err), 0);
	assert_int_equal(rs_ledger_commit(t->ledger, &err), 0);
	return id;
}

static gint64 known(
	struct fixture *t, const char *uid, guint32 occurrence, guint64 size, gboolean hold)
{
	struct rs_ledger_new row = {.uid = rs_slice_str(uid),
		.occurrence = occurrence,
		.size = size,
		.hold = hold,
		.stored_s = NOW_S - 100,
		.file = uid};
	struct rs_err err;
	gint64 id = 0;

	assert_int_equal(rs_ledger_begin(t->ledger, &err), 0);
	assert_int_equal(rs_ledger_storing(t->ledger, "a", &row, &id, &err), 0);
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
	struct rs_listed m = {.num = t->listing->len + 1,
		.uid_p = (const uint8_t *)uid,
		.uid_n = (guint32)strlen(uid),
		.size = size};

	g_array_append_val(t->listing, m);
}

static struct rs_policy policy(const char *text)
{
	struct rs_policy p;

	assert_null(rs_policy_parse(text, &p));
	return p;
}

static void make_changed(struct fixture *t, const char *before, const char *now)
{
	struct rs_plan_in in = {.listing = t->listing,
		.whole = TRUE,
		.table = &t->table,
		.policy = policy(now),
		.before = policy(before),
		.size_limit = t->size_limit,
		.now_s = NOW_S};
	struct rs_err err;

	if (!t->table.rows)
		assert_int_equal(rs_ledger_load(t->ledger, "a", &t->table, &err), 0);
	rs_plan_finish(&t->plan);
	rs_plan_make(&t->plan, &in);
}

static void make(struct fixture *t, const char *now)
{
	make_changed(t, now, now);
}

static void counts(const struct fixture *t, guint fetch, guint remove, guint doubtful)
{
	assert_int_equal(t->plan.fetch->len, fetch);
	assert_int_equal(t->plan.remove->len, remove);
	assert_int_equal(t->plan.verify->len, doubtful);
}

static guint fetched(const struct fixture *t, guint i)
{
	return g_array_index(t->plan.fetch, struct rs_plan_fetch, i).listed;
}

static void plan__a_uid_listed_twice_is_two_messages(void **state)
{
	struct fixture t;

	begin(&t);
	known(&t, "same", 0, 10, FALSE);
	listed(&t, "same", 10);
	listed(&t, "same", 10);
	make(&t, "delete");
	counts(&t, 1, 1, 0);
	assert_int_equal(fetched(&t, 0), 1);
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
	make(&t, "delete");
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
	make(&t, "delete");
	counts(&t, 0, 0, 0);
	end(&t);
	begin(&t);
	known(&t, "kept", 0, 10, FALSE);
	listed(&t, "kept", 10);
	make(&t, "keep");
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
	make(&t, "delete");
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
	make(&t, "keep");
	counts(&t, 1, 0, 0);
	assert_int_equal(t.plan.back->len, 1);
	assert_int_equal(g_array_index(t.plan.back, gint64, 0), id);
	end(&t);
}

/* The numbers of messages that go at once, and those that wait, as one text: "1 2 | 5". */
static char *going(const struct fixture *t)
{
	GString *s = g_string_new(NULL);

	for (guint i = 0; i < t->plan.remove->len; i++)
		g_string_append_printf(
			s, "%u ", g_array_index(t->plan.remove, struct rs_plan_remove, i).num);
	for (guint i = 0; i < t->plan.fetch->len; i++) {
		const struct rs_plan_fetch *f =
			&g_array_index(t->plan.fetch, struct rs_plan_fetch, i);

		if (f->remove)
			g_string_append_printf(s, "+%u ", f->listed + 1);
	}
	g_string_append_c(s, '|');
	for (guint i = 0; i < t->plan.waiting->len; i++)
		g_string_append_printf(
			s, " %u", g_array_index(t->plan.waiting, struct rs_plan_remove, i).num);
	return g_string_free(s, FALSE);
}

static void here(struct fixture *t, const char *uid, enum rs_here where, gint64 missed_s)
{
	struct rs_ledger_row *row = rs_ledger_find(&t->table, rs_slice_str(uid), 0);

	assert_non_null(row);
	row->here = (guint)where & 3u;
	row->missed_s = (guint32)missed_s;
}

/* Six messages of 100 octets: 1 is 20 days here, 2 ten, 3 two, 4 an hour; 5 is held, 6 is new. 2 is in another
 * folder since the last check, 3 in none, 1 was in none for the first time now. */
static void plan__rules_of_the_policy_and_their_combinations(void **state)
{
	static const struct {
		const char *before;
		const char *now;
		const char *going;
	} rows[] = {
		{"keep", "keep", "|"},
		{"delete", "delete", "1 2 3 4 +6 |"},
		{"delete,grace=5d", "delete,grace=5d", "1 2 |"},
		{"delete,grace=1h", "delete,grace=1h", "1 2 3 4 |"},
		{"days=10", "days=10", "1 2 |"},
		{"days=11", "days=11", "1 |"},
		{"days=2,grace=15d", "days=2,grace=15d", "1 |"},
		{"newest=2", "newest=2", "1 2 3 4 |"}, /* 5 and 6 are the newest two */
		{"newest=5", "newest=5", "1 |"},
		{"newest=6", "newest=6", "|"},
		{"newest=1", "newest=1", "1 2 3 4 |"}, /* 5 is held */
		{"quota=600", "quota=600", "|"},
		{"quota=599", "quota=599", "1 |"},
		{"quota=300", "quota=300", "1 2 3 |"},
		{"quota=1", "quota=1", "1 2 3 4 +6 |"},
		{"quota=1,grace=1d", "quota=1,grace=1d", "1 2 3 |"},
		{"days=20,quota=500", "days=20,quota=500", "1 |"}, /* what goes anyhow makes room */
		{"days=20,quota=400", "days=20,quota=400", "1 2 |"},
		{"until-deleted", "until-deleted", "3 |"},
		{"until-moved", "until-moved", "2 3 |"},
		{"until-deleted,days=20", "until-deleted,days=20", "1 3 |"},
		{"until-moved,grace=5d", "until-moved,grace=5d", "2 |"},
		/* changed since the last check: only what both say goes, the rest waits */
		{"keep", "delete", "| 1 2 3 4 6"},
		{"days=20", "days=10", "1 | 2"},
		{"days=10", "days=20", "1 |"},
		{"delete", "keep", "|"},
		{"delete", "newest=5", "1 |"},
		{"until-deleted", "until-moved", "3 | 2"},
	};
	struct fixture t;

	begin(&t);
	known_in(&t, "d", 100, RS_LEDGER_STORED, NOW_S - 20 * 86400);
	known_in(&t, "c", 100, RS_LEDGER_STORED, NOW_S - 10 * 86400);
	known_in(&t, "b", 100, RS_LEDGER_STORED, NOW_S - 2 * 86400);
	known_in(&t, "a", 100, RS_LEDGER_DELETING, NOW_S - 3600);
	known(&t, "held", 0, 100, TRUE);
	for (const char *const *uid =
			(const char *const[]){"d", "c", "b", "a", "held", "new", NULL};
		*uid; uid++)
		listed(&t, *uid, 100);
	make(&t, "keep");
	here(&t, "d", RS_HERE_NOWHERE, NOW_S);
	here(&t, "c", RS_HERE_ELSEWHERE, NOW_S - 60);
	here(&t, "b", RS_HERE_NOWHERE, NOW_S - 60);
	here(&t, "a", RS_HERE_INBOX, 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		g_autofree char *got = NULL;

		make_changed(&t, rows[i].before, rows[i].now);
		got = going(&t);
		print_message("# %s, then %s: %s\n", rows[i].before, rows[i].now, got);
		assert_string_equal(got, rows[i].going);
	}
	end(&t);
}

static void plan__a_quota_without_all_sizes_deletes_nothing(void **state)
{
	struct fixture t;

	begin(&t);
	known(&t, "a", 0, 100, FALSE);
	known(&t, "b", 0, 100, FALSE);
	listed(&t, "a", 100);
	listed(&t, "b", UINT64_MAX);
	make(&t, "quota=1");
	counts(&t, 0, 0, 0);
	end(&t);
}

static void plan__bad_and_large_messages_wait_and_are_not_deleted(void **state)
{
	struct fixture t;
	struct rs_ledger_new failed = {.uid = rs_slice_str("bad"), .size = 100};
	struct rs_ledger_new later = {.uid = rs_slice_str("later"), .size = 100};
	struct rs_err err;

	begin(&t);
	t.size_limit = 1000;
	assert_int_equal(rs_ledger_begin(t.ledger, &err), 0);
	assert_int_equal(
		rs_ledger_not_stored(t.ledger, "a", &failed, RS_LEDGER_FAILED, "no", NOW_S, &err),
		0);
	assert_int_equal(rs_ledger_not_stored(
				 t.ledger, "a", &later, RS_LEDGER_FAILED, "no", NOW_S + 1, &err),
		0);
	assert_int_equal(rs_ledger_commit(t.ledger, &err), 0);
	known_in(&t, "large", 1001, RS_LEDGER_SKIPPED, 0);
	known_in(&t, "wanted", 1001, RS_LEDGER_WANTED, 0);
	listed(&t, "bad", 100);
	listed(&t, "later", 100);
	listed(&t, "large", 1001);
	listed(&t, "wanted", 1001);
	listed(&t, "larger", 5000);
	listed(&t, "fits", 1000);
	make(&t, "delete");
	counts(&t, 3, 0, 0);
	assert_int_equal(fetched(&t, 0), 3);
	assert_int_equal(fetched(&t, 1), 5);
	assert_int_equal(fetched(&t, 2), 0); /* the bad one behind the others */
	assert_int_equal(t.plan.failed_n, 1);
	assert_int_equal(t.plan.skipped_n, 2);
	assert_int_equal(t.plan.skip->len, 1);
	t.size_limit = 0; /* the limit was taken away: all are fetched */
	make(&t, "delete");
	counts(&t, 5, 0, 0);
	end(&t);
}

static void plan__all_new_uids_leave_all_known_ones_missing(void **state)
{
	struct fixture t;

	begin(&t);
	known(&t, "a", 0, 10, FALSE);
	known(&t, "b", 0, 20, FALSE);
	listed(&t, "x", 10);
	listed(&t, "y", 20);
	make(&t, "delete");
	counts(&t, 2, 0, 0);
	assert_true(t.plan.vanished);
	assert_int_equal(t.plan.missing->len, 2);
	end(&t);
}

static void plan__a_listing_in_disorder_is_put_in_order(void **state)
{
	struct fixture t;

	begin(&t);
	listed(&t, "z", 10);
	listed(&t, "y", 10);
	g_array_index(t.listing, struct rs_listed, 0).num = 7;
	make(&t, "newest=1");
	counts(&t, 2, 0, 0);
	assert_int_equal(g_array_index(t.listing, struct rs_listed, 0).num, 2);
	assert_true(g_array_index(t.plan.fetch, struct rs_plan_fetch, 0).remove);
	assert_false(g_array_index(t.plan.fetch, struct rs_plan_fetch, 1).remove);
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
		cmocka_unit_test(plan__rules_of_the_policy_and_their_combinations),
		cmocka_unit_test(plan__a_quota_without_all_sizes_deletes_nothing),
		cmocka_unit_test(plan__bad_and_large_messages_wait_and_are_not_deleted),
		cmocka_unit_test(plan__all_new_uids_leave_all_known_ones_missing),
		cmocka_unit_test(plan__a_listing_in_disorder_is_put_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
