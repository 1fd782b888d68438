/* how long logins are held back: growing, capped, forgotten, and never for who is known. */
#include "tests/unit/test.h"

#include "server/auth_delay.h"

enum { ANNA = 1000, BEN, HERE = 0, HOME = 1, WORK, EVIL = 100 };

static struct rs_delays *d;
static uint64_t now; /* ms */

static int set_up(void **state)
{
	d = rs_delays_create(1000);
	now = 1000;
	return 0;
}

static int tear_down(void **state)
{
	rs_delays_destroy(&d);
	return 0;
}

static void a_source_waits_longer_and_longer(void **state)
{
	static const uint32_t want[] = {1000, 2000, 4000, 8000, 15000, 15000, 15000};
	uint64_t account = ANNA;

	for (size_t i = 0; i < RS_ARRAY_N(want); i++, account++)
		assert_int_equal(rs_delays_failed(d, EVIL, account, now += 1000), want[i]);
	for (int i = 0; i < 100; i++) /* no shift is too far */
		assert_int_equal(rs_delays_failed(d, EVIL, account, now), 15000);
	assert_int_equal(rs_delays_failed(d, WORK, BEN + 5000, now), 1000); /* of others nothing */
}

static void an_account_waits_a_little_wherever_they_come_from(void **state)
{
	static const uint32_t want[] = {1000, 1000, 1000, 1000, 2000, 4000, 5000, 5000};

	for (size_t i = 0; i < RS_ARRAY_N(want); i++)
		assert_int_equal(rs_delays_failed(d, EVIL + i, ANNA, now), want[i]);
}

static void the_right_password_waits_as_long(void **state)
{
	for (int i = 0; i < 3; i++)
		(void)rs_delays_failed(d, EVIL, ANNA, now);
	assert_int_equal(rs_delays_succeeded(d, EVIL, ANNA, now), 4000);
	assert_int_equal(rs_delays_succeeded(d, WORK, BEN, now), 0);
}

static void who_is_known_does_not_wait(void **state)
{
	assert_int_equal(rs_delays_succeeded(d, HOME, ANNA, now), 0);
	for (unsigned i = 0; i < 50; i++) {
		(void)rs_delays_failed(d, EVIL + i, ANNA, now); /* from elsewhere … */
		(void)rs_delays_failed(d, HOME, BEN, now); /* … and from behind the same address */
	}
	assert_int_equal(rs_delays_succeeded(d, HOME, ANNA, now), 0);
	assert_int_equal(rs_delays_succeeded(d, HOME, BEN, now), 15000);
	assert_int_equal(
		rs_delays_succeeded(d, WORK, ANNA, now), 5000); /* capped: never locked out */
	assert_int_equal(rs_delays_failed(d, HOME, ANNA, now), 15000); /* a wrong one does wait */
	now += RS_DELAY_KNOWN_MS;
	for (int i = 0; i < 5; i++)
		(void)rs_delays_failed(d, EVIL, ANNA, now);
	assert_int_equal(rs_delays_succeeded(d, HOME, ANNA, now), 2000); /* known no more */
}

static void failures_are_forgotten(void **state)
{
	(void)rs_delays_failed(d, EVIL, ANNA, now);
	(void)rs_delays_failed(d, EVIL, ANNA, now);
	now += RS_DELAY_FORGET_MS - 1;
	assert_int_equal(rs_delays_failed(d, EVIL, ANNA, now), 4000);
	now += RS_DELAY_FORGET_MS;
	assert_int_equal(rs_delays_succeeded(d, EVIL, ANNA, now), 0);
	assert_int_equal(rs_delays_failed(d, EVIL, ANNA, now), 1000);
}

static void this_machine_is_no_source(void **state)
{
	for (uint64_t account = 0; account < 100; account++)
		assert_int_equal(rs_delays_failed(d, HERE, BEN + account, now), 0);
	for (int i = 0; i < 5; i++)
		(void)rs_delays_failed(d, HERE, ANNA, now);
	assert_int_equal(rs_delays_failed(d, HERE, ANNA, now), 4000); /* the account's */
	assert_int_equal(rs_delays_succeeded(d, HERE, ANNA, now), 4000);
	assert_int_equal(rs_delays_succeeded(d, HERE, ANNA, now), 0);
}

static void the_tables_have_an_end(void **state)
{
	for (int i = 0; i < 4; i++)
		(void)rs_delays_failed(d, EVIL, ANNA, now);
	for (uint64_t i = 0; i < 999; i++) {
		(void)rs_delays_failed(d, 5000 + i, 5000 + i, now);
		(void)rs_delays_succeeded(d, 5000 + i, 5000 + i, now);
	}
	assert_int_equal(rs_delays_failed(d, EVIL, ANNA, now), 15000); /* still there … */
	for (uint64_t i = 0; i < 1000; i++)
		(void)rs_delays_failed(d, 90000 + i, 90000 + i, now);
	assert_int_equal(rs_delays_failed(d, EVIL, ANNA, now), 1000); /* … and now the oldest */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_source_waits_longer_and_longer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			an_account_waits_a_little_wherever_they_come_from, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_right_password_waits_as_long, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_is_known_does_not_wait, set_up, tear_down),
		cmocka_unit_test_setup_teardown(failures_are_forgotten, set_up, tear_down),
		cmocka_unit_test_setup_teardown(this_machine_is_no_source, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_tables_have_an_end, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
