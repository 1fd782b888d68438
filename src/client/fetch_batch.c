/* fetch_batch.c - many messages made durable together. The order is the whole point:
 *
 *   1  names and UIDs into the ledger (STORING), committed     a crash from here on is settled by looking
 *   2  the files' octets synced                                  (in tmp/ still)
 *   3  renamed into new/
 *   4  the folder synced                                         now they are in the mailbox for good
 *   5  the ledger: STORED, committed                             only now may DELE be sent for them */
#include "client/fetch_priv.h"

#define SYNC_ALL_FROM 8u /* so many files: one syncfs is cheaper than an fsync each */

static struct fetch_got *got_at(const struct fetch_run *r, guint i)
{
	return &g_array_index(r->batch, struct fetch_got, i);
}

void fetch_batch_drop(struct fetch_run *r)
{
	for (guint i = 0; i < r->batch->len; i++)
		rs_deliv_destroy(&got_at(r, i)->deliv);
	g_array_set_size(r->batch, 0);
	r->batch_octets = 0;
}

static int record_names(struct fetch_run *r, struct rs_err *err)
{
	int rc = rs_ledger_begin(r->ledger, err);

	for (guint i = 0; i < r->batch->len && rc == 0; i++) {
		struct fetch_got *g = got_at(r, i);
		const struct rs_plan_fetch *f = fetch_wanted(r, g->at);
		const struct rs_listed *m = fetch_listed(r, f->listed);
		const struct rs_ledger_new row = {.id = f->id,
			.uid = rs_listed_uid(m),
			.occurrence = m->occurrence,
			.size = m->size,
			.hold = g->suspect,
			.stored_s = (guint32)r->now_s,
			.digest = g->digest,
			.file = rs_deliv_name(g->deliv)};

		rc = rs_ledger_storing(r->ledger, r->key, &row, &g->id, err);
	}
	fetch_step(r, "ledger-storing");
	return rc == 0 ? rs_ledger_commit(r->ledger, err) : rc;
}

static int sync_files(struct fetch_run *r, struct rs_err *err)
{
	int rc = 0;

	fetch_step(r, "sync-files");
	if (r->batch->len >= SYNC_ALL_FROM)
		return rs_maildir_sync_all(r->maildir, err);
	for (guint i = 0; i < r->batch->len && rc == 0; i++)
		rc = rs_deliv_sync(got_at(r, i)->deliv, err);
	return rc;
}

static int publish(struct fetch_run *r, struct rs_err *err)
{
	int rc = 0;

	for (guint i = 0; i < r->batch->len && rc == 0; i++) {
		fetch_step(r, "publish");
		rc = rs_deliv_publish(got_at(r, i)->deliv, err);
	}
	fetch_step(r, "sync-folder");
	return rc == 0 ? rs_maildir_sync(r->maildir, err) : rc;
}

static int record_stored(struct fetch_run *r, struct rs_err *err)
{
	int rc = rs_ledger_begin(r->ledger, err);

	for (guint i = 0; i < r->batch->len && rc == 0; i++)
		rc = rs_ledger_state(r->ledger, got_at(r, i)->id, RS_LEDGER_STORED, err);
	fetch_step(r, "ledger-stored");
	return rc == 0 ? rs_ledger_commit(r->ledger, err) : rc;
}

int fetch_batch_commit(struct fetch_run *r, struct rs_err *err)
{
	int rc;

	if (r->batch->len == 0)
		return 0;
	rc = record_names(r, err);
	if (rc == 0)
		rc = sync_files(r, err);
	if (rc == 0)
		rc = publish(r, err);
	if (rc == 0)
		rc = record_stored(r, err);
	if (rc < 0) {
		rs_ledger_rollback(r->ledger); /* the next run settles what stands in it */
		fetch_batch_drop(r);
		return rc;
	}
	for (guint i = 0; i < r->batch->len; i++) {
		struct fetch_got *g = got_at(r, i);
		const struct rs_plan_fetch *f = fetch_wanted(r, g->at);
		struct rs_plan_remove remove = {
			.num = fetch_listed(r, f->listed)->num, .listed = f->listed, .id = g->id};

		r->report->new_n++;
		r->report->suspect_n += g->suspect != FALSE;
		r->report->octets += rs_deliv_wire(g->deliv);
		if (f->remove && !g->suspect)
			g_array_append_val(r->to_delete, remove);
	}
	fetch_batch_drop(r);
	fetch_progress(r, RS_FETCH_RETRIEVE);
	return 0;
}
