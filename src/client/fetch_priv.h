/* fetch_priv.h - what the files of fetch share. Nobody else includes it.
 *
 * Two threads while bodies come in: the one of rs_fetch_run reads the server and writes into tmp/, the
 * committer (fetch_commit.c) makes batches durable, so that the link never waits for the disk. While the
 * committer works, the ledger, `to_delete` and the counts of the report that `lock` is named for are its own. */
#ifndef RS_CLIENT_FETCH_PRIV_H
#define RS_CLIENT_FETCH_PRIV_H

#include "client/fetch.h"
#include "client/plan.h"
#include "client/rules.h"
#include "client/session.h"
#include "client/target.h"
#include "maildir/maildir.h"

/* A message that is whole here and not yet durable. */
struct fetch_got {
	guint at; /* place in plan.fetch */
	struct rs_deliv *deliv;
	gboolean suspect;
	struct rs_digest digest;
	struct rs_verdict verdict; /* of the rules */
	gint64 again_id; /* the row of the same message under another UID: nothing is stored; 0: none */
	gint64 id;       /* ledger, from STORING on */
};

/* A message that is known and was not listed, by its digest (fetch_again.c). */
struct fetch_lost {
	struct rs_digest digest;
	gint64 id;
	guint64 size;
	guint next; /* place + 1 of the next with that digest */
	bool found;
};

/* One the server would not give. */
struct fetch_failed {
	guint at; /* place in plan.fetch */
	char *why;
	bool broke; /* the connection broke in it */
};

/* Is syncfs or an fsync a file quicker here? (fetch_sync.c) */
struct fetch_sync {
	double us[2]; /* a file, by the way; 0: not tried */
	guint batches;
};

struct fetch_commit {
	GThread *thread; /* NULL: not needed yet */
	GMutex lock;
	GCond changed;
	GArray *work; /* struct fetch_got, NULL: it is idle */
	bool stop;
	int rc;
	struct rs_err err;
	struct fetch_sync sync;
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
	bool known_changed;             /* to be written at the end */
	struct rs_ledger_table table;
	struct rs_maildir *
		maildir; /* of the account; where it has another target, a spool whose tmp/ is used */
	struct rs_target *target; /* NULL: the Maildir */
	struct rs_rules *rules;   /* or NULL */
	GHashTable *folders;      /* of the rules, that were used: name -> struct rs_maildir */
	struct rs_session *session;
	struct rs_secret *renewed; /* token in place of f->password, NULL: that one is good */
	struct rs_session_told told;
	GArray *listing; /* struct rs_listed */
	GStringChunk *uids;
	guint hint;     /* row of the table that the next line of UIDL is likely to be */
	gboolean whole; /* every row of the listing could be read */
	gboolean sized; /* LIST was answered */
	struct rs_policy before;
	struct rs_plan plan;
	GArray *lost; /* struct fetch_lost */
	GHashTable *lost_by_digest;
	GArray *failed; /* struct fetch_failed */
	GArray *batch;  /* struct fetch_got */
	guint64 batch_octets;
	gint64 batch_began_us;
	struct fetch_commit commit;
	GArray *to_delete; /* struct rs_plan_remove */
	bool quit_sent;
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
void fetch_progress(struct fetch_run *r, enum rs_fetch_phase phase);
/* A sentence for the person; the first few are kept. */
void fetch_notice(struct fetch_run *r, const char *fmt, ...) RS_FORMAT(2, 3);
/* End a transaction: commit where rc is 0, else undo. */
int fetch_ledger_end(struct fetch_run *r, int rc, const char *step, struct rs_err *err) RS_MUST_USE;

/* fetch_look.c: which of the messages in `want` (unique part of a name -> anything) are here: the value becomes
 * enum rs_here. */
void fetch_look(const struct fetch_run *r, GHashTable *want);
char *fetch_unique_of(const char *file); /* unique part of a file name, owned */

/* fetch_settle.c: rows a killed run left in STORING: is the file there? */
int fetch_settle(struct fetch_run *r, struct rs_err *err) RS_MUST_USE;

/* fetch_here.c: for policies that ask: what became of the messages here? Fills `here` of the table. */
int fetch_here(struct fetch_run *r, struct rs_err *err) RS_MUST_USE;

/* fetch_open.c: connect and log in, with what is remembered of the server and of those who asked us to wait,
 * and the answer to UIDL. */
int fetch_open(struct fetch_run *r, struct rs_err *err) RS_MUST_USE;

/* fetch_list.c: UIDL (and LIST where it was sent ahead); fetch_list: sizes where they matter, the plan, and
 * what changed about presence into the ledger. */
bool fetch_wants_sizes(const struct fetch_run *r);
int fetch_listing_read(struct fetch_run *r, struct rs_err *err) RS_MUST_USE;
int fetch_list(struct fetch_run *r, struct rs_err *err) RS_MUST_USE;

/* fetch_names.c: for servers without UIDL: names made of the messages' headers. -RS_ENOENT: not possible. */
int fetch_names(struct fetch_run *r, struct rs_err *err) RS_MUST_USE;

/* fetch_again.c: messages that come under another UID, or other messages under a known one. */
int fetch_again(struct fetch_run *r, struct rs_err *err) RS_MUST_USE;
/* The known message that this one is, not found before; NULL: it is new. It counts as found then. */
struct fetch_lost *fetch_lost_take(
	struct fetch_run *r, const struct rs_digest *digest, guint64 size);

/* fetch_pipe.c: one command for each i below n, pipelined; its events in order. */
struct fetch_pipe {
	enum rs_pop3_verb verb;
	guint n;
	guint32 (*num)(void *arg, guint i); /* the message number */
	const char *more;                   /* behind the number, or NULL */
	int (*event)(void *arg, guint i, const struct rs_pop3c_event *ev, struct rs_err *err);
	void *arg;
	bool quit; /* QUIT in the same flight; its answer is for the caller */
};
int fetch_pipe(struct fetch_run *r, const struct fetch_pipe *p, struct rs_err *err) RS_MUST_USE;
/* May one more command go out? */
bool fetch_pipe_room(const struct fetch_run *r);

/* fetch_dry.c: tell the plan to f->dry_run. */
int fetch_dry(struct fetch_run *r, struct rs_err *err) RS_MUST_USE;

/* fetch_commit.c: the committer. `give` hands the batch over where it is idle, or waits for that; `end` waits for
 * the last one, and ends the thread. Both tell what went wrong in it before. */
int fetch_commit_give(struct fetch_run *r, bool wait, struct rs_err *err) RS_MUST_USE;
int fetch_commit_end(struct fetch_run *r, struct rs_err *err) RS_MUST_USE;
guint32 fetch_commit_done_n(struct fetch_run *r);

/* fetch_batch.c: make a batch durable: names into the ledger, sync, publish, sync, ledger. */
int fetch_batch_commit(struct fetch_run *r, GArray *batch, struct rs_err *err) RS_MUST_USE;
void fetch_batch_drop(GArray *batch);

/* fetch_file.c: where a message is filed. `sync`: all folders that messages went to. */
int fetch_file_open(struct fetch_run *r, struct rs_err *err) RS_MUST_USE;
void fetch_file_close(struct fetch_run *r);
int fetch_file_publish(struct fetch_run *r, struct fetch_got *g, struct rs_err *err) RS_MUST_USE;
int fetch_file_sync(struct fetch_run *r, struct rs_err *err) RS_MUST_USE;

/* fetch_hand.c: the same for other targets, message by message; and what a killed run left in doubt there. */
int fetch_hand_over(struct fetch_run *r, GArray *batch, struct rs_err *err) RS_MUST_USE;
int fetch_hand_settle(struct fetch_run *r, const GArray *pending, struct rs_err *err) RS_MUST_USE;
/* Of fetch_batch.c: the row of `g` in STORING (or its new UID); how it is counted when it is stored. */
int fetch_record_name(
	struct fetch_run *r, struct fetch_got *g, const char *file, struct rs_err *err) RS_MUST_USE;
bool fetch_goes(const struct fetch_run *r, const struct fetch_got *g);
void fetch_count(struct fetch_run *r, const struct fetch_got *g);

/* fetch_sync.c: the octets of the files of a batch. */
int fetch_sync_files(struct fetch_run *r, const GArray *batch, struct rs_err *err) RS_MUST_USE;

/* fetch_retrieve.c: RETR of all that the plan wants, pipelined. */
int fetch_retrieve(struct fetch_run *r, struct rs_err *err) RS_MUST_USE;

/* fetch_failed.c: what the server would not give, into the ledger. */
guint32 fetch_failed_wait_s(guint tries);
guint fetch_failed_tries(const struct fetch_run *r, const struct rs_listed *m);
void fetch_failed_add(struct fetch_run *r, guint at, const char *why, bool broke);
int fetch_failed_note(struct fetch_run *r, struct rs_err *err) RS_MUST_USE;

/* fetch_delete.c: DELE of what is durable here, then QUIT; the end of the check into the ledger. */
int fetch_delete_and_quit(struct fetch_run *r, struct rs_err *err) RS_MUST_USE;

#endif
