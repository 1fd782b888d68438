/* checks.c - see checks.h */
#include "client/checks.h"

#include <unistd.h>

#include "base/secret.h"
#include "client/header.h"

#define HEAD_MAX 16384u

struct rs_checks {
	struct rs_checks_how how;
	GQueue waiting; /* struct rs_check */
	guint running;
};

static void new_clear(gpointer p)
{
	struct rs_check_new *n = p;

	g_free(n->from);
	g_free(n->subject);
}

/* --- on the threads of fetch -------------------------------------------------------------------- */

static void on_progress(void *arg, const struct rs_fetch_progress *p)
{
	struct rs_check *c = arg;

	g_mutex_lock(&c->lock);
	c->latest = *p;
	g_mutex_unlock(&c->lock);
}

static void name_it(struct rs_check *c, int fd)
{
	g_autofree char *head = g_malloc(HEAD_MAX);
	ssize_t n = pread(fd, head, HEAD_MAX, 0);
	g_autofree char *from = n > 0 ? rs_header_get(head, (gsize)n, "From") : NULL;
	g_autofree char *subject = n > 0 ? rs_header_get(head, (gsize)n, "Subject") : NULL;
	struct rs_check_new named = {.from = from ? rs_header_person(from, NULL) : g_strdup(""),
		.subject = subject ? rs_header_text(subject) : g_strdup("")};

	g_array_append_val(c->named, named);
}

static void on_arrival(void *arg, int fd)
{
	struct rs_check *c = arg;

	g_mutex_lock(&c->lock);
	c->unread_n++;
	if (c->named->len < RS_CHECK_NAMED_MAX)
		name_it(c, fd);
	g_mutex_unlock(&c->lock);
}

static int password(struct rs_check *c)
{
	const struct rs_fetch *f = &c->fetch;
	int rc = rs_account_password(f->places, f->account, &c->password, &c->report.err);

	c->fetch.password = c->password;
	return rc;
}

/* --- on the main thread ------------------------------------------------------------------------- */

static void start_more(struct rs_checks *s);

static void ended(struct rs_check *c)
{
	rs_secret_destroy(&c->password);
	c->running = false;
	c->checks->how.ended(c->checks->how.arg, c);
}

static gboolean on_end(gpointer data)
{
	struct rs_check *c = data;
	struct rs_checks *s = c->checks;

	g_thread_join(c->thread);
	c->thread = NULL;
	s->running--;
	start_more(s); /* before `ended`: its owner may find that none runs any more */
	ended(c);
	return G_SOURCE_REMOVE;
}

static gpointer check_thread(gpointer data)
{
	struct rs_check *c = data;

	if (!c->password)
		c->report.error = password(c);
	if (!c->report.error)
		(void)rs_fetch_run(&c->fetch, &c->report); /* the report says how it went */
	g_idle_add(on_end, c);
	return NULL;
}

/* At a terminal the password comes first, one account after the other: its command may ask. */
static void start(struct rs_checks *s, struct rs_check *c)
{
	c->began_us = g_get_monotonic_time();
	c->running = true;
	if (!s->how.background)
		c->report.error = password(c);
	if (c->report.error) {
		ended(c);
		return;
	}
	s->running++;
	c->thread = g_thread_new("check", check_thread, c);
}

static void start_more(struct rs_checks *s)
{
	while (!g_queue_is_empty(&s->waiting) && s->running < RS_CHECKS_AT_ONCE_MAX &&
		!g_cancellable_is_cancelled(s->how.cancel))
		start(s, g_queue_pop_head(&s->waiting));
}

void rs_checks_add(struct rs_checks *s, struct rs_check *c)
{
	c->checks = s;
	c->fetch.places = s->how.places;
	c->fetch.cancel = s->how.cancel;
	if (s->how.background) {
		c->fetch.arrival = on_arrival;
		c->fetch.arrival_arg = c;
	}
	g_queue_push_tail(&s->waiting, c);
	start_more(s);
}

guint rs_checks_running(const struct rs_checks *s)
{
	return s->running;
}

struct rs_checks *rs_checks_create(const struct rs_checks_how *how)
{
	struct rs_checks *s = g_new0(struct rs_checks, 1);

	s->how = *how;
	g_queue_init(&s->waiting);
	if (how->background)
		rs_mime_init();
	return s;
}

void rs_checks_destroy(struct rs_checks **s)
{
	if (!*s)
		return;
	g_assert((*s)->running == 0);
	g_queue_clear(&(*s)->waiting);
	g_free(*s);
	*s = NULL;
}

/* --- one ---------------------------------------------------------------------------------------- */

void rs_check_init(struct rs_check *c, const struct rs_account *a)
{
	*c = (struct rs_check){.fetch = {.account = a, .progress = on_progress, .progress_arg = c},
		.latest = {.phase = RS_FETCH_CONNECT}};
	c->named = g_array_new(FALSE, FALSE, sizeof(struct rs_check_new));
	g_array_set_clear_func(c->named, new_clear);
	g_mutex_init(&c->lock);
}

void rs_check_finish(struct rs_check *c)
{
	g_array_unref(c->named);
	g_mutex_clear(&c->lock);
	if (c->keep)
		g_ptr_array_unref(c->keep);
}

struct rs_fetch_progress rs_check_latest(struct rs_check *c)
{
	struct rs_fetch_progress p;

	g_mutex_lock(&c->lock);
	p = c->latest;
	g_mutex_unlock(&c->lock);
	p.seconds = (double)(g_get_monotonic_time() - c->began_us) / G_USEC_PER_SEC;
	return p;
}
