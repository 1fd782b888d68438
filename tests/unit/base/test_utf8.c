/* UTF-8: RFC 3629 section 4, first and last of each row, and what lies beside it. */
#include "tests/unit/test.h"

#include "base/utf8.h"

static void utf8__edges_of_every_row_are_valid(void **state)
{
	static const char *const good[] = {"", "az~\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
		"\xec\xbf\xbf", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80",
		"\xf4\x8f\xbf\xbf", "gr\xc3\xbc\xc3\x9f"};

	for (size_t i = 0; i < RS_ARRAY_N(good); i++)
		assert_true(rs_utf8_valid(rs_slice_str(good[i])));
}

static void utf8__overlong_surrogate_cut_and_stray_are_not(void **state)
{
	static const char *const bad[] = {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2",
		"\xc2\x41", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xe2\x82", "\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "gr\xfc\xdf"};

	for (size_t i = 0; i < RS_ARRAY_N(bad); i++)
		assert_false(rs_utf8_valid(rs_slice_str(bad[i])));
	assert_false(rs_ascii_only(rs_slice_str("a\x80")));
	assert_true(rs_ascii_only(rs_slice_str("a\x7f")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utf8__edges_of_every_row_are_valid),
		cmocka_unit_test(utf8__overlong_surrogate_cut_and_stray_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
