/* raw_mail - a message that another program made (sendmail's standard input), made fit to be sent: what is missing of
 * its header is added, and the envelope is read off it where that is asked for. */
#ifndef RS_CLIENT_RAW_MAIL_H
#define RS_CLIENT_RAW_MAIL_H

#include <glib.h>

#include "base/err.h"
#include "client/account.h"
#include "client/envelope.h"

struct rs_raw_how {
	const GPtrArray *accounts;
	const struct rs_account
		*account;   /* to send by; NULL: the one of the sender, else the first that sends */
	const char *sender; /* -f; NULL: From, else the account's; "" or "<>": the empty one */
	const char *name;   /* -F: for a From that is added */
	const char *const *rcpts; /* NULL-terminated, or NULL */
	bool from_header;         /* -t: those of To, Cc, Bcc, too */
	bool dot_ends;            /* a line "." ends the input, as without -i */
};

/* Reads `in` to its end into a file without a name. *out_fd: the message, the caller's; *out: the envelope, owned.
 * -RS_EINVAL: nobody to send to, or not an address; -RS_ECONFIG: no account can send; -RS_EIO, -RS_ENOSPC. */
int rs_raw_mail(int in, const struct rs_raw_how *how, int *out_fd, struct rs_envelope **out,
	struct rs_err *err) RS_MUST_USE;

/* For a message whose sender is `address`. Owned, with its brackets. */
char *rs_message_id_make(const char *address);
/* "Wed, 25 Nov 2026 10:00:00 +0100" of now, owned. */
char *rs_date_make(void);

/* A file without a name, for a while; or a negative kind. */
int rs_file_nameless(struct rs_err *err);
int rs_write_all(int fd, const char *p, gsize n, struct rs_err *err) RS_MUST_USE;

#endif
