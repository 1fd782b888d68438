/* mailbox_of - the mailbox of an address, for commands that work on its files without the running service. */
#ifndef RS_RESTANTED_MAILBOX_OF_H
#define RS_RESTANTED_MAILBOX_OF_H

#include "server/conf.h"
#include "server/mailbox.h"

/* The store's name for it (server/mailbox.h), owned by the caller. `delivery`: as mail is taken in, what stands
 * behind "+" need not be a folder's name, and a disabled user gets none. -RS_ENOENT: no such user. */
int mailbox_text_of(const struct rs_conf *conf, const char *address, bool delivery, char **out,
	struct rs_err *err) RS_MUST_USE;
/* Path, rules and, for user+folder, the folder. -RS_ENOENT: no such user. rs_mailbox_finish, also after
 * failure. */
int mailbox_of(const struct rs_conf *conf, const char *address, struct rs_mailbox *out,
	struct rs_err *err) RS_MUST_USE;

/* Path of the one folder that `address` means: the main one, or that of user+folder. Owned by the caller;
 * NULL: there is no such folder. */
char *mailbox_folder(const struct rs_mailbox *box);

/* All folders of the mailbox: the main one, then the others (char *, owned by the array). */
GPtrArray *mailbox_folders(const char *root);

/* Started as root: be who owns the mailbox from here on, so that nothing in it comes to belong to root, and no
 * link in it can make root write elsewhere. Where nobody but root does, or it is not there yet: be `user`
 * ([server] user), or with NULL who we are. */
int mailbox_become_owner(const char *root, const char *user, struct rs_err *err) RS_MUST_USE;

#endif
