/* utf8 - is it UTF-8? RFC 3629: shortest form, no surrogates, up to U+10FFFF. */
#ifndef RS_BASE_UTF8_H
#define RS_BASE_UTF8_H

#include "base/slice.h"

bool rs_utf8_valid(struct rs_slice s);
bool rs_ascii_only(struct rs_slice s); /* every octet below 0x80 */

#endif
