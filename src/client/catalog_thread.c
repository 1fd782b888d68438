/* catalog_thread.c - which thread a message belongs to: by Message-ID, References and In-Reply-To (RFC 5322
 * section 3.6.4), in whatever order they come in. The subject decides only for a reply that refers to
 * nothing, to a message of the last two months with the same subject between the same people. */
#include "client/catalog_priv.h"

#include <string.h>

#define REFS_MAX    33u /* the first, which began it, and the last 32 */
#define SAME_DAYS_S (60 * 86400)
#define MERGE_MAX \
	1000u /* a thread of more messages is not moved into another: one mail must not cost much */

static gint64 hash_of(const char *id, gsize n)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	guint8 digest[32];
	gsize digest_n = sizeof(digest);
	gint64 hash;

	g_checksum_update(sum, (const guchar *)id, (gssize)n);
	g_checksum_get_digest(sum, digest, &digest_n);
	memcpy(&hash, digest, sizeof(hash));
	return hash;
}

/* Each "<…@…>" of the text, hashed. */
static void ids_take(const char *text, GArray *out)
{
	for (const char *at = strchr(text, '<'); at; at = strchr(at, '<')) {
		gsize n = strcspn(++at, "<> \t");
		gint64 hash;

		if (at[n] != '>' || !memchr(at, '@', n))
			continue;
		hash = hash_of(at, n);
		g_array_append_val(out, hash);
		at += n;
	}
}

static int known_get(struct rs_catalog *c, gint64 msgid, gint64 *thread, struct rs_err *err)
{
	sqlite3_stmt *s = catalog_statement(c, KNOWN_GET);
	int step;

	if (!s)
		return catalog_fail(c, err);
	sqlite3_bind_int64(s, 1, msgid);
	step = sqlite3_step(s);
	*thread = step == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
	sqlite3_reset(s);
	return step == SQLITE_ROW || step == SQLITE_DONE ? 0 : catalog_fail(c, err);
}

static int pair_run(
	struct rs_catalog *c, enum catalog_statement which, gint64 a, gint64 b, struct rs_err *err)
{
	sqlite3_stmt *s = catalog_statement(c, which);

	if (s) {
		sqlite3_bind_int64(s, 1, a);
		sqlite3_bind_int64(s, 2, b);
	}
	return catalog_done(c, s, err);
}

/* They turn out to be one. */
static int merge(struct rs_catalog *c, gint64 other, gint64 *thread, struct rs_err *err)
{
	gint64 from = other;
	gint64 to = *thread;
	guint n = 0;
	int rc = rs_catalog_thread_n(c, from, &n, err);

	if (rc == 0 && n > MERGE_MAX) {
		from = *thread;
		to = other;
		rc = rs_catalog_thread_n(c, from, &n, err);
	}
	if (rc < 0 || n > MERGE_MAX)
		return rc;
	*thread = to;
	rc = pair_run(c, THREAD_MERGE, from, to, err);
	return rc == 0 ? pair_run(c, KNOWN_MERGE, from, to, err) : rc;
}

static bool holds(const char *people, const char *address)
{
	g_autofree char *a = g_utf8_casefold(people, -1);
	g_autofree char *b = g_utf8_casefold(address, -1);

	return *b && strstr(a, b);
}

static int by_subject(
	struct rs_catalog *c, const struct catalog_fresh *f, gint64 *thread, struct rs_err *err)
{
	bool reply;
	gint64 base = catalog_subject_hash(f->subject, &reply);
	sqlite3_stmt *s = base && reply ? catalog_statement(c, SAME_SUBJECT) : NULL;
	int step = SQLITE_DONE;

	if (!s)
		return 0;
	sqlite3_bind_int64(s, 1, base);
	sqlite3_bind_int64(s, 2, MAX(f->date_s - SAME_DAYS_S, 0) << CATALOG_ID_BITS);
	sqlite3_bind_int64(s, 3, (f->date_s + 1) << CATALOG_ID_BITS);
	while (!*thread && (step = sqlite3_step(s)) == SQLITE_ROW) {
		const char *address = (const char *)sqlite3_column_text(s, 1);
		const char *receivers = (const char *)sqlite3_column_text(s, 2);

		if ((address && (holds(f->to, address) || holds(f->cc, address))) ||
			(receivers && holds(receivers, f->address)))
			*thread = sqlite3_column_int64(s, 0);
	}
	sqlite3_reset(s);
	return step == SQLITE_ROW || step == SQLITE_DONE ? 0 : catalog_fail(c, err);
}

int catalog_thread(struct rs_catalog *c, const struct catalog_fresh *f, gint64 id, gint64 *thread,
	struct rs_err *err)
{
	g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(gint64));
	gint64 found = 0;
	guint own;
	int rc = 0;

	ids_take(f->references, ids);
	if (ids->len > REFS_MAX)
		g_array_remove_range(ids, 1, ids->len - REFS_MAX);
	own = ids->len;
	ids_take(f->message_id, ids);
	g_array_set_size(ids, MIN(ids->len, own + 1));
	for (guint i = 0; i < ids->len && rc == 0; i++) {
		gint64 there = 0;

		rc = known_get(c, g_array_index(ids, gint64, i), &there, err);
		if (rc == 0 && there && found && there != found)
			rc = merge(c, there, &found, err);
		else if (there)
			found = there;
	}
	if (rc == 0 && !found && !own)
		rc = by_subject(c, f, &found, err);
	if (!found)
		found = id;
	for (guint i = 0; i < ids->len && rc == 0; i++)
		rc = pair_run(c, KNOWN_PUT, g_array_index(ids, gint64, i), found, err);
	*thread = found;
	return rc;
}
