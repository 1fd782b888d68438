/* clean.c - see clean.h */
#include "client/clean.h"

#include <stdbool.h>
#include <string.h>

#define REPLACEMENT 0xfffdu
#define GONE        0u
#define TAB         8u

struct range {
	gunichar from;
	gunichar to;
	gunichar as; /* GONE: left out */
};

/* In order. What stands here is never written as it came. */
static const struct range ranges[] = {
	{0x0080, 0x009f, REPLACEMENT}, /* C1 controls: CSI, OSC ...              */
	{0x00ad, 0x00ad, GONE},        /* soft hyphen                            */
	{0x034f, 0x034f, GONE},        /* grapheme joiner, padding of newsletters */
	{0x061c, 0x061c, GONE},        /* Arabic letter mark                     */
	{0x115f, 0x1160, GONE},        /* Hangul fillers                         */
	{0x180e, 0x180e, GONE},        /* Mongolian vowel separator              */
	{0x200b, 0x200b, GONE},        /* zero width blank                       */
	{0x200e, 0x200f, GONE},        /* left-to-right mark, right-to-left mark */
	{0x2028, 0x2029, '\n'},        /* line, paragraph separator              */
	{0x202a, 0x202e, REPLACEMENT}, /* embeddings and overrides of direction  */
	{0x2060, 0x2065, GONE},        /* word joiner, invisible operators       */
	{0x2066, 0x2069, REPLACEMENT}, /* isolates of direction                  */
	{0x206a, 0x206f, GONE},        /* deprecated format characters           */
	{0x3164, 0x3164, GONE},        /* Hangul filler                          */
	{0xfeff, 0xfeff, GONE},        /* byte order mark                        */
	{0xfff0, 0xfffb, GONE},        /* interlinear annotation                 */
	{0xe0000, 0xe0fff, GONE},      /* tags                                   */
};

static gunichar harmless(gunichar c)
{
	if (c == '\n' || c == '\t')
		return c;
	if (c < 0x20)
		return 0x2400 + c; /* the picture of that control character */
	if (c == 0x7f)
		return 0x2421;
	for (size_t i = 0; i < G_N_ELEMENTS(ranges) && c >= ranges[i].from; i++) {
		if (c <= ranges[i].to)
			return ranges[i].as;
	}
	return c;
}

char *rs_clean_text(const char *text, gsize n)
{
	g_autofree char *valid = g_utf8_make_valid(text, (gssize)n);
	GString *out = g_string_sized_new(n);
	const char *at = valid;

	/* g_utf8_make_valid turns NUL into U+FFFD, so the result is one string. */
	while (*at) {
		gunichar c = g_utf8_get_char(at);

		at = rs_utf8_next(at);
		if (c == '\r') {
			at += *at == '\n';
			c = '\n';
		}
		c = harmless(c);
		if (c != GONE)
			g_string_append_unichar(out, c);
	}
	return g_string_free(out, FALSE);
}

char *rs_clean_line(const char *text)
{
	g_autofree char *clean = rs_clean_text(text, strlen(text));
	GString *out = g_string_sized_new(strlen(clean));
	bool blank = false;

	for (const char *at = clean; *at; at = rs_utf8_next(at)) {
		gunichar c = g_utf8_get_char(at);

		if (g_unichar_isspace(c)) {
			blank = out->len > 0;
			continue;
		}
		if (blank)
			g_string_append_c(out, ' ');
		blank = false;
		g_string_append_unichar(out, c);
	}
	return g_string_free(out, FALSE);
}

/* --- columns --------------------------------------------------------------------------------- */

guint rs_columns_of(gunichar c)
{
	if (g_unichar_iszerowidth(c))
		return 0;
	/* Pictures that terminals draw two columns wide although Unicode's table says "ambiguous". */
	if (g_unichar_iswide(c) || (c >= 0x1f300 && c <= 0x1faff))
		return 2;
	return 1;
}

guint rs_columns(const char *utf8)
{
	guint n = 0;

	for (const char *at = utf8; *at; at = rs_utf8_next(at))
		n += rs_columns_of(g_utf8_get_char(at));
	return n;
}

char *rs_columns_cut(const char *utf8, guint columns)
{
	const char *keep = utf8; /* up to here there is still room for "…" */
	guint n = 0;

	for (const char *at = utf8; *at; at = rs_utf8_next(at)) {
		n += rs_columns_of(g_utf8_get_char(at));
		if (n < columns)
			keep = rs_utf8_next(at);
		if (n > columns)
			return columns ? g_strdup_printf("%.*s…", (int)(keep - utf8), utf8)
				       : g_strdup("");
	}
	return g_strdup(utf8);
}

/* Quote marks at the start of a line: "> > ", octets. */
static gsize quote_n(const char *line)
{
	gsize n = 0;

	while (line[n] == '>' || (n && line[n] == ' ' && line[n + 1] == '>'))
		n++;
	return n && line[n] == ' ' ? n + 1 : n;
}

/* Octets of `text` (n of them, no line end) that fit into `columns`: up to a blank if there is
 * one, else to the end of the first word. */
static gsize fitting(const char *text, gsize n, guint columns)
{
	gsize blank = 0; /* place of the last blank behind a word that fits, 0 none */
	bool word = false;
	guint used = 0;

	for (gsize i = 0; i < n; i = (gsize)(rs_utf8_next(text + i) - text)) {
		if (text[i] == ' ' && word)
			blank = i;
		word = word || (text[i] != ' ' && text[i] != '\t');
		used += text[i] == '\t' ? TAB : rs_columns_of(g_utf8_get_char(text + i));
		if (used > columns && blank)
			return blank;
	}
	return n;
}

static void fold_line(GString *out, const char *line, gsize n, guint columns)
{
	gsize quote = MIN(quote_n(line), n);
	guint room = columns > quote + 20 ? columns - (guint)quote : 20;
	gsize at = quote;

	do {
		gsize part = fitting(line + at, n - at, room);

		g_string_append_len(out, line, (gssize)quote);
		g_string_append_len(out, line + at, (gssize)part);
		g_string_append_c(out, '\n');
		at += part;
		while (at < n && line[at] == ' ')
			at++;
	} while (at < n);
}

char *rs_columns_fold(const char *text, guint columns)
{
	GString *out = g_string_sized_new(strlen(text));

	for (const char *line = text; *line;) {
		gsize n = strcspn(line, "\n");

		fold_line(out, line, n, columns);
		line += n + (line[n] == '\n');
	}
	return g_string_free(out, FALSE);
}
