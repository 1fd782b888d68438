/* jwt - tokens that carry their proof: RFC 7519 (claims), 7515 (signature), 7517 and 7518 (keys).
 * No I/O, no clock. Only signatures with a public key are known: RS, PS and ES with SHA-256, -384 and
 * -512, EdDSA with Ed25519. "none" and those with a shared secret (HS…) are not, so nobody can use a
 * public key as a secret; a key is used with the algorithms of its own kind only. */
#ifndef RS_SERVER_JWT_H
#define RS_SERVER_JWT_H

#include <json-glib/json-glib.h>

#include "base/err.h"
#include "base/slice.h"

struct rs_jwks; /* a set of keys */

/* A document of at most RS_JWKS_OCTETS_MAX. Keys of kinds that are not known, or not for signatures, are
 * passed over. -RS_EINVAL: not such a document, or no key is left. */
#define RS_JWKS_OCTETS_MAX (256u * 1024)
int rs_jwks_parse(struct rs_slice json, struct rs_jwks **out, struct rs_err *err) RS_MUST_USE;
void rs_jwks_destroy(struct rs_jwks **k);
unsigned rs_jwks_n(const struct rs_jwks *k);

/* Does it look like one: three parts of base64url? */
bool rs_jwt_is(struct rs_slice token);

/* The claims of a token whose signature a key of the set made; json_object_unref them. They are not
 * looked at: rs_claims_check. -RS_EAUTH: not good, `err` says why (for the log; `text` never holds the
 * token); -RS_ENOENT: made by a key that is not in the set. */
int rs_jwt_verify(const struct rs_jwks *k, struct rs_slice token, JsonObject **claims,
	struct rs_err *err) RS_MUST_USE;

/* JSON from outside, parsed when it is an object and not nested deeply (the parser recurses). NULL: it
 * is not. */
JsonObject *rs_json_object(struct rs_slice text);

/* What the configuration wants of claims, by signature or introspection; NULL: anything. */
struct rs_claims_rules {
	const char *issuer;
	const char *audience;
	const char *scope;
	const char *user_claim;
	bool must_expire; /* exp must be there */
};

#define RS_CLAIMS_SKEW_S 60 /* clocks may differ so much */

/* Good at `now` (unix time)? *user: owned by the caller, as the claim has it; *expires: INT64_MAX where
 * there is no exp. -RS_EAUTH with why. */
int rs_claims_check(JsonObject *claims, const struct rs_claims_rules *rules, int64_t now,
	char **user, int64_t *expires, struct rs_err *err) RS_MUST_USE;

#endif
