/* envelope - what is known of a message in the Outbox beside its octets: from whom, to whom, by which account, and how
 * far it has come. A small INI file a message, replaced atomically and durably with each change.
 *
 *   QUEUED --the octets are out--> DOT --answered--> QUEUED (some are to be tried again), FAILED, SENT
 *   DOT, and its sender is gone or the link broke: --> UNSURE, until a person decides
 *   FAILED: somebody will never get it as it is; a person decides, too
 *   SENT: it belongs into Sent; then there is no envelope any more */
#ifndef RS_CLIENT_ENVELOPE_H
#define RS_CLIENT_ENVELOPE_H

#include <glib.h>

#include "base/err.h"
#include "client/submit.h"

enum rs_out_state { RS_OUT_QUEUED, RS_OUT_DOT, RS_OUT_UNSURE, RS_OUT_FAILED, RS_OUT_SENT };

#define RS_ENVELOPE_RCPTS_MAX 10000u
#define RS_ENVELOPE_MAX       (8u * 1024 * 1024) /* octets of the file */
#define RS_ENVELOPE_GIVE_UP_S (5 * 86400)        /* RFC 5321 section 4.5.4.1 */

struct rs_envelope {
	char *account; /* its name */
	char *sender;  /* "": the empty one */
	enum rs_out_state state;
	bool all; /* everybody or nobody */
	gint64 queued_s;
	gint64 next_s; /* not before */
	guint tries;
	char *said;       /* why it is still here, one line; NULL */
	GPtrArray *rcpts; /* struct rs_submit_rcpt */
};

struct rs_envelope *rs_envelope_new(const char *account, const char *sender);
void rs_envelope_free(struct rs_envelope *e);
/* Once each, whatever the case of the domain. */
void rs_envelope_add(struct rs_envelope *e, const char *address);
guint rs_envelope_count(const struct rs_envelope *e, enum rs_submit_fate fate);

/* A word for programs: "queued", "sending", "unsure", "failed", "sent". */
const char *rs_out_state_name(enum rs_out_state state);

/* -RS_ECORRUPT names what is wrong. */
int rs_envelope_parse(
	const char *text, gsize n, struct rs_envelope **out, struct rs_err *err) RS_MUST_USE;
char *rs_envelope_print(const struct rs_envelope *e); /* owned */

/* Seconds until the next try behind the `tries`-th failure: 1, 5, 15, 30 minutes, then every hour. */
gint64 rs_envelope_pause_s(guint tries);

#endif
