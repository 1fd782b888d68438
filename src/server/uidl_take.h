/* uidl_take - the messages of another server found again in a Maildir folder, and what they were called
 * there taken over into its restante.uidl.
 *
 * The same message is: first, the file of the same name; then one with the same header and size, the same
 * header, at last the same header but for what servers add. Of several that are alike the first is
 * the first, the second the second. */
#ifndef RS_SERVER_UIDL_TAKE_H
#define RS_SERVER_UIDL_TAKE_H

#include "server/uidl.h"

struct rs_uidl_taken {
	guint taken;        /* messages that have UID and place of the old server now */
	guint kept;         /* taken over earlier, and the old server knows them no more */
	guint not_here;     /* of the old server, and not in the folder */
	guint only_here;    /* in the folder, and the old server does not know them */
	GPtrArray *refused; /* char *: UIDs that cannot be taken over, and why */
};

/* Takes the lock (-RS_ELOCKED), writes durably. `dry`: only counts; no lock, nothing is changed. */
int rs_uidl_take(const char *path, const struct rs_uidl_list *l, bool dry,
	struct rs_uidl_taken *out, struct rs_err *err) RS_MUST_USE;
void rs_uidl_taken_finish(struct rs_uidl_taken *t);

/* What a client that is up to date with the old server would make of this one now. */
struct rs_uidl_diff {
	GPtrArray *again; /* char *: messages it has and would download again            */
	GPtrArray *fresh; /* char *: messages the old server does not have: new to it    */
	GPtrArray *gone;  /* char *: UIDs it would take for deleted                      */
	guint same;       /* messages it would know again                                */
	char *order;      /* NULL: those stand in the same order; else where they do not */
};

int rs_uidl_diff(const char *path, const struct rs_uidl_list *l, struct rs_uidl_diff *out,
	struct rs_err *err) RS_MUST_USE;
void rs_uidl_diff_finish(struct rs_uidl_diff *d);

#endif
