/* watch - the outbox sent, and accounts checked on a schedule (schedule.h), side by side (checks.h). It notices when the
 * network comes back, when the computer woke up, and when the configuration was changed; it shows new mail on the
 * desktop (notice.h). One at a time for one set of places, over all processes.
 * Thread: the one that runs the default main context. */
#ifndef RS_CLIENT_WATCH_H
#define RS_CLIENT_WATCH_H

#include "client/checks.h"

/* From rs_watch_stop to the end of rs_watch_run at the latest, whatever a server or disk does. */
#define RS_WATCH_STOP_MS 700u

enum rs_watch_kind {
	RS_WATCH_CHECKED, /* account, report, next_s, news */
	RS_WATCH_NETWORK, /* available */
	RS_WATCH_RESUMED, /* slept_s; 0: the system said so, for how long is not known */
	RS_WATCH_SENT,    /* account, to; err NULL, or why it is still in the outbox */
	RS_WATCH_CONFIG   /* read again; report NULL, err NULL or why the old one is kept */
};

struct rs_watch_event {
	enum rs_watch_kind kind;
	const char *account;
	struct rs_fetch_report *report;
	guint next_s; /* until the next check */
	bool news; /* it differs from the last check of that account: new mail, failed, works again */
	bool recovered; /* the last one had failed */
	bool available;
	gint64 slept_s;
	const char *to; /* the first recipient */
	const struct rs_err *err;
};

struct rs_watch_how {
	const struct rs_places *places; /* lent */
	char **names;                   /* lent; these accounts, empty: all */
	bool once;                      /* ends when each was checked once */
	bool quiet;                     /* nothing on the desktop */
	/* In front of every event: what a report lacks to be an error of the whole (may be NULL). */
	void (*judge)(struct rs_fetch_report *r);
	void (*event)(void *arg, const struct rs_watch_event *e);
	void *arg;
};

struct rs_watch;

/* -RS_ELOCKED: another one runs (the text says which process); -RS_ECONFIG, -RS_EIO ... */
int rs_watch_create(
	const struct rs_watch_how *how, struct rs_watch **out, struct rs_err *err) RS_MUST_USE;
/* Until rs_watch_stop, or with `once` until all were checked. The first error of the last checks, or 0. */
int rs_watch_run(struct rs_watch *w);
void rs_watch_stop(struct rs_watch *w);
/* Check all at once, and read the configuration again if it changed. */
void rs_watch_now(struct rs_watch *w);
/* After rs_watch_run: a check could not be ended in time. Then the watch cannot be destroyed: end the process; that
 * loses nothing, as a kill does not. */
bool rs_watch_busy(const struct rs_watch *w);
void rs_watch_destroy(struct rs_watch **w);

#endif
