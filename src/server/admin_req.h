/* admin_req - what an administrator may ask on the socket run-dir/admin, without I/O.
 * One request a line: a JSON object. {"do":"status"}, {"do":"sessions"}, {"do":"reload"},
 * {"do":"kick","id":"0123456789a"}, {"do":"unlock","address":"anna@example.org"}. Each is answered by
 * one line, an object with "ok": true, or false with "code" and "error" in words. Unknown fields are
 * errors.
 * Limits: RS_ADMIN_LINE_MAX octets a request.   Source: RFC 8259. */
#ifndef RS_SERVER_ADMIN_REQ_H
#define RS_SERVER_ADMIN_REQ_H

#include "base/err.h"
#include "base/slice.h"

#define RS_ADMIN_LINE_MAX 4096u

enum rs_admin_do {
	RS_ADMIN_STATUS,
	RS_ADMIN_SESSIONS,
	RS_ADMIN_KICK,
	RS_ADMIN_UNLOCK,
	RS_ADMIN_RELOAD,
	RS_ADMIN_DO_N
};

/* Why not: "code" of an answer. */
enum rs_admin_code {
	RS_ADMIN_OK,
	RS_ADMIN_BAD,     /* the request  */
	RS_ADMIN_NOT_YOU, /* who asks may not */
	RS_ADMIN_CONFIG,  /* reload: the configuration is wrong */
	RS_ADMIN_BUSY,    /* not now */
	RS_ADMIN_CODE_N
};

const char *rs_admin_code_name(enum rs_admin_code code);

struct rs_admin_req {
	enum rs_admin_do what;
	uint64_t id;       /* KICK: the connection, as in msg.h */
	char address[256]; /* UNLOCK: clean */
};

const char *rs_admin_do_name(enum rs_admin_do what);

/* `line` without its end. 0, or -RS_EINVAL with words for the person who asked. */
int rs_admin_req_parse(
	struct rs_slice line, struct rs_admin_req *out, struct rs_err *err) RS_MUST_USE;

/* "0123456789a", as the log and `sessions` write it. False: not such a thing. */
bool rs_admin_id(const char *text, uint64_t *out);

#endif
