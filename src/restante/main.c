/* main.c - restante, the mail program in the terminal: languages, the table of commands. */
#include "restante/restante.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "client/text.h"

static const struct rs_command *const commands[] = {
	&rs_cmd_account,
	&rs_cmd_check,
	&rs_cmd_doctor,
	&rs_cmd_fetch,
	&rs_cmd_import,
	&rs_cmd_list,
	&rs_cmd_show,
	&rs_cmd_search,
	&rs_cmd_thread,
	&rs_cmd_save,
	&rs_cmd_mark,
	&rs_cmd_move,
	&rs_cmd_delete,
	&rs_cmd_undo,
	&rs_cmd_folder,
	&rs_cmd_compose,
	&rs_cmd_reply,
	&rs_cmd_forward,
	&rs_cmd_send,
	&rs_cmd_outbox,
	&rs_cmd_index,
	&rs_cmd_watch,
};

/* The person's language. Where that locale is not on this machine, or is "C", the plain UTF-8
 * locale stands in, and gettext is told the language. */
static void language_set(void)
{
	const char *folder = g_getenv("RESTANTE_LOCALEDIR");
	const char *wanted = setlocale(LC_ALL, "");

	if (!wanted) {
		for (size_t i = 0; !g_getenv("LANGUAGE") && i < 3; i++) {
			static const char *const from[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
			const char *value = g_getenv(from[i]);

			if (value && *value)
				g_setenv("LANGUAGE", value, TRUE);
		}
		(void)setlocale(LC_ALL, "C.UTF-8");
	} else if (strcmp(setlocale(LC_CTYPE, NULL), "C") == 0) {
		(void)setlocale(LC_CTYPE, "C.UTF-8");
	}
	(void)bindtextdomain(RS_TEXT_DOMAIN, folder && *folder ? folder : RS_LOCALEDIR);
	(void)bind_textdomain_codeset(RS_TEXT_DOMAIN, "UTF-8");
	(void)textdomain(RS_TEXT_DOMAIN);
}

static void help(void)
{
	rs_say(_("restante %s - fetch, keep and read mail\n\nUsage: restante COMMAND [OPTION…] "
		 "[ARGUMENT…]\n\n"),
		RS_VERSION);
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
		rs_say("  %-9s %s\n", commands[i]->name, _(commands[i]->summary));
	rs_say(_("\nrestante COMMAND --help says more about each; so does: man restante\n"
		 "To begin: restante account add\n"));
}

/* What was written to standard output must have arrived there, too. */
static int finish(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (errno != EPIPE)
		rs_complain(_("cannot write to standard output: %s"), g_strerror(errno));
	return RS_EXIT_IO;
}

static int run(int argc, char **argv)
{
	if (argc < 2) {
		help();
		return RS_EXIT_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		rs_say("restante %s\n", RS_VERSION);
		return RS_EXIT_DONE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
		strcmp(argv[1], "help") == 0) {
		help();
		return RS_EXIT_DONE;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
		if (strcmp(argv[1], commands[i]->name) == 0)
			return commands[i]->run(commands[i], argc - 1, argv + 1);
	}
	rs_complain(_("there is no command '%s' (see: restante --help)"), argv[1]);
	return RS_EXIT_USAGE;
}

int main(int argc, char **argv)
{
	language_set();
	return finish(run(argc, argv));
}
