/* cmd_thread.c - restante thread: all messages of a conversation, whatever folder they are in. */
#include "restante/mail.h"

#include "client/text.h"

struct thread_options {
	struct rs_rows rows;
	const char *id;
};

static int thread(struct rs_library *l, void *arg)
{
	const struct thread_options *o = arg;
	g_autoptr(GPtrArray) list = NULL;
	struct rs_entry *e = NULL;
	struct rs_err err;
	int rc = rs_library_find(l, o->id, &e, &err);

	if (rc == 0)
		rc = rs_library_thread(l, e, &list, &err);
	rs_entry_free(e);
	if (rc < 0)
		return rs_fail(&err);
	rs_rows_say(l, list, &o->rows);
	return RS_EXIT_DONE;
}

static int run(const struct rs_command *self, int argc, char **argv)
{
	struct thread_options o = {
		.rows = {.folders = TRUE, .all = TRUE, .more = "restante thread", .empty = ""}};
	const GOptionEntry entries[] = {
		{"ids", 'i', 0, G_OPTION_ARG_NONE, &o.rows.ids,
			N_("Show the ids that stay, beside the numbers"), NULL},
		{"json", 0, 0, G_OPTION_ARG_NONE, &o.rows.json, N_("One JSON object a line"), NULL},
		{NULL},
	};
	int status = rs_options(self, entries,
		_("The messages that answer one another, oldest first, over all folders. ID is\n"
		  "one of them. The numbers shown then mean these."),
		&argc, &argv);

	if (status)
		return status;
	if (argc != 2)
		return rs_usage(
			self, _("say which message: a number of the last listing, or an id"));
	o.id = argv[1];
	return rs_mail_with(thread, &o);
}

const struct rs_command rs_cmd_thread = {
	"thread", "ID", N_("List the conversation that a message belongs to"), run};
