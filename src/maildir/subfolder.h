/* subfolder - the folders of a mailbox beside its main one: Maildir++, a folder ".Name" in the mailbox
 * folder that is a Maildir itself; what is in a folder is named with dots (".Archive.2024"). */
#ifndef RS_MAILDIR_SUBFOLDER_H
#define RS_MAILDIR_SUBFOLDER_H

#include "maildir/maildir.h"
#include "maildir/rules.h"

/* Path of the folder that a person calls `name` (any ASCII case; the exact spelling wins), owned by the
 * caller; NULL when there is none. */
char *rs_subfolder_find(const char *root, const char *name);

/* Path that a new folder `name` has. Owned by the caller. */
char *rs_subfolder_path(const char *root, const char *name);

/* Make it, durable, with the file `maildirfolder` that tells others it is one. One that is there is fine. */
int rs_subfolder_make(
	const struct rs_fs *fs, const char *root, const char *name, struct rs_err *err) RS_MUST_USE;

/* Where mail for user+`name` goes: that folder where it is, or where it is the junk folder of `r` (made with
 * its first message); else the main one, because anybody can write an address. `name` NULL: main.
 * Owned by the caller. */
char *rs_subfolder_for_delivery(const char *root, const char *name, const struct rs_rules *r);

/* What the session of user+`name` opens: the folder; one that is not there is an empty maildrop, and so is
 * hidden junk. `name` NULL: main. Owned by the caller; NULL: show an empty maildrop. */
char *rs_subfolder_for_session(const char *root, const char *name, const struct rs_rules *r);

#endif
