/* fetch_sync.c - the octets of a batch onto the disk, in the way that is quicker here.
 *
 * syncfs writes all files with one turn of the journal, but also what others have left unwritten on the same
 * file system: on a busy one it pays for them. Then an fsync a file from several threads is quicker. Both
 * are timed, the better one is used, and the other is tried again now and then. */
#include "client/fetch_priv.h"

#define FEW         4u /* so few: an fsync each, whatever the times say */
#define THREADS_MAX 8u
#define SLOW_US     400.0 /* a file; quicker than this nothing else is tried */
#define RETRY       32u

enum way { WAY_SYNCFS, WAY_FSYNC };

struct share {
	const GArray *batch;
	gint *next; /* of the batch, taken atomically */
	int rc;
	struct rs_err err;
};

static gpointer share_run(gpointer data)
{
	struct share *s = data;

	while (s->rc == 0) {
		gint i = g_atomic_int_add(s->next, 1);
		struct fetch_got *g;

		if ((guint)i >= s->batch->len)
			break;
		g = &g_array_index(s->batch, struct fetch_got, i);
		if (g->deliv)
			s->rc = rs_deliv_sync(g->deliv, &s->err);
	}
	return NULL;
}

static int fsync_each(const GArray *batch, guint threads, struct rs_err *err)
{
	GThread *thread[THREADS_MAX] = {NULL};
	struct share share[THREADS_MAX];
	gint next = 0;
	int rc = 0;

	for (guint i = 0; i < threads; i++)
		share[i] = (struct share){.batch = batch, .next = &next};
	for (guint i = 1; i < threads; i++)
		thread[i] = g_thread_new("fsync", share_run, &share[i]);
	(void)share_run(&share[0]);
	for (guint i = 0; i < threads; i++) {
		if (thread[i])
			g_thread_join(thread[i]);
		if (rc == 0 && share[i].rc < 0) {
			rc = share[i].rc;
			*err = share[i].err;
		}
	}
	return rc;
}

static enum way choose(const struct fetch_sync *s)
{
	bool fsync_better = s->us[WAY_FSYNC] > 0 && s->us[WAY_FSYNC] < s->us[WAY_SYNCFS];

	if (s->us[WAY_SYNCFS] <= 0)
		return WAY_SYNCFS;
	if (s->us[WAY_FSYNC] <= 0)
		return s->us[WAY_SYNCFS] > SLOW_US ? WAY_FSYNC : WAY_SYNCFS;
	if (s->batches % RETRY == 0)
		return fsync_better ? WAY_SYNCFS : WAY_FSYNC;
	return fsync_better ? WAY_FSYNC : WAY_SYNCFS;
}

int fetch_sync_files(struct fetch_run *r, const GArray *batch, struct rs_err *err)
{
	struct fetch_sync *s = &r->commit.sync;
	enum way way = choose(s);
	gint64 began_us = g_get_monotonic_time();
	int rc;

	if (batch->len <= FEW)
		return fsync_each(batch, 1, err);
	if (way == WAY_SYNCFS)
		rc = rs_maildir_sync_all(r->maildir, err);
	else
		rc = fsync_each(batch, MIN(batch->len, THREADS_MAX), err);
	s->us[way] = (double)(g_get_monotonic_time() - began_us + 1) / batch->len;
	s->batches++;
	return rc;
}
