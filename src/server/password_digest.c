/* password_digest.c - {SHA256}, {SSHA512} and their kin, as Dovecot and LDAP have them: base64 of a digest
 * of password and salt, the salt behind it. Quick, so that only passwords too long to be guessed are safe in
 * them; nobody's password is stored so by us, but people move here with such files, and app passwords
 * (user_app.h) are long enough. */
#include <string.h>

#include "base/b64.h"
#include "base/secret.h"
#include "server/password_int.h"

#define DIGEST_MAX 64u
#define SALT_MAX   64u

static const struct digest {
	const char *scheme;
	GChecksumType type;
	bool salted;
} digests[] = {
	{"SHA", G_CHECKSUM_SHA1, false},
	{"SSHA", G_CHECKSUM_SHA1, true},
	{"SHA256", G_CHECKSUM_SHA256, false},
	{"SSHA256", G_CHECKSUM_SHA256, true},
	{"SHA512", G_CHECKSUM_SHA512, false},
	{"SSHA512", G_CHECKSUM_SHA512, true},
};

static const struct digest *digest_of(const char *scheme)
{
	for (size_t i = 0; i < G_N_ELEMENTS(digests); i++) {
		if (strcmp(scheme, digests[i].scheme) == 0)
			return &digests[i];
	}
	return NULL;
}

bool password_digest_is(const char *scheme)
{
	return digest_of(scheme) != NULL;
}

bool password_digest_check(const char *scheme, const char *rest, const char *given)
{
	const struct digest *d = digest_of(scheme);
	gsize digest_n = (gsize)g_checksum_type_get_length(d->type);
	g_autoptr(GChecksum) sum = g_checksum_new(d->type);
	uint8_t stored[(DIGEST_MAX + SALT_MAX + 2) / 3 * 4];
	uint8_t made[DIGEST_MAX];
	gsize made_n = sizeof(made);
	size_t n;

	if (strlen(rest) > sizeof(stored) || rs_b64_dec(rs_slice_str(rest), stored, &n) < 0 ||
		n < digest_n || (n > digest_n) != d->salted)
		return false;
	g_checksum_update(sum, (const guchar *)given, (gssize)strlen(given));
	g_checksum_update(sum, stored + digest_n, (gssize)(n - digest_n));
	g_checksum_get_digest(sum, made, &made_n);
	return rs_secret_eq(rs_slice(made, made_n), rs_slice(stored, digest_n));
}
