/* name.c - what a Maildir file name tells. */
#include "maildir/maildir.h"

#include "base/num.h"

/* The values of ",S=", ",W=" and ",U=" in the fields behind the first comma. */
static void fields_parse(struct rs_slice fields, struct rs_maildir_name *out)
{
	while (fields.n) {
		size_t end = rs_slice_find(rs_slice_sub(fields, 1, fields.n), ',') + 1;
		struct rs_slice f = rs_slice_sub(fields, 1, end - 1);
		uint64_t v;

		fields = rs_slice_sub(fields, end, fields.n);
		if (f.n <= 2 || f.p[1] != '=' ||
			rs_num_u64(rs_slice_sub(f, 2, f.n), UINT64_MAX - 1, &v) < 0)
			continue;
		/* the first of each kind counts */
		if (f.p[0] == 'S' && out->size == UINT64_MAX)
			out->size = v;
		else if (f.p[0] == 'W' && out->wire == UINT64_MAX)
			out->wire = v;
		else if (f.p[0] == 'U' && out->ascii == UINT64_MAX)
			out->ascii = v;
	}
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
	out->size = UINT64_MAX;
	out->wire = UINT64_MAX;
	out->ascii = UINT64_MAX;
	fields_parse(fields, out);
	while (digits < out->unique.n && out->unique.p[digits] >= '0' &&
		out->unique.p[digits] <= '9')
		digits++;
	if (rs_num_u64(rs_slice_sub(out->unique, 0, digits), INT64_MAX, &out->seconds) < 0)
		out->seconds = 0;
}
