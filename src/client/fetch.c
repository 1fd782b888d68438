/* fetch.c - one check of one account, from lock to report. See fetch.h; the parts are
 * fetch_settle, fetch_list, fetch_retrieve, fetch_batch, fetch_delete. */
#include "client/fetch_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <unistd.h>

#include "client/text.h"

void fetch_step(const struct fetch_run *r, const char *what)
{
	if (r->f->step)
		r->f->step(r->f->step_arg, what);
}

static double seconds(const struct fetch_run *r)
{
	return (double)(g_get_monotonic_time() - r->began_us) / G_USEC_PER_SEC;
}

int fetch_ledger_end(struct fetch_run *r, int rc, const char *step, struct rs_err *err)
{
	fetch_step(r, step);
	if (rc == 0)
		rc = rs_ledger_commit(r->ledger, err);
	if (rc < 0)
		rs_ledger_rollback(r->ledger);
	return rc;
}

void fetch_progress(struct fetch_run *r, enum rs_fetch_phase phase)
{
	struct rs_fetch_progress p = {.phase = phase,
		.done_n = fetch_commit_done_n(r),
		.received_n = r->received_n,
		.total_n = r->plan.fetch ? r->plan.fetch->len : 0,
		.octets = r->received,
		.octets_total = r->octets_total,
		.seconds = seconds(r)};

	if (r->f->progress)
		r->f->progress(r->f->progress_arg, &p);
}

void fetch_notice(struct fetch_run *r, const char *fmt, ...)
{
	va_list ap;

	for (guint i = 0; i < RS_FETCH_NOTICE_N; i++) {
		if (r->report->notice[i][0])
			continue;
		va_start(ap, fmt);
		(void)g_vsnprintf(r->report->notice[i], sizeof(r->report->notice[i]), fmt, ap);
		va_end(ap);
		return;
	}
}

/* One check of an account at a time, over all processes; gone with its holder. */
static int lock(struct fetch_run *r, struct rs_err *err)
{
	const char *name = r->f->account->name;
	g_autofree char *safe = g_uri_escape_string(name, NULL, FALSE);
	g_autofree char *path = g_strdup_printf("%s/check-%s.lock", r->f->places->data_dir, safe);
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (g_mkdir_with_parents(r->f->places->data_dir, 0700) < 0)
		return rs_err_set(err, rs_err_kind_of_errno(errno),
			_("cannot make the folder %s: %s"), r->f->places->data_dir,
			g_strerror(errno));
	r->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (r->lock_fd < 0)
		return rs_err_set(err, rs_err_kind_of_errno(errno), _("cannot open %s: %s"), path,
			g_strerror(errno));
	if (fcntl(r->lock_fd, F_OFD_SETLK, &whole) == 0)
		return 0;
	return rs_err_set(err, RS_ELOCKED,
		_("%s is being checked by another restante just now; wait until that one has "
		  "finished"),
		name);
}

/* What the last check went by. Where mail is known and no policy is, it came from another program or an older
 * version: then nothing was to be deleted. */
static void policy_before(struct fetch_run *r)
{
	const char *text = r->known.policy;

	r->before = (struct rs_policy){.remove = false};
	if (text && !rs_policy_parse(text, &r->before))
		return;
	if (!text && r->table.rows->len == 0)
		r->before = r->f->account->leave;
}

/* The Maildir, or for another target the spool that bodies pass through. */
static int open_folder(struct fetch_run *r, struct rs_err *err)
{
	const struct rs_account *a = r->f->account;
	g_autofree char *spool = g_build_filename(r->f->places->data_dir, "spool", a->name, NULL);
	int rc = rs_maildir_open(rs_fs_posix(), a->deliver_to ? spool : a->maildir,
		RS_MAILDIR_CREATE, &r->maildir, err);

	if (rc == 0 && a->deliver_to)
		rc = rs_target_create(r->f->places, a, r->f->cancel, &r->target, err);
	if (rc == 0)
		rs_maildir_clean_tmp(r->maildir, g_get_real_time() / G_USEC_PER_SEC);
	return rc;
}

static int prepare(struct fetch_run *r, struct rs_err *err)
{
	const struct rs_fetch *f = r->f;
	int rc = lock(r, err);

	r->key = rs_ledger_key(f->account);

	if (rc == 0)
		rc = rs_ledger_open(f->places->ledger_file, &r->ledger, err);
	if (rc == 0)
		rc = rs_ledger_account_get(r->ledger, r->key, &r->known, err);
	if (rc == 0)
		rc = open_folder(r, err);
	if (rc == 0)
		rc = fetch_file_open(r, err);
	if (rc == 0)
		rc = fetch_settle(r, err);
	if (rc == 0)
		rc = rs_ledger_load(r->ledger, r->key, &r->table, err);
	if (rc < 0)
		return rc;
	/* a clock that was set back makes nothing older, and nothing is due by it */
	r->now_s = MAX(g_get_real_time() / G_USEC_PER_SEC, r->known.checked_s);
	policy_before(r);
	return fetch_here(r, err);
}

/* An account that is new begins with the policy it has: noted first, so that a check that is cut short is not
 * taken for one with another policy. */
static int note_new(struct fetch_run *r, struct rs_err *err)
{
	int rc;

	if (r->known.policy || r->table.rows->len)
		return 0;
	r->known.policy = rs_policy_format(&r->f->account->leave);
	rc = rs_ledger_begin(r->ledger, err);
	if (rc == 0)
		rc = rs_ledger_account_put(r->ledger, r->key, &r->known, err);
	return fetch_ledger_end(r, rc, "new", err);
}

static int check(struct fetch_run *r, struct rs_err *err)
{
	int rc = fetch_open(r, err);

	if (rc == 0)
		rc = fetch_list(r, err);
	if (rc == 0 && r->f->dry_run)
		return fetch_dry(r, err);
	if (rc == 0)
		rc = note_new(r, err);
	if (rc == 0)
		rc = fetch_retrieve(r, err);
	/* messages that are durable here are deleted there only in a session that went well */
	return rc == 0 ? fetch_delete_and_quit(r, err) : rc;
}

static void failed_clear(gpointer p)
{
	g_free(((struct fetch_failed *)p)->why);
}

static void finish(struct fetch_run *r)
{
	rs_session_close(&r->session);
	rs_secret_destroy(&r->renewed);
	fetch_batch_drop(r->batch);
	rs_plan_finish(&r->plan);
	rs_ledger_table_finish(&r->table);
	rs_ledger_account_finish(&r->known);
	rs_ledger_close(&r->ledger);
	rs_target_destroy(&r->target);
	fetch_file_close(r);
	rs_maildir_destroy(&r->maildir);
	g_array_unref(r->listing);
	g_array_unref(r->batch);
	g_array_unref(r->lost);
	g_array_unref(r->failed);
	if (r->lost_by_digest)
		g_hash_table_unref(r->lost_by_digest);
	g_mutex_clear(&r->commit.lock);
	g_cond_clear(&r->commit.changed);
	g_array_unref(r->to_delete);
	g_string_chunk_free(r->uids);
	g_free(r->key);
	if (r->lock_fd >= 0)
		close(r->lock_fd);
}

int rs_fetch_run(const struct rs_fetch *f, struct rs_fetch_report *report)
{
	struct fetch_run r = {
		.f = f, .report = report, .lock_fd = -1, .began_us = g_get_monotonic_time()};

	*report = (struct rs_fetch_report){.error = 0};
	r.listing = g_array_new(FALSE, FALSE, sizeof(struct rs_listed));
	r.lost = g_array_new(FALSE, FALSE, sizeof(struct fetch_lost));
	r.failed = g_array_new(FALSE, FALSE, sizeof(struct fetch_failed));
	g_array_set_clear_func(r.failed, failed_clear);
	g_mutex_init(&r.commit.lock);
	g_cond_init(&r.commit.changed);
	r.batch = g_array_new(FALSE, FALSE, sizeof(struct fetch_got));
	r.to_delete = g_array_new(FALSE, FALSE, sizeof(struct rs_plan_remove));
	r.uids = g_string_chunk_new(65536);
	report->error = prepare(&r, &report->err);
	if (report->error == 0)
		report->error = check(&r, &report->err);
	report->seconds = seconds(&r);
	if (report->error == 0)
		fetch_progress(&r, RS_FETCH_DONE);
	finish(&r);
	return report->error;
}

int rs_fetch_probe(const struct rs_account *a, const struct rs_secret *password,
	GCancellable *cancel, guint32 *count, guint64 *octets, struct rs_err *err)
{
	struct rs_session *s = NULL;
	struct rs_pop3c_event ev;
	int rc = rs_session_open(a, password, cancel, NULL, &s, NULL, err);

	if (rc < 0)
		return rc;
	rc = rs_session_ask(s, RS_POP3_STAT, NULL, &ev, err);
	if (rc == 0 && ev.kind == RS_C_ERR)
		rc = rs_session_refused(s, &ev, "STAT", err);
	if (rc == 0) {
		*count = ev.num;
		*octets = ev.size == UINT64_MAX ? 0 : ev.size;
		rc = rs_session_ask(s, RS_POP3_QUIT, NULL, &ev, err);
	}
	rs_session_close(&s);
	return rc;
}
