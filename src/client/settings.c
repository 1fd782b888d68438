/* settings.c - see settings.h; the lines of the file are read by accounts_file.c. */
#include "client/settings.h"

#include <string.h>

#include "client/discover.h"
#include "client/text.h"

bool rs_settings_group(const char *group)
{
	return strcmp(group, "discovery") == 0;
}

const char *rs_settings_set(
	struct rs_settings *s, const char *group, const char *key, const char *value)
{
	bool none = strcmp(value, "none") == 0;

	if (strcmp(key, "isp-database") != 0)
		return _("is not a known key");
	if (!none && (!g_str_has_prefix(value, "https://") ||
			     !g_uri_is_valid(value, G_URI_FLAGS_NONE, NULL)))
		return _("must be an https:// URL, or none");
	if (!s)
		return NULL;
	g_free(s->isp_database);
	s->isp_database =
		none ? NULL : g_strconcat(value, g_str_has_suffix(value, "/") ? "" : "/", NULL);
	return NULL;
}

void rs_settings_finish(struct rs_settings *s)
{
	g_clear_pointer(&s->isp_database, g_free);
}
