/* clean - text of strangers made fit for a terminal or a window.
 * Does:     invalid UTF-8 becomes U+FFFD; control characters become visible ones (ESC is U+241B);
 *           what turns the direction of writing around becomes U+FFFD; what is invisible goes.
 * Returns:  owned, valid UTF-8. Nothing a sender or a server wrote reaches a terminal otherwise.
 * Source:   ECMA-48 (C0, C1), UAX 9 section 2, UTR 36 section 2.5. */
#ifndef RS_CLIENT_CLEAN_H
#define RS_CLIENT_CLEAN_H

#include <glib.h>

/* The next character of valid UTF-8; GLib's macro drops the const. */
static inline const char *rs_utf8_next(const char *at)
{
	return at + g_utf8_skip[*(const guchar *)at];
}

/* One line: each run of blanks, tabs and line ends becomes one blank, none at the ends. */
char *rs_clean_line(const char *text);

/* Lines end in LF (CRLF, lone CR, U+2028 too); tabs stay. `n` octets; NUL is a control character. */
char *rs_clean_text(const char *text, gsize n);

/* --- columns of a terminal ------------------------------------------------------------------- */

/* 0, 1 or 2. */
guint rs_columns_of(gunichar c);
guint rs_columns(const char *utf8);

/* Cut to at most `columns`, the last of them "…" when something was cut. */
char *rs_columns_cut(const char *utf8, guint columns);

/* Fold lines longer than `columns` at blanks; words that are longer stay whole (an address on the
 * web must stay one). Quoted lines ("> ") are folded with their marks. */
char *rs_columns_fold(const char *text, guint columns);

#endif
