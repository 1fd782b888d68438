/* catalog_add.c - messages go into the catalog and out of it. */
#include "client/catalog_priv.h"

#include <string.h>

#include "client/clean.h"
#include "client/text.h"
#include "maildir/maildir.h"

#define FIELDS        5 /* of FTS5, in the order of its columns */
#define SNIPPET_CHARS 140
#define SNIPPET_LOOK  2048u
#define IDS_A_SECOND  (G_GINT64_CONSTANT(1) << CATALOG_ID_BITS)
#define SECONDS_TRIED 16

/* --- words, deflated ---------------------------------------------------------------------------- */

/* All of `in` through `converter`. NULL: it is not what it must be. */
static GByteArray *converted(GConverter *converter, const guint8 *in, gsize n)
{
	GByteArray *out = g_byte_array_new();
	GConverterResult result = G_CONVERTER_CONVERTED;

	g_converter_reset(converter);
	while (result == G_CONVERTER_CONVERTED) {
		guint8 piece[16384];
		gsize used = 0;
		gsize made = 0;

		result = g_converter_convert(converter, in, n, piece, sizeof(piece),
			G_CONVERTER_INPUT_AT_END, &used, &made, NULL);
		if (result == G_CONVERTER_ERROR || out->len > 16 * RS_CATALOG_TEXT_MAX) {
			g_byte_array_unref(out);
			return NULL;
		}
		g_byte_array_append(out, piece, (guint)made);
		in += used;
		n -= used;
	}
	return out;
}

static void fields_bind(sqlite3_stmt *s, gint64 id, const char *const fields[FIELDS])
{
	sqlite3_bind_int64(s, 1, id);
	for (int i = 0; i < FIELDS; i++)
		catalog_bind(s, i + 2, fields[i]);
}

static int words_add(
	struct rs_catalog *c, gint64 id, const char *const fields[FIELDS], struct rs_err *err)
{
	sqlite3_stmt *s = catalog_statement(c, TEXT_ADD);
	g_autoptr(GByteArray) plain = g_byte_array_new();
	g_autoptr(GByteArray) small = NULL;
	int rc;

	for (int i = 0; i < FIELDS; i++)
		g_byte_array_append(plain, (const guint8 *)fields[i], (guint)strlen(fields[i]) + 1);
	small = converted(c->deflate, plain->data, plain->len);
	if (!s || !small)
		return catalog_fail(c, err);
	sqlite3_bind_int64(s, 1, id);
	sqlite3_bind_blob64(s, 2, small->data, small->len, SQLITE_STATIC);
	rc = catalog_done(c, s, err);
	if (rc < 0)
		return rc;
	s = catalog_statement(c, FTS_ADD);
	if (s)
		fields_bind(s, id, fields);
	return catalog_done(c, s, err);
}

/* FTS5 forgets what it is told again, to the letter. */
static int words_drop(struct rs_catalog *c, gint64 id, struct rs_err *err)
{
	sqlite3_stmt *s = catalog_statement(c, TEXT_GET);
	g_autoptr(GByteArray) plain = NULL;
	const char *fields[FIELDS];
	gsize at = 0;

	if (!s)
		return catalog_fail(c, err);
	sqlite3_bind_int64(s, 1, id);
	if (sqlite3_step(s) == SQLITE_ROW)
		plain = converted(
			c->inflate, sqlite3_column_blob(s, 0), (gsize)sqlite3_column_bytes(s, 0));
	sqlite3_reset(s);
	for (int i = 0; plain && i < FIELDS; i++) {
		const guint8 *end =
			at < plain->len ? memchr(plain->data + at, 0, plain->len - at) : NULL;

		if (!end)
			g_clear_pointer(&plain, g_byte_array_unref);
		else {
			fields[i] = (const char *)plain->data + at;
			at = (gsize)(end - plain->data) + 1;
		}
	}
	if (!plain)
		return rs_err_set(err, RS_ECORRUPT, _("the index is damaged"));
	s = catalog_statement(c, FTS_DROP);
	if (s)
		fields_bind(s, id, fields);
	if (catalog_done(c, s, err) < 0)
		return -(int)err->kind;
	s = catalog_statement(c, TEXT_DROP);
	if (s)
		sqlite3_bind_int64(s, 1, id);
	return catalog_done(c, s, err);
}

/* --- rows ----------------------------------------------------------------------------------------- */

/* A free id of that second, behind those that are taken; a full second flows over into the next. */
static int id_find(struct rs_catalog *c, gint64 date_s, gint64 *id, struct rs_err *err)
{
	sqlite3_stmt *s = catalog_statement(c, ID_MAX);

	if (!s)
		return catalog_fail(c, err);
	for (int i = 0; i < SECONDS_TRIED; i++) {
		gint64 first = (date_s + i) << CATALOG_ID_BITS;
		gint64 last = first + IDS_A_SECOND - 1;
		gint64 taken = first - 1;

		sqlite3_bind_int64(s, 1, first);
		sqlite3_bind_int64(s, 2, last);
		if (sqlite3_step(s) == SQLITE_ROW && sqlite3_column_type(s, 0) != SQLITE_NULL)
			taken = sqlite3_column_int64(s, 0);
		sqlite3_reset(s);
		if (taken < last) {
			*id = taken + 1;
			return 0;
		}
	}
	return rs_err_set(err, RS_ELIMIT, _("too many messages of one second"));
}

/* The first words of the sender's own: what is quoted is left out. */
static char *snippet(const char *body)
{
	g_autoptr(GString) own = g_string_new(NULL);
	char *line;

	for (const char *at = body; *at && own->len < SNIPPET_LOOK;) {
		gsize n = strcspn(at, "\n");

		if (*at != '>' && n) {
			gsize take = MIN(n, SNIPPET_LOOK);
			const char *end;

			(void)g_utf8_validate(at, (gssize)take, &end);
			g_string_append_len(own, at, end - at);
			g_string_append_c(own, ' ');
		}
		at += n + (at[n] == '\n');
	}
	line = rs_clean_line(own->str);
	if (g_utf8_strlen(line, -1) > SNIPPET_CHARS)
		*g_utf8_offset_to_pointer(line, SNIPPET_CHARS) = '\0';
	return line;
}

static int row_add(struct rs_catalog *c, const struct catalog_fresh *f, gint64 id, gint64 thread,
	struct rs_err *err)
{
	sqlite3_stmt *s = catalog_statement(c, ROW_ADD);
	g_autofree char *words = snippet(f->body);
	struct rs_maildir_name name;
	char code[RS_CODE_N + 1];
	bool reply;

	if (!s)
		return catalog_fail(c, err);
	rs_maildir_name_parse(rs_slice_str(f->file), &name);
	rs_catalog_code(name.unique, code);
	sqlite3_bind_int64(s, 1, id);
	sqlite3_bind_int64(s, 2, f->folder);
	catalog_bind(s, 3, f->uniq);
	catalog_bind(s, 4, f->file);
	sqlite3_bind_int(s, 5, (int)f->flags);
	sqlite3_bind_int64(s, 6, (sqlite3_int64)f->size);
	catalog_bind(s, 7, code);
	catalog_bind(s, 8, f->from);
	catalog_bind(s, 9, f->address);
	catalog_bind(s, 10, f->to);
	catalog_bind(s, 11, f->subject);
	catalog_bind(s, 12, f->message_id);
	catalog_bind(s, 13, words);
	sqlite3_bind_int(s, 14, (int)f->attached);
	sqlite3_bind_int64(s, 15, thread);
	sqlite3_bind_int64(s, 16, catalog_subject_hash(f->subject, &reply));
	return catalog_done(c, s, err);
}

int catalog_add(struct rs_catalog *c, struct catalog_fresh *f, struct rs_err *err)
{
	gint64 thread = 0;
	int rc = id_find(c, f->date_s, &f->id, err);

	if (rc == 0)
		rc = catalog_thread(c, f, f->id, &thread, err);
	return rc == 0 ? row_add(c, f, f->id, thread, err) : rc;
}

int catalog_add_words(struct rs_catalog *c, const struct catalog_fresh *f, struct rs_err *err)
{
	g_autofree char *sender = g_strconcat(f->from, " ", f->address, NULL);
	g_autofree char *receivers = g_strconcat(f->to, " ", f->cc, NULL);
	const char *const fields[FIELDS] = {f->subject, sender, receivers, f->body, f->files};

	return words_add(c, f->id, fields, err);
}

int rs_catalog_removed(struct rs_catalog *c, gint64 id, struct rs_err *err)
{
	sqlite3_stmt *s;
	int rc = words_drop(c, id, err);

	if (rc < 0)
		return rc;
	s = catalog_statement(c, ROW_DROP);
	if (s)
		sqlite3_bind_int64(s, 1, id);
	return catalog_done(c, s, err);
}

int rs_catalog_moved(struct rs_catalog *c, gint64 id, gint64 folder, const char *file, bool in_new,
	struct rs_err *err)
{
	sqlite3_stmt *s = catalog_statement(c, ROW_FILE);
	g_autofree char *uniq = NULL;
	struct rs_maildir_name name;

	if (!s)
		return catalog_fail(c, err);
	rs_maildir_name_parse(rs_slice_str(file), &name);
	uniq = g_strndup((const char *)name.unique.p, name.unique.n);
	sqlite3_bind_int64(s, 1, id);
	sqlite3_bind_int64(s, 2, folder);
	catalog_bind(s, 3, uniq);
	catalog_bind(s, 4, file);
	sqlite3_bind_int(s, 5, (int)rs_flags_of(file, in_new));
	return catalog_done(c, s, err);
}
