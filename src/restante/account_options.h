/* account_options - the options that `account add` and `account edit` share: their table, and from their values to
 * those of an account. One command a process, so the values are one struct. */
#ifndef RS_RESTANTE_ACCOUNT_OPTIONS_H
#define RS_RESTANTE_ACCOUNT_OPTIONS_H

#include "base/secret.h"
#include "restante/restante.h"

struct rs_given {
	char *name;
	char *pop3;
	char *security;
	char *user;
	char *smtp;
	char *smtp_security;
	char *smtp_user;
	char *leave;
	char *password_command;
	char *maildir;
	char *deliver_to;
	char *recipient;
	char *size_limit;
	char *rules;
	char *ca_file;
	char *pin;
	char *smtp_pin;
	char *timeout;
	char *address; /* edit only */
	gboolean smtp_no_auth;
	gboolean no_smtp;
	gboolean password_stdin;
	gboolean oauth2;
	gboolean device;
	char *oauth2_issuer; /* NULL: whoever fits the account */
	char *oauth2_client_id;
	char *oauth2_client_secret;
	gboolean no_discovery;
	gboolean no_input;
	gboolean no_test;
	gboolean same_mailbox; /* edit only */
	gboolean other_mailbox;
	char **unset;
};

extern struct rs_given rs_given;

/* Tables for rs_options. */
extern const GOptionEntry rs_account_add_entries[];
extern const GOptionEntry rs_account_edit_entries[];

/* What does not go together, and paths as seen from where one stands. 0 or RS_EXIT_USAGE, said. */
int rs_given_check(const struct rs_command *self);
/* Into the account. 0 or RS_EXIT_USAGE, said. */
int rs_given_apply(const struct rs_command *self, struct rs_account *a);
/* Is a value for the account among them at all? */
bool rs_given_any(void);

/* May questions be asked? */
bool rs_may_ask(void);
/* The password of --password-stdin; *out stays NULL without it. */
int rs_given_password(const struct rs_command *self, struct rs_secret **out);

#endif
