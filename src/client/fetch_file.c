/* fetch_file.c - where a new message is filed: the inbox, or what the rules say. All are written into the inbox's tmp/ and
 * moved from there when they are durable, so that a folder sees whole messages only. */
#include "client/fetch_priv.h"

#include "client/text.h"

int fetch_file_open(struct fetch_run *r, struct rs_err *err)
{
	const char *path = r->f->account->rules;

	r->folders = g_hash_table_new(g_str_hash, g_str_equal); /* names are the rules' own */
	return path ? rs_rules_load(path, &r->rules, err) : 0;
}

void fetch_file_close(struct fetch_run *r)
{
	GHashTableIter i;
	gpointer m;

	if (r->folders) {
		g_hash_table_iter_init(&i, r->folders);
		while (g_hash_table_iter_next(&i, NULL, &m)) {
			struct rs_maildir *folder = m;

			rs_maildir_destroy(&folder);
		}
		g_hash_table_unref(r->folders);
	}
	rs_rules_free(r->rules);
}

static int folder_of(
	struct fetch_run *r, const char *name, struct rs_maildir **out, struct rs_err *err)
{
	g_autofree char *path = g_build_filename(r->f->places->mail_dir, name, NULL);
	int rc;

	*out = g_hash_table_lookup(r->folders, name);
	if (*out)
		return 0;
	rc = rs_maildir_open(rs_fs_posix(), path, RS_MAILDIR_CREATE, out, err);
	if (rc == 0)
		g_hash_table_insert(r->folders, (gpointer)(guintptr)name, *out);
	return rc;
}

int fetch_file_publish(struct fetch_run *r, struct fetch_got *g, struct rs_err *err)
{
	char flags[3] = "";
	struct rs_maildir *to = r->maildir;
	guint n = 0;
	int rc;

	if (g->verdict.flagged) /* in the order of letters, as the Maildir rules say */
		flags[n++] = 'F';
	if (g->verdict.seen)
		flags[n++] = 'S';
	if (g->verdict.folder) {
		rc = folder_of(r, g->verdict.folder, &to, err);
		if (rc < 0)
			return rc;
	}
	rc = rs_deliv_publish_to(g->deliv, to, flags, err);
	if (rc == -RS_EINVAL) /* another file system: better the inbox than nothing */
		rc = rs_deliv_publish_to(g->deliv, r->maildir, flags, err);
	return rc;
}

int fetch_file_sync(struct fetch_run *r, struct rs_err *err)
{
	int rc = rs_maildir_sync(r->maildir, err);
	GHashTableIter i;
	gpointer m;

	if (!r->rules || rc < 0)
		return rc;
	rc = rs_maildir_sync_cur(r->maildir, err);
	g_hash_table_iter_init(&i, r->folders);
	while (rc == 0 && g_hash_table_iter_next(&i, NULL, &m)) {
		rc = rs_maildir_sync(m, err);
		if (rc == 0)
			rc = rs_maildir_sync_cur(m, err);
	}
	return rc;
}
