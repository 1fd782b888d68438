/* cmd_compose.c - restante compose, reply, forward: write a message, to somebody or about another one. */
#include "restante/writing.h"

#include <unistd.h>

#include "client/addresses.h"
#include "client/library.h"
#include "client/text.h"

static struct rs_writing given;

static struct {
	gboolean all;
	gboolean list;
	gboolean attached;
} how_given;

static int compose(struct rs_sending *s, char **to)
{
	const struct rs_account *a = NULL;
	int status = rs_writing_account(&given, s->accounts, &a);
	struct rs_draft *d;

	if (status)
		return status;
	if (!a)
		a = rs_account_that_sends(s->accounts);
	if (!a && s->accounts->len)
		a = s->accounts->pdata[0];
	if (!a) {
		rs_complain(_("there is no account yet; add one with: restante account add"));
		return RS_EXIT_CONFIG;
	}
	d = rs_draft_new(a);
	for (; *to; to++) {
		g_autofree char *both = g_strdup_printf("%s%s%s", d->to, *d->to ? ", " : "", *to);

		rs_draft_set(&d->to, both);
	}
	return rs_writing_do(&given, s, d);
}

static int compose_run(const struct rs_command *self, int argc, char **argv)
{
	struct rs_sending s;
	int status = rs_options(self, rs_writing_options(&given),
		_("Opens the editor (VISUAL, EDITOR) with the fields and the text, then asks what\n"
		  "is to become of it. For scripts: --body-file FILE and --send."),
		&argc, &argv);

	if (status)
		return status;
	status = rs_sending_open(&s);
	if (status)
		return status;
	status = compose(&s, argv + 1);
	rs_sending_close(&s);
	return status;
}

/* --- reply and forward --------------------------------------------------------------------- */

/* The message that is answered; marked when the answer is on its way. */
struct answered {
	struct rs_library *library;
	struct rs_entry *entry;
	bool forwarded;
};

static void mark(void *arg)
{
	struct answered *a = arg;
	g_autoptr(GPtrArray) one = g_ptr_array_new();
	struct rs_err err;

	g_ptr_array_add(one, a->entry);
	rs_library_fill(a->library, a->entry);
	if (rs_library_mark(
		    a->library, one, a->forwarded ? RS_FLAG_PASSED : RS_FLAG_ANSWERED, 0, &err) < 0)
		rs_complain("%s", err.text);
}

static int answer_open(struct rs_sending *s, struct answered *a, enum rs_answer kind)
{
	struct rs_answer_how how = {
		.accounts = s->accounts, .kind = kind, .folder_account = a->entry->folder->name};
	int status = rs_writing_account(&given, s->accounts, &how.account);
	struct rs_draft *d = NULL;
	struct rs_err err;
	int fd;
	int rc;

	if (status)
		return status;
	fd = rs_library_read(a->library, a->entry, &err);
	if (fd < 0)
		return rs_fail(&err);
	rc = rs_draft_answer(&how, fd, &d, &err);
	close(fd);
	if (rc < 0)
		return rs_fail(&err);
	given.sent = mark;
	given.arg = a;
	return rs_writing_do(&given, s, d);
}

static int answer(struct rs_sending *s, const char *word, enum rs_answer kind)
{
	struct answered a = {.forwarded = kind == RS_FORWARD || kind == RS_FORWARD_ATTACHED};
	struct rs_err err;
	int status;

	if (rs_library_open(&s->places, s->accounts, &a.library, &err) < 0 ||
		rs_library_find(a.library, word, &a.entry, &err) < 0)
		status = rs_fail(&err);
	else
		status = answer_open(s, &a, kind);
	rs_entry_free(a.entry);
	rs_library_close(&a.library);
	return status;
}

static int answer_run(const struct rs_command *self, const GOptionEntry *more, int *argc,
	char ***argv, enum rs_answer (*kind)(void))
{
	const GOptionEntry *common = rs_writing_options(&given);
	GOptionEntry entries[16] = {{NULL}};
	struct rs_sending s;
	guint n = 0;
	int status;

	for (; more[n].long_name; n++)
		entries[n] = more[n];
	for (guint i = 0; common[i].long_name && n + 1 < G_N_ELEMENTS(entries); i++)
		entries[n++] = common[i];
	status = rs_options(self, entries,
		_("ID is a number of the last listing, or the id that list --ids shows."), argc,
		argv);
	if (status)
		return status;
	if (*argc != 2)
		return rs_usage(
			self, _("say which message: a number of the last listing, or an id"));
	status = rs_sending_open(&s);
	if (status)
		return status;
	status = answer(&s, (*argv)[1], kind());
	rs_sending_close(&s);
	return status;
}

static enum rs_answer reply_kind(void)
{
	if (how_given.list)
		return RS_REPLY_LIST;
	return how_given.all ? RS_REPLY_ALL : RS_REPLY;
}

static int reply_run(const struct rs_command *self, int argc, char **argv)
{
	const GOptionEntry more[] = {
		{"all", 0, 0, G_OPTION_ARG_NONE, &how_given.all, N_("To everybody who got it"),
			NULL},
		{"list", 0, 0, G_OPTION_ARG_NONE, &how_given.list,
			N_("To the mailing list it came by"), NULL},
		{NULL},
	};

	return answer_run(self, more, &argc, &argv, reply_kind);
}

static enum rs_answer forward_kind(void)
{
	return how_given.attached ? RS_FORWARD_ATTACHED : RS_FORWARD;
}

static int forward_run(const struct rs_command *self, int argc, char **argv)
{
	const GOptionEntry more[] = {
		{"as-attachment", 0, 0, G_OPTION_ARG_NONE, &how_given.attached,
			N_("The message as it is, as an attachment"), NULL},
		{NULL},
	};

	return answer_run(self, more, &argc, &argv, forward_kind);
}

const struct rs_command rs_cmd_compose = {
	"compose", N_("[ADDRESS…]"), N_("Write a message"), compose_run};
const struct rs_command rs_cmd_reply = {"reply", N_("ID"), N_("Answer a message"), reply_run};
const struct rs_command rs_cmd_forward = {
	"forward", N_("ID"), N_("Send a message on to somebody"), forward_run};
