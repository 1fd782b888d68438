/* digest - by what a message is known when its UID does not tell: SHA-256 over those header fields that
 * no server changes while it keeps a message. Pure.
 *
 * Fields: Message-ID, Date, From, To, Cc, Subject, and each Received, in the order they stand, names
 * in lower case, line ends and folding taken out. Without a Message-ID and without a Received field two
 * messages may well be alike in all of them, so there is no digest then: `known` is false. */
#ifndef RS_CLIENT_DIGEST_H
#define RS_CLIENT_DIGEST_H

#include <glib.h>

#include "base/base.h"

#define RS_DIGEST_N          16u
#define RS_DIGEST_HEADER_MAX 65536u /* so much of a header is looked at */

struct rs_digest {
	bool known;
	uint8_t octets[RS_DIGEST_N];
};

/* `head`: the beginning of the message; reading ends at the empty line. Any line ends. */
struct rs_digest rs_digest_of(const uint8_t *head, size_t n);
bool rs_digest_same(
	const struct rs_digest *a, const struct rs_digest *b); /* both known and equal */

#endif
