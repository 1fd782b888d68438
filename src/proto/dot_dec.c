/* dot_dec.c - the receiving half of dot.h.
 *
 * States, by what was seen since the last data octet was handed on:
 *   START     line start (behind CRLF; lenient: behind LF too)
 *   MIDDLE    inside a line; nothing is held
 *   CR        a CR inside a line, already handed on: the next LF ends the line
 *   DOT       a dot at a line start, held
 *   DOT_CR    dot CR, both held
 * A held dot that is followed by something else than a line end was stuffed and is dropped; a
 * held CR that proves to be data is handed on from static memory. */
#include "proto/dot.h"

#include <string.h>

enum { START, MIDDLE, CR, DOT, DOT_CR };

static const uint8_t held_cr[1] = {'\r'};

void rs_dot_dec_init(struct rs_dot_dec *d, bool lenient)
{
	*d = (struct rs_dot_dec){.state = START, .lenient = lenient};
}

static enum rs_dot_step span(struct rs_dot_dec *d, struct rs_slice s, struct rs_slice *out)
{
	d->octets += s.n;
	*out = s;
	return RS_DOT_SPAN;
}

/* How far the data go from in[0], which is not at a line start; sets the state behind them.
 * Stops behind a line end whose next octet is a dot, so that the dot is looked at. */
static size_t data(struct rs_dot_dec *d, const uint8_t *in, size_t n)
{
	const uint8_t *end = in + n;
	const uint8_t *at = in;

	for (;;) {
		const uint8_t *lf = memchr(at, '\n', (size_t)(end - at));
		bool line;

		if (!lf)
			break;
		line = d->lenient || (lf > in ? lf[-1] == '\r' : d->state == CR);
		at = lf + 1;
		if (at == end) {
			d->state = line ? START : MIDDLE;
			return n;
		}
		if (line && *at == '.') {
			d->state = START;
			return (size_t)(at - in);
		}
	}
	d->state = end[-1] == '\r' ? CR : MIDDLE;
	return n;
}

enum rs_dot_step rs_dot_dec(
	struct rs_dot_dec *d, const uint8_t *in, size_t n, size_t *used, struct rs_slice *out)
{
	size_t i = 0;

	while (i < n) {
		size_t len;

		if (d->state == START && in[i] == '.') {
			d->state = DOT;
			i++;
			continue;
		}
		if (d->state == DOT && in[i] == '\r') {
			d->state = DOT_CR;
			i++;
			continue;
		}
		if (in[i] == '\n' && (d->state == DOT_CR || (d->state == DOT && d->lenient))) {
			d->state = START;
			*used = i + 1;
			return RS_DOT_END;
		}
		if (d->state == DOT_CR) { /* the dot was stuffed, the CR is data */
			d->state = CR;
			*used = i;
			return span(d, rs_slice(held_cr, 1), out);
		}
		len = data(d, in + i, n - i);
		*used = i + len;
		return span(d, rs_slice(in + i, len), out);
	}
	*used = n;
	return RS_DOT_MORE;
}
