/* conf - restanted.conf, checked. INI; unknown sections and keys are errors; every error names
 * file, line and the cure. The master reads the text once and hands the same text to every role
 * (a sealed memory file), so that all parse the same octets with this one parser.
 *
 * `;` or `#` at the start of a line, or ` ;` behind a value, begins a comment. Lists are separated
 * by commas. Sizes take k M G, times are plain seconds. */
#ifndef RS_SERVER_CONF_H
#define RS_SERVER_CONF_H

#include <glib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/err.h"
#include "base/slice.h"
#include "maildir/rules.h"

enum rs_service {
	RS_SERVICE_POP3,  /* port 110: STLS       */
	RS_SERVICE_POP3S, /* port 995: TLS at once */
	RS_SERVICE_LMTP,
	RS_SERVICE_SUBMISSION,
	RS_SERVICE_SUBMISSIONS,
	RS_SERVICE_AUTOCONFIG,  /* HTTP  */
	RS_SERVICE_AUTOCONFIGS, /* HTTPS */
	RS_SERVICE_METRICS,
	RS_SERVICE_SASL,  /* MTAs ask about logins of their clients (proto/sasls.h) */
	RS_SERVICE_ADMIN, /* the administrator's socket in run-dir; no key */
	RS_SERVICE_N
};

#define RS_ADMIN_SOCKET "admin" /* its name there */

const char *rs_service_name(enum rs_service s); /* key in [listen] */

struct rs_conf_listen {
	enum rs_service service;
	char *text; /* as written: "127.0.0.1:995", "[::1]:995", "unix:/run/restante/lmtp" */
	struct sockaddr_storage addr;
	socklen_t addr_n;
};

/* A section [tls NAME, …]: the certificate of these host names (SNI). */
struct rs_conf_tls {
	char **names; /* lower case; "*.example.org" stands for one label more */
	char *certificate;
	char *key;
};

#define RS_CONF_TLS_MAX 512u /* sections [tls NAME] */

enum rs_client_name { RS_CLIENT_NAME_EMAIL, RS_CLIENT_NAME_CN };
enum rs_cleartext { RS_CLEARTEXT_NEVER, RS_CLEARTEXT_LOOPBACK, RS_CLEARTEXT_ALWAYS };
enum rs_relay_tls {
	RS_RELAY_TLS_REQUIRED,      /* and its certificate is verified      */
	RS_RELAY_TLS_OPPORTUNISTIC, /* where it is offered, by whomever      */
	RS_RELAY_TLS_NONE
};

/* The server that mail for others is handed to; host NULL: there is none. */
struct rs_conf_relay {
	char *text; /* as written */
	char *host; /* a name, or an address without brackets */
	guint port;
	bool tls;   /* from the start */
	char *user; /* NULL: no login */
	char *password;
	char *ca; /* PEM of the authorities that may have signed its certificate; NULL: the system's */
	enum rs_relay_tls policy;
};

enum rs_store_type { RS_STORE_MAILDIR, RS_STORE_MEMORY };

struct rs_conf {
	/* [server] */
	char *hostname;
	char *state_dir;
	char *run_dir;
	guint workers; /* fronts and stores each; "auto" = processors, at most 16 */
	char *user;    /* owns the mail, runs the store; names or uid:gid; NULL: not given */
	char *front_user;
	char *auth_user;
	char *relay_user;
	gboolean sandbox;
	gboolean implementation; /* told in CAPA */
	char *admin_group;       /* may use the administrator's socket; NULL: root and user only */
	/* [listen] */
	GPtrArray *listen; /* struct rs_conf_listen */
	/* [tls] */
	char *certificate;
	char *key;
	GPtrArray *tls_names;         /* struct rs_conf_tls, NULL: none         */
	struct rs_conf_tls *tls_open; /* while parsing: the section under way   */
	char *client_ca;              /* who signs certificates of users, NULL  */
	enum rs_client_name client_name;
	/* [auth] */
	char *users; /* "passwd-file:/path", "sql:postgresql://…" */
	char *query; /* of sql: */
	guint query_connections;
	guint query_timeout_s;
	enum rs_cleartext cleartext;
	char *mechanisms; /* blank between, never NULL */
	gboolean apop;
	char *oauth_introspection; /* URL                             */
	char *oauth_jwks;          /* URL, or a file where it begins with / */
	char *oauth_issuer;
	char *oauth_audience;
	char *oauth_scope;
	char *oauth_user_claim;    /* never NULL                      */
	char *oauth_client_secret; /* file                            */
	char *oauth_ca_file;
	char *oauth_configuration; /* URL told to clients             */
	guint oauth_cache_s;
	/* [store] */
	enum rs_store_type store_type;
	char *store_path;         /* with %u %n %d */
	struct rs_rules rules;    /* of every mailbox, where its owner has none of his own */
	gboolean quota_permanent; /* over quota: 552 instead of 452 */
	char **store_roots;       /* further folders of mail, NULL: none */
	/* [log] */
	gboolean log_json;
	int log_level; /* 0 error, 1 warning, 2 info, 3 debug */
	/* [limits]; 0 = none where design.md says so */
	guint connections;
	guint connections_per_address;
	guint connections_per_user;
	guint handshakes; /* of each front, under way at a time */
	gboolean failed_login_delay;
	guint pre_login_timeout_s;
	guint idle_timeout_s;
	guint login_delay_s; /* between two logins of one user */
	guint64 message_size;
	/* [autoconfig]; what is told to mail programs, see card.h */
	char *autoconfig_public[RS_SERVICE_N]; /* "HOST:PORT" or "off"; NULL: as [listen] says */
	char **autoconfig_domains;             /* NULL: any */
	char *autoconfig_name;                 /* NULL: the hostname */
	char *autoconfig_short_name;           /* NULL: the name */
	char *autoconfig_documentation;        /* URL, NULL: none */
	gboolean autoconfig_local_part;        /* user names without the domain */
	/* [submission] */
	struct rs_conf_relay relay;
	char **local_domains;   /* lower case; NULL: not given */
	guint submission_rcpts; /* of one message */
	guint submission_rate;  /* recipients an hour and account; 0: no limit */
	/* [proxy] */
	GArray *proxy_trusted; /* struct rs_net; NULL: nobody */
};

/* Parse `text`; `name` is the file's name for errors. -RS_ECONFIG with "name:line: what; cure". */
int rs_conf_parse(const char *name, struct rs_slice text, struct rs_conf **out,
	struct rs_err *err) RS_MUST_USE;
/* Read the file, then parse; and check what the file names (certificate, key, users exist). */
int rs_conf_load(const char *file, struct rs_conf **out, char **text, gsize *text_n,
	struct rs_err *err) RS_MUST_USE;
/* Overwrite in the text of the file what only the relay role may know. */
void rs_conf_hide_secrets(const struct rs_conf *c, char *text, gsize n);
bool rs_conf_is_local_domain(const struct rs_conf *c, const char *domain);
void rs_conf_relay_finish(struct rs_conf_relay *r);
void rs_conf_destroy(struct rs_conf **c);

#endif
