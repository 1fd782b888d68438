/* options.c - options of a command: GOption, with one manner of help and of complaint. */
#include "restante/restante.h"

#include <stdarg.h>

#include "client/text.h"

int rs_usage(const struct rs_command *self, const char *fmt, ...)
{
	g_autofree char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	rs_complain(_("%s (see: restante %s --help)"), text, self->name);
	return RS_EXIT_USAGE;
}

static int parse(const struct rs_command *self, const GOptionEntry *entries, const char *more,
	bool first_only, int *argc, char ***argv)
{
	g_autoptr(GOptionContext) context =
		g_option_context_new(*self->arguments ? self->arguments : NULL);
	g_autofree char *program = g_strdup_printf("restante %s", self->name);
	g_autoptr(GError) error = NULL;

	g_set_prgname(program);
	g_option_context_set_translation_domain(context, RS_TEXT_DOMAIN);
	g_option_context_set_summary(context, _(self->summary));
	g_option_context_set_description(context, more);
	g_option_context_set_strict_posix(context, first_only);
	g_option_context_add_main_entries(context, entries, RS_TEXT_DOMAIN);
	if (!g_option_context_parse(context, argc, argv, &error))
		return rs_usage(self, "%s", error->message);
	return 0;
}

int rs_options(const struct rs_command *self, const GOptionEntry *entries, const char *more,
	int *argc, char ***argv)
{
	return parse(self, entries, more, false, argc, argv);
}

int rs_options_first(const struct rs_command *self, const GOptionEntry *entries, const char *more,
	int *argc, char ***argv)
{
	return parse(self, entries, more, true, argc, argv);
}
