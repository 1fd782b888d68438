/* plan - what a check will do: (the server's listing, the ledger, the policy) -> fetch, delete,
 * gone, back. Pure: no clock, no network, no file.
 *
 * Never on doubt: a row whose size on the server is not the size it had is neither deleted nor
 * fetched but counted as doubtful (a server that reuses UIDs must not cost mail); a row that is
 * held is not deleted; a row that is missing is only marked, and known again when it comes back. */
#ifndef RS_CLIENT_PLAN_H
#define RS_CLIENT_PLAN_H

#include "client/account.h"
#include "client/ledger.h"

/* One line of UIDL, with what LIST told. */
struct rs_listed {
	guint32 num;         /* message number, from 1 */
	struct rs_slice uid; /* borrowed from the listing */
	guint32 occurrence;  /* filled by rs_plan_make */
	guint64 size;        /* UINT64_MAX: not known */
};

struct rs_plan {
	GArray *fetch;  /* guint: rows of the listing             */
	GArray *remove; /* struct rs_plan_remove                  */
	GArray *gone;   /* gint64 ids: missing since now          */
	GArray *back;   /* gint64 ids: were missing, are listed   */
	GArray *forget; /* gint64 ids: missing for too long       */
	guint doubtful; /* not touched because they are not what they were */
};

struct rs_plan_remove {
	guint32 num;
	gint64 id;
};

/* `listing`: struct rs_listed, whole (the end of UIDL was seen). `table`'s `seen` is used. */
void rs_plan_make(struct rs_plan *p, GArray *listing, struct rs_ledger_table *table,
	enum rs_leave leave, gint64 now_s);
void rs_plan_finish(struct rs_plan *p);

#endif
