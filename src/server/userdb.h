/* userdb - who lives here. Used by the auth role, by `restanted user` and `restanted deliver`.
 * passwd-file lines are Dovecot's: user:{SCHEME}hash:uid:gid:gecos:home:shell:key=value …
 * A missing scheme means crypt(3). User names compare in ASCII lower case. */
#ifndef RS_SERVER_USERDB_H
#define RS_SERVER_USERDB_H

#include <glib.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/slice.h"

struct rs_user {
	char *name;     /* as in the file, lower case            */
	char *password; /* "{SCHEME}hash" or a bare crypt(3) hash */
	char *maildir;  /* maildir= key, or NULL                 */
	char *rules;    /* of the mailbox: LF "key=value" each (server/mailbox.h), or NULL */
	gboolean pop3;
	gboolean smtp;
	gboolean disabled;
};

struct rs_userdb;

/* spec: "passwd-file:/path". Read whole.
 * -RS_ECONFIG names file and line. */
int rs_userdb_open(const char *spec, struct rs_userdb **out, struct rs_err *err) RS_MUST_USE;
void rs_userdb_destroy(struct rs_userdb **db);
/* Read the file again if it has changed. On failure the old table stays in use. */
int rs_userdb_refresh(struct rs_userdb *db, struct rs_err *err) RS_MUST_USE;
/* Borrowed until the next refresh; NULL: no such user. */
const struct rs_user *rs_userdb_find(struct rs_userdb *db, const char *name);
void rs_userdb_each(
	struct rs_userdb *db, void (*fn)(void *arg, const struct rs_user *u), void *arg);

/* Change the file: atomically replaced, durable, mode and owner kept, other lines untouched. */
int rs_userdb_add(const char *spec, const char *name, const char *password_field,
	struct rs_err *err) RS_MUST_USE; /* -RS_EEXIST */
int rs_userdb_remove(
	const char *spec, const char *name, struct rs_err *err) RS_MUST_USE; /* -RS_ENOENT */

/* Address as given -> canonical name. -RS_EINVAL: empty, over 254 octets, control octets, '/',
 * leading '.', "..", ':' … anything that must never reach a path. */
int rs_user_name_clean(struct rs_slice given, char out[256]) RS_MUST_USE;
/* Path of the mailbox: maildir= of the user, else `pattern` with %u %n %d. */
int rs_user_mailbox(
	const struct rs_user *u, const char *pattern, char **out, struct rs_err *err) RS_MUST_USE;

/* A field whose scheme is one of ours; any other never matches, and is worth a line in the log. */
bool rs_password_known(const char *stored);
/* Does `given` match the stored field? Same time for any user of the same scheme; NULL stored: hashes
 * a dummy and says no. Blocks as long as the hash takes: worker thread. */
bool rs_password_check(const char *stored, struct rs_slice given);
int rs_password_hash(struct rs_slice given, char **out, struct rs_err *err) RS_MUST_USE;

#endif
