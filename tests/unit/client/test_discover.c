/* what providers publish, read: which server is taken, what is refused; what is known of the large ones. */
#include "tests/unit/test.h"

#include "client/discover_parse.h"
#include "client/providers.h"

#define ADDRESS "anna@example.org"

#define SERVER(type, kind, host, port, socket, more)                                         \
	"<" kind "Server type='" type "'><hostname>" host "</hostname><port>" port           \
	"</port><socketType>" socket "</socketType><username>%EMAILADDRESS%</username>" more \
	"</" kind "Server>"

#define DOCUMENT(servers)                                            \
	"<clientConfig version='1.1'><emailProvider id='x'>" servers \
	"</emailProvider></clientConfig>"

static struct rs_found *xml(const char *text, int expected)
{
	struct rs_found *f = NULL;

	assert_int_equal(rs_found_read_xml(text, strlen(text), ADDRESS, &f), expected);
	return f;
}

static void xml__the_best_server_is_taken(void **state)
{
	struct rs_found *f = xml(
		DOCUMENT(SERVER("imap", "incoming", "imap.example.org", "993", "SSL", "") SERVER(
			"pop3", "incoming", "a.example.org", "110", "plain", "") SERVER("pop3",
			"incoming", "b.%EMAILDOMAIN%", "995", "SSL",
			"<authentication>OAuth2</authentication><authentication>password-"
			"cleartext</authentication>") SERVER("pop3", "incoming", "c.example.org",
			"110", "STARTTLS", "") SERVER("smtp", "outgoing", "s.example.org", "587",
			"STARTTLS", "<authentication>none</authentication>")),
		0);

	assert_string_equal(f->pop3.host, "b.example.org");
	assert_int_equal(f->pop3.port, 995);
	assert_int_equal(f->pop3.security, RS_SECURITY_TLS);
	assert_string_equal(f->pop3.user, ADDRESS);
	assert_true(f->pop3.oauth2 && f->pop3.password);
	assert_string_equal(f->smtp.host, "s.example.org");
	assert_null(f->smtp.user);
	rs_found_free(f);
}

static void xml__what_is_refused(void **state)
{
	static const struct {
		const char *text;
		int rc;
	} rows[] = {
		{"", -RS_EINVAL},
		{"<html><body>not found</body></html>", -RS_EINVAL},
		{"<clientConfig>", -RS_EINVAL},
		{"<clientConfig/>", -RS_EINVAL},
		{DOCUMENT(""), -RS_ENOENT},
		{DOCUMENT(SERVER("imap", "incoming", "i.example.org", "993", "SSL", "")),
			-RS_ENOENT},
		{DOCUMENT(SERVER("pop3", "incoming", "a b", "995", "SSL", "")), -RS_ENOENT},
		{DOCUMENT(SERVER("pop3", "incoming", "a.example.org", "0", "SSL", "")), -RS_ENOENT},
		{DOCUMENT(SERVER("pop3", "incoming", "a.example.org", "99999", "SSL", "")),
			-RS_ENOENT},
		{DOCUMENT(SERVER("pop3", "incoming", "a.example.org", "995", "magic", "")),
			-RS_ENOENT},
		{DOCUMENT(SERVER("pop3", "incoming", "%UNKNOWN%", "995", "SSL", "")), -RS_ENOENT},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		assert_null(xml(rows[i].text, rows[i].rc));
}

static void xml__how_to_switch_it_on(void **state)
{
	struct rs_found *f = xml(DOCUMENT("<displayName>X &amp; Y</displayName><enable "
					  "visiturl='https://x/'/>" SERVER("pop3", "incoming",
						  "a.example.org", "995", "SSL", "")),
		0);

	assert_string_equal(f->enable_url, "https://x/");
	assert_string_equal(f->provider, "X & Y");
	rs_found_free(f);
}

static void pacc__digest_and_document(void **state)
{
	static const char text[] =
		"{\"protocols\":{\"pop3\":{\"host\":\"p.example.org\"},\"imap\":{\"host\":"
		"\"i.example.org\"}},\"authentication\":{\"password\":true}}";
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	g_autofree char *base64 = NULL;
	g_autofree char *txt = NULL;
	guint8 digest[32];
	gsize n = sizeof(digest);
	struct rs_found *f = NULL;

	g_checksum_update(sum, (const guchar *)text, (gssize)strlen(text));
	g_checksum_get_digest(sum, digest, &n);
	base64 = g_base64_encode(digest, n);
	txt = g_strdup_printf("v=UAAC1;a=sha256;d=%s", base64);
	const char *const good[] = {txt, NULL};
	const char *const none[] = {NULL};

	assert_int_equal(rs_found_read_pacc(text, strlen(text), none, ADDRESS, &f), -RS_ECERT);
	assert_int_equal(rs_found_read_pacc(text, strlen(text) - 1, good, ADDRESS, &f), -RS_ECERT);
	assert_int_equal(rs_found_read_pacc(text, strlen(text), good, ADDRESS, &f), 0);
	assert_string_equal(f->pop3.host, "p.example.org");
	assert_int_equal(f->pop3.port, 995);
	assert_null(f->smtp.host);
	rs_found_free(f);
}

static void found__inside_a_domain(void **state)
{
	assert_true(rs_found_inside("example.org", "example.org"));
	assert_true(rs_found_inside("Pop.Example.org", "example.org"));
	assert_false(rs_found_inside("badexample.org", "example.org"));
	assert_false(rs_found_inside("example.org.evil.net", "example.org"));
	assert_false(rs_found_inside("org", "example.org"));
}

static void providers__rows(void **state)
{
	struct rs_found *f = rs_provider_found(rs_provider_of_domain("GMX.de"), "a@gmx.de");
	g_autofree char *hint = rs_provider_hint(rs_provider_of_host("pop.gmx.net"));

	assert_string_equal(f->pop3.host, "pop.gmx.net");
	assert_int_equal(f->smtp.port, 465);
	rs_found_free(f);
	assert_non_null(strstr(hint, "switched on"));
	assert_null(rs_provider_found(rs_provider_of_domain("icloud.com"), "a@icloud.com"));
	assert_null(rs_provider_of_domain("example.org"));
	assert_string_equal(rs_provider_name(rs_provider_of_mx("aspmx.l.google.com")), "Gmail");
	assert_string_equal(
		rs_provider_name(rs_provider_of_mx("example-org.mail.protection.outlook.com")),
		"Microsoft 365");
	f = rs_provider_found(rs_provider_of_domain("outlook.com"), "a@outlook.com");
	assert_false(f->pop3.password);
	assert_true(f->pop3.oauth2);
	assert_int_equal(f->smtp.security, RS_SECURITY_STARTTLS);
	rs_found_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xml__the_best_server_is_taken),
		cmocka_unit_test(xml__what_is_refused),
		cmocka_unit_test(xml__how_to_switch_it_on),
		cmocka_unit_test(pacc__digest_and_document),
		cmocka_unit_test(found__inside_a_domain),
		cmocka_unit_test(providers__rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
