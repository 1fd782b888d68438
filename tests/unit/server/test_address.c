/* addresses: one form for both families, networks, what counts as one source. */
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "server/address.h"

static struct rs_ip ip_of(const char *text)
{
	struct rs_ip ip;

	assert_true(rs_ip_of_text(text, &ip));
	return ip;
}

static void networks_hold_what_they_should(void **state)
{
	static const struct {
		const char *net;
		const char *in; /* NULL: all are out */
		const char *out;
	} rows[] = {
		{"192.0.2.1", "192.0.2.1", "192.0.2.2"},
		{"192.0.2.0/24", "192.0.2.255", "192.0.3.0"},
		{"192.0.2.128/25", "192.0.2.200", "192.0.2.127"},
		{"10.0.0.0/8", "10.255.255.255", "11.0.0.0"},
		{"0.0.0.0/0", "255.1.2.3", "2001:db8::1"},
		{"192.0.2.1/32", "::ffff:192.0.2.1", "192.0.2.0"},
		{"2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"},
		{"2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::"},
		{"::1", "::1", "127.0.0.1"},
		{"::/0", "192.0.2.1", NULL},
	};

	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		struct rs_net net;
		struct rs_ip ip;

		assert_null(rs_net_parse(rows[i].net, &net));
		ip = ip_of(rows[i].in);
		assert_true(rs_net_has(&net, &ip));
		if (!rows[i].out)
			continue;
		ip = ip_of(rows[i].out);
		assert_false(rs_net_has(&net, &ip));
	}
}

static void what_is_no_network_is_refused(void **state)
{
	static const char *const rows[] = {"", "x", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1",
		"10.0.0.1/8", "10.0.0/8", "2001:db8::/129", "2001:db8::1/64", "mail.example.org",
		"10.0.0.0 /8", "10.0.0.0/8/8",
		"1111111111111111111111111111111111111111111111111111111111111111111111/8"};

	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		struct rs_net net;

		assert_non_null(rs_net_parse(rows[i], &net));
	}
}

static void a_source_is_an_address_or_a_64(void **state)
{
	static const char *const others[] = {"192.0.2.1", "192.0.2.2", "2001:db8:0:1::1",
		"2001:db8:0:2::1", "::1", "::ffff:0:0:0", "0.0.0.0", "127.0.0.1", "1::"};
	struct rs_ip a = ip_of("2001:db8:0:1::1");
	struct rs_ip b = ip_of("2001:db8:0:1:ffff:ffff:ffff:ffff");

	assert_int_equal(rs_ip_source(&a), rs_ip_source(&b));
	for (size_t i = 0; i < RS_ARRAY_N(others); i++) {
		a = ip_of(others[i]);
		assert_true(rs_ip_source(&a) != 0);
		for (size_t k = 0; k < i; k++) {
			b = ip_of(others[k]);
			if (strchr(others[i], ':') && strchr(others[k], ':') &&
				memcmp(a.octets, b.octets, 8) == 0)
				continue; /* the same /64 */
			assert_true(rs_ip_source(&a) != rs_ip_source(&b));
		}
	}
}

static void sockets_tell_theirs(void **state)
{
	struct sockaddr_storage sa = {.ss_family = AF_INET};
	struct rs_ip ip;

	((struct sockaddr_in *)&sa)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(rs_ip_of(&sa, &ip) && rs_ip_is_v4(&ip) && rs_ip_is_loopback(&ip));
	sa = (struct sockaddr_storage){.ss_family = AF_INET6};
	((struct sockaddr_in6 *)&sa)->sin6_addr = in6addr_loopback;
	assert_true(rs_ip_of(&sa, &ip) && !rs_ip_is_v4(&ip) && rs_ip_is_loopback(&ip));
	sa.ss_family = AF_UNIX;
	assert_false(rs_ip_of(&sa, &ip));
	ip = ip_of("128.0.0.1");
	assert_false(rs_ip_is_loopback(&ip));
	ip = ip_of("::2");
	assert_false(rs_ip_is_loopback(&ip));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(networks_hold_what_they_should),
		cmocka_unit_test(what_is_no_network_is_refused),
		cmocka_unit_test(a_source_is_an_address_or_a_64),
		cmocka_unit_test(sockets_tell_theirs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
