/* auth_sasl.c - a login by a SASL mechanism: what the exchange asks (sasl/sasl.h) is asked of the user
 * database, a worker thread, the certificate.
 *
 *   STEP --CHALLENGE--> (the front) --LOGIN--> STEP
 *   STEP --PASSWORD--> auth_login.c       STEP --PROVEN--> in
 *   STEP --KEYS--> (database, worker thread) --CHALLENGE--> (the front)
 *   STEP --IDENTITY--> (database) --> in, or refused
 * Facts: `waiting` is set exactly while an answer is awaited; what comes for an exchange that has gone
 *        meanwhile is known by its serial, and thrown away. */
#include "server/auth_int.h"

#include <string.h>

/* A question that is on its way. */
struct ask {
	uv_work_t work;
	struct rs_proc *proc;
	uint32_t front;
	uint64_t session;
	uint64_t serial;
	/* keys of SCRAM */
	struct rs_password_mix *mix;
	struct rs_user *user;
	char name[256]; /* as asked for */
	enum rs_scram_hash hash;
	struct rs_scram_keys keys;
	bool real;
};

static struct ask *ask_new(struct rs_proc *r, struct auth_exchange *e)
{
	struct ask *q = g_new0(struct ask, 1);

	q->proc = r;
	q->front = e->front;
	q->session = e->session;
	q->serial = e->serial;
	e->waiting = true;
	return q;
}

static void ask_free(struct ask *q)
{
	rs_password_mix_unref(q->mix);
	rs_user_free(q->user);
	rs_wipe(&q->keys, sizeof(q->keys));
	g_free(q);
}

/* NULL: it has gone meanwhile. */
static struct auth_exchange *exchange_of(const struct ask *q)
{
	struct auth_exchange *e = auth_exchange_find(q->proc->arg, q->front, q->session);

	return e && e->serial == q->serial ? e : NULL;
}

static void go_on(
	struct rs_proc *r, struct auth_exchange *e, enum rs_sasl_step step, struct rs_slice out);

/* --- SCRAM ---------------------------------------------------------------------------------- */

static void keys_work(uv_work_t *w)
{
	struct ask *q = w->data;
	bool may = q->user && q->user->password;

	q->real = rs_password_scram(
		q->mix, q->name, may ? q->user->password : NULL, q->hash, &q->keys);
}

static void keys_done(uv_work_t *w, int status)
{
	struct ask *q = w->data;
	struct auth_exchange *e = exchange_of(q);
	struct rs_slice out;

	if (e) {
		e->waiting = false;
		e->user = g_steal_pointer(&q->user);
		go_on(q->proc, e, rs_sasl_server_keys(e->sasl, &q->keys, q->real && e->user, &out),
			out);
	}
	ask_free(q);
}

static void on_keys_user(
	struct rs_proc *r, void *arg, int rc, struct rs_user *u, const char *folder)
{
	struct ask *q = arg;
	struct auth_exchange *e = exchange_of(q);

	if (u && e) /* without +folder */
		auth_account(e, rs_slice_str(u->name));
	/* who may not come in has an exchange as nobody has: its end is a no */
	if (u && e && !auth_may_come_in(u, e->service))
		g_clear_pointer(&u, rs_user_free);
	q->user = u;
	q->work.data = q;
	if (e && rc != -RS_ETEMP) {
		g_strlcpy(e->folder, folder, sizeof(e->folder));
		q->hash = rs_sasl_server_hash(e->sasl);
		q->mix = rs_userdb_mix(((struct auth *)r->arg)->users);
		if (uv_queue_work(&r->loop, &q->work, keys_work, keys_done) == 0)
			return;
	}
	if (e)
		auth_refuse(r, e, RS_POP3_CODE_SYS_TEMP);
	ask_free(q);
}

static void ask_keys(struct rs_proc *r, struct auth_exchange *e)
{
	struct rs_slice user = rs_sasl_server_user(e->sasl);
	struct ask *q = ask_new(r, e);

	auth_account(e, user);
	if (rs_user_name_clean(user, q->name) < 0)
		q->name[0] = '\0';
	auth_find_user(r, user, false, on_keys_user, q);
}

/* --- EXTERNAL ------------------------------------------------------------------------------- */

/* The name in the certificate that is meant: the one asked for, else the first. */
static bool certificate_name(const struct auth_exchange *e, struct rs_slice asked, char out[256])
{
	g_auto(GStrv) names = g_strsplit(e->channel ? e->channel->names : "", "\n", -1);
	char want[256];

	if (asked.n && rs_user_name_clean(asked, want) < 0)
		return false;
	for (char **name = names; *name; name++) {
		if (rs_user_name_clean(rs_slice_str(*name), out) == 0 &&
			(asked.n == 0 || strcmp(out, want) == 0))
			return true;
	}
	return false;
}

static void on_identity_user(
	struct rs_proc *r, void *arg, int rc, struct rs_user *u, const char *folder)
{
	struct ask *q = arg;
	struct auth_exchange *e = exchange_of(q);

	if (e && rc == -RS_ETEMP) {
		auth_refuse(r, e, RS_POP3_CODE_SYS_TEMP);
	} else if (e) {
		g_strlcpy(e->folder, folder, sizeof(e->folder));
		auth_let_in(r, e, g_steal_pointer(&u));
	}
	rs_user_free(u);
	ask_free(q);
}

static void ask_identity(struct rs_proc *r, struct auth_exchange *e)
{
	char name[256];

	if (!certificate_name(e, rs_sasl_server_user(e->sasl), name)) {
		auth_refuse(r, e, RS_POP3_CODE_AUTH);
		return;
	}
	auth_account(e, rs_slice_str(name));
	auth_find_user(r, rs_slice_str(name), false, on_identity_user, ask_new(r, e));
}

/* --- OAuth ---------------------------------------------------------------------------------- */

/* The client gets the words where to get a good one, and answers them; then it is refused. */
static void refuse_token(struct rs_proc *r, struct auth_exchange *e)
{
	struct rs_slice out;
	enum rs_sasl_step step = rs_sasl_server_refused(
		e->sasl, r->conf->oauth_scope, r->conf->oauth_configuration, &out);

	e->waiting = false;
	go_on(r, e, step, out);
}

static void on_token(void *arg, int rc, const char *user, const char *why)
{
	struct ask *q = arg;
	struct rs_proc *r = q->proc;
	struct auth_exchange *e = exchange_of(q);

	if (rc == -RS_EAUTH)
		rs_log(RS_LOG_INFO, "oauth-refused", "id", rs_log_id(q->session), "user",
			q->name[0] ? q->name : NULL, "why", why, NULL);
	if (e && rc == 0) {
		auth_account(e, rs_slice_str(user));
		auth_find_user(r, rs_slice_str(user), false, on_identity_user, q);
		return;
	}
	if (e && rc == -RS_ETEMP)
		auth_refuse(r, e, RS_POP3_CODE_SYS_TEMP);
	else if (e)
		refuse_token(r, e);
	ask_free(q);
}

static void ask_token(struct rs_proc *r, struct auth_exchange *e)
{
	struct rs_slice user = rs_sasl_server_user(e->sasl);
	struct rs_slice token = rs_sasl_server_secret(e->sasl);
	struct auth *a = r->arg;
	struct ask *q = ask_new(r, e);

	auth_account(e, user);
	if (token.n && a->oauth && (user.n == 0 || rs_user_name_clean(user, q->name) == 0))
		rs_oauth_ask(a->oauth, token, q->name, on_token, q);
	else
		on_token(q, -RS_EAUTH, NULL, "none was given, or for a name that no user can have");
}

/* --- steps ---------------------------------------------------------------------------------- */

/* `out` is the exchange's own: used before it goes. */
static void go_on(
	struct rs_proc *r, struct auth_exchange *e, enum rs_sasl_step step, struct rs_slice out)
{
	switch (step) {
	case RS_SASL_CHALLENGE:
		auth_challenge(r, e, out);
		break;
	case RS_SASL_PASSWORD:
		auth_check_password(
			r, e, rs_sasl_server_user(e->sasl), rs_sasl_server_secret(e->sasl));
		break;
	case RS_SASL_KEYS:
		ask_keys(r, e);
		break;
	case RS_SASL_IDENTITY:
		ask_identity(r, e);
		break;
	case RS_SASL_PROVEN:
		auth_let_in(r, e, g_steal_pointer(&e->user));
		break;
	case RS_SASL_TOKEN:
		ask_token(r, e);
		break;
	case RS_SASL_FAILED:
		auth_refuse(r, e, RS_POP3_CODE_AUTH);
		break;
	}
}

static bool begin(struct rs_proc *r, struct auth_exchange *e, struct rs_slice mech)
{
	struct rs_sasl_server_cfg cfg = {.plus_offered = false};
	char name[RS_SASL_MECH_MAX];

	if (e->channel) {
		cfg.plus_offered = e->channel->plus_offered;
		cfg.binding.exporter = rs_slice(e->channel->exporter, e->channel->exporter_n);
		cfg.binding.end_point = rs_slice(e->channel->end_point, e->channel->end_point_n);
	}
	/* A front announces what the configuration has; another name is that of a front that was broken into. */
	return rs_slice_copy(mech, name, sizeof(name)) == 0 &&
	       rs_sasl_is_offered(r->conf->mechanisms, name) &&
	       rs_sasl_server_create(name, &cfg, &e->sasl) == 0;
}

bool auth_sasl(struct rs_proc *r, struct auth_exchange *e, bool first, struct rs_slice mech,
	struct rs_slice response)
{
	struct rs_slice out;
	enum rs_sasl_step step;

	if (first && !begin(r, e, mech)) {
		auth_refuse(r, e, RS_POP3_CODE_SYS_TEMP);
		return true;
	}
	if (!e->sasl)
		return false;
	step = rs_sasl_server_step(e->sasl, response, &out);
	go_on(r, e, step, out);
	return true;
}
