/* card - what a mail program must know to use this service: servers, ports, security, user name. Taken from the
 * configuration alone, so it says nothing about who has a mailbox here. The documents of the
 * autoconfig listener (autoconfig.h) and `restanted user card` are made of it.
 *
 * A server is told where [listen] has its service, with [server] hostname and the port of the first listener
 * that is not loopback (of the first where all are); [autoconfig] pop3s, pop3, submissions and
 * submission say otherwise, with HOST:PORT, or off. TLS from the start comes before STARTTLS (RFC 8314). */
#ifndef RS_SERVER_CARD_H
#define RS_SERVER_CARD_H

#include "server/conf.h"

#define RS_CARD_SERVERS_MAX 4u

enum rs_card_security { RS_CARD_TLS, RS_CARD_STARTTLS, RS_CARD_PLAIN };

/* How a mail program may log in there, as [auth] has it. The best comes first. */
enum rs_card_login {
	RS_CARD_OAUTH = 1,    /* XOAUTH2 or OAUTHBEARER    */
	RS_CARD_PASSWORD = 2, /* USER, PLAIN, LOGIN, SCRAM */
	RS_CARD_CERTIFICATE = 4
};

struct rs_card_server {
	bool incoming; /* POP3, else SMTP */
	char *host;
	guint port;
	enum rs_card_security security;
	unsigned logins; /* enum rs_card_login, or'ed */
};

struct rs_card {
	struct rs_card_server servers[RS_CARD_SERVERS_MAX]; /* incoming ones first */
	guint servers_n;
	const char *name; /* of the provider; the rest is lent by the configuration */
	const char *short_name;
	bool local_part; /* the user name is the address without its domain */
};

void rs_card_init(struct rs_card *card, const struct rs_conf *conf);
void rs_card_finish(struct rs_card *card);

/* The first incoming or outgoing server; NULL: there is none. */
const struct rs_card_server *rs_card_first(const struct rs_card *card, bool incoming);

/* Is it NAME@DOMAIN as such, and (where [autoconfig] domains is given) of one of ours? Not whether it exists. */
bool rs_card_address_ok(const struct rs_conf *conf, const char *address);
/* The same for a domain alone. */
bool rs_card_domain_ok(const struct rs_conf *conf, const char *domain);

#endif
