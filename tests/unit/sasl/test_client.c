/* The client's side of the mechanisms, against our server's and against the words of others. */
#include "tests/unit/test.h"

#include <glib.h>

#include "base/err.h"
#include "sasl/sasl.h"

#define TEXT(s) rs_slice_str(s)

static struct rs_sasl_client *client(const char *mech, const char *user, const char *secret)
{
	struct rs_sasl_client_cfg cfg = {.mech = mech,
		.user = TEXT(user),
		.secret = TEXT(secret),
		.host = "pop.example.org",
		.port = 995};
	struct rs_sasl_client *c = NULL;

	assert_int_equal(rs_sasl_client_create(&cfg, &c), 0);
	return c;
}

static struct rs_slice step(struct rs_sasl_client *c, const char *challenge)
{
	struct rs_slice out;

	assert_int_equal(
		rs_sasl_client_step(c, challenge ? TEXT(challenge) : rs_slice(NULL, 0), &out), 0);
	return out;
}

static void client__plain_and_external_say_all_at_once(void **state)
{
	struct rs_sasl_client *c = client("PLAIN", "anna", "s p");
	struct rs_slice out = step(c, NULL);

	assert_true(rs_slice_eq(out, rs_slice("\0anna\0s p", 9)));
	assert_true(rs_sasl_client_succeeded(c));
	assert_int_equal(rs_sasl_client_step(c, TEXT("more?"), &out), -RS_EPROTO);
	rs_sasl_client_destroy(&c);
	c = client("EXTERNAL", "", "");
	out = step(c, NULL);
	assert_non_null(out.p);
	assert_int_equal(out.n, 0);
	rs_sasl_client_destroy(&c);
}

static void client__login_waits_for_the_server(void **state)
{
	struct rs_sasl_client *c = client("LOGIN", "anna", "secret");
	struct rs_slice out;

	assert_null(step(c, NULL).p);
	assert_true(rs_slice_eq_str(step(c, "Username:"), "anna"));
	assert_true(rs_slice_eq_str(step(c, "Passwort bitte"), "secret"));
	assert_int_equal(rs_sasl_client_step(c, TEXT("more"), &out), -RS_EPROTO);
	rs_sasl_client_destroy(&c);
}

/* RFC 2195 section 2. */
static void client__cram_md5_of_the_rfc(void **state)
{
	struct rs_sasl_client *c = client("CRAM-MD5", "tim", "tanstaaftanstaaf");
	struct rs_slice out;

	assert_null(step(c, NULL).p);
	assert_true(rs_slice_eq_str(step(c, "<1896.697170952@postoffice.reston.mci.net>"),
		"tim b913a602c7eda7a495b4e6e7334d3890"));
	assert_int_equal(rs_sasl_client_step(c, TEXT("more"), &out), -RS_EPROTO);
	rs_sasl_client_destroy(&c);
}

static void client__oauth_messages(void **state)
{
	struct rs_sasl_client *c = client(
		"XOAUTH2", "someuser@example.com", "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg");
	struct rs_slice out;

	/* the example of Google's page */
	assert_true(rs_slice_eq_str(step(c, NULL),
		"user=someuser@example.com\x01"
		"auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\x01\x01"));
	/* kept back, asked for */
	assert_true(g_str_has_prefix((const char *)step(c, "").p, "user=someuser"));
	out = step(c, "{\"status\":\"401\"}");
	assert_non_null(out.p);
	assert_int_equal(out.n, 0);
	assert_string_equal(rs_sasl_client_error(c), "{\"status\":\"401\"}");
	assert_false(rs_sasl_client_succeeded(c));
	assert_int_equal(rs_sasl_client_step(c, TEXT(""), &out), -RS_EPROTO);
	rs_sasl_client_destroy(&c);

	c = client("OAUTHBEARER", "anna,x@example.org", "abc");
	assert_true(rs_slice_eq_str(step(c, NULL),
		"n,a=anna=2Cx@example.org,\x01host=pop.example.org\x01port=995\x01"
		"auth=Bearer abc\x01\x01"));
	assert_true(rs_slice_eq_str(step(c, "{\"status\":\"invalid_token\"}\x07"), "\x01"));
	assert_string_equal(rs_sasl_client_error(c), "{\"status\":\"invalid_token\"}?");
	rs_sasl_client_destroy(&c);
}

static void client__what_a_mechanism_cannot_carry(void **state)
{
	static const struct {
		const char *mech;
		struct rs_slice user;
		struct rs_slice secret;
		int rc;
	} rows[] = {
		{"PLAIN", {(const uint8_t *)"an\0na", 5}, {(const uint8_t *)"x", 1}, -RS_EINVAL},
		{"PLAIN", {NULL, 0}, {(const uint8_t *)"x", 1}, -RS_EINVAL},
		{"LOGIN", {(const uint8_t *)"anna", 4}, {(const uint8_t *)"\0", 1}, -RS_EINVAL},
		{"SCRAM-SHA-256", {(const uint8_t *)"\xff", 1}, {(const uint8_t *)"x", 1},
			-RS_EINVAL},
		{"SCRAM-SHA-256-PLUS", {(const uint8_t *)"anna", 4}, {(const uint8_t *)"x", 1},
			-RS_ENOENT},
		{"XOAUTH2", {(const uint8_t *)"anna", 4}, {(const uint8_t *)"to ken", 6},
			-RS_EINVAL},
		{"XOAUTH2", {(const uint8_t *)"an\1na", 5}, {(const uint8_t *)"token", 5},
			-RS_EINVAL},
		{"OAUTHBEARER", {(const uint8_t *)"anna", 4}, {(const uint8_t *)"", 0}, -RS_EINVAL},
		{"DIGEST-MD5", {(const uint8_t *)"anna", 4}, {(const uint8_t *)"x", 1}, -RS_ENOENT},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct rs_sasl_client_cfg cfg = {
			.mech = rows[i].mech, .user = rows[i].user, .secret = rows[i].secret};
		struct rs_sasl_client *c = NULL;

		if (rs_sasl_client_create(&cfg, &c) != rows[i].rc)
			fail_msg("row %zu", i);
		assert_null(c);
	}
}

static void client__the_best_mechanism_is_chosen(void **state)
{
	const struct rs_sasl_means password = {.password = true};
	const struct rs_sasl_means tls = {.password = true, .tls = true};
	const struct rs_sasl_means bound = {.password = true, .tls = true, .exporter = true};
	const struct rs_sasl_means token = {.token = true, .tls = true};
	const struct {
		struct rs_sasl_means means;
		const char *offered;
		const char *want;
	} rows[] = {
		{tls, "PLAIN LOGIN", "PLAIN"},
		{tls, "login", "LOGIN"},
		{tls, "CRAM-MD5 PLAIN", "PLAIN"},
		{tls, "PLAIN scram-sha-1 SCRAM-SHA-256 SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"},
		{bound, "PLAIN SCRAM-SHA-1-PLUS SCRAM-SHA-256", "SCRAM-SHA-1-PLUS"},
		{bound, "SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"},
		{password, "PLAIN LOGIN", NULL},
		{password, "PLAIN CRAM-MD5", "CRAM-MD5"},
		{password, "PLAIN CRAM-MD5 SCRAM-SHA-1", "SCRAM-SHA-1"},
		{token, "PLAIN XOAUTH2", "XOAUTH2"},
		{token, "XOAUTH2 OAUTHBEARER", "OAUTHBEARER"},
		{token, "PLAIN", NULL},
		{tls, "XPLAIN PLAINX", NULL},
		{tls, "", NULL},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct rs_sasl_means m = rows[i].means;
		const char *got;

		m.offered = rows[i].offered;
		got = rs_sasl_choose(&m);
		if (g_strcmp0(got, rows[i].want) != 0)
			fail_msg("row %zu: %s", i, got);
	}
}

/* --- OAuth: the server --------------------------------------------------------------------------- */

static enum rs_sasl_step serve(const char *mech, struct rs_slice in, struct rs_sasl_server **s)
{
	struct rs_slice out;

	assert_int_equal(rs_sasl_server_create(mech, NULL, s), 0);
	assert_int_equal(rs_sasl_server_step(*s, rs_slice(NULL, 0), &out), RS_SASL_CHALLENGE);
	assert_int_equal(out.n, 0);
	return rs_sasl_server_step(*s, in, &out);
}

static void server__oauth_messages_are_taken_apart(void **state)
{
	static const struct {
		const char *mech;
		const char *message;
		const char *user; /* NULL: refused */
		const char *token;
	} rows[] = {
		/* RFC 7628 section 4.1 */
		{"OAUTHBEARER",
			"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01"
			"auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01",
			"user@example.com", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="},
		{"OAUTHBEARER",
			"n,,\x01"
			"auth=bearer abc\x01\x01",
			"", "abc"},
		{"OAUTHBEARER",
			"y,a=x=3Dy,\x01"
			"auth=Bearer abc\x01\x01",
			"x=y", "abc"},
		{"OAUTHBEARER",
			"n,,\x01"
			"auth=\x01\x01",
			"", ""}, /* section 4.3: where do I get one? */
		{"OAUTHBEARER", "n,,\x01\x01", "", ""},
		{"OAUTHBEARER",
			"p=tls-exporter,,\x01"
			"auth=Bearer abc\x01\x01",
			NULL, NULL},
		{"OAUTHBEARER",
			"n,,\x01"
			"auth=Basic abc\x01\x01",
			NULL, NULL},
		{"OAUTHBEARER",
			"n,,\x01"
			"auth=Bearer abc\x01",
			NULL, NULL},
		{"OAUTHBEARER",
			"n,,\x01"
			"auth=Bearer abc\x01\x01x",
			NULL, NULL},
		{"OAUTHBEARER",
			"n,,\x01"
			"auth=Bearer a b\x01\x01",
			NULL, NULL},
		{"OAUTHBEARER",
			"n,,\x01"
			"auth=Bearer a\x01"
			"auth=Bearer b\x01\x01",
			NULL, NULL},
		{"OAUTHBEARER", "n,,auth=Bearer abc\x01\x01", NULL, NULL},
		{"OAUTHBEARER",
			"n,a=\xff,\x01"
			"auth=Bearer abc\x01\x01",
			NULL, NULL},
		{"OAUTHBEARER", "\x01", NULL, NULL},
		{"OAUTHBEARER", "", NULL, NULL},
		{"XOAUTH2",
			"user=anna@example.org\x01"
			"auth=Bearer abc\x01\x01",
			"anna@example.org", "abc"},
		{"XOAUTH2", "auth=Bearer abc\x01user=anna\x01\x01", "anna", "abc"},
		{"XOAUTH2",
			"user=\x01"
			"auth=Bearer abc\x01\x01",
			NULL, NULL},
		{"XOAUTH2", "auth=Bearer abc\x01\x01", NULL, NULL},
		{"XOAUTH2",
			"user=anna\x01user=ben\x01"
			"auth=Bearer abc\x01\x01",
			NULL, NULL},
		{"XOAUTH2",
			"user=anna\x01"
			"auth=Bearer =\x01\x01",
			NULL, NULL},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct rs_sasl_server *s = NULL;
		enum rs_sasl_step got = serve(rows[i].mech, TEXT(rows[i].message), &s);

		if (got != (rows[i].user ? RS_SASL_TOKEN : RS_SASL_FAILED))
			fail_msg("row %zu", i);
		if (rows[i].user) {
			assert_true(rs_slice_eq_str(rs_sasl_server_user(s), rows[i].user));
			assert_true(rs_slice_eq_str(rs_sasl_server_secret(s), rows[i].token));
		}
		rs_sasl_server_destroy(&s);
	}
}

static void server__tokens_up_to_the_ceiling(void **state)
{
	for (size_t n = RS_SASL_TOKEN_MAX - 1; n <= RS_SASL_TOKEN_MAX + 1; n++) {
		g_autofree char *token = g_strnfill(n, 'x');
		g_autofree char *message = g_strdup_printf("user=anna\x01"
							   "auth=Bearer %s\x01\x01",
			token);
		struct rs_sasl_server *s = NULL;

		assert_int_equal(serve("XOAUTH2", TEXT(message), &s),
			n <= RS_SASL_TOKEN_MAX ? RS_SASL_TOKEN : RS_SASL_FAILED);
		rs_sasl_server_destroy(&s);
	}
}

static void server__a_refused_token_gets_the_json_and_one_more_line(void **state)
{
	static const struct {
		const char *mech;
		const char *message;
		const char *json;
		const char *answer;
	} rows[] = {
		{"OAUTHBEARER",
			"n,,\x01"
			"auth=Bearer abc\x01\x01",
			"{\"status\":\"invalid_token\",\"scope\":\"mail\",\"openid-configuration\":"
			"\"https://login.example.org/.well-known/openid-configuration\"}",
			"\x01"},
		{"OAUTHBEARER", "n,,\x01\x01",
			"{\"status\":\"invalid_request\",\"scope\":\"mail\",\"openid-"
			"configuration\":"
			"\"https://login.example.org/.well-known/openid-configuration\"}",
			"\x01"},
		{"XOAUTH2",
			"user=anna\x01"
			"auth=Bearer abc\x01\x01",
			"{\"status\":\"401\",\"schemes\":\"bearer\",\"scope\":\"mail\"}", ""},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct rs_sasl_server *s = NULL;
		struct rs_slice out;

		assert_int_equal(serve(rows[i].mech, TEXT(rows[i].message), &s), RS_SASL_TOKEN);
		assert_int_equal(
			rs_sasl_server_refused(s, "mail",
				"https://login.example.org/.well-known/openid-configuration", &out),
			RS_SASL_CHALLENGE);
		assert_true(rs_slice_eq_str(out, rows[i].json));
		assert_int_equal(
			rs_sasl_server_step(s, TEXT(rows[i].answer), &out), RS_SASL_FAILED);
		assert_int_equal(
			rs_sasl_server_step(s, TEXT(rows[i].message), &out), RS_SASL_FAILED);
		rs_sasl_server_destroy(&s);
	}
}

static void server__external_takes_a_name_or_none(void **state)
{
	struct rs_sasl_server *s = NULL;

	assert_int_equal(serve("EXTERNAL", TEXT("anna@example.org"), &s), RS_SASL_IDENTITY);
	assert_true(rs_slice_eq_str(rs_sasl_server_user(s), "anna@example.org"));
	rs_sasl_server_destroy(&s);
	assert_int_equal(serve("EXTERNAL", TEXT(""), &s), RS_SASL_IDENTITY);
	assert_int_equal(rs_sasl_server_user(s).n, 0);
	rs_sasl_server_destroy(&s);
	assert_int_equal(serve("EXTERNAL", rs_slice("a\0b", 3), &s), RS_SASL_FAILED);
	rs_sasl_server_destroy(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(client__plain_and_external_say_all_at_once),
		cmocka_unit_test(client__login_waits_for_the_server),
		cmocka_unit_test(client__cram_md5_of_the_rfc),
		cmocka_unit_test(client__oauth_messages),
		cmocka_unit_test(client__what_a_mechanism_cannot_carry),
		cmocka_unit_test(client__the_best_mechanism_is_chosen),
		cmocka_unit_test(server__oauth_messages_are_taken_apart),
		cmocka_unit_test(server__tokens_up_to_the_ceiling),
		cmocka_unit_test(server__a_refused_token_gets_the_json_and_one_more_line),
		cmocka_unit_test(server__external_takes_a_name_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
