/* watch_system.c - the network and the sleep, as the system tells of them. None of it is needed: without, the
 * schedule and the clocks find out later. */
#include "client/watch_priv.h"

#define LOGIND       "org.freedesktop.login1"
#define LOGIND_PATH  "/org/freedesktop/login1"
#define LOGIND_IFACE "org.freedesktop.login1.Manager"
#define SYSTEM_BUS   "/run/dbus/system_bus_socket"

struct watch_system {
	struct rs_watch *w; /* NULL: it is over, only the answer of the bus is waited for */
	GNetworkMonitor *monitor;
	bool available;
	GDBusConnection *bus;
	guint sleep;
};

static void on_network(GNetworkMonitor *monitor, gboolean available, gpointer data)
{
	struct watch_system *s = data;

	/* it is also told of every address and route; only the coming and going of all of it counts */
	if ((available != FALSE) == s->available)
		return;
	s->available = available != FALSE;
	watch_network(s->w, s->available);
}

static void on_sleep(GDBusConnection *bus, const char *sender, const char *path,
	const char *interface, const char *name, GVariant *arguments, gpointer data)
{
	struct watch_system *s = data;
	gboolean begins = TRUE;

	if (g_variant_is_of_type(arguments, G_VARIANT_TYPE("(b)")))
		g_variant_get(arguments, "(b)", &begins);
	if (!begins)
		watch_resumed(s->w, 0);
}

static void on_bus(GObject *source, GAsyncResult *result, gpointer data)
{
	struct watch_system *s = data;
	GDBusConnection *bus = g_bus_get_finish(result, NULL);

	if (!s->w) {
		g_clear_object(&bus);
		g_free(s);
		return;
	}
	s->bus = bus;
	if (!bus) {
		s->sleep = G_MAXUINT;
		return;
	}
	g_dbus_connection_set_exit_on_close(bus, FALSE);
	s->sleep = g_dbus_connection_signal_subscribe(bus, LOGIND, LOGIND_IFACE, "PrepareForSleep",
		LOGIND_PATH, NULL, G_DBUS_SIGNAL_FLAGS_NONE, on_sleep, s, NULL);
}

struct watch_system *watch_system_create(struct rs_watch *w)
{
	struct watch_system *s = g_new0(struct watch_system, 1);

	s->w = w;
	s->monitor = g_object_ref(g_network_monitor_get_default());
	s->available = g_network_monitor_get_network_available(s->monitor) != FALSE;
	g_signal_connect(s->monitor, "network-changed", G_CALLBACK(on_network), s);
	if (g_getenv("DBUS_SYSTEM_BUS_ADDRESS") || g_file_test(SYSTEM_BUS, G_FILE_TEST_EXISTS))
		g_bus_get(G_BUS_TYPE_SYSTEM, NULL, on_bus, s);
	else
		s->sleep = G_MAXUINT; /* nobody will answer */
	return s;
}

void watch_system_destroy(struct watch_system **s)
{
	bool answered;

	if (!*s)
		return;
	g_signal_handlers_disconnect_by_data((*s)->monitor, *s);
	g_clear_object(&(*s)->monitor);
	answered = (*s)->bus || (*s)->sleep == G_MAXUINT;
	if ((*s)->bus)
		g_dbus_connection_signal_unsubscribe((*s)->bus, (*s)->sleep);
	g_clear_object(&(*s)->bus);
	(*s)->w = NULL;
	if (answered)
		g_free(*s);
	*s = NULL;
}
