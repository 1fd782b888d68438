/* sizes - octets of a message as it lies in its file and as POP3 sends it, from its name where that
 * can be believed, from the file where not. */
#ifndef RS_MAILDIR_SIZES_H
#define RS_MAILDIR_SIZES_H

#include "maildir/folder.h"

/* Is this a name of our own making (maildir.h)? Then its sizes are what delivery counted. */
bool rs_sizes_ours(const struct rs_maildir_name *n);

/* Read what the name does not tell. A message that cannot be read gets *size UINT64_MAX, *wire 0: it is
 * listed and fails when it is asked for. */
void rs_sizes_measure(struct rs_maildir *m, const struct rs_maildir_entry *e,
	const struct rs_maildir_name *n, uint64_t *size, uint64_t *wire);

#endif
