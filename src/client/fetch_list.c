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
	struct rs_listed m = {.num = ev->num, .size = UINT64_MAX, .uid_n = (guint32)ev->text.n};

	if (ev->num == 0 || ev->text.n == 0 || ev->text.n > G_MAXUINT16) {
		r->whole = FALSE; /* a row that cannot be read: then nothing is missing for sure */
		return;
	}
	m.uid_p = (const uint8_t *)g_string_chunk_insert_len(
		r->uids, (const char *)ev->text.p, (gssize)ev->text.n);
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

	r->sized = rc == 0 && ev.kind == RS_C_OK;
	while (rc == 0 && ev.kind != RS_C_END && ev.kind != RS_C_ERR) {
		guint at;

		rc = rs_session_event(r->session, &ev, err);
		if (rc < 0 || ev.kind != RS_C_LINE)
			continue;
		at = GPOINTER_TO_UINT(g_hash_table_lookup(rows, GUINT_TO_POINTER(ev.num)));
		if (at)
			fetch_listed(r, at - 1)->size = ev.size;
	}
	return rc;
}

/* What the listing says about presence, and what is too large, in one transaction. */
static int note_presence(struct fetch_run *r, struct rs_err *err)
{
	const struct rs_plan *p = &r->plan;
	int rc;

	if (p->back->len + p->forget->len + p->gone->len + p->skip->len == 0)
		return 0;
	rc = rs_ledger_begin(r->ledger, err);
	for (guint i = 0; i < p->gone->len && rc == 0; i++)
		rc = rs_ledger_gone(r->ledger, g_array_index(p->gone, gint64, i), r->now_s, err);
	for (guint i = 0; i < p->back->len && rc == 0; i++)
		rc = rs_ledger_gone(r->ledger, g_array_index(p->back, gint64, i), 0, err);
	for (guint i = 0; i < p->forget->len && rc == 0; i++)
		rc = rs_ledger_forget(r->ledger, g_array_index(p->forget, gint64, i), err);
	for (guint i = 0; i < p->skip->len && rc == 0; i++) {
		const struct rs_listed *m = fetch_listed(r, g_array_index(p->skip, guint, i));
		const struct rs_ledger_new row = {
			.uid = rs_listed_uid(m), .occurrence = m->occurrence, .size = m->size};

		rc = rs_ledger_not_stored(r->ledger, r->key, &row, RS_LEDGER_SKIPPED, NULL, 0, err);
	}
	fetch_step(r, "presence");
	if (rc == 0)
		rc = rs_ledger_commit(r->ledger, err);
	if (rc < 0)
		rs_ledger_rollback(r->ledger);
	return rc;
}

static void plan(struct fetch_run *r)
{
	struct rs_plan_in in = {.listing = r->listing,
		.whole = r->whole,
		.table = &r->table,
		.policy = r->f->account->leave,
		.before = r->before,
		.size_limit = r->f->account->size_limit,
		.now_s = r->now_s};

	rs_plan_finish(&r->plan);
	rs_plan_make(&r->plan, &in);
}

/* What the person should know about the listing as a whole. */
static void notice(struct fetch_run *r)
{
	const char *host = r->f->account->pop3_host;

	if (r->plan.vanished && r->listing->len == 0)
		fetch_notice(r,
			_("%s lists no message at all, though some were there before; what is "
			  "known of them "
			  "is kept, so that none comes twice if they are back"),
			host);
	if (!r->whole)
		fetch_notice(r,
			_("a part of the list that %s gave could not be read; that part was left "
			  "alone"),
			host);
}

int fetch_list(struct fetch_run *r, struct rs_err *err)
{
	int rc;

	fetch_progress(r, RS_FETCH_LISTING);
	r->whole = TRUE;
	rc = uidl(r, err);
	if (rc < 0)
		return rc;
	plan(r);
	if (r->plan.fetch->len || r->plan.remove->len || r->plan.waiting->len ||
		r->f->account->leave.quota) {
		rc = list(r, err);
		plan(r);
	}
	notice(r);
	r->report->on_server_n = r->listing->len;
	r->report->doubtful_n = r->plan.verify->len;
	r->report->failed_n = r->plan.failed_n;
	r->report->skipped_n = r->plan.skipped_n;
	r->report->waiting_n = r->plan.waiting->len;
	for (guint i = 0; i < r->plan.fetch->len; i++) {
		guint64 size = fetch_listed(r, fetch_wanted(r, i)->listed)->size;

		r->octets_total += size == UINT64_MAX ? 0 : MIN(size, (guint64)1 << 40);
	}
	return rc == 0 && !r->f->dry_run ? note_presence(r, err) : rc;
}
