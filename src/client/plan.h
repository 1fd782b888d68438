/* plan - what a check will do: (the server's listing, the ledger, the policies) -> what to fetch, delete,
 * mark. Pure: no clock, no network, no file.
 *
 * Never on doubt:
 *   a message whose size on the server is not the size it had is neither deleted nor fetched, but
 *   put up for verification (a server that reuses UIDs must not cost mail);
 *   a row that is held, failed, skipped or not stored is not deleted;
 *   a row that is missing is only marked, and known again when it comes back;
 *   what goes only because the policy has changed since the last check waits for the next one. */
#ifndef RS_CLIENT_PLAN_H
#define RS_CLIENT_PLAN_H

#include "client/ledger.h"
#include "client/policy.h"

/* One line of UIDL, with what LIST told. */
struct rs_listed {
	const uint8_t *uid_p; /* borrowed from the listing */
	guint64 size;         /* UINT64_MAX: not known */
	guint32 num;          /* message number, from 1 */
	guint32 occurrence;   /* filled by rs_plan_make */
	guint32 uid_n;
};

static inline struct rs_slice rs_listed_uid(const struct rs_listed *m)
{
	return rs_slice(m->uid_p, m->uid_n);
}

struct rs_plan_in {
	GArray *listing; /* struct rs_listed; sorted by number by rs_plan_make */
	gboolean whole;  /* every row could be read, and the end was seen */
	const struct rs_ledger_table *table;
	struct rs_policy policy;
	struct rs_policy before; /* by which the last check went */
	guint64 size_limit;      /* larger ones are left there, 0: none */
	gint64 now_s;
};

struct rs_plan_fetch {
	guint listed;    /* row of the listing */
	gboolean remove; /* delete it there once it is durable here */
	gint64 id;       /* ledger, 0: not in it yet */
	guint tries;     /* it failed so often: such ones come last */
};

struct rs_plan_remove {
	guint32 num;
	guint listed;
	gint64 id;
	guint64 size; /* as the ledger has it; to be asked for before DELE where `listed` has none */
};

struct rs_plan_verify {
	guint listed;
	guint row; /* of the table */
};

struct rs_plan {
	GArray *fetch;   /* struct rs_plan_fetch */
	GArray *remove;  /* struct rs_plan_remove */
	GArray *waiting; /* struct rs_plan_remove: what only the changed policy would delete */
	GArray *skip;    /* guint, rows of the listing: new and larger than the limit */
	GArray *gone;    /* gint64 ids: missing since now           */
	GArray *back;    /* gint64 ids: were missing, are listed    */
	GArray *forget;  /* gint64 ids: missing for too long        */
	GArray *missing; /* guint, rows of the table: stored, not deleted by us, and not in the listing */
	GArray *verify;  /* struct rs_plan_verify: known by UID, but of another size than before */
	guint known_n;   /* listed and in the ledger          */
	guint failed_n;  /* bad ones whose time has not come  */
	guint skipped_n; /* too large ones, old and new       */
	gboolean vanished; /* none of those known to be there is listed any more */
};

void rs_plan_make(struct rs_plan *p, const struct rs_plan_in *in);
void rs_plan_finish(struct rs_plan *p);

#endif
