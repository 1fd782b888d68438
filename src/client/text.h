/* text.h - words for people: _() marks them for translation and translates them. Data for other
 * programs (JSON, keys, logs) is never marked. */
#ifndef RS_CLIENT_TEXT_H
#define RS_CLIENT_TEXT_H

#include <libintl.h>

#define RS_TEXT_DOMAIN "restante"

#define _(text)          dgettext(RS_TEXT_DOMAIN, text)
#define N_(text)         text /* marked only; translate it where it is shown */
#define P_(one, many, n) dngettext(RS_TEXT_DOMAIN, one, many, n)

#endif
