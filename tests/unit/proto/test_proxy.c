/* the header of the PROXY protocol: what is one, what is none, under every cut. */
#include "tests/unit/test.h"

#include "base/base.h"
#include "proto/proxy.h"
#include "tests/unit/guard.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

/* The answer for `n` octets in front of an unreadable page. */
static enum rs_proxy_step parse(
	const void *octets, size_t n, size_t *used, struct rs_proxy_head *head)
{
	enum rs_proxy_step s;
	struct guard g;

	guard_init(&g, octets, n);
	s = rs_proxy_parse(rs_slice(g.p, g.n), used, head);
	guard_finish(&g);
	return s;
}

/* A header: MORE for every beginning of it, DONE with it, the same with octets behind it. */
static struct rs_proxy_head good(const void *octets, size_t n)
{
	struct rs_proxy_head head;
	struct rs_proxy_head again;
	uint8_t more[RS_PROXY_MAX + 16];
	size_t used = 0;

	for (size_t i = 0; i < n; i++)
		assert_int_equal(parse(octets, i, &used, &head), RS_PROXY_MORE);
	assert_int_equal(parse(octets, n, &used, &head), RS_PROXY_DONE);
	assert_int_equal(used, n);
	memcpy(more, octets, n);
	memset(more + n, 'x', 16);
	used = 0;
	assert_int_equal(parse(more, n + 16, &used, &again), RS_PROXY_DONE);
	assert_int_equal(used, n);
	assert_memory_equal(&head, &again, sizeof(head));
	return head;
}

/* None: BAD at some octet and from there on, and DONE nowhere. */
static void bad(const void *octets, size_t n)
{
	struct rs_proxy_head head;
	size_t used;
	size_t at = 0;

	while (at < n && parse(octets, at, &used, &head) == RS_PROXY_MORE)
		at++;
	for (; at <= n; at++) {
		if (parse(octets, at, &used, &head) != RS_PROXY_BAD)
			fail_msg("taken: %.*s", (int)n, (const char *)octets);
	}
}

static void version_1_tells_addresses_and_ports(void **state)
{
	static const uint8_t from6[16] = {0x20, 1, 0xd, 0xb8, [15] = 1};
	static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 9};
	static const char v4[] = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 995\r\n";
	static const char v6[] = "PROXY TCP6 2001:db8::1 ::ffff:192.0.2.9 65535 0\r\n";
	struct rs_proxy_head h = good(v4, sizeof(v4) - 1);

	assert_int_equal(h.family, RS_PROXY_INET);
	assert_memory_equal(h.from, "\300\0\2\7", 4);
	assert_memory_equal(h.to, "\306\63\144\1", 4);
	assert_int_equal(h.from_port, 56324);
	assert_int_equal(h.to_port, 995);
	h = good(v6, sizeof(v6) - 1);
	assert_int_equal(h.family, RS_PROXY_INET6);
	assert_memory_equal(h.from, from6, 16);
	assert_memory_equal(h.to, mapped, 16);
	assert_int_equal(h.from_port, 65535);
}

static void version_1_may_not_know(void **state)
{
	static const char bare[] = "PROXY UNKNOWN\r\n";
	/* the longest line there may be: 107 octets */
	static const char longest[] = "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
				      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";

	assert_int_equal(good(bare, sizeof(bare) - 1).family, RS_PROXY_UNKNOWN);
	assert_int_equal(sizeof(longest) - 1, RS_PROXY_V1_MAX);
	assert_int_equal(good(longest, sizeof(longest) - 1).family, RS_PROXY_UNKNOWN);
}

static void ipv6_has_many_forms(void **state)
{
	static const struct {
		const char *text;
		const char *hex; /* NULL: none */
	} rows[] = {
		{"::", "00000000000000000000000000000000"},
		{"::1", "00000000000000000000000000000001"},
		{"1::", "00010000000000000000000000000000"},
		{"1:2:3:4:5:6:7:8", "00010002000300040005000600070008"},
		{"1:2:3:4:5:6:7::", "00010002000300040005000600070000"},
		{"::2:3:4:5:6:7:8", "00000002000300040005000600070008"},
		{"A:bC::9", "000a00bc000000000000000000000009"},
		{"1:2:3:4:5:6:1.2.3.4", "00010002000300040005000601020304"},
		{"64:ff9b::255.255.255.255", "0064ff9b0000000000000000ffffffff"},
		{"1:2:3:4:5:6:7", NULL},
		{"1:2:3:4:5:6:7:8:9", NULL},
		{"1:2:3:4:5:6:7:8::", NULL},
		{"::1:2:3:4:5:6:7:8", NULL},
		{"1::2::3", NULL},
		{":::", NULL},
		{":1::", NULL},
		{"1:", NULL},
		{"::1:", NULL},
		{"12345::", NULL},
		{"g::", NULL},
		{"1.2.3.4::", NULL},
		{"::1.2.3", NULL},
		{"::1.2.3.256", NULL},
		{"::1.2.3.4:5", NULL},
		{"1:2:3:4:5:6:7:1.2.3.4", NULL},
		{"fe80::1%eth0", NULL},
		{"1.2.3.4", NULL},
		{"", NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char line[128];
		char hex[33];
		int n = snprintf(line, sizeof(line), "PROXY TCP6 %s ::1 1 2\r\n", rows[i].text);
		struct rs_proxy_head h;

		if (!rows[i].hex) {
			bad(line, (size_t)n);
			continue;
		}
		h = good(line, (size_t)n);
		for (size_t k = 0; k < 16; k++)
			(void)snprintf(hex + 2 * k, 3, "%02x", h.from[k]);
		assert_string_equal(hex, rows[i].hex);
	}
}

static void version_1_is_taken_strictly(void **state)
{
	static const char *const lines[] = {
		"USER anna\r\n",
		"proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
		"PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
		"PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
		"PROXY TCP4\r\n",
		"PROXY \r\n",
		"PROXY\r\n",
		"PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n",
		"PROXY TCP4 ::1 ::1 1 2\r\n",
		"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
		"PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n",
		"PROXY TCP4 1.2.3.4.5 1.2.3.4 1 2\r\n",
		"PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n",
		"PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n",
		"PROXY TCP4 1.2.3.+4 1.2.3.4 1 2\r\n",
		"PROXY TCP4 1..3.4 1.2.3.4 1 2\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1 -2\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1 02\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4  2\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\rX\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1\t2\r\n",
		"PROXY UNKNOWNS\r\n",
		"PROXY UNKNOWN \xc3\xa4\r\n",
		/* 108 octets */
		"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 655350\r\n",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		bad(lines[i], strlen(lines[i]));
}

/* --- version 2 ------------------------------------------------------------------------------ */

struct wire {
	uint8_t p[8192];
	size_t n;
};

static void add(struct wire *w, const void *octets, size_t n)
{
	memcpy(w->p + w->n, octets, n);
	w->n += n;
}

static void add_tlv(struct wire *w, uint8_t type, const void *octets, size_t n)
{
	const uint8_t head[3] = {type, (uint8_t)(n >> 8), (uint8_t)n};

	add(w, head, 3);
	add(w, octets, n);
}

static void begin(struct wire *w, uint8_t command, uint8_t family)
{
	w->n = 0;
	add(w, SIGNATURE, 12);
	add(w, &command, 1);
	add(w, &family, 1);
	add(w, "\0\0", 2);
}

static void end(struct wire *w)
{
	w->p[14] = (uint8_t)((w->n - 16) >> 8);
	w->p[15] = (uint8_t)(w->n - 16);
}

#define V4 "\300\0\2\7\306\63\144\1\334\4\3\343"

static void version_2_tells_addresses_and_ports(void **state)
{
	static const uint8_t six[36] = {0x20, 1, 0xd, 0xb8, [15] = 7, [31] = 1, 0, 110, 1, 0};
	struct rs_proxy_head h;
	struct wire w;

	begin(&w, 0x21, 0x11);
	add(&w, V4, 12);
	end(&w);
	h = good(w.p, w.n);
	assert_int_equal(h.family, RS_PROXY_INET);
	assert_memory_equal(h.from, "\300\0\2\7", 4);
	assert_memory_equal(h.to, "\306\63\144\1", 4);
	assert_int_equal(h.from_port, 56324);
	assert_int_equal(h.to_port, 995);
	begin(&w, 0x21, 0x21);
	add(&w, six, 36);
	end(&w);
	h = good(w.p, w.n);
	assert_int_equal(h.family, RS_PROXY_INET6);
	assert_memory_equal(h.from, six, 16);
	assert_int_equal(h.from_port, 110);
	assert_int_equal(h.to_port, 256);
}

static void version_2_may_speak_for_itself_or_not_know(void **state)
{
	static const uint8_t paths[216] = {0};
	struct wire w;

	begin(&w, 0x20, 0x00);
	end(&w);
	assert_int_equal(good(w.p, w.n).family, RS_PROXY_LOCAL);
	begin(&w, 0x20, 0x11); /* a health check: what it says is passed over */
	add(&w, "abc", 3);
	end(&w);
	assert_int_equal(good(w.p, w.n).family, RS_PROXY_LOCAL);
	begin(&w, 0x21, 0x00);
	end(&w);
	assert_int_equal(good(w.p, w.n).family, RS_PROXY_UNKNOWN);
	begin(&w, 0x21, 0x12); /* of a datagram */
	add(&w, V4, 12);
	end(&w);
	assert_int_equal(good(w.p, w.n).family, RS_PROXY_UNKNOWN);
	begin(&w, 0x21, 0x31);
	add(&w, paths, 216);
	end(&w);
	assert_int_equal(good(w.p, w.n).family, RS_PROXY_UNKNOWN);
}

static void further_fields_are_passed_over(void **state)
{
	static const uint8_t big[RS_PROXY_MAX] = {1};
	static const uint8_t tls[] = {7, 0, 0, 0, 0, 0x21, 0, 7, 'T', 'L', 'S', 'v', '1', '.', '3'};
	struct wire w;

	begin(&w, 0x21, 0x11);
	add(&w, V4, 12);
	add_tlv(&w, 0x02, "mail.example.org", 16); /* authority */
	add_tlv(&w, 0x20, tls, sizeof(tls));
	add_tlv(&w, 0x04, "", 0); /* nothing */
	add_tlv(&w, 0xea, "vpce-1", 6);
	end(&w);
	assert_int_equal(good(w.p, w.n).family, RS_PROXY_INET);
	begin(&w, 0x21, 0x11);
	add(&w, V4, 12);
	add_tlv(&w, 0x02, big, RS_PROXY_MAX - 16 - 12 - 3); /* as large as one may be */
	end(&w);
	assert_int_equal(w.n, RS_PROXY_MAX);
	assert_int_equal(good(w.p, w.n).family, RS_PROXY_INET);
}

static void a_checksum_must_be_right(void **state)
{
	static const uint8_t crc[4] = {0x65, 0x52, 0x34, 0xc2};
	struct wire w;

	begin(&w, 0x21, 0x11);
	add(&w, V4, 12);
	add_tlv(&w, 0x03, crc, 4);
	end(&w);
	assert_int_equal(good(w.p, w.n).family, RS_PROXY_INET);
	for (size_t i = 16; i < w.n; i++) {
		w.p[i] ^= 0x40;
		if (i != 28) /* the type: an unknown field then */
			bad(w.p, w.n);
		w.p[i] ^= 0x40;
	}
}

static void version_2_is_taken_strictly(void **state)
{
	static const uint8_t big[RS_PROXY_MAX] = {1};
	struct wire w;

	for (unsigned command = 0; command < 256; command++) {
		if (command == 0x20 || command == 0x21)
			continue;
		begin(&w, (uint8_t)command, 0x11);
		add(&w, V4, 12);
		end(&w);
		bad(w.p, w.n);
	}
	for (unsigned family = 0; family < 256; family++) {
		if ((family & 0xf) <= 2 && family >> 4 <= 3)
			continue;
		begin(&w, 0x21, (uint8_t)family);
		add(&w, big, 300);
		end(&w);
		bad(w.p, w.n);
	}
	begin(&w, 0x21, 0x11); /* addresses cut off */
	add(&w, V4, 11);
	end(&w);
	bad(w.p, w.n);
	begin(&w, 0x21, 0x11); /* a field cut off: in its head, in its value */
	add(&w, V4, 12);
	add(&w, "\2\0", 2);
	end(&w);
	bad(w.p, w.n);
	begin(&w, 0x21, 0x11);
	add(&w, V4, 12);
	add(&w, "\2\0\5abcd", 7);
	end(&w);
	bad(w.p, w.n);
	begin(&w, 0x21, 0x11); /* one octet too many */
	add(&w, V4, 12);
	add_tlv(&w, 0x02, big, RS_PROXY_MAX - 16 - 12 - 3 + 1);
	end(&w);
	bad(w.p, w.n);
	bad("\r\n\r\n\0\r\nQUIX\n", 12);
	bad("\0", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_1_tells_addresses_and_ports),
		cmocka_unit_test(version_1_may_not_know),
		cmocka_unit_test(ipv6_has_many_forms),
		cmocka_unit_test(version_1_is_taken_strictly),
		cmocka_unit_test(version_2_tells_addresses_and_ports),
		cmocka_unit_test(version_2_may_speak_for_itself_or_not_know),
		cmocka_unit_test(further_fields_are_passed_over),
		cmocka_unit_test(a_checksum_must_be_right),
		cmocka_unit_test(version_2_is_taken_strictly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
