/* sandbox.c - see sandbox.h */
#include "server/sandbox.h"

#include <glib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server/oauth.h"
#include "server/sql_conn.h"

static bool is_sql(const struct rs_conf *c)
{
	return c->users && g_str_has_prefix(c->users, "sql:");
}

#define PORT_DNS 53

static struct rs_sandbox_ports sql_ports(const struct rs_conf *c)
{
	struct rs_sandbox_ports p = {.n = 0};

	if (!rs_sql_ports(c->users + strlen("sql:"), p.port, G_N_ELEMENTS(p.port) - 1, &p.n))
		p.any = true;
	else if (p.n)
		p.port[p.n++] = PORT_DNS; /* names that do not fit into a datagram */
	return p;
}

/* What the auth role needs for its users, beyond a file that it reads. */
static unsigned needs_of_users(const struct rs_conf *c)
{
	struct rs_sandbox_ports ports;

	if (c->users && g_str_has_prefix(c->users, "pam:")) /* modules do what they do */
		return RS_NEED_HELPERS | RS_NEED_ANY_FILE;
	if (!is_sql(c))
		return 0;
	ports = sql_ports(c);
	return ports.n || ports.any ? RS_NEED_CONNECT : RS_NEED_LOCAL;
}

/* The one table of who needs what. A role that comes joins here, with the least it can do with. */
unsigned rs_sandbox_needs(enum rs_role role, const struct rs_conf *c)
{
	switch (role) {
	case RS_ROLE_FRONT: /* meets the hostile octets: no file, no socket of its own, no thread */
	case RS_ROLE_ADMIN: /* meets administrators and whoever reads the metrics: the same */
		return RS_NEED_CLIENTS;
	case RS_ROLE_AUTH: /* reads the users again when they change, or asks a database; hashes on threads */
		return RS_NEED_READ | RS_NEED_THREADS | needs_of_users(c) |
		       (rs_oauth_asks(c) ? RS_NEED_CONNECT : 0);
	case RS_ROLE_STORE: /* mail, on threads */
		return RS_NEED_READ | RS_NEED_THREADS |
		       (c->store_type == RS_STORE_MAILDIR ? RS_NEED_WRITE : 0);
	case RS_ROLE_RELAY: /* names and certificates to read, one server to connect to; names on threads */
		return RS_NEED_READ | RS_NEED_THREADS | RS_NEED_CONNECT;
	case RS_ROLE_MASTER:
	case RS_ROLE_N:
		break;
	}
	return 0;
}

/* Of the database, and of those who issue tokens. */
static struct rs_sandbox_ports auth_ports(const struct rs_conf *c)
{
	struct rs_sandbox_ports p = {.n = 0};
	uint16_t issuers[RS_OAUTH_URLS];
	unsigned n = rs_oauth_ports(c, issuers);

	if (is_sql(c))
		p = sql_ports(c);
	if (n && p.n == 0)
		p.port[p.n++] = PORT_DNS;
	for (unsigned i = 0; i < n; i++) {
		if (p.n == G_N_ELEMENTS(p.port))
			p.any = true; /* more databases than places: let all be */
		else
			p.port[p.n++] = issuers[i];
	}
	return p;
}

struct rs_sandbox_ports rs_sandbox_ports(enum rs_role role, const struct rs_conf *c)
{
	if (role == RS_ROLE_AUTH)
		return auth_ports(c);
	if (role == RS_ROLE_RELAY)
		return (struct rs_sandbox_ports){
			.port = {(uint16_t)c->relay.port, PORT_DNS}, .n = 2};
	return (struct rs_sandbox_ports){.any = rs_sandbox_needs(role, c) & RS_NEED_CONNECT};
}

void rs_sandbox_begin(int first_unwanted_fd)
{
	struct rlimit none = {0, 0};
	struct rlimit files;

	(void)close_range((unsigned)first_unwanted_fd, ~0u, 0);
	/* as many descriptors as may be: fronts hold one a client */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	/* no core file: it would hold passwords and mail */
	(void)setrlimit(RLIMIT_CORE, &none);
	/* a neighbour under the same user may not look into this process (ptrace, /proc/PID/mem) */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
