/* admin_text - answers of the running service as a person reads them. */
#ifndef RS_RESTANTED_ADMIN_TEXT_H
#define RS_RESTANTED_ADMIN_TEXT_H

#include <json-glib/json-glib.h>

#include "server/admin_req.h"

/* Prints `o`, the answer to `what` of `of` (NULL: nothing in particular); with `quiet` nothing. Returns the
 * exit status. */
int admin_text(enum rs_admin_do what, JsonObject *o, bool quiet, const char *of);

#endif
