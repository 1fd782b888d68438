/* password_scram.c - {SCRAM-…} fields and the keys of an exchange, see password.h. RFC 5802 section 3:
 *   SaltedPassword = PBKDF2(SASLprep(password), salt, iterations)
 *   StoredKey = H(HMAC(SaltedPassword, "Client Key"))    ServerKey = HMAC(SaltedPassword, "Server Key") */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "base/b64.h"
#include "base/num.h"
#include "base/secret.h"
#include "sasl/prep.h"
#include "server/password_int.h"

static const EVP_MD *md_of(enum rs_scram_hash hash)
{
	return hash == RS_SCRAM_SHA1 ? EVP_sha1() : EVP_sha256();
}

bool password_scram_hash(const char *scheme, enum rs_scram_hash *out)
{
	*out = strcmp(scheme, "SCRAM-SHA-1") == 0 ? RS_SCRAM_SHA1 : RS_SCRAM_SHA256;
	return strcmp(scheme, rs_scram_scheme(*out)) == 0;
}

/* --- the field ----------------------------------------------------------------------------- */

/* The next part of "a,b,c" as base64 into `out` of `max` octets. */
static bool take_b64(struct rs_slice *rest, uint8_t *out, size_t max, size_t *n)
{
	size_t end = rs_slice_find(*rest, ',');
	struct rs_slice part = rs_slice_sub(*rest, 0, end);
	uint8_t buf[(RS_SCRAM_SALT_MAX + 2) / 3 * 4];

	*rest = rs_slice_sub(*rest, end + 1, rest->n);
	if (part.n == 0 || part.n > sizeof(buf) || rs_b64_dec(part, buf, n) < 0 || *n > max)
		return false;
	memcpy(out, buf, *n);
	rs_wipe(buf, sizeof(buf));
	return *n > 0;
}

bool password_scram_parse(enum rs_scram_hash hash, const char *rest, struct rs_scram_keys *out)
{
	struct rs_slice s = rs_slice_str(rest);
	size_t comma = rs_slice_find(s, ',');
	size_t stored_n;

	out->key_n = rs_scram_key_n(hash);
	if (rs_num_u32(rs_slice_sub(s, 0, comma), RS_SCRAM_ITER_MAX, &out->iterations) < 0 ||
		out->iterations == 0)
		return false;
	s = rs_slice_sub(s, comma + 1, s.n);
	return take_b64(&s, out->salt, sizeof(out->salt), &out->salt_n) &&
	       take_b64(&s, out->stored_key, sizeof(out->stored_key), &stored_n) &&
	       stored_n == rs_scram_key_n(hash) && rs_slice_find(s, ',') == s.n &&
	       take_b64(&s, out->server_key, sizeof(out->server_key), &out->key_n) &&
	       out->key_n == rs_scram_key_n(hash);
}

char *password_scram_print(const char *scheme, const struct rs_scram_keys *k)
{
	g_autofree char *salt = g_base64_encode(k->salt, k->salt_n);
	g_autofree char *stored = g_base64_encode(k->stored_key, k->key_n);
	g_autofree char *server = g_base64_encode(k->server_key, k->key_n);

	return g_strdup_printf("{%s}%u,%s,%s,%s", scheme, k->iterations, salt, stored, server);
}

/* --- the keys ------------------------------------------------------------------------------ */

static bool derive_raw(enum rs_scram_hash hash, const char *password, struct rs_scram_keys *k)
{
	const EVP_MD *md = md_of(hash);
	uint8_t salted[RS_SCRAM_KEY_MAX];
	uint8_t client[RS_SCRAM_KEY_MAX];
	unsigned n = 0;
	int key_n = (int)rs_scram_key_n(hash);
	bool ok;

	k->key_n = rs_scram_key_n(hash);
	ok = PKCS5_PBKDF2_HMAC(password, (int)strlen(password), k->salt, (int)k->salt_n,
		     (int)k->iterations, md, key_n, salted) == 1 &&
	     HMAC(md, salted, key_n, (const uint8_t *)"Client Key", 10, client, &n) &&
	     EVP_Digest(client, n, k->stored_key, NULL, md, NULL) == 1 &&
	     HMAC(md, salted, key_n, (const uint8_t *)"Server Key", 10, k->server_key, NULL);
	rs_wipe(salted, sizeof(salted));
	rs_wipe(client, sizeof(client));
	return ok;
}

bool password_scram_derive(enum rs_scram_hash hash, const char *given, struct rs_scram_keys *k)
{
	char *prepared = NULL;
	bool ok;

	if (rs_sasl_prep(given, &prepared) < 0)
		return false;
	ok = *prepared && derive_raw(hash, prepared, k);
	rs_wipe(prepared, strlen(prepared));
	g_free(prepared);
	return ok;
}

static bool has_keys(enum rs_scram_hash hash, const struct rs_scram_keys *k, const char *password)
{
	struct rs_scram_keys made = *k;
	bool same = derive_raw(hash, password, &made) &&
		    rs_secret_eq(rs_slice(made.stored_key, made.key_n),
			    rs_slice(k->stored_key, k->key_n));

	rs_wipe(&made, sizeof(made));
	return same;
}

/* A verifier made without SASLprep (Dovecot makes them so) has the password as it is: that is tried too
 * where the two differ. It depends on what was given only. */
bool password_scram_check(enum rs_scram_hash hash, const struct rs_scram_keys *k, const char *given)
{
	char *prepared = NULL;
	bool ok = has_keys(hash, k, given);

	if (rs_sasl_prep(given, &prepared) == 0) {
		if (strcmp(prepared, given) != 0 && has_keys(hash, k, prepared))
			ok = true;
		rs_wipe(prepared, strlen(prepared));
		g_free(prepared);
	}
	return ok;
}

/* --- an exchange --------------------------------------------------------------------------- */

static bool keys_of_user(const char *stored, enum rs_scram_hash hash, struct rs_scram_keys *out)
{
	struct password_field f = password_field(stored);

	if (f.kind == PASSWORD_PLAIN)
		return password_scram_derive(hash, f.rest, out);
	return f.kind == PASSWORD_SCRAM && strcmp(f.scheme, rs_scram_scheme(hash)) == 0 &&
	       password_scram_parse(hash, f.rest, out);
}

/* Keys for who has none: as those of another, but for salt and secrets. */
static void keys_of_nobody(struct rs_password_mix *m, const char *name, enum rs_scram_hash hash,
	struct rs_scram_keys *out)
{
	char *like = rs_password_mix_draw(m, rs_scram_scheme(hash), name);
	size_t salt_n = out->salt_n;
	uint8_t salt[32];

	memcpy(salt, out->salt, sizeof(salt));
	if (like && keys_of_user(like, hash, out))
		salt_n = out->salt_n;
	else
		*out = (struct rs_scram_keys){.iterations = RS_SCRAM_ITERATIONS};
	if (like)
		rs_wipe(like, strlen(like));
	g_free(like);
	memcpy(out->salt, salt, sizeof(salt));
	out->salt_n = MIN(salt_n, sizeof(salt));
	out->key_n = rs_scram_key_n(hash);
	if (!password_random(out->stored_key, out->key_n) ||
		!password_random(out->server_key, out->key_n))
		password_mix_stir(m, "keys of nobody", out->stored_key);
}

bool rs_password_scram(struct rs_password_mix *m, const char *name, const char *stored,
	enum rs_scram_hash hash, struct rs_scram_keys *out)
{
	g_autofree char *salt_name = g_strconcat("salt:", rs_scram_scheme(hash), ":", name, NULL);

	*out = (struct rs_scram_keys){.iterations = RS_SCRAM_ITERATIONS, .salt_n = 16};
	password_mix_stir(m, salt_name, out->salt);
	if (stored && keys_of_user(stored, hash, out))
		return true;
	*out = (struct rs_scram_keys){.iterations = RS_SCRAM_ITERATIONS, .salt_n = 16};
	password_mix_stir(m, salt_name, out->salt);
	keys_of_nobody(m, name, hash, out);
	return false;
}
