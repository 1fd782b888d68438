/* sql_conn - one connection to PostgreSQL on the event loop: name resolved, connected, one statement
 * prepared, one question at a time. It never blocks: libpq is driven by its socket.
 *
 *   RESOLVING --> CONNECTING --> PREPARING --> IDLE <--> ASKED       any --> LOST (told once)
 */
#ifndef RS_SERVER_SQL_CONN_H
#define RS_SERVER_SQL_CONN_H

#include <libpq-fe.h>
#include <uv.h>

#include "base/err.h"

#define RS_SQL_PARAMS_N 3 /* of the statement: address, local part, domain */

/* Where and how to connect, taken apart once. */
struct rs_sql_target;
/* "postgresql://…", a connection URI of libpq. -RS_ECONFIG. */
int rs_sql_target_create(
	const char *uri, struct rs_sql_target **out, struct rs_err *err) RS_MUST_USE;
void rs_sql_target_destroy(struct rs_sql_target **t);
/* For the log: host, port, database; no password. Borrowed. */
const char *rs_sql_target_text(const struct rs_sql_target *t);

/* The TCP ports of a URI (not of local sockets). False: it cannot be told, or they are more than `max`. */
bool rs_sql_ports(const char *uri, uint16_t *ports, unsigned max, unsigned *n);

struct rs_sql_conn;
struct rs_sql_conn_ops {
	void (*ready)(void *arg, struct rs_sql_conn *c);
	/* `res`: rows, borrowed. The connection is ready again. */
	void (*result)(void *arg, struct rs_sql_conn *c, const PGresult *res);
	/* It is of no use any more, nor is what was asked answered; destroy it. */
	void (*lost)(void *arg, struct rs_sql_conn *c, const char *why);
};

/* Begins to connect; calls come from later turns of the loop. `target`, `statement`, `arg` are lent for
 * life. */
struct rs_sql_conn *rs_sql_conn_create(uv_loop_t *loop, const struct rs_sql_target *target,
	const char *statement, const struct rs_sql_conn_ops *ops, void *arg);
/* Its memory goes with a later turn of the loop. */
void rs_sql_conn_destroy(struct rs_sql_conn **c);
/* Only when it is ready. False: `lost` was called. */
bool rs_sql_conn_ask(struct rs_sql_conn *c, const char *const params[RS_SQL_PARAMS_N]);

#endif
