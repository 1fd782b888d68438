/* library - the mail that is here, as a person sees it: folders (folders.h), listings, threads, search, marks, moves.
 * Behind it is the catalog (catalog.h); the Maildirs are the truth, and whatever another program did to them is
 * noticed by the next call that lists. A listing is rows in order; words of a message are filled in
 * when it is shown.
 *
 * A message has two names for people:
 *   number  its place in the listing printed last, from 1; kept in the data folder, so that
 *           mail arriving in between does not shift what "2" means
 *   id      8 letters made from the message's Maildir name; stays for ever, in any folder; letters
 *           only, so it is never taken for a number; a beginning of 4 or more is enough while unique
 * Thread: one owner a handle; a window has one more on its worker thread. */
#ifndef RS_CLIENT_LIBRARY_H
#define RS_CLIENT_LIBRARY_H

#include <gio/gio.h>

#include "base/err.h"
#include "client/account.h"
#include "client/catalog.h"
#include "client/folders.h"

#define RS_ENTRY_ID_N   RS_CODE_N
#define RS_ENTRY_ID_MIN 4u

struct rs_entry {
	gint64 row;    /* of the catalog: the same until the index is made anew */
	gint64 date_s; /* Date, or time of arrival where that is missing or absurd */
	/* After rs_library_fill. */
	bool filled;
	char id[RS_ENTRY_ID_N + 1];
	const struct rs_folder *folder; /* borrowed from the library until the next listing */
	char *file;                     /* in new/ or cur/ */
	guint64 size;                   /* octets in the file */
	bool in_new;
	bool unread;
	bool answered;
	bool flagged;
	bool forwarded;
	bool draft;
	guint attached; /* number of attachments */
	gint64 thread;
	/* Cleaned, one line each, never NULL. */
	char *from; /* name, or address where there is none */
	char *from_address;
	char *to;
	char *subject;
	char *message_id;
	char *snippet; /* how its text begins */
};

struct rs_library;

/* Lent until close. */
int rs_library_open(const struct rs_places *p, const GPtrArray *accounts, struct rs_library **out,
	struct rs_err *err) RS_MUST_USE;
void rs_library_close(struct rs_library **l);

/* Called while the index takes in more than a little (rs_catalog_progress). Stops where `cancel` says. */
void rs_library_on_progress(
	struct rs_library *l, rs_catalog_progress progress, void *arg, GCancellable *cancel);
/* Called after each look or change of ours that found or made a difference; listings are old then. */
typedef void (*rs_library_changed)(void *arg, const struct rs_catalog_changes *changes);
void rs_library_on_change(struct rs_library *l, rs_library_changed changed, void *arg);

/* Look at the folders now. All below do, too. */
int rs_library_look(struct rs_library *l, struct rs_err *err) RS_MUST_USE;
/* Make the index anew. *changes->added: messages in it. */
int rs_library_rebuild(
	struct rs_library *l, struct rs_catalog_changes *changes, struct rs_err *err) RS_MUST_USE;

/* All folders with their counts, borrowed until the next call. */
int rs_library_folders(struct rs_library *l, const GPtrArray **out, struct rs_err *err) RS_MUST_USE;
/* What a person calls it; NULL. */
const struct rs_folder *rs_library_folder(struct rs_library *l, const char *name);

/* --- listings: GPtrArray of struct rs_entry, owned, newest first -------------------------------- */

struct rs_list_how {
	const char
		*folder; /* NULL: the inboxes of all accounts; else an account (name or address), a
			       folder by name, or the path of a Maildir */
	bool unread;     /* only those */
	bool threads;    /* only the newest of each thread */
	guint limit;     /* 0: all */
};
/* -RS_ENOENT: no such folder; the inbox of an account that has fetched nothing yet is empty. */
int rs_library_list(struct rs_library *l, const struct rs_list_how *how, GPtrArray **out,
	struct rs_err *err) RS_MUST_USE;
/* A query (query.h). -RS_EINVAL: not understood. */
int rs_library_search(struct rs_library *l, const char *query, guint limit, GPtrArray **out,
	struct rs_err *err) RS_MUST_USE;
/* The thread of a filled entry, oldest first, over all folders. */
int rs_library_thread(struct rs_library *l, const struct rs_entry *e, GPtrArray **out,
	struct rs_err *err) RS_MUST_USE;
guint rs_library_thread_n(struct rs_library *l, const struct rs_entry *e);

/* What is known of it. A message that is gone says so in its subject. */
void rs_library_fill(struct rs_library *l, struct rs_entry *e);
void rs_entry_free(struct rs_entry *e);

/* What numbers mean from now on (fills). A cache: a failure to write is not one. */
void rs_library_remember(struct rs_library *l, const GPtrArray *entries);

/* By number or by (the beginning of) an id. *out owned, filled. -RS_ENOENT, -RS_EINVAL
 * when several begin so, each with the cure. */
int rs_library_find(struct rs_library *l, const char *word, struct rs_entry **out,
	struct rs_err *err) RS_MUST_USE;
/* Several: "3", "2-7", "1,4-6", ids; each once. */
int rs_library_find_all(
	struct rs_library *l, char *const *words, GPtrArray **out, struct rs_err *err) RS_MUST_USE;

/* A descriptor of the message, owned by the caller, or a negative kind. */
int rs_library_read(struct rs_library *l, const struct rs_entry *e, struct rs_err *err);

/* --- changes: of filled entries, which are changed with them ------------------------------------- */

/* Flags D F P R S; what is in new/ comes to cur/. */
int rs_library_mark(struct rs_library *l, GPtrArray *entries, guint set, guint clear,
	struct rs_err *err) RS_MUST_USE;
int rs_library_mark_read(struct rs_library *l, struct rs_entry *e, struct rs_err *err) RS_MUST_USE;
/* Durable when it returns. Only into folders of the library. */
int rs_library_move(struct rs_library *l, GPtrArray *entries, const struct rs_folder *to,
	struct rs_err *err) RS_MUST_USE;
/* To Trash; what is there already, or with `for_good`, is gone for good. *gone: how many of these. For an
 * account that leaves mail on the server until it is deleted here, mail in Trash is not deleted yet. */
int rs_library_delete(struct rs_library *l, GPtrArray *entries, bool for_good, guint *gone,
	struct rs_err *err) RS_MUST_USE;
/* Take back the last mark, move or deletion to Trash, also that of an earlier run. *n messages are as they were.
 * -RS_ENOENT: there is nothing to take back. */
int rs_library_undo(struct rs_library *l, guint *n, struct rs_err *err) RS_MUST_USE;

#endif
