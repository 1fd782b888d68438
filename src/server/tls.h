/* tls - the server's TLS: contexts made from a memory file that the master filled, so that a front
 * needs no right to read a key's file. One certificate is for every name, further ones are for
 * the names of [tls NAME] (SNI, a closed table). OpenSSL 3. TLS 1.2 and up, no renegotiation. */
#ifndef RS_SERVER_TLS_H
#define RS_SERVER_TLS_H

#include <openssl/ssl.h>

#include "base/err.h"
#include "base/slice.h"
#include "server/conf.h"

struct rs_tls;

/* --- tls_files.c: certificates and keys on their way from the master to a front -------------- */

/* All files that [tls] names, in one sealed memory file. Its descriptor (>= 0, the caller's), or
 * -RS_ECONFIG, -RS_EIO. What is in them is not looked at. */
int rs_tls_pack(const struct rs_conf *c, struct rs_err *err) RS_MUST_USE;

/* The file's octets one after another, in the order of rs_tls_pack: chain and key of [tls], of each
 * [tls NAME], then client-ca where there is one. */
struct rs_tls_files {
	uint8_t *octets; /* mapped, read-only; NULL: none */
	size_t n;
	struct rs_slice rest;
};
int rs_tls_files_open(int fd, struct rs_tls_files *out) RS_MUST_USE; /* -RS_EINVAL */
/* Borrowed until close; false: there is none left. */
bool rs_tls_files_next(struct rs_tls_files *f, struct rs_slice *out);
void rs_tls_files_close(struct rs_tls_files *f);

/* --- tls.c ---------------------------------------------------------------------------------- */

/* `fd` from rs_tls_pack with the same configuration; it stays the caller's. -RS_ECONFIG names the
 * section and what is wrong: no PEM, a key of another certificate, a name it is not for. */
int rs_tls_create(
	int fd, const struct rs_conf *c, struct rs_tls **out, struct rs_err *err) RS_MUST_USE;
void rs_tls_destroy(struct rs_tls **t);
/* Are the files what rs_tls_create wants? For check-config. 0 without [tls]. */
int rs_tls_check(const struct rs_conf *c, struct rs_err *err) RS_MUST_USE;

/* A server's SSL that has not begun. `protocol`: what a client that offers protocols by ALPN must
 * offer (RFC 7301); NULL: what it offers is passed over. NULL: out of memory. Lent `protocol`. */
SSL *rs_tls_new(struct rs_tls *t, const char *protocol);

/* --- tls_tickets.c: one key for all fronts, so that whichever one takes a session resumes it ---- */

#define RS_TLS_KEY_N       80u   /* name 16, cipher 32, MAC 32                               */
#define RS_TLS_KEYS        3u    /* next, current, previous                                  */
#define RS_TLS_TICKET_S    3600u /* the master turns them so often; a ticket lives one to two */
#define RS_TLS_KEYS_OCTETS (RS_TLS_KEY_N * RS_TLS_KEYS)

/* All new, by chance; false: there was none. */
bool rs_tls_keys_make(uint8_t keys[RS_TLS_KEYS_OCTETS]);
/* The next becomes the current one. It is known everywhere since the last turn, so no front meets a
 * ticket whose key it has not heard of. */
bool rs_tls_keys_turn(uint8_t keys[RS_TLS_KEYS_OCTETS]);
void rs_tls_keys_set(struct rs_tls *t, const uint8_t keys[RS_TLS_KEYS_OCTETS]);

/* --- tls_peer.c: who is at the other end, and what binds a login to this channel ----------------- */

/* The names of the user in a certificate that verified, LF between; NULL: none. The caller's. */
char *rs_tls_peer_names(SSL *ssl, enum rs_client_name how);

#define RS_TLS_BINDING_MAX 64u

/* Is there a binding at all? */
bool rs_tls_binds(SSL *ssl);
/* tls-exporter, RFC 9266: 32 octets; 0 below TLS 1.3. */
size_t rs_tls_exporter(SSL *ssl, uint8_t out[RS_TLS_BINDING_MAX]);
/* tls-server-end-point, RFC 5929 section 4: hash of our certificate; 0: it has none. */
size_t rs_tls_end_point(SSL *ssl, uint8_t out[RS_TLS_BINDING_MAX]);

#endif
