/* fuzz_drop.c - a table that another process made up: refused, or right in every row. */
#include "proto/drop.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const guint8 *data, gsize n)
{
	g_autofree guint64 *aligned = g_malloc0((n / 8 + 1) * 8);
	struct rs_drop d;
	guint64 sum = 0;
	guint64 ascii = 0;

	memcpy(aligned, data, n);
	if (rs_drop_open(rs_slice(aligned, n), &d) < 0)
		return 0;
	for (guint32 i = 0; i < rs_drop_n(&d); i++) {
		FUZZ_LAW(rs_drop_uid_ok(rs_drop_uid(&d, i)));
		sum += rs_drop_octets(&d, i);
		ascii += rs_drop_ascii_octets(&d, i);
	}
	FUZZ_LAW(sum == d.head->octets && ascii == d.head->ascii);
	return 0;
}
