/* test_cut.c - power cuts and failing disks under delivery and deletion (src/maildir). Every operation is
 * the last one once, with several guesses of what the disk then holds. Each law is also tried with a disk
 * that only pretends to sync: then the check must fail, or it proves nothing. */
#include "tests/unit/test.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "maildir/maildrop.h"
#include "maildir/shown.h"
#include "tests/crash/fs_sim.h"

#define SEEDS 6u

static const char *const bodies[] = {"Subject: one\n\nfirst body\n",
	"Subject: two\n\n.second\n..\n", "Subject: three\n\nthird, without a last line end",
	"Subject: four\n\nfourth\n"};

/* --- looking ------------------------------------------------------------------------------- */

static char *read_row(struct rs_maildrop *d, guint32 row)
{
	int fd = rs_maildrop_read_open(d, row, NULL);
	char *text = g_malloc0(4096);
	ssize_t n = fd < 0 ? -1 : read(fd, text, 4095);

	if (fd >= 0)
		close(fd);
	if (n >= 0)
		return text;
	g_free(text);
	return NULL;
}

/* How often each body is in the box, whole; a message that is none of them, or cannot be read, is -1. */
static int look(const char *path, guint counts[G_N_ELEMENTS(bodies)])
{
	struct rs_maildrop *d = NULL;
	int rc = 0;

	memset(counts, 0, sizeof(guint) * G_N_ELEMENTS(bodies));
	if (rs_maildrop_open(rs_fs_posix(), path, &d, NULL) < 0)
		return -1;
	for (guint32 i = 0; i < rs_drop_n(rs_maildrop_table(d)); i++) {
		g_autofree char *text = read_row(d, i);
		guint which = 0;

		while (text && which < G_N_ELEMENTS(bodies) && strcmp(text, bodies[which]) != 0)
			which++;
		if (!text || which == G_N_ELEMENTS(bodies))
			rc = -1;
		else
			counts[which]++;
	}
	rs_maildrop_destroy(&d);
	return rc;
}

/* --- delivery ------------------------------------------------------------------------------ */

static int deliver_one(const struct rs_fs *fs, const char *path, const char *body)
{
	struct rs_maildir *m = NULL;
	struct rs_deliv *d = NULL;
	int rc = rs_maildir_open(fs, path, RS_MAILDIR_CREATE, &m, NULL);

	if (rc == 0)
		rc = rs_deliv_begin(m, NULL, &d, NULL);
	if (rc == 0)
		rc = rs_deliv_write(d, body, strlen(body), NULL);
	if (rc == 0)
		rc = rs_deliv_finish(d, NULL);
	if (rc == 0)
		rc = rs_deliv_sync(d, NULL);
	if (rc == 0)
		rc = rs_deliv_publish(d, NULL);
	if (rc == 0)
		rc = rs_maildir_sync(m, NULL);
	rs_deliv_destroy(&d);
	rs_maildir_destroy(&m);
	return rc;
}

/* All bodies in one batch, as the mail program delivers. */
static int deliver_batch(const struct rs_fs *fs, const char *path)
{
	struct rs_deliv *all[G_N_ELEMENTS(bodies)] = {NULL};
	struct rs_maildir *m = NULL;
	int rc = rs_maildir_open(fs, path, RS_MAILDIR_CREATE, &m, NULL);

	for (guint i = 0; i < G_N_ELEMENTS(bodies) && rc == 0; i++) {
		rc = rs_deliv_begin(m, NULL, &all[i], NULL);
		if (rc == 0)
			rc = rs_deliv_write(all[i], bodies[i], strlen(bodies[i]), NULL);
		if (rc == 0)
			rc = rs_deliv_finish(all[i], NULL);
	}
	if (rc == 0)
		rc = rs_maildir_sync_all(m, NULL);
	for (guint i = 0; i < G_N_ELEMENTS(bodies) && rc == 0; i++)
		rc = rs_deliv_publish(all[i], NULL);
	if (rc == 0)
		rc = rs_maildir_sync(m, NULL);
	for (guint i = 0; i < G_N_ELEMENTS(bodies); i++)
		rs_deliv_destroy(&all[i]);
	rs_maildir_destroy(&m);
	return rc;
}

/* Deliver until operation `at` dies (0: to the end), cut, look. Returns how many laws were broken. */
static guint deliver_and_cut(guint at, guint32 seed, gboolean batch, gboolean lie_files,
	gboolean lie_folders, guint *ops)
{
	g_autofree char *root = fs_sim_tmp();
	g_autofree char *box = g_build_filename(root, "example.org", "anna", NULL);
	g_autofree char *after = g_strdup_printf("%s.cut", root);
	g_autofree char *after_box = g_build_filename(after, "example.org", "anna", NULL);
	struct fs_sim *sim = fs_sim_new(root);
	guint counts[G_N_ELEMENTS(bodies)];
	guint n = batch ? G_N_ELEMENTS(bodies) : 1;
	guint broken = 0;
	int told;

	fs_sim_die_at(sim, at);
	fs_sim_lie(sim, lie_files, lie_folders);
	told = batch ? deliver_batch(fs_sim_fs(sim), box)
		     : deliver_one(fs_sim_fs(sim), box, bodies[0]);
	*ops = fs_sim_ops(sim);
	fs_sim_cut(sim, after, seed);
	if (look(after_box, counts) < 0)
		broken++; /* half a message is in the box */
	for (guint i = 0; i < n; i++) {
		if (counts[i] > 1 || (told == 0 && counts[i] != 1))
			broken++; /* law 1: told durable, and not there; or there twice */
	}
	fs_sim_free(sim);
	fs_sim_remove(root);
	fs_sim_remove(after);
	return broken;
}

static guint deliver_all_cuts(gboolean batch, gboolean lie_files, gboolean lie_folders)
{
	guint broken = 0;
	guint ops = 0;
	guint last;

	broken += deliver_and_cut(0, 1, batch, lie_files, lie_folders, &last);
	for (guint at = 0; at <= last; at++) {
		for (guint32 seed = 1; seed <= SEEDS; seed++)
			broken += deliver_and_cut(at, seed, batch, lie_files, lie_folders, &ops);
	}
	return broken;
}

static void cut__a_delivery_told_durable_is_there_once_and_whole(void **state)
{
	assert_int_equal(deliver_all_cuts(FALSE, FALSE, FALSE), 0);
}

static void cut__a_batch_told_durable_is_there_once_and_whole(void **state)
{
	assert_int_equal(deliver_all_cuts(TRUE, FALSE, FALSE), 0);
}

static void cut__a_disk_that_lies_about_files_is_found_out(void **state)
{
	assert_true(deliver_all_cuts(FALSE, TRUE, FALSE) > 0);
}

static void cut__a_disk_that_lies_about_folders_is_found_out(void **state)
{
	assert_true(deliver_all_cuts(FALSE, FALSE, TRUE) > 0);
}

/* --- deletion ------------------------------------------------------------------------------ */

enum fate { UNDECIDED, DECIDED };

/* QUIT with messages 0 and 2 marked; what was told. */
static enum fate quit(const struct rs_fs *fs, const char *box)
{
	struct rs_maildrop *d = NULL;
	enum fate fate = UNDECIDED;
	guint8 marks[1] = {1u << 0 | 1u << 2};
	guint32 left;

	if (rs_maildrop_open(fs, box, &d, NULL) < 0)
		return UNDECIDED;
	if (rs_maildrop_decide(d, marks, NULL) == 0) {
		fate = DECIDED;
		if (rs_maildrop_finish(d, &left, NULL) < 0)
			left = 0; /* the next opening goes on */
	}
	rs_maildrop_destroy(&d);
	return fate;
}

/* Bodies in the order of the table of a full box: which one is row 0, row 2? */
static void full_box(const char *box, guint order[G_N_ELEMENTS(bodies)])
{
	struct rs_maildrop *d = NULL;

	for (guint i = 0; i < G_N_ELEMENTS(bodies); i++)
		assert_int_equal(deliver_one(rs_fs_posix(), box, bodies[i]), 0);
	assert_int_equal(rs_maildrop_open(rs_fs_posix(), box, &d, NULL), 0);
	for (guint row = 0; row < G_N_ELEMENTS(bodies); row++) {
		g_autofree char *text = read_row(d, row);

		for (guint i = 0; i < G_N_ELEMENTS(bodies); i++) {
			if (strcmp(text, bodies[i]) == 0)
				order[row] = i;
		}
	}
	rs_maildrop_destroy(&d);
}

/* Laws 2: before the decision all are there; after it the marked ones are gone for ever; the others stay. */
static guint check_box(const char *box, const guint order[G_N_ELEMENTS(bodies)], enum fate fate)
{
	guint counts[G_N_ELEMENTS(bodies)];
	guint broken = look(box, counts) < 0;
	guint marked = counts[order[0]] + counts[order[2]];

	broken += counts[order[1]] != 1 || counts[order[3]] != 1;
	if (fate == DECIDED)
		broken += marked != 0;
	else /* the power may have gone between the decision and its telling: then all or nothing */
		broken += marked != 0 && marked != 2;
	return broken;
}

static guint delete_and_cut(guint at, guint again_at, guint32 seed, gboolean lie, guint *ops)
{
	g_autofree char *root = fs_sim_tmp();
	g_autofree char *box = g_build_filename(root, "anna", NULL);
	g_autofree char *after = g_strdup_printf("%s.cut", root);
	g_autofree char *after_box = g_build_filename(after, "anna", NULL);
	g_autofree char *twice = g_strdup_printf("%s.twice", root);
	g_autofree char *twice_box = g_build_filename(twice, "anna", NULL);
	guint order[G_N_ELEMENTS(bodies)];
	struct fs_sim *sim;
	struct fs_sim *again;
	struct rs_maildrop *d = NULL;
	enum fate fate;
	guint broken;

	full_box(box, order);
	sim = fs_sim_new(root);
	fs_sim_die_at(sim, at);
	fs_sim_lie(sim, lie, lie);
	fate = quit(fs_sim_fs(sim), box);
	*ops = fs_sim_ops(sim);
	fs_sim_cut(sim, after, seed);
	/* the power goes again while the next opening cleans up */
	again = fs_sim_new(after);
	fs_sim_die_at(again, again_at);
	if (rs_maildrop_open(fs_sim_fs(again), after_box, &d, NULL) == 0)
		rs_maildrop_destroy(&d);
	fs_sim_cut(again, twice, seed + 100);
	broken = check_box(twice_box, order, fate);
	fs_sim_free(sim);
	fs_sim_free(again);
	fs_sim_remove(root);
	fs_sim_remove(after);
	fs_sim_remove(twice);
	return broken;
}

static guint delete_all_cuts(gboolean lie)
{
	guint broken = 0;
	guint last;
	guint ops;

	(void)delete_and_cut(0, 0, 1, lie, &last);
	for (guint at = 0; at <= last; at++) {
		for (guint32 seed = 1; seed <= SEEDS; seed++)
			broken += delete_and_cut(at, seed % 3 == 0 ? 0 : seed * 2, seed, lie, &ops);
	}
	return broken;
}

static void cut__what_quit_decided_is_gone_and_nothing_else(void **state)
{
	assert_int_equal(delete_all_cuts(FALSE), 0);
}

static void cut__a_quit_on_a_disk_that_lies_is_found_out(void **state)
{
	assert_true(delete_all_cuts(TRUE) > 0);
}

/* --- retention ----------------------------------------------------------------------------- */

/* Make the messages of these rows old: names of other programs, from 2004. */
static void make_old(const char *box, const guint *rows, guint n)
{
	struct rs_maildrop *d = NULL;

	assert_int_equal(rs_maildrop_open(rs_fs_posix(), box, &d, NULL), 0);
	for (guint i = 0; i < n; i++) {
		g_autofree char *from =
			g_build_filename(box, "new", rs_maildrop_name(d, rows[i]), NULL);
		g_autofree char *to = g_strdup_printf("%s/cur/110000000%u.old.host:2,S", box, i);

		assert_int_equal(g_rename(from, to), 0);
	}
	rs_maildrop_destroy(&d);
}

/* A session begins, with a retention of five days. */
static guint expire_and_cut(guint at, guint again_at, guint32 seed, gboolean lie, guint *ops)
{
	static const guint old[] = {0, 2};
	g_autofree char *root = fs_sim_tmp();
	g_autofree char *box = g_build_filename(root, "anna", NULL);
	g_autofree char *after = g_strdup_printf("%s.cut", root);
	g_autofree char *after_box = g_build_filename(after, "anna", NULL);
	g_autofree char *twice = g_strdup_printf("%s.twice", root);
	g_autofree char *twice_box = g_build_filename(twice, "anna", NULL);
	guint order[G_N_ELEMENTS(bodies)];
	struct rs_shown_how how = {.account = box, .now_s = g_get_real_time() / G_USEC_PER_SEC};
	enum fate fate = UNDECIDED;
	struct rs_shown *shown = NULL;
	struct rs_maildrop *d = NULL;
	struct rs_rules rules;
	struct fs_sim *sim;
	struct fs_sim *again;
	guint broken;

	rs_rules_init(&rules);
	rules.expire_days = 5;
	how.rules = &rules;
	full_box(box, order);
	make_old(box, old, G_N_ELEMENTS(old));
	sim = fs_sim_new(root);
	fs_sim_die_at(sim, at);
	fs_sim_lie(sim, lie, lie);
	if (rs_shown_open(fs_sim_fs(sim), &how, &shown, NULL) == 0 && rs_shown_expired(shown) == 2)
		fate = DECIDED;
	rs_shown_destroy(&shown);
	*ops = fs_sim_ops(sim);
	fs_sim_cut(sim, after, seed);
	again = fs_sim_new(after);
	fs_sim_die_at(again, again_at);
	if (rs_maildrop_open(fs_sim_fs(again), after_box, &d, NULL) == 0)
		rs_maildrop_destroy(&d);
	fs_sim_cut(again, twice, seed + 100);
	broken = check_box(twice_box, order, fate);
	fs_sim_free(sim);
	fs_sim_free(again);
	fs_sim_remove(root);
	fs_sim_remove(after);
	fs_sim_remove(twice);
	return broken;
}

static guint expire_all_cuts(gboolean lie)
{
	guint broken = 0;
	guint last;
	guint ops;

	(void)expire_and_cut(0, 0, 1, lie, &last);
	for (guint at = 0; at <= last; at++) {
		for (guint32 seed = 1; seed <= SEEDS; seed++)
			broken += expire_and_cut(at, seed % 3 == 0 ? 0 : seed * 2, seed, lie, &ops);
	}
	return broken;
}

static void cut__what_has_expired_stays_gone_and_nothing_else_goes(void **state)
{
	assert_int_equal(expire_all_cuts(FALSE), 0);
	assert_true(expire_all_cuts(TRUE) > 0);
}

/* --- UIDs that were told ------------------------------------------------------------------- */

#define UNIQUE "1699999999.M000001P1Q1R00000001.host"

/* UID of the message of so many octets; g_free. NULL: the box did not open, or has none. */
static char *uid_of(const struct rs_fs *fs, const char *box, guint64 octets)
{
	struct rs_maildrop *d = NULL;
	char *uid = NULL;

	if (rs_maildrop_open(fs, box, &d, NULL) < 0)
		return NULL;
	for (guint32 i = 0; i < rs_drop_n(rs_maildrop_table(d)); i++) {
		struct rs_slice u = rs_drop_uid(rs_maildrop_table(d), i);

		if (rs_drop_octets(rs_maildrop_table(d), i) == octets)
			uid = g_strndup((const char *)u.p, u.n);
	}
	rs_maildrop_destroy(&d);
	return uid;
}

/* Two with the same unique part: what the second was called it is called after a power cut, the first gone. */
static guint name_and_cut(guint32 seed, gboolean lie)
{
	g_autofree char *root = fs_sim_tmp();
	g_autofree char *box = g_build_filename(root, "anna", NULL);
	g_autofree char *after = g_strdup_printf("%s.cut", root);
	g_autofree char *after_box = g_build_filename(after, "anna", NULL);
	g_autofree char *first = g_build_filename(after_box, "new", UNIQUE ",S=1,W=2", NULL);
	g_autofree char *told = NULL;
	g_autofree char *found = NULL;
	struct rs_maildir *m = NULL;
	struct fs_sim *sim;

	assert_int_equal(rs_maildir_open(rs_fs_posix(), box, RS_MAILDIR_CREATE, &m, NULL), 0);
	rs_maildir_destroy(&m);
	for (guint i = 1; i <= 2; i++) {
		g_autofree char *path =
			g_strdup_printf("%s/new/" UNIQUE ",S=%u,W=%u", box, i, i + 1);

		assert_true(g_file_set_contents(path, i == 1 ? "\n" : "x\n", (gssize)i, NULL));
	}
	sim = fs_sim_new(root);
	fs_sim_lie(sim, lie, lie);
	told = uid_of(fs_sim_fs(sim), box, 3);
	fs_sim_cut(sim, after, seed);
	(void)g_unlink(first);
	found = uid_of(rs_fs_posix(), after_box, 3);
	fs_sim_free(sim);
	fs_sim_remove(root);
	fs_sim_remove(after);
	return g_strcmp0(told, found) != 0;
}

static guint name_all_cuts(gboolean lie)
{
	guint broken = 0;

	for (guint32 seed = 1; seed <= 4 * SEEDS; seed++)
		broken += name_and_cut(seed, lie);
	return broken;
}

static void cut__a_uid_that_was_told_is_told_again(void **state)
{
	assert_int_equal(name_all_cuts(FALSE), 0);
	assert_true(name_all_cuts(TRUE) > 0);
}

/* --- failing disks ------------------------------------------------------------------------- */

static void fail__an_error_is_never_told_as_success(void **state)
{
	static const int errors[] = {ENOSPC, EIO};

	for (guint e = 0; e < G_N_ELEMENTS(errors); e++) {
		for (guint at = 1; at < 40; at++) {
			g_autofree char *root = fs_sim_tmp();
			g_autofree char *box = g_build_filename(root, "anna", NULL);
			struct fs_sim *sim = fs_sim_new(root);
			guint counts[G_N_ELEMENTS(bodies)];
			int told;

			fs_sim_fail_at(sim, at, errors[e]);
			told = deliver_one(fs_sim_fs(sim), box, bodies[0]);
			assert_true(told == 0 || told == -RS_ENOSPC || told == -RS_EIO);
			assert_int_equal(look(box, counts), 0);
			/* after an error it may be there (only the last sync failed), never half, never twice */
			assert_true(counts[0] <= 1 && (told < 0 || counts[0] == 1));
			fs_sim_free(sim);
			fs_sim_remove(root);
		}
	}
}

static void fail__a_quit_that_could_not_be_decided_removes_nothing(void **state)
{
	for (guint at = 1; at < 30; at++) {
		g_autofree char *root = fs_sim_tmp();
		g_autofree char *box = g_build_filename(root, "anna", NULL);
		guint order[G_N_ELEMENTS(bodies)];
		struct fs_sim *sim;
		enum fate fate;

		full_box(box, order);
		sim = fs_sim_new(root);
		fs_sim_fail_at(sim, at, ENOSPC);
		fate = quit(fs_sim_fs(sim), box);
		assert_int_equal(check_box(box, order, fate), 0);
		fs_sim_free(sim);
		fs_sim_remove(root);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut__a_delivery_told_durable_is_there_once_and_whole),
		cmocka_unit_test(cut__a_batch_told_durable_is_there_once_and_whole),
		cmocka_unit_test(cut__a_disk_that_lies_about_files_is_found_out),
		cmocka_unit_test(cut__a_disk_that_lies_about_folders_is_found_out),
		cmocka_unit_test(cut__what_quit_decided_is_gone_and_nothing_else),
		cmocka_unit_test(cut__a_quit_on_a_disk_that_lies_is_found_out),
		cmocka_unit_test(cut__what_has_expired_stays_gone_and_nothing_else_goes),
		cmocka_unit_test(cut__a_uid_that_was_told_is_told_again),
		cmocka_unit_test(fail__an_error_is_never_told_as_success),
		cmocka_unit_test(fail__a_quit_that_could_not_be_decided_removes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
