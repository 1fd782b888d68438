/* log.c - see log.h */
#include "server/log.h"

#include <errno.h>
#include <glib.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "server/msg.h"
#include "server/stats.h"

#define VALUE_MAX 512u /* octets of one value */
#define NUMBER_N  24u

static const char *log_who = "restanted";
static bool log_json;
static int log_level = RS_LOG_INFO;
static _Thread_local GString *gathered; /* NULL: this thread's lines are written as they come */

static const char *const level_names[] = {"error", "warning", "info", "debug"};

void rs_log_init(const char *who, bool json, int level)
{
	log_who = who;
	log_json = json;
	log_level = level;
}

static char *number_text(void)
{
	static _Thread_local char ring[8][NUMBER_N];
	static _Thread_local unsigned at;

	return ring[at++ % 8];
}

const char *rs_log_num(uint64_t v)
{
	char *to = number_text();

	g_snprintf(to, NUMBER_N, "%" G_GUINT64_FORMAT, v);
	return to;
}

const char *rs_log_id(uint64_t session)
{
	char *to = number_text();

	g_snprintf(to, NUMBER_N, "%011" G_GINT64_MODIFIER "x", session >> RS_MSG_TXN_BITS);
	return to;
}

const char *rs_log_txn(uint64_t session)
{
	uint64_t txn = session & RS_MSG_TXN_MASK;

	return txn ? rs_log_num(txn) : NULL;
}

/* What a stranger said, fit for a line that programs read: UTF-8, not endless. *owned is to be freed. */
static const char *tame(const char *v, char **owned)
{
	gsize n = strnlen(v, VALUE_MAX + 1);
	g_autofree char *cut = NULL;

	if (n <= VALUE_MAX && g_utf8_validate(v, (gssize)n, NULL))
		return v;
	cut = n > VALUE_MAX ? g_strdup_printf("%.*s...", (int)VALUE_MAX, v) : NULL;
	return *owned = g_utf8_make_valid(cut ? cut : v, -1);
}

static void add_quoted(GString *line, const char *v)
{
	g_string_append_c(line, '"');
	for (; *v; v++) {
		guchar c = (guchar)*v;

		if (c == '"' || c == '\\')
			g_string_append_printf(line, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			g_string_append_printf(line, "\\u%04x", c);
		else
			g_string_append_c(line, (char)c);
	}
	g_string_append_c(line, '"');
}

static void add_text(GString *line, const char *v)
{
	bool plain = *v != '\0';

	for (const char *c = v; *c && plain; c++)
		plain = (guchar)*c > 0x20 && *c != '"' && *c != '=' && *c != '\\' && *c != 0x7f;
	if (plain)
		g_string_append(line, v);
	else
		add_quoted(line, v);
}

static void add_pair(GString *line, const char *key, const char *hostile)
{
	g_autofree char *owned = NULL;
	const char *value = tame(hostile, &owned);

	g_string_append(line, log_json ? ",\"" : " ");
	g_string_append(line, key);
	g_string_append(line, log_json ? "\":" : "=");
	if (log_json)
		add_quoted(line, value);
	else
		add_text(line, value);
}

/* "2026-11-25T10:40:00": made once a second. */
static const char *stamp_of(gint64 seconds)
{
	static _Thread_local char stamp[32];
	static _Thread_local gint64 of = -1;

	if (of != seconds) {
		g_autoptr(GDateTime) t = g_date_time_new_from_unix_utc(seconds);
		g_autofree char *text = g_date_time_format(t, "%Y-%m-%dT%H:%M:%S");

		g_strlcpy(stamp, text, sizeof(stamp));
		of = seconds;
	}
	return stamp;
}

static void add_head(GString *line, enum rs_log_level level, const char *event)
{
	gint64 now = g_get_real_time();
	const char *stamp = stamp_of(now / G_USEC_PER_SEC);
	int ms = (int)(now % G_USEC_PER_SEC / 1000);

	if (log_json)
		g_string_append_printf(line,
			"{\"time\":\"%s.%03dZ\",\"level\":\"%s\",\"role\":\"%s\",\"event\":\"%s\"",
			stamp, ms, level_names[level], log_who, event);
	else
		g_string_append_printf(
			line, "%s.%03dZ %s %s %s", stamp, ms, level_names[level], log_who, event);
}

/* A log that cannot be written must not stop the mail. */
static void put(const GString *lines)
{
	if (write(STDERR_FILENO, lines->str, lines->len) < 0)
		return;
}

void rs_log_gather(void)
{
	if (!gathered)
		gathered = g_string_sized_new(PIPE_BUF);
}

void rs_log_flush(void)
{
	if (!gathered || gathered->len == 0)
		return;
	put(gathered);
	g_string_truncate(gathered, 0);
}

static void out(enum rs_log_level level, const GString *line)
{
	if (gathered && gathered->len + line->len > PIPE_BUF)
		rs_log_flush();
	if (!gathered || line->len > PIPE_BUF) {
		put(line);
		return;
	}
	g_string_append_len(gathered, line->str, (gssize)line->len);
	if (level <= RS_LOG_WARNING)
		rs_log_flush();
}

void rs_log(enum rs_log_level level, const char *event, ...)
{
	g_autoptr(GString) line = NULL;
	const char *key;
	va_list ap;

	if (level <= RS_LOG_WARNING)
		rs_stats_add(RS_STAT_LOG_ERRORS + (unsigned)level, 1);
	if ((int)level > log_level)
		return;
	line = g_string_sized_new(256);
	add_head(line, level, event);
	va_start(ap, event);
	while ((key = va_arg(ap, const char *))) {
		const char *value = va_arg(ap, const char *);

		if (value)
			add_pair(line, key, value);
	}
	va_end(ap);
	g_string_append(line, log_json ? "}\n" : "\n");
	out(level, line);
}
