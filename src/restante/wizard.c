/* wizard.c - see wizard.h */
#include "restante/wizard.h"

#include <string.h>

#include "client/clean.h"
#include "client/providers.h"
#include "client/text.h"

bool rs_wizard_key(
	struct rs_account *a, const char *key, const char *question, const char *standard)
{
	for (;;) {
		g_autofree char *answer = rs_ask(question, standard);
		struct rs_err why;

		if (!answer)
			return false;
		if (!*answer || rs_account_set(a, key, answer, &why) == 0)
			return true;
		rs_complain("%s: %s", answer, why.text);
	}
}

bool rs_wizard_yes(const char *question, bool standard)
{
	g_autofree char *asked =
		g_strdup_printf("%s [%s]", question, standard ? _("Y/n") : _("y/N"));
	g_autofree char *answer = rs_ask(asked, "");
	const char *yes = _("y");

	if (!answer)
		return false;
	if (!*answer)
		return standard;
	return g_ascii_tolower(*answer) == *yes || g_ascii_tolower(*answer) == 'y';
}

/* --- servers ------------------------------------------------------------------------------------- */

static const char *security_words(enum rs_security s)
{
	switch (s) {
	case RS_SECURITY_TLS:
		return _("TLS");
	case RS_SECURITY_STARTTLS:
		return _("STARTTLS");
	case RS_SECURITY_NONE:
		break;
	}
	return _("in the open");
}

void rs_wizard_say_servers(const struct rs_account *a)
{
	g_autofree char *pop3 = rs_account_get(a, "pop3");
	g_autofree char *smtp = rs_account_get(a, "smtp");

	rs_say(_("  receiving  %s, %s, user %s\n"), pop3, security_words(a->pop3_security),
		a->pop3_user ? a->pop3_user : a->address);
	if (smtp)
		rs_say(_("  sending    %s, %s, user %s\n"), smtp, security_words(a->smtp_security),
			a->smtp_user ? a->smtp_user : "-");
	else
		rs_say("%s", _("  sending    no SMTP server: mail can be read but not sent\n"));
}

void rs_wizard_say_found(const struct rs_found *f, const struct rs_account *a)
{
	const struct rs_provider *p = rs_provider_of_host(f->pop3.host);
	g_autofree char *hint = p ? rs_provider_hint(p) : NULL;
	g_autofree char *name = rs_clean_line(f->provider ? f->provider : a->pop3_host);
	g_autofree char *source = rs_clean_line(f->source ? f->source : "");

	rs_say(_("%s, %s"), name, rs_found_from_words(f->from));
	if (f->from != RS_FOUND_BUILT_IN)
		rs_say(" (%s)", source);
	rs_say(":\n");
	rs_wizard_say_servers(a);
	if (!f->trusted)
		rs_say("%s", _("  careful: only the DNS says so, and anybody on the way can answer "
			       "for it; see that these are your provider's\n"));
	if (hint)
		rs_say(_("  note: %s\n"), hint);
	else if (f->enable_url) {
		g_autofree char *url = rs_clean_line(f->enable_url);

		rs_say(_("  note: the provider wants POP3 switched on first: %s\n"), url);
	}
}

void rs_wizard_warn(const struct rs_account *a)
{
	if (a->pop3_security == RS_SECURITY_NONE)
		rs_complain(_("warning: without TLS everybody on the way to %s can read your "
			      "password and your mail"),
			a->pop3_host);
	if (a->smtp_host && a->smtp_security == RS_SECURITY_NONE)
		rs_complain(_("warning: without TLS everybody on the way to %s can read your "
			      "password and your mail"),
			a->smtp_host);
}

/* --- what stays on the server -------------------------------------------------------------------- */

void rs_wizard_say_leave(const struct rs_account *a)
{
	g_autofree char *policy = rs_policy_format(&a->leave);

	if (rs_policy_keeps(&a->leave))
		rs_say("%s",
			_("  on the server  all mail stays there, too: webmail and other devices "
			  "still have it, and it survives this disk; a mailbox there can fill "
			  "up\n"));
	else
		rs_say(_("  on the server  %s: what is deleted there is gone from webmail and "
			 "other "
			 "devices, and this computer has the only copy\n"),
			policy);
}

bool rs_wizard_leave(struct rs_account *a)
{
	g_autofree char *now = rs_policy_format(&a->leave);

	rs_say("%s", _("\nShall mail stay on the server after it was fetched?\n"
		       "  keep           yes. Webmail and other devices go on seeing it, and it is "
		       "still there "
		       "if this\n"
		       "                 disk breaks; but the mailbox there fills up, and a full "
		       "one takes no "
		       "new mail.\n"
		       "  days=30        for 30 days, then it is deleted there; also newest=1000, "
		       "quota=500M.\n"
		       "  until-deleted  until you delete it here.\n"
		       "  delete         no. The mailbox there stays empty; webmail and other "
		       "devices see "
		       "nothing of it,\n"
		       "                 and this computer has the only copy: back it up.\n"));
	return rs_wizard_key(a, "leave", _("Mail on the server"), now);
}

/* --- field by field ------------------------------------------------------------------------------ */

static const struct {
	const char *key;
	const char *words;
	bool only_smtp; /* shown when there is a server for sending */
} fields[] = {
	{"pop3", N_("POP3 server"), false},
	{"security", N_("security (tls, starttls, none)"), false},
	{"user", N_("user name"), false},
	{"smtp", N_("SMTP server"), false},
	{"smtp-security", N_("its security"), true},
	{"smtp-user", N_("its user name"), true},
	{"leave", N_("mail on the server"), false},
};

static bool shown(const struct rs_account *a, size_t i)
{
	return !fields[i].only_smtp || a->smtp_host;
}

static void say_fields(const struct rs_account *a)
{
	rs_say("\n");
	for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
		g_autofree char *value = rs_account_get(a, fields[i].key);

		if (shown(a, i))
			rs_say("  %zu  %s: %s\n", i + 1, _(fields[i].words), value ? value : "-");
	}
}

/* A port that was the usual one for the old security is for the new one, too. */
static void port_follows(struct rs_account *a, bool smtp, enum rs_security before)
{
	static const guint16 usual[2][3] = {{995, 110, 110}, {465, 587, 587}};
	guint16 *port = smtp ? &a->smtp_port : &a->pop3_port;

	if (*port == usual[smtp][before])
		*port = usual[smtp][smtp ? a->smtp_security : a->pop3_security];
}

static int set_field(struct rs_account *a, const char *key, const char *value, struct rs_err *err)
{
	enum rs_security pop3 = a->pop3_security;
	enum rs_security smtp = a->smtp_security;
	bool none = strcmp(value, "-") == 0;
	int rc = none ? rs_account_unset(a, key, err) : rs_account_set(a, key, value, err);

	if (rc == 0 && a->pop3_security != pop3)
		port_follows(a, false, pop3);
	if (rc == 0 && a->smtp_security != smtp)
		port_follows(a, true, smtp);
	if (rc == 0 && none && strcmp(key, "smtp") == 0)
		g_clear_pointer(&a->smtp_user, g_free);
	else if (rc == 0 && strcmp(key, "smtp") == 0 && !a->smtp_user)
		a->smtp_user = g_strdup(a->pop3_user ? a->pop3_user : a->address);
	return rc;
}

/* Until the answer is acceptable. */
static bool ask_field(struct rs_account *a, size_t i)
{
	g_autofree char *now = rs_account_get(a, fields[i].key);
	g_autofree char *question = g_strdup_printf(_("%s (- for none)"), _(fields[i].words));

	if (strcmp(fields[i].key, "leave") == 0)
		return rs_wizard_leave(a);
	for (;;) {
		g_autofree char *answer = rs_ask(question, now ? now : "-");
		struct rs_err why;

		if (!answer)
			return false;
		if (set_field(a, fields[i].key, answer, &why) == 0)
			return true;
		rs_complain("%s: %s", answer, why.text);
	}
}

/* KEY = VALUE, as in the configuration file. */
static void set_line(struct rs_account *a, const char *line)
{
	g_auto(GStrv) parts = g_strsplit(line, "=", 2);
	struct rs_err why;

	if (g_strv_length(parts) != 2)
		rs_complain(
			_("%s: give a number of the list, or KEY = VALUE as in the configuration"),
			line);
	else if (set_field(a, g_strstrip(parts[0]), g_strstrip(parts[1]), &why) < 0)
		rs_complain("%s: %s", line, why.text);
}

bool rs_wizard_change(struct rs_account *a)
{
	for (;;) {
		g_autofree char *answer = NULL;
		guint64 n;

		say_fields(a);
		answer = rs_ask(_("Number to change, or KEY = VALUE; Enter when all is right"), "");
		if (!answer)
			return false;
		if (!*answer)
			return true;
		n = g_ascii_strtoull(answer, NULL, 10);
		if (strspn(answer, "0123456789") != strlen(answer) || n < 1 ||
			n > G_N_ELEMENTS(fields))
			set_line(a, answer);
		else if (!ask_field(a, (size_t)n - 1))
			return false;
	}
}

/* --- what a try says ------------------------------------------------------------------------------ */

static char *count_words(guint32 n)
{
	return g_strdup_printf(P_("%'u message", "%'u messages", n), n);
}

bool rs_wizard_say_try(const struct rs_account *a, const struct rs_try *t)
{
	g_autofree char *caps = rs_try_caps_words(t->caps);
	g_autofree char *count = count_words(t->messages);
	g_autofree char *size = g_format_size(t->octets);

	if (t->pop3.rc == 0) {
		rs_say(_("Login works: password accepted · %s, %s · %s can %s\n"), count, size,
			a->pop3_host, *caps ? caps : _("nothing beside the old commands"));
		if (!t->uidl && t->messages)
			rs_complain(_("warning: %s has no UIDL, so nobody can tell there what was "
				      "fetched; take --leave delete"),
				a->pop3_host);
	} else {
		rs_complain("%s", t->pop3.err.text);
	}
	if (t->smtp.tried && t->smtp.rc == 0)
		rs_say(a->smtp_user ? _("Sending works: password accepted by %s\n")
				    : _("Sending works: %s answers\n"),
			a->smtp_host);
	else if (t->smtp.tried)
		rs_complain("%s", t->smtp.err.text);
	return t->pop3.rc == 0 && (!t->smtp.tried || t->smtp.rc == 0);
}

static bool pin_one(struct rs_account *a, const struct rs_try_one *one, const char *key)
{
	bool smtp = strcmp(key, "smtp-pin") == 0;
	g_autofree char *answer = NULL;

	if (!one->tried || one->rc != -RS_ECERT || !*one->certificate)
		return false;
	rs_say(_("\nThe certificate of %s cannot be verified. Its fingerprint (SHA-256):\n  %s\n"
		 "Compare it with what your provider says. Whoever else shows a certificate could "
		 "read "
		 "your password.\n"),
		smtp ? a->smtp_host : a->pop3_host, one->certificate);
	answer = rs_ask(_("Type \"pin\" to trust exactly this one from now on, Enter not to"), "");
	return answer && strcmp(answer, "pin") == 0 &&
	       rs_account_set(a, key, one->certificate, NULL) == 0;
}

bool rs_wizard_pin(struct rs_account *a, const struct rs_try *t)
{
	bool pop3 = pin_one(a, &t->pop3, "pin");
	/* one host with one certificate: one pin holds for both */
	bool same = pop3 && a->smtp_host && g_ascii_strcasecmp(a->smtp_host, a->pop3_host) == 0 &&
		    strcmp(t->smtp.certificate, t->pop3.certificate) == 0;
	bool smtp = !same && pin_one(a, &t->smtp, "smtp-pin");

	return pop3 || smtp;
}
