/* fuzz_base.c - strict numbers, base64, UTF-8, words: what is accepted is written back the same. */
#include "base/b64.h"
#include "base/num.h"
#include "base/utf8.h"
#include "tests/fuzz/fuzz.h"

static void b64(struct rs_slice in)
{
	g_autofree guint8 *octets = g_malloc(rs_b64_dec_max(in.n) + 1);
	g_autofree guint8 *text = g_malloc(rs_b64_enc_n(in.n) + 4);
	gsize n;

	if (rs_b64_dec(in, octets, &n) == 0) { /* strict: only one text stands for these octets */
		FUZZ_LAW(n <= rs_b64_dec_max(in.n));
		FUZZ_LAW(rs_slice_eq(rs_slice(text, rs_b64_enc(rs_slice(octets, n), text)), in));
	}
	n = rs_b64_enc(in, text);
	FUZZ_LAW(n == rs_b64_enc_n(in.n));
}

static void num(struct rs_slice in)
{
	guint8 digits[20];
	guint64 v;
	guint64 again;

	if (rs_num_u64(in, UINT64_MAX, &v) == 0) {
		FUZZ_LAW(rs_num_u64(rs_slice(digits, rs_num_put(v, digits)), UINT64_MAX, &again) ==
			 0);
		FUZZ_LAW(again == v);
	}
	if (rs_num_size(in, 1u << 30, &v) == 0)
		FUZZ_LAW(v <= 1u << 30);
}

static void words(struct rs_slice in)
{
	gsize n = 0;

	if (rs_slice_find(in, 0) == in.n) /* GLib stops at a NUL, we do not */
		FUZZ_LAW(rs_utf8_valid(in) ==
			 !!g_utf8_validate((const char *)in.p, (gssize)in.n, NULL));
	FUZZ_LAW(!rs_ascii_only(in) || rs_utf8_valid(in));
	FUZZ_LAW(rs_slice_trim(in).n <= in.n);
	while (in.n) {
		n = in.n;
		(void)rs_slice_word(&in);
		FUZZ_LAW(in.n < n);
	}
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize n)
{
	struct rs_slice in = rs_slice(data, n);

	b64(in);
	num(in);
	words(in);
	return 0;
}
