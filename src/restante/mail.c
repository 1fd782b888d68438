/* mail.c - see mail.h */
#include "restante/mail.h"

#include <stdio.h>
#include <unistd.h>

#include "client/clean.h"
#include "client/text.h"

#define FROM_COLUMNS   20u
#define FOLDER_COLUMNS 12u
#define WIDE_COLUMNS   110u /* from here on there is room for ids without asking */
#define RECENT_S       (180 * 86400)
#define LINES_BESIDES  3u /* of the terminal: the hint, and the next prompt */

static void on_progress(void *arg, guint done, guint of)
{
	(void)arg;
	(void)fprintf(stderr, "\r\033[K");
	if (done < of)
		(void)fprintf(stderr, _("Indexing mail: %u of %u"), done, of);
	(void)fflush(stderr);
}

int rs_mail_with(rs_mail_work work, void *arg)
{
	g_autoptr(GPtrArray) accounts = NULL;
	struct rs_library *l = NULL;
	struct rs_places places;
	struct rs_err err;
	int status;

	if (rs_places_find(&places, &err) < 0)
		return rs_fail(&err);
	if (rs_accounts_load(&places, &accounts, &err) < 0 ||
		rs_library_open(&places, accounts, &l, &err) < 0) {
		status = rs_fail(&err);
	} else {
		rs_library_on_progress(
			l, rs_is_terminal(STDERR_FILENO) ? on_progress : NULL, NULL, NULL);
		status = work(l, arg);
	}
	rs_library_close(&l);
	rs_places_finish(&places);
	return status;
}

/* --- rows ------------------------------------------------------------------------------------------- */

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

static char *folder_column(const struct rs_entry *e, const struct rs_rows *o)
{
	const char *role = e->folder ? rs_folder_role_name(e->folder->role) : NULL;
	g_autofree char *cut = NULL;

	if (!o->folders)
		return g_strdup("");
	cut = column(role ? _(role) : e->folder ? e->folder->name : "", FOLDER_COLUMNS);
	return g_strconcat(cut, " ", NULL);
}

static void say_row(struct rs_library *l, const struct rs_entry *e, guint number, guint digits,
	const struct rs_rows *o)
{
	guint wide = rs_terminal(NULL);
	bool with_id = o->ids || wide >= WIDE_COLUMNS;
	g_autofree char *date = date_words(e->date_s);
	g_autofree char *when = column(date, 12);
	g_autofree char *from = column(e->from, FROM_COLUMNS);
	g_autofree char *id = with_id ? g_strdup_printf("%s ", e->id) : g_strdup("");
	g_autofree char *folder = folder_column(e, o);
	guint n = o->threads ? rs_library_thread_n(l, e) : 1;
	g_autofree char *count = n > 1 ? g_strdup_printf("[%u] ", n) : g_strdup("");
	guint used = digits + 5 + 13 + FROM_COLUMNS + 1 + rs_columns(id) + rs_columns(folder) +
		     rs_columns(count);
	g_autofree char *subject = rs_columns_cut(
		*e->subject ? e->subject : _("(no subject)"), wide > used + 10 ? wide - used : 10);
	const char *mark = e->unread ? "N" : e->answered ? "r" : e->forwarded ? "f" : " ";

	rs_say("%*u %s%s%s %s%s%s %s %s%s\n", (int)digits, number, mark, e->flagged ? "!" : " ",
		e->attached ? "@" : " ", id, folder, when, from, count, subject);
}

static void json_flag(GString *line, const char *key, bool value)
{
	rs_json_key(line, key);
	g_string_append(line, value ? "true" : "false");
}

void rs_entry_json(GString *line, const struct rs_entry *e)
{
	g_autoptr(GDateTime) date = g_date_time_new_from_unix_utc(e->date_s);
	g_autofree char *when = date ? g_date_time_format_iso8601(date) : NULL;
	const struct {
		const char *key;
		const char *value;
	} rows[] = {{"id", e->id}, {"folder", e->folder ? e->folder->name : NULL}, {"date", when},
		{"from", e->from}, {"from_address", e->from_address}, {"to", e->to},
		{"subject", e->subject}, {"message_id", e->message_id}, {"snippet", e->snippet}};

	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
		rs_json_key(line, rows[i].key);
		rs_json_str(line, rows[i].value);
	}
	g_string_append_printf(
		line, ",\"size\":%" G_GUINT64_FORMAT ",\"attachments\":%u", e->size, e->attached);
	json_flag(line, "unread", e->unread);
	json_flag(line, "flagged", e->flagged);
	json_flag(line, "answered", e->answered);
	json_flag(line, "forwarded", e->forwarded);
	json_flag(line, "draft", e->draft);
}

static void say_json(
	struct rs_library *l, const struct rs_entry *e, guint number, const struct rs_rows *o)
{
	g_autoptr(GString) line = g_string_new("{");

	g_string_append_printf(line, "\"number\":%u", number);
	rs_entry_json(line, e);
	if (o->threads)
		g_string_append_printf(line, ",\"thread\":%u", rs_library_thread_n(l, e));
	rs_say("%s}\n", line->str);
}

static guint screenful(const struct rs_rows *o)
{
	guint rows;

	if (o->limit > 0)
		return (guint)o->limit;
	if (o->all || o->json || !rs_is_terminal(STDOUT_FILENO))
		return G_MAXUINT;
	(void)rs_terminal(&rows);
	return MAX(rows, 10 + LINES_BESIDES) - LINES_BESIDES;
}

guint rs_rows_wanted(const struct rs_rows *o)
{
	guint n = screenful(o);

	return n == G_MAXUINT ? 0 : n + 1;
}

void rs_rows_say(struct rs_library *l, GPtrArray *list, const struct rs_rows *o)
{
	guint n = MIN(list->len, screenful(o));
	guint digits = (guint)g_snprintf(NULL, 0, "%u", MAX(n, 10));
	bool more = n < list->len;

	if (more)
		g_ptr_array_set_size(list, (gint)n);
	for (guint i = 0; i < n; i++) {
		struct rs_entry *e = list->pdata[i];

		rs_library_fill(l, e);
		if (o->json)
			say_json(l, e, i + 1, o);
		else
			say_row(l, e, i + 1, digits, o);
	}
	if (o->json)
		return;
	rs_library_remember(l, list);
	if (!n)
		rs_say("%s", o->empty);
	else if (more)
		rs_say(_("The newest %u; all of them: %s\n"), n, o->more);
}
