/* fetch_delete.c - DELE for what is durable here, and QUIT behind it in the same flight. A DELE is a wish until QUIT
 * was answered; until then the ledger says DELETING, and the next listing tells what came of it. */
#include "client/fetch_priv.h"

#include "client/text.h"

#define CHECKED_S 3600 /* a check that changes nothing is noted this often */

static struct rs_plan_remove *remove_at(const GArray *list, guint i)
{
	return &g_array_index(list, struct rs_plan_remove, i);
}

/* --- is it still that message? ------------------------------------------------------------------- */

static guint32 removal_num(void *arg, guint i)
{
	return remove_at(arg, i)->num;
}

static guint32 planned_num(void *arg, guint i)
{
	const struct fetch_run *r = arg;

	return removal_num(r->plan.remove, i);
}

static int on_size(void *arg, guint i, const struct rs_pop3c_event *ev, struct rs_err *err)
{
	struct fetch_run *r = arg;
	struct rs_plan_remove *d = remove_at(r->plan.remove, i);

	if (ev->kind == RS_C_OK && ev->num == d->num && ev->size != UINT64_MAX &&
		d->size != UINT64_MAX && ev->size != d->size)
		d->id = 0;
	return 0;
}

/* What was fetched in an earlier check goes only if it has the size it had: LIST n where LIST was not asked. */
static int verify(struct fetch_run *r, struct rs_err *err)
{
	struct fetch_pipe pipe = {.verb = RS_POP3_LIST,
		.n = r->plan.remove->len,
		.num = planned_num,
		.event = on_size,
		.arg = r};
	int rc = r->sized || !pipe.n ? 0 : fetch_pipe(r, &pipe, err);

	for (guint i = 0; i < r->plan.remove->len && rc == 0; i++) {
		if (remove_at(r->plan.remove, i)->id)
			g_array_append_vals(r->to_delete, remove_at(r->plan.remove, i), 1);
		else
			r->report->doubtful_n++;
	}
	return rc;
}

/* --- DELE ---------------------------------------------------------------------------------------- */

/* Those of this session are in that state already (fetch_batch.c). */
static int record_deleting(struct fetch_run *r, struct rs_err *err)
{
	int rc;

	if (!r->plan.remove->len)
		return 0;
	rc = rs_ledger_begin(r->ledger, err);
	for (guint i = 0; i < r->plan.remove->len && rc == 0; i++) {
		gint64 id = remove_at(r->plan.remove, i)->id;

		if (id)
			rc = rs_ledger_state(r->ledger, id, RS_LEDGER_DELETING, err);
	}
	return fetch_ledger_end(r, rc, "ledger-deleting", err);
}

struct deleting {
	struct fetch_run *r;
	GArray *accepted; /* guint: rows of to_delete the server took */
};

static guint32 num(void *arg, guint i)
{
	const struct deleting *t = arg;

	fetch_step(t->r, "dele");
	return remove_at(t->r->to_delete, i)->num;
}

static int on_answer(void *arg, guint i, const struct rs_pop3c_event *ev, struct rs_err *err)
{
	struct deleting *t = arg;

	if (ev->kind == RS_C_OK)
		g_array_append_val(t->accepted, i);
	return 0;
}

/* --- the end ------------------------------------------------------------------------------------- */

/* By which policy this check went: what only a changed one would delete is due from now on. */
static bool note_known(struct fetch_run *r)
{
	g_autofree char *policy = rs_policy_format(&r->f->account->leave);

	if (g_strcmp0(policy, r->known.policy) != 0) {
		g_free(r->known.policy);
		r->known.policy = g_steal_pointer(&policy);
		r->known_changed = true;
	}
	if (r->sized && r->now_s != r->known.listed_s) {
		r->known.listed_s = r->now_s;
		r->known_changed = true;
	}
	if (r->now_s - r->known.checked_s >= CHECKED_S || r->report->new_n)
		r->known_changed = true;
	if (r->known_changed)
		r->known.checked_s = r->now_s;
	return r->known_changed;
}

static int record_end(struct fetch_run *r, const GArray *accepted, struct rs_err *err)
{
	bool known = note_known(r);
	int rc;

	if (!known && !accepted->len)
		return 0;
	rc = rs_ledger_begin(r->ledger, err);
	for (guint i = 0; i < accepted->len && rc == 0; i++)
		rc = rs_ledger_gone(r->ledger,
			remove_at(r->to_delete, g_array_index(accepted, guint, i))->id, r->now_s,
			err);
	if (rc == 0 && known)
		rc = rs_ledger_account_put(r->ledger, r->key, &r->known, err);
	return fetch_ledger_end(r, rc, "ledger-end", err);
}

/* The answer to QUIT; that of one that deletes nothing tells nothing. */
static int quit(struct fetch_run *r, guint deletions, struct rs_err *err)
{
	struct rs_pop3c_event ev = {.kind = RS_C_OK};
	int rc = 0;

	fetch_step(r, "quit");
	if (!r->quit_sent && rs_pop3c_send(r->session->engine, RS_POP3_QUIT, 0, NULL) < 0)
		rc = -RS_ENET;
	if (rc == 0)
		rc = rs_session_event(r->session, &ev, err);
	if (!deletions)
		return 0;
	if (rc == 0 && ev.kind == RS_C_ERR)
		return rs_session_refused(r->session, &ev, _("to delete what was fetched"), err);
	return rc;
}

int fetch_delete_and_quit(struct fetch_run *r, struct rs_err *err)
{
	g_autoptr(GArray) accepted = g_array_new(FALSE, FALSE, sizeof(guint));
	struct deleting t = {.r = r, .accepted = accepted};
	struct fetch_pipe pipe = {
		.verb = RS_POP3_DELE, .num = num, .event = on_answer, .arg = &t, .quit = true};
	int rc = 0;

	fetch_progress(r, RS_FETCH_DELETE);
	if (!r->quit_sent)
		rc = verify(r, err);
	if (rc == 0)
		rc = record_deleting(r, err);
	pipe.n = r->to_delete->len;
	if (rc == 0 && pipe.n)
		rc = fetch_pipe(r, &pipe, err);
	if (rc == 0)
		rc = quit(r, accepted->len, err);
	if (rc < 0)
		return rc;
	r->report->deleted_n = accepted->len;
	r->report->on_server_n -= MIN(accepted->len, r->report->on_server_n);
	return record_end(r, accepted, err);
}
