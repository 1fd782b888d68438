/* password_int - the kinds of password fields (password.h is the outside). */
#ifndef RS_SERVER_PASSWORD_INT_H
#define RS_SERVER_PASSWORD_INT_H

#include <glib.h>

#include "server/password.h"

#define PASSWORD_SCHEME_MAX 32u

enum password_kind {
	PASSWORD_NONE,
	PASSWORD_PLAIN,
	PASSWORD_CRYPT,
	PASSWORD_SCRAM,
	PASSWORD_DIGEST
};

struct password_field {
	enum password_kind kind;          /* NONE: not one of ours */
	char scheme[PASSWORD_SCHEME_MAX]; /* upper case */
	const char *rest;                 /* borrowed from the field, behind {SCHEME} */
};

/* What comes behind the scheme is not looked at. */
struct password_field password_field(const char *stored);

/* Can libcrypt work out this hash? */
bool password_crypt_can(const char *hash);

/* "SCRAM-SHA-256" and its kin. False: no such hash. */
bool password_scram_hash(const char *scheme, enum rs_scram_hash *out);
bool password_scram_parse(enum rs_scram_hash hash, const char *rest, struct rs_scram_keys *out);
/* Is it the password of these keys? `given` ends with NUL. */
bool password_scram_check(
	enum rs_scram_hash hash, const struct rs_scram_keys *k, const char *given);
/* The keys of `given`; salt and iterations of *k are set. */
bool password_scram_derive(enum rs_scram_hash hash, const char *given, struct rs_scram_keys *k);
char *password_scram_print(const char *scheme, const struct rs_scram_keys *k);

/* {SHA256}, {SSHA256} …: a digest, with salt behind it where there is one; base64. */
bool password_digest_is(const char *scheme);
bool password_digest_check(const char *scheme, const char *rest, const char *given);

/* Does checking it take its time? */
bool password_costs(const char *stored);
bool password_random(uint8_t *out, size_t n);

/* 32 octets that are the same each time for the same name, and that nobody outside can work out. */
void password_mix_stir(struct rs_password_mix *m, const char *name, uint8_t out[32]);

#endif
