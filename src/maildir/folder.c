/* folder.c - opening and making a Maildir folder, and small files in it. */
#include "maildir/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_MODE  0700
#define FILE_MODE 0600

int rs_maildir_fail(
	struct rs_err *err, int errnum, const char *doing, const char *path, const char *name)
{
	enum rs_err_kind kind = rs_err_kind_of_errno(errnum);
	const char *cure = "";

	if (kind == RS_ENOSPC)
		cure = "; free some space, nothing was lost";
	else if (kind == RS_EROFS)
		cure = "; check the owner and the rights of that folder";
	(void)rs_err_set(err, kind, "cannot %s %s%s%s: %s%s", doing, path, name ? "/" : "",
		name ? name : "", g_strerror(errnum), cure);
	return -(int)kind;
}

int rs_maildir_sync_dir(const struct rs_maildir *m, int fd, const char *name, struct rs_err *err)
{
	int rc = m->fs->fsync(m->fs->ctx, fd);

	return rc < 0 ? rs_maildir_fail(err, -rc, "make durable", m->path, name) : 0;
}

/* --- making -------------------------------------------------------------------------------- */

/* Make folder `name` in `parent` and make its name durable; one that is there is fine. */
static int make_dir(const struct rs_fs *fs, int parent, const char *name)
{
	int rc = fs->mkdir(fs->ctx, parent, name, DIR_MODE);

	if (rc == -EEXIST)
		return 0;
	return rc < 0 ? rc : fs->fsync(fs->ctx, parent);
}

/* mkdir -p, each new name made durable in its parent. 0 or -errno. */
static int make_path(const struct rs_fs *fs, const char *path)
{
	g_autofree char *parent = NULL;
	g_autofree char *name = NULL;
	int fd;
	int rc;

	fd = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		close(fd);
		return 0;
	}
	if (errno != ENOENT)
		return -errno;
	parent = g_path_get_dirname(path);
	name = g_path_get_basename(path);
	if (strcmp(parent, path) == 0)
		return -ENOENT;
	rc = make_path(fs, parent);
	if (rc < 0)
		return rc;
	fd = open(parent, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = make_dir(fs, fd, name);
	close(fd);
	return rc;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static int sub_open(struct rs_maildir *m, const char *name, int *fd, struct rs_err *err)
{
	int rc = 0;

	if (*fd >= 0)
		return 0;
	*fd = openat(m->root_fd, name, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	if (*fd < 0 && errno == ENOENT && (m->flags & RS_MAILDIR_CREATE)) {
		rc = make_dir(m->fs, m->root_fd, name);
		if (rc < 0)
			return rs_maildir_fail(err, -rc, "make the folder", m->path, name);
		*fd = openat(m->root_fd, name, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	}
	if (*fd < 0)
		return rs_maildir_fail(err, errno, "open", m->path, name);
	return 0;
}

int rs_maildir_subs(struct rs_maildir *m, struct rs_err *err)
{
	int rc = sub_open(m, "tmp", &m->tmp_fd, err);

	if (rc == 0)
		rc = sub_open(m, "new", &m->new_fd, err);
	return rc < 0 ? rc : sub_open(m, "cur", &m->cur_fd, err);
}

int rs_maildir_sub(struct rs_maildir *m, bool in_new, struct rs_err *err)
{
	int *fd = in_new ? &m->new_fd : &m->cur_fd;
	int rc = sub_open(m, in_new ? "new" : "cur", fd, err);

	return rc < 0 ? rc : *fd;
}

int rs_maildir_sub_own(struct rs_maildir *m, bool in_new, struct rs_err *err)
{
	int fd = -1;
	int rc = sub_open(m, in_new ? "new" : "cur", &fd, err);

	return rc < 0 ? rc : fd;
}

void rs_maildir_rest(struct rs_maildir *m)
{
	if (!(m->flags & RS_MAILDIR_LAZY))
		return;
	close_fd(m->tmp_fd);
	close_fd(m->new_fd);
	close_fd(m->cur_fd);
	m->tmp_fd = m->new_fd = m->cur_fd = -1;
}

int rs_maildir_open(const struct rs_fs *fs, const char *path, unsigned flags,
	struct rs_maildir **out, struct rs_err *err)
{
	struct rs_maildir *m;
	int rc = 0;
	int fd;

	fd = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && (flags & RS_MAILDIR_CREATE)) {
		rc = make_path(fs, path);
		if (rc < 0)
			return rs_maildir_fail(err, -rc, "make the folder", path, NULL);
		fd = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0)
		return rs_maildir_fail(err, errno, "open the folder", path, NULL);
	m = g_new0(struct rs_maildir, 1);
	m->fs = fs;
	m->path = g_strdup(path);
	m->flags = flags;
	m->tmp_fd = m->new_fd = m->cur_fd = -1;
	m->root_fd = fd;
	if (!(flags & RS_MAILDIR_LAZY))
		rc = rs_maildir_subs(m, err);
	if (rc < 0)
		rs_maildir_destroy(&m);
	else
		*out = m;
	return rc;
}

void rs_maildir_destroy(struct rs_maildir **m)
{
	if (!*m)
		return;
	close_fd((*m)->root_fd);
	close_fd((*m)->tmp_fd);
	close_fd((*m)->new_fd);
	close_fd((*m)->cur_fd);
	g_free((*m)->path);
	g_free(*m);
	*m = NULL;
}

int rs_maildir_sync(struct rs_maildir *m, struct rs_err *err)
{
	return rs_maildir_sync_dir(m, m->new_fd, "new", err);
}

int rs_maildir_sync_cur(struct rs_maildir *m, struct rs_err *err)
{
	return rs_maildir_sync_dir(m, m->cur_fd, "cur", err);
}

int rs_maildir_sync_all(struct rs_maildir *m, struct rs_err *err)
{
	int rc = m->fs->syncfs(m->fs->ctx, m->root_fd);

	return rc < 0 ? rs_maildir_fail(err, -rc, "make durable", m->path, NULL) : 0;
}

/* --- small files --------------------------------------------------------------------------- */

static int read_all(int fd, char *to, size_t n)
{
	size_t got = 0;

	while (got < n) {
		ssize_t k = read(fd, to + got, n - got);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -errno;
		if (k == 0)
			return -EIO; /* shorter than fstat said */
		got += (size_t)k;
	}
	return 0;
}

int rs_maildir_slurp(const struct rs_maildir *m, const char *name, size_t max, char **out,
	size_t *out_n, struct rs_err *err)
{
	g_autofree char *text = NULL;
	struct stat st;
	int fd = openat(m->root_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int rc = 0;

	if (fd < 0)
		return rs_maildir_fail(err, errno, "read", m->path, name);
	if (fstat(fd, &st) < 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_size < 0 || (uint64_t)st.st_size > max)
		rc = -EFBIG;
	if (rc == 0) {
		text = g_malloc((size_t)st.st_size + 1);
		rc = read_all(fd, text, (size_t)st.st_size);
	}
	close(fd);
	if (rc < 0)
		return rs_maildir_fail(err, -rc, "read", m->path, name);
	text[st.st_size] = '\0';
	*out = g_steal_pointer(&text);
	*out_n = (size_t)st.st_size;
	return 0;
}

static int write_all(const struct rs_fs *fs, int fd, struct rs_slice s)
{
	while (s.n) {
		ssize_t k = fs->write(fs->ctx, fd, s.p, s.n);

		if (k < 0)
			return (int)k;
		s = rs_slice_sub(s, (size_t)k, s.n);
	}
	return 0;
}

int rs_maildir_replace(const struct rs_maildir *m, const char *name, struct rs_slice octets,
	bool durable, struct rs_err *err)
{
	const struct rs_fs *fs = m->fs;
	g_autofree char *tmp = g_strdup_printf("%s.tmp", name);
	int fd = fs->create(fs->ctx, m->root_fd, tmp, O_WRONLY | O_TRUNC | O_NOFOLLOW, FILE_MODE);
	int rc;

	if (fd < 0)
		return rs_maildir_fail(err, -fd, "write", m->path, tmp);
	rc = write_all(fs, fd, octets);
	if (rc == 0 && durable)
		rc = fs->fsync(fs->ctx, fd);
	(void)fs->close(fs->ctx, fd);
	if (rc == 0)
		rc = fs->rename(fs->ctx, m->root_fd, tmp, m->root_fd, name, 0);
	if (rc < 0) {
		(void)fs->unlink(fs->ctx, m->root_fd, tmp);
		return rs_maildir_fail(err, -rc, "write", m->path, name);
	}
	return durable ? rs_maildir_sync_dir(m, m->root_fd, NULL, err) : 0;
}
