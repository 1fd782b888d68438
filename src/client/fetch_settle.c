/* fetch_settle.c - after a kill: for each name that was recorded and never confirmed, look whether
 * the file is there. It may have been moved or marked by another program meanwhile, so it is looked
 * for by its unique part, in the inbox and in every folder beside and below it. */
#include "client/fetch_priv.h"

#include <string.h>

#define DEPTH_MAX 4

static void note_names(GHashTable *want, const char *folder)
{
	struct rs_maildir *m = NULL;
	struct rs_maildir_list *l = NULL;

	if (rs_maildir_open(rs_fs_posix(), folder, 0, &m, NULL) < 0)
		return;
	if (rs_maildir_scan(m, &l, NULL) == 0) {
		for (size_t i = 0; i < rs_maildir_list_n(l); i++) {
			struct rs_maildir_name n;
			g_autofree char *unique = NULL;

			rs_maildir_name_parse(rs_slice_str(rs_maildir_list_at(l, i).file), &n);
			unique = g_strndup((const char *)n.unique.p, n.unique.n);
			if (g_hash_table_contains(want, unique))
				g_hash_table_replace(
					want, g_steal_pointer(&unique), GINT_TO_POINTER(1));
		}
	}
	rs_maildir_list_destroy(&l);
	rs_maildir_destroy(&m);
}

/* The folder itself if it is a Maildir, and all folders in it. */
static void walk(GHashTable *want, const char *folder, int depth)
{
	g_autoptr(GDir) dir = depth < DEPTH_MAX ? g_dir_open(folder, 0, NULL) : NULL;
	const char *name;

	note_names(want, folder);
	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *sub = g_build_filename(folder, name, NULL);

		if (strcmp(name, "cur") != 0 && strcmp(name, "new") != 0 &&
			strcmp(name, "tmp") != 0 && g_file_test(sub, G_FILE_TEST_IS_DIR) &&
			!g_file_test(sub, G_FILE_TEST_IS_SYMLINK))
			walk(want, sub, depth + 1);
	}
}

static char *unique_of(const char *file)
{
	struct rs_maildir_name n;

	rs_maildir_name_parse(rs_slice_str(file), &n);
	return g_strndup((const char *)n.unique.p, n.unique.n);
}

/* STORED where the file is; forgotten (and so fetched again) where it is not. */
static int write_back(
	struct fetch_run *r, const GArray *pending, GHashTable *want, struct rs_err *err)
{
	int rc = rs_ledger_begin(r->ledger, err);

	for (guint i = 0; i < pending->len && rc == 0; i++) {
		const struct rs_ledger_pending *p =
			&g_array_index(pending, struct rs_ledger_pending, i);
		g_autofree char *unique = unique_of(p->file);

		if (g_hash_table_lookup(want, unique))
			rc = rs_ledger_state(r->ledger, p->id, RS_LEDGER_STORED, err);
		else
			rc = rs_ledger_forget(r->ledger, p->id, err);
	}
	fetch_step(r, "settle");
	return rc == 0 ? rs_ledger_commit(r->ledger, err) : rc;
}

int fetch_settle(struct fetch_run *r, struct rs_err *err)
{
	g_autoptr(GHashTable) want = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	GArray *pending = NULL;
	int rc = rs_ledger_pending(r->ledger, r->key, &pending, err);

	if (rc < 0)
		return rc;
	for (guint i = 0; i < pending->len; i++)
		g_hash_table_insert(want,
			unique_of(g_array_index(pending, struct rs_ledger_pending, i).file), NULL);
	if (pending->len) {
		walk(want, r->f->account->maildir, 0);
		walk(want, r->f->places->mail_dir, 0);
		/* the file may be there by a rename that no power cut has seen: make it last first */
		rc = rs_maildir_sync(r->maildir, err);
		if (rc == 0)
			rc = write_back(r, pending, want, err);
	}
	g_array_unref(pending);
	return rc;
}
