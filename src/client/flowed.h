/* flowed - text with format=flowed joined to paragraphs again, to be folded at any width.
 * Source: RFC 3676 sections 4.1 to 4.5: soft line ends, stuffed blanks, quotes, "-- ", delsp. */
#ifndef RS_CLIENT_FLOWED_H
#define RS_CLIENT_FLOWED_H

#include <stdbool.h>

/* Owned. Quoted lines begin with their marks and one blank. */
char *rs_flowed_text(const char *text, bool delsp);

#endif
