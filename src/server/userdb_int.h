/* userdb_int - what a user database is made of (userdb.h is the outside). */
#ifndef RS_SERVER_USERDB_INT_H
#define RS_SERVER_USERDB_INT_H

#include "server/userdb.h"

struct rs_userdb_ops {
	const char *prefix; /* of the spec: "passwd-file:" */
	/* As rs_userdb_open; `rest`: [auth] users without the prefix. */
	int (*open)(uv_loop_t *loop, const struct rs_conf *conf, const char *rest,
		struct rs_userdb **out, struct rs_err *err);
	void (*destroy)(struct rs_userdb *db);
	void (*ask)(struct rs_userdb *db, const char *name, rs_user_fn fn, void *arg);
	/* Yours. NULL: it has no fields. */
	struct rs_password_mix *(*mix)(struct rs_userdb *db);
	/* Worker thread: reads nothing of `db` that the loop's thread changes. NULL: the password field
	 * of the user is compared. */
	int (*check)(
		struct rs_userdb *db, const struct rs_userdb_given *given, const struct rs_user *u);
	/* NULL: cannot list. */
	void (*each)(
		struct rs_userdb *db, void (*fn)(void *arg, const struct rs_user *u), void *arg);
};

/* First member of every database. */
struct rs_userdb {
	const struct rs_userdb_ops *ops;
	uv_loop_t *loop;
};

extern const struct rs_userdb_ops rs_userdb_passwd_ops;
extern const struct rs_userdb_ops rs_userdb_sql_ops;
extern const struct rs_userdb_ops rs_userdb_pam_ops;

/* One key=value of a user's line or row: flags, maildir=, rules. NULL, or what is wrong with it. Keys
 * that are none of ours (Dovecot's) are passed over. */
const char *rs_user_set(struct rs_user *u, const char *key, const char *value);

/* Is it one of ours? */
bool rs_user_key_known(const char *key);

#endif
