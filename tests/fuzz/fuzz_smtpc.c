/* fuzz_smtpc.c - the SMTP client engine: the same events and commands under every cut, and an end of the message
 * on the wire only where the owner ended it, whatever the message holds. */
#include "proto/smtpc.h"
#include "tests/fuzz/fuzz.h"

static const char message[] = "Subject: x\r\n\r\n.\r.\r\n.\n.\r\n..\r\n\r\r\n.\n\n.";

struct side {
	struct rs_smtpc *engine;
	GString *log;
	GString *out;
	gsize chunk;
};

static void drain(struct side *s)
{
	struct rs_slice out = rs_smtpc_out(s->engine);

	g_string_append_len(s->out, (const char *)out.p, (gssize)out.n);
	rs_smtpc_sent(s->engine, out.n);
}

/* A wire form of a message: no end before its end, no bare CR, no bare LF. */
static void check_message(const char *p, gsize n)
{
	FUZZ_LAW(n >= 5 && memcmp(p + n - 5, "\r\n.\r\n", 5) == 0);
	FUZZ_LAW(memmem(p, n - 1, "\r\n.\r\n", 5) == NULL);
	for (gsize i = 0; i < n; i++) {
		FUZZ_LAW(p[i] != '\n' || (i && p[i - 1] == '\r'));
		FUZZ_LAW(p[i] != '\r' || (i + 1 < n && p[i + 1] == '\n'));
	}
}

static void send_message(struct side *s)
{
	gsize at = s->out->len + rs_smtpc_out(s->engine).n;
	gsize n = sizeof(message) - 1;

	for (gsize i = 0; i < n; i += s->chunk) {
		gsize k = MIN(s->chunk, n - i);

		FUZZ_LAW(rs_smtpc_body(s->engine, (const guint8 *)message + i, k) == k);
	}
	FUZZ_LAW(rs_smtpc_end(s->engine));
	drain(s);
	check_message(s->out->str + at, s->out->len - at);
}

static void act(struct side *s, const struct rs_smtpc_event *ev)
{
	switch (ev->kind) {
	case RS_M_START_TLS:
		drain(s); /* the owner's part: what was said in the clear is out before TLS */
		(void)rs_smtpc_tls_up(s->engine, 0);
		break;
	case RS_M_READY:
	case RS_M_DONE:
	case RS_M_RESET:
		(void)rs_smtpc_mail(s->engine, rs_slice_str("a@b.org"), 0, 7);
		(void)rs_smtpc_rcpt(s->engine, 1, rs_slice_str("c@d.org"));
		break;
	case RS_M_MAIL:
		(void)rs_smtpc_rcpt(s->engine, 2, rs_slice_str("e@f.org"));
		break;
	case RS_M_RCPT:
		(void)(ev->code < 400 ? rs_smtpc_data(s->engine) : rs_smtpc_reset(s->engine));
		break;
	case RS_M_DATA:
		if (ev->code == 354)
			send_message(s);
		else
			(void)rs_smtpc_quit(s->engine);
		break;
	case RS_M_LOGIN:
		if (ev->text.n)
			FUZZ_LAW(rs_smtpc_auth(s->engine, "SCRAM-SHA-256",
					 rs_slice_str("n,,n=u,r=x")) == 0);
		else
			FUZZ_LAW(rs_smtpc_no_auth(s->engine) == 0);
		break;
	case RS_M_CHALLENGE:
		FUZZ_LAW(rs_smtpc_sasl(s->engine, ev->text.n > 3 ? rs_slice(NULL, 0) : ev->text) ==
			 0);
		break;
	case RS_M_REFUSED:
		break;
	}
}

static void run(const struct rs_smtpc_cfg *cfg, struct rs_slice in, struct side *s)
{
	enum rs_step step = RS_MORE;

	FUZZ_LAW(rs_smtpc_create(cfg, &s->engine) == 0);
	for (gsize at = 0; at < in.n && step == RS_MORE; at += s->chunk) {
		const guint8 *p = in.p + at;
		gsize n = MIN(s->chunk, in.n - at);

		do {
			struct rs_smtpc_event ev;
			gsize used;

			step = rs_smtpc_recv(s->engine, p, n, &used, &ev);
			FUZZ_LAW(used <= n);
			FUZZ_LAW(step != RS_MORE || used == n);
			if (step == RS_EVENT) {
				g_string_append_printf(s->log, "%d %u %u %.*s %.*s\n", ev.kind,
					ev.code, ev.tag, (int)ev.status.n,
					(const char *)ev.status.p, (int)ev.text.n,
					(const char *)ev.text.p);
				act(s, &ev);
			}
			p += used;
			n -= used;
			drain(s);
		} while (step == RS_EVENT);
	}
	if (step == RS_CLOSED || step == RS_FAILED)
		FUZZ_LAW(rs_smtpc_data(s->engine) == -RS_ECLOSED);
	g_string_append_printf(s->log, "%d", step);
	rs_smtpc_destroy(&s->engine);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize n)
{
	struct rs_slice in = rs_slice(data, n);
	guint8 flags = fuzz_choice(&in);
	guint8 chunk = fuzz_choice(&in);
	struct rs_smtpc_cfg cfg = {.flags = (flags & 0x0fu) | (flags & 0x20 ? RS_SMTPC_SASL : 0),
		.hostname = "h",
		.user = flags & 0x10 ? "u" : NULL,
		.password = "p",
		.limits = rs_smtpc_limits_default};
	struct side whole = {
		.log = g_string_new(NULL), .out = g_string_new(NULL), .chunk = in.n ? in.n : 1};
	struct side cut = {
		.log = g_string_new(NULL), .out = g_string_new(NULL), .chunk = 1u + chunk % 17u};

	cfg.limits.lines_max = 5;
	run(&cfg, in, &whole);
	run(&cfg, in, &cut);
	FUZZ_LAW(g_string_equal(whole.out, cut.out));
	FUZZ_LAW(g_string_equal(whole.log, cut.log));
	g_string_free(whole.log, TRUE);
	g_string_free(whole.out, TRUE);
	g_string_free(cut.log, TRUE);
	g_string_free(cut.out, TRUE);
	return 0;
}
