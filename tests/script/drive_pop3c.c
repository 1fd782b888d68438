/* drive_pop3c.c - the POP3 client engine under transcripts.
 *
 * @flags: depth=N pipelining line=N
 * Events: GREETING [apop] | OK VERB tag [CODE] num size text | ERR … | LINE … | BODY text | END octets |
 *         CHALLENGE text | START_TLS ; adjacent BODY spans are joined before they are compared
 * Acts:   send VERB [arg] | auth MECH [text] | sasl text | cancel | tls | pipelining | busy VERB |
 *         invalid VERB [arg] | caps NAME … | eof */
#include <string.h>

#include "base/num.h"
#include "proto/pop3c.h"
#include "tests/script/script.h"

struct pop3c_under_test {
	struct rs_pop3c *engine;
	guint32 tag;
	GString *body;       /* spans not yet told */
	GString *held_event; /* an event that came behind them */
	enum rs_step held_step;
};

static void *create(const struct script *s)
{
	struct pop3c_under_test *t = g_new0(struct pop3c_under_test, 1);
	struct rs_pop3c_limits lim = rs_pop3c_limits_default;
	const char *line = g_hash_table_lookup(s->settings, "line");

	if (line && rs_num_u32(rs_slice_str(line), UINT32_MAX, &lim.line_max) < 0)
		g_error("bad @line");
	if (rs_pop3c_create(&lim, &t->engine) < 0)
		g_error("no engine");
	t->body = g_string_new(NULL);
	t->held_event = g_string_new(NULL);
	return t;
}

static void destroy(void *d)
{
	struct pop3c_under_test *t = d;

	rs_pop3c_destroy(&t->engine);
	g_string_free(t->body, TRUE);
	g_string_free(t->held_event, TRUE);
	g_free(t);
}

static void event_text(const struct rs_pop3c_event *ev, GString *out)
{
	static const char *const kinds[] = {
		"GREETING", "OK", "ERR", "LINE", "BODY", "END", "CHALLENGE", "START_TLS"};

	g_string_append(out, kinds[ev->kind]);
	if (ev->kind == RS_C_OK || ev->kind == RS_C_ERR || ev->kind == RS_C_LINE)
		g_string_append_printf(out, " %s", rs_pop3_verbs[ev->verb].name);
	if (ev->code != RS_POP3_CODE_NONE)
		g_string_append_printf(out, " [%s]",
			ev->code == RS_POP3_CODE_OTHER ? "?" : rs_pop3_code_name(ev->code));
	if (ev->num)
		g_string_append_printf(out, " num=%u", ev->num);
	if (ev->size != UINT64_MAX)
		g_string_append_printf(out, " size=%" G_GUINT64_FORMAT, ev->size);
	if (ev->kind == RS_C_END && (ev->verb == RS_POP3_RETR || ev->verb == RS_POP3_TOP))
		g_string_append_printf(out, " octets=%" G_GUINT64_FORMAT, ev->octets);
	if (ev->kind == RS_C_GREETING && ev->apop.n)
		g_string_append_printf(
			out, " apop=%.*s", (int)ev->apop.n, (const char *)ev->apop.p);
	if (ev->text.n) {
		g_string_append_c(out, ' ');
		script_escape(out, ev->text);
	}
}

/* Spans are cut differently under every replay: they are told as one BODY when it has ended. */
static enum rs_step recv(void *d, const guint8 *in, gsize n, gsize *used, GString *event)
{
	struct pop3c_under_test *t = d;
	struct rs_pop3c_event ev;
	enum rs_step step;

	*used = 0;
	if (t->held_event->len) {
		g_string_assign(event, t->held_event->str);
		g_string_truncate(t->held_event, 0);
		return RS_EVENT;
	}
	step = rs_pop3c_recv(t->engine, in, n, used, &ev);
	if (step != RS_EVENT)
		return step;
	if (ev.kind == RS_C_BODY) {
		gsize more;

		g_assert(ev.text.n > 0);
		script_escape(t->body, ev.text);
		step = recv(d, in + *used, n - *used, &more, event);
		*used += more;
		return step;
	}
	event_text(&ev, event);
	if (ev.kind == RS_C_END && t->body->len) {
		g_string_assign(t->held_event, event->str);
		g_string_printf(event, "BODY %s", t->body->str);
		g_string_truncate(t->body, 0);
	}
	return RS_EVENT;
}

static enum rs_pop3_verb verb_of(const char *text, const char **arg)
{
	const char *blank = strchr(text, ' ');
	size_t n = blank ? (size_t)(blank - text) : strlen(text);

	*arg = blank ? blank + 1 : NULL;
	return rs_pop3_verb_of(rs_slice(text, n));
}

static gboolean auth(struct pop3c_under_test *t, const char *text)
{
	const char *blank = strchr(text, ' ');
	g_autofree char *mech = g_strndup(text, blank ? (gsize)(blank - text) : strlen(text));
	g_autoptr(GString) raw = script_unescape(blank ? blank + 1 : "");

	return rs_pop3c_auth(t->engine, ++t->tag, mech,
		       blank ? rs_slice(raw->str, raw->len) : rs_slice(NULL, 0)) == 0;
}

static gboolean act(void *d, const char *what, gsize held)
{
	struct pop3c_under_test *t = d;
	const char *rest;
	const char *arg;

	if (script_word(what, "send", &rest)) {
		enum rs_pop3_verb v = verb_of(rest, &arg);

		return rs_pop3c_send(t->engine, v, ++t->tag, arg) == 0;
	}
	if (script_word(what, "busy", &rest)) {
		enum rs_pop3_verb v = verb_of(rest, &arg);

		return rs_pop3c_send(t->engine, v, 0, arg) == -RS_EBUSY;
	}
	if (script_word(what, "invalid", &rest)) {
		enum rs_pop3_verb v = verb_of(rest, &arg);
		g_autoptr(GString) raw = script_unescape(arg ? arg : "");

		return rs_pop3c_send(t->engine, v, 0, raw->str) == -RS_EINVAL;
	}
	if (script_word(what, "auth", &rest))
		return auth(t, rest);
	if (script_word(what, "sasl", &rest))
		return rs_pop3c_sasl(t->engine, rs_slice(rest, strlen(rest))) == 0;
	if (strcmp(what, "cancel") == 0)
		return rs_pop3c_sasl(t->engine, rs_slice(NULL, 0)) == 0;
	if (strcmp(what, "tls") == 0) {
		(void)rs_pop3c_tls_up(t->engine, held);
		return TRUE;
	}
	if (strcmp(what, "eof") == 0)
		return rs_pop3c_eof(t->engine) == RS_FAILED;
	if (strcmp(what, "pipelining") == 0) {
		rs_pop3c_pipelining(t->engine, true);
		return TRUE;
	}
	if (script_word(what, "caps", &rest)) {
		g_autofree char *now = g_strdup_printf("%04x", rs_pop3c_caps(t->engine));

		return strcmp(now, rest) == 0;
	}
	g_error("unknown act %s", what);
}

static struct rs_slice out(void *d)
{
	return rs_pop3c_out(((struct pop3c_under_test *)d)->engine);
}

static void sent(void *d, gsize n)
{
	rs_pop3c_sent(((struct pop3c_under_test *)d)->engine, n);
}

const struct driver drive_pop3c = {
	.name = "pop3c",
	.client = TRUE,
	.create = create,
	.destroy = destroy,
	.recv = recv,
	.act = act,
	.out = out,
	.sent = sent,
};
