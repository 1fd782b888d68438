/* drop.c - see drop.h */
#include "proto/drop.h"

#include <string.h>

#include "base/err.h"
#include "proto/pop3.h"

#define OCTETS_MAX (UINT64_MAX / 2)
#define UIDS_MAX   UINT32_MAX

bool rs_drop_uid_ok(struct rs_slice uid)
{
	if (uid.n == 0 || uid.n > RS_POP3_UID_MAX)
		return false;
	return rs_slice_graphic(uid);
}

static int check_rows(const struct rs_drop *d)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < d->head->rows_n; i++) {
		const struct rs_drop_row *row = &d->rows[i];

		if (row->octets > OCTETS_MAX - sum)
			return -RS_ECORRUPT;
		sum += row->octets;
		if (row->uid_at > d->head->uids_n || row->uid_n > d->head->uids_n - row->uid_at)
			return -RS_ECORRUPT;
		if (!rs_drop_uid_ok(rs_drop_uid(d, i)))
			return -RS_ECORRUPT;
	}
	return sum == d->head->octets ? 0 : -RS_ECORRUPT;
}

static int check_ascii(const struct rs_drop *d)
{
	uint64_t sum = d->head->octets;
	uint32_t next = 0;

	for (uint32_t i = 0; i < d->head->ascii_n; i++) {
		const struct rs_drop_ascii *a = &d->ascii[i];

		if (a->row < next || a->row >= d->head->rows_n || a->reserved)
			return -RS_ECORRUPT;
		next = a->row + 1;
		if (a->octets == RS_DROP_NO_ASCII)
			continue;
		sum -= d->rows[a->row].octets;
		if (a->octets > OCTETS_MAX - sum)
			return -RS_ECORRUPT;
		sum += a->octets;
	}
	return sum == d->head->ascii ? 0 : -RS_ECORRUPT;
}

int rs_drop_open(struct rs_slice image, struct rs_drop *out)
{
	struct rs_drop d;
	size_t rows_n;
	size_t ascii_n;
	size_t rest;
	int rc;

	if (image.n < sizeof(*d.head) || (uintptr_t)image.p % 8)
		return -RS_ECORRUPT;
	d.head = (const void *)image.p;
	if (d.head->magic != RS_DROP_MAGIC || d.head->rows_n > RS_DROP_ROWS_MAX ||
		d.head->ascii_n > d.head->rows_n)
		return -RS_ECORRUPT;
	rows_n = d.head->rows_n * sizeof(*d.rows);
	ascii_n = d.head->ascii_n * sizeof(*d.ascii);
	rest = image.n - sizeof(*d.head);
	if (rows_n > rest || ascii_n > rest - rows_n || d.head->uids_n != rest - rows_n - ascii_n)
		return -RS_ECORRUPT;
	d.rows = (const void *)(image.p + sizeof(*d.head));
	d.ascii = (const void *)(image.p + sizeof(*d.head) + rows_n);
	d.uids = image.p + sizeof(*d.head) + rows_n + ascii_n;
	rc = check_rows(&d);
	if (rc == 0)
		rc = check_ascii(&d);
	if (rc == 0)
		*out = d;
	return rc;
}

const struct rs_drop_ascii *rs_drop_ascii(const struct rs_drop *d, uint32_t row)
{
	uint32_t low = 0;
	uint32_t high = d->head->ascii_n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (d->ascii[middle].row == row)
			return &d->ascii[middle];
		if (d->ascii[middle].row < row)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

uint64_t rs_drop_ascii_octets(const struct rs_drop *d, uint32_t row)
{
	const struct rs_drop_ascii *a = rs_drop_ascii(d, row);

	return a && a->octets != RS_DROP_NO_ASCII ? a->octets : rs_drop_octets(d, row);
}

void rs_drop_builder_init(struct rs_drop_builder *b)
{
	*b = (struct rs_drop_builder){.octets = 0};
	rs_buf_init(&b->rows, (size_t)RS_DROP_ROWS_MAX * sizeof(struct rs_drop_row));
	rs_buf_init(&b->ascii, (size_t)RS_DROP_ROWS_MAX * sizeof(struct rs_drop_ascii));
	rs_buf_init(&b->uids, UIDS_MAX);
}

void rs_drop_builder_finish(struct rs_drop_builder *b)
{
	rs_buf_finish(&b->rows);
	rs_buf_finish(&b->ascii);
	rs_buf_finish(&b->uids);
}

int rs_drop_builder_add(struct rs_drop_builder *b, uint64_t octets, struct rs_slice uid)
{
	struct rs_drop_row row = {.octets = octets};
	int rc;

	if (!rs_drop_uid_ok(uid))
		return -RS_EINVAL;
	if (octets > OCTETS_MAX - b->octets || octets > OCTETS_MAX - b->ascii_octets)
		return -RS_ELIMIT;
	row.uid_at = (uint32_t)rs_buf_n(&b->uids);
	row.uid_n = (uint32_t)uid.n;
	rc = rs_buf_add(&b->uids, uid.p, uid.n);
	if (rc < 0)
		return rc;
	rc = rs_buf_add(&b->rows, &row, sizeof(row));
	if (rc < 0)
		return rc; /* the UID's octets stay unused; the image is still right */
	b->octets += octets;
	b->ascii_octets += octets;
	b->n++;
	return 0;
}

int rs_drop_builder_ascii(struct rs_drop_builder *b, uint64_t octets)
{
	struct rs_slice rows = rs_buf_slice(&b->rows);
	struct rs_drop_ascii a = {.octets = octets, .row = b->n - 1};
	struct rs_drop_row row;
	uint64_t others;

	memcpy(&row, rows.p + rows.n - sizeof(row), sizeof(row));
	others = b->ascii_octets - row.octets;
	if (octets != RS_DROP_NO_ASCII && octets > OCTETS_MAX - others)
		return -RS_ELIMIT;
	if (octets != RS_DROP_NO_ASCII)
		b->ascii_octets = others + octets;
	return rs_buf_add(&b->ascii, &a, sizeof(a));
}

size_t rs_drop_builder_image_n(const struct rs_drop_builder *b)
{
	return sizeof(struct rs_drop_head) + rs_buf_n(&b->rows) + rs_buf_n(&b->ascii) +
	       rs_buf_n(&b->uids);
}

void rs_drop_builder_image(const struct rs_drop_builder *b, void *out)
{
	struct rs_slice rows = rs_buf_slice(&b->rows);
	struct rs_slice ascii = rs_buf_slice(&b->ascii);
	struct rs_slice uids = rs_buf_slice(&b->uids);
	struct rs_drop_head head = {
		.magic = RS_DROP_MAGIC,
		.rows_n = b->n,
		.ascii_n = (uint32_t)(ascii.n / sizeof(struct rs_drop_ascii)),
		.octets = b->octets,
		.ascii = b->ascii_octets,
		.uids_n = uids.n,
	};
	uint8_t *to = out;

	memcpy(to, &head, sizeof(head));
	if (rows.n)
		memcpy(to + sizeof(head), rows.p, rows.n);
	if (ascii.n)
		memcpy(to + sizeof(head) + rows.n, ascii.p, ascii.n);
	if (uids.n)
		memcpy(to + sizeof(head) + rows.n + ascii.n, uids.p, uids.n);
}
