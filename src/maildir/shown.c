/* shown.c - see shown.h */
#include "maildir/shown.h"

#include <assert.h>
#include <glib.h>
#include <string.h>
#include <unistd.h>

#include "maildir/expire.h"
#include "maildir/made.h"
#include "maildir/maildrop.h"
#include "maildir/subfolder.h"

struct row {
	bool junk;
	uint32_t at; /* row of that maildrop */
};

struct rs_shown {
	const struct rs_fs *fs;    /* lent                                                    */
	struct rs_maildrop *drop;  /* of the folder that was asked for                       */
	struct rs_maildrop *junk;  /* shown with it, or NULL                                 */
	struct rs_maildrop *guard; /* the main one, where its record may speak of this folder */
	char *account;
	char *junk_name; /* ".Junk", as the folder is spelt */
	char *field;     /* header field of junk, with its LF */
	char *keep;      /* NULL: removed */
	GArray *rows;    /* struct row; NULL: those of `drop`, all of them */
	void *image;     /* with `rows` only */
	size_t image_n;
	struct rs_drop table;
	uint32_t expired;
};

/* --- which messages ------------------------------------------------------------------------ */

static struct rs_maildrop *drop_of(const struct rs_shown *s, const struct row *r)
{
	return r->junk ? s->junk : s->drop;
}

static uint64_t arrived(const struct rs_maildrop *d, uint32_t row)
{
	struct rs_maildir_name name;

	rs_maildir_name_parse(rs_slice_str(rs_maildrop_name(d, row)), &name);
	return name.seconds;
}

/* Did row `a` of junk come before row `b` of the folder? */
static bool junk_first(const struct rs_shown *s, uint32_t a, uint32_t b)
{
	uint64_t x = arrived(s->junk, a);
	uint64_t y = arrived(s->drop, b);

	return x != y ? x < y
		      : strcmp(rs_maildrop_name(s->junk, a), rs_maildrop_name(s->drop, b)) < 0;
}

/* All rows: the folder's in its order, junk in between by time. */
static void rows_merge(struct rs_shown *s)
{
	uint32_t n = rs_drop_n(rs_maildrop_table(s->drop));
	uint32_t junk_n = s->junk ? rs_drop_n(rs_maildrop_table(s->junk)) : 0;
	uint32_t j = 0;

	for (uint32_t i = 0; i <= n; i++) {
		struct row row = {.at = i};

		for (; j < junk_n && (i == n || junk_first(s, j, i)); j++) {
			struct row of_junk = {.junk = true, .at = j};

			g_array_append_val(s->rows, of_junk);
		}
		if (i < n)
			g_array_append_val(s->rows, row);
	}
}

/* Leave out what the view leaves out. A message whose name tells no time is shown. */
static void rows_cut(struct rs_shown *s, const struct rs_view *view, int64_t now_s)
{
	int64_t since = view->kind == RS_VIEW_AGE ? now_s - view->seconds : view->seconds;
	guint to = 0;

	if (view->kind == RS_VIEW_NEWEST && s->rows->len > view->newest)
		g_array_remove_range(s->rows, 0, s->rows->len - view->newest);
	if (view->kind != RS_VIEW_AGE && view->kind != RS_VIEW_SINCE)
		return;
	for (guint i = 0; i < s->rows->len; i++) {
		struct row row = g_array_index(s->rows, struct row, i);
		uint64_t s_at = arrived(drop_of(s, &row), row.at);

		if (s_at == 0 || since < 0 || s_at >= (uint64_t)since)
			g_array_index(s->rows, struct row, to++) = row;
	}
	g_array_set_size(s->rows, to);
}

/* --- the table ----------------------------------------------------------------------------- */

static guint slice_hash(const void *p)
{
	return rs_slice_hash(*(const struct rs_slice *)p);
}

static gboolean slice_equal(const void *a, const void *b)
{
	return rs_slice_eq(*(const struct rs_slice *)a, *(const struct rs_slice *)b);
}

/* All UIDs of the folder itself, shown or not: junk must not take one, whatever the view. */
static GHashTable *uids_of(const struct rs_drop *table, struct rs_slice **uids)
{
	GHashTable *taken = g_hash_table_new(slice_hash, slice_equal);

	*uids = g_new(struct rs_slice, rs_drop_n(table) + 1);
	for (uint32_t i = 0; i < rs_drop_n(table); i++) {
		(*uids)[i] = rs_drop_uid(table, i);
		(void)g_hash_table_add(taken, &(*uids)[i]);
	}
	return taken;
}

static int add_row(
	struct rs_shown *s, struct rs_drop_builder *b, const struct row *row, GHashTable *taken)
{
	const struct rs_drop *table = rs_maildrop_table(drop_of(s, row));
	struct rs_slice uid = rs_drop_uid(table, row->at);
	uint64_t octets = rs_drop_octets(table, row->at);
	const struct rs_drop_ascii *a = rs_drop_ascii(table, row->at);
	uint64_t ascii = a ? a->octets : RS_DROP_NO_ASCII;
	g_autofree char *other = NULL;
	int rc;

	if (row->junk) {
		octets += strlen(s->field) + 1; /* its LF is sent as CRLF */
		if (ascii != RS_DROP_NO_ASCII)
			ascii += strlen(s->field) + 1;
		if (g_hash_table_contains(taken, &uid)) {
			other = g_compute_checksum_for_data(G_CHECKSUM_SHA256, uid.p, uid.n);
			uid = rs_slice_str(other);
		}
	}
	rc = rs_drop_builder_add(b, octets, uid);
	return rc == 0 && a ? rs_drop_builder_ascii(b, ascii) : rc;
}

static int table_build(struct rs_shown *s, struct rs_err *err)
{
	g_autofree struct rs_slice *uids = NULL;
	g_autoptr(GHashTable) taken = uids_of(rs_maildrop_table(s->drop), &uids);
	struct rs_drop_builder b;
	int rc = 0;

	rs_drop_builder_init(&b);
	for (guint i = 0; i < s->rows->len && rc == 0; i++)
		rc = add_row(s, &b, &g_array_index(s->rows, struct row, i), taken);
	if (rc == 0) {
		s->image_n = rs_drop_builder_image_n(&b);
		s->image = g_malloc(s->image_n);
		rs_drop_builder_image(&b, s->image);
		rc = rs_drop_open(rs_slice(s->image, s->image_n), &s->table);
	}
	rs_drop_builder_finish(&b);
	return rc < 0 ? rs_err_set(
				err, (enum rs_err_kind) - rc, "the mailbox has too many messages")
		      : 0;
}

/* --- opening ------------------------------------------------------------------------------- */

/* A folder's maildrop, without what is too old. */
static int folder_open(struct rs_shown *s, const struct rs_shown_how *how, const char *path,
	struct rs_maildrop **out, struct rs_err *err)
{
	const struct rs_expire_of of = {.path = path,
		.account = how->account,
		.days = how->rules->expire_days,
		.now_s = how->now_s};
	uint32_t removed = 0;
	int rc = rs_maildrop_open_of(s->fs, path, how->account, out, err);

	if (rc == 0)
		rc = rs_expire(s->fs, &of, out, &removed, err);
	s->expired += removed;
	return rc;
}

/* The junk folder beside the main one; one that is not there is no junk. */
static int junk_open(struct rs_shown *s, const struct rs_shown_how *how, struct rs_err *err)
{
	g_autofree char *path = rs_subfolder_find(s->account, how->rules->junk_folder);
	int rc;

	if (!path)
		return 0;
	rc = folder_open(s, how, path, &s->junk, err);
	if (rc < 0)
		return rc;
	s->junk_name = g_path_get_basename(path);
	s->field = g_strdup_printf(RS_SHOWN_FIELD ": %s\n", s->junk_name + 1);
	return 0;
}

static int drops_open(struct rs_shown *s, const struct rs_shown_how *how, struct rs_err *err)
{
	const struct rs_rules *r = how->rules;
	g_autofree char *path = rs_subfolder_for_session(how->account, how->folder, r);
	bool is_junk = how->folder && g_ascii_strcasecmp(how->folder, r->junk_folder) == 0;
	int rc = 0;

	/* the main folder first: what a crash left there may speak of junk */
	if (r->junk == RS_JUNK_SHOW && is_junk)
		rc = rs_maildrop_open(s->fs, how->account, &s->guard, err);
	if (rc == 0)
		rc = folder_open(s, how, path, &s->drop, err);
	if (rc == 0 && r->junk == RS_JUNK_SHOW && !how->folder)
		rc = junk_open(s, how, err);
	return rc;
}

static struct rs_shown *shown_new(const struct rs_fs *fs, const struct rs_shown_how *how)
{
	const struct rs_rules *r = how->rules;
	struct rs_shown *s = g_new0(struct rs_shown, 1);

	s->fs = fs;
	s->account = g_strdup(how->account);
	/* what is deleted where deleted messages are kept is removed */
	if (*r->kept_folder &&
		!(how->folder && g_ascii_strcasecmp(how->folder, r->kept_folder) == 0))
		s->keep = g_strdup(r->kept_folder);
	return s;
}

bool rs_shown_open_quick(const struct rs_shown_how *how, struct rs_shown **out)
{
	const struct rs_rules *r = how->rules;
	struct rs_maildrop *drop;

	if (how->folder || r->junk == RS_JUNK_SHOW || r->view.kind != RS_VIEW_ALL ||
		r->expire_days || !rs_maildrop_open_quick(how->account, &drop))
		return false;
	*out = shown_new(rs_fs_posix(), how);
	(*out)->drop = drop;
	return true;
}

int rs_shown_open(const struct rs_fs *fs, const struct rs_shown_how *how, struct rs_shown **out,
	struct rs_err *err)
{
	const struct rs_rules *r = how->rules;
	struct rs_shown *s = shown_new(fs, how);
	int rc = drops_open(s, how, err);

	if (rc == 0 && (s->junk || r->view.kind != RS_VIEW_ALL)) {
		s->rows = g_array_new(FALSE, FALSE, sizeof(struct row));
		rows_merge(s);
		rows_cut(s, &r->view, how->now_s);
		rc = table_build(s, err);
	}
	if (rc < 0)
		rs_shown_destroy(&s);
	else
		*out = s;
	return rc;
}

void rs_shown_destroy(struct rs_shown **sp)
{
	struct rs_shown *s = *sp;

	if (!s)
		return;
	rs_maildrop_destroy(&s->junk);
	rs_maildrop_destroy(&s->drop);
	rs_maildrop_destroy(&s->guard);
	if (s->rows)
		g_array_free(s->rows, TRUE);
	g_free(s->account);
	g_free(s->junk_name);
	g_free(s->field);
	g_free(s->keep);
	g_free(s->image);
	g_free(s);
	*sp = NULL;
}

/* --- using it ------------------------------------------------------------------------------ */

const struct rs_drop *rs_shown_table(const struct rs_shown *s)
{
	return s->rows ? &s->table : rs_maildrop_table(s->drop);
}

struct rs_slice rs_shown_image(const struct rs_shown *s)
{
	return s->rows ? rs_slice(s->image, s->image_n) : rs_maildrop_image(s->drop);
}

uint32_t rs_shown_expired(const struct rs_shown *s)
{
	return s->expired;
}

int rs_shown_read(struct rs_shown *s, uint32_t row, size_t max, struct rs_maildrop_body *out,
	struct rs_err *err)
{
	const struct row *r;
	int fd;

	if (!s->rows)
		return rs_maildrop_read(s->drop, row, max, out, err);
	assert(row < s->rows->len);
	r = &g_array_index(s->rows, struct row, row);
	if (!r->junk)
		return rs_maildrop_read(drop_of(s, r), r->at, max, out, err);
	*out = (struct rs_maildrop_body){.fd = -1};
	fd = rs_maildrop_read_open(drop_of(s, r), r->at, err);
	if (fd < 0)
		return fd;
	out->fd = rs_made_prefixed(s->account, rs_slice_str(s->field), fd, err);
	close(fd);
	return out->fd < 0 ? out->fd : 0;
}

int rs_shown_decide(struct rs_shown *s, const uint8_t *marks, struct rs_err *err)
{
	g_autofree uint8_t *own = NULL;
	g_autoptr(GPtrArray) more = NULL;

	if (!s->rows)
		return rs_maildrop_decide_with(s->drop, marks, NULL, s->keep, err);
	own = g_malloc0(rs_marks_n(rs_drop_n(rs_maildrop_table(s->drop))) + 1);
	more = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < s->rows->len; i++) {
		const struct row *r = &g_array_index(s->rows, struct row, i);
		const char *name = rs_maildrop_name(drop_of(s, r), r->at);

		if (!rs_marks_get(marks, i))
			continue;
		if (r->junk)
			g_ptr_array_add(more, g_strdup_printf("%s/%.*s", s->junk_name,
						      (int)strcspn(name, ":"), name));
		else
			rs_marks_set(own, r->at);
	}
	return rs_maildrop_decide_with(s->drop, own, more, s->keep, err);
}

int rs_shown_finish(struct rs_shown *s, uint32_t *left, struct rs_err *err)
{
	return rs_maildrop_finish(s->drop, left, err);
}
