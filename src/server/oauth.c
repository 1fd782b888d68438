/* oauth.c - see oauth.h.
 *
 *   a question --in the memory--> yes
 *       '--a JWT, keys here--> verified --> yes, no      --by a key that is not here--> WAITING for new keys --> …
 *       '--else: introspection--> ASKED --> yes, no, nobody can say
 * Facts: at most one set of keys is on its way (`fetching`); who waits for it is in `waiting`; keys are asked
 *        for again at most every KEYS_AGAIN_S, whatever tokens come, and kept when the new ones are bad. */
#include "server/oauth.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/secret.h"
#include "server/asker.h"
#include "server/jwt.h"
#include "server/log.h"
#include "server/userdb.h"

#define KEYS_OLD_S        G_GINT64_CONSTANT(3600)
#define KEYS_AGAIN_S      G_GINT64_CONSTANT(10)
#define WAITING_MAX       256u
#define REMEMBERED_MAX    10000u
#define INTROSPECTION_MAX 65536u
#define SECRET_FILE_MAX   4096u

struct rs_oauth {
	const struct rs_conf *conf;
	struct rs_asker *asker; /* NULL: nobody is to be asked */
	struct rs_claims_rules rules;
	char *login; /* "client:secret" for introspection; NULL: none */
	struct rs_jwks *keys;
	struct stat file; /* of the keys, when they were read */
	gint64 keys_us;   /* when they came … */
	gint64 asked_us;  /* … and were asked for; monotonic, 0: never */
	bool fetching;
	GQueue waiting;     /* struct question */
	GHashTable *yeses;  /* text of token and user -> struct yes */
	GQueue yeses_order; /* their keys, oldest first; borrowed */
};

struct yes {
	char *user;
	int64_t until_s; /* unix time */
};

struct question {
	struct rs_oauth *oauth;
	struct rs_secret *token;
	char user[256];
	bool waited; /* for new keys: not again */
	rs_oauth_fn fn;
	void *arg;
};

bool rs_oauth_configured(const struct rs_conf *c)
{
	return c->oauth_introspection || c->oauth_jwks;
}

static bool jwks_is_url(const struct rs_conf *c)
{
	return c->oauth_jwks && c->oauth_jwks[0] != '/';
}

bool rs_oauth_asks(const struct rs_conf *c)
{
	return c->oauth_introspection || jwks_is_url(c);
}

unsigned rs_oauth_ports(const struct rs_conf *c, uint16_t out[RS_OAUTH_URLS])
{
	const char *const urls[RS_OAUTH_URLS] = {
		c->oauth_introspection, jwks_is_url(c) ? c->oauth_jwks : NULL};
	unsigned n = 0;

	for (unsigned i = 0; i < RS_OAUTH_URLS; i++) {
		g_autoptr(GUri) uri = urls[i] ? g_uri_parse(urls[i], G_URI_FLAGS_NONE, NULL) : NULL;
		int port = uri ? g_uri_get_port(uri) : 0;

		if (uri && port <= 0)
			port = strcmp(g_uri_get_scheme(uri), "http") == 0 ? 80 : 443;
		if (port > 0)
			out[n++] = (uint16_t)port;
	}
	return n;
}

static int64_t now_s(void)
{
	return g_get_real_time() / G_USEC_PER_SEC;
}

/* --- the memory ----------------------------------------------------------------------------- */

static void yes_free(gpointer p)
{
	struct yes *y = p;

	g_free(y->user);
	g_free(y);
}

/* Who knows a hash of a token cannot use it; the user belongs to the key, so that a yes for one is never
 * one for another. */
static char *yes_key(struct rs_slice token, const char *user)
{
	g_autofree char *hash = g_compute_checksum_for_data(G_CHECKSUM_SHA256, token.p, token.n);

	return g_strconcat(hash, " ", user, NULL);
}

static const char *remembered(struct rs_oauth *o, struct rs_slice token, const char *user)
{
	g_autofree char *key = yes_key(token, user);
	const struct yes *y = g_hash_table_lookup(o->yeses, key);

	return y && y->until_s > now_s() ? y->user : NULL;
}

static void remember(
	struct rs_oauth *o, const struct question *q, const char *user, int64_t expires)
{
	char *key = yes_key(rs_slice(q->token->octets, q->token->n), q->user);
	struct yes *y = g_hash_table_lookup(o->yeses, key);
	int64_t until = MIN(expires, now_s() + (int64_t)o->conf->oauth_cache_s);

	if (o->conf->oauth_cache_s == 0 || y) {
		if (y)
			y->until_s = until;
		g_free(key);
		return;
	}
	if (g_hash_table_size(o->yeses) == REMEMBERED_MAX)
		(void)g_hash_table_remove(o->yeses, g_queue_pop_head(&o->yeses_order));
	y = g_new(struct yes, 1);
	*y = (struct yes){.user = g_strdup(user), .until_s = until};
	g_hash_table_insert(o->yeses, key, y);
	g_queue_push_tail(&o->yeses_order, key);
}

/* --- answers -------------------------------------------------------------------------------- */

static void answer(struct question *q, int rc, const char *user, const char *why)
{
	q->fn(q->arg, rc, user, why);
	rs_secret_destroy(&q->token);
	g_free(q);
}

/* The token is genuine: is it good, and whose is it? */
static void judge(struct question *q, JsonObject *claims)
{
	struct rs_oauth *o = q->oauth;
	g_autofree char *user = NULL;
	char name[256];
	int64_t expires;
	struct rs_err err;

	if (rs_claims_check(claims, &o->rules, now_s(), &user, &expires, &err) < 0)
		answer(q, -RS_EAUTH, NULL, err.text);
	else if (rs_user_name_clean(rs_slice_str(user), name) < 0)
		answer(q, -RS_EAUTH, NULL, "its user has a name that no user can have");
	else if (q->user[0] && strcmp(q->user, name) != 0)
		answer(q, -RS_EAUTH, NULL, "it is another user's");
	else {
		remember(o, q, name, expires);
		answer(q, 0, name, "");
	}
}

/* --- keys ----------------------------------------------------------------------------------- */

static void try_jwt(struct question *q);

static void take_keys(struct rs_oauth *o, struct rs_slice json)
{
	struct rs_jwks *keys = NULL;
	struct rs_err err;

	if (rs_jwks_parse(json, &keys, &err) < 0) {
		rs_log(RS_LOG_ERROR, "oauth-keys-bad", "from", o->conf->oauth_jwks, "why", err.text,
			"in-use", o->keys ? "the keys as they were" : "none", NULL);
		return;
	}
	rs_jwks_destroy(&o->keys);
	o->keys = keys;
	o->keys_us = g_get_monotonic_time();
	rs_log(RS_LOG_INFO, "oauth-keys", "from", o->conf->oauth_jwks, "keys",
		rs_log_num(rs_jwks_n(keys)), NULL);
}

static void on_keys(void *arg, long status, struct rs_slice body, const char *why)
{
	struct rs_oauth *o = arg;
	GQueue waiting = o->waiting;
	struct question *q;

	o->fetching = false;
	g_queue_init(&o->waiting);
	if (status == 200)
		take_keys(o, body);
	else
		rs_log(RS_LOG_ERROR, "oauth-keys-not-had", "from", o->conf->oauth_jwks, "why",
			status ? "the answer is not 200" : why, "status",
			rs_log_num((uint64_t)status), NULL);
	while ((q = g_queue_pop_head(&waiting)))
		try_jwt(q);
}

/* False: not now. */
static bool fetch_keys(struct rs_oauth *o)
{
	struct rs_question ask = {.url = o->conf->oauth_jwks, .answer_max = RS_JWKS_OCTETS_MAX};
	gint64 now = g_get_monotonic_time();

	if (o->fetching)
		return true;
	if (o->asked_us && now - o->asked_us < KEYS_AGAIN_S * G_USEC_PER_SEC)
		return false;
	if (rs_asker_ask(o->asker, &ask, on_keys, o) < 0)
		return false;
	o->asked_us = now;
	o->fetching = true;
	return true;
}

static int read_keys(struct rs_oauth *o, struct rs_err *err)
{
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;
	struct rs_jwks *keys = NULL;
	struct stat st;
	gsize n;
	int rc;

	if (stat(o->conf->oauth_jwks, &st) < 0)
		return rs_err_set(err, RS_ECONFIG, "[auth] oauth-jwks = %s: %s",
			o->conf->oauth_jwks, g_strerror(errno));
	if (st.st_size > (off_t)RS_JWKS_OCTETS_MAX)
		return rs_err_set(err, RS_ECONFIG, "[auth] oauth-jwks = %s: is too large",
			o->conf->oauth_jwks);
	o->file = st;
	if (!g_file_get_contents(o->conf->oauth_jwks, &text, &n, &error))
		return rs_err_set(err, RS_ECONFIG, "[auth] oauth-jwks: %s", error->message);
	rc = rs_jwks_parse(rs_slice(text, n), &keys, err);
	if (rc < 0) {
		g_autofree char *why = g_strdup(err->text);

		return rs_err_set(
			err, RS_ECONFIG, "[auth] oauth-jwks = %s %s", o->conf->oauth_jwks, why);
	}
	rs_jwks_destroy(&o->keys);
	o->keys = keys;
	return 0;
}

/* The file may have been replaced. */
static void refresh_file(struct rs_oauth *o)
{
	struct rs_err err;
	struct stat st;

	if (stat(o->conf->oauth_jwks, &st) == 0 && st.st_mtim.tv_sec == o->file.st_mtim.tv_sec &&
		st.st_mtim.tv_nsec == o->file.st_mtim.tv_nsec && st.st_ino == o->file.st_ino &&
		st.st_size == o->file.st_size)
		return;
	if (read_keys(o, &err) < 0)
		rs_log(RS_LOG_ERROR, "oauth-keys-bad", "why", err.text, "in-use",
			"the keys as they were", NULL);
}

/* By its signature. */
static void try_jwt(struct question *q)
{
	struct rs_oauth *o = q->oauth;
	bool url = jwks_is_url(o->conf);
	g_autoptr(JsonObject) claims = NULL;
	struct rs_err err = {.text = "there are no keys yet"};
	int rc = -RS_ENOENT;

	if (!url)
		refresh_file(o);
	else if (o->keys && g_get_monotonic_time() - o->keys_us > KEYS_OLD_S * G_USEC_PER_SEC)
		(void)fetch_keys(o); /* beside the login */
	if (o->keys)
		rc = rs_jwt_verify(o->keys, rs_slice(q->token->octets, q->token->n), &claims, &err);
	if (rc == 0) {
		judge(q, claims);
	} else if (rc == -RS_ENOENT && url && !q->waited && o->waiting.length < WAITING_MAX &&
		   fetch_keys(o)) {
		q->waited = true;
		g_queue_push_tail(&o->waiting, q);
	} else {
		answer(q, o->keys ? -RS_EAUTH : -RS_ETEMP, NULL, err.text);
	}
}

/* --- introspection -------------------------------------------------------------------------- */

static bool is_active(JsonObject *o)
{
	JsonNode *n = json_object_get_member(o, "active");

	return n && JSON_NODE_HOLDS_VALUE(n) && json_node_get_value_type(n) == G_TYPE_BOOLEAN &&
	       json_node_get_boolean(n);
}

static void on_introspected(void *arg, long status, struct rs_slice body, const char *why)
{
	struct question *q = arg;
	g_autoptr(JsonObject) o = status == 200 ? rs_json_object(body) : NULL;

	if (!o) {
		rs_log(RS_LOG_ERROR, "oauth-introspection", "why",
			status == 0     ? why
			: status == 200 ? "the answer is not JSON"
			: status == 401 ? "the client is not known there: oauth-client-secret"
					: "the answer is not 200",
			"status", rs_log_num((uint64_t)status), NULL);
		answer(q, -RS_ETEMP, NULL, "its issuer cannot be asked");
	} else if (!is_active(o)) {
		answer(q, -RS_EAUTH, NULL, "it is not active");
	} else {
		judge(q, o);
	}
}

static void introspect(struct question *q)
{
	struct rs_oauth *o = q->oauth;
	char *escaped = rs_asker_escape(rs_slice(q->token->octets, q->token->n));
	char *form = g_strconcat("token=", escaped, "&token_type_hint=access_token", NULL);
	struct rs_question ask = {.url = o->conf->oauth_introspection,
		.form = form,
		.login = o->login,
		.answer_max = INTROSPECTION_MAX};

	if (rs_asker_ask(o->asker, &ask, on_introspected, q) < 0)
		answer(q, -RS_ETEMP, NULL, "too many tokens are being asked about");
	rs_wipe(form, strlen(form));
	rs_wipe(escaped, strlen(escaped));
	g_free(form);
	g_free(escaped);
}

/* --- outside -------------------------------------------------------------------------------- */

void rs_oauth_ask(
	struct rs_oauth *o, struct rs_slice token, const char *user, rs_oauth_fn fn, void *arg)
{
	const char *known = remembered(o, token, user);
	struct question *q;

	if (known) {
		fn(arg, 0, known, "");
		return;
	}
	q = g_new0(struct question, 1);
	q->oauth = o;
	q->fn = fn;
	q->arg = arg;
	g_strlcpy(q->user, user, sizeof(q->user));
	if (rs_secret_create(token, &q->token) < 0)
		answer(q, -RS_ETEMP, NULL, "out of memory");
	else if (o->conf->oauth_jwks && rs_jwt_is(token))
		try_jwt(q);
	else if (o->conf->oauth_introspection)
		introspect(q);
	else
		answer(q, -RS_EAUTH, NULL, "it is not a JWT, and there is no introspection");
}

static int read_secret(struct rs_oauth *o, struct rs_err *err)
{
	const char *file = o->conf->oauth_client_secret;
	g_autoptr(GError) error = NULL;
	gsize n;

	if (!file)
		return 0;
	if (!g_file_get_contents(file, &o->login, &n, &error))
		return rs_err_set(
			err, RS_ECONFIG, "[auth] oauth-client-secret: %s", error->message);
	g_strstrip(o->login);
	if (n > SECRET_FILE_MAX || !strchr(o->login, ':') || strpbrk(o->login, "\r\n"))
		return rs_err_set(err, RS_ECONFIG,
			"[auth] oauth-client-secret = %s: must hold one line, CLIENT:SECRET", file);
	return 0;
}

static int read_files(struct rs_oauth *o, struct rs_err *err)
{
	int rc = read_secret(o, err);

	if (rc == 0 && o->conf->oauth_jwks && !jwks_is_url(o->conf))
		rc = read_keys(o, err);
	return rc;
}

static void free_files(struct rs_oauth *o)
{
	rs_jwks_destroy(&o->keys);
	if (o->login)
		rs_wipe(o->login, strlen(o->login));
	g_clear_pointer(&o->login, g_free);
}

int rs_oauth_check(const struct rs_conf *conf, struct rs_err *err)
{
	struct rs_oauth o = {.conf = conf};
	int rc = read_files(&o, err);

	free_files(&o);
	return rc;
}

int rs_oauth_open(
	uv_loop_t *loop, const struct rs_conf *conf, struct rs_oauth **out, struct rs_err *err)
{
	struct rs_oauth *o;
	int rc;

	*out = NULL;
	if (!rs_oauth_configured(conf))
		return 0;
	o = g_new0(struct rs_oauth, 1);
	o->conf = conf;
	o->rules = (struct rs_claims_rules){.issuer = conf->oauth_issuer,
		.audience = conf->oauth_audience,
		.scope = conf->oauth_scope,
		.user_claim = conf->oauth_user_claim};
	o->yeses = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, yes_free);
	g_queue_init(&o->waiting);
	g_queue_init(&o->yeses_order);
	rc = read_files(o, err);
	if (rc == 0 && rs_oauth_asks(conf))
		rc = rs_asker_create(loop, conf->oauth_ca_file, &o->asker, err);
	if (rc == 0 && jwks_is_url(conf))
		(void)fetch_keys(o);
	if (rc < 0)
		rs_oauth_close(&o);
	else
		*out = o;
	return rc;
}

void rs_oauth_close(struct rs_oauth **op)
{
	struct rs_oauth *o = *op;

	if (!o)
		return;
	rs_asker_destroy(&o->asker);
	free_files(o);
	g_hash_table_unref(o->yeses);
	g_queue_clear(&o->yeses_order);
	g_free(o);
	*op = NULL;
}
