/* index - what a folder looked like when it was last read, so that it need not be read again while
 * it stands unchanged: file restante.index, and the same octets as a session keeps them in memory.
 *
 * One piece, native byte order: head | rows (in the order of the table) | scan (the rows in the
 * order in which the folders list them) | names, each with a NUL | the table (proto/drop.h).
 * It is a cache. Nothing in it is believed that was not checked: sum, bounds and order of every
 * part are; one that is not whole, or of another machine, is as good as none. It is written
 * without fsync: after a power cut the sum tells. */
#ifndef RS_MAILDIR_INDEX_H
#define RS_MAILDIR_INDEX_H

#include <glib.h>

#include "maildir/folder.h"
#include "proto/drop.h"

#define RS_INDEX_NAME "restante.index"

/* A folder's state: unequal stamps mean that something was added, removed or renamed. All 0: not
 * known, or too fresh to be told from the next change; never equal to anything. */
struct rs_stamp {
	int64_t s;
	int64_t ns;
	uint64_t inode;
};

struct rs_index_row {
	uint64_t size; /* octets in the file; UINT64_MAX: it could not be read */
	uint32_t name_at;
	uint16_t name_n; /* without the NUL */
	uint16_t in_new;
};

struct rs_index_head {
	uint64_t magic;
	uint64_t sum; /* of all that follows */
	struct rs_stamp cur;
	struct rs_stamp new;
	struct rs_stamp uidlist; /* of restante.uidl; all 0 also when there is none */
	uint32_t rows_n;
	uint32_t imported; /* so many rows, the first ones, have UID and place from restante.uidl */
	uint64_t names_n;
	uint64_t image_n;
};

struct rs_index {
	uint8_t *octets; /* owned; NULL: none */
	GBytes *shared; /* they are others' too (recent.h) and must not be changed; NULL: ours alone */
	size_t n;
	struct rs_index_head *head; /* these point into it */
	const struct rs_index_row *rows;
	const uint32_t *scan;
	const char *names;
	struct rs_slice image;
	struct rs_drop table;
};

/* Take `octets` (g_malloc'ed, any content) as an index. -RS_ECORRUPT: freed, *out is empty. */
int rs_index_take(uint8_t *octets, size_t n, struct rs_index *out) RS_MUST_USE;
void rs_index_finish(struct rs_index *x);

/* The octets, for others to hold too; `x` shares them from now on. The caller's reference. */
GBytes *rs_index_bytes(struct rs_index *x);
/* An index out of such octets. Takes the reference. -RS_ECORRUPT as above. */
int rs_index_of_bytes(GBytes *octets, struct rs_index *out) RS_MUST_USE;

/* An index with room for these parts; rows, scan, names and image are the caller's to fill through
 * the pointers, then rs_index_seal makes it whole. */
void rs_index_create(uint32_t rows_n, size_t names_n, size_t image_n, struct rs_index *out);
int rs_index_seal(struct rs_index *x) RS_MUST_USE;

/* The file of the folder. -RS_ENOENT, -RS_ECORRUPT … */
int rs_index_load(const struct rs_maildir *m, struct rs_index *out) RS_MUST_USE;
/* A cache: that it cannot be written is no failure of anything. */
void rs_index_save(const struct rs_maildir *m, struct rs_index *x);

static inline const char *rs_index_name(const struct rs_index *x, uint32_t row)
{
	return x->names + x->rows[row].name_at;
}

bool rs_stamp_known(const struct rs_stamp *s);
bool rs_stamp_eq(const struct rs_stamp *a, const struct rs_stamp *b); /* false when not known */

#endif
