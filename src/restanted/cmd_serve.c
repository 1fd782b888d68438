/* cmd_serve.c - restanted serve [-c FILE], restanted check-config [-c FILE] */
#include <stdio.h>

#include "restanted/commands.h"
#include "server/autoconfig.h"
#include "server/master.h"
#include "server/oauth.h"
#include "server/role.h"
#include "server/tls.h"
#include "server/userdb.h"

int cmd_serve(int argc, char **argv)
{
	g_autofree char *file = NULL;
	int status;

	if (!cmd_options(&argc, &argv, "- run the service in the foreground; SIGTERM ends it", NULL,
		    &file, &status))
		return status;
	if (argc > 1)
		return cmd_usage("serve takes no arguments");
	return rs_master_main(file);
}

static bool tells_programs(const struct rs_conf *conf)
{
	for (guint i = 0; i < conf->listen->len; i++) {
		const struct rs_conf_listen *l = g_ptr_array_index(conf->listen, i);

		if (l->service == RS_SERVICE_AUTOCONFIG || l->service == RS_SERVICE_AUTOCONFIGS)
			return true;
	}
	return false;
}

/* SRV records of RFC 6186 and 8314 and the TXT record that makes programs trust the JSON that is served. */
static void print_dns(const struct rs_conf *conf, const char *domain)
{
	static const char *const names[2][3] = {{"submissions", "submission", "submission"},
		{"pop3s", "pop3", "pop3"}}; /* [incoming][security] */
	g_autofree char *txt = rs_pacc_txt(conf);
	struct rs_card card;

	rs_card_init(&card, conf);
	for (guint i = 0; i < card.servers_n; i++) {
		const struct rs_card_server *s = &card.servers[i];

		(void)printf("_%s._tcp.%s. SRV %u 1 %u %s.\n", names[s->incoming][s->security],
			domain, s->security == RS_CARD_TLS ? 0 : 10, s->port, s->host);
	}
	(void)printf("_ua-auto-config.%s. TXT \"%s\"\n", domain, txt);
	rs_card_finish(&card);
}

/* With an autoconfig listener: what belongs into DNS beside it. */
static void print_records(const struct rs_conf *conf)
{
	char **d = conf->autoconfig_domains;

	if (!tells_programs(conf))
		return;
	(void)printf("Records for DNS, so that mail programs find it%s:\n",
		d ? "" : " (DOMAIN: each domain of your addresses)");
	for (; d && *d; d++)
		print_dns(conf, *d);
	if (!conf->autoconfig_domains)
		print_dns(conf, "DOMAIN");
}

int cmd_check_config(int argc, char **argv)
{
	g_autofree char *file = NULL;
	struct rs_conf *conf = NULL;
	struct rs_err err;
	int status;
	int rc;

	if (!cmd_options(&argc, &argv, "- read the configuration and say what is wrong with it",
		    NULL, &file, &status))
		return status;
	rc = rs_conf_load(file, &conf, NULL, NULL, &err);
	if (rc == 0)
		rc = rs_role_check_names(conf, &err);
	if (rc == 0)
		rc = rs_tls_check(conf, &err);
	if (rc == 0)
		rc = rs_oauth_check(conf, &err);
	if (rc == 0)
		rc = rs_userdb_try(conf, &err);
	if (rc == 0) {
		(void)printf("%s is in order\n", file);
		print_records(conf);
	}
	if (conf)
		rs_conf_destroy(&conf);
	if (rc < 0)
		return cmd_fail(&err);
	return RS_EXIT_OK;
}
