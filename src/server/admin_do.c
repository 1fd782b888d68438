/* admin_do.c - what the administrator asks: status from the pages of numbers and the master's words;
 * sessions, kick and unlock by asking every front; reload by asking the master.
 *
 * kick and unlock are sessions first: the rows that fit are then ended where they are. */
#include <string.h>

#include "server/admin_int.h"
#include "server/log.h"

/* --- answers ------------------------------------------------------------------------------- */

static void answer(struct admin_conn *c, JsonObject *taken)
{
	g_autoptr(JsonGenerator) g = json_generator_new();
	g_autoptr(JsonNode) n = json_node_init_object(json_node_alloc(), taken);
	GString *out = g_string_new(NULL);

	json_object_unref(taken);
	json_generator_set_root(g, n);
	(void)json_generator_to_gstring(g, out);
	g_string_append_c(out, '\n');
	g_clear_pointer(&c->rows, json_array_unref);
	admin_conn_send(c, out, c->admin->proc->draining);
}

void admin_fail(struct admin_conn *c, enum rs_admin_code code, const char *why)
{
	JsonObject *o = json_object_new();

	json_object_set_boolean_member(o, "ok", FALSE);
	json_object_set_string_member(o, "code", rs_admin_code_name(code));
	json_object_set_string_member(o, "error", why);
	answer(c, o);
}

static JsonObject *yes(void)
{
	JsonObject *o = json_object_new();

	json_object_set_boolean_member(o, "ok", TRUE);
	return o;
}

/* --- status -------------------------------------------------------------------------------- */

static void add_number(JsonObject *o, const char *name, uint64_t v)
{
	json_object_set_int_member(o, name, (gint64)MIN(v, (uint64_t)G_MAXINT64));
}

/* By configuration, role and number. */
static gint place_order(gconstpointer x, gconstpointer y)
{
	const struct admin_place *a = *(const struct admin_place *const *)x;
	const struct admin_place *b = *(const struct admin_place *const *)y;

	if (a->generation != b->generation)
		return a->generation < b->generation ? -1 : 1;
	if (a->role != b->role)
		return a->role < b->role ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

static JsonArray *roles(const struct admin *a)
{
	static const char *const states[] = {"ended", "starting", "ready"};
	g_autoptr(GPtrArray) sorted = g_ptr_array_new();
	JsonArray *all = json_array_new();

	for (unsigned i = 0; i < RS_ROLE_PLACES_MAX; i++) {
		if (a->places[i].role != RS_ROLE_N)
			g_ptr_array_add(sorted, (gpointer)(uintptr_t)&a->places[i]);
	}
	g_ptr_array_sort(sorted, place_order);
	for (guint i = 0; i < sorted->len; i++) {
		const struct admin_place *p = g_ptr_array_index(sorted, i);
		g_autofree char *name = NULL;
		JsonObject *o;

		o = json_object_new();
		name = g_strdup_printf("%s%u", rs_role_name(p->role), p->index);
		json_object_set_string_member(o, "role", name);
		add_number(o, "generation", p->generation);
		add_number(o, "pid", p->pid);
		json_object_set_string_member(o, "state", states[p->state]);
		add_number(o, "since", p->started_s);
		add_number(o, "restarts", p->restarts);
		json_array_add_object_element(all, o);
	}
	return all;
}

static JsonObject *numbers(const struct rs_stats *s)
{
	static const struct {
		const char *name;
		unsigned first;
		unsigned n;
		unsigned step;
	} rows[] = {
		{"connections", RS_STAT_CONNECTIONS, RS_SERVICE_N, 1},
		{"open-connections", RS_STAT_OPEN, RS_SERVICE_N, 1},
		{"turned-away", RS_STAT_TURNED_AWAY, RS_STATS_TURNED_N, 1},
		{"sessions", RS_STAT_SESSIONS, 1, 1},
		{"logins", RS_STAT_LOGINS + (unsigned)RS_STATS_LOGIN_OK, RS_STATS_MECH_N,
			RS_STATS_LOGIN_N},
		{"logins-refused", RS_STAT_LOGINS + (unsigned)RS_STATS_LOGIN_REFUSED,
			RS_STATS_MECH_N, RS_STATS_LOGIN_N},
		{"logins-failed", RS_STAT_LOGINS + (unsigned)RS_STATS_LOGIN_FAILED, RS_STATS_MECH_N,
			RS_STATS_LOGIN_N},
		{"tls-handshakes", RS_STAT_TLS_OK, 1, 1},
		{"tls-failures", RS_STAT_TLS_FAILED, 1, 1},
		{"messages-retrieved", RS_STAT_RETRIEVED, 1, 1},
		{"messages-deleted", RS_STAT_DELETED, 1, 1},
		{"messages-received", RS_STAT_RECEIVED, 1, 1},
		{"deliveries", RS_STAT_DELIVERED, 1, 1},
		{"delivery-failures", RS_STAT_UNDELIVERED, 1, 1},
		{"octets-in", RS_STAT_OCTETS_IN, 1, 1},
		{"octets-out", RS_STAT_OCTETS_OUT, 1, 1},
		{"errors", RS_STAT_LOG_ERRORS, 1, 1},
		{"warnings", RS_STAT_LOG_WARNINGS, 1, 1},
		{"restarts", RS_STAT_RESTARTS, RS_STATS_ROLES_N, 1},
		{"reloads", RS_STAT_RELOADS, 1, 1},
		{"reloads-refused", RS_STAT_RELOADS_REFUSED, 1, 1},
	};
	JsonObject *o = json_object_new();

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		uint64_t sum = 0;

		for (unsigned k = 0; k < rows[i].n; k++)
			sum += s->rows[rows[i].first + k * rows[i].step];
		add_number(o, rows[i].name, sum);
	}
	return o;
}

static void do_status(struct admin_conn *c)
{
	const struct admin *a = c->admin;
	struct rs_stats sum = {.rows = {0}};
	JsonObject *o = yes();

	admin_sum(a, &sum);
	json_object_set_string_member(o, "version", RS_VERSION);
	json_object_set_string_member(o, "hostname", a->proc->conf->hostname);
	add_number(o, "pid", a->proc->master_pid);
	add_number(o, "since", sum.rows[RS_STAT_STARTED]);
	add_number(o, "uptime",
		(uint64_t)(g_get_real_time() / G_USEC_PER_SEC) - sum.rows[RS_STAT_STARTED]);
	json_object_set_array_member(o, "roles", roles(a));
	json_object_set_object_member(o, "numbers", numbers(&sum));
	answer(c, o);
}

/* --- sessions ------------------------------------------------------------------------------ */

static struct admin_conn *asker(const struct admin *a, uint64_t ask)
{
	struct admin_conn *c = a->conns;

	while (c && (c->ask != ask || c->closing))
		c = c->next;
	return c;
}

static void ask_fronts(struct admin_conn *c)
{
	struct admin *a = c->admin;

	c->ask = ++a->next_ask;
	c->rows = json_array_new();
	for (unsigned i = 0; i < RS_ROLE_PLACES_MAX; i++) {
		struct rs_link *l = a->proc->places[i];

		c->waits[i] = l != NULL;
		if (!l)
			continue;
		c->waits_n++;
		rs_link_begin(l, RS_MSG_ASK_SESSIONS);
		rs_link_u64(l, c->ask);
		rs_link_end(l);
	}
	admin_conn_wait(c, ADMIN_FRONTS_MS);
}

static void answer_sessions(struct admin_conn *c)
{
	JsonArray *silent = json_array_new();
	JsonObject *o = yes();

	json_object_set_boolean_member(o, "complete", c->waits_n == 0 && c->kicks_n == 0);
	for (unsigned i = 0; i < RS_ROLE_PLACES_MAX; i++) {
		g_autofree char *name = NULL;

		if (!c->waits[i])
			continue;
		name = g_strdup_printf(
			"%s%u", rs_role_name(c->admin->places[i].role), c->admin->places[i].index);
		json_array_add_string_element(silent, name);
		c->waits[i] = false;
	}
	memset(c->kicks, 0, sizeof(c->kicks));
	c->waits_n = c->kicks_n = 0;
	json_object_set_array_member(o, c->req.what == RS_ADMIN_SESSIONS ? "sessions" : "ended",
		g_steal_pointer(&c->rows));
	json_object_set_array_member(o, "silent", silent);
	answer(c, o);
}

static void answer_if_all(struct admin_conn *c)
{
	if (c->waits_n == 0 && c->kicks_n == 0)
		answer_sessions(c);
}

static void got_kicked(struct admin_conn *c, uint32_t place, uint32_t n)
{
	n = MIN(n, c->kicks[place]);
	c->kicks[place] -= n;
	c->kicks_n -= n;
}

static void got_answer_of(struct admin_conn *c, uint32_t place)
{
	if (!c->waits[place])
		return;
	c->waits[place] = false;
	c->waits_n--;
}

static void set_text(JsonObject *o, const char *name, struct rs_slice text)
{
	g_autofree char *s = g_utf8_make_valid((const char *)text.p, (gssize)text.n);

	json_object_set_string_member(o, name, s);
}

/* Does the session fit what is asked? */
static bool fits(const struct rs_admin_req *req, uint64_t id, struct rs_slice user)
{
	if (req->what == RS_ADMIN_KICK)
		return req->id == id;
	return req->what == RS_ADMIN_SESSIONS || rs_slice_eq_str(user, req->address);
}

static void end_session(struct admin_conn *c, uint32_t place, uint64_t id)
{
	struct rs_link *l = c->admin->proc->places[place];

	if (!l)
		return;
	rs_link_begin(l, RS_MSG_KICK);
	rs_link_u64(l, c->ask);
	rs_link_u64(l, id);
	rs_link_end(l);
	c->kicks[place]++;
	c->kicks_n++;
}

static bool on_session(struct admin *a, uint32_t place, struct rs_msg_in *m)
{
	struct admin_conn *c = asker(a, rs_msg_u64(m));
	uint64_t id = rs_msg_u64(m);
	uint8_t service = rs_msg_u8(m);
	uint64_t age_ms = rs_msg_u64(m);
	uint32_t messages = rs_msg_u32(m);
	uint64_t in = rs_msg_u64(m);
	uint64_t out = rs_msg_u64(m);
	uint32_t store = rs_msg_u32(m);
	struct rs_slice user = rs_msg_octets(m);
	struct rs_slice peer = rs_msg_octets(m);
	struct rs_slice tls = rs_msg_octets(m);
	struct rs_slice state = rs_msg_octets(m);
	g_autofree char *front = g_strdup_printf("front%u", a->places[place].index);
	JsonObject *o;

	if (!rs_msg_end(m) || service >= RS_SERVICE_N)
		return false;
	if (!c || !c->rows || !fits(&c->req, id, user))
		return true; /* nobody waits for it any more, or for this one */
	o = json_object_new();
	json_object_set_string_member(o, "id", rs_log_id(id));
	json_object_set_string_member(o, "service", rs_service_name((enum rs_service)service));
	set_text(o, "user", user);
	set_text(o, "peer", peer);
	set_text(o, "tls", tls);
	set_text(o, "state", state);
	add_number(o, "since", (uint64_t)(g_get_real_time() / G_USEC_PER_SEC) - age_ms / 1000);
	add_number(o, "messages", messages);
	add_number(o, "octets-in", in);
	add_number(o, "octets-out", out);
	json_object_set_string_member(o, "front", front);
	add_number(o, "pid", a->places[place].pid);
	if (store < RS_ROLE_PEERS_MAX)
		add_number(o, "store", store);
	json_array_add_object_element(c->rows, o);
	if (c->req.what != RS_ADMIN_SESSIONS)
		end_session(c, place, id);
	return true;
}

bool admin_front_message(struct admin *a, uint32_t place, struct rs_msg_in *m)
{
	struct admin_conn *c;

	if (m->type == RS_MSG_SESSION)
		return on_session(a, place, m);
	c = asker(a, rs_msg_u64(m));
	if (m->type == RS_MSG_KICKED)
		(void)rs_msg_u8(m);
	if (!rs_msg_end(m))
		return false;
	if (!c || !c->rows)
		return true;
	if (m->type == RS_MSG_KICKED)
		got_kicked(c, place, 1);
	else
		got_answer_of(c, place);
	answer_if_all(c);
	return true;
}

/* Its sessions have gone with it. */
void admin_front_gone(struct admin *a, uint32_t place)
{
	struct admin_conn *next;

	for (struct admin_conn *c = a->conns; c; c = next) {
		next = c->next;
		if (c->closing || !c->rows || (!c->waits[place] && !c->kicks[place]))
			continue;
		got_answer_of(c, place);
		got_kicked(c, place, UINT32_MAX);
		answer_if_all(c);
	}
}

/* --- reload -------------------------------------------------------------------------------- */

static void ask_reload(struct admin_conn *c)
{
	struct admin *a = c->admin;

	c->ask = ++a->next_ask;
	rs_link_begin(a->proc->control, RS_MSG_RELOAD);
	rs_link_u64(a->proc->control, c->ask);
	rs_link_end(a->proc->control);
	admin_conn_wait(c, ADMIN_RELOAD_MS);
}

bool admin_reloaded(struct admin *a, struct rs_msg_in *m)
{
	struct admin_conn *c = asker(a, rs_msg_u64(m));
	enum rs_admin_code code = (enum rs_admin_code)rs_msg_u8(m);
	struct rs_slice why = rs_msg_octets(m);
	g_autofree char *text = g_strndup((const char *)why.p, why.n);

	if (!rs_msg_end(m) || code >= RS_ADMIN_CODE_N)
		return false;
	if (!c || c->req.what != RS_ADMIN_RELOAD)
		return true; /* it was SIGHUP, or another admin process was asked */
	if (code == RS_ADMIN_OK)
		answer(c, yes());
	else
		admin_fail(c, code, text);
	return true;
}

/* --- all of it ----------------------------------------------------------------------------- */

void admin_do_late(struct admin_conn *c)
{
	if (c->rows)
		answer_sessions(c);
	else
		admin_fail(c, RS_ADMIN_BUSY, "the service does not answer; its log may say why");
}

void admin_do(struct admin_conn *c)
{
	if (c->req.what != RS_ADMIN_STATUS && c->req.what != RS_ADMIN_SESSIONS)
		rs_log(RS_LOG_INFO, "admin", "do", rs_admin_do_name(c->req.what), "session",
			c->req.id ? rs_log_id(c->req.id) : NULL, "address",
			c->req.address[0] ? c->req.address : NULL, NULL);
	switch (c->req.what) {
	case RS_ADMIN_STATUS:
		do_status(c);
		break;
	case RS_ADMIN_SESSIONS:
	case RS_ADMIN_KICK:
	case RS_ADMIN_UNLOCK:
		ask_fronts(c);
		answer_if_all(c); /* there may be no front just now */
		break;
	case RS_ADMIN_RELOAD:
		ask_reload(c);
		break;
	case RS_ADMIN_DO_N:
		break;
	}
}
