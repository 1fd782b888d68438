/* fetch_here.c - what became of fetched messages here, for the policies until-deleted and until-moved.
 *
 * A folder that is not there (a disk that is not mounted, a path that was changed) looks like one from which
 * all was deleted. So the folder bears a mark, the file restante-id, that the ledger knows: without
 * the same mark nothing counts as deleted. And what is missing must be missing at two checks. */
#include "client/fetch_priv.h"

#include <string.h>
#include <sys/random.h>

#include "client/places.h"
#include "client/text.h"

#define MARK_NAME "restante-id"
#define MARK_MAX  256u

static char *mark_make(void)
{
	uint64_t chance[2] = {0};

	(void)!getrandom(chance, sizeof(chance), 0); /* so few octets never come short */
	return g_strdup_printf(
		"%016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER "x\n", chance[0], chance[1]);
}

/* *sure: this is the folder that mail was fetched into before. */
static int mark_check(struct fetch_run *r, bool *sure, struct rs_err *err)
{
	g_autofree char *path = g_build_filename(r->f->account->maildir, MARK_NAME, NULL);
	g_autofree char *there = NULL;
	size_t n = 0;
	int rc = rs_file_read(path, MARK_MAX, &there, &n, err);

	*sure = true;
	if (rc < 0 && rc != -RS_ENOENT)
		return rc;
	if (r->known.marker) {
		*sure = rc == 0 && strcmp(there, r->known.marker) == 0;
		return 0;
	}
	if (r->f->dry_run)
		return 0;
	r->known_changed = true;
	r->known.marker = rc == 0 ? g_steal_pointer(&there) : mark_make();
	return rc == 0 ? 0 : rs_file_replace(path, rs_slice_str(r->known.marker), err);
}

/* Ids of rows -> enum rs_here. Rows without a file (imported, delivered elsewhere) are not asked. */
static int look(struct fetch_run *r, GHashTable *by_id, struct rs_err *err)
{
	g_autoptr(GHashTable) want = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	GArray *files = NULL;
	int rc = rs_ledger_files(r->ledger, r->key, false, &files, err);

	if (rc < 0)
		return rc;
	for (guint i = 0; i < files->len; i++) {
		const char *file = g_array_index(files, struct rs_ledger_file, i).file;

		if (*file)
			g_hash_table_insert(want, fetch_unique_of(file), NULL);
	}
	fetch_look(r, want);
	for (guint i = 0; i < files->len; i++) {
		const struct rs_ledger_file *f = &g_array_index(files, struct rs_ledger_file, i);
		g_autofree char *unique = fetch_unique_of(f->file);
		gint here = GPOINTER_TO_INT(g_hash_table_lookup(want, unique));

		if (*f->file)
			g_hash_table_insert(by_id, GSIZE_TO_POINTER((gsize)f->id),
				GINT_TO_POINTER(here ? here : RS_HERE_NOWHERE));
	}
	g_array_unref(files);
	return 0;
}

static bool is_away(const struct fetch_run *r, const struct rs_ledger_row *row)
{
	return row->here == RS_HERE_NOWHERE ||
	       (row->here == RS_HERE_ELSEWHERE && r->f->account->leave.until_moved);
}

/* When each was first missed; those that are back are not. */
static int note_missed(struct fetch_run *r, struct rs_err *err)
{
	int rc = rs_ledger_begin(r->ledger, err);

	for (guint i = 0; i < r->table.rows->len && rc == 0; i++) {
		struct rs_ledger_row *row = &g_array_index(r->table.rows, struct rs_ledger_row, i);
		bool away = is_away(r, row);

		if (row->here == RS_HERE_NOT_ASKED || away == (row->missed_s != 0))
			continue;
		row->missed_s = away ? (guint32)r->now_s : 0;
		rc = rs_ledger_missed(r->ledger, row->id, row->missed_s, err);
	}
	return fetch_ledger_end(r, rc, "missed", err);
}

int fetch_here(struct fetch_run *r, struct rs_err *err)
{
	g_autoptr(GHashTable) by_id = g_hash_table_new(NULL, NULL);
	bool sure = true;
	int rc;

	if (!rs_policy_looks_here(&r->f->account->leave))
		return 0;
	rc = mark_check(r, &sure, err);
	if (rc == 0 && !sure) {
		fetch_notice(r,
			_("%s is not the folder that mail was fetched into before (its file %s is "
			  "not the "
			  "same), so nothing is deleted on the server for being missing here; "
			  "bring the "
			  "old folder back, or copy that file into this one"),
			r->f->account->maildir, MARK_NAME);
		return 0;
	}
	if (rc == 0)
		rc = look(r, by_id, err);
	if (rc < 0)
		return rc;
	for (guint i = 0; i < r->table.rows->len; i++) {
		struct rs_ledger_row *row = &g_array_index(r->table.rows, struct rs_ledger_row, i);

		row->here = GPOINTER_TO_UINT(
				    g_hash_table_lookup(by_id, GSIZE_TO_POINTER((gsize)row->id))) &
			    3u;
	}
	return r->f->dry_run ? 0 : note_missed(r, err);
}
