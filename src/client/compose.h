/* compose - a message while it is written, and the message that becomes of it.
 * What a person types stays text here (UTF-8, fields as they are typed); rs_draft_build makes the MIME of it with GMime:
 * text/plain in UTF-8 and format=flowed (RFC 3676), RFC 2047 and 2231 where needed, 7-bit lines whatever was typed,
 * attachments in base64 with a type found by name and content; a forwarded message as it was.
 * Bcc stands in the built message, because it is our copy too; what leaves has none (submit_octets.h). */
#ifndef RS_CLIENT_COMPOSE_H
#define RS_CLIENT_COMPOSE_H

#include <glib.h>
#include <stdbool.h>

#include "base/err.h"
#include "client/account.h"
#include "client/envelope.h"

#define RS_ATTACHMENTS_MAX 1000u

/* A file by its path, or octets that are held (of a message that is forwarded). */
struct rs_attachment {
	char *path; /* NULL: held                          */
	int fd;     /* of held ones, the attachment's; -1  */
	char *name; /* as the recipient sees it            */
	char *type; /* of held ones; NULL: to be found out */
};

struct rs_draft {
	char *account; /* its name: who sends; From may choose another one */
	char *from;    /* these are never NULL */
	char *to;
	char *cc;
	char *bcc;
	char *reply_to;
	char *subject;
	char *text;
	char *in_reply_to;      /* NULL: answers nothing; with brackets */
	char *references;       /* … or NULL */
	GPtrArray *attachments; /* struct rs_attachment */
};

struct rs_draft *rs_draft_new(const struct rs_account *a); /* From and signature of the account */
void rs_draft_free(struct rs_draft *d);
void rs_attachment_free(void *attachment);
/* -RS_ENOENT, -RS_EINVAL: not a file that can be read; -RS_ELIMIT. "~/" is the home folder. */
int rs_draft_attach(struct rs_draft *d, const char *path, struct rs_err *err) RS_MUST_USE;
/* Owned, never NULL fields. */
void rs_draft_set(char **field, const char *text);

/* --- of another message ---------------------------------------------------------------------- */

enum rs_answer { RS_REPLY, RS_REPLY_ALL, RS_REPLY_LIST, RS_FORWARD, RS_FORWARD_ATTACHED };

struct rs_answer_how {
	const GPtrArray *accounts;
	const struct rs_account *account; /* NULL: whose address the message was sent to */
	const char *folder_account; /* else the account of this name (the inbox it lies in); NULL */
	enum rs_answer kind;
};

/* To whom: Reply-To, else From; with _ALL also To and Cc of it, Mail-Followup-To where there is one; with _LIST
 * List-Post (-RS_ENOENT: it is of no list). Never ourselves, unless there is nobody else; an answer to our own
 * message goes to whom that went. `fd` lent: the message. -RS_ECONFIG: there is no account. */
int rs_draft_answer(const struct rs_answer_how *how, int fd, struct rs_draft **out,
	struct rs_err *err) RS_MUST_USE;

/* --- pieces of it, pure; for tests and windows ------------------------------------------------ */

/* "Re: " once, whatever the languages of those in front of it; `mark` "Re" or "Fwd". */
char *rs_subject_answer(const char *subject, const char *mark);
/* Each line behind "> ", deeper quotes as ">> "; without the signature. */
char *rs_quote(const char *text);
/* The thread so far and this message; the first and the last 20 where it is longer. NULL: neither. */
char *rs_references(const char *references, const char *in_reply_to, const char *message_id);

/* --- what becomes of it ------------------------------------------------------------------------ */

/* *fd: the message with LF line ends in a file without a name, the caller's. *out: its envelope, owned; NULL where
 * `out` is NULL: then nobody must be named yet (a draft). -RS_EINVAL names the field and what is wrong with it. */
int rs_draft_build(const struct rs_draft *d, const GPtrArray *accounts, int *fd,
	struct rs_envelope **out, struct rs_err *err) RS_MUST_USE;

/* Durable in mail/Drafts. *unique owned; give it again to replace that one (the new one is there before the old one
 * goes). */
int rs_draft_save(const struct rs_places *p, int fd, char **unique, struct rs_err *err) RS_MUST_USE;
/* It has become a message, or nothing. */
void rs_draft_forget(const struct rs_places *p, const char *unique);

#endif
