/* cmd_account_add.c - restante account add: options, questions for what is missing, saving. */
#include "restante/restante.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "client/fetch.h"
#include "client/text.h"

#define PASSWORD_MAX 1024

/* Values as the options gave them: by key of the account (values), and the rest. */
static struct {
	char *name;
	char *pop3;
	char *security;
	char *user;
	char *smtp;
	char *smtp_security;
	char *smtp_user;
	char *leave;
	char *password_command;
	char *maildir;
	char *deliver_to;
	char *ca_file;
	char *pin;
	char *timeout;
	gboolean smtp_no_auth;
	gboolean no_smtp;
	gboolean password_stdin;
	gboolean oauth2;
	gboolean no_discovery;
	gboolean no_input;
	gboolean no_test;
} given;

static gboolean oauth2_cb(const char *option, const char *value, gpointer data, GError **error)
{
	given.oauth2 = TRUE;
	return TRUE;
}

#define TEXT(name, field, help, arg)                                     \
	{                                                                \
		name, 0, 0, G_OPTION_ARG_STRING, &given.field, help, arg \
	}
#define FLAG(name, field, help)                                         \
	{                                                               \
		name, 0, 0, G_OPTION_ARG_NONE, &given.field, help, NULL \
	}

static const GOptionEntry entries[] = {
	TEXT("name", name, N_("What to call it (if not: the address)"), N_("NAME")),
	TEXT("pop3", pop3, N_("POP3 server of the provider"), N_("HOST[:PORT]")),
	TEXT("security", security, N_("tls (if not given), starttls, or none: in the open"),
		N_("HOW")),
	TEXT("user", user, N_("User name there (if not: the address)"), N_("USER")),
	TEXT("smtp", smtp, N_("SMTP server of the provider"), N_("HOST[:PORT]")),
	TEXT("smtp-security", smtp_security, N_("The same for sending"), N_("HOW")),
	TEXT("smtp-user", smtp_user, N_("User name for sending (if not: as for POP3)"), N_("USER")),
	FLAG("smtp-no-auth", smtp_no_auth, N_("Send without logging in")),
	FLAG("no-smtp", no_smtp, N_("This account does not send")),
	TEXT("leave", leave, N_("What happens to mail on the server"), N_("POLICY")),
	FLAG("password-stdin", password_stdin, N_("Read the password from standard input")),
	TEXT("password-command", password_command, N_("Command that prints the password"),
		N_("CMD")),
	{"oauth2", 0, G_OPTION_FLAG_OPTIONAL_ARG, G_OPTION_ARG_CALLBACK, (void *)oauth2_cb,
		N_("Log in by the web browser (not there yet)"), N_("ISSUER")},
	TEXT("maildir", maildir, N_("Folder (Maildir) that new mail goes to"), N_("DIR")),
	TEXT("deliver-to", deliver_to, N_("Where new mail goes to, if not there"), N_("WHERE")),
	TEXT("ca-file", ca_file, N_("Trust the certificates in this file (PEM)"), N_("FILE")),
	TEXT("pin", pin, N_("Trust this certificate, by its fingerprint"), N_("SHA256")),
	TEXT("timeout", timeout, N_("Give up a server silent for so long"), N_("SECONDS")),
	FLAG("no-discovery", no_discovery, N_("Do not look for the provider's settings")),
	FLAG("no-input", no_input, N_("Never ask")),
	FLAG("no-test", no_test, N_("Save without logging in first")),
	{NULL},
};

/* --- from options to values ------------------------------------------------------------------ */

/* What the design has and this version does not: said, not taken in silence. */
static int refuse_later(const struct rs_command *self)
{
	if (given.oauth2)
		return rs_usage(self, _("--oauth2 is not there yet; a password works "
					"(many providers give out app passwords)"));
	if (given.deliver_to && given.maildir)
		return rs_usage(self, _("give --maildir or --deliver-to, not both"));
	if (given.password_stdin && given.password_command)
		return rs_usage(self, _("give --password-stdin or --password-command, not both"));
	if (given.no_smtp && (given.smtp || given.smtp_security || given.smtp_user))
		return rs_usage(self, _("--no-smtp does not go with other SMTP options"));
	if (given.smtp_no_auth && given.smtp_user)
		return rs_usage(self, _("give --smtp-user or --smtp-no-auth, not both"));
	return 0;
}

/* Paths on the command line are seen from where one stands. */
static void make_absolute(char **path)
{
	char *full = *path ? g_canonicalize_filename(*path, NULL) : NULL;

	g_free(*path);
	*path = full;
}

static int set_given(const struct rs_command *self, struct rs_account *a)
{
	const struct {
		const char *key;
		const char *value;
	} rows[] = {
		{"pop3", given.pop3},
		{"security", given.security},
		{"user", given.user},
		{"smtp", given.smtp},
		{"smtp-security", given.smtp_security},
		{"smtp-user", given.smtp_user},
		{"leave", given.leave},
		{"password-command", given.password_command},
		{"maildir", given.maildir},
		{"deliver-to", given.deliver_to},
		{"ca-file", given.ca_file},
		{"pin", given.pin},
		{"timeout", given.timeout},
	};
	struct rs_err why;

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		if (rows[i].value && rs_account_set(a, rows[i].key, rows[i].value, &why) < 0)
			return rs_usage(self, "--%s %s: %s", rows[i].key, rows[i].value, why.text);
	}
	return 0;
}

static int set_address(const struct rs_command *self, struct rs_account *a, const char *address)
{
	struct rs_err why;

	if (address && rs_account_set(a, "address", address, &why) < 0)
		return rs_usage(self, "%s: %s", address, why.text);
	return 0;
}

/* --- questions ------------------------------------------------------------------------------- */

static bool may_ask(void)
{
	return !given.no_input && !given.password_stdin && rs_is_terminal(STDIN_FILENO) &&
	       rs_is_terminal(STDOUT_FILENO);
}

/* Until the answer is acceptable. False: no more input. */
static bool ask_key(
	struct rs_account *a, const char *key, const char *question, const char *standard)
{
	for (;;) {
		g_autofree char *answer = rs_ask(question, standard);
		struct rs_err why;

		if (!answer)
			return false;
		if (!*answer || rs_account_set(a, key, answer, &why) == 0)
			return true;
		rs_complain("%s: %s", answer, why.text);
	}
}

static bool ask_missing(struct rs_account *a)
{
	if (!a->address && !ask_key(a, "address", _("Mail address"), NULL))
		return false;
	if (!a->pop3_host &&
		!ask_key(a, "pop3", _("POP3 server of your provider (HOST or HOST:PORT)"), NULL))
		return false;
	if (!a->pop3_user && !ask_key(a, "user", _("User name"), a->address))
		return false;
	if (!a->smtp_host && !given.no_smtp &&
		!ask_key(a, "smtp", _("SMTP server, for sending (empty: none)"), ""))
		return false;
	return true;
}

static int refuse_missing(const struct rs_command *self, const struct rs_account *a)
{
	if (!a->address)
		return rs_usage(
			self, _("give the mail address: restante account add anna@example.org …"));
	if (!a->pop3_host)
		return rs_usage(
			self, _("finding the provider's servers by the address is not there yet: "
				"give its POP3 server with --pop3 HOST[:PORT]"));
	return 0;
}

/* --- password -------------------------------------------------------------------------------- */

static int secret_take(char *text, struct rs_secret **out)
{
	int rc = *text ? rs_secret_create(rs_slice_str(text), out) : 0;

	rs_wipe(text, strlen(text));
	return rc;
}

/* *out stays NULL where a command will give it. */
static int password_get(const struct rs_command *self, struct rs_secret **out)
{
	int rc = 0;

	if (given.password_command)
		return 0;
	if (given.password_stdin) {
		char line[PASSWORD_MAX];

		if (!fgets(line, sizeof(line), stdin))
			line[0] = '\0';
		line[strcspn(line, "\r\n")] = '\0';
		rc = secret_take(line, out);
	} else if (may_ask()) {
		char *answer = rs_ask_secret(_("Password"));

		rc = answer ? secret_take(answer, out) : 0;
		g_free(answer);
	} else {
		return rs_usage(
			self, _("give the password with --password-stdin or --password-command"));
	}
	if (rc == 0 && !*out)
		return rs_usage(self, _("the password is empty"));
	return rc < 0 ? rs_exit_of(rc) : 0;
}

/* --- all of it ------------------------------------------------------------------------------- */

static void finish_values(struct rs_account *a)
{
	if (!a->name)
		a->name = g_strdup(given.name ? given.name : a->address);
	if (a->smtp_host && !a->smtp_user && !given.smtp_no_auth)
		a->smtp_user = g_strdup(a->pop3_user ? a->pop3_user : a->address);
}

static void warn(const struct rs_account *a)
{
	if (a->pop3_security == RS_SECURITY_NONE)
		rs_complain(_("warning: without TLS everybody on the way to %s can read your "
			      "password and your mail"),
			a->pop3_host);
	if (a->smtp_host && a->smtp_security == RS_SECURITY_NONE)
		rs_complain(_("warning: without TLS everybody on the way to %s can read your "
			      "password and your mail"),
			a->smtp_host);
}

/* Log in once: is all of it right? */
static int test(
	const struct rs_places *p, const struct rs_account *a, const struct rs_secret *stored)
{
	struct rs_secret *from_command = NULL;
	g_autofree char *size = NULL;
	struct rs_err err;
	guint32 count;
	guint64 octets;
	int rc = 0;

	if (!stored)
		rc = rs_account_password(p, a, &from_command, &err);
	if (rc == 0)
		rc = rs_fetch_probe(a, stored ? stored : from_command, NULL, &count, &octets, &err);
	rs_secret_destroy(&from_command);
	if (rc < 0) {
		rs_complain(_("%s. Nothing is saved; --no-test saves it untested"), err.text);
		return rs_exit_of(rc);
	}
	size = g_format_size_full(octets, G_FORMAT_SIZE_IEC_UNITS);
	rs_say(P_("Login works: %u message (%s) on %s.\n", "Login works: %u messages (%s) on %s.\n",
		       count),
		count, size, a->pop3_host);
	return RS_EXIT_DONE;
}

static int save(
	const struct rs_places *p, const struct rs_account *a, const struct rs_secret *password)
{
	struct rs_err err;

	/* The password first: a crash between the two leaves no account that cannot log in. */
	if ((password && rs_account_password_store(p, a, password, &err) < 0) ||
		rs_account_save(p, a, &err) < 0)
		return rs_fail(&err);
	rs_say(_("Account %s is added. To fetch its mail: restante check\n"), a->name);
	return RS_EXIT_DONE;
}

static int add(const struct rs_command *self, const struct rs_places *p, struct rs_account *a)
{
	g_autoptr(GPtrArray) list = NULL;
	struct rs_secret *password = NULL;
	struct rs_err err;
	int status;

	if (rs_accounts_load(p, &list, &err) < 0)
		return rs_fail(&err);
	if (may_ask() && !ask_missing(a))
		return rs_usage(self, _("the questions were not answered; nothing is saved"));
	status = refuse_missing(self, a);
	if (status)
		return status;
	finish_values(a);
	if (rs_account_complete(p, a, &err) < 0)
		return rs_fail(&err);
	for (guint i = 0; i < list->len; i++) {
		if (strcmp(((struct rs_account *)list->pdata[i])->name, a->name) == 0)
			return rs_usage(self,
				_("account '%s' is there already: choose another --name, or "
				  "remove that one first"),
				a->name);
	}
	warn(a);
	status = password_get(self, &password);
	if (!status && !given.no_test)
		status = test(p, a, password);
	if (!status)
		status = save(p, a, password);
	rs_secret_destroy(&password);
	return status;
}

int rs_account_add(const struct rs_command *self, int argc, char **argv)
{
	struct rs_account *a;
	struct rs_places places;
	struct rs_err err;
	int status = rs_options(self, entries,
		_("For example: restante account add anna@example.org --pop3 pop.example.org\n\n"
		  "Ports, if not given: 995 with tls, 110 with starttls. Without --leave mail "
		  "stays\n"
		  "on the server, too. The login is tried before anything is saved."),
		&argc, &argv);

	if (status)
		return status;
	if (argc > 2)
		return rs_usage(self, _("'%s' is too much"), argv[2]);
	status = refuse_later(self);
	if (status)
		return status;
	if (given.deliver_to && g_str_has_prefix(given.deliver_to, "maildir:")) {
		given.maildir = g_strdup(given.deliver_to + strlen("maildir:"));
		given.deliver_to = NULL;
	}
	make_absolute(&given.maildir);
	make_absolute(&given.ca_file);
	if (rs_places_find(&places, &err) < 0)
		return rs_fail(&err);
	a = rs_account_new();
	status = set_address(self, a, argv[1]);
	if (!status)
		status = set_given(self, a);
	if (!status)
		status = add(self, &places, a);
	rs_account_free(a);
	rs_places_finish(&places);
	return status;
}
