/* dot_enc.c - the sending half of dot.h: line ends, dot-stuffing, TOP, counting.
 *
 * States of a line:  START --octet--> MIDDLE --CR--> AFTER_CR --LF--> START
 *                    START --CR--> AFTER_CR ; MIDDLE --LF--> START (CR is added)
 * Whole runs between line ends are copied at once; only line starts are looked at singly. */
#include "proto/dot.h"

#include <assert.h>
#include <string.h>

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

size_t rs_dot_enc(
	struct rs_dot_enc *e, const uint8_t *in, size_t n, size_t *used, uint8_t *out, size_t out_n)
{
	size_t lf =
		0; /* no LF in front of it; looked for once a line, or lone CRs were quadratic */
	size_t i = 0;
	size_t o = 0;

	assert(out_n >= 8);
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
