/* auth.c - the auth role: is this the user, does this address live here? It knows the users, takes
 * SASL exchanges apart, hashes on worker threads, and tells a store of every session that may be.
 *
 * An exchange (front, session):
 *   IDLE --LOGIN--> CHECKING --yes--> gone (OPEN to the store)   --no--> gone (REFUSED)
 *   IDLE --LOGIN of SASL--> CHALLENGED --LOGIN--> …
 * Facts: exchanges exist only while a SASL exchange is half done or a hash is under way; the answer
 *        of a hash whose session has gone (LOGIN_GONE, front lost) is thrown away. */
#include <string.h>

#include "base/secret.h"
#include "proto/pop3.h"
#include "proto/pop3s.h"
#include "sasl/sasl.h"
#include "server/log.h"
#include "server/mailbox.h"
#include "server/role.h"
#include "server/userdb.h"

struct auth {
	struct rs_userdb *users;
	GHashTable *exchanges; /* struct exchange, keyed by itself */
	bool users_bad;        /* the last refresh failed; told once */
};

struct exchange {
	uint32_t front; /* key … */
	uint64_t session;
	struct rs_sasl_server *sasl; /* NULL: not SASL */
	bool checking;
	char folder[RS_FOLDER_NAME_MAX + 1]; /* of user+folder; "": the main one */
};

/* One hash on a worker thread. */
struct job {
	uv_work_t work;
	struct rs_proc *proc;
	uint32_t front;
	uint64_t session;
	char name[256]; /* clean, or "" */
	char *stored;   /* NULL: no such user, or not allowed; the hash is done all the same */
	struct rs_secret *given;
	bool ok;
};

static guint exchange_hash(gconstpointer p)
{
	const struct exchange *e = p;

	return (guint)(e->session ^ e->session >> 32) ^ e->front;
}

static gboolean exchange_equal(gconstpointer a, gconstpointer b)
{
	const struct exchange *x = a;
	const struct exchange *y = b;

	return x->session == y->session && x->front == y->front;
}

static void exchange_free(gpointer p)
{
	struct exchange *e = p;

	rs_sasl_server_destroy(&e->sasl);
	g_free(e);
}

static struct exchange *find(struct auth *a, uint32_t front, uint64_t session)
{
	struct exchange key = {.front = front, .session = session};

	return g_hash_table_lookup(a->exchanges, &key);
}

static void forget(struct auth *a, uint32_t front, uint64_t session)
{
	struct exchange key = {.front = front, .session = session};

	g_hash_table_remove(a->exchanges, &key);
}

/* --- users --------------------------------------------------------------------------------- */

static void refresh(struct auth *a)
{
	struct rs_err err;

	if (rs_userdb_refresh(a->users, &err) == 0) {
		a->users_bad = false;
		return;
	}
	if (!a->users_bad)
		rs_log(RS_LOG_ERROR, "users-not-read", "why", err.text, "in-use",
			"the list as it was", NULL);
	a->users_bad = true;
}

/* The store that keeps this user: always the same one while their number stays. */
static uint32_t store_of(const struct rs_proc *r, const char *name)
{
	return g_str_hash(name) % r->stores_n;
}

/* The user of this clean name; that of anna+junk@example.org is anna, where nobody is called so, and
 * `folder` is "junk" (else ""). `any`: also where that cannot be a folder's name. NULL: nobody. */
static const struct rs_user *find_user(
	struct auth *a, char name[256], char folder[RS_FOLDER_NAME_MAX + 1], bool any)
{
	const struct rs_user *u = rs_userdb_find(a->users, name);

	folder[0] = '\0';
	if (u || !rs_user_name_split(name, folder, any))
		return u;
	return rs_userdb_find(a->users, name);
}

/* --- answers ------------------------------------------------------------------------------- */

static void refuse(struct rs_proc *r, uint32_t front, uint64_t session, enum rs_pop3_code code)
{
	struct rs_link *l = r->fronts[front];

	forget(r->arg, front, session);
	if (!l)
		return;
	rs_link_begin(l, RS_MSG_REFUSED);
	rs_link_u64(l, session);
	rs_link_u8(l, (uint8_t)code);
	rs_link_octets(l, rs_slice(NULL, 0));
	rs_link_end(l);
}

static void challenge(struct rs_link *l, uint64_t session, struct rs_slice octets)
{
	rs_link_begin(l, RS_MSG_CHALLENGE);
	rs_link_u64(l, session);
	rs_link_octets(l, octets);
	rs_link_end(l);
}

/* The user is who he says: the store hears of it and answers the front. */
static void admit(struct rs_proc *r, uint32_t front, uint64_t session, const struct rs_user *u)
{
	struct rs_link *store = r->stores[store_of(r, u->name)];
	const struct exchange *e = find(r->arg, front, session);
	g_autofree char *mailbox = NULL;
	struct rs_err err;

	if (!store) {
		refuse(r, front, session, RS_POP3_CODE_SYS_TEMP); /* never "wrong password" */
		return;
	}
	if (rs_mailbox_text(u, r->conf->store_path ? r->conf->store_path : "%u",
		    e ? e->folder : NULL, &mailbox, &err) < 0) {
		rs_log(RS_LOG_ERROR, "no-mailbox-path", "id", rs_log_id(session), "user", u->name,
			"why", err.text, NULL);
		refuse(r, front, session, RS_POP3_CODE_SYS_PERM);
		return;
	}
	forget(r->arg, front, session);
	rs_link_begin(store, RS_MSG_OPEN);
	rs_link_u32(store, front);
	rs_link_u64(store, session);
	rs_link_octets(store, rs_slice_str(u->name));
	rs_link_octets(store, rs_slice_str(mailbox));
	rs_link_end(store);
}

/* --- checking ------------------------------------------------------------------------------ */

static void job_work(uv_work_t *w)
{
	struct job *j = w->data;

	j->ok = rs_password_check(j->stored, rs_slice(j->given->octets, j->given->n));
}

static void job_done(uv_work_t *w, int status)
{
	struct job *j = w->data;
	struct rs_proc *r = j->proc;
	struct auth *a = r->arg;
	const struct exchange *e = find(a, j->front, j->session);
	const struct rs_user *u = j->ok ? rs_userdb_find(a->users, j->name) : NULL;

	if (e && e->checking) {
		if (u)
			admit(r, j->front, j->session, u);
		else
			refuse(r, j->front, j->session, RS_POP3_CODE_AUTH);
	}
	if (j->stored)
		rs_wipe(j->stored, strlen(j->stored));
	g_free(j->stored);
	rs_secret_destroy(&j->given);
	g_free(j);
}

static void check_password(
	struct rs_proc *r, struct exchange *e, struct rs_slice user, struct rs_slice password)
{
	struct auth *a = r->arg;
	struct job *j = g_new0(struct job, 1);
	const struct rs_user *u;

	refresh(a);
	if (rs_user_name_clean(user, j->name) < 0)
		j->name[0] = '\0';
	u = find_user(a, j->name, e->folder, false);
	if (u && !rs_password_known(u->password))
		rs_log(RS_LOG_WARNING, "unknown-scheme", "id", rs_log_id(e->session), "user",
			u->name, "cure",
			"a {SCHEME} of crypt(3) or {PLAIN}: restanted user remove, then add", NULL);
	j->proc = r;
	j->front = e->front;
	j->session = e->session;
	j->stored = u && u->pop3 && !u->disabled ? g_strdup(u->password) : NULL;
	j->work.data = j;
	e->checking = true;
	if (rs_secret_create(password, &j->given) < 0 ||
		uv_queue_work(&r->loop, &j->work, job_work, job_done) < 0) {
		refuse(r, j->front, j->session, RS_POP3_CODE_SYS_TEMP);
		g_free(j->stored);
		rs_secret_destroy(&j->given);
		g_free(j);
	}
}

/* RFC 1939 section 7: hex MD5 of timestamp and shared secret, which must be stored as it is. */
static void check_apop(struct rs_proc *r, struct exchange *e, struct rs_slice user,
	struct rs_slice digest, struct rs_slice stamp)
{
	struct auth *a = r->arg;
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_MD5);
	const struct rs_user *u;
	char name[256];
	bool plain;

	refresh(a);
	u = rs_user_name_clean(user, name) == 0 ? find_user(a, name, e->folder, false) : NULL;
	plain = u && u->pop3 && !u->disabled && g_str_has_prefix(u->password, "{PLAIN}");
	g_checksum_update(sum, stamp.p, (gssize)stamp.n);
	if (plain)
		g_checksum_update(sum, (const guchar *)u->password + 7, -1);
	if (r->conf->apop && plain && stamp.n &&
		rs_secret_eq(digest, rs_slice_str(g_checksum_get_string(sum))))
		admit(r, e->front, e->session, u);
	else
		refuse(r, e->front, e->session, RS_POP3_CODE_AUTH);
}

static void step_sasl(struct rs_proc *r, struct exchange *e, struct rs_slice in)
{
	struct rs_slice out;

	switch (rs_sasl_server_step(e->sasl, in, &out)) {
	case RS_SASL_CHALLENGE:
		challenge(r->fronts[e->front], e->session, out);
		break;
	case RS_SASL_CREDENTIALS:
		check_password(
			r, e, rs_sasl_server_user(e->sasl), rs_sasl_server_password(e->sasl));
		break;
	case RS_SASL_FAILED:
		refuse(r, e->front, e->session, RS_POP3_CODE_AUTH);
		break;
	}
}

/* --- messages ------------------------------------------------------------------------------ */

/* A new exchange in place of an older one of the same session. */
static struct exchange *exchange_new(struct auth *a, uint32_t front, uint64_t session)
{
	struct exchange *e = g_new0(struct exchange, 1);

	e->front = front;
	e->session = session;
	g_hash_table_replace(a->exchanges, e, e);
	return e;
}

static bool on_login(struct rs_proc *r, uint32_t front, struct rs_msg_in *m)
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
	struct exchange *e;
	char name[24];

	(void)service;
	(void)tls;
	(void)peer;
	if (!rs_msg_end(m) || kind > RS_LOGIN_SASL)
		return false;
	e = find(r->arg, front, session);
	if (kind != RS_LOGIN_SASL || first || !e)
		e = exchange_new(r->arg, front, session);
	if (e->checking)
		return false; /* a second question before the first was answered */
	if (kind == RS_LOGIN_PASS) {
		check_password(r, e, user, secret);
	} else if (kind == RS_LOGIN_APOP) {
		check_apop(r, e, user, secret, stamp);
	} else {
		if (first && (rs_slice_copy(mech, name, sizeof(name)) < 0 ||
				     rs_sasl_server_create(name, &e->sasl) < 0)) {
			refuse(r, front, session, RS_POP3_CODE_SYS_TEMP);
			return true;
		}
		if (!e->sasl)
			return false;
		step_sasl(r, e,
			has_secret ? (secret.p ? secret : rs_slice("", 0)) : rs_slice(NULL, 0));
	}
	return true;
}

static void rcpt_refuse(struct rs_link *l, uint64_t session, uint32_t rcpt, unsigned code,
	const char *status, const char *text)
{
	rs_link_begin(l, RS_MSG_RCPT_REFUSED);
	rs_link_u64(l, session);
	rs_link_u32(l, rcpt);
	rs_link_u16(l, (uint16_t)code);
	rs_link_octets(l, rs_slice_str(status));
	rs_link_octets(l, rs_slice_str(text));
	rs_link_end(l);
}

static bool on_rcpt(struct rs_proc *r, uint32_t front, struct rs_msg_in *m)
{
	struct rs_link *l = r->fronts[front];
	uint64_t session = rs_msg_u64(m);
	uint32_t rcpt = rs_msg_u32(m);
	struct rs_slice address = rs_msg_octets(m);
	g_autofree char *mailbox = NULL;
	char folder[RS_FOLDER_NAME_MAX + 1];
	const struct rs_user *u = NULL;
	struct rs_link *store;
	char name[256];

	if (!rs_msg_end(m))
		return false;
	refresh(r->arg);
	if (rs_user_name_clean(address, name) == 0)
		u = find_user(r->arg, name, folder, true);
	store = u ? r->stores[store_of(r, u->name)] : NULL;
	if (!u)
		rcpt_refuse(l, session, rcpt, 550, "5.1.1", "No such mailbox here");
	else if (u->disabled)
		rcpt_refuse(l, session, rcpt, 550, "5.2.1", "This mailbox is disabled");
	else if (!store || rs_mailbox_text(u, r->conf->store_path ? r->conf->store_path : "%u",
				   folder, &mailbox, NULL) < 0)
		rcpt_refuse(l, session, rcpt, 451, "4.3.0", "Temporary failure, try again later");
	if (!mailbox)
		return true;
	rs_link_begin(store, RS_MSG_RCPT_OPEN);
	rs_link_u32(store, front);
	rs_link_u64(store, session);
	rs_link_u32(store, rcpt);
	rs_link_octets(store, rs_slice_str(u->name));
	rs_link_octets(store, rs_slice_str(mailbox));
	rs_link_end(store);
	return true;
}

static bool auth_message(struct rs_proc *r, enum rs_role peer, uint32_t index, struct rs_msg_in *m)
{
	uint64_t session;

	if (peer != RS_ROLE_FRONT)
		return false;
	if (m->type == RS_MSG_LOGIN)
		return on_login(r, index, m);
	if (m->type == RS_MSG_RCPT)
		return on_rcpt(r, index, m);
	session = rs_msg_u64(m); /* LOGIN_GONE */
	forget(r->arg, index, session);
	return rs_msg_end(m);
}

static gboolean is_of_front(gpointer key, gpointer value, gpointer front)
{
	return ((struct exchange *)key)->front == GPOINTER_TO_UINT(front);
}

static void auth_peer_gone(struct rs_proc *r, enum rs_role peer, uint32_t index)
{
	struct auth *a = r->arg;

	if (peer == RS_ROLE_FRONT)
		(void)g_hash_table_foreach_remove(
			a->exchanges, is_of_front, GUINT_TO_POINTER(index));
}

/* --- the role ------------------------------------------------------------------------------ */

static bool auth_start(struct rs_proc *r)
{
	struct auth *a = g_new0(struct auth, 1);
	struct rs_err err;

	a->exchanges = g_hash_table_new_full(exchange_hash, exchange_equal, NULL, exchange_free);
	r->arg = a;
	if (rs_userdb_open(r->conf->users, &a->users, &err) == 0)
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
	rs_role_leave(r, 0);
}

const struct rs_role_ops rs_auth_ops = {
	.start = auth_start,
	.message = auth_message,
	.peer_gone = auth_peer_gone,
	.stop = auth_stop,
};
