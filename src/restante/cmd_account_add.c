/* cmd_account_add.c - restante account add: finding the settings, questions for what is missing, a try, saving.
 * Where the search succeeds, the password is all that is asked. */
#include "restante/account_options.h"
#include "restante/wizard.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/discover.h"
#include "client/oauth.h"
#include "client/secret_store.h"
#include "client/settings.h"
#include "client/text.h"

/* --- finding the servers ------------------------------------------------------------------------- */

/* May it be used? Said where not. */
static bool found_agreed(const struct rs_found *f)
{
	if (f->trusted)
		return true;
	if (rs_may_ask())
		return rs_wizard_yes(_("Use these?"), false);
	rs_complain(_("what was found comes from the DNS alone (%s) and names servers of another "
		      "domain; if they are right, give them: --pop3 %s:%u --smtp %s:%u"),
		f->source, f->pop3.host, f->pop3.port, f->smtp.host ? f->smtp.host : "-",
		f->smtp.port);
	return false;
}

/* Nobody but a person decides for a connection without TLS. */
static bool plain_agreed(const struct rs_found *f)
{
	bool plain = f->pop3.security == RS_SECURITY_NONE ||
		     (f->smtp.host && f->smtp.security == RS_SECURITY_NONE);

	if (!plain)
		return true;
	if (rs_may_ask()) {
		rs_complain(_("warning: without TLS everybody on the way to %s can read your "
			      "password and your mail"),
			f->pop3.host);
		return rs_wizard_yes(_("Use it without TLS all the same?"), false);
	}
	rs_complain(_("%s offers no TLS; if you want it all the same, say so: --pop3 %s:%u "
		      "--security none"),
		f->pop3.host, f->pop3.host, f->pop3.port);
	return false;
}

/* Who gives the tokens, where nobody said: a provider that is known, whom the file of the provider names, the domain. */
static void choose_issuer(struct rs_account *a, const char *found)
{
	g_autofree char *guess = NULL;

	if (!rs_given.oauth2 || a->oauth2)
		return;
	guess = rs_oauth_issuer_guess(a);
	if (guess && found && g_str_has_prefix(guess, "https://"))
		a->oauth2 = strstr(found, "://") ? g_strdup(found)
						 : g_strconcat("https://", found, NULL);
	else
		a->oauth2 = g_steal_pointer(&guess);
}

static int take_found(struct rs_account *a, const struct rs_found *f)
{
	struct rs_err err;

	if (f->oauth_issuer)
		choose_issuer(a, f->oauth_issuer);

	if (rs_found_apply(f, a, &err) < 0) {
		rs_complain(_("what %s says cannot be used: %s"), f->source, err.text);
		return 0;
	}
	if (rs_given.no_smtp || !f->smtp.user)
		g_clear_pointer(&a->smtp_user, g_free);
	if (rs_given.no_smtp)
		g_clear_pointer(&a->smtp_host, g_free);
	rs_wizard_say_found(f, a);
	return 0;
}

/* Fills the servers of `a` where something is found and agreed to; 0 also where nothing is. */
static int discover(const struct rs_places *p, struct rs_account *a)
{
	struct rs_found *f = NULL;
	struct rs_settings settings;
	struct rs_discover d = {
		.address = a->address, .ca_file = a->ca_file, .limit_s = RS_DISCOVER_LIMIT_S};
	struct rs_err err;
	int status = 0;
	int rc;

	if (rs_settings_load(p, &settings, &err) < 0)
		return rs_fail(&err);
	d.database = settings.isp_database;
	if (rs_may_ask()) {
		rs_say(_("Looking for the settings of %s …\n"), strrchr(a->address, '@') + 1);
		(void)fflush(stdout);
	}
	rc = rs_discover_run(&d, &f, &err);
	rs_settings_finish(&settings);
	if (rc == -RS_ECONFIG || (rc < 0 && !rs_may_ask())) {
		status = rs_fail(&err);
		return status == RS_EXIT_NOTHING ? RS_EXIT_CONFIG : status;
	}
	if (rc < 0) {
		rs_complain("%s", err.text);
		return 0;
	}
	status = take_found(a, f);
	if (!found_agreed(f) || !plain_agreed(f)) {
		g_clear_pointer(&a->pop3_host, g_free);
		g_clear_pointer(&a->smtp_host, g_free);
		g_clear_pointer(&a->smtp_user, g_free);
		status = rs_may_ask() ? 0 : RS_EXIT_CONFIG;
	}
	rs_found_free(f);
	return status;
}

/* --- what is missing ----------------------------------------------------------------------------- */

static int no_answer(const struct rs_command *self)
{
	return rs_usage(self, _("the questions were not answered; nothing is saved"));
}

static bool ask_servers(struct rs_account *a)
{
	if (!a->pop3_host && !rs_wizard_key(a, "pop3",
				     _("POP3 server of your provider (HOST or HOST:PORT)"), NULL))
		return false;
	if (!a->pop3_user && !rs_wizard_key(a, "user", _("User name"), a->address))
		return false;
	if (!a->smtp_host && !rs_given.no_smtp &&
		!rs_wizard_key(a, "smtp", _("SMTP server, for sending (empty: none)"), ""))
		return false;
	return rs_given.leave || rs_wizard_leave(a);
}

static int refuse_missing(const struct rs_command *self, const struct rs_account *a)
{
	if (!a->address)
		return rs_usage(
			self, _("give the mail address: restante account add anna@example.org …"));
	if (!a->pop3_host)
		return rs_usage(
			self, _("give the POP3 server of the provider with --pop3 HOST[:PORT]"));
	return 0;
}

/* Address, then servers: given, found, or asked for. */
static int settle(const struct rs_command *self, const struct rs_places *p, struct rs_account *a)
{
	bool given = a->pop3_host != NULL;
	int status = 0;

	if (!a->address && rs_may_ask() && !rs_wizard_key(a, "address", _("Mail address"), NULL))
		return no_answer(self);
	if (a->address && !given && !rs_given.no_discovery)
		status = discover(p, a);
	if (status)
		return status;
	if (rs_may_ask() && (given || !a->pop3_host) && !ask_servers(a))
		return no_answer(self);
	status = refuse_missing(self, a);
	if (!status && !given && a->pop3_host && rs_may_ask())
		rs_wizard_say_leave(a);
	return status;
}

static void finish_values(struct rs_account *a)
{
	if (!a->name)
		a->name = g_strdup(rs_given.name ? rs_given.name : a->address);
	if (a->smtp_host && !a->smtp_user && !rs_given.smtp_no_auth)
		a->smtp_user = g_strdup(a->pop3_user ? a->pop3_user : a->address);
}

/* --- the try, again and again ---------------------------------------------------------------------- */

static int complete(const struct rs_places *p, struct rs_account *a)
{
	struct rs_err err;

	return rs_account_complete(p, a, &err) < 0 ? rs_fail(&err) : 0;
}

static int try_once(const struct rs_places *p, const struct rs_account *a,
	const struct rs_secret *stored, struct rs_try *t)
{
	struct rs_secret *from_command = NULL;
	struct rs_err err;

	if (!stored && rs_account_password(p, a, &from_command, &err) < 0)
		return rs_fail(&err);
	rs_account_try(a, stored ? stored : from_command, NULL, t);
	rs_secret_destroy(&from_command);
	return rs_wizard_say_try(a, t) ? 0 : rs_exit_of(t->pop3.rc ? t->pop3.rc : t->smtp.rc);
}

/* For the password at the terminal. *out NULL: the person wants to change something first. False: no more input. */
static bool ask_password(struct rs_secret **out)
{
	char *answer = rs_ask_secret(_("Password (Enter alone: change the settings first)"));
	bool ok = answer != NULL;

	if (ok && *answer)
		ok = rs_secret_create(rs_slice_str(answer), out) == 0;
	if (answer)
		rs_wipe(answer, strlen(answer));
	g_free(answer);
	return ok;
}

/* After a failure: 'again' with what was changed, or not. Only the password is asked for again where that was it. */
static bool mend(struct rs_account *a, const struct rs_try *t, struct rs_secret **password)
{
	if (rs_wizard_pin(a, t))
		return true;
	if (a->oauth2)
		return rs_wizard_yes(_("Change the settings and try again?"), true) &&
		       rs_wizard_change(a);
	if (t->pop3.rc == -RS_EAUTH || (t->pop3.rc == 0 && t->smtp.rc == -RS_EAUTH)) {
		rs_secret_destroy(password);
		return true;
	}
	return rs_wizard_yes(_("Change the settings and try again?"), true) && rs_wizard_change(a);
}

/* At a terminal: until it works, or the person gives up. */
static int until_right(const struct rs_command *self, const struct rs_places *p,
	struct rs_account *a, struct rs_secret **password)
{
	struct rs_try t;
	int status = complete(p, a);

	while (!status) {
		if (!*password && !a->password_command && !a->oauth2) {
			if (!ask_password(password))
				return no_answer(self);
			if (!*password && !rs_wizard_change(a))
				return no_answer(self);
			status = complete(p, a);
			if (status || !*password)
				continue;
		}
		if (rs_given.no_test)
			return 0;
		rs_wizard_warn(a);
		if (try_once(p, a, *password, &t) == 0)
			return 0;
		if (!mend(a, &t, password))
			return rs_usage(self, _("nothing is saved; --no-test saves it untested"));
		status = complete(p, a);
	}
	return status;
}

static int without_asking(const struct rs_command *self, const struct rs_places *p,
	struct rs_account *a, struct rs_secret **password)
{
	struct rs_try t;
	int status = complete(p, a);

	if (status)
		return status;
	rs_wizard_warn(a);
	if (!rs_given.password_stdin && !a->password_command && !a->oauth2)
		return rs_usage(
			self, _("give the password with --password-stdin or --password-command"));
	status = rs_given_password(self, password);
	if (status || rs_given.no_test)
		return status;
	status = try_once(p, a, *password, &t);
	if (status)
		rs_complain("%s", _("Nothing is saved; --no-test saves it untested"));
	return status;
}

/* --- all of it ------------------------------------------------------------------------------------ */

static int save(
	const struct rs_places *p, const struct rs_account *a, const struct rs_secret *password)
{
	struct rs_err err;

	/* The password first: a crash between the two leaves no account that cannot log in. */
	if ((password && rs_account_password_store(p, a, password, &err) < 0) ||
		rs_account_save(p, a, &err) < 0)
		return rs_fail(&err);
	if (!a->smtp_host)
		rs_say(_("Account %s has no SMTP server: its mail can be read, but nothing sent. "
			 "To add "
			 "one: restante account edit %s\n"),
			a->name, a->name);
	rs_say(_("Account %s is added. To fetch its mail: restante check\n"), a->name);
	return RS_EXIT_DONE;
}

static int refuse_twice(
	const struct rs_command *self, const struct rs_places *p, const struct rs_account *a)
{
	g_autoptr(GPtrArray) list = NULL;
	struct rs_err err;

	if (rs_accounts_load(p, &list, &err) < 0)
		return rs_fail(&err);
	for (guint i = 0; a->name && i < list->len; i++) {
		if (strcmp(((struct rs_account *)list->pdata[i])->name, a->name) == 0)
			return rs_usage(self,
				_("account '%s' is there already: choose another --name, change "
				  "that "
				  "one with account edit, or remove it first"),
				a->name);
	}
	return 0;
}

static int add(const struct rs_command *self, const struct rs_places *p, struct rs_account *a)
{
	struct rs_secret *password = NULL;
	bool logged_in = false;
	struct rs_err err;
	int status;

	if (a->address)
		a->name = g_strdup(rs_given.name ? rs_given.name : a->address);
	status = refuse_twice(self, p, a);
	if (!status)
		status = settle(self, p, a);
	if (status)
		return status;
	finish_values(a);
	choose_issuer(a, NULL);
	status = refuse_twice(self, p, a);
	if (!status && a->oauth2)
		status = complete(p, a);
	if (!status && a->oauth2) {
		status = rs_account_log_in(p, a, rs_given.device);
		logged_in = !status;
	}
	if (!status && rs_may_ask())
		status = until_right(self, p, a, &password);
	else if (!status)
		status = without_asking(self, p, a, &password);
	if (!status)
		status = save(p, a, password);
	else if (logged_in &&
		 rs_secret_store_forget(p, a->name, &err) < 0) /* of an account that is none */
		rs_complain("%s", err.text);
	rs_secret_destroy(&password);
	return status;
}

static int set_address(const struct rs_command *self, struct rs_account *a, const char *address)
{
	struct rs_err why;

	if (address && rs_account_set(a, "address", address, &why) < 0)
		return rs_usage(self, "%s: %s", address, why.text);
	return 0;
}

int rs_account_add(const struct rs_command *self, int argc, char **argv)
{
	struct rs_account *a;
	struct rs_places places;
	struct rs_err err;
	int status = rs_options(self, rs_account_add_entries,
		_("For example: restante account add anna@example.org\n\n"
		  "Without --pop3 the servers are looked for: what the provider publishes, a\n"
		  "database of providers, the DNS, common names. Ports, if not given: 995 with\n"
		  "tls, 110 with starttls. Without --leave mail stays on the server, too. The\n"
		  "login is tried before anything is saved."),
		&argc, &argv);

	if (status)
		return status;
	if (argc > 2)
		return rs_usage(self, _("'%s' is too much"), argv[2]);
	status = rs_given_check(self);
	if (status)
		return status;
	if (rs_places_find(&places, &err) < 0)
		return rs_fail(&err);
	a = rs_account_new();
	status = set_address(self, a, argv[1]);
	if (!status)
		status = rs_given_apply(self, a);
	if (!status)
		status = add(self, &places, a);
	rs_account_free(a);
	rs_places_finish(&places);
	return status;
}
