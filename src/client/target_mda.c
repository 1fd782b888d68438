/* target_mda.c - a command that takes the message on its standard input, as procmail, maildrop or dovecot-lda do. Its
 * exit status is of sysexits.h: 0 it has it, 75 later, anything else: not this one. */
#include "client/target_priv.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/text.h"

#define RUN_MAX_MS    (10 * 60 * 1000) /* a command that is not done by then is ended */
#define EXIT_TEMPFAIL 75

/* Wait for the child; false: it had to be ended. */
static bool wait_for(GPid pid, int *status)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	bool done = true;

	if (fd >= 0) {
		int n;

		do {
			n = poll(&p, 1, RUN_MAX_MS);
		} while (n < 0 && (errno == EINTR));
		done = n != 0;
		close(fd);
	}
	if (!done)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, status, 0) < 0 && errno == EINTR)
		;
	return done;
}

int target_mda_deliver(struct rs_target *t, const struct rs_target_mail *m, struct rs_err *err)
{
	char *argv[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, t->spec.what, NULL};
	g_auto(GStrv) env = g_get_environ();
	g_autoptr(GError) error = NULL;
	int status = 0;
	GPid pid;

	env = g_environ_setenv(env, "RECIPIENT", target_recipient(t), TRUE);
	env = g_environ_setenv(env, "SENDER", m->sender, TRUE);
	if (!g_spawn_async_with_fds(NULL, argv, env, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid,
		    m->fd, -1, -1, &error))
		return rs_err_set(err, RS_ECONFIG, _("the command %s cannot be run: %s"),
			t->spec.what, error->message);
	if (!wait_for(pid, &status))
		return rs_err_set(err, RS_ETEMP, _("the command %s did not end within ten minutes"),
			t->spec.what);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFSIGNALED(status))
		return rs_err_set(err, RS_ETEMP, _("the command %s was ended by signal %d"),
			t->spec.what, WTERMSIG(status));
	return rs_err_set(err, WEXITSTATUS(status) == EXIT_TEMPFAIL ? RS_ETEMP : RS_EINVAL,
		_("the command %s ended with status %d"), t->spec.what, WEXITSTATUS(status));
}
