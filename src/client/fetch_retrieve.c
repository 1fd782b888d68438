/* fetch_retrieve.c - RETR, pipelined; each body streams into tmp/, and batches are handed to the committer as they
 * fill. One message the server will not give does not stop the others.
 *
 * What is in flight is bounded in octets, and that bound grows with what the link brings in a turn: a fixed
 * number of messages would be too many large ones and too few small ones. Where sizes are not known a LIST n
 * goes in front of each RETR n, in the same flight. Where nothing will be deleted QUIT rides behind the last. */
#include "client/fetch_priv.h"

#include "client/text.h"

#define BATCH_N          256u
#define BATCH_OCTETS     (16u << 20)
#define BATCH_US         (200 * 1000)
#define BATCH_N_MAX      1024u /* then the reader waits for the committer */
#define BATCH_OCTETS_MAX (64u << 20)
#define WINDOW_FIRST     (4u << 20) /* octets of bodies in flight */
#define WINDOW_MAX       (256u << 20)
#define SIZE_GUESS       16384u /* of a message whose size is not known */
#define TURN_MIN_US      5000
#define SHORT_BY         1024u /* octets a server's sizes may be wrong, beside a tenth */

struct retrieving {
	struct fetch_run *r;
	guint sent;
	guint answered;
	struct rs_deliv *deliv; /* the body under way */
	GByteArray *head;       /* its beginning      */
	bool quit;              /* nothing is to be deleted: QUIT goes with the last */
	guint64 expected;       /* octets of bodies in flight, as far as sizes are known */
	guint64 window;
	gint64 turn_us;    /* when the turn at hand began */
	guint64 turn_from; /* octets received until then  */
};

static struct rs_listed *wanted(const struct fetch_run *r, guint i)
{
	return fetch_listed(r, fetch_wanted(r, i)->listed);
}

static guint64 guess(const struct fetch_run *r, guint i)
{
	guint64 size = wanted(r, i)->size;

	return size == UINT64_MAX ? SIZE_GUESS : MIN(size, WINDOW_MAX);
}

static int command(struct retrieving *t, enum rs_pop3_verb verb, guint i)
{
	char num[16];

	g_snprintf(num, sizeof(num), "%u", wanted(t->r, i)->num);
	return rs_pop3c_send(t->r->session->engine, verb, i, num);
}

/* As many RETR as may be unanswered. */
static int send_more(struct retrieving *t, struct rs_err *err)
{
	struct fetch_run *r = t->r;
	guint n = r->plan.fetch->len;

	while (t->sent < n && fetch_pipe_room(r) && (!t->expected || t->expected < t->window)) {
		int rc = 0;

		if (wanted(r, t->sent)->size == UINT64_MAX && !r->sized &&
			(rs_pop3c_caps(r->session->engine) & RS_CAP_PIPELINING))
			rc = command(t, RS_POP3_LIST, t->sent);
		if (rc == 0)
			rc = command(t, RS_POP3_RETR, t->sent);
		if (rc == -RS_EBUSY)
			return 0;
		if (rc < 0)
			return rs_err_set(err, (enum rs_err_kind) - rc, _("out of memory"));
		t->expected += guess(r, t->sent);
		t->sent++;
	}
	if (t->sent == n && t->quit && !r->quit_sent)
		r->quit_sent = rs_pop3c_send(r->session->engine, RS_POP3_QUIT, 0, NULL) == 0;
	return 0;
}

/* Four times what came in the last turn: while the window is what bounds, it grows by that in each. */
static void window_grow(struct retrieving *t)
{
	gint64 now_us = g_get_monotonic_time();
	gint64 turn_us = MAX(t->r->session->rtt_us, TURN_MIN_US);
	guint64 came;

	if (now_us - t->turn_us < turn_us)
		return;
	came = (t->r->received - t->turn_from) * (guint64)turn_us / (guint64)(now_us - t->turn_us);
	t->window = CLAMP(4 * came, t->window, WINDOW_MAX);
	t->turn_us = now_us;
	t->turn_from = t->r->received;
}

/* A dot that came too early, or a line that was cut: much shorter than the server said. Its sizes
 * may be wrong a little, and some count LF as one octet; so little is no reason for doubt. */
static gboolean is_short(const struct rs_listed *m, guint64 octets)
{
	return m->size != UINT64_MAX && octets + m->size / 10 + SHORT_BY < m->size;
}

static void answered(struct retrieving *t, guint at)
{
	t->answered++;
	t->expected -= MIN(t->expected, guess(t->r, at));
	if (t->answered == t->sent)
		t->expected = 0; /* guesses that became sizes in between leave a rest */
	window_grow(t);
}

/* Whole: into the batch, and the batch to the committer where it is time. */
static int body_end(struct retrieving *t, const struct rs_pop3c_event *ev, struct rs_err *err)
{
	struct fetch_run *r = t->r;
	struct fetch_got got = {.at = ev->tag,
		.suspect = is_short(wanted(r, ev->tag), ev->octets),
		.digest = rs_digest_of(t->head->data, t->head->len)};
	const struct fetch_lost *again =
		got.suspect ? NULL : fetch_lost_take(r, &got.digest, wanted(r, ev->tag)->size);
	int rc = rs_deliv_finish(t->deliv, err);

	if (rc < 0)
		return rc;
	if (r->rules)
		got.verdict = rs_rules_apply(r->rules, (const char *)t->head->data, t->head->len,
			rs_deliv_wire(t->deliv));
	rs_deliv_park(t->deliv);
	got.again_id = again ? again->id : 0;
	got.deliv = g_steal_pointer(&t->deliv);
	if (r->batch->len == 0)
		r->batch_began_us = g_get_monotonic_time();
	g_array_append_val(r->batch, got);
	r->batch_octets += ev->octets;
	r->received_n++;
	answered(t, ev->tag);
	if (r->batch->len >= BATCH_N_MAX || r->batch_octets >= BATCH_OCTETS_MAX)
		return fetch_commit_give(r, true, err);
	if (r->batch->len >= BATCH_N || r->batch_octets >= BATCH_OCTETS ||
		g_get_monotonic_time() - r->batch_began_us > BATCH_US)
		return fetch_commit_give(r, false, err);
	return 0;
}

static int body_octets(struct retrieving *t, const struct rs_pop3c_event *ev, struct rs_err *err)
{
	struct fetch_run *r = t->r;

	r->received += ev->text.n;
	fetch_progress(r, RS_FETCH_RETRIEVE);
	if (t->head->len < RS_DIGEST_HEADER_MAX)
		g_byte_array_append(t->head, ev->text.p,
			(guint)MIN(ev->text.n, RS_DIGEST_HEADER_MAX - t->head->len));
	return rs_deliv_write(t->deliv, ev->text.p, ev->text.n, err);
}

static void refused(struct retrieving *t, const struct rs_pop3c_event *ev)
{
	struct rs_err why;

	(void)rs_session_refused(t->r->session, ev, _("a message"), &why);
	fetch_failed_add(t->r, ev->tag, why.text, false);
	answered(t, ev->tag);
}

static int on_event(struct retrieving *t, const struct rs_pop3c_event *ev, struct rs_err *err)
{
	struct fetch_run *r = t->r;

	if (ev->verb == RS_POP3_LIST) {
		if (ev->kind == RS_C_OK && ev->num == wanted(r, ev->tag)->num)
			wanted(r, ev->tag)->size = ev->size;
		return 0;
	}
	switch (ev->kind) {
	case RS_C_OK:
		g_byte_array_set_size(t->head, 0);
		return rs_deliv_begin(r->maildir, NULL, &t->deliv, err);
	case RS_C_BODY:
		return body_octets(t, ev, err);
	case RS_C_END:
		return body_end(t, ev, err);
	case RS_C_ERR:
		refused(t, ev);
		return 0;
	case RS_C_GREETING:
	case RS_C_LINE:
	case RS_C_CHALLENGE:
	case RS_C_START_TLS:
		break;
	}
	return rs_err_set(
		err, RS_EPROTO, _("%s sent an answer that does not fit"), r->f->account->pop3_host);
}

/* Until all are answered. *local: it was not the server's fault. */
static int all(struct retrieving *t, bool *local, struct rs_err *err)
{
	int rc = 0;

	while (t->answered < t->r->plan.fetch->len && rc == 0) {
		struct rs_pop3c_event ev;

		rc = send_more(t, err);
		if (rc == 0)
			rc = rs_session_event(t->r->session, &ev, err);
		if (rc < 0)
			return rc;
		rc = on_event(t, &ev, err);
		*local = rc < 0;
	}
	return rc;
}

/* Nothing can become due for deletion in this session. */
static bool nothing_to_delete(const struct fetch_run *r)
{
	for (guint i = 0; i < r->plan.fetch->len; i++) {
		if (fetch_wanted(r, i)->remove)
			return false;
	}
	return r->plan.remove->len == 0;
}

int fetch_retrieve(struct fetch_run *r, struct rs_err *err)
{
	struct retrieving t = {.r = r,
		.head = g_byte_array_new(),
		.quit = nothing_to_delete(r),
		.window = WINDOW_FIRST,
		.turn_us = g_get_monotonic_time()};
	struct rs_err late;
	bool local = false;
	int rc;

	fetch_progress(r, RS_FETCH_RETRIEVE);
	rc = all(&t, &local, err);
	g_byte_array_unref(t.head);
	rs_deliv_destroy(&t.deliv); /* half a body is none */
	if (rc < 0 && !local && rc != -RS_ETEMP && t.answered < t.sent)
		fetch_failed_add(r, t.answered, err->text, true);
	/* also where the connection broke: what came whole is kept all the same */
	if (fetch_commit_end(r, &late) < 0 && (rc == 0 || !local)) {
		*err = late;
		rc = -(int)late.kind;
	}
	if (rc == 0 || !local) {
		r->report->failed_n += r->failed->len;
		if (fetch_failed_note(r, &late) < 0 && rc == 0) {
			*err = late;
			rc = -(int)late.kind;
		}
	}
	return rc;
}
