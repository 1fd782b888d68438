/* submit - hand messages to the account's SMTP server: the engine (proto/smtpc.h) on a connection (net.h), the
 * mechanisms of sasl.h. RFC 5321, 6409. It blocks; cancel from another thread.
 *
 * The one thing that counts here: is the message the server's? It is when the answer to the final dot was a yes, it is
 * not when the final dot never went out or was answered with a no. Between lies the moment of which nobody can know:
 * `before_dot` is called in front of it, so that it can be written down, and `unsure` says that it was not left.
 * Thread: one owner. */
#ifndef RS_CLIENT_SUBMIT_H
#define RS_CLIENT_SUBMIT_H

#include <gio/gio.h>

#include "base/err.h"
#include "base/secret.h"
#include "client/account.h"

enum rs_submit_fate {
	RS_SUBMIT_WAITING, /* not tried, or put off: try again          */
	RS_SUBMIT_TAKEN,   /* the server knows him; the final dot is not answered */
	RS_SUBMIT_DONE,    /* the server has the message for him        */
	RS_SUBMIT_REFUSED  /* never as it is                            */
};

struct rs_submit_rcpt {
	char *address;
	enum rs_submit_fate fate;
	guint code; /* of the last reply about him, 0: none                    */
	char *said; /* … its words, cleaned; NULL: none                        */
};

struct rs_submit_rcpt *rs_submit_rcpt_new(const char *address);
void rs_submit_rcpt_free(void *rcpt);

struct rs_submit_mail {
	int fd;             /* lent; any line ends; read from its beginning          */
	const char *sender; /* "": the empty one                                     */
	GPtrArray *rcpts;   /* lent: struct rs_submit_rcpt; those WAITING are tried   */
	bool all;           /* all of them or nobody                                 */
	/* Everything is out but the final dot. Not 0: it will not go out. NULL: nothing to do. */
	int (*before_dot)(void *data, struct rs_err *err);
	void *data;
	bool unsure; /* out: the link broke behind the final dot             */
};

/* What a login needs; all lent until close. Either may be NULL. */
struct rs_submit_login {
	const struct rs_secret *password;
	const char *token; /* OAuth access token */
	char *seen; /* NULL, or room for RS_NET_SEEN octets (net.h): the certificate's fingerprint */
};

struct rs_submit;

/* The certificate that the account's SMTP server must show; NULL: any that verifies. Borrowed. */
const char *rs_submit_pin(const struct rs_account *a);

/* Connect, TLS, login. -RS_ECONFIG: the account has no SMTP server. -RS_ENET, -RS_ECERT, -RS_EAUTH, -RS_ETEMP,
 * -RS_EPROTO: one sentence with the cure. */
int rs_submit_open(const struct rs_account *a, const struct rs_submit_login *login,
	GCancellable *cancel, struct rs_submit **out, struct rs_err *err) RS_MUST_USE;
/* Says QUIT, does not wait for the answer. */
void rs_submit_close(struct rs_submit **s);

/* One message to all that are WAITING; each one's fate and words are filled.
 * 0: the session goes on; look at the fates. -RS_ETEMP, -RS_EINVAL: this message was put off, or can never go as it
 * is, for a reason that is nobody's (text); the session goes on where rs_submit_alive. The rest: the session is over;
 * nobody who is not DONE has it, unless `unsure`. */
int rs_submit_mail(struct rs_submit *s, struct rs_submit_mail *m, struct rs_err *err) RS_MUST_USE;
bool rs_submit_alive(const struct rs_submit *s);

#endif
