/* proxy.c - see proxy.h */
#include "proto/proxy.h"

#include "base/num.h"

#define V2_HEAD    16u /* signature, version and command, family, length */
#define TLV_CRC32C 0x03u

static const uint8_t v2_signature[12] = {
	'\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};
static const char v1_start[] = "PROXY ";

/* Does `in` begin as `with` does, as far as both go? */
static bool agrees(struct rs_slice in, const void *with, size_t n)
{
	return memcmp(in.p, with, RS_MIN(in.n, n)) == 0;
}

/* --- version 1: addresses as text ---------------------------------------------------------- */

/* 1*3DIGIT without a leading zero, at most 255. */
static bool octet_of(struct rs_slice s, uint8_t *out)
{
	uint32_t v;

	if (s.n > 3 || (s.n > 1 && s.p[0] == '0') || rs_num_u32(s, 255, &v) < 0)
		return false;
	*out = (uint8_t)v;
	return true;
}

static bool inet_of(struct rs_slice s, uint8_t out[4])
{
	for (unsigned i = 0; i < 4; i++) {
		size_t n = i < 3 ? rs_slice_find(s, '.') : s.n;

		if ((i < 3 && n == s.n) || !octet_of(rs_slice_sub(s, 0, n), &out[i]))
			return false;
		s = rs_slice_sub(s, n + 1, s.n);
	}
	return true;
}

static int hex_of(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* 1*4HEXDIG into two octets. */
static bool group_of(struct rs_slice s, uint8_t *out)
{
	unsigned v = 0;

	if (s.n < 1 || s.n > 4)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		int digit = hex_of(s.p[i]);

		if (digit < 0)
			return false;
		v = v << 4 | (unsigned)digit;
	}
	out[0] = (uint8_t)(v >> 8);
	out[1] = (uint8_t)v;
	return true;
}

/* Groups with ':' between them, the last may be an IPv4 address: octets written to `out` (of
 * `max`), -1 when it is not that. Nothing is 0 octets. */
static int groups_of(struct rs_slice s, uint8_t *out, size_t max)
{
	size_t n = 0;

	while (s.n) {
		size_t end = rs_slice_find(s, ':');
		struct rs_slice group = rs_slice_sub(s, 0, end);
		bool dotted = end == s.n && rs_slice_find(group, '.') < group.n;
		size_t octets = dotted ? 4 : 2;

		if (n + octets > max ||
			!(dotted ? inet_of(group, out + n) : group_of(group, out + n)))
			return -1;
		n += octets;
		if (end + 1 == s.n)
			return -1; /* a ':' with nothing behind it */
		s = rs_slice_sub(s, end + 1, s.n);
	}
	return (int)n;
}

/* RFC 4291 section 2.2, all three forms; "::" stands for one group at least. */
static bool inet6_of(struct rs_slice s, uint8_t out[16])
{
	uint8_t tail[16];
	size_t gap = 0;
	int head_n;
	int tail_n;

	while (gap + 1 < s.n && (s.p[gap] != ':' || s.p[gap + 1] != ':'))
		gap++;
	if (gap + 1 >= s.n)
		return s.n && groups_of(s, out, 16) == 16;
	memset(out, 0, 16);
	/* an IPv4 address may only end the whole, so none may stand in front of the gap */
	if (rs_slice_find(rs_slice_sub(s, 0, gap), '.') < gap)
		return false;
	head_n = groups_of(rs_slice_sub(s, 0, gap), out, 14);
	tail_n = head_n < 0 ? -1
			    : groups_of(rs_slice_sub(s, gap + 2, s.n), tail, 14u - (size_t)head_n);
	if (tail_n < 0)
		return false;
	memcpy(out + 16 - tail_n, tail, (size_t)tail_n);
	return true;
}

static bool port_of(struct rs_slice s, uint16_t *out)
{
	uint32_t v;

	if (s.n > 5 || (s.n > 1 && s.p[0] == '0') || rs_num_u32(s, 65535, &v) < 0)
		return false;
	*out = (uint16_t)v;
	return true;
}

/* The next field and the one blank behind it. */
static struct rs_slice field(struct rs_slice *rest)
{
	size_t n = rs_slice_find(*rest, ' ');
	struct rs_slice f = rs_slice_sub(*rest, 0, n);

	*rest = rs_slice_sub(*rest, n + 1, rest->n);
	return f;
}

/* `line` behind "PROXY ", without CRLF. */
static bool line_of(struct rs_slice line, struct rs_proxy_head *h)
{
	struct rs_slice rest = line;
	struct rs_slice family = field(&rest);
	struct rs_slice from;
	struct rs_slice to;
	bool six = rs_slice_eq_str(family, "TCP6");
	size_t blanks = 0;

	if (rs_slice_eq_str(family, "UNKNOWN")) { /* whatever follows says nothing */
		h->family = RS_PROXY_UNKNOWN;
		return true;
	}
	for (size_t i = 0; i < line.n; i++)
		blanks += line.p[i] == ' ';
	if (blanks != 4 || (!six && !rs_slice_eq_str(family, "TCP4")))
		return false;
	h->family = six ? RS_PROXY_INET6 : RS_PROXY_INET;
	from = field(&rest);
	to = field(&rest);
	if (!(six ? inet6_of(from, h->from) && inet6_of(to, h->to)
		  : inet_of(from, h->from) && inet_of(to, h->to)))
		return false;
	from = field(&rest);
	return port_of(from, &h->from_port) && port_of(rest, &h->to_port);
}

static enum rs_proxy_step version_1(struct rs_slice in, size_t *used, struct rs_proxy_head *h)
{
	size_t start = sizeof(v1_start) - 1;
	size_t n;

	if (!agrees(in, v1_start, start))
		return RS_PROXY_BAD;
	/* up to the first octet that no line of text has, or its end */
	for (n = 0; n < in.n && in.p[n] >= 0x20 && in.p[n] < 0x7f; n++)
		continue;
	if (n == in.n)
		return n + 2 > RS_PROXY_V1_MAX ? RS_PROXY_BAD : RS_PROXY_MORE;
	if (n + 2 > RS_PROXY_V1_MAX || n < start || in.p[n] != '\r' ||
		(n + 1 < in.n && in.p[n + 1] != '\n'))
		return RS_PROXY_BAD;
	if (!line_of(rs_slice_sub(in, start, n - start), h))
		return RS_PROXY_BAD;
	if (n + 1 == in.n)
		return RS_PROXY_MORE;
	*used = n + 2;
	return RS_PROXY_DONE;
}

/* --- version 2 ------------------------------------------------------------------------------ */

static uint16_t u16_of(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t crc32c(uint32_t crc, uint8_t octet)
{
	crc ^= octet;
	for (int i = 0; i < 8; i++)
		crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	return crc;
}

/* Of the whole header, its own four octets at `at` taken as 0. */
static bool checksum_right(struct rs_slice head, size_t at)
{
	uint32_t told = (uint32_t)u16_of(head.p + at) << 16 | u16_of(head.p + at + 2);
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < head.n; i++)
		crc = crc32c(crc, i - at < 4 ? 0 : head.p[i]);
	return (crc ^ UINT32_MAX) == told;
}

/* Type, length, value, from `at` to the end of the header. */
static bool tlvs_fit(struct rs_slice head, size_t at)
{
	while (at < head.n) {
		size_t n;

		if (head.n - at < 3)
			return false;
		n = u16_of(head.p + at + 1);
		if (n > head.n - at - 3)
			return false;
		if (head.p[at] == TLV_CRC32C && (n != 4 || !checksum_right(head, at + 3)))
			return false;
		at += 3 + n;
	}
	return true;
}

/* Octets of the addresses of a family and transport; -1: there is no such thing. */
static int addresses_n(uint8_t family)
{
	if ((family & 0x0f) > 2 || family >> 4 > 3)
		return -1;
	switch (family >> 4) {
	case 1:
		return 12;
	case 2:
		return 36;
	case 3:
		return 216; /* unix sockets */
	default:
		return 0;
	}
}

static void addresses_of(const uint8_t *p, uint8_t family, struct rs_proxy_head *h)
{
	size_t n = family == 0x11 ? 4 : 16;

	h->family = RS_PROXY_UNKNOWN; /* datagrams and unix sockets name nobody here */
	if (family != 0x11 && family != 0x21)
		return;
	h->family = n == 4 ? RS_PROXY_INET : RS_PROXY_INET6;
	memcpy(h->from, p, n);
	memcpy(h->to, p + n, n);
	h->from_port = u16_of(p + 2 * n);
	h->to_port = u16_of(p + 2 * n + 2);
}

static enum rs_proxy_step version_2(struct rs_slice in, size_t *used, struct rs_proxy_head *h)
{
	bool local;
	size_t n;
	int addresses;

	if (!agrees(in, v2_signature, sizeof(v2_signature)))
		return RS_PROXY_BAD;
	/* version 2; command LOCAL or PROXY */
	if (in.n > 12 && in.p[12] != 0x20 && in.p[12] != 0x21)
		return RS_PROXY_BAD;
	if (in.n > 13 && addresses_n(in.p[13]) < 0)
		return RS_PROXY_BAD;
	if (in.n < V2_HEAD)
		return RS_PROXY_MORE;
	local = in.p[12] == 0x20;
	addresses = addresses_n(in.p[13]);
	n = V2_HEAD + u16_of(in.p + 14);
	/* LOCAL: what follows is passed over, whatever it is */
	if (n > RS_PROXY_MAX || (!local && n < V2_HEAD + (size_t)addresses))
		return RS_PROXY_BAD;
	if (in.n < n)
		return RS_PROXY_MORE;
	if (local)
		h->family = RS_PROXY_LOCAL;
	else if (!tlvs_fit(rs_slice_sub(in, 0, n), V2_HEAD + (size_t)addresses))
		return RS_PROXY_BAD;
	else
		addresses_of(in.p + V2_HEAD, in.p[13], h);
	*used = n;
	return RS_PROXY_DONE;
}

enum rs_proxy_step rs_proxy_parse(struct rs_slice in, size_t *used, struct rs_proxy_head *head)
{
	struct rs_proxy_head h = {.family = RS_PROXY_LOCAL};
	enum rs_proxy_step s;

	if (in.n == 0)
		return RS_PROXY_MORE;
	s = in.p[0] == v2_signature[0] ? version_2(in, used, &h) : version_1(in, used, &h);
	if (s == RS_PROXY_DONE)
		*head = h;
	return s;
}
