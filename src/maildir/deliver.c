/* deliver.c - one message on its way into a folder: tmp/, then new/.
 *
 * States:  WRITING --finish--> FINISHED --publish--> PUBLISHED
 * Facts:   before PUBLISHED the file is in tmp/ only, and destroy removes it; in FINISHED and
 *          PUBLISHED the name is final and all octets were handed to the kernel; only the caller
 *          knows what was made durable (rs_deliv_sync, rs_maildir_sync_all, rs_maildir_sync). */
#include "maildir/folder.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "proto/downgrade.h"

#define UNIQUE_MAX 180u
#define HOST_MAX   40u
#define BUF_N      32768u
#define FILE_MODE  0600

enum deliv_state { WRITING, FINISHED, PUBLISHED };

struct rs_deliv {
	struct rs_maildir *m; /* lent */
	enum deliv_state state;
	char *unique; /* and the name in tmp/ */
	char name[RS_MAILDIR_NAME_MAX + 1];
	int fd;
	bool cr; /* a CR is held back: is an LF behind it? */
	uint64_t size;
	struct rs_wire_count wire;
	struct rs_ascii_size ascii;
	size_t buf_n;
	uint8_t *buf; /* BUF_N octets; NULL once parked */
};

/* Host part of our names: letters, digits, dots and dashes of the host's name. */
static void host_put(char out[HOST_MAX + 1])
{
	const char *host = g_get_host_name();
	size_t n = 0;

	for (; *host && n < HOST_MAX; host++) {
		if (g_ascii_isalnum(*host) || *host == '.' || *host == '-')
			out[n++] = *host;
	}
	if (n == 0)
		out[n++] = 'h';
	out[n] = '\0';
}

/* From the kernel and not from GLib, which would open /dev/urandom for it: in the store's sandbox there
 * is none, and what GLib takes instead can be guessed. */
static uint32_t chance(void)
{
	uint32_t n = 0;

	return getrandom(&n, sizeof(n), 0) == sizeof(n) ? n : (uint32_t)g_get_monotonic_time();
}

/* Unique for ever: time, process, a counter in the process, and chance. */
static char *unique_make(void)
{
	static gint counter;
	char host[HOST_MAX + 1];
	gint64 now = g_get_real_time();

	host_put(host);
	return g_strdup_printf("%" G_GINT64_FORMAT ".M%06" G_GINT64_FORMAT "P%dQ%dR%08x.%s",
		now / 1000000, now % 1000000, (int)getpid(), g_atomic_int_add(&counter, 1) + 1,
		chance(), host);
}

static bool unique_ok(const char *unique)
{
	size_t n = strlen(unique);

	return n > 0 && n <= UNIQUE_MAX && unique[0] != '.' && strcspn(unique, "/:,") == n;
}

int rs_deliv_begin(
	struct rs_maildir *m, const char *unique, struct rs_deliv **out, struct rs_err *err)
{
	struct rs_deliv *d;
	int fd;

	if (unique && !unique_ok(unique))
		return rs_err_set(
			err, RS_EINVAL, "'%s' cannot be a file name in a Maildir", unique);
	d = g_new0(struct rs_deliv, 1);
	d->m = m;
	d->unique = unique ? g_strdup(unique) : unique_make();
	rs_wire_count_init(&d->wire);
	rs_ascii_size_init(&d->ascii);
	/* a name given by the caller may be left over from a run that was killed: begin anew */
	fd = m->fs->create(m->fs->ctx, m->tmp_fd, d->unique,
		O_WRONLY | O_NOFOLLOW | (unique ? O_TRUNC : O_EXCL), FILE_MODE);
	if (fd < 0) {
		(void)rs_maildir_fail(err, -fd, "write into", m->path, "tmp");
		rs_ascii_size_finish(&d->ascii);
		g_free(d->unique);
		g_free(d);
		return -(int)rs_err_kind_of_errno(-fd);
	}
	d->fd = fd;
	d->buf = g_malloc(BUF_N);
	*out = d;
	return 0;
}

static int flush(struct rs_deliv *d, struct rs_err *err)
{
	size_t at = 0;

	while (at < d->buf_n) {
		ssize_t k = d->m->fs->write(d->m->fs->ctx, d->fd, d->buf + at, d->buf_n - at);

		if (k < 0)
			return rs_maildir_fail(
				err, (int)-k, "write a message into", d->m->path, NULL);
		at += (size_t)k;
	}
	/* most headers are whole and ASCII in the first piece: then nothing more is looked at */
	if (d->size == 0 && rs_header_is_ascii(d->buf, d->buf_n))
		d->ascii.over = true;
	rs_ascii_size_add(&d->ascii, d->buf, d->buf_n);
	d->size += d->buf_n;
	rs_wire_count_add(&d->wire, d->buf, d->buf_n);
	d->buf_n = 0;
	return 0;
}

static int put(struct rs_deliv *d, const uint8_t *p, size_t n, struct rs_err *err)
{
	while (n) {
		size_t k = RS_MIN(n, BUF_N - d->buf_n);
		int rc;

		memcpy(d->buf + d->buf_n, p, k);
		d->buf_n += k;
		p += k;
		n -= k;
		rc = d->buf_n == BUF_N ? flush(d, err) : 0;
		if (rc < 0)
			return rc;
	}
	return 0;
}

int rs_deliv_write(struct rs_deliv *d, const void *p, size_t n, struct rs_err *err)
{
	static const uint8_t cr = '\r';
	const uint8_t *at = p;
	const uint8_t *end = at + n;
	int rc = 0;

	assert(d->state == WRITING);
	while (at < end && rc == 0) {
		const uint8_t *next;

		if (d->cr && *at != '\n') /* held from before: only CRLF loses its CR */
			rc = put(d, &cr, 1, err);
		next = memchr(at, '\r', (size_t)(end - at));
		if (rc == 0)
			rc = put(d, at, (size_t)((next ? next : end) - at), err);
		at = next ? next + 1 : end;
		d->cr = next != NULL;
	}
	return rc;
}

static void name_make(struct rs_deliv *d)
{
	uint64_t wire = rs_wire_count_end(&d->wire);
	uint64_t ascii = rs_ascii_size_end(&d->ascii, wire);
	size_t n;

	(void)snprintf(d->name, sizeof(d->name), "%s,S=%" G_GUINT64_FORMAT ",W=%" G_GUINT64_FORMAT,
		d->unique, d->size, wire);
	n = strlen(d->name);
	if (ascii != wire)
		(void)snprintf(d->name + n, sizeof(d->name) - n, ",U=%" G_GUINT64_FORMAT,
			ascii == RS_DOWNGRADE_NONE ? 0 : ascii);
}

int rs_deliv_finish(struct rs_deliv *d, struct rs_err *err)
{
	static const uint8_t cr = '\r';
	int rc = 0;

	assert(d->state == WRITING);
	if (d->cr)
		rc = put(d, &cr, 1, err);
	d->cr = false;
	if (rc == 0)
		rc = flush(d, err);
	if (rc < 0)
		return rc;
	name_make(d);
	d->state = FINISHED;
	return 0;
}

const char *rs_deliv_name(const struct rs_deliv *d)
{
	assert(d->state != WRITING);
	return d->name;
}

uint64_t rs_deliv_size(const struct rs_deliv *d)
{
	return d->size;
}

uint64_t rs_deliv_wire(const struct rs_deliv *d)
{
	return rs_wire_count_end(&d->wire);
}

void rs_deliv_park(struct rs_deliv *d)
{
	assert(d->state == FINISHED);
	if (d->fd >= 0)
		(void)d->m->fs->close(d->m->fs->ctx, d->fd);
	d->fd = -1;
	g_clear_pointer(&d->buf, g_free);
}

int rs_deliv_sync(struct rs_deliv *d, struct rs_err *err)
{
	const struct rs_fs *fs = d->m->fs;
	int rc = 0;

	assert(d->state == FINISHED);
	if (d->fd < 0)
		rc = fs->create(fs->ctx, d->m->tmp_fd, d->unique, O_WRONLY | O_NOFOLLOW, FILE_MODE);
	if (d->fd < 0 && rc >= 0)
		d->fd = rc;
	if (rc >= 0)
		rc = fs->fsync(fs->ctx, d->fd);
	return rc < 0 ? rs_maildir_fail(err, -rc, "make a message durable in", d->m->path, NULL)
		      : 0;
}

/* Rename tmp -> `dir`/`name`, never over a file that is there. 0 or -errno. */
static int move(struct rs_deliv *d, int dir, const char *name)
{
	const struct rs_fs *fs = d->m->fs;
	int rc = fs->rename(fs->ctx, d->m->tmp_fd, d->unique, dir, name, RENAME_NOREPLACE);

	if (rc == -EINVAL) { /* a file system without RENAME_NOREPLACE: link never replaces */
		rc = fs->link(fs->ctx, d->m->tmp_fd, d->unique, dir, name);
		if (rc == 0)
			(void)fs->unlink(fs->ctx, d->m->tmp_fd, d->unique);
	}
	if (rc == 0)
		d->state = PUBLISHED;
	return rc;
}

int rs_deliv_publish(struct rs_deliv *d, struct rs_err *err)
{
	int rc;

	assert(d->state == FINISHED);
	rc = move(d, d->m->new_fd, d->name);
	return rc < 0 ? rs_maildir_fail(err, -rc, "deliver into", d->m->path, "new") : 0;
}

int rs_deliv_publish_to(
	struct rs_deliv *d, struct rs_maildir *to, const char *flags, struct rs_err *err)
{
	g_autofree char *name = *flags ? g_strdup_printf("%s:2,%s", d->name, flags) : NULL;
	int rc;

	assert(d->state == FINISHED);
	rc = move(d, name ? to->cur_fd : to->new_fd, name ? name : d->name);
	if (rc == -EXDEV)
		return rs_err_set(err, RS_EINVAL, "%s is on another file system", to->path);
	return rc < 0 ? rs_maildir_fail(err, -rc, "deliver into", to->path, NULL) : 0;
}

int rs_deliv_link(const struct rs_deliv *d, struct rs_maildir *to, struct rs_err *err)
{
	const struct rs_fs *fs = to->fs;
	g_autofree char *unique = unique_make();
	g_autofree char *name = g_strdup_printf("%s%s", unique, d->name + strlen(d->unique));
	int rc;

	assert(d->state != WRITING);
	if (d->state == PUBLISHED)
		rc = fs->link(fs->ctx, d->m->new_fd, d->name, to->new_fd, name);
	else
		rc = fs->link(fs->ctx, d->m->tmp_fd, d->unique, to->new_fd, name);
	if (rc == -EXDEV || rc == -EMLINK || rc == -EPERM || rc == -EOPNOTSUPP)
		return rs_err_set(
			err, RS_EINVAL, "%s and %s cannot share one file", d->m->path, to->path);
	return rc < 0 ? rs_maildir_fail(err, -rc, "deliver into", to->path, "new") : 0;
}

int rs_deliv_read_open(const struct rs_deliv *d, struct rs_err *err)
{
	const bool there = d->state == PUBLISHED;
	int fd = openat(there ? d->m->new_fd : d->m->tmp_fd, there ? d->name : d->unique,
		O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	assert(d->state != WRITING);
	return fd < 0 ? rs_maildir_fail(err, errno, "read a message in", d->m->path, NULL) : fd;
}

void rs_deliv_destroy(struct rs_deliv **d)
{
	const struct rs_fs *fs;

	if (!*d)
		return;
	fs = (*d)->m->fs;
	if ((*d)->fd >= 0)
		(void)fs->close(fs->ctx, (*d)->fd);
	g_free((*d)->buf);
	if ((*d)->state != PUBLISHED)
		(void)fs->unlink(fs->ctx, (*d)->m->tmp_fd, (*d)->unique);
	rs_ascii_size_finish(&(*d)->ascii);
	g_free((*d)->unique);
	g_free(*d);
	*d = NULL;
}
