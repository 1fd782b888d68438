/* auth.c - the auth role: is this the user, does this address live here? It knows the users, takes
 * SASL exchanges apart, hashes on worker threads, and tells a store of every session that may be.
 * The pieces are in auth_int.h; here are the role, its exchanges, and finding a user. */
#include "server/auth_int.h"

#include <string.h>

/* --- exchanges ----------------------------------------------------------------------------- */

static guint exchange_hash(gconstpointer p)
{
	const struct auth_exchange *e = p;

	return (guint)(e->session ^ e->session >> 32) ^ e->front;
}

static gboolean exchange_equal(gconstpointer a, gconstpointer b)
{
	const struct auth_exchange *x = a;
	const struct auth_exchange *y = b;

	return x->session == y->session && x->front == y->front;
}

static void exchange_free(gpointer p)
{
	struct auth_exchange *e = p;

	rs_sasl_server_destroy(&e->sasl);
	rs_user_free(e->user);
	g_free(e->channel);
	g_free(e->tried);
	g_free(e);
}

struct auth_exchange *auth_exchange_find(struct auth *a, uint32_t front, uint64_t session)
{
	struct auth_exchange key = {.front = front, .session = session};

	return g_hash_table_lookup(a->exchanges, &key);
}

void auth_exchange_forget(struct auth *a, uint32_t front, uint64_t session)
{
	struct auth_exchange key = {.front = front, .session = session};

	g_hash_table_remove(a->exchanges, &key);
}

struct auth_exchange *auth_exchange_new(struct auth *a, uint32_t front, uint64_t session)
{
	struct auth_exchange *e = g_new0(struct auth_exchange, 1);

	e->front = front;
	e->session = session;
	e->serial = ++a->serial;
	g_hash_table_replace(a->exchanges, e, e);
	return e;
}

/* --- users --------------------------------------------------------------------------------- */

struct find {
	struct rs_proc *proc;
	char name[256];
	char folder[RS_FOLDER_NAME_MAX + 1];
	bool any;
	bool split; /* it is the second question: without the +folder */
	auth_user_fn fn;
	void *arg;
};

static void on_found(void *arg, int rc, struct rs_user *u)
{
	struct find *f = arg;
	struct auth *a = f->proc->arg;

	if (rc == -RS_ENOENT && !f->split && rs_user_name_split(f->name, f->folder, f->any)) {
		f->split = true;
		rs_userdb_ask(a->users, f->name, on_found, f);
		return;
	}
	f->fn(f->proc, f->arg, rc, u, f->folder);
	g_free(f);
}

void auth_find_user(struct rs_proc *r, struct rs_slice given, bool any, auth_user_fn fn, void *arg)
{
	struct auth *a = r->arg;
	struct find *f = g_new0(struct find, 1);

	*f = (struct find){.proc = r, .any = any, .fn = fn, .arg = arg};
	if (rs_user_name_clean(given, f->name) == 0) {
		rs_userdb_ask(a->users, f->name, on_found, f);
		return;
	}
	fn(r, arg, -RS_ENOENT, NULL, "");
	g_free(f);
}

struct rs_link *auth_store_of(struct rs_proc *r, const char *name)
{
	return r->stores[g_str_hash(name) % r->stores_n];
}

/* --- messages ------------------------------------------------------------------------------ */

static bool auth_message(struct rs_proc *r, enum rs_role peer, uint32_t index, struct rs_msg_in *m)
{
	uint64_t session;

	if (peer != RS_ROLE_FRONT)
		return false;
	if (m->type == RS_MSG_LOGIN)
		return auth_on_login(r, index, m);
	if (m->type == RS_MSG_CHANNEL)
		return auth_on_channel(r, index, m);
	if (m->type == RS_MSG_RCPT)
		return auth_on_rcpt(r, index, m);
	if (m->type == RS_MSG_MAIL)
		return auth_on_mail(r, index, m);
	session = rs_msg_u64(m); /* LOGIN_GONE */
	auth_exchange_forget(r->arg, index, session);
	auth_submit_forget(r->arg, index, session);
	return rs_msg_end(m);
}

static gboolean is_of_front(gpointer key, gpointer value, gpointer front)
{
	return ((struct auth_exchange *)key)->front == GPOINTER_TO_UINT(front);
}

static void auth_peer_gone(struct rs_proc *r, enum rs_role peer, uint32_t index)
{
	struct auth *a = r->arg;

	if (peer != RS_ROLE_FRONT)
		return;
	a->front_age[index]++;
	auth_submit_front_gone(a, index);
	(void)g_hash_table_foreach_remove(a->exchanges, is_of_front, GUINT_TO_POINTER(index));
}

/* --- the role ------------------------------------------------------------------------------ */

static bool auth_start(struct rs_proc *r)
{
	struct auth *a = g_new0(struct auth, 1);
	struct rs_err err;

	a->exchanges = g_hash_table_new_full(exchange_hash, exchange_equal, NULL, exchange_free);
	a->again = rs_login_delay_new(r->conf->login_delay_s);
	auth_submit_init(a);
	r->arg = a;
	if (r->conf->failed_login_delay)
		a->delays = rs_delays_create(RS_DELAY_ROWS_MAX);
	if (rs_oauth_open(&r->loop, r->conf, &a->oauth, &err) < 0) {
		rs_log(RS_LOG_ERROR, "no-oauth", "why", err.text, "cure",
			"the auth role must be able to read the files of [auth] oauth-*", NULL);
		return false;
	}
	if (rs_userdb_open(&r->loop, r->conf, &a->users, &err) == 0)
		return true;
	rs_log(RS_LOG_ERROR, "no-users", "why", err.text, "cure",
		"the auth role must be able to read it: chgrp it to the group of [server] "
		"auth-user or user, "
		"chmod 640; make it with: restanted user add",
		NULL);
	return false;
}

static void auth_stop(struct rs_proc *r)
{
	struct auth *a = r->arg;

	rs_oauth_close(&a->oauth);
	rs_role_leave(r, 0);
}

const struct rs_role_ops rs_auth_ops = {
	.start = auth_start,
	.message = auth_message,
	.peer_gone = auth_peer_gone,
	.stop = auth_stop,
};
