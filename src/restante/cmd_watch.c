/* cmd_watch.c - restante watch: checks on a schedule until it is told to end. What happens is said when it is
 * news: new mail, a failure that differs from the last one, its end. */
#include "restante/restante.h"

#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "client/text.h"
#include "client/watch.h"

struct watching {
	/* options */
	gboolean json;
	gboolean once;
	gboolean no_notify;
	gboolean verbose;
	/* what happens */
	bool terminal;
	struct rs_watch *watch;
};

/* --- as JSON ------------------------------------------------------------------------------------ */

static void event_json(const struct rs_watch_event *e)
{
	static const char *const names[] = {"check", "network", "resume", "sent", "config"};
	g_autoptr(GString) line = g_string_new("{\"event\":");

	rs_json_str(line, names[e->kind]);
	switch (e->kind) {
	case RS_WATCH_CHECKED:
		rs_report_fields(line, e->account, e->report);
		g_string_append_printf(line, ",\"next\":%u", e->next_s);
		break;
	case RS_WATCH_NETWORK:
		g_string_append_printf(line, ",\"available\":%s", e->available ? "true" : "false");
		break;
	case RS_WATCH_RESUMED:
		g_string_append_printf(line, ",\"slept\":%" G_GINT64_FORMAT, e->slept_s);
		break;
	case RS_WATCH_SENT:
		rs_json_key(line, "account");
		rs_json_str(line, e->account);
		rs_json_key(line, "to");
		rs_json_str(line, e->to);
		rs_json_key(line, "error");
		rs_json_str(line, e->err ? e->err->text : NULL);
		break;
	case RS_WATCH_CONFIG:
		rs_json_key(line, "error");
		rs_json_str(line, e->err ? e->err->text : NULL);
		break;
	}
	rs_say("%s}\n", line->str);
}

/* --- in words ----------------------------------------------------------------------------------- */

/* On a terminal with the time; a service's journal has it already. */
static void say_time(const struct watching *x)
{
	g_autoptr(GDateTime) now = x->terminal ? g_date_time_new_now_local() : NULL;
	g_autofree char *text = now ? g_date_time_format(now, "%H:%M ") : NULL;

	if (text)
		rs_say("%s", text);
}

static void say_checked(const struct watching *x, const struct rs_watch_event *e)
{
	const struct rs_fetch_report *r = e->report;

	if (!e->news && !x->verbose)
		return;
	if (!r->error || r->new_n) {
		say_time(x);
		rs_report_counts(e->account, r);
	}
	rs_report_warn(e->account, r, false);
	if (r->error)
		rs_complain(_("%s: %s (next attempt in %u s)"), e->account, r->err.text, e->next_s);
}

static void say_sent(const struct watching *x, const struct rs_watch_event *e)
{
	const char *account = e->account ? e->account : "?";
	const char *to = e->to ? e->to : "?";

	if (e->err) {
		rs_complain(
			_("%s: mail to %s is still in the outbox: %s"), account, to, e->err->text);
		return;
	}
	say_time(x);
	rs_say(_("%s: mail to %s was sent\n"), account, to);
}

static void say_event(const struct watching *x, const struct rs_watch_event *e)
{
	switch (e->kind) {
	case RS_WATCH_CHECKED:
		say_checked(x, e);
		break;
	case RS_WATCH_NETWORK:
		say_time(x);
		rs_say("%s", e->available ? _("the network is there again\n")
					  : _("the network is gone\n"));
		break;
	case RS_WATCH_RESUMED:
		say_time(x);
		rs_say("%s", _("the computer woke up\n"));
		break;
	case RS_WATCH_SENT:
		say_sent(x, e);
		break;
	case RS_WATCH_CONFIG:
		if (e->err)
			rs_complain(_("%s; what was read before stays in force"), e->err->text);
		else
			rs_say("%s", _("the configuration was read again\n"));
		break;
	}
}

static void on_event(void *arg, const struct rs_watch_event *e)
{
	const struct watching *x = arg;

	if (x->json)
		event_json(e);
	else
		say_event(x, e);
	(void)fflush(stdout);
}

/* --- the command -------------------------------------------------------------------------------- */

static gboolean on_stop(gpointer data)
{
	struct watching *x = data;

	rs_watch_stop(x->watch);
	return G_SOURCE_CONTINUE;
}

static gboolean on_now(gpointer data)
{
	struct watching *x = data;

	rs_watch_now(x->watch);
	return G_SOURCE_CONTINUE;
}

static int watch(struct watching *x, const struct rs_places *places, char **names)
{
	const struct rs_watch_how how = {.places = places,
		.names = names,
		.once = x->once != FALSE,
		.quiet = x->no_notify != FALSE,
		.judge = rs_report_judge,
		.event = on_event,
		.arg = x};
	guint sources[4];
	struct rs_err err;
	int rc = rs_watch_create(&how, &x->watch, &err);

	if (rc < 0)
		return rs_fail(&err);
	sources[0] = g_unix_signal_add(SIGINT, on_stop, x);
	sources[1] = g_unix_signal_add(SIGTERM, on_stop, x);
	sources[2] = g_unix_signal_add(SIGUSR1, on_now, x);
	sources[3] = g_unix_signal_add(SIGHUP, on_now, x);
	rc = rs_exit_of(rs_watch_run(x->watch));
	if (rs_watch_busy(x->watch)) { /* a disk or a server holds a thread: as safe as a kill */
		(void)fflush(stdout);
		_exit(rc);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(sources); i++)
		g_source_remove(sources[i]);
	rs_watch_destroy(&x->watch);
	return rc;
}

static int run(const struct rs_command *self, int argc, char **argv)
{
	struct watching x = {.terminal = rs_is_terminal(STDOUT_FILENO)};
	const GOptionEntry entries[] = {
		{"once", 0, 0, G_OPTION_ARG_NONE, &x.once, N_("Check once, then end"), NULL},
		{"json", 0, 0, G_OPTION_ARG_NONE, &x.json, N_("One JSON object an event"), NULL},
		{"no-notify", 0, 0, G_OPTION_ARG_NONE, &x.no_notify,
			N_("Show nothing on the desktop"), NULL},
		{"verbose", 'v', 0, G_OPTION_ARG_NONE, &x.verbose, N_("Tell of every check"), NULL},
		{NULL},
	};
	struct rs_places places;
	struct rs_err err;
	int status = rs_options(self, entries,
		_("Checks the accounts named, or all, every five minutes or as often as their key\n"
		  "'every' says, sends what waits in the outbox, and shows new mail on the "
		  "desktop.\n"
		  "It ends on Ctrl-C or SIGTERM and loses nothing; SIGUSR1 makes it check at "
		  "once.\n"
		  "As a service: systemctl --user enable --now restante-watch"),
		&argc, &argv);

	if (status)
		return status;
	if (rs_places_find(&places, &err) < 0)
		return rs_fail(&err);
	status = watch(&x, &places, argv + 1);
	rs_places_finish(&places);
	return status;
}

const struct rs_command rs_cmd_watch = {
	"watch", N_("[NAME…]"), N_("Fetch new mail on a schedule"), run};
