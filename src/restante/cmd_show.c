/* cmd_show.c - restante show: a message as text, and the list of its parts. */
#include "restante/mail.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/clean.h"
#include "client/header.h"
#include "client/message.h"
#include "client/text.h"

#define HEADERS_MAX  (256u * 1024)
#define TEXT_COLUMNS 100u /* lines longer than this are hard to read, however wide the window */

struct show_options {
	gboolean raw;
	gboolean headers;
	gboolean json;
	gboolean keep_unread;
	guint columns;
	char **words;
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

/* All fields as they stand, decoded: for those who want to know how a message came here. */
static int say_all_headers(int fd)
{
	g_autofree char *head = g_malloc(HEADERS_MAX);
	const char *end;
	ssize_t n = read(fd, head, HEADERS_MAX);

	if (n < 0) {
		rs_complain(_("cannot read the message: %s"), g_strerror(errno));
		return RS_EXIT_IO;
	}
	end = head + n;
	for (const char *at = head; at < end && *at != '\n' && *at != '\r';) {
		const char *line = at;
		g_autofree char *raw = NULL;
		g_autofree char *text = NULL;

		do {
			const char *lf = memchr(at, '\n', (size_t)(end - at));

			at = lf ? lf + 1 : end;
		} while (at < end && (*at == ' ' || *at == '\t'));
		raw = g_strndup(line, (gsize)(at - line));
		text = rs_header_text(raw);
		rs_say("%s\n", text);
	}
	return RS_EXIT_DONE;
}

static void say_json(const struct rs_entry *e, const struct rs_message *m)
{
	g_autoptr(GString) line = g_string_new("{");
	const struct {
		const char *key;
		const char *value;
	} rows[] = {{"cc", m->cc}, {"reply_to", m->reply_to}, {"in_reply_to", m->in_reply_to},
		{"references", m->references}, {"text", m->text}};

	rs_entry_json(line, e);
	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
		rs_json_key(line, rows[i].key);
		rs_json_str(line, rows[i].value);
	}
	g_string_append(line, ",\"parts\":[");
	for (guint i = 0; i < m->parts->len; i++) {
		const struct rs_part *part = m->parts->pdata[i];

		g_string_append_printf(line, "%s{\"number\":%u", i ? "," : "", part->number);
		rs_json_key(line, "type");
		rs_json_str(line, part->type);
		rs_json_key(line, "name");
		rs_json_str(line, part->name);
		g_string_append_printf(line, ",\"size\":%" G_GUINT64_FORMAT ",\"shown\":%s}",
			part->size, part->shown ? "true" : "false");
	}
	rs_say("%s]}\n", line->str);
}

static void say_message(
	const struct rs_entry *e, const struct rs_message *m, const struct show_options *o)
{
	g_autofree char *folded = rs_columns_fold(m->text, MIN(o->columns, TEXT_COLUMNS));

	if (o->json) {
		say_json(e, m);
		return;
	}
	say_headers(e, m, o->columns);
	rs_say("\n%s", folded);
	say_parts(m);
}

static int show_open(struct rs_library *l, struct rs_entry *e, int fd, const struct show_options *o)
{
	struct rs_message *m = NULL;
	struct rs_err err;

	if (o->raw)
		return say_raw(fd);
	if (o->headers)
		return say_all_headers(fd);
	if (rs_message_read(fd, &m, &err) < 0)
		return rs_fail(&err);
	say_message(e, m, o);
	rs_message_destroy(&m);
	if (!o->keep_unread && rs_library_mark_read(l, e, &err) < 0)
		return rs_fail(&err);
	return RS_EXIT_DONE;
}

static int show_one(struct rs_library *l, struct rs_entry *e, const struct show_options *o)
{
	struct rs_err err;
	int fd = rs_library_read(l, e, &err);
	int status = fd < 0 ? rs_fail(&err) : show_open(l, e, fd, o);

	if (fd >= 0)
		close(fd);
	return status;
}

static int show(struct rs_library *l, void *arg)
{
	const struct show_options *o = arg;
	g_autoptr(GPtrArray) entries = NULL;
	struct rs_err err;
	int status = RS_EXIT_DONE;

	if (rs_library_find_all(l, o->words, &entries, &err) < 0)
		return rs_fail(&err);
	for (guint i = 0; i < entries->len && !status; i++) {
		if (i && !o->raw && !o->json)
			rs_say("\n");
		status = show_one(l, entries->pdata[i], o);
	}
	return status;
}

static int run(const struct rs_command *self, int argc, char **argv)
{
	struct show_options o = {.columns = rs_terminal(NULL)};
	const GOptionEntry entries[] = {
		{"source", 0, 0, G_OPTION_ARG_NONE, &o.raw, N_("The message as it was received"),
			NULL},
		{"raw", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_NONE, &o.raw, NULL, NULL},
		{"headers", 0, 0, G_OPTION_ARG_NONE, &o.headers, N_("All header fields, decoded"),
			NULL},
		{"json", 0, 0, G_OPTION_ARG_NONE, &o.json, N_("One JSON object a line"), NULL},
		{"keep-unread", 0, 0, G_OPTION_ARG_NONE, &o.keep_unread,
			N_("Do not mark it as read"), NULL},
		{NULL},
	};
	int status = rs_options(self, entries,
		_("ID is a number of the last listing, a range of them (2-7), or the id that\n"
		  "list --ids shows. Links of an HTML message stand at its end; nothing is ever\n"
		  "fetched from the network. restante save takes the numbers of parts."),
		&argc, &argv);

	if (status)
		return status;
	if (argc < 2)
		return rs_usage(
			self, _("say which message: a number of the last listing, or an id"));
	o.words = argv + 1;
	return rs_mail_with(show, &o);
}

const struct rs_command rs_cmd_show = {"show", N_("ID…"), N_("Show messages as text"), run};
