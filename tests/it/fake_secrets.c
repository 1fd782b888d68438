/* fake_secrets.c - a secret service (org.freedesktop.secrets) with room for one secret, for it_setup.py: just what a
 * client needs to store, find and delete it, over a session without encryption. Says on standard output what is done. */
#include <gio/gio.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define BASE "/org/freedesktop/secrets"
#define ITEM BASE "/item/1"

static const char xml[] =
	"<node><interface name='org.freedesktop.Secret.Service'>"
	"<method name='OpenSession'><arg type='s' direction='in'/><arg type='v' direction='in'/>"
	"<arg type='v' direction='out'/><arg type='o' direction='out'/></method>"
	"<method name='SearchItems'><arg type='a{ss}' direction='in'/><arg type='ao' "
	"direction='out'/>"
	"<arg type='ao' direction='out'/></method>"
	"<method name='GetSecrets'><arg type='ao' direction='in'/><arg type='o' direction='in'/>"
	"<arg type='a{o(oayays)}' direction='out'/></method>"
	"<method name='Unlock'><arg type='ao' direction='in'/><arg type='ao' direction='out'/>"
	"<arg type='o' direction='out'/></method>"
	"<method name='ReadAlias'><arg type='s' direction='in'/><arg type='o' "
	"direction='out'/></method>"
	"<property name='Collections' type='ao' access='read'/></interface>"
	"<interface name='org.freedesktop.Secret.Collection'>"
	"<method name='CreateItem'><arg type='a{sv}' direction='in'/><arg type='(oayays)' "
	"direction='in'/>"
	"<arg type='b' direction='in'/><arg type='o' direction='out'/><arg type='o' "
	"direction='out'/></method>"
	"</interface>"
	"<interface name='org.freedesktop.Secret.Item'>"
	"<method name='Delete'><arg type='o' direction='out'/></method>"
	"<property name='Locked' type='b' access='read'/></interface></node>";

static GDBusNodeInfo *info;
static GVariant *attributes; /* a{ss} of the item, NULL: there is none */
static GVariant *secret;     /* (oayays) */

static void say(const char *what)
{
	puts(what);
	(void)fflush(stdout);
}

static void create(GVariant *parameters, GDBusMethodInvocation *call)
{
	g_autoptr(GVariant) properties = g_variant_get_child_value(parameters, 0);

	g_clear_pointer(&attributes, g_variant_unref);
	g_clear_pointer(&secret, g_variant_unref);
	attributes = g_variant_lookup_value(
		properties, "org.freedesktop.Secret.Item.Attributes", G_VARIANT_TYPE("a{ss}"));
	secret = g_variant_get_child_value(parameters, 1);
	say("stored");
	g_dbus_method_invocation_return_value(call, g_variant_new("(oo)", ITEM, "/"));
}

/* Has the item each of the attributes that are asked for? */
static bool matches(GVariant *asked)
{
	GVariantIter iter;
	const char *key;
	const char *value;
	const char *has;

	g_variant_iter_init(&iter, asked);
	while (g_variant_iter_next(&iter, "{&s&s}", &key, &value)) {
		if (!attributes || !g_variant_lookup(attributes, key, "&s", &has) ||
			strcmp(has, value) != 0)
			return false;
	}
	return attributes != NULL;
}

static void search(GVariant *parameters, GDBusMethodInvocation *call)
{
	g_autoptr(GVariant) asked = g_variant_get_child_value(parameters, 0);
	const char *const none[] = {NULL};
	const char *const one[] = {ITEM, NULL};

	g_dbus_method_invocation_return_value(
		call, g_variant_new("(^ao^ao)", matches(asked) ? one : none, none));
}

static void secrets(GVariant *parameters, GDBusMethodInvocation *call)
{
	GVariantBuilder b;

	g_variant_builder_init(&b, G_VARIANT_TYPE("a{o(oayays)}"));
	if (secret)
		g_variant_builder_add(&b, "{o@(oayays)}", ITEM, secret);
	g_dbus_method_invocation_return_value(call, g_variant_new("(a{o(oayays)})", &b));
}

static void on_call(GDBusConnection *bus, const char *sender, const char *path,
	const char *interface, const char *method, GVariant *parameters,
	GDBusMethodInvocation *call, gpointer data)
{
	const char *const none[] = {NULL};

	if (strcmp(method, "OpenSession") == 0) {
		g_autofree char *algorithm = NULL;

		g_variant_get_child(parameters, 0, "s", &algorithm);
		if (strcmp(algorithm, "plain") == 0)
			g_dbus_method_invocation_return_value(call,
				g_variant_new("(vo)", g_variant_new_string(""), BASE "/session/1"));
		else
			g_dbus_method_invocation_return_error_literal(
				call, G_DBUS_ERROR, G_DBUS_ERROR_NOT_SUPPORTED, "plain only");
	} else if (strcmp(method, "CreateItem") == 0) {
		create(parameters, call);
	} else if (strcmp(method, "SearchItems") == 0) {
		search(parameters, call);
	} else if (strcmp(method, "GetSecrets") == 0) {
		secrets(parameters, call);
	} else if (strcmp(method, "Unlock") == 0) {
		g_dbus_method_invocation_return_value(call, g_variant_new("(^aoo)", none, "/"));
	} else if (strcmp(method, "ReadAlias") == 0) {
		g_dbus_method_invocation_return_value(
			call, g_variant_new("(o)", BASE "/aliases/default"));
	} else {
		g_clear_pointer(&attributes, g_variant_unref);
		g_clear_pointer(&secret, g_variant_unref);
		say("deleted");
		g_dbus_method_invocation_return_value(call, g_variant_new("(o)", "/"));
	}
}

static GVariant *on_get(GDBusConnection *bus, const char *sender, const char *path,
	const char *interface, const char *property, GError **error, gpointer data)
{
	const char *const all[] = {BASE "/aliases/default", NULL};

	return strcmp(property, "Locked") == 0 ? g_variant_new_boolean(FALSE)
					       : g_variant_new_objv(all, -1);
}

static void on_name(GDBusConnection *bus, const char *name, gpointer data)
{
	say("ready");
}

int main(void)
{
	static const GDBusInterfaceVTable table = {on_call, on_get, NULL, {NULL}};
	static const char *const paths[] = {BASE, BASE "/aliases/default", ITEM};
	g_autoptr(GDBusConnection) bus = g_bus_get_sync(G_BUS_TYPE_SESSION, NULL, NULL);
	g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);

	info = g_dbus_node_info_new_for_xml(xml, NULL);
	for (guint i = 0; bus && i < G_N_ELEMENTS(paths); i++)
		(void)g_dbus_connection_register_object(
			bus, paths[i], info->interfaces[i], &table, NULL, NULL, NULL);
	if (!bus || !g_bus_own_name_on_connection(bus, "org.freedesktop.secrets",
			    G_BUS_NAME_OWNER_FLAGS_NONE, on_name, NULL, NULL, NULL))
		return 1;
	g_main_loop_run(loop);
	return 0;
}
