/* found.c - see found.h */
#include "client/found.h"

#include <string.h>

#include "client/text.h"

static const struct {
	const char *name;
	const char *words;
} froms[RS_FOUND_N] = {
	[RS_FOUND_BUILT_IN] = {"built-in", N_("known to this program")},
	[RS_FOUND_PACC] = {"pacc", N_("published by the provider")},
	[RS_FOUND_AUTOCONFIG] = {"autoconfig", N_("published by the provider")},
	[RS_FOUND_WELL_KNOWN] = {"well-known", N_("published by the provider")},
	[RS_FOUND_DATABASE] = {"database", N_("from the database of providers")},
	[RS_FOUND_SRV] = {"srv", N_("from the DNS of the domain (SRV)")},
	[RS_FOUND_MX] = {"mx", N_("of the provider that receives mail for the domain (MX)")},
	[RS_FOUND_MX_CONFIG] = {"mx-autoconfig",
		N_("published by the provider that receives mail for the domain (MX)")},
	[RS_FOUND_MX_DATABASE] = {"mx-database",
		N_("from the database, for the provider that receives mail for the domain (MX)")},
	[RS_FOUND_PROBE] = {"probe", N_("guessed: servers of common names that answer")},
};

struct rs_found *rs_found_new(enum rs_found_from from, const char *source)
{
	struct rs_found *f = g_new0(struct rs_found, 1);

	f->from = from;
	f->source = g_strdup(source);
	return f;
}

static void server_finish(struct rs_found_server *s)
{
	g_free(s->host);
	g_free(s->user);
}

void rs_found_free(struct rs_found *f)
{
	if (!f)
		return;
	server_finish(&f->pop3);
	server_finish(&f->smtp);
	g_free(f->source);
	g_free(f->provider);
	g_free(f->enable_url);
	g_free(f->oauth_issuer);
	g_free(f);
}

const char *rs_found_from_words(enum rs_found_from from)
{
	return _(froms[from].words);
}

const char *rs_found_from_name(enum rs_found_from from)
{
	return froms[from].name;
}

bool rs_found_inside(const char *host, const char *domain)
{
	size_t host_n = strlen(host);
	size_t domain_n = strlen(domain);

	if (domain_n == 0 || host_n < domain_n ||
		g_ascii_strcasecmp(host + host_n - domain_n, domain) != 0)
		return false;
	return host_n == domain_n || host[host_n - domain_n - 1] == '.';
}

static int apply_server(struct rs_account *a, const char *const keys[3],
	const struct rs_found_server *s, struct rs_err *err)
{
	static const char *const security[] = {"tls", "starttls", "none"};
	bool v6 = strchr(s->host, ':') != NULL;
	g_autofree char *server =
		g_strdup_printf("%s%s%s:%u", v6 ? "[" : "", s->host, v6 ? "]" : "", s->port);
	g_autofree char *user = rs_account_get(a, keys[2]);
	int rc = rs_account_set(a, keys[0], server, err);

	if (rc == 0)
		rc = rs_account_set(a, keys[1], security[s->security], err);
	if (rc == 0 && !user && s->user)
		rc = rs_account_set(a, keys[2], s->user, err);
	return rc;
}

int rs_found_apply(const struct rs_found *f, struct rs_account *a, struct rs_err *err)
{
	static const char *const pop3[] = {"pop3", "security", "user"};
	static const char *const smtp[] = {"smtp", "smtp-security", "smtp-user"};
	int rc = 0;

	if (!a->pop3_host)
		rc = apply_server(a, pop3, &f->pop3, err);
	if (rc == 0 && !a->smtp_host && f->smtp.host)
		rc = apply_server(a, smtp, &f->smtp, err);
	return rc;
}
