/* master.c - see master.h: the beginning, signals, the end. The processes are in children.c, reload in
 * generation.c. */
#include "server/master.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "server/log.h"
#include "server/master_int.h"
#include "server/notify.h"

#define CHECK_MS \
	15000 /* whether roles hang; twice in systemd's watchdog time where it is shorter */
#define CHECK_MIN_MS 2000

/* --- signals ------------------------------------------------------------------------------- */

static void on_grace_over(uv_timer_t *t)
{
	children_kill(t->data, NULL);
}

static unsigned processes_n(const struct master *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < CHILDREN_MAX; i++)
		n += m->children[i].process_open;
	return n;
}

void master_stop(struct master *m)
{
	rs_notify("STOPPING=1\nSTATUS=Stopping");
	m->stopping = true;
	for (unsigned i = 0; i < GENERATIONS_MAX; i++) {
		rs_listeners_close(&m->gens[i].listeners, NULL);
		if (m->gens[i].state != GEN_FREE)
			children_tell(m, &m->gens[i], RS_ROLE_N, RS_MSG_STOP);
	}
	uv_timer_start(&m->grace, on_grace_over, STOP_GRACE_MS, 0);
	if (processes_n(m) == 0)
		uv_stop(&m->loop);
}

static void on_signal(uv_signal_t *s, int sig)
{
	struct master *m = s->data;

	rs_log(RS_LOG_INFO, "stopping", "signal", g_strsignal(sig), NULL);
	master_stop(m);
}

static void on_hangup(uv_signal_t *s, int sig)
{
	generation_reload(s->data, 0);
}

static void on_check(uv_timer_t *t)
{
	children_check(t->data);
}

/* Without chance the old keys go on: worse than new ones, better than none. */
static void on_turn(uv_timer_t *t)
{
	struct master *m = t->data;

	if (rs_tls_keys_turn(m->ticket_keys))
		children_tickets(m);
}

static void on_watchdog(uv_timer_t *t)
{
	rs_notify("WATCHDOG=1");
}

/* --- the beginning ------------------------------------------------------------------------- */

static int make_dir(const char *path, mode_t mode, struct rs_err *err)
{
	if (g_mkdir_with_parents(path, (int)mode) < 0)
		return rs_err_set(
			err, RS_EIO, "cannot make the folder %s: %s", path, g_strerror(errno));
	return 0;
}

/* One instance a run folder: a lock that is gone with its holder. */
static int lock_run_dir(struct master *m, const struct rs_conf *c, struct rs_err *err)
{
	g_autofree char *path = g_build_filename(c->run_dir, "restanted.lock", NULL);
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	m->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (m->lock_fd < 0)
		return rs_err_set(err, RS_EIO, "cannot open %s: %s", path, g_strerror(errno));
	if (fcntl(m->lock_fd, F_OFD_SETLK, &whole) < 0)
		return rs_err_set(err, RS_ELOCKED,
			"another restanted is running on %s; stop it first, or give this one a "
			"run-dir of its own",
			c->run_dir);
	return 0;
}

/* The first generation, before anything runs. */
static int prepare(struct master *m, struct rs_err *err)
{
	g_autofree char *empty = NULL;
	struct generation *g;
	int rc = generation_new(m, 0, err);

	if (rc < 0)
		return rc;
	g = generation_in(m, GEN_STARTING);
	rs_log_init("master", g->conf->log_json, g->conf->log_level);
	empty = g_build_filename(g->conf->run_dir, "empty", NULL);
	rc = make_dir(empty, 0755, err);
	if (rc == 0)
		rc = lock_run_dir(m, g->conf, err);
	if (rc == 0)
		rc = rs_listeners_open(&g->listeners, g->conf, NULL, err);
	if (rc == 0)
		rc = rs_stats_create(&m->stats_fd, &m->stats);
	if (rc == 0 && !rs_tls_keys_make(m->ticket_keys))
		rc = rs_err_set(err, RS_EIO, "the system gives no random octets");
	if (rc < 0)
		return rc;
	rs_stats_use(m->stats);
	rs_stats_add(RS_STAT_STARTED, (uint64_t)(g_get_real_time() / G_USEC_PER_SEC));
	return 0;
}

static int exit_of(int rc)
{
	switch (-rc) {
	case RS_ECONFIG:
		return 78;
	case RS_ELOCKED:
		return 75;
	case RS_ENET:
		return 69;
	default:
		return 74;
	}
}

static void close_handle(uv_handle_t *h, void *arg)
{
	if (!uv_is_closing(h))
		uv_close(h, NULL);
}

static void start_loop(struct master *m)
{
	struct {
		uv_signal_t *signal;
		uv_signal_cb call;
		int number;
	} rows[] = {{&m->term, on_signal, SIGTERM}, {&m->interrupt, on_signal, SIGINT},
		{&m->hangup, on_hangup, SIGHUP}};
	uint64_t watchdog_ms = rs_notify_watchdog_ms();

	uv_loop_init(&m->loop);
	uv_timer_init(&m->loop, &m->grace);
	uv_timer_init(&m->loop, &m->watchdog);
	m->grace.data = m;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		uv_signal_init(&m->loop, rows[i].signal);
		rows[i].signal->data = m;
		uv_signal_start(rows[i].signal, rows[i].call, rows[i].number);
	}
	m->check_ms = CLAMP(watchdog_ms ? watchdog_ms : CHECK_MS, CHECK_MIN_MS, CHECK_MS);
	uv_timer_init(&m->loop, &m->check);
	m->check.data = m;
	uv_timer_start(&m->check, on_check, m->check_ms, m->check_ms);
	uv_timer_init(&m->loop, &m->turn);
	m->turn.data = m;
	uv_timer_start(&m->turn, on_turn, RS_TLS_TICKET_S * 1000, RS_TLS_TICKET_S * 1000);
	if (watchdog_ms)
		uv_timer_start(&m->watchdog, on_watchdog, watchdog_ms, watchdog_ms);
	children_init(m);
	generations_init(m);
}

int rs_master_main(const char *conf_file)
{
	static struct master master; /* one a process; large, and in use to the end */
	struct master *m = &master;
	struct rs_err err = {.text = "out of memory"};
	int rc;

	m->conf_file = conf_file;
	rs_log_init("master", false, RS_LOG_INFO);
	(void)signal(SIGPIPE, SIG_IGN);
	rc = prepare(m, &err);
	if (rc < 0) {
		rs_log(RS_LOG_ERROR, "cannot-serve", "why", err.text, NULL);
		return exit_of(rc);
	}
	start_loop(m);
	if (children_start(m, generation_in(m, GEN_STARTING), &err) < 0) {
		rs_log(RS_LOG_ERROR, "cannot-serve", "why", err.text, NULL);
		return exit_of(-RS_EIO);
	}
	(void)uv_run(&m->loop, UV_RUN_DEFAULT);
	uv_walk(&m->loop, close_handle, NULL);
	(void)uv_run(&m->loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&m->loop);
	rs_log(RS_LOG_INFO, "stopped", NULL);
	return m->status;
}
