/* account - one mail account as the configuration file holds it, and the file itself.
 * File: config.ini, INI, one `[account NAME]` group each; secrets are never in it (secret_store.h).
 * Places: $RESTANTE_HOME (config.ini, mail/, ledger.db, secrets inside), else the XDG folders.
 * A key of the file is called like the option of `restante account add` that sets it. */
#ifndef RS_CLIENT_ACCOUNT_H
#define RS_CLIENT_ACCOUNT_H

#include <glib.h>

#include "base/err.h"
#include "client/policy.h"

enum rs_security { RS_SECURITY_TLS, RS_SECURITY_STARTTLS, RS_SECURITY_NONE };

struct rs_account {
	char *name;      /* unique; key of the group and of the ledger */
	char *address;   /* anna@example.org                           */
	char *full_name; /* of the person, in From; NULL: none        */
	char *aliases;   /* further own addresses, a comma between; NULL */
	char *signature; /* path of a file, or NULL                   */
	char *pop3_host;
	guint16 pop3_port; /* 0 only before rs_account_complete */
	enum rs_security pop3_security;
	char *pop3_user;
	char *smtp_host; /* NULL: mail can be read but not sent */
	guint16 smtp_port;
	enum rs_security smtp_security;
	char *smtp_user;        /* NULL: no authentication */
	struct rs_policy leave; /* what happens to the copy on the server */
	char *oauth2;           /* NULL: a password; else who gives tokens (oauth.h)   */
	char *oauth2_client_id; /* NULL: the issuer gives one out by itself            */
	char *oauth2_client_secret;
	char *oauth2_scope;             /* NULL: what fits that issuer */
	char *password_command;         /* NULL: the password is in the secret store         */
	char *maildir;                  /* absolute path of the folder new mail goes to      */
	char *deliver_to;               /* NULL: that folder; else another target (target_spec.h) */
	char *recipient;                /* for mda, lmtp and smtp; NULL: the address         */
	char *deliver_password_command; /* for imap; NULL: the secret store          */
	guint64 size_limit;             /* octets; larger messages are not fetched; 0: no limit */
	char *rules;                    /* NULL, or path of a file of rules (rules.h)        */
	char *ca_file;                  /* NULL: the system's                                */
	char *pin_sha256;               /* 64 hex digits: SHA-256 of the certificate, or NULL */
	char *smtp_pin_sha256; /* the same for sending; NULL: pin_sha256 where both are one host */
	guint timeout_s;       /* silence after which a server is given up          */
	guint every_s;         /* between two checks of `restante watch`            */
	gboolean quiet;        /* no notice of new mail from `restante watch`       */
};

#define RS_ACCOUNT_NAME_MAX      64u
#define RS_ACCOUNT_TIMEOUT_S     60u
#define RS_ACCOUNT_TIMEOUT_MIN_S 1u
#define RS_ACCOUNT_TIMEOUT_MAX_S 3600u
#define RS_ACCOUNT_EVERY_S       300u
#define RS_ACCOUNT_EVERY_MIN_S   10u
#define RS_ACCOUNT_EVERY_MAX_S   604800u

struct rs_account *rs_account_new(void); /* defaults: TLS, keep, 60 s, every 5 min */
void rs_account_free(struct rs_account *a);

/* --- values by key: "pop3", "security", "leave" ... ------------------------------------------ */

/* All keys in the order of the file, ended by NULL. */
const char *const *rs_account_keys(void);
/* -RS_EINVAL: no such key, or the value is not acceptable; the text says what would be. */
int rs_account_set(
	struct rs_account *a, const char *key, const char *value, struct rs_err *err) RS_MUST_USE;
/* As if it had never been given. -RS_EINVAL: no such key, or one that must have a value. */
int rs_account_unset(struct rs_account *a, const char *key, struct rs_err *err) RS_MUST_USE;
/* The same values again, owned. */
struct rs_account *rs_account_copy(const struct rs_account *a);
/* As rs_account_set takes it, owned; NULL where the key has no value. */
char *rs_account_get(const struct rs_account *a, const char *key);

/* --- where everything lies ------------------------------------------------------------------- */

/* All paths absolute, owned. */
struct rs_places {
	char *config_file;
	char *data_dir;
	char *mail_dir;
	char *ledger_file;
};

int rs_places_find(struct rs_places *out, struct rs_err *err) RS_MUST_USE;
void rs_places_finish(struct rs_places *p);

/* --- the file -------------------------------------------------------------------------------- */

/* Fills what follows from the rest (ports, user = address, folder = mail/NAME) and says what is
 * missing: -RS_ECONFIG. */
int rs_account_complete(
	const struct rs_places *p, struct rs_account *a, struct rs_err *err) RS_MUST_USE;

/* All accounts of the file, complete, GPtrArray of struct rs_account, in file order; a file that
 * is not there is an empty list. -RS_ECONFIG names file, line, group, key and what is wrong with
 * the value; unknown keys are errors, because a mistyped one would silently not act. */
int rs_accounts_load(const struct rs_places *p, GPtrArray **out, struct rs_err *err) RS_MUST_USE;
/* By name, else by address when only one has it. Borrowed from the list; NULL when there is none. */
struct rs_account *rs_accounts_find(const GPtrArray *accounts, const char *name);
/* Adds or changes one account. Replaced atomically (tmp, fsync, rename, fsync folder), mode 0600;
 * comments, and everything of other accounts, stay as they are. */
int rs_account_save(
	const struct rs_places *p, const struct rs_account *a, struct rs_err *err) RS_MUST_USE;
/* The group and its secrets; mail and ledger stay. -RS_ENOENT. */
int rs_account_remove(const struct rs_places *p, const char *name, struct rs_err *err) RS_MUST_USE;

/* What the account logs in with: first line of what password_command prints, or from the secret store; with oauth2 the access
 * token, renewed where it is over. -RS_ECONFIG when there is none. Destroy it with rs_secret_destroy. */
struct rs_secret;
int rs_account_password(const struct rs_places *p, const struct rs_account *a,
	struct rs_secret **out, struct rs_err *err) RS_MUST_USE;
int rs_account_password_store(const struct rs_places *p, const struct rs_account *a,
	const struct rs_secret *password, struct rs_err *err) RS_MUST_USE;

#endif
