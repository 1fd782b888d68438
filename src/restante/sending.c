/* sending.c - see sending.h */
#include "restante/sending.h"

#include "client/text.h"

int rs_sending_open(struct rs_sending *s)
{
	struct rs_err err;

	*s = (struct rs_sending){.accounts = NULL};
	if (rs_places_find(&s->places, &err) < 0)
		return rs_fail(&err);
	if (rs_accounts_load(&s->places, &s->accounts, &err) < 0 ||
		rs_outbox_open(&s->places, s->accounts, &s->outbox, &err) < 0) {
		rs_sending_close(s);
		return rs_fail(&err);
	}
	return 0;
}

void rs_sending_close(struct rs_sending *s)
{
	rs_outbox_close(&s->outbox);
	g_clear_pointer(&s->accounts, g_ptr_array_unref);
	rs_places_finish(&s->places);
}

char *rs_sending_people(const struct rs_envelope *e)
{
	const struct rs_submit_rcpt *first = e->rcpts->pdata[0];
	guint more = e->rcpts->len - 1;

	if (!more)
		return g_strdup(first->address);
	return g_strdup_printf(P_("%s and %u more", "%s and %u more", more), first->address, more);
}

/* As sendmail does: whose fault is it? */
static int status_of(const struct rs_out_item *item, const struct rs_err *err)
{
	const struct rs_envelope *e = item->envelope;

	if (err->kind == RS_OK)
		return RS_EXIT_DONE;
	if (!e)
		return RS_EXIT_DATA;
	if (e->state == RS_OUT_UNSURE)
		return RS_EXIT_PROTOCOL; /* whoever called must not think that it may try again */
	for (guint i = 0; i < e->rcpts->len; i++) {
		const struct rs_submit_rcpt *r = e->rcpts->pdata[i];

		if (r->fate == RS_SUBMIT_REFUSED &&
			(r->code == 550 || r->code == 551 || r->code == 553))
			return RS_EXIT_NO_USER;
	}
	return rs_exit_of((int)err->kind);
}

/* Who did not get it, one line each, where it is more than the one that `err` names. */
static void say_refused(const struct rs_envelope *e)
{
	if (rs_envelope_count(e, RS_SUBMIT_REFUSED) < 2)
		return;
	for (guint i = 0; i < e->rcpts->len; i++) {
		const struct rs_submit_rcpt *r = e->rcpts->pdata[i];

		if (r->fate == RS_SUBMIT_REFUSED)
			rs_complain("%s: %s", r->address, r->said ? r->said : "");
	}
}

static void say_partly(const struct rs_envelope *e)
{
	guint done = rs_envelope_count(e, RS_SUBMIT_DONE);

	if (done)
		rs_complain(
			P_("%u other recipient has it", "%u other recipients have it", done), done);
}

static void say_later(const char *code)
{
	rs_complain(_("it stays in the outbox as %s; to try again: restante outbox flush"), code);
}

void rs_sending_told_short(void *arg, const struct rs_out_item *item, const struct rs_err *err)
{
	struct rs_sending *s = arg;

	s->status = status_of(item, err);
	s->state = item->envelope ? item->envelope->state : RS_OUT_FAILED;
	if (err->kind == RS_OK)
		return;
	rs_complain("%s", err->text);
	if (item->envelope) {
		say_refused(item->envelope);
		say_partly(item->envelope);
	}
	if (s->state == RS_OUT_UNSURE)
		rs_complain(_("it is in the outbox as %s and is not sent again by itself; ask the "
			      "recipient, then: restante outbox flush %s (send it again) or cancel "
			      "%s (it has arrived)"),
			item->code, item->code, item->code);
}

void rs_sending_told(void *arg, const struct rs_out_item *item, const struct rs_err *err)
{
	struct rs_sending *s = arg;
	const struct rs_envelope *e = item->envelope;

	rs_sending_told_short(arg, item, err);
	if (err->kind == RS_OK && e) {
		g_autofree char *people = rs_sending_people(e);

		rs_say(_("Sent to %s.\n"), people);
	} else if (e && s->state == RS_OUT_QUEUED) {
		say_later(item->code);
	} else if (e && s->state == RS_OUT_FAILED) {
		rs_complain(
			_("it stays in the outbox as %s; once more: restante outbox flush %s; not "
			  "at all: restante outbox cancel %s"),
			item->code, item->code, item->code);
	}
}

int rs_sending_send(struct rs_sending *s, struct rs_envelope *e, int fd)
{
	g_autofree char *unique = NULL;
	struct rs_outbox_flush how = {.told = rs_sending_told, .arg = s};
	struct rs_err err;

	if (rs_outbox_put(s->outbox, e, fd, &unique, &err) < 0)
		return rs_fail(&err);
	s->put = true;
	how.only = unique;
	s->status = RS_EXIT_TEMP;
	if (rs_outbox_flush(s->outbox, &how, &err) < 0 && s->status == RS_EXIT_DONE)
		s->status = rs_fail(&err);
	return s->status;
}
