/* secret_store - passwords (and later tokens) of accounts, kept outside the configuration.
 * Form: the desktop's secret service where there is one (secret_service.h); else one file a secret,
 * <data folder>/secrets/<ACCOUNT>.<WHAT>, mode 0600 in a folder of mode 0700, replaced atomically. What one does
 * not have is looked for in the other.
 * Errors: -RS_ENOENT not stored; -RS_ECONFIG others can read the file; -RS_EIO, -RS_EROFS ... */
#ifndef RS_CLIENT_SECRET_STORE_H
#define RS_CLIENT_SECRET_STORE_H

#include "base/err.h"
#include "base/secret.h"
#include "client/account.h"

#define RS_SECRET_PASSWORD "password"
#define RS_SECRET_OAUTH    "oauth"
#define RS_SECRET_MAX      65536u /* octets: room for tokens */

int rs_secret_store_get(const struct rs_places *p, const char *account, const char *what,
	struct rs_secret **out, struct rs_err *err) RS_MUST_USE;
int rs_secret_store_put(const struct rs_places *p, const char *account, const char *what,
	const struct rs_secret *secret, struct rs_err *err) RS_MUST_USE;
/* All secrets of the account; none is fine. */
/* Where it is, for people: words, or the path of its file. g_free it. */
char *rs_secret_store_where(const struct rs_places *p, const char *account, const char *what);

int rs_secret_store_forget(
	const struct rs_places *p, const char *account, struct rs_err *err) RS_MUST_USE;

#endif
