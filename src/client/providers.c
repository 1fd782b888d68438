/* providers.c - see providers.h */
#include "client/providers.h"

#include <string.h>

#include "client/text.h"

struct rs_provider {
	const char *name;
	const char *domains; /* of addresses, blanks between, all in lower case */
	const char *mx;      /* ends of the names of its MX hosts, blanks between */
	const char *pop3;    /* TLS at port 995; NULL: it has no POP3 */
	const char *smtp;    /* HOST, TLS at port 465; HOST:587 with STARTTLS */
	guint32 flags;
	const char *page;
	const char *issuer; /* of OAuth 2 */
};

#define ON   RS_PROVIDER_SWITCH_ON
#define OWN  RS_PROVIDER_OWN_PASSWORD
#define APP  RS_PROVIDER_APP_PASSWORD
#define APP2 RS_PROVIDER_APP_WITH_2FA
#define OA   RS_PROVIDER_OAUTH2
#define ONLY (RS_PROVIDER_OAUTH2 | RS_PROVIDER_NO_PASSWORD)
#define NONE RS_PROVIDER_NO_POP3
#define PAID RS_PROVIDER_PAID

static const struct rs_provider providers[] = {
	{"Gmail", "gmail.com googlemail.com", "google.com googlemail.com", "pop.gmail.com",
		"smtp.gmail.com", ON | APP | OA, "https://myaccount.google.com/apppasswords",
		"accounts.google.com"},
	{"Outlook.com",
		"outlook.com outlook.de outlook.fr outlook.at outlook.es outlook.it hotmail.com "
		"hotmail.de hotmail.fr hotmail.co.uk hotmail.it live.com live.de live.nl "
		"live.co.uk "
		"msn.com",
		"olc.protection.outlook.com", "outlook.office365.com", "smtp-mail.outlook.com:587",
		ON | ONLY, "https://outlook.live.com/mail/options/mail/accounts",
		"login.microsoftonline.com"},
	{"Microsoft 365", "", "mail.protection.outlook.com mx.microsoft", "outlook.office365.com",
		"smtp.office365.com:587", ONLY, NULL, "login.microsoftonline.com"},
	{"Yahoo",
		"yahoo.com yahoo.de yahoo.fr yahoo.co.uk yahoo.it yahoo.es yahoo.ca yahoo.com.br "
		"ymail.com rocketmail.com",
		"yahoodns.net", "pop.mail.yahoo.com", "smtp.mail.yahoo.com", APP | OA,
		"https://login.yahoo.com/account/security", "login.yahoo.com"},
	{"AOL", "aol.com aol.de aim.com", "mx.aol.com", "pop.aol.com", "smtp.aol.com", APP | OA,
		"https://login.aol.com/account/security", "login.aol.com"},
	{"AT&T", "att.net sbcglobal.net bellsouth.net pacbell.net ameritech.net swbell.net", "",
		"inbound.att.net", "outbound.att.net", OWN | OA, NULL, "login.yahoo.com"},
	{"Comcast", "comcast.net", "comcast.net", "pop3.comcast.net", "smtp.comcast.net", ON | OA,
		NULL, NULL},
	{"Verizon", "verizon.net", "", "pop.verizon.net", "smtp.verizon.net", APP | OA, NULL, NULL},
	{"GMX", "gmx.net gmx.de gmx.at gmx.ch gmx.li gmx.eu gmx.info gmx.org gmx.biz", "gmx.net",
		"pop.gmx.net", "mail.gmx.net", ON | APP2, "https://www.gmx.net/", NULL},
	{"GMX", "gmx.com gmx.us gmx.co.uk gmx.fr gmx.es", "gmx.com", "pop.gmx.com", "mail.gmx.com",
		ON | APP2, "https://www.gmx.com/", NULL},
	{"WEB.DE", "web.de email.de", "web.de", "pop3.web.de", "smtp.web.de", ON | APP2,
		"https://web.de/", NULL},
	{"mail.com", "mail.com email.com usa.com", "", "pop.mail.com", "smtp.mail.com", ON | PAID,
		"https://www.mail.com/", NULL},
	{"Telekom", "t-online.de magenta.de", "t-online.de", "securepop.t-online.de",
		"securesmtp.t-online.de", OWN, "https://account.idm.telekom.com/", NULL},
	{"freenet", "freenet.de", "freenet.de", "mx.freenet.de", "mx.freenet.de", ON,
		"https://email.freenet.de/", NULL},
	{"1&1", "online.de onlinehome.de", "kundenserver.de", "pop.1und1.de", "smtp.1und1.de", 0,
		NULL, NULL},
	{"IONOS", "ionos.de", "ionos.de ionos.com 1and1.com", "pop.ionos.de", "smtp.ionos.de", 0,
		NULL, NULL},
	{"Strato", "strato.de", "rzone.de", "pop3.strato.de", "smtp.strato.de", OWN, NULL, NULL},
	{"Posteo", "posteo.de posteo.net posteo.org posteo.eu posteo.at posteo.ch", "posteo.de",
		"posteo.de", "posteo.de", 0, NULL, NULL},
	{"mailbox.org", "mailbox.org", "mailbox.org", "pop3.mailbox.org", "smtp.mailbox.org", APP2,
		"https://mailbox.org/", NULL},
	{"Vodafone", "vodafone.de vodafonemail.de arcor.de", "vodafonemail.de",
		"pop.vodafonemail.de", "smtp.vodafonemail.de", 0, NULL, NULL},
	{"Bluewin", "bluewin.ch", "bluewin.ch", "pop3s.bluewin.ch", "smtpauths.bluewin.ch", 0, NULL,
		NULL},
	{"A1", "a1.net aon.at", "", "securemail.a1.net", "securemail.a1.net", 0, NULL, NULL},
	{"iCloud", "icloud.com me.com mac.com", "mail.icloud.com", NULL, NULL, NONE, NULL, NULL},
	{"Proton", "proton.me protonmail.com protonmail.ch pm.me", "protonmail.ch", NULL, NULL,
		NONE, NULL, NULL},
	{"Tuta", "tutanota.com tutanota.de tuta.com tuta.io tutamail.com", "tutanota.de", NULL,
		NULL, NONE, NULL, NULL},
	{"Fastmail", "fastmail.com fastmail.fm", "messagingengine.com", "pop.fastmail.com",
		"smtp.fastmail.com", APP | OA, "https://app.fastmail.com/settings/security",
		"api.fastmail.com"},
	{"Zoho", "zoho.com zohomail.com", "zoho.com", "pop.zoho.com", "smtp.zoho.com", ON | APP2,
		"https://mail.zoho.com/", NULL},
	{"Zoho", "zoho.eu zohomail.eu", "zoho.eu", "pop.zoho.eu", "smtp.zoho.eu", ON | APP2,
		"https://mail.zoho.eu/", NULL},
	{"Yandex", "yandex.ru yandex.com ya.ru", "yandex.net yandex.ru", "pop.yandex.com",
		"smtp.yandex.com", ON | APP, "https://mail.yandex.com/", NULL},
	{"Mail.ru", "mail.ru inbox.ru list.ru bk.ru", "mail.ru", "pop.mail.ru", "smtp.mail.ru",
		APP | OA, NULL, "o2.mail.ru"},
	{"Orange", "orange.fr wanadoo.fr", "orange.fr", "pop.orange.fr", "smtp.orange.fr", ON, NULL,
		NULL},
	{"Free", "free.fr", "free.fr", "pop.free.fr", "smtp.free.fr", 0, NULL, NULL},
	{"Libero", "libero.it iol.it", "libero.it", "popmail.libero.it", "smtp.libero.it", APP2,
		NULL, NULL},
};

/* One of the words of `list` is the text, or (suffix) its end behind a dot. */
static bool listed(const char *list, const char *text, bool suffix)
{
	g_auto(GStrv) words = g_strsplit(list, " ", -1);

	for (char **w = words; *w; w++) {
		if (!**w)
			continue;
		if (suffix ? rs_found_inside(text, *w) : g_ascii_strcasecmp(text, *w) == 0)
			return true;
	}
	return false;
}

const struct rs_provider *rs_provider_of_domain(const char *domain)
{
	for (size_t i = 0; i < G_N_ELEMENTS(providers); i++) {
		if (listed(providers[i].domains, domain, false))
			return &providers[i];
	}
	return NULL;
}

const struct rs_provider *rs_provider_of_mx(const char *host)
{
	for (size_t i = 0; i < G_N_ELEMENTS(providers); i++) {
		if (listed(providers[i].mx, host, true))
			return &providers[i];
	}
	return NULL;
}

static bool same_host(const char *server, const char *host)
{
	size_t n = server ? strcspn(server, ":") : 0;

	return n && strlen(host) == n && g_ascii_strncasecmp(server, host, n) == 0;
}

const struct rs_provider *rs_provider_of_host(const char *host)
{
	for (size_t i = 0; i < G_N_ELEMENTS(providers); i++) {
		if (same_host(providers[i].pop3, host) || same_host(providers[i].smtp, host))
			return &providers[i];
	}
	return NULL;
}

const char *rs_provider_name(const struct rs_provider *p)
{
	return p->name;
}

guint32 rs_provider_flags(const struct rs_provider *p)
{
	return p->flags;
}

const char *rs_provider_page(const struct rs_provider *p)
{
	return p->page;
}

static void server(struct rs_found_server *s, const char *text, guint16 port, guint32 flags)
{
	size_t n = strcspn(text, ":");

	s->host = g_strndup(text, n);
	s->port = text[n] ? 587 : port;
	s->security = text[n] ? RS_SECURITY_STARTTLS : RS_SECURITY_TLS;
	s->password = !(flags & RS_PROVIDER_NO_PASSWORD);
	s->oauth2 = (flags & RS_PROVIDER_OAUTH2) != 0;
}

struct rs_found *rs_provider_found(const struct rs_provider *p, const char *address)
{
	struct rs_found *f;

	if (!p->pop3)
		return NULL;
	f = rs_found_new(RS_FOUND_BUILT_IN, p->name);
	f->provider = g_strdup(p->name);
	f->trusted = true;
	server(&f->pop3, p->pop3, 995, p->flags);
	server(&f->smtp, p->smtp, 465, p->flags);
	f->pop3.user = g_strdup(address);
	f->smtp.user = g_strdup(address);
	f->enable_url = p->flags & RS_PROVIDER_SWITCH_ON ? g_strdup(p->page) : NULL;
	f->oauth_issuer = g_strdup(p->issuer);
	return f;
}

/* --- words ------------------------------------------------------------------------------------- */

/* Goes behind the provider's name. */
static const char *hint_of(guint32 flags)
{
	if (flags & RS_PROVIDER_NO_POP3)
		return _("has no POP3; no POP3 program can fetch mail from there");
	if (flags & RS_PROVIDER_NO_PASSWORD)
		return _("takes no passwords from mail programs; log in with --oauth2");
	if ((flags & RS_PROVIDER_SWITCH_ON) && (flags & RS_PROVIDER_APP_PASSWORD))
		return _("wants POP switched on in its settings, and an app password made there "
			 "instead of the password of the web (or --oauth2)");
	if (flags & RS_PROVIDER_APP_PASSWORD)
		return _("wants an app password, made in its security settings, instead of the "
			 "password of the web");
	if (flags & RS_PROVIDER_OWN_PASSWORD)
		return _("has a password of its own for mail programs; that of the web does not "
			 "work");
	if ((flags & RS_PROVIDER_SWITCH_ON) && (flags & RS_PROVIDER_APP_WITH_2FA))
		return _("wants POP3 switched on in its settings first (there: POP3/IMAP); with "
			 "two-factor login it wants an app password, too");
	if ((flags & RS_PROVIDER_SWITCH_ON) && (flags & RS_PROVIDER_PAID))
		return _("has POP3 in its paid contracts only, and wants it switched on in its "
			 "settings");
	if (flags & RS_PROVIDER_SWITCH_ON)
		return _("wants POP3 (mail programs) switched on in its settings first");
	if (flags & RS_PROVIDER_APP_WITH_2FA)
		return _("wants an app password where two-factor login is on");
	return NULL;
}

char *rs_provider_hint(const struct rs_provider *p)
{
	const char *words = hint_of(p->flags);

	if (!words)
		return NULL;
	return g_strdup_printf(
		"%s %s%s%s", p->name, words, p->page ? ": " : "", p->page ? p->page : "");
}
