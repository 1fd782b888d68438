/* sql_query.c - see sql_query.h */
#include "server/sql_query.h"

#include <string.h>

#include "server/mailbox.h"
#include "server/userdb_int.h"

/* --- the statement ------------------------------------------------------------------------- */

static const char *param_of(char letter)
{
	switch (letter) {
	case 'u':
		return "$1";
	case 'n':
		return "$2";
	case 'd':
		return "$3";
	default:
		return NULL;
	}
}

/* '%u' with its quotes: a parameter alone, as people write it who know other servers. */
static const char *quoted_param(const char *p)
{
	return p[0] == '\'' && p[1] == '%' && p[2] && p[3] == '\'' ? param_of(p[2]) : NULL;
}

int rs_sql_statement(const char *query, char **out, struct rs_err *err)
{
	g_autoptr(GString) s = g_string_new(NULL);
	bool quoted = false;

	for (const char *p = query; *p; p++) {
		const char *param = quoted ? NULL : quoted_param(p);

		if (param) {
			g_string_append(s, param);
			p += 3;
			continue;
		}
		quoted ^= *p == '\'';
		if (*p != '%') {
			g_string_append_c(s, *p);
			continue;
		}
		p++;
		param = param_of(*p);
		if (*p == '%')
			g_string_append_c(s, '%');
		else if (!param)
			return rs_err_set(err, RS_ECONFIG,
				"[auth] query: only %%u, %%n, %%d and %%%% may stand behind a %%");
		else if (quoted)
			return rs_err_set(err, RS_ECONFIG,
				"[auth] query: %%%c within a quoted text; put it together with "
				"||, as in 'x' || %%%c",
				*p, *p);
		else
			g_string_append(s, param);
	}
	*out = g_string_free(g_steal_pointer(&s), FALSE);
	return 0;
}

/* --- a row --------------------------------------------------------------------------------- */

/* As PostgreSQL writes a boolean, and as people write one in a number or a text. */
static bool is_no(const char *value)
{
	static const char *const noes[] = {"f", "false", "0", "n", "no", "off", ""};

	for (size_t i = 0; i < G_N_ELEMENTS(noes); i++) {
		if (g_ascii_strcasecmp(value, noes[i]) == 0)
			return true;
	}
	return false;
}

static const char *set_apps(struct rs_user *u, const char *value)
{
	g_auto(GStrv) list = g_strsplit(value, " ", -1);
	const char *why = NULL;

	for (char **app = list; *app && !why; app++)
		why = **app ? rs_user_set(u, "app", *app) : NULL;
	return why;
}

static const char *set_name(struct rs_user *u, const char *value)
{
	char name[256];

	if (rs_user_name_clean(rs_slice_str(value), name) < 0)
		return "cannot be a user's name";
	g_free(u->name);
	u->name = g_strdup(name);
	return NULL;
}

static const char *set_column(struct rs_user *u, const char *column, const char *value)
{
	static const char *const flags[] = {"pop3", "smtp", "disabled", "nologin"};
	g_autofree char *key = g_strdelimit(g_strdup(column), "_", '-'); /* junk_folder */

	for (size_t i = 0; i < G_N_ELEMENTS(flags); i++) {
		if (strcmp(key, flags[i]) == 0)
			return rs_user_set(u, key, is_no(value) ? "no" : "yes");
	}
	if (strcmp(key, "user") == 0)
		return set_name(u, value);
	if (strcmp(key, "apps") == 0)
		return set_apps(u, value);
	if (strcmp(key, "password") == 0) {
		g_free(u->password);
		u->password = g_strdup(value);
		return NULL;
	}
	if (strcmp(key, "maildir") == 0 || strcmp(key, "send-as") == 0 || rs_rules_is_key(key))
		return rs_user_set(u, key, value);
	return "is no column that we know (restanted.conf(5), [auth] query)";
}

int rs_sql_user(const PGresult *res, const char *asked, struct rs_user **out, struct rs_err *err)
{
	struct rs_user *u;
	const char *why = NULL;
	int column = 0;

	if (PQntuples(res) == 0)
		return -RS_ENOENT;
	if (PQntuples(res) > 1)
		return rs_err_set(err, RS_ECORRUPT, "the query has found %d rows for %s",
			PQntuples(res), asked);
	u = g_new0(struct rs_user, 1);
	u->name = g_strdup(asked);
	u->password = g_strdup("*"); /* none is right, until the row says so */
	u->pop3 = u->smtp = TRUE;
	for (; column < PQnfields(res) && !why; column++) {
		if (!PQgetisnull(res, 0, column))
			why = set_column(u, PQfname(res, column), PQgetvalue(res, 0, column));
	}
	if (!why) {
		*out = u;
		return 0;
	}
	rs_user_free(u);
	return rs_err_set(err, RS_ECORRUPT, "column %s of the row of %s: %s",
		PQfname(res, column - 1), asked, why);
}
