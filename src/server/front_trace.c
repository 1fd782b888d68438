/* front_trace.c - the trace fields of a message (RFC 5321 section 4.4): one text for all recipients, so that
 * one body serves them all; Delivered-To only where there is a single recipient. */
#include "server/front_mail.h"

/* One-line text for a header: what a stranger said, without what could end the line. */
static char *header_word(const char *s)
{
	char *word = g_strdup(s ? s : "unknown");

	for (char *c = word; *c; c++) {
		if ((guchar)*c < 0x20 || *c == 0x7f || *c == '(' || *c == ')')
			*c = '_';
	}
	return word;
}

/* "Wed, 25 Nov 2026 08:56:22 +0000", whatever the locale */
static char *date_text(void)
{
	static const char days[] = "MonTueWedThuFriSatSun";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();
	g_autofree char *time = g_date_time_format(now, "%H:%M:%S +0000");
	int day = g_date_time_get_day_of_week(now) - 1;
	int month = g_date_time_get_month(now) - 1;

	return g_strdup_printf("%.3s, %d %.3s %d %s", days + 3 * day,
		g_date_time_get_day_of_month(now), months + 3 * month, g_date_time_get_year(now),
		time);
}

char *front_trace_fields(const struct mail *p)
{
	GString *h = g_string_new(NULL);
	g_autofree char *date = date_text();
	g_autofree char *helo = header_word(p->helo);

	g_string_append_printf(h, "Return-Path: <%s>\r\n", p->sender);
	if (p->rcpts->len == 1)
		g_string_append_printf(h, "Delivered-To: %s\r\n", front_txn_rcpt_at(p, 0)->address);
	g_string_append_printf(h,
		"Received: from %s (%s)\r\n\tby %s (Restante) with LMTP\r\n\tid "
		"%016" G_GINT64_MODIFIER "x; %s\r\n",
		helo, p->txn.conn->peer_text, p->cfg.hostname, p->txn.id, date);
	return g_string_free(h, FALSE);
}
