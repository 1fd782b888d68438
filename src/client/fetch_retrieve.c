/* fetch_retrieve.c - RETR, pipelined; each body streams into tmp/, batches are made durable as they
 * fill. One message the server will not give does not stop the others. */
#include "client/fetch_priv.h"

#include "client/text.h"

#define BATCH_N      256u
#define BATCH_OCTETS (16u << 20)
#define BATCH_US     (500 * 1000)
#define PENDING_MAX  (RS_SESSION_WINDOW / 20) /* "RETR " and ten digits and CRLF, rounded up */
#define SHORT_BY     1024u /* octets a server's sizes may be wrong, beside a tenth */

struct retrieving {
	struct fetch_run *r;
	guint sent;
	guint answered;
	struct rs_deliv *deliv; /* the body under way */
	GByteArray *head;       /* its beginning      */
};

static const struct rs_listed *wanted(const struct fetch_run *r, guint i)
{
	return fetch_listed(r, fetch_wanted(r, i)->listed);
}

/* As many RETR as may be unanswered. */
static int send_more(struct retrieving *t, struct rs_err *err)
{
	const struct fetch_run *r = t->r;

	while (t->sent < r->plan.fetch->len && rs_pop3c_pending(r->session->engine) < PENDING_MAX) {
		char num[16];
		int rc;

		g_snprintf(num, sizeof(num), "%u", wanted(r, t->sent)->num);
		rc = rs_pop3c_send(r->session->engine, RS_POP3_RETR, t->sent, num);
		if (rc == -RS_EBUSY)
			return 0;
		if (rc < 0)
			return rs_err_set(err, (enum rs_err_kind) - rc, _("out of memory"));
		t->sent++;
	}
	return 0;
}

/* A dot that came too early, or a line that was cut: much shorter than the server said. Its sizes
 * may be wrong a little, and some count LF as one octet; so little is no reason for doubt. */
static gboolean is_short(const struct rs_listed *m, guint64 octets)
{
	return m->size != UINT64_MAX && octets + m->size / 10 + SHORT_BY < m->size;
}

static int body_end(struct retrieving *t, const struct rs_pop3c_event *ev, struct rs_err *err)
{
	struct fetch_run *r = t->r;
	struct fetch_got got = {.at = ev->tag,
		.suspect = is_short(wanted(r, ev->tag), ev->octets),
		.digest = rs_digest_of(t->head->data, t->head->len)};
	int rc = rs_deliv_finish(t->deliv, err);

	if (rc < 0)
		return rc;
	if (r->batch->len == 0)
		r->batch_began_us = g_get_monotonic_time();
	got.deliv = g_steal_pointer(&t->deliv);
	g_array_append_val(r->batch, got);
	r->batch_octets += ev->octets;
	t->answered++;
	r->received_n++;
	if (r->batch->len >= BATCH_N || r->batch_octets >= BATCH_OCTETS ||
		g_get_monotonic_time() - r->batch_began_us > BATCH_US)
		return fetch_batch_commit(r, err);
	return 0;
}

static int on_event(struct retrieving *t, const struct rs_pop3c_event *ev, struct rs_err *err)
{
	struct fetch_run *r = t->r;

	switch (ev->kind) {
	case RS_C_OK:
		g_byte_array_set_size(t->head, 0);
		return rs_deliv_begin(r->maildir, NULL, &t->deliv, err);
	case RS_C_BODY:
		r->received += ev->text.n;
		fetch_progress(r, RS_FETCH_RETRIEVE);
		if (t->head->len < RS_DIGEST_HEADER_MAX)
			g_byte_array_append(t->head, ev->text.p,
				(guint)MIN(ev->text.n, RS_DIGEST_HEADER_MAX - t->head->len));
		return rs_deliv_write(t->deliv, ev->text.p, ev->text.n, err);
	case RS_C_END:
		return body_end(t, ev, err);
	case RS_C_ERR:
		t->answered++;
		r->report->failed_n++;
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

int fetch_retrieve(struct fetch_run *r, struct rs_err *err)
{
	struct retrieving t = {.r = r, .head = g_byte_array_new()};
	struct rs_err late;
	bool local = false;
	int rc = 0;

	fetch_progress(r, RS_FETCH_RETRIEVE);
	while (t.answered < r->plan.fetch->len && rc == 0) {
		struct rs_pop3c_event ev;

		rc = send_more(&t, err);
		if (rc == 0)
			rc = rs_session_event(r->session, &ev, err);
		if (rc < 0)
			break;
		rc = on_event(&t, &ev, err);
		local = rc < 0;
	}
	g_byte_array_unref(t.head);
	rs_deliv_destroy(&t.deliv); /* half a body is none */
	if (rc == 0)
		return fetch_batch_commit(r, err);
	/* the connection broke: what came whole is kept all the same */
	if (!local && fetch_batch_commit(r, &late) < 0)
		*err = late;
	fetch_batch_drop(r);
	return rc;
}
