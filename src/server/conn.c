/* conn.c - see conn.h
 *
 *   OPEN --rs_conn_tls--> shaking --done--> OPEN under TLS --close--> closing --uv--> freed
 * Facts: `in` holds at most IN_MAX octets, then reading stops; at most one write is with libuv
 *        (`writing`), what it carries is a copy of its own; after `closing` no op but free is called. */
#include "server/conn.h"

#include <arpa/inet.h>
#include <assert.h>
#include <openssl/err.h>
#include <string.h>

#include "base/secret.h"
#include "server/address.h"
#include "server/front.h"
#include "server/stats.h"

#define IN_MAX     65536u
#define READ_CHUNK 65536u
#define TLS_RECORD 16384

static uint8_t read_buf[READ_CHUNK];  /* one a process: the loop has one thread */
static uint8_t plain_buf[TLS_RECORD]; /* one decrypted record */

/* --- the end ------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *h)
{
	struct rs_conn *c = h->data;

	c->ops->free(c);
	front_conn_forget(c);
	SSL_free(c->ssl);
	rs_buf_wipe(&c->in);
	rs_buf_finish(&c->in);
	g_free(c);
}

static void close_now(struct rs_conn *c)
{
	if (c->closing)
		return;
	c->closing = true;
	uv_close((uv_handle_t *)&c->h.stream, on_closed);
}

static void flush_tls(struct rs_conn *c);

void rs_conn_close(struct rs_conn *c, bool when_sent)
{
	if (c->closing || (c->close_when_sent && when_sent))
		return;
	if (c->ssl && !c->shaking && !c->close_when_sent) {
		(void)SSL_shutdown(c->ssl);
		ERR_clear_error();
		flush_tls(c);
	}
	if (when_sent && c->writing) {
		c->close_when_sent = true;
		rs_conn_read(c, false);
		return;
	}
	close_now(c);
}

static void gone(struct rs_conn *c)
{
	if (c->closing)
		return;
	c->ops->gone(c);
	close_now(c);
}

/* --- writing ------------------------------------------------------------------------------- */

struct write {
	uv_write_t req;
	struct rs_conn *conn;
	uint8_t octets[];
};

static void on_written(uv_write_t *req, int status)
{
	struct write *w = (struct write *)req;
	struct rs_conn *c = w->conn;

	g_free(w);
	c->writing = false;
	if (c->closing)
		return;
	if (status < 0) {
		gone(c);
		return;
	}
	if (c->ssl)
		flush_tls(c);
	if (c->writing || c->closing)
		return;
	if (c->close_when_sent)
		close_now(c);
	else if (!c->shaking)
		c->ops->step(c);
}

/* All of it goes: what the kernel does not take now is copied and written when it does. */
static void send_all(struct rs_conn *c, const uint8_t *p, size_t n)
{
	uv_buf_t buf = uv_buf_init((char *)(uintptr_t)p, (unsigned)n);
	struct write *w;
	int rc;

	assert(!c->writing);
	rc = n ? uv_try_write(&c->h.stream, &buf, 1) : 0;
	if (rc > 0) {
		p += rc;
		n -= (size_t)rc;
	}
	if (n == 0 || c->closing)
		return;
	w = g_malloc(sizeof(*w) + n);
	w->conn = c;
	memcpy(w->octets, p, n);
	buf = uv_buf_init((char *)w->octets, (unsigned)n);
	c->writing = true;
	if (uv_write(&w->req, &c->h.stream, &buf, 1, on_written) < 0) {
		g_free(w);
		c->writing = false;
		close_now(c);
	}
}

/* What OpenSSL wants sent. */
static void flush_tls(struct rs_conn *c)
{
	BIO *out = SSL_get_wbio(c->ssl);
	char *p;
	long n;

	if (c->writing)
		return;
	n = BIO_get_mem_data(out, &p);
	if (n <= 0)
		return;
	send_all(c, (const uint8_t *)p, (size_t)n);
	(void)BIO_reset(out);
}

size_t rs_conn_write(struct rs_conn *c, struct rs_slice s)
{
	size_t taken = 0;

	if (c->writing || c->closing || c->shaking || s.n == 0)
		return 0;
	c->octets_out += s.n;
	rs_stats_add(RS_STAT_OCTETS_OUT, s.n);
	if (!c->ssl) {
		send_all(c, s.p, s.n);
		return s.n;
	}
	while (taken < s.n) {
		int rc = SSL_write(c->ssl, s.p + taken, (int)MIN(s.n - taken, TLS_RECORD));

		if (rc <= 0)
			break;
		taken += (size_t)rc;
	}
	ERR_clear_error();
	if (taken < s.n)
		gone(c);
	else
		flush_tls(c);
	return taken;
}

/* --- reading ------------------------------------------------------------------------------- */

static void shake(struct rs_conn *c)
{
	int rc = SSL_do_handshake(c->ssl);
	int what = SSL_get_error(c->ssl, rc);

	ERR_clear_error();
	flush_tls(c);
	if (rc == 1) {
		c->shaking = false;
		rs_stats_add(RS_STAT_TLS_OK, 1);
		rs_stats_add(RS_STAT_TLS_RESUMED, SSL_session_reused(c->ssl) == 1);
		if (!c->closing)
			c->ops->tls_up(c);
	} else if (what != SSL_ERROR_WANT_READ && what != SSL_ERROR_WANT_WRITE) {
		rs_stats_add(RS_STAT_TLS_FAILED, 1);
		gone(c);
	}
}

/* Decrypt as far as `in` has room. */
static void decrypt(struct rs_conn *c)
{
	int rc = 1;

	while (!c->closing && rs_buf_room(&c->in) >= TLS_RECORD) {
		rc = SSL_read(c->ssl, plain_buf, TLS_RECORD);
		if (rc <= 0)
			break;
		if (rs_buf_add(&c->in, plain_buf, (size_t)rc) < 0)
			gone(c);
	}
	rs_wipe(plain_buf,
		sizeof(plain_buf) > 512 ? 512 : sizeof(plain_buf)); /* where passwords were */
	if (rc <= 0) {
		int what = SSL_get_error(c->ssl, rc);

		ERR_clear_error();
		if (what == SSL_ERROR_ZERO_RETURN)
			c->eof = true;
		else if (what != SSL_ERROR_WANT_READ && what != SSL_ERROR_WANT_WRITE)
			gone(c);
	}
}

static void take(struct rs_conn *c, const uint8_t *p, size_t n)
{
	c->octets_in += n;
	rs_stats_add(RS_STAT_OCTETS_IN, n);
	if (!c->ssl) {
		if (rs_buf_add(&c->in, p, n) < 0)
			gone(c); /* cannot be: reading stops before the ceiling */
		return;
	}
	if (n && BIO_write(SSL_get_rbio(c->ssl), p, (int)n) != (int)n) {
		gone(c);
		return;
	}
	if (c->shaking)
		shake(c);
	if (!c->closing && !c->shaking)
		decrypt(c);
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
	const struct rs_conn *c = h->data;
	size_t n = c->ssl ? READ_CHUNK : RS_MIN(READ_CHUNK, rs_buf_room(&c->in));

	*buf = uv_buf_init((char *)read_buf, (unsigned)n);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct rs_conn *c = s->data;

	if (n == 0 || c->closing)
		return;
	if (n < 0 && (n != UV_EOF || c->shaking)) {
		gone(c);
		return;
	}
	if (n == UV_EOF) {
		c->eof = true;
		rs_conn_read(c, false);
	} else {
		take(c, read_buf, (size_t)n);
		rs_wipe(read_buf, (size_t)n);
	}
	if (!c->closing && !c->shaking)
		c->ops->step(c);
}

void rs_conn_read(struct rs_conn *c, bool on)
{
	bool can = on && !c->eof && !c->closing &&
		   (c->ssl ? rs_buf_room(&c->in) >= TLS_RECORD : rs_buf_room(&c->in) > 0);

	if (c->ssl && on && !c->shaking && !c->closing &&
		BIO_pending(SSL_get_rbio(c->ssl)) + SSL_pending(c->ssl) > 0)
		decrypt(c); /* what had no room before */
	if (can == c->reading || c->closing)
		return;
	c->reading = can;
	if (can)
		(void)uv_read_start(&c->h.stream, on_alloc, on_read);
	else
		(void)uv_read_stop(&c->h.stream);
}

bool rs_conn_tls(struct rs_conn *c, struct rs_tls *tls)
{
	bool pop3 = c->service == RS_SERVICE_POP3 || c->service == RS_SERVICE_POP3S;
	BIO *in = BIO_new(BIO_s_mem());
	BIO *out = BIO_new(BIO_s_mem());

	assert(rs_buf_n(&c->in) == 0);
	c->ssl = rs_tls_new(tls, pop3 ? "pop3" : NULL);
	if (!in || !out || !c->ssl) {
		BIO_free(in);
		BIO_free(out);
		return false;
	}
	BIO_set_mem_eof_return(in, -1);
	BIO_set_mem_eof_return(out, -1);
	SSL_set_bio(c->ssl, in, out);
	c->shaking = true;
	rs_conn_read(c, true);
	return true;
}

bool rs_conn_tls_first(struct rs_conn *c, struct rs_tls *tls)
{
	struct rs_slice held = rs_buf_slice(&c->in);
	g_autofree uint8_t *octets = held.n ? g_memdup2(held.p, held.n) : NULL;

	rs_buf_clear(&c->in);
	rs_buf_shrink(&c->in);
	if (!rs_conn_tls(c, tls))
		return false;
	if (octets && BIO_write(SSL_get_rbio(c->ssl), octets, (int)held.n) != (int)held.n)
		return false;
	if (octets)
		shake(c);
	if (octets && !c->closing && !c->shaking)
		decrypt(c);
	return true;
}

/* --- accepting ----------------------------------------------------------------------------- */

static void name_peer(struct rs_conn *c)
{
	struct rs_ip ip;

	if (!rs_ip_of(&c->peer, &ip)) {
		g_strlcpy(c->peer_text, "unix", sizeof(c->peer_text));
		c->loopback = true;
		return;
	}
	if (rs_ip_is_v4(&ip))
		(void)inet_ntop(AF_INET, ip.octets + 12, c->peer_text, sizeof(c->peer_text));
	else
		(void)inet_ntop(AF_INET6, ip.octets, c->peer_text, sizeof(c->peer_text));
	c->loopback = rs_ip_is_loopback(&ip);
}

void rs_conn_set_peer(struct rs_conn *c, const struct sockaddr_storage *from)
{
	c->peer = *from;
	name_peer(c);
}

static void on_refused(uv_handle_t *h)
{
	g_free(h->data);
}

struct rs_conn *rs_conn_accept(
	struct front *f, uv_stream_t *listener, enum rs_service service, bool is_pipe)
{
	struct rs_conn *c = g_new0(struct rs_conn, 1);
	int n = sizeof(c->peer);
	int rc;

	rc = is_pipe ? uv_pipe_init(listener->loop, &c->h.pipe, 0)
		     : uv_tcp_init(listener->loop, &c->h.tcp);
	if (rc < 0) {
		g_free(c);
		return NULL;
	}
	c->h.stream.data = c;
	rc = uv_accept(listener, &c->h.stream);
	if (rc == 0 && !is_pipe)
		rc = uv_tcp_getpeername(&c->h.tcp, (struct sockaddr *)&c->peer, &n);
	if (rc < 0) {
		uv_close((uv_handle_t *)&c->h.stream, on_refused);
		return NULL;
	}
	if (!is_pipe)
		(void)uv_tcp_nodelay(&c->h.tcp, 1);
	c->front = f;
	c->service = service;
	rs_buf_init(&c->in, IN_MAX);
	name_peer(c);
	return c;
}

void rs_conn_alive(struct rs_conn *c, uint32_t seconds)
{
	c->quiet_until_ms = uv_now(c->h.stream.loop) + (uint64_t)seconds * 1000;
}
