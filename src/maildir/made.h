/* made - a message as a session is sent it, where that is not the file as it lies: made when it is asked for,
 * in a file without a name that goes with its descriptor. */
#ifndef RS_MAILDIR_MADE_H
#define RS_MAILDIR_MADE_H

#include "base/err.h"
#include "base/slice.h"

/* `prefix` and then all octets of `fd` (read from its beginning; it stays the caller's). A small one is made
 * in memory, a large one in the tmp/ of the mailbox `account`. The caller's descriptor, or a negative kind. */
int rs_made_prefixed(const char *account, struct rs_slice prefix, int fd, struct rs_err *err);

/* The same behind octet `from` of `fd`. */
int rs_made_behind(
	const char *account, struct rs_slice prefix, int fd, uint64_t from, struct rs_err *err);

#endif
