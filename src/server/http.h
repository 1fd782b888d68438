/* http - the little of HTTP that a service of documents needs, without I/O: one whole request in, one answer
 * out, one request a connection. Strict: what two readers could take for two things is refused.
 * Limits: RS_HTTP_HEAD_MAX octets of request line and fields, RS_HTTP_BODY_MAX of body, which must tell
 * its length. Source: RFC 9110, RFC 9112. */
#ifndef RS_SERVER_HTTP_H
#define RS_SERVER_HTTP_H

#include <glib.h>

#include "base/slice.h"

#define RS_HTTP_HEAD_MAX 8192u
#define RS_HTTP_BODY_MAX 16384u

enum rs_http_step {
	RS_HTTP_MORE, /* the request is not whole yet */
	RS_HTTP_REQUEST,
	RS_HTTP_BAD,         /* 400: not HTTP/1.0 or 1.1, or not clean */
	RS_HTTP_TOO_LARGE,   /* 413: a body over the limit             */
	RS_HTTP_UNSUPPORTED, /* 501: a transfer coding                 */
};

struct rs_http_req { /* borrowed from the input */
	struct rs_slice method;
	struct rs_slice
		path; /* begins with '/', still percent-encoded; of an absolute form without the host */
	struct rs_slice query; /* behind the '?'; empty when there is none */
	struct rs_slice body;
};

/* What is in `in` so far. *out is filled with REQUEST only. Of a growing input MORE comes until it is
 * something else, and then that stays. */
enum rs_http_step rs_http_read(struct rs_slice in, struct rs_http_req *out);

/* The value of `name` in a query, percent-decoded, '+' as a blank. 0; -RS_ENOENT: not there; -RS_EINVAL: badly
 * encoded, there twice, or longer than `out`, or with a control character. */
int rs_http_query(struct rs_slice query, const char *name, char *out, size_t out_n) RS_MUST_USE;

struct rs_http_answer {
	guint status;      /* 200, 400, 404, 405, 413, 501 */
	const char *type;  /* Content-Type */
	const char *field; /* one more header field, with CRLF; NULL: none */
	struct rs_slice body;
	bool head; /* it was HEAD: the body is not sent */
};

/* The connection is to be closed behind it. */
void rs_http_answer(GString *out, const struct rs_http_answer *a);

#endif
