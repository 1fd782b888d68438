/* user_app - app passwords: further passwords of a user, each with a name, each revoked by itself, so
 * that a lost telephone costs its own password only. They are made by us, 20 characters by chance (99
 * bits): too many to be guessed, so a quick digest is enough, and trying them costs a no nothing.
 *
 * In the passwd-file each is a key of its user's line (Dovecot passes over keys that it does not know):
 *   app=NAME,YYYY-MM-DD,{SHA256}base64 */
#ifndef RS_SERVER_USER_APP_H
#define RS_SERVER_USER_APP_H

#include <glib.h>

#include "base/err.h"
#include "base/slice.h"

#define RS_APP_NAME_MAX  32u
#define RS_APPS_MAX      32u /* of one user */
#define RS_APP_SHOWN_MAX 24u /* "abcde-fghij-klmno-pqrst" */

/* Letters, digits, - _ and . */
bool rs_app_name_ok(const char *name);

/* Is `text` (what stands behind app=) in order? NULL, or what is wrong with it. */
const char *rs_app_wrong(const char *text);
/* Its name into `out`; *created is borrowed from `text`, 10 characters. */
void rs_app_names(const char *text, char name[RS_APP_NAME_MAX + 1], const char **created);

/* Which of `apps` (NULL or ended by NULL) has this password? Its text; NULL: none. Blanks, hyphens and
 * upper case in what was given do not matter. Costs microseconds. */
const char *rs_app_find(char *const *apps, struct rs_slice given);

/* A new one. `today`: YYYY-MM-DD. *text: owned. `shown`: the password as it is told to its user; wipe it. */
int rs_app_make(const char *name, const char *today, char **text, char shown[RS_APP_SHOWN_MAX + 1],
	struct rs_err *err) RS_MUST_USE;

#endif
