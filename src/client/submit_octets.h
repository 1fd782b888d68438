/* submit_octets - a message as it leaves: Bcc is nobody's business, and what the envelope must announce of it.
 * The header is held in memory (RS_SUBMIT_HEAD_MAX), the body never. */
#ifndef RS_CLIENT_SUBMIT_OCTETS_H
#define RS_CLIENT_SUBMIT_OCTETS_H

#include <glib.h>

#include "base/err.h"

#define RS_SUBMIT_HEAD_MAX (1024u * 1024)

struct rs_octets {
	GString *head; /* header with its empty line, without Bcc and Resent-Bcc */
	guint64 body_at;
	guint64 wire;   /* octets with CRLF line ends       */
	bool eight_bit; /* somewhere an octet above 127     */
	bool utf8_head; /* in the header: needs SMTPUTF8    */
};

/* `fd` lent. -RS_EIO; -RS_EINVAL: a header without end. */
int rs_octets_look(int fd, struct rs_octets *out, struct rs_err *err) RS_MUST_USE;
void rs_octets_finish(struct rs_octets *o);

/* The header `head` without the fields `names` (ended by NULL), any case, folded lines too. */
GString *rs_head_without(const char *head, gsize n, const char *const *names);
/* Octets of the header with its empty line; n when it does not end in them. */
gsize rs_head_n(const char *octets, gsize n);

#endif
