/* cmd_account.c - restante account list|show; add is in cmd_account_add.c, the rest in cmd_account_edit.c. */
#include "restante/restante.h"

#include <string.h>

#include "client/secret_store.h"
#include "client/text.h"

static int account_list(const struct rs_command *self, int argc, char **argv);
static int account_show(const struct rs_command *self, int argc, char **argv);

static const struct rs_command subcommands[] = {
	{"account add", N_("[ADDRESS]"), N_("Add an account; asks for what is not given"),
		rs_account_add},
	{"account list", "", N_("List the accounts"), account_list},
	{"account show", N_("NAME"), N_("Show one account as the configuration has it"),
		account_show},
	{"account edit", N_("NAME"), N_("Change an account"), rs_account_edit},
	{"account test", N_("NAME"), N_("Log in at both servers of an account"), rs_account_test},
	{"account login", N_("NAME"), N_("Log in by OAuth 2 again: browser, or --device"),
		rs_account_login},
	{"account remove", N_("NAME"), N_("Forget an account and its password; its mail stays"),
		rs_account_remove_command},
};

static int usage(void)
{
	rs_say("%s", _("Usage: restante account COMMAND [OPTION…] [ARGUMENT…]\n\n"));
	for (size_t i = 0; i < G_N_ELEMENTS(subcommands); i++)
		rs_say("  %-15s %s\n", subcommands[i].name, _(subcommands[i].summary));
	rs_say(_("\nrestante account add --help says more, and so on.\n"));
	return RS_EXIT_DONE;
}

static int run(const struct rs_command *self, int argc, char **argv)
{
	if (argc < 2)
		return rs_usage(self, _("say what to do: add, list, show, edit, test or remove"));
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return usage();
	for (size_t i = 0; i < G_N_ELEMENTS(subcommands); i++) {
		const char *name = strchr(subcommands[i].name, ' ') + 1;

		if (strcmp(argv[1], name) == 0)
			return subcommands[i].run(&subcommands[i], argc - 1, argv + 1);
	}
	return rs_usage(self, _("there is no 'account %s'"), argv[1]);
}

const struct rs_command rs_cmd_account = {
	"account", "", N_("Add, list, change, test and remove accounts"), run};

/* --- list ------------------------------------------------------------------------------------ */

static void say_json(const struct rs_account *a)
{
	g_autoptr(GString) line = g_string_new("{");

	rs_json_key(line, "account");
	rs_json_str(line, a->name);
	for (const char *const *key = rs_account_keys(); *key; key++) {
		g_autofree char *value = rs_account_get(a, *key);

		rs_json_key(line, *key);
		rs_json_str(line, value);
	}
	rs_say("%s}\n", line->str);
}

static int account_list(const struct rs_command *self, int argc, char **argv)
{
	gboolean json = FALSE;
	const GOptionEntry entries[] = {
		{"json", 0, 0, G_OPTION_ARG_NONE, &json, N_("One JSON object a line"), NULL},
		{NULL},
	};
	g_autoptr(GPtrArray) list = NULL;
	struct rs_places places;
	struct rs_err err;
	int status = rs_options(self, entries, NULL, &argc, &argv);

	if (status)
		return status;
	if (argc > 1)
		return rs_usage(self, _("'%s' is too much"), argv[1]);
	if (rs_places_find(&places, &err) < 0)
		return rs_fail(&err);
	if (rs_accounts_load(&places, &list, &err) < 0)
		status = rs_fail(&err);
	for (guint i = 0; list && i < list->len; i++) {
		const struct rs_account *a = list->pdata[i];
		g_autofree char *server = rs_account_get(a, "pop3");

		if (json)
			say_json(a);
		else if (strcmp(a->name, a->address) == 0)
			rs_say("%s (%s)\n", a->name, server);
		else
			rs_say("%s <%s> (%s)\n", a->name, a->address, server);
	}
	if (list && !list->len && !json)
		rs_say(_("There is no account yet. To add one: restante account add\n"));
	rs_places_finish(&places);
	return status;
}

/* --- show ------------------------------------------------------------------------------------ */

static void say_account(const struct rs_account *a)
{
	rs_say("[account %s]\n", a->name);
	for (const char *const *key = rs_account_keys(); *key; key++) {
		g_autofree char *value = rs_account_get(a, *key);

		if (value)
			rs_say("%s = %s\n", *key, value);
	}
}

/* The one operand NAME, and what is needed to find it. `act` does the work. */
static int with_account(const struct rs_command *self, int argc, char **argv,
	int (*act)(const struct rs_places *p, const struct rs_account *a))
{
	const GOptionEntry entries[] = {{NULL}};
	g_autoptr(GPtrArray) list = NULL;
	struct rs_account *a = NULL;
	struct rs_places places;
	struct rs_err err;
	int status = rs_options(self, entries, NULL, &argc, &argv);

	if (status)
		return status;
	if (argc != 2)
		return rs_usage(self, _("give the name of one account"));
	if (rs_places_find(&places, &err) < 0)
		return rs_fail(&err);
	if (rs_accounts_load(&places, &list, &err) < 0)
		status = rs_fail(&err);
	else
		a = rs_accounts_find(list, argv[1]);
	if (a)
		status = act(&places, a);
	else if (list)
		status = rs_no_account(argv[1]);
	rs_places_finish(&places);
	return status;
}

int rs_no_account(const char *name)
{
	rs_complain(
		_("there is no account '%s'; restante account list says which there are"), name);
	return RS_EXIT_CONFIG;
}

static int act_show(const struct rs_places *p, const struct rs_account *a)
{
	say_account(a);
	rs_say(_("# configuration: %s\n"), p->config_file);
	if (!a->password_command) {
		g_autofree char *where = rs_secret_store_where(p, a->name, RS_SECRET_PASSWORD);

		rs_say(_("# password: %s\n"), where);
	}
	return RS_EXIT_DONE;
}

static int account_show(const struct rs_command *self, int argc, char **argv)
{
	return with_account(self, argc, argv, act_show);
}
