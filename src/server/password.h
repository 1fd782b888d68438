/* password - checking and making password fields: "{SCHEME}rest", without a scheme crypt(3).
 *
 *   every scheme of crypt(3)      {CRYPT}, or the names that Dovecot has for them ({BLF-CRYPT} …)
 *   {PLAIN}                       the password itself
 *   {SCRAM-SHA-256}, {SCRAM-SHA-1}  iterations,salt,StoredKey,ServerKey (RFC 5802, 7677), as Dovecot's
 *
 * What a no costs. Who tries names must not learn from the time which of them exist. All users of one
 * class (scheme and its parameters) cost the same; {PLAIN} costs nothing. So a name that nobody has, and
 * a user whose field costs nothing, cost what a user of one of the classes in the database would, drawn
 * by name: the same name always draws the same class, and a class is drawn as often as it is in the
 * database. A database of {PLAIN} only has nothing to hide and costs nothing. (struct rs_password_mix)
 * So that a name draws the same after a restart, the draw is seeded with the first salted field in the
 * database, which nobody outside knows; where there is none, by chance. */
#ifndef RS_SERVER_PASSWORD_H
#define RS_SERVER_PASSWORD_H

#include "base/err.h"
#include "base/slice.h"
#include "sasl/scram.h"

/* A field that can be checked; any other never matches, and is worth a line in the log. */
bool rs_password_known(const char *stored);

/* Does `given` match the stored field (NULL: there is none)? A no of a field that costs nothing costs
 * what a no of `stand_in` costs (another's field, from a mix; NULL: nothing).
 * Blocks as long as the hash takes: worker thread. */
bool rs_password_check(const char *stored, const char *stand_in, struct rs_slice given);

/* The password itself, where it is stored as it is: borrowed from `stored`; else NULL. */
const char *rs_password_plain(const char *stored);

/* A new field in `scheme` ("SCRAM-SHA-256", "SCRAM-SHA-1", "SHA512-CRYPT" …, NULL: the best that crypt(3)
 * has). -RS_EINVAL: no password, or one that cannot be hashed; no such scheme. Owned by the caller. */
int rs_password_hash(
	const char *scheme, struct rs_slice given, char **out, struct rs_err *err) RS_MUST_USE;

/* --- classes of cost (password_mix.c) ------------------------------------------------------ */

struct rs_password_mix;

struct rs_password_mix *rs_password_mix_new(void);
struct rs_password_mix *rs_password_mix_ref(struct rs_password_mix *m);
void rs_password_mix_unref(struct rs_password_mix *m); /* NULL is fine */
/* One user's field. Any thread may add while others draw. */
void rs_password_mix_add(struct rs_password_mix *m, const char *stored);
/* Somebody's field, of the class that `name` draws: owned by the caller, wipe it. NULL: no user's field
 * costs anything. Only {SCRAM-…} fields of this hash where `scheme` is one ("SCRAM-SHA-256"). */
char *rs_password_mix_draw(struct rs_password_mix *m, const char *scheme, const char *name);

/* --- SCRAM (password_scram.c) -------------------------------------------------------------- */

/* What a server needs for an exchange with the user `name` whose field is `stored` (NULL: nobody).
 * True: from a verifier of this hash, or worked out from {PLAIN}. False: this user cannot have an exchange
 * of this hash; the keys look like those of one who can, the same salt and iterations each time for the same
 * name, and no password has them: go on with the exchange, it will fail at its end.
 * Blocks (PBKDF2 for {PLAIN}): worker thread. Wipe *out. */
bool rs_password_scram(struct rs_password_mix *m, const char *name, const char *stored,
	enum rs_scram_hash hash, struct rs_scram_keys *out);

#endif
