/* expire.c - see expire.h */
#include "maildir/expire.h"

#include <string.h>

#define DAY_S 86400

/* Rows that arrived before `before_s`; NULL: there are none. */
static uint8_t *old_ones(const struct rs_maildrop *d, int64_t before_s, uint32_t *n)
{
	uint32_t rows_n = rs_drop_n(rs_maildrop_table(d));
	uint8_t *marks = NULL;

	for (uint32_t i = 0; i < rows_n; i++) {
		struct rs_maildir_name name;

		rs_maildir_name_parse(rs_slice_str(rs_maildrop_name(d, i)), &name);
		if (name.seconds == 0 || (int64_t)name.seconds >= before_s)
			continue;
		if (!marks)
			marks = g_malloc0(rs_marks_n(rows_n));
		rs_marks_set(marks, i);
		++*n;
	}
	return marks;
}

int rs_expire(const struct rs_fs *fs, const struct rs_expire_of *of, struct rs_maildrop **d,
	uint32_t *removed, struct rs_err *err)
{
	g_autofree uint8_t *marks = NULL;
	uint32_t n = 0;
	uint32_t left;
	int rc;

	if (removed)
		*removed = 0;
	if (of->days == 0)
		return 0;
	marks = old_ones(*d, of->now_s - (int64_t)of->days * DAY_S, &n);
	if (!marks)
		return 0;
	rc = rs_maildrop_decide(*d, marks, err);
	if (rc == 0)
		rc = rs_maildrop_finish(*d, &left, err);
	if (rc < 0)
		return rc;
	/* what could not be removed now stays in the record, and every opening tries it again */
	rs_maildrop_destroy(d);
	if (removed)
		*removed = n;
	return rs_maildrop_open_of(fs, of->path, of->account, d, err);
}
