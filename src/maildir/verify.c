/* verify.c - see verify.h */
#include "maildir/verify.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maildir/intent.h"
#include "maildir/quota.h"
#include "maildir/sizes.h"
#include "maildir/standing.h"

#define TMP_KEPT_S (36 * 3600) /* as rs_maildir_clean_tmp */
#define RECORD_MAX (512u * 1024 * 1024)

const char *rs_flaw_name(enum rs_flaw_kind kind)
{
	static const char *const names[] = {"pending", "record", "uidlist", "index", "size",
		"unreadable", "twin", "tmp", "quota"};

	return names[kind];
}

static void flaw_free(gpointer p)
{
	struct rs_flaw *f = p;

	g_free(f->text);
	g_free(f);
}

static void flaw(struct rs_verified *v, enum rs_flaw_kind kind, const char *fmt, ...)
	RS_FORMAT(3, 4);

static void flaw(struct rs_verified *v, enum rs_flaw_kind kind, const char *fmt, ...)
{
	struct rs_flaw *f = g_new0(struct rs_flaw, 1);
	va_list args;

	va_start(args, fmt);
	f->kind = kind;
	f->text = g_strdup_vprintf(fmt, args);
	va_end(args);
	g_ptr_array_add(v->flaws, f);
}

/* --- what is remembered -------------------------------------------------------------------- */

static void check_record(const struct rs_standing *s, struct rs_verified *v)
{
	g_autofree char *text = NULL;
	struct rs_intent i;
	size_t n = 0;
	int rc = rs_maildir_slurp(s->m, RS_INTENT_NAME, RECORD_MAX, &text, &n, NULL);

	if (rc == -RS_ENOENT)
		return;
	if (rc < 0 || !rs_intent_parse(rs_slice(text, n), &i)) {
		flaw(v, RS_FLAW_RECORD,
			"%s/" RS_INTENT_NAME
			": is not whole, so nothing was decided; the next session removes it",
			s->m->path);
		return;
	}
	flaw(v, RS_FLAW_PENDING,
		"%s/" RS_INTENT_NAME
		": the deletion of %u messages is decided and not yet done; the next session does "
		"it",
		s->m->path, i.names->len);
	rs_intent_finish(&i);
}

static void check_uidlist(const struct rs_standing *s, struct rs_verified *v)
{
	g_autoptr(GHashTable) uids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	if (s->uidlist_damaged)
		flaw(v, RS_FLAW_UIDLIST,
			"%s/" RS_UIDLIST_NAME
			": is not whole; UIDs that were taken over are not told, and clients would "
			"download again",
			s->m->path);
	for (guint i = 0; i < s->known.rows->len; i++) {
		const struct rs_uidlist_row *row =
			&g_array_index(s->known.rows, struct rs_uidlist_row, i);
		char *uid;

		v->gone += !row->used;
		v->imported += row->used && row->uid.n;
		if (row->uid.n == 0)
			continue;
		uid = g_strndup((const char *)row->uid.p, row->uid.n);
		if (g_hash_table_contains(uids, uid))
			flaw(v, RS_FLAW_UIDLIST,
				"%s/" RS_UIDLIST_NAME ": line %u gives UID %s again", s->m->path,
				i + 2, uid);
		(void)g_hash_table_add(uids, uid);
	}
}

/* A kept index may be older than the folder; of what it knows it must say the same. */
static void check_index(const struct rs_standing *s, struct rs_verified *v)
{
	g_autoptr(GHashTable) rows = g_hash_table_new(g_str_hash, g_str_equal);

	if (s->index_damaged)
		flaw(v, RS_FLAW_INDEX,
			"%s/" RS_INDEX_NAME ": is not whole; the next session makes it anew",
			s->m->path);
	if (!s->kept.octets)
		return;
	for (uint32_t i = 0; i < s->kept.head->rows_n; i++)
		(void)g_hash_table_insert(rows, (char *)(uintptr_t)rs_index_name(&s->kept, i),
			GUINT_TO_POINTER(i + 1));
	for (uint32_t i = 0; i < s->index.head->rows_n; i++) {
		const char *name = rs_index_name(&s->index, i);
		guint at = GPOINTER_TO_UINT(g_hash_table_lookup(rows, name));

		if (at == 0)
			continue;
		if (!rs_slice_eq(
			    rs_drop_uid(&s->kept.table, at - 1), rs_drop_uid(&s->index.table, i)))
			flaw(v, RS_FLAW_INDEX,
				"%s/" RS_INDEX_NAME
				": calls %s %.*s, but names and " RS_UIDLIST_NAME " say %.*s",
				s->m->path, name, (int)rs_drop_uid(&s->kept.table, at - 1).n,
				(const char *)rs_drop_uid(&s->kept.table, at - 1).p,
				(int)rs_drop_uid(&s->index.table, i).n,
				(const char *)rs_drop_uid(&s->index.table, i).p);
		if (rs_drop_octets(&s->kept.table, at - 1) != rs_drop_octets(&s->index.table, i))
			flaw(v, RS_FLAW_INDEX,
				"%s/" RS_INDEX_NAME ": tells another size of %s than its name does",
				s->m->path, name);
	}
}

/* --- the messages -------------------------------------------------------------------------- */

static void check_message(struct rs_standing *s, uint32_t row, struct rs_verified *v)
{
	const struct rs_maildir_name unknown = {
		.size = UINT64_MAX, .wire = UINT64_MAX, .ascii = UINT64_MAX};
	struct rs_maildir_entry e = rs_standing_entry(s, row);
	struct rs_sizes told = rs_standing_sizes(s, row);
	const char *sub = e.in_new ? "new" : "cur";
	struct rs_err err = {.text = ""};
	struct rs_sizes real;
	int fd = rs_maildir_read_open(s->m, &e, &err);

	v->messages++;
	v->octets += told.wire;
	if (fd >= 0)
		close(fd);
	rs_sizes_measure(s->m, &e, &unknown, &real);
	if (real.size == UINT64_MAX)
		flaw(v, RS_FLAW_UNREADABLE, "%s/%s/%s: cannot be read%s%s", s->m->path, sub, e.file,
			fd < 0 ? ": " : ", it is not a file or changes just now",
			fd < 0 ? err.text : "");
	else if (real.size != told.size || real.wire != told.wire)
		flaw(v, RS_FLAW_SIZE,
			"%s/%s/%s: %" G_GUINT64_FORMAT " octets are told, %" G_GUINT64_FORMAT
			" would be sent",
			s->m->path, sub, e.file, told.wire, real.wire);
	else if (told.ascii != UINT64_MAX && real.ascii != told.ascii)
		flaw(v, RS_FLAW_SIZE,
			"%s/%s/%s: another size is told to clients without UTF8 than would be sent",
			s->m->path, sub, e.file);
}

static void check_twins(const struct rs_standing *s, struct rs_verified *v)
{
	g_autoptr(GHashTable) bases = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	for (uint32_t i = 0; i < s->index.head->rows_n; i++) {
		const char *name = rs_index_name(&s->index, i);

		if (!g_hash_table_add(bases, g_strndup(name, strcspn(name, ":"))))
			flaw(v, RS_FLAW_TWIN,
				"%s: %s is there twice, with different flags; remove one of the "
				"two",
				s->m->path, name);
	}
}

static void check_tmp(const struct rs_standing *s, int64_t now_s, struct rs_verified *v)
{
	g_autofree char *path = g_build_filename(s->m->path, "tmp", NULL);
	DIR *dir = opendir(path);
	const struct dirent *e;

	while (dir && (e = readdir(dir))) {
		struct stat st;

		if (e->d_name[0] != '.' &&
			fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			S_ISREG(st.st_mode) && st.st_mtime < now_s - TMP_KEPT_S)
			flaw(v, RS_FLAW_TMP,
				"%s/%s: a delivery that was never finished; its sender was not "
				"told that "
				"it was",
				path, e->d_name);
	}
	if (dir)
		closedir(dir);
}

int rs_verify_folder(const char *path, int64_t now_s, struct rs_verified *out, struct rs_err *err)
{
	struct rs_standing s;
	int rc = rs_standing_open(path, &s, err);

	*out = (struct rs_verified){.flaws = g_ptr_array_new_with_free_func(flaw_free)};
	if (rc == 0) {
		check_record(&s, out);
		check_uidlist(&s, out);
		check_index(&s, out);
		for (uint32_t i = 0; i < s.index.head->rows_n; i++)
			check_message(&s, i, out);
		check_twins(&s, out);
		check_tmp(&s, now_s, out);
	}
	rs_standing_finish(&s);
	return rc;
}

int rs_verify_quota(
	const char *root, const struct rs_quota *q, struct rs_verified *out, struct rs_err *err)
{
	struct rs_quota_use told;
	struct rs_quota_use real;
	int rc = 0;

	if (!q->octets_max && !q->messages_max)
		return 0;
	rc = rs_quota_used(rs_fs_readonly(), root, q, false, &told, err);
	if (rc == 0)
		rc = rs_quota_used(rs_fs_readonly(), root, q, true, &real, err);
	if (rc == 0 && (told.octets != real.octets || told.messages != real.messages))
		flaw(out, RS_FLAW_QUOTA,
			"%s/" RS_QUOTA_NAME ": tells %" G_GUINT64_FORMAT
			" octets in %" G_GUINT64_FORMAT " messages, there are %" G_GUINT64_FORMAT
			" in %" G_GUINT64_FORMAT,
			root, told.octets, told.messages, real.octets, real.messages);
	return rc;
}

void rs_verified_finish(struct rs_verified *v)
{
	if (v->flaws)
		g_ptr_array_unref(v->flaws);
	v->flaws = NULL;
}
