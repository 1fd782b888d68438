/* expire - the provider's retention (EXPIRE of RFC 2449): what is older than it allows is removed when the maildrop
 * is opened, in the same durable way as what a client deletes (intent record, then the files). */
#ifndef RS_MAILDIR_EXPIRE_H
#define RS_MAILDIR_EXPIRE_H

#include "maildir/maildrop.h"

struct rs_expire_of {
	const char *path;    /* the folder of the maildrop     */
	const char *account; /* as of rs_maildrop_open_of      */
	uint32_t days;       /* 0: never                       */
	int64_t now_s;       /* seconds of 1970                */
};

/* `*d` is open and undecided. Where something has to go it is removed and `*d` is opened anew, so that its table
 * has what is left. Age is counted from arrival, as the file name tells it; a name that tells none is kept.
 * On failure `*d` is NULL or as it was; destroy it either way. *removed may be NULL. */
int rs_expire(const struct rs_fs *fs, const struct rs_expire_of *of, struct rs_maildrop **d,
	uint32_t *removed, struct rs_err *err) RS_MUST_USE;

#endif
