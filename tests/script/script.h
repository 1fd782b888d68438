/* script.h - transcripts: reading them, and the seam to the engines. See README.md beside this. */
#ifndef RS_TESTS_SCRIPT_H
#define RS_TESTS_SCRIPT_H

#include <glib.h>

#include "base/slice.h"
#include "proto/pop3.h"

struct script_event {
	char *text;      /* expected, perhaps ending in "*" */
	GPtrArray *acts; /* char * */
};

/* What is said, in order, for a replay against a live server. */
struct script_turn {
	char kind;     /* 'C', 'S', or 'T': the handshake */
	guint line;    /* of the file */
	GString *text; /* borrowed from nobody: owned */
};

struct script {
	char *engine;
	GHashTable *settings; /* "flags" -> text … */
	gboolean whole;
	GPtrArray *segments; /* GString *: input, cut where the owner starts TLS */
	GPtrArray *output; /* GString *: expected lines with their CRLF; one may end in "*" CRLF */
	GArray *events;    /* struct script_event */
	GArray *turns;     /* struct script_turn */
};

struct script *script_read(const char *file, char **why); /* NULL: *why */
void script_free(struct script *s);

/* One engine under test. `log` is one line an event: text. */
struct driver {
	const char *name;
	gboolean client; /* S: is the input */
	void *(*create)(const struct script *s);
	void (*destroy)(void *d);
	enum rs_step (*recv)(void *d, const guint8 *in, gsize n, gsize *used, GString *event);
	/* TRUE: done. FALSE: not now (no room); asked again after output was drained. */
	gboolean (*act)(void *d, const char *what, gsize held);
	struct rs_slice (*out)(void *d);
	void (*sent)(void *d, gsize n);
};

extern const struct driver drive_pop3s;
extern const struct driver drive_pop3c;
extern const struct driver drive_lmtps;
extern const struct driver drive_sasls;
extern const struct driver drive_smtpc;

/* %USER% and %PASS% of transcripts; "a" and "b" until they are set. Lent. */
void script_set_login(const char *user, const char *password);

/* Does a line with its CRLF fit what is expected, which may end in "*" CRLF? */
gboolean script_line_fits(struct rs_slice got, const GString *want);
/* Is it %ANY%: any number of lines? */
gboolean script_any(const GString *want);

/* "login ok" begins with "login"? *rest is what follows. */
gboolean script_word(const char *text, const char *word, const char **rest);
/* Text with its escapes resolved; g_string_free it. */
GString *script_unescape(const char *text);
/* Append `s` with everything but printable ASCII escaped. */
void script_escape(GString *to, struct rs_slice s);

#endif
