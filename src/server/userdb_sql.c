/* userdb_sql.c - sql:postgresql://…, see userdb.h: a few connections to PostgreSQL on the event loop, and the
 * questions that wait for one.
 *
 * A question has until its deadline ([auth] query-timeout): a database that is being started again, or a
 * connection that is lost half-way, costs its askers a moment and nobody a wrong answer; it is asked again over
 * another connection, because it only reads. When the time is over the answer is -RS_ETEMP. A database that has
 * been away for longer than that answers so at once, while one connection goes on trying.
 *
 * A place:  EMPTY --open--> OPENING --ready--> FREE <--> ASKED    any --lost or too late--> EMPTY */
#include <string.h>

#include "server/log.h"
#include "server/sql_conn.h"
#include "server/sql_query.h"
#include "server/userdb_int.h"

#define TICK_MS        50
#define BACKOFF_MIN_MS 50u
#define BACKOFF_MAX_MS 2000u
#define WAITING_MAX    10000u /* questions at a time; a front asks one a session */
#define TRIES_MAX      3u     /* of one question, over new connections that broke under it */

struct question {
	char *name;
	rs_user_fn fn;
	void *arg;
	uint64_t deadline_ms;
	unsigned tries;
};

struct place {
	struct rs_sql_conn *conn; /* NULL: EMPTY */
	bool ready;
	struct question *q; /* ASKED */
	bool used;          /* has answered before */
	uint64_t since_ms;  /* of OPENING */
};

struct sql {
	struct rs_userdb base; /* first */
	struct rs_sql_target *target;
	char *statement;
	struct rs_password_mix *mix;
	struct place *places;
	unsigned places_n;
	uint64_t timeout_ms;
	GQueue waiting; /* struct question */
	uv_timer_t tick;
	bool ticking;
	bool failing; /* the last connection could not be opened */
	uint64_t failing_since_ms;
	uint64_t retry_at_ms;
	uint64_t backoff_ms;
	struct rs_err last; /* what was told last of wrong rows */
};

static void pump(struct sql *s);

static uint64_t now_ms(const struct sql *s)
{
	uv_update_time(s->base.loop);
	return uv_now(s->base.loop);
}

/* --- answering ----------------------------------------------------------------------------- */

static void answer(struct question *taken, int rc, struct rs_user *u)
{
	rs_user_fn fn = taken->fn;
	void *arg = taken->arg;

	g_free(taken->name);
	g_free(taken);
	fn(arg, rc, u);
}

/* A place is given up. Its question waits again, unless it was tried too often. */
static void vacate(struct sql *s, struct place *p)
{
	struct question *q = p->q;

	rs_sql_conn_destroy(&p->conn);
	*p = (struct place){.conn = NULL};
	if (q && q->tries < TRIES_MAX && q->deadline_ms > now_ms(s))
		g_queue_push_head(&s->waiting, q);
	else if (q)
		answer(q, -RS_ETEMP, NULL);
}

static struct place *place_of(struct sql *s, const struct rs_sql_conn *c)
{
	struct place *p = s->places;

	while (p->conn != c)
		p++;
	return p;
}

/* --- what connections tell ----------------------------------------------------------------- */

static void on_ready(void *arg, struct rs_sql_conn *c)
{
	struct sql *s = arg;

	place_of(s, c)->ready = true;
	if (s->failing)
		rs_log(RS_LOG_INFO, "database-back", "at", rs_sql_target_text(s->target), NULL);
	s->failing = false;
	s->backoff_ms = BACKOFF_MIN_MS;
	pump(s);
}

static void on_result(void *arg, struct rs_sql_conn *c, const PGresult *res)
{
	struct sql *s = arg;
	struct place *p = place_of(s, c);
	struct question *q = p->q;
	struct rs_user *u = NULL;
	struct rs_err err;
	int rc = rs_sql_user(res, q->name, &u, &err);

	p->q = NULL;
	p->used = true;
	if (u && u->password)
		rs_password_mix_add(s->mix, u->password);
	if (rc == -RS_ECORRUPT)
		rs_log(RS_LOG_ERROR, "user-row-wrong", "why", err.text, NULL);
	answer(q, rc == -RS_ECORRUPT ? -RS_ETEMP : rc, u);
	pump(s);
}

static void on_lost(void *arg, struct rs_sql_conn *c, const char *why)
{
	struct sql *s = arg;
	struct place *p = place_of(s, c);
	bool opening = !p->ready;

	if (opening && !s->failing) {
		s->failing = true;
		s->failing_since_ms = now_ms(s);
	}
	if (opening) {
		s->retry_at_ms = now_ms(s) + s->backoff_ms;
		s->backoff_ms = MIN(s->backoff_ms * 2, BACKOFF_MAX_MS);
	}
	if (!opening || strncmp(s->last.text, why, sizeof(s->last.text) - 1) != 0)
		rs_log(opening ? RS_LOG_ERROR : RS_LOG_WARNING,
			opening ? "database-not-reached" : "database-connection-lost", "at",
			rs_sql_target_text(s->target), "why", why, NULL);
	g_strlcpy(s->last.text, opening ? why : "", sizeof(s->last.text));
	vacate(s, p);
	pump(s);
}

static const struct rs_sql_conn_ops conn_ops = {
	.ready = on_ready, .result = on_result, .lost = on_lost};

/* --- giving out work ----------------------------------------------------------------------- */

static void open_place(struct sql *s, struct place *p)
{
	*p = (struct place){.since_ms = now_ms(s)};
	p->conn = rs_sql_conn_create(s->base.loop, s->target, s->statement, &conn_ops, s);
}

/* The connection may be lost in this call; then the question waits again. */
static void ask_over(struct place *p, struct question *q)
{
	g_autofree char *local = g_strndup(q->name, strcspn(q->name, "@"));
	const char *at = strchr(q->name, '@');
	const char *params[RS_SQL_PARAMS_N] = {q->name, local, at ? at + 1 : ""};

	q->tries += !p->used; /* an older one may have been dead already */
	p->q = q;
	(void)rs_sql_conn_ask(p->conn, params);
}

/* More connections are opened while more questions wait than connections are being opened. */
static void open_more(struct sql *s)
{
	unsigned wanted = MAX(s->waiting.length, s->failing ? 1u : 0u);
	unsigned opening = 0;

	if (s->failing) /* one at a time tries */
		wanted = 1;
	for (unsigned i = 0; i < s->places_n; i++)
		opening += s->places[i].conn && !s->places[i].ready;
	for (unsigned i = 0; i < s->places_n && opening < wanted; i++) {
		if (s->places[i].conn || (s->failing && now_ms(s) < s->retry_at_ms))
			continue;
		open_place(s, &s->places[i]);
		opening++;
	}
}

static bool busy(const struct sql *s)
{
	if (s->failing || s->waiting.length)
		return true;
	for (unsigned i = 0; i < s->places_n; i++) {
		if (s->places[i].conn && (!s->places[i].ready || s->places[i].q))
			return true;
	}
	return false;
}

/* Questions whose time is over, and connections that hang. */
static void expire(struct sql *s)
{
	uint64_t now = now_ms(s);
	struct question *q;

	/* in the order of their deadlines, but for those that were asked before: they are in front */
	while ((q = g_queue_peek_head(&s->waiting)) && q->deadline_ms <= now) {
		(void)g_queue_pop_head(&s->waiting);
		answer(q, -RS_ETEMP, NULL);
	}
	for (unsigned i = 0; i < s->places_n; i++) {
		struct place *p = &s->places[i];

		if (p->conn && ((p->q && p->q->deadline_ms <= now) ||
				       (!p->ready && p->since_ms + s->timeout_ms <= now)))
			on_lost(s, p->conn, "no answer in time");
	}
}

static void on_tick(uv_timer_t *t)
{
	struct sql *s = t->data;

	expire(s);
	pump(s);
	if (busy(s))
		return;
	(void)uv_timer_stop(&s->tick);
	s->ticking = false;
}

static void pump(struct sql *s)
{
	for (unsigned i = 0; i < s->places_n && s->waiting.length; i++) {
		struct place *p = &s->places[i];

		if (p->conn && p->ready && !p->q)
			ask_over(p, g_queue_pop_head(&s->waiting));
	}
	open_more(s);
	if (!s->ticking && busy(s)) {
		s->ticking = true;
		(void)uv_timer_start(&s->tick, on_tick, TICK_MS, TICK_MS);
	}
}

static void sql_ask(struct rs_userdb *db, const char *name, rs_user_fn fn, void *arg)
{
	struct sql *s = (struct sql *)db;
	uint64_t now = now_ms(s);
	struct question *q;

	if (s->waiting.length >= WAITING_MAX ||
		(s->failing && now - s->failing_since_ms > s->timeout_ms)) {
		fn(arg, -RS_ETEMP, NULL);
		return;
	}
	q = g_new0(struct question, 1);
	*q = (struct question){
		.name = g_strdup(name), .fn = fn, .arg = arg, .deadline_ms = now + s->timeout_ms};
	g_queue_push_tail(&s->waiting, q);
	pump(s);
}

static struct rs_password_mix *sql_mix(struct rs_userdb *db)
{
	return rs_password_mix_ref(((struct sql *)db)->mix);
}

/* --- life ---------------------------------------------------------------------------------- */

static void free_all(struct sql *s)
{
	rs_sql_target_destroy(&s->target);
	rs_password_mix_unref(s->mix);
	g_free(s->statement);
	g_free(s->places);
	g_free(s);
}

static void on_tick_closed(uv_handle_t *h)
{
	free_all(h->data);
}

static void sql_destroy(struct rs_userdb *db)
{
	struct sql *s = (struct sql *)db;
	struct question *q;

	while ((q = g_queue_pop_head(&s->waiting)))
		answer(q, -RS_ETEMP, NULL);
	for (unsigned i = 0; i < s->places_n; i++) {
		if (s->places[i].q)
			answer(s->places[i].q, -RS_ETEMP, NULL);
		rs_sql_conn_destroy(&s->places[i].conn);
	}
	uv_close((uv_handle_t *)&s->tick, on_tick_closed);
}

/* Before the first user is seen, a name that nobody has costs what one of ours would. */
static int begin_mix(struct sql *s, struct rs_err *err)
{
	char *field = NULL;
	int rc = rs_password_hash(NULL, rs_slice_str("nobody"), &field, err);

	s->mix = rs_password_mix_new();
	if (rc == 0)
		rs_password_mix_add(s->mix, field);
	g_free(field);
	return rc;
}

static int sql_open(uv_loop_t *loop, const struct rs_conf *conf, const char *uri,
	struct rs_userdb **out, struct rs_err *err)
{
	struct sql *s = g_new0(struct sql, 1);
	int rc;

	s->base = (struct rs_userdb){.ops = &rs_userdb_sql_ops, .loop = loop};
	s->places_n = conf->query_connections;
	s->places = g_new0(struct place, s->places_n);
	s->timeout_ms = conf->query_timeout_s * 1000u;
	s->backoff_ms = BACKOFF_MIN_MS;
	g_queue_init(&s->waiting);
	rc = rs_sql_target_create(uri, &s->target, err);
	if (rc == 0)
		rc = rs_sql_statement(conf->query, &s->statement, err);
	if (rc == 0)
		rc = begin_mix(s, err);
	if (rc < 0) {
		free_all(s);
		return rc;
	}
	(void)uv_timer_init(loop, &s->tick);
	s->tick.data = s;
	*out = &s->base;
	return 0;
}

const struct rs_userdb_ops rs_userdb_sql_ops = {
	.prefix = "sql:",
	.open = sql_open,
	.destroy = sql_destroy,
	.ask = sql_ask,
	.mix = sql_mix,
};
