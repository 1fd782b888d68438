/* login_delay: the time between two logins of one user, and a table that does not grow for ever. */
#include "tests/unit/test.h"

#include <glib.h>

#include "server/login_delay.h"

static void login_delay__counts_from_the_last_login_that_was_let_in(void **state)
{
	struct rs_login_delay *d = rs_login_delay_new(10);

	assert_true(rs_login_delay_take(d, "a", 5000));
	assert_true(rs_login_delay_take(d, "b", 5000));
	assert_false(rs_login_delay_take(d, "a", 5000));
	assert_false(rs_login_delay_take(d, "a", 14999)); /* does not begin anew with it */
	assert_true(rs_login_delay_take(d, "a", 15000));
	assert_false(rs_login_delay_take(d, "a", 24999));
	rs_login_delay_free(d);
}

static void login_delay__of_none_lets_everybody_in(void **state)
{
	struct rs_login_delay *d = rs_login_delay_new(0);

	assert_true(rs_login_delay_take(d, "a", 0));
	assert_true(rs_login_delay_take(d, "a", 0));
	rs_login_delay_free(d);
	rs_login_delay_free(NULL);
}

static void login_delay__holds_through_every_cleaning(void **state)
{
	struct rs_login_delay *d = rs_login_delay_new(1);
	uint64_t last[50] = {0};

	for (uint64_t now = 1000; now < 60000; now += 7) {
		for (unsigned u = 0; u < 50; u++) {
			g_autofree char *name = g_strdup_printf("user%u", u);
			bool want = last[u] == 0 || now - last[u] >= 1000;

			if ((now / 7 + u) % 13)
				continue;
			assert_int_equal(rs_login_delay_take(d, name, now), want);
			if (want)
				last[u] = now;
		}
	}
	rs_login_delay_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(login_delay__counts_from_the_last_login_that_was_let_in),
		cmocka_unit_test(login_delay__of_none_lets_everybody_in),
		cmocka_unit_test(login_delay__holds_through_every_cleaning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
