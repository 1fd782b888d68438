/* dest: deliveries and removals beside one another, and what is counted meanwhile. */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "maildir/maildrop.h"
#include "maildir/quota.h"
#include "server/dest.h"
#include "tests/crash/fs_sim.h"

#define MESSAGE "Subject: one\n\nbody\n"

/* The kernel's file system, but for what a test does in the middle of a call. */
struct world {
	struct rs_fs fs;
	char *root;
	char *box;
	char *text; /* the mailbox, for rs_dest_open */
	struct rs_quota quota;
	gint looked; /* calls that were looked into */
	gint free;   /* of these, those that found the quota free for others */
};

static const struct rs_fs *kernel(void)
{
	return rs_fs_posix();
}

/* Can somebody else take, count or remove now? */
static bool quota_is_free(const struct world *w)
{
	g_autofree char *path = g_build_filename(w->box, "restante.quota.lock", NULL);
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(path, O_RDWR | O_CLOEXEC);
	bool is_free = fd < 0 || (fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type == F_UNLCK);

	if (fd >= 0)
		close(fd);
	return is_free;
}

static void look(struct world *w)
{
	g_atomic_int_inc(&w->looked);
	if (quota_is_free(w))
		g_atomic_int_inc(&w->free);
}

static int rename_looked(
	void *ctx, int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	if (flags) /* a message is published; files are replaced */
		look(ctx);
	return kernel()->rename(kernel()->ctx, from_dir, from, to_dir, to, flags);
}

static int link_looked(void *ctx, int from_dir, const char *from, int to_dir, const char *to)
{
	look(ctx);
	return kernel()->link(kernel()->ctx, from_dir, from, to_dir, to);
}

static int unlink_looked(void *ctx, int dir, const char *name)
{
	if (strstr(name, ",S="))
		look(ctx);
	return kernel()->unlink(kernel()->ctx, dir, name);
}

static int setup(void **state)
{
	struct world *w = g_new0(struct world, 1);

	w->fs = *kernel();
	w->fs.ctx = w;
	w->fs.rename = rename_looked;
	w->fs.link = link_looked;
	w->fs.unlink = unlink_looked;
	w->root = fs_sim_tmp();
	w->box = g_build_filename(w->root, "anna", NULL);
	w->text = g_strdup_printf("%s\nquota=1G:20", w->box);
	w->quota = (struct rs_quota){.octets_max = 1u << 30, .messages_max = 20};
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	fs_sim_remove(w->root);
	g_free(w->root);
	g_free(w->box);
	g_free(w->text);
	g_free(w);
	return 0;
}

/* To anna, and `twice`: to her again, as a link. */
static int deliver(struct world *w, bool twice)
{
	struct rs_rules none;
	struct rs_dest dest;
	struct rs_deliv *d = NULL;
	int rc;

	rs_rules_init(&none);
	rc = rs_dest_open(&w->fs, w->text, &none, &dest, NULL);
	assert_int_equal(rc, 0);
	assert_int_equal(rs_deliv_begin(dest.m, NULL, &d, NULL), 0);
	assert_int_equal(rs_deliv_write(d, MESSAGE, strlen(MESSAGE), NULL), 0);
	assert_int_equal(rs_deliv_finish(d, NULL), 0);
	rc = rs_dest_deliver(&dest, d, true, NULL);
	if (rc == 0 && twice)
		rc = rs_dest_deliver(&dest, d, false, NULL);
	rs_deliv_destroy(&d);
	rs_dest_finish(&dest);
	return rc;
}

static struct rs_quota_use used(const struct world *w, bool count)
{
	struct rs_quota_use use;

	assert_int_equal(rs_quota_used(kernel(), w->box, &w->quota, count, &use, NULL), 0);
	return use;
}

static void delivery__nobody_counts_between_the_quota_and_the_message(void **state)
{
	struct world *w = *state;

	assert_int_equal(deliver(w, true), 0);
	assert_int_equal(w->looked, 2);
	assert_int_equal(w->free, 0);
	assert_true(quota_is_free(w));
	assert_int_equal(used(w, false).messages, 2);
}

static void removal__nobody_counts_between_the_message_and_the_quota(void **state)
{
	struct world *w = *state;
	struct rs_maildrop *drop = NULL;
	uint8_t marks = 3;
	uint32_t left;

	assert_int_equal(deliver(w, true), 0);
	assert_int_equal(deliver(w, false), 0);
	w->looked = 0;
	assert_int_equal(rs_maildrop_open(&w->fs, w->box, &drop, NULL), 0);
	assert_int_equal(rs_maildrop_decide(drop, &marks, NULL), 0);
	assert_int_equal(rs_maildrop_finish(drop, &left, NULL), 0);
	rs_maildrop_destroy(&drop);
	assert_int_equal(w->looked, 2);
	assert_int_equal(w->free, 0);
	assert_int_equal(used(w, false).messages, 1);
	assert_int_equal(used(w, false).octets, used(w, true).octets);
}

static gpointer many(gpointer arg)
{
	struct world *w = arg;
	gsize stored = 0;

	for (int i = 0; i < 10; i++) {
		g_autofree char *file = g_build_filename(w->box, RS_QUOTA_NAME, NULL);

		(void)g_unlink(file); /* somebody else's tool: all is counted anew */
		stored += deliver(w, false) == 0;
	}
	return GSIZE_TO_POINTER(stored);
}

static void delivery__at_the_same_time_fills_the_quota_and_no_more(void **state)
{
	struct world *w = *state;
	GThread *threads[6];
	gsize stored = 0;

	for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("many", many, w);
	for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
		stored += GPOINTER_TO_SIZE(g_thread_join(threads[i]));
	assert_int_equal(stored, 20);
	assert_int_equal(used(w, true).messages, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			delivery__nobody_counts_between_the_quota_and_the_message, setup, teardown),
		cmocka_unit_test_setup_teardown(
			removal__nobody_counts_between_the_message_and_the_quota, setup, teardown),
		cmocka_unit_test_setup_teardown(
			delivery__at_the_same_time_fills_the_quota_and_no_more, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
