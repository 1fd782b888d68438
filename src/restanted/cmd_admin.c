/* cmd_admin.c - restanted status, sessions, kick, unlock, reload: questions to the running service over
 * its socket (server/admin_req.h), told for people or, with --json, as they come. */
#include <errno.h>
#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "restanted/admin_text.h"
#include "restanted/commands.h"
#include "server/admin_req.h"

#define ANSWER_MAX (256u << 20) /* a million sessions */

/* --- the conversation ---------------------------------------------------------------------- */

static int connect_to(const char *path, int *out, struct rs_err *err)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	g_strlcpy(to.sun_path, path, sizeof(to.sun_path));
	if (fd >= 0 && strlen(path) < sizeof(to.sun_path) &&
		connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0) {
		*out = fd;
		return 0;
	}
	(void)rs_err_set(err, RS_ENET, "cannot reach the service at %s: %s%s", path,
		g_strerror(errno),
		errno == EACCES ? "; run this as root"
				: "; is restanted running, with this configuration?");
	if (fd >= 0)
		close(fd);
	return -RS_ENET;
}

static int talk(const char *path, const char *request, GString *answer, struct rs_err *err)
{
	char buf[65536];
	ssize_t n;
	int fd;
	int rc = connect_to(path, &fd, err);

	if (rc < 0)
		return rc;
	if (send(fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request))
		rc = rs_err_set(err, RS_ENET, "the service does not listen: %s", g_strerror(errno));
	(void)shutdown(fd, SHUT_WR);
	while (rc == 0 && (n = read(fd, buf, sizeof(buf))) != 0) {
		if (n < 0 || answer->len > ANSWER_MAX)
			rc = rs_err_set(
				err, RS_ENET, "the answer breaks off: %s", g_strerror(errno));
		else
			g_string_append_len(answer, buf, n);
	}
	close(fd);
	return rc;
}

static char *request_text(enum rs_admin_do what, const char *name, const char *value)
{
	g_autoptr(JsonObject) o = json_object_new();
	g_autoptr(JsonNode) n = json_node_init_object(json_node_alloc(), o);
	g_autofree char *text = NULL;

	json_object_set_string_member(o, "do", rs_admin_do_name(what));
	if (name)
		json_object_set_string_member(o, name, value);
	text = json_to_string(n, FALSE);
	return g_strconcat(text, "\n", NULL);
}

/* The answer, for a person or a script. The exit status. */
static int show(enum rs_admin_do what, const GString *answer, bool json, const char *of)
{
	g_autoptr(JsonParser) parser = json_parser_new();
	JsonNode *root;
	JsonObject *o;

	if (!json_parser_load_from_data(parser, answer->str, (gssize)answer->len, NULL) ||
		!(root = json_parser_get_root(parser)) || !JSON_NODE_HOLDS_OBJECT(root)) {
		(void)fputs("restanted: the service gave no answer; its log may say why\n", stderr);
		return RS_EXIT_UNAVAILABLE;
	}
	o = json_node_get_object(root);
	if (json)
		(void)fputs(answer->str, stdout);
	if (!json_object_get_boolean_member_with_default(o, "ok", FALSE)) {
		if (!json)
			(void)fprintf(stderr, "restanted: %s\n",
				json_object_get_string_member_with_default(o, "error", "refused"));
		return what == RS_ADMIN_RELOAD ? RS_EXIT_CONFIG : RS_EXIT_DATA;
	}
	return admin_text(what, o, json, of);
}

/* --- the commands -------------------------------------------------------------------------- */

static int ask(int argc, char **argv, enum rs_admin_do what, const char *field, const char *summary)
{
	g_autofree char *file = NULL;
	g_autofree char *socket_path = NULL;
	g_autofree char *request = NULL;
	g_autoptr(GString) answer = g_string_new(NULL);
	gboolean json = FALSE;
	const GOptionEntry entries[] = {
		{"json", 0, 0, G_OPTION_ARG_NONE, &json, "one JSON object, for scripts", NULL},
		{"socket", 0, 0, G_OPTION_ARG_FILENAME, &socket_path,
			"the service's socket (run-dir/admin of the configuration)", "PATH"},
		G_OPTION_ENTRY_NULL,
	};
	struct rs_conf *conf = NULL;
	struct rs_err err;
	int status;
	int rc = 0;

	if (!cmd_options(&argc, &argv, summary, entries, &file, &status))
		return status;
	if (argc != (field ? 2 : 1))
		return cmd_usage(
			field ? "give one argument; see --help" : "no argument is expected");
	if (!socket_path) {
		rc = rs_conf_load(file, &conf, NULL, NULL, &err);
		/* a configuration that a reload is to refuse is the service's business */
		socket_path = g_build_filename(
			rc == 0 ? conf->run_dir : "/run/restante", RS_ADMIN_SOCKET, NULL);
		if (rc < 0 && what != RS_ADMIN_RELOAD)
			return cmd_fail(&err);
	}
	if (conf)
		rs_conf_destroy(&conf);
	request = request_text(what, field, field ? argv[1] : NULL);
	rc = talk(socket_path, request, answer, &err);
	if (rc < 0) {
		(void)fprintf(stderr, "restanted: %s\n", err.text);
		return RS_EXIT_UNAVAILABLE;
	}
	return show(what, answer, json, field ? argv[1] : NULL);
}

int cmd_status(int argc, char **argv)
{
	return ask(argc, argv, RS_ADMIN_STATUS, NULL, "- how the service is");
}

int cmd_sessions(int argc, char **argv)
{
	return ask(argc, argv, RS_ADMIN_SESSIONS, NULL, "- who is connected");
}

int cmd_kick(int argc, char **argv)
{
	return ask(argc, argv, RS_ADMIN_KICK, "id",
		"ID - end a session; what it marked for deletion stays");
}

int cmd_unlock(int argc, char **argv)
{
	return ask(argc, argv, RS_ADMIN_UNLOCK, "address",
		"ADDRESS - end the session that has the maildrop of ADDRESS; nothing is deleted");
}

int cmd_reload(int argc, char **argv)
{
	return ask(argc, argv, RS_ADMIN_RELOAD, NULL,
		"- read configuration and certificates again; sessions go on");
}
