/* relay.c - the relay role: who waits for what; see relay.h. Sandbox: names and certificates to read, connections to
 * the relay; neither mail nor users nor clients. */
#include "server/relay.h"

#include <openssl/err.h>
#include <unistd.h>

#include "server/log.h"

#define STOP_POLL_MS 50
#define SYSTEM_CA    "/etc/ssl/certs/ca-certificates.crt"

static guint txn_hash(gconstpointer p)
{
	const struct relay_txn *t = p;

	return (guint)(t->id ^ t->id >> 32) ^ t->front;
}

static gboolean txn_equal(gconstpointer a, gconstpointer b)
{
	const struct relay_txn *x = a;
	const struct relay_txn *y = b;

	return x->id == y->id && x->front == y->front;
}

static struct relay_txn *find(struct relay *r, uint32_t front, uint64_t id)
{
	struct relay_txn key = {.front = front, .id = id};

	return g_hash_table_lookup(r->txns, &key);
}

/* --- messages ------------------------------------------------------------------------------ */

static bool on_open(struct relay *r, struct rs_msg_in *m)
{
	uint32_t front = rs_msg_u32(m);
	uint64_t id = rs_msg_u64(m);
	uint32_t rcpt = rs_msg_u32(m);
	uint8_t flags = rs_msg_u8(m);
	uint64_t size = rs_msg_u64(m);
	struct rs_slice sender = rs_msg_octets(m);
	struct rs_slice address = rs_msg_octets(m);
	struct relay_txn *t;

	if (!rs_msg_end(m) || front >= RS_ROLE_PEERS_MAX)
		return false;
	t = find(r, front, id);
	if (t && (t->data_begun || t->waiting->len >= RELAY_RCPTS_MAX))
		return false;
	if (!t) {
		t = relay_txn_new(r, front, id);
		t->sender = g_strndup((const char *)sender.p, sender.n);
		t->flags = flags;
		t->size = size;
		g_hash_table_add(r->txns, t);
	}
	relay_txn_rcpt(t, rcpt, address);
	return true;
}

static bool on_data(struct relay *r, uint32_t front, struct rs_msg_in *m)
{
	uint64_t id = rs_msg_u64(m);
	struct rs_slice octets = rs_msg_octets(m);
	struct relay_txn *t = find(r, front, id);

	if (!rs_msg_end(m) || (t && t->whole))
		return false;
	return !t || relay_txn_data(t, octets);
}

static bool relay_message(struct rs_proc *p, enum rs_role peer, uint32_t index, struct rs_msg_in *m)
{
	struct relay *r = p->arg;
	struct relay_txn *t;
	uint64_t id;

	if (peer == RS_ROLE_AUTH)
		return on_open(r, m);
	if (m->type == RS_MSG_DATA)
		return on_data(r, index, m);
	id = rs_msg_u64(m);
	t = find(r, index, id);
	if (!rs_msg_end(m) || (t && t->whole))
		return false;
	if (t && m->type == RS_MSG_DATA_END)
		relay_txn_end(t);
	else if (t)
		g_hash_table_remove(r->txns, t);
	return true;
}

static gboolean is_of_front(gpointer key, gpointer value, gpointer front)
{
	return ((struct relay_txn *)key)->front == GPOINTER_TO_UINT(front);
}

/* Of a front that is gone: what is whole goes on, for the relay may have it already; the rest is forgotten. */
static void relay_peer_gone(struct rs_proc *p, enum rs_role peer, uint32_t index)
{
	struct relay *r = p->arg;

	if (peer == RS_ROLE_FRONT)
		(void)g_hash_table_foreach_remove(r->txns, is_of_front, GUINT_TO_POINTER(index));
}

/* --- the role ------------------------------------------------------------------------------ */

static int load_ca(SSL_CTX *ctx, const char *file)
{
	if (file)
		return SSL_CTX_load_verify_file(ctx, file);
	if (access(SYSTEM_CA, R_OK) == 0)
		return SSL_CTX_load_verify_file(ctx, SYSTEM_CA);
	return SSL_CTX_set_default_verify_paths(ctx);
}

/* With all rights still there: the certificates of who may vouch for the relay. */
static int relay_prepare(struct rs_proc *p, struct rs_err *err)
{
	struct relay *r = g_new0(struct relay, 1);
	const struct rs_conf_relay *conf = &p->conf->relay;
	char detail[160];

	p->arg = r;
	r->proc = p;
	if (conf->policy == RS_RELAY_TLS_NONE)
		return 0;
	r->tls = SSL_CTX_new(TLS_client_method());
	if (r->tls && SSL_CTX_set_min_proto_version(r->tls, TLS1_2_VERSION) == 1 &&
		load_ca(r->tls, conf->ca) == 1) {
		SSL_CTX_set_verify(r->tls,
			conf->policy == RS_RELAY_TLS_REQUIRED ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
			NULL);
		SSL_CTX_set_mode(r->tls,
			SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
		return 0;
	}
	ERR_error_string_n(ERR_peek_last_error(), detail, sizeof(detail));
	return rs_err_set(err, RS_ECONFIG, "[submission] relay-ca: %s: %s",
		conf->ca ? conf->ca : "the system's certificates", detail);
}

static bool relay_start(struct rs_proc *p)
{
	struct relay *r = p->arg;

	r->txns = g_hash_table_new_full(txn_hash, txn_equal, NULL, relay_txn_free);
	r->conns = g_ptr_array_new();
	uv_timer_init(&p->loop, &r->wait);
	return true;
}

static void on_wait(uv_timer_t *t)
{
	struct rs_proc *p = t->data;
	const struct relay *r = p->arg;

	if (g_hash_table_size(r->txns) == 0)
		rs_role_leave(p, 0);
}

/* Fronts are told to stop as well; what is on its way is answered first. */
static void relay_stop(struct rs_proc *p)
{
	struct relay *r = p->arg;

	relay_conns_stop(r);
	r->wait.data = p;
	uv_timer_start(&r->wait, on_wait, 0, STOP_POLL_MS);
}

const struct rs_role_ops rs_relay_ops = {
	.prepare = relay_prepare,
	.start = relay_start,
	.message = relay_message,
	.peer_gone = relay_peer_gone,
	.stop = relay_stop,
};
