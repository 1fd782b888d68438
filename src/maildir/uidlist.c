/* uidlist.c - see uidlist.h */
#include "maildir/uidlist.h"

#include <string.h>

#include "base/num.h"
#include "proto/drop.h"

#define HEAD     "restante-uidl 1\n"
#define FILE_MAX (1024u * 1024 * 1024)

static guint slice_hash(const void *p)
{
	return rs_slice_hash(*(const struct rs_slice *)p);
}

static gboolean slice_equal(const void *a, const void *b)
{
	return rs_slice_eq(*(const struct rs_slice *)a, *(const struct rs_slice *)b);
}

/* A word up to a blank; the number in it. */
static bool number(struct rs_slice *rest, uint64_t *out)
{
	size_t n = rs_slice_find(*rest, ' ');

	if (n == rest->n || rs_num_u64(rs_slice_sub(*rest, 0, n), UINT64_MAX / 4, out) < 0)
		return false;
	*rest = rs_slice_sub(*rest, n + 1, rest->n);
	return true;
}

/* Octets as sent, and perhaps those of the downgraded form. */
static bool wire_octets(struct rs_slice *rest, struct rs_uidlist_row *row)
{
	size_t n = rs_slice_find(*rest, ' ');
	struct rs_slice word = rs_slice_sub(*rest, 0, n);
	size_t slash = rs_slice_find(word, '/');

	row->ascii = UINT64_MAX;
	if (n == rest->n ||
		rs_num_u64(rs_slice_sub(word, 0, slash), UINT64_MAX / 4, &row->wire) < 0 ||
		(slash < word.n && rs_num_u64(rs_slice_sub(word, slash + 1, word.n), UINT64_MAX / 4,
					   &row->ascii) < 0))
		return false;
	*rest = rs_slice_sub(*rest, n + 1, rest->n);
	return true;
}

static bool parse_row(struct rs_slice *rest, struct rs_uidlist_row *row)
{
	size_t uid_n;
	uint64_t n;

	if (!wire_octets(rest, row) || !number(rest, &row->size))
		return false;
	uid_n = rs_slice_find(*rest, ' ');
	row->uid = rs_slice_sub(*rest, 0, uid_n);
	if (rs_slice_eq_str(row->uid, "-"))
		row->uid = rs_slice(NULL, 0);
	else if (!rs_drop_uid_ok(row->uid))
		return false;
	*rest = rs_slice_sub(*rest, uid_n + 1, rest->n);
	if (!number(rest, &n) || n == 0 || n > RS_MAILDIR_NAME_MAX || n >= rest->n ||
		rest->p[n] != '\n')
		return false;
	row->base = rs_slice_sub(*rest, 0, (size_t)n);
	*rest = rs_slice_sub(*rest, (size_t)n + 1, rest->n);
	return true;
}

static bool parse_rows(struct rs_uidlist *l, struct rs_slice rest)
{
	g_autofree char *end = NULL;

	if (!rs_slice_istarts(rest, HEAD))
		return false;
	rest = rs_slice_sub(rest, strlen(HEAD), rest.n);
	while (!rs_slice_istarts(rest, "end ")) {
		struct rs_uidlist_row row = {.order = l->rows->len};

		if (!parse_row(&rest, &row))
			return false;
		l->imported |= row.uid.n > 0;
		g_array_append_val(l->rows, row);
	}
	end = g_strdup_printf("end %u\n", l->rows->len);
	return rs_slice_eq_str(rest, end);
}

void rs_uidlist_parse(struct rs_uidlist *l, char *text, size_t n)
{
	l->text = text;
	l->rows = g_array_new(FALSE, FALSE, sizeof(struct rs_uidlist_row));
	l->by_base = g_hash_table_new(slice_hash, slice_equal);
	l->imported = false;
	if (!text || !parse_rows(l, rs_slice(text, n))) {
		g_array_set_size(l->rows, 0);
		l->imported = false;
	}
	for (guint i = 0; i < l->rows->len; i++)
		g_hash_table_insert(l->by_base,
			&g_array_index(l->rows, struct rs_uidlist_row, i).base,
			GUINT_TO_POINTER(i + 1));
}

void rs_uidlist_load(struct rs_uidlist *l, const struct rs_maildir *m)
{
	char *text = NULL;
	size_t n = 0;

	if (rs_maildir_slurp(m, RS_UIDLIST_NAME, FILE_MAX, &text, &n, NULL) < 0)
		text = NULL; /* not there or not readable: worked out anew */
	rs_uidlist_parse(l, text, n);
}

void rs_uidlist_finish(struct rs_uidlist *l)
{
	g_free(l->text);
	g_array_free(l->rows, TRUE);
	g_hash_table_destroy(l->by_base);
	*l = (struct rs_uidlist){.text = NULL};
}

struct rs_uidlist_row *rs_uidlist_find(const struct rs_uidlist *l, struct rs_slice base)
{
	guint at = GPOINTER_TO_UINT(g_hash_table_lookup(l->by_base, &base));

	return at ? &g_array_index(l->rows, struct rs_uidlist_row, at - 1) : NULL;
}

void rs_uidlist_text_begin(GString *text)
{
	g_string_assign(text, HEAD);
}

void rs_uidlist_text_row(GString *text, const struct rs_uidlist_row *row)
{
	g_string_append_printf(text, "%" G_GUINT64_FORMAT, row->wire);
	if (row->ascii != UINT64_MAX)
		g_string_append_printf(text, "/%" G_GUINT64_FORMAT, row->ascii);
	g_string_append_printf(text, " %" G_GUINT64_FORMAT " ", row->size);
	if (row->uid.n)
		g_string_append_len(text, (const char *)row->uid.p, (gssize)row->uid.n);
	else
		g_string_append_c(text, '-');
	g_string_append_printf(text, " %zu ", row->base.n);
	g_string_append_len(text, (const char *)row->base.p, (gssize)row->base.n);
	g_string_append_c(text, '\n');
}

void rs_uidlist_text_end(GString *text, guint count)
{
	g_string_append_printf(text, "end %u\n", count);
}
