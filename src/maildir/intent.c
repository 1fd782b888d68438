/* intent.c - see intent.h */
#include "maildir/intent.h"

#include <errno.h>
#include <string.h>

#include "base/num.h"

#define HEAD       "restante-delete 1\n"
#define RECORD_MAX (512u * 1024 * 1024) /* two million names of the longest kind */
#define SHA256_N   64u

static char *digest(const char *text, size_t n)
{
	return g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)text, n);
}

GString *rs_intent_text(const GPtrArray *bases)
{
	GString *text = g_string_new(HEAD);
	g_autofree char *sum = NULL;

	for (guint i = 0; i < bases->len; i++) {
		const char *base = g_ptr_array_index(bases, i);

		g_string_append_printf(text, "%zu %s\n", strlen(base), base);
	}
	sum = digest(text->str, text->len);
	g_string_append_printf(text, "end %u %s\n", bases->len, sum);
	return text;
}

/* One "n name LF" at *at; moves behind it. NULL when it is not one. */
static char *parse_name(struct rs_slice text, size_t *at)
{
	struct rs_slice rest = rs_slice_sub(text, *at, text.n);
	size_t blank = rs_slice_find(rest, ' ');
	struct rs_slice name;
	uint32_t n;

	if (rs_num_u32(rs_slice_sub(rest, 0, blank), RS_MAILDIR_NAME_MAX, &n) < 0)
		return NULL;
	name = rs_slice_sub(rest, blank + 1, n);
	if (n == 0 || blank + 1 + n >= rest.n || rest.p[blank + 1 + n] != '\n')
		return NULL;
	if (rs_slice_find(name, 0) != name.n || rs_slice_find(name, '/') != name.n)
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

GPtrArray *rs_intent_parse(struct rs_slice text)
{
	g_autoptr(GPtrArray) bases = g_ptr_array_new_with_free_func(g_free);
	size_t at = strlen(HEAD);
	char *name;

	if (!rs_slice_eq_str(rs_slice_sub(text, 0, at), HEAD))
		return NULL;
	while ((name = parse_name(text, &at)))
		g_ptr_array_add(bases, name);
	return end_ok(text, at, bases->len) ? g_steal_pointer(&bases) : NULL;
}

/* Unlink what the scan finds of `bases`; how many could not be removed. */
static uint32_t unlink_listed(
	struct rs_maildir *m, const struct rs_maildir_list *l, GHashTable *bases)
{
	uint32_t left = 0;

	for (size_t i = 0; i < rs_maildir_list_n(l); i++) {
		struct rs_maildir_entry e = rs_maildir_list_at(l, i);
		g_autofree char *base = g_strndup(e.file, strcspn(e.file, ":"));
		int rc;

		if (!g_hash_table_contains(bases, base))
			continue;
		rc = m->fs->unlink(m->fs->ctx, e.in_new ? m->new_fd : m->cur_fd, e.file);
		left += rc < 0 && rc != -ENOENT;
	}
	return left;
}

int rs_intent_carry_out(
	struct rs_maildir *m, const GPtrArray *bases, uint32_t *left, struct rs_err *err)
{
	g_autoptr(GHashTable) set = g_hash_table_new(g_str_hash, g_str_equal);
	struct rs_maildir_list *l = NULL;
	int rc;

	for (guint i = 0; i < bases->len; i++)
		g_hash_table_add(set, g_ptr_array_index(bases, i));
	*left = bases->len;
	rc = rs_maildir_scan(m, &l, err);
	if (rc < 0)
		return rc;
	*left = unlink_listed(m, l, set);
	rs_maildir_list_destroy(&l);
	/* The removals must be durable before the record goes, or a power cut brings them back. */
	rc = rs_maildir_sync_dir(m, m->new_fd, "new", err);
	if (rc == 0)
		rc = rs_maildir_sync_dir(m, m->cur_fd, "cur", err);
	if (rc < 0 || *left)
		return rc;
	rc = m->fs->unlink(m->fs->ctx, m->root_fd, RS_INTENT_NAME);
	if (rc < 0 && rc != -ENOENT)
		return rs_maildir_fail(err, -rc, "remove", m->path, RS_INTENT_NAME);
	return 0;
}

int rs_intent_recover(struct rs_maildir *m, struct rs_err *err)
{
	g_autoptr(GPtrArray) bases = NULL;
	g_autofree char *text = NULL;
	uint32_t left;
	size_t n;
	int rc = rs_maildir_slurp(m, RS_INTENT_NAME, RECORD_MAX, &text, &n, err);

	if (rc == -RS_ENOENT)
		return 0;
	if (rc < 0)
		return rc;
	bases = rs_intent_parse(rs_slice(text, n));
	if (bases)
		return rs_intent_carry_out(m, bases, &left, err);
	rc = m->fs->unlink(m->fs->ctx, m->root_fd, RS_INTENT_NAME);
	return rc < 0 && rc != -ENOENT
		       ? rs_maildir_fail(err, -rc, "remove", m->path, RS_INTENT_NAME)
		       : 0;
}
