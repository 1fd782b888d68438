/* admin_ask - one question to the running service over its socket (server/admin_req.h). */
#ifndef RS_RESTANTED_ADMIN_ASK_H
#define RS_RESTANTED_ADMIN_ASK_H

#include <glib.h>

#include "server/admin_req.h"
#include "server/conf.h"

struct admin_question {
	enum rs_admin_do what;
	const char *field;   /* of the request, filled from the one argument; NULL: no argument */
	const char *summary; /* for --help */
	const GOptionEntry *more; /* options of its own, or NULL */
	/* set by admin_ask */
	struct rs_conf *conf; /* owned; NULL: not read */
	char *asked;          /* owned: the argument, or NULL */
	gboolean json;
};

/* Options, conversation, and the answer told. Returns the exit status. */
int admin_ask(struct admin_question *q, int argc, char **argv);
void admin_question_finish(struct admin_question *q);

#endif
