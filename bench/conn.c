/* conn.c - see conn.h */
#include "bench/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE_MAX_N 1024

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	ERR_print_errors_fp(stderr);
	_exit(1);
}

static int connect_unix(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		die("connect %s: %s", path, strerror(errno));
	return fd;
}

static int connect_tcp(const char *host, int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0 || inet_pton(AF_INET, host, &a.sin_addr) != 1)
		die("socket %s: %s", host, strerror(errno));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		die("connect %s:%d: %s", host, port, strerror(errno));
	return fd;
}

void conn_open(struct conn *c, const char *host, int port, SSL_CTX *tls, SSL_SESSION **session)
{
	c->at = c->n = 0;
	c->octets = 0;
	c->ssl = NULL;
	c->fd = port ? connect_tcp(host, port) : connect_unix(host);
	if (!tls)
		return;
	c->ssl = SSL_new(tls);
	if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1)
		die("no TLS");
	if (session && *session)
		(void)SSL_set_session(c->ssl, *session);
	if (SSL_connect(c->ssl) != 1)
		die("TLS handshake failed");
}

bool conn_resumed(const struct conn *c)
{
	return c->ssl && SSL_session_reused(c->ssl);
}

void conn_close(struct conn *c, SSL_SESSION **session)
{
	if (c->ssl) {
		if (session) {
			SSL_SESSION_free(*session);
			*session = SSL_get1_session(c->ssl);
		}
		SSL_set_quiet_shutdown(c->ssl, 1);
		(void)SSL_shutdown(c->ssl);
		SSL_free(c->ssl);
	}
	close(c->fd);
}

void conn_send(struct conn *c, const void *p, size_t n)
{
	const char *at = p;

	while (n) {
		ssize_t k =
			c->ssl ? SSL_write(c->ssl, at, (int)n) : send(c->fd, at, n, MSG_NOSIGNAL);

		if (k <= 0)
			die("the server went away while it was sent to: %s", strerror(errno));
		at += k;
		n -= (size_t)k;
	}
}

void conn_sendf(struct conn *c, const char *fmt, ...)
{
	char line[LINE_MAX_N];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	conn_send(c, line, (size_t)n);
}

/* More octets behind in[n]; what was looked at makes room. */
static void fill(struct conn *c)
{
	ssize_t k;

	if (c->at) {
		memmove(c->in, c->in + c->at, c->n - c->at);
		c->n -= c->at;
		c->at = 0;
	}
	if (c->n == CONN_IN_N)
		die("a line without end");
	k = c->ssl ? SSL_read(c->ssl, c->in + c->n, (int)(CONN_IN_N - c->n))
		   : recv(c->fd, c->in + c->n, CONN_IN_N - c->n, 0);
	if (k <= 0)
		die("the server went away in the middle of an answer: %s", strerror(errno));
	c->n += (size_t)k;
	c->octets += (uint64_t)k;
}

const char *conn_line(struct conn *c, const char *want)
{
	char *end;
	const char *line;

	while (!(end = memchr(c->in + c->at, '\n', c->n - c->at)))
		fill(c);
	line = c->in + c->at;
	*end = '\0';
	if (end > line && end[-1] == '\r')
		end[-1] = '\0';
	c->at = (size_t)(end + 1 - c->in);
	if (strncmp(line, want, strlen(want)) != 0)
		die("'%s' instead of '%s'", line, want);
	return line;
}

uint64_t conn_multi(struct conn *c)
{
	static const char end[] = "\r\n.\r\n";
	uint64_t octets = 0;
	char *at;

	(void)conn_line(c, "+OK");
	c->at -= 2; /* the end of that line may be the beginning of `end` */
	c->in[c->at] = '\r';
	c->in[c->at + 1] = '\n';
	while (!(at = memmem(c->in + c->at, c->n - c->at, end, 5))) {
		if (c->n - c->at > 4) {
			octets += c->n - 4 - c->at;
			c->at = c->n - 4;
		}
		fill(c);
	}
	octets += (uint64_t)(at - (c->in + c->at));
	c->at = (size_t)(at + 5 - c->in);
	return octets;
}
