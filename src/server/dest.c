/* dest.c - see dest.h */
#include "server/dest.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "maildir/quota.h"
#include "maildir/subfolder.h"

#define COPY_N 65536u

int rs_dest_open(const struct rs_fs *fs, const char *text, const struct rs_rules *defaults,
	struct rs_dest *out, struct rs_err *err)
{
	g_autofree char *path = NULL;
	int rc;

	*out = (struct rs_dest){.fs = fs};
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

/* Publish `body`, as a link where it is not `own`; the quota is ours while that is done, and no longer. */
static int publish(struct rs_dest *d, struct rs_deliv *body, bool own, struct rs_err *err)
{
	struct rs_quota_room *room = NULL;
	int rc = rs_quota_take(
		d->fs, d->box.path, &d->box.rules.quota, rs_deliv_size(body), &room, err);

	if (rc < 0)
		return rc;
	rc = own ? rs_deliv_publish(body, err) : rs_deliv_link(body, d->m, err);
	rs_quota_settle(&room, rc == 0);
	return rc;
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
		rc = publish(d, own, true, err);
	rs_deliv_destroy(&own);
	if (fd >= 0)
		close(fd);
	return rc;
}

int rs_dest_deliver(struct rs_dest *d, struct rs_deliv *body, bool own, struct rs_err *err)
{
	int rc = publish(d, body, own, err);

	if (rc == -RS_EINVAL && !own)
		rc = copy(d, body, err);
	return rc < 0 ? rc : rs_maildir_sync(d->m, err);
}

void rs_dest_finish(struct rs_dest *d)
{
	rs_mailbox_finish(&d->box);
	rs_maildir_destroy(&d->m);
}
