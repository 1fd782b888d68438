/* rows - the messages of a folder as rows: sizes, order, a UID of its own for each. What a session
 * works with is the index (index.h) that they are made into. */
#ifndef RS_MAILDIR_ROWS_H
#define RS_MAILDIR_ROWS_H

#include <glib.h>

#include "maildir/folder.h"
#include "maildir/index.h"
#include "maildir/uidlist.h"

/* Work all of `list` out: sizes from names, from `known` or from the files, order and UIDs. What had
 * to be read is saved in restante.uidl, and so is a UID that a message has only because of another one.
 * `old` is what the last session was told, of any age; NULL or empty: not known. `known` and `list` are used until the call returns. */
int rs_rows_index(struct rs_maildir *m, const struct rs_maildir_list *list,
	struct rs_uidlist *known, const struct rs_index *old, struct rs_index *out,
	struct rs_err *err) RS_MUST_USE;

/* The same from an index of an earlier state, where that is all that is needed: everything of it
 * that is still listed, perhaps with other flags, stands as it stood, and what came since is of our own making. False: it is
 * not so, work all of it out. */
bool rs_rows_carry(
	const struct rs_index *old, const struct rs_maildir_list *list, struct rs_index *out);

#endif
