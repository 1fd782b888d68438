/* outbox_priv.h - what the files of the outbox share. Nobody else includes it. */
#ifndef RS_CLIENT_OUTBOX_PRIV_H
#define RS_CLIENT_OUTBOX_PRIV_H

#include "client/outbox.h"
#include "maildir/maildir.h"

struct rs_outbox {
	const struct rs_places *places;
	const GPtrArray *accounts;
	char *folder;    /* mail/Outbox        */
	char *envelopes; /* <data>/outbox      */
	void (*step)(void *arg, const char *what);
	void *step_arg;
};

void outbox_step(struct rs_outbox *o, const char *what);
/* Durable. */
int outbox_envelope_save(struct rs_outbox *o, const struct rs_out_item *item, struct rs_err *err);
void outbox_envelope_forget(struct rs_outbox *o, const char *unique);
/* Lock the message and read its envelope again; item->file is where it is now. The descriptor, the caller's: closing
 * it unlocks. -RS_ELOCKED: somebody else works on it (`wait`: then wait); -RS_ENOENT: it is not here any more. */
int outbox_lock(struct rs_outbox *o, struct rs_out_item *item, bool wait, struct rs_err *err);
/* Move it, durably, to mail/<folder>/cur with these flags; then its envelope goes. */
int outbox_move(struct rs_outbox *o, const struct rs_out_item *item, const char *folder,
	const char *flags, struct rs_err *err);
/* Envelopes whose messages are gone. */
void outbox_clean(struct rs_outbox *o);

#endif
