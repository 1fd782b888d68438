/* front - what the files of the front role share. The front meets the hostile octets: TLS, POP3,
 * LMTP. It has no file system and no users; it asks auth and stores over links (msg.h). */
#ifndef RS_SERVER_FRONT_H
#define RS_SERVER_FRONT_H

#include "proto/lmtps.h"
#include "server/address.h"
#include "server/conn.h"
#include "server/role.h"
#include "server/store.h"

/* Something that auth and stores answer by number: a POP3 session or an LMTP transaction. */
struct front_sess {
	uint64_t id;
	struct rs_conn *conn;
	const struct front_sess_ops *ops;
};

struct front_sess_ops {
	/* `m` behind its session number. False: not acceptable, the link ends. */
	bool (*message)(
		struct front_sess *s, enum rs_role peer, uint32_t index, struct rs_msg_in *m);
	void (*peer_gone)(struct front_sess *s, enum rs_role peer, uint32_t index);
};

struct front {
	struct rs_proc *proc;
	struct rs_tls *tls; /* NULL: no certificate */
	uint64_t next_id;
	GHashTable *sessions;    /* id -> struct front_sess */
	GHashTable *per_address; /* text -> number of connections */
	struct rs_conn *conns;   /* list of all */
	uint32_t conns_n;
	GPtrArray *listeners; /* struct listener */
	GPtrArray *later;     /* struct rs_conn: to be stepped when all that has arrived is read */
	uv_check_t after;     /* does it */
	uv_idle_t hurry;      /* runs while `later` is not empty: the loop must not wait */
	uv_timer_t tick;
	uint64_t stop_by_ms;
};

/* front.c */
uint64_t front_id(struct front *f);       /* of a connection */
uint64_t front_txn_id(struct rs_conn *c); /* of its next transaction */
void front_sess_add(struct front *f, struct front_sess *s);
void front_sess_remove(struct front *f, struct front_sess *s);
void front_conn_forget(struct rs_conn *c); /* called by conn.c when a connection is freed */

/* The address of a connection is known: to its driver with it, or away where it is one too many. */
void front_admit(struct rs_conn *c);

/* Step it once everything that this turn of the loop has brought is read: what a store answered in one
 * packet then leaves in one write. Nothing when it is closing. */
void front_later(struct rs_conn *c);

/* front_proxy.c */
bool front_proxy_wanted(const struct rs_conn *c);
void front_proxy_begin(struct rs_conn *c);

/* front_admin.c */
bool front_admin_message(struct rs_proc *r, struct rs_msg_in *m);

/* front_pop3.c, front_mail.c, front_http.c: take over a fresh connection. */
void front_pop3_begin(struct rs_conn *c);
void front_mail_begin(struct rs_conn *c);
void front_http_begin(struct rs_conn *c);
/* Once a second, for replies that are held back. */
void front_pop3_tick(struct rs_conn *c);

#endif
