/* uidl - what another POP3 server calls its messages, and in which order: read from it or from its files
 * (uidl_files.c, uidl_pop3.c), found again among the messages of a Maildir, and taken over there
 * (uidl_take.c), so that clients which left mail on that server do not download it again from this one. */
#ifndef RS_SERVER_UIDL_H
#define RS_SERVER_UIDL_H

#include <glib.h>

#include "base/err.h"
#include "base/slice.h"

#define RS_UIDL_HEAD_MAX (1024u * 1024) /* octets of a header that are looked at */

/* A header as it can be compared. Line ends do not count, nor does what follows the empty line. */
struct rs_uidl_head {
	bool there;
	uint8_t whole[32]; /* SHA-256 of all fields */
	uint8_t core
		[32]; /* without the fields that servers and deliveries add or change (uidl_head.c) */
};

/* One message of the old server. */
struct rs_uidl {
	char *uid;     /* as its clients are told; never NULL */
	char *base;    /* base name of its Maildir file; NULL: not known */
	char *path;    /* a file with its octets; NULL: none */
	uint64_t wire; /* octets as that server tells; UINT64_MAX: not known */
	struct rs_uidl_head head;
};

struct rs_uidl_list {
	GPtrArray *rows;  /* struct rs_uidl *, in the order in which its clients see them */
	GPtrArray *notes; /* char *: what could not be read, in words for the person */
};

void rs_uidl_list_init(struct rs_uidl_list *l);
void rs_uidl_list_finish(struct rs_uidl_list *l);
/* Takes nothing: both texts are copied. Returns the row, borrowed from the list. */
struct rs_uidl *rs_uidl_list_add(struct rs_uidl_list *l, struct rs_slice uid, struct rs_slice base);

/* --- headers ------------------------------------------------------------------------------- */

/* `octets` begin with the header; more may follow. */
void rs_uidl_head_of(struct rs_slice octets, struct rs_uidl_head *out);
/* The same of a file; -RS_EIO where it cannot be read. */
int rs_uidl_head_read(int fd, struct rs_uidl_head *out) RS_MUST_USE;

/* --- files of other servers (pure; any octets may come in) ----------------------------------- */

/* How UIDs are made, as Dovecot's pop3_uidl_format up to 2.3: %u UID, %v UIDVALIDITY, %f file name without
 * flags, %g GUID, %% a percent sign; in between a width with leading 0, and X for hexadecimal. NULL, or what is
 * wrong with it. */
const char *rs_uidl_format_wrong(const char *format);

#define RS_UIDL_FORMAT_DOVECOT "%08Xu%08Xv" /* Dovecot's default */

/* Dovecot's dovecot-uidlist, versions 1 and 3. P fields (UIDL of a server before) and O fields (order) count. */
int rs_uidl_dovecot(struct rs_slice text, const char *format, struct rs_uidl_list *out,
	struct rs_err *err) RS_MUST_USE;
/* Courier's courierpop3dsizelist, versions 2 and 3. */
int rs_uidl_courier(struct rs_slice text, struct rs_uidl_list *out, struct rs_err *err) RS_MUST_USE;
/* Cyrus' cyrus.index, versions 6 to 20 but 11. `format` NULL: what the mailbox says, %v.%u or %u. `path` of
 * a row is not set; the file is "<UID>." beside the index, and that is in `base`. */
int rs_uidl_cyrus(struct rs_slice octets, const char *format, struct rs_uidl_list *out,
	struct rs_err *err) RS_MUST_USE;
/* Lines "UID" or "UID blank FILE", in order; "#" begins a comment line. FILE is the name in new/ or cur/ here. */
int rs_uidl_file(struct rs_slice text, struct rs_uidl_list *out, struct rs_err *err) RS_MUST_USE;

/* --- sources ------------------------------------------------------------------------------- */

struct rs_uidl_source {
	const char *from; /* dovecot:DIR courier:DIR cyrus:DIR uidl-file:FILE pop3://… pop3s://… */
	const char *format;   /* NULL: the usual one */
	const char *password; /* NULL: the one in the address */
	const char *ca_file;  /* NULL: the system's */
	bool no_verify;       /* take any certificate */
	bool cleartext;       /* send the password without TLS, if the server has none */
};

/* -RS_EINVAL: `from` is none of these; else what went wrong with it. rs_uidl_list_finish also then. */
int rs_uidl_read(
	const struct rs_uidl_source *s, struct rs_uidl_list *out, struct rs_err *err) RS_MUST_USE;
/* Read the headers of rows with a path now, where that will not be permitted later. */
void rs_uidl_read_heads(struct rs_uidl_list *l);
int rs_uidl_pop3(
	const struct rs_uidl_source *s, struct rs_uidl_list *out, struct rs_err *err) RS_MUST_USE;

#endif
