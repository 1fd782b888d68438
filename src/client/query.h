/* query - what a person types to find mail, read into a tree, and the tree as SQL over the catalog.
 *
 *   words            all of them, anywhere: subject, people, text, names of attachments
 *   "a phrase"       words beside one another        word*   what begins so
 *   from: to: subject: body: file:                   the same in one place (to: is Cc too)
 *   since:DAY before:DAY on:DAY                      2026-11-25, 2026-11, 2026, today, yesterday, 7d, 2w, 3m, 1y
 *   larger:SIZE smaller:SIZE                         20k, 3M
 *   has:attachment  is:read|unread|flagged|unflagged|answered|draft   in:FOLDER
 *   -x or NOT x      without x                       a OR b, (…)
 * Umlauts: "mueller" finds "müller" and the other way round; ß is ss; accents do not matter.
 * Pure: no file, no clock (now_s is given). Limits: RS_QUERY_MAX octets, 64 terms, 16 levels. */
#ifndef RS_CLIENT_QUERY_H
#define RS_CLIENT_QUERY_H

#include <glib.h>
#include <stdbool.h>

#include "base/err.h"

#define RS_QUERY_MAX       4096u
#define RS_QUERY_TERMS_MAX 64u

enum rs_query_kind {
	RS_QUERY_AND,
	RS_QUERY_OR,
	RS_QUERY_NOT,
	RS_QUERY_TEXT,  /* text, where, prefix                */
	RS_QUERY_FLAGS, /* flags & number == other            */
	RS_QUERY_ATTACHED,
	RS_QUERY_SINCE,  /* date_s >= number                   */
	RS_QUERY_BEFORE, /* date_s < number                    */
	RS_QUERY_LARGER, /* size > number                      */
	RS_QUERY_SMALLER,
	RS_QUERY_IN /* text: a folder                     */
};

struct rs_query {
	enum rs_query_kind kind;
	GPtrArray *parts; /* AND, OR, NOT: struct rs_query      */
	char *text;
	const char *where; /* column of FTS5, NULL: all          */
	bool prefix;
	gint64 number;
	gint64 other;
};

/* *out owned. -RS_EINVAL: the text says what is wrong, where, and what would be right. */
int rs_query_parse(
	const char *text, gint64 now_s, struct rs_query **out, struct rs_err *err) RS_MUST_USE;
void rs_query_destroy(struct rs_query **q);

/* What rs_catalog_ids takes. */
struct rs_query_sql {
	char *match; /* NULL: no words are asked for */
	char *where;
	GPtrArray *args; /* char * */
};
/* Ids, in the catalog, of the folders a person calls `name`: "3,17"; owned. NULL: there is none. */
typedef char *(*rs_query_folder)(void *arg, const char *name);
/* -RS_ENOENT: in: names a folder that is not there. */
int rs_query_sql(const struct rs_query *q, rs_query_folder folder, void *arg,
	struct rs_query_sql *out, struct rs_err *err) RS_MUST_USE;
void rs_query_sql_finish(struct rs_query_sql *s);

#endif
