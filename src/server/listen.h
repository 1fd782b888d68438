/* listen - the sockets of [listen], bound once by the master and shared by all fronts. */
#ifndef RS_SERVER_LISTEN_H
#define RS_SERVER_LISTEN_H

#include "server/conf.h"

#define RS_LISTENERS_MAX 64u

struct rs_listeners {
	struct {
		enum rs_service service;
		int fd;
		char *unix_path; /* to be removed at the end, or NULL */
	} rows[RS_LISTENERS_MAX];
	unsigned n;
};

/* All or nothing. -RS_ENET names the address and the cure. A stale unix socket (nobody answers)
 * is replaced; one that is alive is an error. */
int rs_listeners_open(
	struct rs_listeners *l, const struct rs_conf *c, struct rs_err *err) RS_MUST_USE;
void rs_listeners_close(struct rs_listeners *l);

#endif
