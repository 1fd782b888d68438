/* shown - a maildrop as one session is shown it: which folder, which part of it, junk beside it or not, and
 * what becomes of what the session deletes (rules.h). Without rules it is the folder's maildrop as it is.
 * All calls block on the disk: run them on a worker thread.
 *
 * A message of the junk folder that is shown in the main maildrop begins with a header field more,
 *   X-Restante-Folder: Junk
 * its size is told with it, and its UID is the one it has in its folder, so a client that looks
 * at the folder by itself later, or at a view that is smaller, knows it again.
 *
 * Facts: sizes told are octets sent; what is not shown is never removed; with junk shown the locks of both
 * folders are held, and a session of the junk folder alone holds both too, because the record of
 * what a QUIT decided lies in the main folder. */
#ifndef RS_MAILDIR_SHOWN_H
#define RS_MAILDIR_SHOWN_H

#include "maildir/maildrop.h"
#include "maildir/rules.h"
#include "proto/drop.h"

#define RS_SHOWN_FIELD "X-Restante-Folder"

struct rs_shown_how {
	const char *account; /* the mailbox folder */
	const char *folder;  /* of user+folder, as the person wrote it; NULL: the main one */
	const struct rs_rules *rules;
	int64_t now_s; /* seconds of 1970, for view=age */
};

struct rs_shown;

/* As rs_maildrop_open; `how` is not used behind the call. */
int rs_shown_open(const struct rs_fs *fs, const struct rs_shown_how *how, struct rs_shown **out,
	struct rs_err *err) RS_MUST_USE;
/* As rs_maildrop_open_quick. */
bool rs_shown_open_quick(const struct rs_shown_how *how, struct rs_shown **out);
/* Gives up the locks; deletes nothing that was not decided. NULL is fine; sets NULL. */
void rs_shown_destroy(struct rs_shown **s);

/* Messages that rules.expire_days removed when it was opened. */
uint32_t rs_shown_expired(const struct rs_shown *s);

/* As the calls of the same name of maildrop.h. */
const struct rs_drop *rs_shown_table(const struct rs_shown *s);
struct rs_slice rs_shown_image(const struct rs_shown *s);
int rs_shown_read(struct rs_shown *s, uint32_t row, size_t max, struct rs_maildrop_body *out,
	struct rs_err *err) RS_MUST_USE;
int rs_shown_decide(struct rs_shown *s, const uint8_t *marks, struct rs_err *err) RS_MUST_USE;
int rs_shown_finish(struct rs_shown *s, uint32_t *left, struct rs_err *err) RS_MUST_USE;

#endif
