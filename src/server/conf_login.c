/* conf_login.c - the keys of [auth] that say how users may log in, and whether they go together. */
#include <string.h>

#include "server/conf_priv.h"
#include "server/oauth.h"

/* The order in which they are announced where the configuration gives none. */
static const char *const known[] = {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256",
	"SCRAM-SHA-1", "PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER", "EXTERNAL", NULL};

const char *conf_set_mechanisms(struct rs_conf *c, const struct conf_key *k, const char *value)
{
	g_auto(GStrv) parts = g_strsplit_set(value, " ,", -1);
	g_autoptr(GString) list = g_string_new(NULL);

	for (char **p = parts; *p; p++) {
		if (!**p)
			continue;
		if (!g_strv_contains(known, *p))
			return "may hold PLAIN, LOGIN, SCRAM-SHA-1, SCRAM-SHA-256, both with -PLUS "
			       "behind "
			       "them, XOAUTH2, OAUTHBEARER and EXTERNAL";
		g_string_append_printf(list, "%s%s", list->len ? " " : "", *p);
	}
	g_free(c->mechanisms);
	c->mechanisms = g_string_free(g_steal_pointer(&list), FALSE);
	return NULL;
}

/* A token sent in clear is everybody's: only to this machine itself. */
static bool is_private(const char *url)
{
	static const char *const hosts[] = {"localhost", "127.0.0.1", "[::1]"};
	const char *host = url + strlen("http://");

	for (size_t i = 0; i < G_N_ELEMENTS(hosts); i++) {
		size_t n = strlen(hosts[i]);

		if (strncmp(host, hosts[i], n) == 0 && strchr(":/", host[n]))
			return true; /* the end of the text as well */
	}
	return false;
}

const char *conf_set_oauth_url(struct rs_conf *c, const struct conf_key *k, const char *value)
{
	char **to = (char **)(void *)((char *)c + k->offset);
	bool http = g_str_has_prefix(value, "http://");

	if (!(k->min && value[0] == '/') && !http && !g_str_has_prefix(value, "https://"))
		return k->min ? "is neither an absolute path nor a URL of https:"
			      : "is not a URL of https:";
	if (http && !is_private(value))
		return "would send tokens in clear: https:, please (http: only to localhost)";
	if (strpbrk(value, " \t\"\\@") ||
		(value[0] != '/' && !g_uri_is_valid(value, G_URI_FLAGS_NONE, NULL)))
		return "is not a URL";
	g_free(*to);
	*to = g_strdup(value);
	return NULL;
}

static bool has(const struct rs_conf *c, const char *part)
{
	return strstr(c->mechanisms, part) != NULL;
}

/* Nobody is offered what cannot work. */
static const char *wrong(const struct rs_conf *c)
{
	if (has(c, "EXTERNAL") && !c->client_ca)
		return "EXTERNAL needs [tls] client-ca: who signs certificates of users";
	if (has(c, "-PLUS") && !c->certificate)
		return "the mechanisms with -PLUS need [tls] certificate";
	if ((has(c, "XOAUTH2") || has(c, "OAUTHBEARER")) && !rs_oauth_configured(c))
		return "OAUTHBEARER and XOAUTH2 need oauth-jwks or oauth-introspection";
	if (has(c, "SCRAM") && g_str_has_prefix(c->users, "pam:"))
		return "SCRAM cannot be had with pam: the service needs a verifier of the "
		       "password, and "
		       "PAM gives none";
	return NULL;
}

int conf_login_whole(const char *name, struct rs_conf *c, struct rs_err *err)
{
	const char *why;

	if (!c->mechanisms)
		c->mechanisms = g_strdup_printf("PLAIN LOGIN%s%s",
			rs_oauth_configured(c) ? " XOAUTH2 OAUTHBEARER" : "",
			c->client_ca ? " EXTERNAL" : "");
	why = wrong(c);
	return why ? rs_err_set(err, RS_ECONFIG, "%s: [auth] mechanisms = %s: %s", name,
			     c->mechanisms, why)
		   : 0;
}
