/* names - questions to the DNS that are not just "which address": SRV, MX, TXT. GResolver underneath.
 *
 * For tests: RESTANTE_TEST_NAMES names a file that answers instead of the DNS, and turns connections elsewhere.
 * What is not in it does not exist; no packet leaves for such names. Its lines:
 *   srv _pop3s._tcp.example.org PRIORITY WEIGHT PORT TARGET
 *   mx example.org PREFERENCE HOST
 *   txt _ua-auto-config.example.org TEXT…
 *   connect pop.example.org:995 127.0.0.1:40123 */
#ifndef RS_CLIENT_NAMES_H
#define RS_CLIENT_NAMES_H

#include <gio/gio.h>

#include "base/err.h"

#define RS_NAMES_MAX 32u /* records of one answer that are looked at */

struct rs_name_srv {
	guint16 priority;
	guint16 weight;
	guint16 port;
	char *target; /* "." : there is no such service */
};

/* Each: records in the order they are to be tried, maybe empty (no such name, no answer); owned. */
GArray *rs_names_srv(
	const char *service, const char *domain, GCancellable *cancel); /* frees its rows */
GPtrArray *rs_names_mx(const char *domain, GCancellable *cancel);       /* of char *    */
GStrv rs_names_txt(const char *name, GCancellable *cancel);

/* Is there a file of names? Then *host and *port of a connection are looked up in it: true, and where to go
 * (owned); false: no such host. */
bool rs_names_testing(void);
bool rs_names_connect(const char *host, guint16 port, char **to_host, guint16 *to_port);

#endif
