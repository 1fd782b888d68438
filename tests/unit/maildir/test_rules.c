/* rules: the retention of a mailbox, by the provider's word and by the user's. */
#include "tests/unit/test.h"

#include "base/base.h"
#include "maildir/rules.h"

static uint32_t of(const char *site, const char *user)
{
	struct rs_rules s;
	struct rs_rules r;

	rs_rules_init(&s);
	if (site)
		assert_null(rs_rules_set(&s, "expire", site));
	r = s;
	if (user)
		assert_null(rs_rules_set(&r, "expire", user));
	rs_rules_within(&r, &s);
	return r.expire_days;
}

static void expire__of_a_user_is_never_shorter_than_the_provider_says(void **state)
{
	assert_int_equal(of(NULL, NULL), 0);
	assert_int_equal(of("30", NULL), 30);
	assert_int_equal(of("30", "90"), 90);
	assert_int_equal(of("30", "never"), 0);
	assert_int_equal(of("30", "29"), 30);
	assert_int_equal(of(NULL, "5"), 0);
	assert_int_equal(of("never", "5"), 0);
}

static void expire__wrong_values(void **state)
{
	static const char *const bad[] = {"", "0", "-1", "36501", "5d", "Never"};
	struct rs_rules r;

	rs_rules_init(&r);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_non_null(rs_rules_set(&r, "expire", bad[i]));
	assert_int_equal(r.expire_days, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expire__of_a_user_is_never_shorter_than_the_provider_says),
		cmocka_unit_test(expire__wrong_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
