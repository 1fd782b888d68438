/* uidl_read.c - where the UIDs of another server are read from: see uidl.h. */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/uidl.h"

#define FILE_MAX (512u * 1024 * 1024)

static int slurp(const char *path, char **text, gsize *n, struct rs_err *err)
{
	g_autoptr(GError) error = NULL;
	GStatBuf st;

	/* the folder may be its owner's, and this runs as root: nothing is waited for */
	if (g_stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return rs_err_set(err, RS_EINVAL, "%s is not a file", path);
	if (g_file_get_contents(path, text, n, &error))
		return *n <= FILE_MAX ? 0 : rs_err_set(err, RS_ELIMIT, "%s is too large", path);
	return rs_err_set(err,
		g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT) ? RS_EINVAL : RS_EIO, "%s",
		error->message);
}

/* Base name -> path of all messages of a Maildir; what is not there has none. */
static GHashTable *files_of(const char *dir)
{
	GHashTable *files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

	for (int k = 0; k < 2; k++) {
		g_autofree char *sub = g_build_filename(dir, k ? "cur" : "new", NULL);
		g_autoptr(GDir) d = g_dir_open(sub, 0, NULL);
		const char *name;

		while (d && (name = g_dir_read_name(d)))
			(void)g_hash_table_insert(files, g_strndup(name, strcspn(name, ":")),
				g_build_filename(sub, name, NULL));
	}
	return files;
}

/* Where each message of `l` lies in the old Maildir. One that does not lie there any more is not told any more. */
static void find_files(struct rs_uidl_list *l, const char *dir)
{
	g_autoptr(GHashTable) files = files_of(dir);
	guint to = 0;

	if (g_hash_table_size(files) == 0)
		return; /* only the list was copied */
	for (guint i = 0; i < l->rows->len; i++) {
		struct rs_uidl *r = g_ptr_array_index(l->rows, i);
		const char *path = g_hash_table_lookup(files, r->base);

		if (path) {
			r->path = g_strdup(path);
			l->rows->pdata[i] = l->rows->pdata[to];
			l->rows->pdata[to++] = r;
		}
	}
	if (to < l->rows->len)
		g_ptr_array_set_size(l->rows, (gint)to);
}

static int read_dovecot(const struct rs_uidl_source *s, const char *dir, struct rs_uidl_list *out,
	struct rs_err *err)
{
	g_autofree char *path = g_build_filename(dir, "dovecot-uidlist", NULL);
	g_autofree char *text = NULL;
	gsize n = 0;
	int rc = slurp(path, &text, &n, err);

	if (rc == 0)
		rc = rs_uidl_dovecot(rs_slice(text, n), s->format, out, err);
	if (rc == 0)
		find_files(out, dir);
	return rc;
}

static int read_courier(const char *dir, struct rs_uidl_list *out, struct rs_err *err)
{
	g_autofree char *path = g_build_filename(dir, "courierpop3dsizelist", NULL);
	g_autofree char *text = NULL;
	gsize n = 0;
	int rc = slurp(path, &text, &n, err);

	if (rc == 0)
		rc = rs_uidl_courier(rs_slice(text, n), out, err);
	if (rc == 0)
		find_files(out, dir);
	return rc;
}

static int read_cyrus(const struct rs_uidl_source *s, const char *dir, struct rs_uidl_list *out,
	struct rs_err *err)
{
	g_autofree char *path = g_build_filename(dir, "cyrus.index", NULL);
	g_autofree char *text = NULL;
	gsize n = 0;
	int rc = slurp(path, &text, &n, err);

	if (rc == 0)
		rc = rs_uidl_cyrus(rs_slice(text, n), s->format, out, err);
	for (guint i = 0; rc == 0 && i < out->rows->len; i++) {
		struct rs_uidl *r = g_ptr_array_index(out->rows, i);

		r->path = g_build_filename(dir, r->base, NULL);
		g_clear_pointer(&r->base, g_free); /* it says nothing about names here */
	}
	return rc;
}

static int read_file(const char *path, struct rs_uidl_list *out, struct rs_err *err)
{
	g_autofree char *text = NULL;
	gsize n = 0;
	int rc = slurp(path, &text, &n, err);

	return rc < 0 ? rc : rs_uidl_file(rs_slice(text, n), out, err);
}

void rs_uidl_read_heads(struct rs_uidl_list *l)
{
	for (guint i = 0; i < l->rows->len; i++) {
		struct rs_uidl *r = g_ptr_array_index(l->rows, i);
		int fd = r->path && !r->head.there
				 ? open(r->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
				 : -1;

		if (fd < 0)
			continue;
		if (rs_uidl_head_read(fd, &r->head) < 0)
			r->head.there = false;
		close(fd);
	}
}

int rs_uidl_read(const struct rs_uidl_source *s, struct rs_uidl_list *out, struct rs_err *err)
{
	const char *colon = strchr(s->from, ':');
	g_autofree char *kind = colon ? g_strndup(s->from, (gsize)(colon - s->from)) : NULL;
	const char *why = s->format ? rs_uidl_format_wrong(s->format) : NULL;

	rs_uidl_list_init(out);
	if (why)
		return rs_err_set(err, RS_EINVAL, "--uidl-format %s: %s", s->format, why);
	if (g_strcmp0(kind, "dovecot") == 0)
		return read_dovecot(s, colon + 1, out, err);
	if (g_strcmp0(kind, "courier") == 0)
		return read_courier(colon + 1, out, err);
	if (g_strcmp0(kind, "cyrus") == 0)
		return read_cyrus(s, colon + 1, out, err);
	if (g_strcmp0(kind, "uidl-file") == 0)
		return read_file(colon + 1, out, err);
	if (g_strcmp0(kind, "pop3") == 0 || g_strcmp0(kind, "pop3s") == 0)
		return rs_uidl_pop3(s, out, err);
	return rs_err_set(err, RS_EINVAL,
		"'%s' is not pop3://…, pop3s://…, dovecot:DIR, courier:DIR, cyrus:DIR or "
		"uidl-file:FILE",
		s->from);
}
