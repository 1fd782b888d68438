/* auth_int - the pieces of the auth role: auth.c (role, exchanges, finding a user), auth_login.c (is this
 * the user?), auth_sasl.c (… by a SASL mechanism), auth_rcpt.c (does this address live here?), auth_submit.c
 * (who has logged in to send).
 *
 * An exchange (front, session), auth_login.c:
 *   IDLE --LOGIN--> WAITING (database, then hash) --yes--> gone (OPEN to the store)   --no--> gone (REFUSED)
 *   IDLE --LOGIN of SASL--> CHALLENGED --LOGIN--> …
 * Facts: exchanges exist only while a SASL exchange is half done or an answer of the database or of a
 *        worker thread is awaited; the answer for one that has gone meanwhile (LOGIN_GONE, front lost) is
 *        thrown away: `serial` is never used twice, numbers of fronts and sessions are. */
#ifndef RS_SERVER_AUTH_INT_H
#define RS_SERVER_AUTH_INT_H

#include "proto/pop3.h"
#include "proto/pop3s.h"
#include "sasl/sasl.h"
#include "server/auth_delay.h"
#include "server/log.h"
#include "server/login_delay.h"
#include "server/mailbox.h"
#include "server/oauth.h"
#include "server/role.h"
#include "server/userdb.h"

struct auth {
	struct rs_userdb *users;
	struct rs_oauth *oauth;       /* NULL: not configured */
	GHashTable *exchanges;        /* struct auth_exchange, keyed by itself */
	uint64_t serial;              /* of the last exchange */
	struct rs_delays *delays;     /* NULL: [limits] failed-login-delay = off */
	struct rs_login_delay *again; /* LOGIN-DELAY */
	GHashTable *submitters;       /* struct auth_submitter, keyed by itself */
	GHashTable *buckets;          /* user -> what he may still send this hour */
	/* of the process at the other end of the link; what was asked by an older one is not answered */
	uint32_t front_age[RS_ROLE_PEERS_MAX];
};

struct auth_exchange {
	uint32_t front; /* key … */
	uint64_t session;
	uint64_t serial;
	enum rs_service service;
	uint64_t source;  /* where it comes from (auth_delay.h) … */
	uint64_t account; /* … and whose login it would be; 0: not known yet */
	char *tried;      /* … by name, for the log; NULL: not known, or no name of a user */
	struct rs_sasl_server *sasl;  /* NULL: not SASL */
	struct rs_user *user;         /* SCRAM: who comes in when it is proven */
	struct auth_channel *channel; /* what CHANNEL told before; NULL: nothing */
	bool waiting;
	char peer[64];                       /* address of the client; "": not known */
	char folder[RS_FOLDER_NAME_MAX + 1]; /* of user+folder; "": the main one */
};

/* What a front says of the connection of a login (RS_MSG_CHANNEL). */
struct auth_channel {
	bool plus_offered;
	uint8_t exporter[64];
	size_t exporter_n;
	uint8_t end_point[64];
	size_t end_point_n;
	char names[]; /* of the user, in a certificate that verified; LF between, "": none */
};

/* Somebody who has logged in to send mail. */
struct auth_submitter {
	uint32_t front; /* key … */
	uint64_t conn;  /* the number of the connection */
	char *user;
	char *senders; /* of struct rs_user */
	uint64_t txn;  /* whose MAIL was accepted; 0: none */
	char *sender;  /* … of it */
	uint8_t flags; /* RS_MSG_MAIL_* */
	uint64_t size;
};

/* --- users (auth.c) ------------------------------------------------------------------------ */

/* `u` is taken; rc as rs_user_fn. `folder`: borrowed, "" for the main one. */
typedef void (*auth_user_fn)(
	struct rs_proc *r, void *arg, int rc, struct rs_user *u, const char *folder);

/* Who is meant by `given`: the user of this name; for anna+junk@example.org anna, where nobody is called
 * so, and the folder is "junk". `any`: also where that cannot be a folder's name ("" then). What cannot
 * be a name is nobody. Answered exactly once, perhaps before this returns. */
void auth_find_user(struct rs_proc *r, struct rs_slice given, bool any, auth_user_fn fn, void *arg);

/* The link to the store that keeps this user: always the same one while their number stays; NULL: it is
 * being started again. */
struct rs_link *auth_store_of(struct rs_proc *r, const char *name);

/* --- exchanges (auth.c) -------------------------------------------------------------------- */

/* A new exchange in place of an older one of the same session. */
struct auth_exchange *auth_exchange_new(struct auth *a, uint32_t front, uint64_t session);
struct auth_exchange *auth_exchange_find(struct auth *a, uint32_t front, uint64_t session);
void auth_exchange_forget(struct auth *a, uint32_t front, uint64_t session);

/* --- messages ------------------------------------------------------------------------------ */

bool auth_on_login(struct rs_proc *r, uint32_t front, struct rs_msg_in *m);
bool auth_on_channel(struct rs_proc *r, uint32_t front, struct rs_msg_in *m);
bool auth_on_mail(struct rs_proc *r, uint32_t front, struct rs_msg_in *m);
bool auth_on_rcpt(struct rs_proc *r, uint32_t front, struct rs_msg_in *m);

/* --- logins -------------------------------------------------------------------------------- */

/* auth_login.c. The exchange is over with refuse and let_in. */
void auth_refuse(struct rs_proc *r, struct auth_exchange *e, enum rs_pop3_code code);
void auth_challenge(struct rs_proc *r, struct auth_exchange *e, struct rs_slice octets);
/* Whose login it would be: what is refused counts against him. */
void auth_account(struct auth_exchange *e, struct rs_slice given);
/* Is it the password? Then he comes in. */
void auth_check_password(
	struct rs_proc *r, struct auth_exchange *e, struct rs_slice user, struct rs_slice password);
bool auth_may_come_in(const struct rs_user *u, enum rs_service service);
/* It is `u` (taken), if he may come in. */
void auth_let_in(struct rs_proc *r, struct auth_exchange *e, struct rs_user *u);

/* auth_sasl.c. False: the front sends what does not fit. */
bool auth_sasl(struct rs_proc *r, struct auth_exchange *e, bool first, struct rs_slice mech,
	struct rs_slice response);

/* --- senders (auth_submit.c) --------------------------------------------------------------- */

void auth_submit_init(struct auth *a);
/* The user of `e`, which is not of POP3, may come in: the front hears of it. */
void auth_submit_admit(struct rs_proc *r, const struct auth_exchange *e, const struct rs_user *u);
/* Of the connection that `session` is of; NULL: nobody has logged in there to send mail. */
struct auth_submitter *auth_submit_find(struct auth *a, uint32_t front, uint64_t session);
void auth_submit_forget(struct auth *a, uint32_t front, uint64_t session);
void auth_submit_front_gone(struct auth *a, uint32_t front);
/* One recipient more; false: too many within an hour. */
bool auth_submit_rate(struct rs_proc *r, const char *user);
/* May who has logged in as `user` write as `sender`? His address, with +anything, what send-as= lists. */
bool auth_submit_owns(
	const struct rs_conf *c, const char *user, const char *senders, struct rs_slice sender);

#endif
