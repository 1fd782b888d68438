/* header.c - see header.h */
#include "client/header.h"

#include <errno.h>
#include <gmime/gmime.h>
#include <stdbool.h>
#include <string.h>

#include "client/clean.h"

#define DAY_S 86400

G_DEFINE_AUTOPTR_CLEANUP_FUNC(InternetAddressList, g_object_unref)

static GMimeParserOptions *parser_options; /* set once, then only read */

void rs_mime_init(void)
{
	static gsize once;

	if (g_once_init_enter(&once)) {
		static const char *charsets[] = {"utf-8", "windows-1252", NULL};

		g_mime_init();
		parser_options = g_mime_parser_options_new();
		g_mime_parser_options_set_fallback_charsets(parser_options, charsets);
		g_once_init_leave(&once, 1);
	}
}

/* --- finding a field ------------------------------------------------------------------------- */

/* Octets of the line at `line`, its end included. */
static gsize line_n(const char *line, const char *end)
{
	const char *lf = memchr(line, '\n', (gsize)(end - line));

	return (gsize)((lf ? lf + 1 : end) - line);
}

static bool is_blank_line(const char *line, const char *end)
{
	return line < end &&
	       (*line == '\n' || (*line == '\r' && line + 1 < end && line[1] == '\n'));
}

/* Append the field's text from `at` to `end`, and its folded lines, as one line. */
static char *unfolded(const char *at, const char *end)
{
	GString *value = g_string_new(NULL);

	do {
		gsize n = line_n(at, end);
		gsize text_n = n;

		while (text_n && (at[text_n - 1] == '\n' || at[text_n - 1] == '\r'))
			text_n--;
		g_string_append_len(value, at, (gssize)text_n);
		at += n;
	} while (at < end && (*at == ' ' || *at == '\t'));
	return g_strstrip(g_string_free(value, FALSE));
}

char *rs_header_get(const char *head, gsize n, const char *name)
{
	const char *end = head + n;
	gsize name_n = strlen(name);

	for (const char *at = head; at < end && !is_blank_line(at, end); at += line_n(at, end)) {
		const char *colon = at + name_n;

		if ((gsize)(end - at) <= name_n || g_ascii_strncasecmp(at, name, name_n) != 0)
			continue;
		while (colon < end && (*colon == ' ' || *colon == '\t'))
			colon++;
		if (colon < end && *colon == ':')
			return unfolded(colon + 1, end);
	}
	return NULL;
}

/* --- decoding -------------------------------------------------------------------------------- */

char *rs_header_text(const char *raw)
{
	g_autofree char *text = NULL;

	rs_mime_init();
	if (raw)
		text = g_mime_utils_header_decode_text(parser_options, raw);
	return rs_clean_line(text ? text : raw ? raw : "");
}

static InternetAddressList *addresses_parse(const char *raw)
{
	InternetAddressList *list;

	rs_mime_init();
	list = raw ? internet_address_list_parse(parser_options, raw) : NULL;
	if (list && internet_address_list_length(list) == 0)
		g_clear_object(&list);
	return list;
}

char *rs_header_addresses(const char *raw)
{
	g_autoptr(InternetAddressList) list = addresses_parse(raw);
	g_autofree char *text = NULL;

	if (!list)
		return rs_header_text(raw);
	text = internet_address_list_to_string(list, NULL, FALSE);
	return rs_clean_line(text ? text : "");
}

char *rs_header_person(const char *raw, char **address)
{
	g_autoptr(InternetAddressList) list = addresses_parse(raw);
	InternetAddress *first = list ? internet_address_list_get_address(list, 0) : NULL;
	const char *name = first ? internet_address_get_name(first) : NULL;
	const char *mailbox =
		INTERNET_ADDRESS_IS_MAILBOX(first)
			? internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(first))
			: NULL;
	g_autofree char *shown = name ? rs_clean_line(name) : g_strdup("");

	if (address)
		*address = rs_clean_line(mailbox ? mailbox : "");
	if (*shown)
		return g_steal_pointer(&shown);
	return mailbox ? rs_clean_line(mailbox) : rs_header_text(raw);
}

gint64 rs_header_date(const char *raw, gint64 otherwise)
{
	g_autoptr(GDateTime) date = NULL;
	gint64 seconds;

	rs_mime_init();
	if (raw && *raw)
		date = g_mime_utils_header_decode_date(raw);
	if (!date)
		return otherwise;
	seconds = g_date_time_to_unix(date);
	return seconds > 0 && seconds <= otherwise + DAY_S ? seconds : otherwise;
}

/* --- charsets -------------------------------------------------------------------------------- */

/* Convert all of it; octets that are not in the charset become U+FFFD. */
static char *converted(GIConv conv, const char *octets, gsize n)
{
	GString *out = g_string_sized_new(n + n / 8);
	char *in = g_memdup2(octets, n);
	char *at = in;
	gsize left = n;

	while (left) {
		char piece[1024];
		char *to = piece;
		gsize room = sizeof(piece);
		gsize before = left;
		gsize rc = g_iconv(conv, &at, &left, &to, &room);

		g_string_append_len(out, piece, to - piece);
		if (rc == (gsize)-1 && errno != E2BIG) {
			g_string_append(out, "\xef\xbf\xbd");
			at++;
			left--;
			(void)g_iconv(conv, NULL, NULL, NULL, NULL);
		} else if (left == before && to == piece) {
			break; /* it says that all is well, and does nothing */
		}
	}
	g_free(in);
	return g_string_free(out, FALSE);
}

/* What senders say and what they mean: Latin-1 is Windows-1252 nearly everywhere. */
static const char *charset_meant(const char *charset, const char *octets, gsize n)
{
	static const char *const vague[] = {
		"us-ascii", "ascii", "utf-8", "utf8", "unknown-8bit", "8bit", "binary", "default"};
	static const char *const latin[] = {"iso-8859-1", "iso8859-1", "latin1"};

	if (charset && !*charset) /* to iconv that is the charset of this computer */
		charset = NULL;
	for (gsize i = 0; charset && i < G_N_ELEMENTS(latin); i++) {
		if (g_ascii_strcasecmp(charset, latin[i]) == 0)
			return "windows-1252";
	}
	for (gsize i = 0; charset && i < G_N_ELEMENTS(vague); i++) {
		if (g_ascii_strcasecmp(charset, vague[i]) == 0)
			charset = NULL;
	}
	if (charset)
		return charset;
	return g_utf8_validate(octets, (gssize)n, NULL) ? NULL : "windows-1252";
}

char *rs_charset_to_utf8(const char *octets, gsize n, const char *charset)
{
	const char *meant = charset_meant(charset, octets, n);
	GIConv conv;
	char *text;

	if (!meant)
		return g_utf8_make_valid(octets, (gssize)n);
	conv = g_iconv_open("UTF-8", meant);
	if (conv == (GIConv)-1 && g_utf8_validate(octets, (gssize)n, NULL))
		return g_strndup(octets, n);
	if (conv == (GIConv)-1)
		conv = g_iconv_open("UTF-8", "windows-1252");
	if (conv == (GIConv)-1)
		return g_utf8_make_valid(octets, (gssize)n);
	text = converted(conv, octets, n);
	g_iconv_close(conv);
	return text;
}
