/* catalog - the index of all mail that is here: index.db beside the ledger, one SQLite file with a row a message
 * and FTS5 over its words. It holds nothing that cannot be read off the folders: throw it away and
 * the next look builds it again; a damaged one, or one of another version, is thrown away by itself.
 *
 *   folder   a row a folder, with the times of new/ and cur/ when it was last listed
 *   message  a row a message; its id is <date in s> << 20 | counter, so order of ids is order of dates, and
 *            FTS5 gives newest first without sorting
 *   text     the words of a message, deflated; FTS5 (contentless) wants them back to forget a message
 *   known    Message-IDs seen or referred to (64 bits of SHA-256) -> thread
 *
 * Facts: rows are those of the last sync; a folder whose times did not change since, and were 2 s old then, has
 * not changed. A message keeps its row while it is renamed (flags) or moved, whoever does it.
 * Two programs at a time: WAL, readers never wait; who syncs holds a lock on index.lock, the other
 * waits for it up to 30 s and then goes on with what is there.
 * Limits: RS_CATALOG_TEXT_MAX octets of text of a message are found again; 33 references of a message are
 * looked at. Thread: one owner a handle; as many handles as one likes. */
#ifndef RS_CLIENT_CATALOG_H
#define RS_CLIENT_CATALOG_H

#include <gio/gio.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/slice.h"
#include "client/folders.h"

#define RS_CATALOG_TEXT_MAX (256u * 1024)
#define RS_CODE_N           8u

enum rs_flag { /* of the file name, and where the file lies */
	RS_FLAG_DRAFT = 1,
	RS_FLAG_FLAGGED = 2,
	RS_FLAG_PASSED = 4,
	RS_FLAG_ANSWERED = 8,
	RS_FLAG_SEEN = 16,
	RS_FLAG_TRASHED = 32,
	RS_FLAG_NEW = 64 /* in new/ */
};

struct rs_catalog;

/* `file` NULL: in memory. A file that cannot be used (read-only, full disk) becomes one in memory: mail
 * can be read then, only slower. */
int rs_catalog_open(const char *file, struct rs_catalog **out, struct rs_err *err) RS_MUST_USE;
void rs_catalog_close(struct rs_catalog **c);
/* Throw all of it away. */
int rs_catalog_clear(struct rs_catalog *c, struct rs_err *err) RS_MUST_USE;

/* --- bringing it up to date ------------------------------------------------------------------- */

/* `done` of `of` messages to be read are in; called now and then when there is more than a little to do. */
typedef void (*rs_catalog_progress)(void *arg, guint done, guint of);

struct rs_catalog_changes {
	guint added;
	guint changed; /* flags, or moved */
	guint removed;
};

/* Fills in `row` of each folder. Folders that are not there are empty; one that cannot be read keeps its rows, and
 * so do those that are not among `folders`, unless they are gone. -RS_ETEMP when cancelled: what was
 * done stays. */
struct rs_catalog_sync {
	rs_catalog_progress progress; /* or NULL */
	void *arg;
	GCancellable *cancel; /* or NULL */
};
int rs_catalog_sync(struct rs_catalog *c, const GPtrArray *folders,
	const struct rs_catalog_sync *how, struct rs_catalog_changes *changes,
	struct rs_err *err) RS_MUST_USE;

/* Eight letters made from the unique part of a Maildir name. */
void rs_catalog_code(struct rs_slice unique, char code[RS_CODE_N + 1]);

/* --- asking ------------------------------------------------------------------------------------- */

struct rs_catalog_row {
	gint64 id;
	gint64 folder;
	char code[RS_CODE_N + 1];
	char *file;
	guint flags;
	guint64 size;
	gint64 date_s;
	char *from; /* these are never NULL, one line, cleaned */
	char *address;
	char *to;
	char *subject;
	char *message_id;
	char *snippet;
	gint64 thread;
	guint attached; /* number of attachments */
};
void rs_catalog_row_free(struct rs_catalog_row *r);

/* Ids, newest first, gint64, owned. `where` is SQL over message m of our own making, with ?1 … bound from `args`
 * (char *); `match` NULL, or an FTS5 expression that must fit, too. limit 0: all. */
int rs_catalog_ids(struct rs_catalog *c, const char *match, const char *where,
	const GPtrArray *args, guint limit, GArray **out, struct rs_err *err) RS_MUST_USE;
/* -RS_ENOENT. *out owned. */
int rs_catalog_get(struct rs_catalog *c, gint64 id, struct rs_catalog_row **out,
	struct rs_err *err) RS_MUST_USE;
int rs_catalog_count(struct rs_catalog *c, gint64 folder, guint *total, guint *unread,
	struct rs_err *err) RS_MUST_USE;
/* The newest id of each thread that has a message in `where`. */
int rs_catalog_threads(
	struct rs_catalog *c, const char *where, GArray **out, struct rs_err *err) RS_MUST_USE;
int rs_catalog_thread_n(
	struct rs_catalog *c, gint64 thread, guint *n, struct rs_err *err) RS_MUST_USE;

/* What we did to a file ourselves, so that no listing has to find it out: it is now `file` in `folder`. */
int rs_catalog_moved(struct rs_catalog *c, gint64 id, gint64 folder, const char *file, bool in_new,
	struct rs_err *err) RS_MUST_USE;
int rs_catalog_removed(struct rs_catalog *c, gint64 id, struct rs_err *err) RS_MUST_USE;

guint rs_flags_of(const char *file, bool in_new);

#endif
