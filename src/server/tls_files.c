/* tls_files.c - certificates and keys in one sealed memory file, see tls.h.
 * Form: for each file its octets' number (u32, native order) and the octets. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/tls.h"

#define PEM_MAX (1u << 20) /* of one file */

/* One more file behind what is there; its octets do not pass through our memory. */
static int add(int to, const char *section, const char *path, struct rs_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	uint32_t n = 0;
	int rc = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		rc = rs_err_set(
			err, RS_ECONFIG, "[%s] cannot read %s: %s", section, path, strerror(errno));
	else if (!S_ISREG(st.st_mode) || st.st_size > (off_t)PEM_MAX)
		rc = rs_err_set(err, RS_ECONFIG, "[%s] %s is not a PEM file of at most 1 MiB",
			section, path);
	else
		n = (uint32_t)st.st_size;
	if (rc == 0 && (write(to, &n, sizeof(n)) != sizeof(n) ||
			       (n && sendfile(to, fd, NULL, n) != (ssize_t)n)))
		rc = rs_err_set(err, RS_EIO, "[%s] %s: cannot be copied", section, path);
	if (fd >= 0)
		close(fd);
	return rc;
}

static int add_pair(
	int to, const char *section, const char *certificate, const char *key, struct rs_err *err)
{
	int rc = add(to, section, certificate, err);

	return rc == 0 ? add(to, section, key, err) : rc;
}

int rs_tls_pack(const struct rs_conf *c, struct rs_err *err)
{
	int fd = memfd_create("tls", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int rc;

	if (fd < 0)
		return rs_err_set(err, RS_EIO, "memory file: %s", strerror(errno));
	rc = add_pair(fd, "tls", c->certificate, c->key, err);
	for (guint i = 0; rc == 0 && c->tls_names && i < c->tls_names->len; i++) {
		const struct rs_conf_tls *row = g_ptr_array_index(c->tls_names, i);
		g_autofree char *section = g_strdup_printf("tls %s", row->names[0]);

		rc = add_pair(fd, section, row->certificate, row->key, err);
	}
	if (rc == 0 && c->client_ca)
		rc = add(fd, "tls", c->client_ca, err);
	if (rc == 0 && fcntl(fd, F_ADD_SEALS,
			       F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		rc = rs_err_set(err, RS_EIO, "memory file: %s", strerror(errno));
	if (rc < 0)
		close(fd);
	return rc < 0 ? rc : fd;
}

int rs_tls_files_open(int fd, struct rs_tls_files *out)
{
	struct stat st;
	void *p;

	*out = (struct rs_tls_files){.octets = NULL};
	if (fstat(fd, &st) < 0 || st.st_size <= 0)
		return -RS_EINVAL;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -RS_EINVAL;
	out->octets = p;
	out->n = (size_t)st.st_size;
	out->rest = rs_slice(p, out->n);
	return 0;
}

bool rs_tls_files_next(struct rs_tls_files *f, struct rs_slice *out)
{
	uint32_t n;

	if (f->rest.n < sizeof(n))
		return false;
	memcpy(&n, f->rest.p, sizeof(n));
	if (n > f->rest.n - sizeof(n))
		return false;
	*out = rs_slice_sub(f->rest, sizeof(n), n);
	f->rest = rs_slice_sub(f->rest, sizeof(n) + n, f->rest.n);
	return true;
}

void rs_tls_files_close(struct rs_tls_files *f)
{
	if (f->octets)
		munmap(f->octets, f->n);
	*f = (struct rs_tls_files){.octets = NULL};
}
