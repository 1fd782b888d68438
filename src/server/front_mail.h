/* front_mail - what the files that take mail in share: LMTP and submission are one driver.
 *   front_mail.c   the connection: the engine (proto/lmtps.h), its events, the calls of conn.h
 *   front_txn.c    a transaction: recipients, octets to the stores, results
 *   front_trace.c  the fields that are put in front of a message
 *   front_submit.c what mail of users has more: the login, whose sender it is
 *
 * A transaction goes to stores and, of users, to the relay (msg.h: it behaves as a store does). There each
 * recipient has its answer before DATA; the message has one, as SMTP wants it. So the relay is given the whole message
 * first, and only when it has taken it do the stores publish it: a refusal of the relay leaves nothing behind. What a
 * store cannot publish then (a disk or mailbox that became full that moment) is told with the recipients it
 * concerns. */
#ifndef RS_SERVER_FRONT_MAIL_H
#define RS_SERVER_FRONT_MAIL_H

#include <string.h>

#include "proto/mailfix.h"
#include "server/front.h"
#include "server/stats.h"

#define MAIL_RELAY     RS_ROLE_PEERS_MAX
#define MAIL_DESTS_MAX (RS_ROLE_PEERS_MAX + 1) /* the stores, by index, and the relay */
#define MAIL_NO_RESULT (-1)

struct mail_rcpt {
	uint32_t dest;
	int result; /* enum rs_store_err, or MAIL_NO_RESULT */
	char *address;
};

enum mail_login { MAIL_NOT_LOGGED_IN, MAIL_LOGIN_ASKED, MAIL_LOGIN_HELD_BACK, MAIL_LOGGED_IN };

struct mail {
	struct front_sess txn; /* its id is the transaction's, 0 while there is none */
	struct rs_lmtps_cfg cfg;
	struct rs_lmtps *engine;
	char *helo;
	char *sender;
	char *asked;                   /* address of the RCPT that waits for its answer */
	bool mail_asked;               /* MAIL waits for auth */
	GArray *rcpts;                 /* struct mail_rcpt */
	bool used[MAIL_DESTS_MAX];     /* has been told of the transaction … */
	bool ended[MAIL_DESTS_MAX];    /* … and that the message is whole */
	uint32_t owed[MAIL_DESTS_MAX]; /* octets it has not taken yet */
	struct rs_buf chunk;           /* DATA on its way, up to RS_MSG_INLINE_MAX */
	uint32_t told_n;               /* results told */
	uint32_t relay_n;              /* recipients that the relay has accepted */
	struct rs_msg_answer relayed;  /* what it says of the message; code 0: nothing yet */
	uint64_t octets;
	uint64_t ended_ns; /* when the end of DATA came */
	bool utf8;         /* SMTPUTF8 was given */
	bool begun;        /* trace fields are out */
	bool ending;       /* the message is whole */
	bool stepping;
	/* of users only, front_submit.c */
	bool submit;
	struct rs_mailfix fix;
	struct front_sess login; /* its id is the connection's */
	enum mail_login login_state;
	char *user; /* as given, then as auth says */
	enum rs_stats_mech mech;
	uint64_t asked_ns;
	uint64_t refuse_at_ms;
	bool auth_lost; /* it does not know of the login any more */
};

static inline struct rs_proc *proc_of(const struct mail *p)
{
	return p->txn.conn->front->proc;
}

/* Of its login or its transaction. */
static inline struct mail *mail_of(const struct front_sess *s)
{
	return s->conn->driver;
}

/* front_mail.c: go on after something has come. */
void front_mail_step(struct rs_conn *c);

/* front_txn.c. A transaction begins with MAIL and is over with its results, or with txn_end: whoever was
 * told of it and has not delivered forgets it. */
extern const struct front_sess_ops front_txn_ops;
void front_txn_begin(struct mail *p, const struct rs_lmtps_event *ev); /* MAIL */
void front_txn_end(struct mail *p);
/* RS_L_DATA: everybody is there. */
void front_txn_data_begin(struct mail *p);
void front_txn_rcpt(
	struct mail *p, struct rs_slice address); /* asks; the engine is answered later */
void front_txn_body(struct mail *p, struct rs_slice octets);
void front_txn_flush(struct mail *p); /* what came in one read goes on in one message */
void front_txn_data_end(struct mail *p);
/* Tell what is known, in the order of the recipients; after the last the transaction is over. */
void front_txn_results(struct mail *p);
/* May more of the message be taken? Not while somebody has a full window unread. */
bool front_txn_window_open(const struct mail *p);

static inline struct mail_rcpt *front_txn_rcpt_at(const struct mail *p, guint i)
{
	return &g_array_index(p->rcpts, struct mail_rcpt, i);
}

/* front_trace.c: RFC 5321 section 4.4, 6409 section 8; owned by the caller. */
char *front_trace_delivered(const struct mail *p); /* for stores: final delivery */
char *front_trace_received(const struct mail *p);
char *front_trace_missing(const struct mail *p, bool has_date, bool has_id);

/* front_submit.c */
extern const struct front_sess_ops front_login_ops;
void front_submit_configure(struct mail *p);
void front_submit_auth(struct mail *p, const struct rs_lmtps_event *ev);
void front_submit_mail(struct mail *p, const struct rs_lmtps_event *ev);
bool front_submit_mail_answer(struct mail *p, struct rs_msg_in *m);
void front_submit_tick(struct mail *p, uint64_t now_ms);
void front_submit_gone(struct mail *p); /* the connection ends: auth forgets the login */

#endif
