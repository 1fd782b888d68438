/* fetch_commit.c - the committer: a thread that makes batches durable while the next ones come in. It has one
 * batch at a time; while it works the next one grows, up to a ceiling at which the reader waits. */
#include "client/fetch_priv.h"

static gpointer committer(gpointer data)
{
	struct fetch_run *r = data;
	struct fetch_commit *c = &r->commit;

	g_mutex_lock(&c->lock);
	for (;;) {
		GArray *work;
		int rc;

		while (!c->work && !c->stop)
			g_cond_wait(&c->changed, &c->lock);
		if (!c->work)
			break;
		work = c->work;
		g_mutex_unlock(&c->lock);
		rc = fetch_batch_commit(r, work, &c->err);
		g_mutex_lock(&c->lock);
		fetch_batch_drop(work);
		g_array_unref(work);
		c->work = NULL;
		c->rc = rc;
		g_cond_broadcast(&c->changed);
		if (rc < 0)
			break;
	}
	g_mutex_unlock(&c->lock);
	return NULL;
}

int fetch_commit_give(struct fetch_run *r, bool wait, struct rs_err *err)
{
	struct fetch_commit *c = &r->commit;
	int rc;

	if (!r->batch->len)
		return 0;
	if (!c->thread)
		c->thread = g_thread_new("commit", committer, r);
	g_mutex_lock(&c->lock);
	while (wait && c->work && c->rc == 0)
		g_cond_wait(&c->changed, &c->lock);
	rc = c->rc;
	if (rc < 0)
		*err = c->err;
	if (rc == 0 && !c->work) {
		c->work = r->batch;
		r->batch = g_array_new(FALSE, FALSE, sizeof(struct fetch_got));
		r->batch_octets = 0;
		g_cond_broadcast(&c->changed);
	}
	g_mutex_unlock(&c->lock);
	return rc;
}

int fetch_commit_end(struct fetch_run *r, struct rs_err *err)
{
	struct fetch_commit *c = &r->commit;
	int rc = fetch_commit_give(r, true, err);

	if (!c->thread)
		return rc;
	g_mutex_lock(&c->lock);
	c->stop = true;
	g_cond_broadcast(&c->changed);
	g_mutex_unlock(&c->lock);
	g_thread_join(c->thread);
	c->thread = NULL;
	c->stop = false;
	if (rc == 0 && c->rc < 0) {
		rc = c->rc;
		*err = c->err;
	}
	return rc;
}

guint32 fetch_commit_done_n(struct fetch_run *r)
{
	guint32 n;

	g_mutex_lock(&r->commit.lock);
	n = r->report->new_n;
	g_mutex_unlock(&r->commit.lock);
	return n;
}
