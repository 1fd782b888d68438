/* restante.h - what the files of the mail program in the terminal share.
 * One command is one file cmd_<name>.c that exports one struct rs_command; main.c lists them.
 * A command's run() gets the arguments behind its name and returns the exit status. */
#ifndef RS_RESTANTE_RESTANTE_H
#define RS_RESTANTE_RESTANTE_H

#include <glib.h>

#include "base/err.h"
#include "client/account.h"

/* Exit status, as in sysexits.h (design, section 7.1). */
enum rs_exit {
	RS_EXIT_DONE = 0,
	RS_EXIT_NOTHING = 1, /* nothing found */
	RS_EXIT_USAGE = 64,
	RS_EXIT_DATA = 65,
	RS_EXIT_NO_USER = 67, /* a recipient was refused */
	RS_EXIT_UNAVAILABLE = 69,
	RS_EXIT_IO = 74,
	RS_EXIT_TEMP = 75,
	RS_EXIT_PROTOCOL = 76,
	RS_EXIT_REFUSED = 77, /* login or certificate */
	RS_EXIT_CONFIG = 78
};

struct rs_command {
	const char *name;
	const char *arguments; /* for --help: "[NAME…]"        */
	const char *summary;   /* one line, N_()               */
	int (*run)(const struct rs_command *self, int argc, char **argv);
};

extern const struct rs_command rs_cmd_account;
extern const struct rs_command rs_cmd_check;
extern const struct rs_command rs_cmd_compose;
extern const struct rs_command rs_cmd_delete;
extern const struct rs_command rs_cmd_doctor;
extern const struct rs_command rs_cmd_fetch;
extern const struct rs_command rs_cmd_forward;
extern const struct rs_command rs_cmd_folder;
extern const struct rs_command rs_cmd_import;
extern const struct rs_command rs_cmd_index;
extern const struct rs_command rs_cmd_list;
extern const struct rs_command rs_cmd_mark;
extern const struct rs_command rs_cmd_move;
extern const struct rs_command rs_cmd_outbox;
extern const struct rs_command rs_cmd_reply;
extern const struct rs_command rs_cmd_save;
extern const struct rs_command rs_cmd_search;
extern const struct rs_command rs_cmd_send;
extern const struct rs_command rs_cmd_show;
extern const struct rs_command rs_cmd_thread;
extern const struct rs_command rs_cmd_undo;
extern const struct rs_command rs_cmd_watch;

/* The one place where an error kind (0 or a negative rs_err_kind) becomes an exit status. */
int rs_exit_of(int kind);

/* Says that there is no such account. */
int rs_no_account(const char *name);

/* --- options --------------------------------------------------------------------------------- */

/* Parse the options of a command (argv[0] is its name) in place; what is left are the operands,
 * argv[1] on. 0, or RS_EXIT_USAGE with the reason said. `more`: text behind the options, or NULL. */
int rs_options(const struct rs_command *self, const GOptionEntry *entries, const char *more,
	int *argc, char ***argv);
/* The same, where options end at the first operand: what begins with - behind it is an operand. */
int rs_options_first(const struct rs_command *self, const GOptionEntry *entries, const char *more,
	int *argc, char ***argv);
/* Says what is wrong, and how to get help; returns RS_EXIT_USAGE. */
int rs_usage(const struct rs_command *self, const char *fmt, ...) RS_FORMAT(2, 3);

/* --- words ----------------------------------------------------------------------------------- */

/* To standard output; control characters in arguments must have been cleaned before. */
void rs_say(const char *fmt, ...) RS_FORMAT(1, 2);
/* What was said is to be seen before a wait. */
void rs_flush(void);
/* "restante: ..." and a line end to standard error, cleaned, one line. */
void rs_complain(const char *fmt, ...) RS_FORMAT(1, 2);
/* Complain with err->text and return the exit status for it. */
int rs_fail(const struct rs_err *err);
/* Columns of the terminal at standard output; 80 where there is none. *rows may be NULL. */
guint rs_terminal(guint *rows);
bool rs_is_terminal(int fd);

/* Append `text` as a JSON string, with its quotes; null for NULL. Made valid UTF-8. */
void rs_json_str(GString *out, const char *text);
/* Append `"key":`, behind a comma unless it is the first of its object. */
void rs_json_key(GString *out, const char *key);

/* --- how a check went (report.c) --------------------------------------------------------------- */

struct rs_fetch_report;
char *rs_size_words(guint64 octets); /* "3.4 MiB"; g_free it */
/* Messages the server would not give or the target would not take make an error of the whole. */
void rs_report_judge(struct rs_fetch_report *r);
/* The line of check --json (design, section 7.1); rs_report_fields: what is between its braces. */
void rs_report_json(const char *name, const struct rs_fetch_report *r);
void rs_report_fields(GString *line, const char *name, const struct rs_fetch_report *r);
/* "anna: 12 new messages (3.4 MiB), 345 on the server, 12 deleted there" */
void rs_report_counts(const char *name, const struct rs_fetch_report *r);
/* What the person should know although the check itself went well, to standard error. */
void rs_report_warn(const char *name, const struct rs_fetch_report *r, bool dry_run);

/* --- account add ------------------------------------------------------------------------------ */

int rs_account_add(const struct rs_command *self, int argc, char **argv);
int rs_account_edit(const struct rs_command *self, int argc, char **argv);
int rs_account_test(const struct rs_command *self, int argc, char **argv);
int rs_account_remove_command(const struct rs_command *self, int argc, char **argv);
int rs_account_login(const struct rs_command *self, int argc, char **argv);
/* By the browser, or `device`: with a code. Says what to do; an exit status. */
int rs_account_log_in(const struct rs_places *p, const struct rs_account *a, bool device);
int rs_account_edit(const struct rs_command *self, int argc, char **argv);
int rs_account_test(const struct rs_command *self, int argc, char **argv);
int rs_account_remove_command(const struct rs_command *self, int argc, char **argv);

/* Ask at the terminal. Returns the answer without blanks at its ends, `standard` for an empty one
 * (NULL: asks again); NULL at the end of input. Owned. */
char *rs_ask(const char *question, const char *standard);
/* The same without echo. Wipe and free it. */
char *rs_ask_secret(const char *question);

#endif
