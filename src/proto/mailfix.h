/* mailfix - what a message of a user may lack: finding the end of its header, and whether it has Date and
 * Message-ID. RFC 6409 section 8; RFC 5322 section 2.2.
 * Does:     takes the message in pieces, gives them on as they are, and says once where the header ends: there
 *           the owner puts the fields that are missing. What does not begin like a field ends the header.
 * Units:    octets of the message, line ends as sent; joined, the spans are the message.
 * Lifetime: a span is borrowed from `in` or from `f` until the next call. Never empty.
 * Limits:   holds a field's name, at most RS_MAILFIX_NAME_MAX octets; a longer one is none.
 * Thread:   one owner. */
#ifndef RS_PROTO_MAILFIX_H
#define RS_PROTO_MAILFIX_H

#include "base/base.h"
#include "base/slice.h"

#define RS_MAILFIX_NAME_MAX 77u

enum rs_mailfix_step {
	RS_MAILFIX_MORE,
	RS_MAILFIX_SPAN, /* *span goes on */
	RS_MAILFIX_INSERT /* the header ends here; `blank` says whether the empty line goes behind them */
};

struct rs_mailfix {
	uint8_t state;
	uint8_t held_n;
	bool field; /* one was seen: a line may continue it */
	bool has_date;
	bool has_id;
	bool blank;
	bool cut; /* the message ended within a line: a line end goes in front */
	uint8_t held[RS_MAILFIX_NAME_MAX];
};

void rs_mailfix_init(struct rs_mailfix *f);
enum rs_mailfix_step rs_mailfix(
	struct rs_mailfix *f, const uint8_t *in, size_t n, size_t *used, struct rs_slice *span);
/* The message has ended: call until MORE. */
enum rs_mailfix_step rs_mailfix_end(struct rs_mailfix *f, struct rs_slice *span);

#endif
