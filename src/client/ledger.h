/* ledger - what is known of the messages of each account: one SQLite file, one row a message.
 *
 * States of a row and who moves it (fetch):
 *   (none) --storing--> STORING --stored--> STORED --deleting--> DELETING --gone--> gone_s set
 *     |--failed--> FAILED --storing--> …       |--skipped--> SKIPPED --wanted--> WANTED --storing--> …
 *   STORING  where it goes is decided and recorded; it may or may not be there yet
 *   STORED   the message is durable here
 *   DELETING DELE was sent or is about to be; the server may or may not have done it
 *   FAILED   the server would not give it, or the target would not take it: asked for again at next_s
 *   SKIPPED  too large for this account's limit: left on the server
 *   WANTED   the person asked for one that was skipped
 *   gone_s   when it was first missing from a whole listing, or QUIT confirmed its deletion; such a row
 *            is kept RS_LEDGER_KEEP_S, so that a server that forgets a message for a day does not send
 *            it twice
 *   missed_s when a check first did not find it here any more (policies until-deleted, until-moved)
 * Facts: a row is STORED only after the message was made durable; DELE is sent only for
 * STORED rows that are not held; STORING rows are settled at the start of each run by looking. A message
 * is known by account, UID and occurrence (the same UID may stand twice in one
 * listing, RFC 1939 section 7); its digest (digest.h) tells it when the UID does not.
 *
 * Every change happens between rs_ledger_begin and rs_ledger_commit; after commit it survives a
 * power cut. Thread: one owner at a time. */
#ifndef RS_CLIENT_LEDGER_H
#define RS_CLIENT_LEDGER_H

#include <glib.h>

#include "base/err.h"
#include "base/slice.h"
#include "client/digest.h"

#define RS_LEDGER_KEEP_S (60 * 86400) /* a row that is gone is remembered so long */

enum rs_ledger_state {
	RS_LEDGER_STORING = 1,
	RS_LEDGER_STORED,
	RS_LEDGER_DELETING,
	RS_LEDGER_FAILED,
	RS_LEDGER_SKIPPED,
	RS_LEDGER_WANTED
};

/* What became of it here: filled in for policies that ask (fetch_here.c). */
enum rs_here { RS_HERE_NOT_ASKED, RS_HERE_INBOX, RS_HERE_ELSEWHERE, RS_HERE_NOWHERE };

/* A row as the plan needs it. A million of them are in memory at a time: keep it small. */
struct rs_ledger_row {
	gint64 id;
	const uint8_t *uid_p; /* borrowed from the table */
	guint64 size;         /* octets as the server claimed, UINT64_MAX: not known */
	guint32 stored_s;     /* by our clock, never before that of an earlier check */
	guint32 gone_s;       /* 0: on the server as far as we know */
	guint32 missed_s;     /* 0: it is here as far as we know */
	guint32 next_s;       /* FAILED: not before */
	guint32 occurrence;   /* 0 for the first with that UID */
	guint16 uid_n;
	guint8 tries;     /* FAILED */
	guint8 state : 3; /* enum rs_ledger_state */
	guint8 hold : 1;  /* the body looked cut short: never delete it on the server */
	guint8 here : 2;  /* enum rs_here */
	guint8 seen : 1;  /* for the plan: in the listing at hand */
};

static inline struct rs_slice rs_ledger_uid(const struct rs_ledger_row *row)
{
	return rs_slice(row->uid_p, row->uid_n);
}

struct rs_ledger;

/* All rows of one account, sorted by UID and occurrence. */
struct rs_ledger_table {
	GArray *rows; /* struct rs_ledger_row */
	GStringChunk *uids;
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

/* Order of the table: octets of the UID, then its length, then the occurrence. */
int rs_ledger_compare(
	struct rs_slice a_uid, guint32 a_occurrence, struct rs_slice b_uid, guint32 b_occurrence);

/* Rows of one account with their file names; `pending`: only those in STORING. */
struct rs_ledger_file {
	gint64 id;
	char *file;
	struct rs_digest digest;
};
int rs_ledger_files(struct rs_ledger *l, const char *account, bool pending, GArray **out,
	struct rs_err *err) RS_MUST_USE; /* struct rs_ledger_file, frees its rows */
int rs_ledger_digest(
	struct rs_ledger *l, gint64 id, struct rs_digest *out, struct rs_err *err) RS_MUST_USE;

/* --- changes, between begin and commit ------------------------------------------------------- */

int rs_ledger_begin(struct rs_ledger *l, struct rs_err *err) RS_MUST_USE;
int rs_ledger_commit(struct rs_ledger *l, struct rs_err *err) RS_MUST_USE;
void rs_ledger_rollback(struct rs_ledger *l);

struct rs_ledger_new {
	gint64 id; /* 0: a new row; else that row (FAILED, SKIPPED, WANTED) becomes STORING */
	struct rs_slice uid;
	guint32 occurrence;
	guint64 size;
	gboolean hold;
	guint32 stored_s;
	struct rs_digest digest;
	const char *file; /* name in the folder, or what the target knows it by */
};

/* Row in STORING; *id. */
int rs_ledger_storing(struct rs_ledger *l, const char *account, const struct rs_ledger_new *n,
	gint64 *id, struct rs_err *err) RS_MUST_USE;
/* A row STORED for a message that another program has fetched, at `stored_s`: no file of ours, size not known. A row that
 * is there stays as it is: *added false. */
int rs_ledger_fetched_before(struct rs_ledger *l, const char *account, struct rs_slice uid,
	guint32 stored_s, bool *added, struct rs_err *err) RS_MUST_USE;
/* Row in FAILED (again) or SKIPPED; n->id 0: a new one. `note`: why, for people. */
int rs_ledger_not_stored(struct rs_ledger *l, const char *account, const struct rs_ledger_new *n,
	enum rs_ledger_state state, const char *note, guint32 next_s,
	struct rs_err *err) RS_MUST_USE;
int rs_ledger_state(
	struct rs_ledger *l, gint64 id, enum rs_ledger_state state, struct rs_err *err) RS_MUST_USE;
int rs_ledger_gone(struct rs_ledger *l, gint64 id, gint64 gone_s, struct rs_err *err) RS_MUST_USE;
int rs_ledger_missed(
	struct rs_ledger *l, gint64 id, gint64 missed_s, struct rs_err *err) RS_MUST_USE;
int rs_ledger_forget(struct rs_ledger *l, gint64 id, struct rs_err *err) RS_MUST_USE;
/* The message of that row is now called `uid`, occurrence `n`, and has `size`; it is there. */
int rs_ledger_rename(struct rs_ledger *l, gint64 id, struct rs_slice uid, guint32 n, guint64 size,
	struct rs_err *err) RS_MUST_USE;
/* Its UID belongs to another message from now on; the row stays for its file and digest. */
int rs_ledger_retire(struct rs_ledger *l, gint64 id, gint64 gone_s, struct rs_err *err) RS_MUST_USE;

/* --- whole accounts, between begin and commit -------------------------------------------------- */

/* All that is known under the key `from` is known under `to`, too: the same mailbox, reached in another way. */
int rs_ledger_carry(
	struct rs_ledger *l, const char *from, const char *to, struct rs_err *err) RS_MUST_USE;
/* Nothing is known of it any more. */
int rs_ledger_drop(struct rs_ledger *l, const char *account, struct rs_err *err) RS_MUST_USE;
/* Rows of it; no transaction is needed. */
int rs_ledger_count(
	struct rs_ledger *l, const char *account, guint64 *out, struct rs_err *err) RS_MUST_USE;

/* --- what is known of accounts and hosts ------------------------------------------------------ */

/* What the ledger knows messages by, beside their UIDs: the account and the mailbox it stands for. An account that is
 * pointed at another mailbox must not take that one's UIDs for known. g_free it. */
struct rs_account;
char *rs_ledger_key(const struct rs_account *a);

struct rs_ledger_account {
	char *policy;     /* by which the last whole check went; NULL: none has */
	char *marker;     /* what the file restante-id of its folder says; NULL: none yet */
	guint32 caps;     /* RS_CAP_* after the login, 0: not known */
	gint64 caps_s;    /* when that was asked for last */
	gint64 checked_s; /* end of the last whole check, 0: none */
	gint64 listed_s;  /* when all sizes were asked for last */
	gint64 slow_s;    /* it could not do what it announces: nothing in one flight until then */
};
int rs_ledger_account_get(struct rs_ledger *l, const char *account, struct rs_ledger_account *out,
	struct rs_err *err) RS_MUST_USE;
int rs_ledger_account_put(struct rs_ledger *l, const char *account,
	const struct rs_ledger_account *a, struct rs_err *err) RS_MUST_USE;
void rs_ledger_account_finish(struct rs_ledger_account *a);

/* Who asked us to wait: key is "user@host". until_s 0: nobody. */
struct rs_ledger_wait {
	gint64 until_s;
	guint32 tries;
};
int rs_ledger_wait_get(struct rs_ledger *l, const char *key, struct rs_ledger_wait *out,
	struct rs_err *err) RS_MUST_USE;
int rs_ledger_wait_put(struct rs_ledger *l, const char *key, const struct rs_ledger_wait *w,
	struct rs_err *err) RS_MUST_USE;

/* Messages that are not here and why, of one account or (NULL) all: for people. */
struct rs_ledger_problem {
	gint64 id;
	char *account; /* key */
	char *uid;     /* made valid UTF-8 */
	enum rs_ledger_state state;
	guint64 size;
	guint32 tries;
	gint64 next_s;
	char *note;
};
int rs_ledger_problems(struct rs_ledger *l, const char *account, GPtrArray **out,
	struct rs_err *err) RS_MUST_USE; /* frees its rows */

#endif
