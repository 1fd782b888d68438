/* drive_pop3s.c - the POP3 server engine under transcripts.
 *
 * @flags: stls cleartext nouser tls utf8 apop mechs allmechs expire[=N] delay impl bad=N line=N sasl=N
 * Events: LOGIN PASS user=… secret=… | LOGIN APOP … | LOGIN SASL mech=… first=0|1 secret=…|none
 *         START_TLS | OPEN row=N top=N | COMMIT marks=N
 * Acts:   login ok | refuse CODE [words] | challenge TEXT | tls | body TEXT | end | begin | broken |
 *         committed N [CODE] | abort [words] */
#include <assert.h>
#include <string.h>

#include "base/num.h"
#include "proto/pop3s.h"
#include "tests/script/script.h"

struct pop3s_under_test {
	struct rs_pop3s_cfg cfg;
	struct rs_pop3s *engine;
	struct rs_drop_builder builder;
	void *image;
	struct rs_drop drop;
	gsize body_at; /* octets of the body text taken so far */
};

#define ALL_MECHS                                                                    \
	"SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN " \
	"XOAUTH2 OAUTHBEARER EXTERNAL"

static guint64 octets(const char *text)
{
	guint64 v = 0;

	if (rs_num_u64(rs_slice_str(text), UINT64_MAX, &v) < 0)
		g_error("not a number: %s", text);
	return v;
}

static guint32 number(const char *text)
{
	return (guint32)octets(text);
}

static void flag(struct rs_pop3s_cfg *c, const char *word)
{
	const char *eq = strchr(word, '=');

	if (strcmp(word, "stls") == 0)
		c->flags |= RS_POP3S_STLS;
	else if (strcmp(word, "cleartext") == 0)
		c->flags |= RS_POP3S_CLEARTEXT;
	else if (strcmp(word, "nouser") == 0)
		c->flags |= RS_POP3S_NO_USER;
	else if (strcmp(word, "tls") == 0)
		c->flags |= RS_POP3S_TLS;
	else if (strcmp(word, "utf8") == 0)
		c->flags |= RS_POP3S_UTF8;
	else if (strcmp(word, "apop") == 0)
		c->apop_timestamp = "<1896.697170952@dbc.mtview.ca.us>";
	else if (strcmp(word, "allmechs") == 0)
		c->mechs = ALL_MECHS;
	else if (strcmp(word, "mechs") == 0)
		c->mechs = "PLAIN LOGIN";
	else if (strcmp(word, "plainmechs") == 0)
		c->mechs_plain = "PLAIN LOGIN";
	else if (strcmp(word, "expire") == 0)
		c->expire_days = -1;
	else if (eq && g_str_has_prefix(word, "expire="))
		c->expire_days = (int32_t)number(eq + 1);
	else if (strcmp(word, "delay") == 0)
		c->login_delay_s = 120;
	else if (strcmp(word, "impl") == 0)
		c->implementation = "Restante";
	else if (eq && g_str_has_prefix(word, "bad="))
		c->limits.bad_max = number(eq + 1);
	else if (eq && g_str_has_prefix(word, "sasl="))
		c->limits.sasl_max = number(eq + 1);
	else
		g_error("unknown flag %s", word);
}

static void build_drop(struct pop3s_under_test *t, const char *text)
{
	g_auto(GStrv) rows = g_strsplit(text ? text : "", ",", -1);

	rs_drop_builder_init(&t->builder);
	for (char **r = rows; *r; r++) {
		g_auto(GStrv) words = g_strsplit(g_strstrip(*r), " ", 2);
		g_auto(GStrv) sizes = g_strsplit(words[0] ? words[0] : "", "/", 2);

		if (!words[0] || !words[1])
			continue;
		if (rs_drop_builder_add(&t->builder, octets(sizes[0]), rs_slice_str(words[1])) < 0)
			g_error("bad @drop");
		if (sizes[1] && rs_drop_builder_ascii(&t->builder, strcmp(sizes[1], "no") == 0
									   ? RS_DROP_NO_ASCII
									   : octets(sizes[1])) < 0)
			g_error("bad @drop");
	}
	t->image = g_malloc(rs_drop_builder_image_n(&t->builder));
	rs_drop_builder_image(&t->builder, t->image);
	if (rs_drop_open(rs_slice(t->image, rs_drop_builder_image_n(&t->builder)), &t->drop) < 0)
		g_error("bad image");
}

static void *create(const struct script *s)
{
	struct pop3s_under_test *t = g_new0(struct pop3s_under_test, 1);
	const char *flags = g_hash_table_lookup(s->settings, "flags");
	g_auto(GStrv) words = g_strsplit(flags ? flags : "", " ", -1);

	t->cfg.limits = rs_pop3s_limits_default;
	t->cfg.limits.out_max = 2048;
	t->cfg.mechs = t->cfg.mechs_plain = "";
	t->cfg.expire_days = -2;
	t->cfg.login_delay_s = -1;
	for (char **w = words; *w; w++) {
		if (**w)
			flag(&t->cfg, *w);
	}
	build_drop(t, g_hash_table_lookup(s->settings, "drop"));
	if (rs_pop3s_create(&t->cfg, &t->engine) < 0)
		g_error("no engine");
	return t;
}

static void destroy(void *d)
{
	struct pop3s_under_test *t = d;

	rs_pop3s_destroy(&t->engine);
	rs_drop_builder_finish(&t->builder);
	g_free(t->image);
	g_free(t);
}

static void login_text(const struct rs_pop3s_event *ev, GString *out)
{
	static const char *const kinds[] = {"PASS", "APOP", "SASL"};

	g_string_append_printf(out, "LOGIN %s ", kinds[ev->login]);
	if (ev->login == RS_LOGIN_SASL) {
		g_string_append_printf(out, "mech=%.*s first=%d ", (int)ev->mech.n,
			(const char *)ev->mech.p, ev->first);
	} else {
		g_string_append(out, "user=");
		script_escape(out, ev->user);
		g_string_append_c(out, ' ');
	}
	g_string_append(out, "secret=");
	if (ev->login == RS_LOGIN_SASL && !ev->has_secret)
		g_string_append(out, "none");
	else
		script_escape(out, ev->secret);
}

static enum rs_step recv(void *d, const guint8 *in, gsize n, gsize *used, GString *event)
{
	struct pop3s_under_test *t = d;
	struct rs_pop3s_event ev;
	enum rs_step step = rs_pop3s_recv(t->engine, in, n, used, &ev);
	guint32 marked = 0;

	if (step != RS_EVENT)
		return step;
	switch (ev.kind) {
	case RS_S_LOGIN:
		login_text(&ev, event);
		break;
	case RS_S_START_TLS:
		g_string_append(event, "START_TLS");
		break;
	case RS_S_OPEN:
		g_string_append_printf(event, "OPEN row=%u top=%" G_GINT64_FORMAT, ev.msg, ev.top);
		break;
	case RS_S_COMMIT:
		(void)rs_pop3s_marks(t->engine, &marked);
		g_string_append_printf(event, "COMMIT marks=%u", marked);
		break;
	}
	return step;
}

static enum rs_pop3_code code_of(const char *name)
{
	for (unsigned c = RS_POP3_CODE_IN_USE; c < RS_POP3_CODE_OTHER; c++) {
		if (strcmp(rs_pop3_code_name((enum rs_pop3_code)c), name) == 0)
			return (enum rs_pop3_code)c;
	}
	return RS_POP3_CODE_NONE;
}

static gboolean body(struct pop3s_under_test *t, const char *text)
{
	g_autoptr(GString) all = script_unescape(text);

	t->body_at += rs_pop3s_body(
		t->engine, (const guint8 *)all->str + t->body_at, all->len - t->body_at);
	if (t->body_at < all->len)
		return FALSE;
	t->body_at = 0;
	return TRUE;
}

static gboolean act(void *d, const char *what, gsize held)
{
	struct pop3s_under_test *t = d;
	const char *rest;

	if (strcmp(what, "login ok") == 0)
		return rs_pop3s_login_ok(t->engine, &t->drop) == 0;
	if (script_word(what, "body", &rest))
		return body(t, rest);
	if (strcmp(what, "end") == 0)
		return rs_pop3s_body_end(t->engine);
	if (strcmp(what, "begin") == 0)
		rs_pop3s_body_begin(t->engine);
	else if (strcmp(what, "broken") == 0)
		rs_pop3s_body_broken(t->engine);
	else if (strcmp(what, "tls") == 0)
		(void)rs_pop3s_tls_up(t->engine, held);
	else if (script_word(what, "challenge", &rest))
		return rs_pop3s_challenge(t->engine, rs_slice_str(rest)) == 0;
	else if (script_word(what, "refuse", &rest))
		rs_pop3s_refuse(t->engine, code_of(rest), NULL);
	else if (script_word(what, "committed", &rest))
		rs_pop3s_committed(t->engine, number(rest), RS_POP3_CODE_NONE);
	else if (script_word(what, "abort", &rest))
		rs_pop3s_abort(t->engine, RS_POP3_CODE_SYS_TEMP, *rest ? rest : NULL);
	else
		g_error("unknown act %s", what);
	return TRUE;
}

static struct rs_slice out(void *d)
{
	return rs_pop3s_out(((struct pop3s_under_test *)d)->engine);
}

static void sent(void *d, gsize n)
{
	rs_pop3s_sent(((struct pop3s_under_test *)d)->engine, n);
}

const struct driver drive_pop3s = {
	.name = "pop3s",
	.create = create,
	.destroy = destroy,
	.recv = recv,
	.act = act,
	.out = out,
	.sent = sent,
};
