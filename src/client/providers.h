/* providers - what is known of the large providers: their domains, servers, and what a person has to do there
 * before a mail program may log in. Facts, checked against their help pages; a row each in providers.c. */
#ifndef RS_CLIENT_PROVIDERS_H
#define RS_CLIENT_PROVIDERS_H

#include "client/found.h"

#define RS_PROVIDER_SWITCH_ON \
	0x01u /* POP3 is off until it is switched on in the settings on the web */
#define RS_PROVIDER_OWN_PASSWORD \
	0x02u /* mail has a password of its own, beside that of the web         */
#define RS_PROVIDER_APP_PASSWORD \
	0x04u /* an app password, made on the web                               */
#define RS_PROVIDER_APP_WITH_2FA \
	0x08u /* the same, but only with two-factor login                       */
#define RS_PROVIDER_OAUTH2 \
	0x10u /* OAuth 2 works                                                  */
#define RS_PROVIDER_NO_PASSWORD \
	0x20u /* nothing but OAuth 2 works                                      */
#define RS_PROVIDER_NO_POP3 \
	0x40u                  /* there is none                                                  */
#define RS_PROVIDER_PAID 0x80u /* not in the free contract                                       */

struct rs_provider;

/* By the domain of an address, by the host of an MX record, by a POP3 or SMTP host. NULL: not known. */
const struct rs_provider *rs_provider_of_domain(const char *domain);
const struct rs_provider *rs_provider_of_mx(const char *host);
const struct rs_provider *rs_provider_of_host(const char *host);

const char *rs_provider_name(const struct rs_provider *p);
guint32 rs_provider_flags(const struct rs_provider *p); /* RS_PROVIDER_* */
/* Page on the web where that is done; NULL where it is not known. */
const char *rs_provider_page(const struct rs_provider *p);

/* Its servers for `address`; NULL where it has no POP3. */
struct rs_found *rs_provider_found(const struct rs_provider *p, const char *address);

/* What a person has to know before logging in, one sentence; NULL: nothing. g_free it. */
char *rs_provider_hint(const struct rs_provider *p);

#endif
