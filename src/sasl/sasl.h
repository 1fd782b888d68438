/* sasl - the mechanisms, both sides, behind one small interface. RFC 4422.
 *   PLAIN (RFC 4616), LOGIN, EXTERNAL (RFC 4422 appendix A), CRAM-MD5 (RFC 2195; client only):
 *                                                        GNU SASL
 *   SCRAM-SHA-1, SCRAM-SHA-256 and -PLUS (RFC 5802, 7677): scram.h
 *   OAUTHBEARER (RFC 7628), XOAUTH2:                       oauth.c
 * Octets are not base64 here: the engines of floor 1 do that. Thread: one owner an exchange.
 *
 * Server side. The mechanism only takes the exchange apart; what must be looked up or takes time is
 * asked of the owner, who answers when it can. After PASSWORD, TOKEN, IDENTITY and PROVEN a yes needs no
 * further call; a no is rs_sasl_server_refused, which may have a last word to say. */
#ifndef RS_SASL_SASL_H
#define RS_SASL_SASL_H

#include "base/buf.h"
#include "base/slice.h"
#include "sasl/scram.h"

/* What binds a login to its TLS channel; empty: there is none. */
struct rs_sasl_binding {
	struct rs_slice exporter;  /* tls-exporter, RFC 9266              */
	struct rs_slice end_point; /* tls-server-end-point, RFC 5929       */
};

#define RS_SASL_MECH_MAX  24u    /* octets of a mechanism's name and its NUL  */
#define RS_SASL_TOKEN_MAX 16384u /* octets of an OAuth token                  */

/* --- server -------------------------------------------------------------------------------- */

enum rs_sasl_step {
	RS_SASL_CHALLENGE, /* send *out, come back with the response                               */
	RS_SASL_PASSWORD, /* is it the password of the user?                                      */
	RS_SASL_KEYS,  /* SCRAM: give the user's keys with rs_sasl_server_keys                  */
	RS_SASL_TOKEN, /* is it a token of the user (empty: of whom?)                          */
	RS_SASL_IDENTITY, /* EXTERNAL: may the certificate's owner be this user (empty: himself)? */
	RS_SASL_PROVEN,   /* SCRAM: it is the user                                                */
	RS_SASL_FAILED    /* not what the mechanism wants, or not proven                          */
};

struct rs_sasl_server;

struct rs_sasl_server_cfg {
	struct rs_sasl_binding binding; /* copied */
	bool plus_offered; /* a -PLUS was announced: a client that says it saw none was lied to */
	const char *nonce; /* SCRAM: ours; NULL: by chance. For tests. */
};

/* -RS_ENOENT: no such mechanism here; -RS_ENOMEM. `mech` in upper case. `cfg` NULL: all empty. */
int rs_sasl_server_create(const char *mech, const struct rs_sasl_server_cfg *cfg,
	struct rs_sasl_server **out) RS_MUST_USE;
void rs_sasl_server_destroy(struct rs_sasl_server **s);

/* `in` with p NULL: no (initial) response came. *out is borrowed until the next call. */
enum rs_sasl_step rs_sasl_server_step(
	struct rs_sasl_server *s, struct rs_slice in, struct rs_slice *out);

/* After KEYS: what the exchange goes on with. Nobody of that name, or nobody who may: keys that are made
 * up, and `real` false; it fails at its end. */
enum rs_sasl_step rs_sasl_server_keys(
	struct rs_sasl_server *s, const struct rs_scram_keys *v, bool real, struct rs_slice *out);
enum rs_scram_hash rs_sasl_server_hash(const struct rs_sasl_server *s); /* … of which hash */

/* The owner's answer is no. OAuth has a challenge in that case (RFC 7628 section 3.2.3), with `scope`
 * and `configuration` (URL) in it where not NULL; the others are FAILED at once. */
enum rs_sasl_step rs_sasl_server_refused(struct rs_sasl_server *s, const char *scope,
	const char *configuration, struct rs_slice *out);

/* Borrowed until destroy. A name to act as that differs from the user's own makes an exchange of
 * PLAIN, LOGIN and SCRAM FAILED: nobody may act as somebody else here. */
struct rs_slice rs_sasl_server_user(const struct rs_sasl_server *s);
struct rs_slice rs_sasl_server_secret(const struct rs_sasl_server *s); /* password or token */

/* --- client -------------------------------------------------------------------------------- */

struct rs_sasl_client_cfg {
	const char *mech; /* upper case                                      */
	struct rs_slice user;
	struct rs_slice secret; /* password; the token for XOAUTH2 and OAUTHBEARER */
	struct rs_sasl_binding binding;
	bool plus_offered; /* the server announced the -PLUS of this mechanism */
	const char *host;  /* OAUTHBEARER tells them; NULL and 0: not          */
	unsigned port;
	const char *nonce; /* SCRAM: ours; NULL: by chance. For tests. */
};

struct rs_sasl_client;

/* Everything is copied. -RS_ENOENT: no such mechanism, or it needs a binding that is not there;
 * -RS_EINVAL: a name or secret that the mechanism cannot carry; -RS_ENOMEM. */
int rs_sasl_client_create(
	const struct rs_sasl_client_cfg *cfg, struct rs_sasl_client **out) RS_MUST_USE;
void rs_sasl_client_destroy(struct rs_sasl_client **c);

/* What to send next. The first call is with p NULL: *out is the initial response, or has p NULL too
 * when the server speaks first. An initial response may also be kept and sent as the answer to an empty
 * challenge, where the server or the length of its line wants that. *out: borrowed until the next call.
 * 0, or -RS_EPROTO: the server's challenge is not acceptable; cancel ("*"). */
int rs_sasl_client_step(
	struct rs_sasl_client *c, struct rs_slice challenge, struct rs_slice *out) RS_MUST_USE;

/* The server says that it was a success: is it one? SCRAM wants the server's proof before it: without
 * it somebody else answers in the server's place. */
bool rs_sasl_client_succeeded(const struct rs_sasl_client *c);

/* Why not, as far as the server or we know ("invalid_token …", "the server does not know the password");
 * may be "". Borrowed. */
const char *rs_sasl_client_error(const struct rs_sasl_client *c);

/* The one message of PLAIN into `out` (wipe it afterwards). -RS_EINVAL: a NUL in it. */
int rs_sasl_plain_message(
	struct rs_slice user, struct rs_slice password, struct rs_buf *out) RS_MUST_USE;

/* What there is to choose by. */
struct rs_sasl_means {
	const char *offered; /* mechanisms, blank between, any case */
	bool tls;            /* the channel cannot be overheard      */
	bool password;
	bool token;
	bool certificate; /* of ours, shown in the handshake */
	bool exporter;    /* bindings that we have           */
	bool end_point;
};

/* The best of the offered ones, NULL: none will do. A password is never sent as it is without TLS
 * (SCRAM and CRAM-MD5 only). Static text. */
const char *rs_sasl_choose(const struct rs_sasl_means *m);
/* Is `mech` among `offered`? */
bool rs_sasl_is_offered(const char *offered, const char *mech);

#endif
