/* plan.c - see plan.h. The listing and the ledger's rows are walked side by side in the order of UIDs; who
 * goes is decided in the order of the server (plan_leave.c). */
#include "client/plan_priv.h"

#include <stdlib.h>

/* --- the listing in two orders -------------------------------------------------------------- */

static gint by_number(gconstpointer a, gconstpointer b)
{
	const struct rs_listed *x = a;
	const struct rs_listed *y = b;

	return (x->num > y->num) - (x->num < y->num);
}

static void sort_by_number(GArray *listing)
{
	for (guint i = 1; i < listing->len; i++) {
		if (plan_listed(listing, i - 1)->num > plan_listed(listing, i)->num) {
			g_array_sort(listing, by_number);
			return;
		}
	}
}

static gint by_uid(gconstpointer a, gconstpointer b, gpointer data)
{
	const GArray *listing = data;
	guint i = *(const guint *)a;
	guint j = *(const guint *)b;
	const struct rs_listed *x = plan_listed(listing, i);
	const struct rs_listed *y = plan_listed(listing, j);
	int order = rs_ledger_compare(rs_listed_uid(x), 0, rs_listed_uid(y), 0);

	return order ? order : (i > j) - (i < j);
}

/* Most servers give UIDs that grow with the number: then there is nothing to sort. */
static bool in_order(const GArray *listing)
{
	for (guint i = 1; i < listing->len; i++) {
		if (rs_ledger_compare(rs_listed_uid(plan_listed(listing, i - 1)), 0,
			    rs_listed_uid(plan_listed(listing, i)), 0) > 0)
			return false;
	}
	return true;
}

static guint at(const guint *order, guint i)
{
	return order ? order[i] : i;
}

/* Rows of the listing in the order of UIDs, NULL: as they stand; numbers those that share one. */
static guint *sort_by_uid(GArray *listing)
{
	guint *order = in_order(listing) ? NULL : g_new(guint, listing->len + 1);

	for (guint i = 0; order && i < listing->len; i++)
		order[i] = i;
	if (order)
		g_qsort_with_data(order, (gint)listing->len, sizeof(*order), by_uid, listing);
	for (guint i = 0; i < listing->len; i++) {
		struct rs_listed *m = plan_listed(listing, at(order, i));
		const struct rs_listed *before = i ? plan_listed(listing, at(order, i - 1)) : NULL;

		m->occurrence = before && rs_slice_eq(rs_listed_uid(before), rs_listed_uid(m))
					? before->occurrence + 1
					: 0;
	}
	return order;
}

/* --- row by row ------------------------------------------------------------------------------ */

static void fetch_add(struct plan_work *w, guint at, const struct rs_ledger_row *row)
{
	struct rs_plan_fetch f = {
		.listed = at, .id = row ? row->id : 0, .tries = row ? row->tries : 0};

	w->fetch_at[at] = w->p->fetch->len + 1;
	g_array_append_val(w->p->fetch, f);
}

static void unknown(struct plan_work *w, guint at)
{
	const struct rs_listed *m = plan_listed(w->in->listing, at);

	if (w->in->size_limit && m->size != UINT64_MAX && m->size > w->in->size_limit) {
		g_array_append_val(w->p->skip, at);
		w->p->skipped_n++;
		return;
	}
	fetch_add(w, at, NULL);
}

static void known(struct plan_work *w, guint at, guint row_at)
{
	struct rs_ledger_row *row = plan_row(w->in->table, row_at);
	const struct rs_listed *m = plan_listed(w->in->listing, at);
	struct rs_plan_verify doubt = {.listed = at, .row = row_at};

	row->seen = TRUE;
	w->p->known_n++;
	if (row->gone_s)
		g_array_append_val(w->p->back, row->id);
	switch ((enum rs_ledger_state)row->state) {
	case RS_LEDGER_STORED:
	case RS_LEDGER_DELETING:
		w->row_at[at] = row_at + 1;
		if (row->size != UINT64_MAX && m->size != UINT64_MAX && row->size != m->size) {
			w->row_at[at] = 0;
			g_array_append_val(w->p->verify, doubt);
		}
		break;
	case RS_LEDGER_STORING: /* settled before the plan is made; if not, then next time */
		break;
	case RS_LEDGER_FAILED:
		if (row->next_s <= w->in->now_s)
			fetch_add(w, at, row);
		else
			w->p->failed_n++;
		break;
	case RS_LEDGER_SKIPPED:
		if (w->in->size_limit && (m->size == UINT64_MAX || m->size > w->in->size_limit))
			w->p->skipped_n++;
		else
			fetch_add(w, at, row);
		break;
	case RS_LEDGER_WANTED:
		fetch_add(w, at, row);
		break;
	}
}

/* Both sides sorted by UID: one walk. What is unknown is noted, and asked for in the server's order. */
static void match(struct plan_work *w, const guint *order)
{
	const GArray *rows = w->in->table->rows;
	guint n = w->in->listing->len;
	guint r = 0;

	for (guint i = 0; i < n; i++) {
		const struct rs_listed *m = plan_listed(w->in->listing, at(order, i));
		int c = 1;

		while (r < rows->len) {
			const struct rs_ledger_row *row = plan_row(w->in->table, r);

			c = rs_ledger_compare(rs_listed_uid(m), m->occurrence, rs_ledger_uid(row),
				row->occurrence);
			if (c <= 0)
				break;
			r++;
		}
		w->found[at(order, i)] = r < rows->len && c == 0 ? r + 1 : 0;
	}
	for (guint i = 0; i < n; i++) {
		if (w->found[i])
			known(w, i, w->found[i] - 1);
		else
			unknown(w, i);
	}
}

static void absent(struct rs_plan *p, const struct rs_plan_in *in)
{
	guint there = 0;
	guint lost = 0;

	for (guint i = 0; i < in->table->rows->len; i++) {
		const struct rs_ledger_row *row = plan_row(in->table, i);

		there += row->gone_s == 0;
		if (row->seen)
			continue;
		lost += row->gone_s == 0;
		if (row->state == RS_LEDGER_STORED)
			g_array_append_val(p->missing, i);
		if (!in->whole)
			continue;
		if (!row->gone_s)
			g_array_append_val(p->gone, row->id);
		else if ((gint64)row->gone_s + RS_LEDGER_KEEP_S < in->now_s)
			g_array_append_val(p->forget, row->id);
	}
	p->vanished = there > 1 && lost == there;
}

/* One that broke the connection must not break it in front of the others. */
static void troubled_last(GArray *fetch)
{
	g_autoptr(GArray) late = g_array_new(FALSE, FALSE, sizeof(struct rs_plan_fetch));
	guint to = 0;

	for (guint i = 0; i < fetch->len; i++) {
		struct rs_plan_fetch f = g_array_index(fetch, struct rs_plan_fetch, i);

		if (f.tries)
			g_array_append_val(late, f);
		else
			g_array_index(fetch, struct rs_plan_fetch, to++) = f;
	}
	g_array_set_size(fetch, to);
	if (late->len)
		g_array_append_vals(fetch, late->data, late->len);
}

void rs_plan_make(struct rs_plan *p, const struct rs_plan_in *in)
{
	guint n = in->listing->len;
	struct plan_work w = {.p = p, .in = in};
	g_autofree guint *order = NULL;

	*p = (struct rs_plan){.fetch = g_array_new(FALSE, FALSE, sizeof(struct rs_plan_fetch)),
		.remove = g_array_new(FALSE, FALSE, sizeof(struct rs_plan_remove)),
		.waiting = g_array_new(FALSE, FALSE, sizeof(struct rs_plan_remove)),
		.skip = g_array_new(FALSE, FALSE, sizeof(guint)),
		.gone = g_array_new(FALSE, FALSE, sizeof(gint64)),
		.back = g_array_new(FALSE, FALSE, sizeof(gint64)),
		.forget = g_array_new(FALSE, FALSE, sizeof(gint64)),
		.missing = g_array_new(FALSE, FALSE, sizeof(guint)),
		.verify = g_array_new(FALSE, FALSE, sizeof(struct rs_plan_verify))};
	for (guint i = 0; i < in->table->rows->len; i++)
		plan_row(in->table, i)->seen = FALSE;
	sort_by_number(in->listing);
	order = sort_by_uid(in->listing);
	w.found = g_new(guint, n + 1);
	w.row_at = g_new0(guint, n + 1);
	w.fetch_at = g_new0(guint, n + 1);
	match(&w, order);
	absent(p, in);
	plan_leave(&w);
	troubled_last(p->fetch);
	g_free(w.found);
	g_free(w.row_at);
	g_free(w.fetch_at);
}

void rs_plan_finish(struct rs_plan *p)
{
	GArray **all[] = {&p->fetch, &p->remove, &p->waiting, &p->skip, &p->gone, &p->back,
		&p->forget, &p->missing, &p->verify};

	for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
		if (*all[i])
			g_array_unref(*all[i]);
		*all[i] = NULL;
	}
}
