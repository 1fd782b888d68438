/* cmd_search.c - restante search: messages by their words and properties. */
#include "restante/mail.h"

#include "client/text.h"

struct search_options {
	struct rs_rows rows;
	char *query;
};

static int search(struct rs_library *l, void *arg)
{
	struct search_options *o = arg;
	g_autoptr(GPtrArray) found = NULL;
	struct rs_err err;
	bool none;

	if (rs_library_search(l, o->query, rs_rows_wanted(&o->rows), &found, &err) < 0) {
		rs_complain("%s", err.text);
		return err.kind == RS_EINVAL ? RS_EXIT_USAGE : rs_exit_of((int)err.kind);
	}
	none = !found->len;
	rs_rows_say(l, found, &o->rows);
	return none ? RS_EXIT_NOTHING : RS_EXIT_DONE;
}

static int run(const struct rs_command *self, int argc, char **argv)
{
	struct search_options o = {.rows = {.folders = TRUE,
					   .more = "restante search --all …",
					   .empty = _("Nothing found.\n")}};
	g_autofree char *query = NULL;
	const GOptionEntry entries[] = {RS_ROWS_OPTIONS(o.rows), {NULL}};
	int status;

	/* "-word" is for the query: options end at the first word, or at "--" */
	status = rs_options_first(self, entries,
		_("Words: all of them must be there, in any order, in subject, people, text or\n"
		  "names of attachments. \"a phrase\", begin*, from:anna, to:bert,\n"
		  "subject:invoice, body:word, file:pdf, since:2026-11 (or 7d, 2w, 3m, 1y,\n"
		  "today, yesterday), before:, on:, larger:3M, smaller:20k, has:attachment,\n"
		  "is:unread (read, flagged, answered, draft), in:Archive; -x or NOT x leaves\n"
		  "out, OR and ( ) choose. A query that begins with - stands behind --:\n"
		  "restante search -- -from:anna invoice"),
		&argc, &argv);
	if (status)
		return status;
	if (argc > 1 && g_strcmp0(argv[1], "--") == 0) {
		argv++;
		argc--;
	}
	if (argc < 2)
		return rs_usage(self, _("say what to look for"));
	if (o.rows.limit < 0)
		return rs_usage(self, _("--limit must be a number from 1"));
	o.query = query = g_strjoinv(" ", argv + 1);
	return rs_mail_with(search, &o);
}

const struct rs_command rs_cmd_search = {
	"search", N_("QUERY…"), N_("Find messages by words, people, dates"), run};
