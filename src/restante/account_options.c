/* account_options.c - see account_options.h */
#include "restante/account_options.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/oauth.h"
#include "client/text.h"

#define PASSWORD_MAX 1024

struct rs_given rs_given;

static gboolean oauth2_cb(const char *option, const char *value, gpointer data, GError **error)
{
	rs_given.oauth2 = TRUE;
	rs_given.oauth2_issuer = g_strdup(value);
	return TRUE;
}

#define TEXT(name, field, help, arg)                                        \
	{                                                                   \
		name, 0, 0, G_OPTION_ARG_STRING, &rs_given.field, help, arg \
	}
#define FLAG(name, field, help)                                            \
	{                                                                  \
		name, 0, 0, G_OPTION_ARG_NONE, &rs_given.field, help, NULL \
	}

/* clang-format off */
#define VALUES \
	TEXT("pop3", pop3, N_("POP3 server of the provider"), N_("HOST[:PORT]")), \
	TEXT("security", security, N_("tls (standard), starttls, or none (open)"), N_("HOW")), \
	TEXT("user", user, N_("User name there (if not: the address)"), N_("USER")), \
	TEXT("smtp", smtp, N_("SMTP server of the provider"), N_("HOST[:PORT]")), \
	TEXT("smtp-security", smtp_security, N_("The same for sending"), N_("HOW")), \
	TEXT("smtp-user", smtp_user, N_("User name for sending (if not: as for POP3)"), N_("USER")), \
	FLAG("smtp-no-auth", smtp_no_auth, N_("Send without logging in")), \
	FLAG("no-smtp", no_smtp, N_("This account does not send")), \
	TEXT("leave", leave, N_("What happens to mail on the server"), N_("POLICY")), \
	FLAG("password-stdin", password_stdin, N_("Read the password from standard input")), \
	TEXT("password-command", password_command, N_("Command that prints the password"), N_("CMD")), \
	{"oauth2", 0, G_OPTION_FLAG_OPTIONAL_ARG, G_OPTION_ARG_CALLBACK, (void *)oauth2_cb, \
		N_("Log in by the web browser instead"), N_("ISSUER")}, \
	FLAG("device", device, N_("The same with a code, on another device")), \
	TEXT("oauth2-client-id", oauth2_client_id, N_("Client id, where the issuer gives out none"), N_("ID")), \
	TEXT("oauth2-client-secret", oauth2_client_secret, N_("Its secret, where the issuer wants one"), N_("SECRET")), \
	TEXT("maildir", maildir, N_("Folder (Maildir) that new mail goes to"), N_("DIR")), \
	TEXT("deliver-to", deliver_to, N_("Where new mail goes to, if not there"), N_("WHERE")), \
	TEXT("recipient", recipient, N_("For whom other servers and commands get it"), N_("ADDRESS")), \
	TEXT("size-limit", size_limit, N_("Leave larger messages there"), N_("SIZE")), \
	TEXT("rules", rules, N_("File of rules for new mail"), N_("FILE")), \
	TEXT("ca-file", ca_file, N_("Trust the certificates in this file (PEM)"), N_("FILE")), \
	TEXT("pin", pin, N_("Trust this certificate, by its fingerprint"), N_("SHA256")), \
	TEXT("smtp-pin", smtp_pin, N_("The same for sending"), N_("SHA256")), \
	TEXT("timeout", timeout, N_("Give up a server silent for so long"), N_("SECONDS")), \
	FLAG("no-input", no_input, N_("Never ask")), \
	FLAG("no-test", no_test, N_("Save without logging in first"))

const GOptionEntry rs_account_add_entries[] = {
	TEXT("name", name, N_("What to call it (if not: the address)"), N_("NAME")),
	VALUES,
	FLAG("no-discovery", no_discovery, N_("Do not look for the provider's settings")),
	{NULL},
};

const GOptionEntry rs_account_edit_entries[] = {
	TEXT("address", address, N_("Another mail address"), N_("ADDRESS")),
	VALUES,
	{"unset", 0, 0, G_OPTION_ARG_STRING_ARRAY, &rs_given.unset, N_("As if KEY had never been given"),
		N_("KEY")},
	FLAG("same-mailbox", same_mailbox,
		N_("It is the same mailbox there: nothing is new")),
	FLAG("other-mailbox", other_mailbox, N_("It is another mailbox: all of it is new")),
	{NULL},
};
/* clang-format on */

/* --- from options to values ------------------------------------------------------------------ */

/* Paths on the command line are seen from where one stands. */
static void make_absolute(char **path)
{
	char *full = *path && !g_str_has_prefix(*path, "~/") ? g_canonicalize_filename(*path, NULL)
							     : g_strdup(*path);

	g_free(*path);
	*path = full;
}

/* What the design has and this version does not: said, not taken in silence. */
int rs_given_check(const struct rs_command *self)
{
	rs_given.oauth2 |= rs_given.device;
	if (rs_given.oauth2 && (rs_given.password_stdin || rs_given.password_command))
		return rs_usage(self, _("give --oauth2 or a password, not both"));
	if (rs_given.deliver_to && rs_given.maildir)
		return rs_usage(self, _("give --maildir or --deliver-to, not both"));
	if (rs_given.password_stdin && rs_given.password_command)
		return rs_usage(self, _("give --password-stdin or --password-command, not both"));
	if (rs_given.no_smtp && (rs_given.smtp || rs_given.smtp_security || rs_given.smtp_user))
		return rs_usage(self, _("--no-smtp does not go with other SMTP options"));
	if (rs_given.smtp_no_auth && rs_given.smtp_user)
		return rs_usage(self, _("give --smtp-user or --smtp-no-auth, not both"));
	if (rs_given.same_mailbox && rs_given.other_mailbox)
		return rs_usage(self, _("give --same-mailbox or --other-mailbox, not both"));
	if (rs_given.deliver_to && g_str_has_prefix(rs_given.deliver_to, "maildir:")) {
		rs_given.maildir = g_strdup(rs_given.deliver_to + strlen("maildir:"));
		g_clear_pointer(&rs_given.deliver_to, g_free);
	}
	make_absolute(&rs_given.maildir);
	make_absolute(&rs_given.ca_file);
	make_absolute(&rs_given.rules);
	return 0;
}

struct row {
	const char *key;
	const char *value;
};

/* All values that were given by key, ended by one without a key. g_free it. */
static struct row *rows(void)
{
	const struct row all[] = {
		{"address", rs_given.address},
		{"pop3", rs_given.pop3},
		{"security", rs_given.security},
		{"user", rs_given.user},
		{"smtp", rs_given.smtp},
		{"smtp-security", rs_given.smtp_security},
		{"smtp-user", rs_given.smtp_user},
		{"leave", rs_given.leave},
		{"oauth2", rs_given.oauth2_issuer},
		{"oauth2-client-id", rs_given.oauth2_client_id},
		{"oauth2-client-secret", rs_given.oauth2_client_secret},
		{"password-command", rs_given.password_command},
		{"maildir", rs_given.maildir},
		{"deliver-to", rs_given.deliver_to},
		{"recipient", rs_given.recipient},
		{"size-limit", rs_given.size_limit},
		{"rules", rs_given.rules},
		{"ca-file", rs_given.ca_file},
		{"pin", rs_given.pin},
		{"smtp-pin", rs_given.smtp_pin},
		{"timeout", rs_given.timeout},
	};
	struct row *out = g_new0(struct row, G_N_ELEMENTS(all) + 1);
	guint n = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
		if (all[i].value)
			out[n++] = all[i];
	}
	return out;
}

bool rs_given_any(void)
{
	g_autofree struct row *all = rows();

	return all[0].key || rs_given.no_smtp || rs_given.smtp_no_auth || rs_given.password_stdin ||
	       rs_given.unset || rs_given.oauth2;
}

static int unset(const struct rs_command *self, struct rs_account *a, const char *key)
{
	struct rs_err why;

	return rs_account_unset(a, key, &why) < 0 ? rs_usage(self, "--unset %s: %s", key, why.text)
						  : 0;
}

int rs_given_apply(const struct rs_command *self, struct rs_account *a)
{
	g_autofree struct row *all = rows();
	struct rs_err why;
	int status = 0;

	for (char **key = rs_given.unset; key && *key && !status; key++)
		status = unset(self, a, *key);
	for (const struct row *r = all; r->key && !status; r++) {
		if (rs_account_set(a, r->key, r->value, &why) < 0)
			status = rs_usage(self, "--%s %s: %s", r->key, r->value, why.text);
	}
	if (!status && rs_given.oauth2 && a->password_command)
		status = unset(self, a, "password-command");
	if (!status && rs_given.oauth2 && !a->oauth2 && a->pop3_host)
		a->oauth2 = rs_oauth_issuer_guess(a);
	if (!status && rs_given.no_smtp)
		status = unset(self, a, "smtp");
	if (!status && (rs_given.no_smtp || rs_given.smtp_no_auth))
		status = unset(self, a, "smtp-user");
	return status;
}

/* --- questions and the password ---------------------------------------------------------------- */

bool rs_may_ask(void)
{
	return !rs_given.no_input && !rs_given.password_stdin && rs_is_terminal(STDIN_FILENO) &&
	       rs_is_terminal(STDOUT_FILENO);
}

int rs_given_password(const struct rs_command *self, struct rs_secret **out)
{
	char line[PASSWORD_MAX];
	int rc;

	if (!rs_given.password_stdin)
		return 0;
	if (!fgets(line, sizeof(line), stdin))
		line[0] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	if (!*line)
		return rs_usage(self, _("the password is empty"));
	rc = rs_secret_create(rs_slice_str(line), out);
	rs_wipe(line, sizeof(line));
	return rc < 0 ? rs_exit_of(rc) : 0;
}
