/* ledger.c - see ledger.h. SQLite with a rollback journal and synchronous=EXTRA: the folder is synced
 * behind each commit, so what was committed stays committed. Batches make that cheap. */
#include "client/ledger.h"

#include <errno.h>
#include <sqlite3.h>
#include <string.h>

#include "client/text.h"

#define VERSION 1
#define BUSY_MS 10000

enum statement { INSERT, SET_STATE, SET_GONE, FORGET, LOAD, PENDING, STATEMENT_N };

struct rs_ledger {
	sqlite3 *db;
	char *file;
	sqlite3_stmt *statements[STATEMENT_N];
};

static const char *const sql[STATEMENT_N] = {
	[INSERT] =
		"INSERT INTO message (account, uid, occurrence, state, hold, size, file, gone_s) "
		"VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6, 0)",
	[SET_STATE] = "UPDATE message SET state = ?2 WHERE id = ?1",
	[SET_GONE] = "UPDATE message SET gone_s = ?2 WHERE id = ?1",
	[FORGET] = "DELETE FROM message WHERE id = ?1",
	[LOAD] = "SELECT id, uid, occurrence, state, hold, size, gone_s FROM message WHERE account "
		 "= ?1",
	[PENDING] = "SELECT id, file FROM message WHERE account = ?1 AND state = 1",
};

static const char schema[] =
	"CREATE TABLE IF NOT EXISTS message ("
	" id INTEGER PRIMARY KEY, account TEXT NOT NULL, uid BLOB NOT NULL, occurrence INTEGER NOT "
	"NULL,"
	" state INTEGER NOT NULL, hold INTEGER NOT NULL, size INTEGER NOT NULL, file TEXT NOT NULL,"
	" gone_s INTEGER NOT NULL, UNIQUE (account, uid, occurrence));"
	"PRAGMA user_version = 1;";

static int fail(struct rs_ledger *l, struct rs_err *err)
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
	return sqlite3_exec(l->db, text, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(l, err);
}

static int version_check(struct rs_ledger *l, struct rs_err *err)
{
	sqlite3_stmt *s = NULL;
	int version = 0;
	int rc = 0;

	if (sqlite3_prepare_v2(l->db, "PRAGMA user_version", -1, &s, NULL) != SQLITE_OK ||
		sqlite3_step(s) != SQLITE_ROW)
		rc = fail(l, err);
	else
		version = sqlite3_column_int(s, 0);
	sqlite3_finalize(s);
	if (rc == 0 && version > VERSION)
		return rs_err_set(err, RS_ECONFIG,
			_("the ledger %s was written by a newer restante; use that one"), l->file);
	return rc == 0 && version < VERSION ? exec(l, schema, err) : rc;
}

int rs_ledger_open(const char *file, struct rs_ledger **out, struct rs_err *err)
{
	struct rs_ledger *l = g_new0(struct rs_ledger, 1);
	int rc = 0;

	l->file = g_strdup(file);
	if (sqlite3_open_v2(file, &l->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) !=
		SQLITE_OK)
		rc = fail(l, err);
	if (rc == 0) {
		(void)sqlite3_busy_timeout(l->db, BUSY_MS);
		rc = exec(l, "PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = EXTRA;", err);
	}
	if (rc == 0)
		rc = version_check(l, err);
	for (int i = 0; i < STATEMENT_N && rc == 0; i++) {
		if (sqlite3_prepare_v3(
			    l->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &l->statements[i], NULL))
			rc = fail(l, err);
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
	for (int i = 0; i < STATEMENT_N; i++)
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

static int step_done(struct rs_ledger *l, sqlite3_stmt *s, struct rs_err *err)
{
	int rc = sqlite3_step(s) == SQLITE_DONE ? 0 : fail(l, err);

	(void)sqlite3_reset(s);
	(void)sqlite3_clear_bindings(s);
	return rc;
}

int rs_ledger_storing(struct rs_ledger *l, const char *account, const struct rs_ledger_row *row,
	const char *file, gint64 *id, struct rs_err *err)
{
	sqlite3_stmt *s = l->statements[INSERT];
	int rc;

	(void)sqlite3_bind_text(s, 1, account, -1, SQLITE_TRANSIENT);
	(void)sqlite3_bind_blob64(s, 2, row->uid.p, row->uid.n, SQLITE_TRANSIENT);
	(void)sqlite3_bind_int64(s, 3, row->occurrence);
	(void)sqlite3_bind_int(s, 4, row->hold);
	(void)sqlite3_bind_int64(s, 5, (sqlite3_int64)row->size);
	(void)sqlite3_bind_text(s, 6, file, -1, SQLITE_TRANSIENT);
	rc = step_done(l, s, err);
	if (rc == 0)
		*id = sqlite3_last_insert_rowid(l->db);
	return rc;
}

static int set(
	struct rs_ledger *l, enum statement which, gint64 id, gint64 value, struct rs_err *err)
{
	sqlite3_stmt *s = l->statements[which];

	(void)sqlite3_bind_int64(s, 1, id);
	if (which != FORGET)
		(void)sqlite3_bind_int64(s, 2, value);
	return step_done(l, s, err);
}

int rs_ledger_state(struct rs_ledger *l, gint64 id, enum rs_ledger_state state, struct rs_err *err)
{
	return set(l, SET_STATE, id, state, err);
}

int rs_ledger_gone(struct rs_ledger *l, gint64 id, gint64 gone_s, struct rs_err *err)
{
	return set(l, SET_GONE, id, gone_s, err);
}

int rs_ledger_forget(struct rs_ledger *l, gint64 id, struct rs_err *err)
{
	return set(l, FORGET, id, 0, err);
}

/* --- reading ------------------------------------------------------------------------------- */

static guint row_hash(gconstpointer p)
{
	const struct rs_ledger_row *row = p;

	return rs_slice_hash(row->uid) + row->occurrence;
}

static gboolean row_equal(gconstpointer a, gconstpointer b)
{
	const struct rs_ledger_row *x = a;
	const struct rs_ledger_row *y = b;

	return x->occurrence == y->occurrence && rs_slice_eq(x->uid, y->uid);
}

static void row_read(sqlite3_stmt *s, struct rs_ledger_table *t)
{
	struct rs_ledger_row row = {.id = sqlite3_column_int64(s, 0)};
	size_t n = (size_t)sqlite3_column_bytes(s, 1);

	row.uid = rs_slice(
		g_string_chunk_insert_len(t->uids, sqlite3_column_blob(s, 1), (gssize)n), n);
	row.occurrence = (guint32)sqlite3_column_int64(s, 2);
	row.state = (enum rs_ledger_state)sqlite3_column_int(s, 3);
	row.hold = sqlite3_column_int(s, 4);
	row.size = (guint64)sqlite3_column_int64(s, 5);
	row.gone_s = sqlite3_column_int64(s, 6);
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
	t->by_uid = g_hash_table_new(row_hash, row_equal);
	(void)sqlite3_bind_text(s, 1, account, -1, SQLITE_TRANSIENT);
	while ((step = sqlite3_step(s)) == SQLITE_ROW)
		row_read(s, t);
	rc = step == SQLITE_DONE ? 0 : fail(l, err);
	(void)sqlite3_reset(s);
	for (guint i = 0; i < t->rows->len; i++)
		g_hash_table_insert(t->by_uid, &g_array_index(t->rows, struct rs_ledger_row, i),
			GUINT_TO_POINTER(i + 1));
	if (rc < 0)
		rs_ledger_table_finish(t);
	return rc;
}

void rs_ledger_table_finish(struct rs_ledger_table *t)
{
	if (!t->rows)
		return;
	g_hash_table_destroy(t->by_uid);
	g_array_free(t->rows, TRUE);
	g_string_chunk_free(t->uids);
	*t = (struct rs_ledger_table){.rows = NULL};
}

struct rs_ledger_row *rs_ledger_find(
	const struct rs_ledger_table *t, struct rs_slice uid, guint32 occurrence)
{
	struct rs_ledger_row key = {.uid = uid, .occurrence = occurrence};
	guint at = GPOINTER_TO_UINT(g_hash_table_lookup(t->by_uid, &key));

	return at ? &g_array_index(t->rows, struct rs_ledger_row, at - 1) : NULL;
}

static void pending_clear(gpointer p)
{
	g_free(((struct rs_ledger_pending *)p)->file);
}

int rs_ledger_pending(struct rs_ledger *l, const char *account, GArray **out, struct rs_err *err)
{
	sqlite3_stmt *s = l->statements[PENDING];
	GArray *rows = g_array_new(FALSE, FALSE, sizeof(struct rs_ledger_pending));
	int step;
	int rc;

	g_array_set_clear_func(rows, pending_clear);
	(void)sqlite3_bind_text(s, 1, account, -1, SQLITE_TRANSIENT);
	while ((step = sqlite3_step(s)) == SQLITE_ROW) {
		struct rs_ledger_pending row = {.id = sqlite3_column_int64(s, 0),
			.file = g_strdup((const char *)sqlite3_column_text(s, 1))};

		g_array_append_val(rows, row);
	}
	rc = step == SQLITE_DONE ? 0 : fail(l, err);
	(void)sqlite3_reset(s);
	if (rc < 0)
		g_array_unref(rows);
	else
		*out = rows;
	return rc;
}
