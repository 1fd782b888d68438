/* cmd_outbox.c - restante outbox: what is to be sent and has not gone, why, and what is to become of it. */
#include "restante/sending.h"

#include <string.h>
#include <unistd.h>

#include "client/clean.h"
#include "client/header.h"
#include "client/submit_octets.h"
#include "client/text.h"

#define HEAD_N 65536

static struct {
	gboolean json;
} given;

static const char *state_words(const struct rs_envelope *e)
{
	if (!e)
		return _("no envelope");
	switch (e->state) {
	case RS_OUT_QUEUED:
		return e->tries ? _("waiting") : _("to be sent");
	case RS_OUT_DOT:
		return _("being sent");
	case RS_OUT_UNSURE:
		return _("unsure");
	case RS_OUT_FAILED:
		return _("refused");
	case RS_OUT_SENT:
		return _("sent");
	}
	return "";
}

/* One field of the message, decoded. */
static char *field_of(struct rs_sending *s, const struct rs_out_item *item, const char *name)
{
	g_autofree char *head = g_malloc(HEAD_N);
	g_autofree char *raw = NULL;
	struct rs_err ignored;
	int fd = rs_outbox_read(s->outbox, item, &ignored);
	ssize_t n = fd < 0 ? 0 : pread(fd, head, HEAD_N, 0);

	if (fd >= 0)
		close(fd);
	raw = rs_header_get(head, n > 0 ? (gsize)n : 0, name);
	return rs_header_text(raw);
}

static void say(struct rs_sending *s, const struct rs_out_item *item)
{
	const struct rs_envelope *e = item->envelope;
	g_autofree char *subject = field_of(s, item, "Subject");
	g_autofree char *people = e ? rs_sending_people(e) : field_of(s, item, "To");

	rs_say("%s  %s  %s  %s\n", item->code, state_words(e), people,
		*subject ? subject : _("(no subject)"));
	if (e && e->said)
		rs_say("    %s\n", e->said);
	for (guint i = 0; e && e->rcpts->len > 1 && i < e->rcpts->len; i++) {
		const struct rs_submit_rcpt *r = e->rcpts->pdata[i];

		if (r->fate == RS_SUBMIT_DONE)
			rs_say(_("    %s has it\n"), r->address);
		else if (r->said)
			rs_say("    %s: %s\n", r->address, r->said);
	}
}

static void say_json(struct rs_sending *s, const struct rs_out_item *item)
{
	static const char *const fates[] = {"waiting", "taken", "done", "refused"};
	const struct rs_envelope *e = item->envelope;
	g_autofree char *subject = field_of(s, item, "Subject");
	g_autoptr(GString) line = g_string_new("{");

	rs_json_key(line, "id");
	rs_json_str(line, item->code);
	rs_json_key(line, "state");
	rs_json_str(line, e ? rs_out_state_name(e->state) : NULL);
	rs_json_key(line, "account");
	rs_json_str(line, e ? e->account : NULL);
	rs_json_key(line, "from");
	rs_json_str(line, e ? e->sender : NULL);
	rs_json_key(line, "subject");
	rs_json_str(line, subject);
	rs_json_key(line, "why");
	rs_json_str(line, e ? e->said : NULL);
	g_string_append_printf(line,
		",\"queued\":%" G_GINT64_FORMAT ",\"next\":%" G_GINT64_FORMAT
		",\"tries\":%u,\"recipients\":[",
		e ? e->queued_s : 0, e ? e->next_s : 0, e ? e->tries : 0);
	for (guint i = 0; e && i < e->rcpts->len; i++) {
		const struct rs_submit_rcpt *r = e->rcpts->pdata[i];

		g_string_append(line, i ? ",{" : "{");
		rs_json_key(line, "to");
		rs_json_str(line, r->address);
		rs_json_key(line, "state");
		rs_json_str(line, fates[r->fate]);
		rs_json_key(line, "why");
		rs_json_str(line, r->said);
		g_string_append_c(line, '}');
	}
	rs_say("%s]}\n", line->str);
}

static int list(struct rs_sending *s)
{
	g_autoptr(GPtrArray) items = NULL;
	struct rs_err err;

	if (rs_outbox_list(s->outbox, &items, &err) < 0)
		return rs_fail(&err);
	for (guint i = 0; i < items->len; i++) {
		if (given.json)
			say_json(s, items->pdata[i]);
		else
			say(s, items->pdata[i]);
	}
	if (!items->len && !given.json)
		rs_say(_("The outbox is empty.\n"));
	return RS_EXIT_DONE;
}

static int flush(struct rs_sending *s, const char *unique)
{
	struct rs_outbox_flush how = {
		.only = unique, .now = true, .told = rs_sending_told, .arg = s};
	struct rs_err err;
	int rc;

	s->status = RS_EXIT_DONE;
	rc = rs_outbox_flush(s->outbox, &how, &err);
	return rc < 0 && s->status == RS_EXIT_DONE ? rs_fail(&err) : s->status;
}

static int cancel(struct rs_sending *s, const struct rs_out_item *item)
{
	const char *where = NULL;
	struct rs_err err;

	if (rs_outbox_cancel(s->outbox, item, &where, &err) < 0)
		return rs_fail(&err);
	if (strcmp(where, "Sent") == 0)
		rs_say(_("Message %s is in Sent: it has gone, or may have.\n"), item->code);
	else
		rs_say(_("Message %s will not be sent; it is in Drafts.\n"), item->code);
	return RS_EXIT_DONE;
}

/* The messages named by `words`, one after the other; the worst status. */
static int each(struct rs_sending *s, char **words, bool cancelled)
{
	g_autoptr(GPtrArray) items = NULL;
	struct rs_err err;
	int worst = RS_EXIT_DONE;

	if (rs_outbox_list(s->outbox, &items, &err) < 0)
		return rs_fail(&err);
	for (; *words; words++) {
		struct rs_out_item *item = NULL;
		int status;

		if (rs_outbox_find(items, *words, &item, &err) < 0)
			status = rs_fail(&err);
		else
			status = cancelled ? cancel(s, item) : flush(s, item->unique);
		worst = status ? status : worst;
	}
	return worst;
}

static int run(const struct rs_command *self, int argc, char **argv)
{
	const GOptionEntry entries[] = {
		{"json", 0, 0, G_OPTION_ARG_NONE, &given.json, N_("One JSON object a message"),
			NULL},
		{NULL},
	};
	struct rs_sending s;
	int status = rs_options(self, entries,
		_("list         what is to be sent, and why it is still here\n"
		  "flush        send all that waits; with ID also what was refused, or what may\n"
		  "             have been sent already\n"
		  "cancel ID    do not send it: it goes to Drafts, or to Sent where somebody has "
		  "it\n"
		  "             or may have it"),
		&argc, &argv);
	const char *verb = argc > 1 ? argv[1] : "list";

	if (status)
		return status;
	if (strcmp(verb, "list") != 0 && strcmp(verb, "flush") != 0 && strcmp(verb, "cancel") != 0)
		return rs_usage(self, _("'%s' is none of list, flush, cancel"), verb);
	if (strcmp(verb, "cancel") == 0 && argc < 3)
		return rs_usage(self, _("say which message"));
	status = rs_sending_open(&s);
	if (status)
		return status;
	if (strcmp(verb, "list") == 0)
		status = list(&s);
	else if (argc > 2)
		status = each(&s, argv + 2, strcmp(verb, "cancel") == 0);
	else
		status = flush(&s, NULL);
	rs_sending_close(&s);
	return status;
}

const struct rs_command rs_cmd_outbox = {
	"outbox", N_("[list|flush|cancel] [ID…]"), N_("What is to be sent; send it or not"), run};
