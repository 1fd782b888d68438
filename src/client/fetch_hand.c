/* fetch_hand.c - targets that are no Maildir: message by message, each with its intent in the ledger first.
 *
 *   1  the ledger: STORING, and what the target will know it by, committed
 *   2  the target is given the message, and says that it has it
 *   3  the ledger: STORED (DELETING where DELE follows), committed
 *
 * A crash between 2 and 3 leaves one message in doubt. An IMAP folder is asked for its Message-ID; of others nobody
 * knows, and that one message is fetched and handed over again: at most one comes twice, none is lost. */
#include "client/fetch_priv.h"

#include <string.h>
#include <unistd.h>

#include "client/text.h"

#define KNOWN_BY "message-id:"

/* The target would not take this one; it is tried again later. */
static int note_refused(struct fetch_run *r, const struct fetch_got *g, const struct rs_err *why,
	struct rs_err *err)
{
	const struct rs_listed *m = fetch_listed(r, fetch_wanted(r, g->at)->listed);
	const struct rs_ledger_new row = {.id = g->id};
	guint32 wait_s = fetch_failed_wait_s(fetch_failed_tries(r, m));
	int rc = rs_ledger_begin(r->ledger, err);

	if (rc == 0)
		rc = rs_ledger_not_stored(r->ledger, r->key, &row, RS_LEDGER_FAILED, why->text,
			(guint32)r->now_s + wait_s, err);
	g_mutex_lock(&r->commit.lock);
	if (!r->report->refused_n++)
		fetch_notice(r, "%s", why->text);
	g_mutex_unlock(&r->commit.lock);
	return fetch_ledger_end(r, rc, "ledger-refused", err);
}

static int note_stored(struct fetch_run *r, const struct fetch_got *g, struct rs_err *err)
{
	int rc = rs_ledger_begin(r->ledger, err);

	if (rc == 0 && g->id)
		rc = rs_ledger_state(r->ledger, g->id,
			fetch_goes(r, g) ? RS_LEDGER_DELETING : RS_LEDGER_STORED, err);
	return fetch_ledger_end(r, rc, "ledger-stored", err);
}

static int note_intent(
	struct fetch_run *r, struct fetch_got *g, const char *message_id, struct rs_err *err)
{
	g_autofree char *by = g_strconcat(KNOWN_BY, message_id, NULL);
	int rc = rs_ledger_begin(r->ledger, err);

	if (rc == 0)
		rc = fetch_record_name(r, g, by, err);
	return fetch_ledger_end(r, rc, "ledger-storing", err);
}

static int hand_over(struct fetch_run *r, struct fetch_got *g, const struct rs_target_mail *m,
	struct rs_err *err)
{
	struct rs_err why;
	int rc = note_intent(r, g, m->message_id, err);

	if (rc < 0)
		return rc;
	fetch_step(r, "target");
	rc = rs_target_deliver(r->target, m, &why);
	fetch_step(r, "target-said");
	if (rc == -RS_ETEMP || rc == -RS_EINVAL)
		return note_refused(r, g, &why, err);
	if (rc < 0) { /* it may have the message all the same: the next run settles that */
		*err = why;
		return rc;
	}
	rc = note_stored(r, g, err);
	if (rc == 0)
		fetch_count(r, g);
	if (rc == 0 && r->f->arrival)
		r->f->arrival(r->f->arrival_arg, m->fd);
	return rc;
}

static int one(struct fetch_run *r, struct fetch_got *g, struct rs_err *err)
{
	struct rs_target_mail m;
	int fd;
	int rc;

	if (g->again_id) {
		rc = note_intent(r, g, NULL, err);
		if (rc == 0)
			fetch_count(r, g);
		return rc;
	}
	fd = rs_deliv_read_open(g->deliv, err);
	if (fd < 0)
		return fd;
	rs_target_mail_read(fd, rs_deliv_wire(g->deliv), &m);
	rc = hand_over(r, g, &m, err);
	rs_target_mail_finish(&m);
	close(fd);
	return rc;
}

int fetch_hand_over(struct fetch_run *r, GArray *batch, struct rs_err *err)
{
	int rc = 0;

	for (guint i = 0; i < batch->len && rc == 0; i++) {
		struct fetch_got *g = &g_array_index(batch, struct fetch_got, i);

		rc = one(r, g, err);
		rs_deliv_destroy(&g->deliv);
	}
	return rc;
}

int fetch_hand_settle(struct fetch_run *r, const GArray *pending, struct rs_err *err)
{
	int rc = 0;

	for (guint i = 0; i < pending->len && rc >= 0; i++) {
		const struct rs_ledger_file *p = &g_array_index(pending, struct rs_ledger_file, i);
		const char *id = p->file + strlen(KNOWN_BY);
		bool asked = g_str_has_prefix(p->file, KNOWN_BY) && *id;
		int has = asked ? rs_target_has(r->target, id, err) : 0;

		if (has < 0 && has != -RS_EINVAL)
			return has; /* later: better late than twice */
		rc = rs_ledger_begin(r->ledger, err);
		if (rc == 0)
			rc = has > 0 ? rs_ledger_state(r->ledger, p->id, RS_LEDGER_STORED, err)
				     : rs_ledger_forget(r->ledger, p->id, err);
		rc = fetch_ledger_end(r, rc, "settle", err);
	}
	return rc;
}
