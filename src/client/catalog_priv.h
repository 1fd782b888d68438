/* catalog_priv.h - what the files of the catalog share. Nobody else includes it. */
#ifndef RS_CLIENT_CATALOG_PRIV_H
#define RS_CLIENT_CATALOG_PRIV_H

#include <sqlite3.h>

#include "client/catalog.h"

#define CATALOG_ID_BITS 20

enum catalog_statement {
	FOLDER_GET,
	FOLDER_ADD,
	FOLDER_TIMES,
	FOLDER_LIST,
	FOLDER_DROP,
	ROWS,
	ROW,
	ROW_ADD,
	ROW_FILE,
	ROW_DROP,
	ID_MAX,
	TEXT_ADD,
	TEXT_GET,
	TEXT_DROP,
	FTS_ADD,
	FTS_DROP,
	KNOWN_GET,
	KNOWN_PUT,
	KNOWN_MERGE,
	THREAD_MERGE,
	THREAD_N,
	SAME_SUBJECT,
	COUNT,
	CATALOG_STATEMENT_N
};

struct rs_catalog {
	sqlite3 *db;
	char *file; /* NULL: in memory */
	guint64 inode;
	int lock; /* of index.lock while syncing, -1 */
	sqlite3_stmt *statements[CATALOG_STATEMENT_N];
	GConverter *deflate;
	GConverter *inflate;
};

/* One message as it was read, before it is in. */
struct catalog_fresh {
	gint64 id; /* after catalog_add */
	gint64 folder;
	char *uniq; /* what it is known by in its folder */
	char *file;
	guint flags;
	guint64 size;
	gint64 date_s;
	char *from;
	char *address;
	char *to;
	char *cc;
	char *subject;
	char *message_id;
	char *references; /* and In-Reply-To */
	char *body;
	char *files; /* names of attachments, a line each */
	guint attached;
};

int catalog_fail(struct rs_catalog *c, struct rs_err *err);
sqlite3_stmt *catalog_statement(struct rs_catalog *c, enum catalog_statement which);
int catalog_done(struct rs_catalog *c, sqlite3_stmt *s, struct rs_err *err) RS_MUST_USE;
int catalog_exec(struct rs_catalog *c, const char *sql, struct rs_err *err) RS_MUST_USE;
int catalog_begin(struct rs_catalog *c, struct rs_err *err) RS_MUST_USE;
/* COMMIT, or ROLLBACK when rc < 0; returns rc or what COMMIT says. */
int catalog_end(struct rs_catalog *c, int rc, struct rs_err *err) RS_MUST_USE;
/* Throw the file away and make an empty one. */
int catalog_renew(struct rs_catalog *c, struct rs_err *err) RS_MUST_USE;
/* Is the file the one that was opened? If not, open what is there. */
int catalog_follow(struct rs_catalog *c, struct rs_err *err) RS_MUST_USE;

static inline void catalog_bind(sqlite3_stmt *s, int at, const char *text)
{
	sqlite3_bind_text(s, at, text, -1, SQLITE_STATIC);
}

/* Reads the message `fd`. Pure of the database; any thread. */
void catalog_read(int fd, struct catalog_fresh *f);
void catalog_fresh_finish(struct catalog_fresh *f);
gsize catalog_fresh_octets(const struct catalog_fresh *f);
/* Put it in, between begin and commit, best in order of dates: its row, and (f->id known) its words. Rows of a
 * batch go first: a statement that may have to be undone alone, as threads need them, makes FTS5 write out what it
 * has gathered. */
int catalog_add(struct rs_catalog *c, struct catalog_fresh *f, struct rs_err *err) RS_MUST_USE;
int catalog_add_words(
	struct rs_catalog *c, const struct catalog_fresh *f, struct rs_err *err) RS_MUST_USE;
/* The thread it belongs to: a known one (several become one), or a new one. */
int catalog_thread(struct rs_catalog *c, const struct catalog_fresh *f, gint64 id, gint64 *thread,
	struct rs_err *err) RS_MUST_USE;
/* Of the subject without Re:, Fwd: …; 0: too short to tell. *reply: it had such. */
gint64 catalog_subject_hash(const char *subject, bool *reply);

#endif
