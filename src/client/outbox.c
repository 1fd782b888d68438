/* outbox.c - the Outbox as a place: put, list, lock, move. Sending: outbox_flush.c. Contract: outbox.h. */
#include "client/outbox_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/catalog.h"
#include "client/places.h"
#include "client/text.h"

#define ORPHAN_S (2 * 86400) /* an envelope so old whose message never came */

void rs_out_item_free(void *item)
{
	struct rs_out_item *i = item;

	if (!i)
		return;
	g_free(i->unique);
	g_free(i->file);
	rs_envelope_free(i->envelope);
	g_free(i);
}

int rs_outbox_open(const struct rs_places *p, const GPtrArray *accounts, struct rs_outbox **out,
	struct rs_err *err)
{
	struct rs_outbox *o = g_new0(struct rs_outbox, 1);

	o->places = p;
	o->accounts = accounts;
	o->folder = g_build_filename(p->mail_dir, "Outbox", NULL);
	o->envelopes = g_build_filename(p->data_dir, "outbox", NULL);
	*out = o;
	return 0;
}

void rs_outbox_close(struct rs_outbox **o)
{
	if (!*o)
		return;
	g_free((*o)->folder);
	g_free((*o)->envelopes);
	g_free(*o);
	*o = NULL;
}

void rs_outbox_on_step(struct rs_outbox *o, void (*step)(void *arg, const char *what), void *arg)
{
	o->step = step;
	o->step_arg = arg;
}

void outbox_step(struct rs_outbox *o, const char *what)
{
	if (o->step)
		o->step(o->step_arg, what);
}

/* --- envelopes ----------------------------------------------------------------------------- */

static char *envelope_path(const struct rs_outbox *o, const char *unique)
{
	return g_build_filename(o->envelopes, unique, NULL);
}

static int envelope_write(
	struct rs_outbox *o, const char *unique, const struct rs_envelope *e, struct rs_err *err)
{
	g_autofree char *path = envelope_path(o, unique);
	g_autofree char *text = rs_envelope_print(e);

	outbox_step(o, rs_out_state_name(e->state));
	return rs_file_replace(path, rs_slice_str(text), err);
}

int outbox_envelope_save(struct rs_outbox *o, const struct rs_out_item *item, struct rs_err *err)
{
	return envelope_write(o, item->unique, item->envelope, err);
}

void outbox_envelope_forget(struct rs_outbox *o, const char *unique)
{
	g_autofree char *path = envelope_path(o, unique);

	outbox_step(o, "forget the envelope");
	(void)g_unlink(path);
}

static int envelope_read(struct rs_outbox *o, struct rs_out_item *item, struct rs_err *err)
{
	g_autofree char *path = envelope_path(o, item->unique);
	g_autofree char *text = NULL;
	struct rs_envelope *e = NULL;
	size_t n;
	int rc = rs_file_read(path, RS_ENVELOPE_MAX, &text, &n, err);

	if (rc == 0)
		rc = rs_envelope_parse(text, n, &e, err);
	if (rc < 0)
		return rc;
	rs_envelope_free(item->envelope);
	item->envelope = e;
	return 0;
}

/* --- put ----------------------------------------------------------------------------------- */

static int copy(int fd, struct rs_deliv *d, struct rs_err *err)
{
	g_autofree char *buf = g_malloc(65536);
	off_t at = 0;

	for (;;) {
		ssize_t k = pread(fd, buf, 65536, at);
		int rc;

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return rs_err_set(err, RS_EIO, _("the message cannot be read: %s"),
				g_strerror(errno));
		if (k == 0)
			return 0;
		rc = rs_deliv_write(d, buf, (size_t)k, err);
		if (rc < 0)
			return rc;
		at += k;
	}
}

static char *unique_of(const char *file)
{
	struct rs_maildir_name name;

	rs_maildir_name_parse(rs_slice_str(file), &name);
	return g_strndup((const char *)name.unique.p, name.unique.n);
}

/* Everything but the name in new/. */
static int prepare(
	struct rs_outbox *o, struct rs_deliv *d, struct rs_envelope *e, int fd, struct rs_err *err)
{
	g_autofree char *unique = NULL;
	int rc = copy(fd, d, err);

	if (rc == 0)
		rc = rs_deliv_finish(d, err);
	outbox_step(o, "sync the message");
	if (rc == 0)
		rc = rs_deliv_sync(d, err);
	if (rc < 0)
		return rc;
	unique = unique_of(rs_deliv_name(d));
	return envelope_write(o, unique, e, err);
}

int rs_outbox_put(
	struct rs_outbox *o, struct rs_envelope *e, int fd, char **unique, struct rs_err *err)
{
	struct rs_maildir *folder = NULL;
	struct rs_deliv *d = NULL;
	int rc;

	if (e->rcpts->len == 0)
		return rs_err_set(err, RS_EINVAL, _("the message has no recipient"));
	e->queued_s = g_get_real_time() / G_USEC_PER_SEC;
	rc = rs_maildir_open(rs_fs_posix(), o->folder, RS_MAILDIR_CREATE, &folder, err);
	if (rc == 0)
		rc = rs_deliv_begin(folder, NULL, &d, err);
	if (rc == 0)
		rc = prepare(o, d, e, fd, err);
	outbox_step(o, "publish");
	if (rc == 0)
		rc = rs_deliv_publish(d, err);
	outbox_step(o, "sync the folder");
	if (rc == 0)
		rc = rs_maildir_sync(folder, err);
	if (rc == 0 && unique)
		*unique = unique_of(rs_deliv_name(d));
	rs_deliv_destroy(&d);
	rs_maildir_destroy(&folder);
	return rc;
}

/* --- listing ------------------------------------------------------------------------------- */

static struct rs_out_item *item_new(struct rs_outbox *o, const struct rs_maildir_entry *at)
{
	struct rs_out_item *item = g_new0(struct rs_out_item, 1);
	struct rs_err ignored; /* then it has none, and says so */

	item->unique = unique_of(at->file);
	item->file = g_strdup(at->file);
	item->in_new = at->in_new;
	rs_catalog_code(rs_slice_str(item->unique), item->code);
	if (envelope_read(o, item, &ignored) < 0)
		item->envelope = NULL;
	return item;
}

static gint64 age_key(const struct rs_out_item *i)
{
	return i->envelope ? i->envelope->queued_s : 0;
}

static int oldest_first(const void *a, const void *b)
{
	const struct rs_out_item *x = *(struct rs_out_item *const *)a;
	const struct rs_out_item *y = *(struct rs_out_item *const *)b;

	if (age_key(x) != age_key(y))
		return age_key(x) < age_key(y) ? -1 : 1;
	return strverscmp(x->file, y->file);
}

int rs_outbox_list(struct rs_outbox *o, GPtrArray **out, struct rs_err *err)
{
	g_autoptr(GPtrArray) items = g_ptr_array_new_with_free_func(rs_out_item_free);
	struct rs_maildir *folder = NULL;
	struct rs_maildir_list *list = NULL;
	struct rs_err why;
	int rc = rs_maildir_open(rs_fs_posix(), o->folder, 0, &folder, &why);

	if (rc == 0)
		rc = rs_maildir_scan(folder, &list, &why);
	for (size_t i = 0; rc == 0 && i < rs_maildir_list_n(list); i++) {
		const struct rs_maildir_entry entry = rs_maildir_list_at(list, i);

		g_ptr_array_add(items, item_new(o, &entry));
	}
	rs_maildir_list_destroy(&list);
	rs_maildir_destroy(&folder);
	if (rc < 0 && rc != -RS_ENOENT)
		return rs_err_set(err, why.kind, "%s", why.text);
	if (items->len)
		qsort(items->pdata, items->len, sizeof(items->pdata[0]), oldest_first);
	*out = g_steal_pointer(&items);
	return 0;
}

int rs_outbox_find(
	const GPtrArray *items, const char *word, struct rs_out_item **out, struct rs_err *err)
{
	guint found = 0;

	for (guint i = 0; i < items->len; i++) {
		struct rs_out_item *item = items->pdata[i];

		if (*word && g_str_has_prefix(item->code, word)) {
			*out = item;
			found++;
		}
	}
	if (found > 1)
		return rs_err_set(err, RS_EINVAL,
			_("%u messages have an id that begins with '%s'; give more of it"), found,
			word);
	return found ? 0
		     : rs_err_set(err, RS_ENOENT,
			       _("there is no message '%s' in the outbox; those there are: "
				 "restante outbox"),
			       word);
}

/* --- one message --------------------------------------------------------------------------- */

static char *file_path(const struct rs_outbox *o, const struct rs_out_item *item)
{
	return g_build_filename(o->folder, item->in_new ? "new" : "cur", item->file, NULL);
}

/* Opens it where it is now; another program may have moved it from new/ to cur/ or marked it. */
static int open_now(struct rs_outbox *o, struct rs_out_item *item, struct rs_err *err)
{
	static const char *const subs[] = {"new", "cur"};

	for (guint i = 0; i < 2; i++) {
		g_autofree char *dir_path = g_build_filename(o->folder, subs[i], NULL);
		g_autoptr(GDir) dir = g_dir_open(dir_path, 0, NULL);
		const char *name;

		while (dir && (name = g_dir_read_name(dir)) != NULL) {
			g_autofree char *unique = unique_of(name);
			g_autofree char *path = NULL;
			int fd;

			if (strcmp(unique, item->unique) != 0)
				continue;
			path = g_build_filename(dir_path, name, NULL);
			fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
			if (fd < 0)
				continue;
			g_free(item->file);
			item->file = g_strdup(name);
			item->in_new = i == 0;
			return fd;
		}
	}
	return rs_err_set(
		err, RS_ENOENT, _("message %s is not in the outbox any more"), item->code);
}

int rs_outbox_read(struct rs_outbox *o, const struct rs_out_item *item, struct rs_err *err)
{
	struct rs_out_item now = {.unique = item->unique, .file = NULL};
	int fd;

	memcpy(now.code, item->code, sizeof(now.code));
	fd = open_now(o, &now, err);
	g_free(now.file);
	return fd;
}

int outbox_lock(struct rs_outbox *o, struct rs_out_item *item, bool wait, struct rs_err *err)
{
	struct rs_err ignored;
	int fd = open_now(o, item, err);
	int again;
	int rc;

	if (fd < 0)
		return fd;
	do {
		rc = flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB));
	} while (rc < 0 && errno == EINTR);
	if (rc < 0) {
		close(fd);
		return rs_err_set(err, RS_ELOCKED,
			_("another program is sending message %s just now"), item->code);
	}
	/* whoever held it may have sent it */
	again = open_now(o, item, err);
	if (again < 0) {
		close(fd);
		return again;
	}
	close(again);
	if (envelope_read(o, item, &ignored) < 0)
		g_clear_pointer(&item->envelope, rs_envelope_free);
	return fd;
}

/* --- moving -------------------------------------------------------------------------------- */

static int dir_sync(const char *path)
{
	int fd = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	int rc = fd < 0 || fsync(fd) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return rc;
}

/* Where Sent lies on another file system: a copy with the same name, then the first goes. 0 or a negative kind. */
static int copy_to(
	struct rs_maildir *to, const struct rs_out_item *item, const char *from, struct rs_err *err)
{
	struct rs_deliv *d = NULL;
	int fd = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int rc;

	if (fd < 0)
		return rs_err_set(err, rs_err_kind_of_errno(errno), _("cannot read %s: %s"), from,
			g_strerror(errno));
	rc = rs_deliv_begin(to, item->unique, &d, err);
	if (rc == 0)
		rc = copy(fd, d, err);
	if (rc == 0)
		rc = rs_deliv_finish(d, err);
	if (rc == 0)
		rc = rs_deliv_sync(d, err);
	if (rc == 0)
		rc = rs_deliv_publish(d, err);
	if (rc == 0 || rc == -RS_EEXIST)
		rc = rs_maildir_sync(to, err);
	rs_deliv_destroy(&d);
	close(fd);
	if (rc == 0 && g_unlink(from) < 0)
		rc = rs_err_set(err, rs_err_kind_of_errno(errno), _("cannot remove %s: %s"), from,
			g_strerror(errno));
	return rc;
}

int outbox_move(struct rs_outbox *o, const struct rs_out_item *item, const char *folder,
	const char *flags, struct rs_err *err)
{
	g_autofree char *path = g_build_filename(o->places->mail_dir, folder, NULL);
	g_autofree char *cur = g_build_filename(path, "cur", NULL);
	g_autofree char *from = file_path(o, item);
	g_autofree char *from_dir = g_path_get_dirname(from);
	g_autofree char *base = g_strndup(item->file, strcspn(item->file, ":"));
	g_autofree char *to = g_strdup_printf("%s/%s:2,%s", cur, base, flags);
	struct rs_maildir *m = NULL;
	int rc = rs_maildir_open(rs_fs_posix(), path, RS_MAILDIR_CREATE, &m, err);

	if (rc < 0)
		return rc;
	outbox_step(o, "move the message");
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) {
		rc = dir_sync(cur);
		outbox_step(o, "sync where it was");
		rc = rc == 0 ? dir_sync(from_dir) : rc;
		if (rc < 0)
			rc = rs_err_set(err, rs_err_kind_of_errno(-rc), _("cannot write %s: %s"),
				cur, g_strerror(-rc));
	} else if (errno == EXDEV) {
		rc = copy_to(m, item, from, err);
	} else {
		rc = rs_err_set(err, rs_err_kind_of_errno(errno),
			_("cannot move a message from the outbox to %s: %s"), path,
			g_strerror(errno));
	}
	rs_maildir_destroy(&m);
	if (rc == 0)
		outbox_envelope_forget(o, item->unique);
	return rc;
}

/* It has been sent, and moved: only the envelope was left over. */
static bool is_done(struct rs_outbox *o, struct rs_out_item *item)
{
	struct rs_err ignored;
	bool done = envelope_read(o, item, &ignored) == 0 && item->envelope->state == RS_OUT_SENT;

	g_clear_pointer(&item->envelope, rs_envelope_free);
	return done;
}

void outbox_clean(struct rs_outbox *o)
{
	g_autoptr(GDir) dir = g_dir_open(o->envelopes, 0, NULL);
	gint64 now_s = g_get_real_time() / G_USEC_PER_SEC;
	const char *name;

	while (dir && (name = g_dir_read_name(dir)) != NULL) {
		struct rs_out_item item = {.unique = g_strdup(name)};
		g_autofree char *path = envelope_path(o, name);
		struct rs_err ignored;
		struct stat st;
		int fd = stat(path, &st) < 0 ? 0 : rs_outbox_read(o, &item, &ignored);

		if (fd == -RS_ENOENT && (now_s - st.st_mtime > ORPHAN_S || is_done(o, &item)))
			(void)g_unlink(path);
		if (fd > 0)
			close(fd);
		g_free(item.unique);
	}
}

/* --- a person decides ---------------------------------------------------------------------- */

static bool somebody_has_it(const struct rs_envelope *e)
{
	return e && (e->state == RS_OUT_DOT || e->state == RS_OUT_UNSURE ||
			    e->state == RS_OUT_SENT || rs_envelope_count(e, RS_SUBMIT_DONE));
}

int rs_outbox_cancel(
	struct rs_outbox *o, const struct rs_out_item *item, const char **where, struct rs_err *err)
{
	struct rs_out_item now = {.unique = g_strdup(item->unique)};
	int fd;
	int rc;

	memcpy(now.code, item->code, sizeof(now.code));
	fd = outbox_lock(o, &now, false, err);
	rc = fd < 0 ? fd : 0;
	if (rc == 0) {
		bool out = somebody_has_it(now.envelope);

		*where = out ? "Sent" : "Drafts";
		rc = outbox_move(o, &now, *where, out ? "S" : "DS", err);
		close(fd);
	}
	g_free(now.unique);
	g_free(now.file);
	rs_envelope_free(now.envelope);
	return rc;
}

int rs_outbox_drop(struct rs_outbox *o, const struct rs_out_item *item, struct rs_err *err)
{
	struct rs_out_item now = {.unique = g_strdup(item->unique)};
	int fd;
	int rc;

	memcpy(now.code, item->code, sizeof(now.code));
	fd = outbox_lock(o, &now, true, err);
	rc = fd < 0 ? fd : 0;
	if (rc == 0 && somebody_has_it(now.envelope))
		rc = rs_err_set(
			err, RS_EBUSY, _("message %s has been sent, or may have been"), now.code);
	if (rc == 0) {
		g_autofree char *path = file_path(o, &now);

		outbox_step(o, "drop the message");
		if (g_unlink(path) < 0)
			rc = rs_err_set(err, rs_err_kind_of_errno(errno), _("cannot remove %s: %s"),
				path, g_strerror(errno));
		else
			outbox_envelope_forget(o, now.unique);
	}
	if (fd >= 0)
		close(fd);
	g_free(now.unique);
	g_free(now.file);
	rs_envelope_free(now.envelope);
	return rc;
}
