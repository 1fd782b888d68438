/* oauth - the messages of OAUTHBEARER (RFC 7628) and XOAUTH2 (Google, Microsoft), both ways. */
#ifndef RS_SASL_OAUTH_H
#define RS_SASL_OAUTH_H

#include "base/buf.h"
#include "base/slice.h"

enum oauth_form { OAUTH_BEARER, OAUTH_XOAUTH2 };

/* The client's message taken apart: `user` decoded into out (may stay empty for OAUTHBEARER), the
 * token borrowed from `in`, empty when the client gave none to learn where to get one.
 * -RS_EPROTO: not such a message; -RS_ELIMIT: a token above RS_SASL_TOKEN_MAX. */
int oauth_parse(enum oauth_form form, struct rs_slice in, char user[256],
	struct rs_slice *token) RS_MUST_USE;

/* The message. -RS_EINVAL: a name or token that cannot stand in it. */
int oauth_message(enum oauth_form form, struct rs_slice user, struct rs_slice token,
	const char *host, unsigned port, struct rs_buf *to) RS_MUST_USE;

/* The JSON that tells why not; `scope` and `configuration` NULL: not told. */
int oauth_error(enum oauth_form form, bool token_given, const char *scope,
	const char *configuration, struct rs_buf *to) RS_MUST_USE;

#endif
