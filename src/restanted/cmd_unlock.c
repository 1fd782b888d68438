/* cmd_unlock.c - restanted unlock ADDRESS: whoever has the maildrop gives it up. The service ends its own
 * session; another program is named, and ended where --force says so. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "restanted/admin_ask.h"
#include "restanted/commands.h"
#include "restanted/lock_holder.h"
#include "server/userdb.h"

#define WAIT_MS 3000 /* for a store that is closing, or a program that was told to end */
#define POLL_MS 20

/* Where the mail of `address` lies, as far as the configuration tells; NULL: it does not. */
static char *path_of(const struct rs_conf *conf, const char *address)
{
	struct rs_user nobody = {.name = NULL};
	struct rs_user *u = NULL;
	char name[256];
	char *path = NULL;

	if (!conf->store_path || rs_user_name_clean(rs_slice_str(address), name) < 0)
		return NULL;
	nobody.name = name;
	if (rs_userdb_find_now(conf, name, &u, NULL) < 0)
		u = NULL;
	if (rs_user_mailbox(u ? u : &nobody, conf->store_path, &path, NULL) < 0)
		path = NULL;
	rs_user_free(u);
	return path;
}

static bool still_held(const char *path, struct lock_holder *who)
{
	for (int ms = 0; ms < WAIT_MS; ms += POLL_MS) {
		if (!lock_held(path, who))
			return false;
		g_usleep(POLL_MS * 1000);
	}
	return true;
}

/* Somebody has it who is no session. The exit status. */
static int tell_holder(const char *path, struct lock_holder *who, bool force, bool json)
{
	FILE *to = json ? stderr : stdout;

	if (who->pid == 0) {
		(void)fprintf(stderr,
			"restanted: %s is locked, but this user may not see by whom; run this as "
			"root\n",
			path);
		return RS_EXIT_TEMP;
	}
	if (strstr(who->command, "restanted role")) {
		(void)fprintf(stderr,
			"restanted: process %d of the service (%s) still works on %s; wait, it "
			"does not "
			"take long. If it does, the log says why\n",
			(int)who->pid, who->command, path);
		return RS_EXIT_TEMP;
	}
	if (!force) {
		(void)fprintf(stderr,
			"restanted: %s is locked by process %d (%s); end it, or give --force\n",
			path, (int)who->pid, who->command);
		return RS_EXIT_TEMP;
	}
	if (kill(who->pid, SIGTERM) < 0 && errno != ESRCH) {
		(void)fprintf(stderr, "restanted: cannot end process %d (%s): %s\n", (int)who->pid,
			who->command, g_strerror(errno));
		return RS_EXIT_TEMP;
	}
	(void)fprintf(to, "Ended process %d (%s)\n", (int)who->pid, who->command);
	if (!still_held(path, who))
		return RS_EXIT_OK;
	(void)fprintf(stderr, "restanted: %s is still locked, by process %d (%s)\n", path,
		(int)who->pid, who->command);
	return RS_EXIT_TEMP;
}

int cmd_unlock(int argc, char **argv)
{
	gboolean force = FALSE;
	const GOptionEntry more[] = {
		{"force", 0, 0, G_OPTION_ARG_NONE, &force,
			"end another program that has the maildrop locked", NULL},
		G_OPTION_ENTRY_NULL,
	};
	struct admin_question q = {.what = RS_ADMIN_UNLOCK,
		.field = "address",
		.summary = "ADDRESS - end what has the maildrop of ADDRESS; nothing is deleted",
		.more = more};
	g_autofree char *path = NULL;
	struct lock_holder who;
	int status = admin_ask(&q, argc, argv);

	if (q.conf && q.asked)
		path = path_of(q.conf, q.asked);
	if (path && (status == RS_EXIT_OK || status == RS_EXIT_NOT_THERE) && still_held(path, &who))
		status = tell_holder(path, &who, force, q.json);
	else if (status == RS_EXIT_NOT_THERE && !q.json)
		(void)fprintf(stderr, "restanted: nobody has the maildrop of %s\n", q.asked);
	admin_question_finish(&q);
	return status;
}
