/* cmd_list.c - restante list: what is in a folder, newest first, numbered for show. */
#include "restante/mail.h"

#include "client/text.h"

struct list_options {
	struct rs_rows rows;
	struct rs_list_how how;
	gboolean unread;
};

static int list(struct rs_library *l, void *arg)
{
	struct list_options *o = arg;
	g_autoptr(GPtrArray) found = NULL;
	struct rs_err err;

	o->how.limit = rs_rows_wanted(&o->rows);
	o->how.unread = o->unread;
	o->how.threads = o->rows.threads;
	if (rs_library_list(l, &o->how, &found, &err) < 0)
		return rs_fail(&err);
	rs_rows_say(l, found, &o->rows);
	return RS_EXIT_DONE;
}

static int run(const struct rs_command *self, int argc, char **argv)
{
	struct list_options o = {
		.rows = {.more = "restante list --all",
			.empty = _("No messages. To fetch new mail: restante check\n")}};
	const GOptionEntry entries[] = {
		RS_ROWS_OPTIONS(o.rows),
		{"unread", 'u', 0, G_OPTION_ARG_NONE, &o.unread, N_("Only what was not read yet"),
			NULL},
		{"threads", 't', 0, G_OPTION_ARG_NONE, &o.rows.threads,
			N_("One line a thread: its newest message"), NULL},
		{NULL},
	};
	int status = rs_options(self, entries,
		_("FOLDER is an account, one of Archive, Sent, Drafts, Outbox, Trash, Junk,\n"
		  "an own folder, or the path of a Maildir; without it the inboxes of all\n"
		  "accounts are listed. N: not read yet, r: answered, f: forwarded, !: flagged,\n"
		  "@: has attachments. A number means that message until the next listing:\n"
		  "restante show 1"),
		&argc, &argv);

	if (status)
		return status;
	if (argc > 2)
		return rs_usage(self, _("'%s' is too much"), argv[2]);
	if (o.rows.limit < 0)
		return rs_usage(self, _("--limit must be a number from 1"));
	if (o.unread)
		o.rows.empty = _("No unread messages.\n");
	o.how.folder = argv[1];
	return rs_mail_with(list, &o);
}

const struct rs_command rs_cmd_list = {
	"list", N_("[FOLDER]"), N_("List messages, newest first"), run};
