/* uidl_take.c - see uidl_take.h */
#include "server/uidl_take.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "maildir/lock.h"
#include "maildir/standing.h"

#define NONE UINT32_MAX

/* --- finding them again -------------------------------------------------------------------- */

struct search {
	const struct rs_uidl_list *l;
	struct rs_standing *s;      /* NULL: no folder, no messages */
	uint32_t *here;             /* of each of the list: row of the folder, or NONE */
	uint32_t *there;            /* of each row of the folder: number in the list, or NONE */
	struct rs_uidl_head *heads; /* of each row of the folder, where it was looked at */
	uint32_t n;
};

static const struct rs_uidl *old(const struct search *x, guint i)
{
	return g_ptr_array_index(x->l->rows, i);
}

static void pair(struct search *x, guint i, uint32_t row)
{
	x->here[i] = row;
	x->there[row] = i;
}

/* Names: what is in front of the flags, or of the sizes. */
static void by_name(struct search *x, bool unique)
{
	g_autoptr(GHashTable) rows = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	const char *end = unique ? ":," : ":";

	for (uint32_t i = 0; i < x->n; i++) {
		const char *name = rs_index_name(&x->s->index, i);

		if (x->there[i] == NONE)
			(void)g_hash_table_insert(
				rows, g_strndup(name, strcspn(name, end)), GUINT_TO_POINTER(i + 1));
	}
	for (guint i = 0; i < x->l->rows->len; i++) {
		const struct rs_uidl *o = old(x, i);
		g_autofree char *key = o->base && x->here[i] == NONE
					       ? g_strndup(o->base, strcspn(o->base, end))
					       : NULL;
		guint row = key ? GPOINTER_TO_UINT(g_hash_table_lookup(rows, key)) : 0;

		if (row && x->there[row - 1] == NONE)
			pair(x, i, row - 1);
	}
}

/* Headers of what is still without a partner on both sides. */
static void read_heads(struct search *x)
{
	for (uint32_t i = 0; i < x->n; i++) {
		struct rs_maildir_entry e = rs_standing_entry(x->s, i);
		int fd = x->there[i] == NONE ? rs_maildir_read_open(x->s->m, &e, NULL) : -1;

		if (fd < 0)
			continue;
		if (rs_uidl_head_read(fd, &x->heads[i]) < 0)
			x->heads[i].there = false;
		close(fd);
	}
}

enum how { HEAD_AND_SIZE, HEAD, CORE };

/* Header, and size where it counts, as a text to compare. */
static char *key_of(const struct rs_uidl_head *h, uint64_t wire, enum how how)
{
	g_autofree char *sum = g_base64_encode(how == CORE ? h->core : h->whole, sizeof(h->whole));

	return g_strdup_printf(
		"%s %" G_GUINT64_FORMAT, sum, how == HEAD_AND_SIZE ? wire : UINT64_MAX);
}

static void by_head(struct search *x, enum how how)
{
	g_autoptr(GHashTable) rows = g_hash_table_new_full(
		g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_queue_free);

	for (uint32_t i = 0; i < x->n; i++) {
		g_autofree char *key = NULL;
		GQueue *alike;

		if (x->there[i] != NONE || !x->heads[i].there)
			continue;
		key = key_of(&x->heads[i], rs_drop_octets(&x->s->index.table, i), how);
		alike = g_hash_table_lookup(rows, key);
		if (!alike) {
			alike = g_queue_new();
			(void)g_hash_table_insert(rows, g_steal_pointer(&key), alike);
		}
		g_queue_push_tail(alike, GUINT_TO_POINTER(i + 1));
	}
	for (guint i = 0; i < x->l->rows->len; i++) {
		const struct rs_uidl *o = old(x, i);
		g_autofree char *key = NULL;
		GQueue *alike;

		if (x->here[i] != NONE || !o->head.there)
			continue;
		key = key_of(&o->head, o->wire, how);
		alike = g_hash_table_lookup(rows, key);
		if (alike && !g_queue_is_empty(alike))
			pair(x, i, GPOINTER_TO_UINT(g_queue_pop_head(alike)) - 1);
	}
}

static void search_all(struct search *x, const struct rs_uidl_list *l, struct rs_standing *s)
{
	*x = (struct search){.l = l, .s = s, .n = s ? s->index.head->rows_n : 0};
	x->here = g_new(uint32_t, l->rows->len + 1);
	x->there = g_new(uint32_t, x->n + 1);
	x->heads = g_new0(struct rs_uidl_head, x->n + 1);
	memset(x->here, 0xff, l->rows->len * sizeof(*x->here));
	memset(x->there, 0xff, x->n * sizeof(*x->there));
	by_name(x, false);
	by_name(x, true);
	read_heads(x);
	by_head(x, HEAD_AND_SIZE);
	by_head(x, HEAD);
	by_head(x, CORE);
}

static void search_finish(struct search *x)
{
	g_free(x->here);
	g_free(x->there);
	g_free(x->heads);
}

/* --- taking over --------------------------------------------------------------------------- */

struct list_text {
	GString *text;
	GHashTable *uids; /* given so far */
	guint count;
};

static void add_line(struct list_text *t, const struct search *x, uint32_t row, struct rs_slice uid)
{
	const char *name = rs_index_name(&x->s->index, row);
	struct rs_sizes sizes = rs_standing_sizes(x->s, row);
	const struct rs_uidlist_row line = {.base = rs_slice(name, strcspn(name, ":")),
		.uid = uid,
		.wire = sizes.wire,
		.size = sizes.size,
		.ascii = sizes.ascii};

	rs_uidlist_text_row(t->text, &line);
	t->count++;
}

static void refuse(struct rs_uidl_taken *out, const char *uid, const char *why)
{
	g_autofree char *shown = g_strescape(uid, NULL);

	g_ptr_array_add(out->refused, g_strdup_printf("UID '%.100s' %s", shown, why));
}

/* Those of the old server, in its order. A row that keeps no partner is NONE in `here` afterwards. */
static void lines_of_old(struct list_text *t, struct search *x, struct rs_uidl_taken *out)
{
	for (guint i = 0; i < x->l->rows->len; i++) {
		const struct rs_uidl *o = old(x, i);
		uint32_t row = x->here[i];
		const char *why = NULL;

		if (row == NONE) {
			out->not_here++;
			continue;
		}
		if (!rs_drop_uid_ok(rs_slice_str(o->uid)))
			why = "is none that may be told: 1 to 70 visible ASCII characters";
		else if (x->s->index.rows[row].size == UINT64_MAX)
			why = "belongs to a message that cannot be read here";
		else if (!g_hash_table_add(t->uids, g_strdup(o->uid)))
			why = "was told twice by the old server; the first message keeps it";
		if (why) {
			refuse(out, o->uid, why);
			x->there[row] = NONE;
			continue;
		}
		add_line(t, x, row, rs_slice_str(o->uid));
		out->taken++;
	}
}

/* What was taken over before, and the sizes that are remembered, of messages not spoken of now. */
static void lines_of_known(
	struct list_text *t, const struct search *x, bool imported, struct rs_uidl_taken *out)
{
	for (uint32_t row = 0; row < x->n; row++) {
		const char *name = rs_index_name(&x->s->index, row);
		const struct rs_uidlist_row *k =
			rs_uidlist_find(&x->s->known, rs_slice(name, strcspn(name, ":")));

		if (!k || x->there[row] != NONE || (k->uid.n > 0) != imported ||
			x->s->index.rows[row].size == UINT64_MAX)
			continue;
		if (imported &&
			!g_hash_table_add(t->uids, g_strndup((const char *)k->uid.p, k->uid.n)))
			continue;
		add_line(t, x, row, k->uid);
		out->kept += imported;
	}
}

static int take(struct rs_maildir *m, struct search *x, bool dry, struct rs_uidl_taken *out,
	struct rs_err *err)
{
	struct list_text t = {.text = g_string_new(NULL),
		.uids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL)};
	int rc = 0;

	rs_uidlist_text_begin(t.text);
	lines_of_old(&t, x, out);
	for (uint32_t i = 0; i < x->n; i++)
		out->only_here += x->there[i] == NONE;
	lines_of_known(&t, x, true, out);
	lines_of_known(&t, x, false, out);
	rs_uidlist_text_end(t.text, t.count);
	if (!dry)
		rc = rs_maildir_replace(
			m, RS_UIDLIST_NAME, rs_slice(t.text->str, t.text->len), true, err);
	g_string_free(t.text, TRUE);
	g_hash_table_destroy(t.uids);
	return rc;
}

int rs_uidl_take(const char *path, const struct rs_uidl_list *l, bool dry,
	struct rs_uidl_taken *out, struct rs_err *err)
{
	struct rs_maildir *m = NULL;
	struct rs_standing s = {.m = NULL};
	struct search x = {.l = NULL};
	int lock_fd = -1;
	int rc;

	*out = (struct rs_uidl_taken){.refused = g_ptr_array_new_with_free_func(g_free)};
	rc = rs_maildir_open(
		dry ? rs_fs_readonly() : rs_fs_posix(), path, RS_MAILDIR_LAZY, &m, err);
	if (rc == 0 && !dry)
		rc = rs_maildir_lock(m, &lock_fd, err);
	if (rc == 0)
		rc = rs_standing_open(path, &s, err);
	if (rc == 0) {
		search_all(&x, l, &s);
		rc = take(m, &x, dry, out, err);
	}
	search_finish(&x);
	rs_standing_finish(&s);
	if (lock_fd >= 0)
		(void)m->fs->close(m->fs->ctx, lock_fd);
	rs_maildir_destroy(&m);
	return rc;
}

void rs_uidl_taken_finish(struct rs_uidl_taken *t)
{
	if (t->refused)
		g_ptr_array_unref(t->refused);
	t->refused = NULL;
}

/* --- comparing ----------------------------------------------------------------------------- */

static void diff_rows(const struct search *x, GHashTable *uids, struct rs_uidl_diff *out)
{
	for (uint32_t row = 0; row < x->n; row++) {
		const char *name = rs_index_name(&x->s->index, row);
		struct rs_slice uid = rs_drop_uid(&x->s->index.table, row);
		g_autofree char *text = g_strndup((const char *)uid.p, uid.n);

		if (x->there[row] == NONE)
			g_ptr_array_add(out->fresh, g_strdup_printf("%s %s", text, name));
		else if (strcmp(old(x, x->there[row])->uid, text) != 0)
			g_ptr_array_add(out->again, g_strdup_printf("%s %s, called %s there", text,
							    name, old(x, x->there[row])->uid));
		else
			out->same++;
		(void)g_hash_table_add(uids, g_steal_pointer(&text));
	}
}

/* Those it would know again, in the old order: do they stand so here? */
static void diff_order(const struct search *x, struct rs_uidl_diff *out)
{
	uint32_t last = 0;

	for (uint32_t row = 0; row < x->n && !out->order; row++) {
		uint32_t at = x->there[row];

		if (at == NONE)
			continue;
		if (at < last)
			out->order = g_strdup_printf(
				"message %u here is %u there, but one in front of it is %u there",
				row + 1, at + 1, last + 1);
		last = at;
	}
}

int rs_uidl_diff(const char *path, const struct rs_uidl_list *l, struct rs_uidl_diff *out,
	struct rs_err *err)
{
	g_autoptr(GHashTable) uids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct rs_standing s = {.m = NULL};
	struct search x = {.l = NULL};
	int rc = rs_standing_open(path, &s, err);

	*out = (struct rs_uidl_diff){.again = g_ptr_array_new_with_free_func(g_free),
		.fresh = g_ptr_array_new_with_free_func(g_free),
		.gone = g_ptr_array_new_with_free_func(g_free)};
	if (rc == 0) {
		search_all(&x, l, &s);
		diff_rows(&x, uids, out);
		diff_order(&x, out);
		for (guint i = 0; i < l->rows->len; i++) {
			if (!g_hash_table_contains(uids, old(&x, i)->uid))
				g_ptr_array_add(out->gone, g_strdup(old(&x, i)->uid));
		}
	}
	search_finish(&x);
	rs_standing_finish(&s);
	return rc;
}

void rs_uidl_diff_finish(struct rs_uidl_diff *d)
{
	if (d->again)
		g_ptr_array_unref(d->again);
	if (d->fresh)
		g_ptr_array_unref(d->fresh);
	if (d->gone)
		g_ptr_array_unref(d->gone);
	g_free(d->order);
	*d = (struct rs_uidl_diff){.again = NULL};
}
