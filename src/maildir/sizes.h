/* sizes - octets of a message as it lies in its file and as POP3 sends it, from its name where that
 * can be believed, from the file where not. */
#ifndef RS_MAILDIR_SIZES_H
#define RS_MAILDIR_SIZES_H

#include "maildir/folder.h"

/* Is this a name of our own making (maildir.h)? Then its sizes are what delivery counted. */
bool rs_sizes_ours(const struct rs_maildir_name *n);

struct rs_sizes {
	uint64_t
		size; /* octets in the file; UINT64_MAX: it cannot be read, it fails when it is asked for */
	uint64_t wire; /* as sent; 0 when it cannot be read */
	uint64_t
		ascii; /* as sent when downgraded; UINT64_MAX: the same; 0: there is no such form */
};

/* Read what the name does not tell. */
void rs_sizes_measure(struct rs_maildir *m, const struct rs_maildir_entry *e,
	const struct rs_maildir_name *n, struct rs_sizes *out);

#endif
