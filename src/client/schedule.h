/* schedule - when an account is to be checked, and whether the computer slept meanwhile. Pure: clock and chance
 * are handed in. Times are milliseconds of a clock that goes on in suspend (CLOCK_BOOTTIME).
 *
 *   went well  the next one after every_s, a tenth up or down, so that many who began together do not stay together
 *   failed     every_s doubled with each failure, to an hour; never sooner than every_s
 *   refused    the login or the certificate: a quarter of an hour doubled to six, because trying a wrong
 *              password again and again locks accounts; only rs_schedule_now is sooner
 */
#ifndef RS_CLIENT_SCHEDULE_H
#define RS_CLIENT_SCHEDULE_H

#include <glib.h>

#include "base/base.h"

enum rs_schedule_how { RS_SCHEDULE_WELL, RS_SCHEDULE_FAILED, RS_SCHEDULE_REFUSED };

#define RS_SCHEDULE_FAILED_MAX_S  3600u
#define RS_SCHEDULE_REFUSED_S     900u
#define RS_SCHEDULE_REFUSED_MAX_S 21600u
#define RS_SCHEDULE_APART_S       15u /* from the end of a check to one because of the network */

struct rs_schedule {
	guint every_s;
	gint64 due_ms;
	gint64 ended_ms; /* of the last check, 0: none */
	guint failed_n;  /* in a row */
	enum rs_schedule_how how;
};

/* Due at once. */
void rs_schedule_begin(struct rs_schedule *s, guint every_s, gint64 now_ms);
void rs_schedule_ended(
	struct rs_schedule *s, enum rs_schedule_how how, gint64 now_ms, guint32 chance);
/* The network came back, or the computer woke up: within a few seconds, when the network is likely to be there. */
void rs_schedule_soon(struct rs_schedule *s, gint64 now_ms, guint32 chance);
/* The person wants it. */
void rs_schedule_now(struct rs_schedule *s, gint64 now_ms);

/* How far CLOCK_BOOTTIME is ahead of CLOCK_MONOTONIC: it grows only while the computer sleeps. */
struct rs_asleep {
	gint64 ahead_ms;
	bool known;
};
/* Milliseconds slept since the last call; 0 at the first one, and for less than a second. */
gint64 rs_asleep_ms(struct rs_asleep *a, gint64 monotonic_ms, gint64 boottime_ms);

#endif
