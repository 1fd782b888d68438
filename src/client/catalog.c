/* catalog.c - see catalog.h. The file, its schema, its statements; what is asked of it. */
#include "client/catalog_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/text.h"
#include "maildir/maildir.h"

#define VERSION 1
#define BUSY_MS 30000
#define COLUMNS                                                                               \
	"m.id, m.folder, m.code, m.file, m.flags, m.size, m.sender, m.address, m.receivers, " \
	"m.subject, m.msgid, m.snippet, m.thread, m.attached"

/* Letters only, consonants: no digits (those are numbers), no words by chance. */
static const char letters[] = "bcdfghjkmnpqrstvwxz";

static const char *const sql[CATALOG_STATEMENT_N] = {
	[FOLDER_GET] = "SELECT id, new_ns, cur_ns FROM folder WHERE path = ?1",
	[FOLDER_ADD] = "INSERT INTO folder (path, new_ns, cur_ns) VALUES (?1, 0, 0)",
	[FOLDER_TIMES] = "UPDATE folder SET new_ns = ?2, cur_ns = ?3 WHERE id = ?1",
	[FOLDER_LIST] = "SELECT id, path FROM folder",
	[FOLDER_DROP] = "DELETE FROM folder WHERE id = ?1",
	[ROWS] = "SELECT id, uniq, file, flags FROM message WHERE folder = ?1",
	[ROW] = "SELECT " COLUMNS " FROM message m WHERE m.id = ?1",
	[ROW_ADD] = "INSERT INTO message (id, folder, uniq, file, flags, size, code, sender, "
		    "address, receivers, subject, msgid, snippet, attached, thread, base) VALUES "
		    "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
	[ROW_FILE] = "UPDATE OR IGNORE message SET folder = ?2, uniq = ?3, file = ?4, flags = ?5 "
		     "WHERE id = ?1",
	[ROW_DROP] = "DELETE FROM message WHERE id = ?1",
	[ID_MAX] = "SELECT max(id) FROM message WHERE id BETWEEN ?1 AND ?2",
	[TEXT_ADD] = "INSERT OR REPLACE INTO text (id, words) VALUES (?1, ?2)",
	[TEXT_GET] = "SELECT words FROM text WHERE id = ?1",
	[TEXT_DROP] = "DELETE FROM text WHERE id = ?1",
	[FTS_ADD] = "INSERT INTO fts (rowid, subject, sender, receivers, body, files) VALUES (?1, "
		    "?2, ?3, ?4, ?5, ?6)",
	[FTS_DROP] = "INSERT INTO fts (fts, rowid, subject, sender, receivers, body, files) VALUES "
		     "('delete', ?1, ?2, ?3, ?4, ?5, ?6)",
	[KNOWN_GET] = "SELECT thread FROM known WHERE msgid = ?1",
	[KNOWN_PUT] = "INSERT OR IGNORE INTO known (msgid, thread) VALUES (?1, ?2)",
	[KNOWN_MERGE] = "UPDATE known SET thread = ?2 WHERE thread = ?1",
	[THREAD_MERGE] = "UPDATE message SET thread = ?2 WHERE thread = ?1",
	[THREAD_N] = "SELECT count(*) FROM message WHERE thread = ?1",
	[SAME_SUBJECT] = "SELECT thread, address, receivers FROM message WHERE base = ?1 AND id "
			 "BETWEEN ?2 AND ?3 ORDER BY id DESC LIMIT 20",
	[COUNT] = "SELECT count(*), (SELECT count(*) FROM message WHERE folder = ?1 AND flags & 80 "
		  "<> 16) FROM message WHERE folder = ?1",
};

/* flags & 80 <> 16: in new/ or without S. */
static const char schema[] =
	"CREATE TABLE folder (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, new_ns INTEGER "
	"NOT NULL, cur_ns INTEGER NOT NULL);"
	"CREATE TABLE message (id INTEGER PRIMARY KEY, folder INTEGER NOT NULL, uniq TEXT NOT "
	"NULL, file TEXT NOT NULL, flags INTEGER NOT NULL, size INTEGER NOT NULL, code TEXT NOT "
	"NULL, sender TEXT NOT NULL, address TEXT NOT NULL, receivers TEXT NOT NULL, subject TEXT "
	"NOT NULL, msgid TEXT NOT NULL, snippet TEXT NOT NULL, attached INTEGER NOT NULL, thread "
	"INTEGER NOT NULL, base INTEGER NOT NULL, UNIQUE (folder, uniq));"
	"CREATE INDEX message_folder ON message (folder);"
	"CREATE INDEX message_unread ON message (folder) WHERE flags & 80 <> 16;"
	"CREATE INDEX message_code ON message (code);"
	"CREATE INDEX message_thread ON message (thread);"
	"CREATE INDEX message_base ON message (base) WHERE base <> 0;"
	"CREATE TABLE text (id INTEGER PRIMARY KEY, words BLOB NOT NULL);"
	"CREATE TABLE known (msgid INTEGER PRIMARY KEY, thread INTEGER NOT NULL);"
	"CREATE INDEX known_thread ON known (thread);"
	"CREATE VIRTUAL TABLE fts USING fts5 (subject, sender, receivers, body, files, content = "
	"'', tokenize = 'unicode61 remove_diacritics 2');"
	/* a batch goes into one segment, not into many that must be merged */
	"INSERT INTO fts (fts, rank) VALUES ('hashsize', 33554432);"
	"PRAGMA user_version = 1;";

/* --- errors and statements --------------------------------------------------------------------- */

int catalog_fail(struct rs_catalog *c, struct rs_err *err)
{
	int code = sqlite3_errcode(c->db) & 0xff;
	enum rs_err_kind kind = RS_EIO;

	if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
		kind = RS_ECORRUPT;
	else if (code == SQLITE_FULL)
		kind = RS_ENOSPC;
	else if (code == SQLITE_READONLY || code == SQLITE_CANTOPEN || code == SQLITE_PERM)
		kind = RS_EROFS;
	else if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
		kind = RS_ELOCKED;
	return rs_err_set(err, kind,
		_("the index %s cannot be used: %s; it can be made again with: restante index "
		  "--rebuild"),
		c->file ? c->file : ":memory:", sqlite3_errmsg(c->db));
}

sqlite3_stmt *catalog_statement(struct rs_catalog *c, enum catalog_statement which)
{
	sqlite3_stmt **s = &c->statements[which];

	if (!*s)
		(void)sqlite3_prepare_v3(c->db, sql[which], -1, SQLITE_PREPARE_PERSISTENT, s, NULL);
	return *s;
}

int catalog_done(struct rs_catalog *c, sqlite3_stmt *s, struct rs_err *err)
{
	int rc;

	if (!s)
		return catalog_fail(c, err);
	rc = sqlite3_step(s) == SQLITE_DONE ? 0 : catalog_fail(c, err);
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return rc;
}

int catalog_exec(struct rs_catalog *c, const char *text, struct rs_err *err)
{
	return sqlite3_exec(c->db, text, NULL, NULL, NULL) == SQLITE_OK ? 0 : catalog_fail(c, err);
}

int catalog_begin(struct rs_catalog *c, struct rs_err *err)
{
	return catalog_exec(c, "BEGIN IMMEDIATE", err);
}

int catalog_end(struct rs_catalog *c, int rc, struct rs_err *err)
{
	if (rc == 0)
		rc = catalog_exec(c, "COMMIT", err);
	if (rc < 0)
		(void)sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

/* --- the file ------------------------------------------------------------------------------------ */

static void db_close(struct rs_catalog *c)
{
	for (size_t i = 0; i < CATALOG_STATEMENT_N; i++)
		g_clear_pointer(&c->statements[i], sqlite3_finalize);
	sqlite3_close(c->db);
	c->db = NULL;
}

static int version_get(struct rs_catalog *c, int *version, struct rs_err *err)
{
	sqlite3_stmt *s = NULL;
	int rc = 0;

	if (sqlite3_prepare_v2(c->db, "PRAGMA user_version", -1, &s, NULL) != SQLITE_OK ||
		sqlite3_step(s) != SQLITE_ROW)
		rc = catalog_fail(c, err);
	else
		*version = sqlite3_column_int(s, 0);
	sqlite3_finalize(s);
	return rc;
}

/* 0; -RS_ECORRUPT also where it is of another version. */
static int schema_check(struct rs_catalog *c, struct rs_err *err)
{
	int version = 0;
	int rc = version_get(c, &version, err);

	if (rc < 0 || version == VERSION)
		return rc;
	if (version)
		return rs_err_set(err, RS_ECORRUPT, "%s", "another version");
	rc = catalog_begin(c, err);
	if (rc == 0)
		rc = version_get(c, &version, err); /* another program may have been faster */
	if (rc == 0 && version == 0)
		rc = catalog_exec(c, schema, err);
	return catalog_end(c, rc, err);
}

static int db_open(struct rs_catalog *c, struct rs_err *err)
{
	struct stat st = {0};
	int fd = c->file ? open(c->file, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	int rc = 0;

	if (fd >= 0) /* only so that nobody else can read it; SQLite's other files follow it */
		close(fd);
	if (sqlite3_open_v2(c->file ? c->file : ":memory:", &c->db,
		    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
		    NULL) != SQLITE_OK)
		return catalog_fail(c, err);
	(void)sqlite3_busy_timeout(c->db, BUSY_MS);
	(void)sqlite3_extended_result_codes(c->db, 0);
	rc = catalog_exec(c,
		"PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = "
		"-16384; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;",
		err);
	if (rc == 0)
		rc = schema_check(c, err);
	if (c->file && stat(c->file, &st) == 0)
		c->inode = (guint64)st.st_ino;
	return rc;
}

int catalog_renew(struct rs_catalog *c, struct rs_err *err)
{
	static const char *const ends[] = {"", "-wal", "-shm", "-journal"};

	db_close(c);
	for (size_t i = 0; c->file && i < G_N_ELEMENTS(ends); i++) {
		g_autofree char *path = g_strconcat(c->file, ends[i], NULL);

		if (g_unlink(path) < 0 && errno != ENOENT)
			return rs_err_set(err, rs_err_kind_of_errno(errno),
				_("cannot remove the damaged index %s: %s"), path,
				g_strerror(errno));
	}
	return db_open(c, err);
}

int catalog_follow(struct rs_catalog *c, struct rs_err *err)
{
	struct stat st;

	if (!c->file || (stat(c->file, &st) == 0 && (guint64)st.st_ino == c->inode))
		return 0;
	db_close(c);
	return db_open(c, err);
}

int rs_catalog_open(const char *file, struct rs_catalog **out, struct rs_err *err)
{
	struct rs_catalog *c = g_new0(struct rs_catalog, 1);
	g_autofree char *dir = file ? g_path_get_dirname(file) : NULL;
	int rc;

	c->file = g_strdup(file);
	c->lock = -1;
	c->deflate = G_CONVERTER(g_zlib_compressor_new(G_ZLIB_COMPRESSOR_FORMAT_RAW, 1));
	c->inflate = G_CONVERTER(g_zlib_decompressor_new(G_ZLIB_COMPRESSOR_FORMAT_RAW));
	if (dir)
		(void)g_mkdir_with_parents(dir, 0700);
	rc = db_open(c, err);
	if (rc == -RS_ECORRUPT)
		rc = catalog_renew(c, err);
	if (rc < 0 && c->file) {
		db_close(c);
		g_clear_pointer(&c->file, g_free);
		rc = db_open(c, err);
	}
	if (rc < 0)
		rs_catalog_close(&c);
	else
		*out = c;
	return rc;
}

void rs_catalog_close(struct rs_catalog **cp)
{
	struct rs_catalog *c = *cp;

	if (!c)
		return;
	db_close(c);
	g_object_unref(c->deflate);
	g_object_unref(c->inflate);
	g_free(c->file);
	g_free(c);
	*cp = NULL;
}

int rs_catalog_clear(struct rs_catalog *c, struct rs_err *err)
{
	return catalog_renew(c, err);
}

/* --- asking ---------------------------------------------------------------------------------------- */

void rs_catalog_code(struct rs_slice unique, char code[RS_CODE_N + 1])
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	guint8 digest[32];
	gsize digest_n = sizeof(digest);
	guint64 v = 0;

	g_checksum_update(sum, unique.p, (gssize)unique.n);
	g_checksum_get_digest(sum, digest, &digest_n);
	memcpy(&v, digest, sizeof(v));
	v = GUINT64_FROM_LE(v);
	for (guint i = 0; i < RS_CODE_N; i++) {
		code[i] = letters[v % (sizeof(letters) - 1)];
		v /= sizeof(letters) - 1;
	}
	code[RS_CODE_N] = '\0';
}

guint rs_flags_of(const char *file, bool in_new)
{
	static const char flag_letters[] = "DFPRST";
	struct rs_maildir_name name;
	guint flags = in_new ? RS_FLAG_NEW : 0;

	rs_maildir_name_parse(rs_slice_str(file), &name);
	for (guint i = 0; flag_letters[i]; i++) {
		if (rs_slice_find(name.flags, (uint8_t)flag_letters[i]) < name.flags.n)
			flags |= 1u << i;
	}
	return flags;
}

void rs_catalog_row_free(struct rs_catalog_row *r)
{
	if (!r)
		return;
	g_free(r->file);
	g_free(r->from);
	g_free(r->address);
	g_free(r->to);
	g_free(r->subject);
	g_free(r->message_id);
	g_free(r->snippet);
	g_free(r);
}

static char *text_at(sqlite3_stmt *s, int column)
{
	const char *text = (const char *)sqlite3_column_text(s, column);

	return g_strdup(text ? text : "");
}

static struct rs_catalog_row *row_of(sqlite3_stmt *s)
{
	struct rs_catalog_row *r = g_new0(struct rs_catalog_row, 1);
	const char *code = (const char *)sqlite3_column_text(s, 2);

	r->id = sqlite3_column_int64(s, 0);
	r->folder = sqlite3_column_int64(s, 1);
	g_strlcpy(r->code, code ? code : "", sizeof(r->code));
	r->file = text_at(s, 3);
	r->flags = (guint)sqlite3_column_int(s, 4);
	r->size = (guint64)sqlite3_column_int64(s, 5);
	r->date_s = r->id >> CATALOG_ID_BITS;
	r->from = text_at(s, 6);
	r->address = text_at(s, 7);
	r->to = text_at(s, 8);
	r->subject = text_at(s, 9);
	r->message_id = text_at(s, 10);
	r->snippet = text_at(s, 11);
	r->thread = sqlite3_column_int64(s, 12);
	r->attached = (guint)sqlite3_column_int(s, 13);
	return r;
}

int rs_catalog_get(struct rs_catalog *c, gint64 id, struct rs_catalog_row **out, struct rs_err *err)
{
	sqlite3_stmt *s = catalog_statement(c, ROW);
	int step;
	int rc = 0;

	if (!s)
		return catalog_fail(c, err);
	sqlite3_bind_int64(s, 1, id);
	step = sqlite3_step(s);
	if (step == SQLITE_ROW)
		*out = row_of(s);
	else if (step == SQLITE_DONE)
		rc = rs_err_set(err, RS_ENOENT, _("the message is not there any more"));
	else
		rc = catalog_fail(c, err);
	sqlite3_reset(s);
	return rc;
}

/* `at`: number of the parameter that is `match`; 0: there is none. */
static char *ids_sql(guint at, const char *where, guint limit)
{
	bool match = at > 0;
	GString *text = g_string_new(NULL);

	if (match)
		g_string_append_printf(text,
			"SELECT fts.rowid FROM fts JOIN message m ON m.id = fts.rowid WHERE fts "
			"MATCH ?%u AND (",
			at);
	else
		g_string_append(text, "SELECT m.id FROM message m WHERE (");
	g_string_append_printf(
		text, "%s) ORDER BY %s DESC", where ? where : "1", match ? "fts.rowid" : "m.id");
	if (limit)
		g_string_append_printf(text, " LIMIT %u", limit);
	return g_string_free(text, FALSE);
}

/* All rows of one column. Finishes the statement. */
static int ids_take(struct rs_catalog *c, sqlite3_stmt *s, GArray **out, struct rs_err *err)
{
	GArray *ids = g_array_new(FALSE, FALSE, sizeof(gint64));
	int step;
	int rc = 0;

	while ((step = sqlite3_step(s)) == SQLITE_ROW) {
		gint64 id = sqlite3_column_int64(s, 0);

		g_array_append_val(ids, id);
	}
	if (step != SQLITE_DONE)
		rc = catalog_fail(c, err);
	sqlite3_finalize(s);
	if (rc < 0)
		g_array_unref(ids);
	else
		*out = ids;
	return rc;
}

int rs_catalog_ids(struct rs_catalog *c, const char *match, const char *where,
	const GPtrArray *args, guint limit, GArray **out, struct rs_err *err)
{
	guint match_at = match ? (args ? args->len : 0) + 1 : 0;
	g_autofree char *text = ids_sql(match_at, where, limit);
	sqlite3_stmt *s = NULL;

	if (sqlite3_prepare_v2(c->db, text, -1, &s, NULL) != SQLITE_OK)
		return catalog_fail(c, err);
	for (guint i = 0; args && i < args->len; i++)
		catalog_bind(s, (int)i + 1, args->pdata[i]);
	if (match)
		catalog_bind(s, (int)match_at, match);
	return ids_take(c, s, out, err);
}

int rs_catalog_threads(struct rs_catalog *c, const char *where, GArray **out, struct rs_err *err)
{
	g_autofree char *text = g_strdup_printf(
		"SELECT max(m.id) FROM message m WHERE (%s) GROUP BY m.thread ORDER BY 1 DESC",
		where);
	sqlite3_stmt *s = NULL;

	if (sqlite3_prepare_v2(c->db, text, -1, &s, NULL) != SQLITE_OK)
		return catalog_fail(c, err);
	return ids_take(c, s, out, err);
}

int rs_catalog_count(
	struct rs_catalog *c, gint64 folder, guint *total, guint *unread, struct rs_err *err)
{
	sqlite3_stmt *s = catalog_statement(c, COUNT);
	int rc = 0;

	if (!s)
		return catalog_fail(c, err);
	sqlite3_bind_int64(s, 1, folder);
	if (sqlite3_step(s) == SQLITE_ROW) {
		*total = (guint)sqlite3_column_int(s, 0);
		*unread = (guint)sqlite3_column_int(s, 1);
	} else {
		rc = catalog_fail(c, err);
	}
	sqlite3_reset(s);
	return rc;
}

int rs_catalog_thread_n(struct rs_catalog *c, gint64 thread, guint *n, struct rs_err *err)
{
	sqlite3_stmt *s = catalog_statement(c, THREAD_N);
	int rc = 0;

	if (!s)
		return catalog_fail(c, err);
	sqlite3_bind_int64(s, 1, thread);
	if (sqlite3_step(s) == SQLITE_ROW)
		*n = (guint)sqlite3_column_int(s, 0);
	else
		rc = catalog_fail(c, err);
	sqlite3_reset(s);
	return rc;
}
