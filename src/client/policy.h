/* policy - what happens to the copy on the server. Values, their text, nothing else; what they
 * lead to is plan.h. Pure.
 *
 * Text, as `--leave` and the key `leave` have it: one word, or several with commas between:
 *   keep             nothing is deleted there (alone)
 *   delete           as soon as it is durable here (alone, but for grace=)
 *   days=N           N days after it was fetched
 *   newest=N         all but the newest N
 *   quota=SIZE       the oldest, while all that is there has more than SIZE octets (k, M, G)
 *   until-deleted    when it is in no folder here any more
 *   until-moved      when it is not in the inbox here any more
 *   grace=2d|12h     whatever the others say, not before it has been here so long
 * A message goes when one of the rules says so. */
#ifndef RS_CLIENT_POLICY_H
#define RS_CLIENT_POLICY_H

#include <glib.h>

#include "base/base.h"

struct rs_policy {
	bool remove; /* delete */
	bool until_deleted;
	bool until_moved;
	guint32 days;    /* 0: not by age    */
	guint32 newest;  /* 0: not by number */
	guint64 quota;   /* octets, 0: not by size */
	guint32 grace_s; /* 0: none */
};

#define RS_POLICY_DAYS_MAX   36500u
#define RS_POLICY_NEWEST_MAX 1000000000u

/* NULL, or why the text is not a policy (translated; goes behind the value). *out only on success. */
const char *rs_policy_parse(const char *text, struct rs_policy *out);
char *rs_policy_format(const struct rs_policy *p); /* g_free it; parse gives the same again */
bool rs_policy_equal(const struct rs_policy *a, const struct rs_policy *b);
/* Nothing is ever deleted by it. */
bool rs_policy_keeps(const struct rs_policy *p);
/* It asks what became of the messages here. */
bool rs_policy_looks_here(const struct rs_policy *p);

#endif
