/* standing - a folder as a session that begins now would be told it, found out without the lock and without
 * changing anything; and what is remembered of it, so that the two can be compared.
 * Facts: `index` follows from names, restante.uidl and files alone, as after the loss of restante.index;
 * `kept` is what restante.index says, and may be older. What is written meanwhile by others may be missed. */
#ifndef RS_MAILDIR_STANDING_H
#define RS_MAILDIR_STANDING_H

#include "maildir/folder.h"
#include "maildir/index.h"
#include "maildir/sizes.h"
#include "maildir/uidlist.h"

struct rs_standing {
	struct rs_maildir *m;
	struct rs_index index;
	struct rs_index kept; /* octets NULL: there is none, or it is not whole */
	bool index_damaged;
	struct rs_uidlist known; /* of restante.uidl; no rows: none, or not whole */
	bool uidlist_there;
	bool uidlist_damaged;
};

/* -RS_ENOENT: no such folder. rs_standing_finish also after failure. */
int rs_standing_open(const char *path, struct rs_standing *out, struct rs_err *err) RS_MUST_USE;
void rs_standing_finish(struct rs_standing *s);

/* Message `row` of `index`. */
struct rs_maildir_entry rs_standing_entry(const struct rs_standing *s, uint32_t row);

/* What is told of it. */
struct rs_sizes rs_standing_sizes(const struct rs_standing *s, uint32_t row);

/* Rows of the kept index: base name (char *) -> row + 1. Owned by the caller. */
GHashTable *rs_standing_kept_rows(const struct rs_standing *s);

#endif
