/* conf_submission.c - the keys of [submission]: the relay that mail for others is handed to, and what is ours. */
#include "server/conf_priv.h"

#include <string.h>

#include "base/secret.h"

#define PORT_SMTPS      465
#define PORT_SUBMISSION 587 /* with a login */
#define PORT_SMTP       25

static bool plain_text(const char *s)
{
	for (; s && *s; s++) {
		if ((guchar)*s < 0x20 || *s == 0x7f)
			return false;
	}
	return true;
}

void rs_conf_relay_finish(struct rs_conf_relay *r)
{
	g_free(r->text);
	g_free(r->host);
	g_free(r->user);
	if (r->password)
		rs_wipe(r->password, strlen(r->password));
	g_free(r->password);
	g_free(r->ca);
}

const char *conf_set_relay(struct rs_conf *c, const struct conf_key *k, const char *value)
{
	static const char form[] =
		"is not smtp(s)://[USER:PASSWORD@]HOST[:PORT]; special characters "
		"in user and password are written as %XX";
	struct rs_conf_relay *r = &c->relay;
	g_autofree char *scheme = NULL;
	g_autofree char *path = NULL;
	g_autofree char *query = NULL;
	g_autofree char *fragment = NULL;
	int port = -1;

	if (!g_uri_split_with_user(value, G_URI_FLAGS_HAS_PASSWORD, &scheme, &r->user, &r->password,
		    NULL, &r->host, &port, &path, &query, &fragment, NULL))
		return form;
	r->tls = g_strcmp0(scheme, "smtps") == 0;
	if ((!r->tls && g_strcmp0(scheme, "smtp") != 0) || !r->host || !*r->host ||
		(path && *path) || query || fragment || port == 0 || !plain_text(r->user) ||
		!plain_text(r->password))
		return form;
	if (!r->user != !r->password)
		return "has a user without a password, or a password without a user";
	if (port > 0)
		r->port = (guint)port;
	else if (r->tls)
		r->port = PORT_SMTPS;
	else
		r->port = r->user ? PORT_SUBMISSION : PORT_SMTP;
	r->text = g_strdup(value);
	return NULL;
}

const char *conf_set_relay_tls(struct rs_conf *c, const struct conf_key *k, const char *value)
{
	static const char *const names[] = {"required", "opportunistic", "none", NULL};
	int i = conf_keyword(names, value);

	if (i < 0)
		return "must be required, opportunistic or none";
	c->relay.policy = (enum rs_relay_tls)i;
	return NULL;
}

const char *conf_set_domains(struct rs_conf *c, const struct conf_key *k, const char *value)
{
	g_strfreev(c->local_domains);
	c->local_domains = g_strsplit(value, ",", -1);
	for (char **d = c->local_domains; *d; d++) {
		g_autofree char *lower = g_ascii_strdown(g_strstrip(*d), -1);

		if (!*lower || strpbrk(lower, " @<>") || lower[0] == '.')
			return "must be a list of domains: example.org, example.net";
		g_free(*d);
		*d = g_steal_pointer(&lower);
	}
	return NULL;
}

const char *conf_submission_wrong(const struct rs_conf *c)
{
	const struct rs_conf_relay *r = &c->relay;

	if (!r->host)
		return NULL;
	if (r->user && r->policy != RS_RELAY_TLS_REQUIRED)
		return "[submission] relay: a password is sent to a server that was verified only; "
		       "relay-tls = required, or no user and password";
	if (r->tls && r->policy == RS_RELAY_TLS_NONE)
		return "[submission] relay-tls = none does not go with smtps://; smtp:// is "
		       "without TLS "
		       "from the start";
	return NULL;
}

bool rs_conf_is_local_domain(const struct rs_conf *c, const char *domain)
{
	for (char **d = c->local_domains; d && *d; d++) {
		if (g_ascii_strcasecmp(*d, domain) == 0)
			return true;
	}
	return false;
}

void rs_conf_hide_secrets(const struct rs_conf *c, char *text, gsize n)
{
	const char *at = c->relay.password ? strrchr(c->relay.text, '@') : NULL;
	const char *colon = at ? strchr(strstr(c->relay.text, "://") + 3, ':') : NULL;
	gsize value_n = at ? strlen(c->relay.text) : 0;

	for (char *p = text;
		colon && (p = memmem(p, n - (gsize)(p - text), c->relay.text, value_n)); p++)
		memset(p + (colon + 1 - c->relay.text), 'x', (size_t)(at - colon - 1));
}
