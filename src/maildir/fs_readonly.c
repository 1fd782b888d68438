/* fs_readonly.c - the seam of fs.h with nothing behind it. */
#include <errno.h>
#include <unistd.h>

#include "maildir/fs.h"

static int no_create(void *ctx, int dir, const char *name, int flags, mode_t mode)
{
	(void)ctx, (void)dir, (void)name, (void)flags, (void)mode;
	return -EROFS;
}

static ssize_t no_write(void *ctx, int fd, const void *p, size_t n)
{
	(void)ctx, (void)fd, (void)p, (void)n;
	return -EROFS;
}

static int no_truncate(void *ctx, int fd, off_t n)
{
	(void)ctx, (void)fd, (void)n;
	return -EROFS;
}

static int no_sync(void *ctx, int fd)
{
	(void)ctx, (void)fd;
	return -EROFS;
}

static int plain_close(void *ctx, int fd)
{
	(void)ctx;
	return close(fd) < 0 ? -errno : 0;
}

static int no_rename(
	void *ctx, int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	(void)ctx, (void)from_dir, (void)from, (void)to_dir, (void)to, (void)flags;
	return -EROFS;
}

static int no_link(void *ctx, int from_dir, const char *from, int to_dir, const char *to)
{
	(void)ctx, (void)from_dir, (void)from, (void)to_dir, (void)to;
	return -EROFS;
}

static int no_unlink(void *ctx, int dir, const char *name)
{
	(void)ctx, (void)dir, (void)name;
	return -EROFS;
}

static int no_mkdir(void *ctx, int dir, const char *name, mode_t mode)
{
	(void)ctx, (void)dir, (void)name, (void)mode;
	return -EROFS;
}

const struct rs_fs *rs_fs_readonly(void)
{
	static const struct rs_fs fs = {
		.create = no_create,
		.write = no_write,
		.truncate = no_truncate,
		.fsync = no_sync,
		.syncfs = no_sync,
		.close = plain_close,
		.rename = no_rename,
		.link = no_link,
		.unlink = no_unlink,
		.mkdir = no_mkdir,
	};

	return &fs;
}
