/* policy.c - see policy.h */
#include "client/policy.h"

#include <string.h>

#include "base/num.h"
#include "client/text.h"

#define HOUR_S 3600u
#define DAY_S  86400u

static const char *days_set(struct rs_policy *p, const char *value)
{
	uint32_t v;

	if (rs_num_u32(rs_slice_str(value), RS_POLICY_DAYS_MAX, &v) < 0 || v == 0)
		return _("needs days from 1 to 36500 behind days=");
	p->days = v;
	return NULL;
}

static const char *newest_set(struct rs_policy *p, const char *value)
{
	uint32_t v;

	if (rs_num_u32(rs_slice_str(value), RS_POLICY_NEWEST_MAX, &v) < 0 || v == 0)
		return _("needs a number of messages from 1 on behind newest=");
	p->newest = v;
	return NULL;
}

static const char *quota_set(struct rs_policy *p, const char *value)
{
	uint64_t v;

	if (rs_num_size(rs_slice_str(value), INT64_MAX, &v) < 0 || v == 0)
		return _("needs a size such as 500M or 2G behind quota=");
	p->quota = v;
	return NULL;
}

static const char *grace_set(struct rs_policy *p, const char *value)
{
	size_t n = strlen(value);
	char unit = n ? value[n - 1] : '\0';
	guint32 one = unit == 'h' ? HOUR_S : DAY_S;
	uint32_t v;

	if ((unit != 'h' && unit != 'd') ||
		rs_num_u32(rs_slice(value, n - 1), RS_POLICY_DAYS_MAX, &v) < 0 || v == 0)
		return _("needs a time such as 12h or 2d behind grace=");
	p->grace_s = v * one;
	return NULL;
}

static const char *remove_set(struct rs_policy *p, const char *value)
{
	p->remove = true;
	return NULL;
}

static const char *deleted_set(struct rs_policy *p, const char *value)
{
	p->until_deleted = true;
	return NULL;
}

static const char *moved_set(struct rs_policy *p, const char *value)
{
	p->until_moved = true;
	return NULL;
}

static const struct rule {
	const char *name;
	bool has_value;
	const char *(*set)(struct rs_policy *p, const char *value);
} rules[] = {
	{"delete", false, remove_set},
	{"days", true, days_set},
	{"newest", true, newest_set},
	{"quota", true, quota_set},
	{"until-deleted", false, deleted_set},
	{"until-moved", false, moved_set},
	{"grace", true, grace_set},
};

static const char *word_set(struct rs_policy *p, const char *word, guint *seen)
{
	const char *equals = strchr(word, '=');
	size_t n = equals ? (size_t)(equals - word) : strlen(word);

	for (guint i = 0; i < G_N_ELEMENTS(rules); i++) {
		const struct rule *r = &rules[i];

		if (strlen(r->name) != n || strncmp(r->name, word, n) != 0 ||
			r->has_value != (equals != NULL))
			continue;
		if (*seen & (1u << i))
			return _("says the same twice");
		*seen |= 1u << i;
		return r->set(p, equals ? equals + 1 : NULL);
	}
	return _("must be keep, delete, or a list of days=N, newest=N, quota=SIZE, "
		 "until-deleted, until-moved, grace=N[h|d]");
}

static bool has_rule(const struct rs_policy *p)
{
	return p->days || p->newest || p->quota || p->until_deleted || p->until_moved;
}

const char *rs_policy_parse(const char *text, struct rs_policy *out)
{
	g_auto(GStrv) words = g_strsplit(text, ",", -1);
	struct rs_policy p = {.remove = false};
	guint seen = 0;
	const char *why = NULL;

	if (strcmp(text, "keep") == 0) {
		*out = p;
		return NULL;
	}
	for (char **word = words; !why && *word; word++)
		why = word_set(&p, g_strstrip(*word), &seen);
	if (why)
		return why;
	if (!seen)
		return word_set(&p, "", &seen);
	if (p.remove && has_rule(&p))
		return _("says delete, which leaves nothing to the other rules; take one of them "
			 "out");
	if (p.grace_s && !p.remove && !has_rule(&p))
		return _("only says when nothing goes; add delete or another rule");
	*out = p;
	return NULL;
}

/* The largest unit that says it without a rest. */
static void size_put(GString *s, guint64 v)
{
	static const char units[] = {'G', 'M', 'k'};
	guint64 one = 1u << 30;

	for (size_t i = 0; i < sizeof(units); i++, one >>= 10) {
		if (v % one == 0) {
			g_string_append_printf(
				s, ",quota=%" G_GUINT64_FORMAT "%c", v / one, units[i]);
			return;
		}
	}
	g_string_append_printf(s, ",quota=%" G_GUINT64_FORMAT, v);
}

char *rs_policy_format(const struct rs_policy *p)
{
	g_autoptr(GString) s = g_string_new(NULL);

	if (rs_policy_keeps(p))
		return g_strdup("keep");
	if (p->remove)
		g_string_append(s, ",delete");
	if (p->days)
		g_string_append_printf(s, ",days=%u", p->days);
	if (p->newest)
		g_string_append_printf(s, ",newest=%u", p->newest);
	if (p->quota)
		size_put(s, p->quota);
	if (p->until_deleted)
		g_string_append(s, ",until-deleted");
	if (p->until_moved)
		g_string_append(s, ",until-moved");
	if (p->grace_s % DAY_S)
		g_string_append_printf(s, ",grace=%uh", p->grace_s / HOUR_S);
	else if (p->grace_s)
		g_string_append_printf(s, ",grace=%ud", p->grace_s / DAY_S);
	return g_strdup(s->str + 1);
}

bool rs_policy_equal(const struct rs_policy *a, const struct rs_policy *b)
{
	return a->remove == b->remove && a->until_deleted == b->until_deleted &&
	       a->until_moved == b->until_moved && a->days == b->days && a->newest == b->newest &&
	       a->quota == b->quota && a->grace_s == b->grace_s;
}

bool rs_policy_keeps(const struct rs_policy *p)
{
	return !p->remove && !has_rule(p);
}

bool rs_policy_looks_here(const struct rs_policy *p)
{
	return p->until_deleted || p->until_moved;
}
