/* fs_posix.c - the kernel's file system behind fs.h. */
#include "maildir/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int result(int rc)
{
	return rc < 0 ? -errno : rc;
}

static int posix_create(void *ctx, int dir, const char *name, int flags, mode_t mode)
{
	return result(openat(dir, name, flags | O_CREAT | O_CLOEXEC, mode));
}

static ssize_t posix_write(void *ctx, int fd, const void *p, size_t n)
{
	ssize_t rc;

	do {
		rc = write(fd, p, n);
	} while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : rc;
}

static int posix_truncate(void *ctx, int fd, off_t n)
{
	return result(ftruncate(fd, n));
}

static int posix_fsync(void *ctx, int fd)
{
	int rc;

	do {
		rc = fsync(fd);
	} while (rc < 0 && errno == EINTR);
	return result(rc);
}

static int posix_syncfs(void *ctx, int fd)
{
	return result(syncfs(fd));
}

static int posix_close(void *ctx, int fd)
{
	return result(close(fd));
}

static int posix_rename(
	void *ctx, int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	return result(renameat2(from_dir, from, to_dir, to, flags));
}

static int posix_link(void *ctx, int from_dir, const char *from, int to_dir, const char *to)
{
	return result(linkat(from_dir, from, to_dir, to, 0));
}

static int posix_unlink(void *ctx, int dir, const char *name)
{
	return result(unlinkat(dir, name, 0));
}

static int posix_mkdir(void *ctx, int dir, const char *name, mode_t mode)
{
	return result(mkdirat(dir, name, mode));
}

const struct rs_fs *rs_fs_posix(void)
{
	static const struct rs_fs fs = {
		.create = posix_create,
		.write = posix_write,
		.truncate = posix_truncate,
		.fsync = posix_fsync,
		.syncfs = posix_syncfs,
		.close = posix_close,
		.rename = posix_rename,
		.link = posix_link,
		.unlink = posix_unlink,
		.mkdir = posix_mkdir,
	};

	return &fs;
}
