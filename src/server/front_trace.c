/* front_trace.c - the fields that are put in front of a message: where it came from (RFC 5321 section 4.4), and
 * what a message of a user lacks (RFC 6409 section 8). One text for all recipients, so that one body serves them
 * all; Delivered-To only where there is a single recipient. */
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

/* RFC 3848, 6531 section 4.3 */
static const char *protocol(const struct mail *p)
{
	if (!p->submit)
		return p->utf8 ? "UTF8LMTP" : "LMTP";
	if (!p->txn.conn->ssl)
		return p->utf8 ? "UTF8SMTPA" : "ESMTPA";
	return p->utf8 ? "UTF8SMTPSA" : "ESMTPSA";
}

char *front_trace_delivered(const struct mail *p)
{
	GString *h = g_string_new(NULL);

	g_string_append_printf(h, "Return-Path: <%s>\r\n", p->sender);
	if (p->rcpts->len == 1)
		g_string_append_printf(h, "Delivered-To: %s\r\n", front_txn_rcpt_at(p, 0)->address);
	return g_string_free(h, FALSE);
}

char *front_trace_received(const struct mail *p)
{
	g_autofree char *date = date_text();
	g_autofree char *helo = header_word(p->helo);

	return g_strdup_printf("Received: from %s (%s)\r\n\tby %s (Restante) with %s\r\n\tid "
			       "%016" G_GINT64_MODIFIER "x; %s\r\n",
		helo, p->txn.conn->peer_text, p->cfg.hostname, protocol(p), p->txn.id, date);
}

/* The number of a transaction is never used twice; the time is for those who read it. */
char *front_trace_missing(const struct mail *p, bool has_date, bool has_id)
{
	GString *h = g_string_new(NULL);
	g_autofree char *date = date_text();

	if (!has_date)
		g_string_append_printf(h, "Date: %s\r\n", date);
	if (!has_id)
		g_string_append_printf(h,
			"Message-ID: <%" G_GINT64_MODIFIER "x.%016" G_GINT64_MODIFIER "x@%s>\r\n",
			(guint64)g_get_real_time(), p->txn.id, p->cfg.hostname);
	return g_string_free(h, FALSE);
}
