/* scram - what a server keeps of a password for SCRAM: RFC 5802 section 3, RFC 7677.
 * With it nobody can log in, but somebody who has it can play the server. */
#ifndef RS_SASL_SCRAM_H
#define RS_SASL_SCRAM_H

#include "base/base.h"
#include "base/slice.h"

enum rs_scram_hash { RS_SCRAM_SHA1, RS_SCRAM_SHA256, RS_SCRAM_HASH_N };

#define RS_SCRAM_SALT_MAX   64u
#define RS_SCRAM_KEY_MAX    32u
#define RS_SCRAM_ITERATIONS 4096u    /* the least that a client accepts: RFC 7677 section 4 */
#define RS_SCRAM_ITER_MAX   1000000u /* nobody makes us hash for minutes */

struct rs_scram_keys {
	uint32_t iterations;
	uint8_t salt[RS_SCRAM_SALT_MAX];
	size_t salt_n;
	uint8_t stored_key[RS_SCRAM_KEY_MAX];
	uint8_t server_key[RS_SCRAM_KEY_MAX];
	size_t key_n; /* 20 or 32 */
};

const char *rs_scram_scheme(enum rs_scram_hash hash); /* "SCRAM-SHA-256" */
size_t rs_scram_key_n(enum rs_scram_hash hash);

/* From a password: prepared by SASLprep, or as it is where that refuses it. Takes as long as the
 * iterations do. -RS_EINVAL: a NUL in it, or a salt too long; -RS_EIO. Wipe *out. */
int rs_scram_keys_make(enum rs_scram_hash hash, struct rs_slice password, struct rs_slice salt,
	uint32_t iterations, struct rs_scram_keys *out) RS_MUST_USE;

#endif
