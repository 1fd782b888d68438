/* ceilings over several fronts: exact, given back, and never passed however many come at once. */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "server/counts.h"

#define FRONTS 3

static int fds[FRONTS];
static struct rs_counts *own[FRONTS];            /* as its front has it */
static struct rs_counts *others[FRONTS][FRONTS]; /* as the others see it, a hole for itself */

static int set_up(void **state)
{
	memset(others, 0, sizeof(others));
	for (int i = 0; i < FRONTS; i++)
		assert_int_equal(rs_counts_create(100, &fds[i], &own[i]), 0);
	for (int i = 0; i < FRONTS; i++) {
		for (int k = 0; k < FRONTS; k++) {
			if (i != k)
				others[i][k] = rs_counts_map(rs_counts_reader(fds[k]), false);
		}
	}
	return 0;
}

static int tear_down(void **state)
{
	for (int i = 0; i < FRONTS; i++) {
		for (int k = 0; k < FRONTS; k++)
			rs_counts_unmap(&others[i][k]);
		rs_counts_unmap(&own[i]);
		close(fds[i]);
	}
	return 0;
}

static bool enter(int front, uint32_t max)
{
	return rs_counts_enter(own[front], others[front], FRONTS, max);
}

static bool enter_as(int front, enum rs_count what, uint64_t key, uint32_t max)
{
	return rs_counts_enter_as(
		own[front], others[front], FRONTS, (struct rs_count_who){what, key}, max);
}

static void leave_as(int front, enum rs_count what, uint64_t key)
{
	rs_counts_leave_as(own[front], (struct rs_count_who){what, key});
}

static void the_ceiling_is_that_of_all_fronts(void **state)
{
	for (int i = 0; i < 4; i++)
		assert_true(enter(i % FRONTS, 4));
	for (int i = 0; i < FRONTS; i++)
		assert_false(enter(i, 4));
	rs_counts_leave(own[2]);
	assert_true(enter(1, 4));
	assert_false(enter(2, 4));
	assert_true(enter(2, 0)); /* none */
}

static void each_key_has_its_own(void **state)
{
	for (int i = 0; i < 3; i++)
		assert_true(enter_as(i, RS_COUNT_SOURCE, 7, 3));
	assert_true(enter(0, 0) && enter(1, 0) && enter(2, 0)); /* as connections do first */
	for (int i = 0; i < FRONTS; i++)
		assert_false(enter_as(i, RS_COUNT_SOURCE, 7, 3));
	assert_true(enter_as(0, RS_COUNT_SOURCE, 8, 3));
	assert_true(enter_as(0, RS_COUNT_USER, 7, 1));
	assert_false(enter_as(1, RS_COUNT_USER, 7, 1));
	leave_as(1, RS_COUNT_SOURCE, 7);
	assert_true(enter_as(2, RS_COUNT_SOURCE, 7, 3));
	assert_false(enter_as(2, RS_COUNT_SOURCE, 7, 3));
	leave_as(1, RS_COUNT_SOURCE, 7); /* it has none any more: nothing happens */
	assert_false(enter_as(1, RS_COUNT_SOURCE, 7, 3));
}

static void what_a_dead_front_had_is_given_back(void **state)
{
	for (int i = 0; i < 3; i++)
		assert_true(enter(0, 3) && enter_as(0, RS_COUNT_SOURCE, 7, 3));
	assert_false(enter(1, 3) || enter_as(1, RS_COUNT_SOURCE, 7, 3));
	rs_counts_clear(own[0], fds[0]);
	for (int i = 0; i < 3; i++)
		assert_true(enter(1, 3) && enter_as(1, RS_COUNT_SOURCE, 7, 3));
	assert_false(enter(0, 3) || enter_as(0, RS_COUNT_SOURCE, 7, 3));
}

/* Many keys come and go; what is counted stays right, as a model says. */
static void many_keys_come_and_go(void **state)
{
	uint32_t model[400] = {0};
	uint32_t chance = 1;

	assert_true(enter(0, 0));
	for (int i = 0; i < 200000; i++) {
		uint64_t key;

		chance = chance * 1664525 + 1013904223;
		/* keys that differ in the upper bits only, as those of IPv6 do; 100 at a time, as made */
		key = ((chance >> 8) % 100 + (uint64_t)(i / 2000 % 4) * 100);
		if (chance >> 31 && model[key] < 5) {
			assert_true(enter_as(0, RS_COUNT_SOURCE, (key + 1) << 40, 5));
			model[key]++;
		} else if (model[key]) {
			leave_as(0, RS_COUNT_SOURCE, (key + 1) << 40);
			model[key]--;
		}
		if (i % 2000 == 1999) {
			for (key = 0; key < 400; key++) {
				for (; model[key]; model[key]--)
					leave_as(0, RS_COUNT_SOURCE, (key + 1) << 40);
			}
		}
	}
	for (uint64_t key = 1; key <= 400; key++) {
		assert_true(enter_as(1, RS_COUNT_SOURCE, key << 40, 1));
		leave_as(1, RS_COUNT_SOURCE, key << 40);
	}
}

struct runner {
	int front;
	int in;
	int most;
};

static int inside; /* by all */

static void *run(void *arg)
{
	struct runner *r = arg;
	int n;

	for (int i = 0; i < 20000; i++) {
		if (!enter_as(r->front, RS_COUNT_USER, 5, 2))
			continue;
		r->in++;
		n = __atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST);
		r->most = RS_MAX(r->most, n);
		(void)__atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST);
		leave_as(r->front, RS_COUNT_USER, 5);
	}
	return NULL;
}

static void at_once_no_more_than_the_ceiling_come_in(void **state)
{
	struct runner r[FRONTS] = {{0}};
	pthread_t t[FRONTS];

	assert_true(enter(0, 0) && enter(1, 0) && enter(2, 0));
	for (int i = 0; i < FRONTS; i++) {
		r[i].front = i;
		assert_int_equal(pthread_create(&t[i], NULL, run, &r[i]), 0);
	}
	for (int i = 0; i < FRONTS; i++) {
		pthread_join(t[i], NULL);
		if (r[i].in == 0 || r[i].most > 2)
			fail_msg("front %d: %d times in, %d at once", i, r[i].in, r[i].most);
	}
}

static void what_is_no_page_is_not_mapped(void **state)
{
	assert_null(rs_counts_map(-1, false));
	assert_null(rs_counts_map(open("/dev/null", O_RDWR), false));
	assert_true(rs_counts_fits(own[0], 100));
	assert_false(rs_counts_fits(own[0], 10000));
	/* a reader's descriptor cannot be written through */
	assert_null(rs_counts_map(rs_counts_reader(fds[0]), true));
}

static void users_have_keys(void **state)
{
	assert_true(rs_counts_user("anna@example.org") != rs_counts_user("ben@example.org"));
	assert_true(rs_counts_user("anna@example.org") == rs_counts_user("anna@example.org"));
	assert_true(rs_counts_user("") != 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			the_ceiling_is_that_of_all_fronts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(each_key_has_its_own, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_a_dead_front_had_is_given_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_keys_come_and_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			at_once_no_more_than_the_ceiling_come_in, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_page_is_not_mapped, set_up, tear_down),
		cmocka_unit_test(users_have_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
