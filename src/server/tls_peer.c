/* tls_peer.c - the certificate of a user, channel bindings: see tls.h. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "server/tls.h"

#define NAMES_MAX  8 /* of one certificate */
#define OCTETS_MAX 254

/* A name that is text without a hidden end; what it must be beyond that, auth says. */
static void add_name(GString *to, const ASN1_STRING *text)
{
	int n = ASN1_STRING_length(text);
	const char *p = (const char *)ASN1_STRING_get0_data(text);

	if (n <= 0 || n > OCTETS_MAX || memchr(p, 0, (size_t)n) || memchr(p, '\n', (size_t)n))
		return;
	if (to->len)
		g_string_append_c(to, '\n');
	g_string_append_len(to, p, n);
}

/* subjectAltName, rfc822Name (RFC 5280 section 4.2.1.6). */
static void add_emails(GString *to, const X509 *x)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);

	for (int i = 0, found = 0; i < sk_GENERAL_NAME_num(all) && found < NAMES_MAX; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);

		if (name->type != GEN_EMAIL)
			continue;
		add_name(to, name->d.rfc822Name);
		found++;
	}
	GENERAL_NAMES_free(all);
}

/* The one common name; of two nobody knows which is meant. */
static void add_cn(GString *to, const X509 *x)
{
	const X509_NAME *subject = X509_get_subject_name(x);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	if (at >= 0 && X509_NAME_get_index_by_NID(subject, NID_commonName, at) < 0)
		add_name(to, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

char *rs_tls_peer_names(SSL *ssl, enum rs_client_name how)
{
	const X509 *x = SSL_get0_peer_certificate(ssl);
	GString *names;

	if (!x || SSL_get_verify_result(ssl) != X509_V_OK ||
		!(SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER))
		return NULL;
	names = g_string_new(NULL);
	if (how == RS_CLIENT_NAME_CN)
		add_cn(names, x);
	else
		add_emails(names, x);
	ERR_clear_error();
	return names->len ? g_string_free(names, FALSE) : (g_string_free(names, TRUE), NULL);
}

size_t rs_tls_exporter(SSL *ssl, uint8_t out[RS_TLS_BINDING_MAX])
{
	static const char label[] = "EXPORTER-Channel-Binding";

	/* of TLS 1.2 libraries make different ones: with an empty context (RFC 9266) or with none */
	if (SSL_version(ssl) < TLS1_3_VERSION)
		return 0;
	if (SSL_export_keying_material(
		    ssl, out, 32, label, sizeof(label) - 1, (const unsigned char *)"", 0, 1) != 1) {
		ERR_clear_error();
		return 0;
	}
	return 32;
}

/* The hash that signs our certificate; NULL: its signature names none (EdDSA), so RFC 5929 defines nothing. */
static const EVP_MD *end_point_hash(X509 *x)
{
	int hash;

	if (!x || X509_get_signature_info(x, &hash, NULL, NULL, NULL) != 1) {
		ERR_clear_error();
		return NULL;
	}
	return hash == NID_md5 || hash == NID_sha1 ? EVP_sha256() : EVP_get_digestbynid(hash);
}

bool rs_tls_binds(SSL *ssl)
{
	return SSL_version(ssl) >= TLS1_3_VERSION || end_point_hash(SSL_get_certificate(ssl));
}

size_t rs_tls_end_point(SSL *ssl, uint8_t out[RS_TLS_BINDING_MAX])
{
	X509 *x = SSL_get_certificate(ssl);
	const EVP_MD *md = end_point_hash(x);
	unsigned n = 0;

	if (!md || EVP_MD_get_size(md) > (int)RS_TLS_BINDING_MAX ||
		X509_digest(x, md, out, &n) != 1)
		n = 0;
	ERR_clear_error();
	return n;
}
