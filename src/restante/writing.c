/* writing.c - see writing.h
 *
 * What was written is a draft on disk before any question is asked, and goes from there: a closed terminal loses nothing. */
#include "restante/writing.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/header.h"
#include "client/template.h"
#include "client/text.h"

#define READ_N 65536

const GOptionEntry *rs_writing_options(struct rs_writing *w)
{
	static GOptionEntry entries[10];
	const GOptionEntry list[] = {
		{"account", 0, 0, G_OPTION_ARG_STRING, &w->account, N_("Send by this account"),
			N_("NAME")},
		{"to", 't', 0, G_OPTION_ARG_STRING_ARRAY, &w->to, N_("To whom; may be repeated"),
			N_("ADDRESS")},
		{"cc", 'c', 0, G_OPTION_ARG_STRING_ARRAY, &w->cc, N_("A copy to"), N_("ADDRESS")},
		{"bcc", 'b', 0, G_OPTION_ARG_STRING_ARRAY, &w->bcc,
			N_("A copy to, seen by nobody else"), N_("ADDRESS")},
		{"subject", 's', 0, G_OPTION_ARG_STRING, &w->subject, N_("About what"), N_("TEXT")},
		{"attach", 'a', 0, G_OPTION_ARG_FILENAME_ARRAY, &w->attach,
			N_("Attach a file; may be repeated"), N_("FILE")},
		{"body-file", 0, 0, G_OPTION_ARG_FILENAME, &w->body_file,
			N_("The text, instead of an editor; - is standard input"), N_("FILE")},
		{"send", 0, 0, G_OPTION_ARG_NONE, &w->send, N_("Send without asking"), NULL},
		{NULL},
	};

	G_STATIC_ASSERT(G_N_ELEMENTS(list) <= G_N_ELEMENTS(entries));
	memcpy(entries, list, sizeof(list));
	return entries;
}

int rs_writing_account(
	const struct rs_writing *w, const GPtrArray *accounts, const struct rs_account **out)
{
	*out = w->account ? rs_accounts_find(accounts, w->account) : NULL;
	return w->account && !*out ? rs_no_account(w->account) : 0;
}

/* --- options into the draft ---------------------------------------------------------------- */

static void add_all(char **field, char **words)
{
	for (; words && *words; words++) {
		g_autofree char *both =
			g_strdup_printf("%s%s%s", *field, **field ? ", " : "", *words);

		rs_draft_set(field, both);
	}
}

static int options_apply(const struct rs_writing *w, struct rs_draft *d)
{
	struct rs_err err;

	add_all(&d->to, w->to);
	add_all(&d->cc, w->cc);
	add_all(&d->bcc, w->bcc);
	if (w->subject)
		rs_draft_set(&d->subject, w->subject);
	for (char **file = w->attach; file && *file; file++) {
		if (rs_draft_attach(d, *file, &err) < 0)
			return rs_fail(&err);
	}
	return 0;
}

/* All of a file, at most RS_TEMPLATE_MAX and one octet. */
static char *read_all(int fd, gsize *n)
{
	g_autoptr(GString) text = g_string_new(NULL);
	g_autofree char *buf = g_malloc(READ_N);

	while (text->len <= RS_TEMPLATE_MAX) {
		ssize_t k = read(fd, buf, READ_N);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return NULL;
		if (k == 0)
			break;
		g_string_append_len(text, buf, k);
	}
	*n = text->len;
	return g_string_free(g_steal_pointer(&text), FALSE);
}

/* Text from a file stands in front of what is quoted and of the signature. */
static int body_read(const char *file, struct rs_draft *d)
{
	bool input = strcmp(file, "-") == 0;
	int fd = input ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
	g_autofree char *octets = NULL;
	g_autofree char *text = NULL;
	g_autofree char *both = NULL;
	gsize n = 0;

	if (fd >= 0)
		octets = read_all(fd, &n);
	if (!octets)
		rs_complain(_("cannot read %s: %s"), file, g_strerror(errno));
	if (fd >= 0 && !input)
		close(fd);
	if (!octets)
		return RS_EXIT_IO;
	if (n > RS_TEMPLATE_MAX) {
		rs_complain(_("the text has more than %u MiB; attach it as a file"),
			RS_TEMPLATE_MAX >> 20);
		return RS_EXIT_DATA;
	}
	text = rs_charset_to_utf8(octets, n, NULL);
	both = g_strdup_printf("%s%s%s%s", text,
		*text && text[strlen(text) - 1] != '\n' && *d->text ? "\n" : "",
		*d->text && *d->text != '\n' ? "\n" : "", d->text);
	rs_draft_set(&d->text, both);
	return 0;
}

/* --- the editor ---------------------------------------------------------------------------- */

static const char *editor(void)
{
	static const char *const names[] = {"VISUAL", "EDITOR"};

	for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
		const char *value = g_getenv(names[i]);

		if (value && *value)
			return value;
	}
	return "vi";
}

static int edit_file(char *path)
{
	g_autofree char *line = g_strdup_printf("%s \"$1\"", editor());
	char *argv[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, line, (char[]){"sh"}, path, NULL};
	g_autoptr(GError) error = NULL;
	int status;

	(void)fflush(stdout);
	if (!g_spawn_sync(NULL, argv, NULL, G_SPAWN_CHILD_INHERITS_STDIN, NULL, NULL, NULL, NULL,
		    &status, &error) ||
		!g_spawn_check_wait_status(status, &error)) {
		rs_complain(_("the editor '%s' failed (%s); VISUAL or EDITOR name another"),
			editor(), error->message);
		return RS_EXIT_IO;
	}
	return 0;
}

static int file_write(const char *path, const char *text)
{
	g_autoptr(GError) error = NULL;

	if (g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error))
		return 0;
	rs_complain("%s", error->message);
	return RS_EXIT_IO;
}

/* What the person left in the file; 0, or a status. A template with a mistake is told and edited again. */
static int edit(char *path, struct rs_draft *d)
{
	g_autofree char *text = rs_template_print(d);
	int status = file_write(path, text);

	while (!status) {
		g_autofree char *typed = NULL;
		g_autoptr(GError) error = NULL;
		g_autofree char *answer = NULL;
		struct rs_err err;
		gsize n;

		status = edit_file(path);
		if (status)
			return status;
		if (!g_file_get_contents(path, &typed, &n, &error)) {
			rs_complain("%s", error->message);
			return RS_EXIT_IO;
		}
		if (rs_template_parse(d, typed, n, &err) == 0)
			return 0;
		rs_complain("%s", err.text);
		answer = rs_is_terminal(STDIN_FILENO)
				 ? rs_ask(_("Edit again? yes, or no: leave it"), _("yes"))
				 : NULL;
		if (!answer || g_ascii_tolower(answer[0]) == 'n') {
			rs_complain(_("what you wrote is in %s"), path);
			return RS_EXIT_DATA;
		}
	}
	return status;
}

/* --- what is to become of it --------------------------------------------------------------- */

struct writing {
	struct rs_writing *w;
	struct rs_sending *s;
	struct rs_draft *d;
	char *unique; /* among the drafts; NULL: not there */
	char *path;   /* of the file for the editor; NULL: none */
};

/* Among the drafts, durable; a field with a mistake is not in the way of that: the file of the editor stays then. */
static int keep(struct writing *x)
{
	struct rs_err err;
	int fd;

	if (rs_draft_build(x->d, x->s->accounts, &fd, NULL, &err) < 0)
		return rs_fail(&err);
	if (rs_draft_save(&x->s->places, fd, &x->unique, &err) < 0) {
		close(fd);
		return rs_fail(&err);
	}
	close(fd);
	return 0;
}

static int send_it(struct writing *x)
{
	struct rs_envelope *e = NULL;
	struct rs_err err;
	int status;
	int fd;

	if (rs_draft_build(x->d, x->s->accounts, &fd, &e, &err) < 0)
		return rs_fail(&err);
	x->s->put = false;
	status = rs_sending_send(x->s, e, fd);
	close(fd);
	rs_envelope_free(e);
	if (!x->s->put)
		return status;
	/* the outbox has it, or Sent: it is no draft any more */
	if (x->unique)
		rs_draft_forget(&x->s->places, x->unique);
	g_clear_pointer(&x->unique, g_free);
	if (x->w->sent)
		x->w->sent(x->w->arg);
	return status;
}

static void say_it(const struct rs_draft *d)
{
	g_autofree char *size = g_format_size(strlen(d->text));

	rs_say("%s  %s%s%s  %s", _("To:"), d->to, *d->cc ? ", " : "", d->cc, d->subject);
	rs_say("  (%s", size);
	if (d->attachments->len)
		rs_say(P_(", %u attachment", ", %u attachments", d->attachments->len),
			d->attachments->len);
	rs_say(")\n");
}

/* One letter; the words of a language may begin with others, so each has its own. */
static char ask(void)
{
	const char *letters = _("sedq"); /* Translators: send, edit, draft, quit: their letters */
	g_autofree char *answer =
		rs_ask(_("[s]end, [e]dit again, keep as [d]raft, [q]uit and discard"), NULL);
	const char *at = answer ? strchr(letters, g_ascii_tolower(answer[0])) : NULL;

	if (!answer)
		return 'd'; /* nobody is there any more: nothing is lost, nothing leaves */
	return at && *at ? "sedq"[MIN(at - letters, 3)] : '?';
}

static int say_kept(void)
{
	rs_say(_("Kept in Drafts.\n"));
	return RS_EXIT_DONE;
}

static int discard(struct writing *x)
{
	if (x->unique)
		rs_draft_forget(&x->s->places, x->unique);
	return RS_EXIT_DONE;
}

static int decide(struct writing *x)
{
	for (;;) {
		int status = keep(x);
		char what;

		if (status && status != RS_EXIT_DATA)
			return status;
		say_it(x->d);
		what = ask();
		switch (what) {
		case 's':
			status = send_it(x);
			if (x->s->put)
				return status;
			break; /* a mistake in a field: ask again */
		case 'e':
			status = edit(x->path, x->d);
			if (status)
				return status;
			break;
		case 'd':
			return status ? status : say_kept();
		case 'q':
			return discard(x);
		default:
			break;
		}
	}
}

static int with_editor(struct writing *x)
{
	int status;

	if (!rs_is_terminal(STDIN_FILENO) && !x->w->send) {
		rs_complain(_("there is no terminal to ask at; give --body-file and --send"));
		return RS_EXIT_USAGE;
	}
	if (g_mkdir_with_parents(x->s->places.data_dir, 0700) < 0) {
		rs_complain(_("cannot make the folder %s: %s"), x->s->places.data_dir,
			g_strerror(errno));
		return RS_EXIT_IO;
	}
	x->path = g_strdup_printf("%s/compose-%d.eml", x->s->places.data_dir, (int)getpid());
	status = edit(x->path, x->d);
	if (status) {
		g_clear_pointer(&x->path, g_free); /* it stays: what was written is in it */
		return status;
	}
	if (!x->w->send)
		return decide(x);
	status = keep(x);
	return status ? status : send_it(x);
}

static int without_editor(struct writing *x)
{
	int status = x->w->body_file ? body_read(x->w->body_file, x->d) : 0;

	if (!status && x->w->send)
		return send_it(x);
	if (!status)
		status = keep(x);
	return status ? status : say_kept();
}

int rs_writing_do(struct rs_writing *w, struct rs_sending *s, struct rs_draft *d)
{
	struct writing x = {.w = w, .s = s, .d = d};
	int status = options_apply(w, d);

	if (!status && w->body_file)
		status = without_editor(&x);
	else if (!status)
		status = with_editor(&x);
	if (x.path)
		(void)g_unlink(x.path);
	g_free(x.path);
	g_free(x.unique);
	rs_draft_free(d);
	return status;
}
