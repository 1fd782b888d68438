/* cmd_card.c - restanted user card ADDRESS: the facts of the autoconfig listener for a person, and what holds for
 * the mailbox. */
#include <stdio.h>
#include <string.h>

#include "restanted/commands.h"
#include "server/card.h"
#include "server/mailbox.h"
#include "server/userdb.h"

#define DAY_S 86400

static void print_server(const struct rs_card_server *s)
{
	static const char *const security[] = {"TLS from the start (SSL/TLS)", "STARTTLS",
		"none: the password can be read on its way"};

	(void)printf("\n%s\n  server     %s\n  port       %u\n  security   %s\n",
		s->incoming ? "Mail in (POP3)" : "Mail out (SMTP, with login)", s->host, s->port,
		security[s->security]);
}

static void print_quota(const struct rs_quota *q)
{
	if (q->octets_max) {
		g_autofree char *size = g_format_size_full(q->octets_max, G_FORMAT_SIZE_IEC_UNITS);

		(void)printf("  holds at most %s\n", size);
	}
	if (q->messages_max)
		(void)printf("  holds at most %" G_GUINT64_FORMAT " messages\n", q->messages_max);
}

static void print_view(const struct rs_view *v)
{
	g_autoptr(GDateTime) day = NULL;
	g_autofree char *text = NULL;

	switch (v->kind) {
	case RS_VIEW_ALL:
		(void)printf("  shows all messages\n");
		break;
	case RS_VIEW_NEWEST:
		(void)printf("  shows the newest %u messages\n", v->newest);
		break;
	case RS_VIEW_AGE:
		(void)printf("  shows messages of the last %lld days\n",
			(long long)(v->seconds / DAY_S));
		break;
	case RS_VIEW_SINCE:
		day = g_date_time_new_from_unix_utc(v->seconds);
		text = g_date_time_format(day, "%F");
		(void)printf("  shows messages since %s\n", text);
		break;
	}
}

static void print_rules(const struct rs_rules *r, const char *login)
{
	(void)printf("\nThe mailbox\n");
	print_quota(&r->quota);
	print_view(&r->view);
	if (r->expire_days)
		(void)printf("  removes messages %u days after they arrived\n", r->expire_days);
	if (r->junk == RS_JUNK_SHOW)
		(void)printf("  shows junk among the other messages, marked by a header field "
			     "X-Restante-Folder\n");
	else if (r->junk == RS_JUNK_HIDE)
		(void)printf("  does not show junk\n");
	else
		(void)printf("  has its junk in a folder, reached with the user name %.*s+%s%s\n",
			(int)strcspn(login, "@"), login, r->junk_folder,
			login + strcspn(login, "@"));
	if (*r->kept_folder)
		(void)printf("  keeps what is deleted, in the folder %s\n", r->kept_folder);
	else
		(void)printf("  removes what a mail program deletes, when it says QUIT\n");
}

static int print_card(const struct rs_conf *conf, const struct rs_user *u, struct rs_err *err)
{
	struct rs_card card;
	struct rs_mailbox box;
	g_autofree char *text = NULL;
	g_autofree char *login = NULL;
	int rc = rs_mailbox_text(u, conf->store_path, NULL, &text, err);

	if (rc < 0)
		return rc;
	rc = rs_mailbox_parse(text, &conf->rules, &box, err);
	if (rc == 0) {
		rs_card_init(&card, conf);
		login = card.local_part ? g_strndup(u->name, strcspn(u->name, "@"))
					: g_strdup(u->name);
		(void)printf("%s\n\n  address    %s\n  user name  %s\n  password   the one of this "
			     "account, for mail in and out\n",
			card.name, u->name, login);
		for (guint i = 0; i < card.servers_n; i++)
			print_server(&card.servers[i]);
		print_rules(&box.rules, login);
		if (conf->autoconfig_documentation)
			(void)printf("\nInstructions: %s\n", conf->autoconfig_documentation);
		if (u->disabled)
			(void)printf("\nThis account is disabled: nobody can log in.\n");
		else if (!u->pop3)
			(void)printf("\nThis account may not use POP3.\n");
		rs_card_finish(&card);
	}
	rs_mailbox_finish(&box);
	return rc;
}

int cmd_user_card(const struct rs_conf *conf, const char *name, struct rs_err *err)
{
	struct rs_user *u = NULL;
	int rc = rs_userdb_find_now(conf, name, &u, err);

	if (rc == 0)
		rc = print_card(conf, u, err);
	rs_user_free(u);
	return rc;
}
