/* HTTP requests under every cut, and the documents for mail programs: routes, domains, escaping. */
#include "tests/unit/test.h"

#include <glib.h>
#include <string.h>

#include "base/base.h"
#include "base/err.h"
#include "server/autoconfig.h"
#include "tests/unit/guard.h"

#define HEAD_OF                                                                        \
	"[server]\nhostname = mail.example.org\nstate-dir = /s\nrun-dir = /r\n"        \
	"[tls]\ncertificate = /c\nkey = /k\n[auth]\nusers = passwd-file:/u\n[store]\n" \
	"path = /m/%u\n[listen]\npop3s = 127.0.0.1:9995, 0.0.0.0:995\npop3 = 0.0.0.0:110\n"

static struct rs_conf *conf_of(const char *more)
{
	g_autofree char *text = g_strconcat(HEAD_OF, more, NULL);
	struct rs_conf *c = NULL;
	struct rs_err err;

	if (rs_conf_parse("test", rs_slice_str(text), &c, &err) < 0)
		fail_msg("%s", err.text);
	return c;
}

/* --- requests ------------------------------------------------------------------------------ */

#define GET "GET / HTTP/1.1\r\n"

static void http__rows_under_every_cut(void **state)
{
	static const struct {
		const char *text;
		enum rs_http_step want;
	} rows[] = {
		{GET "Host: x\r\n\r\n", RS_HTTP_REQUEST},
		{GET "Content-Length: 3\r\n\r\nabc", RS_HTTP_REQUEST},
		{GET "Content-Length: 0\r\n\r\n", RS_HTTP_REQUEST},
		{GET "X:\t y \r\n\r\n", RS_HTTP_REQUEST},
		{"GET http://a/b?c HTTP/1.0\r\n\r\n", RS_HTTP_REQUEST},
		{GET "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", RS_HTTP_BAD},
		{GET "Content-Length: +3\r\n\r\n", RS_HTTP_BAD},
		{GET "Content-Length: 3, 3\r\n\r\n", RS_HTTP_BAD},
		{GET "Content-Length : 3\r\n\r\n", RS_HTTP_BAD},
		{GET "Content-Length: 16385\r\n\r\n", RS_HTTP_TOO_LARGE},
		{GET "Transfer-Encoding: chunked\r\n\r\n", RS_HTTP_UNSUPPORTED},
		{GET "A: b\r\n c\r\n\r\n", RS_HTTP_BAD}, /* folded */
		{GET "A: b\nC: d\r\n\r\n", RS_HTTP_BAD},
		{GET ": b\r\n\r\n", RS_HTTP_BAD},
		{GET "none\r\n\r\n", RS_HTTP_BAD},
		{"GET / HTTP/2\r\n\r\n", RS_HTTP_BAD},
		{"GET  / HTTP/1.1\r\n\r\n", RS_HTTP_BAD},
		{"GET x HTTP/1.1\r\n\r\n", RS_HTTP_BAD},
		{"GET / HTTP/1.1\n\n\r\n\r\n", RS_HTTP_BAD},
		{"GET /\303\266 HTTP/1.1\r\n\r\n", RS_HTTP_BAD},
		{"\r\n\r\n", RS_HTTP_BAD},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		size_t n = strlen(rows[i].text);

		for (size_t k = 0; k <= n; k++) {
			struct rs_http_req req;
			struct guard g;

			guard_init(&g, rows[i].text, k);
			if (rs_http_read(rs_slice(g.p, k), &req) !=
				(k == n ? rows[i].want : RS_HTTP_MORE))
				fail_msg("%zu octets of: %s", k, rows[i].text);
			guard_finish(&g);
		}
	}
}

static void http__parts_of_a_request(void **state)
{
	struct rs_http_req req;

	assert_int_equal(rs_http_read(rs_slice_str("POST https://h:1/a/b?x=1 HTTP/1.1\r\n"
						   "content-length: 2\r\n\r\nhirest"),
				 &req),
		RS_HTTP_REQUEST);
	assert_true(rs_slice_eq_str(req.method, "POST"));
	assert_true(rs_slice_eq_str(req.path, "/a/b"));
	assert_true(rs_slice_eq_str(req.query, "x=1"));
	assert_true(rs_slice_eq_str(req.body, "hi"));
}

static void http__values_of_a_query(void **state)
{
	static const struct {
		const char *query;
		int rc;
		const char *value;
	} rows[] = {
		{"e=a%40b", 0, "a@b"},
		{"x=1&E=a+b", 0, "a b"},
		{"e=", 0, ""},
		{"e", 0, ""},
		{"", -RS_ENOENT, ""},
		{"ee=1", -RS_ENOENT, ""},
		{"e=%4", -RS_EINVAL, ""},
		{"e=%zz", -RS_EINVAL, ""},
		{"e=1&e=2", -RS_EINVAL, ""},
		{"e=%00", -RS_EINVAL, ""},
		{"e=%0a", -RS_EINVAL, ""},
		{"e=1234567", 0, "1234567"},
		{"e=12345678", -RS_EINVAL, ""},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		char out[8];
		int rc = rs_http_query(rs_slice_str(rows[i].query), "e", out, sizeof(out));

		assert_int_equal(rc, rows[i].rc);
		if (rc == 0)
			assert_string_equal(out, rows[i].value);
	}
}

/* --- documents ----------------------------------------------------------------------------- */

static guint ask(const struct rs_conf *c, const char *request, GString *out)
{
	struct rs_http_req req;
	enum rs_http_step step = rs_http_read(rs_slice_str(request), &req);

	g_string_truncate(out, 0);
	return rs_autoconfig_answer(c, step, &req, out);
}

static void card__servers_follow_from_the_listeners_and_can_be_said_otherwise(void **state)
{
	struct rs_conf *plain = conf_of("");
	struct rs_conf *said = conf_of("[autoconfig]\npop3s = pop.example.net:1995\npop3 = off\n"
				       "submissions = smtp.example.net:465\n");
	struct rs_card card;

	rs_card_init(&card, plain);
	assert_int_equal(card.servers_n, 2);
	assert_string_equal(card.servers[0].host, "mail.example.org");
	assert_int_equal(card.servers[0].port, 995); /* not the one on loopback */
	assert_int_equal(card.servers[1].security, RS_CARD_STARTTLS);
	assert_null(rs_card_first(&card, false));
	rs_card_finish(&card);
	rs_card_init(&card, said);
	assert_int_equal(card.servers_n, 2);
	assert_string_equal(card.servers[0].host, "pop.example.net");
	assert_int_equal(card.servers[0].port, 1995);
	assert_int_equal(rs_card_first(&card, false)->port, 465);
	rs_card_finish(&card);
	rs_conf_destroy(&plain);
	rs_conf_destroy(&said);
}

static void autoconfig__routes(void **state)
{
	struct rs_conf *c = conf_of("[autoconfig]\ndomains = example.org, example.net\n");
	static const struct {
		const char *request;
		guint status;
	} rows[] = {
		{"GET /mail/config-v1.1.xml HTTP/1.1\r\n\r\n", 200},
		{"HEAD /mail/config-v1.1.xml HTTP/1.1\r\n\r\n", 200},
		{"GET /mail/config-v1.1.xml?emailaddress=a%40example.net HTTP/1.1\r\n\r\n", 200},
		{"GET /mail/config-v1.1.xml?emailaddress=a%40example.com HTTP/1.1\r\n\r\n", 404},
		{"GET /mail/config-v1.1.xml?emailaddress=a HTTP/1.1\r\n\r\n", 404},
		{"GET /mail/config-v1.1.xml?emailaddress=%01%40example.org HTTP/1.1\r\n\r\n", 400},
		{"POST /mail/config-v1.1.xml HTTP/1.1\r\n\r\n", 405},
		{"GET /.well-known/autoconfig/mail/config-v1.1.xml HTTP/1.1\r\n\r\n", 200},
		{"GET /.well-known/user-agent-configuration.json HTTP/1.1\r\n\r\n", 200},
		{"GET /autodiscover/autodiscover.xml HTTP/1.1\r\n\r\n", 405},
		{"POST /Autodiscover/AutoDiscover.xml HTTP/1.1\r\n\r\n", 200},
		{"GET /email.mobileconfig HTTP/1.1\r\n\r\n", 400},
		{"GET /email.mobileconfig?email=a@example.org HTTP/1.1\r\n\r\n", 404}, /* no SMTP */
		{"GET / HTTP/1.1\r\n\r\n", 404},
		{"GET /MAIL/config-v1.1.xml HTTP/1.1\r\n\r\n", 404},
		{"nonsense\r\n\r\n", 400},
	};
	g_autoptr(GString) out = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		if (ask(c, rows[i].request, out) != rows[i].status)
			fail_msg("%s is answered: %s", rows[i].request, out->str);
		assert_true(g_str_has_prefix(out->str, "HTTP/1.1 "));
		if (g_str_has_prefix(rows[i].request, "HEAD"))
			assert_true(g_str_has_suffix(out->str, "\r\n\r\n"));
	}
	rs_conf_destroy(&c);
}

static char *pox(const struct rs_conf *c, const char *body)
{
	g_autofree char *request = g_strdup_printf(
		"POST /autodiscover/autodiscover.xml HTTP/1.1\r\nContent-Length: %zu\r\n\r\n%s",
		strlen(body), body);
	GString *out = g_string_new(NULL);

	assert_int_equal(ask(c, request, out), 200);
	return g_string_free(out, FALSE);
}

static void autodiscover__finds_the_address_or_says_600(void **state)
{
	static const char *const bad[] = {"", "<a", "<a><EMailAddress>x</EMailAddress></a>",
		"<a><EMailAddress>a@example.org</EMailAddress><EMailAddress>b@example.org"
		"</EMailAddress></a>",
		"<a>a@example.org</a>",
		"<!DOCTYPE x [<!ENTITY e "
		"\"a@example.org\">]><a><EMailAddress>&e;</EMailAddress></a>"};
	struct rs_conf *c = conf_of("");
	g_autofree char *good = pox(c,
		"<?xml version=\"1.0\"?><Autodiscover><Request><EMailAddress> a&amp;b@example.org "
		"</EMailAddress></Request></Autodiscover>");

	assert_non_null(strstr(good, "<LoginName>a&amp;b@example.org</LoginName>"));
	assert_non_null(strstr(good, "<Type>POP3</Type>"));
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *answer = pox(c, bad[i]);

		assert_non_null(strstr(answer, "<ErrorCode>600</ErrorCode>"));
		assert_null(strstr(answer, "POP3"));
	}
	rs_conf_destroy(&c);
}

static void autoconfig__what_is_written_is_escaped(void **state)
{
	struct rs_conf *c = conf_of("[autoconfig]\nname = A & <B> \"C\"\n"
				    "documentation = https://h/?a=1&b=2\n"
				    "submissions = smtp.example.org:465\n");
	g_autoptr(GString) out = g_string_new(NULL);

	rs_autoconfig_xml(out, c, "example.org");
	assert_non_null(
		strstr(out->str, "<displayName>A &amp; &lt;B&gt; &quot;C&quot;</displayName>"));
	assert_non_null(strstr(out->str, "url=\"https://h/?a=1&amp;b=2\""));
	g_string_truncate(out, 0);
	assert_true(rs_mobileconfig(out, c, "a<b@example.org"));
	assert_non_null(strstr(out->str, "<string>a&lt;b@example.org</string>"));
	g_string_truncate(out, 0);
	rs_pacc_json(out, c);
	assert_non_null(strstr(out->str, "\"A & <B> \\\"C\\\"\""));
	rs_conf_destroy(&c);
}

/* A mailbox that exists and one that does not: the same answer, octet by octet but for the name. */
/* Authentication of all servers in their order, as "pop3:a+b smtp:c". */
static char *logins_of(struct rs_conf *c)
{
	g_autoptr(GString) out = g_string_new(NULL);
	g_auto(GStrv) lines = NULL;
	GString *told = g_string_new(NULL);
	char before = ' ';

	rs_autoconfig_xml(out, c, "example.org");
	lines = g_strsplit(out->str, "\n", -1);
	for (char **l = lines; *l; l++) {
		const char *type = strstr(*l, "Server type=\"");
		const char *login = strstr(*l, "<authentication>");

		if (type)
			g_string_append_printf(told, "%s%.4s", told->len ? " " : "", type + 13);
		before = type ? ':' : before;
		if (login) {
			g_string_append_printf(
				told, "%c%.*s", before, (int)strcspn(login + 16, "<"), login + 16);
			before = '+';
		}
	}
	rs_conf_destroy(&c);
	return g_string_free(told, FALSE);
}

static void autoconfig__tells_the_logins_that_work(void **state)
{
	static const struct {
		const char *more;
		const char *want;
	} rows[] = {
		{"[listen]\nsubmission = 0.0.0.0:587\n",
			"pop3:password-cleartext pop3:password-cleartext smtp:password-cleartext"},
		{"[auth]\noauth-jwks = /j\noauth-audience = a\noauth-issuer = https://i.example\n"
		 "[listen]\nsubmissions = 0.0.0.0:465\n",
			"pop3:OAuth2+password-cleartext pop3:OAuth2+password-cleartext "
			"smtp:OAuth2+password-cleartext"},
		{"[auth]\noauth-jwks = /j\noauth-audience = a\noauth-issuer = https://i.example\n"
		 "mechanisms = OAUTHBEARER\n[listen]\nsubmissions = 0.0.0.0:465\n",
			"pop3:OAuth2+password-cleartext pop3:OAuth2+password-cleartext "
			"smtp:OAuth2"},
		{"[auth]\noauth-jwks = /j\noauth-audience = a\noauth-issuer = https://i.example\n"
		 "mechanisms = PLAIN\n",
			"pop3:password-cleartext pop3:password-cleartext"},
		{"[auth]\napop = on\nmechanisms = PLAIN EXTERNAL\n[tls]\nclient-ca = /ca\n",
			"pop3:password-cleartext+TLS-client-cert "
			"pop3:password-cleartext+TLS-client-cert"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *told = logins_of(conf_of(rows[i].more));

		assert_string_equal(told, rows[i].want);
	}
}

static void autoconfig__does_not_know_who_lives_here(void **state)
{
	struct rs_conf *c = conf_of("");
	g_autoptr(GString) a = g_string_new(NULL);
	g_autoptr(GString) b = g_string_new(NULL);

	assert_int_equal(
		ask(c, "GET /mail/config-v1.1.xml?emailaddress=a@example.org HTTP/1.1\r\n\r\n", a),
		200);
	assert_int_equal(
		ask(c, "GET /mail/config-v1.1.xml?emailaddress=z@example.org HTTP/1.1\r\n\r\n", b),
		200);
	assert_string_equal(a->str, b->str);
	rs_conf_destroy(&c);
}

static void pacc__only_registered_ports_and_a_digest(void **state)
{
	struct rs_conf *std = conf_of("[autoconfig]\nsubmissions = smtp.example.org:465\n");
	struct rs_conf *odd = conf_of("[autoconfig]\npop3s = mail.example.org:1995\n");
	g_autoptr(GString) out = g_string_new(NULL);
	g_autofree char *txt = rs_pacc_txt(std);

	rs_pacc_json(out, std);
	assert_non_null(strstr(out->str, "\"pop3\""));
	assert_non_null(strstr(out->str, "smtp.example.org"));
	assert_true(g_str_has_prefix(txt, "v=UAAC1; a=sha256; d="));
	assert_int_equal(strlen(txt), strlen("v=UAAC1; a=sha256; d=") + 44);
	g_string_truncate(out, 0);
	rs_pacc_json(out, odd);
	assert_null(strstr(out->str, "\"pop3\""));
	rs_conf_destroy(&std);
	rs_conf_destroy(&odd);
}

static void conf__wrong_keys_of_autoconfig(void **state)
{
	static const char *const bad[] = {"pop3s = host", "pop3s = host:0", "pop3s = :995",
		"pop3s = a b:995", "pop3s = [::1]:995", "domains = example..org", "domains = ,",
		"documentation = example.org", "documentation = https://a b", "user = name",
		"name = \377"};

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *text = g_strconcat(HEAD_OF "[autoconfig]\n", bad[i], "\n", NULL);
		struct rs_conf *c = NULL;
		struct rs_err err;

		if (rs_conf_parse("test", rs_slice_str(text), &c, &err) != -RS_ECONFIG)
			fail_msg("taken: %s", bad[i]);
		assert_non_null(strstr(err.text, "test:"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(http__rows_under_every_cut),
		cmocka_unit_test(http__parts_of_a_request),
		cmocka_unit_test(http__values_of_a_query),
		cmocka_unit_test(card__servers_follow_from_the_listeners_and_can_be_said_otherwise),
		cmocka_unit_test(autoconfig__routes),
		cmocka_unit_test(autodiscover__finds_the_address_or_says_600),
		cmocka_unit_test(autoconfig__what_is_written_is_escaped),
		cmocka_unit_test(autoconfig__does_not_know_who_lives_here),
		cmocka_unit_test(autoconfig__tells_the_logins_that_work),
		cmocka_unit_test(pacc__only_registered_ports_and_a_digest),
		cmocka_unit_test(conf__wrong_keys_of_autoconfig),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
