/* plan.c - see plan.h */
#include "client/plan.h"

static guint slice_hash(gconstpointer p)
{
	return rs_slice_hash(*(const struct rs_slice *)p);
}

static gboolean slice_equal(gconstpointer a, gconstpointer b)
{
	return rs_slice_eq(*(const struct rs_slice *)a, *(const struct rs_slice *)b);
}

/* The same UID may stand in a listing more than once: number them. */
static void occurrences(GArray *listing)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(slice_hash, slice_equal);

	for (guint i = 0; i < listing->len; i++) {
		struct rs_listed *m = &g_array_index(listing, struct rs_listed, i);
		guint n = GPOINTER_TO_UINT(g_hash_table_lookup(seen, &m->uid));

		m->occurrence = n;
		g_hash_table_insert(seen, &m->uid, GUINT_TO_POINTER(n + 1));
	}
}

static bool same_size(const struct rs_ledger_row *row, const struct rs_listed *m)
{
	return row->size == UINT64_MAX || m->size == UINT64_MAX || row->size == m->size;
}

static void known(struct rs_plan *p, struct rs_ledger_row *row, const struct rs_listed *m,
	enum rs_leave leave)
{
	struct rs_plan_remove r = {.num = m->num, .id = row->id};

	row->seen = TRUE;
	if (row->gone_s)
		g_array_append_val(p->back, row->id);
	if (!same_size(row, m))
		p->doubtful++;
	else if (leave == RS_LEAVE_DELETE && !row->hold && row->state != RS_LEDGER_STORING)
		g_array_append_val(p->remove, r);
}

void rs_plan_make(struct rs_plan *p, GArray *listing, struct rs_ledger_table *table,
	enum rs_leave leave, gint64 now_s)
{
	p->fetch = g_array_new(FALSE, FALSE, sizeof(guint));
	p->remove = g_array_new(FALSE, FALSE, sizeof(struct rs_plan_remove));
	p->gone = g_array_new(FALSE, FALSE, sizeof(gint64));
	p->back = g_array_new(FALSE, FALSE, sizeof(gint64));
	p->forget = g_array_new(FALSE, FALSE, sizeof(gint64));
	p->doubtful = 0;
	for (guint i = 0; i < table->rows->len; i++)
		g_array_index(table->rows, struct rs_ledger_row, i).seen = FALSE;
	occurrences(listing);
	for (guint i = 0; i < listing->len; i++) {
		const struct rs_listed *m = &g_array_index(listing, struct rs_listed, i);
		struct rs_ledger_row *row = rs_ledger_find(table, m->uid, m->occurrence);

		if (row)
			known(p, row, m, leave);
		else
			g_array_append_val(p->fetch, i);
	}
	for (guint i = 0; i < table->rows->len; i++) {
		const struct rs_ledger_row *row =
			&g_array_index(table->rows, struct rs_ledger_row, i);

		if (row->seen)
			continue;
		if (!row->gone_s)
			g_array_append_val(p->gone, row->id);
		else if (row->gone_s + RS_LEDGER_KEEP_S < now_s)
			g_array_append_val(p->forget, row->id);
	}
}

void rs_plan_finish(struct rs_plan *p)
{
	GArray **all[] = {&p->fetch, &p->remove, &p->gone, &p->back, &p->forget};

	for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
		if (*all[i])
			g_array_unref(*all[i]);
		*all[i] = NULL;
	}
}
