/* fuzz_downgrade.c - any octets as a message: the same output under every split; no octet above 0x7F in the
 * header but in fields that are not UTF-8; twice is once; the body untouched; the size told is the size. */
#include "proto/downgrade.h"

#include "base/utf8.h"
#include "tests/fuzz/fuzz.h"

/* NULL: it cannot be turned. */
static GByteArray *turn(struct rs_slice in, gsize chunk, gsize fetch, gsize *header_n)
{
	GByteArray *out = g_byte_array_new();
	struct rs_downgrade d;
	gsize at = 0;
	int rc = 0;

	rs_downgrade_init(&d);
	*header_n = G_MAXSIZE;
	while (rc == 0) {
		struct rs_slice o = rs_downgrade_out(&d);
		gsize used;

		if (o.n) {
			gsize n = MIN(o.n, fetch);

			g_byte_array_append(out, o.p, (guint)n);
			rs_downgrade_fetched(&d, n);
		} else if (rs_downgrade_in_body(&d)) {
			break;
		} else if (at < in.n) {
			rc = rs_downgrade_header(&d, in.p + at, MIN(chunk, in.n - at), &used);
			FUZZ_LAW(used <= MIN(chunk, in.n - at));
			FUZZ_LAW(rc < 0 || used || rs_downgrade_out(&d).n);
			at += used;
		} else {
			rc = rs_downgrade_end(&d);
		}
	}
	rs_downgrade_finish(&d);
	if (rc < 0) {
		g_byte_array_unref(out);
		return NULL;
	}
	*header_n = out->len;
	g_byte_array_append(out, in.p + at, (guint)(in.n - at));
	return out;
}

/* The field that begins at p[0] of n octets of header. */
static gsize field_n(const guint8 *p, gsize n)
{
	gsize i = 0;

	do {
		const guint8 *lf = memchr(p + i, '\n', n - i);

		i = lf ? (gsize)(lf - p) + 1 : n;
	} while (i < n && (p[i] == ' ' || p[i] == '\t'));
	return i;
}

static void header_is_ascii(const guint8 *p, gsize n)
{
	while (n) {
		gsize k = field_n(p, n);
		struct rs_slice field = rs_slice(p, k);

		FUZZ_LAW(rs_ascii_only(field) || !rs_utf8_valid(field));
		p += k;
		n -= k;
	}
}

static guint64 wire(struct rs_slice s)
{
	struct rs_wire_count w;

	rs_wire_count_init(&w);
	rs_wire_count_add(&w, s.p, s.n);
	return rs_wire_count_end(&w);
}

static guint64 told(struct rs_slice in, gsize chunk)
{
	struct rs_ascii_size z;
	guint64 n;

	rs_ascii_size_init(&z);
	for (gsize at = 0; at < in.n; at += chunk)
		rs_ascii_size_add(&z, in.p + at, MIN(chunk, in.n - at));
	n = rs_ascii_size_end(&z, wire(in));
	rs_ascii_size_finish(&z);
	return n;
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize n)
{
	struct rs_slice in = rs_slice(data, n);
	gsize chunk = 1u + fuzz_choice(&in) % 23u;
	gsize fetch = 1u + fuzz_choice(&in) % 40u;
	gsize header_n;
	gsize again_n;
	g_autoptr(GByteArray) out = turn(in, chunk, fetch, &header_n);
	g_autoptr(GByteArray) whole = turn(in, in.n + 1, 1u << 20, &again_n);
	g_autoptr(GByteArray) twice = NULL;

	FUZZ_LAW((out == NULL) == (whole == NULL));
	FUZZ_LAW((told(in, chunk) == RS_DOWNGRADE_NONE) == (out == NULL));
	if (!out)
		return 0;
	FUZZ_LAW(out->len == whole->len && header_n == again_n);
	FUZZ_LAW(out->len == 0 || memcmp(out->data, whole->data, out->len) == 0);
	header_is_ascii(out->data, header_n);
	FUZZ_LAW(told(in, chunk) == wire(rs_slice(out->data, out->len)));
	twice = turn(rs_slice(out->data, out->len), chunk, fetch, &again_n);
	FUZZ_LAW(twice && twice->len == out->len && again_n == header_n);
	FUZZ_LAW(out->len == 0 || memcmp(out->data, twice->data, out->len) == 0);
	if (rs_header_is_ascii(in.p, in.n))
		FUZZ_LAW(out->len == in.n && memcmp(out->data, in.p, in.n) == 0);
	return 0;
}
