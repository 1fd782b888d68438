/* login_delay.c - see login_delay.h */
#include "server/login_delay.h"

#include <glib.h>

struct rs_login_delay {
	uint64_t delay_ms;
	uint64_t clean_ms; /* when the table is looked through next */
	GHashTable *last;  /* user -> uint64_t ms, both owned */
};

struct rs_login_delay *rs_login_delay_new(uint32_t seconds)
{
	struct rs_login_delay *d = g_new0(struct rs_login_delay, 1);

	d->delay_ms = (uint64_t)seconds * 1000;
	d->last = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	return d;
}

void rs_login_delay_free(struct rs_login_delay *d)
{
	if (!d)
		return;
	g_hash_table_unref(d->last);
	g_free(d);
}

struct now {
	uint64_t ms;
	uint64_t delay_ms;
};

static gboolean over(gpointer user, gpointer last, gpointer arg)
{
	const struct now *now = arg;

	return now->ms - *(uint64_t *)last >= now->delay_ms;
}

bool rs_login_delay_take(struct rs_login_delay *d, const char *user, uint64_t now_ms)
{
	uint64_t *last;

	if (d->delay_ms == 0)
		return true;
	if (now_ms >= d->clean_ms) {
		struct now now = {.ms = now_ms, .delay_ms = d->delay_ms};

		(void)g_hash_table_foreach_remove(d->last, over, &now);
		d->clean_ms = now_ms + d->delay_ms;
	}
	last = g_hash_table_lookup(d->last, user);
	if (last && now_ms - *last < d->delay_ms)
		return false;
	if (!last) {
		last = g_new(uint64_t, 1);
		g_hash_table_insert(d->last, g_strdup(user), last);
	}
	*last = now_ms;
	return true;
}
