/* slice.c - see slice.h */
#include "base/slice.h"

#include "base/err.h"

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

struct rs_slice rs_slice_sub(struct rs_slice s, size_t from, size_t n)
{
	if (from > s.n)
		from = s.n;
	if (n > s.n - from)
		n = s.n - from;
	return rs_slice(s.p ? s.p + from : NULL, n);
}

bool rs_slice_eq(struct rs_slice a, struct rs_slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool rs_slice_eq_str(struct rs_slice a, const char *b)
{
	return rs_slice_eq(a, rs_slice_str(b));
}

bool rs_slice_istarts(struct rs_slice a, const char *prefix)
{
	for (size_t i = 0; prefix[i]; i++) {
		if (i >= a.n || lower(a.p[i]) != lower((uint8_t)prefix[i]))
			return false;
	}
	return true;
}

bool rs_slice_ieq_str(struct rs_slice a, const char *b)
{
	return a.n == strlen(b) && rs_slice_istarts(a, b);
}

uint32_t rs_slice_hash(struct rs_slice s)
{
	uint32_t h = 5381;

	for (size_t i = 0; i < s.n; i++)
		h = h * 33 + s.p[i];
	return h;
}

/* Eight octets at a time: a sum's high bit tells whether an octet reaches a bound. */
bool rs_slice_graphic(struct rs_slice s)
{
	const uint64_t ones = 0x0101010101010101u;
	const uint64_t high = ones * 0x80;
	size_t i = 0;
	uint64_t v;

	for (; s.n - i >= sizeof(v); i += sizeof(v)) {
		memcpy(&v, s.p + i, sizeof(v));
		if ((v & high) || ((v + ones * (0x80 - 0x21)) & high) != high ||
			((v + ones) & high))
			return false;
	}
	for (; i < s.n; i++) {
		if (s.p[i] < 0x21 || s.p[i] > 0x7e)
			return false;
	}
	return true;
}

size_t rs_slice_find(struct rs_slice s, uint8_t c)
{
	const uint8_t *at = s.n ? memchr(s.p, c, s.n) : NULL;

	return at ? (size_t)(at - s.p) : s.n;
}

static bool blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

struct rs_slice rs_slice_trim(struct rs_slice s)
{
	while (s.n && blank(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n && blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

struct rs_slice rs_slice_word(struct rs_slice *rest)
{
	struct rs_slice word;
	size_t end = rs_slice_find(*rest, ' ');

	word = rs_slice_sub(*rest, 0, end);
	while (end < rest->n && rest->p[end] == ' ')
		end++;
	*rest = rs_slice_sub(*rest, end, rest->n);
	return word;
}

int rs_slice_copy(struct rs_slice s, char *out, size_t out_n)
{
	if (s.n >= out_n)
		return -RS_ELIMIT;
	if (rs_slice_find(s, 0) != s.n)
		return -RS_EINVAL;
	if (s.n)
		memcpy(out, s.p, s.n);
	out[s.n] = '\0';
	return 0;
}
