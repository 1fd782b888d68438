/* import_mbox - an mbox taken apart as its octets come: pure, holds no more than the beginning of one line.
 *
 * A message begins at a line "From " that looks like a separator (a time hh:mm and a year in it), at the beginning or
 * behind an empty line; that empty line belongs to the separator. Content-Length is not believed. ">From " loses its
 * ">"; with mboxrd so does ">>From ". CRLF becomes LF. Fields that only say how it lay in that mbox (Status, X-Status,
 * X-Mozilla-Status, -Status2, -Keys) are taken out and become flags. RFC 4155. */
#ifndef RS_CLIENT_IMPORT_MBOX_H
#define RS_CLIENT_IMPORT_MBOX_H

#include <glib.h>

#include "base/base.h"

#define RS_MBOX_SEEN     0x01u
#define RS_MBOX_ANSWERED 0x02u
#define RS_MBOX_FLAGGED  0x04u
#define RS_MBOX_DRAFT    0x08u
#define RS_MBOX_PASSED   0x10u
#define RS_MBOX_DELETED  0x20u /* marked as deleted, and still there (Mozilla: not compacted yet) */

/* Not 0 from one of them ends it: feed gives the same. */
struct rs_mbox_sink {
	int (*begin)(void *arg);
	int (*octets)(void *arg, const char *p, size_t n);
	int (*end)(void *arg, unsigned flags); /* RS_MBOX_* */
	void *arg;
};

struct rs_mbox;

enum rs_mbox_form {
	RS_MBOX_RD,
	RS_MBOX_O,
	RS_MBOX_SINGLE /* one message, as a file of a Maildir: only the fields of Mozilla are taken out */
};

struct rs_mbox *rs_mbox_new(
	enum rs_mbox_form form, const struct rs_mbox_sink *sink); /* `sink` is copied */
void rs_mbox_free(struct rs_mbox *m);
/* 0; -RS_EINVAL: it does not begin like an mbox. */
int rs_mbox_feed(struct rs_mbox *m, const char *p, size_t n) RS_MUST_USE;
int rs_mbox_end(struct rs_mbox *m) RS_MUST_USE; /* the file has ended */

#endif
