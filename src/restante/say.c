/* say.c - words of the program: to people, to programs (JSON), as exit status. */
#include "restante/restante.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/clean.h"

int rs_exit_of(int kind)
{
	static const enum rs_exit exits[] = {
		[RS_OK] = RS_EXIT_DONE,
		[RS_ENOMEM] = RS_EXIT_TEMP,
		[RS_EINVAL] = RS_EXIT_DATA,
		[RS_ELIMIT] = RS_EXIT_DATA,
		[RS_EBUSY] = RS_EXIT_TEMP,
		[RS_EPROTO] = RS_EXIT_PROTOCOL,
		[RS_ECLOSED] = RS_EXIT_UNAVAILABLE,
		[RS_EIO] = RS_EXIT_IO,
		[RS_ENOSPC] = RS_EXIT_IO,
		[RS_EROFS] = RS_EXIT_IO,
		[RS_EEXIST] = RS_EXIT_DATA,
		[RS_ENOENT] = RS_EXIT_NOTHING,
		[RS_EAUTH] = RS_EXIT_REFUSED,
		[RS_ECERT] = RS_EXIT_REFUSED,
		[RS_ETEMP] = RS_EXIT_TEMP,
		[RS_ELOCKED] = RS_EXIT_TEMP,
		[RS_ECORRUPT] = RS_EXIT_DATA,
		[RS_ECONFIG] = RS_EXIT_CONFIG,
		[RS_ENET] = RS_EXIT_UNAVAILABLE,
	};
	size_t at = (size_t)(kind < 0 ? -kind : kind);

	G_STATIC_ASSERT(G_N_ELEMENTS(exits) == RS_ENET + 1);
	return at < G_N_ELEMENTS(exits) ? (int)exits[at] : RS_EXIT_IO;
}

/* In the encoding of the terminal; what it does not have becomes "?". */
static void put(FILE *to, const char *utf8)
{
	g_autofree char *local = NULL;
	const char *charset;

	if (!g_get_charset(&charset))
		local = g_convert_with_fallback(utf8, -1, charset, "UTF-8", "?", NULL, NULL, NULL);
	(void)fputs(local ? local : utf8, to);
}

void rs_say(const char *fmt, ...)
{
	g_autofree char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	put(stdout, text);
}

void rs_flush(void)
{
	(void)fflush(stdout);
}

void rs_complain(const char *fmt, ...)
{
	g_autofree char *text = NULL;
	g_autofree char *clean = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	clean = rs_clean_line(text);
	(void)fflush(stdout);
	put(stderr, "restante: ");
	put(stderr, clean);
	put(stderr, "\n");
}

int rs_fail(const struct rs_err *err)
{
	rs_complain("%s", err->text);
	return rs_exit_of((int)err->kind);
}

bool rs_is_terminal(int fd)
{
	return isatty(fd) == 1;
}

guint rs_terminal(guint *rows)
{
	struct winsize size = {0};
	bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20;

	if (rows)
		*rows = known && size.ws_row >= 5 ? size.ws_row : 24;
	return known ? size.ws_col : 80;
}

void rs_json_str(GString *out, const char *text)
{
	g_autofree char *valid = NULL;

	if (!text) {
		g_string_append(out, "null");
		return;
	}
	valid = g_utf8_make_valid(text, -1);
	g_string_append_c(out, '"');
	for (const char *c = valid; *c; c++) {
		if (*c == '"' || *c == '\\')
			g_string_append_printf(out, "\\%c", *c);
		else if ((unsigned char)*c < 0x20 || *c == 0x7f)
			g_string_append_printf(out, "\\u%04x", (unsigned)*c);
		else
			g_string_append_c(out, *c);
	}
	g_string_append_c(out, '"');
}

void rs_json_key(GString *out, const char *key)
{
	if (out->len && out->str[out->len - 1] != '{')
		g_string_append_c(out, ',');
	rs_json_str(out, key);
	g_string_append_c(out, ':');
}
