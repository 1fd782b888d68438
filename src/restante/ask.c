/* ask.c - questions at the terminal. */
#include "restante/restante.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/secret.h"
#include "client/text.h"

#define ANSWER_MAX 1024

/* One line of standard input without its end; false at the end of input. */
static bool line_read(char line[ANSWER_MAX])
{
	if (!fgets(line, ANSWER_MAX, stdin))
		return false;
	line[strcspn(line, "\r\n")] = '\0';
	return true;
}

char *rs_ask(const char *question, const char *standard)
{
	char line[ANSWER_MAX];

	for (;;) {
		if (standard && *standard)
			rs_say("%s [%s]: ", question, standard);
		else
			rs_say("%s: ", question);
		(void)fflush(stdout);
		if (!line_read(line))
			return NULL;
		g_strstrip(line);
		if (*line)
			return g_locale_to_utf8(line, -1, NULL, NULL, NULL);
		if (standard)
			return g_strdup(standard);
	}
}

/* Ctrl-C while the echo is off must not leave the terminal without it. */
static struct termios terminal_before;

static void on_signal(int number)
{
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal_before);
	(void)signal(number, SIG_DFL);
	(void)raise(number);
}

char *rs_ask_secret(const char *question)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct sigaction before[G_N_ELEMENTS(signals)];
	struct sigaction act = {.sa_handler = on_signal};
	struct termios quiet;
	char line[ANSWER_MAX];
	char *answer = NULL;

	if (tcgetattr(STDIN_FILENO, &terminal_before) < 0)
		return NULL;
	for (size_t i = 0; i < G_N_ELEMENTS(signals); i++)
		(void)sigaction(signals[i], &act, &before[i]);
	quiet = terminal_before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	rs_say("%s: ", question);
	(void)fflush(stdout);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	if (line_read(line))
		answer = g_strdup(line);
	rs_wipe(line, sizeof(line));
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal_before);
	for (size_t i = 0; i < G_N_ELEMENTS(signals); i++)
		(void)sigaction(signals[i], &before[i], NULL);
	rs_say("\n");
	return answer;
}
