/* folder.h - what the files of this floor share about an open folder. */
#ifndef RS_MAILDIR_FOLDER_H
#define RS_MAILDIR_FOLDER_H

#include "maildir/maildir.h"

struct rs_maildir {
	const struct rs_fs *fs; /* lent */
	char *path;
	int root_fd;
	int tmp_fd;
	int new_fd;
	int cur_fd;
};

/* Error for errno value `errnum` at `path`/`name`, with the words for the person. */
int rs_maildir_fail(
	struct rs_err *err, int errnum, const char *doing, const char *path, const char *name);

/* fsync a folder through the seam. */
int rs_maildir_sync_dir(
	const struct rs_maildir *m, int fd, const char *name, struct rs_err *err) RS_MUST_USE;

/* A whole small file (at most `max` octets) as text with a NUL behind it, g_malloc'ed. -RS_ENOENT. */
int rs_maildir_slurp(const struct rs_maildir *m, const char *name, size_t max, char **out,
	size_t *out_n, struct rs_err *err) RS_MUST_USE;

/* Replace file `name` of the folder by `octets`: tmp file, (fsync,) rename, (fsync of the folder).
 * `durable` false: without the two fsyncs, for caches that can be rebuilt. */
int rs_maildir_replace(const struct rs_maildir *m, const char *name, struct rs_slice octets,
	bool durable, struct rs_err *err) RS_MUST_USE;

#endif
