/* front_mail - what the files that take mail in share: LMTP and submission are one driver.
 *   front_mail.c   the connection: the engine (proto/lmtps.h), its events, the calls of conn.h
 *   front_txn.c    a transaction: recipients, octets to the stores, results
 *   front_trace.c  the fields that are put in front of a message */
#ifndef RS_SERVER_FRONT_MAIL_H
#define RS_SERVER_FRONT_MAIL_H

#include <string.h>

#include "server/front.h"

#define MAIL_DESTS_MAX RS_ROLE_PEERS_MAX /* the stores, by index */
#define MAIL_NO_RESULT (-1)

struct mail_rcpt {
	uint32_t dest;
	int result; /* enum rs_store_err, or MAIL_NO_RESULT */
	char *address;
};

struct mail {
	struct front_sess txn; /* first; its id is the transaction's, 0 while there is none */
	struct rs_lmtps_cfg cfg;
	struct rs_lmtps *engine;
	char *helo;
	char *sender;
	char *asked;   /* address of the RCPT that waits for its answer */
	GArray *rcpts; /* struct mail_rcpt */
	bool used[MAIL_DESTS_MAX];
	uint32_t owed[MAIL_DESTS_MAX]; /* octets it has not taken yet */
	struct rs_buf chunk;           /* DATA on its way, up to RS_MSG_INLINE_MAX */
	uint32_t told_n;               /* results told */
	uint64_t octets;
	uint64_t ended_ns; /* when the end of DATA came */
	bool begun;        /* trace fields are out */
	bool ending;       /* DATA_END is out */
	bool stepping;
};

/* front_mail.c: go on after something has come. */
void front_mail_step(struct rs_conn *c);

/* front_txn.c. A transaction begins with MAIL and is over with its results, or with txn_end: whoever was
 * told of it and has not delivered forgets it. */
extern const struct front_sess_ops front_txn_ops;
void front_txn_begin(struct mail *p, struct rs_slice sender);
void front_txn_end(struct mail *p);
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

/* front_trace.c: RFC 5321 section 4.4; owned by the caller. */
char *front_trace_fields(const struct mail *p);

#endif
