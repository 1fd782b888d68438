/* fetch_settle.c - after a kill: for each name that was recorded and never confirmed, look whether
 * the file is there. */
#include "client/fetch_priv.h"

/* STORED where the file is; forgotten (and so fetched again) where it is not. */
static int write_back(
	struct fetch_run *r, const GArray *pending, GHashTable *want, struct rs_err *err)
{
	int rc = rs_ledger_begin(r->ledger, err);

	for (guint i = 0; i < pending->len && rc == 0; i++) {
		const struct rs_ledger_file *p = &g_array_index(pending, struct rs_ledger_file, i);
		g_autofree char *unique = fetch_unique_of(p->file);

		if (g_hash_table_lookup(want, unique))
			rc = rs_ledger_state(r->ledger, p->id, RS_LEDGER_STORED, err);
		else
			rc = rs_ledger_forget(r->ledger, p->id, err);
	}
	return fetch_ledger_end(r, rc, "settle", err);
}

int fetch_settle(struct fetch_run *r, struct rs_err *err)
{
	g_autoptr(GHashTable) want = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	GArray *pending = NULL;
	int rc = rs_ledger_files(r->ledger, r->key, true, &pending, err);

	if (rc < 0)
		return rc;
	if (pending->len && r->f->account->deliver_to) {
		rc = fetch_hand_settle(r, pending, err);
		g_array_unref(pending);
		return rc;
	}
	for (guint i = 0; i < pending->len; i++)
		g_hash_table_insert(want,
			fetch_unique_of(g_array_index(pending, struct rs_ledger_file, i).file),
			NULL);
	if (pending->len) {
		fetch_look(r, want);
		/* the file may be there by a rename that no power cut has seen: make it last first */
		rc = rs_maildir_sync(r->maildir, err);
		if (rc == 0)
			rc = write_back(r, pending, want, err);
	}
	g_array_unref(pending);
	return rc;
}
