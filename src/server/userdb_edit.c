/* userdb_edit.c - changing a passwd-file: one line of it, the file replaced as a whole. See userdb.h. */
#include "server/userdb.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "passwd-file:"

static const char *path_of(const char *spec)
{
	return g_str_has_prefix(spec, PREFIX) ? spec + strlen(PREFIX) : NULL;
}

static bool is_user_line(const char *line)
{
	return *line && *line != '#';
}

/* --- the file ------------------------------------------------------------------------------ */

static int fail(struct rs_err *err, const char *doing, const char *path)
{
	return rs_err_set(err, rs_err_kind_of_errno(errno), "cannot %s %s: %s", doing, path,
		g_strerror(errno));
}

/* One writer at a time, over all processes. *fd is closed by the caller. */
static int lock_file(const char *path, int *fd, struct rs_err *err)
{
	g_autofree char *name = g_strdup_printf("%s.lock", path);
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	*fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*fd < 0)
		return fail(err, "lock", name);
	if (fcntl(*fd, F_OFD_SETLKW, &whole) == 0)
		return 0;
	close(*fd);
	return fail(err, "lock", name);
}

/* Owner and mode of the old file stay. */
static int write_new(const char *tmp, const char *path, const GString *text)
{
	struct stat st;
	int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc = fd < 0 ? -1 : 0;

	if (rc == 0 && stat(path, &st) == 0) {
		rc = fchmod(fd, st.st_mode & 07777);
		if (rc == 0 && geteuid() == 0)
			rc = fchown(fd, st.st_uid, st.st_gid);
	}
	for (size_t at = 0; rc == 0 && at < text->len;) {
		ssize_t n = write(fd, text->str + at, text->len - at);

		if (n < 0)
			rc = -1;
		else
			at += (size_t)n;
	}
	if (rc == 0)
		rc = fsync(fd);
	if (fd >= 0)
		close(fd);
	return rc;
}

static int sync_dir_of(const char *path)
{
	g_autofree char *dir = g_path_get_dirname(path);
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 ? -1 : fsync(fd);

	if (fd >= 0)
		close(fd);
	return rc;
}

static int replace(const char *path, const GString *text, struct rs_err *err)
{
	g_autofree char *tmp = g_strdup_printf("%s.tmp", path);

	if (write_new(tmp, path, text) < 0 || rename(tmp, path) < 0) {
		int rc = fail(err, "write", path);

		(void)unlink(tmp);
		return rc;
	}
	return sync_dir_of(path) < 0 ? fail(err, "make durable", path) : 0;
}

static bool line_is(const char *line, const char *name)
{
	g_autofree char *user = g_strndup(line, strcspn(line, ":"));
	char clean[256];

	return is_user_line(line) && rs_user_name_clean(rs_slice_str(user), clean) == 0 &&
	       strcmp(clean, name) == 0;
}

/* The file's text without the line of `name`; *found says whether there was one. A file that is there
 * and cannot be read is an error: it would be replaced by what was not read. */
static int text_without(
	const char *path, const char *name, GString *text, bool *found, struct rs_err *err)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *old = NULL;
	g_auto(GStrv) lines = NULL;

	*found = false;
	if (!g_file_get_contents(path, &old, NULL, &error)) {
		if (g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
			return 0; /* not there yet */
		return rs_err_set(err, RS_EIO, "cannot read the users: %s", error->message);
	}
	lines = g_strsplit(old, "\n", -1);
	for (char **l = lines; *l; l++) {
		if (line_is(*l, name))
			*found = true;
		else if (**l || l[1])
			g_string_append_printf(text, "%s\n", *l);
	}
	return 0;
}

/* add: `password` is the field; NULL removes. */
static int change(const char *spec, const char *name, const char *password, struct rs_err *err)
{
	const char *path = path_of(spec);
	g_autoptr(GString) text = g_string_new(NULL);
	bool found;
	int lock;
	int rc;

	if (!path)
		return rs_err_set(
			err, RS_ECONFIG, "[auth] users: '%s' is not passwd-file:/PATH", spec);
	if (password && strpbrk(password, ":\r\n"))
		return rs_err_set(err, RS_EINVAL,
			"a ':' or a line end cannot stand in the users file: hash the password");
	rc = lock_file(path, &lock, err);
	if (rc < 0)
		return rc;
	rc = text_without(path, name, text, &found, err);
	if (rc < 0) {
		close(lock);
		return rc;
	}
	if (password && found)
		rc = rs_err_set(err, RS_EEXIST, "%s is there already", name);
	else if (!password && !found)
		rc = rs_err_set(err, RS_ENOENT, "there is no user %s", name);
	if (password)
		g_string_append_printf(text, "%s:%s::::::\n", name, password);
	if (rc == 0)
		rc = replace(path, text, err);
	close(lock);
	return rc;
}

int rs_userdb_add(const char *spec, const char *name, const char *password, struct rs_err *err)
{
	return change(spec, name, password, err);
}

int rs_userdb_remove(const char *spec, const char *name, struct rs_err *err)
{
	return change(spec, name, NULL, err);
}
