/* fuzz_users.c - a passwd-file, password fields, app passwords, the query of a database. Nothing here is slow:
 * fields are taken apart, not hashed. */
#include "server/sql_query.h"
#include "server/user_app.h"
#include "server/userdb_table.h"
#include "tests/fuzz/fuzz.h"

static void check_user(void *arg, const struct rs_user *u)
{
	const struct rs_user_table *t = arg;
	char clean[256];
	struct rs_user *again = rs_user_table_find(t, u->name);

	FUZZ_LAW(rs_user_name_clean(rs_slice_str(u->name), clean) == 0 && !strcmp(clean, u->name));
	FUZZ_LAW(again && !strcmp(again->name, u->name) && !strcmp(again->password, u->password));
	FUZZ_LAW(!u->maildir || u->maildir[0] == '/');
	FUZZ_LAW(!u->apps || g_strv_length(u->apps) <= RS_APPS_MAX);
	for (char **app = u->apps; app && *app; app++)
		FUZZ_LAW(!rs_app_wrong(*app));
	(void)rs_password_known(u->password);
	rs_user_free(again);
}

static void table(struct rs_slice in)
{
	struct rs_user_table *t = NULL;
	struct rs_err err = {.text = ""};

	if (rs_user_table_parse("users", in.p, in.n, &t, &err) < 0) {
		FUZZ_LAW(err.kind == RS_ECONFIG && strstr(err.text, "users:"));
		FUZZ_LAW(!t);
		return;
	}
	rs_user_table_each(t, check_user, t);
	rs_user_table_destroy(&t);
}

static void field(struct rs_slice in)
{
	g_autofree char *text = g_strndup((const char *)in.p, in.n);
	struct rs_password_mix *m = rs_password_mix_new();
	g_autofree char *drawn = NULL;

	(void)rs_password_known(text);
	(void)rs_password_plain(text);
	rs_password_mix_add(m, text);
	drawn = rs_password_mix_draw(m, NULL, "nobody");
	FUZZ_LAW(!drawn || !strcmp(drawn, text));
	(void)rs_app_wrong(text);
	rs_password_mix_unref(m);
}

static void query(struct rs_slice in)
{
	g_autofree char *text = g_strndup((const char *)in.p, in.n);
	g_autofree char *out = NULL;
	struct rs_err err = {.text = ""};

	if (rs_sql_statement(text, &out, &err) < 0)
		FUZZ_LAW(err.kind == RS_ECONFIG && !out);
	else
		FUZZ_LAW(strlen(out) <= strlen(text));
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize n)
{
	struct rs_slice in = rs_slice(data, n);

	switch (fuzz_choice(&in) % 3) {
	case 0:
		table(in);
		break;
	case 1:
		field(in);
		break;
	default:
		query(in);
		break;
	}
	return 0;
}
