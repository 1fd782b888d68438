/* userdb_edit - changing the users of a passwd-file: one line of it, the others untouched; the file is
 * replaced as a whole, durable, its mode and owner kept; one writer at a time over all processes. All return
 * -RS_ECONFIG for a spec that is no file, -RS_EINVAL for what cannot stand in the file, -RS_EIO and kin. */
#ifndef RS_SERVER_USERDB_EDIT_H
#define RS_SERVER_USERDB_EDIT_H

#include <glib.h>

#include "base/err.h"

/* A new user. `keys`: "key=value" each, ended by NULL, or NULL. The file is made when it is not there.
 * -RS_EEXIST. */
int rs_userdb_add(const char *spec, const char *name, const char *password_field, char *const *keys,
	struct rs_err *err) RS_MUST_USE;

/* The others: -RS_ENOENT when there is no such user. */
int rs_userdb_remove(const char *spec, const char *name, struct rs_err *err) RS_MUST_USE;
int rs_userdb_set_password(const char *spec, const char *name, const char *password_field,
	struct rs_err *err) RS_MUST_USE;
/* Each "key=value" takes the place of all that the user has of this key; "key=" only takes them away, so that the
 * default holds again. -RS_EINVAL also for keys that do nothing here, and for app= and disabled=. */
int rs_userdb_set_keys(
	const char *spec, const char *name, char *const *keys, struct rs_err *err) RS_MUST_USE;
/* The key is nologin, which Dovecot knows too. *was: it was so already. */
int rs_userdb_set_disabled(const char *spec, const char *name, bool disabled, bool *was,
	struct rs_err *err) RS_MUST_USE;
/* `text` as rs_app_make has it. -RS_EEXIST: the user has one of this name; -RS_ELIMIT: RS_APPS_MAX. */
int rs_userdb_app_add(
	const char *spec, const char *name, const char *text, struct rs_err *err) RS_MUST_USE;
/* -RS_ENOENT also: no app password of this name. */
int rs_userdb_app_remove(
	const char *spec, const char *name, const char *app, struct rs_err *err) RS_MUST_USE;

#endif
