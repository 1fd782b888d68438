/* password.c - see password.h: which kind of field it is, crypt(3), making new ones. */
#include "server/password.h"

#include <crypt.h>
#include <errno.h>
#include <string.h>

#include "base/secret.h"
#include "server/password_int.h"

/* --- fields -------------------------------------------------------------------------------- */

/* The schemes that are crypt(3) under other names, and how its hashes begin. */
static const struct {
	const char *scheme;
	const char *prefix; /* NULL: cannot be made by that name */
} crypts[] = {
	{"CRYPT", NULL},
	{"YESCRYPT", "$y$"},
	{"BLF-CRYPT", "$2b$"},
	{"SHA512-CRYPT", "$6$"},
	{"SHA256-CRYPT", "$5$"},
	{"MD5-CRYPT", NULL},
	{"DES-CRYPT", NULL},
	{"ARGON2ID", "$argon2id$"}, /* where libcrypt has it */
	{"ARGON2I", "$argon2i$"},
	{"ARGON2-CRYPT", NULL},
};

static bool is_crypt(const char *scheme)
{
	for (size_t i = 0; i < G_N_ELEMENTS(crypts); i++) {
		if (strcmp(scheme, crypts[i].scheme) == 0)
			return true;
	}
	return false;
}

static enum password_kind kind_of(const char *scheme)
{
	enum rs_scram_hash hash;

	if (strcmp(scheme, "PLAIN") == 0 || strcmp(scheme, "CLEARTEXT") == 0)
		return PASSWORD_PLAIN;
	if (is_crypt(scheme))
		return PASSWORD_CRYPT;
	if (password_scram_hash(scheme, &hash))
		return PASSWORD_SCRAM;
	return password_digest_is(scheme) ? PASSWORD_DIGEST : PASSWORD_NONE;
}

struct password_field password_field(const char *stored)
{
	struct password_field f = {.kind = PASSWORD_CRYPT, .scheme = "CRYPT", .rest = stored};
	const char *end = strchr(stored, '}');
	size_t n;

	if (stored[0] != '{')
		return f;
	n = end ? (size_t)(end - stored) - 1 : 0;
	if (n == 0 || n >= sizeof(f.scheme))
		return (struct password_field){.kind = PASSWORD_NONE};
	for (size_t i = 0; i < n; i++)
		f.scheme[i] = g_ascii_toupper(stored[i + 1]);
	f.scheme[n] = '\0';
	f.rest = end + 1;
	f.kind = kind_of(f.scheme);
	return f;
}

bool password_crypt_can(const char *hash)
{
	int salt = *hash ? crypt_checksalt(hash) : CRYPT_SALT_INVALID;

	return salt != CRYPT_SALT_INVALID && salt != CRYPT_SALT_METHOD_DISABLED;
}

static bool scram_of(
	const struct password_field *f, enum rs_scram_hash *hash, struct rs_scram_keys *keys)
{
	return password_scram_hash(f->scheme, hash) && password_scram_parse(*hash, f->rest, keys);
}

bool rs_password_known(const char *stored)
{
	struct password_field f = password_field(stored);
	struct rs_scram_keys keys;
	enum rs_scram_hash hash;
	bool known = f.kind != PASSWORD_NONE;

	if (f.kind == PASSWORD_CRYPT) /* * and ! are how passwd(5) says that none is right */
		known = strchr("*!", *f.rest) || password_crypt_can(f.rest);
	if (f.kind == PASSWORD_SCRAM) {
		known = scram_of(&f, &hash, &keys);
		rs_wipe(&keys, sizeof(keys));
	}
	return known;
}

const char *rs_password_plain(const char *stored)
{
	struct password_field f = {.kind = PASSWORD_NONE};

	if (stored)
		f = password_field(stored);
	return f.kind == PASSWORD_PLAIN ? f.rest : NULL;
}

/* --- checking ------------------------------------------------------------------------------ */

static bool crypt_check(const char *hash, const char *given)
{
	struct crypt_data *data = g_new0(struct crypt_data, 1);
	const char *made = crypt_r(given, hash, data);
	bool same = made && made[0] != '*' && rs_secret_eq(rs_slice_str(made), rs_slice_str(hash));

	rs_wipe(data, sizeof(*data));
	g_free(data);
	return same;
}

/* *worked: a hash was made that takes its time. */
static bool check(const char *stored, const char *given, bool *worked)
{
	struct password_field f = password_field(stored);
	struct rs_scram_keys keys;
	enum rs_scram_hash hash;
	bool ok = false;

	*worked = false;
	switch (f.kind) {
	case PASSWORD_NONE:
		break;
	case PASSWORD_PLAIN:
		ok = rs_secret_eq(rs_slice_str(f.rest), rs_slice_str(given));
		break;
	case PASSWORD_CRYPT:
		*worked = password_costs(stored);
		ok = password_crypt_can(f.rest) && crypt_check(f.rest, given);
		break;
	case PASSWORD_SCRAM:
		*worked = scram_of(&f, &hash, &keys);
		ok = *worked && password_scram_check(hash, &keys, given);
		rs_wipe(&keys, sizeof(keys));
		break;
	case PASSWORD_DIGEST:
		ok = password_digest_check(f.scheme, f.rest, given);
		break;
	}
	return ok;
}

bool rs_password_check(const char *stored, const char *stand_in, struct rs_slice given)
{
	struct rs_secret *copy = NULL;
	bool worked = false;
	bool ok;

	if (rs_slice_find(given, 0) != given.n || rs_secret_create(given, &copy) < 0)
		return false;
	ok = stored && check(stored, (const char *)copy->octets, &worked);
	if (!ok && !worked && stand_in)
		(void)check(stand_in, (const char *)copy->octets, &worked);
	rs_secret_destroy(&copy);
	return ok;
}

/* --- making -------------------------------------------------------------------------------- */

/* `prefix` NULL: what libcrypt holds best. */
static int crypt_make(const char *prefix, const char *given, char **out, struct rs_err *err)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	struct crypt_data *data;
	const char *made;
	int rc = 0;

	if (!crypt_gensalt_rn(prefix, 0, NULL, 0, setting, sizeof(setting)))
		return rs_err_set(err, RS_EINVAL, "libcrypt of this system cannot make %s hashes",
			prefix ? prefix : "password");
	data = g_new0(struct crypt_data, 1);
	made = crypt_r(given, setting, data);
	if (made && made[0] != '*')
		*out = g_strdup_printf("{CRYPT}%s", made);
	else
		rc = rs_err_set(
			err, RS_EINVAL, "the password could not be hashed: %s", g_strerror(errno));
	rs_wipe(data, sizeof(*data));
	g_free(data);
	return rc;
}

static int scram_make(const char *scheme, enum rs_scram_hash hash, const char *given, char **out,
	struct rs_err *err)
{
	struct rs_scram_keys keys = {.iterations = RS_SCRAM_ITERATIONS, .salt_n = 16};
	int rc = 0;

	if (!password_random(keys.salt, keys.salt_n))
		return rs_err_set(err, RS_EIO, "no random octets for a salt");
	if (password_scram_derive(hash, given, &keys))
		*out = password_scram_print(scheme, &keys);
	else
		rc = rs_err_set(err, RS_EINVAL, "the password has characters that none may have");
	rs_wipe(&keys, sizeof(keys));
	return rc;
}

static int make(const char *scheme, const char *given, char **out, struct rs_err *err)
{
	g_autofree char *upper = scheme ? g_ascii_strup(scheme, -1) : NULL;
	enum rs_scram_hash hash;

	if (!upper)
		return crypt_make(NULL, given, out, err);
	if (password_scram_hash(upper, &hash))
		return scram_make(upper, hash, given, out, err);
	for (size_t i = 0; i < G_N_ELEMENTS(crypts); i++) {
		if (strcmp(upper, crypts[i].scheme) == 0 && (i == 0 || crypts[i].prefix))
			return crypt_make(crypts[i].prefix, given, out, err);
	}
	return rs_err_set(err, RS_EINVAL,
		"no passwords are made in the scheme '%s'; there are crypt, yescrypt, blf-crypt, "
		"sha512-crypt, sha256-crypt, scram-sha-256 and scram-sha-1",
		scheme);
}

int rs_password_hash(const char *scheme, struct rs_slice given, char **out, struct rs_err *err)
{
	struct rs_secret *copy = NULL;
	int rc;

	if (given.n == 0 || rs_slice_find(given, 0) != given.n)
		return rs_err_set(
			err, RS_EINVAL, "a password must have at least one character, and no NUL");
	if (rs_secret_create(given, &copy) < 0)
		return rs_err_set(err, RS_ENOMEM, "no memory");
	rc = make(scheme, (const char *)copy->octets, out, err);
	rs_secret_destroy(&copy);
	return rc;
}
