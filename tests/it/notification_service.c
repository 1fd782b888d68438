/* notification_service.c - stands for the desktop: owns org.freedesktop.Notifications on the session bus and prints
 * one line a notice: summary, TAB, body with its line ends as blanks. "ready" when it has the name.
 * With an argument it stands for logind: each line of its input makes it tell that the computer woke up. */
#include <gio/gio.h>
#include <stdio.h>

static const char xml[] =
	"<node><interface name='org.freedesktop.Notifications'><method name='Notify'>"
	"<arg type='s' direction='in'/><arg type='u' direction='in'/><arg type='s' direction='in'/>"
	"<arg type='s' direction='in'/><arg type='s' direction='in'/><arg type='as' "
	"direction='in'/>"
	"<arg type='a{sv}' direction='in'/><arg type='i' direction='in'/>"
	"<arg type='u' direction='out'/></method></interface></node>";

static void on_call(GDBusConnection *bus, const char *sender, const char *path,
	const char *interface, const char *method, GVariant *arguments,
	GDBusMethodInvocation *invocation, gpointer data)
{
	const char *summary;
	g_autofree char *body = NULL;

	g_variant_get_child(arguments, 3, "&s", &summary);
	g_variant_get_child(arguments, 4, "s", &body);
	printf("%s\t%s\n", summary, g_strdelimit(body, "\n", ' '));
	(void)fflush(stdout);
	g_dbus_method_invocation_return_value(invocation, g_variant_new("(u)", 1u));
}

static void on_bus(GDBusConnection *bus, const char *name, gpointer data)
{
	static const GDBusInterfaceVTable calls = {.method_call = on_call};
	GDBusNodeInfo *node = g_dbus_node_info_new_for_xml(xml, NULL);

	g_dbus_connection_register_object(bus, "/org/freedesktop/Notifications",
		node->interfaces[0], &calls, NULL, NULL, NULL);
}

static void on_name(GDBusConnection *bus, const char *name, gpointer data)
{
	(void)puts("ready");
	(void)fflush(stdout);
}

static gboolean on_line(GIOChannel *input, GIOCondition condition, gpointer data)
{
	g_autofree char *line = NULL;

	if (g_io_channel_read_line(input, &line, NULL, NULL, NULL) != G_IO_STATUS_NORMAL)
		return G_SOURCE_REMOVE;
	g_dbus_connection_emit_signal(data, NULL, "/org/freedesktop/login1",
		"org.freedesktop.login1.Manager", "PrepareForSleep", g_variant_new("(b)", FALSE),
		NULL);
	return G_SOURCE_CONTINUE;
}

static void on_logind_bus(GDBusConnection *bus, const char *name, gpointer data)
{
	g_io_add_watch(g_io_channel_unix_new(0), G_IO_IN | G_IO_HUP, on_line, bus);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		g_bus_own_name(G_BUS_TYPE_SESSION, "org.freedesktop.login1",
			G_BUS_NAME_OWNER_FLAGS_NONE, on_logind_bus, on_name, NULL, NULL, NULL);
	else
		g_bus_own_name(G_BUS_TYPE_SESSION, "org.freedesktop.Notifications",
			G_BUS_NAME_OWNER_FLAGS_NONE, on_bus, on_name, NULL, NULL, NULL);
	g_main_loop_run(g_main_loop_new(NULL, FALSE));
	return 0;
}
