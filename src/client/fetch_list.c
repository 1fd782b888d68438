/* fetch_list.c - what is on the server: UIDL always, LIST where a size matters. */
#include "client/fetch_priv.h"

#include "client/text.h"

#define LISTED_S 86400

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

/* The octets of a UID that the ledger has, too, so that a million of them are not held twice. Both lists are mostly
 * in the same order: only the next row is looked at. NULL: it is another one. */
static const uint8_t *known_uid(struct fetch_run *r, struct rs_slice uid)
{
	const struct rs_ledger_row *row;

	if (r->hint >= r->table.rows->len)
		return NULL;
	row = &g_array_index(r->table.rows, struct rs_ledger_row, r->hint);
	if (!rs_slice_eq(rs_ledger_uid(row), uid))
		return NULL;
	r->hint++;
	return row->uid_p;
}

static void uidl_line(struct fetch_run *r, const struct rs_pop3c_event *ev)
{
	struct rs_listed m = {.num = ev->num, .size = UINT64_MAX, .uid_n = (guint32)ev->text.n};

	if (ev->num == 0 || ev->text.n == 0 || ev->text.n > G_MAXUINT16) {
		r->whole = FALSE; /* a row that cannot be read: then nothing is missing for sure */
		return;
	}
	m.uid_p = known_uid(r, ev->text);
	if (!m.uid_p)
		m.uid_p = (const uint8_t *)g_string_chunk_insert_len(
			r->uids, (const char *)ev->text.p, (gssize)ev->text.n);
	g_array_append_val(r->listing, m);
}

/* Sizes: hints for progress, and the check that a known message is still the same one. */
static void list_lines(struct fetch_run *r, GHashTable *rows, const struct rs_pop3c_event *ev)
{
	guint at = GPOINTER_TO_UINT(g_hash_table_lookup(rows, GUINT_TO_POINTER(ev->num)));

	if (at)
		fetch_listed(r, at - 1)->size = ev->size;
}

/* The rest of a listing whose command was sent; `rows` NULL: that of UIDL. */
static int rest_of(struct fetch_run *r, GHashTable *rows, struct rs_err *err)
{
	struct rs_pop3c_event ev;
	int rc;

	do {
		rc = rs_session_event(r->session, &ev, err);
		if (rc < 0 || ev.kind != RS_C_LINE)
			continue;
		if (rows)
			list_lines(r, rows, &ev);
		else
			uidl_line(r, &ev);
	} while (rc == 0 && ev.kind != RS_C_END);
	return rc;
}

static int list_read(struct fetch_run *r, struct rs_err *err)
{
	g_autoptr(GHashTable) rows = by_number(r->listing);
	struct rs_pop3c_event ev;
	int rc = rs_session_event(r->session, &ev, err);

	r->sized = rc == 0 && ev.kind == RS_C_OK;
	return r->sized ? rest_of(r, rows, err) : rc;
}

static int list(struct fetch_run *r, struct rs_err *err)
{
	if (rs_pop3c_send(r->session->engine, RS_POP3_LIST, 0, NULL) < 0)
		return rs_err_set(err, RS_ENOMEM, _("out of memory"));
	return list_read(r, err);
}

bool fetch_wants_sizes(const struct fetch_run *r)
{
	const struct rs_account *a = r->f->account;

	/* at the first check all of them are needed; else once a day, to see UIDs that are used again */
	return r->table.rows->len == 0 || a->leave.quota || a->size_limit ||
	       r->now_s - r->known.listed_s >= LISTED_S;
}

static int no_uidl(struct fetch_run *r, struct rs_err *err)
{
	bool announced = (rs_pop3c_caps(r->session->engine) & RS_CAP_UIDL) != 0;

	if (announced)
		return rs_err_set(err, RS_ETEMP,
			_("%s can tell messages apart and does not do it just now (it refuses "
			  "UIDL), "
			  "so nothing was fetched; try again later"),
			r->f->account->pop3_host);
	return rs_err_set(err, RS_ENOENT, _("%s cannot tell messages apart (it refuses UIDL)"),
		r->f->account->pop3_host);
}

int fetch_listing_read(struct fetch_run *r, struct rs_err *err)
{
	struct rs_pop3c_event ev;
	bool refused;
	int rc = 0;

	r->whole = TRUE;
	r->sized = FALSE;
	r->hint = 0;
	if (!r->session->asked_uidl && rs_pop3c_send(r->session->engine, RS_POP3_UIDL, 0, NULL) < 0)
		return rs_err_set(err, RS_ENOMEM, _("out of memory"));
	rc = rs_session_event(r->session, &ev, err);
	if (rc < 0)
		return rc;
	refused = ev.kind == RS_C_ERR;
	if (!refused)
		rc = rest_of(r, NULL, err);
	if (rc == 0 && r->session->asked_list)
		rc = list_read(r, err);
	r->session->asked_uidl = r->session->asked_list = false;
	if (rc == 0 && refused)
		rc = fetch_names(r, err) < 0 ? no_uidl(r, err) : 0;
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
	return fetch_ledger_end(r, rc, "presence", err);
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

/* All sizes at once where many are needed, or where known messages are missing: a new one may be one of them. */
static bool sizes_now(const struct fetch_run *r)
{
	const struct rs_plan *p = &r->plan;
	guint n = MAX(p->fetch->len, p->remove->len);
	/* else LIST n goes with each RETR n, and costs no turn */
	bool one_by_one = !(rs_pop3c_caps(r->session->engine) & RS_CAP_PIPELINING);

	if (r->sized || !r->listing->len)
		return false;
	return fetch_wants_sizes(r) || (one_by_one && n > 1) ||
	       (p->fetch->len && p->gone->len && p->missing->len);
}

static void report(struct fetch_run *r)
{
	r->report->on_server_n = r->listing->len;
	r->report->later_n = r->plan.failed_n;
	r->report->skipped_n = r->plan.skipped_n;
	r->report->waiting_n = r->plan.waiting->len;
	for (guint i = 0; i < r->plan.fetch->len && r->sized; i++) {
		guint64 size = fetch_listed(r, fetch_wanted(r, i)->listed)->size;

		r->octets_total += size == UINT64_MAX ? 0 : MIN(size, (guint64)1 << 40);
	}
}

int fetch_list(struct fetch_run *r, struct rs_err *err)
{
	int rc = 0;

	plan(r);
	if (sizes_now(r)) {
		rc = list(r, err);
		plan(r);
	}
	if (rc == 0)
		rc = fetch_again(r, err);
	notice(r);
	report(r);
	return rc == 0 && !r->f->dry_run ? note_presence(r, err) : rc;
}
