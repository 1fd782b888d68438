/* maildrop.c - see maildrop.h. How much a file name is believed:
 *
 *   ours (the form in maildir.h)   ,W= is what rs_deliv counted: believed. The file's size is compared
 *                                  with ,S= when it is opened, so a changed file is an error of that
 *                                  message and never a wrong size on the wire.
 *   foreign, ,S= and ,W= there     Dovecot's ,W= leaves out the CRLF that POP3 adds to an
 *                                  unterminated last line: the last octet is read, once.
 *   foreign, without them          the octets are counted, once.
 * "Once": the result is kept in restante.uidl under the base name. */
#include "maildir/maildrop.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/folder.h"
#include "maildir/intent.h"
#include "maildir/lock.h"
#include "maildir/uidlist.h"
#include "proto/dot.h"

#define COUNT_CHUNK 65536u

enum drop_state { OPEN, DECIDED };

struct row {
	struct rs_maildir_entry entry; /* name borrowed from the listing */
	struct rs_maildir_name name;
	const struct rs_uidlist_row *known; /* NULL: nothing remembered, or not needed */
	uint64_t wire;
	uint64_t size;  /* octets in the file; UINT64_MAX: could not be read */
	uint32_t order; /* of imported ones; UINT32_MAX for the rest */
	char *uid;      /* NULL: the unique part of the name */
};

struct rs_maildrop {
	enum drop_state state;
	struct rs_maildir *m; /* NULL: the folder does not exist, the drop is empty */
	int lock_fd;
	struct rs_maildir_list *list;
	struct rs_uidlist uidlist;
	GArray *rows; /* struct row, in the order of the table */
	void *image;
	size_t image_n;
	struct rs_drop table;
	GPtrArray *decided; /* base names */
};

/* --- sizes --------------------------------------------------------------------------------- */

/* Octets at *p that fit `is`, at least `min` and at most `max`; moves behind them. */
static bool some(struct rs_slice *p, bool hex, size_t min, size_t max)
{
	size_t n = 0;

	while (n < p->n && n < max && (hex ? g_ascii_isxdigit(p->p[n]) : g_ascii_isdigit(p->p[n])))
		n++;
	*p = rs_slice_sub(*p, n, p->n);
	return n >= min;
}

static bool literal(struct rs_slice *p, const char *text)
{
	bool is = rs_slice_istarts(*p, text);

	*p = rs_slice_sub(*p, strlen(text), p->n);
	return is;
}

/* <seconds>.M<6 digits>P<pid>Q<counter>R<8 hex digits>.<host>: a name of our making. */
static bool is_ours(const struct rs_maildir_name *n)
{
	struct rs_slice p = n->unique;

	if (n->size == UINT64_MAX || n->wire == UINT64_MAX)
		return false;
	return some(&p, false, 1, 20) && literal(&p, ".M") && some(&p, false, 6, 6) &&
	       literal(&p, "P") && some(&p, false, 1, 20) && literal(&p, "Q") &&
	       some(&p, false, 1, 20) && literal(&p, "R") && some(&p, true, 8, 8) &&
	       literal(&p, ".");
}

static int count_octets(int fd, uint64_t *wire)
{
	g_autofree uint8_t *buf = g_malloc(COUNT_CHUNK);
	struct rs_wire_count count;
	ssize_t n;

	rs_wire_count_init(&count);
	while ((n = read(fd, buf, COUNT_CHUNK)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		rs_wire_count_add(&count, buf, (size_t)n);
	}
	*wire = rs_wire_count_end(&count);
	return 0;
}

/* Sizes of a foreign message from the file itself. One that cannot be read is told with what the
 * directory says, and fails when it is asked for. */
static void measure(struct rs_maildrop *d, struct row *row)
{
	int fd = rs_maildir_read_open(d->m, &row->entry, NULL);
	struct stat st;
	uint8_t last = '\n';
	int rc = -1;

	row->size = UINT64_MAX;
	row->wire = 0;
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		row->size = (uint64_t)st.st_size;
		if (row->name.size == row->size && row->name.wire >= row->size &&
			row->name.wire != UINT64_MAX) {
			rc = st.st_size == 0 || pread(fd, &last, 1, st.st_size - 1) == 1 ? 0 : -1;
			row->wire = row->name.wire + (last == '\n' ? 0 : 2);
		} else {
			rc = count_octets(fd, &row->wire);
		}
	}
	if (rc < 0)
		row->size = UINT64_MAX;
	close(fd);
}

static void size_of_row(struct rs_maildrop *d, struct row *row)
{
	struct rs_uidlist_row *known = rs_uidlist_find(&d->uidlist, row->name.base);

	row->order = UINT32_MAX;
	row->known = known;
	if (known) {
		known->used = true;
		if (known->uid.n)
			row->order = known->order;
	}
	if (is_ours(&row->name)) {
		row->wire = row->name.wire;
		row->size = row->name.size;
	} else if (known && known->size != UINT64_MAX) {
		row->wire = known->wire;
		row->size = known->size;
	} else {
		measure(d, row);
	}
}

/* --- order and UIDs ------------------------------------------------------------------------ */

static int compare(const void *a, const void *b)
{
	const struct row *x = a;
	const struct row *y = b;
	size_t n = RS_MIN(x->name.base.n, y->name.base.n);
	int c;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	if (x->name.seconds != y->name.seconds)
		return x->name.seconds < y->name.seconds ? -1 : 1;
	c = memcmp(x->name.base.p, y->name.base.p, n);
	if (c)
		return c;
	return x->name.base.n < y->name.base.n ? -1 : x->name.base.n > y->name.base.n;
}

static struct rs_slice row_uid(const struct row *row)
{
	if (row->uid)
		return rs_slice_str(row->uid);
	return row->known && row->known->uid.n ? row->known->uid : row->name.unique;
}

static guint uid_hash(const void *p)
{
	return rs_slice_hash(row_uid(p));
}

static gboolean uid_equal(const void *a, const void *b)
{
	return rs_slice_eq(row_uid(a), row_uid(b));
}

static void uid_from_digest(struct row *row)
{
	row->uid =
		g_compute_checksum_for_data(G_CHECKSUM_SHA256, row->name.base.p, row->name.base.n);
}

static struct row *row_at(const struct rs_maildrop *d, guint i)
{
	return &g_array_index(d->rows, struct row, i);
}

/* Every row a UID of its own: imported ones first, then those that follow from names; where
 * that is not a UID, or somebody has it, the digest of the base name. All of it follows from
 * names and imported values alone, so it is the same in every session. */
static void uids_settle(struct rs_maildrop *d)
{
	g_autoptr(GHashTable) taken = g_hash_table_new(uid_hash, uid_equal);

	for (guint pass = 0; pass < 2; pass++) {
		for (guint i = 0; i < d->rows->len; i++) {
			struct row *row = row_at(d, i);

			if ((row->order != UINT32_MAX) != (pass == 0))
				continue;
			if (!rs_drop_uid_ok(row_uid(row)) || g_hash_table_contains(taken, row))
				uid_from_digest(row);
			g_hash_table_add(taken, row);
		}
	}
}

/* --- the table ----------------------------------------------------------------------------- */

static int table_build(struct rs_maildrop *d, struct rs_err *err)
{
	struct rs_drop_builder b;
	int rc = 0;

	rs_drop_builder_init(&b);
	for (guint i = 0; i < d->rows->len && rc == 0; i++)
		rc = rs_drop_builder_add(&b, row_at(d, i)->wire, row_uid(row_at(d, i)));
	if (rc == 0) {
		d->image_n = rs_drop_builder_image_n(&b);
		d->image = g_malloc(d->image_n);
		rs_drop_builder_image(&b, d->image);
		rc = rs_drop_open(rs_slice(d->image, d->image_n), &d->table);
	}
	rs_drop_builder_finish(&b);
	if (rc < 0)
		return rs_err_set(
			err, (enum rs_err_kind) - rc, "the mailbox has too many messages");
	return 0;
}

/* Remember what had to be worked out; forget what is gone. A cache: failing to write it is no
 * failure of the session (a read-only file system still serves mail). */
static void uidlist_save(struct rs_maildrop *d)
{
	g_autoptr(GString) text = g_string_new(NULL);
	guint count = 0;
	bool changed = false;

	rs_uidlist_text_begin(text);
	for (guint i = 0; i < d->rows->len; i++) {
		const struct row *row = row_at(d, i);
		struct rs_uidlist_row line = {
			.base = row->name.base, .wire = row->wire, .size = row->size};

		if (row->size == UINT64_MAX || (!row->known && is_ours(&row->name)))
			continue;
		line.uid = row->known ? row->known->uid : rs_slice(NULL, 0);
		changed |= !row->known;
		rs_uidlist_text_row(text, &line);
		count++;
	}
	rs_uidlist_text_end(text, count);
	if (!changed && count == d->uidlist.rows->len)
		return;
	if (rs_maildir_replace(d->m, RS_UIDLIST_NAME, rs_slice(text->str, text->len),
		    d->uidlist.imported, NULL) < 0)
		return; /* the next session works it out again */
}

static int load(struct rs_maildrop *d, struct rs_err *err)
{
	int rc = rs_intent_recover(d->m, err);
	size_t n;

	if (rc == 0)
		rc = rs_maildir_scan(d->m, &d->list, err);
	if (rc < 0)
		return rc;
	n = rs_maildir_list_n(d->list);
	rs_uidlist_load(&d->uidlist, d->m);
	g_array_set_size(d->rows, (guint)n);
	for (guint i = 0; i < n; i++) {
		struct row *row = row_at(d, i);

		*row = (struct row){.entry = rs_maildir_list_at(d->list, i)};
		rs_maildir_name_parse(rs_slice_str(row->entry.file), &row->name);
		size_of_row(d, row);
	}
	if (n)
		qsort(d->rows->data, n, sizeof(struct row), compare);
	uids_settle(d);
	uidlist_save(d);
	return 0;
}

int rs_maildrop_open(
	const struct rs_fs *fs, const char *path, struct rs_maildrop **out, struct rs_err *err)
{
	struct rs_maildrop *d = g_new0(struct rs_maildrop, 1);
	struct stat st;
	int rc = 0;

	d->lock_fd = -1;
	d->rows = g_array_new(FALSE, TRUE, sizeof(struct row));
	if (!path)
		rc = 0;
	else if (stat(path, &st) == 0)
		rc = rs_maildir_open(fs, path, RS_MAILDIR_CREATE, &d->m, err);
	else if (errno != ENOENT)
		rc = rs_maildir_fail(err, errno, "open the mailbox", path, NULL);
	if (rc == 0 && d->m)
		rc = rs_maildir_lock(d->m, &d->lock_fd, err);
	if (rc == 0 && d->m)
		rc = load(d, err);
	if (rc == 0)
		rc = table_build(d, err);
	if (rc < 0)
		rs_maildrop_destroy(&d);
	else
		*out = d;
	return rc;
}

void rs_maildrop_destroy(struct rs_maildrop **dp)
{
	struct rs_maildrop *d = *dp;

	if (!d)
		return;
	if (d->lock_fd >= 0)
		(void)d->m->fs->close(d->m->fs->ctx, d->lock_fd);
	for (guint i = 0; i < d->rows->len; i++)
		g_free(row_at(d, i)->uid);
	g_array_free(d->rows, TRUE);
	if (d->uidlist.rows)
		rs_uidlist_finish(&d->uidlist);
	rs_maildir_list_destroy(&d->list);
	rs_maildir_destroy(&d->m);
	if (d->decided)
		g_ptr_array_unref(d->decided);
	g_free(d->image);
	g_free(d);
	*dp = NULL;
}

const struct rs_drop *rs_maildrop_table(const struct rs_maildrop *d)
{
	return &d->table;
}

struct rs_slice rs_maildrop_image(const struct rs_maildrop *d)
{
	return rs_slice(d->image, d->image_n);
}

int rs_maildrop_read_open(struct rs_maildrop *d, uint32_t row, struct rs_err *err)
{
	const struct row *r = row_at(d, row);
	struct stat st;
	int fd;

	assert(row < d->rows->len);
	fd = rs_maildir_read_open(d->m, &r->entry, err);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == r->size)
		return fd;
	close(fd);
	return rs_err_set(err, RS_ECORRUPT,
		"%s/%s is not the size it was: somebody changed the file", d->m->path,
		r->entry.file);
}

/* --- QUIT ---------------------------------------------------------------------------------- */

int rs_maildrop_decide(struct rs_maildrop *d, const uint8_t *marks, struct rs_err *err)
{
	g_autoptr(GPtrArray) bases = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GString) text = NULL;
	int rc;

	assert(d->state == OPEN);
	for (guint i = 0; i < d->rows->len; i++) {
		struct rs_slice base = row_at(d, i)->name.base;

		if (rs_marks_get(marks, i))
			g_ptr_array_add(bases, g_strndup((const char *)base.p, base.n));
	}
	if (bases->len == 0)
		return 0;
	text = rs_intent_text(bases);
	rc = rs_maildir_replace(d->m, RS_INTENT_NAME, rs_slice(text->str, text->len), true, err);
	if (rc < 0) {
		/* the record may be there although its folder could not be synced: take it back */
		(void)d->m->fs->unlink(d->m->fs->ctx, d->m->root_fd, RS_INTENT_NAME);
		return rc;
	}
	d->decided = g_steal_pointer(&bases);
	d->state = DECIDED;
	return 0;
}

int rs_maildrop_finish(struct rs_maildrop *d, uint32_t *left, struct rs_err *err)
{
	int rc;

	*left = 0;
	if (d->state != DECIDED)
		return 0;
	rc = rs_intent_carry_out(d->m, d->decided, left, err);
	if (rc == 0 && *left == 0)
		d->state = OPEN;
	return rc;
}
