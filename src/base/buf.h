/* buf - a queue of octets with a ceiling. Append at the tail, consume at the head.
 * No buffer exists without a ceiling: a peer can never make one grow past `max`.
 * Memory grows by doubling and is given back by rs_buf_shrink when empty. Octets that leave the
 * buffer are not wiped; call rs_buf_wipe where it held a secret. */
#ifndef RS_BASE_BUF_H
#define RS_BASE_BUF_H

#include "base/base.h"
#include "base/slice.h"

struct rs_buf {
	uint8_t *p;
	size_t head; /* first octet held                 */
	size_t tail; /* behind the last octet held       */
	size_t cap;  /* allocated                        */
	size_t max;  /* ceiling of octets held, > 0      */
};

/* No allocation happens before the first append. */
void rs_buf_init(struct rs_buf *b, size_t max) RS_NONNULL;
void rs_buf_finish(struct rs_buf *b) RS_NONNULL; /* frees; a second call does nothing */

static inline size_t rs_buf_n(const struct rs_buf *b)
{
	return b->tail - b->head;
}

static inline size_t rs_buf_room(const struct rs_buf *b)
{
	return b->max - (b->tail - b->head);
}

/* What is held; borrowed until the next call on `b`. */
static inline struct rs_slice rs_buf_slice(const struct rs_buf *b)
{
	return rs_slice(b->p ? b->p + b->head : NULL, b->tail - b->head);
}

/* All or nothing. -RS_ELIMIT when it would pass the ceiling, -RS_ENOMEM. */
int rs_buf_add(struct rs_buf *b, const void *p, size_t n) RS_MUST_USE;
int rs_buf_add_str(struct rs_buf *b, const char *s) RS_MUST_USE;
int rs_buf_addf(struct rs_buf *b, const char *fmt, ...) RS_FORMAT(2, 3) RS_MUST_USE;

/* Room for `n` octets at the tail, to be written by the caller, then rs_buf_added(n).
 * *out is borrowed until the next call on `b`. -RS_ELIMIT, -RS_ENOMEM. */
int rs_buf_reserve(struct rs_buf *b, size_t n, uint8_t **out) RS_MUST_USE;
void rs_buf_added(struct rs_buf *b, size_t n);

/* Drop `n` octets at the head; n <= rs_buf_n(b). */
void rs_buf_consume(struct rs_buf *b, size_t n);
void rs_buf_clear(struct rs_buf *b);
void rs_buf_wipe(struct rs_buf *b);   /* clear, and overwrite all memory held */
void rs_buf_shrink(struct rs_buf *b); /* give the memory back if empty        */

#endif
