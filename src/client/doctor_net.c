/* doctor_net.c - the two servers, seen from here: see doctor.h */
#include "client/doctor_priv.h"

#include <string.h>

#include "client/account_try.h"
#include "client/names.h"
#include "client/net.h"
#include "client/session.h"
#include "client/submit.h"
#include "client/text.h"

#define CONNECT_S     10u
#define EXPIRY_WARN_S (14 * 86400)

/* One of the two servers. */
struct end {
	const char *name[5]; /* of the checks: name, connect, tls, capabilities, login */
	const char *host;
	guint16 port;
};

enum { NAME, CONNECT, TLS, CAPABILITIES, LOGIN };

/* --- name and route ----------------------------------------------------------------------------- */

static GList *addresses(const struct end *e, guint16 *port, GCancellable *cancel, GError **error)
{
	g_autoptr(GResolver) resolver = g_resolver_get_default();
	g_autofree char *host = NULL;

	*port = e->port;
	if (rs_names_testing() && !rs_names_connect(e->host, e->port, &host, port)) {
		g_set_error_literal(error, G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND, "test");
		return NULL;
	}
	return g_resolver_lookup_by_name(resolver, host ? host : e->host, cancel, error);
}

static bool is_v6(gpointer address)
{
	return g_inet_address_get_family(address) == G_SOCKET_FAMILY_IPV6;
}

static void say_addresses(struct doctor_run *r, const struct end *e, GList *list)
{
	GString *text = g_string_new(NULL);

	for (GList *l = list; l && text->len < 200; l = l->next) {
		g_autofree char *address = g_inet_address_to_string(l->data);

		g_string_append_printf(text, "%s%s", text->len ? ", " : "", address);
	}
	doctor_say(r, e->name[NAME], _("name"), RS_DOCTOR_OK, "%s: %s", e->host, text->str);
	g_string_free(text, TRUE);
}

/* -1: not reached, else milliseconds. */
static gint64 reach(struct doctor_run *r, gpointer address, guint16 port)
{
	g_autoptr(GSocketClient) client = g_socket_client_new();
	g_autoptr(GSocketAddress) to = g_inet_socket_address_new(address, port);
	g_autoptr(GSocketConnection) tcp = NULL;
	gint64 began_us = g_get_monotonic_time();

	g_socket_client_set_timeout(client, CONNECT_S);
	tcp = g_socket_client_connect(client, G_SOCKET_CONNECTABLE(to), r->d->cancel, NULL);
	return tcp ? (g_get_monotonic_time() - began_us) / 1000 : -1;
}

/* The first address of each family. True: one of them can be reached. */
static bool routes(struct doctor_run *r, const struct end *e, GList *list, guint16 port)
{
	gint64 best = -1;
	bool failed[2] = {false, false};
	bool asked[2] = {false, false};

	for (GList *l = list; l; l = l->next) {
		bool v6 = is_v6(l->data);
		gint64 ms;

		if (asked[v6])
			continue;
		asked[v6] = true;
		ms = reach(r, l->data, port);
		failed[v6] = ms < 0;
		if (ms >= 0 && (best < 0 || ms < best))
			best = ms;
	}
	if (best < 0) {
		struct rs_err err;

		(void)rs_err_set(&err, RS_ENET,
			_("%s cannot be reached at port %u; check the port, the network, and "
			  "whether a "
			  "firewall stops it"),
			e->host, e->port);
		doctor_fail(r, e->name[CONNECT], _("connection"), &err);
		return false;
	}
	if (failed[0] || failed[1])
		doctor_say(r, e->name[CONNECT], _("connection"), RS_DOCTOR_WARN,
			_("port %u in %d ms, but not by %s; that costs time at each check"),
			e->port, (int)best, failed[1] ? "IPv6" : "IPv4");
	else
		doctor_say(r, e->name[CONNECT], _("connection"), RS_DOCTOR_OK,
			_("port %u in %d ms"), e->port, (int)best);
	return true;
}

static bool reachable(struct doctor_run *r, const struct end *e)
{
	g_autoptr(GError) error = NULL;
	guint16 port;
	GList *list = addresses(e, &port, r->d->cancel, &error);
	struct rs_err err;
	bool ok;

	if (!list) {
		(void)rs_err_set(&err, RS_ENET,
			_("there is no server named %s; check the spelling, and the network"),
			e->host);
		doctor_fail(r, e->name[NAME], _("name"), &err);
		return false;
	}
	say_addresses(r, e, list);
	ok = routes(r, e, list, port);
	g_resolver_free_addresses(list);
	return ok;
}

/* --- TLS ---------------------------------------------------------------------------------------- */

static const char *version_words(GTlsProtocolVersion v)
{
	switch (v) {
	case G_TLS_PROTOCOL_VERSION_TLS_1_3:
		return "TLS 1.3";
	case G_TLS_PROTOCOL_VERSION_TLS_1_2:
		return "TLS 1.2";
	case G_TLS_PROTOCOL_VERSION_TLS_1_1:
	case G_TLS_PROTOCOL_VERSION_TLS_1_0:
	case G_TLS_PROTOCOL_VERSION_SSL_3_0:
		return "TLS 1.1 or older";
	case G_TLS_PROTOCOL_VERSION_UNKNOWN:
	case G_TLS_PROTOCOL_VERSION_DTLS_1_0:
	case G_TLS_PROTOCOL_VERSION_DTLS_1_2:
		break;
	}
	return "TLS";
}

/* What a connection that shook hands shows. */
static void say_tls(struct doctor_run *r, const struct end *e, const struct rs_net *net)
{
	GTlsConnection *tls = rs_net_tls(net);
	GTlsCertificate *c = tls ? g_tls_connection_get_peer_certificate(tls) : NULL;
	g_autoptr(GDateTime) from = c ? g_tls_certificate_get_not_valid_before(c) : NULL;
	g_autoptr(GDateTime) until = c ? g_tls_certificate_get_not_valid_after(c) : NULL;
	g_autofree char *issuer = c ? g_tls_certificate_get_issuer_name(c) : NULL;
	g_autofree char *date = until ? g_date_time_format(until, "%x") : g_strdup("?");
	gint64 now_s = g_get_real_time() / G_USEC_PER_SEC;
	const char *version;

	if (!tls) {
		doctor_say(r, e->name[TLS], "TLS", RS_DOCTOR_WARN,
			_("none: everybody on the way can read password and mail; use --security "
			  "tls"));
		return;
	}
	version = version_words(g_tls_connection_get_protocol_version(tls));
	if (from)
		r->not_before_s = MAX(r->not_before_s, g_date_time_to_unix(from));
	if (until && g_date_time_to_unix(until) < now_s + EXPIRY_WARN_S)
		doctor_say(r, e->name[TLS], "TLS", RS_DOCTOR_WARN,
			_("%s; the certificate ends on %s: the provider should renew it now"),
			version, date);
	else
		doctor_say(r, e->name[TLS], "TLS", RS_DOCTOR_OK,
			_("%s; certificate for %s, until %s, of %s"), version, e->host, date,
			issuer ? issuer : "?");
}

/* A handshake of its own, for servers where TLS begins at once. False: it failed, and was said. */
static bool shakes(struct doctor_run *r, const struct end *e, const char *pin)
{
	const struct rs_account *a = r->d->account;
	const struct rs_net_where where = {.host = e->host,
		.port = e->port,
		.tls_at_once = true,
		.ca_file = a->ca_file,
		.pin_sha256 = pin,
		.timeout_s = MIN(a->timeout_s, CONNECT_S),
		.cancel = r->d->cancel};
	struct rs_net *net = NULL;
	struct rs_err err;

	if (rs_net_open(&where, &net, &err) < 0) {
		doctor_fail(r, e->name[TLS], "TLS", &err);
		return false;
	}
	say_tls(r, e, net);
	rs_net_close(&net);
	return true;
}

/* --- the two ------------------------------------------------------------------------------------- */

static void pop3_session(struct doctor_run *r, const struct end *e)
{
	const struct rs_account *a = r->d->account;
	struct rs_session *s = NULL;
	struct rs_pop3c_event ev;
	g_autofree char *caps = NULL;
	struct rs_err err;
	int rc = rs_session_open(a, r->password, r->d->cancel, NULL, &s, NULL, &err);

	if (rc < 0) {
		rs_try_add_hint(a->pop3_host, &err);
		doctor_fail(r, e->name[LOGIN], _("login"), &err);
		return;
	}
	if (a->pop3_security != RS_SECURITY_TLS)
		say_tls(r, e, s->net);
	caps = rs_try_caps_words(rs_session_caps(s));
	if (rs_session_caps(s) & RS_CAP_UIDL)
		doctor_say(r, e->name[CAPABILITIES], _("capabilities"), RS_DOCTOR_OK, "%s", caps);
	else
		doctor_say(r, e->name[CAPABILITIES], _("capabilities"), RS_DOCTOR_WARN,
			_("%s; UIDL is not announced: leaving mail there may fetch it twice"),
			*caps ? caps : "-");
	if (rs_session_ask(s, RS_POP3_STAT, NULL, &ev, &err) < 0 || ev.kind == RS_C_ERR)
		doctor_say(r, e->name[LOGIN], _("login"), RS_DOCTOR_WARN,
			_("password accepted, but the server does not say what is there; try again "
			  "later"));
	else
		doctor_say(r, e->name[LOGIN], _("login"), RS_DOCTOR_OK,
			P_("password accepted; %u message there",
				"password accepted; %u messages there", ev.num),
			ev.num);
	if (rs_session_ask(s, RS_POP3_QUIT, NULL, &ev, NULL) < 0)
		doctor_say(r, e->name[LOGIN], _("login"), RS_DOCTOR_WARN,
			_("the server does not answer QUIT; what is deleted there may come back"));
	rs_session_close(&s);
}

void doctor_pop3(struct doctor_run *r)
{
	const struct rs_account *a = r->d->account;
	const struct end e = {.name = {"pop3-name", "pop3-connect", "pop3-tls", "pop3-capabilities",
				      "pop3-login"},
		.host = a->pop3_host,
		.port = a->pop3_port};

	if (!reachable(r, &e))
		return;
	if (a->pop3_security == RS_SECURITY_TLS && !shakes(r, &e, a->pin_sha256))
		return;
	if (r->password)
		pop3_session(r, &e);
}

void doctor_smtp(struct doctor_run *r)
{
	const struct rs_account *a = r->d->account;
	const struct end e = {.name = {"smtp-name", "smtp-connect", "smtp-tls", "smtp-capabilities",
				      "smtp-login"},
		.host = a->smtp_host,
		.port = a->smtp_port};
	bool by_token = r->password && a->oauth2;
	const struct rs_submit_login login = {.password = by_token ? NULL : r->password,
		.token = by_token ? (const char *)r->password->octets : NULL};
	struct rs_submit *s = NULL;
	struct rs_err err;

	if (!reachable(r, &e))
		return;
	if (a->smtp_security == RS_SECURITY_TLS && !shakes(r, &e, rs_submit_pin(a)))
		return;
	if (!r->password && a->smtp_user)
		return;
	if (rs_submit_open(a, &login, r->d->cancel, &s, &err) < 0) {
		rs_try_add_hint(a->smtp_host, &err);
		doctor_fail(r, e.name[LOGIN], _("login for sending"), &err);
		return;
	}
	doctor_say(r, e.name[LOGIN], _("login for sending"), RS_DOCTOR_OK, "%s",
		a->smtp_user ? _("password accepted") : _("none is needed"));
	rs_submit_close(&s);
}
