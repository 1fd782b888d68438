/* settings - what config.ini says beside the accounts: groups of their own, [discovery] so far. */
#ifndef RS_CLIENT_SETTINGS_H
#define RS_CLIENT_SETTINGS_H

#include "client/account.h"

struct rs_settings {
	char *isp_database; /* [discovery] isp-database: URL with / at its end; NULL: none is asked */
};

/* Is [GROUP] one of these? And, for its KEY = VALUE: NULL, or why not (translated). `s` may be NULL. */
bool rs_settings_group(const char *group);
const char *rs_settings_set(
	struct rs_settings *s, const char *group, const char *key, const char *value);

/* -RS_ECONFIG with file and line, as rs_accounts_load. */
int rs_settings_load(
	const struct rs_places *p, struct rs_settings *out, struct rs_err *err) RS_MUST_USE;
void rs_settings_finish(struct rs_settings *s);

#endif
