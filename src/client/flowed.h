/* flowed - text with format=flowed joined to paragraphs again, to be folded at any width.
 * Source: RFC 3676 sections 4.1 to 4.5: soft line ends, stuffed blanks, quotes, "-- ", delsp. */
#ifndef RS_CLIENT_FLOWED_H
#define RS_CLIENT_FLOWED_H

#include <stdbool.h>

/* Owned. Quoted lines begin with their marks and one blank. */
char *rs_flowed_text(const char *text, bool delsp);

/* The other way: lines longer than 72 columns are folded with soft ends, quotes with their marks; lines that must be are stuffed;
 * blanks at the ends of lines go, but those of "-- ". Owned; rs_flowed_text gives the text again. */
char *rs_flowed_make(const char *text);

#endif
