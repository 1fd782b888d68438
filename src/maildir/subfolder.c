/* subfolder.c - see subfolder.h */
#include "maildir/subfolder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <unistd.h>

#include "maildir/folder.h"

#define MARK_NAME "maildirfolder"
#define FILE_MODE 0600

char *rs_subfolder_path(const char *root, const char *name)
{
	return g_strdup_printf("%s/.%s", root, name);
}

char *rs_subfolder_find(const char *root, const char *name)
{
	g_autofree char *exact = rs_subfolder_path(root, name);
	const struct dirent *e;
	char *found = NULL;
	DIR *dir;

	if (access(exact, F_OK) == 0)
		return g_steal_pointer(&exact);
	dir = opendir(root);
	while (dir && !found && (e = readdir(dir))) {
		if (e->d_name[0] == '.' && g_ascii_strcasecmp(e->d_name + 1, name) == 0)
			found = g_build_filename(root, e->d_name, NULL);
	}
	if (dir)
		closedir(dir);
	return found;
}

int rs_subfolder_make(
	const struct rs_fs *fs, const char *root, const char *name, struct rs_err *err)
{
	g_autofree char *path = rs_subfolder_path(root, name);
	struct rs_maildir *m = NULL;
	int rc = rs_maildir_open(fs, path, RS_MAILDIR_CREATE, &m, err);
	int fd;

	if (rc < 0)
		return rc;
	fd = fs->create(fs->ctx, m->root_fd, MARK_NAME, O_WRONLY | O_NOFOLLOW, FILE_MODE);
	if (fd >= 0)
		(void)fs->close(fs->ctx, fd);
	else
		rc = rs_maildir_fail(err, -fd, "write", path, MARK_NAME);
	rs_maildir_destroy(&m);
	return rc;
}

static bool is_junk(const char *name, const struct rs_rules *r)
{
	return g_ascii_strcasecmp(name, r->junk_folder) == 0;
}

char *rs_subfolder_for_delivery(const char *root, const char *name, const struct rs_rules *r)
{
	char *found = name ? rs_subfolder_find(root, name) : NULL;

	if (!found && name && is_junk(name, r))
		found = rs_subfolder_path(root, r->junk_folder);
	return found ? found : g_strdup(root);
}

char *rs_subfolder_for_session(const char *root, const char *name, const struct rs_rules *r)
{
	if (!name)
		return g_strdup(root);
	if (is_junk(name, r) && r->junk == RS_JUNK_HIDE)
		return NULL;
	return rs_subfolder_find(root, name);
}
