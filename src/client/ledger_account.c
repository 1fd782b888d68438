/* ledger_account.c - what the ledger knows of accounts and hosts, and what is not here. See ledger.h. */
#include "client/account.h"
#include "client/ledger_priv.h"

static char *text_read(sqlite3_stmt *s, int at)
{
	return g_strdup((const char *)sqlite3_column_text(s, at));
}

/* One row or none: 1, 0, or a negative kind. The statement is still on its row. */
static int row_find(struct rs_ledger *l, sqlite3_stmt *s, const char *key, struct rs_err *err)
{
	int step;

	(void)sqlite3_bind_text(s, 1, key, -1, SQLITE_TRANSIENT);
	step = sqlite3_step(s);
	if (step == SQLITE_ROW)
		return 1;
	return step == SQLITE_DONE ? 0 : rs_ledger_fail(l, err);
}

int rs_ledger_account_get(
	struct rs_ledger *l, const char *account, struct rs_ledger_account *out, struct rs_err *err)
{
	sqlite3_stmt *s = l->statements[ACCOUNT_GET];
	int rc = row_find(l, s, account, err);

	*out = (struct rs_ledger_account){.policy = NULL};
	if (rc > 0) {
		out->policy = text_read(s, 0);
		out->marker = text_read(s, 1);
		out->caps = (guint32)sqlite3_column_int64(s, 2);
		out->checked_s = sqlite3_column_int64(s, 3);
		out->listed_s = sqlite3_column_int64(s, 4);
		out->slow_s = sqlite3_column_int64(s, 5);
		out->caps_s = sqlite3_column_int64(s, 6);
	}
	(void)sqlite3_reset(s);
	return MIN(rc, 0);
}

int rs_ledger_account_put(struct rs_ledger *l, const char *account,
	const struct rs_ledger_account *a, struct rs_err *err)
{
	sqlite3_stmt *s = l->statements[ACCOUNT_PUT];

	(void)sqlite3_bind_text(s, 1, account, -1, SQLITE_TRANSIENT);
	(void)sqlite3_bind_text(s, 2, a->policy, -1, SQLITE_TRANSIENT);
	(void)sqlite3_bind_text(s, 3, a->marker, -1, SQLITE_TRANSIENT);
	(void)sqlite3_bind_int64(s, 4, a->caps);
	(void)sqlite3_bind_int64(s, 5, a->checked_s);
	(void)sqlite3_bind_int64(s, 6, a->listed_s);
	(void)sqlite3_bind_int64(s, 7, a->slow_s);
	(void)sqlite3_bind_int64(s, 8, a->caps_s);
	return rs_ledger_done(l, s, err);
}

void rs_ledger_account_finish(struct rs_ledger_account *a)
{
	g_clear_pointer(&a->policy, g_free);
	g_clear_pointer(&a->marker, g_free);
}

int rs_ledger_wait_get(
	struct rs_ledger *l, const char *key, struct rs_ledger_wait *out, struct rs_err *err)
{
	sqlite3_stmt *s = l->statements[WAIT_GET];
	int rc = row_find(l, s, key, err);

	*out = (struct rs_ledger_wait){.until_s = 0};
	if (rc > 0) {
		out->until_s = sqlite3_column_int64(s, 0);
		out->tries = (guint32)sqlite3_column_int64(s, 1);
	}
	(void)sqlite3_reset(s);
	return MIN(rc, 0);
}

int rs_ledger_wait_put(
	struct rs_ledger *l, const char *key, const struct rs_ledger_wait *w, struct rs_err *err)
{
	sqlite3_stmt *s = l->statements[WAIT_PUT];

	(void)sqlite3_bind_text(s, 1, key, -1, SQLITE_TRANSIENT);
	(void)sqlite3_bind_int64(s, 2, w->until_s);
	(void)sqlite3_bind_int64(s, 3, w->tries);
	return rs_ledger_done(l, s, err);
}

/* --- what is not here ---------------------------------------------------------------------- */

static void problem_free(gpointer data)
{
	struct rs_ledger_problem *p = data;

	g_free(p->account);
	g_free(p->uid);
	g_free(p->note);
	g_free(p);
}

static struct rs_ledger_problem *problem_read(sqlite3_stmt *s)
{
	struct rs_ledger_problem *p = g_new0(struct rs_ledger_problem, 1);
	const char *uid = sqlite3_column_blob(s, 2);

	p->id = sqlite3_column_int64(s, 0);
	p->account = text_read(s, 1);
	p->uid = g_utf8_make_valid(uid ? uid : "", sqlite3_column_bytes(s, 2));
	p->state = (enum rs_ledger_state)sqlite3_column_int(s, 3);
	p->size = (guint64)sqlite3_column_int64(s, 4);
	p->tries = (guint32)sqlite3_column_int64(s, 5);
	p->next_s = sqlite3_column_int64(s, 6);
	p->note = text_read(s, 7);
	return p;
}

int rs_ledger_problems(
	struct rs_ledger *l, const char *account, GPtrArray **out, struct rs_err *err)
{
	sqlite3_stmt *s = l->statements[PROBLEMS];
	g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func(problem_free);
	int step;
	int rc;

	(void)sqlite3_bind_text(s, 1, account, -1, SQLITE_TRANSIENT);
	while ((step = sqlite3_step(s)) == SQLITE_ROW)
		g_ptr_array_add(rows, problem_read(s));
	rc = step == SQLITE_DONE ? 0 : rs_ledger_fail(l, err);
	(void)sqlite3_reset(s);
	if (rc == 0)
		*out = g_steal_pointer(&rows);
	return rc;
}

char *rs_ledger_key(const struct rs_account *a)
{
	g_autofree char *host = g_ascii_strdown(a->pop3_host, -1);

	return g_strdup_printf("%s\t%s@%s", a->name, a->pop3_user, host);
}
