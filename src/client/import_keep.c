/* import_keep.c - an account of another program becomes one of ours: ledger, secret, config.ini, in that order. */
#include "client/import_priv.h"

#include <string.h>
#include <unistd.h>

#include "client/ledger.h"
#include "client/places.h"
#include "client/text.h"

#define NAMES_MAX 100

static bool same_mailbox(const struct rs_account *a, const struct rs_account *b)
{
	return strcmp(a->pop3_user, b->pop3_user) == 0 &&
	       g_ascii_strcasecmp(a->pop3_host, b->pop3_host) == 0;
}

static const struct rs_account *by_name(const GPtrArray *list, const char *name)
{
	for (guint i = 0; i < list->len; i++) {
		const struct rs_account *a = list->pdata[i];

		if (strcmp(a->name, name) == 0)
			return a;
	}
	return NULL;
}

/* What may be a name (account.c has the rule), and is not taken. */
static void name_choose(struct rs_account *a, const GPtrArray *list)
{
	g_autofree char *base = g_strdup(a->name && *a->name ? a->name : a->address);

	g_strdelimit(base, "/[]\\", '-');
	while (*base == '.' || *base == '-')
		memmove(base, base + 1, strlen(base));
	if (!*base) {
		g_free(base);
		base = g_strdup("mail");
	}
	base[MIN(strlen(base), RS_ACCOUNT_NAME_MAX - 4)] = '\0';
	g_free(a->name);
	a->name = g_utf8_make_valid(base, -1);
	for (int n = 2; by_name(list, a->name) && n < NAMES_MAX; n++) {
		g_free(a->name);
		a->name = g_strdup_printf("%s-%d", base, n);
	}
}

int rs_import_account_prepare(
	const struct rs_places *p, struct rs_import_account *a, bool *known, struct rs_err *err)
{
	g_autoptr(GPtrArray) list = NULL;
	int rc = rs_accounts_load(p, &list, err);

	if (rc < 0)
		return rc;
	*known = false;
	if (!a->account->pop3_host || !a->account->pop3_user)
		return rs_err_set(err, RS_ECONFIG,
			_("an account without a POP3 server or a user name: %s"),
			a->account->address ? a->account->address : "?");
	if (!a->account->address)
		return rs_err_set(err, RS_ECONFIG,
			_("the mail address of %s at %s is not known; give it with --address"),
			a->account->pop3_user, a->account->pop3_host);
	for (guint i = 0; i < list->len && !*known; i++) {
		const struct rs_account *here = list->pdata[i];

		if (!same_mailbox(here, a->account))
			continue;
		*known = true;
		g_free(a->account->name);
		a->account->name = g_strdup(here->name);
	}
	if (!*known)
		name_choose(a->account, list);
	return rs_account_complete(p, a->account, err);
}

static int uids_keep(const struct rs_places *p, const struct rs_import_account *a, guint32 *new_n,
	struct rs_err *err)
{
	g_autofree char *key = rs_ledger_key(a->account);
	guint32 now_s = (guint32)(g_get_real_time() / G_USEC_PER_SEC);
	struct rs_ledger *l = NULL;
	int rc;

	if (!a->uids->len)
		return 0;
	rc = rs_ledger_open(p->ledger_file, &l, err);
	if (rc == 0)
		rc = rs_ledger_begin(l, err);
	for (guint i = 0; i < a->uids->len && rc == 0; i++) {
		const struct rs_import_uid *u = &g_array_index(a->uids, struct rs_import_uid, i);
		bool added = false;

		/* a time to come would never pass */
		rc = rs_ledger_fetched_before(l, key, rs_slice_str(u->uid),
			u->fetched_s && u->fetched_s <= now_s ? u->fetched_s : now_s, &added, err);
		*new_n += added;
	}
	if (rc == 0)
		rc = rs_ledger_commit(l, err);
	if (rc < 0 && l)
		rs_ledger_rollback(l);
	rs_ledger_close(&l);
	return rc;
}

int rs_import_account_keep(const struct rs_places *p, const struct rs_import_account *a, bool known,
	struct rs_import_kept *out, struct rs_err *err)
{
	int lock = rs_file_lock(p->config_file, err); /* makes the folder, too */
	int rc = lock < 0 ? lock : 0;

	*out = (struct rs_import_kept){.was_there = known};
	if (lock >= 0)
		close(lock);
	if (rc == 0)
		rc = uids_keep(p, a, &out->uids_n, err);
	if (rc == 0 && !known && a->password && !a->account->password_command)
		rc = rs_account_password_store(p, a->account, a->password, err);
	if (rc == 0 && !known)
		rc = rs_account_save(p, a->account, err);
	if (rc == 0)
		out->name = g_strdup(a->account->name);
	return rc;
}
