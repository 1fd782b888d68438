/* cmd_serve.c - restanted serve [-c FILE], restanted check-config [-c FILE] */
#include <stdio.h>

#include "restanted/commands.h"
#include "server/autoconfig.h"
#include "server/master.h"
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

/* What belongs into DNS so that programs trust the JSON that is served. */
static void print_pacc(const struct rs_conf *conf)
{
	g_autofree char *txt = rs_pacc_txt(conf);

	for (guint i = 0; i < conf->listen->len; i++) {
		const struct rs_conf_listen *l = g_ptr_array_index(conf->listen, i);

		if (l->service != RS_SERVICE_AUTOCONFIG && l->service != RS_SERVICE_AUTOCONFIGS)
			continue;
		(void)printf("TXT of _ua-auto-config.DOMAIN: \"%s\"\n", txt);
		return;
	}
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
		rc = rs_tls_check(conf, &err);
	if (rc == 0)
		rc = rs_userdb_try(conf, &err);
	if (rc == 0) {
		(void)printf("%s is in order\n", file);
		print_pacc(conf);
	}
	if (conf)
		rs_conf_destroy(&conf);
	if (rc < 0)
		return cmd_fail(&err);
	return RS_EXIT_OK;
}
