/* SCRAM: the examples of the RFCs, our two sides against each other and against GNU SASL's, and what a
 * liar on either side gets. RFC 5802, 7677, 9266. */
#include "tests/unit/test.h"

#include <glib.h>
#include <gsasl.h>

#include "base/err.h"
#include "sasl/sasl.h"

#define BYTES(s) rs_slice(s, sizeof(s) - 1)
#define TEXT(s)  rs_slice_str(s)

/* --- the examples --------------------------------------------------------------------------- */

struct example {
	const char *mech;
	enum rs_scram_hash hash;
	const char *salt; /* base64 */
	const char *client_nonce;
	const char *server_nonce;
	const char *messages[4];
};

static const struct example examples[] = {
	/* RFC 5802 section 5 */
	{"SCRAM-SHA-1", RS_SCRAM_SHA1, "QSXCR+Q6sek8bf92", "fyko+d2lbbFgONRv9qkxdawL",
		"3rfcNHYJY1ZVvWVs7j",
		{"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
			"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
			"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
			"p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
			"v=rmF9pqV8S7suAoZWja4dJRkFsKQ="}},
	/* RFC 7677 section 3 */
	{"SCRAM-SHA-256", RS_SCRAM_SHA256, "W22ZaJ0SNY7soEsUEjb6gQ==", "rOprNGfwEbeRWgbNEkqO",
		"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
		{"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
			"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
			"s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
			"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
			"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
			"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="}},
};

static void keys(enum rs_scram_hash hash, const char *password, const char *salt_b64,
	struct rs_scram_keys *v)
{
	gsize n;
	g_autofree guchar *salt = g_base64_decode(salt_b64, &n);

	assert_int_equal(rs_scram_keys_make(hash, TEXT(password), rs_slice(salt, n), 4096, v), 0);
}

static void scram__the_examples_of_the_rfcs(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(examples); i++) {
		const struct example *x = &examples[i];
		struct rs_sasl_server_cfg scfg = {.nonce = x->server_nonce};
		struct rs_sasl_client_cfg ccfg = {.mech = x->mech,
			.user = TEXT("user"),
			.secret = TEXT("pencil"),
			.nonce = x->client_nonce};
		struct rs_sasl_server *s = NULL;
		struct rs_sasl_client *c = NULL;
		struct rs_scram_keys v;
		struct rs_slice up;
		struct rs_slice down;

		keys(x->hash, "pencil", x->salt, &v);
		assert_int_equal(rs_sasl_server_create(x->mech, &scfg, &s), 0);
		assert_int_equal(rs_sasl_client_create(&ccfg, &c), 0);
		assert_int_equal(rs_sasl_client_step(c, rs_slice(NULL, 0), &up), 0);
		assert_true(rs_slice_eq_str(up, x->messages[0]));
		assert_int_equal(rs_sasl_server_step(s, up, &down), RS_SASL_KEYS);
		assert_true(rs_slice_eq_str(rs_sasl_server_user(s), "user"));
		assert_int_equal(rs_sasl_server_hash(s), x->hash);
		assert_int_equal(rs_sasl_server_keys(s, &v, true, &down), RS_SASL_CHALLENGE);
		assert_true(rs_slice_eq_str(down, x->messages[1]));
		assert_int_equal(rs_sasl_client_step(c, down, &up), 0);
		assert_true(rs_slice_eq_str(up, x->messages[2]));
		assert_false(rs_sasl_client_succeeded(c));
		assert_int_equal(rs_sasl_server_step(s, up, &down), RS_SASL_CHALLENGE);
		assert_true(rs_slice_eq_str(down, x->messages[3]));
		assert_int_equal(rs_sasl_client_step(c, down, &up), 0);
		assert_int_equal(up.n, 0);
		assert_true(rs_sasl_client_succeeded(c));
		assert_int_equal(rs_sasl_server_step(s, up, &down), RS_SASL_PROVEN);
		rs_sasl_server_destroy(&s);
		rs_sasl_client_destroy(&c);
	}
}

/* --- one side against the other -------------------------------------------------------------- */

struct run {
	const char *mech;
	const char *user;
	const char *client_password;
	const char *server_password; /* NULL: there is no such user */
	struct rs_sasl_binding client;
	struct rs_sasl_binding server;
	bool client_sees_plus;
	bool server_offers_plus;
};

/* Does the server end with PROVEN and the client believe it? */
static bool goes(const struct run *r)
{
	struct rs_sasl_server_cfg scfg = {
		.binding = r->server, .plus_offered = r->server_offers_plus};
	struct rs_sasl_client_cfg ccfg = {.mech = r->mech,
		.user = TEXT(r->user),
		.secret = TEXT(r->client_password),
		.binding = r->client,
		.plus_offered = r->client_sees_plus};
	struct rs_sasl_server *s = NULL;
	struct rs_sasl_client *c = NULL;
	struct rs_slice up = rs_slice(NULL, 0);
	struct rs_slice down = rs_slice(NULL, 0);
	enum rs_sasl_step step = RS_SASL_CHALLENGE;
	bool believed;

	assert_int_equal(rs_sasl_server_create(r->mech, &scfg, &s), 0);
	assert_int_equal(rs_sasl_client_create(&ccfg, &c), 0);
	while (step == RS_SASL_CHALLENGE && rs_sasl_client_step(c, down, &up) == 0) {
		step = rs_sasl_server_step(s, up, &down);
		if (step == RS_SASL_KEYS) {
			struct rs_scram_keys v;

			assert_true(rs_slice_eq_str(rs_sasl_server_user(s), r->user));
			keys(rs_sasl_server_hash(s), r->server_password ? r->server_password : "x",
				"QSXCR+Q6sek8bf92", &v);
			step = rs_sasl_server_keys(s, &v, r->server_password, &down);
		}
	}
	believed = rs_sasl_client_succeeded(c);
	assert_int_equal(step == RS_SASL_PROVEN, believed);
	if (!believed)
		assert_true(*rs_sasl_client_error(c));
	rs_sasl_server_destroy(&s);
	rs_sasl_client_destroy(&c);
	return believed;
}

#define EXPORTER  .exporter = {(const uint8_t *)"0123456789abcdef0123456789abcdef", 32}
#define END_POINT .end_point = {(const uint8_t *)"endpointendpointendpointendpoint", 32}
#define OTHER     .exporter = {(const uint8_t *)"another one, of somebody between", 32}

static void scram__who_gets_in(void **state)
{
	static const struct {
		struct run run;
		bool in;
	} rows[] = {
		{{"SCRAM-SHA-256", "anna", "secret", "secret"}, true},
		{{"SCRAM-SHA-1", "anna@example.org", "secret", "secret"}, true},
		{{"SCRAM-SHA-256", "a,b=c", "p,=w", "p,=w"}, true},
		{{"SCRAM-SHA-256", "j\xc3\xb6rg", "gr\xc3\xbc\xc3\x9f dich",
			 "gr\xc3\xbc\xc3\x9f dich"},
			true},
		/* SASLprep: a soft hyphen is nothing, a no-break space is a space */
		{{"SCRAM-SHA-256", "anna", "I\xc2\xadX", "IX"}, true},
		{{"SCRAM-SHA-256", "anna", "wrong", "secret"}, false},
		{{"SCRAM-SHA-256", "anna", "secret", NULL}, false},
		/* bindings */
		{{"SCRAM-SHA-256-PLUS", "anna", "s", "s", {EXPORTER}, {EXPORTER}, true, true},
			true},
		{{"SCRAM-SHA-1-PLUS", "anna", "s", "s", {END_POINT}, {EXPORTER, END_POINT}, true,
			 true},
			true},
		{{"SCRAM-SHA-256-PLUS", "anna", "s", "s", {OTHER}, {EXPORTER, END_POINT}, true,
			 true},
			false},
		{{"SCRAM-SHA-256-PLUS", "anna", "s", "s", {EXPORTER}, {END_POINT}, true, true},
			false},
		{{"SCRAM-SHA-256-PLUS", "anna", "s", "s", {EXPORTER}, {.exporter = {NULL, 0}}, true,
			 true},
			false},
		/* a client that could bind but does not, and one that was shown no -PLUS */
		{{"SCRAM-SHA-256", "anna", "s", "s", {EXPORTER}, {EXPORTER}, true, true}, true},
		{{"SCRAM-SHA-256", "anna", "s", "s", {EXPORTER}, {EXPORTER}, false, true}, false},
		{{"SCRAM-SHA-256", "anna", "s", "s", {EXPORTER}, {EXPORTER}, false, false}, true},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		if (goes(&rows[i].run) != rows[i].in)
			fail_msg("row %zu", i);
	}
}

/* --- against GNU SASL -------------------------------------------------------------------------- */

static char *gnu_password = NULL;

static int gnu_callback(Gsasl *ctx, Gsasl_session *session, Gsasl_property prop)
{
	static const char exporter[] = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

	if (prop == GSASL_AUTHID)
		return gsasl_property_set(session, prop, "anna");
	if (prop == GSASL_PASSWORD)
		return gsasl_property_set(session, prop, gnu_password);
	if (prop == GSASL_CB_TLS_EXPORTER &&
		g_str_has_suffix(gsasl_mechanism_name(session), "-PLUS"))
		return gsasl_property_set(session, prop, exporter);
	return GSASL_NO_CALLBACK;
}

static const char *const all[] = {
	"SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"};

/* True: both ends are content. */
static bool our_server_their_client(Gsasl *ctx, const char *mech)
{
	struct rs_sasl_server_cfg cfg = {.binding = {EXPORTER}, .plus_offered = true};
	Gsasl_session *their = NULL;
	struct rs_sasl_server *our = NULL;
	struct rs_slice down = rs_slice(NULL, 0);
	enum rs_sasl_step step = RS_SASL_CHALLENGE;
	int rc = GSASL_NEEDS_MORE;

	assert_int_equal(gsasl_client_start(ctx, mech, &their), GSASL_OK);
	assert_int_equal(rs_sasl_server_create(mech, &cfg, &our), 0);
	while (step == RS_SASL_CHALLENGE) {
		char *text = NULL;
		size_t n = 0;

		rc = gsasl_step(their, (const char *)down.p, down.n, &text, &n);
		if (rc != GSASL_OK && rc != GSASL_NEEDS_MORE)
			break;
		step = rs_sasl_server_step(our, rs_slice(text ? text : "", n), &down);
		if (step == RS_SASL_KEYS) {
			struct rs_scram_keys v;

			keys(rs_sasl_server_hash(our), "secret", "QSXCR+Q6sek8bf92", &v);
			step = rs_sasl_server_keys(our, &v, true, &down);
		}
		gsasl_free(text);
	}
	gsasl_finish(their);
	rs_sasl_server_destroy(&our);
	return rc == GSASL_OK && step == RS_SASL_PROVEN;
}

static bool their_server_our_client(Gsasl *ctx, const char *mech)
{
	struct rs_sasl_client_cfg cfg = {.mech = mech,
		.user = TEXT("anna"),
		.secret = TEXT("secret"),
		.plus_offered = true,
		.binding = {EXPORTER}};
	Gsasl_session *their = NULL;
	struct rs_sasl_client *our = NULL;
	struct rs_slice up;
	char *text = NULL;
	size_t n = 0;
	int rc = GSASL_NEEDS_MORE;

	assert_int_equal(gsasl_server_start(ctx, mech, &their), GSASL_OK);
	assert_int_equal(rs_sasl_client_create(&cfg, &our), 0);
	while (rc == GSASL_NEEDS_MORE && rs_sasl_client_step(our, rs_slice(text, n), &up) == 0) {
		gsasl_free(text);
		text = NULL;
		rc = gsasl_step(their, (const char *)up.p, up.n, &text, &n);
	}
	if (rc == GSASL_OK) /* the server's last word comes with the success */
		assert_int_equal(rs_sasl_client_step(our, rs_slice(text, n), &up), 0);
	gsasl_free(text);
	gsasl_finish(their);
	rc = rc == GSASL_OK && rs_sasl_client_succeeded(our);
	rs_sasl_client_destroy(&our);
	return rc;
}

static void scram__gnu_sasl_understands_us(void **state)
{
	Gsasl *ctx;

	assert_int_equal(gsasl_init(&ctx), GSASL_OK);
	gsasl_callback_set(ctx, gnu_callback);
	for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
		gnu_password = "secret";
		if (!our_server_their_client(ctx, all[i]) || !their_server_our_client(ctx, all[i]))
			fail_msg("%s", all[i]);
		gnu_password = "wrong";
		assert_false(our_server_their_client(ctx, all[i]));
		assert_false(their_server_our_client(ctx, all[i]));
	}
	gsasl_done(ctx);
}

/* --- what is not SCRAM -------------------------------------------------------------------------- */

static void scram__what_a_client_may_not_send_first(void **state)
{
	static const char *const rows[] = {"", "n", "n,", "n,,", "n,,n=anna",
		"n,,n=anna,r=", "n,,n=,r=abc", "n,,r=abc,n=anna", "n,,n=anna,r=a b",
		"n,,m=x,n=anna,r=abc", "n,,n=an=na,r=abc", "n,,n=an=2cna,r=abc",
		"n,a=ben,n=anna,r=abc", "n,a=,n=anna,r=abc", "x,,n=anna,r=abc",
		"p=tls-exporter,,n=anna,r=abc", "p=,,n=anna,r=abc", "y,n=anna,r=abc",
		"n,,n=\xff,r=abc", ",,n=anna,r=abc", "nn,,n=anna,r=abc"};
	struct rs_slice out;

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct rs_sasl_server *s = NULL;

		assert_int_equal(rs_sasl_server_create("SCRAM-SHA-256", NULL, &s), 0);
		if (rs_sasl_server_step(s, TEXT(rows[i]), &out) != RS_SASL_FAILED)
			fail_msg("%s", rows[i]);
		assert_int_equal(
			rs_sasl_server_step(s, TEXT("n,,n=anna,r=abc"), &out), RS_SASL_FAILED);
		rs_sasl_server_destroy(&s);
	}
}

/* The final message of the example, changed in one place, is never good. */
static void scram__no_octet_of_the_proof_may_change(void **state)
{
	const struct example *x = &examples[1];
	const char *final = x->messages[2];
	struct rs_sasl_server_cfg cfg = {.nonce = x->server_nonce};
	struct rs_scram_keys v;
	struct rs_slice out;

	keys(x->hash, "pencil", x->salt, &v);
	for (size_t i = 0; i <= strlen(final); i++) {
		g_autofree char *text = g_strdup(final);
		struct rs_sasl_server *s = NULL;

		if (text[i])
			text[i] ^= 1;
		assert_int_equal(rs_sasl_server_create(x->mech, &cfg, &s), 0);
		assert_int_equal(rs_sasl_server_step(s, TEXT(x->messages[0]), &out), RS_SASL_KEYS);
		assert_int_equal(rs_sasl_server_keys(s, &v, true, &out), RS_SASL_CHALLENGE);
		assert_int_equal(rs_sasl_server_step(s, TEXT(text), &out),
			i == strlen(final) ? RS_SASL_CHALLENGE : RS_SASL_FAILED);
		if (i == strlen(final)) /* and behind the server's word comes nothing */
			assert_int_equal(rs_sasl_server_step(s, TEXT("x"), &out), RS_SASL_FAILED);
		rs_sasl_server_destroy(&s);
	}
}

static void scram__a_server_that_is_another_is_found_out(void **state)
{
	static const char *const first[] = {"", "r=other,s=QSXCR+Q6sek8bf92,i=4096",
		"r=rOprNGfwEbeRWgbNEkqO,s=QSXCR+Q6sek8bf92,i=4096", /* nothing of its own */
		"r=rOprNGfwEbeRWgbNEkqOx,s=QSXCR+Q6sek8bf92,i=1",
		"r=rOprNGfwEbeRWgbNEkqOx,s=QSXCR+Q6sek8bf92,i=4294967295",
		"r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096", "r=rOprNGfwEbeRWgbNEkqOx,i=4096",
		"m=x,r=rOprNGfwEbeRWgbNEkqOx,s=QSXCR+Q6sek8bf92,i=4096", "e=other-error"};
	static const char *const last[] = {"",
		"v=", "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=", "e=invalid-proof", "x=y"};
	const struct example *x = &examples[1];
	struct rs_sasl_client_cfg cfg = {.mech = x->mech,
		.user = TEXT("user"),
		.secret = TEXT("pencil"),
		.nonce = x->client_nonce};
	struct rs_slice out;

	for (size_t i = 0; i < G_N_ELEMENTS(first) + G_N_ELEMENTS(last); i++) {
		struct rs_sasl_client *c = NULL;
		bool is_first = i < G_N_ELEMENTS(first);

		assert_int_equal(rs_sasl_client_create(&cfg, &c), 0);
		assert_int_equal(rs_sasl_client_step(c, rs_slice(NULL, 0), &out), 0);
		if (is_first && i == 0) /* asks again for the initial response: once */
			assert_int_equal(rs_sasl_client_step(c, TEXT(""), &out), 0);
		if (!is_first)
			assert_int_equal(rs_sasl_client_step(c, TEXT(x->messages[1]), &out), 0);
		assert_int_equal(
			rs_sasl_client_step(
				c, TEXT(is_first ? first[i] : last[i - G_N_ELEMENTS(first)]), &out),
			-RS_EPROTO);
		assert_false(rs_sasl_client_succeeded(c));
		assert_true(*rs_sasl_client_error(c));
		rs_sasl_client_destroy(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scram__the_examples_of_the_rfcs),
		cmocka_unit_test(scram__who_gets_in),
		cmocka_unit_test(scram__gnu_sasl_understands_us),
		cmocka_unit_test(scram__what_a_client_may_not_send_first),
		cmocka_unit_test(scram__no_octet_of_the_proof_may_change),
		cmocka_unit_test(scram__a_server_that_is_another_is_found_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
