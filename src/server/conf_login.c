/* conf_login.c - the keys of [auth] that say how users may log in, and whether they go together. */
#include <string.h>

#include "server/conf_priv.h"

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
		c->mechanisms = g_strdup_printf("PLAIN LOGIN%s", c->client_ca ? " EXTERNAL" : "");
	why = wrong(c);
	return why ? rs_err_set(err, RS_ECONFIG, "%s: [auth] mechanisms = %s: %s", name,
			     c->mechanisms, why)
		   : 0;
}
