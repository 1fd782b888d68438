/* verify - is a folder of a mailbox what its sessions are told? Reads every message. Changes nothing; hold
 * the lock (lock.h), or what a session does meanwhile may be taken for a flaw. */
#ifndef RS_MAILDIR_VERIFY_H
#define RS_MAILDIR_VERIFY_H

#include <glib.h>

#include "base/err.h"
#include "maildir/rules.h"

enum rs_flaw_kind {
	RS_FLAW_PENDING, /* a QUIT's deletions are decided and not yet done: finished when next opened */
	RS_FLAW_RECORD,     /* restante.delete is not whole: it decides nothing         */
	RS_FLAW_UIDLIST,    /* restante.uidl is not whole, or gives one UID twice       */
	RS_FLAW_INDEX,      /* restante.index is not whole, or tells other than the folder */
	RS_FLAW_SIZE,       /* a message is not the size that is told                   */
	RS_FLAW_UNREADABLE, /* a message cannot be read                                 */
	RS_FLAW_TWIN,       /* two files are the same message by their names            */
	RS_FLAW_TMP,        /* tmp/ holds what nobody will finish any more              */
	RS_FLAW_QUOTA       /* maildirsize tells other than there is                    */
};

struct rs_flaw {
	enum rs_flaw_kind kind;
	char *text; /* names file and place; owned */
};

struct rs_verified {
	GPtrArray *flaws; /* struct rs_flaw * */
	uint64_t messages;
	uint64_t octets;   /* as sent, as told */
	uint64_t imported; /* messages whose UID was taken over */
	uint64_t gone;     /* lines of restante.uidl about messages that are gone: harmless */
};

/* The folder at `path`. rs_verified_finish also after failure. -RS_ENOENT: no such folder. */
int rs_verify_folder(
	const char *path, int64_t now_s, struct rs_verified *out, struct rs_err *err) RS_MUST_USE;
/* maildirsize of the mailbox folder `root` against all that it holds; adds to `out`. */
int rs_verify_quota(const char *root, const struct rs_quota *q, struct rs_verified *out,
	struct rs_err *err) RS_MUST_USE;
void rs_verified_finish(struct rs_verified *v);

const char *rs_flaw_name(enum rs_flaw_kind kind); /* "size", for scripts */

#endif
