/* b64 - base64 as SASL profiles want it. RFC 4648 section 4; strict per RFC 5034 section 4:
 * padding is required, no line ends, no foreign octets, unused bits zero. */
#ifndef RS_BASE_B64_H
#define RS_BASE_B64_H

#include "base/base.h"
#include "base/slice.h"

static inline size_t rs_b64_enc_n(size_t n)
{
	return (n + 2) / 3 * 4;
}

static inline size_t rs_b64_dec_max(size_t n)
{
	return n / 4 * 3;
}

/* Writes rs_b64_enc_n(in.n) octets to `out` (not terminated) and returns that number. */
size_t rs_b64_enc(struct rs_slice in, uint8_t *out);

/* Writes at most rs_b64_dec_max(in.n) octets; *out_n says how many. -RS_EINVAL: not base64.
 * `out` may be in.p itself. */
int rs_b64_dec(struct rs_slice in, uint8_t *out, size_t *out_n) RS_MUST_USE;

#endif
