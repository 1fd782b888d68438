/* auth_login.c - is this the user? See auth_int.h: the database is asked for the user, a worker thread for
 * the password, and the store of a user who may come in answers the front. */
#include "server/auth_int.h"

#include <string.h>

#include "server/user_app.h"
#include "server/address.h"
#include "server/counts.h"

#define CHANNEL_NAMES_MAX 4096u /* eight names of a certificate */

/* A question that is on its way: to the database, then to a worker thread. */
struct login {
	uv_work_t work;
	struct rs_proc *proc;
	uint32_t front;
	uint64_t session;
	uint64_t serial;
	struct rs_password_mix *mix;
	struct rs_user *user; /* NULL: nobody; the work is done all the same */
	struct rs_secret *given;
	struct rs_secret *name;  /* as given                     */
	struct rs_secret *stamp; /* APOP: given is the digest    */
	const char *app;         /* the app password it was; of `user` */
	char peer[64];           /* of the exchange              */
	int rc;
};

/* --- answers ------------------------------------------------------------------------------- */

static uint32_t delay_of(const struct auth *a, const struct auth_exchange *e, bool right)
{
	uint64_t now = uv_hrtime() / 1000000;

	if (!a->delays || !e)
		return 0;
	return right ? rs_delays_succeeded(a->delays, e->source, e->account, now)
		     : rs_delays_failed(a->delays, e->source, e->account, now);
}

/* A name that nobody has is an account too; one in other letters the same. */
void auth_account(struct auth_exchange *e, struct rs_slice given)
{
	char name[256];

	g_clear_pointer(&e->tried, g_free);
	if (rs_user_name_clean(given, name) == 0)
		e->tried = g_strdup(name);
	e->account = e->tried ? rs_counts_user(name) : 1;
}

static void refuse(struct rs_proc *r, uint32_t front, uint64_t session, enum rs_pop3_code code)
{
	struct rs_link *l = r->fronts[front];
	struct auth_exchange *e = auth_exchange_find(r->arg, front, session);
	uint32_t delay_ms = code == RS_POP3_CODE_AUTH ? delay_of(r->arg, e, false) : 0;
	g_autofree char *tried = e ? g_steal_pointer(&e->tried) : NULL;

	auth_exchange_forget(r->arg, front, session);
	if (!l)
		return;
	rs_link_begin(l, RS_MSG_REFUSED);
	rs_link_u64(l, session);
	rs_link_u8(l, (uint8_t)code);
	rs_link_u32(l, delay_ms);
	rs_link_octets(l, rs_slice_str(tried ? tried : ""));
	rs_link_end(l);
}

static bool is_pop3(enum rs_service service)
{
	return service == RS_SERVICE_POP3 || service == RS_SERVICE_POP3S;
}

/* The user is who he says: the store hears of it and answers the front; of a login that opens no maildrop
 * the front hears at once. */
static void admit(struct rs_proc *r, const struct auth_exchange *e, const struct rs_user *u)
{
	struct rs_link *store = auth_store_of(r, u->name);
	uint64_t session = e->session;
	g_autofree char *mailbox = NULL;
	struct rs_err err;

	if (!is_pop3(e->service)) {
		auth_submit_admit(r, e, u);
		auth_exchange_forget(r->arg, e->front, session);
		return;
	}
	if (!store) {
		refuse(r, e->front, session, RS_POP3_CODE_SYS_TEMP); /* never "wrong password" */
		return;
	}
	if (!rs_login_delay_take(((struct auth *)r->arg)->again, u->name, uv_now(&r->loop))) {
		rs_log(RS_LOG_INFO, "login-too-soon", "id", rs_log_id(session), "user", u->name,
			NULL);
		refuse(r, e->front, session, RS_POP3_CODE_LOGIN_DELAY);
		return;
	}
	if (rs_mailbox_text(u, r->conf->store_path, e->folder, &mailbox, &err) < 0) {
		rs_log(RS_LOG_ERROR, "no-mailbox-path", "id", rs_log_id(session), "user", u->name,
			"why", err.text, NULL);
		refuse(r, e->front, session, RS_POP3_CODE_SYS_PERM);
		return;
	}
	rs_link_begin(store, RS_MSG_OPEN);
	rs_link_u32(store, e->front);
	rs_link_u64(store, session);
	rs_link_octets(store, rs_slice_str(u->name));
	rs_link_octets(store, rs_slice_str(mailbox));
	rs_link_end(store);
	auth_exchange_forget(r->arg, e->front, session);
}

/* A login that went well and has to wait all the same (auth_delay.h). */
struct held {
	uv_timer_t timer;
	struct rs_proc *proc;
	struct rs_user *user;
	uint32_t front;
	uint64_t session;
	uint64_t serial;
};

static void on_held_closed(uv_handle_t *h)
{
	g_free(h->data);
}

static void on_held_over(uv_timer_t *t)
{
	struct held *h = t->data;
	struct auth_exchange *e = auth_exchange_find(h->proc->arg, h->front, h->session);

	if (e && e->serial == h->serial)
		admit(h->proc, e, h->user);
	rs_user_free(h->user);
	uv_close((uv_handle_t *)t, on_held_closed);
}

/* `u` is taken. */
static void let_in(struct rs_proc *r, struct auth_exchange *e, struct rs_user *u)
{
	uint32_t delay_ms = delay_of(r->arg, e, true);
	struct held *h;

	if (delay_ms == 0) {
		admit(r, e, u);
		rs_user_free(u);
		return;
	}
	rs_log(RS_LOG_INFO, "login-held-back", "id", rs_log_id(e->session), "user", u->name, "ms",
		rs_log_num(delay_ms), NULL);
	h = g_new0(struct held, 1);
	*h = (struct held){.proc = r,
		.user = u,
		.front = e->front,
		.session = e->session,
		.serial = e->serial};
	e->waiting = true;
	uv_timer_init(&r->loop, &h->timer);
	h->timer.data = h;
	uv_timer_start(&h->timer, on_held_over, delay_ms, 0);
}

bool auth_may_come_in(const struct rs_user *u, enum rs_service service)
{
	return !u->disabled && (is_pop3(service) ? u->pop3 : u->smtp);
}

void auth_refuse(struct rs_proc *r, struct auth_exchange *e, enum rs_pop3_code code)
{
	refuse(r, e->front, e->session, code);
}

void auth_challenge(struct rs_proc *r, struct auth_exchange *e, struct rs_slice octets)
{
	struct rs_link *l = r->fronts[e->front];

	if (!l)
		return;
	rs_link_begin(l, RS_MSG_CHALLENGE);
	rs_link_u64(l, e->session);
	rs_link_octets(l, octets);
	rs_link_end(l);
}

void auth_let_in(struct rs_proc *r, struct auth_exchange *e, struct rs_user *u)
{
	e->account = u ? rs_counts_user(u->name) : e->account;
	if (u && auth_may_come_in(u, e->service)) {
		let_in(r, e, u);
		return;
	}
	auth_refuse(r, e, RS_POP3_CODE_AUTH);
	rs_user_free(u);
}

/* --- asking -------------------------------------------------------------------------------- */

static void login_free(struct login *j)
{
	rs_password_mix_unref(j->mix);
	rs_user_free(j->user);
	rs_secret_destroy(&j->given);
	rs_secret_destroy(&j->name);
	rs_secret_destroy(&j->stamp);
	g_free(j);
}

static void log_app(const struct login *j)
{
	char name[RS_APP_NAME_MAX + 1];
	const char *created;

	rs_app_names(j->app, name, &created);
	rs_log(RS_LOG_INFO, "app-password", "id", rs_log_id(j->session), "user", j->user->name,
		"app", name, NULL);
}

/* j->rc says how it went. Taken. */
static void answer(struct login *j)
{
	struct rs_proc *r = j->proc;
	struct auth_exchange *e = auth_exchange_find(r->arg, j->front, j->session);

	if (e && e->serial == j->serial) {
		if (j->rc == 0 && j->user && !auth_may_come_in(j->user, e->service))
			rs_log(RS_LOG_INFO, "not-for-this-user", "id", rs_log_id(j->session),
				"user", j->user->name, "why",
				j->user->disabled ? "disabled" : "this service is switched off",
				NULL);
		if (j->rc == 0 && j->app)
			log_app(j);
		if (j->rc == 0 && j->user && auth_may_come_in(j->user, e->service))
			let_in(r, e, g_steal_pointer(&j->user));
		else
			refuse(r, j->front, j->session,
				j->rc == -RS_ETEMP ? RS_POP3_CODE_SYS_TEMP : RS_POP3_CODE_AUTH);
	}
	login_free(j);
}

/* A password that the work thread hashed. */
static void check_work(uv_work_t *w)
{
	struct login *j = w->data;
	const struct auth *a = j->proc->arg;
	const struct rs_userdb_given given = {.name = (const char *)j->name->octets,
		.password = rs_slice(j->given->octets, j->given->n),
		.peer = j->peer};

	j->rc = rs_userdb_check(a->users, j->mix, &given, j->user, &j->app);
}

static void check_done(uv_work_t *w, int status)
{
	answer(w->data);
}

/* RFC 1939 section 7: hex MD5 of timestamp and shared secret, which must be stored as it is. */
static int check_apop(const struct login *j)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_MD5);
	const char *plain = j->user ? rs_password_plain(j->user->password) : NULL;

	g_checksum_update(sum, j->stamp->octets, (gssize)j->stamp->n);
	g_checksum_update(sum, (const guchar *)(plain ? plain : ""), -1);
	return j->proc->conf->apop && plain && j->stamp->n &&
			       rs_secret_eq(rs_slice(j->given->octets, j->given->n),
				       rs_slice_str(g_checksum_get_string(sum)))
		       ? 0
		       : -RS_EAUTH;
}

/* A yes that needs no hash needs no worker either. What a no costs stays the worker's business. */
static bool plainly_right(struct login *j)
{
	const char *plain = j->user && j->rc == 0 ? rs_password_plain(j->user->password) : NULL;

	return plain && rs_secret_eq(rs_slice_str(plain), rs_slice(j->given->octets, j->given->n));
}

static void on_user(struct rs_proc *r, void *arg, int rc, struct rs_user *u, const char *folder)
{
	struct login *j = arg;
	struct auth_exchange *e = auth_exchange_find(r->arg, j->front, j->session);

	j->user = u;
	j->rc = rc;
	if (!e || e->serial != j->serial || rc == -RS_ETEMP) {
		answer(j);
		return;
	}
	g_strlcpy(e->folder, folder, sizeof(e->folder));
	if (u) /* without +folder, as the database has it */
		e->account = rs_counts_user(u->name);
	if (u && u->password && !rs_password_known(u->password))
		rs_log(RS_LOG_WARNING, "unknown-scheme", "id", rs_log_id(e->session), "user",
			u->name, "cure", "restanted user password", NULL);
	if (j->stamp) {
		j->rc = check_apop(j);
		answer(j);
		return;
	}
	if (plainly_right(j)) {
		answer(j);
		return;
	}
	j->mix = rs_userdb_mix(((struct auth *)r->arg)->users);
	j->work.data = j;
	if (uv_queue_work(&r->loop, &j->work, check_work, check_done) < 0) {
		j->rc = -RS_ETEMP;
		answer(j);
	}
}

/* `stamp` NULL: `secret` is the password; else it is the digest of APOP. */
static void check(struct rs_proc *r, struct auth_exchange *e, struct rs_slice user,
	struct rs_slice secret, const struct rs_slice *stamp)
{
	struct login *j = g_new0(struct login, 1);

	j->proc = r;
	j->front = e->front;
	j->session = e->session;
	j->serial = e->serial;
	g_strlcpy(j->peer, e->peer, sizeof(j->peer));
	e->waiting = true;
	auth_account(e, user);
	if (rs_secret_create(user, &j->name) < 0 || rs_secret_create(secret, &j->given) < 0 ||
		(stamp && rs_secret_create(*stamp, &j->stamp) < 0)) {
		j->rc = -RS_ETEMP;
		answer(j);
		return;
	}
	auth_find_user(r, user, false, on_user, j);
}

void auth_check_password(
	struct rs_proc *r, struct auth_exchange *e, struct rs_slice user, struct rs_slice password)
{
	check(r, e, user, password, NULL);
}

/* --- LOGIN --------------------------------------------------------------------------------- */

/* 0: this machine, or one that has no address. */
static uint64_t source_of(struct rs_slice peer)
{
	char text[64];
	struct rs_ip ip;

	if (rs_slice_copy(peer, text, sizeof(text)) < 0 || !rs_ip_of_text(text, &ip) ||
		rs_ip_is_loopback(&ip))
		return 0;
	return rs_ip_source(&ip);
}

bool auth_on_login(struct rs_proc *r, uint32_t front, struct rs_msg_in *m)
{
	uint64_t session = rs_msg_u64(m);
	uint8_t service = rs_msg_u8(m);
	uint8_t tls = rs_msg_u8(m);
	uint8_t kind = rs_msg_u8(m);
	bool first = rs_msg_u8(m) != 0;
	bool has_secret = rs_msg_u8(m) != 0;
	struct rs_slice mech = rs_msg_octets(m);
	struct rs_slice user = rs_msg_octets(m);
	struct rs_slice secret = rs_msg_octets(m);
	struct rs_slice stamp = rs_msg_octets(m);
	struct rs_slice peer = rs_msg_octets(m);
	struct auth_exchange *e;

	(void)tls;
	if (!rs_msg_end(m) || kind > RS_LOGIN_SASL || service >= RS_SERVICE_N)
		return false;
	e = auth_exchange_find(r->arg, front, session);
	if (e && e->waiting)
		return false; /* a second question before the first was answered */
	if (kind != RS_LOGIN_SASL || !e || (first && (!e->channel || e->sasl)))
		e = auth_exchange_new(r->arg, front, session);
	e->service = (enum rs_service)service;
	e->source = source_of(peer);
	if (rs_slice_copy(peer, e->peer, sizeof(e->peer)) < 0)
		e->peer[0] = '\0';
	if (kind != RS_LOGIN_SASL) {
		check(r, e, user, secret, kind == RS_LOGIN_APOP ? &stamp : NULL);
		return true;
	}
	return auth_sasl(r, e, first, mech,
		has_secret ? (secret.p ? secret : rs_slice("", 0)) : rs_slice(NULL, 0));
}

bool auth_on_channel(struct rs_proc *r, uint32_t front, struct rs_msg_in *m)
{
	uint64_t session = rs_msg_u64(m);
	bool plus = rs_msg_u8(m) != 0;
	struct rs_slice exporter = rs_msg_octets(m);
	struct rs_slice end_point = rs_msg_octets(m);
	struct rs_slice names = rs_msg_octets(m);
	struct auth_exchange *e = auth_exchange_find(r->arg, front, session);
	struct auth_channel *c;

	if (!rs_msg_end(m) || exporter.n > sizeof(c->exporter) ||
		end_point.n > sizeof(c->end_point) || names.n > CHANNEL_NAMES_MAX ||
		(e && e->waiting))
		return false;
	e = auth_exchange_new(r->arg, front, session);
	c = e->channel = g_malloc0(sizeof(*c) + names.n + 1);
	c->plus_offered = plus;
	c->exporter_n = exporter.n;
	c->end_point_n = end_point.n;
	if (exporter.n)
		memcpy(c->exporter, exporter.p, exporter.n);
	if (end_point.n)
		memcpy(c->end_point, end_point.p, end_point.n);
	if (names.n)
		memcpy(c->names, names.p, names.n);
	return true;
}
