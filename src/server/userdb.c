/* userdb.c - see userdb.h: which database a spec means, and what all of them have in common. */
#include "server/userdb.h"

#include <string.h>

#include "server/mailbox.h"
#include "server/user_app.h"
#include "server/userdb_int.h"

void rs_user_free(struct rs_user *u)
{
	if (!u)
		return;
	if (u->password)
		rs_wipe(u->password, strlen(u->password));
	g_free(u->name);
	g_free(u->password);
	g_free(u->maildir);
	g_free(u->rules);
	g_strfreev(u->apps);
	g_free(u->senders);
	g_free(u);
}

static const char *add_app(struct rs_user *u, const char *value)
{
	guint n = u->apps ? g_strv_length(u->apps) : 0;
	const char *why = rs_app_wrong(value);

	if (why)
		return why;
	if (n >= RS_APPS_MAX)
		return "more than 32 app passwords";
	u->apps = g_renew(char *, u->apps, n + 2);
	u->apps[n] = g_strdup(value);
	u->apps[n + 1] = NULL;
	return NULL;
}

static const char *set_maildir(struct rs_user *u, const char *value)
{
	if (value[0] != '/')
		return "maildir= is not an absolute path";
	g_free(u->maildir);
	u->maildir = g_strdup(value);
	return NULL;
}

static const char *set_senders(struct rs_user *u, const char *value)
{
	if (!*value || !g_utf8_validate(value, -1, NULL))
		return "send-as= is not a list of addresses, @domains or *";
	g_free(u->senders);
	u->senders = g_strdup(value);
	return NULL;
}

/* A switch that is neither on nor off would be on: who meant it off must hear of it. */
static const char *set_switch(gboolean *on, const char *value)
{
	if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
		return "is neither yes nor no";
	*on = strcmp(value, "yes") == 0;
	return NULL;
}

static const char *set_pop3(struct rs_user *u, const char *value)
{
	return set_switch(&u->pop3, value);
}

static const char *set_smtp(struct rs_user *u, const char *value)
{
	return set_switch(&u->smtp, value);
}

/* As in Dovecot, to be there is enough. */
static const char *set_disabled(struct rs_user *u, const char *value)
{
	u->disabled = strcmp(value, "no") != 0;
	return NULL;
}

static const struct {
	const char *key;
	const char *(*set)(struct rs_user *u, const char *value);
} user_keys[] = {
	{"maildir", set_maildir},
	{"app", add_app},
	{"send-as", set_senders},
	{"pop3", set_pop3},
	{"smtp", set_smtp},
	{"disabled", set_disabled},
	{"nologin", set_disabled},
};

const char *rs_user_set(struct rs_user *u, const char *key, const char *value)
{
	if (rs_rules_is_key(key))
		return rs_user_rule_add(u, key, value);
	for (size_t i = 0; i < G_N_ELEMENTS(user_keys); i++) {
		if (strcmp(key, user_keys[i].key) == 0)
			return user_keys[i].set(u, value);
	}
	return NULL;
}

bool rs_user_key_known(const char *key)
{
	for (size_t i = 0; i < G_N_ELEMENTS(user_keys); i++) {
		if (strcmp(key, user_keys[i].key) == 0)
			return true;
	}
	return rs_rules_is_key(key);
}

/* --- the databases ------------------------------------------------------------------------- */

static const struct rs_userdb_ops *const all[] = {
	&rs_userdb_passwd_ops, &rs_userdb_sql_ops, &rs_userdb_pam_ops};

int rs_userdb_open(
	uv_loop_t *loop, const struct rs_conf *conf, struct rs_userdb **out, struct rs_err *err)
{
	for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
		if (g_str_has_prefix(conf->users, all[i]->prefix))
			return all[i]->open(
				loop, conf, conf->users + strlen(all[i]->prefix), out, err);
	}
	return rs_err_set(err, RS_ECONFIG, "[auth] users: no such database as %s", conf->users);
}

void rs_userdb_destroy(struct rs_userdb **db)
{
	if (*db)
		(*db)->ops->destroy(*db);
	*db = NULL;
}

void rs_userdb_ask(struct rs_userdb *db, const char *name, rs_user_fn fn, void *arg)
{
	db->ops->ask(db, name, fn, arg);
}

struct rs_password_mix *rs_userdb_mix(struct rs_userdb *db)
{
	return db->ops->mix ? db->ops->mix(db) : rs_password_mix_new();
}

int rs_userdb_check(struct rs_userdb *db, struct rs_password_mix *mix,
	const struct rs_userdb_given *given, const struct rs_user *u, const char **app)
{
	char *stand_in;
	bool ok;

	*app = u ? rs_app_find(u->apps, given->password) : NULL;
	if (*app)
		return 0;
	if (db->ops->check)
		return db->ops->check(db, given, u);
	stand_in = rs_password_mix_draw(mix, NULL, given->name);
	ok = rs_password_check(u ? u->password : NULL, stand_in, given->password);
	if (stand_in)
		rs_wipe(stand_in, strlen(stand_in));
	g_free(stand_in);
	return ok ? 0 : -RS_EAUTH;
}

/* --- for commands -------------------------------------------------------------------------- */

struct answer {
	bool there;
	int rc;
	struct rs_user *user;
};

static void on_answer(void *arg, int rc, struct rs_user *u)
{
	struct answer *a = arg;

	*a = (struct answer){.there = true, .rc = rc, .user = u};
}

static void finish(uv_loop_t *loop, struct rs_userdb **db)
{
	rs_userdb_destroy(db);
	(void)uv_run(loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(loop);
}

static int begin(
	uv_loop_t *loop, const struct rs_conf *conf, struct rs_userdb **db, struct rs_err *err)
{
	int rc = uv_loop_init(loop) < 0 ? rs_err_set(err, RS_EIO, "no event loop") : 0;

	if (rc < 0)
		return rc;
	rc = rs_userdb_open(loop, conf, db, err);
	if (rc < 0)
		finish(loop, db);
	return rc;
}

int rs_userdb_try(const struct rs_conf *conf, struct rs_err *err)
{
	struct rs_userdb *db = NULL;
	uv_loop_t loop;
	int rc = begin(&loop, conf, &db, err);

	if (rc == 0)
		finish(&loop, &db);
	return rc;
}

int rs_userdb_find_now(
	const struct rs_conf *conf, const char *name, struct rs_user **out, struct rs_err *err)
{
	struct answer a = {.there = false};
	struct rs_userdb *db = NULL;
	uv_loop_t loop;
	int rc = begin(&loop, conf, &db, err);

	if (rc < 0)
		return rc;
	rs_userdb_ask(db, name, on_answer, &a);
	while (!a.there)
		(void)uv_run(&loop, UV_RUN_ONCE);
	finish(&loop, &db);
	if (a.rc == 0)
		*out = a.user;
	else if (a.rc == -RS_ENOENT)
		(void)rs_err_set(err, RS_ENOENT, "there is no user %s", name);
	else
		(void)rs_err_set(err, RS_ETEMP, "the database of users cannot be asked now");
	return a.rc;
}

int rs_userdb_each(const struct rs_conf *conf, void (*fn)(void *arg, const struct rs_user *u),
	void *arg, struct rs_err *err)
{
	struct rs_userdb *db = NULL;
	uv_loop_t loop;
	int rc = begin(&loop, conf, &db, err);

	if (rc < 0)
		return rc;
	if (db->ops->each)
		db->ops->each(db, fn, arg);
	else
		rc = rs_err_set(err, RS_EINVAL,
			"[auth] users: this database cannot be listed here; ask it itself");
	finish(&loop, &db);
	return rc;
}
