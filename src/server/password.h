/* password - checking and making password fields: "{SCHEME}rest", without a scheme crypt(3).
 * Schemes: every one of crypt(3), {PLAIN}. */
#ifndef RS_SERVER_PASSWORD_H
#define RS_SERVER_PASSWORD_H

#include "base/err.h"
#include "base/slice.h"

/* A field whose scheme is one of ours; any other never matches, and is worth a line in the log. */
bool rs_password_known(const char *stored);
/* Does `given` match the stored field? Same time for any user of the same scheme; NULL stored: hashes
 * a dummy and says no. Blocks as long as the hash takes: worker thread. */
bool rs_password_check(const char *stored, struct rs_slice given);
/* The password itself, where it is stored as it is: borrowed from `stored`; else NULL. */
const char *rs_password_plain(const char *stored);
int rs_password_hash(struct rs_slice given, char **out, struct rs_err *err) RS_MUST_USE;

#endif
