/* discover - the settings of a mail account, from its address. Steps, all side by side:
 *   the provider's PACC document, his autoconfig at both places, the database of providers, SRV records,
 *   the provider behind the MX record, servers of common names; before them all, without a packet, what is built in.
 * The best answer wins (found.h: enum rs_found_from); as soon as no better one can come, the others are stopped.
 *
 * What leaves the computer: the domain of the address goes to the DNS and to the database; the address itself only
 * to hosts of that domain (autoconfig.DOMAIN), because their format wants it. Blocks until done, at most
 * `limit_s`; call it on a thread of its own where that matters. */
#ifndef RS_CLIENT_DISCOVER_H
#define RS_CLIENT_DISCOVER_H

#include <gio/gio.h>

#include "client/found.h"

#define RS_DISCOVER_LIMIT_S  10u
#define RS_DISCOVER_DATABASE "https://autoconfig.thunderbird.net/v1.1/"

struct rs_discover {
	const char *address;
	const char *ca_file;  /* NULL: the system's authorities */
	const char *database; /* URL with / at its end, behind which the domain goes; NULL: none */
	guint limit_s;        /* of each step */
	GCancellable *cancel; /* NULL, or lent */
};

/* -RS_ENOENT: nothing was found (the text says what to do); -RS_EINVAL: no address; -RS_ECONFIG: the provider is
 * known to have no POP3; -RS_ETEMP: cancelled. */
int rs_discover_run(
	const struct rs_discover *d, struct rs_found **out, struct rs_err *err) RS_MUST_USE;

#endif
