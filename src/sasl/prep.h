/* prep - SASLprep (RFC 4013): the one form of a password that both sides of an exchange hash. */
#ifndef RS_SASL_PREP_H
#define RS_SASL_PREP_H

#include "base/base.h"

/* *out: owned (wipe it, g_free). -RS_EINVAL: not UTF-8, or with characters that a password may not have. */
int rs_sasl_prep(const char *given, char **out) RS_MUST_USE;

#endif
