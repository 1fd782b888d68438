/* address.c - see address.h */
#include "server/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/num.h"

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

static void set_v4(const void *four, struct rs_ip *out)
{
	memcpy(out->octets, v4_prefix, 12);
	memcpy(out->octets + 12, four, 4);
}

bool rs_ip_of(const struct sockaddr_storage *sa, struct rs_ip *out)
{
	const struct sockaddr_in *v4 = (const void *)sa;
	const struct sockaddr_in6 *v6 = (const void *)sa;

	if (sa->ss_family == AF_INET)
		set_v4(&v4->sin_addr, out);
	else if (sa->ss_family == AF_INET6)
		memcpy(out->octets, &v6->sin6_addr, 16);
	return sa->ss_family == AF_INET || sa->ss_family == AF_INET6;
}

bool rs_ip_of_text(const char *text, struct rs_ip *out)
{
	uint8_t octets[16];

	if (inet_pton(AF_INET, text, octets) == 1)
		set_v4(octets, out);
	else if (inet_pton(AF_INET6, text, octets) == 1)
		memcpy(out->octets, octets, 16);
	else
		return false;
	return true;
}

bool rs_ip_is_v4(const struct rs_ip *ip)
{
	return memcmp(ip->octets, v4_prefix, 12) == 0;
}

bool rs_ip_is_loopback(const struct rs_ip *ip)
{
	static const uint8_t one[16] = {[15] = 1};

	return rs_ip_is_v4(ip) ? ip->octets[12] == 127 : memcmp(ip->octets, one, 16) == 0;
}

uint64_t rs_ip_source(const struct rs_ip *ip)
{
	const uint8_t *p = rs_ip_is_v4(ip) ? ip->octets + 8 : ip->octets; /* 0000ffff, the four */
	uint64_t v = 0;

	for (unsigned i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v ? v : 1; /* ::/64, where only this machine is */
}

/* No bit is set behind the first `bits`. */
static bool is_net(const struct rs_net *net)
{
	for (unsigned i = net->bits; i < 128; i++) {
		if (net->ip.octets[i / 8] >> (7 - i % 8) & 1)
			return false;
	}
	return true;
}

const char *rs_net_parse(const char *text, struct rs_net *out)
{
	char host[64];
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	uint32_t bits;
	unsigned all;

	if (rs_slice_copy(rs_slice(text, n), host, sizeof(host)) < 0 ||
		!rs_ip_of_text(host, &out->ip))
		return "is not ADDRESS or ADDRESS/BITS, e.g. 192.0.2.1, 10.0.0.0/8, 2001:db8::/32";
	all = strchr(host, ':') ? 128 : 32;
	bits = all;
	if (slash && rs_num_u32(rs_slice_str(slash + 1), all, &bits) < 0)
		return "has a number of bits that is none: 0 to 32 for IPv4, 0 to 128 for IPv6";
	out->bits = bits + 128 - all;
	return is_net(out)
		       ? NULL
		       : "names one machine of a network: give it without /BITS, or set what is "
			 "behind the first BITS to zero";
}

bool rs_net_has(const struct rs_net *net, const struct rs_ip *ip)
{
	unsigned whole = net->bits / 8;
	unsigned rest = net->bits % 8;

	if (memcmp(net->ip.octets, ip->octets, whole) != 0)
		return false;
	return rest == 0 || (net->ip.octets[whole] ^ ip->octets[whole]) >> (8 - rest) == 0;
}
