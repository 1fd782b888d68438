/* intent - the record of what a QUIT has decided to remove: file restante.delete.
 *   "restante-delete 1" LF, then a line a message: octets of the name, blank, base name, LF;
 *   then "end " count " " SHA-256 of all before it, LF.
 * A record that is not whole was never decided: it is thrown away. */
#ifndef RS_MAILDIR_INTENT_H
#define RS_MAILDIR_INTENT_H

#include <glib.h>

#include "maildir/folder.h"

#define RS_INTENT_NAME "restante.delete"

/* Text of a record for these base names (GPtrArray of char *). */
GString *rs_intent_text(const GPtrArray *bases);

/* Base names of a record, or NULL when it is not whole. Any octets may come in. */
GPtrArray *rs_intent_parse(struct rs_slice text);

/* Remove every file of the folder whose base name is in `bases`, make that durable, then remove
 * the record. *left: files that could not be removed (the record stays). */
int rs_intent_carry_out(struct rs_maildir *m, const GPtrArray *bases, uint32_t *left,
	struct rs_err *err) RS_MUST_USE;

/* Finish what a crash left. */
int rs_intent_recover(struct rs_maildir *m, struct rs_err *err) RS_MUST_USE;

#endif
