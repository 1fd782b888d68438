/* conn - a client's connection for measuring: blocking socket, TLS over it where wanted, a buffer
 * in which replies are looked for. Any failure ends the program with a word about it: a
 * measurement with failures in it is none. */
#ifndef BENCH_CONN_H
#define BENCH_CONN_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONN_IN_N 262144u

struct conn {
	int fd;
	SSL *ssl;
	size_t at; /* in[at..n) is not looked at yet */
	size_t n;
	uint64_t octets; /* received in all */
	char in[CONN_IN_N];
};

/* `host` is an address of the loopback, or the path of a Unix socket (port 0). `tls` NULL: plain.
 * `session`: offered when not NULL; replaced by the newest one when the connection is closed. */
void conn_open(struct conn *c, const char *host, int port, SSL_CTX *tls, SSL_SESSION **session);
void conn_close(struct conn *c, SSL_SESSION **session);
bool conn_resumed(const struct conn *c);

void conn_send(struct conn *c, const void *p, size_t n);
void conn_sendf(struct conn *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The next reply line must begin with `want`; the line without its end, until the next call. */
const char *conn_line(struct conn *c, const char *want);
/* Pass over the next answer of many lines ("+OK" … "."); octets of it. */
uint64_t conn_multi(struct conn *c);

__attribute__((noreturn, format(printf, 1, 2))) void die(const char *fmt, ...);

#endif
