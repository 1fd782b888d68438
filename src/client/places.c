/* places.c - where the client's files lie (account.h), and replacing small ones (places.h). */
#include "client/places.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/text.h"

#define DIR_MODE  0700
#define FILE_MODE 0600

int rs_places_find(struct rs_places *out, struct rs_err *err)
{
	const char *home = g_getenv("RESTANTE_HOME");
	g_autofree char *config_dir = NULL;
	char *data_dir;

	if (home && *home) {
		data_dir = g_canonicalize_filename(home, NULL);
		config_dir = g_strdup(data_dir);
	} else {
		if (!g_path_is_absolute(g_get_user_data_dir()))
			return rs_err_set(err, RS_ECONFIG,
				_("there is no home folder to keep mail in: set HOME or "
				  "RESTANTE_HOME"));
		data_dir = g_build_filename(g_get_user_data_dir(), "restante", NULL);
		config_dir = g_build_filename(g_get_user_config_dir(), "restante", NULL);
	}
	out->config_file = g_build_filename(config_dir, "config.ini", NULL);
	out->data_dir = data_dir;
	out->mail_dir = g_build_filename(data_dir, "mail", NULL);
	out->ledger_file = g_build_filename(data_dir, "ledger.db", NULL);
	return 0;
}

void rs_places_finish(struct rs_places *p)
{
	g_clear_pointer(&p->config_file, g_free);
	g_clear_pointer(&p->data_dir, g_free);
	g_clear_pointer(&p->mail_dir, g_free);
	g_clear_pointer(&p->ledger_file, g_free);
}

/* --- small files ----------------------------------------------------------------------------- */

/* The error for `errnum`: what could not be done, the system's word for it, the cure. */
static int RS_FORMAT(3, 4) fail(struct rs_err *err, int errnum, const char *fmt, ...)
{
	enum rs_err_kind kind = rs_err_kind_of_errno(errnum);
	g_autofree char *what = NULL;
	const char *cure = "";
	va_list ap;

	va_start(ap, fmt);
	what = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	if (kind == RS_ENOSPC)
		cure = _("; free some space, nothing was lost");
	else if (kind == RS_EROFS)
		cure = _("; check the owner and the rights of that folder");
	return rs_err_set(err, kind, "%s: %s%s", what, g_strerror(errnum), cure);
}

int rs_file_read(const char *path, size_t max, char **out, size_t *out_n, struct rs_err *err)
{
	g_autoptr(GMappedFile) map = NULL;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0)
		return fail(err, errno, _("cannot read %s"), path);
	if (fstat(fd, &st) < 0)
		rc = fail(err, errno, _("cannot read %s"), path);
	else if (!S_ISREG(st.st_mode))
		rc = rs_err_set(err, RS_EINVAL, _("%s is not a file"), path);
	else if ((guint64)st.st_size > max)
		rc = rs_err_set(err, RS_ELIMIT, _("%s is too large to be right"), path);
	if (rc == 0) {
		map = g_mapped_file_new_from_fd(fd, FALSE, NULL);
		if (!map)
			rc = fail(err, EIO, _("cannot read %s"), path);
	}
	close(fd);
	if (rc < 0)
		return rc;
	*out_n = g_mapped_file_get_length(map);
	*out = g_malloc(*out_n + 1);
	if (*out_n)
		memcpy(*out, g_mapped_file_get_contents(map), *out_n);
	(*out)[*out_n] = '\0';
	return 0;
}

/* mkdir -p; each new name is made durable in its parent. 0 or -errno. */
static int make_dirs(const char *path)
{
	g_autofree char *parent = NULL;
	int rc;
	int fd;

	if (g_file_test(path, G_FILE_TEST_IS_DIR))
		return 0;
	parent = g_path_get_dirname(path);
	if (strcmp(parent, path) == 0)
		return -ENOENT;
	rc = make_dirs(parent);
	if (rc < 0)
		return rc;
	if (mkdir(path, DIR_MODE) < 0 && errno != EEXIST)
		return -errno;
	fd = open(parent, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return rc;
}

int rs_file_lock(const char *path, struct rs_err *err)
{
	g_autofree char *dir = g_path_get_dirname(path);
	int rc = make_dirs(dir);
	int fd;

	if (rc < 0)
		return fail(err, -rc, _("cannot make the folder %s"), dir);
	fd = open(dir, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(err, errno, _("cannot open the folder %s"), dir);
	do {
		rc = flock(fd, LOCK_EX);
	} while (rc < 0 && errno == EINTR);
	if (rc < 0) {
		rc = fail(err, errno, _("cannot lock the folder %s"), dir);
		close(fd);
		return rc;
	}
	return fd;
}

static int write_all(int fd, struct rs_slice s)
{
	while (s.n) {
		ssize_t k = write(fd, s.p, s.n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -errno;
		s = rs_slice_sub(s, (size_t)k, s.n);
	}
	return 0;
}

/* Fill the temporary file `tmp` (open as fd) and let it become `path`. 0 or -errno. */
static int settle(int dir, int fd, const char *tmp, const char *path, struct rs_slice octets)
{
	int rc = write_all(fd, octets);

	if (rc == 0 && (fchmod(fd, FILE_MODE) < 0 || fsync(fd) < 0))
		rc = -errno;
	if (rc == 0 && rename(tmp, path) < 0)
		rc = -errno;
	if (rc < 0)
		(void)unlink(tmp);
	else if (fsync(dir) < 0)
		rc = -errno;
	return rc;
}

int rs_file_replace(const char *path, struct rs_slice octets, struct rs_err *err)
{
	char *real = realpath(path, NULL); /* of a link: what it points to */
	const char *target = real ? real : path;
	g_autofree char *dir_name = g_path_get_dirname(target);
	g_autofree char *tmp = g_strdup_printf("%s.XXXXXX", target);
	int rc = make_dirs(dir_name);
	int dir = -1;
	int fd = -1;

	if (rc == 0 && (dir = open(dir_name, O_DIRECTORY | O_RDONLY | O_CLOEXEC)) < 0)
		rc = -errno;
	if (rc == 0 && (fd = g_mkstemp_full(tmp, O_RDWR | O_CLOEXEC, FILE_MODE)) < 0)
		rc = -errno;
	if (rc == 0)
		rc = settle(dir, fd, tmp, target, octets);
	if (fd >= 0)
		close(fd);
	if (dir >= 0)
		close(dir);
	if (rc < 0)
		rc = fail(err, -rc, _("cannot write %s"), path);
	free(real);
	return rc;
}
