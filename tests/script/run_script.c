/* run_script FILE… - replay transcripts: see README.md. TAP on standard output, a case a file.
 * run_script --connect HOST:PORT [--tls] [--user USER --password PASSWORD] FILE… - against a live server. */
#include <stdio.h>
#include <string.h>

#include "tests/script/connect.h"
#include "tests/script/script.h"

#define RANDOM_RUNS 16u
#define ROUNDS_MAX  2000000u /* an engine that stands still is a failure, not a hang */

static const struct driver *const drivers[] = {
	&drive_pop3s, &drive_pop3c, &drive_lmtps, &drive_smtpc, &drive_sasls};

/* How one replay cuts its input and drains the output. */
struct cut {
	GRand *rand; /* random chunks */
	gsize chunk; /* so many octets at a time, 0: whole … */
	gsize split; /* … or cut once behind so many octets of the input, SIZE_MAX: not */
	gsize drain; /* octets of output taken at a time, 0: all */
};

struct replay {
	const struct script *s;
	const struct driver *d;
	const struct cut *cut;
	void *engine;
	GString *out; /* all the engine said */
	GString *log; /* events with the octets said before */
	guint event_n;
	gsize fed; /* octets of the whole input so far */
	char *why; /* set: failed */
	gboolean ended;
};

static void drain(struct replay *r)
{
	struct rs_slice out = r->d->out(r->engine);
	gsize n = r->cut->drain ? MIN(out.n, r->cut->drain) : out.n;

	if (n)
		g_string_append_len(r->out, (const char *)out.p, (gssize)n);
	r->d->sent(r->engine, n);
}

static gboolean fits(const char *got, const char *want)
{
	size_t n = strlen(want);

	if (n && want[n - 1] == '*')
		return strncmp(got, want, n - 1) == 0;
	return strcmp(got, want) == 0;
}

static gsize said(const struct replay *r)
{
	return r->out->len + r->d->out(r->engine).n;
}

static void on_event(struct replay *r, const char *got, gsize held)
{
	const struct script_event *e;

	g_string_append_printf(r->log, "%s @%zu\n", got, said(r));
	if (r->event_n == r->s->events->len) {
		r->why = g_strdup_printf("event nobody expected: %s", got);
		return;
	}
	e = &g_array_index(r->s->events, struct script_event, r->event_n++);
	if (!fits(got, e->text)) {
		r->why = g_strdup_printf(
			"event %u: expected '%s', got '%s'", r->event_n, e->text, got);
		return;
	}
	for (guint i = 0; i < e->acts->len && !r->why; i++) {
		guint rounds = 0;

		/* the owner's part of the contract: what was said in the clear is out before TLS */
		while (strcmp(g_ptr_array_index(e->acts, i), "tls") == 0 && r->d->out(r->engine).n)
			drain(r);

		while (!r->d->act(r->engine, g_ptr_array_index(e->acts, i), held) &&
			rounds++ < ROUNDS_MAX)
			drain(r);
		if (rounds >= ROUNDS_MAX)
			r->why = g_strdup_printf(
				"'%s' is not possible", (char *)g_ptr_array_index(e->acts, i));
	}
}

static gsize next_chunk(const struct replay *r, gsize left)
{
	const struct cut *c = r->cut;

	if (c->rand)
		return (gsize)g_rand_int_range(c->rand, 1, (gint32)MIN(left, 40) + 1);
	if (c->chunk)
		return MIN(left, c->chunk);
	if (c->split > r->fed && c->split < r->fed + left)
		return c->split - r->fed;
	return left;
}

/* Feed one chunk until the engine wants more. */
static void feed(struct replay *r, const guint8 *p, gsize n)
{
	g_autoptr(GString) event = g_string_new(NULL);
	guint rounds = 0;

	while (!r->why && !r->ended) {
		gsize used;
		enum rs_step step;

		g_string_truncate(event, 0);
		step = r->d->recv(r->engine, p, n, &used, event);
		if (used > n || (step == RS_MORE && used != n)) {
			r->why = g_strdup_printf("step %d used %zu of %zu", (int)step, used, n);
			return;
		}
		p += used;
		n -= used;
		if (step == RS_EVENT)
			on_event(r, event->str, n);
		drain(r);
		if (step == RS_MORE)
			return;
		if (step == RS_CLOSED || step == RS_FAILED) {
			g_string_append_printf(r->log, "%s @%zu\n",
				step == RS_CLOSED ? "CLOSED" : "FAILED", said(r));
			r->ended = TRUE;
		}
		if (++rounds > ROUNDS_MAX)
			r->why = g_strdup("the engine stands still");
	}
}

static void settle(struct replay *r)
{
	for (guint i = 0; i < ROUNDS_MAX && r->d->out(r->engine).n; i++)
		drain(r);
	if (!r->ended)
		feed(r, (const guint8 *)"", 0);
	for (guint i = 0; i < ROUNDS_MAX && r->d->out(r->engine).n; i++)
		drain(r);
}

/* The line of output at `at`, its end included. */
static struct rs_slice output_line(const struct replay *r, gsize at)
{
	const char *got = r->out->str + at;
	const char *end = memchr(got, '\n', r->out->len - at);

	return rs_slice(got, end ? (gsize)(end - got) + 1 : r->out->len - at);
}

static void check_output(struct replay *r)
{
	gboolean any = FALSE;
	gsize at = 0;

	for (guint i = 0; i < r->s->output->len && !r->why; i++) {
		const GString *want = g_ptr_array_index(r->s->output, i);
		struct rs_slice line = output_line(r, at);

		if (script_any(want)) {
			any = TRUE;
			continue;
		}
		while (any && line.n && !script_line_fits(line, want)) {
			at += line.n;
			line = output_line(r, at);
		}
		if (!script_line_fits(line, want)) {
			g_autoptr(GString) text = g_string_new(NULL);
			g_autofree char *want_text = g_strescape(want->str, NULL);

			script_escape(text, line);
			r->why = g_strdup_printf(
				"line %u: expected '%s', got '%s'", i + 1, want_text, text->str);
		}
		any = FALSE;
		at += line.n;
	}
	if (!r->why && at < r->out->len)
		r->why = g_strdup_printf("more output than expected: '%s'", r->out->str + at);
	if (!r->why && r->event_n < r->s->events->len)
		r->why = g_strdup_printf("event %u did not come: %s", r->event_n + 1,
			g_array_index(r->s->events, struct script_event, r->event_n).text);
}

/* One replay; returns NULL or what was wrong. *log: events and output, for comparing. */
static char *replay(
	const struct script *s, const struct driver *d, const struct cut *cut, char **log)
{
	struct replay r = {
		.s = s, .d = d, .cut = cut, .out = g_string_new(NULL), .log = g_string_new(NULL)};

	r.engine = d->create(s);
	for (guint i = 0; i < s->segments->len && !r.why; i++) {
		const GString *in = g_ptr_array_index(s->segments, i);
		gsize at = 0;

		while (at < in->len && !r.why && !r.ended) {
			gsize n = next_chunk(&r, in->len - at);

			feed(&r, (const guint8 *)in->str + at, n);
			at += n;
			r.fed += n;
		}
		if (!r.why)
			settle(&r);
	}
	if (!r.why)
		check_output(&r);
	d->destroy(r.engine);
	g_string_append_len(r.log, r.out->str, (gssize)r.out->len);
	*log = g_string_free(r.log, FALSE);
	g_string_free(r.out, TRUE);
	return r.why;
}

struct run {
	const struct script *s;
	const struct driver *d;
	char *first; /* log of the replay in one piece */
};

static char *again(const struct run *run, struct cut cut, const char *how)
{
	g_autofree char *log = NULL;
	g_autofree char *why = replay(run->s, run->d, &cut, &log);

	if (why)
		return g_strdup_printf("%s: %s", how, why);
	if (strcmp(log, run->first) != 0)
		return g_strdup_printf("%s: other events or output than in one piece:\n%s\n--\n%s",
			how, log, run->first);
	return NULL;
}

static char *all_cuts(struct run *run)
{
	struct cut whole = {.split = SIZE_MAX};
	gsize total = 0;
	char *why = replay(run->s, run->d, &whole, &run->first);

	for (guint i = 0; i < run->s->segments->len; i++)
		total += ((const GString *)g_ptr_array_index(run->s->segments, i))->len;
	if (why || run->s->whole)
		return why;
	why = again(run, (struct cut){.chunk = 1, .split = SIZE_MAX}, "one octet at a time");
	for (gsize at = 1; at < total && !why; at++) {
		g_autofree char *how = g_strdup_printf("cut behind octet %zu", at);

		if (total < 20000 || at % (total / 5000) == 0)
			why = again(run, (struct cut){.split = at}, how);
	}
	for (guint32 seed = 1; seed <= RANDOM_RUNS && !why; seed++) {
		g_autofree char *how = g_strdup_printf("random chunks, seed %u", seed);
		g_autoptr(GRand) rand = g_rand_new_with_seed(seed);

		why = again(
			run, (struct cut){.rand = rand, .split = SIZE_MAX, .drain = seed % 7}, how);
	}
	for (gsize n = 1; n < 40 && !why; n += 6) {
		g_autofree char *how = g_strdup_printf("output drained %zu octets at a time", n);

		why = again(run, (struct cut){.split = SIZE_MAX, .drain = n}, how);
	}
	return why;
}

static char *run_engine(struct script *s)
{
	struct run run = {.s = s};
	char *why;

	for (gsize i = 0; i < G_N_ELEMENTS(drivers); i++) {
		if (strcmp(drivers[i]->name, s->engine) == 0)
			run.d = drivers[i];
	}
	why = run.d ? all_cuts(&run) : g_strdup("@engine is not known");
	g_free(run.first);
	return why;
}

/* `to` without an address: against the engine. */
static char *run_file(const char *file, const struct connect_to *to)
{
	char *why;
	struct script *s = script_read(file, &why);

	if (!s)
		return why;
	if (!to->address)
		why = run_engine(s);
	else if (!g_hash_table_contains(s->settings, "live"))
		why = g_strdup("is not marked @live: it speaks of things that only the engine's "
			       "owner can arrange");
	else
		why = connect_run(s, to);
	script_free(s);
	return why;
}

int main(int argc, char **argv)
{
	struct connect_to to = {.seconds = 60};
	g_autofree char *user = NULL;
	g_autofree char *password = NULL;
	const GOptionEntry entries[] = {
		{"connect", 0, 0, G_OPTION_ARG_STRING, &to.address, "a live server", "HOST:PORT"},
		{"tls", 0, 0, G_OPTION_ARG_NONE, &to.tls, "TLS from the first octet", NULL},
		{"user", 0, 0, G_OPTION_ARG_STRING, &user, "%USER% of the transcripts", "USER"},
		{"password", 0, 0, G_OPTION_ARG_STRING, &password, "%PASS%", "PASSWORD"},
		{"timeout", 0, 0, G_OPTION_ARG_INT, &to.seconds, "for an answer (60)", "SECONDS"},
		G_OPTION_ENTRY_NULL,
	};
	g_autoptr(GOptionContext) options = g_option_context_new("FILE… - replay transcripts");
	g_autoptr(GError) error = NULL;
	int failed = 0;

	g_option_context_add_main_entries(options, entries, NULL);
	if (!g_option_context_parse(options, &argc, &argv, &error)) {
		(void)fprintf(stderr, "run_script: %s\n", error->message);
		return 64;
	}
	script_set_login(user ? user : "a", password ? password : "b");
	(void)printf("1..%d\n", argc - 1);
	for (int i = 1; i < argc; i++) {
		g_autofree char *name = g_path_get_basename(argv[i]);
		g_autofree char *why = run_file(argv[i], &to);

		(void)printf("%sok %d - %s\n", why ? "not " : "", i, name);
		if (why) {
			g_auto(GStrv) lines = g_strsplit(why, "\n", -1);

			for (char **l = lines; *l; l++)
				(void)printf("# %s\n", *l);
			failed = 1;
		}
	}
	g_free(to.address);
	return failed;
}
