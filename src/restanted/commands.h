/* commands - the commands of restanted, one file each; main.c has the table. */
#ifndef RS_RESTANTED_COMMANDS_H
#define RS_RESTANTED_COMMANDS_H

#include <glib.h>

#include "base/err.h"
#include "server/conf.h"

#define RS_CONF_FILE "/etc/restante/restanted.conf"

/* sysexits.h, as design 7 promises them */
enum rs_exit {
	RS_EXIT_OK = 0,
	RS_EXIT_NOT_THERE = 1, /* kick, unlock: no such session */
	RS_EXIT_USAGE = 64,
	RS_EXIT_DATA = 65,
	RS_EXIT_NO_USER = 67,
	RS_EXIT_UNAVAILABLE = 69,
	RS_EXIT_CANNOT = 73,
	RS_EXIT_IO = 74,
	RS_EXIT_TEMP = 75,
	RS_EXIT_NOT_YOU = 77,
	RS_EXIT_CONFIG = 78
};

/* Each gets its arguments from its own name on and returns the exit status. */
int cmd_serve(int argc, char **argv);
int cmd_check_config(int argc, char **argv);
int cmd_user(int argc, char **argv);
/* What cmd_user does for "card"; `name` clean. */
int cmd_user_card(const struct rs_conf *conf, const char *name, struct rs_err *err);
int cmd_deliver(int argc, char **argv);
int cmd_mailbox(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_sessions(int argc, char **argv);
int cmd_kick(int argc, char **argv);
int cmd_unlock(int argc, char **argv);
int cmd_reload(int argc, char **argv);

/* "restanted: text" on standard error; returns the status for the kind. */
int cmd_fail(const struct rs_err *err);
int cmd_usage(const char *text);

/* Parse `entries` (may be NULL) and -c FILE; *conf_file is RS_CONF_FILE when not given. False: the
 * error is out, or --help was shown; *status says what to return. */
bool cmd_options(int *argc, char ***argv, const char *summary, const GOptionEntry *entries,
	char **conf_file, int *status);

#endif
