/* slice - a borrowed run of octets. Never NUL-terminated, may hold any octet.
 * Lifetime: as long as what it was taken from; each function that hands one out says how long. */
#ifndef RS_BASE_SLICE_H
#define RS_BASE_SLICE_H

#include <string.h>

#include "base/base.h"

struct rs_slice {
	const uint8_t *p; /* NULL only when n == 0 */
	size_t n;         /* octets */
};

static inline struct rs_slice rs_slice(const void *p, size_t n)
{
	return (struct rs_slice){.p = p, .n = n};
}

/* The text without its NUL; borrowed as long as `s`. NULL gives the empty slice. */
static inline struct rs_slice rs_slice_str(const char *s)
{
	return rs_slice(s, s ? strlen(s) : 0);
}

/* The part from `from` on, at most `n` octets; both are cut to what is there. */
struct rs_slice rs_slice_sub(struct rs_slice s, size_t from, size_t n);

bool rs_slice_eq(struct rs_slice a, struct rs_slice b);
bool rs_slice_eq_str(struct rs_slice a, const char *b);
/* ASCII letters compare without case; no locale. */
bool rs_slice_ieq_str(struct rs_slice a, const char *b);
bool rs_slice_istarts(struct rs_slice a, const char *prefix);

/* For hash tables (djb2). */
uint32_t rs_slice_hash(struct rs_slice s);

/* True where every octet is a visible ASCII character, 0x21 to 0x7E. */
bool rs_slice_graphic(struct rs_slice s);

/* Place of the first octet `c`, or n when there is none. */
size_t rs_slice_find(struct rs_slice s, uint8_t c);

/* Without leading and trailing blanks and tabs. */
struct rs_slice rs_slice_trim(struct rs_slice s);

/* Next word up to a blank; *rest moves behind it and its blanks. Empty when nothing is left. */
struct rs_slice rs_slice_word(struct rs_slice *rest);

/* Copy as NUL-terminated text. -RS_ELIMIT when it does not fit, -RS_EINVAL when it holds a NUL. */
int rs_slice_copy(struct rs_slice s, char *out, size_t out_n) RS_MUST_USE;

#endif
