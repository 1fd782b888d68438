/* repair - make a folder of a mailbox what its sessions are told, without changing a UID that was given out.
 *   what a QUIT had decided is finished; what deliveries left in tmp/ goes after 36 hours, as always;
 *   messages whose own names (maildir.h) tell a wrong size are renamed, the unique part stays and the UID with it;
 *   restante.uidl is written anew: UIDs that it still tells, line by line where it is not whole, and those
 *   that restante.index tells and it does not; a damaged one is kept as restante.uidl.damaged;
 *   restante.index is made anew. */
#ifndef RS_MAILDIR_REPAIR_H
#define RS_MAILDIR_REPAIR_H

#include <glib.h>

#include "maildir/maildir.h"

/* Adds to `did` (char *, owned by it) a line for each thing done, and to `left` for what it cannot mend.
 * Takes the lock: -RS_ELOCKED. `account`: as rs_maildrop_open_of. */
int rs_repair_folder(const char *path, const char *account, int64_t now_s, GPtrArray *did,
	GPtrArray *left, struct rs_err *err) RS_MUST_USE;

#endif
