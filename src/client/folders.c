/* folders.c - see folders.h. */
#include "client/folders.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/clean.h"
#include "client/text.h"
#include "maildir/maildir.h"

static const char *const subs[] = {"tmp", "new", "cur"};

static const char *const role_names[] = {
	[RS_FOLDER_INBOX] = NULL,
	[RS_FOLDER_ARCHIVE] = N_("Archive"),
	[RS_FOLDER_SENT] = N_("Sent"),
	[RS_FOLDER_DRAFTS] = N_("Drafts"),
	[RS_FOLDER_OUTBOX] = N_("Outbox"),
	[RS_FOLDER_TRASH] = N_("Trash"),
	[RS_FOLDER_JUNK] = N_("Junk"),
	[RS_FOLDER_OWN] = NULL,
};

struct found {
	GPtrArray *folders;
	GHashTable *paths; /* borrowed from the folders */
};

void rs_folder_free(struct rs_folder *f)
{
	if (!f)
		return;
	g_free(f->name);
	g_free(f->path);
	g_free(f);
}

static void folder_free(void *f)
{
	rs_folder_free(f);
}

const char *rs_folder_role_name(enum rs_folder_role role)
{
	return role_names[role];
}

char *rs_folder_role_path(const struct rs_places *p, enum rs_folder_role role)
{
	return g_build_filename(p->mail_dir, role_names[role], NULL);
}

static void add(struct found *t, const char *name, const char *path, enum rs_folder_role role)
{
	struct rs_folder *f;

	if (g_hash_table_contains(t->paths, path) || t->folders->len >= RS_FOLDERS_MAX)
		return;
	f = g_new0(struct rs_folder, 1);
	f->name = rs_clean_line(name);
	f->path = g_strdup(path);
	f->role = role;
	g_ptr_array_add(t->folders, f);
	g_hash_table_add(t->paths, f->path);
}

static bool is_maildir(const char *path)
{
	g_autofree char *cur = g_build_filename(path, "cur", NULL);
	g_autofree char *new = g_build_filename(path, "new", NULL);

	return g_file_test(cur, G_FILE_TEST_IS_DIR) && g_file_test(new, G_FILE_TEST_IS_DIR);
}

/* "Lists/Linux" of the folder `entry` in `above`; NULL: that is none. In Maildir++ a folder begins
 * with a dot, and dots part the levels. */
static char *name_below(const char *above, const char *entry, bool maildir)
{
	char *name;

	if (strcmp(entry, "cur") == 0 || strcmp(entry, "new") == 0 || strcmp(entry, "tmp") == 0)
		return NULL;
	if (*entry == '.' && (!maildir || !entry[1]))
		return NULL;
	name = *above ? g_strdup_printf("%s/%s", above, entry + (*entry == '.')) : g_strdup(entry);
	for (char *c = name + strlen(above); *entry == '.' && *c; c++) {
		if (*c == '.')
			*c = '/';
	}
	return name;
}

static void walk(struct found *t, const char *path, const char *name, int depth)
{
	g_autoptr(GDir) dir = depth < RS_FOLDERS_DEPTH_MAX ? g_dir_open(path, 0, NULL) : NULL;
	bool maildir = depth > 0 && is_maildir(path);
	const char *entry;

	if (maildir)
		add(t, name, path, RS_FOLDER_OWN);
	while (dir && (entry = g_dir_read_name(dir))) {
		g_autofree char *sub = g_build_filename(path, entry, NULL);
		g_autofree char *sub_name = name_below(name, entry, maildir);

		if (sub_name && t->folders->len < RS_FOLDERS_MAX &&
			g_file_test(sub, G_FILE_TEST_IS_DIR) &&
			!g_file_test(sub, G_FILE_TEST_IS_SYMLINK))
			walk(t, sub, sub_name, depth + 1);
	}
}

static int by_name(const void *a, const void *b)
{
	const struct rs_folder *x = *(struct rs_folder *const *)a;
	const struct rs_folder *y = *(struct rs_folder *const *)b;

	if (x->role != RS_FOLDER_OWN || y->role != RS_FOLDER_OWN)
		return (int)x->role - (int)y->role; /* the others stand in front already */
	return g_utf8_collate(x->name, y->name);
}

GPtrArray *rs_folders_find(const struct rs_places *p, const GPtrArray *accounts)
{
	struct found t = {.folders = g_ptr_array_new_with_free_func(folder_free)};
	guint fixed;

	t.paths = g_hash_table_new(g_str_hash, g_str_equal);
	for (guint i = 0; i < accounts->len; i++) {
		const struct rs_account *a = accounts->pdata[i];

		add(&t, a->name, a->maildir, RS_FOLDER_INBOX);
	}
	for (guint r = RS_FOLDER_ARCHIVE; r < RS_FOLDER_OWN; r++) {
		g_autofree char *path = rs_folder_role_path(p, (enum rs_folder_role)r);

		add(&t, role_names[r], path, (enum rs_folder_role)r);
	}
	fixed = t.folders->len;
	walk(&t, p->mail_dir, "", 0);
	for (guint i = 0; i < accounts->len; i++) {
		const struct rs_account *a = accounts->pdata[i];

		walk(&t, a->maildir, a->name, 1);
	}
	if (t.folders->len > fixed)
		qsort(t.folders->pdata + fixed, t.folders->len - fixed, sizeof(void *), by_name);
	g_hash_table_unref(t.paths);
	return t.folders;
}

struct rs_folder *rs_folders_named(
	const GPtrArray *folders, const GPtrArray *accounts, const char *name)
{
	const struct rs_account *a = rs_accounts_find(accounts, name);

	for (guint i = 0; i < folders->len; i++) {
		struct rs_folder *f = folders->pdata[i];
		const char *role = role_names[f->role];

		if (a && strcmp(f->path, a->maildir) == 0)
			return f;
		if (!a && (strcmp(f->name, name) == 0 ||
				  (role && g_ascii_strcasecmp(role, name) == 0) ||
				  (role && strcmp(_(role), name) == 0)))
			return f;
	}
	return NULL;
}

/* --- own folders ----------------------------------------------------------------------------- */

/* NULL, or why no folder can be called so. */
static const char *name_refused(const char *name)
{
	g_auto(GStrv) levels = g_strsplit(name, "/", -1);
	g_autofree char *clean = rs_clean_line(name);

	if (!g_utf8_validate(name, -1, NULL) || strcmp(clean, name) != 0)
		return _("holds characters that cannot be shown");
	if (strlen(name) > RS_FOLDER_NAME_MAX)
		return _("is longer than 200 octets");
	if (g_strv_length(levels) >= RS_FOLDERS_DEPTH_MAX)
		return _("has too many levels");
	if (!*name)
		return _("is empty");
	for (char **level = levels; *level; level++) {
		if (!**level || **level == '.' || **level == '-')
			return _("has a level that is empty or begins with . or -");
		if (strcmp(*level, "cur") == 0 || strcmp(*level, "new") == 0 ||
			strcmp(*level, "tmp") == 0)
			return _("has a level called cur, new or tmp, which hold the mail of a "
				 "folder");
	}
	return NULL;
}

static int name_check(const struct rs_places *p, const char *name, char **path, struct rs_err *err)
{
	const char *why = name_refused(name);

	if (why)
		return rs_err_set(err, RS_EINVAL, _("the folder name '%s' %s"), name, why);
	*path = g_build_filename(p->mail_dir, name, NULL);
	if (is_maildir(*path)) {
		g_clear_pointer(path, g_free);
		return rs_err_set(err, RS_EEXIST, _("there is a folder '%s' already"), name);
	}
	return 0;
}

int rs_folder_make(const struct rs_places *p, const char *name, struct rs_err *err)
{
	g_autofree char *path = NULL;
	struct rs_maildir *m = NULL;
	int rc = name_check(p, name, &path, err);

	if (rc == 0)
		rc = rs_maildir_open(rs_fs_posix(), path, RS_MAILDIR_CREATE, &m, err);
	rs_maildir_destroy(&m);
	return rc;
}

static int own_only(const struct rs_folder *f, struct rs_err *err)
{
	if (f->role == RS_FOLDER_OWN)
		return 0;
	return rs_err_set(err, RS_EINVAL,
		_("%s is a folder that is always there; only own folders can be renamed or "
		  "removed"),
		f->name);
}

int rs_folder_rename(
	const struct rs_places *p, const struct rs_folder *f, const char *name, struct rs_err *err)
{
	g_autofree char *path = NULL;
	g_autofree char *above = NULL;
	int rc = own_only(f, err);

	if (rc == 0)
		rc = name_check(p, name, &path, err);
	if (rc < 0)
		return rc;
	above = g_path_get_dirname(path);
	if (g_mkdir_with_parents(above, 0700) < 0 ||
		renameat2(AT_FDCWD, f->path, AT_FDCWD, path, RENAME_NOREPLACE) < 0)
		return rs_err_set(err, rs_err_kind_of_errno(errno),
			_("cannot rename the folder %s to %s: %s"), f->path, path,
			g_strerror(errno));
	return 0;
}

static bool is_empty(const char *path, bool *others)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *entry;

	while (dir && (entry = g_dir_read_name(dir))) {
		if (strcmp(entry, "cur") == 0 || strcmp(entry, "new") == 0 ||
			strcmp(entry, "tmp") == 0)
			continue;
		*others = true;
	}
	for (guint i = 0; i < G_N_ELEMENTS(subs); i++) {
		g_autofree char *sub = g_build_filename(path, subs[i], NULL);
		g_autoptr(GDir) in = g_dir_open(sub, 0, NULL);

		if (in && g_dir_read_name(in))
			return false;
	}
	return true;
}

/* rmdir refuses what is not empty, whoever comes in between. */
int rs_folder_remove(const struct rs_folder *f, struct rs_err *err)
{
	bool others = false;
	int rc = own_only(f, err);

	if (rc < 0)
		return rc;
	if (!is_empty(f->path, &others))
		return rs_err_set(err, RS_EBUSY,
			_("the folder %s holds mail; move or delete it before"), f->name);
	for (guint i = 0; i < G_N_ELEMENTS(subs); i++) {
		g_autofree char *sub = g_build_filename(f->path, subs[i], NULL);

		if (rmdir(sub) < 0 && errno != ENOENT)
			rc = -errno;
	}
	if (rc == 0 && !others && rmdir(f->path) < 0)
		rc = -errno;
	return rc == 0 ? 0
		       : rs_err_set(err, rs_err_kind_of_errno(-rc),
				 _("cannot remove the folder %s: %s"), f->path, g_strerror(-rc));
}
