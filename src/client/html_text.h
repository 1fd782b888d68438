/* html_text - HTML of a message as text that can be read in a terminal.
 * Does:     drops tags, scripts, styles and what is hidden; knows paragraphs, lists, quotes, table
 *           rows, pre; characters by name and number. Links become "words [1]" with a list of
 *           addresses at the end, so that one sees where a link leads. Nothing is ever fetched.
 * Returns:  owned UTF-8, lines end in LF, not folded; not cleaned: rs_clean_text is for its caller.
 * Errors:   none: every run of octets is some text.
 * Limits:   linear time; nesting of lists and quotes is drawn up to 8 deep. */
#ifndef RS_CLIENT_HTML_TEXT_H
#define RS_CLIENT_HTML_TEXT_H

#include <glib.h>

char *rs_html_text(const char *html, gsize n);

#endif
