/* standing.c - see standing.h */
#include "maildir/standing.h"

#include <errno.h>
#include <string.h>

#include "maildir/rows.h"

#define UIDLIST_MAX (1024u * 1024 * 1024)

static void uidlist_open(struct rs_standing *s)
{
	char *text = NULL;
	size_t n = 0;
	int rc = rs_maildir_slurp(s->m, RS_UIDLIST_NAME, UIDLIST_MAX, &text, &n, NULL);
	g_autofree char *empty = NULL;

	if (rc < 0)
		text = NULL;
	s->uidlist_there = rc != -RS_ENOENT;
	rs_uidlist_parse(&s->known, text, n);
	if (s->known.rows->len == 0 && s->uidlist_there) {
		g_autoptr(GString) want = g_string_new(NULL);

		rs_uidlist_text_begin(want);
		rs_uidlist_text_end(want, 0);
		s->uidlist_damaged = !text || n != want->len || memcmp(text, want->str, n) != 0;
	}
}

int rs_standing_open(const char *path, struct rs_standing *out, struct rs_err *err)
{
	struct rs_standing s = {.m = NULL};
	struct rs_maildir_list *l = NULL;
	int rc = rs_maildir_open(rs_fs_readonly(), path, RS_MAILDIR_LAZY, &s.m, err);

	*out = s;
	if (rc < 0)
		return rc;
	uidlist_open(&s);
	rc = rs_index_load(s.m, &s.kept);
	s.index_damaged = rc < 0 && rc != -RS_ENOENT;
	rc = rs_maildir_scan(s.m, &l, err);
	if (rc == 0)
		rc = rs_rows_index(s.m, l, &s.known, &s.kept, &s.index, err);
	if (l)
		rs_maildir_list_destroy(&l);
	*out = s;
	return rc;
}

void rs_standing_finish(struct rs_standing *s)
{
	if (!s->m)
		return;
	rs_index_finish(&s->index);
	rs_index_finish(&s->kept);
	rs_uidlist_finish(&s->known);
	rs_maildir_destroy(&s->m);
}

struct rs_maildir_entry rs_standing_entry(const struct rs_standing *s, uint32_t row)
{
	return (struct rs_maildir_entry){
		.file = rs_index_name(&s->index, row), .in_new = s->index.rows[row].in_new != 0};
}

struct rs_sizes rs_standing_sizes(const struct rs_standing *s, uint32_t row)
{
	const struct rs_drop_ascii *a = rs_drop_ascii(&s->index.table, row);
	struct rs_sizes sizes = {.size = s->index.rows[row].size,
		.wire = rs_drop_octets(&s->index.table, row),
		.ascii = UINT64_MAX};

	if (a)
		sizes.ascii = a->octets == RS_DROP_NO_ASCII ? 0 : a->octets;
	return sizes;
}

GHashTable *rs_standing_kept_rows(const struct rs_standing *s)
{
	GHashTable *rows = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	for (uint32_t i = 0; s->kept.octets && i < s->kept.head->rows_n; i++) {
		const char *name = rs_index_name(&s->kept, i);

		(void)g_hash_table_insert(
			rows, g_strndup(name, strcspn(name, ":")), GUINT_TO_POINTER(i + 1));
	}
	return rows;
}
