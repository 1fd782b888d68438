/* master_int - what the files of the master share: master.c (beginning, end, signals), children.c
 * (processes and the links between them), generation.c (reload).
 *
 * A generation is one set of roles with one configuration. Reload starts a second one beside the
 * first; when all of it is ready, the first takes no more connections and ends with its sessions. */
#ifndef RS_SERVER_MASTER_INT_H
#define RS_SERVER_MASTER_INT_H

#include <glib.h>
#include <uv.h>

#include "server/conf.h"
#include "server/counts.h"
#include "server/listen.h"
#include "server/role.h"
#include "server/stats.h"

#define GENERATIONS_MAX RS_ROLE_SETS_MAX /* the oldest of more is ended, with its sessions */
#define CHILDREN_MAX    RS_ROLE_PLACES_MAX

enum child_state { CHILD_NONE, CHILD_STARTING, CHILD_READY };

/* A place for a process. The places and their pages of numbers stay; who has them changes. */
struct child {
	struct master *master;
	struct generation *gen; /* NULL: the place is free */
	uint32_t slot;          /* index of the place */
	enum rs_role role;
	uint32_t index;
	enum child_state state;
	uv_process_t process;
	bool process_open;
	struct rs_link *control;
	uv_timer_t again;
	bool timed; /* `again` is initialised */
	uint64_t started_ms;
	uint64_t started_s; /* of the calendar */
	uint64_t delay_ms;
	uint32_t restarts;
	uint64_t beats;   /* at the last check … */
	unsigned still_n; /* … and how many of them found no more */
	int stats_fd;
	struct rs_stats *stats;
	int counts_fd; /* fronts */
	struct rs_counts *counts;
};

/*   FREE --reload--> STARTING --all ready--> CURRENT --next one is--> DRAINING --fronts gone--> STOPPING --> FREE
 *                    '--one cannot start--> STOPPING */
#define STOP_GRACE_MS 10000 /* what is left of a generation then is killed */

enum gen_state { GEN_FREE, GEN_STARTING, GEN_CURRENT, GEN_DRAINING, GEN_STOPPING };

struct generation {
	struct master *master;
	enum gen_state state;
	uint32_t number; /* from 1, in the order of reloads */
	struct rs_conf *conf;
	char *conf_text;
	gsize conf_text_n;
	struct rs_listeners listeners;
	uint64_t asked;   /* number of the request that wants the answer; 0: SIGHUP, or the start */
	uv_timer_t grace; /* STOPPING: then what is left is killed */
};

struct master {
	uv_loop_t loop;
	const char *conf_file;
	struct generation gens[GENERATIONS_MAX];
	struct child children[CHILDREN_MAX];
	uint32_t generations_n; /* so far */
	uv_signal_t term;
	uv_signal_t interrupt;
	uv_signal_t hangup;
	uv_timer_t grace;
	uv_timer_t watchdog;
	uv_timer_t check; /* of roles that hang */
	uint64_t check_ms;
	uv_timer_t turn;                         /* of ticket_keys */
	uint8_t ticket_keys[RS_TLS_KEYS_OCTETS]; /* of all fronts, of all generations */
	int lock_fd;
	struct rs_stats *stats; /* the master's own */
	int stats_fd;
	bool stopping;
	bool told_ready;
	int status;
};

/* children.c */
void children_init(struct master *m);
/* Start all roles of a generation. -RS_ELIMIT: no place is free. */
int children_start(struct master *m, struct generation *g, struct rs_err *err) RS_MUST_USE;
void children_tell(struct master *m, const struct generation *g, enum rs_role role,
	enum rs_msg_type type); /* a message without fields; RS_ROLE_N: to all roles */
unsigned children_n(const struct master *m, const struct generation *g, enum rs_role role);
void children_check(struct master *m);                            /* every check_ms */
void children_kill(struct master *m, const struct generation *g); /* NULL: all */
/* What a role says. False: not acceptable, its process is ended. */
bool children_message(struct child *c, struct rs_msg_in *msg);
void children_serve(struct master *m, struct generation *g); /* hand out the listeners */
void children_tickets(struct master *m);                     /* tell all fronts the keys */

/* generation.c */
void generations_init(struct master *m);
struct generation *generation_in(struct master *m, enum gen_state state); /* NULL: there is none */
int generation_new(struct master *m, uint64_t asked, struct rs_err *err) RS_MUST_USE;
void generation_ready(struct generation *g, struct master *m); /* all its roles are */
void generation_failed(struct generation *g, struct master *m, const struct child *c);
void generation_less(struct generation *g, struct master *m); /* a process of it is gone */
void generation_reload(struct master *m, uint64_t asked);

/* master.c */
void master_stop(struct master *m);

#endif
