/* drop - the frozen table of one maildrop: octets and UID of each message, in order, and for the few that
 * have UTF-8 in their headers what they are for a client that did not ask for it (downgrade.h).
 * It is a flat image so that the role that made it can hand it to another process as a sealed
 * memory file; the reader trusts nothing in it and checks it whole when it opens it.
 *
 * Image, native byte order, 8-octet aligned:
 *   struct rs_drop_head | rows_n * struct rs_drop_row | ascii_n * struct rs_drop_ascii, by row |
 *   uids_n octets of UID text, no separators
 *
 * Units: `octets` are octets as sent over POP3 (CRLF line ends, without dot-stuffing, with the
 * CRLF that is added to an unterminated last line). Messages are numbered from 0 here, from 1 on
 * the wire only. UIDs are 1 to 70 octets of 0x21 to 0x7E (RFC 1939 section 7). */
#ifndef RS_PROTO_DROP_H
#define RS_PROTO_DROP_H

#include "base/base.h"
#include "base/buf.h"
#include "base/slice.h"

#define RS_DROP_MAGIC    0x32504f5244535221ull /* also tells a foreign byte order */
#define RS_DROP_ROWS_MAX 16000000u

struct rs_drop_head {
	uint64_t magic;
	uint32_t rows_n;
	uint32_t ascii_n;
	uint64_t octets; /* sum over all rows */
	uint64_t ascii;  /* the same with the downgraded forms for those that have one */
	uint64_t uids_n;
};

struct rs_drop_row {
	uint64_t octets;
	uint32_t uid_at; /* place in the UID text */
	uint32_t uid_n;
};

#define RS_DROP_NO_ASCII UINT64_MAX /* there is no downgraded form: the message is refused */

/* A message that is something else for a client that did not ask for UTF8. */
struct rs_drop_ascii {
	uint64_t octets; /* of the downgraded form, or RS_DROP_NO_ASCII: then its own are told */
	uint32_t row;
	uint32_t reserved; /* 0 */
};

/* A checked view of an image. Read-only; `image` stays borrowed as long as the view is used. */
struct rs_drop {
	const struct rs_drop_head *head;
	const struct rs_drop_row *rows;
	const struct rs_drop_ascii *ascii;
	const uint8_t *uids;
};

/* Check every row of `image`, then fill *out. -RS_ECORRUPT. O(rows). `image` 8-octet aligned. */
int rs_drop_open(struct rs_slice image, struct rs_drop *out) RS_MUST_USE;

static inline uint32_t rs_drop_n(const struct rs_drop *d)
{
	return d->head->rows_n;
}

static inline uint64_t rs_drop_octets(const struct rs_drop *d, uint32_t row)
{
	return d->rows[row].octets;
}

/* NULL: the message is the same for every client. */
const struct rs_drop_ascii *rs_drop_ascii(const struct rs_drop *d, uint32_t row);
/* Octets that are told of it to a client that did not ask for UTF8. */
uint64_t rs_drop_ascii_octets(const struct rs_drop *d, uint32_t row);

static inline struct rs_slice rs_drop_uid(const struct rs_drop *d, uint32_t row)
{
	return rs_slice(d->uids + d->rows[row].uid_at, d->rows[row].uid_n);
}

/* True where `uid` may be told to a client: 1 to 70 octets of 0x21 to 0x7E. */
bool rs_drop_uid_ok(struct rs_slice uid);

/* Building. The image is made in one piece by rs_drop_builder_image. */
struct rs_drop_builder {
	struct rs_buf rows;
	struct rs_buf ascii;
	struct rs_buf uids;
	uint64_t octets;
	uint64_t ascii_octets;
	uint32_t n;
};

void rs_drop_builder_init(struct rs_drop_builder *b);
void rs_drop_builder_finish(struct rs_drop_builder *b);
/* -RS_EINVAL: not a UID; -RS_ELIMIT: too many rows, or the sum passes 2^63; -RS_ENOMEM. */
int rs_drop_builder_add(
	struct rs_drop_builder *b, uint64_t octets, struct rs_slice uid) RS_MUST_USE;
/* The row just added has a downgraded form, or RS_DROP_NO_ASCII. The same errors; call it at most once a row. */
int rs_drop_builder_ascii(struct rs_drop_builder *b, uint64_t octets) RS_MUST_USE;
size_t rs_drop_builder_image_n(const struct rs_drop_builder *b); /* octets of the image */
void rs_drop_builder_image(const struct rs_drop_builder *b, void *out);

/* Marks: one bit a row (DELE). Bit i of octet i/8, least significant first; this is also the form
 * in which they travel to the store. */
static inline size_t rs_marks_n(uint32_t rows_n)
{
	return ((size_t)rows_n + 7) / 8;
}

static inline bool rs_marks_get(const uint8_t *marks, uint32_t row)
{
	return marks[row / 8] >> (row % 8) & 1;
}

static inline void rs_marks_set(uint8_t *marks, uint32_t row)
{
	marks[row / 8] = (uint8_t)(marks[row / 8] | 1u << (row % 8));
}

#endif
