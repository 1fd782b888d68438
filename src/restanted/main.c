/* main.c - restanted: the table of commands, and what they share. */
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "restanted/commands.h"
#include "server/role.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{"serve", cmd_serve, "run the service in the foreground"},
	{"check-config", cmd_check_config, "read the configuration and say what is wrong with it"},
	{"user", cmd_user, "add, list, remove users"},
	{"deliver", cmd_deliver, "deliver one message from standard input, as an MDA"},
	{"mailbox", cmd_mailbox, "list, verify or repair what is in a mailbox"},
	{"import", cmd_import, "take over UIDs and order from another server, or compare with it"},
	{"status", cmd_status, "how the running service is"},
	{"sessions", cmd_sessions, "who is connected"},
	{"kick", cmd_kick, "end a session"},
	{"unlock", cmd_unlock, "end the session that has a maildrop"},
	{"reload", cmd_reload, "read the configuration again; sessions go on"},
};

int cmd_usage(const char *text)
{
	(void)fprintf(stderr, "restanted: %s\nTry: restanted --help\n", text);
	return RS_EXIT_USAGE;
}

int cmd_fail(const struct rs_err *err)
{
	(void)fprintf(stderr, "restanted: %s\n", err->text);
	switch ((int)err->kind) {
	case RS_ECONFIG:
		return RS_EXIT_CONFIG;
	case RS_ENOENT:
		return RS_EXIT_NO_USER;
	case RS_EEXIST:
	case RS_EINVAL:
		return RS_EXIT_DATA;
	case RS_ENET:
		return RS_EXIT_UNAVAILABLE;
	case RS_EAUTH:
	case RS_ECERT:
		return RS_EXIT_NOT_YOU;
	case RS_ELOCKED:
	case RS_ETEMP:
	case RS_ENOSPC:
		return RS_EXIT_TEMP;
	default:
		return RS_EXIT_IO;
	}
}

bool cmd_options(int *argc, char ***argv, const char *summary, const GOptionEntry *entries,
	char **conf_file, int *status)
{
	g_autoptr(GOptionContext) ctx = g_option_context_new(summary);
	g_autoptr(GError) error = NULL;
	char *given = NULL;
	const GOptionEntry common[] = {
		{"config", 'c', 0, G_OPTION_ARG_FILENAME, &given,
			"configuration (" RS_CONF_FILE ")", "FILE"},
		G_OPTION_ENTRY_NULL,
	};

	g_option_context_add_main_entries(ctx, common, NULL);
	if (entries)
		g_option_context_add_main_entries(ctx, entries, NULL);
	if (!g_option_context_parse(ctx, argc, argv, &error)) {
		*status = cmd_usage(error->message);
		return false;
	}
	*conf_file = given ? given : g_strdup(RS_CONF_FILE);
	return true;
}

static void help(FILE *to)
{
	(void)fprintf(to,
		"restanted %s - a POP3 service: POP3, POP3S, LMTP\n\n"
		"Usage: restanted COMMAND [OPTION…]\n\n",
		RS_VERSION);
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
		(void)fprintf(to, "  %-14s %s\n", commands[i].name, commands[i].help);
	(void)fprintf(to, "\nEach command explains itself with --help. "
			  "The configuration: restanted.conf(5).\n");
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "--help";

	(void)setlocale(LC_ALL, "");
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
		help(argc > 1 ? stdout : stderr);
		return argc > 1 ? RS_EXIT_OK : RS_EXIT_USAGE;
	}
	if (strcmp(name, "--version") == 0) {
		(void)printf("restanted %s\n", RS_VERSION);
		return RS_EXIT_OK;
	}
	if (strcmp(name, "role") == 0) /* exec'ed by the master; its memory goes with the process */
		_exit(rs_role_main(argc > 2 ? argv[2] : "role"));
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
		g_autofree char *prgname = NULL;

		if (strcmp(name, commands[i].name) != 0)
			continue;
		prgname = g_strdup_printf("restanted %s", name);
		g_set_prgname(prgname);
		return commands[i].run(argc - 1, argv + 1);
	}
	{
		g_autofree char *text = g_strdup_printf("'%s' is not a command", name);

		return cmd_usage(text);
	}
}
