/* sasl_int.h - what the files of floor sasl share. Nobody else includes it. */
#ifndef RS_SASL_SASL_INT_H
#define RS_SASL_SASL_INT_H

#include <glib.h>
#include <gsasl.h>

#include "sasl/sasl.h"

/* GNU SASL's library handle, one a process; NULL: out of memory. sasl_server.c */
Gsasl *sasl_gnu(void);

#endif
