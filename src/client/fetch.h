/* fetch - check mail of one account: connect, log in, list, plan, retrieve, make durable, delete.
 * The one place where the client's laws are kept (design, section 6):
 *   exactly once: whatever is killed at whatever moment, every message of the server is in the
 *   mailbox once and whole after the next run; nothing is deleted on the server that is not
 *   durable here and recorded in the ledger.
 * Blocks until done; call it on a thread of its own (it uses a private GMainContext). */
#ifndef RS_CLIENT_FETCH_H
#define RS_CLIENT_FETCH_H

#include <gio/gio.h>

#include "base/err.h"
#include "base/secret.h"
#include "client/account.h"
#include "client/ledger.h"

enum rs_fetch_phase {
	RS_FETCH_CONNECT,
	RS_FETCH_LOGIN,
	RS_FETCH_LISTING,
	RS_FETCH_RETRIEVE,
	RS_FETCH_DELETE,
	RS_FETCH_DONE
};

struct rs_fetch_progress {
	enum rs_fetch_phase phase;
	guint32 done_n;       /* messages durable here so far */
	guint32 received_n;   /* messages that came whole     */
	guint32 total_n;      /* messages to fetch            */
	guint64 octets;       /* of bodies received           */
	guint64 octets_total; /* as the server claims, 0 when not known: a hint only */
	double seconds;       /* since the start */
};

#define RS_FETCH_NOTICE_N   3u
#define RS_FETCH_NOTICE_MAX 319u

/* What a check would do, message by message: for dry runs. */
enum rs_fetch_would { RS_WOULD_FETCH, RS_WOULD_SKIP, RS_WOULD_DELETE, RS_WOULD_DELETE_NEXT };

struct rs_fetch_item {
	enum rs_fetch_would would;
	guint32 num;         /* message number of this session */
	struct rs_slice uid; /* borrowed, any octets           */
	guint64 size;        /* UINT64_MAX: not known          */
	const char *file;    /* name in the Maildir of what was fetched, NULL: nothing is here */
};

struct rs_fetch_report {
	guint32 new_n;       /* messages that are in the mailbox now and were not before */
	guint64 octets;      /* of them                                                  */
	guint32 on_server_n; /* messages left on the server at the end                   */
	guint32 deleted_n;   /* deletions the server has confirmed by its answer to QUIT */
	guint32 failed_n;    /* messages the server would not give; a later check asks again */
	guint32 later_n;     /* of earlier checks, whose time to be asked for again has not come */
	guint32 refused_n; /* messages the target would not take; they stay on the server, later again */
	guint32 skipped_n;  /* left there because they are larger than the limit */
	guint32 suspect_n;  /* fetched, but shorter than the server said: never deleted there */
	guint32 doubtful_n; /* left alone: known by UID, but not the size they were */
	guint32 again_n;    /* recognised although the server had given them other UIDs */
	guint32 waiting_n;  /* only the changed policy would delete them: the next check does */
	char notice[RS_FETCH_NOTICE_N][RS_FETCH_NOTICE_MAX + 1]; /* for the person, "" where none */
	double seconds;
	int error;         /* 0 or a negative kind; then `err` has the words */
	struct rs_err err; /* text: one sentence with the cure               */
};

struct rs_fetch {
	const struct rs_account *account; /* lent */
	const struct rs_secret *password; /* lent */
	const struct rs_places *places;   /* lent */
	GCancellable *cancel;             /* NULL, or lent; cancelling loses nothing */
	void (*progress)(void *arg, const struct rs_fetch_progress *p); /* on the calling thread */
	void *progress_arg;
	gboolean at_once; /* do not wait although the server asked for it */
	/* Not NULL: only say what would be done; nothing is fetched, deleted or noted. */
	void (*dry_run)(void *arg, const struct rs_fetch_item *item);
	void *dry_run_arg;
	/* Not NULL: called on another thread for each new message that no rule marks as read; `fd`, lent, reads it. */
	void (*arrival)(void *arg, int fd);
	void *arrival_arg;
	/* For tests, NULL otherwise: called in front of every step that lasts (file, ledger, server). */
	void (*step)(void *arg, const char *what);
	void *step_arg;
};

/* Log in and say QUIT: is the account right? *count: messages there. Nothing is fetched. */
int rs_fetch_probe(const struct rs_account *a, const struct rs_secret *password,
	GCancellable *cancel, guint32 *count, guint64 *octets, struct rs_err *err) RS_MUST_USE;

/* Fills *report always. Returns report->error. Two runs of one account at the same time: the
 * second ends with -RS_ELOCKED and touches nothing. */
int rs_fetch_run(const struct rs_fetch *f, struct rs_fetch_report *report);

#endif
