/* account_edit.c - see account_edit.h */
#include "client/account_edit.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "client/ledger.h"
#include "client/text.h"

#define DEPTH_MAX 16

int rs_account_moves(const struct rs_places *p, const struct rs_account *old,
	const struct rs_account *a, guint64 *known, struct rs_err *err)
{
	g_autofree char *from = rs_ledger_key(old);
	g_autofree char *to = rs_ledger_key(a);
	struct rs_ledger *l = NULL;
	int rc;

	*known = 0;
	if (strcmp(from, to) == 0 || !g_file_test(p->ledger_file, G_FILE_TEST_EXISTS))
		return 0;
	rc = rs_ledger_open(p->ledger_file, &l, err);
	if (rc < 0)
		return rc;
	rc = rs_ledger_count(l, from, known, err);
	rs_ledger_close(&l);
	return rc;
}

/* One transaction: `to` NULL: forget `from`. */
static int change(const struct rs_places *p, const char *from, const char *to, struct rs_err *err)
{
	struct rs_ledger *l = NULL;
	int rc;

	if (!g_file_test(p->ledger_file, G_FILE_TEST_EXISTS))
		return 0;
	rc = rs_ledger_open(p->ledger_file, &l, err);
	if (rc < 0)
		return rc;
	rc = rs_ledger_begin(l, err);
	if (rc == 0) {
		rc = to ? rs_ledger_carry(l, from, to, err) : rs_ledger_drop(l, from, err);
		if (rc == 0)
			rc = rs_ledger_commit(l, err);
		else
			rs_ledger_rollback(l);
	}
	rs_ledger_close(&l);
	return rc;
}

int rs_account_replace(const struct rs_places *p, const struct rs_account *old,
	const struct rs_account *a, bool carry, struct rs_err *err)
{
	g_autofree char *from = rs_ledger_key(old);
	g_autofree char *to = rs_ledger_key(a);
	bool move = carry && strcmp(from, to) != 0;
	int rc = move ? change(p, from, to, err) : 0;

	if (rc == 0)
		rc = rs_account_save(p, a, err);
	/* the old rows only when the new ones are those that count; left over they harm nobody */
	if (rc == 0 && move)
		(void)change(p, from, NULL, NULL);
	return rc;
}

/* Links are removed, not followed. */
static int remove_all(const char *path, int depth, struct rs_err *err)
{
	g_autoptr(GDir) dir = NULL;
	const char *name;
	int rc = 0;

	if (g_file_test(path, G_FILE_TEST_IS_DIR) && !g_file_test(path, G_FILE_TEST_IS_SYMLINK) &&
		depth < DEPTH_MAX)
		dir = g_dir_open(path, 0, NULL);
	while (dir && rc == 0 && (name = g_dir_read_name(dir))) {
		g_autofree char *sub = g_build_filename(path, name, NULL);

		rc = remove_all(sub, depth + 1, err);
	}
	if (rc == 0 && g_remove(path) < 0 && errno != ENOENT)
		rc = rs_err_set(err, rs_err_kind_of_errno(errno), _("cannot remove %s: %s"), path,
			g_strerror(errno));
	return rc;
}

int rs_account_mail_remove(
	const struct rs_places *p, const struct rs_account *a, struct rs_err *err)
{
	g_autofree char *standard = g_build_filename(p->mail_dir, a->name, NULL);
	g_autofree char *key = rs_ledger_key(a);
	int rc;

	if (strcmp(standard, a->maildir) != 0)
		return rs_err_set(err, RS_EINVAL,
			_("the mail of %s lies in %s, outside of %s, and stays there; remove it by "
			  "hand"),
			a->name, a->maildir, p->mail_dir);
	/* what is known first: mail that is half removed must be fetched again, not taken for fetched */
	rc = change(p, key, NULL, err);
	return rc == 0 ? remove_all(standard, 0, err) : rc;
}
