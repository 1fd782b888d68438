/* auth_delay.c - see auth_delay.h */
#include "server/auth_delay.h"

#include <glib.h>

/* A table of rows by key; the list has them by last use, the newest first. */
struct row {
	uint64_t key; /* first: the hash table looks at it */
	uint64_t at_ms;
	uint32_t n;
	GList link;
};

struct table {
	GHashTable *rows;
	GQueue used;
	uint64_t forget_ms;
};

struct rs_delays {
	struct table sources;
	struct table accounts;
	struct table known; /* pairs that logged in */
	uint32_t rows_max;
};

static void table_init(struct table *t, uint64_t forget_ms)
{
	t->rows = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
	g_queue_init(&t->used);
	t->forget_ms = forget_ms;
}

static void drop(struct table *t, struct row *r)
{
	g_queue_unlink(&t->used, &r->link);
	g_hash_table_remove(t->rows, &r->key);
}

/* The row of a key; NULL: it has none, or one so old that it is forgotten. */
static struct row *find(struct table *t, uint64_t key, uint64_t now_ms)
{
	struct row *r = g_hash_table_lookup(t->rows, &key);

	if (r && now_ms >= r->at_ms + t->forget_ms) {
		drop(t, r);
		r = NULL;
	}
	return r;
}

static struct row *touch(struct table *t, uint64_t key, uint64_t now_ms, uint32_t max)
{
	struct row *r = find(t, key, now_ms);

	if (r) {
		g_queue_unlink(&t->used, &r->link);
	} else {
		if (t->used.length >= max)
			drop(t, t->used.tail->data);
		r = g_new0(struct row, 1);
		r->key = key;
		r->link.data = r;
		g_hash_table_insert(t->rows, &r->key, r);
	}
	g_queue_push_head_link(&t->used, &r->link);
	r->at_ms = now_ms;
	return r;
}

static uint32_t failures(struct table *t, uint64_t key, uint64_t now_ms)
{
	const struct row *r = find(t, key, now_ms);

	return r ? r->n : 0;
}

/* 0 for 0, then doubling. */
static uint32_t doubled(uint32_t n, uint32_t max_ms)
{
	uint64_t ms = n ? (uint64_t)RS_DELAY_FIRST_MS << MIN(n - 1, 20u) : 0;

	return (uint32_t)MIN(ms, max_ms);
}

static uint32_t delay(uint32_t of_source, uint32_t of_account)
{
	uint32_t more = of_account - MIN(of_account, RS_DELAY_ACCOUNT_FREE_N);

	return MAX(
		doubled(of_source, RS_DELAY_SOURCE_MAX_MS), doubled(more, RS_DELAY_ACCOUNT_MAX_MS));
}

static uint64_t pair(uint64_t source, uint64_t account)
{
	return account ^ source * 0x9e3779b97f4a7c15u;
}

struct rs_delays *rs_delays_create(uint32_t rows_max)
{
	struct rs_delays *d = g_new0(struct rs_delays, 1);

	d->rows_max = rows_max;
	table_init(&d->sources, RS_DELAY_FORGET_MS);
	table_init(&d->accounts, RS_DELAY_FORGET_MS);
	table_init(&d->known, RS_DELAY_KNOWN_MS);
	return d;
}

void rs_delays_destroy(struct rs_delays **dp)
{
	struct rs_delays *d = *dp;

	*dp = NULL;
	if (!d)
		return;
	g_hash_table_unref(d->sources.rows);
	g_hash_table_unref(d->accounts.rows);
	g_hash_table_unref(d->known.rows);
	g_free(d);
}

uint32_t rs_delays_failed(struct rs_delays *d, uint64_t source, uint64_t account, uint64_t now_ms)
{
	uint32_t of_account = 0;
	uint32_t of_source = 0;

	if (account)
		of_account = ++touch(&d->accounts, account, now_ms, d->rows_max)->n;
	if (source)
		of_source = ++touch(&d->sources, source, now_ms, d->rows_max)->n;
	return delay(of_source, of_account);
}

uint32_t rs_delays_succeeded(
	struct rs_delays *d, uint64_t source, uint64_t account, uint64_t now_ms)
{
	bool known = find(&d->known, pair(source, account), now_ms) != NULL;

	(void)touch(&d->known, pair(source, account), now_ms, d->rows_max);
	if (known)
		return 0;
	return delay(source ? failures(&d->sources, source, now_ms) : 0,
		failures(&d->accounts, account, now_ms));
}
