/* notice.c - see notice.h */
#include "client/notice.h"

#include <gio/gio.h>

#include "client/text.h"

#define SERVICE "org.freedesktop.Notifications"
#define PATH    "/org/freedesktop/Notifications"
#define CALL_MS 10000

struct rs_notices {
	bool bus; /* there is one */
	GCancellable *cancel;
	guint pending; /* asked and not answered */
};

struct rs_notices *rs_notices_create(void)
{
	struct rs_notices *n = g_new0(struct rs_notices, 1);
	g_autofree char *standard = g_build_filename(g_get_user_runtime_dir(), "bus", NULL);

	/* asked here, because GIO would start a bus where there is none */
	n->bus = g_getenv("DBUS_SESSION_BUS_ADDRESS") || g_file_test(standard, G_FILE_TEST_EXISTS);
	n->cancel = g_cancellable_new();
	return n;
}

void rs_notices_destroy(struct rs_notices **n, guint wait_ms)
{
	gint64 until = g_get_monotonic_time() + (gint64)wait_ms * 1000;

	if (!*n)
		return;
	while ((*n)->pending && g_get_monotonic_time() < until) {
		if (!g_main_context_iteration(NULL, FALSE))
			g_usleep(2000);
	}
	g_cancellable_cancel((*n)->cancel);
	while ((*n)->pending) /* each is told so at once */
		(void)g_main_context_iteration(NULL, TRUE);
	g_object_unref((*n)->cancel);
	g_free(*n);
	*n = NULL;
}

static void on_shown(GObject *source, GAsyncResult *result, gpointer data)
{
	struct rs_notices *n = data;
	g_autoptr(GVariant) id =
		g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, NULL);

	n->pending--; /* nobody shows it: the message is in its folder all the same */
}

struct notice {
	struct rs_notices *n;
	GVariant *arguments;
};

static void on_bus(GObject *source, GAsyncResult *result, gpointer data)
{
	struct notice *notice = data;
	g_autoptr(GDBusConnection) bus = g_bus_get_finish(result, NULL);

	if (bus) {
		/* the session's end is no reason to stop fetching */
		g_dbus_connection_set_exit_on_close(bus, FALSE);
		g_dbus_connection_call(bus, SERVICE, PATH, SERVICE, "Notify", notice->arguments,
			G_VARIANT_TYPE("(u)"), G_DBUS_CALL_FLAGS_NONE, CALL_MS, notice->n->cancel,
			on_shown, notice->n);
	} else {
		notice->n->pending--;
	}
	g_variant_unref(notice->arguments);
	g_free(notice);
}

static void show(struct rs_notices *n, const char *icon, const char *summary, const char *body)
{
	struct notice *notice;
	GVariantBuilder hints;

	if (!n->bus)
		return;
	g_variant_builder_init(&hints, G_VARIANT_TYPE("a{sv}"));
	g_variant_builder_add(&hints, "{sv}", "category", g_variant_new_string("email.arrived"));
	g_variant_builder_add(&hints, "{sv}", "desktop-entry", g_variant_new_string("restante"));
	notice = g_new0(struct notice, 1);
	notice->n = n;
	notice->arguments = g_variant_ref_sink(g_variant_new(
		"(susssasa{sv}i)", "Restante", 0u, icon, summary, body, NULL, &hints, -1));
	n->pending++;
	g_bus_get(G_BUS_TYPE_SESSION, n->cancel, on_bus, notice);
}

/* The body may hold markup, so what a sender wrote is escaped. */
void rs_notices_new_mail(
	struct rs_notices *n, const char *account, guint count, const GArray *named)
{
	g_autofree char *summary = g_strdup_printf(
		P_("%s: %u new message", "%s: %u new messages", count), account, count);
	g_autoptr(GString) body = g_string_new(NULL);

	for (guint i = 0; i < named->len; i++) {
		const struct rs_check_new *m = &g_array_index(named, struct rs_check_new, i);
		g_autofree char *line = g_markup_printf_escaped("%s%s – %s", i ? "\n" : "",
			*m->from ? m->from : "?", *m->subject ? m->subject : _("(no subject)"));

		g_string_append(body, line);
	}
	if (count > named->len && named->len)
		g_string_append(body, "\n…");
	show(n, "mail-unread", summary, body->str);
}

void rs_notices_trouble(struct rs_notices *n, const char *account, const char *text)
{
	g_autofree char *body = g_markup_escape_text(text, -1);

	show(n, "dialog-warning", account, body);
}
