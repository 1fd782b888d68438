/* writing - a draft in the person's editor, and what is to become of it: send, edit again, keep as a draft, discard. */
#ifndef RS_RESTANTE_WRITING_H
#define RS_RESTANTE_WRITING_H

#include "client/compose.h"
#include "restante/sending.h"

/* Options that compose, reply and forward have in common, as they were given. */
struct rs_writing {
	char *account;
	char **to;
	char **cc;
	char **bcc;
	char **attach;
	char *subject;
	char *body_file; /* "-": standard input */
	gboolean send;   /* without a question */
	/* Not options. */
	void (*sent)(void *arg); /* it has gone, or is in the outbox; NULL */
	void *arg;
};

/* Entries for rs_options, G_N_ELEMENTS(…) with the end. Static. */
const GOptionEntry *rs_writing_options(struct rs_writing *w);

/* The account of --account; 0, or an exit status with the reason said. *out NULL where none was given. */
int rs_writing_account(
	const struct rs_writing *w, const GPtrArray *accounts, const struct rs_account **out);

/* Everything from here on; `d` is taken. The exit status. */
int rs_writing_do(struct rs_writing *w, struct rs_sending *s, struct rs_draft *d);

#endif
