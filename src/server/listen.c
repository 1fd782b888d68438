/* listen.c - see listen.h */
#include "server/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/num.h"

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

/* --- sockets handed over (sd_listen_fds(3)) ------------------------------------------------ */

#define PASSED_FIRST 3

static unsigned passed_n(void)
{
	const char *pid = g_getenv("LISTEN_PID");
	const char *n = g_getenv("LISTEN_FDS");
	uint64_t v;

	if (!pid || !n || rs_num_u64(rs_slice_str(pid), UINT64_MAX, &v) < 0 ||
		v != (uint64_t)getpid() || rs_num_u64(rs_slice_str(n), RS_LISTENERS_MAX, &v) < 0)
		return 0;
	return (unsigned)v;
}

/* The address of a socket as [listen] would write it. */
static char *name_of(int fd)
{
	struct sockaddr_storage a = {.ss_family = AF_UNSPEC};
	const struct sockaddr_in *v4 = (const void *)&a;
	const struct sockaddr_in6 *v6 = (const void *)&a;
	const struct sockaddr_un *un = (const void *)&a;
	socklen_t n = sizeof(a);
	char host[INET6_ADDRSTRLEN] = "";

	if (getsockname(fd, (struct sockaddr *)&a, &n) < 0)
		return g_strdup("(not a socket)");
	if (a.ss_family == AF_UNIX)
		return g_strdup_printf("unix:%.*s", (int)sizeof(un->sun_path), un->sun_path);
	if (a.ss_family == AF_INET) {
		(void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
		return g_strdup_printf("%s:%u", host, ntohs(v4->sin_port));
	}
	(void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
	return g_strdup_printf("[%s]:%u", host, ntohs(v6->sin6_port));
}

/* What is it for? Its name (FileDescriptorName=) says so, or its address stands in [listen]. */
static bool passed_service(
	const struct rs_conf *c, const char *name, const char *text, enum rs_service *out)
{
	for (unsigned s = 0; name && s < RS_SERVICE_N; s++) {
		if (strcmp(name, rs_service_name((enum rs_service)s)) == 0) {
			*out = (enum rs_service)s;
			return true;
		}
	}
	for (guint i = 0; i < c->listen->len; i++) {
		const struct rs_conf_listen *at = g_ptr_array_index(c->listen, i);

		if (strcmp(at->text, text) == 0) {
			*out = at->service;
			return true;
		}
	}
	return false;
}

static int take_passed(struct rs_listeners *l, const struct rs_conf *c, struct rs_err *err)
{
	g_auto(GStrv) names =
		g_strsplit(g_getenv("LISTEN_FDNAMES") ? g_getenv("LISTEN_FDNAMES") : "", ":", -1);
	unsigned n = passed_n();

	for (unsigned i = 0; i < n; i++) {
		struct rs_listener *row = &l->rows[l->n];
		const char *name = i < g_strv_length(names) ? names[i] : NULL;
		int fd = PASSED_FIRST + (int)i;

		row->text = name_of(fd);
		if (!passed_service(c, name, row->text, &row->service)) {
			(void)rs_err_set(err, RS_ECONFIG,
				"the socket %s (%s) was handed over, but nothing says what it is "
				"for; "
				"add it to [listen], or name it after its service "
				"(FileDescriptorName=pop3s)",
				row->text, name ? name : "no name");
			g_free(row->text);
			return -RS_ECONFIG;
		}
		row->fd = fcntl(fd, F_DUPFD_CLOEXEC, PASSED_FIRST);
		row->passed = true;
		row->is_unix = g_str_has_prefix(row->text, "unix:");
		l->n++;
	}
	/* said once: children must not take them for theirs (sd_listen_fds(3)) */
	for (unsigned i = 0; i < n; i++)
		close(PASSED_FIRST + (int)i);
	g_unsetenv("LISTEN_PID");
	g_unsetenv("LISTEN_FDS");
	g_unsetenv("LISTEN_FDNAMES");
	return 0;
}

/* --- all of them --------------------------------------------------------------------------- */

static const struct rs_listener *find(
	const struct rs_listeners *l, enum rs_service service, const char *text)
{
	for (unsigned i = 0; l && i < l->n; i++) {
		if (l->rows[i].service == service && strcmp(l->rows[i].text, text) == 0)
			return &l->rows[i];
	}
	return NULL;
}

static int add(struct rs_listeners *l, const struct rs_conf_listen *at,
	const struct rs_listeners *old, struct rs_err *err)
{
	const struct rs_listener *had = find(old, at->service, at->text);
	struct rs_listener *row = &l->rows[l->n];
	int rc;

	if (find(l, at->service, at->text)) /* handed over */
		return 0;
	if (l->n == RS_LISTENERS_MAX)
		return rs_err_set(
			err, RS_ECONFIG, "more than %u addresses in [listen]", RS_LISTENERS_MAX);
	rc = had ? 0 : open_one(at, &row->fd, err);
	if (rc < 0)
		return rc;
	if (had)
		row->fd = fcntl(had->fd, F_DUPFD_CLOEXEC, PASSED_FIRST);
	row->service = at->service;
	row->text = g_strdup(at->text);
	row->passed = had && had->passed;
	row->is_unix = at->addr.ss_family == AF_UNIX;
	l->n++;
	return 0;
}

/* What was handed over and named stays ours, whether [listen] has its address or not. */
static void keep_passed(struct rs_listeners *l, const struct rs_listeners *old)
{
	for (unsigned i = 0; i < old->n; i++) {
		if (!old->rows[i].passed)
			continue;
		l->rows[l->n] = old->rows[i];
		l->rows[l->n].fd = fcntl(old->rows[i].fd, F_DUPFD_CLOEXEC, PASSED_FIRST);
		l->rows[l->n].text = g_strdup(old->rows[i].text);
		l->n++;
	}
}

/* The administrator's socket, which no configuration can leave out. */
static int add_admin(struct rs_listeners *l, const struct rs_conf *c,
	const struct rs_listeners *old, struct rs_err *err)
{
	g_autofree char *text = g_strdup_printf("unix:%s/" RS_ADMIN_SOCKET, c->run_dir);
	struct rs_conf_listen at = {.service = RS_SERVICE_ADMIN, .text = text};
	struct sockaddr_un *un = (struct sockaddr_un *)&at.addr;

	if (strlen(text + 5) >= sizeof(un->sun_path))
		return rs_err_set(err, RS_ECONFIG,
			"[server] run-dir = %s: is too long for a socket in it (at most %zu "
			"octets)",
			c->run_dir, sizeof(un->sun_path) - sizeof("/" RS_ADMIN_SOCKET));
	un->sun_family = AF_UNIX;
	g_strlcpy(un->sun_path, text + 5, sizeof(un->sun_path));
	at.addr_n = sizeof(*un);
	return add(l, &at, old, err);
}

int rs_listeners_open(struct rs_listeners *l, const struct rs_conf *c,
	const struct rs_listeners *old, struct rs_err *err)
{
	int rc = 0;

	if (old)
		keep_passed(l, old);
	else
		rc = take_passed(l, c, err);
	for (guint i = 0; i < c->listen->len && rc == 0; i++)
		rc = add(l, g_ptr_array_index(c->listen, i), old, err);
	if (rc == 0)
		rc = add_admin(l, c, old, err);
	if (rc < 0)
		rs_listeners_close(l, old);
	return rc;
}

void rs_listeners_close(struct rs_listeners *l, const struct rs_listeners *kept)
{
	for (unsigned i = 0; i < l->n; i++) {
		const struct rs_listener *row = &l->rows[i];

		close(row->fd);
		if (row->is_unix && !row->passed && !find(kept, row->service, row->text))
			(void)unlink(row->text + strlen("unix:"));
		g_free(row->text);
	}
	l->n = 0;
}
