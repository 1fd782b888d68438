/* OAuth 2 of the mail program: what an issuer and a browser say, as text. With real ones: tests/it/it_oauth_login.py. */
#include "tests/unit/test.h"

#include "client/oauth_priv.h"

static void oauth__only_our_state_comes_in(void **state)
{
	static const struct {
		const char *line;
		int want;
		const char *code;
	} rows[] = {
		{"GET /?code=abc&state=S1 HTTP/1.1\r\n", 1, "abc"},
		{"GET /?state=S1&code=a%2Fb%20c HTTP/1.1\r\n", 1, "a/b c"},
		{"GET /?error=access_denied&state=S1 HTTP/1.1\r\n", -RS_EAUTH, "access_denied"},
		{"GET /?state=S1 HTTP/1.1\r\n", -RS_EAUTH, ""},
		{"GET /?code=abc&state=S2 HTTP/1.1\r\n", 0, NULL},
		{"GET /?code=abc&state=S1x HTTP/1.1\r\n", 0, NULL},
		{"GET /?code=abc&state= HTTP/1.1\r\n", 0, NULL},
		{"GET /?code=abc HTTP/1.1\r\n", 0, NULL},
		{"GET / HTTP/1.1\r\n", 0, NULL},
		{"GET /x?code=abc&state=S1 HTTP/1.1\r\n", 0, NULL},
		{"POST /?code=abc&state=S1 HTTP/1.1\r\n", 0, NULL},
		{"", 0, NULL},
	};

	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		g_autofree char *code = NULL;

		print_message("# %s\n", rows[i].line);
		assert_int_equal(oauth_loop_parse(rows[i].line, "S1", &code), rows[i].want);
		if (rows[i].code)
			assert_string_equal(code, rows[i].code);
	}
}

static void oauth__addresses_are_https(void **state)
{
	assert_true(oauth_url_ok("https://login.example.org/a?b=c"));
	assert_true(oauth_url_ok("http://127.0.0.1:80/"));
	assert_true(oauth_url_ok("http://localhost/"));
	assert_false(oauth_url_ok("http://login.example.org/"));
	assert_false(oauth_url_ok("http://localhost@login.example.org/"));
	assert_false(oauth_url_ok("https://a:b@login.example.org/"));
	assert_false(oauth_url_ok("https://login.example.org/#x"));
	assert_false(oauth_url_ok("file:///etc/passwd"));
	assert_false(oauth_url_ok("login.example.org"));
	assert_false(oauth_url_ok(NULL));
}

static void oauth__an_issuer_speaks_for_itself(void **state)
{
#define ENDS "\"authorization_endpoint\":\"https://x/a\",\"token_endpoint\":\"https://x/t\""
	static const struct {
		const char *json;
		int want;
	} rows[] = {
		{"{\"issuer\":\"https://x/i\"," ENDS "}", 0},
		{"{\"issuer\":\"https://x/i/\"," ENDS "}", 0},
		{"{\"issuer\":\"https://x\"," ENDS "}", -RS_EPROTO},
		{"{\"issuer\":\"https://x/i2\"," ENDS "}", -RS_EPROTO},
		{"{" ENDS "}", -RS_EPROTO},
		{"{\"issuer\":\"https://x/i\",\"token_endpoint\":\"https://x/t\"}", -RS_EPROTO},
		{"{\"issuer\":\"https://x/i\",\"authorization_endpoint\":\"http://x/"
		 "a\",\"token_endpoint\":"
		 "\"https://x/t\"}",
			-RS_EPROTO},
		{"[]", -RS_EPROTO},
		{"{\"issuer\":[\"https://x/i\"]," ENDS "}", -RS_EPROTO},
	};

	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		struct oauth_server s = {.issuer = NULL};
		struct rs_err err;

		print_message("# %s\n", rows[i].json);
		assert_int_equal(
			oauth_metadata_read("https://x/i", rows[i].json, &s, &err), rows[i].want);
		oauth_server_finish(&s);
	}
}

static void oauth__tokens_and_errors(void **state)
{
	struct oauth_tokens t = {.access = NULL};
	char *error = NULL;

	assert_int_equal(
		oauth_tokens_read(
			"{\"access_token\":\"a\",\"expires_in\":\"60\",\"refresh_token\":\"r\"}",
			1000, &t, &error),
		0);
	assert_string_equal(t.access, "a");
	assert_string_equal(t.refresh, "r");
	assert_int_equal(t.expires_s, 1060);
	oauth_tokens_finish(&t);
	assert_int_equal(
		oauth_tokens_read("{\"access_token\":\"a\\u0001b\"}", 0, &t, &error), -RS_EPROTO);
	assert_int_equal(oauth_tokens_read("{\"access_token\":5}", 0, &t, &error), -RS_EPROTO);
	assert_int_equal(oauth_tokens_read("<html>", 0, &t, &error), -RS_EPROTO);
	assert_int_equal(
		oauth_tokens_read("{\"error\":\"invalid_grant\"}", 0, &t, &error), -RS_EAUTH);
	assert_string_equal(error, "invalid_grant");
	g_free(error);
}

static void oauth__who_is_asked(void **state)
{
	static const struct {
		const char *address;
		const char *host;
		const char *want;
	} rows[] = {
		{"anna@gmail.com", NULL, "google"},
		{"anna@example.org", "outlook.office365.com", "microsoft"},
		{"anna@notgmail.com", NULL, "https://notgmail.com"},
		{"anna@example.org", "pop.example.org", "https://example.org"},
		{"anna@example.org", "pop.aol.com", "aol"},
	};

	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		struct rs_account *a = rs_account_new();
		g_autofree char *got = NULL;

		a->address = g_strdup(rows[i].address);
		a->pop3_host = g_strdup(rows[i].host);
		got = rs_oauth_issuer_guess(a);
		assert_string_equal(got, rows[i].want);
		rs_account_free(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(oauth__only_our_state_comes_in),
		cmocka_unit_test(oauth__addresses_are_https),
		cmocka_unit_test(oauth__an_issuer_speaks_for_itself),
		cmocka_unit_test(oauth__tokens_and_errors),
		cmocka_unit_test(oauth__who_is_asked),
	};

	return cmocka_run_group_tests_name("oauth", tests, NULL, NULL);
}
