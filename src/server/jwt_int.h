/* jwt_int.h - what jwt.c and jwks.c share. Nobody else includes it. */
#ifndef RS_SERVER_JWT_INT_H
#define RS_SERVER_JWT_INT_H

#include <openssl/evp.h>

#include "server/jwt.h"

#define JWT_KEYS_MAX 64u

enum jwt_kind { JWT_RSA, JWT_P256, JWT_P384, JWT_P521, JWT_ED25519 };

struct jwt_key {
	enum jwt_kind kind;
	EVP_PKEY *key;
	char *kid; /* NULL: has none */
	char *alg; /* NULL: any of its kind */
};

struct rs_jwks {
	struct jwt_key keys[JWT_KEYS_MAX];
	unsigned n;
};

/* base64url without padding (RFC 7515 section 2); octets written, 0: not so, or more than `max`. */
size_t jwt_b64url(struct rs_slice text, uint8_t *out, size_t max);
size_t jwt_b64url_text(const char *text, uint8_t *out, size_t max); /* NULL gives 0 */
/* A member that is a string; borrowed, NULL: it is none. */
const char *jwt_text(JsonObject *o, const char *name);

#endif
