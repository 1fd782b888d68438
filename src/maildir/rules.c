/* rules.c - see rules.h */
#include "maildir/rules.h"

#include <glib.h>

#include "base/num.h"

#define KEPT_FOLDER "Kept"
#define DAY_S       86400
#define DAYS_MAX    36500u

void rs_rules_init(struct rs_rules *r)
{
	*r = (struct rs_rules){.junk_folder = "Junk"};
}

bool rs_folder_name_ok(struct rs_slice name)
{
	if (name.n == 0 || name.n > RS_FOLDER_NAME_MAX || name.p[0] == '.' ||
		name.p[name.n - 1] == '.')
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = (char)name.p[i];

		if (c == '.' ? name.p[i - 1] == '.' : !g_ascii_isalnum(c) && !strchr("-_ ", c))
			return false;
		if (c == '\0') /* strchr finds the end too */
			return false;
	}
	return true;
}

/* --- values -------------------------------------------------------------------------------- */

static const char *set_quota(struct rs_rules *r, const char *value)
{
	struct rs_slice v = rs_slice_str(value);
	size_t colon = rs_slice_find(v, ':');
	struct rs_quota q = {.octets_max = 0};

	if (rs_num_size(rs_slice_sub(v, 0, colon), INT64_MAX, &q.octets_max) < 0 ||
		(colon < v.n && rs_num_u64(rs_slice_sub(v, colon + 1, v.n), INT64_MAX,
					&q.messages_max) < 0))
		return "is not SIZE or SIZE:MESSAGES; give octets, with k, M or G behind them "
		       "where wanted";
	r->quota = q;
	return NULL;
}

static bool date(struct rs_slice text, int64_t *out)
{
	g_autoptr(GDateTime) day = NULL;
	uint32_t y;
	uint32_t m;
	uint32_t d;

	if (text.n != 10 || text.p[4] != '-' || text.p[7] != '-' ||
		rs_num_u32(rs_slice_sub(text, 0, 4), 9999, &y) < 0 ||
		rs_num_u32(rs_slice_sub(text, 5, 2), 12, &m) < 0 ||
		rs_num_u32(rs_slice_sub(text, 8, 2), 31, &d) < 0)
		return false;
	day = g_date_time_new_utc((int)y, (int)m, (int)d, 0, 0, 0);
	if (!day)
		return false;
	*out = g_date_time_to_unix(day);
	return true;
}

static const char *set_view(struct rs_rules *r, const char *value)
{
	struct rs_slice v = rs_slice_str(value);
	size_t colon = rs_slice_find(v, ':');
	struct rs_slice arg = rs_slice_sub(v, colon + 1, v.n);
	struct rs_view view = {.kind = RS_VIEW_ALL};
	uint32_t days = 0;
	bool ok = false;

	if (rs_slice_eq_str(v, "all")) {
		ok = true;
	} else if (rs_slice_istarts(v, "newest:")) {
		view.kind = RS_VIEW_NEWEST;
		ok = rs_num_u32(arg, UINT32_MAX, &view.newest) == 0 && view.newest > 0;
	} else if (rs_slice_istarts(v, "age:")) {
		view.kind = RS_VIEW_AGE;
		ok = rs_num_u32(arg, DAYS_MAX, &days) == 0 && days > 0;
		view.seconds = (int64_t)days * DAY_S;
	} else if (rs_slice_istarts(v, "since:")) {
		view.kind = RS_VIEW_SINCE;
		ok = date(arg, &view.seconds);
	}
	if (!ok)
		return "is not all, newest:N, age:DAYS or since:YYYY-MM-DD";
	r->view = view;
	return NULL;
}

static const char *set_junk(struct rs_rules *r, const char *value)
{
	static const char *const names[] = {"separate", "show", "hide"};

	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
		if (strcmp(value, names[i]) == 0) {
			r->junk = (enum rs_junk)i;
			return NULL;
		}
	}
	return "is not separate, show or hide";
}

static const char *set_folder(char *to, const char *value)
{
	if (!rs_folder_name_ok(rs_slice_str(value)))
		return "is not a folder's name: at most 64 letters, digits, '-', '_', with a '.' "
		       "between a folder and the one in it";
	g_strlcpy(to, value, RS_FOLDER_NAME_MAX + 1);
	return NULL;
}

static const char *set_junk_folder(struct rs_rules *r, const char *value)
{
	return set_folder(r->junk_folder, value);
}

static const char *set_deleted(struct rs_rules *r, const char *value)
{
	if (strcmp(value, "remove") == 0) {
		r->kept_folder[0] = '\0';
		return NULL;
	}
	if (strcmp(value, "keep") == 0)
		return set_folder(r->kept_folder, KEPT_FOLDER);
	if (g_str_has_prefix(value, "keep:"))
		return set_folder(r->kept_folder, value + strlen("keep:"));
	return "is not remove, keep or keep:FOLDER";
}

static const char *set_expire(struct rs_rules *r, const char *value)
{
	uint32_t days = 0;

	if (strcmp(value, "never") != 0 &&
		(rs_num_u32(rs_slice_str(value), DAYS_MAX, &days) < 0 || days == 0))
		return "is not never or a number of days from 1";
	r->expire_days = days;
	return NULL;
}

void rs_rules_within(struct rs_rules *r, const struct rs_rules *site)
{
	if (site->expire_days == 0 || (r->expire_days && r->expire_days < site->expire_days))
		r->expire_days = site->expire_days;
}

/* --- keys ---------------------------------------------------------------------------------- */

static const struct {
	const char *key;
	const char *(*set)(struct rs_rules *r, const char *value);
} rules[] = {
	{"quota", set_quota},
	{"view", set_view},
	{"junk", set_junk},
	{"junk-folder", set_junk_folder},
	{"deleted", set_deleted},
	{"expire", set_expire},
};

bool rs_rules_is_key(const char *key)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
		if (strcmp(key, rules[i].key) == 0)
			return true;
	}
	return false;
}

const char *rs_rules_set(struct rs_rules *r, const char *key, const char *value)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
		if (strcmp(key, rules[i].key) == 0)
			return rules[i].set(r, value);
	}
	return "is not a rule of a mailbox";
}
