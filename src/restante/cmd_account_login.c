/* cmd_account_login.c - restante account login: the login by OAuth 2, by the browser or with a code; account add does it, too. */
#include "restante/restante.h"

#include <string.h>
#include <unistd.h>

#include "client/clean.h"
#include "client/oauth.h"
#include "client/text.h"

/* Is there somewhere for a browser to appear? */
static bool has_display(void)
{
	const char *wayland = g_getenv("WAYLAND_DISPLAY");
	const char *x11 = g_getenv("DISPLAY");

	return (wayland && *wayland) || (x11 && *x11) || g_getenv("BROWSER");
}

static void on_visit(void *arg, const char *url)
{
	char *argv[] = {(char[]){"xdg-open"}, (char *)(guintptr)url, NULL};
	bool opened = has_display() && g_spawn_async(NULL, argv, NULL,
					       G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL |
						       G_SPAWN_STDERR_TO_DEV_NULL,
					       NULL, NULL, NULL, NULL);

	if (opened)
		rs_say(_("Log in in the browser that opens now. If none does, open this address on "
			 "this "
			 "computer:\n%s\n"),
			url);
	else
		rs_say(_("Open this address in a browser of this computer, and log in "
			 "there:\n%s\n"),
			url);
	rs_flush();
}

static void on_type(void *arg, const char *address, const char *code, const char *with_code)
{
	g_autofree char *clean = rs_clean_line(address);
	g_autofree char *clean_code = rs_clean_line(code);

	rs_say(_("Open %s on any device, and type this code there: %s\n"), clean, clean_code);
	if (with_code) {
		g_autofree char *whole = rs_clean_line(with_code);

		rs_say(_("Or open %s\n"), whole);
	}
	rs_flush();
}

int rs_account_log_in(const struct rs_places *p, const struct rs_account *a, bool device)
{
	const struct rs_oauth_ask ask = {.device = device, .visit = on_visit, .type = on_type};
	struct rs_err err;

	if (rs_oauth_login(p, a, &ask, &err) < 0)
		return rs_fail(&err);
	rs_say(_("Logged in at %s.\n"), a->oauth2);
	return RS_EXIT_DONE;
}

static int log_in(const struct rs_places *p, const char *name, bool device)
{
	g_autoptr(GPtrArray) list = NULL;
	struct rs_account *a;
	struct rs_err err;

	if (rs_accounts_load(p, &list, &err) < 0)
		return rs_fail(&err);
	a = rs_accounts_find(list, name);
	if (!a)
		return rs_no_account(name);
	if (!a->oauth2) {
		rs_complain(_("account '%s' logs in with a password; to change that give it oauth2 "
			      "= ISSUER in %s"),
			name, p->config_file);
		return RS_EXIT_CONFIG;
	}
	return rs_account_log_in(p, a, device);
}

int rs_account_login(const struct rs_command *self, int argc, char **argv)
{
	gboolean device = FALSE;
	const GOptionEntry entries[] = {
		{"device", 0, 0, G_OPTION_ARG_NONE, &device,
			N_("With a code typed on another device, not a browser here"), NULL},
		{NULL},
	};
	struct rs_places places;
	struct rs_err err;
	int status = rs_options(self, entries, NULL, &argc, &argv);

	if (status)
		return status;
	if (argc != 2)
		return rs_usage(self, _("give the name of one account"));
	if (rs_places_find(&places, &err) < 0)
		return rs_fail(&err);
	status = log_in(&places, argv[1], device);
	rs_places_finish(&places);
	return status;
}
