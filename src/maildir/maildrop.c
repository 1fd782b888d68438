/* maildrop.c - see maildrop.h. What a session knows of its messages is an index (index.h): the one that
 * the last session left where the folders still have the state it tells, else a new one, made
 * from the old one and what has changed, or from the folders alone (rows.h). */
#include "maildir/maildrop.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/intent.h"
#include "maildir/lock.h"
#include "maildir/recent.h"
#include "maildir/rows.h"

#define KEPT_MIN 64u /* a folder with fewer messages is read as fast as a file about it */

/* A folder that changed less than this before it was read may change again without its time telling:
 * times are as coarse as the kernel's tick, on old file systems as two seconds. */
#define FRESH_NS        100000000
#define FRESH_COARSE_NS 3000000000

enum drop_state { OPEN, DECIDED };

struct rs_maildrop {
	enum drop_state state;
	struct rs_maildir *m; /* NULL: the folder does not exist, the drop is empty */
	int lock_fd;
	struct rs_index index;
	struct rs_intent decided;
	char *account; /* where subfolders are and quota is counted */
};

/* --- is the folder as it was? -------------------------------------------------------------- */

static struct rs_stamp stamp_of(const struct rs_maildir *m, const char *name)
{
	struct stat st;

	if (fstatat(m->root_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return (struct rs_stamp){.s = 0};
	return (struct rs_stamp){
		.s = st.st_ctim.tv_sec, .ns = st.st_ctim.tv_nsec, .inode = st.st_ino};
}

/* The file system's clock: that of the machine may be another. */
static struct rs_stamp clock_of(int lock_fd)
{
	struct stat st;

	if (futimens(lock_fd, NULL) < 0 || fstat(lock_fd, &st) < 0)
		return (struct rs_stamp){.s = 0};
	return (struct rs_stamp){.s = st.st_mtim.tv_sec, .ns = st.st_mtim.tv_nsec};
}

/* A stamp taken before a reading that began at `now`: forgotten where a change during that reading
 * might have the same. */
static void stamp_trust(struct rs_stamp *s, const struct rs_stamp *now)
{
	int64_t age_s = now->s - s->s;
	int64_t least = s->ns == 0 && now->ns == 0 ? FRESH_COARSE_NS : FRESH_NS;

	if (!rs_stamp_known(now) || age_s < 0 ||
		(age_s < 10 && age_s * 1000000000 + now->ns - s->ns < least))
		*s = (struct rs_stamp){.s = 0};
}

static bool uidlist_same(const struct rs_index *x, const struct rs_stamp *now)
{
	const struct rs_stamp *then = &x->head->uidlist;

	return then->s == now->s && then->ns == now->ns && then->inode == now->inode;
}

/* --- reading it ---------------------------------------------------------------------------- */

/* The entries of one folder: from the index where it stands unchanged, else read. */
static int list_part(struct rs_maildrop *d, const struct rs_index *old, bool same, bool in_new,
	struct rs_maildir_list *l, struct rs_err *err)
{
	if (!same)
		return rs_maildir_list_read(l, d->m, in_new, err);
	for (uint32_t i = 0; i < old->head->rows_n; i++) {
		uint32_t row = old->scan[i];

		if (old->rows[row].in_new == in_new)
			rs_maildir_list_add(l, rs_index_name(old, row), in_new);
	}
	return 0;
}

/* From nothing but the folders and what restante.uidl remembers. */
static int read_all(struct rs_maildrop *d, const struct rs_index *old, struct rs_err *err)
{
	struct rs_maildir_list *l = NULL;
	struct rs_uidlist known;
	int rc = rs_maildir_scan(d->m, &l, err);

	if (rc < 0)
		return rc;
	rs_uidlist_load(&known, d->m);
	rc = rs_rows_index(d->m, l, &known, old, &d->index, err);
	rs_uidlist_finish(&known);
	rs_maildir_list_destroy(&l);
	return rc;
}

/* From the index of the last session and what has changed. False: it cannot be done so. */
static bool read_changes(struct rs_maildrop *d, const struct rs_index *old,
	const struct rs_stamp *cur, const struct rs_stamp *new)
{
	struct rs_maildir_list *l = rs_maildir_list_new();
	bool cur_same = rs_stamp_eq(&old->head->cur, cur);
	bool new_same = rs_stamp_eq(&old->head->new, new);
	bool ok = list_part(d, old, new_same, true, l, NULL) == 0 &&
		  list_part(d, old, cur_same, false, l, NULL) == 0;
	struct rs_stamp again = stamp_of(d->m, "cur");

	/* moved to cur/ while new/ was read: it would be missing in both */
	if (ok && cur_same && !rs_stamp_eq(cur, &again))
		ok = false;
	if (ok && !cur_same && !new_same)
		rs_maildir_list_settle(l); /* else nothing can have moved */
	ok = ok && rs_rows_carry(old, l, &d->index);
	rs_maildir_list_destroy(&l);
	return ok;
}

/* For the next session: of a large folder as a file, of a small one in memory. */
static void keep(struct rs_maildrop *d, bool had_file)
{
	struct rs_index *x = &d->index;
	bool large = x->head->rows_n >= KEPT_MIN;
	bool good = rs_stamp_known(&x->head->cur) && rs_stamp_known(&x->head->new);

	x->head->uidlist = stamp_of(d->m, RS_UIDLIST_NAME);
	if (!large && good)
		good = d->m->fs == rs_fs_posix();
	for (uint32_t i = 0; i < x->head->rows_n && (large || good); i++) {
		if (x->rows[i].size == UINT64_MAX) /* try it again next time */
			large = good = false;
	}
	if (large)
		rs_index_save(d->m, x);
	else if (had_file)
		(void)d->m->fs->unlink(d->m->fs->ctx, d->m->root_fd, RS_INDEX_NAME);
	if (!large && good)
		rs_recent_put(d->m->path, d->m->root_fd, x);
	else
		rs_recent_forget(d->m->path);
}

/* What was kept. *file: it was in the folder. */
static bool kept(const struct rs_maildrop *d, struct rs_index *old, bool *file)
{
	bool quick;

	if (d->m->fs == rs_fs_posix() && rs_recent_get(d->m->path, old, &quick))
		return true;
	return *file = rs_index_load(d->m, old) == 0;
}

static int load(struct rs_maildrop *d, struct rs_err *err)
{
	int rc = rs_intent_recover(d->m, d->account, err);
	struct rs_stamp cur = stamp_of(d->m, "cur"); /* first cur/: messages move from new/ to it */
	struct rs_stamp new = stamp_of(d->m, "new");
	struct rs_stamp uidlist = stamp_of(d->m, RS_UIDLIST_NAME);
	struct rs_index old = {.n = 0};
	struct rs_stamp now;
	bool file = false;

	if (rc < 0)
		return rc;
	if (kept(d, &old, &file) && uidlist_same(&old, &uidlist)) {
		if (rs_stamp_eq(&old.head->cur, &cur) && rs_stamp_eq(&old.head->new, &new)) {
			d->index = old;
			return 0;
		}
		now = clock_of(d->lock_fd);
		if (!read_changes(d, &old, &cur, &new))
			rc = read_all(d, &old, err);
	} else {
		now = clock_of(d->lock_fd);
		rc = read_all(d, &old, err);
	}
	if (rc == 0) {
		stamp_trust(&cur, &now);
		stamp_trust(&new, &now);
		d->index.head->cur = cur;
		d->index.head->new = new;
		keep(d, file);
	}
	rs_index_finish(&old);
	return rc;
}

int rs_maildrop_open(
	const struct rs_fs *fs, const char *path, struct rs_maildrop **out, struct rs_err *err)
{
	return rs_maildrop_open_of(fs, path, path, out, err);
}

int rs_maildrop_open_of(const struct rs_fs *fs, const char *path, const char *account,
	struct rs_maildrop **out, struct rs_err *err)
{
	struct rs_maildrop *d = g_new0(struct rs_maildrop, 1);
	struct stat st;
	int rc = 0;

	d->lock_fd = -1;
	d->account = g_strdup(account);
	if (!path)
		rc = 0;
	else if (stat(path, &st) == 0)
		rc = rs_maildir_open(fs, path, RS_MAILDIR_CREATE | RS_MAILDIR_LAZY, &d->m, err);
	else if (errno != ENOENT)
		rc = rs_maildir_fail(err, errno, "open the mailbox", path, NULL);
	if (rc == 0 && d->m)
		rc = rs_maildir_lock(d->m, &d->lock_fd, err);
	if (rc == 0 && d->m) {
		rc = load(d, err);
		rs_maildir_rest(d->m);
	} else if (rc == 0) {
		struct rs_drop_builder b;

		rs_drop_builder_init(&b);
		rs_index_create(0, 0, rs_drop_builder_image_n(&b), &d->index);
		rs_drop_builder_image(&b, (uint8_t *)(uintptr_t)d->index.image.p);
		rc = rs_index_seal(&d->index);
		rs_drop_builder_finish(&b);
	}
	if (rc < 0)
		rs_maildrop_destroy(&d);
	else
		*out = d;
	return rc;
}

/* Nothing is to be finished first, and the folder is as the index tells it. */
static bool stands(const struct rs_maildrop *d)
{
	const struct rs_index *x = &d->index;
	struct rs_stamp cur = stamp_of(d->m, "cur");
	struct rs_stamp new = stamp_of(d->m, "new");
	struct rs_stamp uidlist = stamp_of(d->m, RS_UIDLIST_NAME);
	struct stat st;

	return rs_stamp_eq(&x->head->cur, &cur) && rs_stamp_eq(&x->head->new, &new) &&
	       uidlist_same(x, &uidlist) &&
	       fstatat(d->m->root_fd, RS_INTENT_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0 &&
	       errno == ENOENT;
}

bool rs_maildrop_open_quick(const char *path, struct rs_maildrop **out)
{
	struct rs_index index;
	struct rs_maildrop *d;
	bool quick;

	if (!rs_recent_get(path, &index, &quick))
		return false;
	d = g_new0(struct rs_maildrop, 1);
	d->lock_fd = -1;
	d->account = g_strdup(path);
	d->index = index;
	if (!quick || rs_maildir_open(rs_fs_posix(), path, RS_MAILDIR_LAZY, &d->m, NULL) < 0 ||
		rs_maildir_lock(d->m, &d->lock_fd, NULL) < 0 || !stands(d)) {
		rs_maildrop_destroy(&d);
		return false;
	}
	d->m->flags |= RS_MAILDIR_CREATE;
	*out = d;
	return true;
}

void rs_maildrop_destroy(struct rs_maildrop **dp)
{
	struct rs_maildrop *d = *dp;

	if (!d)
		return;
	if (d->lock_fd >= 0)
		(void)d->m->fs->close(d->m->fs->ctx, d->lock_fd);
	rs_index_finish(&d->index);
	rs_maildir_destroy(&d->m);
	rs_intent_finish(&d->decided);
	g_free(d->account);
	g_free(d);
	*dp = NULL;
}

const struct rs_drop *rs_maildrop_table(const struct rs_maildrop *d)
{
	return &d->index.table;
}

struct rs_slice rs_maildrop_image(const struct rs_maildrop *d)
{
	return d->index.image;
}

const char *rs_maildrop_name(const struct rs_maildrop *d, uint32_t row)
{
	assert(row < d->index.head->rows_n);
	return rs_index_name(&d->index, row);
}

static int row_open(struct rs_maildrop *d, uint32_t row, struct rs_err *err)
{
	struct rs_maildir_entry e = {
		.file = rs_index_name(&d->index, row), .in_new = d->index.rows[row].in_new != 0};

	assert(row < d->index.head->rows_n);
	return rs_maildir_read_open(d->m, &e, err);
}

static int changed(const struct rs_maildrop *d, uint32_t row, struct rs_err *err)
{
	return rs_err_set(err, RS_ECORRUPT,
		"%s/%s is not the size it was: somebody changed the file", d->m->path,
		rs_index_name(&d->index, row));
}

int rs_maildrop_read_open(struct rs_maildrop *d, uint32_t row, struct rs_err *err)
{
	const struct rs_index_row *r = &d->index.rows[row];
	struct stat st;
	int fd = row_open(d, row, err);

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == r->size)
		return fd;
	close(fd);
	return changed(d, row, err);
}

/* Exactly the n octets that are in the file, or not at all. */
static bool read_exactly(int fd, uint8_t *to, size_t n)
{
	size_t got = 0;
	ssize_t k;

	do { /* one octet more is asked for, so that the end is seen without asking again */
		k = pread(fd, to + got, n + 1 - got, (off_t)got);
		got += k > 0 ? (size_t)k : 0;
	} while (k > 0 && got < n);
	return k >= 0 && got == n;
}

int rs_maildrop_read(struct rs_maildrop *d, uint32_t row, size_t max, struct rs_maildrop_body *out,
	struct rs_err *err)
{
	uint64_t size = d->index.rows[row].size;
	uint8_t *octets;
	bool whole;
	int fd;

	*out = (struct rs_maildrop_body){.fd = -1};
	if (size > max) {
		fd = rs_maildrop_read_open(d, row, err);
		out->fd = fd < 0 ? -1 : fd;
		return fd < 0 ? fd : 0;
	}
	fd = row_open(d, row, err);
	if (fd < 0)
		return fd;
	octets = g_malloc((size_t)size + 1);
	whole = read_exactly(fd, octets, (size_t)size);
	close(fd);
	if (!whole) {
		g_free(octets);
		return changed(d, row, err);
	}
	out->octets = octets;
	out->n = (size_t)size;
	return 0;
}

/* --- QUIT ---------------------------------------------------------------------------------- */

int rs_maildrop_decide(struct rs_maildrop *d, const uint8_t *marks, struct rs_err *err)
{
	return rs_maildrop_decide_with(d, marks, NULL, NULL, err);
}

int rs_maildrop_decide_with(struct rs_maildrop *d, const uint8_t *marks, const GPtrArray *more,
	const char *keep, struct rs_err *err)
{
	struct rs_intent intent = {
		.names = g_ptr_array_new_with_free_func(g_free), .keep = g_strdup(keep)};
	g_autoptr(GString) text = NULL;
	int rc;

	assert(d->state == OPEN);
	for (uint32_t i = 0; i < rs_drop_n(rs_maildrop_table(d)); i++) {
		const char *name = rs_maildrop_name(d, i);

		if (rs_marks_get(marks, i))
			g_ptr_array_add(intent.names, g_strndup(name, strcspn(name, ":")));
	}
	for (guint i = 0; more && i < more->len; i++)
		g_ptr_array_add(intent.names, g_strdup(g_ptr_array_index(more, i)));
	if (intent.names->len == 0) {
		rs_intent_finish(&intent);
		return 0;
	}
	text = rs_intent_text(&intent);
	rc = rs_maildir_replace(d->m, RS_INTENT_NAME, rs_slice(text->str, text->len), true, err);
	if (rc < 0) {
		/* the record may be there although its folder could not be synced: take it back */
		(void)d->m->fs->unlink(d->m->fs->ctx, d->m->root_fd, RS_INTENT_NAME);
		rs_intent_finish(&intent);
		return rc;
	}
	d->decided = intent;
	d->state = DECIDED;
	return 0;
}

int rs_maildrop_finish(struct rs_maildrop *d, uint32_t *left, struct rs_err *err)
{
	int rc;

	*left = 0;
	if (d->state != DECIDED)
		return 0;
	rc = rs_intent_carry_out(d->m, d->account, &d->decided, left, err);
	if (rc == 0 && *left == 0)
		d->state = OPEN;
	return rc;
}
