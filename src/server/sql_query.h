/* sql_query - the query of the configuration, and what its answer says of a user. */
#ifndef RS_SERVER_SQL_QUERY_H
#define RS_SERVER_SQL_QUERY_H

#include <libpq-fe.h>

#include "server/userdb.h"

/* The query as a statement with parameters: %u (also '%u') becomes $1, the address; %n $2, the part in front of
 * the @; %d $3, the part behind it; %% a %. Nothing of what a stranger said ever stands in the statement.
 * *out: owned. -RS_ECONFIG. */
int rs_sql_statement(const char *query, char **out, struct rs_err *err) RS_MUST_USE;

/* The user in the one row of `res`; columns by name (restanted.conf(5)), NULL is as if it were not there. `asked`
 * is the name where there is no column user. 0, -RS_ENOENT: no row, -RS_ECORRUPT: more than one, or a value
 * that cannot be. */
int rs_sql_user(const PGresult *res, const char *asked, struct rs_user **out,
	struct rs_err *err) RS_MUST_USE;

#endif
