/* doctor - what is wrong with an account or the network, step by step, each with its cure. Nothing is changed; the
 * password goes to the account's servers only. Blocks; call it on a thread of its own where that matters. */
#ifndef RS_CLIENT_DOCTOR_H
#define RS_CLIENT_DOCTOR_H

#include <gio/gio.h>

#include "client/account.h"

enum rs_doctor_state { RS_DOCTOR_OK, RS_DOCTOR_WARN, RS_DOCTOR_FAIL };

struct rs_doctor_row {
	const char *
		check; /* "pop3-name", "pop3-connect", "pop3-tls", "pop3-capabilities", "pop3-login", the same
			    * with smtp-, "clock", "folder", "space", "secret": for programs, never translated */
	const char *label; /* the same for people, translated */
	enum rs_doctor_state state;
	const char *text; /* what is so; with WARN and FAIL also the cure */
};

struct rs_doctor {
	const struct rs_account *account;                        /* lent */
	const struct rs_places *places;                          /* lent */
	GCancellable *cancel;                                    /* NULL, or lent */
	void (*row)(void *arg, const struct rs_doctor_row *row); /* lent until it returns */
	void *row_arg;
};

/* The worst state of all rows; *kind: 0, or the negative kind of the first failure. */
enum rs_doctor_state rs_doctor_run(const struct rs_doctor *d, int *kind);

#endif
