/* downgrade_idn.c - a domain of U-labels as A-labels (RFC 5890, RFC 3492), where that needs no tables: its letters
 * are of scripts without case, or lower case of the common ones that have it, and none of them has another
 * normal form. Any other domain is not turned, because a wrong A-label leads nowhere. */
#include "proto/downgrade_priv.h"

#include <string.h>

#include "base/utf8.h"

#define LABEL_MAX  63u
#define DOMAIN_MAX 253u
#define ACE        "xn--"

/* --- which letters ------------------------------------------------------------------------- */

struct range {
	uint32_t from;
	uint32_t to;
};

/* Lower case, or without case. */
static const struct range letters[] = {
	{'-', '-'}, {'0', '9'}, {'a', 'z'}, {0xdf, 0xf6}, /* Latin */
	{0xf8, 0xff}, {0x3ac, 0x3ce},                     /* Greek */
	{0x430, 0x45f},                                   /* Cyrillic */
	{0x5d0, 0x5ea},                                   /* Hebrew */
	{0x620, 0x63f},                                   /* Arabic */
	{0x641, 0x64a}, {0xe01, 0xe30},                   /* Thai */
	{0x3041, 0x3094},                                 /* kana */
	{0x30a1, 0x30f6}, {0x4e00, 0x9fff},               /* Han */
	{0xac00, 0xd7a3},                                 /* Hangul */
};

/* Latin Extended-A is pairs of both cases, the upper one first: where that one is even, and where it is odd. What
 * stands between is no letter of a domain. */
static const struct range lower_is_odd[] = {{0x100, 0x130}, {0x134, 0x137}, {0x14a, 0x177}};
static const struct range lower_is_even[] = {{0x139, 0x13e}, {0x141, 0x148}, {0x179, 0x17e}};

static bool within(const struct range *r, size_t n, uint32_t c)
{
	while (n && (c < r->from || c > r->to)) {
		r++;
		n--;
	}
	return n > 0;
}

#define WITHIN(ranges, c) within(ranges, sizeof(ranges) / sizeof(*(ranges)), c)

static bool letter_ok(uint32_t c)
{
	return WITHIN(letters, c) || (WITHIN(lower_is_odd, c) && (c & 1)) ||
	       (WITHIN(lower_is_even, c) && !(c & 1));
}

/* The next character of valid UTF-8; moves behind it. */
static uint32_t next_char(struct rs_slice *s)
{
	uint8_t c = s->p[0];
	size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	uint32_t v = n == 1 ? c : c & (0x7fu >> n);

	for (size_t i = 1; i < n; i++)
		v = v << 6 | (s->p[i] & 0x3fu);
	*s = rs_slice_sub(*s, n, s->n);
	return v;
}

/* --- Punycode, RFC 3492 section 6 ------------------------------------------------------------- */

#define BASE 36u

static uint32_t adapt(uint32_t delta, uint32_t n, bool first)
{
	uint32_t k = 0;

	delta = first ? delta / 700 : delta / 2;
	delta += delta / n;
	for (; delta > (BASE - 1) * 26 / 2; k += BASE)
		delta /= BASE - 1;
	return k + BASE * delta / (delta + 38);
}

static bool put_number(uint32_t q, uint32_t bias, uint8_t *out, size_t *n)
{
	for (uint32_t k = BASE;; k += BASE) {
		uint32_t t = k <= bias ? 1 : RS_MIN(k - bias, 26u);
		uint32_t digit = q < t ? q : t + (q - t) % (BASE - t);

		if (*n == LABEL_MAX)
			return false;
		out[(*n)++] = (uint8_t)(digit < 26 ? 'a' + digit : '0' + digit - 26);
		if (q < t)
			return true;
		q = (q - t) / (BASE - t);
	}
}

/* The characters of a label, all letter_ok; 0: too many, or another one. */
static size_t characters(struct rs_slice label, uint32_t chars[LABEL_MAX])
{
	size_t n = 0;

	while (label.n) {
		if (n == LABEL_MAX)
			return 0;
		chars[n] = next_char(&label);
		if (!letter_ok(chars[n++]))
			return 0;
	}
	return n;
}

/* The least character from `from` on. */
static uint32_t least(const uint32_t *chars, size_t n, uint32_t from)
{
	uint32_t m = UINT32_MAX;

	for (size_t i = 0; i < n; i++) {
		if (chars[i] >= from && chars[i] < m)
			m = chars[i];
	}
	return m;
}

/* 63 characters below 2^16 cannot make delta pass 2^32. */
static bool encode(const uint32_t *chars, size_t n, uint8_t *out, size_t *out_n)
{
	uint32_t delta = 0;
	uint32_t bias = 72;
	uint32_t at = 0x80;
	size_t basic = 0;
	size_t done;

	for (size_t i = 0; i < n; i++) {
		if (chars[i] < 0x80 && *out_n < LABEL_MAX)
			out[(*out_n)++] = (uint8_t)chars[i];
		basic += chars[i] < 0x80;
	}
	if (basic && *out_n < LABEL_MAX)
		out[(*out_n)++] = '-';
	for (done = basic; done < n; delta++, at++) {
		uint32_t m = least(chars, n, at);

		delta += (m - at) * (uint32_t)(done + 1);
		at = m;
		for (size_t i = 0; i < n; i++) {
			delta += chars[i] < at;
			if (chars[i] != at)
				continue;
			if (!put_number(delta, bias, out, out_n))
				return false;
			bias = adapt(delta, (uint32_t)done + 1, done == basic);
			delta = 0;
			done++;
		}
	}
	return true;
}

/* --- domains ------------------------------------------------------------------------------- */

static bool put_label(struct rs_slice label, uint8_t out[LABEL_MAX], size_t *n)
{
	uint32_t chars[LABEL_MAX];
	size_t chars_n;

	*n = 0;
	if (label.n == 0 || label.p[0] == '-')
		return false;
	if (rs_ascii_only(label)) {
		if (label.n > LABEL_MAX)
			return false;
		memcpy(out, label.p, label.n);
		*n = label.n;
		return true;
	}
	chars_n = characters(label, chars);
	memcpy(out, ACE, 4);
	*n = 4;
	return chars_n && chars[chars_n - 1] != '-' && encode(chars, chars_n, out, n);
}

size_t downgrade_domain(struct rs_slice domain, uint8_t out[DOWNGRADE_DOMAIN_MAX])
{
	size_t n = 0;

	for (;;) {
		size_t end = rs_slice_find(domain, '.');
		uint8_t label[LABEL_MAX];
		size_t label_n;

		if (!put_label(rs_slice_sub(domain, 0, end), label, &label_n) ||
			n + label_n + 1 > DOMAIN_MAX)
			return 0;
		memcpy(out + n, label, label_n);
		n += label_n;
		if (end == domain.n)
			return n;
		out[n++] = '.';
		domain = rs_slice_sub(domain, end + 1, domain.n);
	}
}
