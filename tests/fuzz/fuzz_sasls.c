/* fuzz_sasls.c - the SASL service's engine: the same events and answers under every cut, one answer a request,
 * each a line of its own. */
#include "proto/sasls.h"
#include "tests/fuzz/fuzz.h"

struct side {
	struct rs_sasls *engine;
	GString *log;
	GString *out;
};

static void drain(struct side *s)
{
	struct rs_slice out = rs_sasls_out(s->engine);

	g_string_append_len(s->out, (const char *)out.p, (gssize)out.n);
	rs_sasls_sent(s->engine, out.n);
}

static void answer(struct side *s, const struct rs_sasls_event *ev)
{
	char name[16];

	if (rs_slice_copy(rs_slice_sub(ev->response, 0, 8), name, sizeof(name)) < 0)
		name[0] = '\0';
	if (ev->kind == RS_A_CANCEL || ev->id % 5 == 4)
		return;
	if (ev->id % 5 == 0 && ev->kind == RS_A_AUTH)
		rs_sasls_challenge(s->engine, ev->id, ev->response);
	else if (ev->id % 5 == 1)
		rs_sasls_fail(s->engine, ev->id, name, ev->secured);
	else
		rs_sasls_ok(s->engine, ev->id, name);
}

static void run(const struct rs_sasls_cfg *cfg, struct rs_slice in, gsize chunk, struct side *s)
{
	enum rs_step step = RS_MORE;

	FUZZ_LAW(rs_sasls_create(cfg, &s->engine) == 0);
	for (gsize at = 0; at < in.n && step == RS_MORE; at += chunk) {
		const guint8 *p = in.p + at;
		gsize n = MIN(chunk, in.n - at);

		do {
			struct rs_sasls_event ev = {.id = 0};
			gsize used;

			step = rs_sasls_recv(s->engine, p, n, &used, &ev);
			FUZZ_LAW(used <= n);
			FUZZ_LAW(step != RS_MORE || used == n);
			FUZZ_LAW(rs_sasls_pending(s->engine) <= RS_SASLS_REQUESTS_MAX);
			if (step == RS_EVENT) {
				g_string_append_printf(s->log, "%d %u %zu %zu %zu %d %d %zu\n",
					ev.kind, ev.id, ev.mech.n, ev.service.n, ev.peer.n,
					ev.secured, ev.has_response, ev.response.n);
				answer(s, &ev);
			}
			p += used;
			n -= used;
			drain(s);
		} while (step == RS_EVENT || step == RS_BLOCKED);
	}
	FUZZ_LAW(g_str_has_suffix(s->out->str, "\n") || s->out->len == 0);
	rs_sasls_destroy(&s->engine);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize n)
{
	struct rs_slice in = rs_slice(data, n);
	guint8 chunk = fuzz_choice(&in);
	struct rs_sasls_cfg cfg = {
		.mechs = "PLAIN EXTERNAL", .cookie = "0", .limits = rs_sasls_limits_default};
	struct side whole = {.log = g_string_new(NULL), .out = g_string_new(NULL)};
	struct side cut = {.log = g_string_new(NULL), .out = g_string_new(NULL)};

	cfg.limits.line_max = 200;
	run(&cfg, in, in.n ? in.n : 1, &whole);
	run(&cfg, in, 1u + chunk % 17u, &cut);
	FUZZ_LAW(g_string_equal(whole.out, cut.out));
	FUZZ_LAW(g_string_equal(whole.log, cut.log));
	g_string_free(whole.log, TRUE);
	g_string_free(whole.out, TRUE);
	g_string_free(cut.log, TRUE);
	g_string_free(cut.out, TRUE);
	return 0;
}
