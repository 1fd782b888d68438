/* discover_parse - what providers publish, read: octets of strangers in, settings out. Pure.
 * Errors: -RS_EINVAL not of that form; -RS_ENOENT readable, and no POP3 server that we can use is in it; -RS_ELIMIT;
 * -RS_ECERT the digest does not fit. The best server of each kind is taken: TLS, then STARTTLS, then without. */
#ifndef RS_CLIENT_DISCOVER_PARSE_H
#define RS_CLIENT_DISCOVER_PARSE_H

#include "client/found.h"
#include "client/names.h"

#define RS_DISCOVER_DOCUMENT_MAX 262144u /* octets of one document; the largest known has 6 KiB */
#define RS_DISCOVER_DEPTH_MAX    16u     /* elements in one another */

/* config-v1.1 (draft-ietf-mailmaint-autoconfig), also of the database. `from` and `source` as in found.h. */
int rs_found_read_xml(
	const char *text, gsize n, const char *address, struct rs_found **out) RS_MUST_USE;

/* draft-ietf-mailmaint-pacc: the document, and the TXT records that stand beside it (ended by NULL). */
int rs_found_read_pacc(const char *text, gsize n, const char *const *txt, const char *address,
	struct rs_found **out) RS_MUST_USE;

/* RFC 6186, 8314: records of _pop3s, _pop3, _submissions, _submission of the domain; each array of struct
 * rs_name_srv or NULL. A target "." says that there is no such service. */
int rs_found_read_srv(
	const GArray *const records[4], const char *address, struct rs_found **out) RS_MUST_USE;

/* A host name that may be connected to: letters, digits, hyphens, dots, within the DNS's limits. */
bool rs_found_host_ok(const char *host);

#endif
