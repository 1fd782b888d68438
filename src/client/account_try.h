/* account_try - is an account right? Log in at both its servers, look at what is there, say QUIT. Nothing is
 * fetched, sent or changed. Blocks; call it on a thread of its own where that matters. */
#ifndef RS_CLIENT_ACCOUNT_TRY_H
#define RS_CLIENT_ACCOUNT_TRY_H

#include "base/secret.h"
#include "client/account.h"
#include "client/net.h"

struct rs_try_one {
	bool tried;
	int rc; /* 0, or a negative kind; then `err` has the words, with the provider's peculiarities */
	struct rs_err err;
	char certificate[RS_NET_SEEN]; /* SHA-256 of what the server showed, "" where none came */
};

struct rs_try {
	struct rs_try_one pop3;
	guint32 messages;
	guint64 octets;
	bool uidl;    /* it can be told there what was fetched; asked where it is not announced */
	guint32 caps; /* RS_CAP_* */
	struct rs_try_one smtp; /* tried is false where the account does not send */
};

/* Both servers; SMTP is tried, too, where POP3 failed for another reason than the password. */
void rs_account_try(const struct rs_account *a, const struct rs_secret *password,
	GCancellable *cancel, struct rs_try *out);

/* "UIDL, TOP, PIPELINING": what of it matters to a person. g_free it. */
char *rs_try_caps_words(guint32 caps);

/* Words of a failed login, and behind them what the provider of `host` wants of mail programs. */
void rs_try_add_hint(const char *host, struct rs_err *err);

#endif
