/* oauth_priv.h - what the files of OAuth share. Nobody else includes it. */
#ifndef RS_CLIENT_OAUTH_PRIV_H
#define RS_CLIENT_OAUTH_PRIV_H

#include <json-glib/json-glib.h>

#include "client/oauth.h"

#define OAUTH_ANSWER_MAX 131072u /* octets of what an issuer may answer */
#define OAUTH_HTTP_S     30u
#define OAUTH_SOON_S     120 /* a token that ends so soon is refreshed before a session */

/* Where to ask, and as whom. Strings owned, NULL: none. */
struct oauth_server {
	char *issuer;
	char *authorize;
	char *token;
	char *device;
	char *registration;
	char *scope;
	char *client_id;
	char *client_secret; /* of a program that cannot keep one: RFC 8252 section 8.5 */
};
void oauth_server_finish(struct oauth_server *s);

/* What large providers publish; false: not one of them. `name`: "google", or its issuer. */
bool oauth_provider_find(const char *name, struct oauth_server *out);

/* Metadata as text into *out; `issuer` must be what it says. */
int oauth_metadata_read(const char *issuer, const char *json, struct oauth_server *out,
	struct rs_err *err) RS_MUST_USE;
/* The server of the account, asked for where it is not known, with its client id (NULL: to be registered). */
int oauth_discover(const struct rs_account *a, GCancellable *cancel, struct oauth_server *out,
	struct rs_err *err) RS_MUST_USE;
/* A client id of its own for `redirect` (NULL: device flow). */
int oauth_register(const struct rs_account *a, GCancellable *cancel, const char *redirect,
	struct oauth_server *s, struct rs_err *err) RS_MUST_USE;

/* --- HTTP ------------------------------------------------------------------------------------- */

struct oauth_http {
	const char *ca_file; /* NULL: the system's */
	GCancellable *cancel;
	const char *url;
	const char *form; /* POST of a form; NULL: see json */
	const char *json; /* POST of JSON; NULL: GET */
};
/* Status and body (owned; wipe it, it may hold tokens). HTTPS, or plain HTTP on this machine. No redirects. */
int oauth_http(
	const struct oauth_http *h, long *status, char **body, struct rs_err *err) RS_MUST_USE;
bool oauth_url_ok(const char *url);
/* "name=value" with & in front where it is not the first; nothing where the value is NULL. */
void oauth_form_add(GString *form, const char *name, const char *value);

/* --- JSON -------------------------------------------------------------------------------------- */

/* The object, owned (g_object_unref of *parser); NULL: it is none. */
JsonObject *oauth_json(const char *text, JsonParser **parser);
const char *oauth_json_text(JsonObject *o, const char *name); /* NULL: none, or no text */
gint64 oauth_json_number(JsonObject *o, const char *name, gint64 standard);

/* --- the browser -------------------------------------------------------------------------------- */

struct oauth_loop; /* a listening socket of this machine */
int oauth_loop_open(struct oauth_loop **out, struct rs_err *err) RS_MUST_USE;
const char *oauth_loop_redirect(const struct oauth_loop *l); /* "http://127.0.0.1:PORT/" */
/* The code of the answer with this state; other requests are turned away. g_free it. */
int oauth_loop_wait(struct oauth_loop *l, const char *state, const struct rs_oauth_ask *ask,
	char **code, struct rs_err *err) RS_MUST_USE;
void oauth_loop_close(struct oauth_loop **l);
/* What a request line is: 1 the code (*code owned), 0 something else, -RS_EAUTH: refused, *code its reason. Pure. */
int oauth_loop_parse(const char *line, const char *state, char **code);

/* --- tokens --------------------------------------------------------------------------------------- */

struct oauth_tokens {
	char *access;
	char *refresh;
	gint64 expires_s; /* 0: not told */
};
void oauth_tokens_finish(struct oauth_tokens *t);
/* Answer of the token endpoint. -RS_EAUTH with *error (owned, "invalid_grant" ...) where it says no. */
int oauth_tokens_read(const char *json, gint64 now_s, struct oauth_tokens *out, char **error);
/* POST `form` to the token endpoint; *error as above. */
int oauth_tokens_ask(const struct rs_account *a, GCancellable *cancel, const struct oauth_server *s,
	const char *form, struct oauth_tokens *out, char **error, struct rs_err *err) RS_MUST_USE;
/* The secret: tokens and what refreshing needs. */
int oauth_store(const struct rs_places *p, const struct rs_account *a, const struct oauth_server *s,
	const struct oauth_tokens *t, struct rs_err *err) RS_MUST_USE;

/* --- device flow ------------------------------------------------------------------------------------ */

int oauth_device(const struct rs_account *a, const struct oauth_server *s,
	const struct rs_oauth_ask *ask, struct oauth_tokens *out, struct rs_err *err) RS_MUST_USE;

#endif
