/* lock_holder - which process has a maildrop locked. The lock is the kernel's (maildir/lock.h), so it is
 * always somebody's; who, only /proc can tell, and only to root or the same user. Linux. */
#ifndef RS_RESTANTED_LOCK_HOLDER_H
#define RS_RESTANTED_LOCK_HOLDER_H

#include <stdbool.h>
#include <sys/types.h>

struct lock_holder {
	pid_t pid; /* 0: it could not be found */
	char command[128];
};

/* Is the maildrop in the folder `path` locked? False also when there is none, or it cannot be looked at. */
bool lock_held(const char *path, struct lock_holder *who);

#endif
