/* cmd_serve.c - restanted serve [-c FILE], restanted check-config [-c FILE] */
#include <stdio.h>

#include "restanted/commands.h"
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
		rc = rs_userdb_try(conf->users, &err);
	if (conf)
		rs_conf_destroy(&conf);
	if (rc < 0)
		return cmd_fail(&err);
	(void)printf("%s is in order\n", file);
	return RS_EXIT_OK;
}
