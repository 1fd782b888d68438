/* link - one connection between two roles: SOCK_SEQPACKET on a libuv loop.
 * Writing is queued and leaves once a turn of the loop (or when a packet is full), so that many
 * small messages cost one system call. Thread: the loop's. */
#ifndef RS_SERVER_LINK_H
#define RS_SERVER_LINK_H

#include <glib.h>
#include <uv.h>

#include "server/msg.h"

/* Why most links end; the master tells whether the process was to end. */
#define RS_LINK_GONE "the other role is gone"

struct rs_link;

struct rs_link_ops {
	/* One message. Returning false says it was not acceptable: the link is closed. */
	bool (*message)(void *arg, struct rs_link *l, struct rs_msg_in *m);
	/* The other side is gone, or the link was broken by a bad message. The link is destroyed by
	 * the link itself after this returns. Not called for rs_link_destroy. */
	void (*closed)(void *arg, struct rs_link *l, const char *why);
};

/* `fd` is taken, also on failure. `self` and `peer` decide which messages may pass (rs_msg_may). */
int rs_link_create(uv_loop_t *loop, int fd, enum rs_role self, enum rs_role peer,
	const struct rs_link_ops *ops, void *arg, struct rs_link **out) RS_MUST_USE;
void rs_link_destroy(struct rs_link **l); /* queued messages are lost */

/* Keep `n` descriptors aside for those that come here: for a link whose descriptors must not be lost when all
 * others are in use. */
void rs_link_reserve(struct rs_link *l, uint32_t n);

/* Writing: begin, fields in order, end. Between begin and end no other call on this link. Errors
 * (no memory, queue over its ceiling) are sticky and end the link at the next turn of the loop. */
void rs_link_begin(struct rs_link *l, enum rs_msg_type type);
void rs_link_u8(struct rs_link *l, uint8_t v);
void rs_link_u16(struct rs_link *l, uint16_t v);
void rs_link_u32(struct rs_link *l, uint32_t v);
void rs_link_u64(struct rs_link *l, uint64_t v);
void rs_link_octets(struct rs_link *l, struct rs_slice s);
void rs_link_bytes(
	struct rs_link *l, GBytes *b); /* the same without a copy; referenced until sent */
void rs_link_answer(struct rs_link *l, const struct rs_msg_answer *a);
void rs_link_fd(struct rs_link *l, int fd); /* taken: closed when it was sent */
void rs_link_end(struct rs_link *l);

size_t rs_link_queued(const struct rs_link *l); /* octets not yet taken by the kernel */
void rs_link_flush(struct rs_link *l);          /* try now */
void rs_link_drain(struct rs_link *l);          /* hand on what has already arrived */

/* Handle now what the other side has sent already, before what other links brought. For a message
 * that may be the consequence of one that is still waiting here. */
void rs_link_catch_up(struct rs_link *l);

#endif
