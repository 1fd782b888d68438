/* ask_password.c - see ask_password.h */
#include "restanted/ask_password.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/secret.h"

/* The terminal gets its echo back also where the person ends the command at the prompt. */
static struct termios usual;

static void on_signal(int sig)
{
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &usual);
	(void)signal(sig, SIG_DFL);
	(void)raise(sig);
}

static bool silence(void)
{
	struct termios silent;

	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &usual) < 0)
		return false;
	silent = usual;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	(void)signal(SIGINT, on_signal);
	(void)signal(SIGTERM, on_signal);
	return tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
}

/* False: nothing was there, or more than a password may be. */
static bool read_line(const char *prompt, char out[ASK_PASSWORD_MAX])
{
	bool silent = silence();
	bool ok;
	size_t n;

	if (silent)
		(void)fprintf(stderr, "%s: ", prompt);
	ok = fgets(out, ASK_PASSWORD_MAX, stdin) != NULL;
	if (silent) {
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &usual);
		(void)fprintf(stderr, "\n");
	}
	if (!ok)
		return false;
	n = strcspn(out, "\r\n");
	ok = n > 0 && n < ASK_PASSWORD_MAX - 1;
	out[n] = '\0';
	return ok;
}

int ask_password(bool from_stdin, char out[ASK_PASSWORD_MAX], struct rs_err *err)
{
	char again[ASK_PASSWORD_MAX];
	bool same;

	if (!from_stdin && !isatty(STDIN_FILENO))
		return rs_err_set(err, RS_EINVAL,
			"no terminal to ask for the password; give it with --password-stdin");
	if (!read_line("Password", out))
		return rs_err_set(err, RS_EINVAL,
			"no password was given (one line, at most %d octets); nothing was changed",
			ASK_PASSWORD_MAX - 2);
	if (from_stdin)
		return 0;
	same = read_line("Once more", again) && strcmp(out, again) == 0;
	rs_wipe(again, sizeof(again));
	return same ? 0
		    : rs_err_set(err, RS_EINVAL, "the two passwords differ; nothing was changed");
}
