/* rules - what becomes of a new message, by its header: a folder, marks. A text file, one group a rule; the first rule all
 * of whose conditions hold is taken.
 *
 *   [the list]                 any name
 *   from = *@lists.example.org conditions: from, to (and Cc), subject, list-id: a pattern with * and ?, without
 *   subject = sale             them a part of the text; letters compare without case
 *   larger = 5M                or smaller
 *   folder = Lists/Sale        what to do: a folder below mail/; made when it is missing
 *   mark = seen, flagged
 *   delete = yes               the folder Trash
 *
 * Lines that begin with # or ; are comments. Thread: one owner. */
#ifndef RS_CLIENT_RULES_H
#define RS_CLIENT_RULES_H

#include <glib.h>

#include "base/err.h"

struct rs_rules;

struct rs_verdict {
	const char *folder; /* below mail/, borrowed from the rules; NULL: the inbox */
	bool seen;
	bool flagged;
};

#define RS_RULES_FILE_MAX (256u * 1024)
#define RS_RULES_MAX      1000u

/* -RS_ECONFIG: names file, line and what is wrong; -RS_ENOENT ... */
int rs_rules_load(const char *path, struct rs_rules **out, struct rs_err *err) RS_MUST_USE;
/* The same from memory; `name` stands for the file in errors. */
int rs_rules_parse(
	const char *text, const char *name, struct rs_rules **out, struct rs_err *err) RS_MUST_USE;
void rs_rules_free(struct rs_rules *r);

/* `head`: the beginning of the message, with its header; `size`: octets of the whole. */
struct rs_verdict rs_rules_apply(const struct rs_rules *r, const char *head, gsize n, guint64 size);

#endif
