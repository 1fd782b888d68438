/* catalog_sync.c - what changed in the folders, whoever changed it, comes into the catalog.
 *
 *   1  each folder whose times are not those of its last listing is listed and compared with its rows
 *   2  messages under another name (flags) or in another folder keep their rows, those that are nowhere go
 *   3  new ones are read and put in, in batches, each a transaction, in order of arrival
 *   4  the times of the folders are noted
 * Killed in between, the times are the old ones and the next sync goes on where this one stopped. */
#include "client/catalog_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "client/text.h"
#include "maildir/maildir.h"

#define BATCH_N        2000u
#define BATCH_OCTETS   (8u * 1024 * 1024)
#define SETTLED_NS     G_GINT64_CONSTANT(2000000000) /* file systems count in jiffies, or in seconds */
#define LOCK_MS        30000
#define LOCK_STEP_MS   50
#define PROGRESS_EVERY 64u
#define NANOSECONDS    G_GINT64_CONSTANT(1000000000)

/* A file that no row was found for yet. */
struct candidate {
	const char *path; /* of its folder; borrowed */
	gint64 folder;
	guint64 seconds;
	char *uniq;
	char *file;
	bool in_new;
};

struct times {
	gint64 folder;
	gint64 new_ns;
	gint64 cur_ns;
};

struct row {
	gint64 id;
	char *file;
	guint flags;
	bool seen;
};

struct change {
	gint64 id;
	struct candidate to;
};

struct sync {
	struct rs_catalog *c;
	const struct rs_catalog_sync *how;
	struct rs_catalog_changes *changes;
	GArray *candidates;  /* struct candidate */
	GArray *renamed;     /* struct change    */
	GArray *times;       /* struct times     */
	GHashTable *missing; /* uniq -> id of a row whose file is gone */
	GPtrArray *gone;     /* paths of folders that are not there any more, owned */
	bool again;          /* something changed meanwhile: list it next time, too */
};

static void candidate_clear(void *p)
{
	struct candidate *x = p;

	g_free(x->uniq);
	g_free(x->file);
}

static void change_clear(void *p)
{
	candidate_clear(&((struct change *)p)->to);
}

static void row_free(void *p)
{
	struct row *r = p;

	g_free(r->file);
	g_free(r);
}

/* --- 1: listing ------------------------------------------------------------------------------------ */

static int folder_row(
	struct rs_catalog *c, const char *path, struct times *known, struct rs_err *err)
{
	sqlite3_stmt *s = catalog_statement(c, FOLDER_GET);
	int step;
	int rc;

	if (!s)
		return catalog_fail(c, err);
	catalog_bind(s, 1, path);
	step = sqlite3_step(s);
	if (step == SQLITE_ROW)
		*known = (struct times){.folder = sqlite3_column_int64(s, 0),
			.new_ns = sqlite3_column_int64(s, 1),
			.cur_ns = sqlite3_column_int64(s, 2)};
	sqlite3_reset(s);
	if (step == SQLITE_ROW)
		return 0;
	if (step != SQLITE_DONE)
		return catalog_fail(c, err);
	s = catalog_statement(c, FOLDER_ADD);
	if (s)
		catalog_bind(s, 1, path);
	rc = catalog_done(c, s, err);
	*known = (struct times){.folder = sqlite3_last_insert_rowid(c->db)};
	return rc;
}

/* Of one sub-folder; 0: there is none. */
static gint64 time_of(const char *path, const char *sub)
{
	g_autofree char *full = g_build_filename(path, sub, NULL);
	struct stat st;

	if (stat(full, &st) < 0)
		return 0;
	return (gint64)st.st_mtim.tv_sec * NANOSECONDS + st.st_mtim.tv_nsec;
}

/* What to note: 0, which never fits, while it may still change within the same tick. */
static gint64 settled(gint64 ns, gint64 now_ns)
{
	return ns + SETTLED_NS < now_ns ? ns : 0;
}

static GHashTable *rows_load(struct rs_catalog *c, gint64 folder, struct rs_err *err)
{
	GHashTable *rows = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, row_free);
	sqlite3_stmt *s = catalog_statement(c, ROWS);
	int step = SQLITE_ERROR;

	if (s) {
		sqlite3_bind_int64(s, 1, folder);
		while ((step = sqlite3_step(s)) == SQLITE_ROW) {
			struct row *r = g_new0(struct row, 1);

			r->id = sqlite3_column_int64(s, 0);
			r->file = g_strdup((const char *)sqlite3_column_text(s, 2));
			r->flags = (guint)sqlite3_column_int(s, 3);
			g_hash_table_replace(
				rows, g_strdup((const char *)sqlite3_column_text(s, 1)), r);
		}
		sqlite3_reset(s);
	}
	if (step == SQLITE_DONE)
		return rows;
	(void)catalog_fail(c, err);
	g_hash_table_unref(rows);
	return NULL;
}

/* One file of the listing beside the rows of its folder. */
static void compare(struct sync *t, const char *path, gint64 folder, GHashTable *rows,
	const struct rs_maildir_entry *at)
{
	struct rs_maildir_name name;
	struct candidate x = {.path = path, .folder = folder, .in_new = at->in_new};
	struct row *r;

	rs_maildir_name_parse(rs_slice_str(at->file), &name);
	x.uniq = g_strndup((const char *)name.unique.p, name.unique.n);
	r = g_hash_table_lookup(rows, x.uniq);
	if (r && r->seen) { /* a second file with the same beginning: known by all of its name */
		g_free(x.uniq);
		x.uniq = g_strdup(at->file);
		r = g_hash_table_lookup(rows, x.uniq);
	}
	if (r && !r->seen && strcmp(r->file, at->file) == 0 &&
		r->flags == rs_flags_of(at->file, at->in_new)) {
		r->seen = true;
		g_free(x.uniq);
		return;
	}
	x.file = g_strdup(at->file);
	x.seconds = name.seconds;
	if (r && !r->seen) {
		struct change change = {.id = r->id, .to = x};

		r->seen = true;
		g_array_append_val(t->renamed, change);
		return;
	}
	if (!r) { /* so that its twin is seen as one */
		r = g_new0(struct row, 1);
		r->seen = true;
		g_hash_table_replace(rows, g_strdup(x.uniq), r);
	}
	g_array_append_val(t->candidates, x);
}

static void missing_note(struct sync *t, GHashTable *rows)
{
	GHashTableIter iter;
	void *uniq;
	void *row;

	g_hash_table_iter_init(&iter, rows);
	while (g_hash_table_iter_next(&iter, &uniq, &row)) {
		const struct row *r = row;

		if (r->seen)
			continue;
		if (g_hash_table_contains(t->missing, uniq)) /* twins: each goes */
			g_hash_table_replace(t->missing,
				g_strdup_printf("%s %" G_GINT64_FORMAT, (char *)uniq, r->id),
				g_memdup2(&r->id, sizeof(r->id)));
		else
			g_hash_table_replace(
				t->missing, g_strdup(uniq), g_memdup2(&r->id, sizeof(r->id)));
	}
}

/* List and compare. A folder that cannot be read keeps its rows. */
static int folder_list(struct sync *t, const char *path, gint64 folder, struct rs_err *err)
{
	g_autoptr(GHashTable) rows = NULL;
	struct rs_maildir_list *list = NULL;
	struct rs_maildir *m = NULL;
	int rc = rs_maildir_open(rs_fs_posix(), path, 0, &m, err);

	if (rc == 0)
		rc = rs_maildir_scan(m, &list, err);
	rs_maildir_destroy(&m);
	if (rc < 0 && rc != -RS_ENOENT) {
		t->again = true;
		return 0;
	}
	rows = rows_load(t->c, folder, err);
	for (size_t i = 0; rows && list && i < rs_maildir_list_n(list); i++) {
		const struct rs_maildir_entry entry = rs_maildir_list_at(list, i);

		compare(t, path, folder, rows, &entry);
	}
	if (rows)
		missing_note(t, rows);
	rs_maildir_list_destroy(&list);
	return rows ? 0 : -(int)err->kind;
}

static int folder_look(struct sync *t, const char *path, gint64 *row, struct rs_err *err)
{
	gint64 now_ns = g_get_real_time() * 1000;
	gint64 new_ns = time_of(path, "new");
	gint64 cur_ns = time_of(path, "cur");
	struct times known;
	struct times now;
	int rc = folder_row(t->c, path, &known, err);

	if (rc < 0)
		return rc;
	*row = known.folder;
	if (new_ns && known.new_ns == new_ns && known.cur_ns == cur_ns)
		return 0;
	now = (struct times){known.folder, settled(new_ns, now_ns), settled(cur_ns, now_ns)};
	g_array_append_val(t->times, now);
	return folder_list(t, path, known.folder, err);
}

/* Folders that were known and are not there any more: their messages went elsewhere, or away. */
static int gone_look(struct sync *t, const GPtrArray *folders, struct rs_err *err)
{
	sqlite3_stmt *s = catalog_statement(t->c, FOLDER_LIST);
	g_autoptr(GHashTable) here = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(gint64));
	int rc = 0;

	for (guint i = 0; i < folders->len; i++)
		g_hash_table_add(here, ((struct rs_folder *)folders->pdata[i])->path);
	while (s && sqlite3_step(s) == SQLITE_ROW) {
		const char *path = (const char *)sqlite3_column_text(s, 1);
		gint64 id = sqlite3_column_int64(s, 0);

		if (!path || g_hash_table_contains(here, path) ||
			g_file_test(path, G_FILE_TEST_IS_DIR))
			continue;
		g_array_append_val(ids, id);
		g_ptr_array_add(t->gone, g_strdup(path));
	}
	if (!s || sqlite3_reset(s) != SQLITE_OK)
		return catalog_fail(t->c, err);
	for (guint i = 0; i < ids->len && rc == 0; i++) {
		rc = folder_list(t, t->gone->pdata[i], g_array_index(ids, gint64, i), err);
		s = catalog_statement(t->c, FOLDER_DROP);
		if (s)
			sqlite3_bind_int64(s, 1, g_array_index(ids, gint64, i));
		if (rc == 0)
			rc = catalog_done(t->c, s, err);
	}
	return rc;
}

/* --- 2: names ---------------------------------------------------------------------------------------- */

/* Candidates that were missed elsewhere were moved. */
static void moved_find(struct sync *t)
{
	guint kept = 0;

	for (guint i = 0; i < t->candidates->len; i++) {
		struct candidate *x = &g_array_index(t->candidates, struct candidate, i);
		const gint64 *id = g_hash_table_lookup(t->missing, x->uniq);

		if (id) {
			struct change change = {.id = *id, .to = *x};

			g_array_append_val(t->renamed, change);
			g_hash_table_remove(t->missing, x->uniq);
		} else {
			g_array_index(t->candidates, struct candidate, kept++) = *x;
		}
	}
	g_array_set_clear_func(t->candidates, NULL);
	g_array_set_size(t->candidates, kept);
	g_array_set_clear_func(t->candidates, candidate_clear);
}

static int rename_row(struct sync *t, const struct change *change, struct rs_err *err)
{
	sqlite3_stmt *s = catalog_statement(t->c, ROW_FILE);

	if (s) {
		sqlite3_bind_int64(s, 1, change->id);
		sqlite3_bind_int64(s, 2, change->to.folder);
		catalog_bind(s, 3, change->to.uniq);
		catalog_bind(s, 4, change->to.file);
		sqlite3_bind_int(s, 5, (int)rs_flags_of(change->to.file, change->to.in_new));
	}
	return catalog_done(t->c, s, err);
}

static int names_settle(struct sync *t, struct rs_err *err)
{
	GHashTableIter iter;
	void *id;
	int rc;

	moved_find(t);
	if (!t->renamed->len && !g_hash_table_size(t->missing))
		return 0;
	rc = catalog_begin(t->c, err);
	g_hash_table_iter_init(&iter, t->missing);
	while (rc == 0 && g_hash_table_iter_next(&iter, NULL, &id))
		rc = rs_catalog_removed(t->c, *(gint64 *)id, err);
	for (guint i = 0; i < t->renamed->len && rc == 0; i++)
		rc = rename_row(t, &g_array_index(t->renamed, struct change, i), err);
	rc = catalog_end(t->c, rc, err);
	if (rc == 0) {
		t->changes->changed += t->renamed->len;
		t->changes->removed += g_hash_table_size(t->missing);
	}
	return rc;
}

/* --- 3: new ones -------------------------------------------------------------------------------------- */

static int by_arrival(const void *a, const void *b)
{
	const struct candidate *x = a;
	const struct candidate *y = b;

	if (x->seconds != y->seconds)
		return x->seconds < y->seconds ? -1 : 1;
	return strverscmp(x->file, y->file);
}

static int by_date(const void *a, const void *b)
{
	const struct catalog_fresh *x = a;
	const struct catalog_fresh *y = b;

	if (x->date_s != y->date_s)
		return x->date_s < y->date_s ? -1 : 1;
	return strverscmp(x->file, y->file);
}

/* false: it is not there any more, or it is no message. */
static bool candidate_read(struct candidate *x, struct catalog_fresh *f)
{
	g_autofree char *path = g_build_filename(x->path, x->in_new ? "new" : "cur", x->file, NULL);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	bool ok = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);

	if (ok) {
		*f = (struct catalog_fresh){
			.folder = x->folder, .flags = rs_flags_of(x->file, x->in_new)};
		f->uniq = g_steal_pointer(&x->uniq);
		f->file = g_steal_pointer(&x->file);
		catalog_read(fd, f);
	}
	if (fd >= 0)
		close(fd);
	return ok;
}

static void fresh_clear(void *f)
{
	catalog_fresh_finish(f);
}

static int batch_put(struct sync *t, GArray *batch, struct rs_err *err)
{
	int rc;

	if (!batch->len)
		return 0;
	qsort(batch->data, batch->len, sizeof(struct catalog_fresh), by_date);
	rc = catalog_begin(t->c, err);
	for (guint i = 0; i < batch->len && rc == 0; i++)
		rc = catalog_add(t->c, &g_array_index(batch, struct catalog_fresh, i), err);
	for (guint i = 0; i < batch->len && rc == 0; i++)
		rc = catalog_add_words(t->c, &g_array_index(batch, struct catalog_fresh, i), err);
	rc = catalog_end(t->c, rc, err);
	if (rc == 0)
		t->changes->added += batch->len;
	g_array_set_size(batch, 0);
	return rc;
}

static void progress(const struct sync *t, guint done)
{
	if (t->how->progress && t->candidates->len > PROGRESS_EVERY &&
		(done % PROGRESS_EVERY == 0 || done == t->candidates->len))
		t->how->progress(t->how->arg, done, t->candidates->len);
}

static int fresh_read(struct sync *t, struct rs_err *err)
{
	g_autoptr(GArray) batch = g_array_new(FALSE, FALSE, sizeof(struct catalog_fresh));
	gsize octets = 0;
	int rc = 0;

	g_array_set_clear_func(batch, fresh_clear);
	if (t->candidates->len)
		qsort(t->candidates->data, t->candidates->len, sizeof(struct candidate),
			by_arrival);
	for (guint i = 0; i < t->candidates->len && rc == 0; i++) {
		struct catalog_fresh f;

		if (t->how->cancel && g_cancellable_is_cancelled(t->how->cancel))
			rc = rs_err_set(err, RS_ETEMP, _("stopped"));
		else if (candidate_read(&g_array_index(t->candidates, struct candidate, i), &f)) {
			octets += catalog_fresh_octets(&f);
			g_array_append_val(batch, f);
		} else {
			t->again = true;
		}
		if (rc == 0 && (batch->len >= BATCH_N || octets >= BATCH_OCTETS)) {
			rc = batch_put(t, batch, err);
			octets = 0;
		}
		progress(t, i + 1);
	}
	return rc == 0 ? batch_put(t, batch, err) : rc;
}

/* --- 4: times ------------------------------------------------------------------------------------------- */

static int times_note(struct sync *t, struct rs_err *err)
{
	int rc = 0;

	for (guint i = 0; i < t->times->len && rc == 0; i++) {
		const struct times *x = &g_array_index(t->times, struct times, i);
		sqlite3_stmt *s = catalog_statement(t->c, FOLDER_TIMES);

		if (s) {
			sqlite3_bind_int64(s, 1, x->folder);
			sqlite3_bind_int64(s, 2, t->again ? 0 : x->new_ns);
			sqlite3_bind_int64(s, 3, t->again ? 0 : x->cur_ns);
		}
		rc = catalog_done(t->c, s, err);
	}
	return rc;
}

static int sync_once(struct sync *t, const GPtrArray *folders, struct rs_err *err)
{
	int rc = 0;

	t->candidates = g_array_new(FALSE, FALSE, sizeof(struct candidate));
	g_array_set_clear_func(t->candidates, candidate_clear);
	t->renamed = g_array_new(FALSE, FALSE, sizeof(struct change));
	g_array_set_clear_func(t->renamed, change_clear);
	t->times = g_array_new(FALSE, FALSE, sizeof(struct times));
	t->missing = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	t->gone = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < folders->len && rc == 0; i++) {
		struct rs_folder *f = folders->pdata[i];

		rc = folder_look(t, f->path, &f->row, err);
	}
	if (rc == 0)
		rc = gone_look(t, folders, err);
	if (rc == 0)
		rc = names_settle(t, err);
	if (rc == 0)
		rc = fresh_read(t, err);
	if (rc == 0)
		rc = times_note(t, err);
	g_array_unref(t->candidates);
	g_array_unref(t->renamed);
	g_array_unref(t->times);
	g_hash_table_unref(t->missing);
	g_ptr_array_unref(t->gone);
	return rc;
}

/* --- one at a time --------------------------------------------------------------------------------------- */

/* false: another program is at it for so long that we go on without. */
static bool lock_take(struct rs_catalog *c, GCancellable *cancel)
{
	g_autofree char *dir = c->file ? g_path_get_dirname(c->file) : NULL;
	g_autofree char *path = dir ? g_build_filename(dir, "index.lock", NULL) : NULL;

	if (!path)
		return true;
	c->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (c->lock < 0)
		return true; /* a folder that cannot be written: nobody else writes there */
	for (int waited = 0; flock(c->lock, LOCK_EX | LOCK_NB) < 0; waited += LOCK_STEP_MS) {
		const struct timespec step = {.tv_nsec = LOCK_STEP_MS * 1000000L};

		if ((errno != EWOULDBLOCK && errno != EINTR) || waited >= LOCK_MS ||
			(cancel && g_cancellable_is_cancelled(cancel))) {
			close(c->lock);
			c->lock = -1;
			return false;
		}
		(void)nanosleep(&step, NULL);
	}
	return true;
}

/* The rows of folders that are known, when nothing can be brought up to date. */
static int rows_only(struct rs_catalog *c, const GPtrArray *folders, struct rs_err *err)
{
	int rc = 0;

	for (guint i = 0; i < folders->len && rc == 0; i++) {
		struct rs_folder *f = folders->pdata[i];
		struct times known;

		rc = folder_row(c, f->path, &known, err);
		if (rc == 0)
			f->row = known.folder;
	}
	return rc;
}

int rs_catalog_sync(struct rs_catalog *c, const GPtrArray *folders,
	const struct rs_catalog_sync *how, struct rs_catalog_changes *changes, struct rs_err *err)
{
	static const struct rs_catalog_sync plain;
	struct rs_catalog_changes ours;
	struct sync t = {.c = c, .how = how ? how : &plain, .changes = changes ? changes : &ours};
	bool locked = lock_take(c, t.how->cancel);
	int rc = catalog_follow(c, err);

	*t.changes = (struct rs_catalog_changes){0};
	if (!locked)
		return rc == 0 ? rows_only(c, folders, err) : rc;
	if (rc == 0)
		rc = sync_once(&t, folders, err);
	if (rc == -RS_ECORRUPT) {
		rc = catalog_renew(c, err);
		t.again = false;
		if (rc == 0)
			rc = sync_once(&t, folders, err);
	}
	if (c->lock >= 0)
		close(c->lock);
	c->lock = -1;
	return rc;
}
