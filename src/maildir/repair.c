/* repair.c - see repair.h */
#include "maildir/repair.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/intent.h"
#include "maildir/lock.h"
#include "maildir/maildrop.h"
#include "maildir/sizes.h"
#include "maildir/standing.h"

#define DAMAGED_NAME RS_UIDLIST_NAME ".damaged"
#define TEXT_MAX     (1024u * 1024 * 1024)

/* A message as it will be remembered. */
struct item {
	char *base; /* as it will be */
	char *uid;  /* NULL: follows from the name */
	char *file; /* to be renamed to `base` and the flags it has; NULL: it stays */
	bool in_new;
	struct rs_sizes sizes; /* size UINT64_MAX: not to be remembered */
	uint64_t order;        /* of those with a UID */
};

struct repair {
	struct rs_maildir *m;
	int lock_fd;
	struct rs_standing s;
	GHashTable *salvaged; /* base -> struct item *, of a damaged UID list */
	GHashTable *kept;     /* base -> row + 1 of the kept index */
	GPtrArray *items;     /* struct item * */
	GPtrArray *did;       /* lent */
	GPtrArray *left;      /* lent */
	guint to_rename;
};

static void item_free(gpointer p)
{
	struct item *i = p;

	g_free(i->base);
	g_free(i->uid);
	g_free(i->file);
	g_free(i);
}

static void say(GPtrArray *to, const char *fmt, ...) RS_FORMAT(2, 3);

static void say(GPtrArray *to, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	g_ptr_array_add(to, g_strdup_vprintf(fmt, args));
	va_end(args);
}

/* --- what is still known of UIDs ----------------------------------------------------------- */

/* A line that can still be read, whatever is around it; the list's own parser does the reading. */
static void salvage_line(struct repair *r, struct rs_slice line, uint64_t order)
{
	g_autoptr(GString) one = g_string_new(NULL);
	struct rs_uidlist l;

	rs_uidlist_text_begin(one);
	g_string_append_len(one, (const char *)line.p, (gssize)line.n);
	g_string_append_c(one, '\n');
	rs_uidlist_text_end(one, 1);
	rs_uidlist_parse(&l, g_strndup(one->str, one->len), one->len);
	if (l.rows->len == 1) {
		const struct rs_uidlist_row *row = &g_array_index(l.rows, struct rs_uidlist_row, 0);
		struct item *i = g_new0(struct item, 1);

		i->uid = row->uid.n ? g_strndup((const char *)row->uid.p, row->uid.n) : NULL;
		i->order = order;
		(void)g_hash_table_insert(
			r->salvaged, g_strndup((const char *)row->base.p, row->base.n), i);
	}
	rs_uidlist_finish(&l);
}

static void salvage(struct repair *r)
{
	g_autofree char *text = NULL;
	struct rs_slice rest;
	size_t n = 0;
	uint64_t order = 0;

	r->salvaged = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, item_free);
	if (!r->s.uidlist_damaged ||
		rs_maildir_slurp(r->m, RS_UIDLIST_NAME, TEXT_MAX, &text, &n, NULL) < 0)
		return;
	rest = rs_slice(text, n);
	while (rest.n) {
		size_t end = rs_slice_find(rest, '\n');

		salvage_line(r, rs_slice_sub(rest, 0, end), order++);
		rest = rs_slice_sub(rest, end + 1, rest.n);
	}
	say(r->did, "%s/" RS_UIDLIST_NAME ": %u lines could still be read", r->m->path,
		g_hash_table_size(r->salvaged));
}

/* The UID that was given out for row `i` of the folder where it does not follow from the name. */
static void uid_of(struct repair *r, uint32_t i, struct item *item)
{
	struct rs_slice now = rs_drop_uid(&r->s.index.table, i);
	const struct rs_uidlist_row *known = rs_uidlist_find(&r->s.known, rs_slice_str(item->base));
	const struct item *saved = g_hash_table_lookup(r->salvaged, item->base);
	guint kept = GPOINTER_TO_UINT(g_hash_table_lookup(r->kept, item->base));
	struct rs_slice then = kept ? rs_drop_uid(&r->s.kept.table, kept - 1) : rs_slice(NULL, 0);

	item->order = i;
	if (known && known->uid.n) {
		item->uid = g_strndup((const char *)known->uid.p, known->uid.n);
	} else if (saved && saved->uid) {
		item->uid = g_strdup(saved->uid);
		item->order = saved->order;
	} else if (kept && !rs_slice_eq(now, then)) {
		item->uid = g_strndup((const char *)then.p, then.n);
		item->order = kept - 1;
	}
}

/* --- the messages -------------------------------------------------------------------------- */

/* A message of ours whose name tells wrong sizes is to get a name that does not. */
static void plan_rename(struct repair *r, const struct rs_maildir_entry *e,
	const struct rs_maildir_name *n, struct item *item)
{
	g_autofree char *ascii =
		item->sizes.ascii == UINT64_MAX
			? g_strdup("")
			: g_strdup_printf(",U=%" G_GUINT64_FORMAT, item->sizes.ascii);

	g_free(item->base);
	item->base = g_strdup_printf("%.*s,S=%" G_GUINT64_FORMAT ",W=%" G_GUINT64_FORMAT "%s",
		(int)n->unique.n, (const char *)n->unique.p, item->sizes.size, item->sizes.wire,
		ascii);
	item->file = g_strdup(e->file);
	item->in_new = e->in_new;
	r->to_rename++;
}

/* It cannot be read: what is remembered of it stays. */
static void keep_unreadable(struct repair *r, const struct rs_maildir_entry *e, struct item *item)
{
	const struct rs_uidlist_row *known = rs_uidlist_find(&r->s.known, rs_slice_str(item->base));

	say(r->left, "%s/%s/%s: cannot be read", r->m->path, e->in_new ? "new" : "cur", e->file);
	if (known)
		item->sizes = (struct rs_sizes){known->size, known->wire, known->ascii};
	else if (item->uid)
		item->sizes = (struct rs_sizes){0, 0, UINT64_MAX};
}

static void take_message(struct repair *r, uint32_t i)
{
	const struct rs_maildir_name unknown = {
		.size = UINT64_MAX, .wire = UINT64_MAX, .ascii = UINT64_MAX};
	struct rs_maildir_entry e = rs_standing_entry(&r->s, i);
	struct item *item = g_new0(struct item, 1);
	struct rs_slice uid = rs_drop_uid(&r->s.index.table, i);
	struct rs_maildir_name n;

	g_ptr_array_add(r->items, item);
	rs_maildir_name_parse(rs_slice_str(e.file), &n);
	item->base = g_strndup((const char *)n.base.p, n.base.n);
	uid_of(r, i, item);
	rs_sizes_measure(r->s.m, &e, &unknown, &item->sizes);
	if (item->sizes.size == UINT64_MAX) {
		keep_unreadable(r, &e, item);
		return;
	}
	if (!rs_sizes_ours(&n))
		return;
	if (n.size != item->sizes.size || n.wire != item->sizes.wire ||
		(n.ascii != UINT64_MAX && n.ascii != item->sizes.ascii)) {
		/* a digest of the old name would not follow from the new one */
		if (!item->uid && !rs_slice_eq(uid, n.unique))
			item->uid = g_strndup((const char *)uid.p, uid.n);
		plan_rename(r, &e, &n, item);
	}
	if (!item->uid)
		item->sizes.size = UINT64_MAX; /* its name tells all: no line */
}

static int rename_message(struct repair *r, const struct item *item, struct rs_err *err)
{
	g_autofree char *to = g_strconcat(item->base, item->file + strcspn(item->file, ":"), NULL);
	const char *sub = item->in_new ? "new" : "cur";
	int dir = item->in_new ? r->m->new_fd : r->m->cur_fd;
	int rc = r->m->fs->rename(r->m->fs->ctx, dir, item->file, dir, to, RENAME_NOREPLACE);

	if (rc < 0)
		return rs_maildir_fail(err, -rc, "rename", r->m->path, item->file);
	say(r->did, "%s/%s/%s: the name told a wrong size; it is %s now", r->m->path, sub,
		item->file, to);
	return rs_maildir_sync_dir(r->m, dir, sub, err);
}

/* --- the UID list -------------------------------------------------------------------------- */

static gint by_order(gconstpointer a, gconstpointer b)
{
	const struct item *x = *(const struct item *const *)a;
	const struct item *y = *(const struct item *const *)b;

	if (!x->uid != !y->uid)
		return x->uid ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* `both`: lines for the names that are and for those that will be, so that no UID is without a line
 * whenever a crash comes. */
static GString *list_text(struct repair *r, bool both, guint *imported)
{
	g_autoptr(GHashTable) uids = g_hash_table_new(g_str_hash, g_str_equal);
	GString *text = g_string_new(NULL);
	guint count = 0;

	g_ptr_array_sort(r->items, by_order);
	rs_uidlist_text_begin(text);
	for (guint i = 0; i < r->items->len; i++) {
		const struct item *item = g_ptr_array_index(r->items, i);
		struct rs_uidlist_row row = {.base = rs_slice_str(item->base),
			.wire = item->sizes.wire,
			.size = item->sizes.size,
			.ascii = item->sizes.ascii,
			.uid = rs_slice_str(item->uid)};

		if (item->uid && !g_hash_table_add(uids, item->uid)) {
			if (!both)
				say(r->left, "%s: UID %s was given out twice; %s gets another",
					r->m->path, item->uid, item->base);
			row.uid = rs_slice(NULL, 0);
		}
		if (row.size == UINT64_MAX && row.uid.n == 0)
			continue;
		if (row.base.n == 0 || row.base.n > RS_MAILDIR_NAME_MAX)
			continue;
		*imported += row.uid.n > 0;
		rs_uidlist_text_row(text, &row);
		count++;
		if (both && item->file && row.uid.n) {
			row.base.p = (const uint8_t *)item->file;
			row.base.n = strcspn(item->file, ":");
			rs_uidlist_text_row(text, &row);
			count++;
		}
	}
	rs_uidlist_text_end(text, count);
	return text;
}

static int list_write(struct repair *r, bool both, struct rs_err *err)
{
	guint imported = 0;
	g_autoptr(GString) text = list_text(r, both, &imported);
	g_autofree char *old = NULL;
	size_t n = 0;
	int rc = 0;

	if (rs_maildir_slurp(r->m, RS_UIDLIST_NAME, TEXT_MAX, &old, &n, NULL) == 0 &&
		n == text->len && memcmp(old, text->str, n) == 0)
		return 0;
	if (r->s.uidlist_damaged && faccessat(r->m->root_fd, DAMAGED_NAME, F_OK, 0) < 0)
		rc = r->m->fs->rename(r->m->fs->ctx, r->m->root_fd, RS_UIDLIST_NAME, r->m->root_fd,
			DAMAGED_NAME, 0);
	if (rc < 0)
		return rs_maildir_fail(err, -rc, "rename", r->m->path, RS_UIDLIST_NAME);
	rc = rs_maildir_replace(r->m, RS_UIDLIST_NAME, rs_slice(text->str, text->len), true, err);
	if (rc == 0 && !both)
		say(r->did,
			"%s/" RS_UIDLIST_NAME ": written anew, with %u UIDs that were taken over%s",
			r->m->path, imported,
			r->s.uidlist_damaged ? "; the damaged one is " DAMAGED_NAME : "");
	return rc;
}

/* --- all of it ----------------------------------------------------------------------------- */

static int finish_deletion(struct repair *r, const char *account, struct rs_err *err)
{
	bool pending = faccessat(r->m->root_fd, RS_INTENT_NAME, F_OK, 0) == 0;
	int rc = rs_intent_recover(r->m, account, err);

	if (rc == 0 && pending)
		say(r->did, "%s: finished what a QUIT had decided to delete", r->m->path);
	return rc;
}

static void clean_tmp(struct repair *r, int64_t now_s)
{
	struct stat before;
	struct stat after;

	if (rs_maildir_subs(r->m, NULL) < 0 || fstat(r->m->tmp_fd, &before) < 0)
		return;
	rs_maildir_clean_tmp(r->m, now_s);
	if (fstat(r->m->tmp_fd, &after) == 0 &&
		(before.st_mtim.tv_sec != after.st_mtim.tv_sec ||
			before.st_mtim.tv_nsec != after.st_mtim.tv_nsec))
		say(r->did, "%s/tmp: removed what deliveries left unfinished", r->m->path);
}

static int repair_locked(struct repair *r, const char *account, int64_t now_s, struct rs_err *err)
{
	int rc = finish_deletion(r, account, err);

	if (rc == 0)
		rc = rs_standing_open(r->m->path, &r->s, err);
	if (rc < 0)
		return rc;
	clean_tmp(r, now_s);
	r->kept = rs_standing_kept_rows(&r->s);
	salvage(r);
	r->items = g_ptr_array_new_with_free_func(item_free);
	for (uint32_t i = 0; i < r->s.index.head->rows_n; i++)
		take_message(r, i);
	if (r->to_rename)
		rc = list_write(r, true, err);
	for (guint i = 0; i < r->items->len && rc == 0; i++) {
		const struct item *item = g_ptr_array_index(r->items, i);

		if (item->file)
			rc = rename_message(r, item, err);
	}
	if (rc == 0)
		rc = list_write(r, false, err);
	if (rc == 0)
		(void)r->m->fs->unlink(r->m->fs->ctx, r->m->root_fd, RS_INDEX_NAME);
	return rc;
}

static void repair_finish(struct repair *r)
{
	if (r->lock_fd >= 0)
		(void)r->m->fs->close(r->m->fs->ctx, r->lock_fd);
	rs_standing_finish(&r->s);
	if (r->salvaged)
		g_hash_table_destroy(r->salvaged);
	if (r->kept)
		g_hash_table_destroy(r->kept);
	if (r->items)
		g_ptr_array_unref(r->items);
	rs_maildir_destroy(&r->m);
}

int rs_repair_folder(const char *path, const char *account, int64_t now_s, GPtrArray *did,
	GPtrArray *left, struct rs_err *err)
{
	struct repair r = {.lock_fd = -1, .did = did, .left = left};
	struct rs_maildrop *d = NULL;
	int rc = rs_maildir_open(rs_fs_posix(), path, 0, &r.m, err);

	if (rc == 0)
		rc = rs_maildir_lock(r.m, &r.lock_fd, err);
	if (rc == 0)
		rc = repair_locked(&r, account, now_s, err);
	repair_finish(&r);
	if (rc < 0)
		return rc;
	/* a session like any other makes the index; one of a client may have come first */
	rc = rs_maildrop_open_of(rs_fs_posix(), path, account, &d, err);
	rs_maildrop_destroy(&d);
	return rc == -RS_ELOCKED ? 0 : rc;
}
