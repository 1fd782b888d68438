/* fetch_delete.c - DELE for what is durable here, then QUIT. A DELE is a wish until QUIT was answered;
 * until then the ledger says DELETING, and the next listing tells what came of it. */
#include "client/fetch_priv.h"

#include "client/text.h"

#define PENDING_MAX (RS_SESSION_WINDOW / 20)

static const struct rs_plan_remove *remove_at(const struct fetch_run *r, guint i)
{
	return &g_array_index(r->to_delete, struct rs_plan_remove, i);
}

static int record_deleting(struct fetch_run *r, struct rs_err *err)
{
	int rc = rs_ledger_begin(r->ledger, err);

	for (guint i = 0; i < r->to_delete->len && rc == 0; i++)
		rc = rs_ledger_state(r->ledger, remove_at(r, i)->id, RS_LEDGER_DELETING, err);
	fetch_step(r, "ledger-deleting");
	return rc == 0 ? rs_ledger_commit(r->ledger, err) : rc;
}

/* DELE of all, pipelined; `accepted` gets the rows of to_delete the server took. */
static int send_all(struct fetch_run *r, GArray *accepted, struct rs_err *err)
{
	guint sent = 0;
	guint answered = 0;
	int rc = 0;

	while (answered < r->to_delete->len && rc == 0) {
		struct rs_pop3c_event ev;

		while (sent < r->to_delete->len &&
			rs_pop3c_pending(r->session->engine) < PENDING_MAX) {
			char num[16];

			g_snprintf(num, sizeof(num), "%u", remove_at(r, sent)->num);
			if (rs_pop3c_send(r->session->engine, RS_POP3_DELE, sent, num) < 0)
				break;
			sent++;
		}
		fetch_step(r, "dele");
		rc = rs_session_event(r->session, &ev, err);
		if (rc < 0)
			break;
		answered++;
		if (ev.kind == RS_C_OK)
			g_array_append_val(accepted, ev.tag);
	}
	return rc;
}

static int record_gone(struct fetch_run *r, const GArray *accepted, struct rs_err *err)
{
	gint64 now_s = g_get_real_time() / G_USEC_PER_SEC;
	int rc = rs_ledger_begin(r->ledger, err);

	for (guint i = 0; i < accepted->len && rc == 0; i++)
		rc = rs_ledger_gone(r->ledger,
			remove_at(r, g_array_index(accepted, guint32, i))->id, now_s, err);
	fetch_step(r, "ledger-gone");
	return rc == 0 ? rs_ledger_commit(r->ledger, err) : rc;
}

int fetch_delete_and_quit(struct fetch_run *r, struct rs_err *err)
{
	g_autoptr(GArray) accepted = g_array_new(FALSE, FALSE, sizeof(guint32));
	struct rs_pop3c_event ev;
	int rc = 0;

	fetch_progress(r, RS_FETCH_DELETE);
	for (guint i = 0; i < r->plan.remove->len; i++)
		g_array_append_val(
			r->to_delete, g_array_index(r->plan.remove, struct rs_plan_remove, i));
	if (r->to_delete->len) {
		rc = record_deleting(r, err);
		if (rc == 0)
			rc = send_all(r, accepted, err);
	}
	fetch_step(r, "quit");
	if (rc == 0)
		rc = rs_session_ask(r->session, RS_POP3_QUIT, NULL, &ev, err);
	if (rc < 0)
		return accepted->len || r->to_delete->len ? rc
							  : 0; /* nothing hung on that answer */
	if (ev.kind == RS_C_ERR && accepted->len)
		return rs_session_refused(r->session, &ev, _("to delete what was fetched"), err);
	if (accepted->len)
		rc = record_gone(r, accepted, err);
	r->report->deleted_n = accepted->len;
	r->report->on_server_n -= MIN(accepted->len, r->report->on_server_n);
	return rc;
}
