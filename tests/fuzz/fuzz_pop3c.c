/* fuzz_pop3c.c - the POP3 client engine: the same octets give the same events under every cut
 * (adjacent BODY spans joined), and the laws of pop3c.h hold. */
#include "proto/pop3c.h"
#include "tests/fuzz/fuzz.h"

struct side {
	struct rs_pop3c *engine;
	GString *log;
	gboolean in_body;
	guint next; /* of the commands the owner would like to send */
};

/* One of each, round and round; which is decided by how many were sent. */
static void send_more(struct side *s)
{
	static const struct {
		enum rs_pop3_verb verb;
		const char *arg;
	} rows[] = {{RS_POP3_CAPA, NULL}, {RS_POP3_USER, "a"}, {RS_POP3_STAT, NULL},
		{RS_POP3_UIDL, NULL}, {RS_POP3_LIST, NULL}, {RS_POP3_RETR, "1"},
		{RS_POP3_TOP, "1 0"}, {RS_POP3_DELE, "1"}, {RS_POP3_LIST, "2"}, {RS_POP3_UIDL, "2"},
		{RS_POP3_LANG, NULL}, {RS_POP3_PASS, "b"}, {RS_POP3_STLS, NULL}};

	for (;;) {
		guint at = s->next % (G_N_ELEMENTS(rows) + 1);
		int rc = at < G_N_ELEMENTS(rows)
				 ? rs_pop3c_send(s->engine, rows[at].verb, s->next, rows[at].arg)
				 : rs_pop3c_auth(s->engine, s->next, "LOGIN", rs_slice(NULL, 0));

		if (rc < 0)
			return;
		s->next++;
	}
}

static void note(struct side *s, const struct rs_pop3c_event *ev)
{
	FUZZ_LAW(ev->kind != RS_C_BODY || ev->text.n > 0);
	if (ev->kind == RS_C_BODY) {
		if (!s->in_body)
			g_string_append(s->log, "BODY ");
		s->in_body = TRUE;
		g_string_append_len(s->log, (const char *)ev->text.p, (gssize)ev->text.n);
		return;
	}
	s->in_body = FALSE;
	g_string_append_printf(s->log, "\n%d %d %u %d %u %" G_GUINT64_FORMAT " ", ev->kind,
		ev->verb, ev->tag, ev->code, ev->num, ev->size);
	g_string_append_len(s->log, (const char *)ev->text.p, (gssize)ev->text.n);
}

static gboolean feed(struct side *s, const guint8 *p, gsize n)
{
	for (;;) {
		struct rs_pop3c_event ev;
		gsize used;
		enum rs_step step = rs_pop3c_recv(s->engine, p, n, &used, &ev);

		FUZZ_LAW(used <= n);
		FUZZ_LAW(step != RS_MORE || used == n);
		FUZZ_LAW(step != RS_BLOCKED);
		p += used;
		n -= used;
		if (step == RS_EVENT) {
			note(s, &ev);
			if (ev.kind == RS_C_CHALLENGE)
				FUZZ_LAW(rs_pop3c_sasl(s->engine, rs_slice_str("x")) == 0);
			if (ev.kind == RS_C_START_TLS)
				(void)rs_pop3c_tls_up(s->engine, 0);
			rs_pop3c_pipelining(s->engine, true);
			send_more(s);
		}
		rs_pop3c_sent(s->engine, rs_pop3c_out(s->engine).n);
		if (step == RS_MORE)
			return TRUE;
		if (step == RS_CLOSED || step == RS_FAILED) {
			FUZZ_LAW(rs_pop3c_send(s->engine, RS_POP3_NOOP, 0, NULL) == -RS_ECLOSED);
			return FALSE;
		}
	}
}

static void run(struct rs_slice in, gsize chunk, struct side *s)
{
	struct rs_pop3c_limits lim = rs_pop3c_limits_default;

	lim.line_max = 300;
	lim.depth_max = 6;
	lim.lines_max = 50;
	lim.body_max = 2000;
	FUZZ_LAW(rs_pop3c_create(&lim, &s->engine) == 0);
	for (gsize at = 0; at < in.n; at += chunk) {
		if (!feed(s, in.p + at, MIN(chunk, in.n - at)))
			break;
	}
	rs_pop3c_destroy(&s->engine);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize n)
{
	struct rs_slice in = rs_slice(data, n);
	guint8 chunk = fuzz_choice(&in);
	struct side whole = {.log = g_string_new(NULL)};
	struct side cut = {.log = g_string_new(NULL)};

	run(in, in.n ? in.n : 1, &whole);
	run(in, 1u + chunk % 17u, &cut);
	/* a body ceiling is met at the span that passes it, so the last span may differ */
	if (strstr(whole.log->str, "BODY ") == NULL || whole.log->len < 2000)
		FUZZ_LAW(g_string_equal(whole.log, cut.log));
	g_string_free(whole.log, TRUE);
	g_string_free(cut.log, TRUE);
	return 0;
}
