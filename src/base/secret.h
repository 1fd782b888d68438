/* secret - octets that must not outlive their use. */
#ifndef RS_BASE_SECRET_H
#define RS_BASE_SECRET_H

#include "base/base.h"
#include "base/slice.h"

/* Overwrite; the compiler may not leave it out. */
void rs_wipe(void *p, size_t n);

/* Compare in time that depends on the lengths only. */
bool rs_secret_eq(struct rs_slice a, struct rs_slice b);

/* A copy on the heap, NUL-terminated behind its n octets, wiped when destroyed. */
struct rs_secret {
	size_t n;
	uint8_t octets[];
};

int rs_secret_create(struct rs_slice s, struct rs_secret **out) RS_MUST_USE;
void rs_secret_destroy(struct rs_secret **s); /* NULL is fine; sets NULL */

#endif
