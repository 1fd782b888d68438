/* dot - the transparency of multi-line answers, both ways, and the counting that goes with it.
 * RFC 1939 section 3; RFC 5321 section 4.5.2. Small state machines, nothing is held back but
 * the octets named below. Thread: one owner. */
#ifndef RS_PROTO_DOT_H
#define RS_PROTO_DOT_H

#include "base/base.h"
#include "base/slice.h"

/* rs_dot_dec - remove dot-stuffing from one multi-line answer.
 * Does:     takes octets of `in`, yields one borrowed span per call.
 * Units:    `n`, `*used` are wire octets; a span never holds a stuffed dot. The spans joined are
 *           the message with its line ends as sent (CRLF of a correct peer; a lone CR or LF is
 *           data and is kept).
 * The end:  only CRLF "." CRLF (or "." CRLF at the very start) ends the message. With
 *           `lenient` set (client side) LF "." LF and LF "." CRLF end it too; a server that
 *           takes mail in (LMTP, SMTP) never sets it: that is how smuggling begins.
 * Lifetime: a span is borrowed from `in`, or (for a held CR or dot that proved to be data) from
 *           static memory. Never empty. */
enum rs_dot_step { RS_DOT_MORE, RS_DOT_SPAN, RS_DOT_END };

struct rs_dot_dec {
	uint8_t state;
	bool lenient;
	uint64_t octets; /* octets yielded so far */
};

void rs_dot_dec_init(struct rs_dot_dec *d, bool lenient);
enum rs_dot_step rs_dot_dec(
	struct rs_dot_dec *d, const uint8_t *in, size_t n, size_t *used, struct rs_slice *span);

/* rs_dot_enc - make the wire form of a stored message.
 * Does:     LF or CRLF line ends become CRLF, a leading dot is doubled, a lone CR is kept.
 * Limits:   `top` >= 0 stops after the header, the empty line and `top` lines of the body
 *           (RFC 1939 section 7, TOP); -1 sends all. A message without an empty line is all
 *           header.
 * Returns:  octets of `in` taken in *used, octets written to `out` as the result. out_n >= 8.
 *           With `done` set (top lines are out) further input is taken and thrown away.
 * End:      rs_dot_enc_end writes what is missing of the last CRLF, then "." CRLF; 5 octets at
 *           most; call it once. */
struct rs_dot_enc {
	uint8_t state;
	bool body;       /* behind the empty line             */
	bool done;       /* nothing more is sent but the end  */
	bool line_empty; /* nothing in the current line yet   */
	int64_t lines;   /* body lines still to send, -1: all */
	uint64_t octets; /* octets of the message sent: without stuffing, without the final "." */
};

void rs_dot_enc_init(struct rs_dot_enc *e, int64_t top);
size_t rs_dot_enc(struct rs_dot_enc *e, const uint8_t *in, size_t n, size_t *used, uint8_t *out,
	size_t out_n);
/* What `octets` would be after rs_dot_enc_end. */
uint64_t rs_dot_enc_octets(const struct rs_dot_enc *e);
size_t rs_dot_enc_end(struct rs_dot_enc *e, uint8_t out[5]);

/* rs_wire_count - octets of a stored message as POP3 sends it: the same as rs_dot_enc counts in
 * `octets` at its end for top = -1. Feed it all, then ask. */
struct rs_wire_count {
	uint64_t octets;
	bool cr;         /* the last octet was CR             */
	bool unfinished; /* the last line has no end yet      */
};

void rs_wire_count_init(struct rs_wire_count *w);
void rs_wire_count_add(struct rs_wire_count *w, const uint8_t *p, size_t n);
uint64_t rs_wire_count_end(const struct rs_wire_count *w);

#endif
