/* drive_smtpc.c - the SMTP client engine under transcripts.
 *
 * @flags: starttls starttls-if tls cleartext login sasl
 * Events: READY [cap …] [size=N] | REFUSED code status text | MAIL … | RCPT tag … | DATA … | DONE … | RESET … |
 *         START_TLS | LOGIN mechanisms | CHALLENGE code text
 * Acts:   mail ADDR [8bit] [utf8] [size=N] | rcpt TAG ADDR | data | body TEXT | end | reset | quit | tls | eof |
 *         busy | invalid mail|rcpt … | auth MECH [INITIAL|=] | no-auth | sasl RESPONSE|* */
#include <string.h>

#include "base/num.h"
#include "proto/smtpc.h"
#include "tests/script/script.h"

struct smtpc_under_test {
	struct rs_smtpc_cfg cfg;
	struct rs_smtpc *engine;
	gsize body_at; /* of a body that had no room for all */
};

static void *create(const struct script *s)
{
	struct smtpc_under_test *t = g_new0(struct smtpc_under_test, 1);
	const char *flags = g_hash_table_lookup(s->settings, "flags");
	g_auto(GStrv) words = g_strsplit(flags ? flags : "", " ", -1);

	t->cfg.hostname = "mail.example.org";
	t->cfg.limits = rs_smtpc_limits_default;
	for (char **w = words; *w; w++) {
		if (strcmp(*w, "starttls") == 0)
			t->cfg.flags |= RS_SMTPC_STARTTLS;
		else if (strcmp(*w, "starttls-if") == 0)
			t->cfg.flags |= RS_SMTPC_STARTTLS_IF;
		else if (strcmp(*w, "tls") == 0)
			t->cfg.flags |= RS_SMTPC_TLS;
		else if (strcmp(*w, "cleartext") == 0)
			t->cfg.flags |= RS_SMTPC_CLEARTEXT;
		else if (strcmp(*w, "sasl") == 0)
			t->cfg.flags |= RS_SMTPC_SASL;
		else if (strcmp(*w, "login") == 0)
			t->cfg.user = "anna";
	}
	t->cfg.password = "geheim";
	if (rs_smtpc_create(&t->cfg, &t->engine) < 0)
		g_error("no engine");
	return t;
}

static void destroy(void *d)
{
	struct smtpc_under_test *t = d;

	rs_smtpc_destroy(&t->engine);
	g_free(t);
}

static void caps_text(const struct rs_smtpc *c, GString *out)
{
	static const char *const names[] = {
		"PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE", "STARTTLS", "PLAIN", "LOGIN"};

	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		if (rs_smtpc_caps(c) & 1u << i)
			g_string_append_printf(out, " %s", names[i]);
	}
	if (rs_smtpc_size_max(c))
		g_string_append_printf(out, " size=%" G_GUINT64_FORMAT, rs_smtpc_size_max(c));
}

static enum rs_step recv(void *d, const guint8 *in, gsize n, gsize *used, GString *event)
{
	static const char *const kinds[] = {"START_TLS", "READY", "LOGIN", "CHALLENGE", "REFUSED",
		"MAIL", "RCPT", "DATA", "DONE", "RESET"};
	struct smtpc_under_test *t = d;
	struct rs_smtpc_event ev;
	enum rs_step step = rs_smtpc_recv(t->engine, in, n, used, &ev);

	if (step != RS_EVENT)
		return step;
	g_string_append(event, kinds[ev.kind]);
	if (ev.kind == RS_M_READY) {
		caps_text(t->engine, event);
		return RS_EVENT;
	}
	if (ev.kind == RS_M_RCPT)
		g_string_append_printf(event, " %u", ev.tag);
	if (ev.kind == RS_M_START_TLS)
		return RS_EVENT;
	if (ev.code)
		g_string_append_printf(event, " %u", ev.code);
	if (ev.status.n)
		g_string_append_printf(event, " %.*s", (int)ev.status.n, (const char *)ev.status.p);
	if (ev.text.n) {
		g_string_append_c(event, ' ');
		script_escape(event, ev.text);
	}
	return RS_EVENT;
}

static int mail(struct smtpc_under_test *t, char **words)
{
	uint32_t flags = 0;
	uint64_t size = 0;

	for (char **w = words + 1; *w; w++) {
		if (strcmp(*w, "8bit") == 0)
			flags |= RS_SMTPC_8BIT;
		else if (strcmp(*w, "utf8") == 0)
			flags |= RS_SMTPC_UTF8;
		else if (rs_num_u64(rs_slice_str(*w + 5), UINT64_MAX, &size) < 0)
			g_error("bad size in %s", *w);
	}
	return rs_smtpc_mail(
		t->engine, rs_slice_str(strcmp(words[0], "<>") == 0 ? "" : words[0]), flags, size);
}

static int login(struct smtpc_under_test *t, char **words)
{
	struct rs_slice with = rs_slice(NULL, 0);

	if (strcmp(words[0], "no-auth") == 0)
		return rs_smtpc_no_auth(t->engine);
	if (strcmp(words[0], "auth") == 0) {
		if (words[2])
			with = rs_slice_str(strcmp(words[2], "=") == 0 ? "" : words[2]);
		return rs_smtpc_auth(t->engine, words[1], with);
	}
	if (strcmp(words[1], "*") != 0)
		with = rs_slice_str(words[1]);
	return rs_smtpc_sasl(t->engine, with);
}

static int command(struct smtpc_under_test *t, char **words)
{
	guint32 tag = 0;

	if (strcmp(words[0], "mail") == 0)
		return mail(t, words + 1);
	if (strcmp(words[0], "data") == 0)
		return rs_smtpc_data(t->engine);
	if (strcmp(words[0], "reset") == 0)
		return rs_smtpc_reset(t->engine);
	if (strcmp(words[0], "quit") == 0)
		return rs_smtpc_quit(t->engine);
	if (strcmp(words[0], "rcpt") != 0 ||
		rs_num_u32(rs_slice_str(words[1]), UINT32_MAX, &tag) < 0)
		g_error("unknown act %s", words[0]);
	return rs_smtpc_rcpt(t->engine, tag, rs_slice_str(words[2]));
}

static gboolean body(struct smtpc_under_test *t, const char *text)
{
	g_autoptr(GString) octets = script_unescape(text);

	t->body_at += rs_smtpc_body(
		t->engine, (const guint8 *)octets->str + t->body_at, octets->len - t->body_at);
	if (t->body_at < octets->len)
		return FALSE;
	t->body_at = 0;
	return TRUE;
}

static gboolean act(void *d, const char *what, gsize held)
{
	struct smtpc_under_test *t = d;
	g_auto(GStrv) words = g_strsplit(what, " ", -1);
	int rc;

	if (strcmp(words[0], "tls") == 0) {
		(void)rs_smtpc_tls_up(t->engine, held);
	} else if (strcmp(words[0], "eof") == 0) {
		(void)rs_smtpc_eof(t->engine);
	} else if (strcmp(words[0], "body") == 0) {
		return body(t, what + 5);
	} else if (strcmp(words[0], "end") == 0) {
		return rs_smtpc_end(t->engine);
	} else if (strcmp(words[0], "busy") == 0) {
		if (rs_smtpc_data(t->engine) != -RS_EBUSY)
			g_error("not busy");
	} else if (strcmp(words[0], "invalid") == 0) {
		if (command(t, words + 1) != -RS_EINVAL)
			g_error("'%s' was taken", what);
	} else {
		bool is_login = strcmp(words[0], "auth") == 0 || strcmp(words[0], "sasl") == 0 ||
				strcmp(words[0], "no-auth") == 0;

		rc = is_login ? login(t, words) : command(t, words);
		if (rc < 0 && rc != -RS_EBUSY)
			g_error("'%s': %d", what, rc);
		return rc == 0;
	}
	return TRUE;
}

static struct rs_slice out(void *d)
{
	return rs_smtpc_out(((struct smtpc_under_test *)d)->engine);
}

static void sent(void *d, gsize n)
{
	rs_smtpc_sent(((struct smtpc_under_test *)d)->engine, n);
}

const struct driver drive_smtpc = {
	.name = "smtpc",
	.client = TRUE,
	.create = create,
	.destroy = destroy,
	.recv = recv,
	.act = act,
	.out = out,
	.sent = sent,
};
