/* The relay of [submission]: what may be written, and that its password stays with the role that needs it; whose a
 * sender is. */
#include "tests/unit/test.h"

#include <glib.h>

#include "server/auth_int.h"
#include "server/conf.h"

static char *text_with(const char *submission)
{
	return g_strdup_printf("[server]\nhostname = h.example.org\nstate-dir = /s\nrun-dir = "
			       "/r\n[listen]\nlmtp = unix:/l\n"
			       "[auth]\nusers = passwd-file:/u\n[store]\ntype = maildir\npath = "
			       "/m/%%u\n[submission]\n%s\n",
		submission);
}

static struct rs_conf *parsed(const char *submission)
{
	g_autofree char *text = text_with(submission);
	struct rs_conf *c = NULL;
	struct rs_err err;

	return rs_conf_parse("test", rs_slice_str(text), &c, &err) == 0 ? c : NULL;
}

static void relay__forms_that_may_be_written(void **state)
{
	static const struct {
		const char *url;
		const char *host;
		guint port;
		bool tls;
		const char *user;
		const char *password;
	} rows[] = {
		{"smtp://h", "h", 25, false, NULL, NULL},
		{"smtp://u:p@h", "h", 587, false, "u", "p"},
		{"smtps://h", "h", 465, true, NULL, NULL},
		{"smtps://u%40x:p%3A%2f@[::1]:2525", "::1", 2525, true, "u@x", "p:/"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *line = g_strdup_printf("relay = %s", rows[i].url);
		struct rs_conf *c = parsed(line);

		assert_non_null(c);
		assert_string_equal(c->relay.host, rows[i].host);
		assert_int_equal(c->relay.port, rows[i].port);
		assert_int_equal(c->relay.tls, rows[i].tls);
		assert_int_equal(g_strcmp0(c->relay.user, rows[i].user), 0);
		assert_int_equal(g_strcmp0(c->relay.password, rows[i].password), 0);
		rs_conf_destroy(&c);
	}
}

static void relay__forms_that_may_not(void **state)
{
	static const char *const rows[] = {"relay = http://h", "relay = h:25", "relay = smtp://",
		"relay = smtp://h/x", "relay = smtp://h?x", "relay = smtp://u@h",
		"relay = smtp://u:p%0Ax@h", "relay = smtp://h:0", "relay = smtp://h:65536",
		"relay = smtp://u:p@h\nrelay-tls = opportunistic",
		"relay = smtps://h\nrelay-tls = none"};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		assert_null(parsed(rows[i]));
}

static void relay__password_is_hidden_from_other_roles(void **state)
{
	static const char line[] = "relay = smtps://us:sec:ret%40@h.example.net:465";
	g_autofree char *text = text_with(line);
	g_autofree char *hidden = g_strdup(text);
	struct rs_conf *c = parsed(line);
	struct rs_conf *again = NULL;
	struct rs_err err;

	assert_non_null(c);
	rs_conf_hide_secrets(c, hidden, strlen(hidden));
	assert_int_equal(strlen(hidden), strlen(text));
	assert_null(strstr(hidden, "sec:ret"));
	assert_non_null(strstr(hidden, "smtps://us:xxxxxxxxxx@h.example.net:465"));
	assert_int_equal(rs_conf_parse("test", rs_slice_str(hidden), &again, &err), 0);
	assert_string_equal(again->relay.host, "h.example.net");
	rs_conf_destroy(&again);
	rs_conf_destroy(&c);
}

static void sender__belongs_to_the_login_or_not(void **state)
{
	struct rs_conf *c = parsed("local-domains = example.org");
	static const struct {
		const char *user;
		const char *senders;
		const char *sender;
		bool own;
	} rows[] = {
		{"anna@example.org", NULL, "", true},
		{"anna@example.org", NULL, "Anna@Example.ORG", true},
		{"anna@example.org", NULL, "anna+x@example.org", true},
		{"anna@example.org", NULL, "ben@example.org", false},
		{"anna@example.org", NULL, "anna@example.org.evil.net", false},
		{"anna@example.org", "*", "any@where.net", true},
		{"anna@example.org", "info@example.net,@example.com", "info@example.net", true},
		{"anna@example.org", "info@example.net,@example.com", "x@example.com", true},
		{"anna@example.org", "info@example.net,@example.com", "x@sub.example.com", false},
		{"anna@example.org", "info@example.net,@example.com", "x@example.net", false},
		{"anna", NULL, "anna@example.org", true},
		{"anna", NULL, "anna@h.example.org", true},
		{"anna", NULL, "anna@example.net", false},
		{"anna", NULL, "annax@example.org", false},
	};

	assert_non_null(c);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		if (auth_submit_owns(c, rows[i].user, rows[i].senders,
			    rs_slice_str(rows[i].sender)) != rows[i].own)
			fail_msg("row %zu: %s as %s", i, rows[i].user, rows[i].sender);
	}
	rs_conf_destroy(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(relay__forms_that_may_be_written),
		cmocka_unit_test(relay__forms_that_may_not),
		cmocka_unit_test(relay__password_is_hidden_from_other_roles),
		cmocka_unit_test(sender__belongs_to_the_login_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
