/* fetch_priv.h - what the files of fetch share. Nobody else includes it. */
#ifndef RS_CLIENT_FETCH_PRIV_H
#define RS_CLIENT_FETCH_PRIV_H

#include "client/fetch.h"
#include "client/plan.h"
#include "client/session.h"
#include "maildir/maildir.h"

/* A message that is whole here and not yet durable. */
struct fetch_got {
	guint at; /* place in plan.fetch */
	struct rs_deliv *deliv;
	gboolean suspect;
	struct rs_digest digest;
	gint64 id; /* ledger, from STORING on */
};

struct fetch_run {
	const struct rs_fetch *f;
	struct rs_fetch_report *report;
	gint64 began_us;
	gint64 now_s; /* of this check; never before the last one, whatever the clock says */
	int lock_fd;
	char *key; /* of the ledger's rows */
	struct rs_ledger *ledger;
	struct rs_ledger_account known; /* of the account, from earlier checks */
	struct rs_ledger_table table;
	struct rs_maildir *maildir;
	struct rs_session *session;
	GArray *listing; /* struct rs_listed */
	GStringChunk *uids;
	gboolean whole; /* every row of the listing could be read */
	gboolean sized; /* LIST was answered */
	struct rs_policy before;
	struct rs_plan plan;
	GArray *batch; /* struct fetch_got */
	guint64 batch_octets;
	gint64 batch_began_us;
	GArray *to_delete; /* struct rs_plan_remove */
	guint64 octets_total;
	guint32 received_n; /* bodies, and their octets, that came: for the progress only */
	guint64 received;
};

static inline struct rs_listed *fetch_listed(const struct fetch_run *r, guint at)
{
	return &g_array_index(r->listing, struct rs_listed, at);
}

static inline struct rs_plan_fetch *fetch_wanted(const struct fetch_run *r, guint i)
{
	return &g_array_index(r->plan.fetch, struct rs_plan_fetch, i);
}

void fetch_step(const struct fetch_run *r, const char *what);
void fetch_progress(const struct fetch_run *r, enum rs_fetch_phase phase);
/* A sentence for the person; the first few are kept. */
void fetch_notice(struct fetch_run *r, const char *fmt, ...) RS_FORMAT(2, 3);

/* fetch_look.c: which of the messages in `want` (unique part of a name -> anything) are here: the value becomes
 * enum rs_here. */
void fetch_look(const struct fetch_run *r, GHashTable *want);
char *fetch_unique_of(const char *file); /* unique part of a file name, owned */

/* fetch_settle.c: rows a killed run left in STORING: is the file there? */
int fetch_settle(struct fetch_run *r, struct rs_err *err) RS_MUST_USE;

/* fetch_here.c: for policies that ask: what became of the messages here? Fills `here` of the table. */
int fetch_here(struct fetch_run *r, struct rs_err *err) RS_MUST_USE;

/* fetch_list.c: UIDL, and LIST where sizes matter; fills listing and plan, writes what changed
 * about presence into the ledger. */
int fetch_list(struct fetch_run *r, struct rs_err *err) RS_MUST_USE;

/* fetch_dry.c: tell the plan to f->dry_run. */
int fetch_dry(struct fetch_run *r, struct rs_err *err) RS_MUST_USE;

/* fetch_batch.c: make the batch durable: names into the ledger, sync, publish, sync, ledger. */
int fetch_batch_commit(struct fetch_run *r, struct rs_err *err) RS_MUST_USE;
void fetch_batch_drop(struct fetch_run *r);

/* fetch_retrieve.c: RETR of all that the plan wants, pipelined. */
int fetch_retrieve(struct fetch_run *r, struct rs_err *err) RS_MUST_USE;

/* fetch_delete.c: DELE of what is durable here, then QUIT. */
int fetch_delete_and_quit(struct fetch_run *r, struct rs_err *err) RS_MUST_USE;

#endif
