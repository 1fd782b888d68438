/* folder.h - what the files of this floor share about an open folder. */
#ifndef RS_MAILDIR_FOLDER_H
#define RS_MAILDIR_FOLDER_H

#include "maildir/maildir.h"

/* --- a listing put together from what is read and what is known (rs_maildir_scan: all read) ---- */

struct rs_maildir_list *rs_maildir_list_new(void);
/* Entries of new/ come first, then those of cur/. */
int rs_maildir_list_read(struct rs_maildir_list *l, struct rs_maildir *m, bool in_new,
	struct rs_err *err) RS_MUST_USE;
void rs_maildir_list_add(struct rs_maildir_list *l, const char *name, bool in_new);
/* new/ was read first: what moved to cur/ meanwhile stands in both. Keep the one in cur/. */
void rs_maildir_list_settle(struct rs_maildir_list *l);

/* File name of entry `i`, with a NUL behind it; borrowed from the listing. */
struct rs_slice rs_maildir_list_name(const struct rs_maildir_list *l, size_t i);

/* --- the open folder ------------------------------------------------------------------------- */

struct rs_maildir {
	const struct rs_fs *fs; /* lent */
	char *path;
	unsigned flags; /* RS_MAILDIR_* it was opened with */
	int root_fd;
	int tmp_fd; /* these are -1 until rs_maildir_subs, where opened LAZY */
	int new_fd;
	int cur_fd;
};

/* Open tmp, new and cur where they are not open yet. */
int rs_maildir_subs(struct rs_maildir *m, struct rs_err *err) RS_MUST_USE;
/* The same for the one whose messages are read: its descriptor, borrowed, or a negative kind. */
int rs_maildir_sub(struct rs_maildir *m, bool in_new, struct rs_err *err) RS_MUST_USE;
/* A descriptor of the caller's own. */
int rs_maildir_sub_own(struct rs_maildir *m, bool in_new, struct rs_err *err) RS_MUST_USE;
/* Close them again, where opened LAZY: a session that is silent holds no more than it must. */
void rs_maildir_rest(struct rs_maildir *m);

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
