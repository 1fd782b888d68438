/* jwt.c - tokens and their claims, see jwt.h. RFC 7515 (compact form), 7518 section 3, 7519 section 4. */
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>

#include "base/b64.h"
#include "base/secret.h"
#include "server/jwt_int.h"

#define TOKEN_MAX     16384u
#define HEADER_MAX    4096u
#define SIGNATURE_MAX 1024u /* RSA of 8192 bits */

/* --- base64url ------------------------------------------------------------------------------ */

size_t jwt_b64url(struct rs_slice text, uint8_t *out, size_t max)
{
	size_t padded = (text.n + 3) / 4 * 4;
	g_autofree uint8_t *b64 = g_malloc(padded + 1);
	size_t n;

	if (text.n == 0 || text.n % 4 == 1 || text.n > 2 * RS_JWKS_OCTETS_MAX)
		return 0;
	for (size_t i = 0; i < padded; i++) {
		uint8_t c = i < text.n ? text.p[i] : '=';

		if (i < text.n && (c == '+' || c == '/' || c == '='))
			return 0;
		b64[i] = c == '-' ? '+' : c == '_' ? '/' : c;
	}
	if (rs_b64_dec(rs_slice(b64, padded), b64, &n) < 0 || n > max)
		return 0;
	memcpy(out, b64, n);
	return n;
}

size_t jwt_b64url_text(const char *text, uint8_t *out, size_t max)
{
	return text ? jwt_b64url(rs_slice_str(text), out, max) : 0;
}

/* --- the three parts ------------------------------------------------------------------------ */

struct parts {
	struct rs_slice header;
	struct rs_slice payload;
	struct rs_slice signature;
	struct rs_slice signed_text; /* header "." payload */
};

static bool split(struct rs_slice token, struct parts *p)
{
	size_t first = rs_slice_find(token, '.');
	struct rs_slice rest = rs_slice_sub(token, first + 1, token.n);
	size_t second = rs_slice_find(rest, '.');

	if (first == token.n || second == rest.n || token.n > TOKEN_MAX)
		return false;
	p->header = rs_slice_sub(token, 0, first);
	p->payload = rs_slice_sub(rest, 0, second);
	p->signature = rs_slice_sub(rest, second + 1, rest.n);
	p->signed_text = rs_slice_sub(token, 0, first + 1 + second);
	return p->header.n && p->payload.n && rs_slice_find(p->signature, '.') == p->signature.n;
}

bool rs_jwt_is(struct rs_slice token)
{
	struct parts p;

	return split(token, &p);
}

static JsonObject *object_of(struct rs_slice part, size_t max)
{
	g_autofree uint8_t *octets = g_malloc(max);
	size_t n = jwt_b64url(part, octets, max);

	return n ? rs_json_object(rs_slice(octets, n)) : NULL;
}

/* --- signatures ----------------------------------------------------------------------------- */

static const struct alg {
	const char *name;
	enum jwt_kind kind;
	const char *digest; /* NULL: EdDSA has its own */
	bool pss;
	size_t coordinate; /* octets of r and of s */
} algs[] = {
	{"RS256", JWT_RSA, "SHA256", false, 0},
	{"RS384", JWT_RSA, "SHA384", false, 0},
	{"RS512", JWT_RSA, "SHA512", false, 0},
	{"PS256", JWT_RSA, "SHA256", true, 0},
	{"PS384", JWT_RSA, "SHA384", true, 0},
	{"PS512", JWT_RSA, "SHA512", true, 0},
	{"ES256", JWT_P256, "SHA256", false, 32},
	{"ES384", JWT_P384, "SHA384", false, 48},
	{"ES512", JWT_P521, "SHA512", false, 66},
	{"EdDSA", JWT_ED25519, NULL, false, 0},
};

static const struct alg *alg_of(const char *name)
{
	for (size_t i = 0; name && i < G_N_ELEMENTS(algs); i++) {
		if (strcmp(algs[i].name, name) == 0)
			return &algs[i];
	}
	return NULL;
}

/* r and s side by side (RFC 7518 section 3.4) as OpenSSL wants them. 0: they are none. */
static size_t ec_der(const uint8_t *raw, size_t n, uint8_t out[SIGNATURE_MAX])
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	uint8_t *to = out;
	int der_n = 0;

	if (sig && ECDSA_SIG_set0(sig, BN_bin2bn(raw, (int)(n / 2), NULL),
			   BN_bin2bn(raw + n / 2, (int)(n / 2), NULL)) == 1)
		der_n = i2d_ECDSA_SIG(sig, NULL) <= (int)SIGNATURE_MAX ? i2d_ECDSA_SIG(sig, &to)
								       : 0;
	ECDSA_SIG_free(sig);
	return der_n > 0 ? (size_t)der_n : 0;
}

static bool good(const struct alg *alg, EVP_PKEY *key, const struct parts *p)
{
	uint8_t raw[SIGNATURE_MAX];
	uint8_t der[SIGNATURE_MAX];
	size_t n = jwt_b64url(p->signature, raw, sizeof(raw));
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pkey = NULL;
	const uint8_t *sig = raw;
	bool ok = n > 0;

	if (alg->coordinate) {
		ok = n == 2 * alg->coordinate && (n = ec_der(raw, n, der)) > 0;
		sig = der;
	}
	ok = ok && ctx &&
	     EVP_DigestVerifyInit_ex(ctx, &pkey, alg->digest, NULL, NULL, key, NULL) == 1;
	if (ok && alg->pss) /* salt as long as the hash: RFC 7518 section 3.5 */
		ok = EVP_PKEY_CTX_set_rsa_padding(pkey, RSA_PKCS1_PSS_PADDING) == 1 &&
		     EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey, RSA_PSS_SALTLEN_DIGEST) == 1;
	ok = ok && EVP_DigestVerify(ctx, sig, n, p->signed_text.p, p->signed_text.n) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

/* By the keys of this name, or, where the token names none, by all of its kind. */
static int verify(const struct rs_jwks *k, const struct alg *alg, const char *kid,
	const struct parts *p, struct rs_err *err)
{
	unsigned tried = 0;

	for (unsigned i = 0; i < k->n; i++) {
		const struct jwt_key *key = &k->keys[i];

		if (key->kind != alg->kind || (key->alg && strcmp(key->alg, alg->name) != 0) ||
			(kid && g_strcmp0(key->kid, kid) != 0))
			continue;
		tried++;
		if (good(alg, key->key, p))
			return 0;
	}
	if (tried == 0)
		return rs_err_set(err, RS_ENOENT, "no key of the set made it");
	return rs_err_set(err, RS_EAUTH, "the signature is wrong");
}

int rs_jwt_verify(
	const struct rs_jwks *k, struct rs_slice token, JsonObject **claims, struct rs_err *err)
{
	g_autoptr(JsonObject) header = NULL;
	const struct alg *alg;
	struct parts p;
	int rc;

	if (!split(token, &p) || !(header = object_of(p.header, HEADER_MAX)))
		return rs_err_set(err, RS_EAUTH, "it is not a token of three parts");
	alg = alg_of(jwt_text(header, "alg"));
	if (!alg)
		return rs_err_set(err, RS_EAUTH, "its algorithm is not one of a public key");
	if (json_object_has_member(header, "crit") || json_object_has_member(header, "b64"))
		return rs_err_set(err, RS_EAUTH, "it has an extension that is not known");
	rc = verify(k, alg, jwt_text(header, "kid"), &p, err);
	if (rc < 0)
		return rc;
	*claims = object_of(p.payload, TOKEN_MAX);
	return *claims ? 0 : rs_err_set(err, RS_EAUTH, "it holds no claims");
}
