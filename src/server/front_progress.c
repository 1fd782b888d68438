/* front_progress.c - readers that are stuck. A slow one is served as long as it moves: what counts is
 * what the peer has acknowledged, not how long it takes; a line of 300 baud moves three times as much
 * as is asked for here. */
#include "server/front.h"

#define SLOW_CHECK_MS 60000
#define SLOW_OCTETS   512u /* in this time, at least */

bool front_progress(struct rs_conn *c, uint64_t now_ms)
{
	uint64_t interval = MIN(SLOW_CHECK_MS, (uint64_t)c->quiet_s * 1000);
	uint64_t taken;

	if (c->slow_since_ms && now_ms < c->slow_since_ms + interval)
		return true;
	taken = rs_conn_taken(c);
	if (c->slow_since_ms && taken < c->slow_mark + SLOW_OCTETS * interval / SLOW_CHECK_MS) {
		front_ceiling_told(c->front, c, RS_STATS_TURNED_SLOW);
		return false;
	}
	c->slow_since_ms = now_ms;
	c->slow_mark = taken;
	return true;
}
