/* link.c - see link.h.
 *
 * Writing: messages gather in a packet; full packets and the last one leave when the loop is
 * about to wait (uv_prepare), or when the kernel has room again (uv_poll, writable).
 * Reading: one recvmsg a packet; its messages are handed on one by one. */
#include "server/link.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "server/log.h"

#define QUEUE_MAX    (64u << 20) /* octets waiting for a role that does not read: it is stuck */
#define READS_A_TURN 16          /* packets read before the others have their turn           */
#define SNDBUF_N     (1 << 20)
#define LENT_MAX     64u
#define SPARES_MAX   16u
#define LENT_LEAST   512u /* fewer octets are copied sooner than lent */

struct head {
	uint16_t type;
	uint16_t fds_n;
	uint32_t n;
};

/* Octets that are sent from where they are, in front of octets[at]. */
struct lent {
	size_t at;
	GBytes *bytes;
};

struct packet {
	struct rs_buf octets;
	struct lent *lent; /* LENT_MAX, NULL until there are some */
	uint32_t lent_n;
	size_t lent_octets;
	int fds[RS_MSG_FDS_MAX];
	uint32_t fds_n;
};

struct rs_link {
	int fd;
	enum rs_role self;
	enum rs_role peer;
	const struct rs_link_ops *ops;
	void *arg;
	uv_poll_t poll;
	uv_prepare_t prepare;
	int handles_n; /* that are not closed yet */
	bool closing;
	bool secret;        /* passwords may pass: nothing stays in memory */
	int waits_for;      /* events of the poll */
	const char *broken; /* why the link is to end; NULL: it is well */
	GQueue out;         /* struct packet *, the last one is being filled */
	size_t queued;
	struct packet *spare; /* an empty one, or NULL */
	size_t head_at;       /* of the message that is being written */
	size_t head_lent;
	uint32_t head_fds;
	int spares[SPARES_MAX];
	uint32_t spares_n;
	uint32_t spares_max;
	uint8_t in[RS_MSG_PACKET_MAX];
};

static size_t packet_n(const struct packet *p)
{
	return rs_buf_n(&p->octets) + p->lent_octets;
}

static void packet_clear(struct packet *p, bool secret)
{
	for (uint32_t i = 0; i < p->fds_n; i++)
		close(p->fds[i]);
	for (uint32_t i = 0; i < p->lent_n; i++)
		g_bytes_unref(p->lent[i].bytes);
	p->fds_n = p->lent_n = 0;
	p->lent_octets = 0;
	if (secret)
		rs_buf_wipe(&p->octets);
	rs_buf_clear(&p->octets);
}

static void packet_free(struct packet *p, bool secret)
{
	if (!p)
		return;
	packet_clear(p, secret);
	rs_buf_finish(&p->octets);
	g_free(p->lent);
	g_free(p);
}

/* It was sent. Packets are many and alike, so one is kept. */
static void packet_done(struct rs_link *l, struct packet *p)
{
	if (l->spare) {
		packet_free(p, l->secret);
		return;
	}
	packet_clear(p, l->secret);
	l->spare = p;
}

static void spares_take(struct rs_link *l)
{
	int fd;

	while (l->spares_n < l->spares_max && (fd = fcntl(l->fd, F_DUPFD_CLOEXEC, 0)) >= 0)
		l->spares[l->spares_n++] = fd;
}

static void spares_drop(struct rs_link *l)
{
	while (l->spares_n)
		close(l->spares[--l->spares_n]);
}

static void handle_closed(uv_handle_t *h)
{
	struct rs_link *l = h->data;

	if (--l->handles_n == 0)
		g_free(l);
}

static void shut(struct rs_link *l)
{
	struct packet *p;

	if (l->closing)
		return;
	l->closing = true;
	while ((p = g_queue_pop_head(&l->out)))
		packet_free(p, l->secret);
	packet_free(l->spare, l->secret);
	l->spare = NULL;
	spares_drop(l);
	uv_poll_stop(&l->poll);
	uv_prepare_stop(&l->prepare);
	uv_close((uv_handle_t *)&l->poll, handle_closed);
	uv_close((uv_handle_t *)&l->prepare, handle_closed);
	close(l->fd);
}

/* End the link because of itself or its peer, and say so. */
static void end(struct rs_link *l, const char *why)
{
	if (l->closing)
		return;
	if (l->ops->closed)
		l->ops->closed(l->arg, l, why);
	shut(l);
}

void rs_link_destroy(struct rs_link **l)
{
	if (*l)
		shut(*l);
	*l = NULL;
}

/* --- writing ------------------------------------------------------------------------------- */

static struct packet *packet_new(struct rs_link *l)
{
	struct packet *p = l->spare ? l->spare : g_new0(struct packet, 1);

	if (!l->spare)
		rs_buf_init(&p->octets, RS_MSG_PACKET_MAX * 2);
	l->spare = NULL;
	g_queue_push_tail(&l->out, p);
	return p;
}

static struct packet *last(struct rs_link *l)
{
	struct packet *p = g_queue_peek_tail(&l->out);

	return p ? p : packet_new(l);
}

static void put(struct rs_link *l, const void *octets, size_t n)
{
	if (rs_buf_add(&last(l)->octets, octets, n) < 0)
		l->broken = "a message was too large";
}

void rs_link_begin(struct rs_link *l, enum rs_msg_type type)
{
	struct head head = {.type = (uint16_t)type};
	struct packet *p = last(l);

	assert(rs_msg_may(l->self, l->peer, type));
	/* leave room for one message of the largest kind, so that none is ever cut */
	if (packet_n(p) > RS_MSG_PACKET_MAX - RS_MSG_INLINE_MAX - 1024 ||
		p->fds_n > RS_MSG_FDS_MAX - 4 || p->lent_n > LENT_MAX - 4)
		p = packet_new(l);
	l->head_at = rs_buf_n(&p->octets);
	l->head_lent = p->lent_octets;
	l->head_fds = p->fds_n;
	put(l, &head, sizeof(head));
}

void rs_link_u8(struct rs_link *l, uint8_t v)
{
	put(l, &v, sizeof(v));
}

void rs_link_u16(struct rs_link *l, uint16_t v)
{
	put(l, &v, sizeof(v));
}

void rs_link_u32(struct rs_link *l, uint32_t v)
{
	put(l, &v, sizeof(v));
}

void rs_link_u64(struct rs_link *l, uint64_t v)
{
	put(l, &v, sizeof(v));
}

void rs_link_octets(struct rs_link *l, struct rs_slice s)
{
	rs_link_u32(l, (uint32_t)s.n);
	put(l, s.p, s.n);
}

void rs_link_bytes(struct rs_link *l, GBytes *b)
{
	struct packet *p = last(l);
	gsize n = 0;
	const void *octets = b ? g_bytes_get_data(b, &n) : NULL;

	if (n < LENT_LEAST || p->lent_n == LENT_MAX) {
		rs_link_octets(l, rs_slice(octets, n));
		return;
	}
	rs_link_u32(l, (uint32_t)n);
	if (!p->lent)
		p->lent = g_new(struct lent, LENT_MAX);
	p->lent[p->lent_n++] = (struct lent){.at = rs_buf_n(&p->octets), .bytes = g_bytes_ref(b)};
	p->lent_octets += n;
}

void rs_link_answer(struct rs_link *l, const struct rs_msg_answer *a)
{
	rs_link_u16(l, (uint16_t)a->code);
	rs_link_octets(l, rs_slice_str(a->status));
	rs_link_octets(l, rs_slice_str(a->text));
}

void rs_link_fd(struct rs_link *l, int fd)
{
	struct packet *p = last(l);

	assert(p->fds_n < RS_MSG_FDS_MAX);
	p->fds[p->fds_n++] = fd;
}

void rs_link_end(struct rs_link *l)
{
	struct packet *p = last(l);
	struct head head;
	uint8_t *at = p->octets.p + p->octets.head + l->head_at;
	size_t n = rs_buf_n(&p->octets) - l->head_at + (p->lent_octets - l->head_lent);

	if (l->broken)
		return;
	memcpy(&head, at, sizeof(head));
	head.n = (uint32_t)(n - sizeof(head));
	head.fds_n = (uint16_t)(p->fds_n - l->head_fds);
	memcpy(at, &head, sizeof(head));
	l->queued += n;
	if (packet_n(p) > RS_MSG_PACKET_MAX)
		l->broken = "a message was too large";
	else if (l->queued > QUEUE_MAX)
		l->broken = "the other role does not read";
}

size_t rs_link_queued(const struct rs_link *l)
{
	return l->queued;
}

/* The packet's own octets and the lent ones in their order. */
static size_t gather(const struct packet *p, struct iovec iov[2 * LENT_MAX + 1])
{
	uint8_t *own = p->octets.p + p->octets.head;
	size_t at = 0;
	size_t n = 0;

	for (uint32_t i = 0; i < p->lent_n; i++) {
		const struct lent *t = &p->lent[i];
		gsize octets_n;
		const void *octets = g_bytes_get_data(t->bytes, &octets_n);

		if (t->at > at)
			iov[n++] = (struct iovec){.iov_base = own + at, .iov_len = t->at - at};
		iov[n++] =
			(struct iovec){.iov_base = (void *)(uintptr_t)octets, .iov_len = octets_n};
		at = t->at;
	}
	if (rs_buf_n(&p->octets) > at)
		iov[n++] =
			(struct iovec){.iov_base = own + at, .iov_len = rs_buf_n(&p->octets) - at};
	return n;
}

/* 1: gone, 0: the kernel has no room, -1: the link is broken. */
static int send_packet(struct rs_link *l, struct packet *p)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * RS_MSG_FDS_MAX)];
	} control;
	struct iovec iov[2 * LENT_MAX + 1];
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = gather(p, iov)};
	ssize_t rc;

	if (p->fds_n) {
		struct cmsghdr *c;

		m.msg_control = control.space;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * p->fds_n);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * p->fds_n);
		memcpy(CMSG_DATA(c), p->fds, sizeof(int) * p->fds_n);
	}
	do {
		rc = sendmsg(l->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS ? 0 : -1;
	return 1;
}

static void poll_for(struct rs_link *l, int events);

void rs_link_flush(struct rs_link *l)
{
	struct packet *p;

	if (!g_queue_is_empty(&l->out))
		rs_log_flush(); /* what another role makes known is in the log before */
	while (!l->closing && !l->broken && (p = g_queue_peek_head(&l->out))) {
		size_t n = packet_n(p);
		int rc = n ? send_packet(l, p) : 1;

		if (rc == 0) {
			poll_for(l, UV_READABLE | UV_WRITABLE);
			return;
		}
		if (rc < 0) {
			l->broken = RS_LINK_GONE;
			return;
		}
		l->queued -= n;
		packet_done(l, g_queue_pop_head(&l->out));
	}
	if (!l->closing)
		poll_for(l, UV_READABLE);
}

static void on_prepare(uv_prepare_t *h)
{
	struct rs_link *l = h->data;

	if (!g_queue_is_empty(&l->out))
		rs_link_flush(l);
	if (l->broken)
		end(l, l->broken);
}

/* --- reading ------------------------------------------------------------------------------- */

/* Descriptors of the control data. When this process may have no more of them, the kernel gives the first
 * ones and drops the others (MSG_CTRUNC). */
static void take_fds(struct msghdr *m, int fds[RS_MSG_FDS_MAX], uint32_t *n)
{
	*n = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		*n = (uint32_t)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), *n * sizeof(int));
	}
}

/* What came with a packet. */
struct came {
	int fds[RS_MSG_FDS_MAX];
	uint32_t n;
	uint32_t at; /* the first that belongs to no message yet */
	bool lost;   /* there were more */
};

/* The next `n` descriptors are those of `m`. False: the sender has told more than it sent. */
static bool fds_of(struct came *c, uint32_t n, struct rs_msg_in *m)
{
	m->fds_n = n;
	m->fds_lost = n > c->n - c->at;
	if (n > RS_MSG_FDS_MAX || (m->fds_lost && !c->lost))
		return false;
	for (uint32_t i = 0; i < n; i++)
		m->fds[i] = c->at < c->n ? c->fds[c->at++] : -1;
	return true;
}

/* One message at the start of *rest, whose descriptors come next. */
static bool one(struct rs_link *l, struct rs_slice *rest, struct came *came)
{
	struct rs_msg_in m = {.fds_n = 0};
	struct head head;
	bool ok;

	if (rest->n < sizeof(head))
		return false;
	memcpy(&head, rest->p, sizeof(head));
	if (head.n > rest->n - sizeof(head))
		return false;
	if (head.type >= RS_MSG_TYPE_N ||
		!rs_msg_may(l->peer, l->self, (enum rs_msg_type)head.type))
		return false;
	m.type = (enum rs_msg_type)head.type;
	m.rest = rs_slice_sub(*rest, sizeof(head), head.n);
	if (!fds_of(came, head.fds_n, &m))
		return false;
	*rest = rs_slice_sub(*rest, sizeof(head) + head.n, rest->n);
	ok = l->ops->message(l->arg, l, &m);
	for (; m.fds_used < m.fds_n; m.fds_used++) {
		if (m.fds[m.fds_used] >= 0)
			close(m.fds[m.fds_used]);
	}
	return ok;
}

void rs_link_reserve(struct rs_link *l, uint32_t n)
{
	l->spares_max = RS_MIN(n, SPARES_MAX);
	spares_take(l);
}

/* 1: one packet was handled, 0: nothing there, -1: the link has ended. */
static int read_packet(struct rs_link *l)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * RS_MSG_FDS_MAX)];
	} control;
	struct iovec iov = {.iov_base = l->in, .iov_len = sizeof(l->in)};
	struct msghdr m = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space)};
	struct came came = {.at = 0};
	struct rs_slice rest;
	bool ok;
	ssize_t n;

	spares_drop(l);
	n = recvmsg(l->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? (spares_take(l), 0)
							 : (end(l, RS_LINK_GONE), -1);
	if (n == 0) {
		end(l, RS_LINK_GONE);
		return -1;
	}
	rest = rs_slice(l->in, (size_t)n);
	take_fds(&m, came.fds, &came.n);
	came.lost = m.msg_flags & MSG_CTRUNC;
	ok = !(m.msg_flags & MSG_TRUNC);
	while (ok && rest.n && !l->closing)
		ok = one(l, &rest, &came);
	while (came.at < came.n)
		close(came.fds[came.at++]);
	if (l->secret)
		explicit_bzero(l->in, (size_t)n);
	if (!ok)
		end(l, "the other role sent a message that may not be");
	if (l->closing)
		return -1;
	spares_take(l);
	return 1;
}

void rs_link_catch_up(struct rs_link *l)
{
	for (int i = 0; i < READS_A_TURN && !l->closing && read_packet(l) > 0; i++)
		continue;
}

static void on_poll(uv_poll_t *h, int status, int events)
{
	struct rs_link *l = h->data;

	if (status < 0) {
		end(l, RS_LINK_GONE);
		return;
	}
	if (events & UV_WRITABLE)
		rs_link_flush(l);
	if (!(events & UV_READABLE))
		return;
	rs_link_catch_up(l);
}

void rs_link_drain(struct rs_link *l)
{
	while (!l->closing && read_packet(l) > 0)
		continue;
}

static void poll_for(struct rs_link *l, int events)
{
	if (l->waits_for == events)
		return;
	l->waits_for = events;
	(void)uv_poll_start(&l->poll, events, on_poll);
}

int rs_link_create(uv_loop_t *loop, int fd, enum rs_role self, enum rs_role peer,
	const struct rs_link_ops *ops, void *arg, struct rs_link **out)
{
	struct rs_link *l = g_new0(struct rs_link, 1);
	int size = SNDBUF_N;

	l->fd = fd;
	l->self = self;
	l->peer = peer;
	l->ops = ops;
	l->arg = arg;
	l->secret = rs_msg_may(self, peer, RS_MSG_LOGIN) || rs_msg_may(peer, self, RS_MSG_LOGIN);
	g_queue_init(&l->out);
	/* larger buffers only save wake-ups; without the right to them the link works all the same */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (uv_poll_init(loop, &l->poll, fd) < 0) {
		close(fd);
		g_free(l);
		return -RS_EIO;
	}
	uv_prepare_init(loop, &l->prepare);
	l->poll.data = l;
	l->prepare.data = l;
	l->handles_n = 2;
	uv_prepare_start(&l->prepare, on_prepare);
	uv_unref((uv_handle_t *)&l->prepare);
	poll_for(l, UV_READABLE);
	*out = l;
	return 0;
}
