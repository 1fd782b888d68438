/* tls.c - see tls.h: contexts, names (SNI), protocols (ALPN), certificates of users. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "server/tls_int.h"

static int fail(struct rs_err *err, const char *section, const char *what)
{
	unsigned long code = ERR_peek_last_error();
	char detail[160];

	ERR_error_string_n(code, detail, sizeof(detail));
	ERR_clear_error();
	return rs_err_set(err, RS_ECONFIG, "[%s] %s%s%s", section, what, code ? ": " : "",
		code ? detail : "");
}

static BIO *bio_of(struct rs_slice octets)
{
	return BIO_new_mem_buf(octets.n ? (const void *)octets.p : "", (int)octets.n);
}

/* --- what is in the files ------------------------------------------------------------------- */

static int use_chain(SSL_CTX *ctx, const char *section, struct rs_slice pem, struct rs_err *err)
{
	BIO *bio = bio_of(pem);
	X509 *leaf = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
	X509 *next;
	int rc = 0;

	if (!leaf || SSL_CTX_use_certificate(ctx, leaf) != 1)
		rc = fail(err, section, "certificate: not a PEM certificate");
	while (rc == 0 && (next = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		if (SSL_CTX_add0_chain_cert(ctx, next) != 1) {
			X509_free(next);
			rc = fail(err, section, "certificate: the chain cannot be used");
		}
	}
	ERR_clear_error(); /* the end of the file is an error to PEM_read */
	X509_free(leaf);
	BIO_free(bio);
	return rc;
}

/* A key with a password cannot be used: nobody is there to type it. */
static int no_password(char *buf, int n, int writing, void *arg)
{
	return -1;
}

static int use_key(SSL_CTX *ctx, const char *section, struct rs_slice pem, struct rs_err *err)
{
	BIO *bio = bio_of(pem);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	int rc = 0;

	if (!key || SSL_CTX_use_PrivateKey(ctx, key) != 1)
		rc = fail(err, section,
			"key: not a PEM private key, or one with a password, or of another "
			"certificate");
	else if (SSL_CTX_check_private_key(ctx) != 1)
		rc = fail(err, section, "key: does not belong to the certificate");
	EVP_PKEY_free(key);
	BIO_free(bio);
	return rc;
}

/* Certificates that sign those of users, and lists of revoked ones, which then must be right. */
static int use_client_ca(SSL_CTX *ctx, struct rs_slice pem, struct rs_err *err)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	BIO *bio = bio_of(pem);
	STACK_OF(X509_INFO) *all = PEM_X509_INFO_read_bio(bio, NULL, NULL, NULL);
	int found = 0;
	int rc = 0;

	BIO_free(bio);
	for (int i = 0; rc == 0 && i < sk_X509_INFO_num(all); i++) {
		const X509_INFO *info = sk_X509_INFO_value(all, i);
		bool ok = true;

		if (info->x509) {
			ok = X509_STORE_add_cert(store, info->x509) == 1 &&
			     SSL_CTX_add_client_CA(ctx, info->x509) == 1;
			found++;
		}
		if (ok && info->crl)
			ok = X509_STORE_add_crl(store, info->crl) == 1 &&
			     X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK) == 1;
		if (!ok)
			rc = fail(err, "tls", "client-ca: cannot be used");
	}
	sk_X509_INFO_pop_free(all, X509_INFO_free);
	if (rc == 0 && found == 0)
		rc = fail(err, "tls", "client-ca: holds no PEM certificate");
	return rc;
}

/* --- what clients ask for ------------------------------------------------------------------- */

/* A client that offers protocols gets ours or is refused (RFC 7301 section 3.2). */
static int on_protocols(SSL *ssl, const unsigned char **out, unsigned char *out_n,
	const unsigned char *in, unsigned in_n, void *arg)
{
	const char *protocol = SSL_get_app_data(ssl);
	size_t n = protocol ? strlen(protocol) : 0;

	if (n == 0)
		return SSL_TLSEXT_ERR_NOACK;
	for (unsigned at = 0; at < in_n && in[at] < in_n - at; at += in[at] + 1u) {
		if (in[at] != n || memcmp(in + at + 1, protocol, n) != 0)
			continue;
		*out = in + at + 1;
		*out_n = in[at];
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static SSL_CTX *find(const struct rs_tls *t, const char *asked)
{
	g_autofree char *name = g_ascii_strdown(asked, -1);
	const char *dot = strchr(name, '.');
	g_autofree char *wild = dot ? g_strconcat("*", dot, NULL) : NULL;
	SSL_CTX *found = g_hash_table_lookup(t->named, name);

	return found || !wild ? found : g_hash_table_lookup(t->named, wild);
}

/* An unknown name gets the certificate of [tls]: the client decides what it makes of it. */
static int on_name(SSL *ssl, int *alert, void *arg)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	SSL_CTX *ctx = name ? find(arg, name) : NULL;

	if (!ctx)
		return SSL_TLSEXT_ERR_NOACK;
	return SSL_set_SSL_CTX(ssl, ctx) ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* A certificate that does not verify ends nothing: its owner can still give a password. Whether
 * it did is asked where it matters (rs_tls_peer_names). */
static int on_verify(int ok, X509_STORE_CTX *store)
{
	return 1;
}

/* --- contexts ------------------------------------------------------------------------------- */

static SSL_CTX *context_new(struct rs_tls *t)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (!ctx)
		return NULL;
	(void)SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx,
		SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_app_data(ctx, t);
	SSL_CTX_set_alpn_select_cb(ctx, on_protocols, NULL);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_name);
	SSL_CTX_set_tlsext_servername_arg(ctx, t);
	/* sessions are in the clients' tickets, none in our memory */
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, tls_on_ticket);
	(void)SSL_CTX_set_timeout(ctx, 2 * RS_TLS_TICKET_S);
	(void)SSL_CTX_set_num_tickets(ctx, 1); /* POP3 clients come one after another */
	return ctx;
}

/* Without this the client would see a certificate for somebody else. */
static int check_names(SSL_CTX *ctx, const struct rs_conf_tls *row, struct rs_err *err)
{
	for (char **name = row->names; *name; name++) {
		bool wild = **name == '*';
		g_autofree char *probe = wild ? g_strconcat("restante", *name + 1, NULL) : NULL;

		if (X509_check_host(
			    SSL_CTX_get0_certificate(ctx), wild ? probe : *name, 0, 0, NULL) != 1)
			return rs_err_set(err, RS_ECONFIG,
				"[tls %s] certificate: %s is not for %s; take the name out, or "
				"have a "
				"certificate made that has it",
				row->names[0], row->certificate, *name);
	}
	return 0;
}

/* `bond` is what a ticket is good for: these certificates, these signers of users. When one of them
 * changes, everybody shakes hands anew, so that no session goes on with what is gone. */
static int fill(SSL_CTX *ctx, const char *section, struct rs_tls_files *f, GChecksum *bond,
	struct rs_err *err)
{
	struct rs_slice chain;
	struct rs_slice key;
	int rc;

	if (!ctx || !rs_tls_files_next(f, &chain) || !rs_tls_files_next(f, &key))
		return fail(err, section, "no context");
	g_checksum_update(bond, chain.p, (gssize)chain.n);
	rc = use_chain(ctx, section, chain, err);
	return rc == 0 ? use_key(ctx, section, key, err) : rc;
}

static int fill_named(struct rs_tls *t, const struct rs_conf *c, struct rs_tls_files *f,
	GChecksum *bond, struct rs_err *err)
{
	int rc = 0;

	for (guint i = 0; rc == 0 && c->tls_names && i < c->tls_names->len; i++) {
		struct rs_conf_tls *row = g_ptr_array_index(c->tls_names, i);
		g_autofree char *section = g_strdup_printf("tls %s", row->names[0]);
		SSL_CTX *ctx = context_new(t);

		rc = fill(ctx, section, f, bond, err);
		if (rc == 0)
			rc = check_names(ctx, row, err);
		for (char **name = row->names; rc == 0 && *name; name++)
			g_hash_table_insert(t->named, g_strdup(*name), ctx);
		if (ctx)
			g_ptr_array_add(t->owned, ctx);
	}
	return rc;
}

static void bind_tickets(struct rs_tls *t, GChecksum *bond)
{
	uint8_t digest[32];
	gsize n = sizeof(digest);

	g_checksum_get_digest(bond, digest, &n);
	(void)SSL_CTX_set_session_id_context(t->main, digest, (unsigned)n);
	for (guint i = 0; i < t->owned->len; i++)
		(void)SSL_CTX_set_session_id_context(
			g_ptr_array_index(t->owned, i), digest, (unsigned)n);
}

static int fill_all(
	struct rs_tls *t, const struct rs_conf *c, struct rs_tls_files *f, struct rs_err *err)
{
	g_autoptr(GChecksum) bond = g_checksum_new(G_CHECKSUM_SHA256);
	struct rs_slice ca;
	int rc = fill(t->main, "tls", f, bond, err);

	if (rc == 0)
		rc = fill_named(t, c, f, bond, err);
	if (rc == 0 && c->client_ca) {
		if (!rs_tls_files_next(f, &ca))
			return fail(err, "tls", "client-ca: is not there");
		g_checksum_update(bond, (const guchar *)"users", 5);
		g_checksum_update(bond, ca.p, (gssize)ca.n);
		rc = use_client_ca(t->main, ca, err);
		SSL_CTX_set_verify(t->main, SSL_VERIFY_PEER, on_verify);
	}
	if (rc == 0)
		bind_tickets(t, bond);
	return rc;
}

int rs_tls_create(int fd, const struct rs_conf *c, struct rs_tls **out, struct rs_err *err)
{
	struct rs_tls *t = g_new0(struct rs_tls, 1);
	struct rs_tls_files files = {.octets = NULL};
	int rc = 0;

	t->named = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	t->owned = g_ptr_array_new_with_free_func((GDestroyNotify)SSL_CTX_free);
	t->ticket_cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	t->main = context_new(t);
	if (!t->main || !t->ticket_cipher || !rs_tls_keys_make(t->keys))
		rc = fail(err, "tls", "no context");
	if (rc == 0 && rs_tls_files_open(fd, &files) < 0)
		rc = rs_err_set(err, RS_EIO, "[tls] the memory file cannot be read");
	if (rc == 0)
		rc = fill_all(t, c, &files, err);
	rs_tls_files_close(&files);
	if (rc < 0)
		rs_tls_destroy(&t);
	else
		*out = t;
	return rc;
}

void rs_tls_destroy(struct rs_tls **tp)
{
	struct rs_tls *t = *tp;

	if (!t)
		return;
	g_hash_table_unref(t->named);
	g_ptr_array_unref(t->owned);
	SSL_CTX_free(t->main);
	EVP_CIPHER_free(t->ticket_cipher);
	rs_wipe(t->keys, sizeof(t->keys));
	g_free(t);
	*tp = NULL;
}

int rs_tls_check(const struct rs_conf *c, struct rs_err *err)
{
	struct rs_tls *t = NULL;
	int fd;
	int rc;

	if (!c->certificate || !c->key)
		return 0;
	fd = rs_tls_pack(c, err);
	if (fd < 0)
		return fd;
	rc = rs_tls_create(fd, c, &t, err);
	close(fd);
	rs_tls_destroy(&t);
	return rc;
}

SSL *rs_tls_new(struct rs_tls *t, const char *protocol)
{
	SSL *ssl = SSL_new(t->main);

	if (ssl) {
		SSL_set_accept_state(ssl);
		SSL_set_app_data(ssl, (char *)(uintptr_t)protocol);
	}
	return ssl;
}
