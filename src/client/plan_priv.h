/* plan_priv.h - what the files of the plan share. Nobody else includes it. */
#ifndef RS_CLIENT_PLAN_PRIV_H
#define RS_CLIENT_PLAN_PRIV_H

#include "client/plan.h"

struct plan_work {
	struct rs_plan *p;
	const struct rs_plan_in *in;
	/* by row of the listing: place + 1, or 0 */
	guint *found;    /* row of the table with that UID              */
	guint *row_at;   /* the same, where it may be deleted there     */
	guint *fetch_at; /* place in p->fetch                           */
};

static inline struct rs_listed *plan_listed(const GArray *listing, guint i)
{
	return &g_array_index(listing, struct rs_listed, i);
}

static inline struct rs_ledger_row *plan_row(const struct rs_ledger_table *t, guint i)
{
	return &g_array_index(t->rows, struct rs_ledger_row, i);
}

/* plan_leave.c: fills p->remove and p->waiting, and says of p->fetch what goes behind it. */
void plan_leave(struct plan_work *w);

#endif
