/* sasl - the mechanisms, GNU SASL behind one small interface. RFC 4422, 4616 (PLAIN), LOGIN.
 * Server side: the mechanism only takes the exchange apart; whether user and password are right
 * is asked elsewhere (a worker thread of the auth role), because a hash takes its time.
 * Octets are not base64 here: the engines of floor 1 do that. Thread: one owner an exchange. */
#ifndef RS_SASL_SASL_H
#define RS_SASL_SASL_H

#include "base/buf.h"
#include "base/slice.h"

enum rs_sasl_step {
	RS_SASL_CHALLENGE,   /* send *out, come back with the response                    */
	RS_SASL_CREDENTIALS, /* the exchange is over: ask rs_sasl_user and rs_sasl_password */
	RS_SASL_FAILED       /* not what the mechanism wants                               */
};

struct rs_sasl_server;

/* -RS_ENOENT: no such mechanism here; -RS_ENOMEM. `mech` in upper case: PLAIN or LOGIN. */
int rs_sasl_server_create(const char *mech, struct rs_sasl_server **out) RS_MUST_USE;
void rs_sasl_server_destroy(struct rs_sasl_server **s);

/* `in` with p NULL: no (initial) response came. *out is borrowed until the next call. */
enum rs_sasl_step rs_sasl_server_step(
	struct rs_sasl_server *s, struct rs_slice in, struct rs_slice *out);

/* After CREDENTIALS; borrowed until destroy. An authorization identity that differs from the
 * user makes the exchange FAILED: nobody may act as somebody else here. */
struct rs_slice rs_sasl_server_user(const struct rs_sasl_server *s);
struct rs_slice rs_sasl_server_password(const struct rs_sasl_server *s);

/* Client side: the one message of PLAIN into `out` (wipe it afterwards). -RS_EINVAL: a NUL in it. */
int rs_sasl_plain_message(
	struct rs_slice user, struct rs_slice password, struct rs_buf *out) RS_MUST_USE;

#endif
