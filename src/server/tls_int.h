/* tls_int.h - what the files of the server's TLS share. Nobody else includes it. */
#ifndef RS_SERVER_TLS_INT_H
#define RS_SERVER_TLS_INT_H

#include "server/tls.h"

struct rs_tls {
	SSL_CTX *main;     /* for every name that is not in the table */
	GHashTable *named; /* "mail.example.org" or "*.example.org" -> SSL_CTX, lent */
	GPtrArray *owned;  /* the contexts of `named`, each once */
	EVP_CIPHER *ticket_cipher;
	uint8_t keys[RS_TLS_KEYS_OCTETS];
};

/* tls_tickets.c */
int tls_on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac, int enc);

#endif
