/* num.c - see num.h */
#include "base/num.h"

#include "base/err.h"

int rs_num_u64(struct rs_slice s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (s.n == 0)
		return -RS_EINVAL;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -RS_EINVAL;
	}
	for (size_t i = 0; i < s.n; i++) {
		uint64_t digit = (uint64_t)(s.p[i] - '0');

		if (v > (UINT64_MAX - digit) / 10)
			return -RS_ELIMIT;
		v = v * 10 + digit;
	}
	if (v > max)
		return -RS_ELIMIT;
	*out = v;
	return 0;
}

int rs_num_u32(struct rs_slice s, uint32_t max, uint32_t *out)
{
	uint64_t v;
	int rc = rs_num_u64(s, max, &v);

	if (rc < 0)
		return rc;
	*out = (uint32_t)v;
	return 0;
}

static unsigned unit_shift(uint8_t c)
{
	switch (c | 0x20) {
	case 'k':
		return 10;
	case 'm':
		return 20;
	case 'g':
		return 30;
	default:
		return 0;
	}
}

int rs_num_size(struct rs_slice s, uint64_t max, uint64_t *out)
{
	unsigned shift = s.n ? unit_shift(s.p[s.n - 1]) : 0;
	uint64_t v;
	int rc;

	if (shift)
		s.n--;
	rc = rs_num_u64(s, UINT64_MAX, &v);
	if (rc < 0)
		return rc;
	if (v > (max >> shift))
		return -RS_ELIMIT;
	*out = v << shift;
	return 0;
}

size_t rs_num_put(uint64_t v, uint8_t out[20])
{
	uint8_t rev[20];
	size_t n = 0;

	do {
		rev[n++] = (uint8_t)('0' + v % 10);
		v /= 10;
	} while (v);
	for (size_t i = 0; i < n; i++)
		out[i] = rev[n - 1 - i];
	return n;
}
