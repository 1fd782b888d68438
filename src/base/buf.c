/* buf.c - see buf.h */
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/secret.h"

#define BUF_FIRST 256

void rs_buf_init(struct rs_buf *b, size_t max)
{
	assert(max > 0);
	*b = (struct rs_buf){.max = max};
}

void rs_buf_finish(struct rs_buf *b)
{
	free(b->p);
	*b = (struct rs_buf){.max = b->max};
}

static int grow(struct rs_buf *b, size_t need)
{
	size_t cap = b->cap ? b->cap : BUF_FIRST;
	uint8_t *p;

	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	if (cap > b->max && need <= b->max)
		cap = b->max;
	p = realloc(b->p, cap);
	if (!p)
		return -RS_ENOMEM;
	b->p = p;
	b->cap = cap;
	return 0;
}

int rs_buf_reserve(struct rs_buf *b, size_t n, uint8_t **out)
{
	size_t held = rs_buf_n(b);

	if (n > b->max - held)
		return -RS_ELIMIT;
	if (b->head && (held == 0 || n > b->cap - b->tail)) {
		if (held)
			memmove(b->p, b->p + b->head, held);
		b->head = 0;
		b->tail = held;
	}
	if (n > b->cap - b->tail) {
		int rc = grow(b, held + n);

		if (rc < 0)
			return rc;
	}
	*out = b->p ? b->p + b->tail : NULL;
	return 0;
}

void rs_buf_added(struct rs_buf *b, size_t n)
{
	assert(n <= b->cap - b->tail);
	b->tail += n;
}

int rs_buf_add(struct rs_buf *b, const void *p, size_t n)
{
	uint8_t *to;
	int rc = rs_buf_reserve(b, n, &to);

	if (rc < 0)
		return rc;
	if (n) {
		memcpy(to, p, n);
		rs_buf_added(b, n);
	}
	return 0;
}

int rs_buf_add_str(struct rs_buf *b, const char *s)
{
	return rs_buf_add(b, s, strlen(s));
}

int rs_buf_addf(struct rs_buf *b, const char *fmt, ...)
{
	va_list ap;
	uint8_t *to;
	int n;
	int rc;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -RS_EINVAL;
	rc = rs_buf_reserve(b, (size_t)n + 1, &to); /* one more for the NUL, not kept */
	if (rc < 0)
		return rc;
	va_start(ap, fmt);
	(void)vsnprintf((char *)to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	rs_buf_added(b, (size_t)n);
	return 0;
}

void rs_buf_consume(struct rs_buf *b, size_t n)
{
	assert(n <= rs_buf_n(b));
	b->head += n;
	if (b->head == b->tail)
		rs_buf_clear(b);
}

void rs_buf_clear(struct rs_buf *b)
{
	b->head = 0;
	b->tail = 0;
}

void rs_buf_wipe(struct rs_buf *b)
{
	if (b->p)
		rs_wipe(b->p, b->cap);
	rs_buf_clear(b);
}

void rs_buf_shrink(struct rs_buf *b)
{
	if (rs_buf_n(b) == 0)
		rs_buf_finish(b);
}
