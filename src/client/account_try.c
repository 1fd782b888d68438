/* account_try.c - see account_try.h */
#include "client/account_try.h"

#include <string.h>

#include "client/providers.h"
#include "client/session.h"
#include "client/submit.h"
#include "client/text.h"

void rs_try_add_hint(const char *host, struct rs_err *err)
{
	const struct rs_provider *p = rs_provider_of_host(host);
	g_autofree char *hint = p ? rs_provider_hint(p) : NULL;
	g_autofree char *all = hint ? g_strdup_printf("%s. %s", err->text, hint) : NULL;

	if (all && err->kind == RS_EAUTH)
		(void)rs_err_set(err, RS_EAUTH, "%s", all);
}

/* A server without CAPA may still know UIDL; nothing is lost by asking for one message. */
static int ask_uidl(struct rs_session *s, struct rs_try *out, struct rs_err *err)
{
	struct rs_pop3c_event ev;
	int rc;

	if ((out->caps & RS_CAP_UIDL) || out->messages == 0)
		return 0;
	rc = rs_session_ask(s, RS_POP3_UIDL, "1", &ev, err);
	if (rc == 0 && ev.kind != RS_C_ERR)
		out->caps |= RS_CAP_UIDL;
	return rc;
}

static int look(struct rs_session *s, struct rs_try *out, struct rs_err *err)
{
	struct rs_pop3c_event ev;
	int rc = rs_session_ask(s, RS_POP3_STAT, NULL, &ev, err);

	if (rc == 0 && ev.kind == RS_C_ERR)
		rc = rs_session_refused(s, &ev, "STAT", err);
	if (rc < 0)
		return rc;
	out->messages = ev.num;
	out->octets = ev.size == UINT64_MAX ? 0 : ev.size;
	out->caps = rs_session_caps(s);
	rc = ask_uidl(s, out, err);
	out->uidl = (out->caps & RS_CAP_UIDL) != 0;
	return rc == 0 ? rs_session_ask(s, RS_POP3_QUIT, NULL, &ev, err) : rc;
}

static void try_pop3(const struct rs_account *a, const struct rs_secret *password,
	GCancellable *cancel, struct rs_try *out)
{
	struct rs_session_told told;
	struct rs_session *s = NULL;
	struct rs_try_one *one = &out->pop3;

	one->tried = true;
	one->rc = rs_session_open(a, password, cancel, NULL, &s, &told, &one->err);
	(void)g_strlcpy(one->certificate, told.certificate, sizeof(one->certificate));
	if (one->rc == 0)
		one->rc = look(s, out, &one->err);
	rs_session_close(&s);
	if (one->rc < 0)
		rs_try_add_hint(a->pop3_host, &one->err);
}

static void try_smtp(const struct rs_account *a, const struct rs_secret *password,
	GCancellable *cancel, struct rs_try_one *one)
{
	const struct rs_submit_login login = {.password = a->oauth2 ? NULL : password,
		.token = a->oauth2 ? (const char *)password->octets : NULL,
		.seen = one->certificate};
	struct rs_submit *s = NULL;

	one->tried = true;
	one->rc = rs_submit_open(a, &login, cancel, &s, &one->err);
	rs_submit_close(&s);
	if (one->rc < 0)
		rs_try_add_hint(a->smtp_host, &one->err);
}

void rs_account_try(const struct rs_account *a, const struct rs_secret *password,
	GCancellable *cancel, struct rs_try *out)
{
	*out = (struct rs_try){.messages = 0};
	try_pop3(a, password, cancel, out);
	/* a wrong password is not tried twice: some providers count */
	if (a->smtp_host && out->pop3.rc != -RS_EAUTH && out->pop3.rc != -RS_ETEMP)
		try_smtp(a, password, cancel, &out->smtp);
}

char *rs_try_caps_words(guint32 caps)
{
	static const struct {
		guint32 cap;
		const char *name;
	} rows[] = {{RS_CAP_UIDL, "UIDL"}, {RS_CAP_TOP, "TOP"}, {RS_CAP_PIPELINING, "PIPELINING"},
		{RS_CAP_UTF8, "UTF8"}};
	GString *out = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		if (caps & rows[i].cap)
			g_string_append_printf(out, "%s%s", out->len ? ", " : "", rows[i].name);
	}
	return g_string_free(out, FALSE);
}
