/* downgrade - a message whose header has UTF-8 in it (RFC 6532), for a client that did not ask for
 * UTF8: the header is turned into ASCII as RFC 6857 says, the body goes on untouched.
 *
 * What becomes of a field with octets above 0x7F:
 *   not valid UTF-8        left as it is: not internationalized mail but a broken old message, of
 *                          which a client can still guess the character set
 *   addresses              names become encoded words, domains A-labels; any other address can only be
 *                          shown: "=?UTF-8?B?…?= :;", an empty group that is called like it
 *   Message-ID and such    Downgraded-Message-ID: and so on, as encoded words
 *   Content-Type, -Disposition  parameters as RFC 2231 has them
 *   Received               the FOR clause is left out; other words become encoded words
 *   everything else        encoded words (RFC 2047)
 * A field that passes RS_DOWNGRADE_FIELD_MAX and is not ASCII cannot be turned.
 *
 * Laws (fuzzed): the same output under every split; of ASCII headers the output is the input; doing it
 * twice is doing it once; the size told is the size of what comes out.
 *
 * Line ends stay as they are stored (LF or CRLF); lines that are added end in LF, and rs_dot_enc makes
 * CRLF of both. Memory: one field and what becomes of it. Thread: one owner. */
#ifndef RS_PROTO_DOWNGRADE_H
#define RS_PROTO_DOWNGRADE_H

#include "base/buf.h"
#include "base/slice.h"
#include "proto/dot.h"

#define RS_DOWNGRADE_FIELD_MAX 65536u
#define RS_DOWNGRADE_NONE      UINT64_MAX /* as a size: it cannot be turned into ASCII */

struct rs_downgrade {
	uint8_t state;
	bool high;           /* the field so far is not ASCII           */
	bool done;           /* `field` is whole and waits to be fetched */
	struct rs_buf field; /* as stored                                */
	struct rs_buf out;   /* what is to be fetched                    */
};

void rs_downgrade_init(struct rs_downgrade *d);
void rs_downgrade_finish(struct rs_downgrade *d);

/* Take octets of `p` up to the end of one field; *used says how many. Fetch the output whenever there is
 * some, before the next call. Not to be called in the body.
 * -RS_ELIMIT: it cannot be turned, -RS_ENOMEM; both final. */
int rs_downgrade_header(
	struct rs_downgrade *d, const uint8_t *p, size_t n, size_t *used) RS_MUST_USE;
/* No more octets will come: the last field is fetched behind this. The same errors. */
int rs_downgrade_end(struct rs_downgrade *d) RS_MUST_USE;
/* True from the empty line on (it is the last that is fetched): what follows is sent as stored. */
bool rs_downgrade_in_body(const struct rs_downgrade *d);
struct rs_slice rs_downgrade_out(const struct rs_downgrade *d); /* borrowed until the next call */
void rs_downgrade_fetched(struct rs_downgrade *d, size_t n);

/* rs_ascii_size - octets of the downgraded form as POP3 sends it, from the header alone. Feed the message from
 * its beginning until `over` (further octets do no harm), then ask. */
struct rs_ascii_size {
	struct rs_downgrade d;
	struct rs_wire_count in;  /* of the header as stored */
	struct rs_wire_count out; /* of what becomes of it   */
	bool over;
	int rc;
};

void rs_ascii_size_init(struct rs_ascii_size *z);
void rs_ascii_size_finish(struct rs_ascii_size *z);
void rs_ascii_size_add(struct rs_ascii_size *z, const uint8_t *p, size_t n);
/* `wire`: octets of the whole message as stored and sent (rs_wire_count). Returns that number too where
 * nothing has to be changed; RS_DOWNGRADE_NONE where it cannot. Call it once. */
uint64_t rs_ascii_size_end(struct rs_ascii_size *z, uint64_t wire);

/* The cheap question, for most mail: is the header whole in these first octets, and ASCII? */
bool rs_header_is_ascii(const uint8_t *p, size_t n);

#endif
