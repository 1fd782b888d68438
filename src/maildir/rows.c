/* rows.c - see rows.h */
#include "maildir/rows.h"

#include <stdlib.h>
#include <string.h>

#include "maildir/sizes.h"

#define LOOK_AHEAD 16u /* rows of an old index that may be gone in one place */
#define DIGEST_N   64u
#define FRESH_MAX  256u /* messages that came since; with more of them all is worked out anew */

/* What the index is made of. */
struct line {
	const char *file; /* borrowed from the listing */
	uint16_t file_n;
	bool in_new;
	uint64_t wire;
	uint64_t ascii; /* UINT64_MAX: the same as wire; 0: none (sizes.h) */
	uint64_t size;  /* octets in the file; UINT64_MAX: could not be read */
	uint32_t scan;  /* place in the listing */
	struct rs_slice uid;
};

/* A message that is being worked out. */
struct row {
	struct line line;
	struct rs_maildir_name name;
	const struct rs_uidlist_row *known; /* NULL: nothing remembered, or not needed */
	uint32_t order;                     /* of imported ones; UINT32_MAX for the rest */
	char *uid_made;                     /* where the UID is of our making */
	bool pinned; /* it is remembered, or is to be: it can never be another */
};

/* `row` is zero but for its place. */
static void row_of(struct row *row, const struct rs_maildir_list *list, size_t i)
{
	struct rs_slice file = rs_maildir_list_name(list, i);

	row->line.file = (const char *)file.p;
	row->line.file_n = (uint16_t)file.n;
	row->line.in_new = rs_maildir_list_at(list, i).in_new;
	row->line.scan = (uint32_t)i;
	row->order = UINT32_MAX;
	rs_maildir_name_parse(file, &row->name);
	row->line.uid = row->name.unique;
	row->line.size = row->name.size;
	row->line.wire = row->name.wire;
	row->line.ascii = row->name.ascii;
}

/* The UID of a message whose name does not give it one of its own. */
static char *digest(const struct row *row)
{
	return g_compute_checksum_for_data(G_CHECKSUM_SHA256, row->name.base.p, row->name.base.n);
}

/* --- sizes --------------------------------------------------------------------------------- */

/* What restante.uidl says of its UID: imported, or (its own digest) once given to it by uids_settle. */
static void known_uid(struct row *row, const struct rs_uidlist_row *known)
{
	g_autofree char *own = known->uid.n == DIGEST_N ? digest(row) : NULL;

	if (known->uid.n == 0)
		return;
	row->line.uid = known->uid;
	row->pinned = own && rs_slice_eq_str(known->uid, own);
	if (!row->pinned)
		row->order = known->order;
}

static void size_of_row(struct rs_maildir *m, struct rs_uidlist *list, struct row *row)
{
	struct rs_uidlist_row *known =
		list->rows->len ? rs_uidlist_find(list, row->name.base) : NULL;
	struct rs_maildir_entry e = {.file = row->line.file, .in_new = row->line.in_new};

	row->known = known;
	if (known) {
		known->used = true;
		known_uid(row, known);
	}
	if (rs_sizes_ours(&row->name))
		return;
	if (known && known->size != UINT64_MAX) {
		row->line.wire = known->wire;
		row->line.size = known->size;
		row->line.ascii = known->ascii;
	} else {
		struct rs_sizes sizes;

		rs_sizes_measure(m, &e, &row->name, &sizes);
		row->line.wire = sizes.wire;
		row->line.size = sizes.size;
		row->line.ascii = sizes.ascii;
	}
}

/* Remember what had to be worked out; forget what is gone. A cache: failing to write it is no
 * failure of the session (a read-only file system still serves mail). */
static void uidlist_save(
	struct rs_maildir *m, struct row *const *rows, size_t n, const struct rs_uidlist *list)
{
	g_autoptr(GString) text = g_string_new(NULL);
	guint count = 0;
	bool changed = false;
	bool durable = false;

	rs_uidlist_text_begin(text);
	for (size_t i = 0; i < n; i++) {
		const struct row *row = rows[i];
		struct rs_uidlist_row line = {.base = row->name.base,
			.wire = row->line.wire,
			.size = row->line.size,
			.ascii = row->line.ascii};

		if (line.size == UINT64_MAX ||
			(!row->known && !row->pinned && rs_sizes_ours(&row->name)))
			continue;
		line.uid = row->known ? row->known->uid : rs_slice(NULL, 0);
		if (row->pinned)
			line.uid = row->line.uid;
		changed |= !row->known || (row->pinned && !rs_slice_eq(row->known->uid, line.uid));
		durable |= line.uid.n > 0;
		rs_uidlist_text_row(text, &line);
		count++;
	}
	rs_uidlist_text_end(text, count);
	if (!changed && count == list->rows->len)
		return;
	if (rs_maildir_replace(m, RS_UIDLIST_NAME, rs_slice(text->str, text->len), durable, NULL) <
		0)
		return; /* the next session works it out again */
}

/* --- order and UIDs ------------------------------------------------------------------------ */

static int compare(const void *a, const void *b)
{
	const struct row *x = *(const struct row *const *)a;
	const struct row *y = *(const struct row *const *)b;
	size_t n = RS_MIN(x->name.base.n, y->name.base.n);
	int c;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	if (x->name.seconds != y->name.seconds)
		return x->name.seconds < y->name.seconds ? -1 : 1;
	c = memcmp(x->name.base.p, y->name.base.p, n);
	if (c)
		return c;
	return x->name.base.n < y->name.base.n ? -1 : x->name.base.n > y->name.base.n;
}

/* Can `unique` be the UID of its message whatever else there is, if nobody has the same unique part? */
static bool uid_is_plain(struct rs_slice unique)
{
	return rs_drop_uid_ok(unique) && unique.n != DIGEST_N; /* it could be somebody's digest */
}

/* Names that begin alike stand together: has one of those beside `at` the same unique part? */
static bool twin_beside(struct row *const *rows, size_t n, size_t at, int step)
{
	struct rs_slice u = rows[at]->name.unique;

	for (size_t i = at + (size_t)step; i < n; i += (size_t)step) {
		const struct rs_maildir_name *other = &rows[i]->name;

		if (other->base.n < u.n || memcmp(other->base.p, u.p, u.n) != 0)
			return false;
		if (other->unique.n == u.n)
			return true;
	}
	return false;
}

static guint uid_hash(const void *p)
{
	return rs_slice_hash(((const struct row *)p)->line.uid);
}

static gboolean uid_equal(const void *a, const void *b)
{
	return rs_slice_eq(((const struct row *)a)->line.uid, ((const struct row *)b)->line.uid);
}

static void uid_from_digest(struct row *row)
{
	row->uid_made = digest(row);
	row->line.uid = rs_slice_str(row->uid_made);
}

static void pin(struct row *row)
{
	uid_from_digest(row);
	row->pinned = true;
}

static void count_up(GHashTable *counts, struct row *row)
{
	guint n = GPOINTER_TO_UINT(g_hash_table_lookup(counts, row));

	g_hash_table_replace(counts, row, GUINT_TO_POINTER(n + 1));
}

/* Every row that can be told nothing else: its UID is imported or pinned. Counts how often each UID is
 * wanted by those that are left. */
static GHashTable *uids_wanted(struct row *const *rows, size_t n, GHashTable *taken)
{
	GHashTable *wanted = g_hash_table_new(uid_hash, uid_equal);

	for (guint pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < n; i++) {
			struct row *row = rows[i];

			if (row->pinned || (row->order != UINT32_MAX) != (pass == 0))
				continue;
			if (pass == 0 && g_hash_table_contains(taken, row))
				pin(row); /* the import gave it to two */
			if (pass == 0)
				g_hash_table_add(taken, row);
			else if (rs_drop_uid_ok(row->line.uid))
				count_up(wanted, row);
		}
	}
	return wanted;
}

/* The messages that had the UID of their name when the last session was told of them. */
static GHashTable *plain_before(const struct rs_index *old)
{
	GHashTable *plain = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	for (uint32_t i = 0; old && old->octets && i < old->head->rows_n; i++) {
		const char *name = rs_index_name(old, i);
		size_t unique_n = strcspn(name, ",:");

		if (rs_slice_eq(rs_drop_uid(&old->table, i), rs_slice(name, unique_n)))
			g_hash_table_add(plain, g_strndup(name, strcspn(name, ":")));
	}
	return plain;
}

/* Was a session told of it by its name before somebody else wanted the same? What restante.uidl knows of it
 * without a UID was seen then, too. */
static bool was_plain(GHashTable *before, const struct row *row)
{
	g_autofree char *base = g_strndup((const char *)row->name.base.p, row->name.base.n);

	return row->known || g_hash_table_contains(before, base);
}

/* Every row a UID of its own: imported ones first, then those that follow from names; where that is not a
 * UID, or is wanted by more than one, the digest of the base name. Of those that want the same the one keeps
 * it that had it before. Who got a digest only because of somebody else keeps it for ever (pinned): when the
 * other is deleted, its UID is not told of another message. */
static void uids_settle(struct row *const *rows, size_t n, const struct rs_index *old)
{
	g_autoptr(GHashTable) taken = NULL;
	g_autoptr(GHashTable) wanted = NULL;
	g_autoptr(GHashTable) before = NULL;
	bool plain = true;

	for (size_t i = 0; i < n && plain; i++)
		plain = rows[i]->order == UINT32_MAX && !rows[i]->pinned &&
			uid_is_plain(rows[i]->name.unique) && !twin_beside(rows, n, i, 1);
	if (plain)
		return;
	taken = g_hash_table_new(uid_hash, uid_equal);
	for (size_t i = 0; i < n; i++) {
		if (rows[i]->pinned)
			g_hash_table_add(taken, rows[i]);
	}
	wanted = uids_wanted(rows, n, taken);
	before = plain_before(old);
	for (size_t i = 0; i < n; i++) {
		struct row *row = rows[i];

		if (row->pinned || row->order != UINT32_MAX)
			continue;
		if (!rs_drop_uid_ok(row->line.uid))
			uid_from_digest(row);
		else if (g_hash_table_contains(taken, row) ||
			 (GPOINTER_TO_UINT(g_hash_table_lookup(wanted, row)) > 1 &&
				 !was_plain(before, row)))
			pin(row);
		g_hash_table_add(taken, row);
	}
}

/* --- the index ----------------------------------------------------------------------------- */

/* The lines in the order of the table, into an index that has room for them. */
static void index_fill(struct rs_index *x, const struct line *lines, uint32_t n, uint32_t ascii_n)
{
	struct rs_index_row *rows = (void *)(uintptr_t)x->rows;
	uint32_t *scan = (void *)(uintptr_t)x->scan;
	char *names = (char *)(uintptr_t)x->names;
	struct rs_drop_head *head = (void *)(uintptr_t)x->image.p;
	struct rs_drop_row *table = (void *)(head + 1);
	struct rs_drop_ascii *ascii = (void *)(table + n);
	uint8_t *uids = (uint8_t *)(ascii + ascii_n);
	uint32_t name_at = 0;
	uint32_t uid_at = 0;

	*head = (struct rs_drop_head){.magic = RS_DROP_MAGIC, .rows_n = n, .ascii_n = ascii_n};
	for (uint32_t i = 0; i < n; i++) {
		const struct line *l = &lines[i];

		rows[i] = (struct rs_index_row){.size = l->size,
			.name_at = name_at,
			.name_n = l->file_n,
			.in_new = l->in_new};
		memcpy(names + name_at, l->file, l->file_n + 1u);
		name_at += l->file_n + 1u;
		scan[l->scan] = i;
		table[i] = (struct rs_drop_row){
			.octets = l->wire, .uid_at = uid_at, .uid_n = (uint32_t)l->uid.n};
		memcpy(uids + uid_at, l->uid.p, l->uid.n);
		uid_at += (uint32_t)l->uid.n;
		head->octets += l->wire;
		head->ascii += l->wire;
		if (l->ascii == UINT64_MAX)
			continue;
		*ascii++ = (struct rs_drop_ascii){
			.octets = l->ascii ? l->ascii : RS_DROP_NO_ASCII, .row = i};
		if (l->ascii)
			head->ascii += l->ascii - l->wire;
	}
	head->uids_n = uid_at;
}

static int index_build(const struct line *lines, size_t n, struct rs_index *out)
{
	size_t names_n = 0;
	size_t uids_n = 0;
	uint32_t ascii_n = 0;

	for (size_t i = 0; i < n; i++) {
		ascii_n += lines[i].ascii != UINT64_MAX;
		names_n += lines[i].file_n + 1u;
		uids_n += lines[i].uid.n;
	}
	if (n > RS_DROP_ROWS_MAX || names_n > UINT32_MAX || uids_n > UINT32_MAX)
		return -RS_ELIMIT;
	rs_index_create((uint32_t)n, names_n,
		sizeof(struct rs_drop_head) + n * sizeof(struct rs_drop_row) +
			ascii_n * sizeof(struct rs_drop_ascii) + uids_n,
		out);
	index_fill(out, lines, (uint32_t)n, ascii_n);
	return rs_index_seal(out);
}

int rs_rows_index(struct rs_maildir *m, const struct rs_maildir_list *list,
	struct rs_uidlist *known, const struct rs_index *old, struct rs_index *out,
	struct rs_err *err)
{
	size_t n = rs_maildir_list_n(list);
	g_autofree struct row *rows = g_new0(struct row, n + 1);
	g_autofree struct row **sorted = g_new(struct row *, n + 1);
	g_autofree struct line *lines = g_new(struct line, n + 1);
	uint32_t imported = 0;
	int rc;

	for (size_t i = 0; i < n; i++) {
		row_of(&rows[i], list, i);
		size_of_row(m, known, &rows[i]);
		imported += rows[i].order != UINT32_MAX;
		sorted[i] = &rows[i];
	}
	if (n)
		qsort(sorted, n, sizeof(*sorted), compare);
	uids_settle(sorted, n, old);
	uidlist_save(m, sorted, n, known);
	for (size_t i = 0; i < n; i++)
		lines[i] = sorted[i]->line;
	rc = index_build(lines, n, out);
	if (rc == 0)
		out->head->imported = imported;
	for (size_t i = 0; i < n; i++)
		g_free(rows[i].uid_made);
	if (rc < 0)
		return rs_err_set(
			err, (enum rs_err_kind) - rc, "the mailbox has too many messages");
	return 0;
}

/* --- from an older index ------------------------------------------------------------------- */

/* The row of `old` that is this entry; `*at` walks through old's listing, which a folder repeats in
 * the same order but for what came and went. */
static uint32_t find_old(
	const struct rs_index *old, uint32_t *at, struct rs_slice file, bool in_new)
{
	for (uint32_t i = *at; i < old->head->rows_n && i - *at < LOOK_AHEAD; i++) {
		const struct rs_index_row *row = &old->rows[old->scan[i]];

		if (row->name_n == file.n && (row->in_new != 0) == in_new &&
			memcmp(old->names + row->name_at, file.p, file.n) == 0) {
			*at = i + 1;
			return old->scan[i];
		}
	}
	return UINT32_MAX;
}

struct merge {
	const struct rs_index *old;
	const struct rs_maildir_list *list;
	uint32_t *place; /* of each old row in the listing; UINT32_MAX: gone */
	struct row fresh[FRESH_MAX];
	struct row *sorted[FRESH_MAX];
	size_t fresh_n;
};

static guint slice_hash(const void *p)
{
	return rs_slice_hash(*(const struct rs_slice *)p);
}

static gboolean slice_equal(const void *a, const void *b)
{
	return rs_slice_eq(*(const struct rs_slice *)a, *(const struct rs_slice *)b);
}

/* Old rows that are not in the listing under their name, by base name -> row + 1. `bases` holds the keys.
 * NULL: two have the same. */
static GHashTable *gone_rows(const struct merge *g, struct rs_slice *bases)
{
	g_autoptr(GHashTable) gone = g_hash_table_new(slice_hash, slice_equal);

	for (uint32_t i = 0; i < g->old->head->rows_n; i++) {
		const char *name = rs_index_name(g->old, i);

		if (g->place[i] != UINT32_MAX)
			continue;
		bases[i] = rs_slice(name, strcspn(name, ":"));
		if (!g_hash_table_insert(gone, &bases[i], GUINT_TO_POINTER(i + 1)))
			return NULL;
	}
	return g_steal_pointer(&gone);
}

/* Entries of the listing that have no row by their name: those that have one under another name of the same
 * base (other flags, new/ to cur/) keep it; the others are fresh. False: too many, or not simple. */
static bool follow(struct merge *g, const GArray *unknown)
{
	g_autofree struct rs_slice *bases = g_new(struct rs_slice, g->old->head->rows_n + 1);
	g_autoptr(GHashTable) gone = gone_rows(g, bases);

	if (!gone)
		return false;
	for (guint k = 0; k < unknown->len; k++) {
		uint32_t i = g_array_index(unknown, uint32_t, k);
		struct row row = {.order = 0};
		guint was;

		row_of(&row, g->list, i);
		was = GPOINTER_TO_UINT(g_hash_table_lookup(gone, &row.name.base));
		if (was && g->place[was - 1] == UINT32_MAX) {
			g->place[was - 1] = i;
			continue;
		}
		if (g->fresh_n == FRESH_MAX || !rs_sizes_ours(&row.name) ||
			!uid_is_plain(row.name.unique))
			return false;
		g->fresh[g->fresh_n] = row;
		g->sorted[g->fresh_n] = &g->fresh[g->fresh_n];
		g->fresh_n++;
	}
	return true;
}

/* Sort the listing into rows that are known and fresh ones. */
static bool divide(struct merge *g)
{
	g_autoptr(GArray) unknown = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	uint32_t n = (uint32_t)rs_maildir_list_n(g->list);
	uint32_t at = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t row = find_old(g->old, &at, rs_maildir_list_name(g->list, i),
			rs_maildir_list_at(g->list, i).in_new);

		if (row != UINT32_MAX)
			g->place[row] = i;
		else
			g_array_append_val(unknown, i);
	}
	return unknown->len == 0 || follow(g, unknown);
}

static struct line line_of_old(const struct merge *g, uint32_t i)
{
	const struct rs_index_row *row = &g->old->rows[i];
	const struct rs_drop_ascii *a = rs_drop_ascii(&g->old->table, i);
	uint64_t ascii = UINT64_MAX;
	struct line line;

	if (a)
		ascii = a->octets == RS_DROP_NO_ASCII ? 0 : a->octets;
	line = (struct line){.file = g->old->names + row->name_at,
		.file_n = row->name_n,
		.in_new = row->in_new != 0,
		.size = row->size,
		.wire = rs_drop_octets(&g->old->table, i),
		.ascii = ascii,
		.uid = rs_drop_uid(&g->old->table, i),
		.scan = g->place[i]};
	if (line.scan != UINT32_MAX) { /* the name it has now */
		struct rs_slice file = rs_maildir_list_name(g->list, line.scan);

		line.file = (const char *)file.p;
		line.file_n = (uint16_t)file.n;
		line.in_new = rs_maildir_list_at(g->list, line.scan).in_new;
	}
	return line;
}

static void row_of_old(const struct merge *g, uint32_t i, struct row *out)
{
	*out = (struct row){.line = line_of_old(g, i), .order = UINT32_MAX};
	rs_maildir_name_parse(rs_slice(out->line.file, out->line.file_n), &out->name);
}

/* Has one of the imported rows the UID that follows from the fresh one's name? */
static bool uid_imported(const struct merge *g, const struct row *fresh)
{
	for (uint32_t i = 0; i < g->old->head->imported; i++) {
		if (rs_slice_eq(rs_drop_uid(&g->old->table, i), fresh->line.uid))
			return true;
	}
	return false;
}

/* Where in old's order a fresh row belongs; UINT32_MAX: somebody there has its unique part or its UID. Old
 * rows that are gone count as well: they only make it stricter. Imported ones come first, in an order of
 * their own. */
static uint32_t place_of(const struct merge *g, struct row *fresh)
{
	uint32_t first = g->old->head->imported;
	uint32_t low = first;
	uint32_t high = g->old->head->rows_n;
	struct row beside[3];
	struct row *rows[3];
	size_t n = 0;
	size_t at;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		struct row probe;
		const struct row *pair[2] = {&probe, fresh};

		row_of_old(g, middle, &probe);
		if (compare(&pair[0], &pair[1]) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low > first)
		row_of_old(g, low - 1, &beside[n++]);
	at = n;
	beside[n++] = *fresh;
	if (low < g->old->head->rows_n)
		row_of_old(g, low, &beside[n++]);
	for (size_t i = 0; i < n; i++)
		rows[i] = &beside[i];
	if (twin_beside(rows, n, at, 1) || twin_beside(rows, n, at, -1) || uid_imported(g, fresh))
		return UINT32_MAX;
	return low;
}

/* All of them as lines, in the order of the table. False: a fresh one is not simple. */
static bool merge_lines(const struct merge *g, struct line *lines, size_t *n)
{
	uint32_t old = 0;

	*n = 0;
	for (size_t f = 0; f <= g->fresh_n; f++) {
		uint32_t to = g->old->head->rows_n;

		if (f < g->fresh_n) {
			to = place_of(g, g->sorted[f]);
			if (to == UINT32_MAX || twin_beside(g->sorted, g->fresh_n, f, 1))
				return false;
		}
		for (; old < to; old++) {
			if (g->place[old] != UINT32_MAX)
				lines[(*n)++] = line_of_old(g, old);
		}
		if (f < g->fresh_n)
			lines[(*n)++] = g->sorted[f]->line;
	}
	return true;
}

bool rs_rows_carry(
	const struct rs_index *old, const struct rs_maildir_list *list, struct rs_index *out)
{
	g_autofree struct merge *g = g_new(struct merge, 1);
	g_autofree uint32_t *place = g_new(uint32_t, old->head->rows_n + 1);
	g_autofree struct line *lines = g_new(struct line, rs_maildir_list_n(list) + 1);
	uint32_t imported = 0;
	size_t n;

	g->old = old;
	g->list = list;
	g->place = place;
	g->fresh_n = 0;
	memset(place, 0xff, old->head->rows_n * sizeof(*place));
	if (!divide(g))
		return false;
	if (g->fresh_n)
		qsort(g->sorted, g->fresh_n, sizeof(struct row *), compare);
	if (!merge_lines(g, lines, &n) || index_build(lines, n, out) < 0)
		return false;
	for (uint32_t i = 0; i < old->head->imported; i++)
		imported += place[i] != UINT32_MAX;
	out->head->imported = imported;
	return true;
}
