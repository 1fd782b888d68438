/* uidlist - what is remembered of messages whose names do not tell it: file restante.uidl.
 *   "restante-uidl 1" LF, then a line a message, in order:
 *     wire octets, blank, file octets, blank, UID or "-", blank, octets of the name, blank, base name, LF
 *   where a message has UTF-8 in its header the first is wire octets, "/", octets when downgraded (0: cannot be)
 *   then "end " count LF.
 * Messages delivered by us have all of it in their names and need no line. "-" means the UID that
 * follows from the name; a UID given was imported and counts more than the name, as does the order of
 * the lines that have one. Where the UID is the digest of the base name it was not imported: another message
 * has, or had, the UID that follows from the name, and this one keeps its own for ever, in its place by name. A file that is not whole is as good as none: sizes are worked out anew.
 * UIDs are written durably and replaced atomically, so only a broken disk loses them. */
#ifndef RS_MAILDIR_UIDLIST_H
#define RS_MAILDIR_UIDLIST_H

#include <glib.h>

#include "maildir/folder.h"

#define RS_UIDLIST_NAME "restante.uidl"

struct rs_uidlist_row {
	struct rs_slice base; /* borrowed from the list */
	struct rs_slice uid;  /* n == 0: follows from the name */
	uint64_t wire;
	uint64_t size;
	uint64_t ascii; /* UINT64_MAX: the same as wire; 0: there is no downgraded form */
	uint32_t order; /* number of the line */
	bool used;      /* the scan has met it */
};

struct rs_uidlist {
	char *text;          /* the file; rows point into it */
	GArray *rows;        /* struct rs_uidlist_row */
	GHashTable *by_base; /* struct rs_slice * -> row number + 1 */
	bool imported;       /* at least one row has a UID */
};

/* Any octets may come in. `text` is taken (g_free). Never fails: what is not whole gives no rows. */
void rs_uidlist_parse(struct rs_uidlist *l, char *text, size_t n);
void rs_uidlist_load(struct rs_uidlist *l, const struct rs_maildir *m);
void rs_uidlist_finish(struct rs_uidlist *l);
struct rs_uidlist_row *rs_uidlist_find(const struct rs_uidlist *l, struct rs_slice base);

void rs_uidlist_text_begin(GString *text);
void rs_uidlist_text_row(GString *text, const struct rs_uidlist_row *row);
void rs_uidlist_text_end(GString *text, guint count);

#endif
