/* oauth - is this a token of this user? By its signature (JWT, keys from a file or a URL), or by asking its
 * issuer (introspection, RFC 7662); see restanted.conf(5), [auth] oauth-*. Lives in the auth role.
 * A yes is remembered for the whole identity, token and user together, until the token ends and for
 * at most [auth] oauth-cache seconds. */
#ifndef RS_SERVER_OAUTH_H
#define RS_SERVER_OAUTH_H

#include <uv.h>

#include "base/err.h"
#include "base/slice.h"
#include "server/conf.h"

struct rs_oauth;

/* NULL in *out: not configured. A file of keys is read; a URL need not answer yet. `conf` is lent for life. */
int rs_oauth_open(uv_loop_t *loop, const struct rs_conf *conf, struct rs_oauth **out,
	struct rs_err *err) RS_MUST_USE;
void rs_oauth_close(struct rs_oauth **o);

/* 0: it is; `user` as rs_user_name_clean makes it. -RS_EAUTH: no. -RS_ETEMP: nobody can say now. `why` is
 * for the log. */
typedef void (*rs_oauth_fn)(void *arg, int rc, const char *user, const char *why);

/* `user`: whose the client says it is, clean; "": he does not say. Answered exactly once, on the loop's
 * thread, perhaps before this returns. */
void rs_oauth_ask(
	struct rs_oauth *o, struct rs_slice token, const char *user, rs_oauth_fn fn, void *arg);

/* Are the files of [auth] oauth-* what they must be? For check-config. */
int rs_oauth_check(const struct rs_conf *conf, struct rs_err *err) RS_MUST_USE;

/* A mechanism of OAuth is of use with this configuration. */
bool rs_oauth_configured(const struct rs_conf *c);
/* It asks others by HTTP; by which ports (how many). */
bool rs_oauth_asks(const struct rs_conf *c);
#define RS_OAUTH_URLS 2u
unsigned rs_oauth_ports(const struct rs_conf *c, uint16_t out[RS_OAUTH_URLS]);

#endif
