/* drive_lmtps.c - the LMTP/SMTP server engine under transcripts.
 *
 * @flags: smtp starttls tls auth cleartext mechs allmechs ; @size N, @rcpts N
 * Events: HELO name | MAIL addr [utf8] [8bit] [size=N] | RCPT n addr | DATA | BODY text | END | TOO_BIG |
 *         RESET | AUTH mech first=0|1 text | START_TLS
 * Acts:   reply CODE [STATUS] | result N CODE | auth ok | challenge TEXT | tls | abort */
#include <string.h>

#include "base/num.h"
#include "proto/lmtps.h"
#include "tests/script/script.h"

struct lmtps_under_test {
	struct rs_lmtps_cfg cfg;
	struct rs_lmtps *engine;
	GString *body;
	GString *held_event;
};

#define ALL_MECHS                                                                    \
	"SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN " \
	"XOAUTH2 OAUTHBEARER EXTERNAL"

static guint32 number(const char *text)
{
	guint32 v = 0;

	if (rs_num_u32(rs_slice_str(text), UINT32_MAX, &v) < 0)
		g_error("not a number: %s", text);
	return v;
}

static void flag(struct rs_lmtps_cfg *c, const char *word)
{
	static const struct {
		const char *word;
		guint32 bit;
	} rows[] = {
		{"smtp", RS_LMTPS_SMTP},
		{"starttls", RS_LMTPS_STARTTLS},
		{"tls", RS_LMTPS_TLS},
		{"auth", RS_LMTPS_AUTH},
		{"cleartext", RS_LMTPS_CLEARTEXT},
	};

	if (strcmp(word, "allmechs") == 0)
		c->mechs = ALL_MECHS;
	else if (strcmp(word, "mechs") == 0)
		c->mechs = "PLAIN LOGIN";
	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
		if (strcmp(word, rows[i].word) == 0)
			c->flags |= rows[i].bit;
	}
}

static void *create(const struct script *s)
{
	struct lmtps_under_test *t = g_new0(struct lmtps_under_test, 1);
	const char *flags = g_hash_table_lookup(s->settings, "flags");
	const char *size = g_hash_table_lookup(s->settings, "size");
	const char *rcpts = g_hash_table_lookup(s->settings, "rcpts");
	g_auto(GStrv) words = g_strsplit(flags ? flags : "", " ", -1);

	t->cfg.hostname = "mx.example.org";
	t->cfg.mechs = "";
	t->cfg.limits = rs_lmtps_limits_default;
	t->cfg.limits.size_max = size ? number(size) : 1000000;
	t->cfg.limits.rcpt_max = rcpts ? number(rcpts) : 100;
	for (char **w = words; *w; w++)
		flag(&t->cfg, *w);
	if (rs_lmtps_create(&t->cfg, &t->engine) < 0)
		g_error("no engine");
	t->body = g_string_new(NULL);
	t->held_event = g_string_new(NULL);
	return t;
}

static void destroy(void *d)
{
	struct lmtps_under_test *t = d;

	rs_lmtps_destroy(&t->engine);
	g_string_free(t->body, TRUE);
	g_string_free(t->held_event, TRUE);
	g_free(t);
}

static void event_text(const struct rs_lmtps_event *ev, GString *out)
{
	static const char *const kinds[] = {"HELO", "AUTH", "START_TLS", "MAIL", "RCPT", "DATA",
		"BODY", "END", "TOO_BIG", "RESET"};

	g_string_append(out, kinds[ev->kind]);
	if (ev->kind == RS_L_RCPT)
		g_string_append_printf(out, " %u", ev->rcpt);
	if (ev->kind == RS_L_AUTH)
		g_string_append_printf(out, " %.*s first=%d", (int)ev->mech.n,
			(const char *)ev->mech.p, ev->first);
	if (ev->text.n) {
		g_string_append_c(out, ' ');
		script_escape(out, ev->text);
	}
	if (ev->kind == RS_L_MAIL && ev->utf8)
		g_string_append(out, " utf8");
	if (ev->kind == RS_L_MAIL && ev->body_8bit)
		g_string_append(out, " 8bit");
	if (ev->kind == RS_L_MAIL && ev->size)
		g_string_append_printf(out, " size=%" G_GUINT64_FORMAT, ev->size);
}

static enum rs_step recv(void *d, const guint8 *in, gsize n, gsize *used, GString *event)
{
	struct lmtps_under_test *t = d;
	struct rs_lmtps_event ev;
	enum rs_step step;

	*used = 0;
	if (t->held_event->len) {
		g_string_assign(event, t->held_event->str);
		g_string_truncate(t->held_event, 0);
		return RS_EVENT;
	}
	step = rs_lmtps_recv(t->engine, in, n, used, &ev);
	if (step != RS_EVENT)
		return step;
	if (ev.kind == RS_L_BODY) {
		gsize more;

		script_escape(t->body, ev.text);
		step = recv(d, in + *used, n - *used, &more, event);
		*used += more;
		return step;
	}
	event_text(&ev, event);
	if (ev.kind == RS_L_TOO_BIG)
		g_string_truncate(t->body, 0);
	if (t->body->len) {
		g_string_assign(t->held_event, event->str);
		g_string_printf(event, "BODY %s", t->body->str);
		g_string_truncate(t->body, 0);
	}
	return RS_EVENT;
}

static gboolean act(void *d, const char *what, gsize held)
{
	struct lmtps_under_test *t = d;
	g_auto(GStrv) words = g_strsplit(what, " ", -1);
	const char *rest;

	if (script_word(what, "reply", &rest))
		rs_lmtps_reply(t->engine, number(words[1]), words[2], NULL);
	else if (script_word(what, "result", &rest))
		rs_lmtps_result(t->engine, number(words[1]), number(words[2]), NULL, NULL);
	else if (strcmp(what, "auth ok") == 0)
		rs_lmtps_auth_ok(t->engine);
	else if (script_word(what, "challenge", &rest))
		return rs_lmtps_challenge(t->engine, rs_slice_str(rest)) == 0;
	else if (strcmp(what, "tls") == 0)
		(void)rs_lmtps_tls_up(t->engine, held);
	else if (strcmp(what, "abort") == 0)
		rs_lmtps_abort(t->engine, "The service is being stopped");
	else
		g_error("unknown act %s", what);
	return TRUE;
}

static struct rs_slice out(void *d)
{
	return rs_lmtps_out(((struct lmtps_under_test *)d)->engine);
}

static void sent(void *d, gsize n)
{
	rs_lmtps_sent(((struct lmtps_under_test *)d)->engine, n);
}

const struct driver drive_lmtps = {
	.name = "lmtps",
	.create = create,
	.destroy = destroy,
	.recv = recv,
	.act = act,
	.out = out,
	.sent = sent,
};
