/* cmd_user.c - restanted user WHAT [ADDRESS]: who lives here. The file of users is changed, which the
 * service reads again by itself; it need not run. */
#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>

#include "restanted/ask_password.h"
#include "restanted/commands.h"
#include "server/user_app.h"
#include "server/userdb.h"
#include "server/userdb_edit.h"

struct order {
	struct rs_conf *conf;
	char name[256]; /* clean; "" for list */
	gboolean from_stdin;
	gboolean json;
	gboolean apps;
	char *scheme;
	char *app;
	char *revoke;
	char **keys;
};

/* --- passwords ----------------------------------------------------------------------------- */

/* A new field from what the person types. */
static int new_field(const struct order *o, char **field, struct rs_err *err)
{
	char password[ASK_PASSWORD_MAX];
	int rc = ask_password(o->from_stdin, password, err);

	if (rc == 0)
		rc = rs_password_hash(o->scheme, rs_slice_str(password), field, err);
	rs_wipe(password, sizeof(password));
	return rc;
}

static int add(const struct order *o, struct rs_err *err)
{
	g_autofree char *field = NULL;
	int rc = new_field(o, &field, err);

	if (rc == 0)
		rc = rs_userdb_add(o->conf->users, o->name, field, o->keys, err);
	if (rc == 0)
		(void)printf("%s added\n", o->name);
	return rc;
}

/* It is shown once: nobody can be told it later. */
static int app_add(const struct order *o, struct rs_err *err)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();
	g_autofree char *today = g_date_time_format(now, "%Y-%m-%d");
	g_autofree char *text = NULL;
	char shown[RS_APP_SHOWN_MAX + 1];
	int rc = rs_app_make(o->app, today, &text, shown, err);

	if (rc < 0)
		return rc;
	rc = rs_userdb_app_add(o->conf->users, o->name, text, err);
	if (rc == 0)
		(void)printf("%s\n", shown);
	if (rc == 0)
		(void)fprintf(stderr,
			"This is the password of %s for '%s'. It is not kept and cannot be shown "
			"again; revoke it with\n    restanted user password %s --revoke %s\n",
			o->name, o->app, o->name, o->app);
	rs_wipe(shown, sizeof(shown));
	return rc;
}

static int app_list(const struct order *o, struct rs_err *err)
{
	struct rs_user *u = NULL;
	int rc = rs_userdb_find_now(o->conf, o->name, &u, err);

	for (char **a = rc == 0 ? u->apps : NULL; a && *a; a++) {
		char name[RS_APP_NAME_MAX + 1];
		const char *created;

		rs_app_names(*a, name, &created);
		(void)printf("%s %.10s\n", name, created);
	}
	rs_user_free(u);
	return rc;
}

static int password(const struct order *o, struct rs_err *err)
{
	g_autofree char *field = NULL;
	struct rs_user *u = NULL;
	int rc;

	if (o->app)
		return app_add(o, err);
	if (o->apps)
		return app_list(o, err);
	if (o->revoke) {
		rc = rs_userdb_app_remove(o->conf->users, o->name, o->revoke, err);
		if (rc == 0)
			(void)printf("'%s' of %s is revoked\n", o->revoke, o->name);
		return rc;
	}
	/* whoever is not there is told so before a password is typed */
	rc = rs_userdb_find_now(o->conf, o->name, &u, err);
	rs_user_free(u);
	if (rc == 0)
		rc = new_field(o, &field, err);
	if (rc == 0)
		rc = rs_userdb_set_password(o->conf->users, o->name, field, err);
	if (rc == 0)
		(void)printf("%s has a new password\n", o->name);
	return rc;
}

/* --- the others ---------------------------------------------------------------------------- */

static int set_disabled(const struct order *o, bool disabled, struct rs_err *err)
{
	bool was;
	int rc = rs_userdb_set_disabled(o->conf->users, o->name, disabled, &was, err);

	if (rc == 0)
		(void)printf("%s %s%s\n", o->name, was == disabled ? "was already " : "is now ",
			disabled ? "disabled: no login, and mail for it is refused" : "enabled");
	return rc;
}

static void print_text(const struct rs_user *u)
{
	(void)printf("%s%s%s%s", u->name, u->disabled ? " disabled" : "", u->pop3 ? "" : " pop3=no",
		u->smtp ? "" : " smtp=no");
	for (const char *p = u->rules; p && *p; p++)
		(void)putchar(*p == '\n' ? ' ' : *p);
	if (u->maildir)
		(void)printf(" maildir=%s", u->maildir);
	if (u->apps)
		(void)printf(" app-passwords=%u", g_strv_length(u->apps));
	(void)putchar('\n');
}

static int set_keys(const struct order *o, struct rs_err *err)
{
	int rc = rs_userdb_set_keys(o->conf->users, o->name, o->keys, err);
	struct rs_user *u = NULL;

	if (rc == 0)
		rc = rs_userdb_find_now(o->conf, o->name, &u, err);
	if (rc == 0)
		print_text(u);
	rs_user_free(u);
	return rc;
}

static int disable(const struct order *o, struct rs_err *err)
{
	return set_disabled(o, true, err);
}

static int enable(const struct order *o, struct rs_err *err)
{
	return set_disabled(o, false, err);
}

static int remove_user(const struct order *o, struct rs_err *err)
{
	int rc = rs_userdb_remove(o->conf->users, o->name, err);

	if (rc == 0)
		(void)printf("%s removed; the mail stays where it is\n", o->name);
	return rc;
}

static void json_apps(JsonBuilder *b, char *const *apps)
{
	json_builder_set_member_name(b, "apps");
	json_builder_begin_array(b);
	for (; apps && *apps; apps++) {
		char name[RS_APP_NAME_MAX + 1];
		g_autofree char *day = NULL;
		const char *created;

		rs_app_names(*apps, name, &created);
		day = g_strndup(created, 10);
		json_builder_begin_object(b);
		json_builder_set_member_name(b, "name");
		json_builder_add_string_value(b, name);
		json_builder_set_member_name(b, "created");
		json_builder_add_string_value(b, day);
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
}

static void json_flag(JsonBuilder *b, const char *name, gboolean on)
{
	json_builder_set_member_name(b, name);
	json_builder_add_boolean_value(b, on);
}

/* One object a line. */
static void print_json(const struct rs_user *u)
{
	g_autoptr(JsonBuilder) b = json_builder_new();
	g_auto(GStrv) rules = u->rules ? g_strsplit(u->rules + 1, "\n", -1) : NULL;
	g_autoptr(JsonNode) node = NULL;
	g_autofree char *text = NULL;

	json_builder_begin_object(b);
	json_builder_set_member_name(b, "user");
	json_builder_add_string_value(b, u->name);
	json_flag(b, "disabled", u->disabled);
	json_flag(b, "pop3", u->pop3);
	json_flag(b, "smtp", u->smtp);
	for (char **r = rules; r && *r; r++) {
		char *value = strchr(*r, '=');

		*value++ = '\0';
		json_builder_set_member_name(b, *r);
		json_builder_add_string_value(b, value);
	}
	if (u->maildir) {
		json_builder_set_member_name(b, "maildir");
		json_builder_add_string_value(b, u->maildir);
	}
	json_apps(b, u->apps);
	json_builder_end_object(b);
	node = json_builder_get_root(b);
	text = json_to_string(node, FALSE);
	(void)printf("%s\n", text);
}

static void print_user(void *arg, const struct rs_user *u)
{
	const struct order *o = arg;

	if (o->json)
		print_json(u);
	else
		print_text(u);
}

static int list(const struct order *o, struct rs_err *err)
{
	struct rs_user *u = NULL;
	int rc;

	if (!o->name[0])
		return rs_userdb_each(o->conf, print_user, (void *)(uintptr_t)o, err);
	rc = rs_userdb_find_now(o->conf, o->name, &u, err);
	if (rc == 0)
		print_user((void *)(uintptr_t)o, u);
	rs_user_free(u);
	return rc;
}

/* --- the command --------------------------------------------------------------------------- */

static int card(const struct order *o, struct rs_err *err)
{
	return cmd_user_card(o->conf, o->name, err);
}

static const struct {
	const char *what;
	int (*run)(const struct order *o, struct rs_err *err);
} orders[] = {
	{"add", add}, {"password", password}, {"set", set_keys}, {"disable", disable},
	{"enable", enable}, {"list", list}, {"remove", remove_user},
	{"card", card}, /* cmd_card.c */
};

static int run(struct order *o, const char *what, const char *address, struct rs_err *err)
{
	size_t i = 0;

	while (strcmp(orders[i].what, what) != 0)
		i++;
	if (!address && strcmp(what, "list") != 0)
		return rs_err_set(err, RS_EINVAL, "user %s wants an ADDRESS", what);
	if (address && rs_user_name_clean(rs_slice_str(address), o->name) < 0)
		return rs_err_set(err, RS_EINVAL, "'%s' cannot be a user's address", address);
	return orders[i].run(o, err);
}

static bool is_order(const char *what)
{
	for (size_t i = 0; i < G_N_ELEMENTS(orders); i++) {
		if (strcmp(orders[i].what, what) == 0)
			return true;
	}
	return false;
}

/* Options that another order would pass over without a word are told. NULL: all is well. */
static const char *misplaced(const struct order *o, const char *what)
{
	bool is_password = strcmp(what, "password") == 0;
	bool is_add = strcmp(what, "add") == 0;

	if ((o->app || o->apps || o->revoke) && !is_password)
		return "--app, --apps and --revoke belong to user password";
	if (!!o->app + !!o->apps + !!o->revoke > 1)
		return "one of --app, --apps and --revoke at a time";
	if ((o->app || o->apps || o->revoke) && (o->from_stdin || o->scheme))
		return "app passwords are made here; --password-stdin and --scheme do not belong "
		       "to "
		       "them";
	if (o->keys && !is_add)
		return "--set belongs to user add";
	if ((o->from_stdin || o->scheme) && !is_add && !is_password)
		return "--password-stdin and --scheme belong to user add and user password";
	return o->json && strcmp(what, "list") != 0 ? "--json belongs to user list" : NULL;
}

static void order_finish(struct order *o)
{
	if (o->conf)
		rs_conf_destroy(&o->conf);
	g_free(o->scheme);
	g_free(o->app);
	g_free(o->revoke);
	g_strfreev(o->keys);
}

static int check_and_run(struct order *o, const char *file, int argc, char **argv)
{
	const char *wrong;
	struct rs_err err;
	int rc;

	bool is_set = argc > 1 && strcmp(argv[1], "set") == 0;

	if (argc < 2 || (argc > 3 && !is_set) || !is_order(argv[1]))
		return cmd_usage("user add|password|set|disable|enable|list|remove|card [ADDRESS] "
				 "is wanted");
	if (is_set && argc < 4)
		return cmd_usage("user set ADDRESS KEY=VALUE… is wanted");
	wrong = misplaced(o, argv[1]);
	if (wrong)
		return cmd_usage(wrong);
	if (is_set)
		o->keys = g_strdupv(argv + 3);
	rc = rs_conf_load(file, &o->conf, NULL, NULL, &err);
	if (rc == 0)
		rc = run(o, argv[1], argc > 2 ? argv[2] : NULL, &err);
	return rc < 0 ? cmd_fail(&err) : RS_EXIT_OK;
}

int cmd_user(int argc, char **argv)
{
	struct order o = {.conf = NULL};
	g_autofree char *file = NULL;
	const GOptionEntry entries[] = {
		{"password-stdin", 0, 0, G_OPTION_ARG_NONE, &o.from_stdin,
			"add, password: read the password from standard input", NULL},
		{"scheme", 0, 0, G_OPTION_ARG_STRING, &o.scheme,
			"add, password: how it is kept (crypt, scram-sha-256 …)", "SCHEME"},
		{"set", 0, 0, G_OPTION_ARG_STRING_ARRAY, &o.keys,
			"add: a key of the account (quota=1G, pop3=no …); may be repeated",
			"KEY=VALUE"},
		{"app", 0, 0, G_OPTION_ARG_STRING, &o.app,
			"password: make an app password and show it", "NAME"},
		{"apps", 0, 0, G_OPTION_ARG_NONE, &o.apps,
			"password: list app passwords, with the day each was made", NULL},
		{"revoke", 0, 0, G_OPTION_ARG_STRING, &o.revoke, "password: end an app password",
			"NAME"},
		{"json", 0, 0, G_OPTION_ARG_NONE, &o.json, "list: one JSON object a line", NULL},
		G_OPTION_ENTRY_NULL,
	};
	int status;

	if (cmd_options(&argc, &argv,
		    "add|password|set|disable|enable|list|remove|card [ADDRESS] - who lives here",
		    entries, &file, &status))
		status = check_and_run(&o, file, argc, argv);
	order_finish(&o);
	return status;
}
