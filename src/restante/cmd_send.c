/* cmd_send.c - restante send: takes the place of sendmail(8). A message comes on standard input and is sent at once;
 * the exit status says how it went. While it is on its way it is in the outbox, so that nothing is lost when this
 * program dies; when it cannot be sent it is taken out again, because the caller still has it and knows. */
#include "restante/sending.h"

#include <string.h>
#include <unistd.h>

#include "client/raw_mail.h"
#include "client/text.h"

/* Another restante that empties the outbox meanwhile leaves it to us. */
#define OURS_S 600

static struct send_options {
	gboolean from_header;
	gboolean no_dot;
	gboolean queue;
	gboolean verbose;
	char *sender;
	char *name;
	char *account;
} given;

static gboolean ignored; /* options of sendmail that mean nothing here */

/* GOption takes callbacks as data. */
#define ON(function) ((void *)(function))

static gboolean on_o(const char *name, const char *value, void *data, GError **error)
{
	(void)name;
	(void)data;
	(void)error;
	if (strcmp(value, "i") == 0)
		given.no_dot = TRUE;
	else if (strcmp(value, "db") == 0 || strcmp(value, "dq") == 0 || strcmp(value, "dd") == 0)
		given.queue = TRUE;
	return TRUE; /* di: at once, as always; em, ep …: how to tell is for programs with a mailbox of their own */
}

static gboolean on_b(const char *name, const char *value, void *data, GError **error)
{
	(void)name;
	(void)data;
	if (strcmp(value, "m") == 0)
		return TRUE;
	g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
		_("-b%s is another program than this one: only -bm, sending, is here"), value);
	return FALSE;
}

static gboolean on_ignored(const char *name, const char *value, void *data, GError **error)
{
	(void)name;
	(void)value;
	(void)data;
	(void)error;
	return TRUE;
}

/* sendmail's options are written together with their values ("-fanna@example.org", "-oi"), which GOption does not
 * know: here they come apart. Owned. */
static char **apart(int argc, char **argv)
{
	static const char with_value[] = "bBfFNoOrRVX";
	GPtrArray *out = g_ptr_array_new();
	bool options = true;

	for (int i = 0; i < argc; i++) {
		const char *word = argv[i];

		options = options && strcmp(word, "--") != 0;
		if (!options || i == 0 || word[0] != '-' || word[1] == '-' || !word[1]) {
			g_ptr_array_add(out, g_strdup(word));
			continue;
		}
		for (word++; *word; word++) {
			g_ptr_array_add(out, g_strdup_printf("-%c", *word));
			if (!strchr(with_value, *word))
				continue;
			if (word[1])
				g_ptr_array_add(out, g_strdup(word + 1));
			else if (i + 1 < argc)
				g_ptr_array_add(out, g_strdup(argv[++i]));
			break;
		}
	}
	g_ptr_array_add(out, NULL);
	return (char **)g_ptr_array_free(out, FALSE);
}

static int drop(struct rs_sending *s, const char *unique)
{
	g_autoptr(GPtrArray) items = NULL;
	struct rs_err err;

	if (rs_outbox_list(s->outbox, &items, &err) < 0)
		return rs_fail(&err);
	for (guint i = 0; i < items->len; i++) {
		const struct rs_out_item *item = items->pdata[i];

		if (strcmp(item->unique, unique) == 0 && rs_outbox_drop(s->outbox, item, &err) < 0)
			return rs_fail(&err);
	}
	return s->status;
}

static int go(struct rs_sending *s, struct rs_envelope *e, int fd)
{
	g_autofree char *unique = NULL;
	struct rs_outbox_flush how = {
		.told = given.verbose ? rs_sending_told : rs_sending_told_short, .arg = s};
	struct rs_err err;

	e->all = true;
	e->next_s = g_get_real_time() / G_USEC_PER_SEC + OURS_S;
	if (rs_outbox_put(s->outbox, e, fd, &unique, &err) < 0)
		return rs_fail(&err);
	how.only = unique;
	s->status = RS_EXIT_TEMP;
	s->state = RS_OUT_QUEUED;
	if (rs_outbox_flush(s->outbox, &how, &err) == 0)
		return s->status;
	if (s->status == RS_EXIT_DONE) /* it has gone, but is not in Sent */
		return rs_fail(&err);
	if (s->state == RS_OUT_UNSURE)
		return s->status;
	if (s->state == RS_OUT_QUEUED && given.queue) {
		rs_complain(_("it stays in the outbox and will be tried again"));
		return RS_EXIT_DONE;
	}
	return drop(s, unique);
}

static int send(struct rs_sending *s, char **rcpts)
{
	struct rs_raw_how how = {.accounts = s->accounts,
		.sender = given.sender,
		.name = given.name,
		.rcpts = (const char *const *)rcpts,
		.from_header = given.from_header,
		.dot_ends = !given.no_dot};
	struct rs_envelope *e = NULL;
	struct rs_err err;
	int fd = -1;
	int status;

	if (given.account) {
		how.account = rs_accounts_find(s->accounts, given.account);
		if (!how.account)
			return rs_no_account(given.account);
	}
	if (rs_raw_mail(STDIN_FILENO, &how, &fd, &e, &err) < 0)
		return rs_fail(&err);
	status = go(s, e, fd);
	rs_envelope_free(e);
	close(fd);
	return status;
}

static int run(const struct rs_command *self, int argc, char **argv)
{
	const GOptionEntry options[] = {
		{"read-recipients", 't', 0, G_OPTION_ARG_NONE, &given.from_header,
			N_("Send to the people in To, Cc and Bcc, too"), NULL},
		{"from", 'f', 0, G_OPTION_ARG_STRING, &given.sender, N_("Sender of the envelope"),
			N_("ADDRESS")},
		{"full-name", 'F', 0, G_OPTION_ARG_STRING, &given.name,
			N_("Name in a From that is added"), N_("NAME")},
		{"ignore-dots", 'i', 0, G_OPTION_ARG_NONE, &given.no_dot,
			N_("A line of one dot does not end it"), NULL},
		{"account", 0, 0, G_OPTION_ARG_STRING, &given.account, N_("Send by this account"),
			N_("NAME")},
		{"queue", 0, 0, G_OPTION_ARG_NONE, &given.queue,
			N_("Keep it when it cannot be sent now (-odb)"), NULL},
		{"verbose", 'v', 0, G_OPTION_ARG_NONE, &given.verbose, N_("Say what was done"),
			NULL},
		{"sender", 'r', G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_STRING, &given.sender, NULL,
			NULL},
		{"option", 'o', G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_CALLBACK, ON(on_o), NULL, NULL},
		{"mode", 'b', G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_CALLBACK, ON(on_b), NULL, NULL},
		/* of sendmail's, taken and without effect here */
		{"body", 'B', G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_CALLBACK, ON(on_ignored), NULL,
			NULL},
		{"notify", 'N', G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_CALLBACK, ON(on_ignored), NULL,
			NULL},
		{"set", 'O', G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_CALLBACK, ON(on_ignored), NULL,
			NULL},
		{"return", 'R', G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_CALLBACK, ON(on_ignored), NULL,
			NULL},
		{"envid", 'V', G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_CALLBACK, ON(on_ignored), NULL,
			NULL},
		{"trace", 'X', G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_CALLBACK, ON(on_ignored), NULL,
			NULL},
		{"no-alias", 'n', G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_NONE, &ignored, NULL, NULL},
		{"me-too", 'm', G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_NONE, &ignored, NULL, NULL},
		{"gateway", 'G', G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_NONE, &ignored, NULL, NULL},
		{"initial", 'U', G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_NONE, &ignored, NULL, NULL},
		{NULL},
	};
	char **words = apart(argc, argv);
	g_auto(GStrv) owned = words; /* GOption moves the pointers in `words` about */
	g_autofree char **view = g_memdup2(words, (g_strv_length(words) + 1) * sizeof(char *));
	char **left = view;
	int left_n = (int)g_strv_length(view);
	struct rs_sending s;
	int status = rs_options(self, options,
		_("Takes the place of sendmail: the message comes on standard input and is sent\n"
		  "at once. Exit status: 0 sent, 75 try again, 67 a recipient was refused,\n"
		  "65 the message was, 69, 76, 77, 78 as in sysexits.h. It goes to all recipients\n"
		  "or to nobody."),
		&left_n, &left);

	if (status)
		return status;
	status = rs_sending_open(&s);
	if (status)
		return status;
	status = send(&s, left + 1);
	rs_sending_close(&s);
	return status;
}

const struct rs_command rs_cmd_send = {"send", N_("[RECIPIENT…]"),
	N_("Send a message from standard input, as sendmail does"), run};
