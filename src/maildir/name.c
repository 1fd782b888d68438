/* name.c - what a Maildir file name tells. */
#include "maildir/maildir.h"

#include "base/num.h"

/* Value of ",S=" or ",W=" in the fields behind the first comma; UINT64_MAX when not there. */
static uint64_t field(struct rs_slice fields, char key)
{
	while (fields.n) {
		size_t end = rs_slice_find(rs_slice_sub(fields, 1, fields.n), ',') + 1;
		struct rs_slice f = rs_slice_sub(fields, 1, end - 1);
		uint64_t v;

		fields = rs_slice_sub(fields, end, fields.n);
		if (f.n > 2 && f.p[0] == (uint8_t)key && f.p[1] == '=' &&
			rs_num_u64(rs_slice_sub(f, 2, f.n), UINT64_MAX - 1, &v) == 0)
			return v;
	}
	return UINT64_MAX;
}

void rs_maildir_name_parse(struct rs_slice file_name, struct rs_maildir_name *out)
{
	size_t colon = rs_slice_find(file_name, ':');
	struct rs_slice info = rs_slice_sub(file_name, colon, file_name.n);
	struct rs_slice fields;
	size_t digits = 0;
	size_t comma;

	out->base = rs_slice_sub(file_name, 0, colon);
	out->flags =
		rs_slice_istarts(info, ":2,") ? rs_slice_sub(info, 3, info.n) : rs_slice(NULL, 0);
	comma = rs_slice_find(out->base, ',');
	out->unique = rs_slice_sub(out->base, 0, comma);
	fields = rs_slice_sub(out->base, comma, out->base.n);
	out->size = field(fields, 'S');
	out->wire = field(fields, 'W');
	while (digits < out->unique.n && out->unique.p[digits] >= '0' &&
		out->unique.p[digits] <= '9')
		digits++;
	if (rs_num_u64(rs_slice_sub(out->unique, 0, digits), INT64_MAX, &out->seconds) < 0)
		out->seconds = 0;
}
