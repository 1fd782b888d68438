/* sql_conn.c - see sql_conn.h */
#include "server/sql_conn.h"

#include <arpa/inet.h>
#include <glib.h>
#include <netdb.h>
#include <string.h>

#include "base/num.h"
#include "base/secret.h"
#include "server/log.h"

#define NAME        "restante" /* of the prepared statement */
#define ADDRESSES_N 4          /* of one host name, tried in turn */
#define TEXT_OID    25         /* the type of our parameters: pg_type.dat */
#define PARAMS_MAX  64u

/* --- the target ---------------------------------------------------------------------------- */

struct rs_sql_target {
	char *keys[PARAMS_MAX + 1]; /* as libpq wants them: ended by NULL */
	char *values[PARAMS_MAX + 1];
	unsigned n;
	unsigned host; /* index; n: none was given */
	bool resolve;  /* host is one name, which libpq would look up blocking */
	char *text;
};

static const char *value_of(const struct rs_sql_target *t, const char *key)
{
	for (unsigned i = 0; i < t->n; i++) {
		if (strcmp(t->keys[i], key) == 0)
			return t->values[i];
	}
	return NULL;
}

static void set(struct rs_sql_target *t, const char *key, const char *value)
{
	if (t->n == PARAMS_MAX || value_of(t, key))
		return;
	t->keys[t->n] = g_strdup(key);
	t->values[t->n++] = g_strdup(value);
}

static bool is_name(const char *host)
{
	uint8_t address[16];

	return *host && !strchr("/@", *host) && !strchr(host, ',') &&
	       inet_pton(AF_INET, host, address) != 1 && inet_pton(AF_INET6, host, address) != 1;
}

int rs_sql_target_create(const char *uri, struct rs_sql_target **out, struct rs_err *err)
{
	char *message = NULL;
	PQconninfoOption *options = PQconninfoParse(uri, &message);
	struct rs_sql_target *t;
	const char *host;

	if (!options) { /* its message may repeat the URI, and with it a password */
		PQfreemem(message);
		return rs_err_set(err, RS_ECONFIG,
			"[auth] users: what follows sql: is no connection URI of PostgreSQL "
			"(postgresql://user@host:port/database?parameter=value)");
	}
	t = g_new0(struct rs_sql_target, 1);
	for (const PQconninfoOption *o = options; o->keyword; o++) {
		if (o->val)
			set(t, o->keyword, o->val);
	}
	PQconninfoFree(options);
	set(t, "application_name", "restante");
	set(t, "client_encoding", "UTF8");
	set(t, "gssencmode", "disable"); /* it would look for tickets where the role cannot */
	host = value_of(t, "host");
	t->resolve = host && is_name(host) && !value_of(t, "hostaddr");
	for (t->host = 0; t->host < t->n && strcmp(t->keys[t->host], "host") != 0;)
		t->host++;
	t->text = g_strdup_printf("%s port %s database %s", host ? host : "local socket",
		value_of(t, "port") ? value_of(t, "port") : "5432",
		value_of(t, "dbname") ? value_of(t, "dbname") : "(default)");
	*out = t;
	return 0;
}

void rs_sql_target_destroy(struct rs_sql_target **t)
{
	if (!*t)
		return;
	for (unsigned i = 0; i < (*t)->n; i++) {
		rs_wipe((*t)->values[i], strlen((*t)->values[i]));
		g_free((*t)->keys[i]);
		g_free((*t)->values[i]);
	}
	g_free((*t)->text);
	g_free(*t);
	*t = NULL;
}

bool rs_sql_ports(const char *uri, uint16_t *ports, unsigned max, unsigned *n)
{
	struct rs_sql_target *t = NULL;
	g_auto(GStrv) list = NULL;
	const char *host;
	bool local;

	*n = 0;
	if (rs_sql_target_create(uri, &t, NULL) < 0)
		return false;
	host = value_of(t, "host");
	local = !value_of(t, "hostaddr") && (!host || strchr("/@", *host)) &&
		!(host && strchr(host, ','));
	list = g_strsplit(value_of(t, "port") ? value_of(t, "port") : "5432", ",", -1);
	rs_sql_target_destroy(&t);
	for (char **port = list; *port && !local; port++) {
		uint32_t number;

		if (*n == max || rs_num_u32(rs_slice_str(*port), UINT16_MAX, &number) < 0)
			return false;
		ports[(*n)++] = (uint16_t)number;
	}
	return true;
}

const char *rs_sql_target_text(const struct rs_sql_target *t)
{
	return t->text;
}

/* --- the connection ------------------------------------------------------------------------ */

enum state { RESOLVING, CONNECTING, PREPARING, IDLE, ASKED, LOST };

struct rs_sql_conn {
	uv_loop_t *loop;
	const struct rs_sql_target *target;
	const char *statement;
	const struct rs_sql_conn_ops *ops;
	void *arg;
	enum state state;
	PGconn *pg;
	uv_poll_t *poll; /* NULL: no socket yet; memory of its own, because closing takes a turn */
	int fd;
	uv_getaddrinfo_t *resolving; /* its data is NULL when we have gone */
	uv_timer_t *first;           /* the first step, in a turn of the loop */
	PGresult *result;            /* of the command under way: the first one */
};

static void on_closed(uv_handle_t *h)
{
	g_free(h);
}

static void unwatch(struct rs_sql_conn *c)
{
	if (c->poll)
		uv_close((uv_handle_t *)c->poll, on_closed);
	c->poll = NULL;
}

/* The connection is given up; the owner destroys it in this call. */
static void lose(struct rs_sql_conn *c, const char *why)
{
	g_autofree char *text = g_strdup(why);

	if (c->state == LOST)
		return;
	c->state = LOST;
	unwatch(c);
	c->ops->lost(c->arg, c, g_strstrip(text));
}

static void on_io(uv_poll_t *p, int status, int events);

/* False: lost. The socket may be another one than before while libpq still connects. */
static bool watch(struct rs_sql_conn *c, int events)
{
	int fd = PQsocket(c->pg);

	if (c->poll && c->fd != fd)
		unwatch(c);
	if (!c->poll) {
		c->poll = g_new0(uv_poll_t, 1);
		c->fd = fd;
		if (fd < 0 || uv_poll_init(c->loop, c->poll, fd) < 0) {
			g_free(c->poll);
			c->poll = NULL;
			lose(c, fd < 0 ? PQerrorMessage(c->pg) : "cannot wait for the socket");
			return false;
		}
		c->poll->data = c;
	}
	return uv_poll_start(c->poll, events, on_io) == 0;
}

static bool flush(struct rs_sql_conn *c)
{
	int rc = PQflush(c->pg);

	if (rc >= 0)
		return watch(c, rc ? UV_READABLE | UV_WRITABLE : UV_READABLE);
	lose(c, PQerrorMessage(c->pg));
	return false;
}

/* --- connecting ---------------------------------------------------------------------------- */

static void prepare(struct rs_sql_conn *c)
{
	static const Oid types[RS_SQL_PARAMS_N] = {TEXT_OID, TEXT_OID, TEXT_OID};

	c->state = PREPARING;
	if (PQsetnonblocking(c->pg, 1) != 0 ||
		!PQsendPrepare(c->pg, NAME, c->statement, RS_SQL_PARAMS_N, types))
		lose(c, PQerrorMessage(c->pg));
	else
		(void)flush(c);
}

static void go_on_connecting(struct rs_sql_conn *c)
{
	PostgresPollingStatusType want;

	if (c->poll)
		(void)uv_poll_stop(
			c->poll); /* libpq may close the socket and get the same number */
	want = PQconnectPoll(c->pg);
	if (want == PGRES_POLLING_OK)
		prepare(c);
	else if (want == PGRES_POLLING_READING)
		(void)watch(c, UV_READABLE);
	else if (want == PGRES_POLLING_WRITING)
		(void)watch(c, UV_WRITABLE);
	else
		lose(c, PQerrorMessage(c->pg));
}

static void on_notice(void *arg, const char *message)
{
	rs_log(RS_LOG_DEBUG, "database-notice", "text", message, NULL);
}

/* `addresses` NULL: as the target says. */
static void connect_to(struct rs_sql_conn *c, const char *hosts, const char *addresses)
{
	const struct rs_sql_target *t = c->target;
	const char *keys[PARAMS_MAX + 2] = {NULL};
	const char *values[PARAMS_MAX + 2] = {NULL};

	for (unsigned i = 0; i < t->n; i++) {
		keys[i] = t->keys[i];
		values[i] = i == t->host && addresses ? hosts : t->values[i];
	}
	keys[t->n] = addresses ? "hostaddr" : NULL;
	values[t->n] = addresses;
	c->state = CONNECTING;
	c->pg = PQconnectStartParams(keys, values, 0);
	if (!c->pg || PQstatus(c->pg) == CONNECTION_BAD) {
		lose(c, c->pg ? PQerrorMessage(c->pg) : "no memory");
		return;
	}
	(void)PQsetNoticeProcessor(c->pg, on_notice, NULL);
	(void)watch(c, UV_WRITABLE);
}

/* "host,host" and "192.0.2.1,192.0.2.2": libpq tries them in turn. */
static void connect_to_all(struct rs_sql_conn *c, const struct addrinfo *found)
{
	g_autoptr(GString) hosts = g_string_new(NULL);
	g_autoptr(GString) addresses = g_string_new(NULL);
	unsigned n = 0;

	for (; found && n < ADDRESSES_N; found = found->ai_next) {
		char text[NI_MAXHOST];

		if (getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof(text), NULL, 0,
			    NI_NUMERICHOST) != 0)
			continue;
		g_string_append_printf(
			hosts, "%s%s", n ? "," : "", c->target->values[c->target->host]);
		g_string_append_printf(addresses, "%s%s", n ? "," : "", text);
		n++;
	}
	if (n)
		connect_to(c, hosts->str, addresses->str);
	else
		lose(c, "the name of the database's host has no address");
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *found)
{
	struct rs_sql_conn *c = req->data;

	if (c) {
		c->resolving = NULL;
		if (status < 0)
			lose(c, uv_strerror(status));
		else
			connect_to_all(c, found);
	}
	uv_freeaddrinfo(found);
	g_free(req);
}

static void begin(uv_timer_t *t)
{
	struct rs_sql_conn *c = t->data;
	static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	int rc;

	uv_close((uv_handle_t *)c->first, on_closed);
	c->first = NULL;
	if (!c->target->resolve) {
		connect_to(c, NULL, NULL);
		return;
	}
	c->resolving = g_new0(uv_getaddrinfo_t, 1);
	c->resolving->data = c;
	rc = uv_getaddrinfo(c->loop, c->resolving, on_resolved, c->target->values[c->target->host],
		NULL, &hints);
	if (rc == 0)
		return;
	g_free(c->resolving);
	c->resolving = NULL;
	lose(c, uv_strerror(rc));
}

/* --- answers ------------------------------------------------------------------------------- */

/* The command under way is answered whole. */
static void command_done(struct rs_sql_conn *c)
{
	PGresult *res = c->result;
	enum state was = c->state;
	ExecStatusType want = was == PREPARING ? PGRES_COMMAND_OK : PGRES_TUPLES_OK;

	c->result = NULL;
	if (PQresultStatus(res) != want) {
		lose(c, res ? PQresultErrorMessage(res) : PQerrorMessage(c->pg));
	} else {
		c->state = IDLE;
		if (was == PREPARING)
			c->ops->ready(c->arg, c);
		else
			c->ops->result(c->arg, c, res);
	}
	PQclear(res);
}

static void take_results(struct rs_sql_conn *c)
{
	while (!PQisBusy(c->pg)) {
		PGresult *res = PQgetResult(c->pg);

		if (!res) {
			command_done(c);
			return;
		}
		if (c->result) /* one is the answer; further ones can only be errors */
			PQclear(res);
		else
			c->result = res;
	}
}

static void on_io(uv_poll_t *p, int status, int events)
{
	struct rs_sql_conn *c = p->data;

	if (c->state == CONNECTING) {
		go_on_connecting(c);
		return;
	}
	if (status < 0) {
		lose(c, uv_strerror(status));
		return;
	}
	if (events & UV_WRITABLE && !flush(c))
		return;
	if (!(events & UV_READABLE))
		return;
	if (!PQconsumeInput(c->pg) || PQstatus(c->pg) == CONNECTION_BAD)
		lose(c, PQerrorMessage(c->pg));
	else if (c->state != IDLE)
		take_results(c);
}

/* --- the outside --------------------------------------------------------------------------- */

struct rs_sql_conn *rs_sql_conn_create(uv_loop_t *loop, const struct rs_sql_target *target,
	const char *statement, const struct rs_sql_conn_ops *ops, void *arg)
{
	struct rs_sql_conn *c = g_new0(struct rs_sql_conn, 1);

	*c = (struct rs_sql_conn){.loop = loop,
		.target = target,
		.statement = statement,
		.ops = ops,
		.arg = arg,
		.state = RESOLVING,
		.fd = -1,
		.first = g_new0(uv_timer_t, 1)};
	(void)uv_timer_init(loop, c->first);
	c->first->data = c;
	(void)uv_timer_start(c->first, begin, 0, 0);
	return c;
}

void rs_sql_conn_destroy(struct rs_sql_conn **c)
{
	if (!*c)
		return;
	unwatch(*c);
	if ((*c)->first)
		uv_close((uv_handle_t *)(*c)->first, on_closed);
	if ((*c)->resolving)
		(*c)->resolving->data = NULL;
	PQclear((*c)->result);
	PQfinish((*c)->pg);
	g_free(*c);
	*c = NULL;
}

bool rs_sql_conn_ask(struct rs_sql_conn *c, const char *const params[RS_SQL_PARAMS_N])
{
	c->state = ASKED;
	if (!PQsendQueryPrepared(c->pg, NAME, RS_SQL_PARAMS_N, params, NULL, NULL, 0)) {
		lose(c, PQerrorMessage(c->pg));
		return false;
	}
	return flush(c);
}
