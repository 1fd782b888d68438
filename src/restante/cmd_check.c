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
#include "client/fetch.h"
#include "client/text.h"

#define DRAW_MS 100u

#define EVENT_MS    500u
#define AT_ONCE_MAX 8u /* accounts side by side; a server that hangs stops only its own */

struct all;

/* One account. */
struct check {
	struct all *all;
	const char *name;
	gint64 began_us;
	struct rs_secret *password;
	struct rs_fetch fetch;
	struct rs_fetch_report report;
	GString *would;  /* --dry-run: lines of what would be done */
	GThread *thread; /* NULL: not started, or ended */
	int status;
	GMutex lock; /* over `latest`, which the fetching thread writes */
	struct rs_fetch_progress latest;
};

struct all {
	/* options */
	gboolean json;
	gboolean quiet;
	gboolean dry_run;
	gboolean now;
	gboolean events; /* --progress */
	/* what happens */
	const struct rs_places *places;
	GCancellable *cancel;
	GMainLoop *loop;
	bool draw;         /* progress on the terminal */
	GPtrArray *checks; /* struct check, as the accounts stand */
	guint next;        /* of checks, to be started */
	guint running;
};

/* --- progress -------------------------------------------------------------------------------- */

static char *size_words(guint64 octets)
{
	return g_format_size_full(octets, G_FORMAT_SIZE_IEC_UNITS);
}

static char *left_words(double seconds)
{
	if (seconds < 120)
		return g_strdup_printf(_("%.0f s left"), seconds);
	return g_strdup_printf(_("%.0f min left"), seconds / 60);
}

/* "3.4 MiB of 20.0 MiB, 1.2 MiB/s, 14 s left" */
static char *transfer_words(const struct rs_fetch_progress *p)
{
	g_autofree char *got = size_words(p->octets);
	g_autofree char *rate = NULL;
	g_autofree char *whole = NULL;
	g_autofree char *left = NULL;
	double per_s = p->seconds > 0.2 ? (double)p->octets / p->seconds : 0;

	if (per_s < 1)
		return g_steal_pointer(&got);
	rate = size_words((guint64)per_s);
	if (p->octets_total <= p->octets)
		return g_strdup_printf(_("%s, %s/s"), got, rate);
	whole = size_words(p->octets_total);
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

static struct rs_fetch_progress latest(struct check *c)
{
	struct rs_fetch_progress p;

	g_mutex_lock(&c->lock);
	p = c->latest;
	g_mutex_unlock(&c->lock);
	/* by the clock, so that one sees it stand still when the server is silent */
	p.seconds = (double)(g_get_monotonic_time() - c->began_us) / G_USEC_PER_SEC;
	return p;
}

/* The account to be shown: one that receives, else the first that runs. NULL: none does. */
static struct check *to_show(const struct all *all)
{
	struct check *first = NULL;

	for (guint i = 0; i < all->checks->len; i++) {
		struct check *c = all->checks->pdata[i];

		if (!c->thread)
			continue;
		if (latest(c).phase == RS_FETCH_RETRIEVE)
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
	p = latest(c);
	words = progress_words(c->name, &p);
	if (all->running > 1)
		line = g_strdup_printf(P_("%s (and %u other account)", "%s (and %u other accounts)",
					       all->running - 1),
			words, all->running - 1);
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

	for (guint i = 0; i < all->checks->len; i++) {
		struct check *c = all->checks->pdata[i];
		g_autoptr(GString) line = g_string_new("{\"event\":\"progress\"");
		char seconds[G_ASCII_DTOSTR_BUF_SIZE];
		struct rs_fetch_progress p;

		if (!c->thread)
			continue;
		p = latest(c);
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

static void on_progress(void *arg, const struct rs_fetch_progress *p)
{
	struct check *c = arg;

	g_mutex_lock(&c->lock);
	c->latest = *p;
	g_mutex_unlock(&c->lock);
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
	g_autofree char *size = item->size == UINT64_MAX ? NULL : size_words(item->size);

	if (c->all->json)
		would_json(c, item, uid);
	else
		g_string_append_printf(c->would, "%s: %s: %u%s%s (%s)\n", c->name,
			would_words(item->would), item->num, size ? ", " : "", size ? size : "",
			uid);
}

/* --- results --------------------------------------------------------------------------------- */

static void say_json(const struct check *c)
{
	const struct rs_fetch_report *r = &c->report;
	char seconds[G_ASCII_DTOSTR_BUF_SIZE];
	g_autoptr(GString) line = g_string_new("{");

	rs_json_key(line, "account");
	rs_json_str(line, c->name);
	g_string_append_printf(line,
		",\"new\":%u,\"bytes\":%" G_GUINT64_FORMAT
		",\"on_server\":%u,\"deleted\":%u,\"seconds\":%s,\"error\":",
		r->new_n, r->octets, r->on_server_n, r->deleted_n,
		g_ascii_formatd(seconds, sizeof(seconds), "%.3f", r->seconds));
	if (r->error) {
		g_string_append(line, "{\"code\":");
		rs_json_str(line, rs_err_kind_name(r->err.kind));
		g_string_append(line, ",\"text\":");
		rs_json_str(line, r->err.text);
		g_string_append(line, "}");
	} else {
		g_string_append(line, "null");
	}
	rs_say("%s}\n", line->str);
}

/* "anna: 12 new messages (3.4 MiB), 345 on the server, 12 deleted there" */
static void say_counts(const struct check *c)
{
	const struct rs_fetch_report *r = &c->report;
	g_autofree char *size = size_words(r->octets);
	g_autoptr(GString) line = g_string_new(NULL);

	if (r->new_n)
		g_string_append_printf(line,
			P_("%s: %u new message (%s)", "%s: %u new messages (%s)", r->new_n),
			c->name, r->new_n, size);
	else
		g_string_append_printf(line, _("%s: nothing new"), c->name);
	if (!r->error)
		g_string_append_printf(line, _(", %u on the server"), r->on_server_n);
	if (r->deleted_n)
		g_string_append_printf(line, _(", %u deleted there"), r->deleted_n);
	rs_say("%s\n", line->str);
}

/* What the person should know although the check itself went well. */
static void warn(const struct check *c)
{
	const struct rs_fetch_report *r = &c->report;

	for (guint i = 0; i < RS_FETCH_NOTICE_N && r->notice[i][0]; i++)
		rs_complain("%s: %s", c->name, r->notice[i]);
	if (r->waiting_n && !c->all->dry_run)
		rs_complain(
			P_("%s: by the changed policy %u message goes from the server at the next "
			   "check; to see it: restante check --dry-run",
				"%s: by the changed policy %u messages go from the server at the "
				"next check; to see them: restante check --dry-run",
				r->waiting_n),
			c->name, r->waiting_n);
	if (r->later_n + r->skipped_n)
		rs_complain(
			P_("%s: %u message is not fetched; which and why: restante fetch",
				"%s: %u messages are not fetched; which and why: restante fetch",
				r->later_n + r->skipped_n),
			c->name, r->later_n + r->skipped_n);
	if (r->suspect_n)
		rs_complain(P_("%s: %u message is shorter than the server said; it is kept there",
				    "%s: %u messages are shorter than the server said; they are "
				    "kept there",
				    r->suspect_n),
			c->name, r->suspect_n);
	if (r->doubtful_n)
		rs_complain(P_("%s: %u message has another size than before; it was left alone",
				    "%s: %u messages have another size than before; they were left "
				    "alone",
				    r->doubtful_n),
			c->name, r->doubtful_n);
}

static int report(struct check *c)
{
	struct rs_fetch_report *r = &c->report;

	if (!r->error && r->failed_n)
		r->error = rs_err_set(&r->err, RS_ETEMP,
			P_("the server would not give %u message; the next check asks again",
				"the server would not give %u messages; the next check asks again",
				r->failed_n),
			r->failed_n);
	if (!r->error && r->refused_n)
		r->error = rs_err_set(&r->err, RS_ETEMP,
			P_("%u message could not be handed over; it stays on the server, and a "
			   "later "
			   "check tries again",
				"%u messages could not be handed over; they stay on the server, "
				"and a "
				"later check tries again",
				r->refused_n),
			r->refused_n);
	if (c->all->dry_run)
		rs_say("%s", c->would->str);
	if (c->all->json) {
		say_json(c);
		warn(c);
		return rs_exit_of(r->error);
	}
	if (!c->all->quiet && !c->all->dry_run && (!r->error || r->new_n))
		say_counts(c);
	warn(c);
	if (r->error)
		rs_complain("%s: %s", c->name, r->err.text);
	return rs_exit_of(r->error);
}

/* --- one account ----------------------------------------------------------------------------- */

static void start_more(struct all *all);

/* In the main thread. */
static gboolean on_end(gpointer data)
{
	struct check *c = data;
	struct all *all = c->all;

	g_thread_join(c->thread);
	c->thread = NULL;
	all->running--;
	clear_line(all);
	c->status = report(c);
	start_more(all);
	if (!all->running)
		g_main_loop_quit(all->loop);
	return G_SOURCE_REMOVE;
}

static gpointer fetch_thread(gpointer data)
{
	struct check *c = data;

	(void)rs_fetch_run(&c->fetch, &c->report); /* the report says how it went */
	g_idle_add(on_end, c);
	return NULL;
}

/* The password first, in the main thread: its command may ask at the terminal. */
static void start(struct check *c)
{
	c->began_us = g_get_monotonic_time();
	c->report.error =
		rs_account_password(c->all->places, c->fetch.account, &c->password, &c->report.err);
	if (c->report.error) {
		c->status = report(c);
		return;
	}
	c->fetch.password = c->password;
	c->thread = g_thread_new("fetch", fetch_thread, c);
	c->all->running++;
}

static void start_more(struct all *all)
{
	while (all->next < all->checks->len && all->running < AT_ONCE_MAX &&
		!g_cancellable_is_cancelled(all->cancel))
		start(all->checks->pdata[all->next++]);
}

static struct check *check_new(struct all *all, const struct rs_account *a)
{
	struct check *c = g_new0(struct check, 1);

	c->all = all;
	c->name = a->name;
	c->latest = (struct rs_fetch_progress){.phase = RS_FETCH_CONNECT};
	c->would = g_string_new(NULL);
	g_mutex_init(&c->lock);
	c->fetch = (struct rs_fetch){.account = a,
		.places = all->places,
		.cancel = all->cancel,
		.progress = on_progress,
		.progress_arg = c,
		.at_once = all->now,
		.dry_run = all->dry_run ? on_would : NULL,
		.dry_run_arg = c};
	return c;
}

static void check_free(gpointer data)
{
	struct check *c = data;

	rs_secret_destroy(&c->password);
	g_string_free(c->would, TRUE);
	g_mutex_clear(&c->lock);
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

/* All that were put into all->checks; the first status that is not 0. */
static int run_checks(struct all *all)
{
	guint draws = all->draw ? g_timeout_add(DRAW_MS, draw, all) : 0;
	guint events = all->events ? g_timeout_add(EVENT_MS, tell_events, all) : 0;
	int status = RS_EXIT_DONE;

	start_more(all);
	if (all->running)
		g_main_loop_run(all->loop);
	if (draws)
		g_source_remove(draws);
	if (events)
		g_source_remove(events);
	for (guint i = 0; i < all->checks->len && !status; i++)
		status = ((struct check *)all->checks->pdata[i])->status;
	return status;
}

static int check_all(struct all *all, char **names)
{
	g_autoptr(GPtrArray) accounts = NULL;
	g_autoptr(GPtrArray) list = NULL;
	struct rs_err err;
	int status;

	if (rs_accounts_load(all->places, &accounts, &err) < 0)
		return rs_fail(&err);
	if (!accounts->len) {
		rs_complain(_("there is no account yet; to add one: restante account add"));
		return RS_EXIT_CONFIG;
	}
	list = chosen(accounts, names);
	if (!list)
		return RS_EXIT_CONFIG;
	all->checks = g_ptr_array_new_with_free_func(check_free);
	for (guint i = 0; i < list->len; i++)
		g_ptr_array_add(all->checks, check_new(all, list->pdata[i]));
	status = run_checks(all);
	g_ptr_array_unref(all->checks);
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
	all.places = &places;
	all.draw = !all.json && !all.quiet && rs_is_terminal(STDERR_FILENO);
	all.cancel = g_cancellable_new();
	all.loop = g_main_loop_new(NULL, FALSE);
	signals[0] = g_unix_signal_add(SIGINT, on_signal, &all);
	signals[1] = g_unix_signal_add(SIGTERM, on_signal, &all);
	status = check_all(&all, argv + 1);
	g_source_remove(signals[0]);
	g_source_remove(signals[1]);
	g_main_loop_unref(all.loop);
	g_object_unref(all.cancel);
	rs_places_finish(&places);
	return status;
}

const struct rs_command rs_cmd_check = {"check", N_("[NAME…]"), N_("Fetch new mail"), run};
