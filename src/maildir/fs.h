/* fs - the one seam through which this floor changes a file system.
 * Only operations that change state go through it: reading (open for reading, read, fstat,
 * readdir) is done directly, because the power-cut simulator of the tests (tests/crash/fs_sim.c)
 * works on a real folder, keeps a journal of what was made durable by which call, and builds the
 * folder that a power cut would have left.
 *
 * Each call returns 0 (open: a descriptor >= 0; write: octets) or -errno. Semantics as in POSIX,
 * with EINTR already repeated. Thread: any; an implementation locks where it must. */
#ifndef RS_MAILDIR_FS_H
#define RS_MAILDIR_FS_H

#include <sys/types.h>

#include "base/base.h"

struct rs_fs {
	void *ctx;
	int (*create)(void *ctx, int dir, const char *name, int flags,
		mode_t mode); /* O_CREAT is added */
	ssize_t (*write)(void *ctx, int fd, const void *p, size_t n);
	int (*truncate)(void *ctx, int fd, off_t n);
	int (*fsync)(void *ctx, int fd);  /* file or folder          */
	int (*syncfs)(void *ctx, int fd); /* the whole file system   */
	int (*close)(void *ctx, int fd);  /* of what `create` opened */
	int (*rename)(void *ctx, int from_dir, const char *from, int to_dir, const char *to,
		unsigned flags); /* RENAME_NOREPLACE or 0 */
	int (*link)(void *ctx, int from_dir, const char *from, int to_dir, const char *to);
	int (*unlink)(void *ctx, int dir, const char *name);
	int (*mkdir)(void *ctx, int dir, const char *name, mode_t mode);
};

/* The kernel's. Static, never freed. */
const struct rs_fs *rs_fs_posix(void);
/* One that changes nothing: all is refused with -EROFS. For looking without leaving a trace. Static. */
const struct rs_fs *rs_fs_readonly(void);

#endif
