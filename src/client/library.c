/* library.c - see library.h. Folders, listings, threads, search. Names for people: library_find.c;
 * marks and moves: library_change.c. */
#include "client/library_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "client/clean.h"
#include "client/header.h"
#include "client/query.h"
#include "client/text.h"
#include "maildir/maildir.h"

#define UNREAD "m.flags & 80 <> 16" /* in new/, or without S */

static void folder_free(void *f)
{
	rs_folder_free(f);
}

static struct rs_folder *at_path(const GPtrArray *folders, const char *path)
{
	for (guint i = 0; i < folders->len; i++) {
		struct rs_folder *f = folders->pdata[i];

		if (strcmp(f->path, path) == 0)
			return f;
	}
	return NULL;
}

/* Folders come and go, too; the structs stay, for entries point to them. */
static void folders_refresh(struct rs_library *l)
{
	GPtrArray *now = rs_folders_find(l->places, l->accounts);

	g_ptr_array_set_free_func(now, NULL);
	for (guint i = 0; i < now->len; i++) {
		struct rs_folder *f = now->pdata[i];
		struct rs_folder *old = at_path(l->folders, f->path);

		if (old && old->role == f->role && strcmp(old->name, f->name) == 0) {
			now->pdata[i] = old;
			rs_folder_free(f);
		} else {
			g_ptr_array_add(l->structs, f);
		}
	}
	for (guint i = l->own_n; i < l->folders->len; i++) {
		struct rs_folder *f = l->folders->pdata[i];

		if (!at_path(now, f->path))
			g_ptr_array_add(now, f);
	}
	l->own_n = 0;
	while (l->own_n < now->len && !((struct rs_folder *)now->pdata[l->own_n])->by_path)
		l->own_n++;
	g_ptr_array_unref(l->folders);
	l->folders = now;
}

int rs_library_open(const struct rs_places *p, const GPtrArray *accounts, struct rs_library **out,
	struct rs_err *err)
{
	g_autofree char *file = g_build_filename(p->data_dir, "index.db", NULL);
	struct rs_library *l = g_new0(struct rs_library, 1);
	int rc;

	rs_mime_init();
	l->places = p;
	l->accounts = accounts;
	l->structs = g_ptr_array_new_with_free_func(folder_free);
	l->folders = g_ptr_array_new();
	folders_refresh(l);
	rc = rs_catalog_open(file, &l->catalog, err);
	if (rc < 0)
		rs_library_close(&l);
	else
		*out = l;
	return rc;
}

void rs_library_close(struct rs_library **lp)
{
	struct rs_library *l = *lp;

	if (!l)
		return;
	rs_catalog_close(&l->catalog);
	g_ptr_array_unref(l->folders);
	g_ptr_array_unref(l->structs);
	g_free(l);
	*lp = NULL;
}

void rs_library_on_progress(
	struct rs_library *l, rs_catalog_progress progress, void *arg, GCancellable *cancel)
{
	l->progress = progress;
	l->progress_arg = arg;
	l->cancel = cancel;
}

void rs_library_on_change(struct rs_library *l, rs_library_changed changed, void *arg)
{
	l->changed = changed;
	l->changed_arg = arg;
}

void library_changed(struct rs_library *l, const struct rs_catalog_changes *changes)
{
	if (l->changed && (changes->added || changes->changed || changes->removed))
		l->changed(l->changed_arg, changes);
}

/* --- folders ---------------------------------------------------------------------------------------- */

struct rs_folder *library_folder_add(struct rs_library *l, const char *name, const char *path)
{
	struct rs_folder *f = at_path(l->folders, path);

	if (f)
		return f;
	f = g_new0(struct rs_folder, 1);
	f->name = rs_clean_line(name);
	f->path = g_strdup(path);
	f->role = RS_FOLDER_OWN;
	f->by_path = true;
	g_ptr_array_add(l->folders, f);
	g_ptr_array_add(l->structs, f);
	return f;
}

struct rs_folder *library_folder_of(struct rs_library *l, gint64 row)
{
	for (guint i = 0; i < l->folders->len; i++) {
		struct rs_folder *f = l->folders->pdata[i];

		if (f->row == row)
			return f;
	}
	return NULL;
}

char *library_folder_ids(const struct rs_library *l)
{
	GString *ids = g_string_new(NULL);

	for (guint i = 0; i < l->own_n; i++)
		g_string_append_printf(ids, "%s%" G_GINT64_FORMAT, i ? "," : "",
			((const struct rs_folder *)l->folders->pdata[i])->row);
	return g_string_free(ids, FALSE);
}

static int look(struct rs_library *l, struct rs_catalog_changes *changes, struct rs_err *err)
{
	const struct rs_catalog_sync how = {
		.progress = l->progress, .arg = l->progress_arg, .cancel = l->cancel};
	int rc;

	folders_refresh(l);
	rc = rs_catalog_sync(l->catalog, l->folders, &how, changes, err);
	if (rc == 0)
		library_changed(l, changes);
	return rc;
}

int rs_library_look(struct rs_library *l, struct rs_err *err)
{
	struct rs_catalog_changes changes;

	return look(l, &changes, err);
}

int rs_library_rebuild(struct rs_library *l, struct rs_catalog_changes *changes, struct rs_err *err)
{
	int rc = rs_catalog_clear(l->catalog, err);

	return rc == 0 ? look(l, changes, err) : rc;
}

int rs_library_folders(struct rs_library *l, const GPtrArray **out, struct rs_err *err)
{
	int rc = rs_library_look(l, err);

	for (guint i = 0; i < l->folders->len && rc == 0; i++) {
		struct rs_folder *f = l->folders->pdata[i];

		rc = rs_catalog_count(l->catalog, f->row, &f->total, &f->unread, err);
	}
	if (rc == 0)
		*out = l->folders;
	return rc;
}

const struct rs_folder *rs_library_folder(struct rs_library *l, const char *name)
{
	return rs_folders_named(l->folders, l->accounts, name);
}

/* What the person calls a folder: an account, a folder by name, a path. */
static struct rs_folder *folder_named(struct rs_library *l, const char *name)
{
	struct rs_folder *f = rs_folders_named(l->folders, l->accounts, name);
	g_autofree char *path = NULL;
	g_autofree char *cur = NULL;

	if (f)
		return f;
	path = g_canonicalize_filename(name, NULL);
	cur = g_build_filename(path, "cur", NULL);
	if (!g_file_test(cur, G_FILE_TEST_IS_DIR))
		return NULL;
	return library_folder_add(l, name, path);
}

/* --- entries ------------------------------------------------------------------------------------------ */

struct rs_entry *library_entry(gint64 row)
{
	struct rs_entry *e = g_new0(struct rs_entry, 1);

	e->row = row;
	e->date_s = row >> 20; /* catalog.h */
	return e;
}

static void words_free(struct rs_entry *e)
{
	g_clear_pointer(&e->file, g_free);
	g_clear_pointer(&e->from, g_free);
	g_clear_pointer(&e->from_address, g_free);
	g_clear_pointer(&e->to, g_free);
	g_clear_pointer(&e->subject, g_free);
	g_clear_pointer(&e->message_id, g_free);
	g_clear_pointer(&e->snippet, g_free);
}

void rs_entry_free(struct rs_entry *e)
{
	if (!e)
		return;
	words_free(e);
	g_free(e);
}

static void entry_free(void *e)
{
	rs_entry_free(e);
}

static void entry_take(struct rs_library *l, struct rs_entry *e, struct rs_catalog_row *r)
{
	memcpy(e->id, r->code, sizeof(e->id));
	e->folder = library_folder_of(l, r->folder);
	e->file = g_steal_pointer(&r->file);
	e->size = r->size;
	e->in_new = r->flags & RS_FLAG_NEW;
	e->unread = e->in_new || !(r->flags & RS_FLAG_SEEN);
	e->answered = r->flags & RS_FLAG_ANSWERED;
	e->flagged = r->flags & RS_FLAG_FLAGGED;
	e->forwarded = r->flags & RS_FLAG_PASSED;
	e->draft = r->flags & RS_FLAG_DRAFT;
	e->attached = r->attached;
	e->thread = r->thread;
	e->from = g_steal_pointer(&r->from);
	e->from_address = g_steal_pointer(&r->address);
	e->to = g_steal_pointer(&r->to);
	e->subject = g_steal_pointer(&r->subject);
	e->message_id = g_steal_pointer(&r->message_id);
	e->snippet = g_steal_pointer(&r->snippet);
}

void rs_library_fill(struct rs_library *l, struct rs_entry *e)
{
	struct rs_catalog_row *r = NULL;
	struct rs_err err;

	if (e->filled)
		return;
	words_free(e);
	e->filled = true;
	if (rs_catalog_get(l->catalog, e->row, &r, &err) == 0) {
		entry_take(l, e, r);
		rs_catalog_row_free(r);
	} else {
		e->file = g_strdup("");
		e->from = g_strdup("");
		e->from_address = g_strdup("");
		e->to = g_strdup("");
		e->subject = rs_clean_line(err.text);
		e->message_id = g_strdup("");
		e->snippet = g_strdup("");
	}
}

int library_ids_entries(GArray *ids, GPtrArray **out)
{
	*out = g_ptr_array_new_full(ids->len, entry_free);
	for (guint i = 0; i < ids->len; i++)
		g_ptr_array_add(*out, library_entry(g_array_index(ids, gint64, i)));
	g_array_unref(ids);
	return 0;
}

int rs_library_read(struct rs_library *l, const struct rs_entry *e, struct rs_err *err)
{
	const struct rs_maildir_entry at = {.file = e->file, .in_new = e->in_new};
	struct rs_maildir *m = NULL;
	int rc;

	(void)l;
	if (!e->folder)
		return rs_err_set(err, RS_ENOENT, "%s", e->subject);
	rc = rs_maildir_open(rs_fs_posix(), e->folder->path, 0, &m, err);
	if (rc == 0)
		rc = rs_maildir_read_open(m, &at, err);
	rs_maildir_destroy(&m);
	return rc;
}

/* --- listings -------------------------------------------------------------------------------------------- */

/* The folders of a listing as SQL; NULL: there is no such folder. */
static char *listed_where(struct rs_library *l, const char *folder, gint64 row)
{
	GString *where = g_string_new("m.folder IN (");
	bool first = true;

	if (folder)
		g_string_append_printf(where, "%" G_GINT64_FORMAT, row);
	for (guint i = 0; !folder && i < l->own_n; i++) {
		const struct rs_folder *f = l->folders->pdata[i];

		if (f->role != RS_FOLDER_INBOX)
			continue;
		g_string_append_printf(where, "%s%" G_GINT64_FORMAT, first ? "" : ",", f->row);
		first = false;
	}
	g_string_append_c(where, ')');
	return g_string_free(where, FALSE);
}

static int list_once(
	struct rs_library *l, const struct rs_list_how *how, GPtrArray **out, struct rs_err *err)
{
	g_autofree char *where = NULL;
	g_autofree char *path = NULL;
	const struct rs_folder *f = NULL;
	GArray *ids = NULL;
	int rc;

	if (how->folder) {
		folders_refresh(l);
		f = folder_named(l, how->folder);
		if (!f)
			return rs_err_set(err, RS_ENOENT,
				_("there is no folder '%s'; restante folder list shows all"),
				how->folder);
		path = g_strdup(f->path);
	}
	rc = rs_library_look(l, err);
	if (rc < 0)
		return rc;
	if (path)
		f = library_folder_add(l, path, path);
	where = listed_where(l, how->folder, f ? f->row : 0);
	if (how->unread) {
		char *more = g_strconcat(where, " AND " UNREAD, NULL);

		g_free(where);
		where = more;
	}
	rc = how->threads ? rs_catalog_threads(l->catalog, where, &ids, err)
			  : rs_catalog_ids(l->catalog, NULL, where, NULL, how->limit, &ids, err);
	if (rc < 0)
		return rc;
	if (how->limit && ids->len > how->limit)
		g_array_set_size(ids, how->limit);
	return library_ids_entries(ids, out);
}

/* in:NAME is the folder and those in it; in:inbox the inboxes of all accounts. */
static char *query_folders(void *arg, const char *name)
{
	struct rs_library *l = arg;
	const struct rs_folder *one = rs_folders_named(l->folders, l->accounts, name);
	bool inboxes = !one && g_ascii_strcasecmp(name, "inbox") == 0;
	g_autofree char *below = g_strconcat(one ? one->name : name, "/", NULL);
	GString *ids = g_string_new(NULL);

	for (guint i = 0; i < l->own_n; i++) {
		const struct rs_folder *f = l->folders->pdata[i];

		if (f == one || g_str_has_prefix(f->name, below) ||
			(inboxes && f->role == RS_FOLDER_INBOX))
			g_string_append_printf(
				ids, "%s%" G_GINT64_FORMAT, ids->len ? "," : "", f->row);
	}
	return g_string_free(ids, ids->len == 0);
}

static int search_once(
	struct rs_library *l, const char *query, guint limit, GPtrArray **out, struct rs_err *err)
{
	struct rs_query *q = NULL;
	struct rs_query_sql sql = {0};
	GArray *ids = NULL;
	int rc = rs_query_parse(query, g_get_real_time() / G_USEC_PER_SEC, &q, err);

	if (rc == 0)
		rc = rs_library_look(l, err);
	if (rc == 0)
		rc = rs_query_sql(q, query_folders, l, &sql, err);
	rs_query_destroy(&q);
	if (rc == 0) {
		g_autofree char *in = library_folder_ids(l);
		g_autofree char *where =
			g_strdup_printf("m.folder IN (%s) AND (%s)", in, sql.where);

		rc = rs_catalog_ids(l->catalog, sql.match, where, sql.args, limit, &ids, err);
		rs_query_sql_finish(&sql);
	}
	return rc == 0 ? library_ids_entries(ids, out) : rc;
}

/* A damaged index is found out where it is read, and made anew. */
static bool is_mended(struct rs_library *l, int rc, struct rs_err *err)
{
	struct rs_catalog_changes changes;

	return rc == -RS_ECORRUPT && rs_library_rebuild(l, &changes, err) == 0;
}

int rs_library_list(
	struct rs_library *l, const struct rs_list_how *how, GPtrArray **out, struct rs_err *err)
{
	struct rs_err mine;
	struct rs_err *e = err ? err : &mine;
	int rc = list_once(l, how, out, e);

	return is_mended(l, rc, e) ? list_once(l, how, out, e) : rc;
}

int rs_library_search(
	struct rs_library *l, const char *query, guint limit, GPtrArray **out, struct rs_err *err)
{
	struct rs_err mine;
	struct rs_err *e = err ? err : &mine;
	int rc = search_once(l, query, limit, out, e);

	return is_mended(l, rc, e) ? search_once(l, query, limit, out, e) : rc;
}

int rs_library_thread(
	struct rs_library *l, const struct rs_entry *e, GPtrArray **out, struct rs_err *err)
{
	g_autofree char *where = g_strdup_printf("m.thread = %" G_GINT64_FORMAT, e->thread);
	GArray *ids = NULL;
	int rc = rs_catalog_ids(l->catalog, NULL, where, NULL, 0, &ids, err);

	if (rc < 0)
		return rc;
	for (guint i = 0; i < ids->len / 2; i++) { /* oldest first */
		gint64 *a = &g_array_index(ids, gint64, i);
		gint64 *b = &g_array_index(ids, gint64, ids->len - 1 - i);
		gint64 swap = *a;

		*a = *b;
		*b = swap;
	}
	return library_ids_entries(ids, out);
}

guint rs_library_thread_n(struct rs_library *l, const struct rs_entry *e)
{
	guint n = 1;

	return rs_catalog_thread_n(l->catalog, e->thread, &n, NULL) == 0 ? n : 1;
}
