/* address - internet addresses as the service compares them: IPv4 and IPv6 in one form, networks, and
 * what counts as one source.   Thread: any. */
#ifndef RS_SERVER_ADDRESS_H
#define RS_SERVER_ADDRESS_H

#include <sys/socket.h>

#include "base/base.h"

/* IPv4 as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2). */
struct rs_ip {
	uint8_t octets[16];
};

struct rs_net {
	struct rs_ip ip;
	unsigned bits; /* of 128 */
};

/* False: it has none (a unix socket). */
bool rs_ip_of(const struct sockaddr_storage *sa, struct rs_ip *out);
bool rs_ip_of_text(const char *text, struct rs_ip *out);
bool rs_ip_is_v4(const struct rs_ip *ip);
bool rs_ip_is_loopback(const struct rs_ip *ip);

/* What counts as one source: an IPv4 address; of IPv6 the /64, because a customer has one at least.
 * Two sources never have the same number; 0 is none. */
uint64_t rs_ip_source(const struct rs_ip *ip);

/* "192.0.2.0/24", "2001:db8::/32", or an address alone. NULL, or what is wrong with it and the cure. */
const char *rs_net_parse(const char *text, struct rs_net *out);
bool rs_net_has(const struct rs_net *net, const struct rs_ip *ip);

#endif
