/* downgrade_text.c - UTF-8 text as ASCII: encoded words (RFC 2047) and parameters (RFC 2231). */
#include "proto/downgrade_priv.h"

#include <string.h>

#include "base/b64.h"
#include "base/err.h"
#include "base/utf8.h"

#define LINE_MAX_N  76u /* of a line with encoded words */
#define WORD_HEAD   "=?UTF-8?B?"
#define WORD_TAIL   "?="
#define WORD_EXTRA  (sizeof(WORD_HEAD WORD_TAIL) - 1)
#define WORD_BYTES  45u /* 60 octets of base64: 72 with head and tail; RFC 2047 allows 75 */
#define WORD_LEAST  12u /* fewer octets on this line: a new line is begun */
#define PIECE_MAX_N 60u /* octets of a piece of a parameter, as they are written */

void downgrade_put(struct ascii_out *o, struct rs_slice s)
{
	if (s.n == 0 || o->rc < 0)
		return;
	o->rc = rs_buf_add(o->buf, s.p, s.n);
	for (size_t i = 0; i < s.n; i++)
		o->column = s.p[i] == '\n' ? 0 : o->column + 1;
}

void downgrade_put_str(struct ascii_out *o, const char *s)
{
	downgrade_put(o, rs_slice_str(s));
}

/* At most `max` octets of `s` that end where a character ends; at least one character. */
static size_t characters(struct rs_slice s, size_t max)
{
	size_t n = RS_MIN(s.n, max);

	while (n > 0 && n < s.n && (s.p[n] & 0xc0) == 0x80)
		n--;
	return n ? n : RS_MIN(s.n, 4);
}

static void put_word(struct ascii_out *o, struct rs_slice s)
{
	uint8_t b64[80];

	downgrade_put_str(o, WORD_HEAD);
	downgrade_put(o, rs_slice(b64, rs_b64_enc(s, b64)));
	downgrade_put_str(o, WORD_TAIL);
}

static struct rs_slice behind_line_ends(struct rs_slice s)
{
	while (s.n && (s.p[0] == '\n' || s.p[0] == '\r'))
		s = rs_slice_sub(s, 1, s.n);
	return s;
}

/* Next run of `s` without line ends, at most `max` octets; moves `s` behind it. */
static struct rs_slice run(struct rs_slice *s, size_t max)
{
	size_t n = 0;
	struct rs_slice r;

	while (n < s->n && s->p[n] != '\n' && s->p[n] != '\r')
		n++;
	r = rs_slice_sub(*s, 0, n);
	r = rs_slice_sub(r, 0, characters(r, max));
	*s = rs_slice_sub(*s, r.n, s->n);
	return r;
}

void downgrade_put_words(struct ascii_out *o, struct rs_slice s)
{
	bool first = true;

	for (s = behind_line_ends(s); s.n && o->rc == 0; s = behind_line_ends(s)) {
		size_t used = o->column + WORD_EXTRA + (first ? 0 : 1);
		size_t room = used < LINE_MAX_N ? (LINE_MAX_N - used) / 4 * 3 : 0;

		if (room < WORD_LEAST) {
			room = WORD_BYTES;
			downgrade_put_str(o, "\n ");
		} else if (!first) {
			downgrade_put_str(o, " ");
		}
		put_word(o, run(&s, RS_MIN(room, WORD_BYTES)));
		first = false;
	}
}

/* --- running text -------------------------------------------------------------------------- */

static bool blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Octets of the word at the beginning of `s`, which does not begin with a blank. */
static size_t word_n(struct rs_slice s, const char *marks)
{
	size_t n = 0;

	while (n < s.n && !blank(s.p[n]) && !ascii_mark(marks, s.p[n]))
		n++;
	return n ? n : 1; /* a mark is a word */
}

static size_t blanks_n(struct rs_slice s)
{
	size_t n = 0;

	while (n < s.n && blank(s.p[n]))
		n++;
	return n;
}

/* Octets from the beginning of `s` on that are words with UTF-8 in them and the blanks between. */
static size_t high_run(struct rs_slice s, const char *marks)
{
	size_t end = 0;
	size_t at = 0;

	for (;;) {
		size_t n = at < s.n ? word_n(rs_slice_sub(s, at, s.n), marks) : 0;

		if (n == 0 || rs_ascii_only(rs_slice_sub(s, at, n)))
			return end;
		end = at + n;
		at = end + blanks_n(rs_slice_sub(s, end, s.n));
		if (at == end)
			return end;
	}
}

/* Blanks between two encoded words are not shown: where one stands beside ours already, the blank is put into ours. */
static bool ends_encoded(const struct ascii_out *o)
{
	struct rs_slice s = rs_buf_slice(o->buf);

	while (s.n && blank(s.p[s.n - 1]))
		s.n--;
	return s.n >= 2 && memcmp(s.p + s.n - 2, WORD_TAIL, 2) == 0;
}

void downgrade_put_text(struct ascii_out *o, struct rs_slice s, const char *marks)
{
	while (s.n && o->rc == 0) {
		size_t n = blanks_n(s);

		downgrade_put(o, rs_slice_sub(s, 0, n));
		s = rs_slice_sub(s, n, s.n);
		n = s.n ? high_run(s, marks) : 0;
		if (n) {
			if (ends_encoded(o)) {
				put_word(o, rs_slice_str(" "));
				downgrade_put_str(o, " ");
			}
			downgrade_put_words(o, rs_slice_sub(s, 0, n));
			s = rs_slice_sub(s, n, s.n);
			/* a word ends at a blank: what stood right behind it may not touch it */
			if (s.n && !blank(s.p[0]) && s.p[0] != ')')
				downgrade_put_str(o, " ");
			continue;
		}
		n = s.n ? word_n(s, marks) : 0;
		downgrade_put(o, rs_slice_sub(s, 0, n));
		s = rs_slice_sub(s, n, s.n);
	}
}

/* --- parameters ---------------------------------------------------------------------------- */

static bool attribute_char(uint8_t c)
{
	return c > ' ' && c < 0x7f && !ascii_mark("*'%()<>@,;:\\\"/[]?=", c);
}

/* The next octets of a value as at most PIECE_MAX_N written ones. */
static size_t piece(struct rs_slice *value, char out[PIECE_MAX_N + 1])
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = 0;

	for (; value->n && n + 3 <= PIECE_MAX_N; *value = rs_slice_sub(*value, 1, value->n)) {
		uint8_t c = value->p[0];

		if (c == '\n' || c == '\r')
			continue;
		if (c == '\\' && value->n > 1) /* a quoted pair */
			continue;
		if (attribute_char(c)) {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '%';
		out[n++] = hex[c >> 4];
		out[n++] = hex[c & 15];
	}
	out[n] = '\0';
	return n;
}

void downgrade_put_param(struct ascii_out *o, struct rs_slice name, struct rs_slice value)
{
	char text[PIECE_MAX_N + 1];
	bool whole;

	(void)piece(&value, text);
	whole = value.n == 0;
	for (unsigned i = 0; o->rc == 0; i++) {
		if (o->column > 1)
			downgrade_put_str(o, "\n ");
		downgrade_put(o, name);
		if (o->rc == 0 && !whole) {
			o->rc = rs_buf_addf(o->buf, "*%u", i);
			o->column += 2;
		}
		downgrade_put_str(o, "*=");
		if (i == 0)
			downgrade_put_str(o, "UTF-8''");
		downgrade_put_str(o, text);
		if (value.n == 0)
			return;
		downgrade_put_str(o, ";");
		(void)piece(&value, text);
	}
}
