/* script.c - see script.h */
#include "tests/script/script.h"

#include <string.h>

#include "base/num.h"

static const char *login_user = "a";
static const char *login_password = "b";

void script_set_login(const char *user, const char *password)
{
	login_user = user;
	login_password = password;
}

gboolean script_line_fits(struct rs_slice got, const GString *want)
{
	if (g_str_has_suffix(want->str, "*\r\n"))
		return got.n >= want->len - 3 && memcmp(got.p, want->str, want->len - 3) == 0;
	return got.n == want->len && memcmp(got.p, want->str, got.n) == 0;
}

gboolean script_any(const GString *want)
{
	return strcmp(want->str, "%ANY%\r\n") == 0;
}

gboolean script_word(const char *text, const char *word, const char **rest)
{
	size_t n = strlen(word);

	if (strncmp(text, word, n) != 0 || (text[n] && text[n] != ' '))
		return FALSE;
	*rest = text[n] ? text + n + 1 : text + n;
	return TRUE;
}

static gint hex2(const char *p)
{
	gint a = g_ascii_xdigit_value(p[0]);
	gint b = a < 0 ? -1 : g_ascii_xdigit_value(p[1]);

	return b < 0 ? -1 : a * 16 + b;
}

/* "%REPEAT n X%" at p: append n times X; returns what follows, or NULL. */
static const char *repeat(const char *p, GString *out)
{
	static const char word[] = "%REPEAT ";
	const char *blank;
	const char *end;
	guint32 n;

	if (strncmp(p, word, strlen(word)) != 0)
		return NULL;
	p += strlen(word);
	blank = strchr(p, ' ');
	end = blank ? strchr(blank, '%') : NULL;
	if (!end || rs_num_u32(rs_slice(p, (size_t)(blank - p)), 1000000, &n) < 0)
		return NULL;
	for (guint32 i = 0; i < n; i++)
		g_string_append_len(out, blank + 1, end - blank - 1);
	return end + 1;
}

/* "%USER%" or "%PASS%" at p: append it; returns what follows, or NULL. */
static const char *variable(const char *p, GString *out)
{
	if (g_str_has_prefix(p, "%USER%"))
		g_string_append(out, login_user);
	else if (g_str_has_prefix(p, "%PASS%"))
		g_string_append(out, login_password);
	else
		return NULL;
	return p + strlen("%USER%");
}

GString *script_unescape(const char *p)
{
	static const char from[] = "rnt0\\";
	static const char to[] = "\r\n\t\0\\";
	GString *out = g_string_new(NULL);
	const char *next;

	while (*p) {
		const char *known = p[0] == '\\' && p[1] ? strchr(from, p[1]) : NULL;

		if (*p == '%' && ((next = repeat(p, out)) || (next = variable(p, out)))) {
			p = next;
		} else if (known) {
			g_string_append_c(out, to[known - from]);
			p += 2;
		} else if (p[0] == '\\' && p[1] == 'x' && hex2(p + 2) >= 0) {
			g_string_append_c(out, (char)hex2(p + 2));
			p += 4;
		} else {
			g_string_append_c(out, *p++);
		}
	}
	return out;
}

void script_escape(GString *to, struct rs_slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] >= 0x20 && s.p[i] < 0x7f && s.p[i] != '\\')
			g_string_append_c(to, (char)s.p[i]);
		else
			g_string_append_printf(to, "\\x%02x", s.p[i]);
	}
}

/* --- reading ------------------------------------------------------------------------------- */

static void gstring_free(gpointer p)
{
	g_string_free(p, TRUE);
}

static void event_clear(gpointer p)
{
	struct script_event *e = p;

	g_free(e->text);
	g_ptr_array_unref(e->acts);
}

static GString *wire(const char *text)
{
	size_t n = strlen(text);
	gboolean bare = g_str_has_suffix(text, "\\c");
	g_autofree char *body = g_strndup(text, bare ? n - 2 : n);
	GString *line = script_unescape(body);

	return bare ? line : g_string_append(line, "\r\n");
}

static void event_add(struct script *s, const char *text)
{
	struct script_event e = {
		.text = g_strdup(text), .acts = g_ptr_array_new_with_free_func(g_free)};

	g_array_append_val(s->events, e);
}

static void turn_clear(gpointer p)
{
	g_string_free(((struct script_turn *)p)->text, TRUE);
}

static void turn_add(struct script *s, char kind, guint line, const GString *text)
{
	struct script_turn t = {
		.kind = kind, .line = line, .text = g_string_new_len(text->str, (gssize)text->len)};

	g_array_append_val(s->turns, t);
}

static gboolean act_add(struct script *s, const char *text)
{
	struct script_event *e;

	if (s->events->len == 0)
		return FALSE;
	e = &g_array_index(s->events, struct script_event, s->events->len - 1);
	g_ptr_array_add(e->acts, g_strdup(text));
	if (strcmp(text, "tls") == 0)
		g_ptr_array_add(s->segments, g_string_new(NULL));
	return TRUE;
}

static void setting(struct script *s, const char *text)
{
	const char *blank = strchr(text, ' ');
	char *key = blank ? g_strndup(text, (gsize)(blank - text)) : g_strdup(text);

	s->whole |= strcmp(key, "whole") == 0;
	if (strcmp(key, "engine") == 0) {
		g_free(s->engine);
		s->engine = g_strdup(blank ? blank + 1 : "");
	}
	g_hash_table_replace(s->settings, key, g_strdup(blank ? blank + 1 : ""));
}

static gboolean line_add(struct script *s, const char *line, guint number)
{
	g_autoptr(GString) w = NULL;
	gboolean client = s->engine && g_str_has_suffix(s->engine, "c");
	gboolean from_client = line[0] == 'C';
	const char *text = line[0] && line[1] == ':' ? line + (line[2] == ' ' ? 3 : 2) : NULL;

	if (!*line || *line == '#')
		return TRUE;
	if (*line == '@') {
		setting(s, line + 1);
		return TRUE;
	}
	if (!text || !strchr("CSEA", line[0]))
		return FALSE;
	w = wire(text);
	if (strchr("CS", line[0]))
		turn_add(s, line[0], number, w);
	else if (strcmp(line, "A: tls") == 0)
		turn_add(s, 'T', number, w);
	if (line[0] == 'E') {
		event_add(s, text);
	} else if (line[0] == 'A') {
		return act_add(s, text);
	} else if (from_client != client) {
		g_string_append_len(g_ptr_array_index(s->segments, s->segments->len - 1), w->str,
			(gssize)w->len);
	} else {
		g_ptr_array_add(s->output, g_steal_pointer(&w));
	}
	return TRUE;
}

struct script *script_read(const char *file, char **why)
{
	struct script *s = g_new0(struct script, 1);
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	s->settings = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	s->segments = g_ptr_array_new_with_free_func(gstring_free);
	s->output = g_ptr_array_new_with_free_func(gstring_free);
	s->events = g_array_new(FALSE, FALSE, sizeof(struct script_event));
	g_array_set_clear_func(s->events, event_clear);
	s->turns = g_array_new(FALSE, FALSE, sizeof(struct script_turn));
	g_array_set_clear_func(s->turns, turn_clear);
	g_ptr_array_add(s->segments, g_string_new(NULL));
	*why = NULL;
	if (!g_file_get_contents(file, &text, NULL, NULL))
		*why = g_strdup("cannot be read");
	lines = g_strsplit(text ? text : "", "\n", -1);
	for (guint i = 0; lines[i] && !*why; i++) {
		if (!line_add(s, lines[i], i + 1))
			*why = g_strdup_printf(
				"line %u is not of a transcript: %s", i + 1, lines[i]);
	}
	if (!*why && !s->engine)
		*why = g_strdup("@engine is missing");
	if (!*why)
		return s;
	script_free(s);
	return NULL;
}

void script_free(struct script *s)
{
	g_free(s->engine);
	g_hash_table_unref(s->settings);
	g_ptr_array_unref(s->segments);
	g_ptr_array_unref(s->output);
	g_array_unref(s->events);
	g_array_unref(s->turns);
	g_free(s);
}
