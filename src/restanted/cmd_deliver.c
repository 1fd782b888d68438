/* cmd_deliver.c - restanted deliver [-f SENDER] ADDRESS < message
 * One message, durable before it exits 0: what an MTA calls as its delivery agent. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "maildir/maildir.h"
#include "restanted/commands.h"
#include "restanted/mailbox_of.h"
#include "server/dest.h"

static int copy_in(struct rs_deliv *d, guint64 max, struct rs_err *err)
{
	static char buf[65536];
	guint64 octets = 0;
	ssize_t n;
	bool first = true;
	int rc = 0;

	while (rc == 0 && (n = read(STDIN_FILENO, buf, sizeof(buf))) != 0) {
		const char *p = buf;
		const char *end;

		if (n < 0)
			return rs_err_set(
				err, RS_EIO, "cannot read the message: %s", g_strerror(errno));
		/* an MTA that still puts the mbox line in front */
		end = first && n > 5 && memcmp(p, "From ", 5) == 0 ? memchr(p, '\n', (size_t)n)
								   : NULL;
		first = false;
		if (end)
			p = end + 1;
		octets += (guint64)(n - (p - buf));
		if (octets > max)
			return rs_err_set(
				err, RS_EINVAL, "the message is larger than [limits] message-size");
		rc = rs_deliv_write(d, p, (size_t)(n - (p - buf)), err);
	}
	return rc;
}

static int deliver(
	const char *mailbox, const struct rs_conf *conf, const char *head, struct rs_err *err)
{
	struct rs_deliv *d = NULL;
	struct rs_mailbox box;
	struct rs_dest dest = {.m = NULL};
	int rc = rs_mailbox_parse(mailbox, &conf->rules, &box, err);

	if (rc == 0)
		rc = mailbox_become_owner(box.path, conf->user, err);
	rs_mailbox_finish(&box);
	if (rc == 0)
		rc = rs_dest_open(rs_fs_posix(), mailbox, &conf->rules, &dest, err);

	if (rc == 0)
		rc = rs_deliv_begin(dest.m, NULL, &d, err);
	if (rc == 0)
		rc = rs_deliv_write(d, head, strlen(head), err);
	if (rc == 0)
		rc = copy_in(d, conf->message_size, err);
	if (rc == 0)
		rc = rs_deliv_finish(d, err);
	if (rc == 0)
		rc = rs_deliv_sync(d, err);
	if (rc == 0)
		rc = rs_dest_deliver(&dest, d, true, err);
	rs_deliv_destroy(&d);
	rs_dest_finish(&dest);
	return rc;
}

int cmd_deliver(int argc, char **argv)
{
	g_autofree char *file = NULL;
	g_autofree char *sender = NULL;
	g_autofree char *mailbox = NULL;
	g_autofree char *head = NULL;
	const GOptionEntry entries[] = {
		{"from", 'f', 0, G_OPTION_ARG_STRING, &sender, "envelope sender", "SENDER"},
		G_OPTION_ENTRY_NULL,
	};
	struct rs_conf *conf = NULL;
	struct rs_err err;
	int status;
	int rc;

	if (!cmd_options(&argc, &argv, "ADDRESS < message - deliver one message", entries, &file,
		    &status))
		return status;
	if (argc != 2)
		return cmd_usage("deliver wants one ADDRESS");
	if ((sender && strpbrk(sender, "\r\n")) || strpbrk(argv[1], "\r\n"))
		return cmd_usage("an address holds no line ends");
	rc = rs_conf_load(file, &conf, NULL, NULL, &err);
	if (rc == 0)
		rc = mailbox_text_of(conf, argv[1], true, &mailbox, &err);
	head = g_strdup_printf(
		"Return-Path: <%s>\nDelivered-To: %s\n", sender ? sender : "", argv[1]);
	if (rc == 0)
		rc = deliver(mailbox, conf, head, &err);
	status = RS_EXIT_OK;
	if (rc == -RS_ELIMIT) /* over quota: EX_TEMPFAIL or EX_CANTCREAT, as LMTP's 452 and 552 */
		status = conf->quota_permanent ? RS_EXIT_CANNOT : RS_EXIT_TEMP;
	if (rc < 0 && status == RS_EXIT_OK)
		status = cmd_fail(&err);
	else if (rc < 0)
		(void)cmd_fail(&err);
	if (conf)
		rs_conf_destroy(&conf);
	return status;
}
