/* role - how a role's process begins, what it is told by the master, and how it ends.
 * A role is exec'ed anew (its own address space) as `restanted role NAME` with the control link on
 * descriptor 3. It gets START (configuration, certificate and key), then gives up what rights it
 * has, says READY, and gets LISTENERs and LINKs; a LINK to a peer that had one replaces it,
 * because that peer died and was started again. */
#ifndef RS_SERVER_ROLE_H
#define RS_SERVER_ROLE_H

#include <uv.h>

#include "server/conf.h"
#include "server/link.h"
#include "server/tls.h"

#define RS_ROLE_CONTROL_FD 3
#define RS_ROLE_PEERS_MAX  64u
#define RS_ROLE_SETS_MAX   4u /* generations of roles at a time (master_int.h) */
#define RS_ROLE_PLACES_MAX (RS_ROLE_SETS_MAX * (RS_ROLE_PEERS_MAX * 2 + 3))

struct rs_proc {
	uv_loop_t loop;
	enum rs_role kind;
	uint32_t index;
	uint32_t fronts_n;
	uint32_t stores_n;
	struct rs_conf *conf;
	uint64_t master_pid;
	uv_timer_t beat;       /* tells the master that the loop turns */
	uv_prepare_t log_wait; /* log.h: rs_log_gather */
	int tls_fd; /* fronts with TLS: certificates and keys (tls.h), else -1; closed by the role */
	uint8_t ticket_keys[RS_TLS_KEYS_OCTETS]; /* of fronts with TLS */
	struct rs_link *control;
	struct rs_link *auth;                      /* NULL while there is none */
	struct rs_link *relay;                     /* likewise */
	struct rs_link *fronts[RS_ROLE_PEERS_MAX]; /* likewise */
	struct rs_link *stores[RS_ROLE_PEERS_MAX];
	struct rs_link *admin;                      /* fronts: who asks for their sessions */
	struct rs_link *places[RS_ROLE_PLACES_MAX]; /* admin: fronts by the master's places */
	const struct rs_role_ops *ops;
	void *arg; /* the role's own struct */
	bool stopping;
	bool draining;
	int exit_status;
	char who[16]; /* "front0" */
};

struct rs_role_ops {
	/* After START, with all rights still there: read what only root may, look up names. NULL: nothing. */
	int (*prepare)(struct rs_proc *r, struct rs_err *err);
	/* Then, without them. False: logged, leave. */
	bool (*start)(struct rs_proc *r);
	/* Messages of peers. */
	bool (*message)(struct rs_proc *r, enum rs_role peer, uint32_t index, struct rs_msg_in *m);
	/* The link to a peer is gone (r->auth … is NULL already). */
	void (*peer_gone)(struct rs_proc *r, enum rs_role peer, uint32_t index);
	/* r->ticket_keys are new. NULL: of no concern. */
	void (*tickets)(struct rs_proc *r);
	void (*listener)(struct rs_proc *r, enum rs_service service, int fd); /* fd taken */
	/* Fields of a message of the master that only this role gets. */
	bool (*control)(struct rs_proc *r, struct rs_msg_in *m);
	/* Another process takes what is new: end with the last session. NULL: nothing to do. */
	void (*drain)(struct rs_proc *r);
	/* End in good order; call rs_role_leave when done. */
	void (*stop)(struct rs_proc *r);
};

extern const struct rs_role_ops rs_front_ops;
extern const struct rs_role_ops rs_auth_ops;
extern const struct rs_role_ops rs_store_ops_role;
extern const struct rs_role_ops rs_admin_ops;
extern const struct rs_role_ops rs_relay_ops;

/* The whole life of a role process; returns its exit status. */
int rs_role_main(const char *name);

/* Leave the loop and the process. */
void rs_role_leave(struct rs_proc *r, int status);

/* The users of [server]: "name", "name:group" or "uid:gid". 0 or -RS_ECONFIG. */
int rs_role_user(const char *text, uid_t *uid, gid_t *gid, struct rs_err *err) RS_MUST_USE;

/* admin-group of [server]. 0 or -RS_ECONFIG. */
int rs_role_group(const char *name, gid_t *gid, struct rs_err *err) RS_MUST_USE;

/* Are all names of [server] those of somebody here? Users count for nothing where we are not root. */
int rs_role_check_names(const struct rs_conf *c, struct rs_err *err) RS_MUST_USE;

#endif
