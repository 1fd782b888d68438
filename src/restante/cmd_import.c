/* cmd_import.c - restante import: shows what another program has, asks, takes it over. */
#include "restante/restante.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "client/clean.h"
#include "client/import.h"
#include "client/text.h"

static struct {
	char *from;
	char *address;
	char *folder;
	gboolean dry_run;
	gboolean yes;
	gboolean no_mail;
	gboolean no_accounts;
	gboolean quiet;
} given;

static const GOptionEntry entries[] = {
	{"from", 0, 0, G_OPTION_ARG_STRING, &given.from,
		N_("What it is, where that is not recognised"), N_("KIND")},
	{"address", 0, 0, G_OPTION_ARG_STRING, &given.address,
		N_("Mail address of an account that does not tell it"), N_("ADDRESS")},
	{"folder", 0, 0, G_OPTION_ARG_STRING, &given.folder,
		N_("Folder that mail goes to (if not: called like the file)"), N_("NAME")},
	{"dry-run", 'n', 0, G_OPTION_ARG_NONE, &given.dry_run, N_("Only show what there is"), NULL},
	{"yes", 'y', 0, G_OPTION_ARG_NONE, &given.yes, N_("Do not ask"), NULL},
	{"no-mail", 0, 0, G_OPTION_ARG_NONE, &given.no_mail,
		N_("Accounts and what was fetched only"), NULL},
	{"no-accounts", 0, 0, G_OPTION_ARG_NONE, &given.no_accounts, N_("Mail only"), NULL},
	{"quiet", 'q', 0, G_OPTION_ARG_NONE, &given.quiet, N_("Say only what is wrong"), NULL},
	{NULL},
};

static void say_notes(const GPtrArray *notes, const char *indent)
{
	for (guint i = 0; i < notes->len; i++) {
		g_autofree char *line = rs_clean_line(notes->pdata[i]);

		rs_say("%s! %s\n", indent, line);
	}
}

/* --- what there is ------------------------------------------------------------------------------- */

static const char *security_words(enum rs_security s)
{
	static const char *const words[] = {"TLS", "STARTTLS", N_("no TLS")};

	return s == RS_SECURITY_NONE ? _(words[s]) : words[s];
}

static const char *password_words(const struct rs_import_account *a)
{
	if (a->account->password_command)
		return _("by its command");
	if (a->password)
		return _("taken over");
	return a->oauth2 ? _("none: it logged in by the browser (restante account edit NAME "
			     "--oauth2)")
			 : _("not readable there");
}

static void say_account(const struct rs_import_account *a)
{
	g_autofree char *address = rs_clean_line(a->account->address ? a->account->address : "?");
	g_autofree char *server = rs_account_get(a->account, "pop3");
	g_autofree char *smtp = rs_account_get(a->account, "smtp");
	g_autofree char *leave = rs_policy_format(&a->account->leave);

	rs_say(_("Account %s\n"), address);
	rs_say(_("  POP3      %s, %s, user %s\n"), server ? server : "?",
		security_words(a->account->pop3_security),
		a->account->pop3_user ? a->account->pop3_user : "?");
	if (smtp)
		rs_say("  SMTP      %s, %s\n", smtp, security_words(a->account->smtp_security));
	rs_say(_("  Server    %s (what happens to the copy there)\n"), leave);
	rs_say(_("  Mail to   %s\n"), a->account->deliver_to ? a->account->deliver_to
				      : a->account->maildir  ? a->account->maildir
							     : _("a folder of its own"));
	rs_say(_("  Password  %s\n"), password_words(a));
	if (a->uids_file)
		rs_say(P_("  Fetched   %u message before (%s)\n",
			       "  Fetched   %u messages before (%s)\n", a->uids->len),
			a->uids->len, a->uids_file);
	say_notes(a->notes, "  ");
}

static char *folder_of(const struct rs_import_box *b)
{
	g_autofree char *name = g_strdup(given.folder ? given.folder
					 : *b->folder ? b->folder
						      : "Inbox");
	g_auto(GStrv) parts = g_strsplit(name, "/", -1);
	GString *out = g_string_new(NULL);

	for (char **part = parts; *part; part++) {
		/* names that a Maildir uses itself */
		bool odd = strcmp(*part, "cur") == 0 || strcmp(*part, "new") == 0 ||
			   strcmp(*part, "tmp") == 0;

		if (!**part || **part == '.')
			continue;
		g_string_append_printf(out, "%s%s%s", out->len ? "/" : "", *part, odd ? "_" : "");
	}
	if (!out->len)
		g_string_assign(out, "Inbox");
	return g_string_free(out, FALSE);
}

static void say_all(const struct rs_import *i)
{
	for (guint n = 0; n < i->accounts->len && !given.no_accounts; n++)
		say_account(i->accounts->pdata[n]);
	for (guint n = 0; n < i->boxes->len && !given.no_mail; n++) {
		const struct rs_import_box *b = i->boxes->pdata[n];
		g_autofree char *folder = folder_of(b);
		g_autofree char *line = rs_clean_line(b->path);

		if (*b->folder || given.folder)
			rs_say(_("Mail      %s -> folder %s\n"), line, folder);
		else
			rs_say(_("Mail      %s -> inbox of the account\n"), line);
	}
	say_notes(i->notes, "");
}

/* --- questions ------------------------------------------------------------------------------------ */

static bool may_ask(void)
{
	return !given.yes && rs_is_terminal(STDIN_FILENO) && rs_is_terminal(STDOUT_FILENO);
}

/* USER@ the domain of the server without its first name. */
static char *address_guess(const struct rs_account *a)
{
	const char *host = a->pop3_host ? a->pop3_host : "localhost";
	const char *dot = strchr(host, '.');

	if (dot && strchr(dot + 1, '.') && !g_hostname_is_ip_address(host))
		host = dot + 1;
	return g_strdup_printf("%s@%s", a->pop3_user ? a->pop3_user : "user", host);
}

/* The address it does not tell. 0 or an exit status. */
static int address_complete(const struct rs_command *self, struct rs_import_account *a)
{
	g_autofree char *guess = NULL;
	g_autofree char *answer = NULL;
	struct rs_err why;

	if (a->account->address)
		return 0;
	guess = address_guess(a->account);
	if (given.address)
		answer = g_strdup(given.address);
	else if (may_ask())
		answer = rs_ask(_("Mail address of this account"), guess);
	else
		answer = g_strdup(guess);
	if (!answer || rs_account_set(a->account, "address", answer, &why) < 0)
		return rs_usage(
			self, "--address %s: %s", answer ? answer : "", answer ? why.text : "?");
	if (!given.address && !may_ask())
		rs_say(_("  ! its address is not told; taken for %s (to change that: --address, or "
			 "restante account edit)\n"),
			answer);
	return 0;
}

static void password_complete(struct rs_import_account *a)
{
	g_autofree char *question = NULL;
	char *answer;

	if (a->password || a->account->password_command || a->oauth2 || !may_ask())
		return;
	question = g_strdup_printf(_("Password of %s (empty: later)"), a->account->address);
	answer = rs_ask_secret(question);
	if (!answer)
		return;
	if (*answer && rs_secret_create(rs_slice_str(answer), &a->password) < 0)
		a->password = NULL;
	rs_wipe(answer, strlen(answer));
	g_free(answer);
}

static bool agreed(void)
{
	g_autofree char *answer = NULL;

	if (given.yes)
		return true;
	answer = rs_ask(_("Take this over? (yes or no)"), _("no"));
	return answer && (g_ascii_tolower(answer[0]) == 'y' || g_ascii_tolower(answer[0]) == 'j');
}

/* --- keeping it -------------------------------------------------------------------------------------- */

static int keep_account(
	const struct rs_command *self, const struct rs_places *p, struct rs_import_account *a)
{
	struct rs_import_kept kept;
	struct rs_err err;
	bool known;
	int status = address_complete(self, a);

	if (status)
		return status;
	if (rs_import_account_prepare(p, a, &known, &err) < 0)
		return rs_fail(&err);
	if (!known)
		password_complete(a);
	if (rs_import_account_keep(p, a, known, &kept, &err) < 0)
		return rs_fail(&err);
	if (!given.quiet && known)
		rs_say(P_("Account %s was there already; %u message is now known as fetched.\n",
			       "Account %s was there already; %u messages are now known as "
			       "fetched.\n",
			       kept.uids_n),
			kept.name, kept.uids_n);
	else if (!given.quiet)
		rs_say(P_("Account %s is added; %u message is known as fetched.\n",
			       "Account %s is added; %u messages are known as fetched.\n",
			       kept.uids_n),
			kept.name, kept.uids_n);
	if (!known && !a->password && !a->account->password_command)
		rs_complain(_("account %s has no password yet: restante account edit %s"),
			kept.name, kept.name);
	g_free(kept.name);
	return 0;
}

/* The folder's path; of an inbox: that of the account of the same mailbox. */
static char *box_path(
	const struct rs_places *p, const GPtrArray *accounts, const struct rs_import_box *b)
{
	g_autofree char *folder = folder_of(b);

	for (guint i = 0; !given.folder && !*b->folder && i < accounts->len; i++) {
		const struct rs_account *a = accounts->pdata[i];

		if (b->host && g_ascii_strcasecmp(a->pop3_host, b->host) == 0 &&
			g_strcmp0(a->pop3_user, b->user) == 0)
			return g_strdup(a->maildir);
	}
	return g_build_filename(p->mail_dir, folder, NULL);
}

static void on_progress(void *arg, guint64 octets, guint64 total)
{
	guint *shown = arg;
	guint now = total ? (guint)(octets * 100 / total) : 0;

	if (!total || now == *shown || !rs_is_terminal(STDERR_FILENO) || given.quiet)
		return;
	*shown = now;
	(void)fprintf(stderr, "\r%3u %%%s", MIN(now, 100u), now >= 100 ? "\r     \r" : "");
}

static int keep_box(
	const struct rs_places *p, const GPtrArray *accounts, const struct rs_import_box *b)
{
	g_autofree char *into = box_path(p, accounts, b);
	guint shown = 0;
	const struct rs_import_mail m = {.path = b->path,
		.form = b->form,
		.into = into,
		.mail = p->mail_dir,
		.dry_run = given.dry_run,
		.progress = on_progress,
		.progress_arg = &shown};
	struct rs_import_mail_done done;
	struct rs_err err;
	int rc = rs_import_mail(&m, &done, &err);

	if (!given.quiet) {
		rs_say(P_("%s: %u new message", "%s: %u new messages", done.new_n), into,
			done.new_n);
		if (done.known_n)
			rs_say(_(", %u here already"), done.known_n);
		if (done.gone_n)
			rs_say(_(", %u deleted there"), done.gone_n);
		rs_say("\n");
	}
	if (done.bad_n)
		rs_complain(P_("%u message of %s could not be read",
				    "%u messages of %s could not be read", done.bad_n),
			done.bad_n, b->path);
	return rc < 0 ? rs_fail(&err) : RS_EXIT_DONE;
}

static int keep(const struct rs_command *self, const struct rs_places *p, const struct rs_import *i)
{
	g_autoptr(GPtrArray) accounts = NULL;
	struct rs_err err;
	int worst = RS_EXIT_DONE;

	for (guint n = 0; n < i->accounts->len && !given.no_accounts && !given.dry_run; n++) {
		int status = keep_account(self, p, i->accounts->pdata[n]);

		worst = status ? status : worst;
	}
	if (given.no_mail || !i->boxes->len)
		return worst;
	if (rs_accounts_load(p, &accounts, &err) < 0)
		return rs_fail(&err);
	for (guint n = 0; n < i->boxes->len; n++) {
		int status = keep_box(p, accounts, i->boxes->pdata[n]);

		worst = status ? status : worst;
	}
	return worst;
}

/* --- the command --------------------------------------------------------------------------------------- */

static int say_usual(const struct rs_command *self)
{
	g_auto(GStrv) paths = rs_import_usual();

	if (!*paths)
		return rs_usage(self, _("say what to import: no other mail program was found at "
					"its usual place"));
	rs_say(_("Found here; give one of them to import it:\n"));
	for (char **path = paths; *path; path++)
		rs_say("  restante import %s\n", *path);
	return RS_EXIT_DONE;
}

static int import(const struct rs_command *self, const struct rs_places *p, const char *source,
	enum rs_import_kind kind)
{
	struct rs_import *i = NULL;
	struct rs_err err;
	int status;
	int rc = rs_import_look(source, kind, &i, &err);

	if (rc < 0) {
		rs_complain("%s", err.text);
		return rc == -RS_ENOENT ? RS_EXIT_DATA : rs_exit_of(rc);
	}
	if (!given.quiet || may_ask())
		say_all(i);
	if (given.dry_run)
		status = keep(self, p, i);
	else if (!given.yes && !may_ask())
		status = rs_usage(self, _("nothing was taken over: agree with --yes"));
	else if (!agreed())
		status = RS_EXIT_NOTHING;
	else
		status = keep(self, p, i);
	rs_import_free(i);
	return status;
}

static int run(const struct rs_command *self, int argc, char **argv)
{
	enum rs_import_kind kind = RS_IMPORT_ANY;
	struct rs_places places;
	struct rs_err err;
	int status = rs_options(self, entries,
		_("SOURCE is an mbox, a Maildir, a Thunderbird profile, a .fetchmailrc, a\n"
		  "getmailrc or its folder, a configuration of mpop, or the folder of Claws Mail\n"
		  "or Sylpheed. KIND: thunderbird, fetchmail, getmail, mpop, claws, sylpheed,\n"
		  "mbox, mboxo, maildir. Messages that were fetched there are not fetched again.\n"
		  "A second import of the same brings nothing twice."),
		&argc, &argv);

	if (status)
		return status;
	if (argc > 2)
		return rs_usage(self, _("'%s' is too much"), argv[2]);
	if (argc < 2)
		return say_usual(self);
	if (given.from) {
		kind = rs_import_kind_find(given.from);
		if (!kind)
			return rs_usage(self, _("--from %s is not known"), given.from);
	}
	if (given.folder && (g_path_is_absolute(given.folder) || strstr(given.folder, "..")))
		return rs_usage(self, _("--folder is the name of a folder, not a path"));
	if (rs_places_find(&places, &err) < 0)
		return rs_fail(&err);
	status = import(self, &places, argv[1], kind);
	rs_places_finish(&places);
	return status;
}

const struct rs_command rs_cmd_import = {
	"import", N_("SOURCE"), N_("Take over accounts and mail of other programs"), run};
