/* front - what the files of the front role share. The front meets the hostile octets: TLS, POP3,
 * LMTP, submission, SASL, HTTP. It has no file system and no users; it asks auth and stores over links (msg.h). */
#ifndef RS_SERVER_FRONT_H
#define RS_SERVER_FRONT_H

#include "proto/lmtps.h"
#include "proto/pop3s.h"
#include "server/address.h"
#include "server/conn.h"
#include "server/counts.h"
#include "server/role.h"
#include "server/stats.h"
#include "server/store.h"

/* Something that other roles answer by number: a POP3 session, a transaction of mail, a login of who sends
 * mail or of an MTA's client. */
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
	char *mechs[2][2];  /* announced: with a channel binding, with a certificate of the user */
	uint64_t next_id;
	GHashTable *sessions;  /* id -> struct front_sess */
	struct rs_conn *conns; /* list of all */
	uint32_t conns_n;
	GPtrArray *listeners; /* front_listen.c … */
	bool paused;          /* no descriptor is left */
	uv_timer_t pause;
	uint64_t paused_told_ms;
	uint64_t fds_max;
	struct rs_counts *counts; /* front_ceilings.c: its own page … */
	struct rs_counts *others[RS_ROLE_PLACES_MAX];
	unsigned others_n;
	uint32_t shaking_n;
	uint64_t told_ms[RS_STATS_TURNED_N];
	uint64_t untold_n[RS_STATS_TURNED_N];
	GPtrArray *later; /* struct rs_conn: to be stepped when all that has arrived is read */
	uv_check_t after; /* does it */
	bool after_now;   /* it is now, and they are */
	uv_idle_t hurry;  /* runs while `later` is not empty: the loop must not wait */
	uv_timer_t tick;
	uint64_t stop_by_ms;
};

/* front.c */
uint64_t front_id(struct front *f);       /* of a connection */
uint64_t front_txn_id(struct rs_conn *c); /* of its next transaction */
void front_sess_add(struct front *f, struct front_sess *s);
void front_sess_remove(struct front *f, struct front_sess *s);
void front_conn_forget(struct rs_conn *c); /* called by conn.c when a connection is freed */

void front_begin(struct rs_conn *c); /* a fresh connection */
/* Its address is known: to its driver with it, or away where it is one too many. */
void front_admit(struct rs_conn *c);
bool front_has_login(enum rs_service s); /* of people, who log in; not LMTP */

/* front_listen.c */
void front_listen_init(struct front *f);
void front_listener(struct rs_proc *r, enum rs_service service, int fd);
void front_listeners_close(struct front *f);
void front_listen_freed(struct front *f); /* a descriptor is free again */

/* front_ceilings.c: false is one too many, logged where the caller cannot say which it was. */
#define FRONT_PRE_LOGIN_OCTETS 262144u /* ten SASL exchanges of the largest kind, and handshakes */
#define FRONT_PRE_LOGIN_TIMES  3u      /* pre-login-timeout is for silence; in all so many of it */

void front_ceilings_init(struct front *f);
bool front_control(struct rs_proc *r, struct rs_msg_in *m);
void front_ceiling_told(struct front *f, const struct rs_conn *c, enum rs_stats_turned why);
bool front_ceiling_enter(struct rs_conn *c);
bool front_ceiling_enter_source(struct rs_conn *c);
void front_ceiling_leave(struct rs_conn *c);
/* A driver: this client has logged in as `user`; false: the user has too many connections, tell the
 * client and let it go. */
bool front_user_admit(struct rs_conn *c, const char *user);
void front_user_leave(struct rs_conn *c);  /* it says goodbye; else with its end */
bool front_shake_admit(struct rs_conn *c); /* conn.c, around each handshake … */
void front_shake_over(struct rs_conn *c);
bool front_octets_admit(struct rs_conn *c); /* … and with what was received */
bool front_login_late(const struct rs_conn *c, uint64_t now_ms);

/* front_progress.c: is it its reader that a connection waits for? Then the clock of silence stands still, and
 * it is closed where that reader is stuck. */
bool front_progress_waits(struct rs_conn *c, uint64_t now_ms);
void front_progress_check(struct rs_conn *c, uint64_t now_ms);

/* Step it once everything that this turn of the loop has brought is read: what a store answered in one
 * packet then leaves in one write. Nothing when it is closing. */
void front_later(struct rs_conn *c);

/* front_proxy.c */
bool front_proxy_wanted(const struct rs_conn *c);
void front_proxy_begin(struct rs_conn *c);

/* front_login.c */
void front_login_init(struct front *f);
/* The mechanisms that can be used on this connection now; blank between, borrowed from the front. */
const char *front_mechs(const struct rs_conn *c);

/* The fields of RS_MSG_LOGIN. */
struct front_login {
	enum rs_service service;
	bool tls;
	const struct rs_conn *channel; /* its own; NULL: another's client */
	enum rs_pop3s_login kind;
	bool first;
	bool has_secret;
	struct rs_slice mech;
	struct rs_slice user;
	struct rs_slice secret;
	const char *stamp; /* APOP */
	const char *peer;  /* address */
};

/* False: auth is being started again. It answers with CHALLENGE, REFUSED, and OPENED or LOGGED_IN. */
bool front_login_ask(struct front *f, uint64_t session, const struct front_login *ask);

struct front_tried {
	uint64_t session;
	enum rs_stats_mech mech;
	const char *peer;
	const char *user; /* as given, for the log where auth knows none; NULL: neither do we */
};

struct front_refused {
	enum rs_pop3_code code; /* AUTH: they were wrong; else it could not be found out */
	uint32_t delay_ms;      /* to be told then; 0 wherever code is not AUTH */
};

/* REFUSED behind its session: it is counted and logged. False: not as described. */
bool front_login_refused(
	struct rs_msg_in *m, const struct front_tried *tried, struct front_refused *out);
/* Forget what is half done, and the login of who sends mail. */
void front_login_gone(struct front *f, uint64_t session);

/* front_admin.c */
bool front_admin_message(struct rs_proc *r, struct rs_msg_in *m);

/* front_pop3.c, front_mail.c, front_http.c, front_sasl.c: take over a fresh connection. */
void front_pop3_begin(struct rs_conn *c);
void front_mail_begin(struct rs_conn *c);
void front_http_begin(struct rs_conn *c);
void front_sasl_begin(struct rs_conn *c);

#endif
