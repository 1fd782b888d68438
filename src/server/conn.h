/* conn - one connection of a client: a socket, TLS over it where wanted, what was received and not
 * yet taken. What is to be sent stays with the driver until the kernel has room for it; only octets
 * that are encrypted already are kept here. It knows no protocol: a driver (front_pop3.c,
 * front_mail.c) is stepped whenever something may go on. Thread: the loop's. */
#ifndef RS_SERVER_CONN_H
#define RS_SERVER_CONN_H

#include <openssl/ssl.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/buf.h"
#include "server/conf.h"
#include "server/tls.h"

struct rs_conn;
struct front;

/* What the administrator is told of a connection; borrowed until the loop goes on. */
struct rs_conn_about {
	const char *user; /* "": not logged in */
	const char *state;
	uint32_t messages; /* retrieved, or received */
	uint32_t store;    /* UINT32_MAX: none */
};

struct rs_conn_ops {
	/* Go on: input is in c->in (decrypted), the output may have room. */
	void (*step)(struct rs_conn *c);
	/* The handshake asked for with rs_conn_tls is done. */
	void (*tls_up)(struct rs_conn *c);
	/* The peer is gone or broke TLS; after this the connection closes. */
	void (*gone)(struct rs_conn *c);
	/* Last call: free what belongs to the driver. */
	void (*free)(struct rs_conn *c);
	/* Nothing moved for too long: say so if the protocol can, then close. */
	void (*idle)(struct rs_conn *c);
	/* The service stops: the same. */
	void (*stop)(struct rs_conn *c);
	/* Once a second, for replies that are held back. NULL: there are none. */
	void (*tick)(struct rs_conn *c);
	/* NULL: nothing to tell. */
	void (*about)(const struct rs_conn *c, struct rs_conn_about *out);
	/* The administrator wants it gone: say so, then close; nothing is deleted. NULL: just close. */
	void (*kick)(struct rs_conn *c, const char *why);
};

struct rs_conn {
	uv_poll_t poll;
	int fd;
	int events;          /* that `poll` waits for */
	struct front *front; /* lent */
	const struct rs_conn_ops *ops;
	void *driver;
	uint64_t id;    /* of the connection, in the log (msg.h) */
	uint64_t txn_n; /* transactions begun under this id */
	enum rs_service service;
	struct sockaddr_storage peer;
	char peer_text[64];
	char proxy_text[64]; /* the balancer that named the client; "": none */
	bool loopback;
	bool known;   /* logged in */
	bool counted; /* front_ceilings.c … */
	bool shaking_counted;
	uint64_t source; /* … keys under which it is counted, 0: none */
	uint64_t user;
	uint64_t held_back_ms; /* how long the service made it wait, in all */
	struct rs_buf in;      /* received, decrypted, not taken */
	SSL *ssl;              /* NULL: no TLS */
	bool shaking;          /* the handshake is not done */
	bool reading;
	bool eof;     /* the peer has ended its side */
	bool writing; /* the kernel has no room; step comes when it has */
	bool broken;  /* a write failed: it is over as soon as the caller is out of OpenSSL */
	bool closing;
	bool close_when_sent;
	bool later;             /* in the front's list of those to be stepped */
	struct rs_slice cipher; /* received and not yet decrypted: read just now, or … */
	uint8_t *cipher_kept;   /* … kept until `in` has room */
	struct rs_buf unsent;   /* encrypted, and the kernel had no room */
	uint64_t began_ms;
	uint64_t quiet_until_ms; /* idle() when nothing moves until then … */
	uint32_t quiet_s;        /* … this long after the last move */
	uint64_t slow_mark;      /* front_progress.c: octets the peer had taken … */
	uint64_t slow_since_ms;  /* … then; 0: not measured */
	uint64_t wire_out;       /* octets the kernel took */
	uint64_t octets_in;
	uint64_t octets_out;
	struct rs_conn *prev; /* list of all, kept by the front */
	struct rs_conn *next;
};

/* Take a connection from a listener that is ready. NULL: errno tells why (EAGAIN, EMFILE …). */
struct rs_conn *rs_conn_accept(struct front *f, int listener, enum rs_service service);

/* Octets that the peer has acknowledged (TCP) or taken, of all that was written. */
uint64_t rs_conn_taken(const struct rs_conn *c);

/* Begin TLS; nothing of the input so far may be held by then. False: out of memory. */
bool rs_conn_tls(struct rs_conn *c, struct rs_tls *tls);

/* The same for a service that begins with TLS: what was received already is the handshake. */
bool rs_conn_tls_first(struct rs_conn *c, struct rs_tls *tls);

/* The client is at `from`, not where the connection comes from (front_proxy.c). */
void rs_conn_set_peer(struct rs_conn *c, const struct sockaddr_storage *from);

/* Hand octets to the kernel; returns how many were taken. Fewer than all: step comes when there is room
 * for the rest. */
size_t rs_conn_write(struct rs_conn *c, struct rs_slice s);

/* Read on or not (a driver that cannot go on stops reading, so the peer feels it). */
void rs_conn_read(struct rs_conn *c, bool on);

/* What came earlier but had no room in c->in then: no event of the loop tells of it. True: there is more in c->in
 * now. */
bool rs_conn_more(struct rs_conn *c);

/* Close, at once or when all that was written is with the kernel. */
void rs_conn_close(struct rs_conn *c, bool when_sent);

/* Something moved: nothing is due for `seconds`. */
void rs_conn_alive(struct rs_conn *c, uint32_t seconds);

#endif
