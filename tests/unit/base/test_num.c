/* strict numbers: what is a number, what is not, and the last one that fits. */
#include "tests/unit/test.h"

#include "base/err.h"
#include "base/num.h"

static void num__digits_only(void **state)
{
	static const char *const bad[] = {
		"", " 1", "1 ", "+1", "-1", "0x1", "1a", "1.0", "\xd9\xa1"};
	uint64_t v = 7;

	for (size_t i = 0; i < RS_ARRAY_N(bad); i++)
		assert_int_equal(rs_num_u64(rs_slice_str(bad[i]), UINT64_MAX, &v), -RS_EINVAL);
	assert_int_equal(v, 7); /* untouched on failure */
	assert_int_equal(rs_num_u64(rs_slice_str("007"), UINT64_MAX, &v), 0);
	assert_int_equal(v, 7);
}

static void num__ceilings_are_inclusive(void **state)
{
	uint64_t v;
	uint32_t w;

	assert_int_equal(rs_num_u64(rs_slice_str("18446744073709551615"), UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(
		rs_num_u64(rs_slice_str("18446744073709551616"), UINT64_MAX, &v), -RS_ELIMIT);
	assert_int_equal(
		rs_num_u64(rs_slice_str("99999999999999999999999"), UINT64_MAX, &v), -RS_ELIMIT);
	assert_int_equal(rs_num_u32(rs_slice_str("255"), 255, &w), 0);
	assert_int_equal(rs_num_u32(rs_slice_str("256"), 255, &w), -RS_ELIMIT);
}

static void num__sizes_take_k_m_g(void **state)
{
	uint64_t v;

	assert_int_equal(rs_num_size(rs_slice_str("10M"), UINT64_MAX, &v), 0);
	assert_true(v == 10u << 20);
	assert_int_equal(rs_num_size(rs_slice_str("3k"), 3072, &v), 0);
	assert_true(v == 3072);
	assert_int_equal(rs_num_size(rs_slice_str("3k"), 3071, &v), -RS_ELIMIT);
	assert_int_equal(
		rs_num_size(rs_slice_str("99999999999999999G"), UINT64_MAX, &v), -RS_ELIMIT);
	assert_int_equal(rs_num_size(rs_slice_str("G"), UINT64_MAX, &v), -RS_EINVAL);
	assert_int_equal(rs_num_size(rs_slice_str("1T"), UINT64_MAX, &v), -RS_EINVAL);
}

static void num__put_writes_what_u64_reads(void **state)
{
	static const uint64_t rows[] = {0, 9, 10, 4294967295u, 4294967296u, UINT64_MAX};

	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		uint8_t out[20];
		uint64_t v;

		assert_int_equal(
			rs_num_u64(rs_slice(out, rs_num_put(rows[i], out)), UINT64_MAX, &v), 0);
		assert_true(v == rows[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(num__digits_only),
		cmocka_unit_test(num__ceilings_are_inclusive),
		cmocka_unit_test(num__sizes_take_k_m_g),
		cmocka_unit_test(num__put_writes_what_u64_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
