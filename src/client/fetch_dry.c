/* fetch_dry.c - what a check would do, told instead of done. */
#include "client/fetch_priv.h"

static GHashTable *files_by_id(struct fetch_run *r, GArray **files, struct rs_err *err)
{
	GHashTable *t;

	if (rs_ledger_files(r->ledger, r->key, false, files, err) < 0)
		return NULL;
	t = g_hash_table_new(NULL, NULL);
	for (guint i = 0; i < (*files)->len; i++) {
		const struct rs_ledger_file *f = &g_array_index(*files, struct rs_ledger_file, i);

		g_hash_table_insert(t, GSIZE_TO_POINTER((gsize)f->id), f->file);
	}
	return t;
}

static void tell(struct fetch_run *r, enum rs_fetch_would would, guint listed, const char *file)
{
	const struct rs_listed *m = fetch_listed(r, listed);
	struct rs_fetch_item item = {.would = would,
		.num = m->num,
		.uid = rs_listed_uid(m),
		.size = m->size,
		.file = file && *file ? file : NULL};

	r->f->dry_run(r->f->dry_run_arg, &item);
}

static void tell_removals(
	struct fetch_run *r, const GArray *list, enum rs_fetch_would would, GHashTable *files)
{
	for (guint i = 0; i < list->len; i++) {
		const struct rs_plan_remove *d = &g_array_index(list, struct rs_plan_remove, i);

		tell(r, would, d->listed,
			g_hash_table_lookup(files, GSIZE_TO_POINTER((gsize)d->id)));
	}
}

int fetch_dry(struct fetch_run *r, struct rs_err *err)
{
	GArray *rows = NULL;
	g_autoptr(GHashTable) files = files_by_id(r, &rows, err);

	if (!files)
		return -(int)err->kind;
	for (guint i = 0; i < r->plan.fetch->len; i++)
		tell(r, RS_WOULD_FETCH, fetch_wanted(r, i)->listed, NULL);
	for (guint i = 0; i < r->plan.skip->len; i++)
		tell(r, RS_WOULD_SKIP, g_array_index(r->plan.skip, guint, i), NULL);
	tell_removals(r, r->plan.remove, RS_WOULD_DELETE, files);
	for (guint i = 0; i < r->plan.fetch->len; i++) {
		if (fetch_wanted(r, i)->remove)
			tell(r, RS_WOULD_DELETE, fetch_wanted(r, i)->listed, NULL);
	}
	tell_removals(r, r->plan.waiting, RS_WOULD_DELETE_NEXT, files);
	g_array_unref(rows);
	return 0;
}
