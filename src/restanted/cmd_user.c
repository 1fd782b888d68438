/* cmd_user.c - restanted user add|list|remove|card [ADDRESS]; the card is in cmd_card.c */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "restanted/commands.h"
#include "server/userdb.h"

#define PASSWORD_MAX 1024

/* One line of standard input, without echo on a terminal. */
static bool read_line(const char *prompt, char *out, size_t n)
{
	struct termios old;
	bool tty = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &old) == 0;
	bool ok;

	if (tty) {
		struct termios silent = old;

		silent.c_lflag &= ~(tcflag_t)ECHO;
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
		(void)fprintf(stderr, "%s: ", prompt);
	}
	ok = fgets(out, (int)n, stdin) != NULL;
	if (tty) {
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
		(void)fprintf(stderr, "\n");
	}
	if (ok)
		out[strcspn(out, "\r\n")] = '\0';
	return ok && *out;
}

/* From standard input; asked for twice on a terminal. */
static int ask_password(bool from_stdin, char *out, struct rs_err *err)
{
	char again[PASSWORD_MAX];
	bool same;

	if (!from_stdin && !isatty(STDIN_FILENO))
		return rs_err_set(err, RS_EINVAL,
			"no terminal to ask for the password; give it with --password-stdin");
	if (!read_line("Password", out, PASSWORD_MAX))
		return rs_err_set(err, RS_EINVAL, "no password was given");
	if (from_stdin)
		return 0;
	same = read_line("Once more", again, sizeof(again)) && strcmp(out, again) == 0;
	rs_wipe(again, sizeof(again));
	return same ? 0
		    : rs_err_set(err, RS_EINVAL, "the two passwords differ; nothing was changed");
}

static int add(const struct rs_conf *conf, const char *name, bool from_stdin, struct rs_err *err)
{
	g_autofree char *hash = NULL;
	char password[PASSWORD_MAX];
	int rc = ask_password(from_stdin, password, err);

	if (rc == 0)
		rc = rs_password_hash(NULL, rs_slice_str(password), &hash, err);
	rs_wipe(password, sizeof(password));
	if (rc == 0)
		rc = rs_userdb_add(conf->users, name, hash, err);
	if (rc == 0)
		(void)printf("%s added\n", name);
	return rc;
}

static void print_user(void *arg, const struct rs_user *u)
{
	(void)printf("%s%s%s%s\n", u->name, u->disabled ? " disabled" : "",
		u->pop3 ? "" : " pop3=no", u->smtp ? "" : " smtp=no");
}

static int run(const struct rs_conf *conf, const char *what, const char *address, bool from_stdin,
	struct rs_err *err)
{
	char name[256];
	int rc;

	if (strcmp(what, "list") == 0)
		return rs_userdb_each(conf->users, print_user, NULL, err);
	if (!address)
		return rs_err_set(err, RS_EINVAL, "user %s wants an ADDRESS", what);
	if (rs_user_name_clean(rs_slice_str(address), name) < 0)
		return rs_err_set(err, RS_EINVAL, "'%s' cannot be a user's address", address);
	if (strcmp(what, "add") == 0)
		return add(conf, name, from_stdin, err);
	if (strcmp(what, "card") == 0)
		return cmd_user_card(conf, name, err);
	rc = rs_userdb_remove(conf->users, name, err);
	if (rc == 0)
		(void)printf("%s removed; the mail stays where it is\n", name);
	return rc;
}

int cmd_user(int argc, char **argv)
{
	g_autofree char *file = NULL;
	gboolean from_stdin = FALSE;
	const GOptionEntry entries[] = {
		{"password-stdin", 0, 0, G_OPTION_ARG_NONE, &from_stdin,
			"read the password from there", NULL},
		G_OPTION_ENTRY_NULL,
	};
	struct rs_conf *conf = NULL;
	struct rs_err err;
	int status;
	int rc;

	if (!cmd_options(&argc, &argv, "add|list|remove|card [ADDRESS] - who lives here", entries,
		    &file, &status))
		return status;
	if (argc < 2 || argc > 3)
		return cmd_usage("user add|list|remove|card [ADDRESS] is wanted");
	if (strcmp(argv[1], "add") && strcmp(argv[1], "list") && strcmp(argv[1], "remove") &&
		strcmp(argv[1], "card"))
		return cmd_usage("only user add, list, remove and card are there yet");
	rc = rs_conf_load(file, &conf, NULL, NULL, &err);
	if (rc == 0)
		rc = run(conf, argv[1], argc > 2 ? argv[2] : NULL, from_stdin, &err);
	if (conf)
		rs_conf_destroy(&conf);
	return rc < 0 ? cmd_fail(&err) : RS_EXIT_OK;
}
