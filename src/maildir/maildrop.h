/* maildrop - a Maildir as a POP3 maildrop: lock, stable UIDs and sizes, deletions that hold.
 * RFC 1939 sections 4 to 7. All calls block on the disk: run them on a worker thread.
 *
 * Files of ours in the Maildir folder (all may be looked at with a pager):
 *   restante.lock    the kernel lock (open file description lock), empty
 *   restante.uidl    cache of wire sizes and UIDs; carries imported UIDs and order; everything
 *                    but the imported values can be rebuilt from the folder
 *   restante.index   what the folder looked like when it was last read (index.h); may go at any time
 *   restante.delete  intent record: the messages a QUIT has decided to remove. Written durably
 *                    before QUIT is answered; finished by the next opening after a crash.
 *
 * States:  LOCKED --scan--> OPEN --decide--> DECIDED --finish--> OPEN(no marks) ; close from any.
 * Facts:   in OPEN no message of the table has been removed by us; in DECIDED the intent record is
 *          durable and names exactly the marked ones; the lock is held in all of them. */
#ifndef RS_MAILDIR_MAILDROP_H
#define RS_MAILDIR_MAILDROP_H

#include <glib.h>

#include "maildir/maildir.h"
#include "proto/drop.h"

struct rs_maildrop;

/* Lock (never waits), finish what a crash left, scan, sizes, UIDs. A folder that does not exist is
 * an empty maildrop (so is NULL); nothing is made for it. -RS_ELOCKED: another session has it. */
int rs_maildrop_open(const struct rs_fs *fs, const char *path, struct rs_maildrop **out,
	struct rs_err *err) RS_MUST_USE;
/* A folder of the mailbox at `account`, where subfolders are and quota is counted. */
int rs_maildrop_open_of(const struct rs_fs *fs, const char *path, const char *account,
	struct rs_maildrop **out, struct rs_err *err) RS_MUST_USE;
/* The same for the loop's thread, where it cannot take long: a small folder on a file system of this machine that
 * was open lately and has not changed since (recent.h). False: open it on a worker thread. */
bool rs_maildrop_open_quick(const char *path, struct rs_maildrop **out);
/* Gives up the lock; deletes nothing that was not decided. NULL is fine; sets NULL. */
void rs_maildrop_destroy(struct rs_maildrop **d);

/* The frozen table (proto/drop.h), borrowed until destroy. */
const struct rs_drop *rs_maildrop_table(const struct rs_maildrop *d);
struct rs_slice rs_maildrop_image(const struct rs_maildrop *d);

/* File name of message `row`; borrowed until destroy. */
const char *rs_maildrop_name(const struct rs_maildrop *d, uint32_t row);

/* Descriptor for reading message `row` (owned by the caller), or a negative kind: -RS_ENOENT when
 * another program removed it, -RS_ECORRUPT when it is not the size told. */
int rs_maildrop_read_open(struct rs_maildrop *d, uint32_t row, struct rs_err *err);

/* A message that was read, or (fd >= 0) is to be read; both owned by the caller. */
struct rs_maildrop_body {
	uint8_t *octets; /* g_free */
	size_t n;
	int fd;
};

/* The same; a message of at most `max` octets is read at once, which costs less than to open it for
 * somebody else. */
int rs_maildrop_read(struct rs_maildrop *d, uint32_t row, size_t max, struct rs_maildrop_body *out,
	struct rs_err *err) RS_MUST_USE;

/* QUIT, first half: write the intent record for the marked rows and make it durable. After 0 the
 * removal is decided and "+OK" may be told; on failure nothing is decided and nothing is removed. */
int rs_maildrop_decide(struct rs_maildrop *d, const uint8_t *marks, struct rs_err *err) RS_MUST_USE;
/* The same, with more to be said: messages of a folder shown together with this one (".Folder/" and base
 * name, char *; NULL: none), and the folder of the mailbox where all of them are kept (NULL: removed). */
int rs_maildrop_decide_with(struct rs_maildrop *d, const uint8_t *marks, const GPtrArray *more,
	const char *keep, struct rs_err *err) RS_MUST_USE;
/* QUIT, second half: remove the files, then the record. *left = files that could not be removed
 * now (the record stays and the next opening tries again). */
int rs_maildrop_finish(struct rs_maildrop *d, uint32_t *left, struct rs_err *err) RS_MUST_USE;

#endif
