/* intent - the record of what a QUIT has decided to remove: file restante.delete of the folder that the
 * session had open.
 *   "restante-delete 1" LF, then where removed messages are kept "keep " FOLDER LF, then a line a message:
 *   octets of the name, blank, name, LF; then "end " count " " SHA-256 of all before it, LF.
 * A name is a base name of the folder, or, for a message of a folder that was shown with it,
 * ".Folder/" and the base name there.
 * A record that is not whole was never decided: it is thrown away.
 *
 * Kept: a link in the other folder's cur/ is made durable before the name in this one goes, so there is
 * no moment at which a power cut could lose the message. */
#ifndef RS_MAILDIR_INTENT_H
#define RS_MAILDIR_INTENT_H

#include <glib.h>

#include "maildir/folder.h"
#include "maildir/quota.h"

#define RS_INTENT_NAME "restante.delete"

struct rs_intent {
	GPtrArray *names; /* char * */
	char *keep;       /* folder, or NULL: removed for good */
};

void rs_intent_finish(struct rs_intent *i);

/* Text of a record. Owned by the caller. */
GString *rs_intent_text(const struct rs_intent *i);

/* Any octets may come in. False: not a whole record, *out untouched. */
bool rs_intent_parse(struct rs_slice text, struct rs_intent *out);

/* Remove every file that is named, make that durable, then remove the record. `account`: the mailbox folder
 * that subfolders are in and quota is counted in. *left: files that could not be removed (the record stays).
 * -RS_ELOCKED: a session has the other folder open; the record stays. */
int rs_intent_carry_out(struct rs_maildir *m, const char *account, const struct rs_intent *i,
	uint32_t *left, struct rs_err *err) RS_MUST_USE;

/* Finish what a crash left. */
int rs_intent_recover(struct rs_maildir *m, const char *account, struct rs_err *err) RS_MUST_USE;

#endif
