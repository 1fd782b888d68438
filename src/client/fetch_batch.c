/* fetch_batch.c - many messages made durable together. The order is the whole point:
 *
 *   1  names and UIDs into the ledger (STORING), committed     a crash from here on is settled by looking
 *   2  the files' octets synced                                  (in tmp/ still)
 *   3  renamed into new/
 *   4  the folder synced                                         now they are in the mailbox for good
 *   5  the ledger: STORED (DELETING where DELE follows), committed    only now may DELE be sent for them
 *
 * A message that turned out to be one that is here already, under another UID, is not stored: in step 1 its row
 * gets the new UID. */
#include "client/fetch_priv.h"

#include <unistd.h>

static struct fetch_got *got_at(const GArray *batch, guint i)
{
	return &g_array_index(batch, struct fetch_got, i);
}

void fetch_batch_drop(GArray *batch)
{
	for (guint i = 0; i < batch->len; i++)
		rs_deliv_destroy(&got_at(batch, i)->deliv);
	g_array_set_size(batch, 0);
}

int fetch_record_name(
	struct fetch_run *r, struct fetch_got *g, const char *file, struct rs_err *err)
{
	const struct rs_plan_fetch *f = fetch_wanted(r, g->at);
	const struct rs_listed *m = fetch_listed(r, f->listed);
	const struct rs_ledger_new row = {.id = f->id,
		.uid = rs_listed_uid(m),
		.occurrence = m->occurrence,
		.size = m->size,
		.hold = g->suspect,
		.stored_s = (guint32)r->now_s,
		.digest = g->digest,
		.file = file};
	int rc = 0;

	if (!g->again_id)
		return rs_ledger_storing(r->ledger, r->key, &row, &g->id, err);
	if (f->id)
		rc = rs_ledger_forget(r->ledger, f->id, err);
	return rc < 0 ? rc
		      : rs_ledger_rename(r->ledger, g->again_id, rs_listed_uid(m), m->occurrence,
				m->size, err);
}

static int record_names(struct fetch_run *r, GArray *batch, struct rs_err *err)
{
	int rc = rs_ledger_begin(r->ledger, err);

	for (guint i = 0; i < batch->len && rc == 0; i++)
		rc = fetch_record_name(
			r, got_at(batch, i), rs_deliv_name(got_at(batch, i)->deliv), err);
	rc = fetch_ledger_end(r, rc, "ledger-storing", err);
	for (guint i = 0; i < batch->len && rc == 0; i++) {
		if (got_at(batch, i)->again_id)
			rs_deliv_destroy(&got_at(batch, i)->deliv);
	}
	return rc;
}

/* While its file can still be opened by the name it has in tmp/; a message that is not published after all comes
 * with a later check, and is told of again. */
static void tell_arrivals(struct fetch_run *r, const GArray *batch)
{
	struct rs_err ignored;

	for (guint i = 0; r->f->arrival && i < batch->len; i++) {
		const struct fetch_got *g = got_at(batch, i);
		int fd = g->deliv && !g->verdict.seen ? rs_deliv_read_open(g->deliv, &ignored) : -1;

		if (fd < 0)
			continue;
		r->f->arrival(r->f->arrival_arg, fd);
		close(fd);
	}
}

static int publish(struct fetch_run *r, const GArray *batch, struct rs_err *err)
{
	int rc = 0;

	for (guint i = 0; i < batch->len && rc == 0; i++) {
		if (!got_at(batch, i)->deliv)
			continue;
		fetch_step(r, "publish");
		rc = fetch_file_publish(r, got_at(batch, i), err);
	}
	fetch_step(r, "sync-folder");
	return rc == 0 ? fetch_file_sync(r, err) : rc;
}

/* Nothing of doubtful length is ever deleted there. */
bool fetch_goes(const struct fetch_run *r, const struct fetch_got *g)
{
	return fetch_wanted(r, g->at)->remove && !g->suspect && !g->again_id;
}

static int record_stored(struct fetch_run *r, const GArray *batch, struct rs_err *err)
{
	int rc = rs_ledger_begin(r->ledger, err);

	for (guint i = 0; i < batch->len && rc == 0; i++) {
		const struct fetch_got *g = got_at(batch, i);

		if (g->id)
			rc = rs_ledger_state(r->ledger, g->id,
				fetch_goes(r, g) ? RS_LEDGER_DELETING : RS_LEDGER_STORED, err);
	}
	return fetch_ledger_end(r, rc, "ledger-stored", err);
}

void fetch_count(struct fetch_run *r, const struct fetch_got *g)
{
	guint listed = fetch_wanted(r, g->at)->listed;
	struct rs_plan_remove remove = {
		.num = fetch_listed(r, listed)->num, .listed = listed, .id = g->id};

	g_mutex_lock(&r->commit.lock);
	if (g->again_id) {
		r->report->again_n++;
	} else {
		r->report->new_n++;
		r->report->suspect_n += g->suspect != FALSE;
		r->report->octets += rs_deliv_wire(g->deliv);
		if (fetch_goes(r, g))
			g_array_append_val(r->to_delete, remove);
	}
	g_mutex_unlock(&r->commit.lock);
}

int fetch_batch_commit(struct fetch_run *r, GArray *batch, struct rs_err *err)
{
	int rc;

	if (r->f->account->deliver_to)
		return fetch_hand_over(r, batch, err);
	rc = record_names(r, batch, err);
	if (rc == 0) {
		fetch_step(r, "sync-files");
		rc = fetch_sync_files(r, batch, err);
	}
	if (rc == 0) {
		tell_arrivals(r, batch);
		rc = publish(r, batch, err);
	}
	if (rc == 0)
		rc = record_stored(r, batch, err);
	for (guint i = 0; i < batch->len && rc == 0; i++)
		fetch_count(r, got_at(batch, i));
	return rc; /* the next run settles what stands in the ledger */
}
