/* when an account is due, with clocks that the test turns. */
#include "tests/unit/test.h"

#include "client/schedule.h"

#define EVERY_S 300u

static const guint32 chances[] = {0, 1, 59999, 60000, 0x7fffffff, 0xffffffff};

/* Due between `from_s` and `to_s` from `now`, whatever the chance. */
static void ended_within(struct rs_schedule s, enum rs_schedule_how how, gint64 from_s, gint64 to_s)
{
	for (size_t i = 0; i < RS_ARRAY_N(chances); i++) {
		struct rs_schedule t = s;

		rs_schedule_ended(&t, how, 1000000, chances[i]);
		assert_in_range(t.due_ms - 1000000, from_s * 1000, to_s * 1000);
	}
}

static void schedule__begins_at_once(void **state)
{
	struct rs_schedule s;

	rs_schedule_begin(&s, EVERY_S, 5);
	assert_int_equal(s.due_ms, 5);
	ended_within(s, RS_SCHEDULE_WELL, 270, 330);
}

static void schedule__failures_wait_longer_and_longer(void **state)
{
	static const gint64 waits_s[] = {300, 600, 1200, 2400, 3600, 3600};
	struct rs_schedule s;

	rs_schedule_begin(&s, EVERY_S, 0);
	for (size_t i = 0; i < RS_ARRAY_N(waits_s); i++) {
		ended_within(s, RS_SCHEDULE_FAILED, waits_s[i] * 9 / 10, waits_s[i] * 11 / 10);
		rs_schedule_ended(&s, RS_SCHEDULE_FAILED, 1000000, 0);
	}
	ended_within(s, RS_SCHEDULE_WELL, 270, 330);
	rs_schedule_ended(&s, RS_SCHEDULE_WELL, 1000000, 0);
	ended_within(s, RS_SCHEDULE_FAILED, 270, 330);
}

static void schedule__a_refused_login_is_rare(void **state)
{
	struct rs_schedule s;

	rs_schedule_begin(&s, 10, 0);
	ended_within(s, RS_SCHEDULE_REFUSED, 810, 990);
	for (int i = 0; i < 20; i++)
		rs_schedule_ended(&s, RS_SCHEDULE_REFUSED, 1000000, 0);
	ended_within(s, RS_SCHEDULE_REFUSED, 21600 * 9 / 10, 21600 * 11 / 10);
	rs_schedule_soon(&s, 1000000, 0);
	assert_true(s.due_ms > 1000000 + 20000 * 900); /* no network makes a password right */
	rs_schedule_now(&s, 1000000);
	assert_int_equal(s.due_ms, 1000000);
}

static void schedule__rarer_than_an_hour_stays_so(void **state)
{
	struct rs_schedule s;

	rs_schedule_begin(&s, 86400, 0);
	for (int i = 0; i < 5; i++)
		rs_schedule_ended(&s, RS_SCHEDULE_FAILED, 1000000, 0);
	ended_within(s, RS_SCHEDULE_FAILED, 86400 * 9 / 10, 86400 * 11 / 10);
}

static void schedule__network_makes_it_soon_but_not_at_once(void **state)
{
	struct rs_schedule s;

	rs_schedule_begin(&s, EVERY_S, 0);
	rs_schedule_ended(&s, RS_SCHEDULE_FAILED, 1000, 0);
	rs_schedule_soon(&s, 101000, 0xffffffff);
	assert_in_range(s.due_ms, 103000, 107000);
	/* a network that comes and goes is not one check each time */
	rs_schedule_ended(&s, RS_SCHEDULE_WELL, 104000, 0);
	rs_schedule_soon(&s, 104500, 0);
	assert_int_equal(s.due_ms, 104000 + RS_SCHEDULE_APART_S * 1000);
	/* what is due sooner stays so */
	s.due_ms = 104600;
	rs_schedule_soon(&s, 104500, 0);
	assert_int_equal(s.due_ms, 104600);
}

static void schedule__sleep_is_the_gap_of_two_clocks(void **state)
{
	struct rs_asleep a = {.known = false};

	assert_int_equal(rs_asleep_ms(&a, 1000, 51000), 0); /* slept before we began: not ours */
	assert_int_equal(rs_asleep_ms(&a, 61000, 111000), 0);
	assert_int_equal(rs_asleep_ms(&a, 62000, 112001), 0); /* read one after the other */
	assert_int_equal(rs_asleep_ms(&a, 63000, 3713000), 3600000);
	assert_int_equal(rs_asleep_ms(&a, 64000, 3714000), 0);
	/* a real clock that is set is neither of the two */
	assert_int_equal(rs_asleep_ms(&a, 164000, 3815000), 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schedule__begins_at_once),
		cmocka_unit_test(schedule__failures_wait_longer_and_longer),
		cmocka_unit_test(schedule__a_refused_login_is_rare),
		cmocka_unit_test(schedule__rarer_than_an_hour_stays_so),
		cmocka_unit_test(schedule__network_makes_it_soon_but_not_at_once),
		cmocka_unit_test(schedule__sleep_is_the_gap_of_two_clocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
