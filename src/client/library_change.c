/* library_change.c - marks, moves, deletions and taking them back. A change is a new name of the file (flags stand
 * in it) or another folder; the first part of the name stays, by which the ledger and the
 * catalog know the message. The last change is noted in the file `undo` of the data folder. */
#include "client/library_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/places.h"
#include "client/text.h"
#include "maildir/maildir.h"

#define UNDO_MAX   (64u * 1024 * 1024)
#define COPY_PIECE 65536u
#define TWINS_MAX  100

/* Where a file is to go. */
struct goal {
	const struct rs_folder *folder;
	const char *sub; /* "new", "cur" */
	char *file;
};

struct changing {
	struct rs_library *l;
	GString *undo;
	struct rs_catalog_changes changes;
};

static int say_errno(struct rs_err *err, int errnum, const char *path)
{
	return rs_err_set(err, rs_err_kind_of_errno(errnum), _("cannot change the message %s: %s"),
		path, g_strerror(errnum));
}

/* --- names ---------------------------------------------------------------------------------------------- */

/* Flags of other programs (letters we do not know) stay. */
static char *flagged_name(const char *file, guint set, guint clear)
{
	static const char known[] = "DFPRST";
	struct rs_maildir_name name;
	GString *out = g_string_new(NULL);

	rs_maildir_name_parse(rs_slice_str(file), &name);
	g_string_append_len(out, (const char *)name.base.p, (gssize)name.base.n);
	g_string_append(out, ":2,");
	for (int c = 1; c < 128; c++) {
		const char *at = strchr(known, c);
		guint bit = at ? 1u << (at - known) : 0;
		bool there = rs_slice_find(name.flags, (uint8_t)c) < name.flags.n;

		if ((there && !(clear & bit)) || (set & bit))
			g_string_append_c(out, (char)c);
	}
	return g_string_free(out, FALSE);
}

/* The same name with a number in it, for a folder that has another of this name. */
static char *twin_name(const char *file, int n)
{
	struct rs_maildir_name name;
	gsize unique_n;

	rs_maildir_name_parse(rs_slice_str(file), &name);
	unique_n = name.unique.n;
	return g_strdup_printf("%.*s-%d%s", (int)unique_n, file, n, file + unique_n);
}

/* --- files ---------------------------------------------------------------------------------------------- */

static int dir_sync(const char *path)
{
	int fd = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	int rc = fd < 0 || fsync(fd) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return rc;
}

static int octets_copy(int from, int to)
{
	g_autofree char *piece = g_malloc(COPY_PIECE);

	for (;;) {
		ssize_t n = read(from, piece, COPY_PIECE);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		for (ssize_t at = 0; at < n;) {
			ssize_t k = write(to, piece + at, (size_t)(n - at));

			if (k < 0 && errno != EINTR)
				return -errno;
			at += MAX(k, 0);
		}
	}
}

/* To another file system: a durable copy first, then the original goes. */
static int file_copy(const char *from, const char *tmp, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int out = in < 0 ? -1 : open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int rc = in < 0 || out < 0 ? -errno : octets_copy(in, out);

	if (rc == 0 && fsync(out) < 0)
		rc = -errno;
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	if (rc == 0 && renameat2(AT_FDCWD, tmp, AT_FDCWD, to, RENAME_NOREPLACE) < 0)
		rc = -errno;
	if (rc == 0) {
		g_autofree char *dir = g_path_get_dirname(to);

		rc = dir_sync(dir);
		if (rc == 0 && unlink(from) < 0)
			rc = -errno;
	} else if (out >= 0) {
		(void)unlink(tmp);
	}
	return rc;
}

/* 0 or -errno. */
static int file_move(const char *from, const struct goal *to)
{
	g_autofree char *path = g_build_filename(to->folder->path, to->sub, to->file, NULL);
	g_autofree char *tmp = NULL;

	if (strcmp(from, path) == 0)
		return 0;
	if (renameat2(AT_FDCWD, from, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EXDEV)
		return -errno;
	tmp = g_build_filename(to->folder->path, "tmp", to->file, NULL);
	return file_copy(from, tmp, path);
}

/* --- one message ------------------------------------------------------------------------------------------ */

static char *path_of(const struct rs_entry *e)
{
	return g_build_filename(e->folder->path, e->in_new ? "new" : "cur", e->file, NULL);
}

static void undo_note(struct changing *c, const struct rs_entry *e, const struct goal *to)
{
	g_autofree char *old_path = g_strescape(e->folder->path, NULL);
	g_autofree char *old_file = g_strescape(e->file, NULL);
	g_autofree char *new_path = g_strescape(to->folder->path, NULL);

	g_string_append_printf(c->undo, "%s\t%s\t%s\t%s\t%s\n", e->id, new_path, old_path,
		e->in_new ? "new" : "cur", old_file);
}

/* Its file became `to`. */
static int moved(struct changing *c, struct rs_entry *e, struct goal *to, struct rs_err *err)
{
	bool in_new = strcmp(to->sub, "new") == 0;
	guint flags;

	undo_note(c, e, to);
	c->changes.changed++;
	g_free(e->file);
	e->file = g_steal_pointer(&to->file);
	e->folder = to->folder;
	e->in_new = in_new;
	flags = rs_flags_of(e->file, in_new);
	e->unread = in_new || !(flags & RS_FLAG_SEEN);
	e->answered = flags & RS_FLAG_ANSWERED;
	e->flagged = flags & RS_FLAG_FLAGGED;
	e->forwarded = flags & RS_FLAG_PASSED;
	e->draft = flags & RS_FLAG_DRAFT;
	if (!to->folder->row) /* not known there yet: the next look finds it */
		return rs_catalog_removed(c->l->catalog, e->row, err);
	return rs_catalog_moved(c->l->catalog, e->row, to->folder->row, e->file, in_new, err);
}

/* Another program gave it another name meanwhile: where is it now? */
static int refind(struct changing *c, struct rs_entry *e, struct rs_err *err)
{
	int rc = rs_library_look(c->l, err);

	if (rc < 0)
		return rc;
	e->filled = false;
	rs_library_fill(c->l, e);
	return e->folder && *e->file
		       ? 0
		       : rs_err_set(err, RS_ENOENT, _("the message is not there any more"));
}

struct wish {
	const struct rs_folder *folder; /* NULL: where it is */
	guint set;
	guint clear;
};

static void goal_make(const struct rs_entry *e, const struct wish *w, struct goal *to)
{
	bool marks = w->set || w->clear;

	g_free(to->file);
	to->folder = w->folder ? w->folder : e->folder;
	to->sub = e->in_new && !marks ? "new" : "cur";
	to->file = marks ? flagged_name(e->file, w->set, w->clear) : g_strdup(e->file);
}

static int change(struct changing *c, struct rs_entry *e, const struct wish *w, struct rs_err *err)
{
	struct goal to = {0};
	int rc = -ENOENT;

	if (!e->folder || !*e->file)
		return rs_err_set(err, RS_ENOENT, _("the message is not there any more"));
	for (int tries = 0; rc == -ENOENT && tries < 3; tries++) {
		g_autofree char *from = NULL;

		if (tries && refind(c, e, err) < 0) {
			g_free(to.file);
			return -(int)err->kind;
		}
		goal_make(e, w, &to);
		from = path_of(e);
		rc = file_move(from, &to);
		for (int twin = 2; rc == -EEXIST && twin < TWINS_MAX; twin++) {
			g_free(to.file);
			to.file = twin_name(e->file, twin);
			rc = file_move(from, &to);
		}
	}
	rc = rc < 0 ? say_errno(err, -rc, e->file) : moved(c, e, &to, err);
	g_free(to.file);
	return rc;
}

/* --- taking back ------------------------------------------------------------------------------------------- */

static char *undo_file(const struct rs_library *l)
{
	return g_build_filename(l->places->data_dir, "undo", NULL);
}

static void changing_begin(struct changing *c, struct rs_library *l)
{
	*c = (struct changing){.l = l, .undo = g_string_new(NULL)};
}

/* Keeps what can be taken back, tells the window. */
static void changing_end(struct changing *c, bool keep)
{
	g_autofree char *file = undo_file(c->l);

	if (keep && c->undo->len)
		(void)g_file_set_contents_full(file, c->undo->str, (gssize)c->undo->len,
			G_FILE_SET_CONTENTS_CONSISTENT, 0600, NULL);
	g_string_free(c->undo, TRUE);
	library_changed(c->l, &c->changes);
}

/* The message of that id in the folder of that path, else anywhere. */
static struct rs_entry *undo_find(struct rs_library *l, const char *id, const char *path)
{
	g_autoptr(GPtrArray) args = g_ptr_array_new_with_free_func(g_free);
	const struct rs_folder *f = library_folder_add(l, path, path);
	g_autofree char *where =
		g_strdup_printf("m.code = ?1 AND m.folder = %" G_GINT64_FORMAT, f->row);
	GArray *ids = NULL;
	struct rs_entry *e = NULL;

	g_ptr_array_add(args, g_strdup(id));
	if (rs_catalog_ids(l->catalog, NULL, where, args, 1, &ids, NULL) == 0 && !ids->len) {
		g_clear_pointer(&ids, g_array_unref);
		if (rs_catalog_ids(l->catalog, NULL, "m.code = ?1", args, 1, &ids, NULL) < 0)
			return NULL;
	}
	if (ids && ids->len) {
		e = library_entry(g_array_index(ids, gint64, 0));
		rs_library_fill(l, e);
	}
	if (ids)
		g_array_unref(ids);
	return e;
}

/* A line of the file: back to the name and folder it had. */
static int undo_line(struct changing *c, char *const *fields, struct rs_err *err)
{
	g_autofree char *now_path = g_strcompress(fields[1]);
	g_autofree char *path = g_strcompress(fields[2]);
	struct rs_entry *e = undo_find(c->l, fields[0], now_path);
	struct goal to = {.folder = library_folder_add(c->l, path, path),
		.sub = strcmp(fields[3], "new") == 0 ? "new" : "cur",
		.file = g_strcompress(fields[4])};
	g_autofree char *from = e && e->folder && *e->file ? path_of(e) : NULL;
	int rc = -ENOENT;

	if (from && !strchr(to.file, '/'))
		rc = file_move(from, &to);
	rc = rc < 0 ? say_errno(err, -rc, to.file) : moved(c, e, &to, err);
	g_free(to.file);
	rs_entry_free(e);
	return rc;
}

int rs_library_undo(struct rs_library *l, guint *n, struct rs_err *err)
{
	g_autofree char *file = undo_file(l);
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	struct changing c;
	size_t text_n;
	int rc;

	*n = 0;
	if (rs_file_read(file, UNDO_MAX, &text, &text_n, NULL) < 0)
		return rs_err_set(err, RS_ENOENT, _("there is nothing to take back"));
	rc = rs_library_look(l, err);
	if (rc < 0)
		return rc;
	changing_begin(&c, l);
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line && rc == 0; line++) {
		g_auto(GStrv) fields = g_strsplit(*line, "\t", -1);

		if (g_strv_length(fields) == 5)
			rc = undo_line(&c, fields, err);
	}
	*n = c.changes.changed;
	changing_end(&c, false);
	(void)unlink(file);
	return rc;
}

/* --- many --------------------------------------------------------------------------------------------------- */

static int change_all(
	struct changing *c, GPtrArray *entries, const struct wish *w, struct rs_err *err)
{
	int rc = 0;

	for (guint i = 0; i < entries->len && rc == 0; i++) {
		rs_library_fill(c->l, entries->pdata[i]);
		rc = change(c, entries->pdata[i], w, err);
	}
	return rc;
}

int rs_library_mark(
	struct rs_library *l, GPtrArray *entries, guint set, guint clear, struct rs_err *err)
{
	const struct wish w = {.set = set, .clear = clear};
	struct changing c;
	int rc;

	changing_begin(&c, l);
	rc = change_all(&c, entries, &w, err);
	changing_end(&c, true);
	return rc;
}

int rs_library_mark_read(struct rs_library *l, struct rs_entry *e, struct rs_err *err)
{
	const struct wish w = {.set = RS_FLAG_SEEN};
	struct changing c;
	int rc;

	if (!e->unread)
		return 0;
	changing_begin(&c, l);
	rc = change(&c, e, &w, err);
	changing_end(&c, false); /* reading is nothing to take back */
	return rc;
}

static int folder_ready(const struct rs_folder *f, struct rs_err *err)
{
	struct rs_maildir *m = NULL;
	int rc = rs_maildir_open(rs_fs_posix(), f->path, RS_MAILDIR_CREATE, &m, err);

	rs_maildir_destroy(&m);
	return rc;
}

static int folder_sync(const struct rs_folder *f, struct rs_err *err)
{
	static const char *const subs[] = {"new", "cur"};

	for (size_t i = 0; i < G_N_ELEMENTS(subs); i++) {
		g_autofree char *path = g_build_filename(f->path, subs[i], NULL);
		int rc = dir_sync(path);

		if (rc < 0)
			return say_errno(err, -rc, path);
	}
	return 0;
}

static int move_all(
	struct changing *c, GPtrArray *entries, const struct rs_folder *to, struct rs_err *err)
{
	const struct wish w = {.folder = to};
	int rc = folder_ready(to, err);

	if (rc == 0)
		rc = change_all(c, entries, &w, err);
	if (c->changes.changed && folder_sync(to, rc == 0 ? err : NULL) < 0 && rc == 0)
		rc = -(int)err->kind;
	return rc;
}

int rs_library_move(
	struct rs_library *l, GPtrArray *entries, const struct rs_folder *to, struct rs_err *err)
{
	struct changing c;
	int rc;

	if (to->by_path)
		return rs_err_set(err, RS_EINVAL,
			_("%s is not a folder of this mail; restante folder list shows all"),
			to->name);
	changing_begin(&c, l);
	rc = move_all(&c, entries, to, err);
	changing_end(&c, true);
	return rc;
}

static int remove_one(struct changing *c, struct rs_entry *e, struct rs_err *err)
{
	int rc = -ENOENT;

	if (!e->folder || !*e->file)
		return rs_err_set(err, RS_ENOENT, _("the message is not there any more"));
	for (int tries = 0; rc == -ENOENT && tries < 3; tries++) {
		g_autofree char *path = NULL;

		if (tries && refind(c, e, err) < 0)
			return -(int)err->kind;
		path = path_of(e);
		rc = unlink(path) < 0 ? -errno : 0;
	}
	if (rc < 0)
		return say_errno(err, -rc, e->file);
	c->changes.removed++;
	return rs_catalog_removed(c->l->catalog, e->row, err);
}

static const struct rs_folder *trash_of(const struct rs_library *l)
{
	for (guint i = 0; i < l->own_n; i++) {
		const struct rs_folder *f = l->folders->pdata[i];

		if (f->role == RS_FOLDER_TRASH)
			return f;
	}
	return NULL; /* an account has its inbox there */
}

int rs_library_delete(
	struct rs_library *l, GPtrArray *entries, bool for_good, guint *gone, struct rs_err *err)
{
	const struct rs_folder *trash = trash_of(l);
	g_autoptr(GPtrArray) move = g_ptr_array_new();
	struct changing c;
	int rc = 0;

	*gone = 0;
	if (!trash && !for_good)
		return rs_err_set(err, RS_ECONFIG,
			_("an account has its inbox where Trash should be; give it another folder "
			  "with "
			  "'maildir = DIR', or delete with --for-good"));
	changing_begin(&c, l);
	for (guint i = 0; i < entries->len && rc == 0; i++) {
		struct rs_entry *e = entries->pdata[i];

		rs_library_fill(l, e);
		if (for_good || e->folder == trash)
			rc = remove_one(&c, e, err);
		else
			g_ptr_array_add(move, e);
	}
	*gone = c.changes.removed;
	if (rc == 0 && move->len)
		rc = move_all(&c, move, trash, err);
	changing_end(&c, true);
	return rc;
}
