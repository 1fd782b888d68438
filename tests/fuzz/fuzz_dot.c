/* fuzz_dot.c - decode(encode(x)) is x with its line ends made CRLF, under every cut and every size of
 * output; what is counted is what is sent; the wire count agrees without sending. */
#include "proto/dot.h"
#include "tests/fuzz/fuzz.h"

static GByteArray *canonical(struct rs_slice in)
{
	GByteArray *out = g_byte_array_new();
	guint8 last = '\n';

	for (gsize i = 0; i < in.n; i++) {
		if (in.p[i] == '\n' && (i == 0 || in.p[i - 1] != '\r'))
			g_byte_array_append(out, (const guint8 *)"\r", 1);
		g_byte_array_append(out, in.p + i, 1);
		last = in.p[i];
	}
	if (in.n && last != '\n')
		g_byte_array_append(out, (const guint8 *)"\r\n", 2);
	return out;
}

static GByteArray *encode(struct rs_slice in, gsize chunk, gsize room, guint64 *octets)
{
	GByteArray *out = g_byte_array_new();
	g_autofree guint8 *buf = g_malloc(room);
	struct rs_dot_enc e;
	guint8 end[5];

	rs_dot_enc_init(&e, -1);
	for (gsize at = 0; at < in.n;) {
		gsize used;
		gsize n = rs_dot_enc(&e, in.p + at, MIN(chunk, in.n - at), &used, buf, room);

		FUZZ_LAW(n <= room);
		FUZZ_LAW(used > 0 || n > 0);
		g_byte_array_append(out, buf, (guint)n);
		at += used;
	}
	g_byte_array_append(out, end, (guint)rs_dot_enc_end(&e, end));
	*octets = e.octets;
	return out;
}

static GByteArray *decode(const GByteArray *in, gsize chunk, guint64 *octets)
{
	GByteArray *out = g_byte_array_new();
	struct rs_dot_dec d;
	gsize at = 0;

	rs_dot_dec_init(&d, false);
	for (;;) {
		struct rs_slice span;
		gsize used;
		enum rs_dot_step step =
			rs_dot_dec(&d, in->data + at, MIN(chunk, in->len - at), &used, &span);

		at += used;
		if (step == RS_DOT_END)
			break;
		FUZZ_LAW(step == RS_DOT_SPAN ||
			 used > 0); /* the end is in there: it must be found */
		if (step == RS_DOT_SPAN) {
			FUZZ_LAW(span.n > 0);
			g_byte_array_append(out, span.p, (guint)span.n);
		}
	}
	FUZZ_LAW(at == in->len);
	*octets = d.octets;
	return out;
}

/* Any octets at all into the decoder: never out of bounds, spans never empty. */
static void decode_raw(struct rs_slice in, gsize chunk, bool lenient)
{
	struct rs_dot_dec d;

	rs_dot_dec_init(&d, lenient);
	for (gsize at = 0; at < in.n;) {
		gsize n = MIN(chunk, in.n - at);
		struct rs_slice span;
		gsize used;
		enum rs_dot_step step = rs_dot_dec(&d, in.p + at, n, &used, &span);

		FUZZ_LAW(used <= n);
		FUZZ_LAW(step != RS_DOT_MORE || used == n);
		at += used;
		if (step == RS_DOT_END)
			return;
	}
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize n)
{
	struct rs_slice in = rs_slice(data, n);
	gsize chunk = 1u + fuzz_choice(&in) % 23u;
	gsize room = 8u + fuzz_choice(&in) % 40u;
	g_autoptr(GByteArray) want = canonical(in);
	g_autoptr(GByteArray) wire = NULL;
	g_autoptr(GByteArray) again = NULL;
	g_autoptr(GByteArray) back = NULL;
	struct rs_wire_count count;
	guint64 sent;
	guint64 got;

	wire = encode(in, chunk, room, &sent);
	again = encode(in, in.n ? in.n : 1, 100000, &got);
	FUZZ_LAW(wire->len == again->len && memcmp(wire->data, again->data, wire->len) == 0);
	back = decode(wire, chunk, &got);
	FUZZ_LAW(back->len == want->len &&
		 (want->len == 0 || memcmp(back->data, want->data, want->len) == 0));
	FUZZ_LAW(sent == want->len && got == want->len);
	rs_wire_count_init(&count);
	for (gsize at = 0; at < in.n; at += chunk)
		rs_wire_count_add(&count, in.p + at, MIN(chunk, in.n - at));
	FUZZ_LAW(rs_wire_count_end(&count) == want->len);
	decode_raw(in, chunk, false);
	decode_raw(in, chunk, true);
	return 0;
}
