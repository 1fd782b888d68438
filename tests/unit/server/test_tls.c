/* TLS without a network: tickets under keys that turn, names in certificates of users, bindings. */
#include "tests/unit/test.h"

#include <glib/gstdio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include "server/tls.h"

/* --- certificates ---------------------------------------------------------------------------- */

struct pair {
	EVP_PKEY *key;
	X509 *x;
};

static void extension(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

/* Signed by `ca`, or by itself. `alt`: subjectAltName, NULL: none. */
static struct pair certificate(
	const char *const *cns, const char *alt, const struct pair *ca, bool is_ca)
{
	struct pair p = {.key = EVP_EC_gen("P-256"), .x = X509_new()};
	X509_NAME *name = X509_get_subject_name(p.x);

	ASN1_INTEGER_set(X509_get_serialNumber(p.x), 1 + (ca != NULL));
	X509_set_version(p.x, 2);
	X509_gmtime_adj(X509_getm_notBefore(p.x), -60);
	X509_gmtime_adj(X509_getm_notAfter(p.x), 3600);
	X509_set_pubkey(p.x, p.key);
	for (; *cns; cns++)
		X509_NAME_add_entry_by_txt(
			name, "CN", MBSTRING_UTF8, (const unsigned char *)*cns, -1, -1, 0);
	X509_set_issuer_name(p.x, ca ? X509_get_subject_name(ca->x) : name);
	if (is_ca)
		extension(p.x, NID_basic_constraints, "critical,CA:TRUE");
	if (alt)
		extension(p.x, NID_subject_alt_name, alt);
	assert_true(X509_sign(p.x, ca ? ca->key : p.key, EVP_sha256()) > 0);
	return p;
}

static void pair_free(struct pair *p)
{
	EVP_PKEY_free(p->key);
	X509_free(p->x);
}

struct ground {
	char *folder;
	struct pair server;
	struct pair ca;
	struct rs_conf *conf;
	struct rs_tls *front[2];
};

static void to_file(const char *folder, const char *name, X509 *x, EVP_PKEY *key)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(
		x ? PEM_write_X509(f, x) : PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL),
		1);
	assert_int_equal(fclose(f), 0);
}

static int begin_with(void **state, const char *client_name)
{
	static const char *const localhost[] = {"localhost", NULL};
	static const char *const ca_name[] = {"users", NULL};
	struct ground *g = g_new0(struct ground, 1);
	g_autofree char *text = NULL;
	uint8_t keys[RS_TLS_KEYS_OCTETS];
	struct rs_err err;
	int fd;

	g->folder = g_dir_make_tmp("rs-tls-XXXXXX", NULL);
	g->server = certificate(localhost, "DNS:localhost", NULL, false);
	g->ca = certificate(ca_name, NULL, NULL, true);
	to_file(g->folder, "crt", g->server.x, NULL);
	to_file(g->folder, "key", NULL, g->server.key);
	to_file(g->folder, "ca", g->ca.x, NULL);
	text = g_strdup_printf("[server]\nhostname = x\nstate-dir = /x\nrun-dir = /x\n[listen]\n"
			       "pop3s = 127.0.0.1:995\n[tls]\ncertificate = %s/crt\nkey = %s/key\n"
			       "client-ca = %s/ca\nclient-name = %s\n[auth]\n"
			       "users = passwd-file:/x\n[store]\npath = /x/%%u\n",
		g->folder, g->folder, g->folder, client_name);
	assert_int_equal(rs_conf_parse("test", rs_slice_str(text), &g->conf, &err), 0);
	fd = rs_tls_pack(g->conf, &err);
	assert_true(fd >= 0);
	assert_true(rs_tls_keys_make(keys));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(rs_tls_create(fd, g->conf, &g->front[i], &err), 0);
		rs_tls_keys_set(g->front[i], keys);
	}
	close(fd);
	*state = g;
	return 0;
}

static int begin(void **state)
{
	return begin_with(state, "email");
}

static int begin_cn(void **state)
{
	return begin_with(state, "cn");
}

static int end(void **state)
{
	static const char *const names[] = {"crt", "key", "ca"};
	struct ground *g = *state;

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = g_build_filename(g->folder, names[i], NULL);

		g_unlink(path);
	}
	g_rmdir(g->folder);
	g_free(g->folder);
	pair_free(&g->server);
	pair_free(&g->ca);
	rs_tls_destroy(&g->front[0]);
	rs_tls_destroy(&g->front[1]);
	rs_conf_destroy(&g->conf);
	g_free(g);
	return 0;
}

/* --- two ends -------------------------------------------------------------------------------- */

struct ends {
	SSL *client;
	SSL *server;
	SSL_SESSION *ticket; /* the client's for the next time */
};

static SSL_SESSION *got; /* the last ticket of TLS 1.3 */

static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
	SSL_SESSION_free(got);
	got = session;
	return 1;
}

static SSL_CTX *client_context(int version, const struct pair *own)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	SSL_CTX_set_min_proto_version(ctx, version);
	SSL_CTX_set_max_proto_version(ctx, version);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_ticket);
	if (own) {
		SSL_CTX_use_certificate(ctx, own->x);
		SSL_CTX_use_PrivateKey(ctx, own->key);
	}
	return ctx;
}

/* Shake hands to the end, tickets too. */
static struct ends shake(struct rs_tls *t, SSL_CTX *ctx, SSL_SESSION *ticket)
{
	struct ends e = {.client = SSL_new(ctx), .server = rs_tls_new(t, "pop3")};
	BIO *up = BIO_new(BIO_s_mem());
	BIO *down = BIO_new(BIO_s_mem());
	char octet;

	BIO_up_ref(up);
	BIO_up_ref(down);
	SSL_set_bio(e.client, down, up);
	SSL_set_bio(e.server, up, down);
	SSL_set_connect_state(e.client);
	if (ticket)
		assert_int_equal(SSL_set_session(e.client, ticket), 1);
	for (int i = 0; i < 8; i++) {
		(void)SSL_do_handshake(e.client);
		(void)SSL_do_handshake(e.server);
	}
	assert_true(SSL_is_init_finished(e.client) && SSL_is_init_finished(e.server));
	assert_int_equal(SSL_write(e.server, "+", 1), 1);
	assert_int_equal(SSL_read(e.client, &octet, 1), 1);
	e.ticket = got;
	got = NULL;
	return e;
}

static void ends_free(struct ends *e)
{
	SSL_shutdown(e->client);
	SSL_free(e->client);
	SSL_free(e->server);
	SSL_SESSION_free(e->ticket);
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void tls__tickets_outlive_one_turn_of_the_keys_and_no_more(void **state)
{
	struct ground *g = *state;

	for (size_t v = 0; v < G_N_ELEMENTS(versions); v++) {
		SSL_CTX *ctx = client_context(versions[v], NULL);

		for (int turns = 0; turns <= 2; turns++) {
			uint8_t keys[RS_TLS_KEYS_OCTETS];
			struct ends first;
			struct ends next;

			assert_true(rs_tls_keys_make(keys));
			rs_tls_keys_set(g->front[0], keys);
			first = shake(g->front[0], ctx, NULL);
			assert_false(SSL_session_reused(first.server));
			assert_non_null(first.ticket);
			for (int i = 0; i < turns; i++)
				assert_true(rs_tls_keys_turn(keys));
			rs_tls_keys_set(g->front[1], keys);
			next = shake(g->front[1], ctx, first.ticket);
			assert_int_equal(SSL_session_reused(next.server), turns < 2);
			ends_free(&next);
			ends_free(&first);
		}
		SSL_CTX_free(ctx);
	}
}

/* The front that has heard of the turn gives a ticket; one that has not heard takes it. */
static void tls__a_front_that_lags_behind_takes_new_tickets(void **state)
{
	struct ground *g = *state;
	uint8_t keys[RS_TLS_KEYS_OCTETS];
	SSL_CTX *ctx = client_context(TLS1_3_VERSION, NULL);
	struct ends first;
	struct ends next;

	assert_true(rs_tls_keys_make(keys));
	rs_tls_keys_set(g->front[1], keys);
	assert_true(rs_tls_keys_turn(keys));
	rs_tls_keys_set(g->front[0], keys);
	first = shake(g->front[0], ctx, NULL);
	next = shake(g->front[1], ctx, first.ticket);
	assert_true(SSL_session_reused(next.server));
	ends_free(&next);
	ends_free(&first);
	SSL_CTX_free(ctx);
}

static char *names_of(
	struct ground *g, const struct pair *own, enum rs_client_name how, SSL_SESSION **ticket)
{
	SSL_CTX *ctx = client_context(TLS1_3_VERSION, own);
	struct ends e = shake(g->front[0], ctx, ticket ? *ticket : NULL);
	char *names = rs_tls_peer_names(e.server, how);

	if (ticket && !*ticket) {
		*ticket = e.ticket;
		e.ticket = NULL;
	}
	ends_free(&e);
	SSL_CTX_free(ctx);
	return names;
}

static void tls__names_come_from_certificates_that_verify_only(void **state)
{
	static const char *const cn[] = {"anna@example.org", NULL};
	static const char *const two[] = {"anna@example.org", "ben@example.org", NULL};
	struct ground *g = *state;
	struct pair good = certificate(
		cn, "email:anna@example.org,DNS:x.example,email:a@example.net", &g->ca, false);
	struct pair bare = certificate(cn, NULL, &g->ca, false);
	struct pair double_cn = certificate(two, NULL, &g->ca, false);
	struct pair own = certificate(cn, "email:anna@example.org", NULL, false);
	struct pair liar_ca = certificate((const char *const[]){"users", NULL}, NULL, NULL, true);
	struct pair lie = certificate(cn, "email:anna@example.org", &liar_ca, false);
	SSL_SESSION *ticket = NULL;
	g_autofree char *emails = names_of(g, &good, RS_CLIENT_NAME_EMAIL, &ticket);
	g_autofree char *again = names_of(g, &good, RS_CLIENT_NAME_EMAIL, &ticket);
	g_autofree char *cns = names_of(g, &good, RS_CLIENT_NAME_CN, NULL);

	assert_string_equal(emails, "anna@example.org\na@example.net");
	assert_string_equal(again, emails); /* resumed */
	assert_string_equal(cns, "anna@example.org");
	assert_null(names_of(g, &bare, RS_CLIENT_NAME_EMAIL, NULL));
	assert_null(names_of(g, &double_cn, RS_CLIENT_NAME_CN, NULL));
	assert_null(names_of(g, &own, RS_CLIENT_NAME_EMAIL, NULL));
	assert_null(names_of(g, &lie, RS_CLIENT_NAME_EMAIL, NULL));
	assert_null(names_of(g, NULL, RS_CLIENT_NAME_EMAIL, NULL));
	SSL_SESSION_free(ticket);
	pair_free(&good);
	pair_free(&bare);
	pair_free(&double_cn);
	pair_free(&own);
	pair_free(&liar_ca);
	pair_free(&lie);
}

static void tls__both_ends_have_the_same_bindings(void **state)
{
	struct ground *g = *state;
	uint8_t ours[RS_TLS_BINDING_MAX];
	uint8_t theirs[RS_TLS_BINDING_MAX];
	unsigned n = 0;

	for (size_t v = 0; v < G_N_ELEMENTS(versions); v++) {
		SSL_CTX *ctx = client_context(versions[v], NULL);
		struct ends e = shake(g->front[0], ctx, NULL);

		if (versions[v] == TLS1_3_VERSION) {
			assert_int_equal(rs_tls_exporter(e.server, ours), 32);
			assert_int_equal(SSL_export_keying_material(e.client, theirs, 32,
						 "EXPORTER-Channel-Binding", 24, NULL, 0, 0),
				1);
			assert_memory_equal(ours, theirs, 32);
		} else {
			assert_int_equal(rs_tls_exporter(e.server, ours), 0);
		}
		assert_int_equal(
			X509_digest(SSL_get0_peer_certificate(e.client), EVP_sha256(), theirs, &n),
			1);
		assert_int_equal(rs_tls_end_point(e.server, ours), 32);
		assert_memory_equal(ours, theirs, 32);
		ends_free(&e);
		SSL_CTX_free(ctx);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			tls__tickets_outlive_one_turn_of_the_keys_and_no_more, begin, end),
		cmocka_unit_test_setup_teardown(
			tls__a_front_that_lags_behind_takes_new_tickets, begin, end),
		cmocka_unit_test_setup_teardown(
			tls__names_come_from_certificates_that_verify_only, begin_cn, end),
		cmocka_unit_test_setup_teardown(tls__both_ends_have_the_same_bindings, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
