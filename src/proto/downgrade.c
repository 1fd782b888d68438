/* downgrade.c - see downgrade.h: fields out of a stream, and the size of what comes of them.
 *
 * States:  START --first octet--> LINE --LF--> BEGIN --blank--> LINE        (a folded field goes on)
 *          BEGIN --else--> the field is done, then as START;  START --LF or CR LF--> BODY
 *          LINE --field too long--> LONG --LF--> LONG_BEGIN --blank--> LONG    (ASCII only, passed on)
 * Facts:   `field` holds what was read of a field since START; in LONG and LONG_BEGIN it is a piece. */
#include "proto/downgrade.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/utf8.h"
#include "proto/downgrade_priv.h"

/* An octet becomes at most three; names, marks and line ends of pieces are more than paid by that. */
#define OUT_MAX (RS_DOWNGRADE_FIELD_MAX * 8u)

enum { START, LINE, BEGIN, LONG, LONG_BEGIN, BODY };

void rs_downgrade_init(struct rs_downgrade *d)
{
	*d = (struct rs_downgrade){.state = START};
	rs_buf_init(&d->field, RS_DOWNGRADE_FIELD_MAX);
	rs_buf_init(&d->out, OUT_MAX);
}

void rs_downgrade_finish(struct rs_downgrade *d)
{
	rs_buf_finish(&d->field);
	rs_buf_finish(&d->out);
}

/* The field, or a piece of a long one, is ready to be fetched. */
static int give(struct rs_downgrade *d)
{
	struct rs_slice field = rs_buf_slice(&d->field);
	int rc;

	if (d->high && rs_utf8_valid(field))
		rc = downgrade_field(field, &d->out);
	else
		rc = rs_buf_add(&d->out, field.p, field.n);
	rs_buf_clear(&d->field);
	d->high = false;
	return rc;
}

/* A line of the header, or a part of one, into the field. */
static int take(struct rs_downgrade *d, const uint8_t *p, size_t n)
{
	bool is_long = d->state == LONG || n > rs_buf_room(&d->field);

	d->high |= !rs_ascii_only(rs_slice(p, n));
	if (is_long) {
		if (d->high)
			return -RS_ELIMIT;
		d->state = LONG;
		if (rs_buf_n(&d->field) && give(d) < 0)
			return -RS_ENOMEM;
		return rs_buf_add(&d->out, p, n);
	}
	return rs_buf_add(&d->field, p, n);
}

/* Is what is held, with `c` behind it, the empty line? */
static bool empty_line(const struct rs_downgrade *d)
{
	struct rs_slice f = rs_buf_slice(&d->field);

	return rs_slice_eq_str(f, "\n") || rs_slice_eq_str(f, "\r\n");
}

/* At the first octet behind a line end. True: the field ended there, and is ready. */
static bool begin(struct rs_downgrade *d, uint8_t c, int *rc)
{
	bool was_long = d->state == LONG_BEGIN;

	if (c == ' ' || c == '\t') {
		d->state = was_long ? LONG : LINE;
		return false;
	}
	d->state = START;
	if (!was_long)
		*rc = give(d);
	return !was_long;
}

int rs_downgrade_header(struct rs_downgrade *d, const uint8_t *p, size_t n, size_t *used)
{
	size_t at = 0;
	int rc = 0;

	assert(d->state != BODY);
	while (at < n && rc == 0) {
		size_t room = RS_MIN(n - at, RS_DOWNGRADE_FIELD_MAX);
		const uint8_t *lf;
		size_t len;

		if ((d->state == BEGIN || d->state == LONG_BEGIN) && begin(d, p[at], &rc))
			break;
		if (d->state == START)
			d->state = LINE;
		lf = memchr(p + at, '\n', room);
		len = lf ? (size_t)(lf - (p + at)) + 1 : room;
		rc = take(d, p + at, len);
		at += len;
		if (rc == 0 && d->state == LONG) {
			d->state = lf ? LONG_BEGIN : LONG;
			break; /* let it be fetched */
		}
		if (!lf || rc < 0)
			continue;
		d->state = BEGIN;
		if (empty_line(d)) {
			rc = give(d);
			d->state = BODY;
			break;
		}
	}
	*used = at;
	return rc;
}

int rs_downgrade_end(struct rs_downgrade *d)
{
	if (d->state == BODY)
		return 0;
	d->state = BODY;
	return give(d);
}

bool rs_downgrade_in_body(const struct rs_downgrade *d)
{
	return d->state == BODY;
}

struct rs_slice rs_downgrade_out(const struct rs_downgrade *d)
{
	return rs_buf_slice(&d->out);
}

void rs_downgrade_fetched(struct rs_downgrade *d, size_t n)
{
	rs_buf_consume(&d->out, n);
}

/* --- sizes --------------------------------------------------------------------------------- */

void rs_ascii_size_init(struct rs_ascii_size *z)
{
	*z = (struct rs_ascii_size){.over = false};
	rs_downgrade_init(&z->d);
	rs_wire_count_init(&z->in);
	rs_wire_count_init(&z->out);
}

void rs_ascii_size_finish(struct rs_ascii_size *z)
{
	rs_downgrade_finish(&z->d);
}

static void count_out(struct rs_ascii_size *z)
{
	struct rs_slice out = rs_downgrade_out(&z->d);

	rs_wire_count_add(&z->out, out.p, out.n);
	rs_downgrade_fetched(&z->d, out.n);
}

void rs_ascii_size_add(struct rs_ascii_size *z, const uint8_t *p, size_t n)
{
	while (n && !z->over) {
		size_t used;

		z->rc = rs_downgrade_header(&z->d, p, n, &used);
		rs_wire_count_add(&z->in, p, used);
		count_out(z);
		z->over = z->rc < 0 || rs_downgrade_in_body(&z->d);
		p += used;
		n -= used;
	}
}

uint64_t rs_ascii_size_end(struct rs_ascii_size *z, uint64_t wire)
{
	if (z->rc == 0)
		z->rc = rs_downgrade_end(&z->d);
	if (z->rc < 0)
		return RS_DOWNGRADE_NONE;
	count_out(z);
	return wire - rs_wire_count_end(&z->in) + rs_wire_count_end(&z->out);
}

bool rs_header_is_ascii(const uint8_t *p, size_t n)
{
	const uint8_t *at = p;
	const uint8_t *end = p + n;

	while (at < end) {
		const uint8_t *lf = memchr(at, '\n', (size_t)(end - at));

		if (!lf)
			return false;
		if (lf == at || (lf == at + 1 && *at == '\r'))
			return rs_ascii_only(rs_slice(p, (size_t)(at - p)));
		at = lf + 1;
	}
	return false;
}
