/* conf_keys.c - every key of restanted.conf: what it may be and where it goes. One row a key;
 * tests compare the table with the manual page. */
#include "server/conf_priv.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <uv.h>

#include "base/num.h"
#include "server/address.h"
#include "server/card.h"

/* --- plain setters ------------------------------------------------------------------------- */

static void *field(struct rs_conf *c, const struct conf_key *k)
{
	return (char *)c + k->offset;
}

static const char *set_text(struct rs_conf *c, const struct conf_key *k, const char *value)
{
	char **to = field(c, k);

	g_free(*to);
	*to = g_strdup(value);
	return NULL;
}

static const char *set_path(struct rs_conf *c, const struct conf_key *k, const char *value)
{
	if (value[0] != '/')
		return "is not an absolute path; begin it with /";
	return set_text(c, k, value);
}

static const char *set_uint(struct rs_conf *c, const struct conf_key *k, const char *value)
{
	guint64 v;

	if (rs_num_u64(rs_slice_str(value), k->max, &v) < 0 || v < k->min)
		return "is not a number in the range allowed (see restanted.conf(5))";
	*(guint *)field(c, k) = (guint)v;
	return NULL;
}

static const char *set_size(struct rs_conf *c, const struct conf_key *k, const char *value)
{
	guint64 v;

	if (rs_num_size(rs_slice_str(value), k->max, &v) < 0 || v < k->min)
		return "is not a size; give octets, with k, M or G behind them where wanted";
	*(guint64 *)field(c, k) = v;
	return NULL;
}

static const char *set_bool(struct rs_conf *c, const struct conf_key *k, const char *value)
{
	gboolean on = strcmp(value, "on") == 0 || strcmp(value, "yes") == 0;

	if (!on && strcmp(value, "off") != 0 && strcmp(value, "no") != 0)
		return "must be on or off";
	*(gboolean *)field(c, k) = on;
	return NULL;
}

int conf_keyword(const char *const *names, const char *value)
{
	int i = 0;

	while (names[i] && strcmp(names[i], value) != 0)
		i++;
	return names[i] ? i : -1;
}

/* --- keys with rules of their own ---------------------------------------------------------- */

static const char *set_workers(struct rs_conf *c, const struct conf_key *k, const char *value)
{
	if (strcmp(value, "auto") != 0)
		return set_uint(c, k, value);
	c->workers = CLAMP(uv_available_parallelism(), 1, 16);
	return NULL;
}

/* "host:port" with a literal address; *addr filled. */
static bool parse_inet(const char *text, struct rs_conf_listen *l)
{
	const char *colon = strrchr(text, ':');
	struct sockaddr_in *v4 = (struct sockaddr_in *)&l->addr;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&l->addr;
	g_autofree char *host = NULL;
	guint32 port;

	if (!colon || rs_num_u32(rs_slice_str(colon + 1), 65535, &port) < 0)
		return false;
	host = g_strndup(text, (gsize)(colon - text));
	if (host[0] == '[' && g_str_has_suffix(host, "]")) {
		host[strlen(host) - 1] = '\0';
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((guint16)port);
		l->addr_n = sizeof(*v6);
		return inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1;
	}
	v4->sin_family = AF_INET;
	v4->sin_port = htons((guint16)port);
	l->addr_n = sizeof(*v4);
	return inet_pton(AF_INET, host, &v4->sin_addr) == 1;
}

static bool parse_unix(const char *path, struct rs_conf_listen *l)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&l->addr;

	if (path[0] != '/' || strlen(path) >= sizeof(un->sun_path))
		return false;
	un->sun_family = AF_UNIX;
	g_strlcpy(un->sun_path, path, sizeof(un->sun_path));
	l->addr_n = sizeof(*un);
	return true;
}

static void listen_free(gpointer p)
{
	struct rs_conf_listen *l = p;

	g_free(l->text);
	g_free(l);
}

static const char *listen_add(struct rs_conf *c, enum rs_service service, const char *text)
{
	struct rs_conf_listen *l = g_new0(struct rs_conf_listen, 1);
	bool is_unix = g_str_has_prefix(text, "unix:");

	l->service = service;
	l->text = g_strdup(text);
	if (!c->listen)
		c->listen = g_ptr_array_new_with_free_func(listen_free);
	g_ptr_array_add(c->listen, l);
	if (is_unix && service != RS_SERVICE_LMTP && service != RS_SERVICE_SASL)
		return "only lmtp and sasl listen on a unix socket";
	if (is_unix ? parse_unix(text + 5, l) : parse_inet(text, l))
		return NULL;
	return "is not ADDRESS:PORT, [IPV6]:PORT or (lmtp, sasl) unix:/PATH of at most 107 octets";
}

static const char *set_listen(struct rs_conf *c, const struct conf_key *k, const char *value)
{
	g_auto(GStrv) parts = g_strsplit(value, ",", -1);
	unsigned service = 0;
	const char *why = NULL;

	while (strcmp(k->key, rs_service_name((enum rs_service)service)) != 0)
		service++;
	for (char **p = parts; *p && !why; p++)
		why = listen_add(c, (enum rs_service)service, g_strstrip(*p));
	return why;
}

/* Of [tls], or of the section [tls NAME] under way. */
static const char *set_tls_file(struct rs_conf *c, const struct conf_key *k, const char *value)
{
	bool key = strcmp(k->key, "key") == 0;
	char **to;

	if (!c->tls_open)
		return set_path(c, k, value);
	if (value[0] != '/')
		return "is not an absolute path; begin it with /";
	to = key ? &c->tls_open->key : &c->tls_open->certificate;
	g_free(*to);
	*to = g_strdup(value);
	return NULL;
}

static const char *set_client_ca(struct rs_conf *c, const struct conf_key *k, const char *value)
{
	return c->tls_open ? "belongs into [tls]: it is for all names" : set_path(c, k, value);
}

static const char *set_client_name(struct rs_conf *c, const struct conf_key *k, const char *value)
{
	if (c->tls_open)
		return "belongs into [tls]: it is for all names";
	c->client_name = strcmp(value, "cn") == 0 ? RS_CLIENT_NAME_CN : RS_CLIENT_NAME_EMAIL;
	return c->client_name == RS_CLIENT_NAME_CN || strcmp(value, "email") == 0
		       ? NULL
		       : "must be email or cn";
}

/* The name of a file in /etc/pam.d. */
static bool is_pam(const char *value)
{
	const char *service = value + strlen("pam:");

	return g_str_has_prefix(value, "pam:") && *service && *service != '.' &&
	       strspn(service, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "-_.") == strlen(service);
}

static const char *set_users(struct rs_conf *c, const struct conf_key *k, const char *value)
{
	static const char *const kinds[] = {
		"passwd-file:/", "sql:postgresql://", "sql:postgres://"};

	for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
		if (g_str_has_prefix(value, kinds[i]))
			return set_text(c, k, value);
	}
	return is_pam(value) ? set_text(c, k, value)
			     : "must be passwd-file:/PATH, sql:postgresql://… or pam:SERVICE";
}

static const char *set_cleartext(struct rs_conf *c, const struct conf_key *k, const char *value)
{
	static const char *const names[] = {"never", "loopback", "always", NULL};
	int i = conf_keyword(names, value);

	if (i < 0)
		return "must be never, loopback or always";
	c->cleartext = (enum rs_cleartext)i;
	return NULL;
}

static const char *set_store_type(struct rs_conf *c, const struct conf_key *k, const char *value)
{
	if (strcmp(value, "maildir") != 0 && strcmp(value, "memory") != 0)
		return "must be maildir (rados is not built yet; memory is for tests)";
	c->store_type = value[1] == 'a' ? RS_STORE_MAILDIR : RS_STORE_MEMORY;
	return NULL;
}

static const char *set_rule(struct rs_conf *c, const struct conf_key *k, const char *value)
{
	return rs_rules_set(&c->rules, k->key, value);
}

static const char *set_quota_exceeded(
	struct rs_conf *c, const struct conf_key *k, const char *value)
{
	c->quota_permanent = strcmp(value, "permanent") == 0;
	return c->quota_permanent || strcmp(value, "temporary") == 0
		       ? NULL
		       : "must be temporary or permanent";
}

static const char *set_roots(struct rs_conf *c, const struct conf_key *k, const char *value)
{
	g_strfreev(c->store_roots);
	c->store_roots = g_strsplit(value, ",", -1);
	for (char **root = c->store_roots; *root; root++) {
		if (g_strstrip(*root)[0] != '/')
			return "must be a list of absolute paths";
	}
	return NULL;
}

static const char *set_trusted(struct rs_conf *c, const struct conf_key *k, const char *value)
{
	g_auto(GStrv) parts = g_strsplit(value, ",", -1);
	const char *why = NULL;

	c->proxy_trusted = g_array_new(FALSE, FALSE, sizeof(struct rs_net));
	for (char **p = parts; *p && !why; p++) {
		struct rs_net net;

		why = rs_net_parse(g_strstrip(*p), &net);
		g_array_append_val(c->proxy_trusted, net);
	}
	return why;
}

/* What mail programs are told instead of what [listen] says: HOST:PORT, or off. */
static const char *set_public(struct rs_conf *c, const struct conf_key *k, const char *value)
{
	const char *colon = strrchr(value, ':');
	size_t host_n = colon ? (size_t)(colon - value) : 0;
	guint32 port;

	if (strcmp(value, "off") == 0)
		return set_text(c, k, value);
	if (host_n == 0 || rs_num_u32(rs_slice_str(colon + 1), 65535, &port) < 0 || port == 0 ||
		strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") !=
			host_n)
		return "is not off or HOST:PORT with a host's name, as in mail.example.org:995";
	return set_text(c, k, value);
}

static const char *set_domains(struct rs_conf *c, const struct conf_key *k, const char *value)
{
	g_auto(GStrv) list = g_strsplit(value, ",", -1);
	const struct rs_conf any = {.autoconfig_domains = NULL};

	for (char **d = list; *d; d++) {
		if (!rs_card_domain_ok(&any, g_strstrip(*d)))
			return "is not a list of domains, as in example.org, example.net";
	}
	c->autoconfig_domains = g_steal_pointer(&list);
	return NULL;
}

/* A name that people read. */
static const char *set_name(struct rs_conf *c, const struct conf_key *k, const char *value)
{
	if (!g_utf8_validate(value, -1, NULL) || strlen(value) > 200)
		return "is not UTF-8 of at most 200 octets";
	return set_text(c, k, value);
}

static const char *set_web(struct rs_conf *c, const struct conf_key *k, const char *value)
{
	if (!g_str_has_prefix(value, "https://") && !g_str_has_prefix(value, "http://"))
		return "is not a web address; begin it with https://";
	if (!rs_slice_graphic(rs_slice_str(value)))
		return "has octets that a web address cannot have; percent-encode them";
	return set_text(c, k, value);
}

static const char *set_user_name(struct rs_conf *c, const struct conf_key *k, const char *value)
{
	c->autoconfig_local_part = strcmp(value, "local-part") == 0;
	return c->autoconfig_local_part || strcmp(value, "address") == 0
		       ? NULL
		       : "must be address or local-part";
}

static const char *set_log_format(struct rs_conf *c, const struct conf_key *k, const char *value)
{
	c->log_json = strcmp(value, "json") == 0;
	return c->log_json || strcmp(value, "text") == 0 ? NULL : "must be text or json";
}

static const char *set_log_level(struct rs_conf *c, const struct conf_key *k, const char *value)
{
	static const char *const names[] = {"error", "warning", "info", "debug", NULL};
	int i = conf_keyword(names, value);

	if (i < 0)
		return "must be error, warning, info or debug";
	c->log_level = i;
	return NULL;
}

/* --- the table ----------------------------------------------------------------------------- */

#define AT(name) offsetof(struct rs_conf, name)

const struct conf_key conf_keys[] = {
	{"server", "hostname", set_text, AT(hostname), 0, 0, "name told in greetings and headers"},
	{"server", "state-dir", set_path, AT(state_dir), 0, 0, "folder for state that must last"},
	{"server", "run-dir", set_path, AT(run_dir), 0, 0, "folder for sockets and locks"},
	{"server", "workers", set_workers, AT(workers), 1, 64,
		"fronts and stores each: auto or a number"},
	{"server", "user", set_text, AT(user), 0, 0, "owner of the mail, when started as root"},
	{"server", "front-user", set_text, AT(front_user), 0, 0, "user of the front role"},
	{"server", "auth-user", set_text, AT(auth_user), 0, 0, "user of the auth role"},
	{"server", "relay-user", set_text, AT(relay_user), 0, 0, "user of the relay role"},
	{"server", "sandbox", set_bool, AT(sandbox), 0, 0, "seccomp and Landlock for the roles"},
	{"server", "implementation", set_bool, AT(implementation), 0, 0,
		"tell clients what this is"},
	{"server", "admin-group", set_text, AT(admin_group), 0, 0,
		"may use the administrator's socket"},
	{"listen", "pop3", set_listen, 0, 0, 0, "POP3 with STLS"},
	{"listen", "pop3s", set_listen, 0, 0, 0, "POP3 under TLS from the start"},
	{"listen", "lmtp", set_listen, 0, 0, 0, "mail in"},
	{"listen", "submission", set_listen, 0, 0, 0, "mail of our users, with STARTTLS"},
	{"listen", "submissions", set_listen, 0, 0, 0,
		"mail of our users, under TLS from the start"},
	{"listen", "autoconfig", set_listen, 0, 0, 0,
		"the provider's data for mail programs by HTTP, for a reverse proxy"},
	{"listen", "autoconfigs", set_listen, 0, 0, 0, "the same by HTTPS"},
	{"listen", "metrics", set_listen, 0, 0, 0, "OpenMetrics by HTTP, GET /metrics"},
	{"listen", "sasl", set_listen, 0, 0, 0,
		"logins that an MTA asks about (Dovecot's protocol)"},
	{"tls", "certificate", set_tls_file, AT(certificate), 0, 0,
		"PEM chain, the server's first"},
	{"tls", "key", set_tls_file, AT(key), 0, 0, "PEM private key"},
	{"tls", "client-ca", set_client_ca, AT(client_ca), 0, 0,
		"PEM: who signs certificates of users (for EXTERNAL), and revocation lists"},
	{"tls", "client-name", set_client_name, 0, 0, 0, "what names the user in it: email or cn"},
	{"auth", "users", set_users, AT(users), 0, 0,
		"passwd-file:/PATH, sql:postgresql://… or pam:SERVICE"},
	{"auth", "query", set_text, AT(query), 0, 0,
		"of sql: what finds a user; %u address, %n name, %d domain"},
	{"auth", "query-connections", set_uint, AT(query_connections), 1, 64, "to the database"},
	{"auth", "query-timeout", set_uint, AT(query_timeout_s), 1, 300,
		"seconds until a user who could not be asked for gets a temporary failure"},
	{"auth", "cleartext", set_cleartext, 0, 0, 0,
		"passwords without TLS: never, loopback, always"},
	{"auth", "mechanisms", conf_set_mechanisms, 0, 0, 0, "SASL mechanisms offered"},
	{"auth", "apop", set_bool, AT(apop), 0, 0, "offer APOP (needs {PLAIN} passwords)"},
	{"auth", "oauth-introspection", conf_set_oauth_url, AT(oauth_introspection), 0, 0,
		"URL that tells of a token (RFC 7662)"},
	{"auth", "oauth-jwks", conf_set_oauth_url, AT(oauth_jwks), 1, 0,
		"file or URL of the keys that sign tokens (RFC 7517)"},
	{"auth", "oauth-issuer", set_text, AT(oauth_issuer), 0, 0, "what iss of a token must be"},
	{"auth", "oauth-audience", set_text, AT(oauth_audience), 0, 0, "what aud must hold"},
	{"auth", "oauth-scope", set_text, AT(oauth_scope), 0, 0, "what scope must hold"},
	{"auth", "oauth-user-claim", set_text, AT(oauth_user_claim), 0, 0, "what names the user"},
	{"auth", "oauth-client-secret", set_path, AT(oauth_client_secret), 0, 0,
		"file with CLIENT:SECRET for introspection"},
	{"auth", "oauth-ca-file", set_path, AT(oauth_ca_file), 0, 0,
		"PEM: who signs the certificates of those URLs"},
	{"auth", "oauth-configuration", conf_set_oauth_url, AT(oauth_configuration), 0, 0,
		"URL told to clients whose token is refused"},
	{"auth", "oauth-cache", set_uint, AT(oauth_cache_s), 0, 86400,
		"seconds that a yes is remembered"},
	{"store", "type", set_store_type, 0, 0, 0, "maildir"},
	{"store", "path", set_path, AT(store_path), 0, 0,
		"Maildir of a user: %u address, %n name, %d domain"},
	{"store", "quota", set_rule, 0, 0, 0, "SIZE[:MESSAGES] of a mailbox, 0: no limit"},
	{"store", "quota-exceeded", set_quota_exceeded, 0, 0, 0,
		"temporary: mail for a full mailbox gets 452; permanent: 552"},
	{"store", "view", set_rule, 0, 0, 0, "all, newest:N, age:DAYS or since:DATE"},
	{"store", "junk", set_rule, 0, 0, 0, "separate, show or hide"},
	{"store", "junk-folder", set_rule, 0, 0, 0, "the folder that mail for user+NAME makes"},
	{"store", "roots", set_roots, 0, 0, 0, "further folders that maildir= of a user may name"},
	{"store", "expire", set_rule, 0, 0, 0, "never, or days after which a message is removed"},
	{"store", "deleted", set_rule, 0, 0, 0, "remove, keep or keep:FOLDER"},
	{"autoconfig", "name", set_name, AT(autoconfig_name), 0, 0,
		"what the provider is called, in full"},
	{"autoconfig", "short-name", set_name, AT(autoconfig_short_name), 0, 0, "the same, short"},
	{"autoconfig", "domains", set_domains, 0, 0, 0, "whose addresses are answered"},
	{"autoconfig", "user", set_user_name, 0, 0, 0, "the user name: address or local-part"},
	{"autoconfig", "documentation", set_web, AT(autoconfig_documentation), 0, 0,
		"web page with instructions"},
	{"autoconfig", "pop3s", set_public, AT(autoconfig_public[RS_SERVICE_POP3S]), 0, 0,
		"HOST:PORT as clients see it, or off"},
	{"autoconfig", "pop3", set_public, AT(autoconfig_public[RS_SERVICE_POP3]), 0, 0,
		"the same with STLS"},
	{"autoconfig", "submissions", set_public, AT(autoconfig_public[RS_SERVICE_SUBMISSIONS]), 0,
		0, "HOST:PORT for mail out under TLS, or off"},
	{"autoconfig", "submission", set_public, AT(autoconfig_public[RS_SERVICE_SUBMISSION]), 0, 0,
		"the same with STARTTLS"},
	{"log", "format", set_log_format, 0, 0, 0, "text or json"},
	{"log", "level", set_log_level, 0, 0, 0, "error, warning, info or debug"},
	{"limits", "login-delay", set_uint, AT(login_delay_s), 0, 86400,
		"seconds between two logins of one user, 0: none"},
	{"limits", "connections", set_uint, AT(connections), 0, 1000000, "at a time, 0: no limit"},
	{"limits", "connections-per-address", set_uint, AT(connections_per_address), 0, 1000000,
		"of one address (IPv6: /64), 0: no limit"},
	{"limits", "connections-per-user", set_uint, AT(connections_per_user), 0, 1000000,
		"logged in as one user, 0: no limit; POP3 itself allows one session a maildrop"},
	{"limits", "handshakes", set_uint, AT(handshakes), 0, 1000000,
		"of TLS at a time, of each front, 0: no limit"},
	{"limits", "failed-login-delay", set_bool, AT(failed_login_delay), 0, 0,
		"answer refused logins later and later"},
	{"limits", "pre-login-timeout", set_uint, AT(pre_login_timeout_s), 1, 86400, "seconds"},
	{"limits", "idle-timeout", set_uint, AT(idle_timeout_s), 1, 86400,
		"seconds; RFC 1939: at least 600"},
	{"limits", "message-size", set_size, AT(message_size), 1024, G_MAXINT64,
		"largest message taken"},
	{"proxy", "trusted", set_trusted, 0, 0, 0,
		"balancers that must send the PROXY protocol: ADDRESS/BITS, …"},
	{"submission", "relay", conf_set_relay, 0, 0, 0, "smtp(s)://[USER:PASSWORD@]HOST[:PORT]"},
	{"submission", "relay-tls", conf_set_relay_tls, 0, 0, 0, "required, opportunistic or none"},
	{"submission", "relay-ca", set_path, AT(relay.ca), 0, 0,
		"PEM of who may sign the relay's certificate"},
	{"submission", "local-domains", conf_set_domains, 0, 0, 0, "delivered here, never relayed"},
	{"submission", "recipients", set_uint, AT(submission_rcpts), 1, 10000, "of one message"},
	{"submission", "rate", set_uint, AT(submission_rate), 0, 10000000,
		"recipients an hour and account, 0: no limit"},
};
const size_t conf_keys_n = G_N_ELEMENTS(conf_keys);
