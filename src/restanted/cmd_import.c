/* cmd_import.c - restanted import uidl|diff --from SOURCE ADDRESS: what another server calls the messages of a
 * mailbox. Works on the files; the service may run. */
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "maildir/maildir.h"
#include "restanted/ask_password.h"
#include "restanted/commands.h"
#include "restanted/mailbox_of.h"
#include "server/uidl_take.h"

#define SHOWN_MAX 20u /* lines of a kind, without --all */

struct options {
	char *from;
	char *format;
	char *ca_file;
	gboolean no_verify;
	gboolean cleartext;
	gboolean password_stdin;
	gboolean dry;
	gboolean all;
};

static void lines(const struct options *o, const char *what, const GPtrArray *all)
{
	guint n = o->all ? all->len : MIN(all->len, SHOWN_MAX);

	for (guint i = 0; i < n; i++) {
		g_autofree char *text = g_utf8_make_valid(g_ptr_array_index(all, i), -1);

		(void)printf("%s: %s\n", what, text);
	}
	if (n < all->len)
		(void)printf("%s: … and %u more (--all shows them)\n", what, all->len - n);
}

static int take(
	const struct options *o, const char *path, const struct rs_uidl_list *l, struct rs_err *err)
{
	struct rs_uidl_taken t;
	int rc = rs_uidl_take(path, l, o->dry, &t, err);

	if (rc == 0) {
		lines(o, "not read", l->notes);
		lines(o, "refused", t.refused);
		(void)printf("%s %u of %u UIDs, in the order of the old server; %u messages of it "
			     "are not here, "
			     "%u here are not known to it%s\n",
			o->dry ? "would take over" : "took over", t.taken, l->rows->len, t.not_here,
			t.only_here, t.kept ? "; those taken over earlier stay" : "");
		if (t.not_here && !o->dry)
			(void)printf("copy what is missing first and run this again: clients take "
				     "what is not "
				     "here for deleted\n");
		rc = t.refused->len || t.not_here ? RS_EXIT_DATA : RS_EXIT_OK;
	}
	rs_uidl_taken_finish(&t);
	return rc;
}

static int diff(
	const struct options *o, const char *path, const struct rs_uidl_list *l, struct rs_err *err)
{
	struct rs_uidl_diff d;
	int rc = rs_uidl_diff(path, l, &d, err);

	if (rc == 0) {
		lines(o, "not read", l->notes);
		lines(o, "downloaded again", d.again);
		lines(o, "new", d.fresh);
		lines(o, "gone", d.gone);
		if (d.order)
			(void)printf("order: %s\n", d.order);
		(void)printf("a client that is up to date there would know %u messages again, "
			     "download %u again, get "
			     "%u new ones, and take %u for deleted; the order is %s\n",
			d.same, d.again->len, d.fresh->len, d.gone->len,
			d.order ? "another" : "the same");
		rc = d.again->len || d.gone->len || d.order ? RS_EXIT_NOT_THERE : RS_EXIT_OK;
	}
	rs_uidl_diff_finish(&d);
	return rc;
}

/* The old server or its files are read with the rights that started this, the mailbox with its owner's. */
static int run(const struct options *o, const char *verb, const char *conf_file,
	const char *address, struct rs_err *err)
{
	struct rs_uidl_source source = {.from = o->from,
		.format = o->format,
		.ca_file = o->ca_file,
		.no_verify = o->no_verify,
		.cleartext = o->cleartext};
	char password[ASK_PASSWORD_MAX] = "";
	struct rs_mailbox box = {.path = NULL};
	struct rs_uidl_list l = {.rows = NULL};
	struct rs_conf *conf = NULL;
	g_autofree char *path = NULL;
	int rc = rs_conf_load(conf_file, &conf, NULL, NULL, err);

	if (rc == 0)
		rc = mailbox_of(conf, address, &box, err);
	if (rc == 0 && o->password_stdin) {
		rc = ask_password(true, password, err);
		source.password = password;
	}
	if (rc == 0)
		rc = rs_uidl_read(&source, &l, err);
	rs_wipe(password, sizeof(password));
	path = rc == 0 ? mailbox_folder(&box) : NULL;
	if (rc == 0 && (!path || !g_file_test(path, G_FILE_TEST_IS_DIR)))
		rc = rs_err_set(err, RS_EINVAL,
			"%s has no messages yet; copy the mail first, then take over what it was "
			"called",
			address);
	if (rc == 0) {
		rs_uidl_read_heads(&l);
		rc = mailbox_become_owner(box.path, NULL, err);
	}
	if (rc == 0)
		rc = strcmp(verb, "diff") == 0 ? diff(o, path, &l, err) : take(o, path, &l, err);
	rs_uidl_list_finish(&l);
	rs_mailbox_finish(&box);
	if (conf)
		rs_conf_destroy(&conf);
	return rc;
}

int cmd_import(int argc, char **argv)
{
	g_autofree char *file = NULL;
	struct options o = {.from = NULL};
	const GOptionEntry entries[] = {
		{"from", 0, 0, G_OPTION_ARG_STRING, &o.from,
			"pop3[s]://USER@HOST, dovecot:DIR, courier:DIR, cyrus:DIR or "
			"uidl-file:FILE",
			"SOURCE"},
		{"uidl-format", 0, 0, G_OPTION_ARG_STRING, &o.format,
			"pop3_uidl_format of the old Dovecot, or the same for Cyrus", "FORMAT"},
		{"password-stdin", 0, 0, G_OPTION_ARG_NONE, &o.password_stdin,
			"read the password of the old server from standard input", NULL},
		{"ca-file", 0, 0, G_OPTION_ARG_FILENAME, &o.ca_file,
			"certificates that are trusted", "FILE"},
		{"no-verify", 0, 0, G_OPTION_ARG_NONE, &o.no_verify,
			"take any certificate of the old server", NULL},
		{"cleartext", 0, 0, G_OPTION_ARG_NONE, &o.cleartext,
			"send the password without TLS where the old server has none", NULL},
		{"dry-run", 0, 0, G_OPTION_ARG_NONE, &o.dry, "change nothing", NULL},
		{"all", 0, 0, G_OPTION_ARG_NONE, &o.all, "show every message", NULL},
		G_OPTION_ENTRY_NULL,
	};
	struct rs_err err;
	int status;
	int rc;

	if (!cmd_options(&argc, &argv,
		    "uidl|diff ADDRESS - take over what another server called the messages of "
		    "ADDRESS, or compare",
		    entries, &file, &status))
		return status;
	if (argc != 3 || (strcmp(argv[1], "uidl") != 0 && strcmp(argv[1], "diff") != 0))
		return cmd_usage("import wants uidl or diff, --from SOURCE, and an ADDRESS");
	if (!o.from)
		return cmd_usage("import wants --from SOURCE");
	rc = run(&o, argv[1], file, argv[2], &err);
	g_free(o.from);
	g_free(o.format);
	g_free(o.ca_file);
	return rc < 0 ? cmd_fail(&err) : rc;
}
