/* flowed.c - see flowed.h */
#include "client/flowed.h"

#include <glib.h>
#include <string.h>

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
