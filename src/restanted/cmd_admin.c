/* cmd_admin.c - restanted status, sessions, kick, reload, and the way of unlock: questions to the running service over
 * its socket (server/admin_req.h), told for people or, with --json, as they come. */
#include <errno.h>
#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "restanted/admin_ask.h"
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

static int status_of(const char *code)
{
	static const int status[RS_ADMIN_CODE_N] = {
		[RS_ADMIN_BAD] = RS_EXIT_DATA,
		[RS_ADMIN_NOT_YOU] = RS_EXIT_NOT_YOU,
		[RS_ADMIN_CONFIG] = RS_EXIT_CONFIG,
		[RS_ADMIN_BUSY] = RS_EXIT_TEMP,
	};

	for (unsigned i = RS_ADMIN_BAD; i < RS_ADMIN_CODE_N; i++) {
		if (strcmp(code, rs_admin_code_name((enum rs_admin_code)i)) == 0)
			return status[i];
	}
	return RS_EXIT_UNAVAILABLE;
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
		return status_of(json_object_get_string_member_with_default(o, "code", ""));
	}
	return admin_text(what, o, json, of);
}

/* --- the commands -------------------------------------------------------------------------- */

/* Where the service listens: as given, or as its configuration says. */
static int find_socket(struct admin_question *q, const char *file, char **path, struct rs_err *err)
{
	g_autofree char *text = NULL;
	gsize n;
	int rc;

	/* not rs_conf_load: who may ask need not be able to read the key */
	if (g_file_get_contents(file, &text, &n, NULL))
		rc = rs_conf_parse(file, rs_slice(text, n), &q->conf, err);
	else
		rc = rs_err_set(err, RS_ECONFIG,
			"cannot read %s; give the service's socket with --socket", file);
	if (*path)
		return 0;
	/* a configuration that is wrong is the service's business, when a reload is to refuse it */
	if (rc < 0 && q->what != RS_ADMIN_RELOAD)
		return rc;
	*path = g_build_filename(
		q->conf ? q->conf->run_dir : "/run/restante", RS_ADMIN_SOCKET, NULL);
	return 0;
}

int admin_ask(struct admin_question *q, int argc, char **argv)
{
	g_autofree char *file = NULL;
	g_autofree char *path = NULL;
	g_autofree char *request = NULL;
	g_autoptr(GString) answer = g_string_new(NULL);
	g_autoptr(GArray) entries = g_array_new(TRUE, TRUE, sizeof(GOptionEntry));
	const GOptionEntry common[] = {
		{"json", 0, 0, G_OPTION_ARG_NONE, &q->json, "one JSON object, for scripts", NULL},
		{"socket", 0, 0, G_OPTION_ARG_FILENAME, &path,
			"the service's socket (run-dir/admin of the configuration)", "PATH"},
	};
	struct rs_err err;
	int status;
	int rc;

	g_array_append_vals(entries, common, G_N_ELEMENTS(common));
	for (const GOptionEntry *e = q->more; e && e->long_name; e++)
		g_array_append_val(entries, *e);
	if (!cmd_options(&argc, &argv, q->summary, (const GOptionEntry *)(void *)entries->data,
		    &file, &status))
		return status;
	if (argc != (q->field ? 2 : 1))
		return cmd_usage(
			q->field ? "give one argument; see --help" : "no argument is expected");
	q->asked = q->field ? g_strdup(argv[1]) : NULL;
	rc = find_socket(q, file, &path, &err);
	if (rc < 0)
		return cmd_fail(&err);
	request = request_text(q->what, q->field, q->asked);
	rc = talk(path, request, answer, &err);
	if (rc < 0) {
		(void)fprintf(stderr, "restanted: %s\n", err.text);
		return RS_EXIT_UNAVAILABLE;
	}
	return show(q->what, answer, q->json, q->asked);
}

void admin_question_finish(struct admin_question *q)
{
	if (q->conf)
		rs_conf_destroy(&q->conf);
	g_clear_pointer(&q->asked, g_free);
}

static int ask(int argc, char **argv, enum rs_admin_do what, const char *field, const char *summary)
{
	struct admin_question q = {.what = what, .field = field, .summary = summary};
	int status = admin_ask(&q, argc, argv);

	admin_question_finish(&q);
	return status;
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

int cmd_reload(int argc, char **argv)
{
	return ask(argc, argv, RS_ADMIN_RELOAD, NULL,
		"- read configuration and certificates again; sessions go on");
}
