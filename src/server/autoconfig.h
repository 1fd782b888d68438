/* autoconfig - the provider's own data for mail programs, by HTTP and without I/O:
 *
 *   GET  /mail/config-v1.1.xml, /.well-known/autoconfig/mail/config-v1.1.xml   Thunderbird and many others
 *        (draft-ietf-mailmaint-autoconfig; ?emailaddress= says which domain)
 *   POST /autodiscover/autodiscover.xml          Outlook's POX autodiscover (MS-OXDSCLI), any case of the path
 *   GET  /email.mobileconfig?email=ADDRESS       an Apple configuration profile, not signed
 *   GET  /.well-known/user-agent-configuration.json   draft-ietf-mailmaint-pacc; rs_pacc_txt is its TXT record
 *
 * All of them follow from the configuration alone (card.h): every address of a domain gets the same answer,
 * whether it exists or not. */
#ifndef RS_SERVER_AUTOCONFIG_H
#define RS_SERVER_AUTOCONFIG_H

#include "server/card.h"
#include "server/http.h"

/* The whole answer to `step`; `req` with RS_HTTP_REQUEST. Returns the status. */
guint rs_autoconfig_answer(const struct rs_conf *conf, enum rs_http_step step,
	const struct rs_http_req *req, GString *out);

/* The documents themselves. */
void rs_autoconfig_xml(GString *out, const struct rs_conf *conf, const char *domain);
/* `address` NULL: the error that says that none was given. */
void rs_autodiscover_xml(GString *out, const struct rs_conf *conf, const char *address);
/* False: a profile needs a server for mail out too, and there is none. */
bool rs_mobileconfig(GString *out, const struct rs_conf *conf, const char *address);
void rs_pacc_json(GString *out, const struct rs_conf *conf);

/* What belongs into DNS at _ua-auto-config.DOMAIN for the JSON as it is served now. */
char *rs_pacc_txt(const struct rs_conf *conf);

#endif
