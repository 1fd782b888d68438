/* import - what another mail program has: its accounts, what it has fetched already, its mail.
 *
 *   look     reads the other's files, changes nothing; the result can be shown
 *   account  puts one account into config.ini, its password into the secret store, and what was fetched into the
 *            ledger as fetched before: a check then brings only what is new
 *   box      puts the mail of an mbox or a Maildir into a folder; a second time it brings nothing twice
 *
 * Sources: Thunderbird (profile: prefs.js, popstate.dat), fetchmail (.fetchmailrc, .fetchids), getmail (getmailrc,
 * oldmail-*), mpop (config, its UIDLs files), Claws Mail and Sylpheed (accountrc, uidl/), mbox, Maildir.
 * Nothing of the other program is changed. Plain text without TLS is taken over for this machine only; else STARTTLS,
 * and a note says so. Thread: one owner. */
#ifndef RS_CLIENT_IMPORT_H
#define RS_CLIENT_IMPORT_H

#include <gio/gio.h>

#include "base/secret.h"
#include "client/account.h"

enum rs_import_kind {
	RS_IMPORT_ANY, /* recognised by looking */
	RS_IMPORT_THUNDERBIRD,
	RS_IMPORT_FETCHMAIL,
	RS_IMPORT_GETMAIL,
	RS_IMPORT_MPOP,
	RS_IMPORT_CLAWS,
	RS_IMPORT_MBOX,  /* ">From " and ">>From " lose one ">" (mboxrd)        */
	RS_IMPORT_MBOXO, /* only ">From " does: written by old programs */
	RS_IMPORT_MAILDIR,
	RS_IMPORT_KIND_N
};

struct rs_import_uid {
	char *uid;
	guint32 fetched_s; /* 0: the source does not say */
};

struct rs_import_account {
	struct rs_account *account; /* name and address may be missing */
	struct rs_secret *password; /* NULL: the source does not have it in plain */
	bool oauth2;                /* logged in by the browser there */
	GArray *uids;               /* struct rs_import_uid */
	char *uids_file;            /* where they were read or looked for, NULL: nowhere */
	GPtrArray *notes;           /* what could not be taken over, one sentence each */
};

struct rs_import_box {
	char *path;   /* of the mbox or the Maildir */
	char *folder; /* its name there: "Friends/Old"; "" for the inbox of `account` */
	char *host;   /* Thunderbird: mail of that account's server, NULL: of none */
	char *user;
	enum rs_import_kind form; /* MBOX, MBOXO or MAILDIR */
};

struct rs_import {
	enum rs_import_kind kind;
	GPtrArray *accounts; /* struct rs_import_account */
	GPtrArray *boxes;    /* struct rs_import_box */
	GPtrArray *notes;
};

/* "thunderbird", "mbox" ...; ANY has none. */
const char *rs_import_kind_name(enum rs_import_kind kind);
enum rs_import_kind rs_import_kind_find(const char *name); /* ANY: no such name */

/* -RS_ENOENT: nothing there; -RS_EINVAL: not to be recognised, or not what `kind` says; -RS_ECONFIG: file and line;
 * -RS_EIO ... */
int rs_import_look(const char *path, enum rs_import_kind kind, struct rs_import **out,
	struct rs_err *err) RS_MUST_USE;
void rs_import_free(struct rs_import *i);

/* Sources at their usual places that are there: paths, g_strfreev it. */
char **rs_import_usual(void);

/* --- keeping it ------------------------------------------------------------------------------- */

struct rs_import_kept {
	char *name;     /* of the account, owned by the caller */
	bool was_there; /* it had one for that mailbox already; only UIDs were added */
	guint32 uids_n; /* new in the ledger */
};

/* Give it a name of its own and what follows from the rest; 0 or -RS_ECONFIG with what is missing. *known: an account
 * here is for the same mailbox (server and user) already, its name is taken. */
int rs_import_account_prepare(const struct rs_places *p, struct rs_import_account *a, bool *known,
	struct rs_err *err) RS_MUST_USE;
/* After prepare. UIDs first, then the password, then the account: cut short anywhere, a second run ends it, and no check
 * in between fetches twice. */
int rs_import_account_keep(const struct rs_places *p, const struct rs_import_account *a, bool known,
	struct rs_import_kept *out, struct rs_err *err) RS_MUST_USE;

/* --- mail ------------------------------------------------------------------------------------- */

struct rs_import_mail {
	const char *path; /* lent, as the rest */
	enum rs_import_kind form;
	const char *into; /* Maildir, made when missing */
	const char *
		mail; /* where folders of ours lie: what is in one of them is not brought again; may be NULL */
	GCancellable *cancel;
	bool dry_run; /* count only */
	void (*progress)(void *arg, guint64 octets, guint64 total);
	void *progress_arg;
};

struct rs_import_mail_done {
	guint32 new_n;   /* durable in the folder now (dry run: would be) */
	guint32 known_n; /* were there, or twice in the source */
	guint32 gone_n;  /* marked as deleted there; left out */
	guint32 bad_n;   /* could not be read; left out */
};

/* The source is read twice, in pieces; memory grows with the number of messages only. Messages appear complete and
 * durable, or not at all. Flags are kept. -RS_EINVAL: not an mbox; -RS_ETEMP: cancelled, or the source changed
 * meanwhile: run it again. `out` is filled on failure, too. */
int rs_import_mail(const struct rs_import_mail *m, struct rs_import_mail_done *out,
	struct rs_err *err) RS_MUST_USE;

#endif
