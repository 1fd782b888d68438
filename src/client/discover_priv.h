/* discover_priv.h - what the files of the search share. */
#ifndef RS_CLIENT_DISCOVER_PRIV_H
#define RS_CLIENT_DISCOVER_PRIV_H

#include "client/discover.h"
#include "client/discover_parse.h"

struct discover_run {
	const struct rs_discover *d; /* lent */
	const char *domain;          /* in ASCII, lower case */
	GCancellable *stop;          /* of all steps */
};

/* GET by HTTPS only, redirects to HTTPS only, at most RS_DISCOVER_DOCUMENT_MAX octets. NULL: there is none. */
GString *discover_get(const struct discover_run *r, const char *url);

/* Servers of common names that shake hands and greet. NULL: none. */
struct rs_found *discover_probe(const struct discover_run *r);

#endif
