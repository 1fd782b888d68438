/* drive_sasls.c - the SASL service's engine under transcripts. In `C:` and `S:` lines CRLF is the
 * transcripts' own; here lines end with LF, so they are written as C: …\n\c.
 *
 * Events: AUTH id mech service=… [rip=…] [secured] [resp=text] | CONT id text | CANCEL id
 * Acts:   ok ID USER | fail ID USER [temp] | challenge ID TEXT */
#include <string.h>

#include "base/num.h"
#include "proto/sasls.h"
#include "tests/script/script.h"

struct sasls_under_test {
	struct rs_sasls_cfg cfg;
	struct rs_sasls *engine;
};

static void *create(const struct script *s)
{
	struct sasls_under_test *t = g_new0(struct sasls_under_test, 1);

	t->cfg.mechs = "PLAIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS EXTERNAL XOAUTH2";
	t->cfg.pid = 17;
	t->cfg.connection = 4;
	g_strlcpy(t->cfg.cookie, "00112233445566778899aabbccddeeff", sizeof(t->cfg.cookie));
	t->cfg.limits = rs_sasls_limits_default;
	if (rs_sasls_create(&t->cfg, &t->engine) < 0)
		g_error("no engine");
	return t;
}

static void destroy(void *d)
{
	struct sasls_under_test *t = d;

	rs_sasls_destroy(&t->engine);
	g_free(t);
}

static void part(GString *out, const char *name, struct rs_slice s)
{
	if (s.n == 0)
		return;
	g_string_append_printf(out, " %s", name);
	script_escape(out, s);
}

static enum rs_step recv(void *d, const guint8 *in, gsize n, gsize *used, GString *event)
{
	static const char *const kinds[] = {"AUTH", "CONT", "CANCEL"};
	struct sasls_under_test *t = d;
	struct rs_sasls_event ev;
	enum rs_step step = rs_sasls_recv(t->engine, in, n, used, &ev);

	if (step != RS_EVENT)
		return step;
	g_string_append_printf(event, "%s %u", kinds[ev.kind], ev.id);
	part(event, "", ev.mech);
	part(event, "service=", ev.service);
	part(event, "rip=", ev.peer);
	if (ev.secured)
		g_string_append(event, " secured");
	if (ev.has_response) {
		g_string_append(event, " resp=");
		script_escape(event, ev.response);
	}
	return RS_EVENT;
}

static gboolean act(void *d, const char *what, gsize held)
{
	struct sasls_under_test *t = d;
	g_auto(GStrv) words = g_strsplit(what, " ", -1);
	guint32 id = 0;

	if (rs_num_u32(rs_slice_str(words[1]), UINT32_MAX, &id) < 0)
		g_error("'%s' has no number", what);
	if (strcmp(words[0], "ok") == 0)
		rs_sasls_ok(t->engine, id, words[2]);
	else if (strcmp(words[0], "fail") == 0)
		rs_sasls_fail(t->engine, id, words[2], words[2] && words[3]);
	else if (strcmp(words[0], "challenge") == 0)
		rs_sasls_challenge(t->engine, id, rs_slice_str(words[2]));
	else
		g_error("unknown act %s", what);
	return TRUE;
}

static struct rs_slice out(void *d)
{
	return rs_sasls_out(((struct sasls_under_test *)d)->engine);
}

static void sent(void *d, gsize n)
{
	rs_sasls_sent(((struct sasls_under_test *)d)->engine, n);
}

const struct driver drive_sasls = {
	.name = "sasls",
	.create = create,
	.destroy = destroy,
	.recv = recv,
	.act = act,
	.out = out,
	.sent = sent,
};
