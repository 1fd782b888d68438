/* target_spec - where new mail goes to, as `--deliver-to` and the key `deliver-to` have it. Pure.
 *   maildir:DIR                         a folder here (the standard)
 *   mda:COMMAND                         a command that reads the message; sysexits.h says how it went
 *   lmtp:HOST:PORT, lmtp:/SOCKET        another server by LMTP
 *   smtp:HOST:PORT                      another server by SMTP, without login
 *   imap://USER@HOST[:PORT]/FOLDER      appended there; imaps: TLS from the start, imap: STARTTLS, which
 *                                       must work unless the host is a loopback address */
#ifndef RS_CLIENT_TARGET_SPEC_H
#define RS_CLIENT_TARGET_SPEC_H

#include <glib.h>

#include "base/base.h"

enum rs_target_kind {
	RS_TARGET_MAILDIR,
	RS_TARGET_MDA,
	RS_TARGET_LMTP,
	RS_TARGET_SMTP,
	RS_TARGET_IMAP
};

struct rs_target_spec {
	enum rs_target_kind kind;
	char *what;   /* folder, command, or socket; else NULL */
	char *host;   /* or NULL */
	guint16 port; /* 0: none */
	bool tls;     /* imaps */
	char *user;   /* imap */
	char *folder; /* imap, INBOX where none is given */
};

/* NULL, or why the text is none (translated; goes behind the value). */
const char *rs_target_parse(const char *text, struct rs_target_spec *out);
void rs_target_spec_finish(struct rs_target_spec *s);

#endif
