/* dest.c - see dest.h */
#include "server/dest.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "maildir/quota.h"
#include "maildir/subfolder.h"

#define COPY_N 65536u

int rs_dest_open(
	const char *text, const struct rs_rules *defaults, struct rs_dest *out, struct rs_err *err)
{
	const struct rs_fs *fs = rs_fs_posix();
	g_autofree char *path = NULL;
	int rc;

	*out = (struct rs_dest){.m = NULL};
	rc = rs_mailbox_parse(text, defaults, &out->box, err);
	if (rc < 0)
		return rc;
	path = rs_subfolder_for_delivery(out->box.path, out->box.folder, &out->box.rules);
	if (strcmp(path, out->box.path) != 0 && access(path, F_OK) != 0) {
		struct rs_maildir *main_m = NULL; /* junk for a mailbox that is not there yet */

		rc = rs_maildir_open(fs, out->box.path, RS_MAILDIR_CREATE, &main_m, err);
		rs_maildir_destroy(&main_m);
		if (rc == 0)
			rc = rs_subfolder_make(fs, out->box.path, out->box.rules.junk_folder, err);
	}
	return rc < 0 ? rc : rs_maildir_open(fs, path, RS_MAILDIR_CREATE, &out->m, err);
}

/* Copy the body into a folder on another file system. */
static int copy(struct rs_dest *d, struct rs_deliv *body, struct rs_err *err)
{
	g_autofree uint8_t *buf = g_malloc(COPY_N);
	struct rs_deliv *own = NULL;
	int fd = rs_deliv_read_open(body, err);
	int rc = fd < 0 ? fd : rs_deliv_begin(d->m, NULL, &own, err);
	ssize_t n = 1;

	while (rc == 0 && n > 0) {
		n = read(fd, buf, COPY_N);
		if (n > 0)
			rc = rs_deliv_write(own, buf, (size_t)n, err);
		else if (n < 0)
			rc = rs_err_set(err, RS_EIO, "read: %s", g_strerror(errno));
	}
	if (rc == 0)
		rc = rs_deliv_finish(own, err);
	if (rc == 0)
		rc = rs_deliv_sync(own, err);
	if (rc == 0)
		rc = rs_deliv_publish(own, err);
	rs_deliv_destroy(&own);
	if (fd >= 0)
		close(fd);
	return rc;
}

static int place(struct rs_dest *d, struct rs_deliv *body, bool own, struct rs_err *err)
{
	int rc;

	if (own)
		return rs_deliv_publish(body, err);
	rc = rs_deliv_link(body, d->m, err);
	return rc == -RS_EINVAL ? copy(d, body, err) : rc;
}

int rs_dest_deliver(struct rs_dest *d, struct rs_deliv *body, bool own, struct rs_err *err)
{
	const struct rs_quota *q = &d->box.rules.quota;
	const struct rs_fs *fs = rs_fs_posix();
	int rc = rs_quota_take(fs, d->box.path, q, rs_deliv_size(body), err);

	if (rc < 0)
		return rc;
	rc = place(d, body, own, err);
	if (rc < 0 && (q->octets_max || q->messages_max))
		rs_quota_give(fs, d->box.path,
			(struct rs_quota_use){.octets = rs_deliv_size(body), .messages = 1});
	return rc < 0 ? rc : rs_maildir_sync(d->m, err);
}

void rs_dest_finish(struct rs_dest *d)
{
	rs_mailbox_finish(&d->box);
	rs_maildir_destroy(&d->m);
}
