/* connect - a transcript against a server that runs, of whatever make: see README.md, "Against a live server". */
#ifndef RS_TESTS_SCRIPT_CONNECT_H
#define RS_TESTS_SCRIPT_CONNECT_H

#include "tests/script/script.h"

struct connect_to {
	char *address; /* HOST:PORT */
	gboolean tls;  /* from the first octet */
	gint seconds;  /* an answer may take */
};

/* NULL: as the transcript says; else what was wrong, g_free it. */
char *connect_run(const struct script *s, const struct connect_to *to);

#endif
