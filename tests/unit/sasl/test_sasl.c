/* the mechanisms: what makes an exchange credentials, and what never does. */
#include "tests/unit/test.h"

#include "base/err.h"
#include "sasl/sasl.h"

#define BYTES(s) rs_slice(s, sizeof(s) - 1)

static enum rs_sasl_step plain(struct rs_slice in, struct rs_sasl_server **s)
{
	struct rs_slice out;

	assert_int_equal(rs_sasl_server_create("PLAIN", NULL, s), 0);
	return rs_sasl_server_step(*s, in, &out);
}

static void sasl__plain_gives_user_and_password(void **state)
{
	struct rs_sasl_server *s = NULL;

	assert_int_equal(plain(BYTES("\0anna\0s p:\xc3\xbc"), &s), RS_SASL_PASSWORD);
	assert_true(rs_slice_eq(rs_sasl_server_user(s), rs_slice_str("anna")));
	assert_true(rs_slice_eq(rs_sasl_server_secret(s), rs_slice_str("s p:\xc3\xbc")));
	rs_sasl_server_destroy(&s);
	assert_null(s);
}

static void sasl__plain_as_somebody_else_is_refused(void **state)
{
	struct rs_sasl_server *s = NULL;

	assert_int_equal(plain(BYTES("bert\0anna\0secret"), &s), RS_SASL_FAILED);
	rs_sasl_server_destroy(&s);
	assert_int_equal(plain(BYTES("anna\0anna\0secret"), &s), RS_SASL_PASSWORD);
	rs_sasl_server_destroy(&s);
}

static void sasl__hostile_plain_is_refused(void **state)
{
	static const struct rs_slice rows[] = {
		{.p = (const uint8_t *)"", .n = 0},
		{.p = (const uint8_t *)"\0", .n = 1},
		{.p = (const uint8_t *)"\0\0", .n = 2},
		{.p = (const uint8_t *)"\0anna", .n = 5},
		{.p = (const uint8_t *)"\0anna\0", .n = 6},
		{.p = (const uint8_t *)"\0\0secret", .n = 8},
		{.p = (const uint8_t *)"anna", .n = 4},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct rs_sasl_server *s = NULL;

		assert_int_not_equal(plain(rows[i], &s), RS_SASL_PASSWORD);
		rs_sasl_server_destroy(&s);
	}
}

static void sasl__login_asks_twice(void **state)
{
	struct rs_sasl_server *s = NULL;
	struct rs_slice out;

	assert_int_equal(rs_sasl_server_create("LOGIN", NULL, &s), 0);
	assert_int_equal(rs_sasl_server_step(s, rs_slice(NULL, 0), &out), RS_SASL_CHALLENGE);
	assert_true(rs_slice_eq(out, rs_slice_str("User Name")));
	assert_int_equal(rs_sasl_server_step(s, rs_slice_str("anna"), &out), RS_SASL_CHALLENGE);
	assert_true(rs_slice_eq(out, rs_slice_str("Password")));
	assert_int_equal(rs_sasl_server_step(s, rs_slice_str("secret"), &out), RS_SASL_PASSWORD);
	assert_true(rs_slice_eq(rs_sasl_server_user(s), rs_slice_str("anna")));
	assert_true(rs_slice_eq(rs_sasl_server_secret(s), rs_slice_str("secret")));
	rs_sasl_server_destroy(&s);
}

/* Outlook and Python give the name with the command. */
static void sasl__login_takes_the_name_as_initial_response(void **state)
{
	struct rs_sasl_server *s;
	struct rs_slice out;

	assert_int_equal(rs_sasl_server_create("LOGIN", NULL, &s), 0);
	assert_int_equal(rs_sasl_server_step(s, rs_slice_str("anna"), &out), RS_SASL_CHALLENGE);
	assert_true(rs_slice_eq(out, rs_slice_str("Password")));
	assert_int_equal(rs_sasl_server_step(s, rs_slice_str("secret"), &out), RS_SASL_PASSWORD);
	assert_true(rs_slice_eq(rs_sasl_server_user(s), rs_slice_str("anna")));
	rs_sasl_server_destroy(&s);
}

static void sasl__other_mechanisms_are_not_there(void **state)
{
	struct rs_sasl_server *s = NULL;

	assert_int_equal(rs_sasl_server_create("ANONYMOUS", NULL, &s), -RS_ENOENT);
	assert_int_equal(rs_sasl_server_create("plain", NULL, &s), -RS_ENOENT);
	assert_null(s);
}

static void sasl__our_plain_message_is_understood_by_the_server(void **state)
{
	struct rs_sasl_server *s = NULL;
	struct rs_buf b;

	rs_buf_init(&b, 1024);
	assert_int_equal(rs_sasl_plain_message(rs_slice_str("anna"), rs_slice_str("x y"), &b), 0);
	assert_int_equal(plain(rs_buf_slice(&b), &s), RS_SASL_PASSWORD);
	assert_true(rs_slice_eq(rs_sasl_server_secret(s), rs_slice_str("x y")));
	rs_sasl_server_destroy(&s);
	assert_int_equal(rs_sasl_plain_message(BYTES("an\0na"), BYTES("x"), &b), -RS_EINVAL);
	assert_int_equal(rs_sasl_plain_message(BYTES("anna"), BYTES("x\0"), &b), -RS_EINVAL);
	rs_buf_finish(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sasl__plain_gives_user_and_password),
		cmocka_unit_test(sasl__plain_as_somebody_else_is_refused),
		cmocka_unit_test(sasl__hostile_plain_is_refused),
		cmocka_unit_test(sasl__login_asks_twice),
		cmocka_unit_test(sasl__login_takes_the_name_as_initial_response),
		cmocka_unit_test(sasl__other_mechanisms_are_not_there),
		cmocka_unit_test(sasl__our_plain_message_is_understood_by_the_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
