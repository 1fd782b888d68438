/* outbox - mail that is to be sent: durable in the Maildir mail/Outbox with its envelope (envelope.h) in
 * <data folder>/outbox before anything else happens, in mail/Sent when the server has it.
 *
 * Law: a message leaves once. Whatever is killed at whatever moment, one that the server has is never sent again by
 * itself, and one that it has not is still here. The one moment of which nobody can know (the link broke, or we died,
 * between the final dot and its answer) makes it UNSURE: it stays, is told, and waits for a person.
 *
 * How: message (tmp/, synced) -> envelope QUEUED -> new/          it is in the Outbox
 *      all octets but the dot -> envelope DOT -> the dot, its answer -> envelope SENT -> Sent -> no envelope
 * Who works on a message holds a lock on its file. Thread: one owner. */
#ifndef RS_CLIENT_OUTBOX_H
#define RS_CLIENT_OUTBOX_H

#include <gio/gio.h>

#include "base/err.h"
#include "client/account.h"
#include "client/envelope.h"

#define RS_OUT_CODE_N 8u /* RS_CODE_N of the catalog */

struct rs_out_item {
	char code[RS_OUT_CODE_N + 1]; /* as the library calls it */
	char *unique;                 /* of its Maildir name     */
	char *file;
	bool in_new;
	struct rs_envelope *envelope; /* NULL: another program has put it there, or it is damaged */
};

void rs_out_item_free(void *item);

struct rs_outbox;

/* Makes nothing. Lent until close. */
int rs_outbox_open(const struct rs_places *p, const GPtrArray *accounts, struct rs_outbox **out,
	struct rs_err *err) RS_MUST_USE;
void rs_outbox_close(struct rs_outbox **o);
/* For tests: called in front of every step that lasts. */
void rs_outbox_on_step(struct rs_outbox *o, void (*step)(void *arg, const char *what), void *arg);

/* The message `fd` (lent, read from its beginning, any line ends) to the people of the envelope. Durable when it
 * returns 0; *unique owned, may be NULL. The envelope's queued_s is filled. -RS_EINVAL: nobody to send it to. */
int rs_outbox_put(struct rs_outbox *o, struct rs_envelope *e, int fd, char **unique,
	struct rs_err *err) RS_MUST_USE;

/* Oldest first; struct rs_out_item. An outbox that was never used is empty. */
int rs_outbox_list(struct rs_outbox *o, GPtrArray **out, struct rs_err *err) RS_MUST_USE;
/* By (the beginning of) its code; borrowed from the list. -RS_ENOENT, -RS_EINVAL where several fit. */
int rs_outbox_find(const GPtrArray *items, const char *word, struct rs_out_item **out,
	struct rs_err *err) RS_MUST_USE;
/* A descriptor of the message, the caller's. */
int rs_outbox_read(struct rs_outbox *o, const struct rs_out_item *item, struct rs_err *err);

/* --- sending ------------------------------------------------------------------------------- */

struct rs_outbox_flush {
	GCancellable *cancel;
	const char *
		only; /* the unique of one message: it is tried whatever its state, because a person said so */
	bool now; /* do not wait for the time of the next try */
	/* After each message that was tried or found UNSURE; the item has its new state. `err` is why it is still
	 * here (err->kind 0: it has been sent). Borrowed. */
	void (*told)(void *arg, const struct rs_out_item *item, const struct rs_err *err);
	void *arg;
};

/* Sends what is to be sent. 0, or what kept the last message here (-RS_ETEMP …; of a single one, its own reason). */
int rs_outbox_flush(
	struct rs_outbox *o, const struct rs_outbox_flush *how, struct rs_err *err) RS_MUST_USE;

/* Not to be sent (any more). *where: the folder it is in now, static: "Drafts", or "Sent" when somebody has it or may
 * have it. -RS_ELOCKED: it is being sent just now. */
int rs_outbox_cancel(struct rs_outbox *o, const struct rs_out_item *item, const char **where,
	struct rs_err *err) RS_MUST_USE;
/* As if it had never been put. Not where somebody has it or may have it: -RS_EBUSY. */
int rs_outbox_drop(
	struct rs_outbox *o, const struct rs_out_item *item, struct rs_err *err) RS_MUST_USE;

#endif
