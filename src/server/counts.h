/* counts - who has how many connections, over all fronts, without a message: the ceilings of the whole
 * service are exact although each front decides alone.
 * Does:     each front writes a page of its own (a sealed memory file, kept by the master beyond the
 *           process, as in stats.h) and reads those of all others, also of earlier generations. To enter is to
 *           count oneself, then to add up all pages; who finds more than the ceiling steps back. So
 *           no ceiling is ever passed; of two that come in the same microsecond for the last place both may be
 *           turned away. A front can only spoil its own page; what a front that died had is given
 *           back by the master, who clears it.
 * Units:    keys are numbers that tell sources or users apart, never 0.
 * Limits:   a page has twice the slots of the connections allowed; a key has a window of COUNTS_WINDOW slots,
 *           whose place a stranger cannot guess; a full window counts as a ceiling reached.
 * Thread:   one writer a page, any readers. */
#ifndef RS_SERVER_COUNTS_H
#define RS_SERVER_COUNTS_H

#include "base/base.h"

enum rs_count { RS_COUNT_SOURCE, RS_COUNT_USER, RS_COUNT_N };

struct rs_counts; /* a mapping of one page */

/* A new page for a front that may have `connections` of them (0: no ceiling). The descriptor may be handed
 * on; rs_counts_reader gives one that cannot be written through. Both are the caller's. 0, -RS_EIO. */
int rs_counts_create(uint32_t connections, int *fd, struct rs_counts **page) RS_MUST_USE;
int rs_counts_reader(int fd) RS_MUST_USE; /* -1: none could be had */
/* Would rs_counts_create make one of this size? */
bool rs_counts_fits(const struct rs_counts *page, uint32_t connections);
/* Map a page that was handed over; fd is taken. `write`: as its owner. NULL: it is not a page. */
struct rs_counts *rs_counts_map(int fd, bool write);
void rs_counts_unmap(struct rs_counts **page);
/* The master: the process of this page has ended. */
void rs_counts_clear(struct rs_counts *page, int fd);

/* One more, with ceiling `max` (0: none) for all pages together; `others` may have holes. False: that is
 * one too many; nothing is counted then. */
bool rs_counts_enter(
	struct rs_counts *own, struct rs_counts *const *others, unsigned others_n, uint32_t max);
void rs_counts_leave(struct rs_counts *own);

/* The same for one key: what a source or a user has. */
struct rs_count_who {
	enum rs_count what;
	uint64_t key;
};
bool rs_counts_enter_as(struct rs_counts *own, struct rs_counts *const *others, unsigned others_n,
	struct rs_count_who who, uint32_t max);
void rs_counts_leave_as(struct rs_counts *own, struct rs_count_who who);

/* A user's key. */
uint64_t rs_counts_user(const char *name);

#endif
