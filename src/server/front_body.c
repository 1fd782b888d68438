/* front_body.c - see front_body.h */
#include "server/front_body.h"

#include <string.h>
#include <unistd.h>

#define AHEAD_OCTETS_MAX \
	(256u * 1024) /* held of bodies asked for and not yet sent, of one session */
#define READ_CHUNK 65536u
#define READ_LEAST 4096u

static uint8_t chunk[READ_CHUNK]; /* one a process: the loop has one thread */

void front_bodies_init(struct front_bodies *b)
{
	*b = (struct front_bodies){.expected = UINT32_MAX};
}

static void empty(struct body *body)
{
	if (body->fd >= 0)
		close(body->fd);
	if (!body->lent)
		g_free((gpointer)(uintptr_t)body->octets);
	*body = (struct body){.fd = -1};
}

void front_bodies_finish(struct front_bodies *b)
{
	for (unsigned i = 0; b->ring && i < FRONT_AHEAD_N; i++)
		empty(&b->ring[i]);
	g_clear_pointer(&b->ring, g_free);
}

void front_bodies_rest(struct front_bodies *b)
{
	front_bodies_finish(b);
	front_bodies_init(b);
}

struct body *front_bodies_get(struct front_bodies *b, uint32_t row)
{
	struct body *body = b->ring ? &b->ring[row % FRONT_AHEAD_N] : NULL;

	return body && body->state == BODY_HERE && body->row == row ? body : NULL;
}

void front_bodies_forget(struct front_bodies *b, uint32_t row)
{
	struct body *body = front_bodies_get(b, row);

	if (body)
		empty(body);
}

static void ring_new(struct front_bodies *b)
{
	b->ring = g_new0(struct body, FRONT_AHEAD_N);
	for (unsigned i = 0; i < FRONT_AHEAD_N; i++)
		b->ring[i].fd = -1;
}

/* Is `row` here or on its way? */
static bool have(const struct front_bodies *b, uint32_t row)
{
	const struct body *body = &b->ring[row % FRONT_AHEAD_N];

	return body->state != BODY_EMPTY && body->row == row;
}

/* How many rows from `row` on to ask for: more with every row that was wanted in order. */
static uint32_t window(const struct front_bodies *b, uint32_t row, const struct rs_drop *drop)
{
	uint32_t n = b->streak < 6 ? 1u << b->streak : FRONT_AHEAD_N;
	uint64_t octets = 0;
	uint32_t i = 0;

	for (; i < n && row + i < rs_drop_n(drop); i++) {
		uint64_t size = rs_drop_octets(drop, row + i);

		/* a larger one is a descriptor here, and its octets are not held */
		octets += RS_MIN(size, RS_MSG_BODY_MAX / 2);
		if (i && octets > AHEAD_OCTETS_MAX)
			break;
	}
	return i;
}

void front_bodies_want(struct front_bodies *b, uint32_t row, const struct rs_drop *drop,
	struct rs_link *store, uint64_t session)
{
	uint32_t first = row;
	uint32_t end;

	if (!b->ring)
		ring_new(b);
	b->streak = row == b->expected ? b->streak + 1 : 0;
	b->expected = row + 1;
	b->at = 0;
	end = row + window(b, row, drop);
	while (first < end && have(b, first))
		first++;
	/* ask again only when half of the run is used up, so that questions stay batched */
	if (first == end ||
		(first > row && end - first < FRONT_AHEAD_N / 2 && end < rs_drop_n(drop)))
		return;
	for (uint32_t i = first; i < end; i++) {
		struct body *body = &b->ring[i % FRONT_AHEAD_N];

		empty(body);
		body->state = BODY_ASKED;
		body->row = i;
	}
	rs_link_begin(store, RS_MSG_READ);
	rs_link_u64(store, session);
	rs_link_u32(store, first);
	rs_link_u32(store, end - first);
	rs_link_end(store);
}

void front_bodies_came(
	struct front_bodies *b, uint32_t row, enum rs_store_err err, struct rs_slice octets, int fd)
{
	struct body *body = b->ring ? &b->ring[row % FRONT_AHEAD_N] : NULL;

	if (!body || body->state != BODY_ASKED || body->row != row) {
		if (fd >= 0)
			close(fd);
		return;
	}
	body->state = BODY_HERE;
	body->err = err;
	body->fd = fd;
	body->octets_n = octets.n;
	body->octets = octets.n ? octets.p : NULL;
	body->lent = true;
}

void front_bodies_keep(struct front_bodies *b, uint32_t row)
{
	struct body *body = front_bodies_get(b, row);

	if (!body || !body->lent)
		return;
	if (body->octets)
		body->octets = g_memdup2(body->octets, body->octets_n);
	body->lent = false;
}

/* The next stored octets of the body, not many more than there is room for; n == 0 at its end, p == NULL
 * when it cannot be read. *last: the end is behind them. */
static struct rs_slice next(
	const struct front_bodies *b, const struct body *body, size_t room, bool *last)
{
	size_t want = RS_MIN(RS_MAX(room, READ_LEAST), sizeof(chunk));
	ssize_t n;

	*last = true;
	if (body->fd < 0)
		return rs_slice(body->octets ? body->octets + b->at : chunk,
			body->octets_n - (size_t)b->at);
	n = pread(body->fd, chunk, want, (off_t)b->at);
	*last = n >= 0 && (size_t)n < want; /* a file: only its end makes a reading short */
	return n < 0 ? rs_slice(NULL, 0) : rs_slice(chunk, (size_t)n);
}

enum front_send front_bodies_send(struct front_bodies *b, uint32_t row, struct rs_pop3s *engine)
{
	struct body *body = front_bodies_get(b, row);

	while (!rs_pop3s_body_enough(engine)) {
		bool last;
		struct rs_slice s = next(b, body, rs_pop3s_out_room(engine), &last);
		size_t taken;

		if (!s.p)
			return SEND_BROKEN;
		if (s.n == 0)
			break;
		taken = rs_pop3s_body(engine, s.p, s.n);
		b->at += taken;
		if (taken < s.n)
			return SEND_ROOM;
		if (last)
			break;
	}
	empty(body);
	return SEND_DONE;
}
