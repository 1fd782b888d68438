/* made.c - see made.h */
#include "maildir/made.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMORY_MAX (1024 * 1024) /* a larger message is not copied into memory */
#define CHUNK_N    65536u

static int file_without_name(const char *account, off_t size)
{
	g_autofree char *tmp = g_build_filename(account, "tmp", NULL);
	int fd = -1;

	if (size > MEMORY_MAX)
		fd = open(tmp, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0) /* small, or a file system that cannot */
		fd = memfd_create("message", MFD_CLOEXEC);
	return fd;
}

static int put(int fd, const uint8_t *p, size_t n)
{
	while (n) {
		ssize_t k = write(fd, p, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -errno;
		p += k;
		n -= (size_t)k;
	}
	return 0;
}

static int copy(int from, off_t at, int to)
{
	g_autofree uint8_t *buf = g_malloc(CHUNK_N);

	for (;;) {
		ssize_t n = pread(from, buf, CHUNK_N, at);
		int rc;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		rc = put(to, buf, (size_t)n);
		if (rc < 0)
			return rc;
		at += n;
	}
}

int rs_made_behind(
	const char *account, struct rs_slice prefix, int fd, uint64_t from, struct rs_err *err)
{
	struct stat st;
	int rc = fstat(fd, &st) < 0 ? -errno : 0;
	int out = rc < 0 ? -1 : file_without_name(account, st.st_size);

	if (rc == 0 && out < 0)
		rc = -errno;
	if (rc == 0)
		rc = put(out, prefix.p, prefix.n);
	if (rc == 0)
		rc = copy(fd, (off_t)from, out);
	if (rc == 0 && lseek(out, 0, SEEK_SET) == 0)
		return out;
	if (out >= 0)
		close(out);
	return rs_err_set(err, rs_err_kind_of_errno(-rc), "cannot prepare a message of %s: %s",
		account, g_strerror(-rc));
}

int rs_made_prefixed(const char *account, struct rs_slice prefix, int fd, struct rs_err *err)
{
	return rs_made_behind(account, prefix, fd, 0, err);
}
