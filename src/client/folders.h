/* folders - where mail folders lie, and what they are called.
 * Each is a Maildir below mail/ that other programs may share (Dovecot: LAYOUT=fs; mutt, mbsync, mu: as it is):
 *   mail/NAME                            the inbox of account NAME (or where its maildir = says)
 *   mail/Archive, Sent, Drafts, Outbox, Trash, Junk   of all accounts together
 *   mail/Lists/Linux                     own ones, nested; a folder may hold mail, folders, or both
 * Folders that another program made in the Maildir++ manner (mail/NAME/.Lists.Linux) are found too, as
 * NAME/Lists/Linux; none is made so.
 * Limits: RS_FOLDERS_DEPTH_MAX levels, RS_FOLDERS_MAX folders; symbolic links are not followed. */
#ifndef RS_CLIENT_FOLDERS_H
#define RS_CLIENT_FOLDERS_H

#include <glib.h>
#include <stdbool.h>

#include "base/err.h"
#include "client/account.h"

#define RS_FOLDERS_DEPTH_MAX 8
#define RS_FOLDERS_MAX       4096u
#define RS_FOLDER_NAME_MAX   200u /* octets, of all levels together */

enum rs_folder_role {
	RS_FOLDER_INBOX,
	RS_FOLDER_ARCHIVE,
	RS_FOLDER_SENT,
	RS_FOLDER_DRAFTS,
	RS_FOLDER_OUTBOX,
	RS_FOLDER_TRASH,
	RS_FOLDER_JUNK,
	RS_FOLDER_OWN
};

struct rs_folder {
	char *name; /* cleaned: an account, "Sent", "Lists/Linux" */
	char *path; /* absolute                                   */
	enum rs_folder_role role;
	bool by_path; /* not found here, but named by its path     */
	gint64 row;   /* of the catalog, 0 before it is known there  */
	/* After rs_library_folders. */
	guint total;
	guint unread;
};

void rs_folder_free(struct rs_folder *f);

/* "Archive"; NULL for inboxes and own folders. Shown translated, stored and typed like this. */
const char *rs_folder_role_name(enum rs_folder_role role);
/* Where the folder of that role lies, made or not; owned. Not for inboxes and own folders. */
char *rs_folder_role_path(const struct rs_places *p, enum rs_folder_role role);

/* Inboxes in the order of `accounts`, then the six, then own ones by name; those that were not made yet
 * too, except own ones. GPtrArray of struct rs_folder, owned. */
GPtrArray *rs_folders_find(const struct rs_places *p, const GPtrArray *accounts);

/* The one that a person calls `name` (also the address of an account; the six in any case of letters);
 * NULL. Borrowed. */
struct rs_folder *rs_folders_named(
	const GPtrArray *folders, const GPtrArray *accounts, const char *name);

/* --- own folders ----------------------------------------------------------------------------- */

/* -RS_EINVAL: that cannot be a name; the text says why. -RS_EEXIST. */
int rs_folder_make(const struct rs_places *p, const char *name, struct rs_err *err) RS_MUST_USE;
/* With all in it. Only own folders. */
int rs_folder_rename(const struct rs_places *p, const struct rs_folder *f, const char *name,
	struct rs_err *err) RS_MUST_USE;
/* Only an own one without mail and folders in it: -RS_EBUSY else. */
int rs_folder_remove(const struct rs_folder *f, struct rs_err *err) RS_MUST_USE;

#endif
