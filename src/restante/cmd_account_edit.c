/* cmd_account_edit.c - restante account edit, test and remove. */
#include "restante/account_options.h"
#include "restante/wizard.h"

#include <string.h>

#include "client/account_edit.h"
#include "client/fetch.h"
#include "client/text.h"

/* --- what an operand NAME stands for ------------------------------------------------------------- */

struct named {
	struct rs_places places;
	GPtrArray *list;
	struct rs_account *account; /* of the list */
};

static void named_finish(struct named *n)
{
	if (n->list)
		g_ptr_array_unref(n->list);
	rs_places_finish(&n->places);
}

/* 0, or the exit status, said; then nothing is to be finished. */
static int named_find(const struct rs_command *self, int argc, char **argv, struct named *out)
{
	struct rs_err err;
	int status = 0;

	*out = (struct named){.list = NULL};
	if (argc != 2)
		return rs_usage(self, _("give the name of one account"));
	if (rs_places_find(&out->places, &err) < 0)
		return rs_fail(&err);
	if (rs_accounts_load(&out->places, &out->list, &err) < 0)
		status = rs_fail(&err);
	else
		out->account = rs_accounts_find(out->list, argv[1]);
	if (!status && !out->account)
		status = rs_no_account(argv[1]);
	if (status)
		named_finish(out);
	return status;
}

static int try_account(const struct rs_places *p, const struct rs_account *a,
	const struct rs_secret *password, struct rs_try *t)
{
	struct rs_secret *stored = NULL;
	struct rs_err err;

	if (!password && rs_account_password(p, a, &stored, &err) < 0)
		return rs_fail(&err);
	rs_account_try(a, password ? password : stored, NULL, t);
	rs_secret_destroy(&stored);
	return rs_wizard_say_try(a, t) ? 0 : rs_exit_of(t->pop3.rc ? t->pop3.rc : t->smtp.rc);
}

/* --- what a changed policy would delete ------------------------------------------------------------ */

struct would {
	guint now_n;
	guint next_n;
};

static void on_would(void *arg, const struct rs_fetch_item *item)
{
	struct would *w = arg;

	w->now_n += item->would == RS_WOULD_DELETE;
	w->next_n += item->would == RS_WOULD_DELETE_NEXT;
}

/* False: the person does not want it. What cannot be looked at now is looked at by the next check. */
static bool policy_agreed(const struct rs_places *p, const struct rs_account *old,
	const struct rs_account *a, const struct rs_secret *password)
{
	struct would w = {0, 0};
	struct rs_secret *stored = NULL;
	struct rs_fetch f = {.account = a, .places = p, .dry_run = on_would, .dry_run_arg = &w};
	struct rs_fetch_report report;
	int rc = 0;

	if (rs_policy_equal(&old->leave, &a->leave) || rs_policy_keeps(&a->leave))
		return true;
	if (!password)
		rc = rs_account_password(p, a, &stored, NULL);
	f.password = password ? password : stored;
	if (rc == 0)
		rc = rs_fetch_run(&f, &report);
	rs_secret_destroy(&stored);
	if (rc < 0) {
		rs_say("%s", _("What the changed policy would delete cannot be seen now; before "
			       "anything "
			       "goes: restante check --dry-run\n"));
		return true;
	}
	if (w.now_n + w.next_n == 0) {
		rs_say("%s", _("By the changed policy nothing goes from the server now.\n"));
		return true;
	}
	rs_say(P_("By the changed policy %u message would go from the server: not at the next "
		  "check, but at "
		  "the one after it. To see which: restante check --dry-run\n",
		       "By the changed policy %u messages would go from the server: not at the "
		       "next check, but "
		       "at the one after it. To see which: restante check --dry-run\n",
		       w.now_n + w.next_n),
		w.now_n + w.next_n);
	return !rs_may_ask() || rs_wizard_yes(_("Save it so?"), true);
}

/* --- edit ------------------------------------------------------------------------------------------- */

/* A port that was not given follows the security. */
static void ports(const struct rs_account *old, struct rs_account *a)
{
	if (!rs_given.pop3 && old->pop3_security != a->pop3_security &&
		(old->pop3_port == 995 || old->pop3_port == 110))
		a->pop3_port = 0;
	if (!rs_given.smtp && old->smtp_security != a->smtp_security &&
		(old->smtp_port == 465 || old->smtp_port == 587))
		a->smtp_port = 0;
	if (a->smtp_host && !old->smtp_host && !a->smtp_user && !rs_given.smtp_no_auth)
		a->smtp_user = g_strdup(a->pop3_user);
}

/* Is it the same mailbox under another name? *carry. */
static int mailbox(const struct rs_command *self, const struct rs_places *p,
	const struct rs_account *old, const struct rs_account *a, bool *carry)
{
	struct rs_err err;
	guint64 known;

	*carry = rs_given.same_mailbox;
	if (rs_account_moves(p, old, a, &known, &err) < 0)
		return rs_fail(&err);
	if (!known || rs_given.same_mailbox || rs_given.other_mailbox)
		return 0;
	if (!rs_may_ask())
		return rs_usage(self, _("server or user changes: say --same-mailbox (nothing is "
					"fetched again) or "
					"--other-mailbox (all of it is new)"));
	*carry = rs_wizard_yes(_("Is it the same mailbox, only under another server or user name? "
				 "Then nothing is fetched "
				 "again"),
		false);
	return 0;
}

static int save(const struct rs_command *self, const struct rs_places *p,
	const struct rs_account *old, const struct rs_account *a, const struct rs_secret *password)
{
	struct rs_err err;
	bool carry;
	int status = mailbox(self, p, old, a, &carry);

	if (status)
		return status;
	if ((password && rs_account_password_store(p, a, password, &err) < 0) ||
		rs_account_replace(p, old, a, carry, &err) < 0)
		return rs_fail(&err);
	rs_say(_("Account %s is changed.\n"), a->name);
	return RS_EXIT_DONE;
}

static int edit_asking(const struct rs_command *self, struct rs_account *a)
{
	if (rs_given_any())
		return 0;
	if (!rs_may_ask())
		return rs_usage(self, _("say what to change, by options as of account add"));
	return rs_wizard_change(a) ? 0 : rs_usage(self, _("nothing is changed"));
}

static int try_changed(
	const struct rs_places *p, struct rs_account *a, const struct rs_secret *password)
{
	struct rs_try t;
	int status = rs_given.no_test ? 0 : try_account(p, a, password, &t);

	if (status && rs_may_ask() && rs_wizard_pin(a, &t))
		status = try_account(p, a, password, &t);
	if (status && rs_may_ask() && rs_wizard_yes(_("Save it all the same?"), false))
		return 0;
	if (status)
		rs_complain("%s", _("Nothing is changed; --no-test saves it untested"));
	return status;
}

static int edit(
	const struct rs_command *self, const struct rs_places *p, const struct rs_account *old)
{
	struct rs_account *a = rs_account_copy(old);
	struct rs_secret *password = NULL;
	struct rs_err err;
	int status = rs_given_apply(self, a);

	if (!status)
		status = edit_asking(self, a);
	ports(old, a);
	if (!status && rs_account_complete(p, a, &err) < 0)
		status = rs_fail(&err);
	if (!status)
		status = rs_given_password(self, &password);
	if (!status && rs_given.oauth2)
		status = rs_account_log_in(p, a, rs_given.device);
	if (!status) {
		rs_wizard_warn(a);
		status = try_changed(p, a, password);
	}
	if (!status && !rs_given.no_test && !policy_agreed(p, old, a, password))
		status = rs_usage(self, _("nothing is changed"));
	if (!status)
		status = save(self, p, old, a, password);
	rs_secret_destroy(&password);
	rs_account_free(a);
	return status;
}

int rs_account_edit(const struct rs_command *self, int argc, char **argv)
{
	struct named n;
	int status = rs_options(self, rs_account_edit_entries,
		_("For example: restante account edit anna --leave days=30\n\n"
		  "Without options, at a terminal, the settings are shown and can be changed "
		  "field\n"
		  "by field. The login is tried before anything is saved."),
		&argc, &argv);

	if (!status)
		status = rs_given_check(self);
	if (!status)
		status = named_find(self, argc, argv, &n);
	if (status)
		return status;
	status = edit(self, &n.places, n.account);
	named_finish(&n);
	return status;
}

/* --- test ------------------------------------------------------------------------------------------- */

int rs_account_test(const struct rs_command *self, int argc, char **argv)
{
	const GOptionEntry entries[] = {{NULL}};
	struct named n;
	struct rs_try t;
	int status = rs_options(self, entries, NULL, &argc, &argv);

	if (!status)
		status = named_find(self, argc, argv, &n);
	if (status)
		return status;
	rs_wizard_warn(n.account);
	status = try_account(&n.places, n.account, NULL, &t);
	named_finish(&n);
	return status;
}

/* --- remove ----------------------------------------------------------------------------------------- */

static int remove_account(const struct rs_places *p, const struct rs_account *a, bool mail)
{
	struct rs_err err;

	if (mail && rs_account_mail_remove(p, a, &err) < 0)
		return rs_fail(&err);
	if (rs_account_remove(p, a->name, &err) < 0)
		return rs_fail(&err);
	if (mail)
		rs_say(_("Account %s, its password and its mail here are removed.\n"), a->name);
	else
		rs_say(_("Account %s and its password are removed. Its mail stays in %s.\n"),
			a->name, a->maildir);
	return RS_EXIT_DONE;
}

int rs_account_remove_command(const struct rs_command *self, int argc, char **argv)
{
	gboolean with_mail = FALSE;
	const GOptionEntry entries[] = {
		{"delete-mail", 0, 0, G_OPTION_ARG_NONE, &with_mail, N_("Its mail here goes, too"),
			NULL},
		{"no-input", 0, 0, G_OPTION_ARG_NONE, &rs_given.no_input, N_("Never ask"), NULL},
		{NULL},
	};
	struct named n;
	int status = rs_options(self, entries, NULL, &argc, &argv);

	if (!status)
		status = named_find(self, argc, argv, &n);
	if (status)
		return status;
	if (rs_may_ask() && !with_mail) {
		rs_say(_("The account %s and its stored password will be forgotten. What is on the "
			 "server "
			 "stays there; its mail here lies in %s.\n"),
			n.account->name, n.account->maildir);
		with_mail = rs_wizard_yes(_("Delete the mail here, too?"), false);
		if (!rs_wizard_yes(_("Remove the account?"), true))
			status = rs_usage(self, _("nothing is changed"));
	}
	if (!status)
		status = remove_account(&n.places, n.account, with_mail);
	named_finish(&n);
	return status;
}
