/* slices and secrets: cuts, words, comparisons. */
#include "tests/unit/test.h"

#include "base/err.h"
#include "base/secret.h"
#include "base/slice.h"

static void slice__sub_is_cut_to_what_is_there(void **state)
{
	struct rs_slice s = rs_slice_str("abc");

	assert_true(rs_slice_eq_str(rs_slice_sub(s, 1, 99), "bc"));
	assert_true(rs_slice_eq_str(rs_slice_sub(s, 9, 9), ""));
	assert_true(rs_slice_eq_str(rs_slice_sub(rs_slice(NULL, 0), 0, 1), ""));
}

static void slice__words_skip_runs_of_blanks(void **state)
{
	struct rs_slice rest = rs_slice_str("TOP 1   20");

	assert_true(rs_slice_ieq_str(rs_slice_word(&rest), "top"));
	assert_true(rs_slice_eq_str(rs_slice_word(&rest), "1"));
	assert_true(rs_slice_eq_str(rest, "20"));
	assert_true(rs_slice_eq_str(rs_slice_word(&rest), "20"));
	assert_int_equal(rs_slice_word(&rest).n, 0);
}

static void slice__copy_refuses_nul_and_overlong(void **state)
{
	char out[4] = "xyz";

	assert_int_equal(rs_slice_copy(rs_slice("a\0b", 3), out, sizeof(out)), -RS_EINVAL);
	assert_int_equal(rs_slice_copy(rs_slice_str("abcd"), out, sizeof(out)), -RS_ELIMIT);
	assert_string_equal(out, "xyz");
	assert_int_equal(rs_slice_copy(rs_slice_str("abc"), out, sizeof(out)), 0);
	assert_string_equal(out, "abc");
}

static void slice__trim_takes_blanks_and_tabs_only(void **state)
{
	assert_true(rs_slice_eq_str(rs_slice_trim(rs_slice_str(" \ta b\t ")), "a b"));
	assert_true(rs_slice_eq_str(rs_slice_trim(rs_slice_str(" \t ")), ""));
	assert_true(rs_slice_eq_str(rs_slice_trim(rs_slice_str("\ra\n")), "\ra\n"));
}

static void secret__equal_means_all_of_it(void **state)
{
	assert_true(rs_secret_eq(rs_slice_str("hunter2"), rs_slice_str("hunter2")));
	assert_false(rs_secret_eq(rs_slice_str("hunter2"), rs_slice_str("hunter3")));
	assert_false(rs_secret_eq(rs_slice_str("hunter2hunter2"), rs_slice_str("hunter2")));
	assert_false(rs_secret_eq(rs_slice_str("hunter2"), rs_slice_str("hunter2hunter2")));
	assert_false(rs_secret_eq(rs_slice_str("a"), rs_slice_str("")));
	assert_true(rs_secret_eq(rs_slice_str(""), rs_slice_str("")));
}

static void graphic__is_each_octet_by_itself(void **state)
{
	uint8_t text[19];

	for (size_t n = 0; n <= sizeof(text); n++) {
		for (size_t at = 0; at < n; at++) {
			for (unsigned c = 0; c < 256; c++) {
				memset(text, 'x', sizeof(text));
				text[at] = (uint8_t)c;
				assert_int_equal(rs_slice_graphic(rs_slice(text, n)),
					c >= 0x21 && c <= 0x7e);
			}
		}
	}
	assert_true(rs_slice_graphic(rs_slice(NULL, 0)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(graphic__is_each_octet_by_itself),
		cmocka_unit_test(slice__sub_is_cut_to_what_is_there),
		cmocka_unit_test(slice__words_skip_runs_of_blanks),
		cmocka_unit_test(slice__copy_refuses_nul_and_overlong),
		cmocka_unit_test(slice__trim_takes_blanks_and_tabs_only),
		cmocka_unit_test(secret__equal_means_all_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
