/* admin_int - what the files of the admin role share: admin.c (the role, what it is told of the others),
 * admin_conn.c (who may talk to it, octets), admin_do.c (what is asked).
 *
 * The role sits beside the others, so that the master stays simple: it has the administrator's
 * socket and the metrics listener, and no file, no user, no mail. */
#ifndef RS_SERVER_ADMIN_INT_H
#define RS_SERVER_ADMIN_INT_H

#include <glib.h>
#include <json-glib/json-glib.h>
#include <uv.h>

#include "server/admin_req.h"
#include "server/metrics.h"
#include "server/role.h"

#define ADMIN_CONNS_MAX 64u   /* at a time, both listeners together */
#define ADMIN_WAIT_MS   10000 /* for a request, an answer of the others, a reader */
#define ADMIN_RELOAD_MS 60000
#define ADMIN_FRONTS_MS 5000 /* fronts have answered by then, or are told of as silent */

/* A place for a process, as the master tells of it. */
struct admin_place {
	enum rs_role role; /* RS_ROLE_N: nobody has it */
	uint32_t index;
	uint32_t generation;
	uint8_t state; /* 0 none, 1 starting, 2 ready */
	uint64_t pid;
	uint64_t started_s;
	uint32_t restarts;
	struct rs_stats *page;
};

struct admin {
	struct rs_proc *proc;
	struct admin_place places[RS_ROLE_PLACES_MAX + 1]; /* the last is the master's */
	GPtrArray *listeners;                              /* struct listener */
	uv_timer_t pause; /* runs while no descriptor is left for who wants in */
	struct admin_conn *conns;
	unsigned conns_n;
	uint64_t next_ask;
	uid_t service_uid;
	gid_t group;
	bool has_group;
};

/*  READING --line--> ASKING (fronts list, then end, sessions; the master reloads) --> answered --> READING */
struct admin_conn {
	union {
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} h;
	struct admin *admin;
	struct admin_conn *next;
	uv_timer_t timer;
	unsigned handles_n;
	bool http;
	bool refused; /* may not ask: the first request is told so */
	bool eof;     /* it asks for nothing more */
	bool closing;
	bool writing;
	bool close_when_sent;
	GString *in;
	/* the request under way */
	uint64_t ask; /* 0: none */
	struct rs_admin_req req;
	JsonArray *rows;                /* sessions */
	bool waits[RS_ROLE_PLACES_MAX]; /* fronts that have not told all their sessions */
	unsigned waits_n;
	uint32_t kicks[RS_ROLE_PLACES_MAX]; /* not answered, of each front … */
	unsigned kicks_n;                   /* … and of all */
};

/* admin_conn.c */
void admin_accept(struct admin *a, int fd, bool http); /* `fd` is taken */
void admin_conn_close(struct admin_conn *c);
void admin_conn_send(struct admin_conn *c, GString *taken, bool close);
void admin_conn_next(struct admin_conn *c); /* the next request, if it is there */
void admin_conn_wait(struct admin_conn *c, uint64_t ms);

/* admin_do.c */
void admin_do(struct admin_conn *c);      /* c->req */
void admin_do_late(struct admin_conn *c); /* the answers did not come */
void admin_fail(struct admin_conn *c, enum rs_admin_code code, const char *why);
bool admin_front_message(struct admin *a, uint32_t place, struct rs_msg_in *m);
void admin_front_gone(struct admin *a, uint32_t place);
bool admin_reloaded(struct admin *a, struct rs_msg_in *m);

/* admin.c */
void admin_sum(const struct admin *a, struct rs_stats *sum);
void admin_leave_if_done(struct admin *a);

#endif
