/* library - the mail that is here: the Maildir folders of all accounts, as listings of messages.
 * Reads headers only, and of most messages only the date; an index will stand behind the same
 * calls (a listing is ids in order; words of a message are filled in when it is shown).
 *
 * A message has two names for people:
 *   number  its place in the listing printed last, from 1; kept in the data folder, so that
 *           mail arriving in between does not shift what "2" means
 *   id      8 letters made from the message's Maildir name; stays for ever, in any folder; letters
 *           only, so it is never taken for a number; a beginning of 4 or more is enough while unique
 * Thread: one owner. */
#ifndef RS_CLIENT_LIBRARY_H
#define RS_CLIENT_LIBRARY_H

#include <glib.h>

#include "base/err.h"
#include "client/account.h"

#define RS_ENTRY_ID_N   8u
#define RS_ENTRY_ID_MIN 4u

struct rs_entry {
	char id[RS_ENTRY_ID_N + 1];
	const char *folder; /* its name; borrowed from the library                     */
	guint folder_at;    /* which of the library's folders                          */
	char *file;         /* in new/ or cur/                                         */
	gint64 date_s;      /* Date, or time of arrival where that is missing or absurd */
	guint64 size;       /* octets in the file, 0 when the name does not tell       */
	bool in_new;
	bool unread;
	bool answered;
	bool flagged;
	/* After rs_library_fill: cleaned, one line each, never NULL. */
	char *from; /* name, or address where there is none */
	char *from_address;
	char *to;
	char *subject;
	char *message_id;
};

struct rs_library;

/* Lent until close. */
int rs_library_open(const struct rs_places *p, const GPtrArray *accounts, struct rs_library **out,
	struct rs_err *err) RS_MUST_USE;
void rs_library_close(struct rs_library **l);

/* Newest first; GPtrArray of struct rs_entry, owned. `folder` NULL: the inboxes of all accounts;
 * else the name or address of an account (its inbox), a folder below mail/, or a path.
 * -RS_ENOENT: no such folder; the inbox of an account that has fetched nothing yet is empty. */
int rs_library_list(
	struct rs_library *l, const char *folder, GPtrArray **out, struct rs_err *err) RS_MUST_USE;

/* Read the rest of its header. A message that is gone or cannot be read says so in its subject. */
void rs_library_fill(struct rs_library *l, struct rs_entry *e);

/* What numbers mean from now on. A cache: a failure to write is not one. */
void rs_library_remember(struct rs_library *l, const GPtrArray *entries);

/* By number or by (the beginning of) an id. *out owned: rs_entry_free. -RS_ENOENT, -RS_EINVAL
 * when several begin so, each with the cure. */
int rs_library_find(struct rs_library *l, const char *word, struct rs_entry **out,
	struct rs_err *err) RS_MUST_USE;
void rs_entry_free(struct rs_entry *e);

/* A descriptor of the message, owned by the caller, or a negative kind. */
int rs_library_read(struct rs_library *l, const struct rs_entry *e, struct rs_err *err);

/* It has been read: from new/ to cur/, flag S. Changes e->file. */
int rs_library_mark_read(struct rs_library *l, struct rs_entry *e, struct rs_err *err) RS_MUST_USE;

#endif
