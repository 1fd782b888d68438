/* tls_tickets.c - the keys of session tickets (RFC 5077 section 4, RFC 8446 section 4.6.1), see tls.h.
 * AES-256-CBC and HMAC-SHA-256 with keys that all fronts share, those of a reload too. */
#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <string.h>

#include "base/secret.h"
#include "server/tls_int.h"

#define NAME_N   16u
#define SECRET_N 32u

enum { NEXT, CURRENT, PREVIOUS };

bool rs_tls_keys_make(uint8_t keys[RS_TLS_KEYS_OCTETS])
{
	return RAND_priv_bytes(keys, RS_TLS_KEYS_OCTETS) == 1;
}

bool rs_tls_keys_turn(uint8_t keys[RS_TLS_KEYS_OCTETS])
{
	uint8_t fresh[RS_TLS_KEY_N];

	if (RAND_priv_bytes(fresh, sizeof(fresh)) != 1)
		return false;
	memmove(keys + RS_TLS_KEY_N, keys, RS_TLS_KEY_N * (RS_TLS_KEYS - 1));
	memcpy(keys, fresh, sizeof(fresh));
	rs_wipe(fresh, sizeof(fresh));
	return true;
}

void rs_tls_keys_set(struct rs_tls *t, const uint8_t keys[RS_TLS_KEYS_OCTETS])
{
	memcpy(t->keys, keys, RS_TLS_KEYS_OCTETS);
}

static int begin(const struct rs_tls *t, const uint8_t *key, const uint8_t *iv,
	EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int enc)
{
	uint8_t mac_key[SECRET_N];
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, mac_key, SECRET_N),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end()};
	int ok;

	memcpy(mac_key, key + NAME_N + SECRET_N, SECRET_N);
	ok = EVP_MAC_CTX_set_params(mac, params) == 1 &&
	     EVP_CipherInit_ex2(cipher, t->ticket_cipher, key + NAME_N, iv, enc, NULL) == 1;
	rs_wipe(mac_key, sizeof(mac_key));
	return ok;
}

/* OpenSSL asks: 1 use this key, 2 the same and give the client a new ticket, 0 no ticket of ours, -1. */
int tls_on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac, int enc)
{
	const struct rs_tls *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const uint8_t *key = t->keys + CURRENT * RS_TLS_KEY_N;

	if (enc) {
		memcpy(name, key, NAME_N);
		if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(t->ticket_cipher)) != 1)
			return -1;
		return begin(t, key, iv, cipher, mac, 1) ? 1 : -1;
	}
	for (unsigned i = 0; i < RS_TLS_KEYS; i++) {
		key = t->keys + i * RS_TLS_KEY_N;
		if (memcmp(name, key, NAME_N) == 0)
			return !begin(t, key, iv, cipher, mac, 0) ? -1 : i == PREVIOUS ? 2 : 1;
	}
	return 0;
}
