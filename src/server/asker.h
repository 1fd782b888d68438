/* asker - questions by HTTP and HTTPS to another service, beside the loop: libcurl on one thread of its own,
 * so that a service that is slow keeps nobody else waiting (hashes have the pool of libuv). The answer comes
 * by a call on the loop's thread. No redirects, no proxies, no other protocols. */
#ifndef RS_SERVER_ASKER_H
#define RS_SERVER_ASKER_H

#include <uv.h>

#include "base/err.h"
#include "base/slice.h"

struct rs_asker;

#define RS_ASKER_PENDING_MAX 256u /* questions without an answer */
#define RS_ASKER_TIME_S      10   /* for a question as a whole   */

/* `ca_file` NULL: the system's. */
int rs_asker_create(uv_loop_t *loop, const char *ca_file, struct rs_asker **out,
	struct rs_err *err) RS_MUST_USE;
/* Questions without an answer get none. Waits for the thread. */
void rs_asker_destroy(struct rs_asker **a);

struct rs_question {
	const char *url;
	const char *form;  /* application/x-www-form-urlencoded to POST; NULL: GET */
	const char *login; /* "name:password" for HTTP Basic; NULL: none          */
	size_t answer_max; /* octets of the answer, more is no answer             */
};

/* status 0: no answer, `why` says so; else that of HTTP. All borrowed. */
typedef void (*rs_answer_fn)(void *arg, long status, struct rs_slice body, const char *why);

/* Everything is copied. -RS_ELIMIT: too many are under way; `fn` is not called then. */
int rs_asker_ask(
	struct rs_asker *a, const struct rs_question *q, rs_answer_fn fn, void *arg) RS_MUST_USE;

/* `text` as a value of a form; owned by the caller. */
char *rs_asker_escape(struct rs_slice text);

#endif
