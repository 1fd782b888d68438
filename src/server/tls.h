/* tls - the server's TLS: one context a front, made from descriptors the master opened, so that
 * the front never needs the right to read the key's file. OpenSSL 3. */
#ifndef RS_SERVER_TLS_H
#define RS_SERVER_TLS_H

#include <openssl/ssl.h>

#include "base/err.h"

/* PEM: the chain (the server's certificate first) and its key. TLS 1.2 and up, no renegotiation,
 * ALPN "pop3". The descriptors stay the caller's. -RS_ECONFIG says what is wrong with them. */
int rs_tls_create(int certificate_fd, int key_fd, SSL_CTX **out, struct rs_err *err) RS_MUST_USE;

#endif
