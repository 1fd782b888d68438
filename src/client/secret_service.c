/* secret_service.c - see secret_service.h */
#include "client/secret_service.h"

#include <libsecret/secret.h>
#include <string.h>

static const SecretSchema schema = {"org.restante.Secret", SECRET_SCHEMA_NONE,
	{{"account", SECRET_SCHEMA_ATTRIBUTE_STRING}, {"what", SECRET_SCHEMA_ATTRIBUTE_STRING},
		/* the configuration it belongs to: a person may have several */
		{"config", SECRET_SCHEMA_ATTRIBUTE_STRING},
		{NULL, SECRET_SCHEMA_ATTRIBUTE_STRING}}};

bool rs_secret_service_there(void)
{
	const char *home = g_getenv("RESTANTE_HOME");
	const char *bus = g_getenv("DBUS_SESSION_BUS_ADDRESS");
	g_autofree char *standard = g_build_filename(g_get_user_runtime_dir(), "bus", NULL);

	if (home && *home)
		return false;
	return (bus && *bus) || g_file_test(standard, G_FILE_TEST_EXISTS);
}

int rs_secret_service_get(
	const struct rs_places *p, const char *account, const char *what, struct rs_secret **out)
{
	g_autoptr(GError) error = NULL;
	char *text = secret_password_lookup_sync(&schema, NULL, &error, "account", account, "what",
		what, "config", p->config_file, NULL);
	int rc;

	if (!text)
		return error ? -RS_ENET : -RS_ENOENT;
	rc = rs_secret_create(rs_slice_str(text), out);
	secret_password_free(text);
	return rc;
}

int rs_secret_service_put(const struct rs_places *p, const char *account, const char *what,
	const struct rs_secret *secret)
{
	g_autofree char *label = g_strdup_printf("Restante: %s (%s)", account, what);

	return secret_password_store_sync(&schema, SECRET_COLLECTION_DEFAULT, label,
		       (const char *)secret->octets, NULL, NULL, "account", account, "what", what,
		       "config", p->config_file, NULL)
		       ? 0
		       : -RS_ENET;
}

void rs_secret_service_forget(const struct rs_places *p, const char *account, const char *what)
{
	(void)secret_password_clear_sync(&schema, NULL, NULL, "account", account, "what", what,
		"config", p->config_file, NULL);
}
