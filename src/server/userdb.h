/* userdb - who lives here: one interface, a database behind it (userdb_int.h). Used by the auth role,
 * by `restanted user`, `deliver` and `unlock`.
 *
 *   passwd-file:/PATH    userdb_passwd.c: a table in memory; answers at once, or when a file that has
 *                        changed has been read
 *   sql:postgresql://…   userdb_sql.c: a query of the configuration, over connections of its own
 *   pam:SERVICE          userdb_pam.c: the users of this system
 *
 * A question is answered exactly once, by a call on the thread of the loop, perhaps before the call that
 * asked returns. An answer may take as long as the database does; who asked keeps no lock meanwhile. */
#ifndef RS_SERVER_USERDB_H
#define RS_SERVER_USERDB_H

#include <glib.h>
#include <uv.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/slice.h"
#include "server/conf.h"
#include "server/password.h"

struct rs_user {
	char *name;     /* the one right way to write it, lower case */
	char *password; /* "{SCHEME}hash" or a bare crypt(3) hash; NULL: the database checks itself */
	char *maildir; /* maildir= key, or NULL                     */
	char *rules;   /* of the mailbox: LF "key=value" each (server/mailbox.h), or NULL */
	char **apps;   /* app passwords (server/user_app.h), or NULL */
	char *senders; /* send-as= key: further addresses, "@domain" or "*", commas between; or NULL */
	gboolean pop3;
	gboolean smtp;
	gboolean disabled;
};

void rs_user_free(struct rs_user *u); /* wiped; NULL is fine */

struct rs_userdb;

/* The answer: 0 and the user (taken: yours), -RS_ENOENT and NULL: nobody is called so,
 * -RS_ETEMP and NULL: the database cannot be asked now. */
typedef void (*rs_user_fn)(void *arg, int rc, struct rs_user *u);

/* By [auth] of `conf` (lent until this returns). A file is read whole, and what is wrong with it is an error with file and
 * line; a database that is reached over a socket need not be there yet. `loop` is lent for life.
 * -RS_ECONFIG. */
int rs_userdb_open(uv_loop_t *loop, const struct rs_conf *conf, struct rs_userdb **out,
	struct rs_err *err) RS_MUST_USE;
/* Questions without an answer get -RS_ETEMP now. Memory may be given back by a later turn of the loop. */
void rs_userdb_destroy(struct rs_userdb **db);

/* `name` as rs_user_name_clean made it. */
void rs_userdb_ask(struct rs_userdb *db, const char *name, rs_user_fn fn, void *arg);

/* The classes of cost of the passwords in it (password.h), to hand to a worker thread: yours (unref). */
struct rs_password_mix *rs_userdb_mix(struct rs_userdb *db);

/* A password that is to be checked. */
struct rs_userdb_given {
	const char *name;
	struct rs_slice password;
	const char *
		peer; /* address of the client, for databases that have rules about it; "": not known */
};

/* Is it the password of `u` (NULL: nobody is called so), or one of the user's app passwords? The
 * cost of a no tells nothing about whether there is such a user. Blocks: worker thread, which may not touch
 * `db` otherwise. 0, -RS_EAUTH: no, -RS_ETEMP: cannot be told now.
 * *app: which app password it was, borrowed from `u`; NULL: none. */
int rs_userdb_check(struct rs_userdb *db, struct rs_password_mix *mix,
	const struct rs_userdb_given *given, const struct rs_user *u, const char **app) RS_MUST_USE;
/* What a SCRAM exchange needs: rs_password_scram (password.h) with u ? u->password : NULL. */

/* For commands: open and close again; what is wrong with it? */
int rs_userdb_try(const struct rs_conf *conf, struct rs_err *err) RS_MUST_USE;
/* For commands: open, ask, wait, close. 0, -RS_ENOENT, -RS_ETEMP, -RS_ECONFIG. */
int rs_userdb_find_now(const struct rs_conf *conf, const char *name, struct rs_user **out,
	struct rs_err *err) RS_MUST_USE;
/* For commands: every user, by name. -RS_EINVAL: this database cannot list them. */
int rs_userdb_each(const struct rs_conf *conf, void (*fn)(void *arg, const struct rs_user *u),
	void *arg, struct rs_err *err) RS_MUST_USE;

/* Address as given -> canonical name. -RS_EINVAL: empty, over 254 octets, control octets, '/',
 * leading '.', "..", ':' … anything that must never reach a path. */
int rs_user_name_clean(struct rs_slice given, char out[256]) RS_MUST_USE;
/* Path of the mailbox: maildir= of the user, else `pattern` with %u %n %d; NULL: a store without folders, which
 * wants a name only. */
int rs_user_mailbox(
	const struct rs_user *u, const char *pattern, char **out, struct rs_err *err) RS_MUST_USE;

#endif
