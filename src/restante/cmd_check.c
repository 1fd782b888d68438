/* cmd_check.c - restante check: fetch new mail of the accounts, some side by side.
 * The fetching blocks, so each account has a thread of its own; the main thread waits for signals, draws
 * the progress and tells how each went. Ctrl-C and SIGTERM cancel: what is durable stays, nothing is lost; a second one
 * ends the program at once, which loses nothing either. */
#include "restante/restante.h"

#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "client/clean.h"
#include "client/checks.h"
#include "client/text.h"

#define DRAW_MS 100u

#define EVENT_MS 500u
struct all;

/* One account. */
struct check {
	struct rs_check core; /* first: what `ended` gets */
	struct all *all;
	const char *name;
	GString *would; /* --dry-run: lines of what would be done */
	int status;
};

struct all {
	/* options */
	gboolean json;
	gboolean quiet;
	gboolean dry_run;
	gboolean now;
	gboolean events; /* --progress */
	/* what happens */
	struct rs_checks *checks;
	GCancellable *cancel;
	GMainLoop *loop;
	bool draw;       /* progress on the terminal */
	GPtrArray *each; /* struct check, as the accounts stand */
};

/* --- progress -------------------------------------------------------------------------------- */

static char *left_words(double seconds)
{
	if (seconds < 120)
		return g_strdup_printf(_("%.0f s left"), seconds);
	return g_strdup_printf(_("%.0f min left"), seconds / 60);
}

/* "3.4 MiB of 20.0 MiB, 1.2 MiB/s, 14 s left" */
static char *transfer_words(const struct rs_fetch_progress *p)
{
	g_autofree char *got = rs_size_words(p->octets);
	g_autofree char *rate = NULL;
	g_autofree char *whole = NULL;
	g_autofree char *left = NULL;
	double per_s = p->seconds > 0.2 ? (double)p->octets / p->seconds : 0;

	if (per_s < 1)
		return g_steal_pointer(&got);
	rate = rs_size_words((guint64)per_s);
	if (p->octets_total <= p->octets)
		return g_strdup_printf(_("%s, %s/s"), got, rate);
	whole = rs_size_words(p->octets_total);
	left = left_words((double)(p->octets_total - p->octets) / per_s + 0.5);
	return g_strdup_printf(_("%s of %s, %s/s, %s"), got, whole, rate, left);
}

static char *progress_words(const char *name, const struct rs_fetch_progress *p)
{
	g_autofree char *transfer = NULL;

	switch (p->phase) {
	case RS_FETCH_CONNECT:
		return g_strdup_printf(_("%s: connecting"), name);
	case RS_FETCH_LOGIN:
		return g_strdup_printf(_("%s: logging in"), name);
	case RS_FETCH_LISTING:
		return g_strdup_printf(_("%s: looking for new messages"), name);
	case RS_FETCH_RETRIEVE:
		transfer = transfer_words(p);
		return g_strdup_printf(_("%s: message %u of %u, %s"), name,
			MIN(p->received_n + 1, p->total_n), p->total_n, transfer);
	case RS_FETCH_DELETE:
		return g_strdup_printf(_("%s: deleting on the server"), name);
	case RS_FETCH_DONE:
		break;
	}
	return g_strdup("");
}

static void clear_line(const struct all *all)
{
	if (all->draw)
		(void)fputs("\r\033[K", stderr);
}

/* The account to be shown: one that receives, else the first that runs. NULL: none does. */
static struct check *to_show(const struct all *all)
{
	struct check *first = NULL;

	for (guint i = 0; i < all->each->len; i++) {
		struct check *c = all->each->pdata[i];

		if (!c->core.running)
			continue;
		if (rs_check_latest(&c->core).phase == RS_FETCH_RETRIEVE)
			return c;
		first = first ? first : c;
	}
	return first;
}

static gboolean draw(gpointer data)
{
	struct all *all = data;
	struct check *c = to_show(all);
	g_autofree char *words = NULL;
	g_autofree char *line = NULL;
	g_autofree char *cut = NULL;
	struct rs_fetch_progress p;

	if (!c)
		return G_SOURCE_CONTINUE;
	p = rs_check_latest(&c->core);
	words = progress_words(c->name, &p);
	if (rs_checks_running(all->checks) > 1)
		line = g_strdup_printf(P_("%s (and %u other account)", "%s (and %u other accounts)",
					       rs_checks_running(all->checks) - 1),
			words, rs_checks_running(all->checks) - 1);
	cut = rs_columns_cut(line ? line : words, rs_terminal(NULL) - 1);
	clear_line(all);
	(void)fputs(cut, stderr);
	(void)fflush(stderr);
	return G_SOURCE_CONTINUE;
}

/* --progress: one JSON object an account that runs. */
static gboolean tell_events(gpointer data)
{
	static const char *const phases[] = {
		"connect", "login", "listing", "retrieve", "delete", "done"};
	struct all *all = data;

	for (guint i = 0; i < all->each->len; i++) {
		struct check *c = all->each->pdata[i];
		g_autoptr(GString) line = g_string_new("{\"event\":\"progress\"");
		char seconds[G_ASCII_DTOSTR_BUF_SIZE];
		struct rs_fetch_progress p;

		if (!c->core.running)
			continue;
		p = rs_check_latest(&c->core);
		rs_json_key(line, "account");
		rs_json_str(line, c->name);
		g_string_append_printf(line,
			",\"phase\":\"%s\",\"received\":%u,\"stored\":%u,\"of\":%u,\"bytes\":"
			"%" G_GUINT64_FORMAT ",\"bytes_total\":%" G_GUINT64_FORMAT
			",\"seconds\":%s",
			phases[p.phase], p.received_n, p.done_n, p.total_n, p.octets,
			p.octets_total,
			g_ascii_formatd(seconds, sizeof(seconds), "%.3f", p.seconds));
		rs_say("%s}\n", line->str);
		(void)fflush(stdout);
	}
	return G_SOURCE_CONTINUE;
}

/* --- dry run --------------------------------------------------------------------------------- */

static void would_json(const struct check *c, const struct rs_fetch_item *item, const char *uid)
{
	static const char *const names[] = {"fetch", "skip", "delete", "delete-next"};
	g_autoptr(GString) line = g_string_new("{");

	rs_json_key(line, "account");
	rs_json_str(line, c->name);
	g_string_append_printf(
		line, ",\"would\":\"%s\",\"number\":%u,\"size\":", names[item->would], item->num);
	if (item->size == UINT64_MAX)
		g_string_append(line, "null");
	else
		g_string_append_printf(line, "%" G_GUINT64_FORMAT, item->size);
	rs_json_key(line, "uid");
	rs_json_str(line, uid);
	rs_json_key(line, "file");
	rs_json_str(line, item->file);
	g_string_append_printf(c->would, "%s}\n", line->str);
}

static const char *would_words(enum rs_fetch_would would)
{
	switch (would) {
	case RS_WOULD_FETCH:
		return _("would fetch");
	case RS_WOULD_SKIP:
		return _("would leave, too large");
	case RS_WOULD_DELETE:
		return _("would delete on the server");
	case RS_WOULD_DELETE_NEXT:
		return _(
			"would delete at the check after this one, because the policy has changed");
	}
	return "";
}

/* On the fetching thread; the main thread reads it when that has ended. */
static void on_would(void *arg, const struct rs_fetch_item *item)
{
	struct check *c = arg;
	g_autofree char *raw = g_strndup((const char *)item->uid.p, item->uid.n);
	g_autofree char *uid = rs_clean_line(raw);
	g_autofree char *size = item->size == UINT64_MAX ? NULL : rs_size_words(item->size);

	if (c->all->json)
		would_json(c, item, uid);
	else
		g_string_append_printf(c->would, "%s: %s: %u%s%s (%s)\n", c->name,
			would_words(item->would), item->num, size ? ", " : "", size ? size : "",
			uid);
}

/* --- one account ----------------------------------------------------------------------------- */

static int report(struct check *c)
{
	struct rs_fetch_report *r = &c->core.report;

	rs_report_judge(r);
	if (c->all->dry_run)
		rs_say("%s", c->would->str);
	if (c->all->json)
		rs_report_json(c->name, r);
	else if (!c->all->quiet && !c->all->dry_run && (!r->error || r->new_n))
		rs_report_counts(c->name, r);
	rs_report_warn(c->name, r, c->all->dry_run);
	if (r->error && !c->all->json)
		rs_complain("%s: %s", c->name, r->err.text);
	(void)fflush(stdout);
	return rs_exit_of(r->error);
}

static void on_end(void *arg, struct rs_check *core)
{
	struct all *all = arg;
	struct check *c = (struct check *)core;

	clear_line(all);
	c->status = report(c);
	if (!rs_checks_running(all->checks))
		g_main_loop_quit(all->loop);
}

static struct check *check_new(struct all *all, const struct rs_account *a)
{
	struct check *c = g_new0(struct check, 1);

	rs_check_init(&c->core, a);
	c->all = all;
	c->name = a->name;
	c->would = g_string_new(NULL);
	c->core.fetch.at_once = all->now;
	c->core.fetch.dry_run = all->dry_run ? on_would : NULL;
	c->core.fetch.dry_run_arg = c;
	return c;
}

static void check_free(gpointer data)
{
	struct check *c = data;

	rs_check_finish(&c->core);
	g_string_free(c->would, TRUE);
	g_free(c);
}

/* --- all of them ----------------------------------------------------------------------------- */

static gboolean on_signal(gpointer data)
{
	struct all *all = data;

	g_cancellable_cancel(all->cancel);
	(void)signal(SIGINT, SIG_DFL);
	(void)signal(SIGTERM, SIG_DFL);
	return G_SOURCE_CONTINUE;
}

/* Those named, or all. NULL: one is not there, and that was said. */
static GPtrArray *chosen(const GPtrArray *accounts, char **names)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new();

	for (guint i = 0; !*names && i < accounts->len; i++)
		g_ptr_array_add(list, accounts->pdata[i]);
	for (; *names; names++) {
		struct rs_account *a = rs_accounts_find(accounts, *names);

		if (!a) {
			(void)rs_no_account(*names);
			return NULL;
		}
		if (!g_ptr_array_find(list, a, NULL))
			g_ptr_array_add(list, a);
	}
	return g_steal_pointer(&list);
}

/* All that were put into all->each; the first status that is not 0. */
static int run_checks(struct all *all)
{
	guint draws = all->draw ? g_timeout_add(DRAW_MS, draw, all) : 0;
	guint events = all->events ? g_timeout_add(EVENT_MS, tell_events, all) : 0;
	int status = RS_EXIT_DONE;

	for (guint i = 0; i < all->each->len; i++)
		rs_checks_add(all->checks, all->each->pdata[i]);
	if (rs_checks_running(all->checks))
		g_main_loop_run(all->loop);
	if (draws)
		g_source_remove(draws);
	if (events)
		g_source_remove(events);
	for (guint i = 0; i < all->each->len && !status; i++)
		status = ((struct check *)all->each->pdata[i])->status;
	return status;
}

static int check_all(struct all *all, const struct rs_places *places, char **names)
{
	g_autoptr(GPtrArray) accounts = NULL;
	g_autoptr(GPtrArray) list = NULL;
	struct rs_err err;
	int status;

	if (rs_accounts_load(places, &accounts, &err) < 0)
		return rs_fail(&err);
	if (!accounts->len) {
		rs_complain(_("there is no account yet; to add one: restante account add"));
		return RS_EXIT_CONFIG;
	}
	list = chosen(accounts, names);
	if (!list)
		return RS_EXIT_CONFIG;
	all->checks = rs_checks_create(&(struct rs_checks_how){
		.places = places, .cancel = all->cancel, .ended = on_end, .arg = all});
	all->each = g_ptr_array_new_with_free_func(check_free);
	for (guint i = 0; i < list->len; i++)
		g_ptr_array_add(all->each, check_new(all, list->pdata[i]));
	status = run_checks(all);
	g_ptr_array_unref(all->each);
	rs_checks_destroy(&all->checks);
	return status;
}

static int run(const struct rs_command *self, int argc, char **argv)
{
	struct all all = {.draw = false};
	const GOptionEntry entries[] = {
		{"json", 0, 0, G_OPTION_ARG_NONE, &all.json, N_("One JSON object an account"),
			NULL},
		{"progress", 0, 0, G_OPTION_ARG_NONE, &all.events,
			N_("With --json: lines on the way, too"), NULL},
		{"dry-run", 'n', 0, G_OPTION_ARG_NONE, &all.dry_run,
			N_("Only list what would be fetched and deleted"), NULL},
		{"now", 0, 0, G_OPTION_ARG_NONE, &all.now,
			N_("Do not wait, although the server asked for it"), NULL},
		{"quiet", 'q', 0, G_OPTION_ARG_NONE, &all.quiet, N_("Say nothing unless it fails"),
			NULL},
		{NULL},
	};
	struct rs_places places;
	struct rs_err err;
	guint signals[2];
	int status = rs_options(self, entries,
		_("Without NAME all accounts are checked, side by side. It can be stopped at any\n"
		  "moment: no message is lost, and none comes twice."),
		&argc, &argv);

	if (status)
		return status;
	if (all.events && !all.json)
		return rs_usage(self, _("--progress goes with --json"));
	if (rs_places_find(&places, &err) < 0)
		return rs_fail(&err);
	all.draw = !all.json && !all.quiet && rs_is_terminal(STDERR_FILENO);
	all.cancel = g_cancellable_new();
	all.loop = g_main_loop_new(NULL, FALSE);
	signals[0] = g_unix_signal_add(SIGINT, on_signal, &all);
	signals[1] = g_unix_signal_add(SIGTERM, on_signal, &all);
	status = check_all(&all, &places, argv + 1);
	g_source_remove(signals[0]);
	g_source_remove(signals[1]);
	g_main_loop_unref(all.loop);
	g_object_unref(all.cancel);
	rs_places_finish(&places);
	return status;
}

const struct rs_command rs_cmd_check = {"check", N_("[NAME…]"), N_("Fetch new mail"), run};
