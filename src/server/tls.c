/* tls.c - see tls.h */
#include "server/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>
#include <unistd.h>

#define PEM_MAX (1 << 20)

static int fail(struct rs_err *err, const char *what)
{
	char detail[160];

	ERR_error_string_n(ERR_peek_last_error(), detail, sizeof(detail));
	ERR_clear_error();
	return rs_err_set(err, RS_ECONFIG, "[tls] %s: %s", what, detail);
}

/* The whole file in memory, from its start whatever was read of it before. */
static BIO *bio_of(int fd)
{
	BIO *mem = BIO_new(BIO_s_mem());
	char buf[4096];
	off_t at = 0;
	ssize_t n;

	while (mem && at < PEM_MAX && (n = pread(fd, buf, sizeof(buf), at)) > 0) {
		(void)BIO_write(mem, buf, (int)n);
		at += n;
	}
	OPENSSL_cleanse(buf, sizeof(buf));
	return mem;
}

static int use_chain(SSL_CTX *ctx, int fd, struct rs_err *err)
{
	BIO *bio = bio_of(fd);
	X509 *leaf = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
	X509 *next;
	int rc = 0;

	if (!leaf || SSL_CTX_use_certificate(ctx, leaf) != 1)
		rc = fail(err, "certificate: not a PEM certificate");
	while (rc == 0 && (next = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		if (SSL_CTX_add0_chain_cert(ctx, next) != 1) {
			X509_free(next);
			rc = fail(err, "certificate: the chain cannot be used");
		}
	}
	ERR_clear_error(); /* the end of the file is an error to PEM_read */
	X509_free(leaf);
	BIO_free(bio);
	return rc;
}

static int use_key(SSL_CTX *ctx, int fd, struct rs_err *err)
{
	BIO *bio = bio_of(fd);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	int rc = 0;

	if (!key || SSL_CTX_use_PrivateKey(ctx, key) != 1)
		rc = fail(err, "key: not a PEM private key, or one with a password");
	else if (SSL_CTX_check_private_key(ctx) != 1)
		rc = fail(err, "key: does not belong to the certificate");
	EVP_PKEY_free(key);
	BIO_free(bio);
	return rc;
}

/* A client that offers protocols gets "pop3" or is refused (RFC 7301 section 3.2). */
static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
	const unsigned char *in, unsigned in_n, void *arg)
{
	static const unsigned char ours[] = "\4pop3";
	unsigned char *picked;

	if (SSL_select_next_proto(&picked, out_n, ours, sizeof(ours) - 1, in, in_n) !=
		OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = picked;
	return SSL_TLSEXT_ERR_OK;
}

int rs_tls_create(int certificate_fd, int key_fd, SSL_CTX **out, struct rs_err *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	int rc;

	if (!ctx)
		return fail(err, "no context");
	(void)SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx,
		SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_alpn_select_cb(ctx, select_alpn, NULL);
	(void)SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"restante", 8);
	rc = use_chain(ctx, certificate_fd, err);
	if (rc == 0)
		rc = use_key(ctx, key_fd, err);
	if (rc < 0)
		SSL_CTX_free(ctx);
	else
		*out = ctx;
	return rc;
}
