/* fetch_list.c - what is on the server: UIDL always, LIST where a size matters. */
#include "client/fetch_priv.h"

#include "client/text.h"

/* Rows of the listing by message number; 0: none. Numbers are the server's, so bounded. */
static GHashTable *by_number(const GArray *listing)
{
	GHashTable *t = g_hash_table_new(NULL, NULL);

	for (guint i = 0; i < listing->len; i++)
		g_hash_table_insert(t,
			GUINT_TO_POINTER(g_array_index(listing, struct rs_listed, i).num),
			GUINT_TO_POINTER(i + 1));
	return t;
}

static void uidl_line(struct fetch_run *r, const struct rs_pop3c_event *ev)
{
	struct rs_listed m = {.num = ev->num, .size = UINT64_MAX};

	if (ev->num == 0 || ev->text.n == 0) {
		r->whole = FALSE; /* a row that cannot be read: then nothing is missing for sure */
		return;
	}
	m.uid = rs_slice(
		g_string_chunk_insert_len(r->uids, (const char *)ev->text.p, (gssize)ev->text.n),
		ev->text.n);
	g_array_append_val(r->listing, m);
}

static int uidl(struct fetch_run *r, struct rs_err *err)
{
	struct rs_pop3c_event ev;
	int rc = rs_session_ask(r->session, RS_POP3_UIDL, NULL, &ev, err);

	if (rc == 0 && ev.kind == RS_C_ERR)
		return rs_err_set(err, RS_EPROTO,
			_("%s cannot tell messages apart (it refuses UIDL), so nothing was "
			  "fetched"),
			r->f->account->pop3_host);
	while (rc == 0 && ev.kind != RS_C_END) {
		rc = rs_session_event(r->session, &ev, err);
		if (rc == 0 && ev.kind == RS_C_LINE)
			uidl_line(r, &ev);
	}
	return rc;
}

/* Sizes: hints for progress and the check that a known message is still the same one. */
static int list(struct fetch_run *r, struct rs_err *err)
{
	g_autoptr(GHashTable) rows = by_number(r->listing);
	struct rs_pop3c_event ev;
	int rc = rs_session_ask(r->session, RS_POP3_LIST, NULL, &ev, err);

	while (rc == 0 && ev.kind != RS_C_END && ev.kind != RS_C_ERR) {
		guint at;

		rc = rs_session_event(r->session, &ev, err);
		if (rc < 0 || ev.kind != RS_C_LINE)
			continue;
		at = GPOINTER_TO_UINT(g_hash_table_lookup(rows, GUINT_TO_POINTER(ev.num)));
		if (at)
			g_array_index(r->listing, struct rs_listed, at - 1).size = ev.size;
	}
	return rc;
}

/* What the listing says about presence, in one transaction. */
static int note_presence(struct fetch_run *r, gint64 now_s, struct rs_err *err)
{
	const struct rs_plan *p = &r->plan;
	int rc;

	if (p->back->len == 0 && p->forget->len == 0 && (p->gone->len == 0 || !r->whole))
		return 0;
	rc = rs_ledger_begin(r->ledger, err);
	for (guint i = 0; i < p->gone->len && r->whole && rc == 0; i++)
		rc = rs_ledger_gone(r->ledger, g_array_index(p->gone, gint64, i), now_s, err);
	for (guint i = 0; i < p->back->len && rc == 0; i++)
		rc = rs_ledger_gone(r->ledger, g_array_index(p->back, gint64, i), 0, err);
	for (guint i = 0; i < p->forget->len && rc == 0; i++)
		rc = rs_ledger_forget(r->ledger, g_array_index(p->forget, gint64, i), err);
	fetch_step(r, "presence");
	return rc == 0 ? rs_ledger_commit(r->ledger, err) : rc;
}

int fetch_list(struct fetch_run *r, struct rs_err *err)
{
	gint64 now_s = g_get_real_time() / G_USEC_PER_SEC;
	int rc;

	fetch_progress(r, RS_FETCH_LISTING);
	r->whole = TRUE;
	rc = uidl(r, err);
	if (rc < 0)
		return rc;
	rs_plan_make(&r->plan, r->listing, &r->table, r->f->account->leave, now_s);
	if (r->plan.fetch->len || r->plan.remove->len) {
		rs_plan_finish(&r->plan);
		rc = list(r, err);
		rs_plan_make(&r->plan, r->listing, &r->table, r->f->account->leave, now_s);
	}
	r->report->on_server_n = r->listing->len;
	r->report->doubtful_n = r->plan.doubtful;
	for (guint i = 0; i < r->plan.fetch->len; i++) {
		guint at = g_array_index(r->plan.fetch, guint, i);
		guint64 size = g_array_index(r->listing, struct rs_listed, at).size;

		r->octets_total += size == UINT64_MAX ? 0 : MIN(size, (guint64)1 << 40);
	}
	return rc == 0 ? note_presence(r, now_s, err) : rc;
}
