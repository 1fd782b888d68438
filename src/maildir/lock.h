/* lock - one session at a time in a maildrop: an open file description lock, gone with its
 * holder, whatever ends it. Two opens exclude each other within one process too. */
#ifndef RS_MAILDIR_LOCK_H
#define RS_MAILDIR_LOCK_H

#include "maildir/folder.h"

/* Never waits. *fd is to be closed to give the lock up. -RS_ELOCKED: somebody else has it. */
int rs_maildir_lock(const struct rs_maildir *m, int *fd, struct rs_err *err) RS_MUST_USE;

#endif
