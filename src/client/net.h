/* net - one connection of the client: TCP, TLS when asked, silence has a limit. GIO underneath,
 * so proxies and name look-up are the desktop's. Blocking; cancel from another thread.
 * Every error text is one sentence that names the server and the cure. */
#ifndef RS_CLIENT_NET_H
#define RS_CLIENT_NET_H

#include <gio/gio.h>

#include "base/err.h"
#include "base/slice.h"

struct rs_net_where {
	const char *host; /* lent; a path is a socket here */
	guint16 port;
	gboolean tls_at_once;
	const char *ca_file; /* NULL: the system's authorities            */
	const char
		*pin_sha256;  /* NULL, or 64 hex digits: this certificate only, whoever signed it */
	guint timeout_s;      /* silence: no octet for so long is an error */
	GCancellable *cancel; /* NULL, or lent */
	char *seen; /* NULL, or room for RS_NET_SEEN octets: fingerprint of what it showed */
};

#define RS_NET_SEEN 65u /* 64 hex digits and NUL */

struct rs_net;

/* Where rs_net_exchange reads to. */
struct rs_net_in {
	void *buf;
	size_t max;
	size_t got; /* octets that came */
	bool ended; /* the server has closed its side */
};

/* -RS_ENET, -RS_ECERT, -RS_EPROTO (no TLS there), -RS_ETEMP (cancelled). `where` lent until close. */
int rs_net_open(
	const struct rs_net_where *where, struct rs_net **out, struct rs_err *err) RS_MUST_USE;
void rs_net_close(struct rs_net **n);

/* Begin TLS on a connection opened without it. */
int rs_net_start_tls(struct rs_net *n, struct rs_err *err) RS_MUST_USE;

/* Both ways at a time, so that neither side can wait for the other for ever: writes what the server takes
 * of `out`, reads what is there, and waits only where neither was possible. */
int rs_net_exchange(struct rs_net *n, struct rs_slice out, size_t *written, struct rs_net_in *in,
	struct rs_err *err) RS_MUST_USE;

int rs_net_write(
	struct rs_net *n, struct rs_slice s, struct rs_err *err) RS_MUST_USE; /* all of it */
/* The connection's descriptor, for what only a socket knows; -1 when there is none. */
int rs_net_fd(const struct rs_net *n);

/* Another limit for silence, from now on; the `where` of rs_net_open must say the same. */
void rs_net_set_timeout(struct rs_net *n, guint timeout_s);
/* Its TLS, for what only that knows; borrowed; NULL without. */
GTlsConnection *rs_net_tls(const struct rs_net *n);
bool rs_net_is_tls(const struct rs_net *n);
/* What binds a login to this TLS connection: tls-exporter (RFC 9266), else tls-server-end-point (RFC 5929).
 * g_byte_array_unref it; NULL: there is none. */
GByteArray *rs_net_binding(const struct rs_net *n, bool exporter);
/* SHA-256 of the server's certificate as hex, g_free it; NULL without TLS. After -RS_ECERT the
 * error's text has it too. */
char *rs_net_fingerprint(const struct rs_net *n);

#endif
