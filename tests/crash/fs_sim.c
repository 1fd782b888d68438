/* fs_sim.c - see fs_sim.h */
#include "tests/crash/fs_sim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct file {
	GByteArray *durable; /* octets at the last sync; NULL: never synced */
	GByteArray *now;
};

/* One change of a folder's names since its last sync. */
struct change {
	char *name;
	guint64 inode; /* 0: the name was removed */
};

struct folder {
	GHashTable *durable; /* name -> inode (guint64 *) */
	GPtrArray *changes;  /* struct change, in order */
	gboolean is_new;     /* its own name is in its parent's changes */
};

struct fs_sim {
	struct rs_fs fs;
	char *root;
	GHashTable *files;   /* inode -> struct file */
	GHashTable *folders; /* path -> struct folder */
	guint ops;
	guint die_at;
	guint fail_at;
	int fail_errnum;
	gboolean lie_files;
	gboolean lie_folders;
};

/* --- memory -------------------------------------------------------------------------------- */

static void file_free(gpointer p)
{
	struct file *f = p;

	if (f->durable)
		g_byte_array_unref(f->durable);
	g_byte_array_unref(f->now);
	g_free(f);
}

static void change_free(gpointer p)
{
	g_free(((struct change *)p)->name);
	g_free(p);
}

static void folder_free(gpointer p)
{
	struct folder *f = p;

	g_hash_table_unref(f->durable);
	g_ptr_array_unref(f->changes);
	g_free(f);
}

static guint64 *boxed(guint64 v)
{
	guint64 *p = g_new(guint64, 1);

	*p = v;
	return p;
}

static struct folder *folder_of(struct fs_sim *s, const char *path)
{
	struct folder *f = g_hash_table_lookup(s->folders, path);

	if (!f) {
		f = g_new0(struct folder, 1);
		f->durable = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
		f->changes = g_ptr_array_new_with_free_func(change_free);
		g_hash_table_insert(s->folders, g_strdup(path), f);
	}
	return f;
}

static struct file *file_of(struct fs_sim *s, guint64 inode)
{
	struct file *f = g_hash_table_lookup(s->files, &inode);

	if (!f) {
		f = g_new0(struct file, 1);
		f->now = g_byte_array_new();
		g_hash_table_insert(s->files, boxed(inode), f);
	}
	return f;
}

static char *path_of(int fd)
{
	g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd);

	return g_file_read_link(link, NULL);
}

static guint64 inode_at(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (guint64)st.st_ino : 0;
}

static void changed(struct fs_sim *s, int dir, const char *name, guint64 inode)
{
	g_autofree char *path = path_of(dir);
	struct change *c = g_new(struct change, 1);

	c->name = g_strdup(name);
	c->inode = inode;
	g_ptr_array_add(folder_of(s, path)->changes, c);
}

static void make_names_durable(struct folder *f)
{
	for (guint i = 0; i < f->changes->len; i++) {
		const struct change *c = g_ptr_array_index(f->changes, i);

		if (c->inode)
			g_hash_table_replace(f->durable, g_strdup(c->name), boxed(c->inode));
		else
			g_hash_table_remove(f->durable, c->name);
	}
	g_ptr_array_set_size(f->changes, 0);
}

static void make_file_durable(struct file *f)
{
	if (f->durable)
		g_byte_array_unref(f->durable);
	f->durable = g_byte_array_new();
	if (f->now->len)
		g_byte_array_append(f->durable, f->now->data, f->now->len);
}

/* --- operations ---------------------------------------------------------------------------- */

/* Count one; 0, or -errno when it is not to be done. */
static int gate(struct fs_sim *s)
{
	s->ops++;
	if (s->die_at && s->ops >= s->die_at)
		return -EIO;
	return s->fail_at && s->ops == s->fail_at ? -s->fail_errnum : 0;
}

static int sim_create(void *ctx, int dir, const char *name, int flags, mode_t mode)
{
	struct fs_sim *s = ctx;
	guint64 before = inode_at(dir, name);
	int rc = gate(s);
	struct stat st;
	int fd;

	if (rc < 0)
		return rc;
	fd = openat(dir, name, flags | O_CREAT | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		g_error("fstat");
	if (!before) {
		g_hash_table_remove(
			s->files, &(guint64){st.st_ino}); /* the number may have been used before */
		changed(s, dir, name, st.st_ino);
	}
	if (flags & O_TRUNC)
		g_byte_array_set_size(file_of(s, st.st_ino)->now, 0);
	(void)file_of(s, st.st_ino);
	return fd;
}

static ssize_t sim_write(void *ctx, int fd, const void *p, size_t n)
{
	struct fs_sim *s = ctx;
	int rc = gate(s);
	struct stat st;
	ssize_t k;

	if (rc < 0)
		return rc;
	k = write(fd, p, n);
	if (k < 0 || fstat(fd, &st) < 0)
		return -errno;
	g_byte_array_append(file_of(s, st.st_ino)->now, p, (guint)k);
	return k;
}

static int sim_truncate(void *ctx, int fd, off_t n)
{
	struct fs_sim *s = ctx;
	int rc = gate(s);
	struct stat st;

	if (rc < 0)
		return rc;
	if (ftruncate(fd, n) < 0 || fstat(fd, &st) < 0)
		return -errno;
	g_byte_array_set_size(file_of(s, st.st_ino)->now, (guint)n);
	return 0;
}

static int sim_fsync(void *ctx, int fd)
{
	struct fs_sim *s = ctx;
	int rc = gate(s);
	struct stat st;

	if (rc < 0)
		return rc;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode)) {
		g_autofree char *path = path_of(fd);

		if (!s->lie_folders)
			make_names_durable(folder_of(s, path));
	} else if (!s->lie_files) {
		make_file_durable(file_of(s, st.st_ino));
	}
	return 0;
}

static int sim_syncfs(void *ctx, int fd)
{
	struct fs_sim *s = ctx;
	GHashTableIter i;
	gpointer v;
	int rc = gate(s);

	if (rc < 0)
		return rc;
	g_hash_table_iter_init(&i, s->files);
	while (!s->lie_files && g_hash_table_iter_next(&i, NULL, &v))
		make_file_durable(v);
	g_hash_table_iter_init(&i, s->folders);
	while (!s->lie_folders && g_hash_table_iter_next(&i, NULL, &v))
		make_names_durable(v);
	return 0;
}

static int sim_close(void *ctx, int fd)
{
	return close(fd) < 0 ? -errno
			     : 0; /* also on a dead machine: the test must not run out of them */
}

static int sim_rename(
	void *ctx, int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	struct fs_sim *s = ctx;
	guint64 inode = inode_at(from_dir, from);
	int rc = gate(s);

	if (rc < 0)
		return rc;
	if (renameat2(from_dir, from, to_dir, to, flags) < 0)
		return -errno;
	changed(s, to_dir, to, inode);
	changed(s, from_dir, from, 0);
	return 0;
}

static int sim_link(void *ctx, int from_dir, const char *from, int to_dir, const char *to)
{
	struct fs_sim *s = ctx;
	int rc = gate(s);

	if (rc < 0)
		return rc;
	if (linkat(from_dir, from, to_dir, to, 0) < 0)
		return -errno;
	changed(s, to_dir, to, inode_at(to_dir, to));
	return 0;
}

static int sim_unlink(void *ctx, int dir, const char *name)
{
	struct fs_sim *s = ctx;
	int rc = gate(s);

	if (rc < 0)
		return rc;
	if (unlinkat(dir, name, 0) < 0)
		return -errno;
	changed(s, dir, name, 0);
	return 0;
}

static int sim_mkdir(void *ctx, int dir, const char *name, mode_t mode)
{
	struct fs_sim *s = ctx;
	int rc = gate(s);
	g_autofree char *parent = path_of(dir);
	g_autofree char *path = g_build_filename(parent, name, NULL);

	if (rc < 0)
		return rc;
	if (mkdirat(dir, name, mode) < 0)
		return -errno;
	changed(s, dir, name, inode_at(dir, name));
	folder_of(s, path)->is_new = TRUE;
	return 0;
}

/* --- set-up -------------------------------------------------------------------------------- */

/* What is there at the start is durable. */
static void adopt(struct fs_sim *s, const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	struct folder *f = folder_of(s, path);
	const char *name;

	while ((name = g_dir_read_name(dir))) {
		g_autofree char *sub = g_build_filename(path, name, NULL);
		struct stat st;
		char *text;
		gsize n;

		if (stat(sub, &st) < 0)
			g_error("stat %s", sub);
		g_hash_table_replace(f->durable, g_strdup(name), boxed(st.st_ino));
		if (S_ISDIR(st.st_mode)) {
			adopt(s, sub);
		} else if (g_file_get_contents(sub, &text, &n, NULL)) {
			g_byte_array_append(
				file_of(s, st.st_ino)->now, (const guint8 *)text, (guint)n);
			make_file_durable(file_of(s, st.st_ino));
			g_free(text);
		}
	}
}

struct fs_sim *fs_sim_new(const char *root)
{
	struct fs_sim *s = g_new0(struct fs_sim, 1);

	s->root = g_strdup(root);
	s->files = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, file_free);
	s->folders = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, folder_free);
	s->fs = (struct rs_fs){.ctx = s,
		.create = sim_create,
		.write = sim_write,
		.truncate = sim_truncate,
		.fsync = sim_fsync,
		.syncfs = sim_syncfs,
		.close = sim_close,
		.rename = sim_rename,
		.link = sim_link,
		.unlink = sim_unlink,
		.mkdir = sim_mkdir};
	adopt(s, root);
	return s;
}

void fs_sim_free(struct fs_sim *s)
{
	g_hash_table_unref(s->files);
	g_hash_table_unref(s->folders);
	g_free(s->root);
	g_free(s);
}

const struct rs_fs *fs_sim_fs(struct fs_sim *s)
{
	return &s->fs;
}

guint fs_sim_ops(const struct fs_sim *s)
{
	return s->ops;
}

void fs_sim_die_at(struct fs_sim *s, guint at)
{
	s->die_at = at;
}

void fs_sim_fail_at(struct fs_sim *s, guint at, int errnum)
{
	s->fail_at = at;
	s->fail_errnum = errnum;
}

void fs_sim_lie(struct fs_sim *s, gboolean files, gboolean folders)
{
	s->lie_files = files;
	s->lie_folders = folders;
}

/* --- the power cut ------------------------------------------------------------------------- */

static void write_file(const char *path, const struct file *f, GRand *rand)
{
	static const guint8 zero[1];
	const GByteArray *octets = f->durable;
	g_autoptr(GByteArray) made = g_byte_array_new();
	gboolean same =
		f->durable && f->durable->len == f->now->len &&
		(f->now->len == 0 || memcmp(f->durable->data, f->now->data, f->now->len) == 0);

	if (!same) { /* what was written since the last sync is anybody's guess */
		gint32 how = g_rand_int_range(rand, 0, 4);

		if (how == 0) {
			octets = f->now;
		} else if (how == 1 && f->now->len) {
			g_byte_array_append(made, f->now->data, f->now->len / 2);
			octets = made;
		} else if (how == 2) {
			for (guint i = 0; i < f->now->len; i++)
				g_byte_array_append(made, zero, 1);
			octets = made;
		}
	}
	if (!g_file_set_contents(path, octets && octets->len ? (const char *)octets->data : "",
		    octets ? (gssize)octets->len : 0, NULL))
		g_error("cannot write %s", path);
}

/* The names a folder has after the cut: durable ones, then a prefix of the changes (a journal loses its
 * end, never its middle). */
static GHashTable *names_after(const struct folder *f, GRand *rand)
{
	GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	guint keep = (guint)g_rand_int_range(rand, 0, (gint32)f->changes->len + 1);
	GHashTableIter i;
	gpointer k;
	gpointer v;

	g_hash_table_iter_init(&i, f->durable);
	while (g_hash_table_iter_next(&i, &k, &v))
		g_hash_table_replace(names, g_strdup(k), boxed(*(guint64 *)v));
	for (guint c = 0; c < keep; c++) {
		const struct change *change = g_ptr_array_index(f->changes, c);

		if (change->inode)
			g_hash_table_replace(names, g_strdup(change->name), boxed(change->inode));
		else
			g_hash_table_remove(names, change->name);
	}
	return names;
}

static void cut_folder(struct fs_sim *s, const char *path, const char *to, GRand *rand)
{
	g_autoptr(GHashTable) names = names_after(folder_of(s, path), rand);
	GHashTableIter i;
	gpointer k;
	gpointer v;

	if (g_mkdir(to, 0700) < 0)
		g_error("mkdir %s", to);
	g_hash_table_iter_init(&i, names);
	while (g_hash_table_iter_next(&i, &k, &v)) {
		g_autofree char *from = g_build_filename(path, k, NULL);
		g_autofree char *sub = g_build_filename(to, k, NULL);
		const struct file *f = g_hash_table_lookup(s->files, v);

		if (g_hash_table_contains(s->folders, from))
			cut_folder(s, from, sub, rand);
		else if (f)
			write_file(sub, f, rand);
	}
}

void fs_sim_cut(struct fs_sim *s, const char *to, guint32 seed)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(seed);

	cut_folder(s, s->root, to, rand);
}

/* --- folders ------------------------------------------------------------------------------- */

char *fs_sim_tmp(void)
{
	char *path = g_dir_make_tmp("rs-sim-XXXXXX", NULL);

	if (!path)
		g_error("no temporary folder");
	return path;
}

void fs_sim_remove(const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *sub = g_build_filename(path, name, NULL);

		if (g_file_test(sub, G_FILE_TEST_IS_DIR))
			fs_sim_remove(sub);
		else
			(void)g_unlink(sub);
	}
	(void)g_rmdir(path);
}
