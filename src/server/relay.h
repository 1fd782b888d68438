/* relay - what the files of the relay role share. It hands mail of our users to the configured relay while they
 * wait, and keeps nothing: no queue, no file. Towards the front it behaves as a store does, and like a store it
 * hears of a transaction from auth only.
 *   relay.c        the role: messages, who waits for whom, the pool of connections
 *   relay_txn.c    a transaction
 *   relay_conn.c   a connection: name, TCP, TLS, the engine (proto/smtpc.h), time */
#ifndef RS_SERVER_RELAY_H
#define RS_SERVER_RELAY_H

#include <glib.h>
#include <openssl/ssl.h>
#include <uv.h>

#include "proto/smtpc.h"
#include "server/role.h"

#define RELAY_CONNS_MAX 64u /* at a time: transactions and idle ones                    */
#define RELAY_IDLE_MAX  4u  /* kept for the next message …                             */
#define RELAY_IDLE_S    20  /* … so long                                                */
#define RELAY_RCPTS_MAX 10000u

struct relay_conn;

struct relay {
	struct rs_proc *proc;
	SSL_CTX *tls; /* NULL: never */
	GHashTable *txns;
	GPtrArray *conns; /* borrowed; a connection takes itself out */
	uv_timer_t wait;  /* stopping: for transactions under way */
};

struct relay_txn {
	struct relay *relay;
	uint32_t front; /* key … */
	uint64_t id;
	char *sender;
	uint8_t flags; /* RS_MSG_MAIL_* */
	uint64_t size;
	GArray *waiting; /* struct relay_rcpt: without an answer */
	uint32_t accepted_n;
	struct relay_conn *conn;     /* NULL: lost; `answer` says how */
	struct rs_msg_answer answer; /* to MAIL (refused), or to the message; code 0: none yet */
	struct rs_buf pending;       /* of the message, not yet with the engine */
	uint64_t octets;
	bool mail_sent;
	bool told;       /* the relay has answered something: it cannot begin anew */
	bool data_begun; /* the front sends the message */
	bool data_sent;  /* DATA is out */
	bool going;      /* 354 */
	bool whole;      /* the front has sent all */
	bool ended;      /* … and so have we */
};

/* --- relay_conn.c --- */

/* One that is idle, or a new one; NULL: RELAY_CONNS_MAX are there. It is the transaction's until
 * relay_conn_release, or until it is lost (relay_txn_lost). */
struct relay_conn *relay_conn_take(struct relay *r, struct relay_txn *txn);
/* `clean`: nothing is half said, the next may use it (RSET goes first where `reset`). Else it is closed. */
void relay_conn_release(struct relay_conn *c, bool clean, bool reset);
struct rs_smtpc *relay_conn_engine(struct relay_conn *c); /* NULL: not ready yet */
void relay_conn_step(struct relay_conn *c);               /* something is to be written */
void relay_conns_stop(struct relay *r);                   /* idle ones say QUIT */

/* --- relay_txn.c --- */

struct relay_txn *relay_txn_new(struct relay *r, uint32_t front, uint64_t id);
void relay_txn_free(gpointer p); /* for the table of transactions */
void relay_txn_rcpt(struct relay_txn *t, uint32_t rcpt, struct rs_slice address);
/* False: more than the window, which a front keeps to. */
bool relay_txn_data(struct relay_txn *t, struct rs_slice octets);
void relay_txn_end(struct relay_txn *t); /* the message is whole; the transaction may be freed */
void relay_txn_push(struct relay_txn *t);
void relay_txn_event(struct relay_txn *t, const struct rs_smtpc_event *ev);
/* The connection is gone; `why` for the person who waits. `stale`: it had been kept, and may have been closed at the
 * other end before. */
void relay_txn_lost(struct relay_txn *t, const struct rs_msg_answer *why, bool stale);

#endif
