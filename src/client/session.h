/* session - a POP3 session of the client: the engine (proto/pop3c.h) on a connection (net.h), up to
 * logged in. It blocks; each call runs until its answer is there. */
#ifndef RS_CLIENT_SESSION_H
#define RS_CLIENT_SESSION_H

#include "base/secret.h"
#include "client/account.h"
#include "client/net.h"
#include "proto/pop3c.h"

/* Octets of commands that may be unanswered at a time. Reading never stops for writing (net.h), so this
 * is no matter of deadlock; it bounds what is lost when a connection breaks. */
#define RS_SESSION_WINDOW 262144u

/* Beside RS_CAP_*, in what is remembered of a server: it takes AUTH PLAIN. */
#define RS_SESSION_PLAIN 0x10000u
/* And that it announces PIPELINING before the login, not only behind it. */
#define RS_SESSION_EARLY 0x20000u
/* And that the login was SCRAM, which goes step by step. */
#define RS_SESSION_SCRAM 0x40000u

/* How to open one: what is remembered, and what to send ahead. */
struct rs_session_how {
	guint32 caps; /* what the server could the last time; 0: ask */
	bool no_capa; /* do not ask: it hung up on that */
	bool uidl;    /* send UIDL behind the login, in the same flight if the server can */
	bool list;    /* and LIST */
};

/* What came of it, filled on failure, too. */
struct rs_session_told {
	bool flown;                    /* the login went out on what was remembered */
	bool hung_at_capa;             /* the connection broke at CAPA */
	enum rs_pop3_code code;        /* why the login (or the greeting) was refused */
	guint32 login_delay_s;         /* the server wants so long between logins, 0: did not say */
	char certificate[RS_NET_SEEN]; /* SHA-256 of what the server showed, "" without TLS */
};

struct rs_session {
	const struct rs_account *account; /* lent */
	struct rs_net_where where;
	struct rs_net *net;
	struct rs_pop3c *engine;
	struct rs_slice rest; /* read and not yet taken by the engine */
	bool asked_uidl;      /* UIDL is on its way, and LIST behind it */
	bool asked_list;
	bool scram;                   /* the login was SCRAM */
	bool early;                   /* PIPELINING was announced before the login */
	gint64 rtt_us;                /* of the quickest exchange so far, 0: not known */
	struct rs_session_told *told; /* lent while it is opened */
	uint8_t buf[65536];
};

/* On failure everything is closed. -RS_EAUTH only where the server says that user or password is wrong; a
 * locked mailbox is -RS_ELOCKED, other "later" is -RS_ETEMP. `how` and `told` may be NULL. */
int rs_session_open(const struct rs_account *a, const struct rs_secret *password,
	GCancellable *cancel, const struct rs_session_how *how, struct rs_session **out,
	struct rs_session_told *told, struct rs_err *err) RS_MUST_USE;
/* What to remember of the server, for rs_session_how. */
guint32 rs_session_caps(const struct rs_session *s);
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
