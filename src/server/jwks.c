/* jwks.c - sets of public keys (RFC 7517, 7518 section 6, 8037), see jwt.h. */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <string.h>

#include "server/jwt_int.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192

/* --- JSON ----------------------------------------------------------------------------------- */

#define DEPTH_MAX 16

/* Brackets outside of strings: how deep? */
static bool shallow(struct rs_slice text)
{
	bool in_string = false;
	int depth = 0;

	for (size_t i = 0; i < text.n; i++) {
		char c = (char)text.p[i];

		if (in_string && c == '\\')
			i++;
		else if (c == '"')
			in_string = !in_string;
		else if (!in_string && (c == '{' || c == '['))
			depth++;
		else if (!in_string && (c == '}' || c == ']'))
			depth--;
		if (depth > DEPTH_MAX || depth < 0)
			return false;
	}
	return depth == 0;
}

JsonObject *rs_json_object(struct rs_slice text)
{
	g_autoptr(JsonParser) parser = json_parser_new_immutable();
	JsonNode *root;

	if (text.n == 0 || !shallow(text) ||
		!g_utf8_validate_len((const char *)text.p, text.n, NULL) ||
		!json_parser_load_from_data(parser, (const char *)text.p, (gssize)text.n, NULL))
		return NULL;
	root = json_parser_get_root(parser);
	return root && JSON_NODE_HOLDS_OBJECT(root) ? json_object_ref(json_node_get_object(root))
						    : NULL;
}

const char *jwt_text(JsonObject *o, const char *name)
{
	JsonNode *n = json_object_get_member(o, name);

	return n && JSON_NODE_HOLDS_VALUE(n) && json_node_get_value_type(n) == G_TYPE_STRING
		       ? json_node_get_string(n)
		       : NULL;
}

/* --- keys ----------------------------------------------------------------------------------- */

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *bld)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (params && ctx && EVP_PKEY_fromdata_init(ctx) == 1)
		(void)EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params);
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static EVP_PKEY *rsa_key(JsonObject *jwk)
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	uint8_t n[RSA_BITS_MAX / 8 + 1];
	uint8_t e[8];
	size_t n_n = jwt_b64url_text(jwt_text(jwk, "n"), n, sizeof(n));
	size_t e_n = jwt_b64url_text(jwt_text(jwk, "e"), e, sizeof(e));
	BIGNUM *bn_n = BN_bin2bn(n, (int)n_n, NULL);
	BIGNUM *bn_e = BN_bin2bn(e, (int)e_n, NULL);
	EVP_PKEY *key = NULL;

	if (bld && n_n && e_n && BN_num_bits(bn_n) >= RSA_BITS_MIN &&
		BN_num_bits(bn_n) <= RSA_BITS_MAX && BN_is_odd(bn_e) &&
		OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn_n) == 1 &&
		OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, bn_e) == 1)
		key = from_params("RSA", bld);
	OSSL_PARAM_BLD_free(bld);
	BN_free(bn_n);
	BN_free(bn_e);
	return key;
}

static const struct curve {
	const char *jwk;
	const char *group;
	size_t n; /* octets of a coordinate */
	enum jwt_kind kind;
} curves[] = {
	{"P-256", "P-256", 32, JWT_P256},
	{"P-384", "P-384", 48, JWT_P384},
	{"P-521", "P-521", 66, JWT_P521},
};

static EVP_PKEY *ec_key(JsonObject *jwk, enum jwt_kind *kind)
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	const char *crv = jwt_text(jwk, "crv");
	const struct curve *c = NULL;
	uint8_t point[1 + 2 * 66] = {0x04 /* uncompressed */};
	EVP_PKEY *key = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(curves); i++) {
		if (g_strcmp0(crv, curves[i].jwk) == 0)
			c = &curves[i];
	}
	if (c && jwt_b64url_text(jwt_text(jwk, "x"), point + 1, c->n) == c->n &&
		jwt_b64url_text(jwt_text(jwk, "y"), point + 1 + c->n, c->n) == c->n &&
		OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, c->group, 0) ==
			1 &&
		OSSL_PARAM_BLD_push_octet_string(
			bld, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * c->n) == 1) {
		key = from_params("EC", bld); /* a point that is not on the curve is refused here */
		*kind = c->kind;
	}
	OSSL_PARAM_BLD_free(bld);
	return key;
}

static EVP_PKEY *okp_key(JsonObject *jwk)
{
	uint8_t x[32];

	if (g_strcmp0(jwt_text(jwk, "crv"), "Ed25519") != 0 ||
		jwt_b64url_text(jwt_text(jwk, "x"), x, sizeof(x)) != sizeof(x))
		return NULL;
	return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, sizeof(x));
}

static bool add_key(struct rs_jwks *k, JsonObject *jwk)
{
	const char *kty = jwt_text(jwk, "kty");
	const char *use = jwt_text(jwk, "use");
	struct jwt_key *key = &k->keys[k->n];

	if (use && strcmp(use, "sig") != 0)
		return false;
	if (g_strcmp0(kty, "RSA") == 0) {
		key->kind = JWT_RSA;
		key->key = rsa_key(jwk);
	} else if (g_strcmp0(kty, "EC") == 0) {
		key->key = ec_key(jwk, &key->kind);
	} else if (g_strcmp0(kty, "OKP") == 0) {
		key->kind = JWT_ED25519;
		key->key = okp_key(jwk);
	}
	ERR_clear_error();
	if (!key->key)
		return false;
	key->kid = g_strdup(jwt_text(jwk, "kid"));
	key->alg = g_strdup(jwt_text(jwk, "alg"));
	k->n++;
	return true;
}

int rs_jwks_parse(struct rs_slice json, struct rs_jwks **out, struct rs_err *err)
{
	g_autoptr(JsonObject) root = json.n <= RS_JWKS_OCTETS_MAX ? rs_json_object(json) : NULL;
	JsonNode *node = root ? json_object_get_member(root, "keys") : NULL;
	struct rs_jwks *k;
	JsonArray *keys;

	if (!node || !JSON_NODE_HOLDS_ARRAY(node))
		return rs_err_set(
			err, RS_EINVAL, "is not a set of keys (RFC 7517: {\"keys\":[…]})");
	keys = json_node_get_array(node);
	k = g_new0(struct rs_jwks, 1);
	for (guint i = 0; i < json_array_get_length(keys) && k->n < JWT_KEYS_MAX; i++) {
		JsonNode *one = json_array_get_element(keys, i);

		if (JSON_NODE_HOLDS_OBJECT(one))
			(void)add_key(k, json_node_get_object(one));
	}
	if (k->n == 0) {
		rs_jwks_destroy(&k);
		return rs_err_set(err, RS_EINVAL,
			"has no key that can be used: RSA (2048 bits and more), EC with P-256, "
			"P-384 "
			"or P-521, Ed25519");
	}
	*out = k;
	return 0;
}

void rs_jwks_destroy(struct rs_jwks **kp)
{
	struct rs_jwks *k = *kp;

	for (unsigned i = 0; k && i < k->n; i++) {
		EVP_PKEY_free(k->keys[i].key);
		g_free(k->keys[i].kid);
		g_free(k->keys[i].alg);
	}
	g_free(k);
	*kp = NULL;
}

unsigned rs_jwks_n(const struct rs_jwks *k)
{
	return k->n;
}
