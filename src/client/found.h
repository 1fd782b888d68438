/* found - the settings of a provider as a search came upon them: servers, where that is said, how far it can
 * be trusted. Values and their words; the search is discover.h.
 *
 * Trust: what came by HTTPS, is built in, or names a host inside the domain of the address (whose certificate
 * then has to be for it) may be used as it is. What plain DNS says about another domain anybody on the way can
 * have said: a person has to agree. A server without TLS needs an explicit choice, whoever names it. */
#ifndef RS_CLIENT_FOUND_H
#define RS_CLIENT_FOUND_H

#include "client/account.h"

/* In the order of their worth: a smaller one wins. */
enum rs_found_from {
	RS_FOUND_BUILT_IN,    /* providers.h */
	RS_FOUND_PACC,        /* the provider's JSON with its digest in the DNS */
	RS_FOUND_AUTOCONFIG,  /* https://autoconfig.DOMAIN/ */
	RS_FOUND_WELL_KNOWN,  /* https://DOMAIN/.well-known/autoconfig/ */
	RS_FOUND_DATABASE,    /* the database of many providers */
	RS_FOUND_SRV,         /* RFC 6186, 8314 */
	RS_FOUND_MX,          /* who receives the mail of the domain */
	RS_FOUND_MX_CONFIG,   /* his autoconfig */
	RS_FOUND_MX_DATABASE, /* he, in the database */
	RS_FOUND_PROBE,       /* common names that answer */
	RS_FOUND_N
};

struct rs_found_server {
	char *host; /* NULL: none */
	guint16 port;
	enum rs_security security;
	char *user;    /* NULL: none is needed (SMTP) */
	bool password; /* takes one */
	bool oauth2;   /* takes tokens */
};

struct rs_found {
	enum rs_found_from from;
	char *source;   /* what was read: a URL, names of records; data, not words */
	char *provider; /* his name, or NULL */
	bool trusted;
	struct rs_found_server pop3; /* host is never NULL */
	struct rs_found_server smtp;
	char *enable_url;   /* page that says how to switch POP3 on, or NULL */
	char *oauth_issuer; /* host or URL, or NULL: for whoever logs in by the browser */
};

struct rs_found *rs_found_new(enum rs_found_from from, const char *source);
void rs_found_free(struct rs_found *f);

/* "file of the provider", "SRV records" ...; translated, borrowed. */
const char *rs_found_from_words(enum rs_found_from from);
/* Name for programs: "built-in", "autoconfig", "srv" ... */
const char *rs_found_from_name(enum rs_found_from from);

/* Is `host` the domain itself or a name in it? */
bool rs_found_inside(const char *host, const char *domain);

/* Into the account what it does not have yet: server by server, so that what a person said stays. -RS_EINVAL when
 * a value found cannot be one of the account. */
int rs_found_apply(const struct rs_found *f, struct rs_account *a, struct rs_err *err) RS_MUST_USE;

#endif
