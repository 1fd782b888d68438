/* session - a POP3 session of the client: the engine (proto/pop3c.h) on a connection (net.h), up to
 * logged in. It blocks; each call runs until its answer is there. */
#ifndef RS_CLIENT_SESSION_H
#define RS_CLIENT_SESSION_H

#include "base/secret.h"
#include "client/account.h"
#include "client/net.h"
#include "proto/pop3c.h"

/* Octets of commands that may be unanswered at a time. So few fit the kernel's buffers of both
 * sides whatever else is going on, so writing never has to wait for reading: no deadlock. */
#define RS_SESSION_WINDOW 8192u

struct rs_session {
	const struct rs_account *account; /* lent */
	struct rs_net_where where;
	struct rs_net *net;
	struct rs_pop3c *engine;
	struct rs_slice rest; /* read and not yet taken by the engine */
	uint8_t buf[65536];
};

/* Connect, greeting, CAPA, STLS, login. On failure everything is closed. -RS_EAUTH only where the
 * server says that user or password is wrong; a locked mailbox is -RS_ELOCKED, other "later" is
 * -RS_ETEMP. */
int rs_session_open(const struct rs_account *a, const struct rs_secret *password,
	GCancellable *cancel, struct rs_session **out, struct rs_err *err) RS_MUST_USE;
void rs_session_close(struct rs_session **s); /* no QUIT: what was marked stays on the server */

/* Write what the engine has to say, then read until its next event. */
int rs_session_event(
	struct rs_session *s, struct rs_pop3c_event *ev, struct rs_err *err) RS_MUST_USE;

/* One command, and the event that answers it (RS_C_OK or RS_C_ERR; lines may follow). */
int rs_session_ask(struct rs_session *s, enum rs_pop3_verb v, const char *arg,
	struct rs_pop3c_event *ev, struct rs_err *err) RS_MUST_USE;

/* Error for a "-ERR" answer: kind by its code, text with the server's own words made harmless. */
int rs_session_refused(const struct rs_session *s, const struct rs_pop3c_event *ev,
	const char *doing, struct rs_err *err);

#endif
