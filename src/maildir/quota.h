/* quota - how much a mailbox holds, and whether one more message fits. No body is read: sizes come from
 * names, where they do not tell them from the directory, and both only when the small file is not right.
 *
 * The file is Maildir++'s `maildirsize` in the mailbox folder, which Dovecot and Courier keep too:
 *   "<octets>S,<messages>C" LF (the quota it was made for), then lines "<octets> <messages>" LF to be
 *   added up; a delivery or removal appends one. It is made anew when it was made for another quota, when
 *   it is longer than 5120 octets, and when the mailbox seems full although the file is old or long.
 * All folders of the mailbox count, but .Trash and messages marked as deleted (flag T).
 *
 * Our own processes exclude each other (restante.quota.lock) from the sum until the message is published, and
 * while messages are removed: who counts anew finds in the folder what the lines told, neither more nor less,
 * and deliveries at the same time never go over the quota together. The lock ends with its holder. */
#ifndef RS_MAILDIR_QUOTA_H
#define RS_MAILDIR_QUOTA_H

#include "base/err.h"
#include "maildir/fs.h"
#include "maildir/rules.h"

#define RS_QUOTA_NAME "maildirsize"

struct rs_quota_room;

struct rs_quota_use {
	uint64_t octets;
	uint64_t messages;
};

/* Room for one message of `octets` (as stored). *out owned: until rs_quota_settle all who want to count, take
 * or remove in this mailbox wait, so only the publishing itself goes between. NULL where `q` has no limit.
 * -RS_ELIMIT: over quota, with words; nothing taken. `root` must exist. May wait. */
int rs_quota_take(const struct rs_fs *fs, const char *root, const struct rs_quota *q,
	uint64_t octets, struct rs_quota_room **out, struct rs_err *err) RS_MUST_USE;
/* The message is published, or not: then its room is given back. *room NULL is nothing. */
void rs_quota_settle(struct rs_quota_room **room, bool published);

/* Around the removal of messages: nobody counts meanwhile. NULL where the mailbox has no file. May wait. */
struct rs_quota_room *rs_quota_remove_begin(const struct rs_fs *fs, const char *root);
void rs_quota_remove_end(struct rs_quota_room **room, struct rs_quota_use gone);

/* What is used. Counts all where `count` is set or there is no file that is right for `q`. */
int rs_quota_used(const struct rs_fs *fs, const char *root, const struct rs_quota *q, bool count,
	struct rs_quota_use *out, struct rs_err *err) RS_MUST_USE;

/* Count all and write the file anew. *changed: it told something else before. Nothing where `q` has no limit. */
int rs_quota_rebuild(const struct rs_fs *fs, const char *root, const struct rs_quota *q,
	bool *changed, struct rs_err *err) RS_MUST_USE;

/* The file's text (any octets). False: it is not one, or was made for another quota. */
bool rs_quota_parse(struct rs_slice text, const struct rs_quota *q, struct rs_quota_use *out);

#endif
