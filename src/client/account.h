/* account - one mail account as the configuration file holds it, and the file itself.
 * File: config.ini, INI, one `[account NAME]` group each; secrets are never in it (secret_store.h).
 * Places: $RESTANTE_HOME (config.ini, mail/, ledger.db, secrets inside), else the XDG folders. */
#ifndef RS_CLIENT_ACCOUNT_H
#define RS_CLIENT_ACCOUNT_H

#include <glib.h>

#include "base/err.h"

enum rs_security { RS_SECURITY_TLS, RS_SECURITY_STARTTLS, RS_SECURITY_NONE };

/* What happens to the copy on the server (design, section 6). More policies join here. */
enum rs_leave { RS_LEAVE_KEEP, RS_LEAVE_DELETE };

struct rs_account {
	char *name;    /* unique; key of the group and of the ledger */
	char *address; /* anna@example.org                           */
	char *pop3_host;
	guint16 pop3_port;
	enum rs_security pop3_security;
	char *pop3_user;
	char *smtp_host; /* NULL: mail can be read but not sent */
	guint16 smtp_port;
	enum rs_security smtp_security;
	char *smtp_user; /* NULL: no authentication */
	enum rs_leave leave;
	char *password_command; /* NULL: the password is in the secret store         */
	char *maildir;          /* absolute path of the folder new mail goes to      */
	char *ca_file;          /* NULL: the system's                                */
	char *pin_sha256;       /* 64 hex digits: SHA-256 of the certificate, or NULL */
	guint timeout_s;        /* silence after which a server is given up          */
};

struct rs_account *rs_account_new(void); /* defaults: TLS, 995, keep, 60 s */
void rs_account_free(struct rs_account *a);

/* Where everything lies. All paths absolute, owned. */
struct rs_places {
	char *config_file;
	char *data_dir;
	char *mail_dir;
	char *ledger_file;
};

int rs_places_find(struct rs_places *out, struct rs_err *err) RS_MUST_USE;
void rs_places_finish(struct rs_places *p);

/* All accounts of the file, GPtrArray of struct rs_account, in file order; a file that is not
 * there is an empty list. -RS_ECONFIG names file, group, key and what is wrong with the value. */
int rs_accounts_load(const struct rs_places *p, GPtrArray **out, struct rs_err *err) RS_MUST_USE;
/* Replaced atomically (tmp, fsync, rename, fsync folder), mode 0600; comments and unknown keys
 * of other accounts stay as they are. */
int rs_account_save(
	const struct rs_places *p, const struct rs_account *a, struct rs_err *err) RS_MUST_USE;
int rs_account_remove(const struct rs_places *p, const char *name, struct rs_err *err) RS_MUST_USE;

/* Password of the account: from password_command or the secret store; -RS_ECONFIG when there is
 * none. Destroy it with rs_secret_destroy. */
struct rs_secret;
int rs_account_password(const struct rs_places *p, const struct rs_account *a,
	struct rs_secret **out, struct rs_err *err) RS_MUST_USE;
int rs_account_password_store(const struct rs_places *p, const struct rs_account *a,
	const struct rs_secret *password, struct rs_err *err) RS_MUST_USE;

#endif
