/* message - one message, made readable: its headers, its text, the list of its parts.
 * Text is preferred over HTML; HTML becomes text (html_text.h) and nothing is fetched for it. All
 * text is cleaned (clean.h) and not folded. A message broken in any way is shown as far as it goes.
 * Parts are numbered from 1 as they stand in the message; a forwarded message is a part itself,
 * and its parts follow it.
 * Limits: RS_MESSAGE_TEXT_MAX octets of text, RS_MESSAGE_PARTS_MAX parts, 32 levels; what is
 * beyond is named, not shown. Attachments are never held in memory. */
#ifndef RS_CLIENT_MESSAGE_H
#define RS_CLIENT_MESSAGE_H

#include <glib.h>
#include <stdbool.h>

#include "base/err.h"

#define RS_MESSAGE_TEXT_MAX  (4u * 1024 * 1024)
#define RS_MESSAGE_PARTS_MAX 1000u

struct rs_part {
	guint number;
	char *type;       /* "image/png"                               */
	char *name;       /* file name as the sender gave it, cleaned; "" */
	guint64 size;     /* octets, decoded; of large parts near enough; 0: not known */
	bool shown;       /* its text is in rs_message.text            */
	bool alternative; /* another form of what is shown */
};

struct rs_message {
	char *from;      /* these are never NULL */
	char *from_name; /* of the first in it, or the address where there is none */
	char *from_address;
	char *to;
	char *cc;
	char *reply_to;
	char *subject;
	char *message_id;
	char *in_reply_to; /* as it stands in the header, unfolded, cleaned */
	char *references;
	gint64 date_s; /* 0: it has none */
	char *text;
	GPtrArray *parts; /* struct rs_part */
};

/* `fd` lent. -RS_EIO, -RS_ENOMEM only. */
int rs_message_read(int fd, struct rs_message **out, struct rs_err *err) RS_MUST_USE;
void rs_message_destroy(struct rs_message **m);

/* The same for the catalog: at most `text_max` octets of text, and no sizes of parts (attachments are not
 * decoded). */
int rs_message_skim(
	int fd, gsize text_max, struct rs_message **out, struct rs_err *err) RS_MUST_USE;

/* Write part `number`, decoded, to `to_fd`. -RS_ENOENT: it has no such part. */
int rs_message_part_save(int fd, guint number, int to_fd, struct rs_err *err) RS_MUST_USE;

#endif
