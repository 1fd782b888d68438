/* fuzz_lmtps.c - the LMTP/SMTP server engine: the same events and replies under every cut. */
#include "proto/lmtps.h"
#include "tests/fuzz/fuzz.h"

struct side {
	struct rs_lmtps *engine;
	GString *log;
	GString *out;
	gboolean in_body;
};

static void drain(struct side *s)
{
	struct rs_slice out = rs_lmtps_out(s->engine);

	g_string_append_len(s->out, (const char *)out.p, (gssize)out.n);
	rs_lmtps_sent(s->engine, out.n);
}

static void answer(struct side *s, const struct rs_lmtps_event *ev, gboolean smtp)
{
	guint h = (guint)ev->text.n;
	guint n;

	switch (ev->kind) {
	case RS_L_MAIL:
	case RS_L_RCPT:
		rs_lmtps_reply(s->engine, h % 5 == 4 ? 550 : 250, "2.0.0", NULL);
		break;
	case RS_L_DATA:
		rs_lmtps_reply(s->engine, 354, NULL, NULL);
		break;
	case RS_L_AUTH:
		if (h % 3 == 0)
			FUZZ_LAW(rs_lmtps_challenge(s->engine, rs_slice_str("x")) == 0);
		else if (h % 3 == 1)
			rs_lmtps_auth_ok(s->engine);
		else
			rs_lmtps_reply(s->engine, 535, "5.7.8", NULL);
		break;
	case RS_L_END:
		n = smtp ? 1 : rs_lmtps_rcpt_n(s->engine);
		for (guint i = 0; i < n; i++)
			rs_lmtps_result(s->engine, i, i % 2 ? 452 : 250, NULL, NULL);
		break;
	case RS_L_START_TLS:
		drain(s);
		(void)rs_lmtps_tls_up(s->engine, 0);
		break;
	case RS_L_HELO:
	case RS_L_BODY:
	case RS_L_TOO_BIG:
	case RS_L_RESET:
		break;
	}
}

static void note(struct side *s, const struct rs_lmtps_event *ev)
{
	if (ev->kind == RS_L_BODY) {
		FUZZ_LAW(ev->text.n > 0);
		g_string_append_printf(s->log, "%s", s->in_body ? "" : "BODY ");
		s->in_body = TRUE;
		g_string_append_len(s->log, (const char *)ev->text.p, (gssize)ev->text.n);
		return;
	}
	s->in_body = FALSE;
	g_string_append_printf(s->log, "\n%d %u %zu ", ev->kind, ev->rcpt, ev->text.n);
}

static void run(const struct rs_lmtps_cfg *cfg, struct rs_slice in, gsize chunk, struct side *s)
{
	FUZZ_LAW(rs_lmtps_create(cfg, &s->engine) == 0);
	for (gsize at = 0; at < in.n; at += chunk) {
		const guint8 *p = in.p + at;
		gsize n = MIN(chunk, in.n - at);
		enum rs_step step;

		do {
			struct rs_lmtps_event ev;
			gsize used;

			step = rs_lmtps_recv(s->engine, p, n, &used, &ev);
			FUZZ_LAW(used <= n);
			FUZZ_LAW(step != RS_MORE || used == n);
			if (step == RS_EVENT) {
				note(s, &ev);
				answer(s, &ev, (cfg->flags & RS_LMTPS_SMTP) != 0);
			}
			p += used;
			n -= used;
			drain(s);
		} while (step == RS_EVENT || step == RS_BLOCKED);
		if (step != RS_MORE)
			break;
	}
	rs_lmtps_destroy(&s->engine);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize n)
{
	struct rs_slice in = rs_slice(data, n);
	guint8 flags = fuzz_choice(&in);
	guint8 chunk = fuzz_choice(&in);
	struct rs_lmtps_cfg cfg = {.flags = flags & 0x1f,
		.hostname = "h",
		.mechs = flags & 0x20 ? "PLAIN" : "",
		.limits = rs_lmtps_limits_default};
	struct side whole = {.log = g_string_new(NULL), .out = g_string_new(NULL)};
	struct side cut = {.log = g_string_new(NULL), .out = g_string_new(NULL)};

	cfg.limits.rcpt_max = 3;
	cfg.limits.size_max = flags & 0x40 ? 60 : 0;
	run(&cfg, in, in.n ? in.n : 1, &whole);
	run(&cfg, in, 1u + chunk % 17u, &cut);
	FUZZ_LAW(g_string_equal(whole.out, cut.out));
	if (cfg.limits.size_max == 0) /* a ceiling is met at the span that passes it */
		FUZZ_LAW(g_string_equal(whole.log, cut.log));
	g_string_free(whole.log, TRUE);
	g_string_free(whole.out, TRUE);
	g_string_free(cut.log, TRUE);
	g_string_free(cut.out, TRUE);
	return 0;
}
