/* scram.c - the keys of SCRAM, see scram.h. */
#include "sasl/scram_int.h"

#include <gsasl.h>
#include <sys/random.h>

#include "base/err.h"
#include "base/secret.h"
#include "sasl/prep.h"

static const struct {
	const char *scheme;
	GChecksumType sum;
	Gsasl_hash hash;
	size_t key_n;
} hashes[RS_SCRAM_HASH_N] = {
	[RS_SCRAM_SHA1] = {"SCRAM-SHA-1", G_CHECKSUM_SHA1, GSASL_HASH_SHA1, 20},
	[RS_SCRAM_SHA256] = {"SCRAM-SHA-256", G_CHECKSUM_SHA256, GSASL_HASH_SHA256, 32},
};

const char *rs_scram_scheme(enum rs_scram_hash hash)
{
	return hashes[hash].scheme;
}

size_t rs_scram_key_n(enum rs_scram_hash hash)
{
	return hashes[hash].key_n;
}

/* --- primitives ----------------------------------------------------------------------------- */

void scram_hmac(enum rs_scram_hash hash, const uint8_t *key, struct rs_slice text, uint8_t *out)
{
	GHmac *h = g_hmac_new(hashes[hash].sum, key, hashes[hash].key_n);
	gsize n = hashes[hash].key_n;

	g_hmac_update(h, text.p, (gssize)text.n);
	g_hmac_get_digest(h, out, &n);
	g_hmac_unref(h);
}

void scram_h(enum rs_scram_hash hash, const uint8_t *key, uint8_t *out)
{
	GChecksum *h = g_checksum_new(hashes[hash].sum);
	gsize n = hashes[hash].key_n;

	g_checksum_update(h, key, (gssize)n);
	g_checksum_get_digest(h, out, &n);
	g_checksum_free(h);
}

int scram_chance(uint8_t *out, size_t n)
{
	return getrandom(out, n, 0) == (ssize_t)n ? 0 : -RS_EIO;
}

/* Of a fitting password the form that SASLprep gives it; of another one itself. */
static struct rs_secret *prepared(struct rs_slice password)
{
	struct rs_secret *raw = NULL;
	struct rs_secret *out = NULL;
	char *prep = NULL;

	if (rs_slice_find(password, 0) != password.n || rs_secret_create(password, &raw) < 0)
		return NULL;
	if (rs_sasl_prep((const char *)raw->octets, &prep) < 0)
		return raw;
	if (rs_secret_create(rs_slice_str(prep), &out) < 0)
		out = NULL;
	rs_wipe(prep, strlen(prep));
	g_free(prep);
	rs_secret_destroy(&raw);
	return out;
}

int scram_secrets(enum rs_scram_hash hash, struct rs_slice password, struct rs_slice salt,
	uint32_t iterations, struct scram_secrets *out)
{
	struct rs_secret *secret = prepared(password);
	char salted[RS_SCRAM_KEY_MAX];
	int rc;

	if (!secret)
		return -RS_EINVAL;
	rc = gsasl_scram_secrets_from_password(hashes[hash].hash, (const char *)secret->octets,
		iterations, (const char *)salt.p, salt.n, salted, (char *)out->client,
		(char *)out->server, (char *)out->stored);
	rs_wipe(salted, sizeof(salted));
	rs_secret_destroy(&secret);
	return rc == GSASL_OK ? 0 : -RS_EIO;
}

int rs_scram_keys_make(enum rs_scram_hash hash, struct rs_slice password, struct rs_slice salt,
	uint32_t iterations, struct rs_scram_keys *out)
{
	struct rs_scram_keys k = {
		.iterations = iterations, .salt_n = salt.n, .key_n = hashes[hash].key_n};
	struct scram_secrets secrets;
	int rc;

	if (salt.n == 0 || salt.n > sizeof(k.salt))
		return -RS_EINVAL;
	rc = scram_secrets(hash, password, salt, iterations, &secrets);
	if (rc < 0)
		return rc;
	memcpy(k.salt, salt.p, salt.n);
	memcpy(k.stored_key, secrets.stored, k.key_n);
	memcpy(k.server_key, secrets.server, k.key_n);
	rs_wipe(&secrets, sizeof(secrets));
	*out = k;
	return 0;
}
