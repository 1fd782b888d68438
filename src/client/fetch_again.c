/* fetch_again.c - UIDs that cannot be trusted. A server that was moved or rebuilt gives all its messages new
 * ones; one that counts anew gives the UID of an old message to a new one. The digest of the header (digest.h)
 * tells: it is asked for with TOP where the sizes say that it may be so, and is compared again when a body has
 * come, for servers without TOP. */
#include "client/fetch_priv.h"

#include <string.h>

#include "client/text.h"

/* --- known and not listed ---------------------------------------------------------------------- */

static guint digest_hash(gconstpointer p)
{
	guint32 h;

	memcpy(&h, ((const struct rs_digest *)p)->octets, sizeof(h));
	return h;
}

static gboolean digest_equal(gconstpointer a, gconstpointer b)
{
	return rs_digest_same(a, b);
}

static void index_lost(struct fetch_run *r)
{
	r->lost_by_digest = g_hash_table_new(digest_hash, digest_equal);
	for (guint i = 0; i < r->lost->len; i++) {
		struct fetch_lost *l = &g_array_index(r->lost, struct fetch_lost, i);

		l->next = GPOINTER_TO_UINT(g_hash_table_lookup(r->lost_by_digest, &l->digest));
		g_hash_table_insert(r->lost_by_digest, &l->digest, GUINT_TO_POINTER(i + 1));
	}
}

static int load_lost(struct fetch_run *r, struct rs_err *err)
{
	int rc = 0;

	for (guint i = 0; i < r->plan.missing->len && rc == 0; i++) {
		const struct rs_ledger_row *row = &g_array_index(r->table.rows,
			struct rs_ledger_row, g_array_index(r->plan.missing, guint, i));
		struct fetch_lost l = {.id = row->id, .size = row->size};

		rc = rs_ledger_digest(r->ledger, row->id, &l.digest, err);
		if (l.digest.known)
			g_array_append_val(r->lost, l);
	}
	if (rc == 0)
		index_lost(r);
	return rc;
}

static bool sizes_agree(guint64 a, guint64 b)
{
	return a == UINT64_MAX || b == UINT64_MAX || a == b;
}

struct fetch_lost *fetch_lost_take(
	struct fetch_run *r, const struct rs_digest *digest, guint64 size)
{
	guint at = 0;

	if (r->lost_by_digest && digest->known)
		at = GPOINTER_TO_UINT(g_hash_table_lookup(r->lost_by_digest, digest));
	while (at) {
		struct fetch_lost *l = &g_array_index(r->lost, struct fetch_lost, at - 1);

		if (!l->found && sizes_agree(l->size, size)) {
			l->found = true;
			return l;
		}
		at = l->next;
	}
	return NULL;
}

/* --- asking with TOP ---------------------------------------------------------------------------- */

struct question {
	guint listed;
	guint row;   /* of the table, + 1: is it still that one? 0: is it one of the lost? */
	guint fetch; /* place in plan.fetch, where row is 0 */
	gint64 lost_id;
	enum { UNANSWERED, SAME, OTHER } answer;
};

struct asking {
	struct fetch_run *r;
	GArray *questions;
	GByteArray *head;
};

static void answer(struct asking *t, struct question *q, struct rs_err *err)
{
	struct rs_digest d = rs_digest_of(t->head->data, t->head->len);
	struct rs_digest before = {.known = false};
	const struct rs_ledger_row *row;

	if (!q->row) {
		const struct fetch_lost *l =
			fetch_lost_take(t->r, &d, fetch_listed(t->r, q->listed)->size);

		q->lost_id = l ? l->id : 0;
		q->answer = l ? SAME : OTHER;
		return;
	}
	row = &g_array_index(t->r->table.rows, struct rs_ledger_row, q->row - 1);
	if (rs_ledger_digest(t->r->ledger, row->id, &before, err) < 0 || !before.known || !d.known)
		return;
	q->answer = rs_digest_same(&before, &d) ? SAME : OTHER;
}

static int on_event(void *arg, guint i, const struct rs_pop3c_event *ev, struct rs_err *err)
{
	struct asking *t = arg;

	if (ev->kind == RS_C_OK)
		g_byte_array_set_size(t->head, 0);
	else if (ev->kind == RS_C_BODY && t->head->len < RS_DIGEST_HEADER_MAX)
		g_byte_array_append(t->head, ev->text.p,
			(guint)MIN(ev->text.n, RS_DIGEST_HEADER_MAX - t->head->len));
	else if (ev->kind == RS_C_END)
		answer(t, &g_array_index(t->questions, struct question, i), err);
	return 0;
}

static guint32 num(void *arg, guint i)
{
	const struct asking *t = arg;

	return fetch_listed(t->r, g_array_index(t->questions, struct question, i).listed)->num;
}

/* New ones that have the size of a lost one, and known ones that have not the size they had. */
static GArray *questions(const struct fetch_run *r)
{
	g_autoptr(GHashTable) sizes = g_hash_table_new(g_int64_hash, g_int64_equal);
	GArray *list = g_array_new(FALSE, FALSE, sizeof(struct question));

	for (guint i = 0; i < r->lost->len; i++)
		g_hash_table_add(sizes, &g_array_index(r->lost, struct fetch_lost, i).size);
	for (guint i = 0; i < r->plan.fetch->len && r->lost->len && r->sized; i++) {
		struct question q = {.listed = fetch_wanted(r, i)->listed, .fetch = i};
		guint64 size = fetch_listed(r, q.listed)->size;

		if (fetch_wanted(r, i)->id == 0 && g_hash_table_contains(sizes, &size))
			g_array_append_val(list, q);
	}
	for (guint i = 0; i < r->plan.verify->len; i++) {
		const struct rs_plan_verify *v =
			&g_array_index(r->plan.verify, struct rs_plan_verify, i);
		struct question q = {.listed = v->listed, .row = v->row + 1};

		g_array_append_val(list, q);
	}
	return list;
}

/* --- what follows ------------------------------------------------------------------------------- */

static int apply_one(
	struct fetch_run *r, const struct question *q, guint8 *drop, struct rs_err *err)
{
	const struct rs_listed *m = fetch_listed(r, q->listed);
	struct rs_plan_fetch fetch = {.listed = q->listed};
	gint64 id = q->row ? g_array_index(r->table.rows, struct rs_ledger_row, q->row - 1).id
			   : q->lost_id;

	if (q->answer == UNANSWERED) {
		r->report->doubtful_n += q->row != 0;
		return 0;
	}
	if (q->answer == OTHER) {
		if (!q->row)
			return 0;
		g_array_append_val(r->plan.fetch, fetch);
		return rs_ledger_retire(r->ledger, id, r->now_s, err);
	}
	if (!q->row) {
		drop[q->fetch] = 1;
		r->report->again_n++;
	}
	return rs_ledger_rename(r->ledger, id, rs_listed_uid(m), m->occurrence, m->size, err);
}

/* What was found is neither gone nor to be forgotten. */
static void not_gone(struct fetch_run *r, GArray *ids)
{
	g_autoptr(GHashTable) found = g_hash_table_new(g_int64_hash, g_int64_equal);
	guint to = 0;

	for (guint i = 0; i < r->lost->len; i++) {
		struct fetch_lost *l = &g_array_index(r->lost, struct fetch_lost, i);

		if (l->found)
			g_hash_table_add(found, &l->id);
	}
	for (guint i = 0; i < ids->len; i++) {
		gint64 id = g_array_index(ids, gint64, i);

		if (!g_hash_table_contains(found, &id))
			g_array_index(ids, gint64, to++) = id;
	}
	g_array_set_size(ids, to);
}

static int apply(struct fetch_run *r, const GArray *list, struct rs_err *err)
{
	g_autofree guint8 *drop = g_new0(guint8, r->plan.fetch->len + 1);
	guint before = r->plan.fetch->len;
	guint to = 0;
	int rc = rs_ledger_begin(r->ledger, err);

	for (guint i = 0; i < list->len && rc == 0; i++)
		rc = apply_one(r, &g_array_index(list, struct question, i), drop, err);
	rc = fetch_ledger_end(r, rc, "again", err);
	for (guint i = 0; i < r->plan.fetch->len; i++) {
		if (i >= before || !drop[i])
			*fetch_wanted(r, to++) = *fetch_wanted(r, i);
	}
	g_array_set_size(r->plan.fetch, to);
	not_gone(r, r->plan.gone);
	not_gone(r, r->plan.forget);
	return rc;
}

int fetch_again(struct fetch_run *r, struct rs_err *err)
{
	guint32 caps = rs_pop3c_caps(r->session->engine);
	bool may_top = (caps & RS_CAP_TOP) || !(caps & RS_CAP_KNOWN);
	struct asking t = {.r = r};
	struct fetch_pipe pipe = {
		.verb = RS_POP3_TOP, .num = num, .more = " 0", .event = on_event, .arg = &t};
	int rc = 0;

	if (r->f->dry_run) {
		r->report->doubtful_n = r->plan.verify->len;
		return 0;
	}
	if (r->plan.fetch->len && r->plan.missing->len)
		rc = load_lost(r, err);
	if (rc < 0)
		return rc;
	t.questions = questions(r);
	t.head = g_byte_array_new();
	pipe.n = may_top ? t.questions->len : 0;
	if (pipe.n)
		rc = fetch_pipe(r, &pipe, err);
	if (rc == 0 && t.questions->len)
		rc = apply(r, t.questions, err);
	if (rc == 0 && r->report->again_n)
		fetch_notice(r,
			P_("%s has given %u message that is here already another name; it was "
			   "recognised "
			   "and not fetched again",
				"%s has given %u messages that are here already other names; they "
				"were "
				"recognised and not fetched again",
				r->report->again_n),
			r->f->account->pop3_host, r->report->again_n);
	g_array_unref(t.questions);
	g_byte_array_unref(t.head);
	return rc;
}
