/* maildir - one Maildir folder: names, durable delivery, scan. Used by service and mail program.
 * All calls block on the disk: run them on a worker thread. No logging; errors are returned.
 *
 * Form on disk: Maildir (tmp, new, cur), one message a file, LF line ends. Our own names are
 *   <seconds>.M<microseconds>P<pid>Q<counter>R<random>.<host>,S=<octets in file>,W=<octets as sent>
 * so that no body has to be read for its size. One with UTF-8 in its header (proto/downgrade.h) has
 *   ,U=<octets as sent when it is downgraded>, or ,U=0 where it cannot be, behind that. Flags of other programs (":2,S") are kept. */
#ifndef RS_MAILDIR_MAILDIR_H
#define RS_MAILDIR_MAILDIR_H

#include "base/err.h"
#include "base/slice.h"
#include "maildir/fs.h"

#define RS_MAILDIR_NAME_MAX 255u

/* --- names (pure) -------------------------------------------------------------------------- */

struct rs_maildir_name {
	struct rs_slice base;   /* what identifies the message: all in front of ":2," */
	struct rs_slice unique; /* base without ",S=…,W=…" fields                     */
	struct rs_slice flags;  /* letters behind ":2,", empty when none              */
	uint64_t size;          /* ,S= or UINT64_MAX when not told or unreadable      */
	uint64_t wire;          /* ,W= or UINT64_MAX                                  */
	uint64_t ascii;         /* ,U= or UINT64_MAX; 0: there is no downgraded form  */
	uint64_t seconds;       /* leading digits: time of arrival, 0 when none       */
};

/* Slices borrowed from `file_name`. Never fails: a name without fields is all base. */
void rs_maildir_name_parse(struct rs_slice file_name, struct rs_maildir_name *out);

/* --- one folder ---------------------------------------------------------------------------- */

struct rs_maildir; /* open descriptors of the folder and of tmp, new, cur */

#define RS_MAILDIR_CREATE 1u /* make what is missing (parents too), durable, mode 0700 */
#define RS_MAILDIR_LAZY   2u /* open tmp, new, cur when they are first needed          */

/* -RS_ENOENT: no such folder (without CREATE); -RS_EROFS, -RS_EIO, -RS_ENOSPC … with a text that
 * names the path. `fs` lent until destroy. */
int rs_maildir_open(const struct rs_fs *fs, const char *path, unsigned flags,
	struct rs_maildir **out, struct rs_err *err) RS_MUST_USE;
void rs_maildir_destroy(struct rs_maildir **m);

/* --- delivery ------------------------------------------------------------------------------
 *   begin -> write … -> sync -> publish -> rs_maildir_sync          one message, durable
 *   begin, write, finish_name of many -> (record the names) -> sync each or rs_maildir_sync_all
 *     -> publish each -> rs_maildir_sync                             a batch, durable together
 * Until publish the message is in tmp/ only; after a crash it is not there. After
 * rs_maildir_sync it survives a power cut. */

struct rs_deliv;

/* `unique` NULL: a fresh name; else the caller's (no '/', ':' or leading '.'; at most 180 octets). */
int rs_deliv_begin(struct rs_maildir *m, const char *unique, struct rs_deliv **out,
	struct rs_err *err) RS_MUST_USE;
/* CRLF becomes LF (also split over two calls); a lone CR or LF is kept. */
int rs_deliv_write(struct rs_deliv *d, const void *p, size_t n, struct rs_err *err) RS_MUST_USE;
/* No more octets will come: flushes, fixes the final name. */
int rs_deliv_finish(struct rs_deliv *d, struct rs_err *err) RS_MUST_USE;
const char *rs_deliv_name(const struct rs_deliv *d); /* final file name, after finish; borrowed */
uint64_t rs_deliv_size(const struct rs_deliv *d);    /* octets in the file                      */
uint64_t rs_deliv_wire(const struct rs_deliv *d);    /* octets as POP3 sends it                 */
/* After finish: it will wait for a while among many; gives descriptor and buffer back. rs_deliv_sync opens it
 * again where it must. */
void rs_deliv_park(struct rs_deliv *d);
int rs_deliv_sync(struct rs_deliv *d, struct rs_err *err) RS_MUST_USE; /* fsync of the file     */
/* Rename tmp -> new, never over a file that is there (-RS_EEXIST). */
int rs_deliv_publish(struct rs_deliv *d, struct rs_err *err) RS_MUST_USE;
/* The same into another folder of the same file system (-RS_EINVAL: it is another one), with flags: "" goes to
 * new/, letters in their order to cur/. rs_maildir_sync or rs_maildir_sync_cur of `to` makes it last. */
int rs_deliv_publish_to(struct rs_deliv *d, struct rs_maildir *to, const char *flags,
	struct rs_err *err) RS_MUST_USE;
/* The same body into another folder of the same file system under a name of its own: a hard link
 * from d's file (finished or published); -RS_EINVAL where the file system cannot: deliver it again there. */
int rs_deliv_link(const struct rs_deliv *d, struct rs_maildir *to, struct rs_err *err) RS_MUST_USE;
/* A descriptor for reading it again (the caller's), after finish. */
int rs_deliv_read_open(const struct rs_deliv *d, struct rs_err *err);
void rs_deliv_destroy(struct rs_deliv **d); /* not published: removes the file in tmp/ */

int rs_maildir_sync(struct rs_maildir *m, struct rs_err *err) RS_MUST_USE;     /* fsync new/   */
int rs_maildir_sync_cur(struct rs_maildir *m, struct rs_err *err) RS_MUST_USE; /* fsync cur/   */
int rs_maildir_sync_all(struct rs_maildir *m, struct rs_err *err) RS_MUST_USE; /* syncfs       */
/* Remove files in tmp/ older than 36 hours, as the Maildir rules say. */
void rs_maildir_clean_tmp(struct rs_maildir *m, int64_t now_s);

/* --- looking ------------------------------------------------------------------------------- */

struct rs_maildir_entry {
	const char *file; /* name in its folder; borrowed from the listing */
	bool in_new;      /* new/, else cur/                              */
};

struct rs_maildir_list;
/* All messages of new/ and cur/, in no order; a file that moves from new/ to cur/ meanwhile is
 * listed once. Names beginning with "." are left out. */
int rs_maildir_scan(
	struct rs_maildir *m, struct rs_maildir_list **out, struct rs_err *err) RS_MUST_USE;
void rs_maildir_list_destroy(struct rs_maildir_list **l);
size_t rs_maildir_list_n(const struct rs_maildir_list *l);
struct rs_maildir_entry rs_maildir_list_at(const struct rs_maildir_list *l, size_t i);

/* Open a message for reading by its unique part or its whole name; a rename by another program (new/ -> cur/,
 * flags) since the scan is followed. Returns a descriptor (owned by the caller) or -RS_ENOENT … */
int rs_maildir_read_open(
	struct rs_maildir *m, const struct rs_maildir_entry *e, struct rs_err *err);

#endif
