/* checks - several accounts checked side by side. The fetching (fetch.h) blocks, so each has a thread of its
 * own; the owner's main loop hears how each ended.
 * Thread: everything here is called on the one that runs the default main context. */
#ifndef RS_CLIENT_CHECKS_H
#define RS_CLIENT_CHECKS_H

#include "client/fetch.h"

#define RS_CHECKS_AT_ONCE_MAX 8u /* accounts; a server that hangs stops only its own */
#define RS_CHECK_NAMED_MAX    5u /* new messages whose sender and subject are kept */

/* A new message, for a notice of it. */
struct rs_check_new {
	char *from;    /* name or address, cleaned, "" where there is none */
	char *subject; /* the same */
};

struct rs_checks;

/* One account. Its owner has the memory: init, set `fetch`'s options, add; it stays there until `ended` was
 * called for it. */
struct rs_check {
	struct rs_fetch fetch; /* dry_run and at_once are the owner's to set */
	struct rs_fetch_report report;
	gint64 began_us;
	bool running;
	/* from here on checks.c */
	struct rs_checks *checks;
	GPtrArray *keep; /* NULL, or what keeps the account alive */
	struct rs_secret *password;
	GThread *thread;
	GMutex lock; /* over what the fetching threads write */
	struct rs_fetch_progress latest;
	GArray *named;  /* struct rs_check_new, the first of them */
	guint unread_n; /* new messages that no rule marked as read */
};

struct rs_checks_how {
	const struct rs_places *places; /* lent */
	GCancellable *cancel;           /* lent; cancelling loses nothing */
	/* Nobody is at a terminal: password commands run beside the main loop, and new messages are looked at
	 * for the notice of them. */
	bool background;
	void (*ended)(void *arg, struct rs_check *c); /* c->report says how */
	void *arg;
};

void rs_check_init(struct rs_check *c, const struct rs_account *a);
/* Not while it runs. */
void rs_check_finish(struct rs_check *c);
/* Where it stands; its seconds are by the clock, so that one sees it stand still. */
struct rs_fetch_progress rs_check_latest(struct rs_check *c);

struct rs_checks *rs_checks_create(const struct rs_checks_how *how); /* `how` is copied */
void rs_checks_destroy(struct rs_checks **checks);                   /* not while one runs */
/* It begins at once, or when there is room. After a cancel nothing begins any more, and `ended` is not
 * called for what had not begun. */
void rs_checks_add(struct rs_checks *checks, struct rs_check *c);
guint rs_checks_running(const struct rs_checks *checks);

#endif
