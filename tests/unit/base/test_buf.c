/* bounded buffers: never past the ceiling, all or nothing, order kept. */
#include "tests/unit/test.h"

#include "base/buf.h"
#include "base/err.h"

static void buf__ceiling_minus_one_at_and_plus_one(void **state)
{
	uint8_t octets[301] = {1};

	for (size_t n = 299; n <= 301; n++) {
		struct rs_buf b;

		rs_buf_init(&b, 300);
		assert_int_equal(rs_buf_add(&b, octets, n), n > 300 ? -RS_ELIMIT : 0);
		assert_int_equal(rs_buf_n(&b), n > 300 ? 0 : n);
		rs_buf_finish(&b);
	}
}

static void buf__ceiling_counts_what_is_held_not_what_passed(void **state)
{
	struct rs_buf b;
	uint8_t want = 0;
	uint8_t next = 0;

	rs_buf_init(&b, 1000);
	for (int round = 0; round < 500; round++) {
		uint8_t chunk[97];

		for (size_t i = 0; i < sizeof(chunk); i++)
			chunk[i] = next++;
		while (rs_buf_room(&b) < sizeof(chunk)) {
			struct rs_slice held = rs_buf_slice(&b);

			assert_int_equal(held.p[0], want);
			rs_buf_consume(&b, 61);
			want = (uint8_t)(want + 61);
		}
		assert_int_equal(rs_buf_add(&b, chunk, sizeof(chunk)), 0);
	}
	assert_true(b.cap <= 1000);
	rs_buf_finish(&b);
}

static void buf__addf_leaves_no_nul(void **state)
{
	struct rs_buf b;

	rs_buf_init(&b, 20);
	assert_int_equal(rs_buf_addf(&b, "+OK %d\r\n", 12), 0);
	assert_true(rs_slice_eq_str(rs_buf_slice(&b), "+OK 12\r\n"));
	assert_int_equal(rs_buf_addf(&b, "%s", "much too long for what is left"), -RS_ELIMIT);
	assert_int_equal(rs_buf_n(&b), 8);
	rs_buf_finish(&b);
}

static void buf__wipe_overwrites_what_was_consumed(void **state)
{
	struct rs_buf b;

	rs_buf_init(&b, 64);
	assert_int_equal(rs_buf_add_str(&b, "hunter2"), 0);
	rs_buf_consume(&b, 7);
	rs_buf_wipe(&b);
	for (size_t i = 0; i < b.cap; i++)
		assert_int_equal(b.p[i], 0);
	rs_buf_shrink(&b);
	assert_null(b.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buf__ceiling_minus_one_at_and_plus_one),
		cmocka_unit_test(buf__ceiling_counts_what_is_held_not_what_passed),
		cmocka_unit_test(buf__addf_leaves_no_nul),
		cmocka_unit_test(buf__wipe_overwrites_what_was_consumed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
