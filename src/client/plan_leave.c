/* plan_leave.c - who goes on the server: the rules of the policy, one after the other. Pure. */
#include "client/plan_priv.h"

#define DAY_S 86400

/* Is it, or will it be in a moment, durable here, beyond doubt, and old enough for the grace? */
static bool eligible(const struct plan_work *w, const struct rs_policy *policy, guint at)
{
	const struct rs_ledger_row *row;

	if (w->fetch_at[at])
		return policy->grace_s == 0;
	if (!w->row_at[at])
		return false;
	row = plan_row(w->in->table, w->row_at[at] - 1);
	return !row->hold && (gint64)row->stored_s + policy->grace_s <= w->in->now_s;
}

/* Gone from where the policy looks, and that not only since this check: a folder that could not be seen for a
 * moment must not cost the copy on the server. */
static bool missed(const struct rs_ledger_row *row, const struct rs_policy *policy, gint64 now_s)
{
	bool away = (policy->until_deleted && row->here == RS_HERE_NOWHERE) ||
		    (policy->until_moved &&
			    (row->here == RS_HERE_NOWHERE || row->here == RS_HERE_ELSEWHERE));

	return away && row->missed_s && row->missed_s < now_s;
}

/* All rules but the quota. */
static bool goes(const struct plan_work *w, const struct rs_policy *policy, guint at)
{
	const struct rs_ledger_row *row;

	if (policy->remove)
		return true;
	if (policy->newest && w->in->listing->len - at > policy->newest)
		return true;
	if (!w->row_at[at])
		return false; /* the others ask for time that has passed here */
	row = plan_row(w->in->table, w->row_at[at] - 1);
	if (policy->days && (gint64)row->stored_s + (gint64)policy->days * DAY_S <= w->in->now_s)
		return true;
	return missed(row, policy, w->in->now_s);
}

/* The oldest, while what stays is more than the quota. Without all sizes nobody goes. */
static void quota(const struct plan_work *w, const struct rs_policy *policy, guint8 *mark)
{
	const GArray *listing = w->in->listing;
	guint64 stays = 0;

	for (guint i = 0; i < listing->len; i++) {
		guint64 size = plan_listed(listing, i)->size;

		if (size == UINT64_MAX)
			return;
		if (!mark[i])
			stays = stays + size < stays ? UINT64_MAX : stays + size;
	}
	for (guint i = 0; i < listing->len && stays > policy->quota; i++) {
		if (mark[i] || !eligible(w, policy, i))
			continue;
		mark[i] = 1;
		stays -= MIN(stays, plan_listed(listing, i)->size);
	}
}

static guint8 *marks(const struct plan_work *w, const struct rs_policy *policy)
{
	guint n = w->in->listing->len;
	guint8 *mark = g_new0(guint8, n + 1);

	if (rs_policy_keeps(policy))
		return mark;
	for (guint i = 0; i < n; i++)
		mark[i] = eligible(w, policy, i) && goes(w, policy, i);
	if (policy->quota)
		quota(w, policy, mark);
	return mark;
}

void plan_leave(struct plan_work *w)
{
	bool changed = !rs_policy_equal(&w->in->policy, &w->in->before);
	g_autofree guint8 *mark = marks(w, &w->in->policy);
	g_autofree guint8 *before = changed ? marks(w, &w->in->before) : NULL;

	for (guint i = 0; i < w->in->listing->len; i++) {
		struct rs_plan_remove r = {.num = plan_listed(w->in->listing, i)->num, .listed = i};
		bool now = mark[i] && (!changed || before[i]);

		if (!mark[i])
			continue;
		if (w->fetch_at[i]) {
			g_array_index(w->p->fetch, struct rs_plan_fetch, w->fetch_at[i] - 1)
				.remove = now;
			if (now)
				continue;
		} else {
			const struct rs_ledger_row *row = plan_row(w->in->table, w->row_at[i] - 1);

			r.id = row->id;
			r.size = row->size;
		}
		g_array_append_vals(now ? w->p->remove : w->p->waiting, &r, 1);
	}
}
