/* listen - the sockets of [listen] and the administrator's, bound once by the master and shared by
 * the roles; those that systemd hands over (sd_listen_fds(3)) are taken instead of bound.
 * A reload keeps the sockets that stay in the configuration, so that nobody who waits to be
 * accepted is lost. */
#ifndef RS_SERVER_LISTEN_H
#define RS_SERVER_LISTEN_H

#include "server/conf.h"

#define RS_LISTENERS_MAX 64u

struct rs_listener {
	enum rs_service service;
	int fd;
	char *text;  /* as in [listen]; of a socket handed over the address it has */
	bool passed; /* handed over: not ours to remove */
	bool is_unix;
};

struct rs_listeners {
	struct rs_listener rows[RS_LISTENERS_MAX];
	unsigned n;
};

/* All or nothing. What `old` (may be NULL) has is used again, as a descriptor of its own.
 * -RS_ENET names the address and the cure; -RS_ECONFIG a socket handed over that nothing asks for.
 * A stale unix socket (nobody answers) is replaced; one that is alive is an error. */
int rs_listeners_open(struct rs_listeners *l, const struct rs_conf *c,
	const struct rs_listeners *old, struct rs_err *err) RS_MUST_USE;
/* Unix sockets are removed, except those that `kept` (may be NULL) has too. */
void rs_listeners_close(struct rs_listeners *l, const struct rs_listeners *kept);

#endif
