/* downgrade_priv.h - what the files of downgrade.h share. Nobody else includes it. */
#ifndef RS_PROTO_DOWNGRADE_PRIV_H
#define RS_PROTO_DOWNGRADE_PRIV_H

#include "base/buf.h"
#include "base/slice.h"

/* Text on its way out. One sticky error, asked for at the end. */
struct ascii_out {
	struct rs_buf *buf;
	size_t column; /* of the line that is being written */
	int rc;
};

/* Is `c` one of `marks`? NUL never is. */
static inline bool ascii_mark(const char *marks, uint8_t c)
{
	return memchr(marks, c, strlen(marks)) != NULL;
}

/* One field as stored, with its line end, valid UTF-8 and not ASCII, as ASCII. -RS_ENOMEM, -RS_ELIMIT. */
int downgrade_field(struct rs_slice field, struct rs_buf *out) RS_MUST_USE;

#define DOWNGRADE_DOMAIN_MAX 256u

/* A domain (valid UTF-8) as A-labels (RFC 6857 section 3.1.6); octets written, 0: it cannot be turned. */
size_t downgrade_domain(struct rs_slice domain, uint8_t out[DOWNGRADE_DOMAIN_MAX]);

/* downgrade_text.c */
void downgrade_put(struct ascii_out *o, struct rs_slice s); /* as it is */
void downgrade_put_str(struct ascii_out *o, const char *s);
/* As encoded words of at most 75 octets, folded where needed (RFC 2047 sections 2 and 5). Line ends in `s` are left
 * out. Nothing for an empty text. */
void downgrade_put_words(struct ascii_out *o, struct rs_slice s);
/* Words that are not ASCII as encoded words, with the blanks between two such words; the rest as it is. `marks` are
 * octets that end a word beside blanks ("()" for comments). */
void downgrade_put_text(struct ascii_out *o, struct rs_slice s, const char *marks);
/* A parameter's value as RFC 2231 section 4 has it: name*=UTF-8''…, in pieces where it is long. */
void downgrade_put_param(struct ascii_out *o, struct rs_slice name, struct rs_slice value);

#endif
