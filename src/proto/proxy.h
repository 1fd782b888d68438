/* proxy - the PROXY protocol in: what a balancer puts in front of a connection to say who its client is.
 * Does:     reads version 1 (one line of text) or 2 (binary) at the start of `in`, which holds the
 *           connection's first octets from the first on. Without state: called again with more of them.
 * Units:    addresses and ports in network order; an IPv4 address is the first 4 octets.
 * Limits:   version 1: 107 octets with the CRLF; version 2: RS_PROXY_MAX, though its own
 *           ceiling is 65,551: balancers send some 30 to 600.
 * Strict:   what may not be in a header is BAD at the first octet that shows it; fields that
 *           version 2 adds (TLVs) are passed over, but must fit, and a checksum must be right.
 * Source:   "The PROXY protocol, versions 1 & 2" (HAProxy, proxy-protocol.txt). */
#ifndef RS_PROTO_PROXY_H
#define RS_PROTO_PROXY_H

#include "base/slice.h"

#define RS_PROXY_V1_MAX 107u
#define RS_PROXY_MAX    4096u

enum rs_proxy_step {
	RS_PROXY_MORE, /* the header goes on */
	RS_PROXY_DONE, /* *used octets were the header */
	RS_PROXY_BAD   /* it is not one */
};

enum rs_proxy_family {
	RS_PROXY_LOCAL,   /* the balancer speaks for itself (a health check) */
	RS_PROXY_UNKNOWN, /* of a client that it cannot or will not tell */
	RS_PROXY_INET,
	RS_PROXY_INET6
};

struct rs_proxy_head {
	enum rs_proxy_family family;
	uint8_t from[16]; /* the client */
	uint8_t to[16];   /* whom it called */
	uint16_t from_port;
	uint16_t to_port;
};

/* `used` and `head` are filled for DONE only. */
enum rs_proxy_step rs_proxy_parse(struct rs_slice in, size_t *used, struct rs_proxy_head *head);

#endif
