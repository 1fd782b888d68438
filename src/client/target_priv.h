/* target_priv.h - what the files of the targets share. Nobody else includes it. */
#ifndef RS_CLIENT_TARGET_PRIV_H
#define RS_CLIENT_TARGET_PRIV_H

#include "client/net.h"
#include "client/target.h"

struct target_imap;

struct rs_target {
	const struct rs_places *places;
	const struct rs_account *account;
	GCancellable *cancel;
	struct rs_target_spec spec;
	/* LMTP and SMTP (target_lmtp.c) */
	struct rs_net_where where;
	struct rs_net *net; /* NULL: not connected */
	char in[4096];
	gsize in_n;
	/* IMAP (target_imap.c) */
	struct target_imap *imap; /* NULL: not connected */
};

/* What a target said, one line, harmless for a terminal. Owned. */
char *target_words(const char *said);
const char *target_recipient(const struct rs_target *t);

int target_mda_deliver(struct rs_target *t, const struct rs_target_mail *m, struct rs_err *err);

int target_lmtp_deliver(struct rs_target *t, const struct rs_target_mail *m, struct rs_err *err);
void target_lmtp_close(struct rs_target *t);

int target_imap_deliver(struct rs_target *t, const struct rs_target_mail *m, struct rs_err *err);
int target_imap_has(struct rs_target *t, const char *message_id, struct rs_err *err);
void target_imap_close(struct rs_target *t);

#endif
