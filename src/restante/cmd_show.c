/* cmd_show.c - restante show: a message as text, and the list of its parts. */
#include "restante/restante.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/clean.h"
#include "client/library.h"
#include "client/message.h"
#include "client/text.h"

#define TEXT_COLUMNS 100u /* lines longer than this are hard to read, however wide the window */

struct show_options {
	gboolean raw;
	gboolean keep_unread;
	guint columns;
};

/* "Name: value", folded lines under the value. */
static void say_header(const char *name, const char *value, guint columns)
{
	guint name_n = rs_columns(name) + 1;
	g_autofree char *folded =
		rs_columns_fold(value, columns > name_n + 20 ? columns - name_n : 20);
	g_auto(GStrv) lines = g_strsplit(g_strchomp(folded), "\n", -1);

	for (char **line = lines; *value && *line; line++) {
		if (line == lines)
			rs_say("%s %s\n", name, *line);
		else
			rs_say("%*s%s\n", (int)name_n, "", *line);
	}
}

static void say_headers(const struct rs_entry *e, const struct rs_message *m, guint columns)
{
	g_autoptr(GDateTime) date = m->date_s ? g_date_time_new_from_unix_local(m->date_s) : NULL;
	g_autofree char *when = date ? g_date_time_format(date, "%a, %e %b %Y %H:%M:%S %z") : NULL;

	say_header(_("From:"), m->from, columns);
	if (strcmp(m->reply_to, m->from) != 0)
		say_header(_("Reply to:"), m->reply_to, columns);
	say_header(_("To:"), m->to, columns);
	say_header(_("Cc:"), m->cc, columns);
	say_header(_("Date:"), when ? when : "", columns);
	say_header(_("Subject:"), m->subject, columns);
	say_header(_("Id:"), e->id, columns);
}

static void say_parts(const struct rs_message *m)
{
	bool head = false;

	for (guint i = 0; i < m->parts->len; i++) {
		const struct rs_part *part = m->parts->pdata[i];
		g_autofree char *size = g_format_size_full(part->size, G_FORMAT_SIZE_IEC_UNITS);

		if ((part->shown || part->alternative) && !*part->name)
			continue;
		if (!head)
			rs_say("\n%s\n", _("Parts:"));
		head = true;
		rs_say("  %u  %s  %s%s%s\n", part->number, *part->name ? part->name : "-",
			part->type, part->size ? ", " : "", part->size ? size : "");
	}
}

static int say_raw(int fd)
{
	char piece[16384];

	for (;;) {
		ssize_t n = read(fd, piece, sizeof(piece));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			rs_complain(_("cannot read the message: %s"), g_strerror(errno));
			return RS_EXIT_IO;
		}
		if (n == 0)
			return RS_EXIT_DONE;
		if (fwrite(piece, 1, (size_t)n, stdout) != (size_t)n)
			return RS_EXIT_IO; /* main says why */
	}
}

static int show_open(struct rs_library *l, struct rs_entry *e, int fd, const struct show_options *o)
{
	struct rs_message *m = NULL;
	g_autofree char *folded = NULL;
	struct rs_err err;

	if (o->raw)
		return say_raw(fd);
	if (rs_message_read(fd, &m, &err) < 0)
		return rs_fail(&err);
	folded = rs_columns_fold(m->text, MIN(o->columns, TEXT_COLUMNS));
	say_headers(e, m, o->columns);
	rs_say("\n%s", folded);
	say_parts(m);
	rs_message_destroy(&m);
	if (!o->keep_unread && rs_library_mark_read(l, e, &err) < 0)
		return rs_fail(&err);
	return RS_EXIT_DONE;
}

static int show(struct rs_library *l, const char *word, const struct show_options *o)
{
	struct rs_entry *e = NULL;
	struct rs_err err;
	int status;
	int fd;

	if (rs_library_find(l, word, &e, &err) < 0)
		return rs_fail(&err);
	fd = rs_library_read(l, e, &err);
	status = fd < 0 ? rs_fail(&err) : show_open(l, e, fd, o);
	if (fd >= 0)
		close(fd);
	rs_entry_free(e);
	return status;
}

static int run_on(char **words, const struct show_options *o)
{
	g_autoptr(GPtrArray) accounts = NULL;
	struct rs_library *l = NULL;
	struct rs_places places;
	struct rs_err err;
	int status = RS_EXIT_DONE;

	if (rs_places_find(&places, &err) < 0)
		return rs_fail(&err);
	if (rs_accounts_load(&places, &accounts, &err) < 0 ||
		rs_library_open(&places, accounts, &l, &err) < 0)
		status = rs_fail(&err);
	for (; l && *words && !status; words++) {
		status = show(l, *words, o);
		if (words[1] && !o->raw && !status)
			rs_say("\n");
	}
	rs_library_close(&l);
	rs_places_finish(&places);
	return status;
}

static int run(const struct rs_command *self, int argc, char **argv)
{
	struct show_options o = {.columns = rs_terminal(NULL)};
	const GOptionEntry entries[] = {
		{"raw", 0, 0, G_OPTION_ARG_NONE, &o.raw, N_("The message as it was received"),
			NULL},
		{"keep-unread", 0, 0, G_OPTION_ARG_NONE, &o.keep_unread,
			N_("Do not mark it as read"), NULL},
		{NULL},
	};
	int status = rs_options(self, entries,
		_("ID is a number of the last listing, or the id that list --ids shows. Links of "
		  "an\n"
		  "HTML message stand at its end; nothing is ever fetched from the network.\n"
		  "restante save takes the numbers of parts."),
		&argc, &argv);

	if (status)
		return status;
	if (argc < 2)
		return rs_usage(
			self, _("say which message: a number of the last listing, or an id"));
	return run_on(argv + 1, &o);
}

const struct rs_command rs_cmd_show = {"show", N_("ID…"), N_("Show messages as text"), run};
