/* relay_conn.c - a connection to the relay, see relay.h.
 *
 *   NAME --addresses--> CONNECT --(next address)--> TALKING: [TLS], the engine until READY, in use or idle --> CLOSED
 * Facts: a transaction has a connection and the connection has it, both or neither; one without a transaction
 *        that is ready is idle, and is closed after RELAY_IDLE_S; what fails is told once, with its cause.
 *        `wire` has the connection or, when that has given it up, NULL, and frees itself. */
#include <arpa/inet.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "server/log.h"
#include "server/relay.h"
#include "server/stats.h"

#define ADDRESS_TIME_S 10  /* to connect to one of the addresses                  */
#define READY_TIME_S   30  /* for the login, then                                 */
#define COMMAND_TIME_S 45  /* less than the front waits for a recipient           */
#define MESSAGE_TIME_S 240 /* for the last answer: less than our own client waits */
#define QUIET_TIME_S   3600
#define IN_MAX         65536u
#define TLS_RECORD     16384

enum state { NAME, CONNECT, TALKING, CLOSED };

struct relay_conn;

struct wire {
	uv_tcp_t tcp; /* first */
	uv_connect_t connect;
	struct relay_conn *conn;
	uint8_t octets[TLS_RECORD];
};

struct write {
	uv_write_t req;
	struct wire *wire;
	uint8_t octets[];
};

struct relay_conn {
	struct relay *relay;
	struct relay_txn *txn; /* NULL: nobody's */
	enum state state;
	struct wire *wire;
	uv_timer_t timer;
	uv_getaddrinfo_t names;
	bool naming; /* the thread that looks the name up has not come back */
	bool timed;  /* the timer is not closed yet */
	struct addrinfo *addresses;
	struct addrinfo *next;
	struct rs_smtpc_cfg cfg;
	struct rs_smtpc *engine;
	SSL *ssl;
	bool shaking;
	bool writing;
	bool ready;
	bool reset_due;
	bool kept; /* the transaction is not its first */
	bool stepping;
	struct rs_buf in;
	char why[256]; /* the last thing that went wrong */
};

static void step(struct relay_conn *c);

/* --- the end ------------------------------------------------------------------------------- */

static void free_when_over(struct relay_conn *c)
{
	if (c->state != CLOSED || c->timed || c->naming)
		return;
	if (c->addresses)
		uv_freeaddrinfo(c->addresses);
	rs_smtpc_destroy(&c->engine);
	SSL_free(c->ssl);
	rs_buf_finish(&c->in);
	g_free(c);
}

static void on_timer_closed(uv_handle_t *h)
{
	struct relay_conn *c = h->data;

	c->timed = false;
	free_when_over(c);
}

static void on_wire_closed(uv_handle_t *h)
{
	g_free(h);
}

static void hang_up(struct relay_conn *c)
{
	if (!c->wire)
		return;
	c->wire->conn = NULL;
	uv_close((uv_handle_t *)&c->wire->tcp, on_wire_closed);
	c->wire = NULL;
}

/* Over; who waits hears `a`. */
static void end(struct relay_conn *c, const struct rs_msg_answer *a)
{
	struct relay_txn *t = c->txn;

	if (c->state == CLOSED)
		return;
	c->state = CLOSED;
	c->txn = NULL;
	(void)g_ptr_array_remove_fast(c->relay->conns, c);
	hang_up(c);
	uv_close((uv_handle_t *)&c->timer, on_timer_closed);
	if (c->naming)
		(void)uv_cancel((uv_req_t *)&c->names);
	if (t)
		relay_txn_lost(t, a, c->ready && c->kept);
}

static void failed(struct relay_conn *c, const char *why)
{
	static const struct rs_msg_answer unreachable = {
		451, "4.4.1", "The relay cannot be reached now; try again later"};
	static const struct rs_msg_answer broken = {
		451, "4.4.2", "The connection to the relay broke; try again later"};

	if (c->state != CLOSED && (c->txn || !c->ready)) {
		rs_stats_add(RS_STAT_RELAY_FAILED, 1);
		rs_log(RS_LOG_WARNING, c->ready ? "relay-broken" : "relay-unreachable", "id",
			c->txn ? rs_log_id(c->txn->id) : NULL, "host",
			c->relay->proc->conf->relay.host, "why", why, NULL);
	}
	end(c, c->ready ? &broken : &unreachable);
}

/* The relay, or we, do not want this session at all. */
static void refused(struct relay_conn *c, const struct rs_smtpc_event *ev)
{
	static const struct rs_msg_answer told = {451, "4.3.5",
		"The relay does not take mail from here now; the postmaster has to look"};
	g_autofree char *text = g_strndup((const char *)ev->text.p, ev->text.n);

	rs_stats_add(RS_STAT_RELAY_FAILED, 1);
	rs_log(RS_LOG_ERROR, "relay-refuses-us", "id", c->txn ? rs_log_id(c->txn->id) : NULL,
		"host", c->relay->proc->conf->relay.host, "code", rs_log_num(ev->code), "why", text,
		"cure", "see relay and relay-tls in restanted.conf(5)", NULL);
	end(c, &told);
}

/* --- TLS ----------------------------------------------------------------------------------- */

/* Why OpenSSL is not content, in words. */
static void tls_failed(struct relay_conn *c)
{
	long verify = SSL_get_verify_result(c->ssl);
	char detail[160];

	ERR_error_string_n(ERR_peek_last_error(), detail, sizeof(detail));
	ERR_clear_error();
	g_snprintf(c->why, sizeof(c->why), "TLS: %s",
		verify == X509_V_OK ? detail : X509_verify_cert_error_string(verify));
	failed(c, c->why);
}

static bool is_address(const char *host)
{
	uint8_t octets[16];

	return inet_pton(AF_INET, host, octets) == 1 || inet_pton(AF_INET6, host, octets) == 1;
}

/* The name that the certificate must have. */
static bool expect_name(SSL *ssl, const char *host)
{
	if (is_address(host))
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
	return SSL_set_tlsext_host_name(ssl, host) == 1 && SSL_set1_host(ssl, host) == 1;
}

static void begin_tls(struct relay_conn *c)
{
	BIO *in = BIO_new(BIO_s_mem());
	BIO *out = BIO_new(BIO_s_mem());

	c->ssl = SSL_new(c->relay->tls);
	if (!in || !out || !c->ssl || !expect_name(c->ssl, c->relay->proc->conf->relay.host)) {
		BIO_free(in);
		BIO_free(out);
		failed(c, "TLS: out of memory");
		return;
	}
	BIO_set_mem_eof_return(in, -1);
	BIO_set_mem_eof_return(out, -1);
	SSL_set_bio(c->ssl, in, out);
	SSL_set_connect_state(c->ssl);
	c->shaking = true;
	step(c);
}

/* --- writing ------------------------------------------------------------------------------- */

static void on_written(uv_write_t *req, int status)
{
	struct write *w = (struct write *)req;
	struct relay_conn *c = w->wire->conn;

	g_free(w);
	if (!c)
		return;
	c->writing = false;
	if (status < 0)
		failed(c, uv_strerror(status));
	else
		step(c);
}

static void send_all(struct relay_conn *c, const uint8_t *p, size_t n)
{
	struct write *w = g_malloc(sizeof(*w) + n);
	uv_buf_t buf = uv_buf_init((char *)w->octets, (unsigned)n);

	w->wire = c->wire;
	memcpy(w->octets, p, n);
	c->writing = true;
	if (uv_write(&w->req, (uv_stream_t *)&c->wire->tcp, &buf, 1, on_written) < 0) {
		g_free(w);
		c->writing = false;
		failed(c, "cannot be written to");
	}
}

/* What OpenSSL wants sent; false: nothing. */
static bool flush_tls(struct relay_conn *c)
{
	char *p;
	long n = BIO_get_mem_data(SSL_get_wbio(c->ssl), &p);

	if (c->writing || n <= 0)
		return false;
	send_all(c, (const uint8_t *)p, (size_t)n);
	if (c->state != CLOSED)
		(void)BIO_reset(SSL_get_wbio(c->ssl));
	return true;
}

/* What the engine wants sent; false: nothing, or not now. */
static bool flush(struct relay_conn *c)
{
	struct rs_slice out = rs_smtpc_out(c->engine);
	int rc;

	if (c->writing || c->shaking || out.n == 0)
		return false;
	if (!c->ssl) {
		send_all(c, out.p, out.n);
		if (c->state != CLOSED)
			rs_smtpc_sent(c->engine, out.n);
		return true;
	}
	rc = SSL_write(c->ssl, out.p, (int)MIN(out.n, (size_t)TLS_RECORD));
	if (rc <= 0) {
		tls_failed(c);
		return true;
	}
	rs_smtpc_sent(c->engine, (size_t)rc);
	(void)flush_tls(c);
	return true;
}

/* --- reading ------------------------------------------------------------------------------- */

static void shake(struct relay_conn *c)
{
	int rc = SSL_do_handshake(c->ssl);
	int what = SSL_get_error(c->ssl, rc);

	if (rc == 1) {
		c->shaking = false;
		if (!(c->cfg.flags & RS_SMTPC_TLS))
			(void)rs_smtpc_tls_up(c->engine, rs_buf_n(&c->in));
	} else if (what != SSL_ERROR_WANT_READ && what != SSL_ERROR_WANT_WRITE) {
		(void)flush_tls(c); /* the alert */
		tls_failed(c);
	}
}

/* Decrypt as far as `in` has room. False: nothing has come. */
static bool decrypt(struct relay_conn *c)
{
	static uint8_t plain[TLS_RECORD];
	bool any = false;

	while (rs_buf_room(&c->in) >= TLS_RECORD) {
		int rc = SSL_read(c->ssl, plain, TLS_RECORD);
		int what = SSL_get_error(c->ssl, rc);

		if (rc > 0 && rs_buf_add(&c->in, plain, (size_t)rc) == 0) {
			any = true;
			continue;
		}
		ERR_clear_error();
		if (rc <= 0 && what != SSL_ERROR_WANT_READ && what != SSL_ERROR_WANT_WRITE)
			(void)rs_smtpc_eof(c->engine);
		break;
	}
	return any;
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
	struct wire *w = (struct wire *)h;

	*buf = uv_buf_init((char *)w->octets, sizeof(w->octets));
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct wire *w = (struct wire *)s;
	struct relay_conn *c = w->conn;

	if (!c || n == 0)
		return;
	if (n < 0) {
		failed(c, n == UV_EOF ? "it has closed the connection" : uv_strerror((int)n));
		return;
	}
	if (c->ssl ? BIO_write(SSL_get_rbio(c->ssl), w->octets, (int)n) != (int)n
		   : rs_buf_add(&c->in, w->octets, (size_t)n) < 0) {
		failed(c, "it sends more than was asked for");
		return;
	}
	step(c);
}

/* --- time ---------------------------------------------------------------------------------- */

static void try_next(struct relay_conn *c);

static void on_time(uv_timer_t *timer)
{
	struct relay_conn *c = timer->data;

	if (c->state == CONNECT) {
		g_snprintf(c->why, sizeof(c->why), "no answer within %d seconds", ADDRESS_TIME_S);
		try_next(c);
	} else if (c->ready && !c->txn && rs_smtpc_quit(c->engine) == 0) {
		(void)flush(c); /* it need not be waited for */
		end(c, NULL);
	} else {
		failed(c, "no answer in time");
	}
}

/* How long may it take until something comes? */
static void set_time(struct relay_conn *c)
{
	unsigned seconds = COMMAND_TIME_S;

	if (!c->ready) /* one limit for all until then */
		return;
	if (!c->txn)
		seconds = RELAY_IDLE_S;
	else if (c->txn->going)
		seconds = MESSAGE_TIME_S;
	else if (rs_smtpc_idle(c->engine)) /* our client's turn, and the front keeps its time */
		seconds = QUIET_TIME_S;
	uv_timer_start(&c->timer, on_time, (uint64_t)seconds * 1000, 0);
}

/* --- stepping ------------------------------------------------------------------------------ */

static void on_ready(struct relay_conn *c)
{
	c->ready = true;
	rs_log(RS_LOG_DEBUG, "relay-connected", "host", c->relay->proc->conf->relay.host, "tls",
		c->ssl ? SSL_get_version(c->ssl) : "", NULL);
}

static void on_event(struct relay_conn *c, const struct rs_smtpc_event *ev)
{
	if (ev->kind == RS_M_READY)
		on_ready(c);
	else if (ev->kind == RS_M_REFUSED)
		refused(c, ev);
	else if (c->txn)
		relay_txn_event(c->txn, ev);
}

/* STARTTLS was accepted: what came behind the answer is an injection. */
static void start_tls(struct relay_conn *c)
{
	if (rs_buf_n(&c->in)) {
		(void)rs_smtpc_tls_up(c->engine, rs_buf_n(&c->in));
		failed(c, rs_smtpc_error(c->engine)->text);
	} else {
		begin_tls(c);
	}
}

/* What TLS has to send and what it has decrypted; false: nothing can be done behind it yet. */
static bool round_tls(struct relay_conn *c, bool *moved)
{
	if (c->shaking)
		shake(c);
	if (c->state == CLOSED)
		return false;
	*moved = flush_tls(c);
	if (c->state != CLOSED && !c->shaking)
		*moved |= decrypt(c);
	return c->state != CLOSED && !c->shaking;
}

/* What we have to say; false: the connection is gone. */
static bool round_out(struct relay_conn *c, bool *moved)
{
	if (c->reset_due && rs_smtpc_reset(c->engine) == 0)
		c->reset_due = false;
	if (c->txn && !c->reset_due)
		relay_txn_push(c->txn);
	*moved |= flush(c);
	return c->state != CLOSED;
}

/* One thing that can be done now; false: none. */
static bool round_once(struct relay_conn *c)
{
	struct rs_smtpc_event ev;
	struct rs_slice in;
	enum rs_step s;
	size_t used;
	bool moved = false;

	if ((c->ssl && !round_tls(c, &moved)) || !round_out(c, &moved))
		return false;
	in = rs_buf_slice(&c->in);
	s = rs_smtpc_recv(c->engine, in.p, in.n, &used, &ev);
	if (s == RS_EVENT && ev.kind == RS_M_START_TLS) {
		rs_buf_consume(&c->in, used);
		start_tls(c);
		return c->state != CLOSED;
	}
	if (s == RS_EVENT)
		on_event(c, &ev); /* before the input moves */
	if (c->state == CLOSED)
		return false;
	rs_buf_consume(&c->in, used);
	if (s == RS_CLOSED || s == RS_FAILED) {
		failed(c, s == RS_FAILED ? rs_smtpc_error(c->engine)->text
					 : "it has ended the session");
		return false;
	}
	/* what came may have been answered by the engine */
	return s == RS_EVENT || used > 0 || moved;
}

static void step(struct relay_conn *c)
{
	if (c->stepping || c->state != TALKING)
		return;
	c->stepping = true;
	while (c->state == TALKING && round_once(c))
		continue;
	c->stepping = false;
	if (c->state == TALKING) {
		set_time(c);
		rs_buf_shrink(&c->in);
	}
}

void relay_conn_step(struct relay_conn *c)
{
	step(c);
}

/* --- the beginning ------------------------------------------------------------------------- */

static void on_connect(uv_connect_t *req, int status)
{
	struct wire *w = req->handle ? (struct wire *)req->handle : NULL;
	struct relay_conn *c = w ? w->conn : NULL;

	if (!c)
		return;
	if (status < 0) {
		g_snprintf(c->why, sizeof(c->why), "%s", uv_strerror(status));
		try_next(c);
		return;
	}
	c->state = TALKING;
	(void)uv_tcp_nodelay(&w->tcp, 1);
	uv_timer_start(&c->timer, on_time, READY_TIME_S * 1000, 0);
	if (uv_read_start((uv_stream_t *)&w->tcp, on_alloc, on_read) < 0)
		failed(c, "cannot be read from");
	else if (c->cfg.flags & RS_SMTPC_TLS)
		begin_tls(c);
	else
		step(c);
}

static void try_next(struct relay_conn *c)
{
	struct addrinfo *at = c->next;

	hang_up(c);
	if (!at) {
		failed(c, c->why);
		return;
	}
	c->next = at->ai_next;
	c->state = CONNECT;
	c->wire = g_new0(struct wire, 1);
	c->wire->conn = c;
	if (uv_tcp_init(&c->relay->proc->loop, &c->wire->tcp) < 0) {
		g_clear_pointer(&c->wire, g_free);
		failed(c, "no socket");
		return;
	}
	uv_timer_start(&c->timer, on_time, ADDRESS_TIME_S * 1000, 0);
	if (uv_tcp_connect(&c->wire->connect, &c->wire->tcp, at->ai_addr, on_connect) < 0) {
		g_snprintf(c->why, sizeof(c->why), "no socket of that family");
		try_next(c);
	}
}

static void on_names(uv_getaddrinfo_t *req, int status, struct addrinfo *found)
{
	struct relay_conn *c = req->data;

	c->naming = false;
	c->addresses = c->next = found;
	if (c->state == CLOSED) {
		free_when_over(c);
		return;
	}
	g_snprintf(c->why, sizeof(c->why), "its name has no address: %s",
		status < 0 ? uv_strerror(status) : "none found");
	try_next(c);
}

static void configure(struct relay_conn *c)
{
	const struct rs_conf *conf = c->relay->proc->conf;

	c->cfg.hostname = conf->hostname;
	c->cfg.user = conf->relay.user;
	c->cfg.password = conf->relay.password;
	c->cfg.limits = rs_smtpc_limits_default;
	if (conf->relay.tls)
		c->cfg.flags = RS_SMTPC_TLS;
	else if (conf->relay.policy == RS_RELAY_TLS_REQUIRED)
		c->cfg.flags = RS_SMTPC_STARTTLS;
	else if (conf->relay.policy == RS_RELAY_TLS_OPPORTUNISTIC)
		c->cfg.flags = RS_SMTPC_STARTTLS_IF;
}

static struct relay_conn *conn_new(struct relay *r)
{
	struct relay_conn *c = g_new0(struct relay_conn, 1);
	const struct rs_conf *conf = r->proc->conf;
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	char port[8];
	int rc;

	c->relay = r;
	configure(c);
	rs_buf_init(&c->in, IN_MAX);
	if (rs_smtpc_create(&c->cfg, &c->engine) < 0) {
		g_free(c);
		return NULL;
	}
	uv_timer_init(&r->proc->loop, &c->timer);
	c->timed = true;
	c->timer.data = c;
	c->names.data = c;
	g_ptr_array_add(r->conns, c);
	rs_stats_add(RS_STAT_RELAY_CONNECTIONS, 1);
	g_snprintf(port, sizeof(port), "%u", conf->relay.port);
	rc = uv_getaddrinfo(&r->proc->loop, &c->names, on_names, conf->relay.host, port, &hints);
	c->naming = rc == 0;
	if (rc == 0) {
		uv_timer_start(&c->timer, on_time, READY_TIME_S * 1000, 0);
		return c;
	}
	failed(c, uv_strerror(rc));
	return NULL;
}

struct relay_conn *relay_conn_take(struct relay *r, struct relay_txn *txn)
{
	struct relay_conn *c = NULL;

	for (guint i = 0; i < r->conns->len && !c; i++) {
		struct relay_conn *at = g_ptr_array_index(r->conns, i);

		if (!at->txn && at->state == TALKING && at->ready)
			c = at;
	}
	if (c)
		c->kept = true;
	else if (r->conns->len < RELAY_CONNS_MAX)
		c = conn_new(r);
	if (c)
		c->txn = txn;
	return c;
}

struct rs_smtpc *relay_conn_engine(struct relay_conn *c)
{
	return c->ready ? c->engine : NULL;
}

static unsigned idle_n(const struct relay *r)
{
	unsigned n = 0;

	for (guint i = 0; i < r->conns->len; i++)
		n += ((struct relay_conn *)g_ptr_array_index(r->conns, i))->txn == NULL;
	return n;
}

void relay_conn_release(struct relay_conn *c, bool clean, bool reset)
{
	c->txn = NULL;
	if (!clean || idle_n(c->relay) > RELAY_IDLE_MAX || c->relay->proc->stopping) {
		end(c, NULL);
		return;
	}
	c->reset_due = reset && c->ready;
	step(c);
	if (c->state != CLOSED)
		set_time(c);
}

void relay_conns_stop(struct relay *r)
{
	for (guint i = r->conns->len; i-- > 0;) {
		struct relay_conn *c = g_ptr_array_index(r->conns, i);

		if (!c->txn)
			end(c, NULL);
	}
}
