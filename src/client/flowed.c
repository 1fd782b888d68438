/* flowed.c - see flowed.h */
#include "client/flowed.h"

#include <glib.h>
#include <string.h>

#include "client/clean.h"

struct flowed_line {
	gsize quotes;     /* marks in front       */
	const char *text; /* behind marks and stuffing */
	gsize n;
	bool soft; /* the paragraph goes on in the next line */
};

static struct flowed_line line_parse(const char *line, gsize n)
{
	struct flowed_line l = {.text = line, .n = n};

	while (l.n && l.text[l.n - 1] == '\r')
		l.n--;
	while (l.quotes < l.n && l.text[l.quotes] == '>')
		l.quotes++;
	l.text += l.quotes;
	l.n -= l.quotes;
	if (l.n && l.text[0] == ' ') {
		l.text++;
		l.n--;
	}
	l.soft = l.n && l.text[l.n - 1] == ' ' && !(l.n == 3 && memcmp(l.text, "-- ", 3) == 0);
	return l;
}

char *rs_flowed_text(const char *text, bool delsp)
{
	GString *out = g_string_sized_new(strlen(text));
	struct flowed_line before = {0};

	while (*text) {
		gsize n = strcspn(text, "\n");
		struct flowed_line l = line_parse(text, n);
		bool joined = before.soft && before.quotes == l.quotes;

		/* A signature, or another depth of quotes, ends a paragraph that was not ended. */
		if (l.n == 3 && memcmp(l.text, "-- ", 3) == 0)
			joined = false;
		if (before.soft && !joined)
			g_string_append_c(out, '\n');
		for (gsize i = 0; !joined && i < l.quotes; i++)
			g_string_append_c(out, '>');
		if (!joined && l.quotes)
			g_string_append_c(out, ' ');
		g_string_append_len(out, l.text, (gssize)(l.n - (l.soft && delsp)));
		if (!l.soft)
			g_string_append_c(out, '\n');
		before = l;
		text += n + (text[n] == '\n');
	}
	if (before.soft)
		g_string_append_c(out, '\n');
	return g_string_free(out, FALSE);
}

/* --- making it ------------------------------------------------------------------------------- */

#define FLOWED_COLUMNS 72u

/* Octets of `text` that stand in the next line: up to the last blank that fits, else the whole word. */
static gsize fitting(const char *text, gsize n, guint columns)
{
	guint used = 0;
	gsize best = 0;

	for (const char *c = text; c < text + n; c = rs_utf8_next(c)) {
		used += rs_columns_of(g_utf8_get_char(c));
		if (*c == ' ')
			best = (gsize)(c - text) + 1;
		if (used > columns && best)
			return best;
	}
	return n;
}

static void line_make(const char *line, gsize n, GString *out)
{
	struct flowed_line l = {.text = line, .n = n};
	bool signature = n == 3 && memcmp(line, "-- ", 3) == 0;

	while (l.quotes < l.n && l.text[l.quotes] == '>')
		l.quotes++;
	l.text += l.quotes;
	l.n -= l.quotes;
	if (l.quotes && l.n && l.text[0] == ' ') { /* the one behind the marks is ours */
		l.text++;
		l.n--;
	}
	while (!signature && l.n && l.text[l.n - 1] == ' ')
		l.n--;
	do {
		gsize k = fitting(l.text, l.n, FLOWED_COLUMNS - (guint)MIN(l.quotes + 1, 40));
		bool stuffed = l.quotes || (k && (l.text[0] == ' ' || l.text[0] == '>')) ||
			       (k >= 5 && memcmp(l.text, "From ", 5) == 0);

		for (gsize i = 0; i < l.quotes; i++)
			g_string_append_c(out, '>');
		if (stuffed && (k || !l.quotes))
			g_string_append_c(out, ' ');
		g_string_append_len(out, l.text, (gssize)k);
		g_string_append_c(out, '\n');
		l.text += k;
		l.n -= k;
	} while (l.n);
}

char *rs_flowed_make(const char *text)
{
	GString *out = g_string_sized_new(strlen(text) + 64);

	while (*text) {
		gsize n = strcspn(text, "\n");

		line_make(text, n, out);
		text += n + (text[n] == '\n');
	}
	return g_string_free(out, FALSE);
}
