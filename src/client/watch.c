/* watch.c - see watch.h. One timer on the clock that goes on in suspend, so that what became due
 * while the computer slept is found when it wakes; what the system tells (watch_system.c) only makes things sooner. */
#include "client/watch_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "client/notice.h"
#include "client/text.h"

#define TICK_MS 60000 /* at most: looks whether the computer slept, and for the configuration */

/* One account. */
struct watched {
	struct rs_check check; /* first: what `ended` gets */
	char *name;
	const struct rs_account *account; /* of watch.accounts; NULL: it is gone from there */
	struct rs_schedule schedule;
	int status; /* of the last check */
	char *said; /* its error, NULL: none */
	bool ever;  /* one has ended */
	bool again; /* wanted while one ran */
};

struct rs_watch {
	struct rs_watch_how how;
	struct rs_checks *checks;
	struct rs_notices *notices; /* NULL: none wanted */
	struct watch_system *system;
	struct watch_outbox *outbox;
	GCancellable *cancel;
	GMainLoop *loop;
	GPtrArray *accounts; /* struct rs_account, as the file is */
	GPtrArray *watched;  /* struct watched */
	struct stat config;
	struct rs_asleep asleep;
	int lock_fd;
	int timer_fd;
	guint timer;
	guint stopping; /* source, 0: it is not asked to stop */
	bool stopped;
};

static gint64 clock_ms(clockid_t id)
{
	struct timespec t;

	(void)clock_gettime(id, &t);
	return (gint64)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static gint64 now_ms(void)
{
	return clock_ms(CLOCK_BOOTTIME);
}

static guint32 chance(void)
{
	guint32 c = 0;

	(void)!getrandom(&c, sizeof(c), 0);
	return c;
}

static struct watched *at(const struct rs_watch *w, guint i)
{
	return w->watched->pdata[i];
}

void watch_tell(struct rs_watch *w, const struct rs_watch_event *e)
{
	w->how.event(w->how.arg, e);
}

/* --- accounts ----------------------------------------------------------------------------------- */

static void watched_free(gpointer data)
{
	struct watched *x = data;

	if (x->check.fetch.account) /* it waited for its turn, and the watch was stopped */
		rs_check_finish(&x->check);
	g_free(x->name);
	g_free(x->said);
	g_free(x);
}

static struct watched *watched_find(const struct rs_watch *w, const char *name)
{
	for (guint i = 0; i < w->watched->len; i++) {
		if (strcmp(at(w, i)->name, name) == 0)
			return at(w, i);
	}
	return NULL;
}

static bool is_wanted(
	const struct rs_watch *w, const GPtrArray *accounts, const struct rs_account *a)
{
	if (!w->how.names || !*w->how.names)
		return true;
	for (char **name = w->how.names; *name; name++) {
		if (rs_accounts_find(accounts, *name) == a)
			return true;
	}
	return false;
}

static void watched_put(struct rs_watch *w, const struct rs_account *a)
{
	struct watched *x = watched_find(w, a->name);

	if (!x) {
		x = g_new0(struct watched, 1);
		x->name = g_strdup(a->name);
		rs_schedule_begin(&x->schedule, a->every_s, now_ms());
		g_ptr_array_add(w->watched, x);
	} else if (x->schedule.every_s != a->every_s || x->status) {
		x->schedule.every_s = a->every_s; /* and what was wrong may be right now */
		rs_schedule_now(&x->schedule, now_ms());
	}
	x->account = a;
}

static bool config_changed(struct rs_watch *w)
{
	struct stat now = {0};
	bool same;

	if (stat(w->how.places->config_file, &now) < 0)
		memset(&now, 0, sizeof(now));
	same = now.st_ino == w->config.st_ino && now.st_size == w->config.st_size &&
	       now.st_mtim.tv_sec == w->config.st_mtim.tv_sec &&
	       now.st_mtim.tv_nsec == w->config.st_mtim.tv_nsec;
	w->config = now;
	return !same;
}

/* Names that are not there. */
static int names_check(const struct rs_watch *w, const GPtrArray *accounts, struct rs_err *err)
{
	if (!accounts->len)
		return rs_err_set(err, RS_ECONFIG,
			_("there is no account yet; to add one: restante account add"));
	for (char **name = w->how.names; name && *name; name++) {
		if (!rs_accounts_find(accounts, *name))
			return rs_err_set(err, RS_ECONFIG, _("there is no account '%s' in %s"),
				*name, w->how.places->config_file);
	}
	return 0;
}

/* What is wrong leaves all as it was. */
static int config_read(struct rs_watch *w, struct rs_err *err)
{
	g_autoptr(GPtrArray) accounts = NULL;
	int rc = rs_accounts_load(w->how.places, &accounts, err);

	if (rc == 0)
		rc = names_check(w, accounts, err);
	if (rc < 0)
		return rc;
	for (guint i = 0; i < w->watched->len; i++)
		at(w, i)->account = NULL;
	for (guint i = 0; i < accounts->len; i++) {
		if (is_wanted(w, accounts, accounts->pdata[i]))
			watched_put(w, accounts->pdata[i]);
	}
	for (guint i = w->watched->len; i > 0; i--) {
		if (!at(w, i - 1)->account && !at(w, i - 1)->check.fetch.account)
			g_ptr_array_remove_index(w->watched, i - 1);
	}
	g_clear_pointer(&w->accounts, g_ptr_array_unref); /* checks that run keep theirs */
	w->accounts = g_steal_pointer(&accounts);
	return 0;
}

static void config_again(struct rs_watch *w)
{
	struct rs_watch_event e = {.kind = RS_WATCH_CONFIG};
	struct rs_err err;

	if (!config_changed(w))
		return;
	if (config_read(w, &err) < 0)
		e.err = &err;
	watch_tell(w, &e);
}

/* --- the timer ---------------------------------------------------------------------------------- */

static void arm(struct rs_watch *w)
{
	gint64 now = now_ms();
	gint64 due = now + TICK_MS;
	struct itimerspec when = {{0}};

	for (guint i = 0; i < w->watched->len; i++) {
		if (at(w, i)->account && !at(w, i)->check.fetch.account)
			due = MIN(due, at(w, i)->schedule.due_ms);
	}
	due = MAX(due, now + 1);
	when.it_value.tv_sec = due / 1000;
	when.it_value.tv_nsec = due % 1000 * 1000000;
	(void)timerfd_settime(w->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* check.fetch.account is set from here to the end of that check. */
static void start(struct rs_watch *w, struct watched *x)
{
	rs_check_init(&x->check, x->account);
	x->check.keep = g_ptr_array_ref(w->accounts);
	rs_checks_add(w->checks, &x->check);
}

static void start_due(struct rs_watch *w)
{
	gint64 now = now_ms();

	for (guint i = 0; i < w->watched->len && !w->stopping; i++) {
		struct watched *x = at(w, i);

		if (x->account && !x->check.fetch.account && x->schedule.due_ms <= now &&
			!(w->how.once && x->ever))
			start(w, x);
	}
	arm(w);
}

void watch_resumed(struct rs_watch *w, gint64 slept_ms)
{
	const struct rs_watch_event e = {.kind = RS_WATCH_RESUMED, .slept_s = slept_ms / 1000};

	for (guint i = 0; i < w->watched->len; i++)
		rs_schedule_soon(&at(w, i)->schedule, now_ms(), chance());
	watch_tell(w, &e);
	arm(w);
}

void watch_network(struct rs_watch *w, bool available)
{
	const struct rs_watch_event e = {.kind = RS_WATCH_NETWORK, .available = available};

	for (guint i = 0; available && i < w->watched->len; i++)
		rs_schedule_soon(&at(w, i)->schedule, now_ms(), chance());
	watch_tell(w, &e);
	if (available)
		watch_outbox_flush(w->outbox, w->accounts);
	arm(w);
}

static gboolean on_timer(gint fd, GIOCondition condition, gpointer data)
{
	struct rs_watch *w = data;
	guint64 times;
	gint64 slept;

	if (read(fd, &times, sizeof(times)) != (ssize_t)sizeof(times))
		return G_SOURCE_CONTINUE;
	slept = rs_asleep_ms(&w->asleep, clock_ms(CLOCK_MONOTONIC), now_ms());
	if (slept)
		watch_resumed(w, slept);
	config_again(w);
	watch_outbox_flush(w->outbox, w->accounts);
	start_due(w);
	return G_SOURCE_CONTINUE;
}

/* --- how it went -------------------------------------------------------------------------------- */

static enum rs_schedule_how how_of(int error)
{
	switch (-error) {
	case RS_OK:
	case RS_ELOCKED: /* another restante checks it: that is as good */
		return RS_SCHEDULE_WELL;
	case RS_EAUTH:
	case RS_ECERT:
		return RS_SCHEDULE_REFUSED;
	default:
		return RS_SCHEDULE_FAILED;
	}
}

static void notify(struct rs_watch *w, struct watched *x, bool news)
{
	const struct rs_account *a = x->check.fetch.account;
	const struct rs_fetch_report *r = &x->check.report;

	if (!w->notices || a->quiet)
		return;
	if (x->check.unread_n && r->new_n)
		rs_notices_new_mail(
			w->notices, x->name, MIN(x->check.unread_n, r->new_n), x->check.named);
	if (news && how_of(r->error) == RS_SCHEDULE_REFUSED)
		rs_notices_trouble(w->notices, x->name, r->err.text);
}

static void tell_checked(struct rs_watch *w, struct watched *x)
{
	struct rs_fetch_report *r = &x->check.report;
	const char *text = r->error ? r->err.text : NULL;
	bool differs = g_strcmp0(text, x->said) != 0;
	const struct rs_watch_event e = {.kind = RS_WATCH_CHECKED,
		.account = x->name,
		.report = r,
		.next_s = (guint)(MAX(x->schedule.due_ms - now_ms(), 0) / 1000),
		.news = r->new_n || !x->ever || differs,
		.recovered = x->said && !text};

	notify(w, x, differs);
	watch_tell(w, &e);
	g_free(x->said);
	x->said = g_strdup(text);
}

static bool all_checked(const struct rs_watch *w)
{
	for (guint i = 0; i < w->watched->len; i++) {
		if (!at(w, i)->ever)
			return false;
	}
	return true;
}

bool rs_watch_busy(const struct rs_watch *w)
{
	return rs_checks_running(w->checks) > 0 || watch_outbox_busy(w->outbox);
}

/* Something ended: is it all there was to do? */
static void go_on(struct rs_watch *w)
{
	bool done = w->stopping || (w->how.once && all_checked(w));

	if (done && !rs_watch_busy(w))
		g_main_loop_quit(w->loop);
	else
		start_due(w);
}

void watch_outbox_ended(struct rs_watch *w)
{
	go_on(w);
}

static void on_ended(void *arg, struct rs_check *c)
{
	struct rs_watch *w = arg;
	struct watched *x = (struct watched *)c;

	if (w->how.judge)
		w->how.judge(&c->report);
	x->status = c->report.error;
	rs_schedule_ended(&x->schedule, how_of(x->status), now_ms(), chance());
	if (x->again)
		rs_schedule_now(&x->schedule, now_ms());
	x->again = false;
	if (!w->stopping || c->report.new_n)
		tell_checked(w, x);
	x->ever = true;
	rs_check_finish(c);
	c->fetch.account = NULL;
	if (!x->account)
		g_ptr_array_remove(w->watched, x);
	go_on(w);
}

/* --- from outside ------------------------------------------------------------------------------- */

static gboolean on_late(gpointer data)
{
	struct rs_watch *w = data;

	g_main_loop_quit(w->loop);
	return G_SOURCE_CONTINUE;
}

void rs_watch_stop(struct rs_watch *w)
{
	w->stopped = true;
	if (w->stopping)
		return;
	w->stopping = g_timeout_add(RS_WATCH_STOP_MS, on_late, w);
	g_cancellable_cancel(w->cancel);
	if (!rs_watch_busy(w))
		g_main_loop_quit(w->loop);
}

void rs_watch_now(struct rs_watch *w)
{
	config_again(w);
	for (guint i = 0; i < w->watched->len; i++) {
		if (at(w, i)->check.fetch.account)
			at(w, i)->again = true;
		else
			rs_schedule_now(&at(w, i)->schedule, now_ms());
	}
	watch_outbox_flush(w->outbox, w->accounts);
	start_due(w);
}

int rs_watch_run(struct rs_watch *w)
{
	int status = 0;

	w->timer = g_unix_fd_add(w->timer_fd, G_IO_IN, on_timer, w);
	(void)rs_asleep_ms(&w->asleep, clock_ms(CLOCK_MONOTONIC), now_ms());
	w->system = watch_system_create(w);
	watch_outbox_flush(w->outbox, w->accounts);
	start_due(w);
	if (!w->stopped)
		g_main_loop_run(w->loop);
	watch_system_destroy(&w->system);
	g_source_remove(w->timer);
	if (w->stopping)
		g_source_remove(w->stopping);
	for (guint i = 0; w->how.once && i < w->watched->len && !status; i++)
		status = at(w, i)->status;
	rs_notices_destroy(&w->notices, w->stopping ? 100 : 2000);
	return status;
}

/* --- create, destroy ---------------------------------------------------------------------------- */

static int lock(struct rs_watch *w, struct rs_err *err)
{
	g_autofree char *path = g_build_filename(w->how.places->data_dir, "watch.lock", NULL);
	g_autofree char *pid = g_strdup_printf("%d\n", (int)getpid());
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char other[16] = "";
	ssize_t n;

	if (g_mkdir_with_parents(w->how.places->data_dir, 0700) < 0)
		return rs_err_set(err, rs_err_kind_of_errno(errno),
			_("cannot make the folder %s: %s"), w->how.places->data_dir,
			g_strerror(errno));
	w->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (w->lock_fd < 0)
		return rs_err_set(err, rs_err_kind_of_errno(errno), _("cannot open %s: %s"), path,
			g_strerror(errno));
	if (fcntl(w->lock_fd, F_OFD_SETLK, &whole) == 0) {
		(void)!ftruncate(w->lock_fd, 0);
		(void)!pwrite(w->lock_fd, pid, strlen(pid), 0);
		return 0;
	}
	n = pread(w->lock_fd, other, sizeof(other) - 1, 0);
	other[strspn(n > 0 ? other : "", "0123456789")] = '\0';
	return rs_err_set(err, RS_ELOCKED,
		_("a restante watch runs already (process %s); to have it check at once: kill "
		  "-USR1 %s"),
		other, other);
}

int rs_watch_create(const struct rs_watch_how *how, struct rs_watch **out, struct rs_err *err)
{
	struct rs_watch *w = g_new0(struct rs_watch, 1);
	int rc;

	w->how = *how;
	w->lock_fd = -1;
	w->watched = g_ptr_array_new_with_free_func(watched_free);
	w->cancel = g_cancellable_new();
	w->loop = g_main_loop_new(NULL, FALSE);
	w->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	w->checks = rs_checks_create(&(struct rs_checks_how){.places = how->places,
		.cancel = w->cancel,
		.background = true,
		.ended = on_ended,
		.arg = w});
	w->outbox = watch_outbox_create(w, how->places, w->cancel);
	(void)config_changed(w);
	rc = w->timer_fd < 0
		     ? rs_err_set(err, RS_EIO, _("there is no timer: %s"), g_strerror(errno))
		     : config_read(w, err);
	if (rc == 0)
		rc = lock(w, err);
	if (rc == 0 && !how->quiet)
		w->notices = rs_notices_create();
	if (rc < 0)
		rs_watch_destroy(&w);
	else
		*out = w;
	return rc;
}

void rs_watch_destroy(struct rs_watch **w)
{
	if (!*w)
		return;
	rs_checks_destroy(&(*w)->checks);
	watch_outbox_destroy(&(*w)->outbox);
	rs_notices_destroy(&(*w)->notices, 0);
	g_ptr_array_unref((*w)->watched);
	g_clear_pointer(&(*w)->accounts, g_ptr_array_unref);
	g_main_loop_unref((*w)->loop);
	g_object_unref((*w)->cancel);
	if ((*w)->timer_fd >= 0)
		close((*w)->timer_fd);
	if ((*w)->lock_fd >= 0)
		close((*w)->lock_fd);
	g_free(*w);
	*w = NULL;
}
