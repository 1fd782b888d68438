/* The conformance suite of every store (src/server/store.h): the same cases over each. A new store is one
 * row in `stores` below. */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "server/store.h"
#include "tests/crash/fs_sim.h"

static const struct rs_store_ops *const stores[] = {&rs_store_maildir, &rs_store_memory};

#define BIG_N (30u * 1024 * 1024)

/* --- a store under test, asked as if it answered at once ----------------------------------- */

struct box {
	uv_loop_t loop;
	const struct rs_store_ops *ops;
	struct rs_store *store;
	char *root;
	/* of the last question */
	gboolean asking; /* inside the call: no callback may come */
	guint answers;
	enum rs_store_err err;
	struct rs_store_drop *drop;
	GString *octets;
	enum rs_store_err each[8];
};

static void answered(struct box *b, enum rs_store_err err)
{
	assert_false(b->asking); /* never from inside the call that asked */
	b->answers++;
	b->err = err;
}

static void wait_answers(struct box *b, guint n)
{
	b->asking = FALSE;
	while (b->answers < n && uv_run(&b->loop, UV_RUN_ONCE))
		continue;
	assert_int_equal(b->answers, n);
}

static void ask(struct box *b)
{
	b->asking = TRUE;
	b->answers = 0;
}

static void on_plain(void *arg, enum rs_store_err err, const char *why)
{
	answered(arg, err);
}

static void on_open(void *arg, enum rs_store_err err, struct rs_store_drop *drop, const char *why)
{
	((struct box *)arg)->drop = drop;
	((struct box *)arg)->asking = FALSE; /* of all calls, this one may answer at once */
	answered(arg, err);
}

static void on_read(void *arg, enum rs_store_err err, GBytes *octets, int fd, const char *why)
{
	struct box *b = arg;
	char buf[65536];
	ssize_t n;

	g_string_truncate(b->octets, 0);
	if (octets)
		g_string_append_len(b->octets, g_bytes_get_data(octets, NULL),
			(gssize)g_bytes_get_size(octets));
	while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0)
		g_string_append_len(b->octets, buf, n);
	if (fd >= 0)
		close(fd);
	answered(b, err);
}

static void on_commit(void *arg, enum rs_store_err err, guint32 left, const char *why)
{
	answered(arg, err);
}

static void on_each(void *arg, guint32 mailbox, enum rs_store_err err, const char *why)
{
	struct box *b = arg;

	assert_int_equal(mailbox, b->answers); /* in order */
	b->each[mailbox] = err;
	answered(b, err);
}

static enum rs_store_err open_box(struct box *b, const char *name, struct rs_store_drop **out)
{
	g_autofree char *path = g_build_filename(b->root, name, NULL);

	ask(b);
	b->ops->open(b->store, path, on_open, b);
	wait_answers(b, 1);
	*out = b->drop;
	return b->err;
}

static void close_box(struct box *b, struct rs_store_drop *d)
{
	b->ops->close(d);
	(void)uv_run(&b->loop, UV_RUN_NOWAIT);
}

static const struct rs_drop_head *head(const struct box *b, const struct rs_store_drop *d)
{
	return (const void *)b->ops->image(d).p;
}

static enum rs_store_err read_row(struct box *b, struct rs_store_drop *d, guint32 row)
{
	ask(b);
	b->ops->read(d, row, 4096, on_read, b);
	wait_answers(b, 1);
	return b->err;
}

static enum rs_store_err commit(struct box *b, struct rs_store_drop *d, guint8 marks)
{
	ask(b);
	b->ops->commit(d, &marks, on_commit, b);
	wait_answers(b, 1);
	return b->err;
}

/* One message to n mailboxes, in two pieces. */
static void deliver(struct box *b, const char *const *names, guint32 n, struct rs_slice octets)
{
	g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
	struct rs_store_deliv *d;

	for (guint32 i = 0; i < n; i++)
		g_ptr_array_add(paths, g_build_filename(b->root, names[i], NULL));
	b->ops->deliv_open(b->store, (const char *const *)paths->pdata, n, &d);
	for (gsize at = 0; at < octets.n;) {
		gsize k = MIN(octets.n - at, octets.n / 2 + 1);

		ask(b);
		b->ops->deliv_write(d, rs_slice_sub(octets, at, k), on_plain, b);
		wait_answers(b, 1);
		at += k;
	}
	ask(b);
	b->ops->deliv_commit(d, on_each, b);
	wait_answers(b, n);
	for (guint32 i = 0; i < n; i++)
		assert_int_equal(b->each[i], RS_STORE_OK);
}

static void deliver_text(struct box *b, const char *name, const char *text)
{
	deliver(b, &name, 1, rs_slice_str(text));
}

static void box_open(struct box *b, const struct rs_store_ops *ops)
{
	struct rs_err err;

	*b = (struct box){.ops = ops, .root = fs_sim_tmp(), .octets = g_string_new(NULL)};
	assert_int_equal(uv_loop_init(&b->loop), 0);
	assert_int_equal(ops->start(&b->loop, NULL, &b->store, &err), 0);
}

static void box_close(struct box *b)
{
	(void)uv_run(&b->loop, UV_RUN_DEFAULT); /* what was closed is finished */
	b->ops->stop(b->store);
	(void)uv_run(&b->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&b->loop), 0);
	fs_sim_remove(b->root);
	g_free(b->root);
	g_string_free(b->octets, TRUE);
}

/* A case, run over every store. */
#define OVER_ALL(name)                                             \
	static void name(void **state)                             \
	{                                                          \
		for (guint i = 0; i < G_N_ELEMENTS(stores); i++) { \
			struct box b;                              \
                                                                   \
			box_open(&b, stores[i]);                   \
			name##_over(&b);                           \
			box_close(&b);                             \
		}                                                  \
	}

/* --- the facts ----------------------------------------------------------------------------- */

static void store__a_mailbox_that_is_not_there_is_empty_over(struct box *b)
{
	struct rs_store_drop *d;

	assert_int_equal(open_box(b, "nobody", &d), RS_STORE_OK);
	assert_int_equal(head(b, d)->rows_n, 0);
	close_box(b, d);
}
OVER_ALL(store__a_mailbox_that_is_not_there_is_empty)

static void store__what_was_delivered_is_read_and_its_size_told_over(struct box *b)
{
	struct rs_store_drop *d;

	deliver_text(b, "anna", "Subject: x\r\n\r\nHello\r\n.dot\r\n");
	deliver_text(b, "anna", "");
	deliver_text(b, "anna", "no end");
	assert_int_equal(open_box(b, "anna", &d), RS_STORE_OK);
	assert_int_equal(head(b, d)->rows_n, 3);
	assert_int_equal(head(b, d)->octets, 27 + 0 + 8);
	assert_int_equal(read_row(b, d, 0), RS_STORE_OK);
	assert_true(b->octets->len == 27 || b->octets->len == 23); /* CRLF or LF, as it likes */
	assert_int_equal(read_row(b, d, 2), RS_STORE_OK);
	assert_string_equal(b->octets->str, "no end");
	close_box(b, d);
}
OVER_ALL(store__what_was_delivered_is_read_and_its_size_told)

static void store__one_body_for_many_mailboxes_over(struct box *b)
{
	static const char *const names[] = {"one", "two", "three"};

	deliver(b, names, 3, rs_slice_str("to all of you\r\n"));
	for (guint i = 0; i < 3; i++) {
		struct rs_store_drop *d;

		assert_int_equal(open_box(b, names[i], &d), RS_STORE_OK);
		assert_int_equal(head(b, d)->rows_n, 1);
		assert_int_equal(head(b, d)->octets, 15);
		close_box(b, d);
	}
}
OVER_ALL(store__one_body_for_many_mailboxes)

static void store__a_second_session_is_told_in_use_over(struct box *b)
{
	struct rs_store_drop *first;
	struct rs_store_drop *second;

	deliver_text(b, "anna", "x\r\n");
	assert_int_equal(open_box(b, "anna", &first), RS_STORE_OK);
	assert_int_equal(open_box(b, "anna", &second), RS_STORE_INUSE);
	assert_null(second);
	close_box(b, first);
	assert_int_equal(open_box(b, "anna", &second), RS_STORE_OK); /* at once behind the close */
	close_box(b, second);
}
OVER_ALL(store__a_second_session_is_told_in_use)

static void store__mail_that_comes_meanwhile_is_in_the_next_table_over(struct box *b)
{
	struct rs_store_drop *d;

	deliver_text(b, "anna", "one\r\n");
	assert_int_equal(open_box(b, "anna", &d), RS_STORE_OK);
	deliver_text(b, "anna", "two\r\n");
	assert_int_equal(head(b, d)->rows_n, 1);
	close_box(b, d);
	assert_int_equal(open_box(b, "anna", &d), RS_STORE_OK);
	assert_int_equal(head(b, d)->rows_n, 2);
	close_box(b, d);
}
OVER_ALL(store__mail_that_comes_meanwhile_is_in_the_next_table)

static char *uids(struct box *b, const char *name)
{
	GString *all = g_string_new(NULL);
	struct rs_store_drop *d;
	struct rs_drop view;

	assert_int_equal(open_box(b, name, &d), RS_STORE_OK);
	assert_int_equal(rs_drop_open(b->ops->image(d), &view), 0);
	for (guint32 i = 0; i < rs_drop_n(&view); i++) {
		struct rs_slice uid = rs_drop_uid(&view, i);

		g_string_append_printf(all, "%.*s ", (int)uid.n, (const char *)uid.p);
	}
	close_box(b, d);
	return g_string_free(all, FALSE);
}

static void store__uids_and_order_are_stable_over(struct box *b)
{
	g_autofree char *before = NULL;
	g_autofree char *after = NULL;

	for (guint i = 0; i < 20; i++)
		deliver_text(b, "anna", i % 2 ? "odd\r\n" : "even\r\n");
	before = uids(b, "anna");
	after = uids(b, "anna");
	assert_string_equal(before, after);
}
OVER_ALL(store__uids_and_order_are_stable)

static void store__a_commit_removes_the_marked_and_only_those_over(struct box *b)
{
	struct rs_store_drop *d;

	deliver_text(b, "anna", "first\r\n");
	deliver_text(b, "anna", "second\r\n");
	deliver_text(b, "anna", "third\r\n");
	assert_int_equal(open_box(b, "anna", &d), RS_STORE_OK);
	assert_int_equal(commit(b, d, 1u << 0 | 1u << 2), RS_STORE_OK);
	close_box(b, d);
	assert_int_equal(open_box(b, "anna", &d), RS_STORE_OK);
	assert_int_equal(head(b, d)->rows_n, 1);
	assert_int_equal(read_row(b, d, 0), RS_STORE_OK);
	assert_true(g_str_has_prefix(b->octets->str, "second"));
	assert_int_equal(commit(b, d, 0), RS_STORE_OK);
	close_box(b, d);
	assert_int_equal(open_box(b, "anna", &d), RS_STORE_OK);
	assert_int_equal(head(b, d)->rows_n, 1);
	close_box(b, d);
}
OVER_ALL(store__a_commit_removes_the_marked_and_only_those)

static void store__closing_without_commit_removes_nothing_over(struct box *b)
{
	struct rs_store_drop *d;

	deliver_text(b, "anna", "x\r\n");
	for (guint i = 0; i < 3; i++) {
		assert_int_equal(open_box(b, "anna", &d), RS_STORE_OK);
		assert_int_equal(head(b, d)->rows_n, 1);
		close_box(b, d);
	}
}
OVER_ALL(store__closing_without_commit_removes_nothing)

static void store__an_aborted_delivery_leaves_nothing_over(struct box *b)
{
	g_autofree char *path = g_build_filename(b->root, "anna", NULL);
	const char *const paths[] = {path};
	struct rs_store_deliv *deliv;
	struct rs_store_drop *d;

	b->ops->deliv_open(b->store, paths, 1, &deliv);
	ask(b);
	b->ops->deliv_write(deliv, rs_slice_str("half a mess"), on_plain, b);
	wait_answers(b, 1);
	b->ops->deliv_write(deliv, rs_slice_str("age"), on_plain, b);
	b->ops->deliv_abort(deliv); /* no callback comes any more */
	(void)uv_run(&b->loop, UV_RUN_DEFAULT);
	assert_int_equal(b->answers, 1);
	assert_int_equal(open_box(b, "anna", &d), RS_STORE_OK);
	assert_int_equal(head(b, d)->rows_n, 0);
	close_box(b, d);
}
OVER_ALL(store__an_aborted_delivery_leaves_nothing)

static void store__a_large_message_comes_back_whole_over(struct box *b)
{
	static const char line[] =
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n";
	g_autoptr(GString) big = g_string_sized_new(BIG_N + 64);
	const char *name = "anna";
	struct rs_store_drop *d;
	gsize lf = 0;

	while (big->len < BIG_N)
		g_string_append(big, line);
	deliver(b, &name, 1, rs_slice(big->str, big->len));
	assert_int_equal(open_box(b, "anna", &d), RS_STORE_OK);
	assert_int_equal(head(b, d)->octets, big->len);
	assert_int_equal(read_row(b, d, 0), RS_STORE_OK);
	for (gsize i = 0; i < b->octets->len; i++)
		lf += b->octets->str[i] == '\n';
	assert_int_equal(lf, big->len / (sizeof(line) - 1));
	close_box(b, d);
}
OVER_ALL(store__a_large_message_comes_back_whole)

/* Sixty seeded questions; what was answered. */
static char *answers_to(const struct rs_store_ops *ops, guint32 seed)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
	GString *log = g_string_new(NULL);
	struct rs_store_drop *d = NULL;
	struct box b;

	box_open(&b, ops);
	for (guint step = 0; step < 60; step++) {
		gint what = g_rand_int_range(rand, 0, 5);
		guint8 marks = (guint8)(g_rand_int(rand) & 0x55);
		guint32 n = d ? head(&b, d)->rows_n : 0;
		g_autofree char *text =
			g_strdup_printf("n%u\r\n%.*s", step, marks % 20, "one\r\nmore\r\n");

		if (what == 0) {
			deliver_text(&b, "anna", text);
		} else if (what == 1 && !d) {
			g_string_append_printf(log, "open %d ", (int)open_box(&b, "anna", &d));
			g_string_append_printf(
				log, "%u %d\n", head(&b, d)->rows_n, (int)head(&b, d)->octets);
		} else if (what == 2 && n) {
			g_string_append_printf(log, "read %d ", (int)read_row(&b, d, marks % n));
			g_string_append_printf(log, "%.2s\n", b.octets->str);
		} else if (what >= 3 && d) {
			if (what == 3 && n && n <= 8)
				g_string_append_printf(log, "commit %d\n",
					(int)commit(&b, d, (guint8)(marks & ((1u << n) - 1))));
			close_box(&b, d);
			d = NULL;
		}
	}
	if (d)
		close_box(&b, d);
	box_close(&b);
	return g_string_free(log, FALSE);
}

static void store__maildir_behaves_as_the_model(void **state)
{
	for (guint32 seed = 1; seed <= 12; seed++) {
		g_autofree char *real = answers_to(&rs_store_maildir, seed);
		g_autofree char *model = answers_to(&rs_store_memory, seed);

		assert_string_equal(real, model);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(store__a_mailbox_that_is_not_there_is_empty),
		cmocka_unit_test(store__what_was_delivered_is_read_and_its_size_told),
		cmocka_unit_test(store__one_body_for_many_mailboxes),
		cmocka_unit_test(store__a_second_session_is_told_in_use),
		cmocka_unit_test(store__mail_that_comes_meanwhile_is_in_the_next_table),
		cmocka_unit_test(store__uids_and_order_are_stable),
		cmocka_unit_test(store__a_commit_removes_the_marked_and_only_those),
		cmocka_unit_test(store__closing_without_commit_removes_nothing),
		cmocka_unit_test(store__an_aborted_delivery_leaves_nothing),
		cmocka_unit_test(store__a_large_message_comes_back_whole),
		cmocka_unit_test(store__maildir_behaves_as_the_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
