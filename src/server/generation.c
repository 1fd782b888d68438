/* generation.c - reload: a new set of roles with the configuration as it is now, beside the one that
 * runs; see the states in master_int.h.
 *
 * Facts: at most one generation is STARTING and exactly one CURRENT (none before the first is ready);
 *        a configuration that cannot be read, bound or started leaves the current one as it is;
 *        a generation that is DRAINING ends by itself when its fronts have no session any more. */
#include "server/admin_req.h"
#include "server/log.h"
#include "server/master_int.h"
#include "server/notify.h"

struct generation *generation_in(struct master *m, enum gen_state state)
{
	struct generation *found = NULL;

	for (unsigned i = 0; i < GENERATIONS_MAX; i++) {
		struct generation *g = &m->gens[i];

		if (g->state == state && (!found || g->number < found->number))
			found = g; /* the oldest */
	}
	return found;
}

static void release(struct master *m, struct generation *g, const struct generation *kept)
{
	rs_listeners_close(&g->listeners, kept ? &kept->listeners : NULL);
	if (g->conf)
		rs_conf_destroy(&g->conf);
	g_clear_pointer(&g->conf_text, g_free);
	g->state = GEN_FREE;
}

static void on_grace_over(uv_timer_t *t)
{
	struct generation *g = t->data;

	if (g->state == GEN_STOPPING)
		children_kill(g->master, g);
}

static void stop(struct master *m, struct generation *g)
{
	g->state = GEN_STOPPING;
	children_tell(m, g, RS_ROLE_N, RS_MSG_STOP);
	uv_timer_start(&g->grace, on_grace_over, STOP_GRACE_MS, 0);
}

void generations_init(struct master *m)
{
	for (unsigned i = 0; i < GENERATIONS_MAX; i++) {
		struct generation *g = &m->gens[i];

		g->master = m;
		uv_timer_init(&m->loop, &g->grace);
		g->grace.data = g;
	}
}

/* --- answers ------------------------------------------------------------------------------- */

static void answer(struct master *m, uint64_t asked, enum rs_admin_code code, const char *text)
{
	for (unsigned i = 0; asked && i < CHILDREN_MAX; i++) {
		struct child *c = &m->children[i];

		if (!c->gen || c->role != RS_ROLE_ADMIN || !c->control)
			continue;
		rs_link_begin(c->control, RS_MSG_RELOADED);
		rs_link_u64(c->control, asked);
		rs_link_u8(c->control, (uint8_t)code);
		rs_link_octets(c->control, rs_slice_str(text));
		rs_link_end(c->control);
	}
}

static void refused(struct master *m, uint64_t asked, enum rs_admin_code code, const char *why)
{
	rs_log(RS_LOG_ERROR, "reload-refused", "why", why, "in-use", "the configuration as it was",
		NULL);
	rs_stats_add(RS_STAT_RELOADS_REFUSED, 1);
	answer(m, asked, code, why);
	rs_notify("READY=1\nSTATUS=Reload refused, see the log; the configuration is as it was");
}

/* --- beginning ----------------------------------------------------------------------------- */

static struct generation *place_for_new(struct master *m)
{
	struct generation *g = generation_in(m, GEN_FREE);

	/* of the sessions that are in the way the oldest are told to end */
	if (!g && !generation_in(m, GEN_STOPPING) && generation_in(m, GEN_DRAINING))
		stop(m, generation_in(m, GEN_DRAINING));
	return g;
}

static int check_kept(const struct master *m, const struct rs_conf *was, const struct rs_conf *is,
	struct rs_err *err)
{
	if (g_str_equal(was->run_dir, is->run_dir))
		return 0;
	return rs_err_set(err, RS_ECONFIG,
		"%s: [server] run-dir = %s: a reload cannot change it; stop the service and start "
		"it "
		"again",
		m->conf_file, is->run_dir);
}

int generation_new(struct master *m, uint64_t asked, struct rs_err *err)
{
	const struct generation *now = generation_in(m, GEN_CURRENT);
	struct generation *g = place_for_new(m);
	int rc;

	if (!g)
		return rs_err_set(err, RS_ELIMIT,
			"sessions of %u earlier configurations are still there; the oldest of them "
			"are being ended, try again in ten seconds",
			GENERATIONS_MAX - 1);
	rc = rs_conf_load(m->conf_file, &g->conf, &g->conf_text, &g->conf_text_n, err);
	if (rc == 0)
		rc = rs_role_check_names(g->conf, err);
	if (rc == 0 && now)
		rc = check_kept(m, now->conf, g->conf, err);
	if (rc == 0 && now)
		rc = rs_listeners_open(&g->listeners, g->conf, &now->listeners, err);
	if (rc < 0) {
		release(m, g, now);
		return rc;
	}
	g->state = GEN_STARTING;
	g->number = ++m->generations_n;
	g->asked = asked;
	return 0;
}

void generation_reload(struct master *m, uint64_t asked)
{
	struct generation *g;
	struct rs_err err;
	int rc;

	if (m->stopping || !generation_in(m, GEN_CURRENT) || generation_in(m, GEN_STARTING)) {
		answer(m, asked, RS_ADMIN_BUSY,
			"the service is starting, stopping or reloading just now");
		return;
	}
	rs_log(RS_LOG_INFO, "reloading", NULL);
	rs_notify_reloading();
	rc = generation_new(m, asked, &err);
	g = generation_in(m, GEN_STARTING);
	if (rc == 0)
		rc = children_start(m, g, &err);
	if (rc == 0)
		return;
	if (g)
		release(m, g, generation_in(m, GEN_CURRENT));
	refused(m, asked, rc == -RS_ELIMIT ? RS_ADMIN_BUSY : RS_ADMIN_CONFIG, err.text);
}

/* --- turning over -------------------------------------------------------------------------- */

void generation_ready(struct generation *g, struct master *m)
{
	struct generation *old = generation_in(m, GEN_CURRENT);

	g->state = GEN_CURRENT;
	if (old)
		old->state = GEN_DRAINING;
	children_serve(m, g);
	rs_log_init("master", g->conf->log_json, g->conf->log_level);
	if (old) {
		rs_listeners_close(&old->listeners, &g->listeners);
		rs_stats_add(RS_STAT_RELOADS, 1);
		answer(m, g->asked, RS_ADMIN_OK, "");
		children_tell(m, old, RS_ROLE_FRONT, RS_MSG_DRAIN);
		children_tell(m, old, RS_ROLE_ADMIN, RS_MSG_DRAIN);
	}
	m->told_ready = true;
	rs_log(RS_LOG_INFO, old ? "reloaded" : "ready", "pid", rs_log_num((uint64_t)getpid()),
		"workers", rs_log_num(g->conf->workers), "generation", rs_log_num(g->number), NULL);
	rs_notify("READY=1\nSTATUS=Serving");
}

void generation_failed(struct generation *g, struct master *m, const struct child *c)
{
	g_autofree char *why = g_strdup_printf("%s%u cannot start with this configuration; "
					       "restanted check-config or the log says why",
		rs_role_name(c->role), c->index);

	stop(m, g);
	refused(m, g->asked, RS_ADMIN_CONFIG, why);
}

/* A process of `g` is gone and not wanted back. */
void generation_less(struct generation *g, struct master *m)
{
	if (m->stopping) {
		for (unsigned i = 0; i < CHILDREN_MAX; i++) {
			if (m->children[i].process_open)
				return;
		}
		uv_stop(&m->loop);
		return;
	}
	if (children_n(m, g, RS_ROLE_N) == 0) {
		(void)uv_timer_stop(&g->grace);
		rs_log(RS_LOG_INFO, "generation-ended", "generation", rs_log_num(g->number), NULL);
		release(m, g, generation_in(m, GEN_CURRENT));
	} else if (g->state == GEN_DRAINING && children_n(m, g, RS_ROLE_FRONT) == 0 &&
		   children_n(m, g, RS_ROLE_ADMIN) == 0) {
		stop(m, g);
	}
}
