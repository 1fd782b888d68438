/* auth_delay - how long the answer to a login is held back, so that guessing is slow and nobody is locked
 * out. One table for the whole service: the auth role's.
 *
 * The rule. A source that failed waits 1 s, then 2, 4, 8, at most RS_DELAY_SOURCE_MAX_MS; an account at which
 * three logins failed, from wherever, waits 1, 2, 4, at most RS_DELAY_ACCOUNT_MAX_MS; the longer of both
 * counts. Both are forgotten RS_DELAY_FORGET_MS after the last failure. It counts for the right password
 * too, else an attacker with many connections would know at once which guess was right; but not
 * where this source has logged in to this account before: whoever attacks an account from elsewhere, or
 * from behind the same address, does not slow down its owner's machine. Nobody waits longer than the most.
 * A name that nobody has is an account like any other.
 *
 * Units:    keys are numbers (rs_ip_source, rs_counts_user); source 0 is this machine: webmail brings all its
 *           users from there, so it is no source, but known ones are known. Account 0: nobody was named.
 * Limits:   each table has at most rows_max rows; of more the one not used longest goes.
 * Thread:   one owner. Time is handed in. */
#ifndef RS_SERVER_AUTH_DELAY_H
#define RS_SERVER_AUTH_DELAY_H

#include "base/base.h"

#define RS_DELAY_FIRST_MS       1000u
#define RS_DELAY_SOURCE_MAX_MS  15000u
#define RS_DELAY_ACCOUNT_FREE_N 3u
#define RS_DELAY_ACCOUNT_MAX_MS 5000u
#define RS_DELAY_FORGET_MS      600000u
#define RS_DELAY_KNOWN_MS       (30ull * 86400 * 1000) /* a source that logged in is known so long */
#define RS_DELAY_ROWS_MAX       131072u

struct rs_delays;

struct rs_delays *rs_delays_create(uint32_t rows_max);
void rs_delays_destroy(struct rs_delays **d);

/* A login was refused, or went well: milliseconds to wait before that is told. */
uint32_t rs_delays_failed(struct rs_delays *d, uint64_t source, uint64_t account, uint64_t now_ms);
uint32_t rs_delays_succeeded(
	struct rs_delays *d, uint64_t source, uint64_t account, uint64_t now_ms);

#endif
