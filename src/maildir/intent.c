/* intent.c - see intent.h */
#include "maildir/intent.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/num.h"
#include "maildir/lock.h"
#include "maildir/subfolder.h"

#define HEAD       "restante-delete 1\n"
#define RECORD_MAX (512u * 1024 * 1024) /* two million names of the longest kind */
#define KEEP       "keep "
#define RUN_N      128u /* messages removed under one lock of the quota */
#define NAME_N_MAX (RS_MAILDIR_NAME_MAX + RS_FOLDER_NAME_MAX + 2)

static char *digest(const char *text, size_t n)
{
	return g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)text, n);
}

void rs_intent_finish(struct rs_intent *i)
{
	if (i->names)
		g_ptr_array_unref(i->names);
	g_free(i->keep);
	*i = (struct rs_intent){.names = NULL};
}

GString *rs_intent_text(const struct rs_intent *i)
{
	GString *text = g_string_new(HEAD);
	g_autofree char *sum = NULL;

	if (i->keep)
		g_string_append_printf(text, KEEP "%s\n", i->keep);
	for (guint k = 0; k < i->names->len; k++) {
		const char *name = g_ptr_array_index(i->names, k);

		g_string_append_printf(text, "%zu %s\n", strlen(name), name);
	}
	sum = digest(text->str, text->len);
	g_string_append_printf(text, "end %u %s\n", i->names->len, sum);
	return text;
}

/* A base name, or ".Folder/" and one. */
static bool name_ok(struct rs_slice name)
{
	size_t slash = rs_slice_find(name, '/');
	struct rs_slice base = rs_slice_sub(name, slash + 1, name.n);

	if (name.n == 0 || rs_slice_find(name, 0) != name.n)
		return false;
	if (slash == name.n)
		return true;
	return name.p[0] == '.' && rs_folder_name_ok(rs_slice_sub(name, 1, slash - 1)) &&
	       base.n > 0 && base.n <= RS_MAILDIR_NAME_MAX && rs_slice_find(base, '/') == base.n;
}

/* One "n name LF" at *at; moves behind it. NULL when it is not one. */
static char *parse_name(struct rs_slice text, size_t *at)
{
	struct rs_slice rest = rs_slice_sub(text, *at, text.n);
	size_t blank = rs_slice_find(rest, ' ');
	struct rs_slice name;
	uint32_t n;

	if (rs_num_u32(rs_slice_sub(rest, 0, blank), NAME_N_MAX, &n) < 0)
		return NULL;
	name = rs_slice_sub(rest, blank + 1, n);
	if (n == 0 || blank + 1 + n >= rest.n || rest.p[blank + 1 + n] != '\n')
		return NULL;
	if (!name_ok(name))
		return NULL;
	*at += blank + 1 + n + 1;
	return g_strndup((const char *)name.p, name.n);
}

/* "end count sum LF", and nothing behind it. */
static bool end_ok(struct rs_slice text, size_t at, guint count)
{
	g_autofree char *sum = digest((const char *)text.p, at);
	g_autofree char *want = g_strdup_printf("end %u %s\n", count, sum);

	return rs_slice_eq_str(rs_slice_sub(text, at, text.n), want);
}

/* "keep FOLDER LF" at *at, where it is one; moves behind it. */
static char *parse_keep(struct rs_slice text, size_t *at)
{
	struct rs_slice rest = rs_slice_sub(text, *at, text.n);
	struct rs_slice folder;

	if (!rs_slice_eq_str(rs_slice_sub(rest, 0, strlen(KEEP)), KEEP))
		return NULL;
	rest = rs_slice_sub(rest, strlen(KEEP), rest.n);
	folder = rs_slice_sub(rest, 0, rs_slice_find(rest, '\n'));
	if (folder.n == rest.n || !rs_folder_name_ok(folder))
		return NULL;
	*at += strlen(KEEP) + folder.n + 1;
	return g_strndup((const char *)folder.p, folder.n);
}

bool rs_intent_parse(struct rs_slice text, struct rs_intent *out)
{
	struct rs_intent i = {.names = NULL};
	size_t at = strlen(HEAD);
	char *name;

	if (!rs_slice_eq_str(rs_slice_sub(text, 0, at), HEAD))
		return false;
	i.names = g_ptr_array_new_with_free_func(g_free);
	i.keep = parse_keep(text, &at);
	while ((name = parse_name(text, &at)))
		g_ptr_array_add(i.names, name);
	if (!end_ok(text, at, i.names->len)) {
		rs_intent_finish(&i);
		return false;
	}
	*out = i;
	return true;
}

/* --- carrying it out ------------------------------------------------------------------------- */

/* The messages of one folder that are to go. */
struct part {
	char *folder; /* ".Junk", "" for that of the record */
	GHashTable *bases;
	struct rs_maildir *m; /* NULL: not there (any more) */
	bool own;             /* m was opened here */
	int lock_fd;
	struct rs_maildir_list *list;
};

static void part_free(gpointer p)
{
	struct part *part = p;

	if (part->lock_fd >= 0)
		(void)part->m->fs->close(part->m->fs->ctx, part->lock_fd);
	rs_maildir_list_destroy(&part->list);
	if (part->own)
		rs_maildir_destroy(&part->m);
	g_hash_table_unref(part->bases);
	g_free(part->folder);
	g_free(part);
}

static struct part *part_of(GPtrArray *parts, const char *folder, size_t n)
{
	struct part *part;

	for (guint i = 0; i < parts->len; i++) {
		part = g_ptr_array_index(parts, i);
		if (strlen(part->folder) == n && memcmp(part->folder, folder, n) == 0)
			return part;
	}
	part = g_new0(struct part, 1);
	part->folder = g_strndup(folder, n);
	part->bases = g_hash_table_new(g_str_hash, g_str_equal);
	part->lock_fd = -1;
	g_ptr_array_add(parts, part);
	return part;
}

static GPtrArray *parts_of(const struct rs_intent *intent)
{
	GPtrArray *parts = g_ptr_array_new_with_free_func(part_free);

	for (guint i = 0; i < intent->names->len; i++) {
		char *name = g_ptr_array_index(intent->names, i);
		char *slash = strchr(name, '/');
		struct part *part = part_of(parts, name, slash ? (size_t)(slash - name) : 0);

		(void)g_hash_table_add(part->bases, slash ? slash + 1 : name);
	}
	return parts;
}

/* Open and list it. `lock`: no session has it open for us. */
static int part_open(
	struct part *part, struct rs_maildir *m, const char *account, bool lock, struct rs_err *err)
{
	g_autofree char *path = g_build_filename(account, part->folder, NULL);
	int rc = 0;

	if (!*part->folder) {
		part->m = m;
	} else {
		rc = rs_maildir_open(m->fs, path, 0, &part->m, err);
		if (rc == -RS_ENOENT)
			return 0;
		part->own = rc == 0;
		if (rc == 0 && lock)
			rc = rs_maildir_lock(part->m, &part->lock_fd, err);
	}
	if (rc == 0)
		rc = rs_maildir_subs(part->m, err);
	return rc < 0 ? rc : rs_maildir_scan(part->m, &part->list, err);
}

static bool is_named(const struct part *part, const char *file)
{
	g_autofree char *base = g_strndup(file, strcspn(file, ":"));

	return g_hash_table_contains(part->bases, base);
}

static int keep_one(struct rs_maildir *from, struct rs_maildir_entry e, struct rs_maildir *to)
{
	const struct rs_fs *fs = from->fs;
	g_autofree char *name = g_strconcat(e.file, strchr(e.file, ':') ? NULL : ":2,", NULL);
	int dir = e.in_new ? from->new_fd : from->cur_fd;
	int rc = fs->link(fs->ctx, dir, e.file, to->cur_fd, name);

	if (rc == -EXDEV || rc == -EMLINK || rc == -EPERM || rc == -EOPNOTSUPP)
		rc = fs->rename(fs->ctx, dir, e.file, to->cur_fd, name, 0);
	return rc == -EEXIST || rc == -ENOENT ? 0 : rc;
}

/* Links to all of them in the folder where they are kept, durable. */
static int keep_all(const GPtrArray *parts, const struct rs_fs *fs, const char *account,
	const char *folder, struct rs_err *err)
{
	g_autofree char *path = rs_subfolder_path(account, folder);
	struct rs_maildir *to = NULL;
	int rc = rs_subfolder_make(fs, account, folder, err);

	if (rc == 0)
		rc = rs_maildir_open(fs, path, 0, &to, err);
	for (guint k = 0; k < parts->len && rc == 0; k++) {
		const struct part *part = g_ptr_array_index(parts, k);

		for (size_t i = 0; part->list && rc == 0 && i < rs_maildir_list_n(part->list);
			i++) {
			struct rs_maildir_entry e = rs_maildir_list_at(part->list, i);

			if (!is_named(part, e.file))
				continue;
			rc = keep_one(part->m, e, to);
			if (rc < 0)
				rc = rs_maildir_fail(err, -rc, "keep", path, e.file);
		}
	}
	if (rc == 0)
		rc = rs_maildir_sync_dir(to, to->cur_fd, "cur", err);
	rs_maildir_destroy(&to);
	return rc;
}

static uint64_t size_of(const struct rs_maildir *m, struct rs_maildir_entry e)
{
	struct rs_maildir_name name;
	struct stat st;

	rs_maildir_name_parse(rs_slice_str(e.file), &name);
	if (name.size != UINT64_MAX)
		return name.size;
	if (fstatat(e.in_new ? m->new_fd : m->cur_fd, e.file, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return (uint64_t)st.st_size;
}

/* Unlink what the scan found of it; how many could not be removed. The quota of `account` (NULL: it stays
 * used) is given back in runs, so that a delivery waits for some messages and not for a big mailbox. */
static uint32_t part_unlink(const struct part *part, const char *account)
{
	struct rs_quota_room *room = NULL;
	struct rs_quota_use gone = {.octets = 0};
	uint32_t left = 0;
	uint32_t n = 0;

	for (size_t i = 0; part->list && i < rs_maildir_list_n(part->list); i++) {
		struct rs_maildir_entry e = rs_maildir_list_at(part->list, i);
		const struct rs_maildir *m = part->m;
		uint64_t size;
		int rc;

		if (!is_named(part, e.file))
			continue;
		if (account && n++ % RUN_N == 0) {
			rs_quota_remove_end(&room, gone);
			gone = (struct rs_quota_use){.octets = 0};
			room = rs_quota_remove_begin(m->fs, account);
		}
		size = size_of(m, e);
		rc = m->fs->unlink(m->fs->ctx, e.in_new ? m->new_fd : m->cur_fd, e.file);
		left += rc < 0 && rc != -ENOENT;
		if (rc == 0) {
			gone.octets += size;
			gone.messages++;
		}
	}
	rs_quota_remove_end(&room, gone);
	return left;
}

static int parts_remove(
	const GPtrArray *parts, const char *account, uint32_t *left, struct rs_err *err)
{
	int rc = 0;

	*left = 0;
	for (guint k = 0; k < parts->len; k++)
		*left += part_unlink(g_ptr_array_index(parts, k), account);
	/* The removals must be durable before the record goes, or a power cut brings them back. */
	for (guint k = 0; k < parts->len && rc == 0; k++) {
		const struct part *part = g_ptr_array_index(parts, k);

		if (!part->m)
			continue;
		rc = rs_maildir_sync_dir(part->m, part->m->new_fd, "new", err);
		if (rc == 0)
			rc = rs_maildir_sync_dir(part->m, part->m->cur_fd, "cur", err);
	}
	return rc;
}

static int carry_out(struct rs_maildir *m, const char *account, const struct rs_intent *intent,
	bool lock, uint32_t *left, struct rs_err *err)
{
	g_autoptr(GPtrArray) parts = parts_of(intent);
	int rc = 0;

	*left = intent->names->len;
	for (guint k = 0; k < parts->len && rc == 0; k++)
		rc = part_open(g_ptr_array_index(parts, k), m, account, lock, err);
	if (rc == 0 && intent->keep)
		rc = keep_all(parts, m->fs, account, intent->keep, err);
	if (rc == 0)
		rc = parts_remove(parts, intent->keep ? NULL : account, left, err);
	if (rc < 0 || *left)
		return rc;
	rc = m->fs->unlink(m->fs->ctx, m->root_fd, RS_INTENT_NAME);
	if (rc < 0 && rc != -ENOENT)
		return rs_maildir_fail(err, -rc, "remove", m->path, RS_INTENT_NAME);
	return 0;
}

int rs_intent_carry_out(struct rs_maildir *m, const char *account, const struct rs_intent *i,
	uint32_t *left, struct rs_err *err)
{
	return carry_out(m, account, i, false, left, err);
}

int rs_intent_recover(struct rs_maildir *m, const char *account, struct rs_err *err)
{
	g_autofree char *text = NULL;
	struct rs_intent intent;
	uint32_t left;
	size_t n;
	int rc = rs_maildir_slurp(m, RS_INTENT_NAME, RECORD_MAX, &text, &n, err);

	if (rc == -RS_ENOENT)
		return 0;
	if (rc < 0)
		return rc;
	if (rs_intent_parse(rs_slice(text, n), &intent)) {
		rc = carry_out(m, account, &intent, true, &left, err);
		rs_intent_finish(&intent);
		return rc;
	}
	rc = m->fs->unlink(m->fs->ctx, m->root_fd, RS_INTENT_NAME);
	return rc < 0 && rc != -ENOENT
		       ? rs_maildir_fail(err, -rc, "remove", m->path, RS_INTENT_NAME)
		       : 0;
}
