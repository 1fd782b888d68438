/* header - single header fields of a message, for people.
 * What comes out is decoded (RFC 2047, raw UTF-8, raw Latin-1), cleaned (clean.h), one line, owned
 * and never NULL unless said; no field is so broken that it fails. */
#ifndef RS_CLIENT_HEADER_H
#define RS_CLIENT_HEADER_H

#include <glib.h>

/* Call before anything of GMime; any number of times, from any thread. */
void rs_mime_init(void);

/* The first field `name` in the `n` octets of a header (it ends at the first empty line), unfolded,
 * not decoded. NULL: there is none. Octets behind a NUL in it are left out. */
char *rs_header_get(const char *head, gsize n, const char *name);

char *rs_header_text(const char *raw);
/* "Anna Schmidt <anna@example.org>, bert@example.net" */
char *rs_header_addresses(const char *raw);
/* The first of them: its name, or where there is none its address; `*address` (may be NULL) owned. */
char *rs_header_person(const char *raw, char **address);

/* Seconds since 1970; `otherwise` when `raw` is NULL, no date, or later than a day behind it. */
gint64 rs_header_date(const char *raw, gint64 otherwise);

/* Octets of charset `charset` (NULL: not told) as UTF-8. Unknown charsets and octets that are not
 * in it never fail: UTF-8 if it is that, else Windows-1252, else U+FFFD. Not cleaned. */
char *rs_charset_to_utf8(const char *octets, gsize n, const char *charset);

#endif
