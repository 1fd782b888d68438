/* import_ini.c - files of other programs with [sections]. Not GKeyFile: it takes neither "KEY: VALUE" nor values that
 * go on in the next line, and refuses a whole file for one bad line. Pure. */
#include "client/import_priv.h"

#include <string.h>

#define VALUE_MAX 65536u /* of one that goes on over many lines */

static void section_free(gpointer p)
{
	struct import_section *s = p;

	g_free(s->name);
	g_hash_table_unref(s->values);
	g_free(s);
}

static struct import_section *section_add(struct import_ini *ini, const char *name, gsize n)
{
	struct import_section *s = g_new0(struct import_section, 1);

	s->name = g_strstrip(g_strndup(name, n));
	s->values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, import_value_free);
	g_ptr_array_add(ini->sections, s);
	return s;
}

/* The value of `key` goes on with `more`. */
static void go_on(struct import_section *s, const char *key, const char *more)
{
	const char *before = g_hash_table_lookup(s->values, key);

	if (before && strlen(before) > VALUE_MAX)
		return;
	g_hash_table_replace(
		s->values, g_strdup(key), g_strconcat(before ? before : "", "\n", more, NULL));
}

static char *key_take(struct import_section *s, char *line, bool colon)
{
	char *sign = line + strcspn(line, colon ? "=:" : "=");
	char *key;

	if (!*sign || sign == line)
		return NULL;
	key = g_ascii_strdown(line, sign - line);
	g_strchomp(key);
	g_hash_table_replace(s->values, g_strdup(key), g_strstrip(g_strdup(sign + 1)));
	return key;
}

struct import_ini *import_ini_parse(const char *text, bool colon)
{
	struct import_ini *ini = g_new0(struct import_ini, 1);
	struct import_section *s = NULL;
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	g_autofree char *key = NULL;

	ini->sections = g_ptr_array_new_with_free_func(section_free);
	for (char **line = lines; *line; line++) {
		bool indented = **line == ' ' || **line == '\t';
		char *end;

		g_strstrip(*line);
		end = strrchr(*line, ']');
		if (!**line || **line == '#' || **line == ';')
			continue;
		if (indented && colon && key && s) {
			go_on(s, key, *line);
		} else if (**line == '[' && end) {
			s = section_add(ini, *line + 1, (gsize)(end - *line - 1));
			g_clear_pointer(&key, g_free);
		} else if (s) {
			g_free(key);
			key = key_take(s, *line, colon);
		}
	}
	return ini;
}

void import_ini_free(struct import_ini *ini)
{
	g_ptr_array_unref(ini->sections);
	g_free(ini);
}

const char *import_ini_get(const struct import_section *s, const char *key)
{
	return s ? g_hash_table_lookup(s->values, key) : NULL;
}

bool import_ini_true(const struct import_section *s, const char *key, bool standard)
{
	static const char *const yes[] = {"1", "true", "yes", "on"};
	const char *value = import_ini_get(s, key);

	if (!value || !*value)
		return standard;
	for (size_t i = 0; i < G_N_ELEMENTS(yes); i++) {
		if (g_ascii_strcasecmp(value, yes[i]) == 0)
			return true;
	}
	return false;
}
