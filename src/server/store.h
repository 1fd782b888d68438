/* store - what keeps the mail, behind one asynchronous interface: Maildir, memory, later RADOS.
 *
 * Rules: all calls and callbacks on the loop thread; a callback comes exactly once and, that of
 * open apart, never from inside the call that asked for it; octets passed in belong to the caller until the callback;
 * nothing is asked of a drop or delivery whose close/abort was called, and no callback of it comes
 * after that. One conformance suite (tests/unit/server/test_store.c) runs over every store.
 *
 * Facts every store keeps: deliver's OK = durable and listed from the next open on; a drop is
 * locked from `open` to `close`; `commit` OK = the removal of all marked messages is durably decided,
 * anything else = none was removed (UNKNOWN: may or may not); a message delivered meanwhile is not
 * in the table; closing without commit removes nothing. */
#ifndef RS_SERVER_STORE_H
#define RS_SERVER_STORE_H

#include <glib.h>
#include <uv.h>

#include "base/err.h"
#include "base/slice.h"
#include "proto/drop.h"
#include "server/conf.h"

enum rs_store_err {
	RS_STORE_OK,
	RS_STORE_NOBOX,   /* no such mailbox (where mailboxes are provisioned)             */
	RS_STORE_INUSE,   /* another session has the lock                                 */
	RS_STORE_FULL,    /* disk full; nothing happened                                  */
	RS_STORE_QUOTA,   /* the mailbox is full; nothing happened                        */
	RS_STORE_TEMP,    /* nothing happened; try again later                            */
	RS_STORE_PERM,    /* nothing happened; trying again will not help (rights, read-only) */
	RS_STORE_LOST,    /* the lock is gone: nothing was removed                        */
	RS_STORE_UNKNOWN, /* may or may not have happened                                 */
	RS_STORE_CORRUPT, /* what is stored is not what it must be                        */
	RS_STORE_GONE,    /* this message is not there any more                           */
	RS_STORE_ERR_N
};

struct rs_store;       /* each implementation's own struct begins with `ops` */
struct rs_store_drop;  /* one locked maildrop   */
struct rs_store_deliv; /* one message for one mailbox on its way in */

/* `why`: one line for the log, NULL when err is OK; borrowed during the callback. */
typedef void (*rs_store_cb)(void *arg, enum rs_store_err err, const char *why);
typedef void (*rs_store_open_cb)(
	void *arg, enum rs_store_err err, struct rs_store_drop *drop, const char *why);
/* Either octets (the whole message; referenced by who keeps them) or fd >= 0 (owned by the callee) from
 * which the whole stored message can be read; line ends as stored (LF or CRLF). */
typedef void (*rs_store_read_cb)(
	void *arg, enum rs_store_err err, GBytes *octets, int fd, const char *why);
/* `left` messages could not be removed although it was decided (they go at the next opening). */
typedef void (*rs_store_commit_cb)(
	void *arg, enum rs_store_err err, uint32_t left, const char *why);

typedef void (*rs_store_each_cb)(
	void *arg, uint32_t mailbox, enum rs_store_err err, const char *why);

struct rs_store_ops {
	const char *name;

	/* May block; only at start-up. `conf` lent until stop. */
	int (*start)(uv_loop_t *loop, const struct rs_conf *conf, struct rs_store **out,
		struct rs_err *err);
	/* No drop and no delivery may be open; what was closed has been waited for by running the loop. */
	void (*stop)(struct rs_store *s);

	/* Delivery of one message to `n` mailboxes. A mailbox is the store's name for it (Maildir: a path),
	 * and rules, mailbox.h), made by the auth role; the texts are copied. Octets are in wire form (CRLF); the store keeps what
	 * form it likes, and one copy for all where it can. deliv_open never fails: errors come with commit. */
	void (*deliv_open)(struct rs_store *s, const char *const *mailboxes, uint32_t n,
		struct rs_store_deliv **out);
	void (*deliv_write)(
		struct rs_store_deliv *d, struct rs_slice octets, rs_store_cb cb, void *arg);
	/* `each` comes once a mailbox, in order; then `d` is destroyed. */
	void (*deliv_commit)(struct rs_store_deliv *d, rs_store_each_cb each, void *arg);
	void (*deliv_abort)(struct rs_store_deliv *d); /* destroyed; no callback comes any more */

	/* POP3. */
	void (*open)(struct rs_store *s, const char *mailbox, rs_store_open_cb cb, void *arg);
	struct rs_slice (*image)(
		const struct rs_store_drop *d); /* the table; borrowed until close */
	/* `inline_max`: at most so many octets may be handed over as octets, larger ones as fd where the
	 * store has files. */
	void (*read)(struct rs_store_drop *d, uint32_t row, size_t inline_max, rs_store_read_cb cb,
		void *arg);
	void (*commit)(
		struct rs_store_drop *d, const uint8_t *marks, rs_store_commit_cb cb, void *arg);
	void (*close)(
		struct rs_store_drop *d); /* unlock; no removal that was not decided; destroyed */
	void (*lost)(
		struct rs_store_drop *d, rs_store_cb cb, void *arg); /* told if the lease goes */
};

struct rs_store {
	const struct rs_store_ops *ops;
};

extern const struct rs_store_ops rs_store_maildir;
extern const struct rs_store_ops rs_store_memory;

const char *rs_store_err_name(enum rs_store_err e);

#endif
