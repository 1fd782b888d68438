/* template - a message as it is written in an editor: fields, an empty line, the text.
 *
 *   From: Anna <anna@example.org>
 *   To: bert@example.net,
 *    cara@example.net
 *   Subject: x
 *   Attach: ~/photo.jpg
 *
 *   Hello
 *
 * Lines of the head that begin with "#" are hints and are not read. Fields may stand in any order, be empty or missing;
 * addresses may stand in several To, Cc, Bcc. "Attach: @2 name" is the second of the attachments that the message had
 * before; one whose line is gone is gone. */
#ifndef RS_CLIENT_TEMPLATE_H
#define RS_CLIENT_TEMPLATE_H

#include "base/err.h"
#include "client/compose.h"

#define RS_TEMPLATE_MAX (16u * 1024 * 1024)

/* Owned. */
char *rs_template_print(const struct rs_draft *d);
/* What was typed, into the draft; what is no field of the template (references) stays. -RS_EINVAL names line, word and
 * cure; the draft is as it was. -RS_ELIMIT. `text` need not be UTF-8: Latin-1 is taken as such. */
int rs_template_parse(
	struct rs_draft *d, const char *text, gsize n, struct rs_err *err) RS_MUST_USE;

#endif
