/* password.c - see password.h */
#include "server/password.h"

#include <crypt.h>
#include <errno.h>
#include <glib.h>
#include <string.h>

#include "base/secret.h"

#define SCHEME_MAX 32u

/* The schemes that are crypt(3) under other names. */
static bool is_crypt(const char *scheme)
{
	static const char *const names[] = {"CRYPT", "SHA512-CRYPT", "SHA256-CRYPT", "BLF-CRYPT",
		"MD5-CRYPT", "DES-CRYPT", "YESCRYPT", "ARGON2-CRYPT"};

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		if (strcmp(scheme, names[i]) == 0)
			return true;
	}
	return false;
}

/* "{SCHEME}rest" taken apart; without one it is crypt(3). NULL: not to be read. */
static const char *hash_of(const char *stored, char scheme[SCHEME_MAX])
{
	const char *end = stored[0] == '{' ? strchr(stored, '}') : NULL;
	size_t n = end ? (size_t)(end - stored) - 1 : 0;

	g_strlcpy(scheme, "CRYPT", SCHEME_MAX);
	if (stored[0] != '{')
		return stored;
	if (!end || n == 0 || n >= SCHEME_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++)
		scheme[i] = g_ascii_toupper(stored[i + 1]);
	scheme[n] = '\0';
	return end + 1;
}

static bool is_plain(const char *scheme)
{
	return strcmp(scheme, "PLAIN") == 0 || strcmp(scheme, "CLEARTEXT") == 0;
}

bool rs_password_known(const char *stored)
{
	char scheme[SCHEME_MAX];

	return hash_of(stored, scheme) && (is_plain(scheme) || is_crypt(scheme));
}

const char *rs_password_plain(const char *stored)
{
	char scheme[SCHEME_MAX];
	const char *rest = stored ? hash_of(stored, scheme) : NULL;

	return rest && is_plain(scheme) ? rest : NULL;
}

static bool crypt_check(const char *hash, const char *given)
{
	struct crypt_data *data = g_new0(struct crypt_data, 1);
	const char *made = crypt_r(given, hash, data);
	bool same = made && made[0] != '*' && rs_secret_eq(rs_slice_str(made), rs_slice_str(hash));

	rs_wipe(data, sizeof(*data));
	g_free(data);
	return same;
}

/* A hash that nobody's password has, for users that do not exist. */
static const char *dummy_hash(void)
{
	static gsize once;
	static char *hash;

	if (g_once_init_enter(&once)) {
		if (rs_password_hash(rs_slice_str("nobody"), &hash, NULL) < 0)
			hash = g_strdup("*");
		g_once_init_leave(&once, 1);
	}
	return hash;
}

bool rs_password_check(const char *stored, struct rs_slice given)
{
	struct rs_secret *copy = NULL;
	char scheme[SCHEME_MAX];
	const char *hash = hash_of(stored ? stored : dummy_hash(), scheme);
	bool ok = false;

	if (!hash || rs_slice_find(given, 0) != given.n || rs_secret_create(given, &copy) < 0)
		return false;
	if (is_plain(scheme))
		ok = rs_secret_eq(rs_slice_str(hash), given);
	else if (is_crypt(scheme))
		ok = *hash && crypt_check(hash, (const char *)copy->octets);
	rs_secret_destroy(&copy);
	return ok && stored;
}

int rs_password_hash(struct rs_slice given, char **out, struct rs_err *err)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	struct rs_secret *copy = NULL;
	struct crypt_data *data;
	const char *made;
	int rc = 0;

	if (given.n == 0 || rs_slice_find(given, 0) != given.n)
		return rs_err_set(
			err, RS_EINVAL, "a password must have at least one character, and no NUL");
	if (!crypt_gensalt_rn(NULL, 0, NULL, 0, setting, sizeof(setting)))
		return rs_err_set(err, RS_EIO, "no salt for a password: %s", g_strerror(errno));
	if (rs_secret_create(given, &copy) < 0)
		return rs_err_set(err, RS_ENOMEM, "no memory");
	data = g_new0(struct crypt_data, 1);
	made = crypt_r((const char *)copy->octets, setting, data);
	if (made && made[0] != '*')
		*out = g_strdup_printf("{CRYPT}%s", made);
	else
		rc = rs_err_set(
			err, RS_EIO, "the password could not be hashed: %s", g_strerror(errno));
	rs_wipe(data, sizeof(*data));
	g_free(data);
	rs_secret_destroy(&copy);
	return rc;
}
