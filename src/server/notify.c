/* notify.c - see notify.h */
#include "server/notify.h"

#include <errno.h>
#include <glib.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/num.h"
#include "server/log.h"

void rs_notify(const char *text)
{
	const char *path = g_getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t n = path ? strlen(path) : 0;
	int fd;

	if (n < 2 || n >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, n);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* whoever does not listen must not stop the service */
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&to,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0 &&
		errno != EAGAIN)
		rs_log(RS_LOG_WARNING, "notify-failed", "why", g_strerror(errno), NULL);
	close(fd);
}

void rs_notify_reloading(void)
{
	g_autofree char *text = g_strdup_printf(
		"RELOADING=1\nMONOTONIC_USEC=%" G_GINT64_FORMAT, g_get_monotonic_time());

	rs_notify(text);
}

static bool number(const char *name, uint64_t *out)
{
	const char *text = g_getenv(name);

	return text && rs_num_u64(rs_slice_str(text), UINT64_MAX, out) == 0;
}

uint64_t rs_notify_watchdog_ms(void)
{
	uint64_t us;
	uint64_t pid;

	if (!number("WATCHDOG_USEC", &us) || us == 0)
		return 0;
	if (number("WATCHDOG_PID", &pid) && pid != (uint64_t)getpid())
		return 0;
	return MAX(
		us / 1000 / 2, 1); /* half of the time allowed, as sd_watchdog_enabled(3) advises */
}
