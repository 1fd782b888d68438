/* dot_enc.c - the sending half of dot.h: line ends, dot-stuffing, TOP, counting.
 *
 * States of a line:  START --octet--> MIDDLE --CR--> AFTER_CR --LF--> START
 *                    START --CR--> AFTER_CR ; MIDDLE --LF--> START (CR is added)
 *
 * A message that is sent whole needs less than that: a CR is a CR wherever it stands, so only line ends
 * are looked for, a block at a time, and what is in front of one is copied while it is looked at. */
#include "proto/dot.h"

#include <assert.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define BLOCK 64u /* octets looked at together */

enum { START, MIDDLE, AFTER_CR };

void rs_dot_enc_init(struct rs_dot_enc *e, int64_t top)
{
	*e = (struct rs_dot_enc){.state = START, .lines = top, .line_empty = true};
}

/* A line has ended (its CRLF is out). */
static void line_done(struct rs_dot_enc *e)
{
	if (!e->body)
		e->body = e->line_empty;
	else if (e->lines > 0)
		e->lines--;
	if (e->body && e->lines == 0)
		e->done = true;
	e->state = START;
	e->line_empty = true;
}

/* One octet at a line's start or behind a CR; returns octets written, at most 3. */
static size_t one(struct rs_dot_enc *e, uint8_t c, uint8_t *out)
{
	size_t o = 0;

	if (c == '\n') {
		if (e->state != AFTER_CR)
			out[o++] = '\r';
		out[o++] = '\n';
		e->octets += o;
		line_done(e);
		return o;
	}
	if (e->state == AFTER_CR)
		e->line_empty = false; /* that CR was data */
	if (e->state == START && c == '.')
		out[o++] = '.';
	out[o++] = c;
	e->octets++;
	if (c == '\r') {
		e->state = AFTER_CR;
	} else {
		e->state = MIDDLE;
		e->line_empty = false;
	}
	return o;
}

/* Place of the first octet `c` in p[from..to), or `to`. */
static size_t find(const uint8_t *p, size_t from, size_t to, uint8_t c)
{
	const uint8_t *at = memchr(p + from, c, to - from);

	return at ? (size_t)(at - p) : to;
}

/* A whole message on its way: in[0..i) is out as out[0..o). */
struct run {
	size_t i;
	size_t o;
	size_t dots; /* of o, those that were stuffed */
	bool start;  /* in[i] begins a line    */
	bool cr;     /* in[i - 1] is CR        */
};

static void dot_if_due(struct run *r, const uint8_t *in, uint8_t *out)
{
	if (r->start && in[r->i] == '.') {
		out[r->o++] = '.';
		r->dots++;
	}
}

/* in[i] is LF. */
static void line_end(struct run *r, uint8_t *out)
{
	if (!r->cr)
		out[r->o++] = '\r';
	out[r->o++] = '\n';
	r->cr = false;
	r->start = true;
	r->i++;
}

#if defined(__SSE2__)

/* Where LFs are in a block, a bit an octet. */
static uint64_t lfs_of(const uint8_t *block)
{
	const __m128i lf = _mm_set1_epi8('\n');
	uint64_t found = 0;

	for (unsigned k = 0; k < BLOCK; k += 16) {
		__m128i v = _mm_loadu_si128((const void *)(block + k));

		found |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, lf)) << k;
	}
	return found;
}

/* n <= 2 * BLOCK octets, and some that do not matter behind them. */
static void copy_some(uint8_t *to, const uint8_t *from, size_t n)
{
	memcpy(to, from, BLOCK);
	if (n > BLOCK)
		memcpy(to + BLOCK, from + BLOCK, BLOCK);
}

/* Block by block, as long as there is room for the worst of them (LFs and dots only) and for what
 * copy_some reads and writes too much. Places do not depend on what was found in the block before, so
 * the processor looks at several at once; `b` is up to a block ahead of `i`. */
static void blocks(struct run *r, const uint8_t *in, size_t n, uint8_t *out, size_t out_n)
{
	for (size_t b = r->i; n - b >= 3 * BLOCK && out_n - r->o >= 6 * BLOCK; b += BLOCK) {
		uint64_t lfs = lfs_of(in + b);

		for (; lfs; lfs &= lfs - 1) {
			size_t lf = b + (size_t)__builtin_ctzll(lfs);
			size_t k = lf - r->i;

			if (k) {
				dot_if_due(r, in, out);
				copy_some(out + r->o, in + r->i, k);
				r->o += k;
				r->i = lf;
				r->cr = in[lf - 1] == '\r';
			}
			line_end(r, out);
		}
		if (r->i <= b) { /* a block without an end: it may go */
			dot_if_due(r, in, out);
			memcpy(out + r->o, in + r->i, BLOCK);
			r->o += BLOCK;
			r->i += BLOCK;
			r->cr = in[r->i - 1] == '\r';
			r->start = false;
		}
	}
}

#else

static void blocks(struct run *r, const uint8_t *in, size_t n, uint8_t *out, size_t out_n)
{
}

#endif

/* The same as the loop in rs_dot_enc where no lines are counted. */
static size_t whole(
	struct rs_dot_enc *e, const uint8_t *in, size_t n, size_t *used, uint8_t *out, size_t out_n)
{
	struct run r = {.start = e->state == START, .cr = e->state == AFTER_CR};

	blocks(&r, in, n, out, out_n);
	while (r.i < n && out_n - r.o >= 5) { /* a dot, an octet, CR LF, and one more */
		size_t end;

		dot_if_due(&r, in, out);
		end = find(in, r.i, r.i + RS_MIN(n - r.i, out_n - r.o - 3), '\n');
		memcpy(out + r.o, in + r.i, end - r.i);
		r.o += end - r.i;
		if (end > r.i) {
			r.cr = in[end - 1] == '\r';
			r.start = false;
		}
		r.i = end;
		if (end < n && in[end] == '\n' && out_n - r.o >= 3)
			line_end(&r, out);
	}
	*used = r.i;
	e->octets += r.o - r.dots;
	return r.o;
}

/* What the next octet stands behind. */
static uint8_t state_behind(uint8_t c)
{
	if (c == '\n')
		return START;
	return c == '\r' ? AFTER_CR : MIDDLE;
}

size_t rs_dot_enc(
	struct rs_dot_enc *e, const uint8_t *in, size_t n, size_t *used, uint8_t *out, size_t out_n)
{
	size_t lf =
		0; /* no LF in front of it; looked for once a line, or lone CRs were quadratic */
	size_t i = 0;
	size_t o = 0;

	assert(out_n >= 8);
	if (e->lines < 0 && n) {
		o = whole(e, in, n, used, out, out_n);
		if (*used)
			e->state = state_behind(in[*used - 1]);
		return o;
	}
	while (i < n && !e->done && out_n - o >= 3) {
		size_t end;

		if (e->state != MIDDLE || in[i] == '\n' || in[i] == '\r') {
			o += one(e, in[i++], out + o);
			continue;
		}
		end = i + RS_MIN(n - i, out_n - o);
		if (lf <= i)
			lf = find(in, i, end, '\n');
		end = find(in, i, RS_MIN(lf, end), '\r');
		memcpy(out + o, in + i, end - i);
		o += end - i;
		e->octets += end - i;
		i = end;
	}
	*used = e->done ? n : i;
	return o;
}

uint64_t rs_dot_enc_octets(const struct rs_dot_enc *e)
{
	return e->octets + (e->state == START ? 0 : 2);
}

size_t rs_dot_enc_end(struct rs_dot_enc *e, uint8_t out[5])
{
	size_t o = 0;

	if (e->state != START) {
		out[o++] = '\r';
		out[o++] = '\n';
		e->octets += 2;
		e->state = START;
	}
	out[o++] = '.';
	out[o++] = '\r';
	out[o++] = '\n';
	return o;
}

void rs_wire_count_init(struct rs_wire_count *w)
{
	*w = (struct rs_wire_count){.octets = 0};
}

void rs_wire_count_add(struct rs_wire_count *w, const uint8_t *p, size_t n)
{
	const uint8_t *end = p + n;
	const uint8_t *lf;

	w->octets += n;
	for (const uint8_t *at = p; at < end && (lf = memchr(at, '\n', (size_t)(end - at)));
		at = lf + 1) {
		bool cr = lf > p ? lf[-1] == '\r' : w->cr;

		w->octets += !cr;
	}
	if (n) {
		w->cr = end[-1] == '\r';
		w->unfinished = end[-1] != '\n';
	}
}

uint64_t rs_wire_count_end(const struct rs_wire_count *w)
{
	return w->octets + (w->unfinished ? 2 : 0);
}
