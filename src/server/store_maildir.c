/* store_maildir.c - mail in Maildirs, behind store.h. The folder work blocks, so it is done on
 * worker threads; what belongs to one drop or one delivery is done in order, one job at a time.
 *
 * A queue (of a drop or of a delivery):
 *   jobs wait --pump--> one job (a run of reads counts as one) on a worker --> callbacks --> pump
 * A mailbox whose last session has said QUIT is still locked while the files are removed; who opens it
 * meanwhile waits for that (`closing`) instead of being told that somebody else is there.
 * Facts: at most one job of a queue is with a worker; nothing else touches its maildrop then; a
 *        queue whose owner closed it runs only its last job, calls nobody back, and frees itself. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/shown.h"
#include "server/dest.h"
#include "server/log.h"
#include "server/store.h"

struct maildir_store {
	struct rs_store base;
	uv_loop_t *loop;
	struct rs_rules rules; /* where the owner of a mailbox has none */
	GHashTable *closing;   /* mailbox -> struct rs_store_drop that is being closed */
};

/* --- queues -------------------------------------------------------------------------------- */

struct job;
typedef void (*job_fn)(struct job *j);

struct job {
	job_fn work; /* on a worker thread */
	job_fn done; /* on the loop, before the job is freed; not for a closed queue */
	bool last;   /* the queue's owner is gone with this one */
	void *owner; /* the drop or the delivery */
	/* what goes in and what comes out, as the job wants */
	uint32_t row;
	size_t inline_max;
	uint8_t *octets;
	size_t octets_n;
	int fd;
	uint32_t left;
	int rc;
	struct rs_err err;
	union {
		rs_store_cb plain;
		rs_store_open_cb open;
		rs_store_read_cb read;
		rs_store_commit_cb commit;
		rs_store_each_cb each;
	} cb;
	void *arg;
};

struct queue {
	uv_loop_t *loop;
	uv_work_t work;
	GQueue waiting; /* struct job */
	GQueue batch;   /* with the worker */
	bool busy;
	bool closed;
	void (*free_owner)(void *owner);
	void *owner;
};

static void pump(struct queue *q);

static void job_free(struct job *j)
{
	if (j->fd >= 0)
		close(j->fd);
	g_free(j->octets);
	g_free(j);
}

static void queue_work(uv_work_t *w)
{
	struct queue *q = w->data;

	for (GList *l = q->batch.head; l; l = l->next)
		((struct job *)l->data)->work(l->data);
}

static void queue_done(uv_work_t *w, int status)
{
	struct queue *q = w->data;
	struct job *j;
	bool last = false;

	while ((j = g_queue_pop_head(&q->batch))) {
		if (!q->closed && j->done)
			j->done(j); /* may close the queue, or say that this was the last */
		last |= j->last;
		job_free(j);
	}
	q->busy = false;
	if (last)
		q->free_owner(q->owner);
	else
		pump(q);
}

static void pump(struct queue *q)
{
	struct job *j;

	if (q->busy || g_queue_is_empty(&q->waiting))
		return;
	do { /* reads that follow one another cost one trip to a worker */
		j = g_queue_pop_head(&q->waiting);
		g_queue_push_tail(&q->batch, j);
	} while (j->inline_max && !g_queue_is_empty(&q->waiting) &&
		 ((struct job *)g_queue_peek_head(&q->waiting))->inline_max);
	q->busy = true;
	q->work.data = q;
	if (uv_queue_work(q->loop, &q->work, queue_work, queue_done) < 0)
		g_error("no worker thread: out of memory"); /* the role ends and is started again */
}

static struct job *job_new(void *owner, job_fn work, job_fn done, void *arg)
{
	struct job *j = g_new0(struct job, 1);

	j->owner = owner;
	j->work = work;
	j->done = done;
	j->arg = arg;
	j->fd = -1;
	return j;
}

static void push(struct queue *q, struct job *j)
{
	g_queue_push_tail(&q->waiting, j);
	pump(q);
}

/* The owner is done with it: forget what waits, run `last`, free. */
static void close_queue(struct queue *q, struct job *last)
{
	struct job *j;

	while ((j = g_queue_pop_head(&q->waiting)))
		job_free(j);
	q->closed = true;
	last->last = true;
	push(q, last);
}

static enum rs_store_err store_err(int rc)
{
	switch (-rc) {
	case RS_OK:
		return RS_STORE_OK;
	case RS_ELOCKED:
		return RS_STORE_INUSE;
	case RS_ENOSPC:
		return RS_STORE_FULL;
	case RS_ELIMIT:
		return RS_STORE_QUOTA;
	case RS_EROFS:
	case RS_EINVAL:
		return RS_STORE_PERM;
	case RS_ECORRUPT:
		return RS_STORE_CORRUPT;
	case RS_ENOENT:
		return RS_STORE_GONE;
	default:
		return RS_STORE_TEMP;
	}
}

static const char *why(const struct job *j)
{
	return j->rc < 0 ? j->err.text : NULL;
}

/* --- maildrops ----------------------------------------------------------------------------- */

struct rs_store_drop {
	struct queue q;
	struct maildir_store *store;
	char *mailbox;
	struct rs_shown *drop;
	struct rs_store_drop *behind; /* opens when this one has closed */
	bool committing;              /* QUIT came: files may be removed at the end */
};

static void drop_free(void *p)
{
	struct rs_store_drop *d = p;

	if (g_hash_table_lookup(d->store->closing, d->mailbox) == d)
		g_hash_table_remove(d->store->closing, d->mailbox);
	if (d->behind)
		pump(&d->behind->q);
	g_free(d->mailbox);
	g_free(d);
}

static struct rs_shown_how how_of(const struct rs_mailbox *box)
{
	return (struct rs_shown_how){.account = box->path,
		.folder = box->folder,
		.rules = &box->rules,
		.now_s = g_get_real_time() / G_USEC_PER_SEC};
}

static void open_work(struct job *j)
{
	struct rs_store_drop *d = j->owner;

	const struct rs_rules *defaults = &d->store->rules;
	struct rs_mailbox box;

	j->rc = rs_mailbox_parse(d->mailbox, defaults, &box, &j->err);
	if (j->rc == 0) {
		const struct rs_shown_how how = how_of(&box);

		j->rc = rs_shown_open(rs_fs_posix(), &how, &d->drop, &j->err);
	}
	if (j->rc == 0 && rs_shown_expired(d->drop))
		rs_log(RS_LOG_INFO, "expired", "mailbox", box.path, "messages",
			rs_log_num(rs_shown_expired(d->drop)), NULL);
	rs_mailbox_finish(&box);
}

static void open_done(struct job *j)
{
	struct rs_store_drop *d = j->owner;

	if (j->rc < 0) { /* the caller gets no drop: it frees itself behind this job */
		j->last = true;
		d->q.closed = true;
	}
	j->cb.open(j->arg, store_err(j->rc), j->rc < 0 ? NULL : d, why(j));
}

/* Without a worker, where that is sure to be quick. */
static bool open_here(struct rs_store_drop *d)
{
	struct rs_mailbox box;
	bool ok = rs_mailbox_parse(d->mailbox, &d->store->rules, &box, NULL) == 0;

	if (ok) {
		const struct rs_shown_how how = how_of(&box);

		ok = rs_shown_open_quick(&how, &d->drop);
	}
	rs_mailbox_finish(&box);
	return ok;
}

static void maildir_open(struct rs_store *s, const char *mailbox, rs_store_open_cb cb, void *arg)
{
	struct rs_store_drop *d = g_new0(struct rs_store_drop, 1);
	struct rs_store_drop *before;
	struct job *j;

	d->q.loop = ((struct maildir_store *)s)->loop;
	d->q.owner = d;
	d->q.free_owner = drop_free;
	d->store = (struct maildir_store *)s;
	d->mailbox = g_strdup(mailbox);
	before = g_hash_table_lookup(d->store->closing, mailbox);
	if (!before && open_here(d)) {
		cb(arg, RS_STORE_OK, d, NULL);
		return;
	}
	j = job_new(d, open_work, open_done, arg);
	j->cb.open = cb;
	g_queue_push_tail(&d->q.waiting, j);
	if (before && !before->behind)
		before->behind = d;
	else
		pump(&d->q);
}

static struct rs_slice maildir_image(const struct rs_store_drop *d)
{
	return rs_shown_image(d->drop);
}

static void read_work(struct job *j)
{
	struct rs_store_drop *d = j->owner;
	struct rs_maildrop_body body;

	j->rc = rs_shown_read(d->drop, j->row, j->inline_max, &body, &j->err);
	if (j->rc < 0)
		return;
	j->octets = body.octets;
	j->octets_n = body.n;
	j->fd = body.fd;
}

static void read_done(struct job *j)
{
	g_autoptr(GBytes) octets =
		j->octets ? g_bytes_new_take(g_steal_pointer(&j->octets), j->octets_n) : NULL;
	int fd = j->rc < 0 ? -1 : j->fd;

	if (fd >= 0)
		j->fd = -1; /* the callee's now */
	j->cb.read(j->arg, store_err(j->rc), octets, fd, why(j));
}

static void maildir_read(
	struct rs_store_drop *d, uint32_t row, size_t inline_max, rs_store_read_cb cb, void *arg)
{
	struct job *j = job_new(d, read_work, read_done, arg);

	j->row = row;
	j->inline_max = inline_max ? inline_max : 1;
	j->cb.read = cb;
	push(&d->q, j);
}

static void decide_work(struct job *j)
{
	struct rs_store_drop *d = j->owner;

	j->rc = rs_shown_decide(d->drop, j->octets, &j->err);
}

static void decide_done(struct job *j)
{
	j->cb.commit(j->arg, store_err(j->rc), 0, why(j));
}

/* The removals themselves, behind the answer. What fails stays in the intent record. */
static void finish_work(struct job *j)
{
	struct rs_store_drop *d = j->owner;

	j->rc = rs_shown_finish(d->drop, &j->left, &j->err);
	if (j->rc < 0 || j->left)
		rs_log(RS_LOG_WARNING, "removal-unfinished", "mailbox", d->mailbox, "left",
			rs_log_num(j->left), "why", j->rc < 0 ? j->err.text : NULL, NULL);
}

static void maildir_commit(
	struct rs_store_drop *d, const uint8_t *marks, rs_store_commit_cb cb, void *arg)
{
	struct job *j = job_new(d, decide_work, decide_done, arg);

	d->committing = true;
	j->octets_n = rs_marks_n(rs_drop_n(rs_shown_table(d->drop)));
	j->octets = g_memdup2(marks, j->octets_n);
	j->cb.commit = cb;
	push(&d->q, j);
}

static void close_work(struct job *j)
{
	struct rs_store_drop *d = j->owner;

	finish_work(j);
	rs_shown_destroy(&d->drop);
}

static void maildir_close(struct rs_store_drop *d)
{
	/* nothing was to be removed: to let go of the lock is quicker than to have it done */
	if (!d->committing && !d->q.busy && g_queue_is_empty(&d->q.waiting)) {
		rs_shown_destroy(&d->drop);
		drop_free(d);
		return;
	}
	g_hash_table_replace(d->store->closing, d->mailbox, d);
	close_queue(&d->q, job_new(d, close_work, NULL, NULL));
}

/* --- delivery ------------------------------------------------------------------------------ */

struct rs_store_deliv {
	struct queue q;
	char **mailboxes;
	uint32_t n;
	const struct rs_rules *defaults; /* lent by the store */
	struct rs_dest first;            /* the first mailbox */
	struct rs_deliv *body;           /* in its tmp/ */
	int rc;                          /* sticky */
	struct rs_err err;
	int *results; /* one a mailbox, from commit */
	char **whys;  /* the same: NULL, or a line for the log */
};

static void deliv_free(void *p)
{
	struct rs_store_deliv *d = p;

	g_strfreev(d->mailboxes);
	for (uint32_t i = 0; i < d->n; i++)
		g_free(d->whys[i]);
	g_free(d->whys);
	g_free(d->results);
	g_free(d);
}

static void deliv_begin(struct rs_store_deliv *d)
{
	d->rc = rs_dest_open(rs_fs_posix(), d->mailboxes[0], d->defaults, &d->first, &d->err);
	if (d->rc == 0)
		d->rc = rs_deliv_begin(d->first.m, NULL, &d->body, &d->err);
}

static void write_work(struct job *j)
{
	struct rs_store_deliv *d = j->owner;

	if (!d->body && d->rc == 0)
		deliv_begin(d);
	if (d->rc == 0)
		d->rc = rs_deliv_write(d->body, j->octets, j->octets_n, &d->err);
	j->rc = d->rc;
	j->err = d->err;
}

static void write_done(struct job *j)
{
	j->cb.plain(j->arg, store_err(j->rc), why(j));
}

static void maildir_deliv_write(
	struct rs_store_deliv *d, struct rs_slice octets, rs_store_cb cb, void *arg)
{
	struct job *j = job_new(d, write_work, write_done, arg);

	j->octets = g_memdup2(octets.p, octets.n);
	j->octets_n = octets.n;
	j->cb.plain = cb;
	push(&d->q, j);
}

/* Deliver to mailbox `i`, the first of which has the body in its tmp/. One that fails leaves the others
 * as they are. */
static int deliver_to(struct rs_store_deliv *d, uint32_t i)
{
	struct rs_dest dest = {.m = NULL};
	struct rs_err err;
	int rc;

	if (i == 0)
		rc = rs_dest_deliver(&d->first, d->body, true, &err);
	else
		rc = rs_dest_open(rs_fs_posix(), d->mailboxes[i], d->defaults, &dest, &err);
	if (rc == 0 && i > 0)
		rc = rs_dest_deliver(&dest, d->body, false, &err);
	rs_dest_finish(&dest);
	if (rc < 0)
		d->whys[i] = g_strdup(err.text);
	return rc;
}

static void commit_work(struct job *j)
{
	struct rs_store_deliv *d = j->owner;

	if (!d->body && d->rc == 0)
		deliv_begin(d); /* a message of no octets */
	if (d->rc == 0)
		d->rc = rs_deliv_finish(d->body, &d->err);
	if (d->rc == 0)
		d->rc = rs_deliv_sync(d->body, &d->err);
	for (uint32_t i = 0; i < d->n; i++)
		d->results[i] = d->rc < 0 ? d->rc : deliver_to(d, i);
	rs_deliv_destroy(&d->body);
	rs_dest_finish(&d->first);
}

static void commit_done(struct job *j)
{
	struct rs_store_deliv *d = j->owner;

	j->last = true; /* the delivery ends with this job */
	for (uint32_t i = 0; i < d->n && !d->q.closed; i++)
		j->cb.each(j->arg, i, store_err(d->results[i]),
			d->results[i] == 0 ? NULL
			: d->whys[i]       ? d->whys[i]
					   : d->err.text);
}

static void abort_work(struct job *j)
{
	struct rs_store_deliv *d = j->owner;

	rs_deliv_destroy(&d->body);
	rs_dest_finish(&d->first);
}

static void maildir_deliv_open(
	struct rs_store *s, const char *const *mailboxes, uint32_t n, struct rs_store_deliv **out)
{
	struct rs_store_deliv *d = g_new0(struct rs_store_deliv, 1);

	d->q.loop = ((struct maildir_store *)s)->loop;
	d->q.owner = d;
	d->q.free_owner = deliv_free;
	d->mailboxes = g_new0(char *, n + 1);
	for (uint32_t i = 0; i < n; i++)
		d->mailboxes[i] = g_strdup(mailboxes[i]);
	d->n = n;
	d->defaults = &((struct maildir_store *)s)->rules;
	d->results = g_new0(int, n);
	d->whys = g_new0(char *, n);
	*out = d;
}

static void maildir_deliv_commit(struct rs_store_deliv *d, rs_store_each_cb each, void *arg)
{
	struct job *j = job_new(d, commit_work, commit_done, arg);

	j->cb.each = each;
	push(&d->q, j);
}

static void maildir_deliv_abort(struct rs_store_deliv *d)
{
	close_queue(&d->q, job_new(d, abort_work, NULL, NULL));
}

/* --- the store ----------------------------------------------------------------------------- */

static int maildir_start(
	uv_loop_t *loop, const struct rs_conf *conf, struct rs_store **out, struct rs_err *err)
{
	struct maildir_store *s = g_new0(struct maildir_store, 1);

	s->base.ops = &rs_store_maildir;
	rs_rules_init(&s->rules);
	if (conf)
		s->rules = conf->rules;
	s->loop = loop;
	s->closing = g_hash_table_new(g_str_hash, g_str_equal);
	*out = &s->base;
	return 0;
}

static void maildir_stop(struct rs_store *s)
{
	g_hash_table_unref(((struct maildir_store *)s)->closing);
	g_free(s);
}

const struct rs_store_ops rs_store_maildir = {
	.name = "maildir",
	.start = maildir_start,
	.stop = maildir_stop,
	.deliv_open = maildir_deliv_open,
	.deliv_write = maildir_deliv_write,
	.deliv_commit = maildir_deliv_commit,
	.deliv_abort = maildir_deliv_abort,
	.open = maildir_open,
	.image = maildir_image,
	.read = maildir_read,
	.commit = maildir_commit,
	.close = maildir_close,
};
