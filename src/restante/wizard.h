/* wizard - questions and answers about an account, for `account add` and `account edit`. Words only: what is found,
 * tried and saved is the client's. */
#ifndef RS_RESTANTE_WIZARD_H
#define RS_RESTANTE_WIZARD_H

#include "base/secret.h"
#include "client/account_try.h"
#include "client/found.h"
#include "restante/restante.h"

/* Until the answer is acceptable for that key. False: no more input. An empty one leaves the value. */
bool rs_wizard_key(
	struct rs_account *a, const char *key, const char *question, const char *standard);

/* The settings as they are, one line a field with a number, until nothing is to be changed any more. */
bool rs_wizard_change(struct rs_account *a);

/* What happens to mail on the server, with the consequences. */
bool rs_wizard_leave(struct rs_account *a);
/* The policy and what follows from it, in one or two lines. */
void rs_wizard_say_leave(const struct rs_account *a);

/* What was found: servers, source, what the provider wants. */
void rs_wizard_say_found(const struct rs_found *f, const struct rs_account *a);

/* The servers of the account, one line each. */
void rs_wizard_say_servers(const struct rs_account *a);

/* "password accepted · 1,532 messages, 2.1 GB · server can UIDL, TOP, PIPELINING", and the same for SMTP. Returns
 * whether both went well (what went wrong is complained about). */
bool rs_wizard_say_try(const struct rs_account *a, const struct rs_try *t);

/* After a certificate was refused: show it, pin it if the person says so. */
bool rs_wizard_pin(struct rs_account *a, const struct rs_try *t);

/* Yes or no; an empty answer is `standard`, the end of input is no. */
bool rs_wizard_yes(const char *question, bool standard);

/* Without TLS: said each time. */
void rs_wizard_warn(const struct rs_account *a);

#endif
