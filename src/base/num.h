/* num - strict numbers. The only way a peer's or a file's digits become a number.
 * Accepts 1*DIGIT only: no sign, no blank, no base prefix, no overflow. Leading zeros are fine. */
#ifndef RS_BASE_NUM_H
#define RS_BASE_NUM_H

#include "base/base.h"
#include "base/slice.h"

/* -RS_EINVAL: empty or not digits only. -RS_ELIMIT: above `max`. */
int rs_num_u64(struct rs_slice s, uint64_t max, uint64_t *out) RS_MUST_USE;
int rs_num_u32(struct rs_slice s, uint32_t max, uint32_t *out) RS_MUST_USE;

/* A size with an optional k, M or G (times 1024; either case). Same errors. */
int rs_num_size(struct rs_slice s, uint64_t max, uint64_t *out) RS_MUST_USE;

/* Decimal digits of `v` into out (not terminated); returns how many, 1 to 20. */
size_t rs_num_put(uint64_t v, uint8_t out[20]);

#endif
