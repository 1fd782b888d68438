/* account_edit - changing and removing accounts where more than the configuration is touched. */
#ifndef RS_CLIENT_ACCOUNT_EDIT_H
#define RS_CLIENT_ACCOUNT_EDIT_H

#include "client/account.h"

/* Does `a` stand for another mailbox than `old`, and is something known of that one's messages? *known: how many; 0
 * where it is the same mailbox, or nothing is known. */
int rs_account_moves(const struct rs_places *p, const struct rs_account *old,
	const struct rs_account *a, guint64 *known, struct rs_err *err) RS_MUST_USE;

/* Save `a` in place of `old` (same name). `carry`: it is the same mailbox under another server or user, so what is
 * known of its messages goes along. Whatever is killed between, nothing is fetched twice. */
int rs_account_replace(const struct rs_places *p, const struct rs_account *old,
	const struct rs_account *a, bool carry, struct rs_err *err) RS_MUST_USE;

/* Remove the account's mail here, and what is known of its messages, so that an account of that name would fetch
 * everything anew. Only a folder in the mail folder is removed: -RS_EINVAL where its mail lies elsewhere. */
int rs_account_mail_remove(
	const struct rs_places *p, const struct rs_account *a, struct rs_err *err) RS_MUST_USE;

#endif
