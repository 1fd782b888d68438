/* target - hand messages on to something that is no folder here: a command, another server by LMTP or SMTP, an IMAP
 * folder. Maildir is not one of them: it needs no handing over (fetch_batch.c).
 *
 * What each call promises: 0 is said only when the target has said that it has the message. Between that word and
 * the ledger a crash leaves one message in doubt; rs_target_has settles it where the target can be asked (IMAP), else
 * that one is handed over a second time: better twice than lost.
 * Blocks. Thread: one owner at a time. */
#ifndef RS_CLIENT_TARGET_H
#define RS_CLIENT_TARGET_H

#include <gio/gio.h>

#include "base/err.h"
#include "client/account.h"
#include "client/target_spec.h"

struct rs_target;

struct rs_target_mail {
	int fd;       /* lent: the message with LF line ends, from its beginning */
	guint64 wire; /* octets with CRLF line ends */
	const char
		*head; /* its beginning, NUL-terminated, at least the header where that is short */
	char *sender;  /* of Return-Path, "" where there is none; owned by the mail */
	char *message_id; /* with its brackets, or NULL; owned by the mail */
	gint64 arrived_s; /* of the topmost Received, else of Date, else now */
};

/* Reads the head of `fd`; the rest of *out but fd and wire is filled. */
void rs_target_mail_read(int fd, guint64 wire, struct rs_target_mail *out);
void rs_target_mail_finish(struct rs_target_mail *m);

/* Connects at the first message. All lent until close. */
int rs_target_create(const struct rs_places *places, const struct rs_account *a,
	GCancellable *cancel, struct rs_target **out, struct rs_err *err) RS_MUST_USE;
void rs_target_destroy(struct rs_target **t);

/* 0: durable there. -RS_ETEMP, -RS_EINVAL: it would not take this one (later, or as it is); others may go.
 * -RS_ENET, -RS_EAUTH, -RS_ECERT, -RS_ECONFIG and the rest: it cannot be reached, none will go. */
int rs_target_deliver(
	struct rs_target *t, const struct rs_target_mail *m, struct rs_err *err) RS_MUST_USE;
/* Is a message with that Message-ID there? 1, 0, or negative; -RS_EINVAL: it cannot be asked. */
int rs_target_has(struct rs_target *t, const char *message_id, struct rs_err *err) RS_MUST_USE;

#endif
