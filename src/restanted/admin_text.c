/* admin_text.c - see admin_text.h */
#include "restanted/admin_text.h"

#include <stdio.h>

#include "restanted/commands.h"

static const char *text_of(JsonObject *o, const char *name)
{
	return json_object_get_string_member_with_default(o, name, "");
}

static gint64 number_of(JsonObject *o, const char *name)
{
	return json_object_get_int_member_with_default(o, name, 0);
}

/* "3 d 4 h", "12 min 5 s"; the two largest units. Lent until the fourth call. */
static const char *span(gint64 s)
{
	static char ring[4][32];
	static unsigned at;
	char *to = ring[at++ % 4];

	if (s >= 86400)
		g_snprintf(to, 32, "%d d %d h", (int)(s / 86400), (int)(s % 86400 / 3600));
	else if (s >= 3600)
		g_snprintf(to, 32, "%d h %d min", (int)(s / 3600), (int)(s % 3600 / 60));
	else if (s >= 60)
		g_snprintf(to, 32, "%d min %d s", (int)(s / 60), (int)(s % 60));
	else
		g_snprintf(to, 32, "%d s", (int)MAX(s, 0));
	return to;
}

static const char *ago(gint64 unix_s)
{
	return span(g_get_real_time() / G_USEC_PER_SEC - unix_s);
}

static const char *size(gint64 octets)
{
	static char ring[4][32];
	static unsigned at;
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	char *to = ring[at++ % 4];
	double v = (double)octets;
	unsigned u = 0;

	for (; v >= 1024 && u < G_N_ELEMENTS(units) - 1; u++)
		v /= 1024;
	g_snprintf(to, 32, u ? "%.1f %s" : "%.0f %s", v, units[u]);
	return to;
}

static void status_roles(JsonArray *roles)
{
	(void)printf("\n  %-10s %8s  %-9s %10s  %8s  %s\n", "ROLE", "PID", "STATE", "FOR",
		"RESTARTS", "CONFIGURATION");
	for (guint i = 0; i < json_array_get_length(roles); i++) {
		JsonObject *r = json_array_get_object_element(roles, i);

		(void)printf("  %-10s %8" G_GINT64_FORMAT "  %-9s %10s  %8" G_GINT64_FORMAT
			     "  no. %" G_GINT64_FORMAT "\n",
			text_of(r, "role"), number_of(r, "pid"), text_of(r, "state"),
			ago(number_of(r, "since")), number_of(r, "restarts"),
			number_of(r, "generation"));
	}
}

static int status(JsonObject *o)
{
	JsonObject *n = json_object_get_object_member(o, "numbers");

	(void)printf("restanted %s at %s, process %" G_GINT64_FORMAT ", up for %s\n\n",
		text_of(o, "version"), text_of(o, "hostname"), number_of(o, "pid"),
		span(number_of(o, "uptime")));
	(void)printf("  sessions     %" G_GINT64_FORMAT " logged in, %" G_GINT64_FORMAT
		     " connections open, %" G_GINT64_FORMAT " so far, %" G_GINT64_FORMAT
		     " turned away\n",
		number_of(n, "sessions"), number_of(n, "open-connections"),
		number_of(n, "connections"), number_of(n, "turned-away"));
	(void)printf("  logins       %" G_GINT64_FORMAT " ok, %" G_GINT64_FORMAT
		     " refused, %" G_GINT64_FORMAT " failed\n",
		number_of(n, "logins"), number_of(n, "logins-refused"),
		number_of(n, "logins-failed"));
	(void)printf("  messages     %" G_GINT64_FORMAT " fetched, %" G_GINT64_FORMAT
		     " deleted; %" G_GINT64_FORMAT " came in, %" G_GINT64_FORMAT
		     " deliveries, %" G_GINT64_FORMAT " failed\n",
		number_of(n, "messages-retrieved"), number_of(n, "messages-deleted"),
		number_of(n, "messages-received"), number_of(n, "deliveries"),
		number_of(n, "delivery-failures"));
	(void)printf("  octets       %s in, %s out\n", size(number_of(n, "octets-in")),
		size(number_of(n, "octets-out")));
	(void)printf("  log          %" G_GINT64_FORMAT " errors, %" G_GINT64_FORMAT
		     " warnings, %" G_GINT64_FORMAT " restarts of roles, %" G_GINT64_FORMAT
		     " reloads\n",
		number_of(n, "errors"), number_of(n, "warnings"), number_of(n, "restarts"),
		number_of(n, "reloads"));
	status_roles(json_object_get_array_member(o, "roles"));
	return RS_EXIT_OK;
}

static void session_row(JsonObject *s)
{
	const char *user = text_of(s, "user");
	const char *tls = text_of(s, "tls");

	(void)printf("%-11s  %-10s  %-28s  %-22s  %-8s  %-13s  %10s  %6" G_GINT64_FORMAT
		     "  %10s  %10s\n",
		text_of(s, "id"), text_of(s, "service"), *user ? user : "-", text_of(s, "peer"),
		*tls ? tls : "-", text_of(s, "state"), ago(number_of(s, "since")),
		number_of(s, "messages"), size(number_of(s, "octets-in")),
		size(number_of(s, "octets-out")));
}

static void tell_silent(JsonObject *o)
{
	JsonArray *silent = json_object_has_member(o, "silent")
				    ? json_object_get_array_member(o, "silent")
				    : NULL;

	for (guint i = 0; silent && i < json_array_get_length(silent); i++)
		(void)fprintf(stderr,
			"restanted: %s does not answer; its sessions are not here. If it stays so, "
			"end "
			"its process (see restanted status)\n",
			json_array_get_string_element(silent, i));
}

static int sessions(JsonObject *o)
{
	JsonArray *all = json_object_get_array_member(o, "sessions");
	guint n = json_array_get_length(all);

	if (n)
		(void)printf("%-11s  %-10s  %-28s  %-22s  %-8s  %-13s  %10s  %6s  %10s  %10s\n",
			"ID", "SERVICE", "USER", "PEER", "TLS", "STATE", "SINCE", "MSGS", "IN",
			"OUT");
	for (guint i = 0; i < n; i++)
		session_row(json_array_get_object_element(all, i));
	if (n == 0)
		(void)puts("Nobody is connected.");
	return RS_EXIT_OK;
}

static int ended(enum rs_admin_do what, JsonObject *o, bool quiet, const char *of)
{
	JsonArray *all = json_object_get_array_member(o, "ended");
	guint n = json_array_get_length(all);

	for (guint i = 0; i < n && !quiet; i++) {
		JsonObject *s = json_array_get_object_element(all, i);

		(void)printf("Ended %s: %s of %s from %s, connected for %s\n", text_of(s, "id"),
			text_of(s, "service"),
			*text_of(s, "user") ? text_of(s, "user") : "nobody yet", text_of(s, "peer"),
			ago(number_of(s, "since")));
	}
	if (n == 0 && !quiet && what == RS_ADMIN_KICK)
		(void)fprintf(stderr, "restanted: there is no session %s\n", of);
	return n ? RS_EXIT_OK : RS_EXIT_NOT_THERE;
}

int admin_text(enum rs_admin_do what, JsonObject *o, bool quiet, const char *of)
{
	tell_silent(o);
	switch (what) {
	case RS_ADMIN_STATUS:
		return quiet ? RS_EXIT_OK : status(o);
	case RS_ADMIN_SESSIONS:
		return quiet ? RS_EXIT_OK : sessions(o);
	case RS_ADMIN_KICK:
	case RS_ADMIN_UNLOCK:
		return ended(what, o, quiet, of);
	case RS_ADMIN_RELOAD:
	case RS_ADMIN_DO_N:
		break;
	}
	if (!quiet)
		(void)puts("Reloaded. Sessions that were there go on as they were.");
	return RS_EXIT_OK;
}
