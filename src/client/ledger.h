/* ledger - what is known of the messages of each account: one SQLite file, one row a message.
 *
 * States of a row and who moves it (fetch):
 *   (none) --storing--> STORING --stored--> STORED --deleting--> DELETING --gone--> gone_s set
 *   STORING  the file name is decided and recorded; the file may or may not be there yet
 *   STORED   the message is durable in the mailbox
 *   DELETING DELE was sent or is about to be; the server may or may not have done it
 *   gone_s   when it was first missing from a whole listing, or QUIT confirmed its deletion; such a row
 *            is kept RS_LEDGER_KEEP_S, so that a server that forgets a message for a day does not send
 *            it twice
 * Facts: a row is STORED only after the file and its folder were made durable; DELE is sent only for
 * STORED rows that are not held; STORING rows are settled at the start of each run by looking for
 * the file. A message is known by account, UID and occurrence (the same UID may stand twice in one
 * listing, RFC 1939 section 7).
 *
 * Every change happens between rs_ledger_begin and rs_ledger_commit; after commit it survives a
 * power cut. Thread: one owner. */
#ifndef RS_CLIENT_LEDGER_H
#define RS_CLIENT_LEDGER_H

#include <glib.h>

#include "base/err.h"
#include "base/slice.h"

#define RS_LEDGER_KEEP_S (60 * 86400) /* a row that is gone is remembered so long */

enum rs_ledger_state { RS_LEDGER_STORING = 1, RS_LEDGER_STORED, RS_LEDGER_DELETING };

struct rs_ledger_row {
	gint64 id;
	struct rs_slice uid; /* borrowed from the table */
	guint32 occurrence;  /* 0 for the first with that UID */
	enum rs_ledger_state state;
	gboolean hold; /* the body looked cut short: never delete it on the server */
	guint64 size;  /* octets as the server claimed, UINT64_MAX: not known */
	gint64 gone_s; /* 0: on the server as far as we know */
	gboolean seen; /* for the plan: in the listing at hand */
};

struct rs_ledger;

/* All rows of one account, for looking up. */
struct rs_ledger_table {
	GArray *rows; /* struct rs_ledger_row */
	GStringChunk *uids;
	GHashTable *by_uid; /* key: row with uid and occurrence -> its number + 1 */
};

/* -RS_ECORRUPT: not a ledger, or damaged (nothing is fetched then: better late than twice);
 * -RS_ECONFIG: written by a newer version; -RS_EIO, -RS_EROFS, -RS_ENOSPC. */
int rs_ledger_open(const char *file, struct rs_ledger **out, struct rs_err *err) RS_MUST_USE;
void rs_ledger_close(struct rs_ledger **l);

int rs_ledger_load(struct rs_ledger *l, const char *account, struct rs_ledger_table *out,
	struct rs_err *err) RS_MUST_USE;
void rs_ledger_table_finish(struct rs_ledger_table *t);
struct rs_ledger_row *rs_ledger_find(
	const struct rs_ledger_table *t, struct rs_slice uid, guint32 occurrence);

/* Rows in STORING of one account: id and file name, for settling. */
struct rs_ledger_pending {
	gint64 id;
	char *file;
};
int rs_ledger_pending(struct rs_ledger *l, const char *account, GArray **out,
	struct rs_err *err) RS_MUST_USE; /* struct rs_ledger_pending, frees its rows */

int rs_ledger_begin(struct rs_ledger *l, struct rs_err *err) RS_MUST_USE;
int rs_ledger_commit(struct rs_ledger *l, struct rs_err *err) RS_MUST_USE;
void rs_ledger_rollback(struct rs_ledger *l);

/* A new row in STORING; *id. */
int rs_ledger_storing(struct rs_ledger *l, const char *account, const struct rs_ledger_row *row,
	const char *file, gint64 *id, struct rs_err *err) RS_MUST_USE;
int rs_ledger_state(
	struct rs_ledger *l, gint64 id, enum rs_ledger_state state, struct rs_err *err) RS_MUST_USE;
int rs_ledger_gone(struct rs_ledger *l, gint64 id, gint64 gone_s, struct rs_err *err) RS_MUST_USE;
int rs_ledger_forget(struct rs_ledger *l, gint64 id, struct rs_err *err) RS_MUST_USE;

#endif
