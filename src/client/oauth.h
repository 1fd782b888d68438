/* oauth - logging in without the mail password: OAuth 2 for programs on a person's computer.
 *
 *   login   once, with the person: by the browser (loopback redirect, PKCE S256, state: RFC 8252, 7636), or with a code typed
 *           elsewhere (device flow, RFC 8628) where there is no browser
 *   token   before each session, without the person: the access token, refreshed when it is over or soon will be
 *
 * Who is asked: the account's `oauth2`, the name of a large provider (oauth_provider.h) or the URL of an issuer, whose metadata
 * is fetched (RFC 8414, OpenID Discovery). As what: the account's client id, else one that the issuer gives out by itself
 * (RFC 7591). None is built in: providers give them to publishers of programs under conditions, not to the programs.
 *
 * Tokens are one secret of the account (secret_store.h, RS_SECRET_OAUTH). A refresh token that is replaced by its issuer is
 * replaced here before it is used. Blocks; cancel from another thread. */
#ifndef RS_CLIENT_OAUTH_H
#define RS_CLIENT_OAUTH_H

#include <gio/gio.h>

#include "base/secret.h"
#include "client/account.h"

#define RS_OAUTH_LIMIT_S 300u /* so long a person has for the browser */

/* How to reach the person; called on the thread of rs_oauth_login. */
struct rs_oauth_ask {
	bool device; /* not by a browser here */
	guint limit_s;
	GCancellable *cancel; /* NULL, or lent */
	/* To be opened in a browser of this computer. */
	void (*visit)(void *arg, const char *url);
	/* To be opened anywhere, and the code typed there; `with_code`: NULL, or the address that has it in it. */
	void (*type)(void *arg, const char *address, const char *code, const char *with_code);
	void *arg;
};

/* Who is asked where the person did not say: by the account's servers and address. g_free it. */
char *rs_oauth_issuer_guess(const struct rs_account *a);

/* a->oauth2 is set. The tokens are stored under the account's name. -RS_ECONFIG: no client id, or nothing to go by; -RS_EAUTH: the
 * person or the issuer said no; -RS_ETEMP: cancelled, or nobody answered in time; -RS_ENET, -RS_ECERT, -RS_EPROTO. */
int rs_oauth_login(const struct rs_places *p, const struct rs_account *a,
	const struct rs_oauth_ask *ask, struct rs_err *err) RS_MUST_USE;

/* *out: the access token. `refused`: NULL, or the one that a server would not take: another one is got then. -RS_EAUTH: it was
 * revoked, or there is none: log in again. -RS_ENET ... */
int rs_oauth_token(const struct rs_places *p, const struct rs_account *a,
	const struct rs_secret *refused, struct rs_secret **out, struct rs_err *err) RS_MUST_USE;

#endif
