/* ledger_priv.h - what the files of the ledger share. Nobody else includes it. */
#ifndef RS_CLIENT_LEDGER_PRIV_H
#define RS_CLIENT_LEDGER_PRIV_H

#include <sqlite3.h>

#include "client/ledger.h"

enum statement {
	INSERT,
	FETCHED_BEFORE,
	STORE,
	NOTE,
	SET_STATE,
	SET_GONE,
	SET_MISSED,
	FORGET,
	RENAME,
	RETIRE,
	LOAD,
	FILES,
	DIGEST,
	PROBLEMS,
	ACCOUNT_GET,
	ACCOUNT_PUT,
	WAIT_GET,
	WAIT_PUT,
	RS_LEDGER_STATEMENT_N
};

struct rs_ledger {
	sqlite3 *db;
	char *file;
	sqlite3_stmt *statements[RS_LEDGER_STATEMENT_N];
};

/* What SQLite says last, as an error with words. */
int rs_ledger_fail(struct rs_ledger *l, struct rs_err *err);
/* Run a statement that gives no rows; its bindings are cleared. */
int rs_ledger_done(struct rs_ledger *l, sqlite3_stmt *s, struct rs_err *err) RS_MUST_USE;

#endif
