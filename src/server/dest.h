/* dest - one mailbox that a message goes to: which folder of it, whether there is room, the folder open.
 * Used by the Maildir store and by `restanted deliver`. Blocks on the disk. */
#ifndef RS_SERVER_DEST_H
#define RS_SERVER_DEST_H

#include "maildir/maildir.h"
#include "server/mailbox.h"

struct rs_dest {
	const struct rs_fs *fs; /* lent */
	struct rs_mailbox box;
	struct rs_maildir *m; /* the folder the message goes into */
};

/* `text` as rs_mailbox_text makes it. Makes what is missing. rs_dest_finish, also after failure. */
int rs_dest_open(const struct rs_fs *fs, const char *text, const struct rs_rules *defaults,
	struct rs_dest *out, struct rs_err *err) RS_MUST_USE;

/* Deliver `body` (finished and synced): quota, then publish it where it is in this very folder, else a link or
 * a copy; durable when this returns 0. -RS_ELIMIT: over quota. Nothing is there after a failure. */
int rs_dest_deliver(
	struct rs_dest *d, struct rs_deliv *body, bool own, struct rs_err *err) RS_MUST_USE;

void rs_dest_finish(struct rs_dest *d);

#endif
