/* index.c - see index.h */
#include "maildir/index.h"

#include <glib.h>
#include <string.h>

#define MAGIC    0x3258444e49535231ull /* another byte order or form is another number */
#define FILE_MAX (4096u * 1024 * 1024 - 1)

static inline void mix(uint64_t lane[4], const uint64_t words[4])
{
	for (int i = 0; i < 4; i++) {
		lane[i] = (lane[i] ^ words[i]) * 0xff51afd7ed558ccdu;
		lane[i] ^= lane[i] >> 32;
	}
}

/* A sum against torn and stale octets, not against a person: whoever can write the file can write
 * the mail. Four lanes, so that 100,000 messages are summed in a millisecond. */
static uint64_t sum_of(const uint8_t *p, size_t n)
{
	uint64_t lane[4] = {0x9e3779b97f4a7c15u, 0xbf58476d1ce4e5b9u, 0x94d049bb133111ebu, n};
	uint64_t words[4] = {0};
	uint64_t all = 0;

	for (; n >= sizeof(words); p += sizeof(words), n -= sizeof(words)) {
		memcpy(words, p, sizeof(words));
		mix(lane, words);
	}
	memset(words, 0, sizeof(words));
	if (n)
		memcpy(words, p, n);
	mix(lane, words);
	for (int i = 0; i < 4; i++)
		all = (all ^ lane[i]) * 0xc4ceb9fe1a85ec53u + (all >> 29);
	return all;
}

static uint64_t sum_head(const struct rs_index *x)
{
	size_t from = offsetof(struct rs_index_head, sum) + sizeof(x->head->sum);

	return sum_of(x->octets + from, x->n - from);
}

/* Octets in front of the names and of the table; the table begins at a multiple of 8. */
static size_t names_at(uint32_t rows_n)
{
	return sizeof(struct rs_index_head) +
	       rows_n * (sizeof(struct rs_index_row) + sizeof(uint32_t));
}

static size_t image_at(uint32_t rows_n, size_t names_n)
{
	return (names_at(rows_n) + names_n + 7) / 8 * 8;
}

/* The parts where the head says they are. False: they do not fill the octets exactly. */
static bool lay_out(struct rs_index *x)
{
	struct rs_index_head *h = (void *)x->octets;
	size_t at;

	if (x->n < sizeof(*h) || h->rows_n > RS_DROP_ROWS_MAX || h->names_n > FILE_MAX ||
		h->image_n > FILE_MAX)
		return false;
	at = image_at(h->rows_n, (size_t)h->names_n);
	if (at > x->n || x->n - at != h->image_n)
		return false;
	x->head = h;
	x->rows = (const void *)(x->octets + sizeof(*h));
	x->scan = (const void *)(x->rows + h->rows_n);
	x->names = (const char *)(x->octets + names_at(h->rows_n));
	x->image = rs_slice(x->octets + at, (size_t)h->image_n);
	return true;
}

static bool rows_ok(const struct rs_index *x)
{
	for (uint32_t i = 0; i < x->head->rows_n; i++) {
		const struct rs_index_row *row = &x->rows[i];
		const char *name = x->names + row->name_at;

		if (row->name_n == 0 || row->name_n > RS_MAILDIR_NAME_MAX || row->in_new > 1 ||
			row->name_at >= x->head->names_n ||
			row->name_n >= x->head->names_n - row->name_at)
			return false;
		if (name[row->name_n] || memchr(name, '/', row->name_n) || *name == '.' ||
			x->scan[i] >= x->head->rows_n)
			return false;
	}
	return x->table.head->rows_n == x->head->rows_n && x->head->imported <= x->head->rows_n;
}

int rs_index_take(uint8_t *octets, size_t n, struct rs_index *out)
{
	struct rs_index x = {.octets = octets, .n = n};
	bool ok = n >= sizeof(*x.head) && lay_out(&x) && x.head->magic == MAGIC &&
		  x.head->sum == sum_head(&x) && rs_drop_open(x.image, &x.table) == 0 &&
		  rows_ok(&x);

	if (!ok) {
		rs_index_finish(&x);
		*out = x;
		return -RS_ECORRUPT;
	}
	*out = x;
	return 0;
}

GBytes *rs_index_bytes(struct rs_index *x)
{
	if (!x->shared)
		x->shared = g_bytes_new_take(x->octets, x->n);
	return g_bytes_ref(x->shared);
}

int rs_index_of_bytes(GBytes *octets, struct rs_index *out)
{
	struct rs_index x = {.shared = octets};

	/* never written to: see `shared` */
	x.octets = (uint8_t *)(uintptr_t)g_bytes_get_data(octets, &x.n);
	if (!lay_out(&x) || rs_drop_open(x.image, &x.table) < 0) {
		rs_index_finish(&x);
		*out = x;
		return -RS_ECORRUPT;
	}
	*out = x;
	return 0;
}

void rs_index_finish(struct rs_index *x)
{
	if (x->shared)
		g_bytes_unref(x->shared);
	else
		g_free(x->octets);
	*x = (struct rs_index){.n = 0};
}

void rs_index_create(uint32_t rows_n, size_t names_n, size_t image_n, struct rs_index *out)
{
	struct rs_index x = {.n = image_at(rows_n, names_n) + image_n};

	x.octets = g_malloc(x.n);
	*(struct rs_index_head *)(void *)x.octets = (struct rs_index_head){
		.magic = MAGIC, .rows_n = rows_n, .names_n = names_n, .image_n = image_n};
	memset(x.octets + names_at(rows_n) + names_n, 0,
		image_at(rows_n, names_n) - names_at(rows_n) - names_n);
	(void)lay_out(&x);
	*out = x;
}

int rs_index_seal(struct rs_index *x)
{
	return rs_drop_open(x->image, &x->table);
}

int rs_index_load(const struct rs_maildir *m, struct rs_index *out)
{
	char *octets = NULL;
	size_t n = 0;
	int rc = rs_maildir_slurp(m, RS_INDEX_NAME, FILE_MAX, &octets, &n, NULL);

	*out = (struct rs_index){.n = 0};
	return rc < 0 ? rc : rs_index_take((uint8_t *)octets, n, out);
}

void rs_index_save(const struct rs_maildir *m, struct rs_index *x)
{
	x->head->sum = sum_head(x);
	if (rs_maildir_replace(m, RS_INDEX_NAME, rs_slice(x->octets, x->n), false, NULL) < 0)
		return; /* the next session reads the folder again */
}

bool rs_stamp_known(const struct rs_stamp *s)
{
	return s->s || s->ns || s->inode;
}

bool rs_stamp_eq(const struct rs_stamp *a, const struct rs_stamp *b)
{
	return rs_stamp_known(a) && a->s == b->s && a->ns == b->ns && a->inode == b->inode;
}
