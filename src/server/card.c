/* card.c - see card.h */
#include "server/card.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/num.h"

#define DOMAIN_MAX 253u
#define LABEL_MAX  63u

static bool is_loopback(const struct rs_conf_listen *l)
{
	const struct sockaddr_in *v4 = (const void *)&l->addr;
	const struct sockaddr_in6 *v6 = (const void *)&l->addr;

	if (l->addr.ss_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
	return l->addr.ss_family == AF_INET && ntohl(v4->sin_addr.s_addr) >> 24 == 127;
}

static guint port_of(const struct rs_conf_listen *l)
{
	const struct sockaddr_in *v4 = (const void *)&l->addr;
	const struct sockaddr_in6 *v6 = (const void *)&l->addr;

	return ntohs(l->addr.ss_family == AF_INET6 ? v6->sin6_port : v4->sin_port);
}

/* The listener of a service that clients are told of; NULL: it has none. */
static const struct rs_conf_listen *listener(const struct rs_conf *conf, enum rs_service service)
{
	const struct rs_conf_listen *first = NULL;

	for (guint i = 0; conf->listen && i < conf->listen->len; i++) {
		const struct rs_conf_listen *l = g_ptr_array_index(conf->listen, i);

		if (l->service != service || l->addr.ss_family == AF_UNIX)
			continue;
		if (!is_loopback(l))
			return l;
		if (!first)
			first = l;
	}
	return first;
}

/* "HOST:PORT", which conf_keys.c has checked. */
static void split(const char *text, struct rs_card_server *s)
{
	const char *colon = strrchr(text, ':');
	guint32 port = 0;

	if (rs_num_u32(rs_slice_str(colon + 1), 65535, &port) == 0)
		s->port = port;
	s->host = g_strndup(text, (gsize)(colon - text));
}

static bool has(const struct rs_conf *conf, const char *mech)
{
	g_auto(GStrv) list = g_strsplit(conf->mechanisms, " ", -1);

	return g_strv_contains((const char *const *)list, mech);
}

static unsigned logins(const struct rs_conf *conf, const struct rs_card_server *s)
{
	unsigned found = 0;

	if (has(conf, "XOAUTH2") || has(conf, "OAUTHBEARER"))
		found |= RS_CARD_OAUTH;
	if (s->incoming || has(conf, "PLAIN") || has(conf, "LOGIN"))
		found |= RS_CARD_PASSWORD;
	if (s->security != RS_CARD_PLAIN && has(conf, "EXTERNAL"))
		found |= RS_CARD_CERTIFICATE;
	return found;
}

static void add(struct rs_card *card, const struct rs_conf *conf, enum rs_service service,
	struct rs_card_server s)
{
	const struct rs_conf_listen *l = listener(conf, service);
	const char *said = conf->autoconfig_public[service];

	if (said ? strcmp(said, "off") == 0 : !l)
		return;
	if (said) {
		split(said, &s);
	} else {
		s.host = g_strdup(conf->hostname);
		s.port = port_of(l);
	}
	s.logins = logins(conf, &s);
	card->servers[card->servers_n++] = s;
}

void rs_card_init(struct rs_card *card, const struct rs_conf *conf)
{
	enum rs_card_security later = conf->certificate ? RS_CARD_STARTTLS : RS_CARD_PLAIN;

	*card = (struct rs_card){.name = conf->autoconfig_name,
		.short_name = conf->autoconfig_short_name,
		.local_part = conf->autoconfig_local_part};
	if (!card->name)
		card->name = conf->hostname;
	if (!card->short_name)
		card->short_name = card->name;
	add(card, conf, RS_SERVICE_POP3S, (struct rs_card_server){.incoming = true});
	add(card, conf, RS_SERVICE_POP3,
		(struct rs_card_server){.incoming = true, .security = later});
	add(card, conf, RS_SERVICE_SUBMISSIONS, (struct rs_card_server){.incoming = false});
	add(card, conf, RS_SERVICE_SUBMISSION,
		(struct rs_card_server){.incoming = false, .security = later});
}

void rs_card_finish(struct rs_card *card)
{
	for (guint i = 0; i < card->servers_n; i++)
		g_free(card->servers[i].host);
	card->servers_n = 0;
}

const struct rs_card_server *rs_card_first(const struct rs_card *card, bool incoming)
{
	for (guint i = 0; i < card->servers_n; i++) {
		if (card->servers[i].incoming == incoming)
			return &card->servers[i];
	}
	return NULL;
}

/* --- addresses ----------------------------------------------------------------------------- */

/* Labels of letters, digits and hyphens, or of octets of UTF-8. */
static bool domain_form(const char *domain)
{
	size_t label = 0;
	size_t n = strlen(domain);

	if (n == 0 || n > DOMAIN_MAX || !g_utf8_validate(domain, (gssize)n, NULL))
		return false;
	for (size_t i = 0; i <= n; i++) {
		char c = domain[i];

		if (c != '.' && c != '\0') {
			label++;
			if (!g_ascii_isalnum(c) && c != '-' && (guchar)c < 0x80)
				return false;
			continue;
		}
		if (label == 0 || label > LABEL_MAX)
			return false;
		label = 0;
	}
	return true;
}

bool rs_card_domain_ok(const struct rs_conf *conf, const char *domain)
{
	char **d = conf->autoconfig_domains;

	if (!domain_form(domain))
		return false;
	while (d && *d && g_ascii_strcasecmp(*d, domain) != 0)
		d++;
	return !d || *d;
}

bool rs_card_address_ok(const struct rs_conf *conf, const char *address)
{
	const char *at = strrchr(address, '@');

	if (!at || at == address || at - address > 64 ||
		!g_utf8_validate(address, at - address, NULL))
		return false;
	for (const char *c = address; c < at; c++) {
		if ((guchar)*c <= ' ' || *c == 0x7f)
			return false;
	}
	return rs_card_domain_ok(conf, at + 1);
}
