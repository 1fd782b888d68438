/* cmd_list.c - restante list: what is in the inbox, newest first, numbered for show. */
#include "restante/restante.h"

#include <unistd.h>

#include "client/clean.h"
#include "client/library.h"
#include "client/text.h"

#define FROM_COLUMNS  20u
#define WIDE_COLUMNS  110u /* from here on there is room for ids without asking */
#define RECENT_S      (180 * 86400)
#define LINES_BESIDES 3u /* of the terminal: the hint, and the next prompt */

struct list_options {
	gboolean json;
	gboolean all;
	gboolean ids;
	int limit;
	guint columns;
};

/* As ls does: the hour for what is recent, else the year. */
static char *date_words(gint64 date_s)
{
	g_autoptr(GDateTime) date = g_date_time_new_from_unix_local(date_s);
	gint64 age_s = g_get_real_time() / G_USEC_PER_SEC - date_s;
	bool recent = age_s > -86400 && age_s < RECENT_S;

	if (!date)
		return g_strdup("?");
	return g_date_time_format(date, recent ? "%e %b %H:%M" : "%e %b  %Y");
}

/* Padded to `columns`. */
static char *column(const char *text, guint columns)
{
	g_autofree char *cut = rs_columns_cut(text, columns);
	guint used = rs_columns(cut);

	return g_strdup_printf("%s%*s", cut, (int)(columns - MIN(used, columns)), "");
}

static void say_row(
	const struct rs_entry *e, guint number, guint digits, const struct list_options *o)
{
	g_autofree char *date = date_words(e->date_s);
	g_autofree char *when = column(date, 12);
	g_autofree char *from = column(e->from, FROM_COLUMNS);
	g_autofree char *id = o->ids ? g_strdup_printf("%s ", e->id) : g_strdup("");
	guint used = digits + 4 + 13 + FROM_COLUMNS + 1 + rs_columns(id);
	g_autofree char *subject = rs_columns_cut(*e->subject ? e->subject : _("(no subject)"),
		o->columns > used + 10 ? o->columns - used : 10);
	const char *mark = e->unread ? "N" : e->answered ? "r" : " ";

	rs_say("%*u %s%s %s%s %s %s\n", (int)digits, number, mark, e->flagged ? "!" : " ", id, when,
		from, subject);
}

static void say_json(const struct rs_entry *e, guint number)
{
	g_autoptr(GDateTime) date = g_date_time_new_from_unix_utc(e->date_s);
	g_autofree char *when = date ? g_date_time_format_iso8601(date) : NULL;
	g_autoptr(GString) line = g_string_new("{");
	const struct {
		const char *key;
		const char *value;
	} rows[] = {{"id", e->id}, {"folder", e->folder}, {"date", when}, {"from", e->from},
		{"from_address", e->from_address}, {"to", e->to}, {"subject", e->subject},
		{"message_id", e->message_id}};

	g_string_append_printf(line, "\"number\":%u", number);
	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
		rs_json_key(line, rows[i].key);
		rs_json_str(line, rows[i].value);
	}
	g_string_append_printf(line, ",\"size\":%" G_GUINT64_FORMAT ",\"unread\":%s}\n", e->size,
		e->unread ? "true" : "false");
	rs_say("%s", line->str);
}

static guint shown_n(const GPtrArray *list, const struct list_options *o)
{
	guint rows;

	if (o->limit > 0)
		return MIN(list->len, (guint)o->limit);
	if (o->all || o->json || !rs_is_terminal(STDOUT_FILENO))
		return list->len;
	(void)rs_terminal(&rows);
	return MIN(list->len, MAX(rows, 10 + LINES_BESIDES) - LINES_BESIDES);
}

static void say_list(struct rs_library *l, GPtrArray *list, const struct list_options *o)
{
	guint n = shown_n(list, o);
	guint digits = (guint)g_snprintf(NULL, 0, "%u", MAX(n, 10));

	for (guint i = 0; i < n; i++) {
		struct rs_entry *e = list->pdata[i];

		rs_library_fill(l, e);
		if (o->json)
			say_json(e, i + 1);
		else
			say_row(e, i + 1, digits, o);
	}
	if (o->json)
		return;
	rs_library_remember(l, list);
	if (!list->len)
		rs_say("%s", _("No messages. To fetch new mail: restante check\n"));
	else if (n < list->len)
		rs_say(_("The newest %u of %u messages; all of them: restante list --all\n"), n,
			list->len);
}

static int run_on(const char *folder, const struct list_options *o)
{
	g_autoptr(GPtrArray) accounts = NULL;
	g_autoptr(GPtrArray) list = NULL;
	struct rs_library *l = NULL;
	struct rs_places places;
	struct rs_err err;
	int rc = rs_places_find(&places, &err);

	if (rc < 0)
		return rs_fail(&err);
	rc = rs_accounts_load(&places, &accounts, &err);
	if (rc == 0)
		rc = rs_library_open(&places, accounts, &l, &err);
	if (rc == 0)
		rc = rs_library_list(l, folder, &list, &err);
	if (rc == 0)
		say_list(l, list, o);
	rs_library_close(&l);
	rs_places_finish(&places);
	return rc < 0 ? rs_fail(&err) : RS_EXIT_DONE;
}

static int run(const struct rs_command *self, int argc, char **argv)
{
	struct list_options o = {.columns = rs_terminal(NULL)};
	const GOptionEntry entries[] = {
		{"all", 'a', 0, G_OPTION_ARG_NONE, &o.all, N_("Not only a screenful of the newest"),
			NULL},
		{"limit", 'n', 0, G_OPTION_ARG_INT, &o.limit, N_("Only the newest N"), N_("N")},
		{"ids", 'i', 0, G_OPTION_ARG_NONE, &o.ids,
			N_("Show the ids that stay, beside the numbers"), NULL},
		{"json", 0, 0, G_OPTION_ARG_NONE, &o.json, N_("One JSON object a line"), NULL},
		{NULL},
	};
	int status = rs_options(self, entries,
		_("FOLDER is an account, a folder below mail/, or a path; without it the inboxes "
		  "of\n"
		  "all accounts are listed. N: not read yet, r: answered, !: flagged. A number\n"
		  "means that message until the next listing: restante show 1"),
		&argc, &argv);

	if (status)
		return status;
	if (argc > 2)
		return rs_usage(self, _("'%s' is too much"), argv[2]);
	if (o.limit < 0)
		return rs_usage(self, _("--limit must be a number from 1"));
	if (o.columns >= WIDE_COLUMNS)
		o.ids = TRUE;
	return run_on(argv[1], &o);
}

const struct rs_command rs_cmd_list = {
	"list", N_("[FOLDER]"), N_("List messages, newest first"), run};
