/* fuzz_pop3s.c - the POP3 server engine: two runs over the same octets, cut and drained differently,
 * must say the same and report the same; the laws of pop3s.h hold at every step. */
#include "proto/pop3s.h"
#include "tests/fuzz/fuzz.h"

struct side {
	struct rs_pop3s *engine;
	GString *log;
	GString *out;
	gsize drain; /* octets a time, 0: all */
};

static const struct rs_drop *the_drop(void)
{
	static struct rs_drop drop;
	static gpointer image;

	if (!image) {
		struct rs_drop_builder b;

		rs_drop_builder_init(&b);
		for (guint i = 0; i < 40; i++) {
			g_autofree char *uid = g_strdup_printf("uid%u", i);

			FUZZ_LAW(rs_drop_builder_add(&b, 10 + i, rs_slice_str(uid)) == 0);
			if (i % 3 == 0)
				FUZZ_LAW(rs_drop_builder_ascii(
						 &b, i % 9 == 6 ? RS_DROP_NO_ASCII : 20 + i) == 0);
		}
		image = g_malloc(rs_drop_builder_image_n(&b));
		rs_drop_builder_image(&b, image);
		FUZZ_LAW(rs_drop_open(rs_slice(image, rs_drop_builder_image_n(&b)), &drop) == 0);
		rs_drop_builder_finish(&b);
	}
	return &drop;
}

static void drain(struct side *s)
{
	struct rs_slice out = rs_pop3s_out(s->engine);
	gsize n = s->drain ? MIN(s->drain, out.n) : out.n;

	if (n)
		g_string_append_len(s->out, (const char *)out.p, (gssize)n);
	rs_pop3s_sent(s->engine, n);
}

/* The owner's answer follows from the event alone, so that both runs do the same. */
static void login(struct side *s, const struct rs_pop3s_event *ev)
{
	guint h = (guint)ev->secret.n + (guint)ev->user.n * 7;

	if (ev->login == RS_LOGIN_SASL && h % 3 == 0)
		FUZZ_LAW(rs_pop3s_challenge(s->engine, rs_slice_str("more")) == 0);
	else if (h % 4 == 1)
		rs_pop3s_refuse(s->engine, RS_POP3_CODE_AUTH, NULL);
	else
		FUZZ_LAW(rs_pop3s_login_ok(s->engine, the_drop()) == 0);
}

static void body(struct side *s, guint32 msg)
{
	static const char text[] = "Subject: \303\266\nFrom: \303\266 <a@b>, "
				   "\377\n\n.dots\n..\n\r\nlong long long long line\nend";
	gsize n = msg % sizeof(text);
	gsize at = 0;

	if (msg % 5 == 4) {
		rs_pop3s_refuse(s->engine, RS_POP3_CODE_SYS_PERM, NULL);
		return;
	}
	rs_pop3s_body_begin(s->engine);
	while (at < n) {
		at += rs_pop3s_body(s->engine, (const guint8 *)text + at, n - at);
		drain(s);
	}
	while (!rs_pop3s_body_last(s->engine))
		drain(s);
	while (!rs_pop3s_body_end(s->engine))
		drain(s);
}

static void on_event(struct side *s, const struct rs_pop3s_event *ev, gsize held)
{
	guint32 marked;

	g_string_append_printf(s->log, "%d %d %u %" G_GINT64_FORMAT " %zu %zu\n", ev->kind,
		ev->login, ev->msg, ev->top, ev->user.n, ev->secret.n);
	switch (ev->kind) {
	case RS_S_LOGIN:
		login(s, ev);
		break;
	case RS_S_START_TLS:
		while (rs_pop3s_out(s->engine).n)
			drain(s);
		(void)rs_pop3s_tls_up(
			s->engine, 0); /* what is held differs with the cut: not told here */
		break;
	case RS_S_OPEN:
		FUZZ_LAW(ev->msg < rs_drop_n(the_drop()));
		body(s, ev->msg);
		break;
	case RS_S_COMMIT:
		FUZZ_LAW(rs_pop3s_marks(s->engine, &marked) != NULL);
		g_string_append_printf(s->log, "marked %u\n", marked);
		rs_pop3s_committed(s->engine, marked / 2, RS_POP3_CODE_NONE);
		break;
	}
}

static gboolean feed(struct side *s, const guint8 *p, gsize n)
{
	for (;;) {
		struct rs_pop3s_event ev;
		gsize used;
		enum rs_step step = rs_pop3s_recv(s->engine, p, n, &used, &ev);

		FUZZ_LAW(used <= n);
		FUZZ_LAW(step != RS_MORE || used == n);
		p += used;
		n -= used;
		if (step == RS_EVENT)
			on_event(s, &ev, n);
		drain(s);
		if (step == RS_MORE)
			return TRUE;
		if (step == RS_CLOSED || step == RS_FAILED) {
			FUZZ_LAW(rs_pop3s_recv(s->engine, (const guint8 *)"NOOP\r\n", 6, &used,
					 &ev) == step);
			FUZZ_LAW(used == 0);
			return FALSE;
		}
	}
}

static void run(const struct rs_pop3s_cfg *cfg, struct rs_slice in, gsize chunk, struct side *s)
{
	FUZZ_LAW(rs_pop3s_create(cfg, &s->engine) == 0);
	for (gsize at = 0; at < in.n; at += chunk) {
		if (!feed(s, in.p + at, MIN(chunk, in.n - at)))
			break;
	}
	while (rs_pop3s_out(s->engine).n)
		drain(s);
	rs_pop3s_destroy(&s->engine);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize n)
{
	struct rs_slice in = rs_slice(data, n);
	guint8 flags = fuzz_choice(&in);
	guint8 chunk = fuzz_choice(&in);
	struct rs_pop3s_cfg cfg = {
		.flags = flags & (RS_POP3S_CLEARTEXT | RS_POP3S_NO_USER | RS_POP3S_UTF8),
		.mechs = "PLAIN LOGIN",
		.mechs_plain = flags & 0x20 ? "PLAIN LOGIN" : "",
		.apop_timestamp = flags & 0x40 ? "<1@x>" : NULL,
		.expire_days = -1,
		.login_delay_s = -1,
		.limits = rs_pop3s_limits_default};
	struct side whole = {.log = g_string_new(NULL), .out = g_string_new(NULL)};
	struct side cut = {
		.log = g_string_new(NULL), .out = g_string_new(NULL), .drain = 1u + chunk % 50u};

	cfg.flags |= flags & 0x80 ? RS_POP3S_TLS : RS_POP3S_STLS;
	cfg.limits.out_max = 1024;
	cfg.limits.sasl_max = 600;
	run(&cfg, in, in.n ? in.n : 1, &whole);
	run(&cfg, in, 1u + chunk % 17u, &cut);
	FUZZ_LAW(g_string_equal(whole.log, cut.log));
	FUZZ_LAW(g_string_equal(whole.out, cut.out));
	g_string_free(whole.log, TRUE);
	g_string_free(whole.out, TRUE);
	g_string_free(cut.log, TRUE);
	g_string_free(cut.out, TRUE);
	return 0;
}
