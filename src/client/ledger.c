/* ledger.c - see ledger.h. SQLite with a write-ahead log where the file system can (one sync a commit), else
 * a rollback journal; synchronous=EXTRA: what was committed stays committed. Batches make that
 * cheap. Accounts and hosts: ledger_account.c. */
#include "client/ledger_priv.h"

#include <errno.h>
#include <string.h>

#include "client/text.h"

#define VERSION 2
#define BUSY_MS 30000

static const char *const sql[RS_LEDGER_STATEMENT_N] = {
	[INSERT] = "INSERT INTO message (account, uid, occurrence, state, hold, size, file, "
		   "gone_s, stored_s, digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9)",
	[FETCHED_BEFORE] =
		"INSERT OR IGNORE INTO message (account, uid, occurrence, state, hold, size, file, "
		"gone_s, stored_s) VALUES (?1, ?2, 0, 2, 0, -1, '', 0, ?3)",
	[STORE] = "UPDATE message SET state = ?4, hold = ?5, size = ?6, file = ?7, gone_s = 0, "
		  "stored_s = ?8, digest = ?9 WHERE id = ?1",
	[NOTE] = "UPDATE message SET state = ?2, note = ?3, next_s = ?4, tries = tries + ?5 "
		 "WHERE id = ?1",
	[SET_STATE] = "UPDATE message SET state = ?2 WHERE id = ?1",
	[SET_GONE] = "UPDATE message SET gone_s = ?2 WHERE id = ?1",
	[SET_MISSED] = "UPDATE message SET missed_s = ?2 WHERE id = ?1",
	[FORGET] = "DELETE FROM message WHERE id = ?1",
	[RENAME] = "UPDATE message SET uid = ?2, occurrence = ?3, size = ?4, gone_s = 0 WHERE id = "
		   "?1",
	[RETIRE] =
		"UPDATE message SET uid = CAST(char(0) || 'retired ' || id AS BLOB), occurrence = "
		"0, gone_s = ?2 WHERE id = ?1",
	[LOAD] = "SELECT id, uid, occurrence, state, hold, size, gone_s, stored_s, missed_s, "
		 "next_s, tries FROM message WHERE account = ?1 ORDER BY uid, occurrence",
	[FILES] = "SELECT id, file, digest FROM message WHERE account = ?1 AND (NOT ?2 OR state = "
		  "1)",
	[DIGEST] = "SELECT digest FROM message WHERE id = ?1",
	[PROBLEMS] =
		"SELECT id, account, uid, state, size, tries, next_s, note FROM message WHERE "
		"state IN (4, 5, 6) AND gone_s = 0 AND (?1 IS NULL OR account = ?1) ORDER BY id",
	[ACCOUNT_GET] =
		"SELECT policy, marker, caps, checked_s, listed_s, slow_s, caps_s FROM account "
		"WHERE account = ?1",
	[ACCOUNT_PUT] = "INSERT OR REPLACE INTO account (account, policy, marker, caps, checked_s, "
			"listed_s, slow_s, caps_s) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[WAIT_GET] = "SELECT until_s, tries FROM wait WHERE key = ?1",
	[WAIT_PUT] = "INSERT OR REPLACE INTO wait (key, until_s, tries) VALUES (?1, ?2, ?3)",
};

static const char schema_1[] =
	"CREATE TABLE IF NOT EXISTS message ("
	" id INTEGER PRIMARY KEY, account TEXT NOT NULL, uid BLOB NOT NULL, occurrence INTEGER NOT "
	"NULL,"
	" state INTEGER NOT NULL, hold INTEGER NOT NULL, size INTEGER NOT NULL, file TEXT NOT NULL,"
	" gone_s INTEGER NOT NULL, UNIQUE (account, uid, occurrence));";
static const char schema_2[] =
	"ALTER TABLE message ADD COLUMN stored_s INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE message ADD COLUMN digest BLOB;"
	"ALTER TABLE message ADD COLUMN missed_s INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE message ADD COLUMN next_s INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE message ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE message ADD COLUMN note TEXT;"
	"CREATE INDEX message_state ON message (account) WHERE state IN (1, 4, 5, 6);"
	"CREATE TABLE account (account TEXT PRIMARY KEY, policy TEXT, marker TEXT, caps INTEGER "
	"NOT NULL, checked_s INTEGER NOT NULL, listed_s INTEGER NOT NULL, slow_s INTEGER NOT NULL, "
	"caps_s INTEGER NOT NULL);"
	"CREATE TABLE wait (key TEXT PRIMARY KEY, until_s INTEGER NOT NULL, tries INTEGER NOT "
	"NULL);"
	"PRAGMA user_version = 2;";

int rs_ledger_fail(struct rs_ledger *l, struct rs_err *err)
{
	int code = sqlite3_errcode(l->db) & 0xff;
	const char *why = sqlite3_errmsg(l->db);
	enum rs_err_kind kind = RS_EIO;

	if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) {
		rs_err_set(err, RS_ECORRUPT,
			_("the ledger %s is damaged (%s); restore it from a backup, or move it "
			  "away and "
			  "everything on the server is fetched once more"),
			l->file, why);
		return -RS_ECORRUPT;
	}
	if (code == SQLITE_FULL)
		kind = RS_ENOSPC;
	else if (code == SQLITE_READONLY || code == SQLITE_CANTOPEN || code == SQLITE_PERM)
		kind = RS_EROFS;
	else if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
		kind = RS_ELOCKED;
	return rs_err_set(
		err, kind, _("cannot write the ledger %s: %s; nothing was lost"), l->file, why);
}

static int exec(struct rs_ledger *l, const char *text, struct rs_err *err)
{
	return sqlite3_exec(l->db, text, NULL, NULL, NULL) == SQLITE_OK ? 0
									: rs_ledger_fail(l, err);
}

static int version_get(struct rs_ledger *l, int *version, struct rs_err *err)
{
	sqlite3_stmt *s = NULL;
	int rc = 0;

	if (sqlite3_prepare_v2(l->db, "PRAGMA user_version", -1, &s, NULL) != SQLITE_OK ||
		sqlite3_step(s) != SQLITE_ROW)
		rc = rs_ledger_fail(l, err);
	else
		*version = sqlite3_column_int(s, 0);
	sqlite3_finalize(s);
	return rc;
}

static int upgrade(struct rs_ledger *l, int version, struct rs_err *err)
{
	int rc = version < 1 ? exec(l, schema_1, err) : 0;

	return rc == 0 && version < 2 ? exec(l, schema_2, err) : rc;
}

static int version_check(struct rs_ledger *l, struct rs_err *err)
{
	int version = 0;
	int rc = version_get(l, &version, err);

	if (rc == 0 && version > VERSION)
		return rs_err_set(err, RS_ECONFIG,
			_("the ledger %s was written by a newer restante; use that one"), l->file);
	if (rc < 0 || version == VERSION)
		return rc;
	rc = rs_ledger_begin(l, err);
	if (rc == 0) /* another program may have been faster */
		rc = version_get(l, &version, err);
	if (rc == 0)
		rc = upgrade(l, version, err);
	if (rc == 0)
		rc = rs_ledger_commit(l, err);
	if (rc < 0)
		rs_ledger_rollback(l);
	return rc;
}

static int journal(struct rs_ledger *l, struct rs_err *err)
{
	int rc = exec(l, "PRAGMA synchronous = EXTRA", err);

	/* a network's file system cannot share the memory that a write-ahead log needs */
	if (rc == 0 && sqlite3_exec(l->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL))
		rc = exec(l, "PRAGMA journal_mode = TRUNCATE", err);
	return rc;
}

int rs_ledger_open(const char *file, struct rs_ledger **out, struct rs_err *err)
{
	struct rs_ledger *l = g_new0(struct rs_ledger, 1);
	int rc = 0;

	l->file = g_strdup(file);
	if (sqlite3_open_v2(file, &l->db,
		    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
		    NULL) != SQLITE_OK)
		rc = rs_ledger_fail(l, err);
	if (rc == 0) {
		(void)sqlite3_busy_timeout(l->db, BUSY_MS);
		rc = journal(l, err);
	}
	if (rc == 0)
		rc = version_check(l, err);
	for (int i = 0; i < RS_LEDGER_STATEMENT_N && rc == 0; i++) {
		if (sqlite3_prepare_v3(
			    l->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &l->statements[i], NULL))
			rc = rs_ledger_fail(l, err);
	}
	if (rc < 0)
		rs_ledger_close(&l);
	else
		*out = l;
	return rc;
}

void rs_ledger_close(struct rs_ledger **l)
{
	if (!*l)
		return;
	for (int i = 0; i < RS_LEDGER_STATEMENT_N; i++)
		sqlite3_finalize((*l)->statements[i]);
	sqlite3_close((*l)->db);
	g_free((*l)->file);
	g_free(*l);
	*l = NULL;
}

/* --- changes ------------------------------------------------------------------------------- */

int rs_ledger_begin(struct rs_ledger *l, struct rs_err *err)
{
	return exec(l, "BEGIN IMMEDIATE", err);
}

int rs_ledger_commit(struct rs_ledger *l, struct rs_err *err)
{
	return exec(l, "COMMIT", err);
}

void rs_ledger_rollback(struct rs_ledger *l)
{
	if (!sqlite3_get_autocommit(l->db))
		(void)sqlite3_exec(l->db, "ROLLBACK", NULL, NULL, NULL);
}

int rs_ledger_done(struct rs_ledger *l, sqlite3_stmt *s, struct rs_err *err)
{
	int rc = sqlite3_step(s) == SQLITE_DONE ? 0 : rs_ledger_fail(l, err);

	(void)sqlite3_reset(s);
	(void)sqlite3_clear_bindings(s);
	return rc;
}

static void bind_uid(sqlite3_stmt *s, int at, struct rs_slice uid)
{
	(void)sqlite3_bind_blob64(s, at, uid.n ? (const void *)uid.p : "", uid.n, SQLITE_TRANSIENT);
}

/* A row as `n` says in `state`; *id. */
static int put(struct rs_ledger *l, const char *account, const struct rs_ledger_new *n,
	enum rs_ledger_state state, gint64 *id, struct rs_err *err)
{
	sqlite3_stmt *s = l->statements[n->id ? STORE : INSERT];
	int rc;

	if (n->id) {
		(void)sqlite3_bind_int64(s, 1, n->id);
	} else {
		(void)sqlite3_bind_text(s, 1, account, -1, SQLITE_STATIC);
		bind_uid(s, 2, n->uid);
		(void)sqlite3_bind_int64(s, 3, n->occurrence);
	}
	(void)sqlite3_bind_int(s, 4, (int)state);
	(void)sqlite3_bind_int(s, 5, n->hold);
	(void)sqlite3_bind_int64(s, 6, (sqlite3_int64)n->size);
	(void)sqlite3_bind_text(s, 7, n->file ? n->file : "", -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(s, 8, n->stored_s);
	if (n->digest.known)
		(void)sqlite3_bind_blob(s, 9, n->digest.octets, RS_DIGEST_N, SQLITE_STATIC);
	else
		(void)sqlite3_bind_null(s, 9);
	rc = rs_ledger_done(l, s, err);
	if (rc == 0)
		*id = n->id ? n->id : sqlite3_last_insert_rowid(l->db);
	return rc;
}

int rs_ledger_storing(struct rs_ledger *l, const char *account, const struct rs_ledger_new *n,
	gint64 *id, struct rs_err *err)
{
	return put(l, account, n, RS_LEDGER_STORING, id, err);
}

int rs_ledger_fetched_before(struct rs_ledger *l, const char *account, struct rs_slice uid,
	guint32 stored_s, bool *added, struct rs_err *err)
{
	sqlite3_stmt *s = l->statements[FETCHED_BEFORE];
	int rc;

	(void)sqlite3_bind_text(s, 1, account, -1, SQLITE_STATIC);
	bind_uid(s, 2, uid);
	(void)sqlite3_bind_int64(s, 3, stored_s);
	rc = rs_ledger_done(l, s, err);
	if (rc == 0)
		*added = sqlite3_changes(l->db) > 0;
	return rc;
}

int rs_ledger_not_stored(struct rs_ledger *l, const char *account, const struct rs_ledger_new *n,
	enum rs_ledger_state state, const char *note, guint32 next_s, struct rs_err *err)
{
	sqlite3_stmt *s = l->statements[NOTE];
	gint64 id = n->id;
	int rc = id ? 0 : put(l, account, n, state, &id, err);

	if (rc < 0)
		return rc;
	(void)sqlite3_bind_int64(s, 1, id);
	(void)sqlite3_bind_int(s, 2, (int)state);
	(void)sqlite3_bind_text(s, 3, note, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(s, 4, next_s);
	(void)sqlite3_bind_int(s, 5, state == RS_LEDGER_FAILED);
	return rs_ledger_done(l, s, err);
}

static int set(
	struct rs_ledger *l, enum statement which, gint64 id, gint64 value, struct rs_err *err)
{
	sqlite3_stmt *s = l->statements[which];

	(void)sqlite3_bind_int64(s, 1, id);
	if (which != FORGET)
		(void)sqlite3_bind_int64(s, 2, value);
	return rs_ledger_done(l, s, err);
}

int rs_ledger_state(struct rs_ledger *l, gint64 id, enum rs_ledger_state state, struct rs_err *err)
{
	return set(l, SET_STATE, id, state, err);
}

int rs_ledger_gone(struct rs_ledger *l, gint64 id, gint64 gone_s, struct rs_err *err)
{
	return set(l, SET_GONE, id, gone_s, err);
}

int rs_ledger_missed(struct rs_ledger *l, gint64 id, gint64 missed_s, struct rs_err *err)
{
	return set(l, SET_MISSED, id, missed_s, err);
}

int rs_ledger_forget(struct rs_ledger *l, gint64 id, struct rs_err *err)
{
	return set(l, FORGET, id, 0, err);
}

int rs_ledger_retire(struct rs_ledger *l, gint64 id, gint64 gone_s, struct rs_err *err)
{
	return set(l, RETIRE, id, gone_s, err);
}

int rs_ledger_rename(struct rs_ledger *l, gint64 id, struct rs_slice uid, guint32 n, guint64 size,
	struct rs_err *err)
{
	sqlite3_stmt *s = l->statements[RENAME];

	(void)sqlite3_bind_int64(s, 1, id);
	bind_uid(s, 2, uid);
	(void)sqlite3_bind_int64(s, 3, n);
	(void)sqlite3_bind_int64(s, 4, (sqlite3_int64)size);
	return rs_ledger_done(l, s, err);
}

/* --- reading ------------------------------------------------------------------------------- */

int rs_ledger_compare(
	struct rs_slice a_uid, guint32 a_occurrence, struct rs_slice b_uid, guint32 b_occurrence)
{
	size_t n = MIN(a_uid.n, b_uid.n);
	int order = n ? memcmp(a_uid.p, b_uid.p, n) : 0;

	if (order == 0)
		order = (a_uid.n > b_uid.n) - (a_uid.n < b_uid.n);
	return order ? order : (a_occurrence > b_occurrence) - (a_occurrence < b_occurrence);
}

/* Times of the file are 64 bits, those in memory 32, enough up to 2106. */
static guint32 time_read(sqlite3_stmt *s, int at)
{
	return (guint32)CLAMP(sqlite3_column_int64(s, at), 0, G_MAXUINT32);
}

static void row_read(sqlite3_stmt *s, struct rs_ledger_table *t)
{
	struct rs_ledger_row row = {.id = sqlite3_column_int64(s, 0)};
	size_t n = MIN((size_t)sqlite3_column_bytes(s, 1), G_MAXUINT16);
	const char *uid = sqlite3_column_blob(s, 1);

	row.uid_p = (const uint8_t *)g_string_chunk_insert_len(t->uids, uid ? uid : "", (gssize)n);
	row.uid_n = (guint16)n;
	row.occurrence = (guint32)sqlite3_column_int64(s, 2);
	row.state = (guint)sqlite3_column_int(s, 3) & 7u;
	row.hold = sqlite3_column_int(s, 4) != 0;
	row.size = (guint64)sqlite3_column_int64(s, 5);
	row.gone_s = time_read(s, 6);
	row.stored_s = time_read(s, 7);
	row.missed_s = time_read(s, 8);
	row.next_s = time_read(s, 9);
	row.tries = (guint8)MIN(sqlite3_column_int(s, 10), 255);
	g_array_append_val(t->rows, row);
}

int rs_ledger_load(
	struct rs_ledger *l, const char *account, struct rs_ledger_table *t, struct rs_err *err)
{
	sqlite3_stmt *s = l->statements[LOAD];
	int step;
	int rc;

	t->rows = g_array_new(FALSE, FALSE, sizeof(struct rs_ledger_row));
	t->uids = g_string_chunk_new(65536);
	(void)sqlite3_bind_text(s, 1, account, -1, SQLITE_TRANSIENT);
	while ((step = sqlite3_step(s)) == SQLITE_ROW)
		row_read(s, t);
	rc = step == SQLITE_DONE ? 0 : rs_ledger_fail(l, err);
	(void)sqlite3_reset(s);
	if (rc < 0)
		rs_ledger_table_finish(t);
	return rc;
}

void rs_ledger_table_finish(struct rs_ledger_table *t)
{
	if (!t->rows)
		return;
	g_array_free(t->rows, TRUE);
	g_string_chunk_free(t->uids);
	*t = (struct rs_ledger_table){.rows = NULL};
}

struct rs_ledger_row *rs_ledger_find(
	const struct rs_ledger_table *t, struct rs_slice uid, guint32 occurrence)
{
	guint from = 0;
	guint to = t->rows->len;

	while (from < to) {
		guint middle = from + (to - from) / 2;
		struct rs_ledger_row *row = &g_array_index(t->rows, struct rs_ledger_row, middle);
		int order = rs_ledger_compare(uid, occurrence, rs_ledger_uid(row), row->occurrence);

		if (order == 0)
			return row;
		if (order < 0)
			to = middle;
		else
			from = middle + 1;
	}
	return NULL;
}

static void file_clear(gpointer p)
{
	g_free(((struct rs_ledger_file *)p)->file);
}

static struct rs_digest digest_read(sqlite3_stmt *s, int at)
{
	struct rs_digest d = {.known = sqlite3_column_bytes(s, at) == (int)RS_DIGEST_N};

	if (d.known)
		memcpy(d.octets, sqlite3_column_blob(s, at), RS_DIGEST_N);
	return d;
}

int rs_ledger_files(
	struct rs_ledger *l, const char *account, bool pending, GArray **out, struct rs_err *err)
{
	sqlite3_stmt *s = l->statements[FILES];
	GArray *rows = g_array_new(FALSE, FALSE, sizeof(struct rs_ledger_file));
	int step;
	int rc;

	g_array_set_clear_func(rows, file_clear);
	(void)sqlite3_bind_text(s, 1, account, -1, SQLITE_TRANSIENT);
	(void)sqlite3_bind_int(s, 2, pending);
	while ((step = sqlite3_step(s)) == SQLITE_ROW) {
		struct rs_ledger_file row = {.id = sqlite3_column_int64(s, 0),
			.file = g_strdup((const char *)sqlite3_column_text(s, 1)),
			.digest = digest_read(s, 2)};

		g_array_append_val(rows, row);
	}
	rc = step == SQLITE_DONE ? 0 : rs_ledger_fail(l, err);
	(void)sqlite3_reset(s);
	if (rc < 0)
		g_array_unref(rows);
	else
		*out = rows;
	return rc;
}

int rs_ledger_digest(struct rs_ledger *l, gint64 id, struct rs_digest *out, struct rs_err *err)
{
	sqlite3_stmt *s = l->statements[DIGEST];
	int step;

	(void)sqlite3_bind_int64(s, 1, id);
	step = sqlite3_step(s);
	*out = (struct rs_digest){.known = false};
	if (step == SQLITE_ROW)
		*out = digest_read(s, 0);
	(void)sqlite3_reset(s);
	return step == SQLITE_ROW || step == SQLITE_DONE ? 0 : rs_ledger_fail(l, err);
}
