/* oauth_loop.c - the browser's way back: a socket on 127.0.0.1 that waits for the one request with our state (RFC 8252 section
 * 7.3). Anybody on this machine can connect: what does not bear the state is turned away and ends nothing. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/oauth_priv.h"
#include "client/text.h"

#define REQUEST_MAX 16384u
#define LINK_MS     10000 /* for the request of one connection */
#define SLICE_MS    200   /* so often it is looked whether all was cancelled */

struct oauth_loop {
	int fd;
	char redirect[40];
};

int oauth_loop_open(struct oauth_loop **out, struct rs_err *err)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, n) < 0 || listen(fd, 8) < 0 ||
		getsockname(fd, (struct sockaddr *)&at, &n) < 0) {
		int rc = rs_err_set(
			err, RS_EIO, _("cannot listen on 127.0.0.1: %s"), g_strerror(errno));

		if (fd >= 0)
			close(fd);
		return rc;
	}
	*out = g_new0(struct oauth_loop, 1);
	(*out)->fd = fd;
	g_snprintf((*out)->redirect, sizeof((*out)->redirect), "http://127.0.0.1:%u/",
		ntohs(at.sin_port));
	return 0;
}

const char *oauth_loop_redirect(const struct oauth_loop *l)
{
	return l->redirect;
}

void oauth_loop_close(struct oauth_loop **l)
{
	if (!*l)
		return;
	close((*l)->fd);
	g_free(*l);
	*l = NULL;
}

/* --- the request ---------------------------------------------------------------------------------- */

int oauth_loop_parse(const char *line, const char *state, char **code)
{
	size_t n = g_str_has_prefix(line, "GET /?") ? strcspn(line + 6, " \r\n#") : 0;
	g_autofree char *query = g_strndup(n ? line + 6 : "", n);
	g_autoptr(GHashTable) values = NULL;
	const char *got;

	if (!n)
		return 0;
	values = g_uri_parse_params(query, -1, "&", G_URI_PARAMS_WWW_FORM, NULL);
	got = values ? g_hash_table_lookup(values, "state") : NULL;
	if (!got || !rs_secret_eq(rs_slice_str(got), rs_slice_str(state)))
		return 0;
	got = g_hash_table_lookup(values, "code");
	if (got && *got) {
		*code = g_strdup(got);
		return 1;
	}
	got = g_hash_table_lookup(values, "error");
	*code = g_strdup(got ? got : "");
	return -RS_EAUTH;
}

static bool wait_for(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, ms) > 0;
}

/* The first line and what follows, up to the empty line. False: none came. */
static bool request_read(int fd, char *buf)
{
	gint64 end_us = g_get_monotonic_time() + LINK_MS * 1000;
	size_t n = 0;

	buf[0] = '\0';
	while (n + 1 < REQUEST_MAX && !strstr(buf, "\r\n\r\n")) {
		ssize_t k;

		if (!wait_for(fd, (int)MAX((end_us - g_get_monotonic_time()) / 1000, 0)))
			return false;
		k = recv(fd, buf + n, REQUEST_MAX - n - 1, 0);
		if (k <= 0)
			return false;
		n += (size_t)k;
		buf[n] = '\0';
	}
	return true;
}

static void answer(int fd, const char *status, const char *words)
{
	g_autofree char *text =
		g_strdup_printf("HTTP/1.1 %s\r\nContent-Type: text/html; "
				"charset=utf-8\r\nCache-Control: no-store\r\n"
				"Referrer-Policy: no-referrer\r\nConnection: close\r\n\r\n"
				"<!doctype html><title>Restante</title><p>%s</p>\n",
			status, words);

	(void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
	(void)shutdown(fd, SHUT_WR);
}

/* As oauth_loop_parse. */
static int one(int fd, const char *state, char **code)
{
	g_autofree char *buf = g_malloc(REQUEST_MAX);
	int rc = 0;

	if (request_read(fd, buf))
		rc = oauth_loop_parse(buf, state, code);
	if (rc == 1)
		answer(fd, "200 OK", _("You are logged in. This window can be closed."));
	else if (rc < 0)
		answer(fd, "200 OK", _("The login was refused. This window can be closed."));
	else
		answer(fd, "404 Not Found", _("There is nothing here."));
	rs_wipe(buf, REQUEST_MAX);
	return rc;
}

int oauth_loop_wait(struct oauth_loop *l, const char *state, const struct rs_oauth_ask *ask,
	char **code, struct rs_err *err)
{
	gint64 end_us = g_get_monotonic_time() +
			(gint64)(ask->limit_s ? ask->limit_s : RS_OAUTH_LIMIT_S) * G_USEC_PER_SEC;

	while (g_get_monotonic_time() < end_us) {
		g_autofree char *got = NULL;
		int fd;
		int rc;

		if (ask->cancel && g_cancellable_is_cancelled(ask->cancel))
			return rs_err_set(err, RS_ETEMP, _("cancelled"));
		if (!wait_for(l->fd, SLICE_MS))
			continue;
		fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		rc = one(fd, state, &got);
		close(fd);
		if (rc == 1) {
			*code = g_steal_pointer(&got);
			return 0;
		}
		if (rc < 0)
			return rs_err_set(
				err, RS_EAUTH, _("the login was refused in the browser (%s)"), got);
	}
	return rs_err_set(err, RS_ETEMP, _("nobody logged in in the browser in time; try again"));
}
