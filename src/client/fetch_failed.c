/* fetch_failed.c - messages the server would not give: each is asked for again, later and later, and never
 * stands in the way of the others. */
#include "client/fetch_priv.h"

#define AGAIN_S     600u
#define AGAIN_MAX_S 86400u
#define WHY_MAX     200

void fetch_failed_add(struct fetch_run *r, guint at, const char *why, bool broke)
{
	struct fetch_failed f = {.at = at, .why = g_strndup(why, WHY_MAX), .broke = broke};

	g_array_append_val(r->failed, f);
}

guint fetch_failed_tries(const struct fetch_run *r, const struct rs_listed *m)
{
	const struct rs_ledger_row *row =
		rs_ledger_find(&r->table, rs_listed_uid(m), m->occurrence);

	return row ? row->tries : 0;
}

guint32 fetch_failed_wait_s(guint tries)
{
	return MIN(AGAIN_S << MIN(tries, 8u), AGAIN_MAX_S);
}

int fetch_failed_note(struct fetch_run *r, struct rs_err *err)
{
	int rc;

	if (!r->failed->len)
		return 0;
	rc = rs_ledger_begin(r->ledger, err);
	for (guint i = 0; i < r->failed->len && rc == 0; i++) {
		const struct fetch_failed *f = &g_array_index(r->failed, struct fetch_failed, i);
		const struct rs_plan_fetch *want = fetch_wanted(r, f->at);
		const struct rs_listed *m = fetch_listed(r, want->listed);
		const struct rs_ledger_new row = {.id = want->id,
			.uid = rs_listed_uid(m),
			.occurrence = m->occurrence,
			.size = m->size};
		guint tries = fetch_failed_tries(r, m);
		/* a connection breaks for many reasons: the first time it is only put behind the others */
		guint32 wait_s =
			f->broke && !tries ? 0 : MIN(AGAIN_S << MIN(tries, 8u), AGAIN_MAX_S);

		rc = rs_ledger_not_stored(r->ledger, r->key, &row, RS_LEDGER_FAILED, f->why,
			(guint32)r->now_s + wait_s, err);
	}
	return fetch_ledger_end(r, rc, "failed", err);
}
