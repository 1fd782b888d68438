/* scan.c - which messages are in a folder, and opening one that may have been renamed. */
#include "maildir/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TMP_KEPT_S (36 * 3600) /* Maildir: files in tmp/ may be removed after 36 hours */

struct rs_maildir_list {
	GString *names; /* NUL-terminated, one behind the other */
	GArray *rows;   /* struct row */
};

struct row {
	size_t at;
	uint16_t n; /* without the NUL */
	bool in_new;
};

/* `fd` is taken. */
static DIR *dir_from(int fd)
{
	DIR *dir = fdopendir(fd);

	if (!dir)
		close(fd);
	return dir;
}

/* The open folder's entries through a descriptor of their own (readdir moves a shared offset). */
static DIR *dir_of(int fd)
{
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return own < 0 ? NULL : dir_from(own);
}

struct rs_maildir_list *rs_maildir_list_new(void)
{
	struct rs_maildir_list *l = g_new0(struct rs_maildir_list, 1);

	l->names = g_string_sized_new(4096);
	l->rows = g_array_new(FALSE, FALSE, sizeof(struct row));
	return l;
}

void rs_maildir_list_add(struct rs_maildir_list *l, const char *name, bool in_new)
{
	size_t n = strlen(name);
	struct row row = {.at = l->names->len, .n = (uint16_t)n, .in_new = in_new};

	g_string_append_len(l->names, name, (gssize)n + 1);
	g_array_append_val(l->rows, row);
}

int rs_maildir_list_read(
	struct rs_maildir_list *l, struct rs_maildir *m, bool in_new, struct rs_err *err)
{
	int fd = in_new ? m->new_fd : m->cur_fd;
	DIR *dir;
	const struct dirent *e;
	int errnum = 0;

	if (fd < 0) {
		fd = rs_maildir_sub_own(m, in_new, err);
		if (fd < 0)
			return fd;
		dir = dir_from(fd);
	} else {
		dir = dir_of(fd);
	}
	if (!dir)
		return rs_maildir_fail(err, errno, "list", m->path, in_new ? "new" : "cur");
	for (errno = 0; (e = readdir(dir)); errno = 0) {
		if (e->d_name[0] != '.' && e->d_type != DT_DIR)
			rs_maildir_list_add(l, e->d_name, in_new);
	}
	errnum = errno;
	closedir(dir);
	return errnum ? rs_maildir_fail(err, errnum, "list", m->path, in_new ? "new" : "cur") : 0;
}

static const char *row_name(const struct rs_maildir_list *l, size_t i)
{
	return l->names->str + g_array_index(l->rows, struct row, i).at;
}

static guint base_hash(const void *p)
{
	const char *name = p;

	return rs_slice_hash(rs_slice(name, strcspn(name, ":")));
}

static gboolean base_equal(const void *a, const void *b)
{
	const char *x = a;
	const char *y = b;
	size_t n = strcspn(x, ":");

	return n == strcspn(y, ":") && memcmp(x, y, n) == 0;
}

void rs_maildir_list_settle(struct rs_maildir_list *l)
{
	g_autoptr(GHashTable) seen = NULL;
	guint new_n = 0;
	guint to = 0;

	while (new_n < l->rows->len && g_array_index(l->rows, struct row, new_n).in_new)
		new_n++;
	if (new_n == 0 || new_n == l->rows->len)
		return;
	seen = g_hash_table_new(base_hash, base_equal);
	for (guint i = 0; i < new_n; i++)
		g_hash_table_insert(seen, l->names->str + g_array_index(l->rows, struct row, i).at,
			GUINT_TO_POINTER(i + 1));
	for (guint i = new_n; i < l->rows->len; i++) {
		guint twin = GPOINTER_TO_UINT(g_hash_table_lookup(seen, row_name(l, i)));

		if (twin)
			g_array_index(l->rows, struct row, twin - 1).at = SIZE_MAX;
	}
	for (guint i = 0; i < l->rows->len; i++) {
		struct row row = g_array_index(l->rows, struct row, i);

		if (row.at != SIZE_MAX)
			g_array_index(l->rows, struct row, to++) = row;
	}
	g_array_set_size(l->rows, to);
}

int rs_maildir_scan(struct rs_maildir *m, struct rs_maildir_list **out, struct rs_err *err)
{
	struct rs_maildir_list *l = rs_maildir_list_new();
	int rc = rs_maildir_list_read(l, m, true, err);

	if (rc == 0)
		rc = rs_maildir_list_read(l, m, false, err);
	if (rc < 0) {
		rs_maildir_list_destroy(&l);
		return rc;
	}
	rs_maildir_list_settle(l);
	*out = l;
	return 0;
}

void rs_maildir_list_destroy(struct rs_maildir_list **l)
{
	if (!*l)
		return;
	g_string_free((*l)->names, TRUE);
	g_array_free((*l)->rows, TRUE);
	g_free(*l);
	*l = NULL;
}

size_t rs_maildir_list_n(const struct rs_maildir_list *l)
{
	return l->rows->len;
}

struct rs_slice rs_maildir_list_name(const struct rs_maildir_list *l, size_t i)
{
	return rs_slice(row_name(l, i), g_array_index(l->rows, struct row, i).n);
}

struct rs_maildir_entry rs_maildir_list_at(const struct rs_maildir_list *l, size_t i)
{
	return (struct rs_maildir_entry){
		.file = row_name(l, i),
		.in_new = g_array_index(l->rows, struct row, i).in_new,
	};
}

/* --- opening ------------------------------------------------------------------------------- */

/* Find the file with the same base (or unique part) as `want`; g_malloc'ed name or NULL. */
static char *find_renamed(const struct rs_maildir *m, const char *want, bool *in_new)
{
	struct rs_maildir_name w;

	rs_maildir_name_parse(rs_slice_str(want), &w);
	for (int k = 0; k < 2; k++) {
		DIR *dir = dir_of(k == 0 ? m->cur_fd : m->new_fd);
		const struct dirent *e;
		char *found = NULL;

		while (dir && !found && (e = readdir(dir))) {
			struct rs_maildir_name n;

			rs_maildir_name_parse(rs_slice_str(e->d_name), &n);
			if (rs_slice_eq(n.base, w.base) ||
				(w.unique.n == w.base.n && rs_slice_eq(n.unique, w.unique)))
				found = g_strdup(e->d_name);
		}
		if (dir)
			closedir(dir);
		*in_new = k == 1;
		if (found)
			return found;
	}
	return NULL;
}

int rs_maildir_read_open(struct rs_maildir *m, const struct rs_maildir_entry *e, struct rs_err *err)
{
	const int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
	int dir = rs_maildir_sub(m, e->in_new, err);
	int fd;

	if (dir < 0)
		return dir;
	fd = openat(dir, e->file, flags);

	/* another program may rename it again while we look: a few rounds, then it is gone */
	for (int tries = 0; fd < 0 && errno == ENOENT && tries < 3; tries++) {
		bool in_new;
		int rc = rs_maildir_subs(m, err);
		g_autofree char *name = rc < 0 ? NULL : find_renamed(m, e->file, &in_new);

		if (rc < 0)
			return rc;
		if (!name)
			return rs_maildir_fail(err, ENOENT, "open the message", m->path, e->file);
		fd = openat(in_new ? m->new_fd : m->cur_fd, name, flags);
	}
	if (fd < 0)
		return rs_maildir_fail(err, errno, "open the message", m->path, e->file);
	return fd;
}

void rs_maildir_clean_tmp(struct rs_maildir *m, int64_t now_s)
{
	DIR *dir = dir_of(m->tmp_fd);
	const struct dirent *e;

	while (dir && (e = readdir(dir))) {
		struct stat st;

		if (e->d_name[0] != '.' &&
			fstatat(m->tmp_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			S_ISREG(st.st_mode) && st.st_mtime < now_s - TMP_KEPT_S)
			(void)m->fs->unlink(m->fs->ctx, m->tmp_fd, e->d_name);
	}
	if (dir)
		closedir(dir);
}
