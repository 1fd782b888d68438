/* stats - what the roles count, without a message: one page of numbers a process, shared with the
 * master, who keeps it beyond the process, and with the admin role, who reads it.
 * Does:     counters that only grow (they go on where a process that ended left off), gauges (set back by the
 *           master when the process ends), histograms of times. A page is a sealed memory file
 *           of its own, so that a role can only spoil its own numbers.
 * Units:    rows are u64; a histogram is RS_STATS_TIMES_N counters and a sum of microseconds.
 * Limits:   the table of families is fixed at build time.   Thread: any. */
#ifndef RS_SERVER_STATS_H
#define RS_SERVER_STATS_H

#include "base/base.h"
#include "server/conf.h"

/* How a client logged in: with PASS, APOP, or a SASL mechanism. */
enum rs_stats_mech {
	RS_STATS_PASS,
	RS_STATS_APOP,
	RS_STATS_PLAIN,
	RS_STATS_LOGIN,
	RS_STATS_SCRAM_SHA_1,
	RS_STATS_SCRAM_SHA_1_PLUS,
	RS_STATS_SCRAM_SHA_256,
	RS_STATS_SCRAM_SHA_256_PLUS,
	RS_STATS_XOAUTH2,
	RS_STATS_OAUTHBEARER,
	RS_STATS_EXTERNAL,
	RS_STATS_OTHER_MECH,
	RS_STATS_MECH_N
};

/* Over which ceiling a connection was. */
enum rs_stats_turned {
	RS_STATS_TURNED_ALL,
	RS_STATS_TURNED_SOURCE,
	RS_STATS_TURNED_USER,
	RS_STATS_TURNED_SHAKING,
	RS_STATS_TURNED_FLOOD, /* too many octets before the login */
	RS_STATS_TURNED_SLOW,  /* it does not read what was sent */
	RS_STATS_TURNED_N
};

enum rs_stats_login {
	RS_STATS_LOGIN_OK,
	RS_STATS_LOGIN_REFUSED,
	RS_STATS_LOGIN_FAILED,
	RS_STATS_LOGIN_N
};

/* Times of a histogram: at most 1 ms, 5 ms … 60 s, longer. */
#define RS_STATS_TIMES_N 12u
extern const double rs_stats_times_s[RS_STATS_TIMES_N - 1];

#define RS_STATS_ROLES_N 8u /* rows kept for enum rs_role */

/* Rows of a page. What has a label takes as many rows as the label has values. */
enum rs_stat {
	RS_STAT_CONNECTIONS = 0,                           /* by service */
	RS_STAT_OPEN = RS_STAT_CONNECTIONS + RS_SERVICE_N, /* gauge, by service */
	RS_STAT_TURNED_AWAY = RS_STAT_OPEN + RS_SERVICE_N,
	RS_STAT_PROXY_BAD =
		RS_STAT_TURNED_AWAY + RS_STATS_TURNED_N, /* a balancer without its header */
	RS_STAT_NO_DESCRIPTORS,                          /* times that accepting was paused */
	RS_STAT_TLS_OK,
	RS_STAT_TLS_RESUMED,
	RS_STAT_TLS_FAILED,
	RS_STAT_OCTETS_IN,
	RS_STAT_OCTETS_OUT,
	RS_STAT_LOGINS, /* by mechanism and result */
	RS_STAT_SESSIONS =
		RS_STAT_LOGINS +
		(unsigned)RS_STATS_MECH_N * (unsigned)RS_STATS_LOGIN_N, /* gauge: logged in */
	RS_STAT_HELD_BACK, /* refusals that were told later */
	RS_STAT_RETRIEVED,
	RS_STAT_DELETED,
	RS_STAT_RECEIVED,      /* messages that came in */
	RS_STAT_DELIVERED,     /* into mailboxes … */
	RS_STAT_UNDELIVERED,   /* … and not, one a recipient */
	RS_STAT_RELAYED,       /* messages that the relay took … */
	RS_STAT_RELAY_REFUSED, /* … and did not */
	RS_STAT_RELAY_CONNECTIONS,
	RS_STAT_RELAY_FAILED, /* connections to it that failed */
	RS_STAT_OPEN_FAILED,  /* maildrops that could not be opened */
	RS_STAT_LOG_ERRORS,
	RS_STAT_LOG_WARNINGS,
	RS_STAT_STARTED, /* the master's: unix time */
	RS_STAT_RELOADS,
	RS_STAT_RELOADS_REFUSED,
	RS_STAT_RESTARTS,                                         /* by role */
	RS_STAT_LOGIN_TIME = RS_STAT_RESTARTS + RS_STATS_ROLES_N, /* histogram: asked to answered */
	RS_STAT_COMMIT_TIME = RS_STAT_LOGIN_TIME + RS_STATS_TIMES_N + 1, /* QUIT with deletions */
	RS_STAT_DELIVERY_TIME =
		RS_STAT_COMMIT_TIME + RS_STATS_TIMES_N + 1, /* end of DATA to the results */
	RS_STAT_N = RS_STAT_DELIVERY_TIME + RS_STATS_TIMES_N + 1
};

struct rs_stats {
	uint64_t rows[RS_STAT_N];
	uint64_t beats; /* turns by itself while the process's loop turns */
};

/* Make a page; the descriptor may be handed on. 0 or -RS_EIO. Both are the caller's. */
int rs_stats_create(int *fd, struct rs_stats **page) RS_MUST_USE;
/* Map a page that was handed over; fd is taken. `write`: as its owner. NULL: it is not a page. */
struct rs_stats *rs_stats_map(int fd, bool write);
void rs_stats_unmap(struct rs_stats **page);

/* Count into `page` from now on; what was counted before goes with it. */
void rs_stats_use(struct rs_stats *page);

void rs_stats_add(unsigned row, uint64_t n);
void rs_stats_sub(unsigned row, uint64_t n); /* gauges */
void rs_stats_beat(void);
uint64_t rs_stats_beats(const struct rs_stats *page);
void rs_stats_time(unsigned first, uint64_t us);
void rs_stats_login(enum rs_stats_mech mech, enum rs_stats_login result);
enum rs_stats_mech rs_stats_mech_of(struct rs_slice name);

/* The process of `page` has ended: what it had open is not open any more. */
void rs_stats_ended(struct rs_stats *page);
/* sum += page */
void rs_stats_sum(struct rs_stats *sum, const struct rs_stats *page);

#endif
