/* cmd_file.c - restante delete, move, mark, undo: messages change their place or their marks. */
#include "restante/mail.h"

#include <string.h>

#include "client/text.h"

struct filing {
	char **ids;
	const char *folder;
	gboolean for_good;
	guint set;
	guint clear;
	const char *mark;
};

/* Of argv without its last word; owned words are argv's. */
static char **but_last(int argc, char **argv, int from)
{
	char **ids = g_new0(char *, (gsize)(argc - from) + 1);

	for (int i = from; i < argc; i++)
		ids[i - from] = argv[i];
	return ids;
}

/* --- delete -------------------------------------------------------------------------------------------- */

static int delete (struct rs_library *l, void *arg)
{
	const struct filing *f = arg;
	g_autoptr(GPtrArray) entries = NULL;
	struct rs_err err;
	guint gone = 0;

	if (rs_library_find_all(l, f->ids, &entries, &err) < 0 ||
		rs_library_delete(l, entries, f->for_good, &gone, &err) < 0)
		return rs_fail(&err);
	if (gone)
		rs_say(P_("%u message deleted for good\n", "%u messages deleted for good\n", gone),
			gone);
	if (entries->len > gone)
		rs_say(P_("%u message moved to Trash (back: restante undo)\n",
			       "%u messages moved to Trash (back: restante undo)\n",
			       entries->len - gone),
			entries->len - gone);
	return RS_EXIT_DONE;
}

static int run_delete(const struct rs_command *self, int argc, char **argv)
{
	struct filing f = {0};
	const GOptionEntry entries[] = {
		{"for-good", 0, 0, G_OPTION_ARG_NONE, &f.for_good, N_("Not to Trash: gone at once"),
			NULL},
		{NULL},
	};
	int status = rs_options(self, entries,
		_("ID is a number of the last listing, a range of them (2-7), or the id that\n"
		  "list --ids shows. Messages go to Trash; those that are in Trash go for good.\n"
		  "An account with --leave until-deleted then has them deleted on the server by\n"
		  "one of the next checks; what lies in Trash is not deleted there yet."),
		&argc, &argv);

	if (status)
		return status;
	if (argc < 2)
		return rs_usage(self,
			_("say which messages: numbers of the last listing (2-7 for several), or "
			  "ids"));
	f.ids = argv + 1;
	return rs_mail_with(delete, &f);
}

const struct rs_command rs_cmd_delete = {
	"delete", N_("ID…"), N_("Move messages to Trash, or out of it for good"), run_delete};

/* --- move ------------------------------------------------------------------------------------------------ */

static int move(struct rs_library *l, void *arg)
{
	const struct filing *f = arg;
	g_autoptr(GPtrArray) entries = NULL;
	const struct rs_folder *to;
	struct rs_err err;

	if (rs_library_find_all(l, f->ids, &entries, &err) < 0)
		return rs_fail(&err);
	to = rs_library_folder(l, f->folder);
	if (!to) {
		rs_complain(_("there is no folder '%s'; restante folder list shows all, restante "
			      "folder create makes one"),
			f->folder);
		return RS_EXIT_NOTHING;
	}
	if (rs_library_move(l, entries, to, &err) < 0)
		return rs_fail(&err);
	rs_say(P_("%u message moved to %s\n", "%u messages moved to %s\n", entries->len),
		entries->len, to->name);
	return RS_EXIT_DONE;
}

static int run_move(const struct rs_command *self, int argc, char **argv)
{
	g_autofree char **ids = NULL;
	struct filing f = {0};
	const GOptionEntry entries[] = {{NULL}};
	int status = rs_options(self, entries,
		_("ID is a number of the last listing, a range of them (2-7), or the id that\n"
		  "list --ids shows. FOLDER is an account (its inbox), Archive, Sent, Drafts,\n"
		  "Outbox, Trash, Junk, or an own folder."),
		&argc, &argv);

	if (status)
		return status;
	if (argc < 3)
		return rs_usage(self, _("give messages and the folder they shall go to"));
	f.ids = ids = but_last(argc - 1, argv, 1);
	f.folder = argv[argc - 1];
	return rs_mail_with(move, &f);
}

const struct rs_command rs_cmd_move = {
	"move", N_("ID… FOLDER"), N_("Move messages to another folder"), run_move};

/* --- mark ------------------------------------------------------------------------------------------------- */

static const struct {
	const char *word;
	guint set;
	guint clear;
} marks[] = {
	{"read", RS_FLAG_SEEN, 0},
	{"unread", 0, RS_FLAG_SEEN},
	{"flagged", RS_FLAG_FLAGGED, 0},
	{"unflagged", 0, RS_FLAG_FLAGGED},
	{"answered", RS_FLAG_ANSWERED, 0},
	{"unanswered", 0, RS_FLAG_ANSWERED},
};

static int mark(struct rs_library *l, void *arg)
{
	const struct filing *f = arg;
	g_autoptr(GPtrArray) entries = NULL;
	struct rs_err err;

	if (rs_library_find_all(l, f->ids, &entries, &err) < 0 ||
		rs_library_mark(l, entries, f->set, f->clear, &err) < 0)
		return rs_fail(&err);
	return RS_EXIT_DONE;
}

/* Marks stand behind the messages; several may. */
static int run_mark(const struct rs_command *self, int argc, char **argv)
{
	g_autofree char **ids = NULL;
	struct filing f = {0};
	const GOptionEntry entries[] = {{NULL}};
	int last;
	int status = rs_options(self, entries,
		_("Marks: read, unread, flagged, unflagged, answered, unanswered; several may be\n"
		  "given. ID is a number of the last listing, a range of them (2-7), or the id\n"
		  "that list --ids shows."),
		&argc, &argv);

	if (status)
		return status;
	for (last = argc; last > 1; last--) {
		gsize i = 0;

		while (i < G_N_ELEMENTS(marks) && strcmp(marks[i].word, argv[last - 1]) != 0)
			i++;
		if (i == G_N_ELEMENTS(marks))
			break;
		f.set |= marks[i].set;
		f.clear |= marks[i].clear;
	}
	if (last < 2 || last == argc)
		return rs_usage(self,
			_("give messages and behind them a mark: read, unread, flagged, unflagged, "
			  "answered or unanswered"));
	if (f.set & f.clear)
		return rs_usage(self, _("these marks contradict one another"));
	f.ids = ids = but_last(last, argv, 1);
	return rs_mail_with(mark, &f);
}

const struct rs_command rs_cmd_mark = {
	"mark", N_("ID… MARK…"), N_("Mark messages as read, unread, flagged …"), run_mark};

/* --- undo -------------------------------------------------------------------------------------------------- */

static int undo(struct rs_library *l, void *arg)
{
	struct rs_err err;
	guint n = 0;

	(void)arg;
	if (rs_library_undo(l, &n, &err) < 0)
		return rs_fail(&err);
	rs_say(P_("%u message is as it was\n", "%u messages are as they were\n", n), n);
	return RS_EXIT_DONE;
}

static int run_undo(const struct rs_command *self, int argc, char **argv)
{
	const GOptionEntry entries[] = {{NULL}};
	int status = rs_options(self, entries,
		_("Only the last of delete, move and mark can be taken back, and never a\n"
		  "deletion for good."),
		&argc, &argv);

	if (status)
		return status;
	if (argc > 1)
		return rs_usage(self, _("'%s' is too much"), argv[1]);
	return rs_mail_with(undo, NULL);
}

const struct rs_command rs_cmd_undo = {
	"undo", "", N_("Take back the last delete, move or mark"), run_undo};
