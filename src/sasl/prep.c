/* prep.c - see prep.h */
#include "sasl/prep.h"

#include <glib.h>
#include <gsasl.h>
#include <string.h>

#include "base/err.h"
#include "base/secret.h"

int rs_sasl_prep(const char *given, char **out)
{
	char *made = NULL;

	/* what Unicode did not know when the tables were made is allowed, as RFC 4013 has it for queries */
	if (gsasl_saslprep(given, GSASL_ALLOW_UNASSIGNED, &made, NULL) != GSASL_OK)
		return -RS_EINVAL;
	*out = g_strdup(made);
	rs_wipe(made, strlen(made));
	gsasl_free(made);
	return 0;
}
