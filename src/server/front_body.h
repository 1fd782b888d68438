/* front_body - bodies on their way from a store to a POP3 session: asked for ahead of need,
 * because a client that fetches in order pays 50 µs for each lone question to another process and
 * next to nothing for those that were asked in a run. */
#ifndef RS_SERVER_FRONT_BODY_H
#define RS_SERVER_FRONT_BODY_H

#include <glib.h>

#include "proto/pop3s.h"
#include "server/link.h"
#include "server/store.h"

#define FRONT_AHEAD_N 64u /* bodies asked for at a time */

enum body_state { BODY_EMPTY, BODY_ASKED, BODY_HERE };

struct body {
	enum body_state state;
	uint32_t row;
	enum rs_store_err err;
	const uint8_t *octets; /* owned unless lent; or … */
	bool lent;
	size_t octets_n;
	int fd; /* … a descriptor, -1 */
};

struct front_bodies {
	struct body *ring; /* FRONT_AHEAD_N, row % FRONT_AHEAD_N; NULL while nothing is asked for */
	uint32_t expected; /* the row behind the last one wanted */
	uint32_t streak;   /* wanted in order so far */
	uint64_t at;       /* how far the one being sent is */
};

void front_bodies_init(struct front_bodies *b);
/* Give back what is held: nobody has wanted a body for a while. */
void front_bodies_rest(struct front_bodies *b);
void front_bodies_finish(struct front_bodies *b);

/* `row` is wanted now; asks `store` for it, and for those behind it, where they are not here. */
void front_bodies_want(struct front_bodies *b, uint32_t row, const struct rs_drop *drop,
	struct rs_link *store, uint64_t session);

/* A BODY came; octets are lent until front_bodies_keep, fd is taken. Those nobody wants any more are
 * dropped. */
void front_bodies_came(struct front_bodies *b, uint32_t row, enum rs_store_err err,
	struct rs_slice octets, int fd);

/* The octets lent with `row` are about to go: what was not sent of them is copied. */
void front_bodies_keep(struct front_bodies *b, uint32_t row);

/* The body of `row`, or NULL while it is not here. */
struct body *front_bodies_get(struct front_bodies *b, uint32_t row);

/* The body of `row` is not kept: asked for again, the store is asked again. */
void front_bodies_forget(struct front_bodies *b, uint32_t row);

enum front_send { SEND_ROOM, SEND_DONE, SEND_BROKEN };

/* Move on: feed the engine from the body. ROOM: its output is full, again later. DONE: all of the
 * octets are with the engine. */
enum front_send front_bodies_send(struct front_bodies *b, uint32_t row, struct rs_pop3s *engine);

#endif
