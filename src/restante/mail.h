/* mail.h - what the commands that read and file mail share: the opened library, rows of a listing. */
#ifndef RS_RESTANTE_MAIL_H
#define RS_RESTANTE_MAIL_H

#include "client/library.h"
#include "restante/restante.h"

/* Open accounts and library, run `work`, close; its exit status. While the index takes in more than a
 * little, a line on the terminal tells. Ctrl-C loses nothing. */
typedef int (*rs_mail_work)(struct rs_library *l, void *arg);
int rs_mail_with(rs_mail_work work, void *arg);

struct rs_rows {
	gboolean json;
	gboolean all;
	gboolean ids;
	gboolean folders; /* a column of them */
	gboolean threads; /* how many messages each has */
	int limit;
	const char *more;  /* what shows all, for the hint: "restante list --all" */
	const char *empty; /* what to say of none */
};

/* Options that all listings have. */
#define RS_ROWS_OPTIONS(o)                                                                         \
	{"all", 'a', 0, G_OPTION_ARG_NONE, &(o).all, N_("Not only a screenful of the newest"),     \
		NULL},                                                                             \
		{"limit", 'n', 0, G_OPTION_ARG_INT, &(o).limit, N_("Only the newest N"), N_("N")}, \
		{"ids", 'i', 0, G_OPTION_ARG_NONE, &(o).ids,                                       \
			N_("Show the ids that stay, beside the numbers"), NULL},                   \
	{                                                                                          \
		"json", 0, 0, G_OPTION_ARG_NONE, &(o).json, N_("One JSON object a line"), NULL     \
	}

/* How many rows are to be asked for: 0 all. One more than is shown, so that "more" can be said. */
guint rs_rows_wanted(const struct rs_rows *o);
/* Print them; numbers mean these from now on (not with --json). */
void rs_rows_say(struct rs_library *l, GPtrArray *list, const struct rs_rows *o);

/* "3 messages moved to Archive" and the like is the command's; this is the JSON of one. */
void rs_entry_json(GString *line, const struct rs_entry *e);

#endif
