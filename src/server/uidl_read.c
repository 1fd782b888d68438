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

/* Its messages are files beside the index. */
static void name_files(struct rs_uidl_list *l, const char *dir)
{
	for (guint i = 0; i < l->rows->len; i++) {
		struct rs_uidl *r = g_ptr_array_index(l->rows, i);

		r->path = g_build_filename(dir, r->base, NULL);
		g_clear_pointer(&r->base, g_free); /* it says nothing about names here */
	}
}

enum kind { DOVECOT, COURIER, CYRUS, FILE_OF_OURS };

static const struct {
	const char *name;
	const char *file; /* in the folder that is given; NULL: it is given itself */
} kinds[] = {
	[DOVECOT] = {"dovecot", "dovecot-uidlist"},
	[COURIER] = {"courier", "courierpop3dsizelist"},
	[CYRUS] = {"cyrus", "cyrus.index"},
	[FILE_OF_OURS] = {"uidl-file", NULL},
};

static int read_kind(enum kind k, const struct rs_uidl_source *s, const char *place,
	struct rs_uidl_list *out, struct rs_err *err)
{
	g_autofree char *path = g_build_filename(place, kinds[k].file, NULL);
	g_autofree char *text = NULL;
	gsize n = 0;
	int rc = slurp(path, &text, &n, err);

	if (rc < 0)
		return rc;
	switch (k) {
	case DOVECOT:
		rc = rs_uidl_dovecot(rs_slice(text, n), s->format, out, err);
		break;
	case COURIER:
		rc = rs_uidl_courier(rs_slice(text, n), out, err);
		break;
	case CYRUS:
		rc = rs_uidl_cyrus(rs_slice(text, n), s->format, out, err);
		break;
	case FILE_OF_OURS:
		return rs_uidl_file(rs_slice(text, n), out, err);
	}
	if (rc == 0 && k == CYRUS)
		name_files(out, place);
	else if (rc == 0)
		find_files(out, place);
	return rc;
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
	for (size_t k = 0; k < G_N_ELEMENTS(kinds); k++) {
		if (g_strcmp0(kind, kinds[k].name) == 0)
			return read_kind((enum kind)k, s, colon + 1, out, err);
	}
	if (g_strcmp0(kind, "pop3") == 0 || g_strcmp0(kind, "pop3s") == 0)
		return rs_uidl_pop3(s, out, err);
	return rs_err_set(err, RS_EINVAL,
		"'%s' is not pop3://…, pop3s://…, dovecot:DIR, courier:DIR, cyrus:DIR or "
		"uidl-file:FILE",
		s->from);
}
