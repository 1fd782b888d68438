/* mailbox - the store's name for a mailbox: what the auth role tells a store about where mail lies.
 * One text, so that no role between has to know what is in it:
 *   path of the mailbox folder, then for each rule of its owner LF "key=value" (maildir/rules.h), and
 *   for user+folder LF "folder=NAME". */
#ifndef RS_SERVER_MAILBOX_H
#define RS_SERVER_MAILBOX_H

#include "base/err.h"
#include "maildir/rules.h"
#include "server/userdb.h"

struct rs_mailbox {
	char *path;   /* of the mailbox folder (the account's)                  */
	char *folder; /* as the person named it, any case; NULL: the main one   */
	struct rs_rules rules;
};

/* The text for user `u`; `pattern` as rs_user_mailbox; `folder` NULL or "": the main folder. Owned by the caller. */
int rs_mailbox_text(const struct rs_user *u, const char *pattern, const char *folder, char **out,
	struct rs_err *err) RS_MUST_USE;

/* Taken apart again; rules start as `defaults`. -RS_EINVAL. rs_mailbox_finish, also after failure. */
int rs_mailbox_parse(const char *text, const struct rs_rules *defaults, struct rs_mailbox *out,
	struct rs_err *err) RS_MUST_USE;
void rs_mailbox_finish(struct rs_mailbox *m);

/* "anna+junk@example.org" -> "anna@example.org" and "junk". False, and nothing changed, where there is no
 * such part, or it cannot be a folder's name (then `folder` is "" and the name is changed where `any`). */
bool rs_user_name_split(char name[256], char folder[RS_FOLDER_NAME_MAX + 1], bool any);

/* Add a rule to a user's line: u->rules. NULL, or what is wrong with the value. */
const char *rs_user_rule_add(struct rs_user *u, const char *key, const char *value);

#endif
