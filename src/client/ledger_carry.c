/* ledger_carry.c - what is known of a mailbox under another key, when its account changed server or user. */
#include "client/ledger_priv.h"

/* One statement with the two keys as its parameters. */
static int two_keys(
	struct rs_ledger *l, const char *sql, const char *from, const char *to, struct rs_err *err)
{
	sqlite3_stmt *s = NULL;
	int rc = 0;

	if (sqlite3_prepare_v2(l->db, sql, -1, &s, NULL) != SQLITE_OK)
		return rs_ledger_fail(l, err);
	(void)sqlite3_bind_text(s, 1, from, -1, SQLITE_TRANSIENT);
	if (to)
		(void)sqlite3_bind_text(s, 2, to, -1, SQLITE_TRANSIENT);
	if (sqlite3_step(s) != SQLITE_DONE)
		rc = rs_ledger_fail(l, err);
	(void)sqlite3_finalize(s);
	return rc;
}

int rs_ledger_carry(struct rs_ledger *l, const char *from, const char *to, struct rs_err *err)
{
	int rc = two_keys(l,
		"INSERT OR IGNORE INTO message (account, uid, occurrence, state, hold, size, file, "
		"gone_s, "
		"stored_s, digest, missed_s, next_s, tries, note) SELECT ?2, uid, occurrence, "
		"state, "
		"hold, size, file, gone_s, stored_s, digest, missed_s, next_s, tries, note FROM "
		"message "
		"WHERE account = ?1",
		from, to, err);

	/* what the server could is not carried: it may be another one */
	if (rc == 0)
		rc = two_keys(l,
			"INSERT OR IGNORE INTO account (account, policy, marker, caps, checked_s, "
			"listed_s, "
			"slow_s, caps_s) SELECT ?2, policy, marker, 0, checked_s, 0, 0, 0 FROM "
			"account "
			"WHERE account = ?1",
			from, to, err);
	return rc;
}

int rs_ledger_drop(struct rs_ledger *l, const char *account, struct rs_err *err)
{
	int rc = two_keys(l, "DELETE FROM message WHERE account = ?1", account, NULL, err);

	return rc == 0 ? two_keys(l, "DELETE FROM account WHERE account = ?1", account, NULL, err)
		       : rc;
}

int rs_ledger_count(struct rs_ledger *l, const char *account, guint64 *out, struct rs_err *err)
{
	sqlite3_stmt *s = NULL;
	int rc = 0;

	if (sqlite3_prepare_v2(l->db, "SELECT count(*) FROM message WHERE account = ?1", -1, &s,
		    NULL) != SQLITE_OK)
		return rs_ledger_fail(l, err);
	(void)sqlite3_bind_text(s, 1, account, -1, SQLITE_TRANSIENT);
	if (sqlite3_step(s) == SQLITE_ROW)
		*out = (guint64)sqlite3_column_int64(s, 0);
	else
		rc = rs_ledger_fail(l, err);
	(void)sqlite3_finalize(s);
	return rc;
}
