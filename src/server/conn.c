/* conn.c - see conn.h
 *
 *   OPEN --rs_conn_tls--> shaking --done--> OPEN under TLS --close--> closing --uv--> freed
 * Facts: `in` holds at most IN_MAX octets, then reading stops; `writing` is set exactly while the
 *        poll waits for room; `unsent` is empty unless `writing`; nothing of OpenSSL's output stays in
 *        tls_out when a function of this file returns; after `closing` no op but free is called. */
#include "server/conn.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/secret.h"
#include "server/address.h"
#include "server/front.h"
#include "server/log.h"
#include "server/stats.h"

#define IN_MAX     65536u
#define READ_CHUNK 65536u
#define TLS_RECORD 16384
#define UNSENT_MAX (256u * 1024)

/* One a process, because the loop has one thread: an idle session has no buffer of its own. */
static uint8_t read_buf[READ_CHUNK];
static uint8_t plain_buf[TLS_RECORD]; /* one decrypted record */
static uint8_t tls_out[5 * 16640];    /* records that leave with one call */
static size_t tls_out_n;

/* --- the end ------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *h)
{
	struct rs_conn *c = h->data;

	if (c->shaking_counted)
		front_shake_over(c);
	c->ops->free(c);
	front_conn_forget(c);
	SSL_free(c->ssl);
	g_free(c->cipher_kept);
	rs_buf_finish(&c->unsent);
	rs_buf_wipe(&c->in);
	rs_buf_finish(&c->in);
	g_free(c);
}

static void close_now(struct rs_conn *c)
{
	if (c->closing)
		return;
	c->closing = true;
	front_ceiling_leave(c); /* whoever reads that it is over may come again at once */
	uv_close((uv_handle_t *)&c->poll, on_closed);
	close(c->fd);
}

uint64_t rs_conn_taken(const struct rs_conn *c)
{
	int waits = 0;

	if (ioctl(c->fd, TIOCOUTQ, &waits) < 0 || waits < 0)
		waits = 0;
	return c->wire_out - RS_MIN((uint64_t)waits, c->wire_out);
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
	if (when_sent && c->writing && !c->broken) {
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

/* --- waiting ------------------------------------------------------------------------------- */

static void on_poll(uv_poll_t *h, int status, int events);

static void wait_for_events(struct rs_conn *c)
{
	int events = (c->reading ? UV_READABLE : 0) | (c->writing ? UV_WRITABLE : 0);

	if (events == c->events || c->closing)
		return;
	c->events = events;
	if (events)
		(void)uv_poll_start(&c->poll, events, on_poll);
	else
		(void)uv_poll_stop(&c->poll);
}

/* --- writing ------------------------------------------------------------------------------- */

/* Octets the kernel took; when not all of them, `writing` or `broken` says why. */
static size_t to_kernel(struct rs_conn *c, const uint8_t *p, size_t n)
{
	size_t sent = 0;

	rs_log_flush(); /* what the client is told is in the log before */
	while (sent < n) {
		ssize_t k = write(c->fd, p + sent, n - sent);

		if (k >= 0) {
			sent += (size_t)k;
			c->wire_out += (size_t)k;
		} else if (errno == EAGAIN || errno == ENOBUFS) {
			c->writing = true;
			wait_for_events(c);
			break;
		} else if (errno != EINTR) {
			c->broken = true;
			break;
		}
	}
	return sent;
}

/* What OpenSSL wanted sent. */
static void flush_tls(struct rs_conn *c)
{
	size_t n = tls_out_n;
	size_t sent = 0;

	tls_out_n = 0;
	if (n == 0 || c->broken)
		return;
	if (!c->writing)
		sent = to_kernel(c, tls_out, n);
	if (sent < n && rs_buf_add(&c->unsent, tls_out + sent, n - sent) < 0)
		c->broken = true; /* cannot be: nothing is encrypted while there is no room */
}

/* OpenSSL's side of the socket: records gather in tls_out. */
static int bio_write(BIO *bio, const char *p, int n)
{
	struct rs_conn *c = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if ((size_t)n > sizeof(tls_out))
		return -1;
	if ((size_t)n > sizeof(tls_out) - tls_out_n)
		flush_tls(c);
	memcpy(tls_out + tls_out_n, p, (size_t)n);
	tls_out_n += (size_t)n;
	return n;
}

static int bio_read(BIO *bio, char *p, int n)
{
	struct rs_conn *c = BIO_get_data(bio);
	size_t k = RS_MIN((size_t)n, c->cipher.n);

	BIO_clear_retry_flags(bio);
	if (k == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(p, c->cipher.p, k);
	c->cipher = rs_slice_sub(c->cipher, k, c->cipher.n);
	return (int)k;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	return cmd == BIO_CTRL_FLUSH;
}

static BIO *bio_new(struct rs_conn *c)
{
	static BIO_METHOD *method;
	BIO *bio;

	if (!method) {
		method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "connection");
		if (!method || !BIO_meth_set_write(method, bio_write) ||
			!BIO_meth_set_read(method, bio_read) ||
			!BIO_meth_set_ctrl(method, bio_ctrl))
			return NULL;
	}
	bio = BIO_new(method);
	if (bio) {
		BIO_set_data(bio, c);
		BIO_set_init(bio, 1);
	}
	return bio;
}

static size_t write_tls(struct rs_conn *c, struct rs_slice s)
{
	size_t taken = 0;

	while (taken < s.n && !c->writing && !c->broken) {
		int rc = SSL_write(c->ssl, s.p + taken, (int)RS_MIN(s.n - taken, 4u * TLS_RECORD));

		if (rc <= 0)
			c->broken = true;
		else
			taken += (size_t)rc;
		flush_tls(c);
	}
	ERR_clear_error();
	return taken;
}

size_t rs_conn_write(struct rs_conn *c, struct rs_slice s)
{
	size_t taken;

	if (c->writing || c->closing || c->shaking || s.n == 0)
		return 0;
	taken = c->ssl ? write_tls(c, s) : to_kernel(c, s.p, s.n);
	c->octets_out += taken;
	rs_stats_add(RS_STAT_OCTETS_OUT, taken);
	if (c->broken)
		gone(c);
	return taken;
}

/* The kernel has room again. */
static void on_room(struct rs_conn *c)
{
	struct rs_slice s = rs_buf_slice(&c->unsent);
	size_t sent;

	c->writing =
		false; /* `events` is left as it is: most steps fill the kernel's buffer again */
	sent = to_kernel(c, s.p, s.n);
	rs_buf_consume(&c->unsent, sent);
	rs_buf_shrink(&c->unsent);
	if (c->broken)
		gone(c);
	else if (c->close_when_sent && !c->writing)
		close_now(c);
	else if (!c->writing && !c->shaking)
		c->ops->step(c);
	wait_for_events(c);
}

/* --- reading ------------------------------------------------------------------------------- */

static void shake_over(struct rs_conn *c)
{
	if (c->shaking_counted)
		front_shake_over(c);
	c->shaking_counted = false;
}

static void shake(struct rs_conn *c)
{
	int rc = SSL_do_handshake(c->ssl);
	int what = SSL_get_error(c->ssl, rc);

	ERR_clear_error();
	flush_tls(c);
	if (c->broken) {
		gone(c);
	} else if (rc == 1) {
		shake_over(c);
		c->shaking = false;
		rs_stats_add(RS_STAT_TLS_OK, 1);
		rs_stats_add(RS_STAT_TLS_RESUMED, SSL_session_reused(c->ssl) == 1);
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
			c->broken = true;
		rs_wipe(plain_buf, (size_t)rc); /* where passwords were */
	}
	if (rc <= 0) {
		int what = SSL_get_error(c->ssl, rc);

		if (what == SSL_ERROR_ZERO_RETURN)
			c->eof = true;
		else if (what != SSL_ERROR_WANT_READ && what != SSL_ERROR_WANT_WRITE)
			c->broken = true;
		ERR_clear_error();
	}
	flush_tls(c); /* an answer to a key update, an alert */
	if (c->broken)
		gone(c);
}

/* What was read and could not be decrypted yet must not stay in the buffer that all share. */
static void keep_cipher(struct rs_conn *c)
{
	uint8_t *kept = c->cipher.n ? g_memdup2(c->cipher.p, c->cipher.n) : NULL;

	g_free(c->cipher_kept);
	c->cipher_kept = kept;
	c->cipher = rs_slice(kept, c->cipher.n);
}

static void take(struct rs_conn *c, const uint8_t *p, size_t n)
{
	c->octets_in += n;
	rs_stats_add(RS_STAT_OCTETS_IN, n);
	if (!c->known && !front_octets_admit(c)) {
		gone(c);
		return;
	}
	if (!c->ssl) {
		if (rs_buf_add(&c->in, p, n) < 0)
			gone(c); /* cannot be: reading stops before the ceiling */
		return;
	}
	assert(c->cipher.n == 0);
	c->cipher = rs_slice(p, n);
	if (c->shaking)
		shake(c);
	if (!c->closing && !c->shaking)
		decrypt(c);
	keep_cipher(c);
}

static void on_readable(struct rs_conn *c)
{
	size_t room = c->ssl ? READ_CHUNK : RS_MIN(READ_CHUNK, rs_buf_room(&c->in));
	ssize_t n = read(c->fd, read_buf, room);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0 || (n == 0 && c->shaking)) {
		gone(c);
		return;
	}
	if (n == 0) {
		c->eof = true;
		rs_conn_read(c, false);
	} else {
		take(c, read_buf, (size_t)n);
		rs_wipe(read_buf, (size_t)n);
	}
	if (!c->closing && !c->shaking)
		c->ops->step(c);
}

static void on_poll(uv_poll_t *h, int status, int events)
{
	struct rs_conn *c = h->data;

	if (status <
		0) { /* reset by the peer: libuv has stopped; what came before may still be read */
		c->events = 0;
		if (c->reading)
			on_readable(c);
		else
			gone(c);
		wait_for_events(c);
		return;
	}
	if (events & UV_WRITABLE)
		on_room(c);
	if ((events & UV_READABLE) && c->reading && !c->closing)
		on_readable(c);
}

void rs_conn_read(struct rs_conn *c, bool on)
{
	size_t least = c->ssl ? TLS_RECORD : 1;

	if (c->closing)
		return;
	if (on && c->cipher_kept && !c->shaking) {
		decrypt(c); /* what had no room before */
		if (c->closing)
			return;
		keep_cipher(c);
	}
	c->reading = on && !c->eof && rs_buf_room(&c->in) >= least && !c->cipher_kept;
	wait_for_events(c);
}

bool rs_conn_more(struct rs_conn *c)
{
	size_t before = rs_buf_n(&c->in);

	if (!c->ssl || c->closing || c->close_when_sent)
		return false;
	rs_conn_read(c, true);
	return !c->closing && rs_buf_n(&c->in) > before;
}

bool rs_conn_tls(struct rs_conn *c, struct rs_tls *tls)
{
	bool pop3 = c->service == RS_SERVICE_POP3 || c->service == RS_SERVICE_POP3S;
	BIO *bio = bio_new(c);

	assert(rs_buf_n(&c->in) == 0);
	c->shaking_counted = front_shake_admit(c);
	c->ssl = bio && c->shaking_counted ? rs_tls_new(tls, pop3 ? "pop3" : NULL) : NULL;
	if (!c->ssl) {
		BIO_free(bio);
		return false;
	}
	SSL_set_bio(c->ssl, bio, bio);
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
	c->cipher = rs_slice(octets, held.n);
	if (octets)
		shake(c);
	if (octets && !c->closing && !c->shaking)
		decrypt(c);
	keep_cipher(c);
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

struct rs_conn *rs_conn_accept(struct front *f, int listener, enum rs_service service)
{
	struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
	socklen_t n = sizeof(peer);
	int fd = accept4(listener, (struct sockaddr *)&peer, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct rs_conn *c;

	if (fd < 0)
		return NULL;
	c = g_new0(struct rs_conn, 1);
	if (uv_poll_init(&f->proc->loop, &c->poll, fd) < 0) {
		close(fd);
		g_free(c);
		errno = ENOMEM;
		return NULL;
	}
	c->poll.data = c;
	c->fd = fd;
	c->peer = peer;
	c->front = f;
	c->service = service;
	rs_buf_init(&c->in, IN_MAX);
	rs_buf_init(&c->unsent, UNSENT_MAX);
	name_peer(c);
	return c;
}

void rs_conn_alive(struct rs_conn *c, uint32_t seconds)
{
	c->quiet_s = seconds;
	c->quiet_until_ms = uv_now(c->poll.loop) + (uint64_t)seconds * 1000;
}
