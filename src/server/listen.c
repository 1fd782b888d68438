/* listen.c - see listen.h */
#include "server/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024

static int fail(const struct rs_conf_listen *at, int errnum, struct rs_err *err)
{
	const char *cure = "";

	if (errnum == EADDRINUSE)
		cure = "; another program has it: stop that one, or take another port";
	else if (errnum == EACCES)
		cure = "; ports below 1024 need root, or CAP_NET_BIND_SERVICE";
	else if (errnum == EADDRNOTAVAIL)
		cure = "; this machine does not have that address";
	return rs_err_set(err, RS_ENET, "cannot listen for %s on %s: %s%s",
		rs_service_name(at->service), at->text, g_strerror(errnum), cure);
}

/* A socket file that nobody answers on is left over from a crash. */
static void remove_stale(const struct rs_conf_listen *at)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)&at->addr;
	struct stat st;
	int fd;

	if (lstat(un->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)un, at->addr_n) < 0 && errno == ECONNREFUSED)
		(void)unlink(un->sun_path);
	close(fd);
}

static int open_one(const struct rs_conf_listen *at, int *out, struct rs_err *err)
{
	int family = at->addr.ss_family;
	int on = 1;
	int fd;

	if (family == AF_UNIX)
		remove_stale(at);
	fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(at, errno, err);
	if (family != AF_UNIX)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&at->addr, at->addr_n) < 0 ||
		listen(fd, BACKLOG) < 0) {
		int errnum = errno;

		close(fd);
		return fail(at, errnum, err);
	}
	/* whoever may reach the folder may deliver: the folder is the lock */
	if (family == AF_UNIX)
		(void)chmod(((const struct sockaddr_un *)&at->addr)->sun_path, 0666);
	*out = fd;
	return 0;
}

int rs_listeners_open(struct rs_listeners *l, const struct rs_conf *c, struct rs_err *err)
{
	for (guint i = 0; i < c->listen->len; i++) {
		const struct rs_conf_listen *at = g_ptr_array_index(c->listen, i);
		int fd;
		int rc;

		if (l->n == RS_LISTENERS_MAX)
			return rs_err_set(err, RS_ECONFIG, "more than %u addresses in [listen]",
				RS_LISTENERS_MAX);
		rc = open_one(at, &fd, err);
		if (rc < 0) {
			rs_listeners_close(l);
			return rc;
		}
		l->rows[l->n].service = at->service;
		l->rows[l->n].fd = fd;
		l->rows[l->n].unix_path =
			at->addr.ss_family == AF_UNIX ? g_strdup(at->text + 5) : NULL;
		l->n++;
	}
	return 0;
}

void rs_listeners_close(struct rs_listeners *l)
{
	for (unsigned i = 0; i < l->n; i++) {
		close(l->rows[i].fd);
		if (l->rows[i].unix_path)
			(void)unlink(l->rows[i].unix_path);
		g_free(l->rows[i].unix_path);
	}
	l->n = 0;
}
