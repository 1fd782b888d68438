/* mailfix.c - see mailfix.h
 *
 *   START --name octet--> NAME --":"--> VALUE --LF--> START ;  START --blank, behind a field--> VALUE
 *   START --CR, LF--> (insert) BODY ;  START, NAME --anything else--> (insert, blank) HELD --> BODY */
#include "proto/mailfix.h"

enum { START, NAME, VALUE, HELD, BODY };

void rs_mailfix_init(struct rs_mailfix *f)
{
	*f = (struct rs_mailfix){.state = START};
}

static bool is_name(uint8_t c)
{
	return c > 0x20 && c < 0x7f && c != ':';
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static enum rs_mailfix_step insert(struct rs_mailfix *f, bool blank)
{
	f->state = f->held_n ? HELD : BODY;
	f->blank = blank;
	return RS_MAILFIX_INSERT;
}

static enum rs_mailfix_step give(struct rs_slice *span, const void *p, size_t n)
{
	*span = rs_slice(p, n);
	return RS_MAILFIX_SPAN;
}

static enum rs_mailfix_step give_held(struct rs_mailfix *f, uint8_t to, struct rs_slice *span)
{
	size_t n = f->held_n;

	f->held_n = 0;
	f->state = to;
	return give(span, f->held, n);
}

/* The name is whole (its colon comes next). */
static void note(struct rs_mailfix *f)
{
	struct rs_slice name = rs_slice_trim(rs_slice(f->held, f->held_n));

	f->field = true;
	f->has_date |= rs_slice_ieq_str(name, "Date");
	f->has_id |= rs_slice_ieq_str(name, "Message-ID");
}

/* May `c` follow what is held? Blanks may stand in front of the colon (RFC 5322 section 4.5). */
static bool goes_on(const struct rs_mailfix *f, uint8_t c)
{
	if (f->held_n == RS_MAILFIX_NAME_MAX)
		return false;
	return is_blank(c) || (is_name(c) && !is_blank(f->held[f->held_n - 1]));
}

/* One octet at the beginning of a line, or in a name. MORE: taken, or the state has changed. */
static enum rs_mailfix_step one(
	struct rs_mailfix *f, uint8_t c, size_t *used, struct rs_slice *span)
{
	if (f->state == START) {
		if (c == '\r' || c == '\n')
			return insert(f, false);
		if (is_blank(c) && f->field) {
			f->state = VALUE;
			return RS_MAILFIX_MORE;
		}
		if (!is_name(c))
			return insert(f, true);
		f->state = NAME;
	} else if (c == ':') {
		note(f);
		return give_held(f, VALUE, span);
	} else if (!goes_on(f, c)) {
		return insert(f, true);
	}
	f->held[f->held_n++] = c;
	++*used;
	return RS_MAILFIX_MORE;
}

enum rs_mailfix_step rs_mailfix(
	struct rs_mailfix *f, const uint8_t *in, size_t n, size_t *used, struct rs_slice *span)
{
	enum rs_mailfix_step step;
	size_t end;

	*used = 0;
	while (*used < n && (f->state == START || f->state == NAME)) {
		step = one(f, in[*used], used, span);
		if (step != RS_MAILFIX_MORE)
			return step;
	}
	if (f->state == HELD)
		return give_held(f, BODY, span);
	if (*used == n)
		return RS_MAILFIX_MORE;
	end = f->state == BODY ? n : *used + rs_slice_find(rs_slice(in + *used, n - *used), '\n');
	if (end < n) {
		end++;
		f->state = START;
	}
	(void)give(span, in + *used, end - *used);
	*used = end;
	return RS_MAILFIX_SPAN;
}

enum rs_mailfix_step rs_mailfix_end(struct rs_mailfix *f, struct rs_slice *span)
{
	if (f->state == HELD)
		return give_held(f, BODY, span);
	if (f->state == BODY)
		return RS_MAILFIX_MORE;
	f->cut = f->state == VALUE;
	return insert(f, f->held_n > 0 || !f->field);
}
