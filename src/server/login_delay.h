/* login_delay - when each user logged in last, so that LOGIN-DELAY of RFC 2449 is held. Kept by the auth role, so it
 * holds over all fronts; forgotten when that role is started anew.
 * Memory: users who logged in within twice the delay. Time is handed in. */
#ifndef RS_SERVER_LOGIN_DELAY_H
#define RS_SERVER_LOGIN_DELAY_H

#include <stdbool.h>
#include <stdint.h>

struct rs_login_delay;

struct rs_login_delay *rs_login_delay_new(uint32_t seconds); /* 0: everybody may, always */
void rs_login_delay_free(struct rs_login_delay *d);          /* NULL is fine */

/* A login of `user` whose password was right, at `now_ms` of a clock that only goes forward. False: too soon; it
 * does not count then, so who knocks too often is not kept out for longer. */
bool rs_login_delay_take(struct rs_login_delay *d, const char *user, uint64_t now_ms);

#endif
