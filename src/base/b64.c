/* b64.c - see b64.h */
#include "base/b64.h"

#include "base/err.h"

static const char alphabet[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t rs_b64_enc(struct rs_slice in, uint8_t *out)
{
	size_t o = 0;

	for (size_t i = 0; i < in.n; i += 3) {
		size_t left = in.n - i;
		uint32_t v = (uint32_t)in.p[i] << 16;

		if (left > 1)
			v |= (uint32_t)in.p[i + 1] << 8;
		if (left > 2)
			v |= in.p[i + 2];
		out[o++] = (uint8_t)alphabet[v >> 18];
		out[o++] = (uint8_t)alphabet[v >> 12 & 63];
		out[o++] = left > 1 ? (uint8_t)alphabet[v >> 6 & 63] : '=';
		out[o++] = left > 2 ? (uint8_t)alphabet[v & 63] : '=';
	}
	return o;
}

/* Value of one digit, or -1. */
static int value(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

int rs_b64_dec(struct rs_slice in, uint8_t *out, size_t *out_n)
{
	size_t pad = 0;
	size_t o = 0;

	if (in.n % 4)
		return -RS_EINVAL;
	if (in.n && in.p[in.n - 1] == '=')
		pad = in.p[in.n - 2] == '=' ? 2 : 1;
	for (size_t i = 0; i < in.n; i += 4) {
		size_t digits = i + 4 == in.n ? 4 - pad : 4;
		uint32_t v = 0;

		for (size_t k = 0; k < 4; k++) {
			int d = k < digits ? value(in.p[i + k]) : 0;

			if (d < 0)
				return -RS_EINVAL;
			v = v << 6 | (uint32_t)d;
		}
		if ((digits == 3 && (v & 0xff)) || (digits == 2 && (v & 0xffff)))
			return -RS_EINVAL;
		for (size_t k = 0; k + 1 < digits; k++)
			out[o++] = (uint8_t)(v >> (16 - 8 * k));
	}
	*out_n = o;
	return 0;
}
