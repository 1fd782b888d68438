/* base64: RFC 4648 section 10 vectors, and what RFC 5034 wants refused. */
#include "tests/unit/test.h"

#include "base/b64.h"
#include "base/err.h"

static void b64__rfc4648_vectors_both_ways(void **state)
{
	static const char *const rows[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="},
		{"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"}};

	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		uint8_t out[16];
		size_t n;

		n = rs_b64_enc(rs_slice_str(rows[i][0]), out);
		assert_int_equal(n, rs_b64_enc_n(strlen(rows[i][0])));
		assert_memory_equal(out, rows[i][1], n);
		assert_int_equal(rs_b64_dec(rs_slice_str(rows[i][1]), out, &n), 0);
		assert_int_equal(n, strlen(rows[i][0]));
		assert_memory_equal(out, rows[i][0], n);
	}
}

static void b64__every_octet_comes_back(void **state)
{
	uint8_t in[256], enc[400], dec[400];
	size_t n;

	for (size_t len = 0; len <= sizeof(in); len++) {
		for (size_t i = 0; i < len; i++)
			in[i] = (uint8_t)(i * 7 + len);
		n = rs_b64_enc(rs_slice(in, len), enc);
		assert_int_equal(rs_b64_dec(rs_slice(enc, n), dec, &n), 0);
		assert_int_equal(n, len);
		assert_memory_equal(in, dec, len);
	}
}

static void b64__what_is_not_base64_is_refused(void **state)
{
	static const char *const bad[] = {"Z", "Zg",
		"Zg=", "Zg==Zg==", "Zh==", "Zm9=", "====", "=A==", "Zg==\n",
		"Z g=", "Zm9v!A==", "A===", "Zm-v"};
	uint8_t out[16];
	size_t n;

	for (size_t i = 0; i < RS_ARRAY_N(bad); i++)
		assert_int_equal(rs_b64_dec(rs_slice_str(bad[i]), out, &n), -RS_EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(b64__rfc4648_vectors_both_ways),
		cmocka_unit_test(b64__every_octet_comes_back),
		cmocka_unit_test(b64__what_is_not_base64_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
