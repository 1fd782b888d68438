/* recent - the indexes (index.h) of small folders that were open lately, in the memory of the process: for
 * folders with too few messages for a file restante.index to be worth while. What is kept is as good
 * as such a file, and believed under the same conditions only: the folders' stamps.
 *
 * Thread: any. Ceilings: RS_RECENT_MAX folders, RS_RECENT_OCTETS_MAX octets; the oldest go first.
 * A session and this table share one copy. */
#ifndef RS_MAILDIR_RECENT_H
#define RS_MAILDIR_RECENT_H

#include "maildir/index.h"

#define RS_RECENT_MAX        8192u
#define RS_RECENT_OCTETS_MAX (8u * 1024 * 1024)

/* What was kept of the folder at `path`: shared, for the caller to finish. False: nothing. *quick: its file system
 * is one of this machine, which answers from memory what it was asked lately. */
bool rs_recent_get(const char *path, struct rs_index *out, bool *quick);
/* Keep `x`, which must not be changed from now on. `fd`: the folder. */
void rs_recent_put(const char *path, int fd, struct rs_index *x);
void rs_recent_forget(const char *path);

#endif
