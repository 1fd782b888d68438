/* front_progress.c - readers that are stuck. A slow one is served as long as it moves: what counts is
 * what the peer has acknowledged, not how long it takes; a line of 300 baud moves three times as much
 * as is asked for here. Before the login there is nothing worth so much patience. */
#include "server/front.h"

#define SLOW_CHECK_MS 60000
#define SLOW_OCTETS   512u /* in this time, at least */

/* The kernel takes a few megabytes, which a slow line needs longer for than silence is allowed. */
bool front_progress_waits(struct rs_conn *c, uint64_t now_ms)
{
	bool waits = c->writing || (now_ms >= c->quiet_until_ms && rs_conn_taken(c) < c->wire_out);

	if (!waits && c->slow_since_ms) { /* it has come through: silence begins now */
		c->slow_since_ms = 0;
		rs_conn_alive(c, c->quiet_s);
	}
	return waits;
}

void front_progress_check(struct rs_conn *c, uint64_t now_ms)
{
	uint64_t interval = MIN(SLOW_CHECK_MS, (uint64_t)c->quiet_s * 1000);
	uint64_t taken;

	if (front_login_late(c, now_ms)) {
		rs_conn_close(c, false);
		return;
	}
	if (c->slow_since_ms && now_ms < c->slow_since_ms + interval)
		return;
	taken = rs_conn_taken(c);
	if (c->slow_since_ms && taken < c->slow_mark + SLOW_OCTETS * interval / SLOW_CHECK_MS &&
		taken < c->wire_out) {
		front_ceiling_told(c->front, c, RS_STATS_TURNED_SLOW);
		rs_conn_close(c, false);
		return;
	}
	c->slow_since_ms = now_ms;
	c->slow_mark = taken;
}
