/* front_listen.c - the listeners of a front: accepting, and what happens when descriptors run out.
 * Accepting is ours and not libuv's: when there is no descriptor, libuv tries again at once and for ever, and
 * it opens a file for its reserve, which a front may not.
 *
 *   LISTENING --no descriptor left--> PAUSED --a connection ends, or PAUSE_MS--> LISTENING
 * Facts: who waits to be accepted waits in the kernel meanwhile; the last FDS_RESERVE descriptors are
 *        for bodies and tables that stores hand over, so that those who are in are served. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server/front.h"
#include "server/log.h"
#include "server/stats.h"

#define BACKLOG     1024
#define PAUSE_MS    250
#define FDS_RESERVE 96u
#define AT_ONCE     16 /* accepted in one turn; then the others of the loop, and other fronts */

struct listener {
	uv_poll_t poll;
	struct front *front;
	enum rs_service service;
	int fd;
};

static void on_ready(uv_poll_t *h, int status, int events);

static void listen_on(struct front *f, bool on)
{
	for (guint i = 0; i < f->listeners->len; i++) {
		struct listener *l = g_ptr_array_index(f->listeners, i);

		if (on)
			(void)uv_poll_start(&l->poll, UV_READABLE, on_ready);
		else
			(void)uv_poll_stop(&l->poll);
	}
}

static void resume(struct front *f)
{
	if (!f->paused)
		return;
	f->paused = false;
	(void)uv_timer_stop(&f->pause);
	listen_on(f, true);
}

/* Descriptors are handed out from the lowest: one so high says that the rest are taken. */
static bool into_reserve(const struct front *f, int fd)
{
	return fd < 0 || (uint64_t)fd + FDS_RESERVE >= f->fds_max;
}

static void on_pause_over(uv_timer_t *t)
{
	struct front *f = t->data;
	int next = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);

	if (next >= 0)
		close(next);
	if (into_reserve(f, next))
		uv_timer_start(&f->pause, on_pause_over, PAUSE_MS, 0);
	else
		resume(f);
}

static void pause_listening(struct front *f, int why)
{
	rs_stats_add(RS_STAT_NO_DESCRIPTORS, 1);
	if (uv_now(&f->proc->loop) >= f->paused_told_ms + 60000 || f->paused_told_ms == 0) {
		f->paused_told_ms = uv_now(&f->proc->loop);
		rs_log(RS_LOG_ERROR, "no-descriptors", "open", rs_log_num(f->conns_n), "why",
			g_strerror(why), "means", "new connections wait until others end", "cure",
			"more open files (LimitNOFILE=), or a lower [limits] connections", NULL);
	}
	f->paused = true;
	listen_on(f, false);
	uv_timer_start(&f->pause, on_pause_over, PAUSE_MS, 0);
}

void front_listen_freed(struct front *f)
{
	if (f->paused && !f->proc->stopping && !f->proc->draining)
		resume(f);
}

/* False: nobody is there, or nobody can be taken now. */
static bool accept_one(struct listener *l)
{
	struct front *f = l->front;
	struct rs_conn *c = rs_conn_accept(f, l->fd, l->service);
	bool last;

	if (!c) {
		int why = errno;

		if (why == EMFILE || why == ENFILE || why == ENOBUFS || why == ENOMEM)
			pause_listening(f, why);
		return why == ECONNABORTED || why == EINTR;
	}
	last = into_reserve(f, c->fd);
	front_begin(c);
	if (last) {
		pause_listening(f, EMFILE);
		return false;
	}
	return true;
}

static void on_ready(uv_poll_t *h, int status, int events)
{
	struct listener *l = h->data;

	for (int i = 0; status == 0 && i < AT_ONCE; i++) {
		if (!accept_one(l))
			break;
	}
}

void front_listener(struct rs_proc *r, enum rs_service service, int fd)
{
	struct front *f = r->arg;
	struct listener *l = g_new0(struct listener, 1);
	int one = 1;

	/* what is accepted inherits it; a Unix socket has no such thing */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || listen(fd, BACKLOG) < 0 ||
		uv_poll_init(&r->loop, &l->poll, fd) < 0) {
		rs_log(RS_LOG_ERROR, "listen", "service", rs_service_name(service), "why",
			g_strerror(errno), NULL);
		close(fd);
		g_free(l);
		return;
	}
	l->poll.data = l;
	l->front = f;
	l->service = service;
	l->fd = fd;
	g_ptr_array_add(f->listeners, l);
	if (!f->paused)
		(void)uv_poll_start(&l->poll, UV_READABLE, on_ready);
}

static void on_listener_closed(uv_handle_t *h)
{
	g_free(h->data);
}

void front_listeners_close(struct front *f)
{
	for (guint i = 0; i < f->listeners->len; i++) {
		struct listener *l = g_ptr_array_index(f->listeners, i);

		uv_close((uv_handle_t *)&l->poll, on_listener_closed);
		close(l->fd);
	}
	g_ptr_array_set_size(f->listeners, 0);
	(void)uv_timer_stop(&f->pause);
}

void front_listen_init(struct front *f)
{
	struct rlimit l;

	f->fds_max = getrlimit(RLIMIT_NOFILE, &l) == 0 ? l.rlim_cur : 1024;
	f->listeners = g_ptr_array_new();
	uv_timer_init(&f->proc->loop, &f->pause);
	f->pause.data = f;
}
