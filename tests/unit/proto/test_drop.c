/* the frozen table: what goes in comes out; whatever is wrong in an image is seen. */
#include "tests/unit/test.h"

#include "base/err.h"
#include "proto/drop.h"
#include "proto/pop3.h"
#include "tests/unit/guard.h"

#define OCTETS_MAX (UINT64_MAX / 2)

/* An image of four rows against the guard. Its UIDs have 16 octets, so that it stays aligned. */
static void four(struct guard *g)
{
	struct rs_drop_builder b;
	uint8_t *image;
	size_t n;

	rs_drop_builder_init(&b);
	assert_int_equal(rs_drop_builder_add(&b, 10, rs_slice_str("a")), 0);
	assert_int_equal(rs_drop_builder_add(&b, 20, rs_slice_str("bc")), 0);
	assert_int_equal(rs_drop_builder_ascii(&b, 25), 0);
	assert_int_equal(rs_drop_builder_add(&b, 5000000000u, rs_slice_str("de567890")), 0);
	assert_int_equal(rs_drop_builder_add(&b, 0, rs_slice_str("!~!~!")), 0);
	assert_int_equal(rs_drop_builder_ascii(&b, RS_DROP_NO_ASCII), 0);
	n = rs_drop_builder_image_n(&b);
	assert_int_equal(n % 8, 0);
	image = malloc(n);
	assert_non_null(image);
	rs_drop_builder_image(&b, image);
	guard_init(g, image, n);
	free(image);
	rs_drop_builder_finish(&b);
}

static void drop__holds_what_was_built(void **state)
{
	struct guard g;
	struct rs_drop d;

	four(&g);
	assert_int_equal(rs_drop_open(rs_slice(g.p, g.n), &d), 0);
	assert_int_equal(rs_drop_n(&d), 4);
	assert_int_equal(d.head->octets, 5000000030u);
	assert_int_equal(d.head->ascii, 5000000035u);
	assert_null(rs_drop_ascii(&d, 0));
	assert_int_equal(rs_drop_ascii(&d, 1)->octets, 25);
	assert_true(rs_drop_ascii(&d, 3)->octets == RS_DROP_NO_ASCII);
	assert_int_equal(rs_drop_ascii_octets(&d, 0), 10);
	assert_int_equal(rs_drop_ascii_octets(&d, 1), 25);
	assert_int_equal(rs_drop_ascii_octets(&d, 3), 0);
	assert_int_equal(rs_drop_octets(&d, 0), 10);
	assert_int_equal(rs_drop_octets(&d, 2), 5000000000u);
	assert_true(rs_slice_eq_str(rs_drop_uid(&d, 0), "a"));
	assert_true(rs_slice_eq_str(rs_drop_uid(&d, 1), "bc"));
	assert_true(rs_slice_eq_str(rs_drop_uid(&d, 2), "de567890"));
	assert_true(rs_slice_eq_str(rs_drop_uid(&d, 3), "!~!~!"));
	guard_finish(&g);
}

static void drop__empty_is_a_drop(void **state)
{
	struct rs_drop_builder b;
	uint64_t image[8];
	struct rs_drop d;

	rs_drop_builder_init(&b);
	assert_int_equal(rs_drop_builder_image_n(&b), sizeof(struct rs_drop_head));
	rs_drop_builder_image(&b, image);
	assert_int_equal(rs_drop_open(rs_slice(image, sizeof(struct rs_drop_head)), &d), 0);
	assert_int_equal(rs_drop_n(&d), 0);
	rs_drop_builder_finish(&b);
}

/* Every shorter and every longer image is refused, and nothing behind its end is read. */
static void drop__cut_anywhere_is_corrupt(void **state)
{
	struct guard whole;

	four(&whole);
	for (size_t n = 0; n <= whole.n + 8; n++) {
		uint64_t *image = calloc(whole.n / 8 + 2, 8); /* exact bounds: sanitizer's job */
		struct rs_drop d = {.head = NULL};

		assert_non_null(image);
		memcpy(image, whole.p, RS_MIN(n, whole.n));
		if (n == whole.n)
			assert_int_equal(rs_drop_open(rs_slice(image, n), &d), 0);
		else
			assert_int_equal(rs_drop_open(rs_slice(image, n), &d), -RS_ECORRUPT);
		if (n != whole.n)
			assert_null(d.head); /* out parameters are untouched on failure */
		free(image);
	}
	guard_finish(&whole);
}

static void drop__every_lie_of_an_image_is_seen(void **state)
{
	struct guard g;
	struct rs_drop d;
	struct rs_drop_head *head;
	struct rs_drop_row *row;
	struct rs_drop_ascii *ascii;
	struct rs_slice image;

	four(&g);
	image = rs_slice(g.p, g.n);
	head = (void *)g.p;
	row = (void *)(g.p + sizeof(*head));
	ascii = (void *)(row + 4);
#define LIE(place, value)                                                \
	do {                                                             \
		__typeof__(place) held = (place);                        \
		(place) = (value);                                       \
		assert_int_equal(rs_drop_open(image, &d), -RS_ECORRUPT); \
		(place) = held;                                          \
		assert_int_equal(rs_drop_open(image, &d), 0);            \
	} while (0)
	LIE(head->magic, __builtin_bswap64(RS_DROP_MAGIC));
	LIE(head->rows_n, 3);
	LIE(head->rows_n, 5);
	LIE(head->rows_n, RS_DROP_ROWS_MAX);
	LIE(head->rows_n, RS_DROP_ROWS_MAX + 1);
	LIE(head->rows_n, UINT32_MAX);
	LIE(head->ascii_n, 0);
	LIE(head->ascii_n, 3);
	LIE(head->ascii_n, 5);
	LIE(head->ascii_n, UINT32_MAX);
	LIE(head->ascii, head->ascii - 1);
	LIE(ascii[0].row, 3);
	LIE(ascii[1].row, 0);
	LIE(ascii[1].row, 4);
	LIE(ascii[0].octets, 24);
	LIE(ascii[0].octets, OCTETS_MAX);
	LIE(ascii[1].octets, 1);
	LIE(ascii[1].reserved, 1);
	LIE(head->octets, head->octets - 1);
	LIE(head->octets, head->octets + 1);
	LIE(head->uids_n, head->uids_n - 1);
	LIE(head->uids_n, head->uids_n + 1);
	LIE(head->uids_n, UINT64_MAX);
	LIE(row[1].octets, UINT64_MAX);
	LIE(row[1].octets, OCTETS_MAX);
	LIE(row[3].uid_at, row[3].uid_at + 1);
	LIE(row[3].uid_at, UINT32_MAX);
	LIE(row[3].uid_n, 0);
	LIE(row[3].uid_n, row[3].uid_n + 1);
	LIE(row[3].uid_n, UINT32_MAX);
	LIE(g.p[g.n - 1], ' ');
	LIE(g.p[g.n - 1], 0x7f);
	LIE(g.p[g.n - 1], 0);
	LIE(g.p[g.n - 1], 0x80);
#undef LIE
	guard_finish(&g);
}

static void drop__unaligned_image_is_refused(void **state)
{
	uint64_t room[16] = {0};
	struct rs_drop_head head = {.magic = RS_DROP_MAGIC};
	struct rs_drop d;

	memcpy((uint8_t *)room + 4, &head, sizeof(head));
	assert_int_equal(
		rs_drop_open(rs_slice((uint8_t *)room + 4, sizeof(head)), &d), -RS_ECORRUPT);
}

static void drop__uid_has_1_to_70_octets(void **state)
{
	char text[80];

	memset(text, 'u', sizeof(text));
	assert_false(rs_drop_uid_ok(rs_slice(text, 0)));
	assert_true(rs_drop_uid_ok(rs_slice(text, 1)));
	assert_true(rs_drop_uid_ok(rs_slice(text, RS_POP3_UID_MAX - 1)));
	assert_true(rs_drop_uid_ok(rs_slice(text, RS_POP3_UID_MAX)));
	assert_false(rs_drop_uid_ok(rs_slice(text, RS_POP3_UID_MAX + 1)));
}

static void drop__uid_is_0x21_to_0x7e(void **state)
{
	for (unsigned c = 0; c < 256; c++) {
		uint8_t octet = (uint8_t)c;

		assert_int_equal(rs_drop_uid_ok(rs_slice(&octet, 1)), c >= 0x21 && c <= 0x7e);
	}
}

static void drop__builder_refuses_what_open_would(void **state)
{
	struct rs_drop_builder b;
	struct rs_slice uid = rs_slice_str("u");
	uint64_t *image;
	struct rs_drop d;

	rs_drop_builder_init(&b);
	assert_int_equal(rs_drop_builder_add(&b, 1, rs_slice_str("")), -RS_EINVAL);
	assert_int_equal(rs_drop_builder_add(&b, 1, rs_slice_str("a b")), -RS_EINVAL);
	assert_int_equal(rs_drop_builder_add(&b, OCTETS_MAX + 1, uid), -RS_ELIMIT);
	assert_int_equal(rs_drop_builder_add(&b, OCTETS_MAX - 1, uid), 0);
	assert_int_equal(rs_drop_builder_add(&b, 2, uid), -RS_ELIMIT);
	assert_int_equal(rs_drop_builder_add(&b, 1, uid), 0);
	assert_int_equal(rs_drop_builder_add(&b, 1, uid), -RS_ELIMIT);
	image = calloc(1, rs_drop_builder_image_n(&b) + 8);
	assert_non_null(image);
	rs_drop_builder_image(&b, image);
	assert_int_equal(rs_drop_open(rs_slice(image, rs_drop_builder_image_n(&b)), &d), 0);
	assert_int_equal(rs_drop_n(&d), 2);
	assert_int_equal(d.head->octets, OCTETS_MAX);
	free(image);
	rs_drop_builder_finish(&b);
}

static void drop__marks_touch_their_row_alone(void **state)
{
	for (uint32_t row = 0; row < 17; row++) {
		uint8_t marks[3] = {0};

		assert_int_equal(rs_marks_n(17), sizeof(marks));
		rs_marks_set(marks, row);
		for (uint32_t i = 0; i < 17; i++)
			assert_int_equal(rs_marks_get(marks, i), i == row);
	}
	assert_int_equal(rs_marks_n(0), 0);
	assert_int_equal(rs_marks_n(8), 1);
	assert_int_equal(rs_marks_n(9), 2);
	assert_int_equal(rs_marks_n(UINT32_MAX), 536870912);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drop__holds_what_was_built),
		cmocka_unit_test(drop__empty_is_a_drop),
		cmocka_unit_test(drop__cut_anywhere_is_corrupt),
		cmocka_unit_test(drop__every_lie_of_an_image_is_seen),
		cmocka_unit_test(drop__unaligned_image_is_refused),
		cmocka_unit_test(drop__uid_has_1_to_70_octets),
		cmocka_unit_test(drop__uid_is_0x21_to_0x7e),
		cmocka_unit_test(drop__builder_refuses_what_open_would),
		cmocka_unit_test(drop__marks_touch_their_row_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
