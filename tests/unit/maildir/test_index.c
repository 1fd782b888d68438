/* What a session sees of a folder must not depend on whether an index was there: after any change by
 * anybody, a maildrop opened with the index of the last session has the same table as one that is
 * opened without. */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/index.h"
#include "maildir/intent.h"
#include "maildir/maildrop.h"
#include "maildir/recent.h"
#include "maildir/rows.h"

#define FIRST_N 90u /* more than the least that an index is kept for */

struct folder {
	char *root;
	GPtrArray *files; /* "cur/name" */
	GRand *rand;
	guint made;
};

static char *path_of(const struct folder *f, const char *file)
{
	return g_build_filename(f->root, file, NULL);
}

static void put(struct folder *f, bool in_new, bool ours)
{
	guint n = f->made++;
	gsize size = (gsize)g_rand_int_range(f->rand, 1, 300);
	g_autofree char *body = g_strnfill(size - 1, 'x');
	g_autofree char *text = g_strdup_printf("%s\n", body);
	guint seconds = 1700000000 + (guint)g_rand_int_range(f->rand, 0, 400);
	g_autofree char *name =
		ours ? g_strdup_printf("%s/%u.M%06uP7Q%uR%08x.host,S=%zu,W=%zu",
			       in_new ? "new" : "cur", seconds, n, n, n, size, size + 1)
		     : g_strdup_printf("%s/%u.V%u.other%s", in_new ? "new" : "cur", seconds, n,
			       n % 3 ? "" : ",S=4");
	g_autofree char *path = path_of(f, name);

	assert_true(g_file_set_contents(path, text, (gssize)size, NULL));
	g_ptr_array_add(f->files, g_steal_pointer(&name));
}

static void setup(struct folder *f, guint32 seed)
{
	f->root = g_dir_make_tmp("rs-index-XXXXXX", NULL);
	f->files = g_ptr_array_new_with_free_func(g_free);
	f->rand = g_rand_new_with_seed(seed);
	f->made = 0;
	for (guint i = 0; i < 3; i++) {
		g_autofree char *sub = path_of(f, (const char *[]){"tmp", "new", "cur"}[i]);

		assert_int_equal(g_mkdir(sub, 0700), 0);
	}
	for (guint i = 0; i < FIRST_N; i++)
		put(f, i % 5 == 0, i % 7 != 0);
}

static void teardown(struct folder *f)
{
	const char *argv[] = {"rm", "-rf", f->root, NULL};

	assert_true(g_spawn_sync(NULL, (char **)(uintptr_t)argv, NULL, G_SPAWN_SEARCH_PATH, NULL,
		NULL, NULL, NULL, NULL, NULL));
	g_free(f->root);
	g_ptr_array_unref(f->files);
	g_rand_free(f->rand);
}

static void remove_index(const struct folder *f)
{
	g_autofree char *path = path_of(f, RS_INDEX_NAME);

	(void)g_unlink(path);
}

/* The table as text: size and UID a line. */
static char *look_at(struct rs_maildrop *d)
{
	GString *text = g_string_new(NULL);

	for (uint32_t i = 0; i < rs_drop_n(rs_maildrop_table(d)); i++) {
		struct rs_slice uid = rs_drop_uid(rs_maildrop_table(d), i);
		int fd = rs_maildrop_read_open(d, i, NULL);

		g_string_append_printf(text, "%u %u %.*s\n", i,
			(unsigned)rs_drop_octets(rs_maildrop_table(d), i), (int)uid.n,
			(const char *)uid.p);
		if (fd >= 0)
			close(fd);
		else
			g_string_append_printf(text, "cannot be opened: %d\n", fd);
	}
	rs_maildrop_destroy(&d);
	return g_string_free(text, FALSE);
}

static char *look(const struct folder *f)
{
	struct rs_maildrop *d = NULL;
	struct rs_err err;

	assert_int_equal(rs_maildrop_open(rs_fs_posix(), f->root, &d, &err), 0);
	return look_at(d);
}

static void same_with_and_without(const struct folder *f)
{
	g_autofree char *with = look(f);
	g_autofree char *again = look(f);
	g_autofree char *without = NULL;

	assert_string_equal(with, again);
	remove_index(f);
	without = look(f);
	assert_string_equal(with, without);
	assert_null(strstr(with, "cannot"));
}

/* One change as a program beside us would make it. */
static void change(struct folder *f)
{
	guint at = f->files->len ? (guint)g_rand_int_range(f->rand, 0, (int)f->files->len) : 0;
	char **file = f->files->len ? (char **)&g_ptr_array_index(f->files, at) : NULL;
	g_autofree char *from = file ? path_of(f, *file) : NULL;
	g_autofree char *to = NULL;
	char *name;

	switch (g_rand_int_range(f->rand, 0, 6)) {
	case 0:
	case 1:
		put(f, true, true);
		return;
	case 2:
		put(f, g_rand_boolean(f->rand), false);
		return;
	case 3: /* deleted */
		if (file) {
			assert_int_equal(g_unlink(from), 0);
			g_ptr_array_remove_index_fast(f->files, at);
		}
		return;
	default: /* seen: moved to cur/, or other flags */
		if (!file || strstr(*file, ":2,RS"))
			return;
		name = g_strdup_printf("cur/%.*s:2,%s", (int)strcspn(*file + 4, ":"), *file + 4,
			strchr(*file, ':') ? "RS" : "S");
		to = path_of(f, name);
		assert_int_equal(g_rename(from, to), 0);
		g_free(*file);
		*file = name;
	}
}

/* Every third message has a UID of another server, in an order that is not that of the names. */
static void import(const struct folder *f)
{
	g_autofree char *path = path_of(f, "restante.uidl");
	g_autoptr(GString) text = g_string_new("restante-uidl 1\n");
	guint count = 0;

	for (guint i = f->files->len; i > 0; i -= MIN(i, 3)) {
		const char *base = (const char *)g_ptr_array_index(f->files, i - 1) + 4;
		int n = (int)strcspn(base, ":");
		g_autofree char *file = path_of(f, g_ptr_array_index(f->files, i - 1));
		GStatBuf st;

		assert_int_equal(g_stat(file, &st), 0);
		g_string_append_printf(text, "%u %u taken-%u %d %.*s\n", (guint)st.st_size + 1,
			(guint)st.st_size, i, n, n, base);
		count++;
	}
	g_string_append_printf(text, "end %u\n", count);
	assert_true(g_file_set_contents(path, text->str, -1, NULL));
}

static void any_change__is_seen_so_with_imported_uids_too(void **state)
{
	for (guint32 seed = 21; seed <= 23; seed++) {
		struct folder f;

		setup(&f, seed);
		import(&f);
		for (guint i = 0; i < 40; i++) {
			for (int k = g_rand_int_range(f.rand, 0, 4); k > 0; k--)
				change(&f);
			g_free(look(&f)); /* leaves an index */
			change(&f);
			same_with_and_without(&f);
		}
		teardown(&f);
	}
}

/* What came is merged into the index where names are ours, imported UIDs or not: nothing is read for it. */
static void new_mail__is_merged_behind_imported_rows(void **state)
{
	struct folder f;
	struct rs_maildir *m = NULL;
	struct rs_maildir_list *l = NULL;
	struct rs_index old;
	struct rs_index merged;
	g_autofree char *before = NULL;

	setup(&f, 77);
	import(&f);
	before = look(&f);
	assert_int_equal(rs_maildir_open(rs_fs_posix(), f.root, 0, &m, NULL), 0);
	assert_int_equal(rs_index_load(m, &old), 0);
	assert_int_equal(old.head->imported, FIRST_N / 3);
	put(&f, true, true);
	assert_int_equal(rs_maildir_scan(m, &l, NULL), 0);
	assert_true(rs_rows_carry(&old, l, &merged));
	assert_int_equal(merged.head->rows_n, FIRST_N + 1);
	assert_int_equal(merged.head->imported, FIRST_N / 3);
	assert_true(rs_slice_eq_str(rs_drop_uid(&merged.table, 0), "taken-90"));
	rs_index_finish(&old);
	rs_index_finish(&merged);
	rs_maildir_list_destroy(&l);
	rs_maildir_destroy(&m);
	same_with_and_without(&f);
	teardown(&f);
}

/* A webmail marks all as seen: names change, messages do not. */
static void other_flags__are_followed_without_reading(void **state)
{
	struct folder f;
	struct rs_maildir *m = NULL;
	struct rs_maildir_list *l = NULL;
	struct rs_index old;
	struct rs_index merged;
	g_autofree char *before = NULL;
	g_autofree char *after = NULL;

	setup(&f, 78);
	import(&f);
	before = look(&f);
	assert_int_equal(rs_maildir_open(rs_fs_posix(), f.root, 0, &m, NULL), 0);
	assert_int_equal(rs_index_load(m, &old), 0);
	for (guint i = 0; i < f.files->len; i++) {
		char **file = (char **)&g_ptr_array_index(f.files, i);
		g_autofree char *from = path_of(&f, *file);
		char *name = g_strdup_printf("cur/%s:2,S", *file + 4);
		g_autofree char *to = path_of(&f, name);

		assert_int_equal(g_rename(from, to), 0);
		g_free(*file);
		*file = name;
	}
	assert_int_equal(rs_maildir_scan(m, &l, NULL), 0);
	assert_true(rs_rows_carry(&old, l, &merged));
	assert_int_equal(merged.head->rows_n, FIRST_N);
	for (uint32_t i = 0; i < FIRST_N; i++) {
		assert_true(g_str_has_suffix(rs_index_name(&merged, i), ":2,S"));
		assert_true(rs_slice_eq(rs_drop_uid(&merged.table, i), rs_drop_uid(&old.table, i)));
	}
	rs_index_finish(&old);
	rs_index_finish(&merged);
	rs_maildir_list_destroy(&l);
	rs_maildir_destroy(&m);
	after = look(&f);
	assert_string_equal(before, after);
	same_with_and_without(&f);
	teardown(&f);
}

static void any_change__is_seen_with_an_index_as_without(void **state)
{
	for (guint32 seed = 1; seed <= 8; seed++) {
		struct folder f;

		setup(&f, seed);
		for (guint i = 0; i < 40; i++) {
			for (int k = g_rand_int_range(f.rand, 0, 4); k > 0; k--)
				change(&f);
			g_free(look(&f)); /* leaves an index */
			change(&f);
			same_with_and_without(&f);
		}
		teardown(&f);
	}
}

static void quiet_folder__is_not_read_again(void **state)
{
	struct folder f;
	struct rs_maildir *m = NULL;
	struct rs_index x;
	g_autofree char *first = NULL;
	g_autofree char *second = NULL;

	setup(&f, 99);
	g_usleep(300000); /* until its times can be told from the next change */
	first = look(&f);
	assert_int_equal(rs_maildir_open(rs_fs_posix(), f.root, 0, &m, NULL), 0);
	assert_int_equal(rs_index_load(m, &x), 0);
	assert_true(rs_stamp_known(&x.head->cur) && rs_stamp_known(&x.head->new));
	/* a lie in the index would be told: so it is what is looked at */
	((struct rs_drop_row *)(uintptr_t)x.table.rows)[0].octets += 1;
	((struct rs_drop_head *)(uintptr_t)x.table.head)->octets += 1;
	((struct rs_drop_head *)(uintptr_t)x.table.head)->ascii += 1;
	rs_index_save(m, &x);
	rs_index_finish(&x);
	rs_maildir_destroy(&m);
	second = look(&f);
	assert_string_not_equal(first, second);
	teardown(&f);
}

static void spoilt_index__is_as_good_as_none(void **state)
{
	struct folder f;
	g_autofree char *want = NULL;
	g_autofree char *path = NULL;
	char *octets = NULL;
	gsize n = 0;

	setup(&f, 7);
	g_usleep(300000);
	want = look(&f);
	path = path_of(&f, RS_INDEX_NAME);
	assert_true(g_file_get_contents(path, &octets, &n, NULL));
	for (gsize at = 0; at < n; at += 101) {
		g_autofree char *got = NULL;

		octets[at] = (char)(octets[at] ^ 0x40);
		assert_true(g_file_set_contents(
			path, octets, (gssize)(at % 2 ? n : n - at % 50), NULL));
		octets[at] = (char)(octets[at] ^ 0x40);
		got = look(&f);
		assert_string_equal(got, want);
	}
	g_free(octets);
	teardown(&f);
}

static void imported_uids__stand_above_an_older_index(void **state)
{
	struct folder f;
	g_autofree char *before = NULL;
	g_autofree char *after = NULL;
	g_autofree char *list = NULL;
	g_autofree char *text = NULL;
	const char *base;

	setup(&f, 11);
	g_usleep(300000);
	before = look(&f);
	base = (const char *)g_ptr_array_index(f.files, 3) + 4;
	text = g_strdup_printf(
		"restante-uidl 1\n5 4 imported-one %zu %s\nend 1\n", strlen(base), base);
	list = path_of(&f, "restante.uidl");
	assert_true(g_file_set_contents(list, text, -1, NULL));
	after = look(&f);
	assert_non_null(strstr(after, "0 "));
	assert_non_null(strstr(after, " imported-one\n"));
	assert_true(strstr(after, "imported-one") < strchr(after, '\n')); /* and its place: first */
	same_with_and_without(&f);
	teardown(&f);
}

/* --- two messages that would have the same UID -------------------------------------------------- */

#define UNIQUE "1699999999.M000001P1Q1R00000001.host"

static void put_named(const struct folder *f, const char *name, const char *text)
{
	g_autofree char *path = path_of(f, name);

	assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void drop_named(const struct folder *f, const char *name)
{
	g_autofree char *path = path_of(f, name);

	assert_int_equal(g_unlink(path), 0);
}

/* UID of the message with so many octets as sent (1000 and more: only ours here); g_free. */
static char *uid_of(const struct folder *f, uint64_t octets)
{
	struct rs_maildrop *d = NULL;
	char *uid = NULL;

	assert_int_equal(rs_maildrop_open(rs_fs_posix(), f->root, &d, NULL), 0);
	for (uint32_t i = 0; i < rs_drop_n(rs_maildrop_table(d)); i++) {
		struct rs_slice u = rs_drop_uid(rs_maildrop_table(d), i);

		if (rs_drop_octets(rs_maildrop_table(d), i) != octets)
			continue;
		assert_null(uid);
		uid = g_strndup((const char *)u.p, u.n);
	}
	rs_maildrop_destroy(&d);
	assert_non_null(uid);
	return uid;
}

static void uid_is(const struct folder *f, uint64_t octets, const char *want)
{
	g_autofree char *with = uid_of(f, octets);
	g_autofree char *without = NULL;

	assert_string_equal(with, want);
	remove_index(f);
	without = uid_of(f, octets);
	assert_string_equal(without, want);
}

static void uid__of_a_message_that_was_there_first_is_not_given_to_its_twin(void **state)
{
	struct folder f;
	g_autofree char *twin = NULL;
	g_autofree char *all = NULL;

	setup(&f, 41);
	put_named(&f, "new/" UNIQUE ",S=5000,W=5001", "x\n");
	uid_is(&f, 5001, UNIQUE);
	g_free(look(&f));                                     /* a session whose index is kept */
	put_named(&f, "new/" UNIQUE ",S=4000,W=4001", "y\n"); /* stands before it by name */
	all = look(&f);
	assert_non_null(strstr(all, "5001 " UNIQUE "\n"));
	twin = uid_of(&f, 4001);
	assert_string_not_equal(twin, UNIQUE);
	uid_is(&f, 5001, UNIQUE);
	drop_named(&f, "new/" UNIQUE ",S=5000,W=5001");
	uid_is(&f, 4001, twin);
	teardown(&f);
}

static void uid__of_twins_that_came_together_is_nobodys(void **state)
{
	struct folder f;
	g_autofree char *one = NULL;
	g_autofree char *other = NULL;

	setup(&f, 42);
	put_named(&f, "cur/" UNIQUE ",S=4000,W=4001:2,S", "x\n");
	put_named(&f, "cur/" UNIQUE ",S=5000,W=5001:2,S", "y\n");
	one = uid_of(&f, 4001);
	other = uid_of(&f, 5001);
	assert_string_not_equal(one, UNIQUE);
	assert_string_not_equal(other, UNIQUE);
	drop_named(&f, "cur/" UNIQUE ",S=4000,W=4001:2,S");
	uid_is(&f, 5001, other);
	teardown(&f);
}

static void uid__that_was_imported_is_not_given_to_who_has_it_as_a_name(void **state)
{
	struct folder f;
	g_autofree char *own = NULL;

	setup(&f, 43);
	put_named(&f, "cur/1699999998.other", "x\n");
	put_named(&f, "restante.uidl",
		"restante-uidl 1\n6001 6000 " UNIQUE " 16 1699999998.other\nend 1\n");
	put_named(&f, "new/" UNIQUE ",S=5000,W=5001", "x\n");
	own = uid_of(&f, 5001);
	assert_string_not_equal(own, UNIQUE);
	uid_is(&f, 6001, UNIQUE);
	drop_named(&f, "cur/1699999998.other");
	uid_is(&f, 5001, own);
	teardown(&f);
}

/* --- small folders: kept in memory (recent.h) ----------------------------------------------- */

static void small(struct folder *f, guint32 seed)
{
	setup(f, seed);
	while (f->files->len > 20) {
		g_autofree char *path = path_of(f, g_ptr_array_index(f->files, 20));

		assert_int_equal(g_unlink(path), 0);
		g_ptr_array_remove_index_fast(f->files, 20);
	}
}

/* So that what it looks like now is kept. */
static char *look_when_quiet(const struct folder *f)
{
	g_usleep(300000); /* until its times can be told from the next change */
	return look(f);
}

static bool quick(const struct folder *f, char **text)
{
	struct rs_maildrop *d = NULL;

	if (!rs_maildrop_open_quick(f->root, &d))
		return false;
	*text = look_at(d);
	return true;
}

static void small_folder__is_opened_from_memory_while_it_stands(void **state)
{
	struct folder f;
	struct rs_maildrop *d = NULL;
	g_autofree char *first = NULL;
	g_autofree char *again = NULL;
	g_autofree char *none = NULL;
	g_autofree char *record = NULL;

	small(&f, 31);
	assert_false(quick(&f, &none));
	first = look_when_quiet(&f);
	record = path_of(&f, RS_INDEX_NAME);
	assert_false(g_file_test(record, G_FILE_TEST_EXISTS));
	assert_true(quick(&f, &again));
	assert_string_equal(first, again);
	/* somebody has it */
	assert_true(rs_maildrop_open_quick(f.root, &d));
	assert_false(quick(&f, &none));
	rs_maildrop_destroy(&d);
	/* a QUIT of before is to be finished */
	g_free(record);
	record = path_of(&f, RS_INTENT_NAME);
	assert_true(g_file_set_contents(record, "", 0, NULL));
	assert_false(quick(&f, &none));
	assert_int_equal(g_unlink(record), 0);
	/* imported UIDs */
	import(&f);
	assert_false(quick(&f, &none));
	none = look(&f);
	assert_string_not_equal(first, none);
	rs_recent_forget(f.root);
	teardown(&f);
}

static void any_change__is_seen_so_in_small_folders(void **state)
{
	guint kept = 0;
	struct folder f;

	small(&f, 32);
	for (guint i = 0; i < 12; i++) {
		g_autofree char *before = look_when_quiet(&f);
		g_autofree char *memory = NULL;
		g_autofree char *with = NULL;
		g_autofree char *without = NULL;

		kept += quick(&f, &memory);
		if (memory)
			assert_string_equal(memory, before);
		g_clear_pointer(&memory, g_free);
		for (int k = g_rand_int_range(f.rand, 0, 3); k > 0; k--)
			change(&f);
		if (!quick(&f, &memory))
			memory = look(&f);
		with = look(&f);
		rs_recent_forget(f.root);
		without = look(&f);
		assert_string_equal(memory, without);
		assert_string_equal(with, without);
	}
	assert_true(kept > 6); /* it was looked at */
	rs_recent_forget(f.root);
	teardown(&f);
}

/* More folders than there is room for: those used last are kept. */
static void recent__has_a_ceiling(void **state)
{
	struct folder f;
	struct rs_index x;
	struct rs_index got;
	int fd = open("/", O_PATH | O_CLOEXEC);
	bool at_once;

	small(&f, 33);
	g_free(look_when_quiet(&f));
	assert_true(rs_recent_get(f.root, &x, &at_once));
	for (guint i = 0; i <= RS_RECENT_MAX; i++) {
		g_autofree char *path = g_strdup_printf("/%u", i);

		rs_recent_put(path, fd, &x);
		assert_true(rs_recent_get("/0", &got, &at_once));
		assert_int_equal(got.head->rows_n, 20);
		rs_index_finish(&got);
	}
	assert_false(rs_recent_get("/1", &got, &at_once));
	assert_false(rs_recent_get(f.root, &got, &at_once));
	for (guint i = 0; i <= RS_RECENT_MAX; i++) {
		g_autofree char *path = g_strdup_printf("/%u", i);

		rs_recent_forget(path);
	}
	rs_index_finish(&x);
	close(fd);
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_folder__is_opened_from_memory_while_it_stands),
		cmocka_unit_test(any_change__is_seen_so_in_small_folders),
		cmocka_unit_test(recent__has_a_ceiling),
		cmocka_unit_test(any_change__is_seen_with_an_index_as_without),
		cmocka_unit_test(any_change__is_seen_so_with_imported_uids_too),
		cmocka_unit_test(new_mail__is_merged_behind_imported_rows),
		cmocka_unit_test(other_flags__are_followed_without_reading),
		cmocka_unit_test(quiet_folder__is_not_read_again),
		cmocka_unit_test(spoilt_index__is_as_good_as_none),
		cmocka_unit_test(imported_uids__stand_above_an_older_index),
		cmocka_unit_test(uid__of_a_message_that_was_there_first_is_not_given_to_its_twin),
		cmocka_unit_test(uid__of_twins_that_came_together_is_nobodys),
		cmocka_unit_test(uid__that_was_imported_is_not_given_to_who_has_it_as_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
