/* What administrators and monitoring systems say, the numbers they get, and who may say what. */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <glib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/admin_req.h"
#include "server/metrics.h"
#include "server/msg.h"
#include "tests/unit/guard.h"

/* --- requests ------------------------------------------------------------------------------ */

static int parse(const char *text, struct rs_admin_req *out)
{
	struct rs_err err = {.text = ""};
	struct guard g;
	int rc;

	guard_init(&g, text, strlen(text));
	rc = rs_admin_req_parse(rs_slice(g.p, g.n), out, &err);
	guard_finish(&g);
	if (rc < 0) {
		assert_int_equal(rc, -RS_EINVAL);
		assert_true(err.text[0] != '\0');
	}
	return rc;
}

static void admin__requests_that_are_right(void **state)
{
	struct rs_admin_req r;

	assert_int_equal(parse("{\"do\":\"status\"}", &r), 0);
	assert_int_equal(r.what, RS_ADMIN_STATUS);
	assert_int_equal(parse(" { \"do\" : \"sessions\" }\r", &r), 0);
	assert_int_equal(r.what, RS_ADMIN_SESSIONS);
	assert_int_equal(parse("{\"id\":\"0123456789a\",\"do\":\"kick\"}", &r), 0);
	assert_int_equal(r.what, RS_ADMIN_KICK);
	assert_true(r.id == UINT64_C(0x0123456789a) << RS_MSG_TXN_BITS);
	assert_int_equal(parse("{\"do\":\"unlock\",\"address\":\"Anna@Example.org\"}", &r), 0);
	assert_int_equal(r.what, RS_ADMIN_UNLOCK);
	assert_string_equal(r.address, "anna@example.org");
	assert_int_equal(parse("{\"do\":\"reload\"}", &r), 0);
	assert_int_equal(r.what, RS_ADMIN_RELOAD);
}

static void admin__requests_that_are_wrong_change_nothing(void **state)
{
	static const char *const rows[] = {"", "{", "{}", "[]", "null", "\"status\"", "{\"do\":1}",
		"{\"do\":null}", "{\"do\":\"STATUS\"}", "{\"do\":\"statu\"}",
		"{\"do\":\"status\",\"x\":\"\"}", "{\"do\":\"status\"} {\"do\":\"status\"}",
		"{\"do\":\"status\"} x", "x {\"do\":\"status\"}", "{\"do\":\"status\"}}",
		"{\"do\":\"status\"},{}", "{\"do\":\"kick\"}", "{\"do\":\"kick\",\"id\":\"\"}",
		"{\"do\":\"kick\",\"id\":\"0123456789\"}",
		"{\"do\":\"kick\",\"id\":\"0123456789ab\"}",
		"{\"do\":\"kick\",\"id\":\"0123456789A\"}",
		"{\"do\":\"kick\",\"id\":\"-123456789a\"}",
		"{\"do\":\"kick\",\"id\":\"00000000000\"}",
		"{\"do\":\"status\",\"id\":\"0123456789a\"}", "{\"do\":\"unlock\"}",
		"{\"do\":\"unlock\",\"address\":\"\"}",
		"{\"do\":\"unlock\",\"address\":\"a/../b\"}",
		"{\"do\":\"reload\",\"address\":\"anna@example.org\"}",
		"{\"do\":{\"do\":{\"do\":{}}}}", "[[[[[[[[[[[[[[[[[[", "{\"do\":\"status\"",
		"{\"do\":\"\xff\"}"};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct rs_admin_req r = {.what = RS_ADMIN_DO_N, .id = 7, .address = "x"};

		if (parse(rows[i], &r) == 0)
			fail_msg("taken: %s", rows[i]);
		assert_int_equal(r.what, RS_ADMIN_DO_N);
		assert_true(r.id == 7 && strcmp(r.address, "x") == 0);
	}
}

static void admin__a_request_has_a_ceiling(void **state)
{
	for (size_t n = RS_ADMIN_LINE_MAX - 1; n <= RS_ADMIN_LINE_MAX + 1; n++) {
		g_autofree char *pad = g_strnfill(n - strlen("{\"do\":\"status\"}"), ' ');
		g_autofree char *text = g_strconcat("{\"do\":\"status\"}", pad, NULL);
		struct rs_admin_req r;

		assert_int_equal(parse(text, &r) == 0, n <= RS_ADMIN_LINE_MAX);
	}
}

/* --- HTTP ---------------------------------------------------------------------------------- */

static void metrics__http_is_taken_at_its_end_and_not_before(void **state)
{
	static const struct {
		const char *text;
		enum rs_metrics_http want;
	} rows[] = {
		{"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", RS_METRICS_GET},
		{"GET /metrics HTTP/1.0\r\n\r\n", RS_METRICS_GET},
		{"GET /metrics?name=x HTTP/1.1\r\n\r\n", RS_METRICS_GET},
		{"HEAD /metrics HTTP/1.1\r\n\r\n", RS_METRICS_HEAD},
		{"GET / HTTP/1.1\r\n\r\n", RS_METRICS_NOT_FOUND},
		{"GET /metricsx HTTP/1.1\r\n\r\n", RS_METRICS_NOT_FOUND},
		{"GET http://h/metrics HTTP/1.1\r\n\r\n", RS_METRICS_GET},
		{"POST /metrics HTTP/1.1\r\n\r\n", RS_METRICS_NOT_ALLOWED},
		{"get /metrics HTTP/1.1\r\n\r\n", RS_METRICS_NOT_ALLOWED},
		{"GET /metrics HTTP/2.0\r\n\r\n", RS_METRICS_BAD},
		{"GET /metrics\r\n\r\n", RS_METRICS_BAD},
		{"\r\n\r\n", RS_METRICS_BAD},
		{"GET  /metrics HTTP/1.1\r\n\r\n", RS_METRICS_BAD},
		{"GET /metrics HTTP/1.1 \r\n\r\n", RS_METRICS_BAD},
		{"GET /met\nrics HTTP/1.1\r\n\r\n", RS_METRICS_BAD},
		{"\x16\x03\x01 x HTTP/1.1\r\n\r\n", RS_METRICS_BAD},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		size_t n = strlen(rows[i].text);

		for (size_t k = 0; k <= n; k++) {
			struct guard g;

			guard_init(&g, rows[i].text, k);
			if (rs_metrics_request(rs_slice(g.p, k)) !=
				(k == n ? rows[i].want : RS_METRICS_MORE))
				fail_msg("%zu octets of: %s", k, rows[i].text);
			guard_finish(&g);
		}
	}
}

static void metrics__a_request_has_a_ceiling(void **state)
{
	g_autofree char *text = g_strnfill(RS_METRICS_HEAD_MAX, 'x');

	assert_int_equal(
		rs_metrics_request(rs_slice(text, RS_METRICS_HEAD_MAX - 1)), RS_METRICS_MORE);
	assert_int_equal(rs_metrics_request(rs_slice(text, RS_METRICS_HEAD_MAX)), RS_METRICS_BAD);
}

static void metrics__an_answer_says_its_length_and_type(void **state)
{
	struct rs_stats s = {.rows = {0}};

	for (int what = RS_METRICS_GET; what <= RS_METRICS_BAD; what++) {
		g_autoptr(GString) out = g_string_new(NULL);
		const char *body;
		const char *n;

		rs_metrics_answer(out, (enum rs_metrics_http)what, &s);
		body = strstr(out->str, "\r\n\r\n");
		n = strstr(out->str, "Content-Length: ");
		assert_true(body && n && n < body);
		if (what == RS_METRICS_HEAD)
			assert_string_equal(body, "\r\n\r\n");
		else
			assert_int_equal(strlen(body + 4),
				(int)g_ascii_strtoll(n + strlen("Content-Length: "), NULL, 10));
		assert_int_equal(
			strstr(out->str, RS_METRICS_TYPE) != NULL, what <= RS_METRICS_HEAD);
	}
}

/* Every row of a page is in the text, once: a number nobody can see was forgotten in the table. */
static void metrics__every_row_is_told(void **state)
{
	for (unsigned row = 0; row < RS_STAT_N; row++) {
		struct rs_stats none = {.rows = {0}};
		struct rs_stats s = {.rows = {0}};
		g_autoptr(GString) a = g_string_new(NULL);
		g_autoptr(GString) b = g_string_new(NULL);
		unsigned role = row - RS_STAT_RESTARTS;

		if (row >= RS_STAT_RESTARTS && row < RS_STAT_RESTARTS + RS_STATS_ROLES_N &&
			(role == RS_ROLE_MASTER || role >= RS_ROLE_N))
			continue; /* who is never started again */
		s.rows[row] = 12345;
		rs_metrics_text(a, &none);
		rs_metrics_text(b, &s);
		if (strcmp(a->str, b->str) == 0)
			fail_msg("row %u is in no metric", row);
	}
}

/* --- numbers ------------------------------------------------------------------------------- */

static void stats__a_page_is_shared_and_outlives_its_process(void **state)
{
	struct rs_stats *page;
	struct rs_stats *seen;
	struct rs_stats sum = {.rows = {0}};
	int fd;

	rs_stats_add(RS_STAT_RETRIEVED, 2); /* before there is a page */
	assert_int_equal(rs_stats_create(&fd, &page), 0);
	rs_stats_use(page);
	seen = rs_stats_map(fcntl(fd, F_DUPFD_CLOEXEC, 0), false);
	assert_non_null(seen);
	rs_stats_add(RS_STAT_RETRIEVED, 3);
	rs_stats_add(RS_STAT_SESSIONS, 5);
	rs_stats_sub(RS_STAT_SESSIONS, 1);
	rs_stats_add(RS_STAT_OPEN + RS_SERVICE_POP3S, 4);
	rs_stats_login(RS_STATS_EXTERNAL, RS_STATS_LOGIN_REFUSED);
	assert_int_equal(seen->rows[RS_STAT_RETRIEVED], 5);
	assert_int_equal(seen->rows[RS_STAT_SESSIONS], 4);
	rs_stats_ended(page);
	assert_int_equal(seen->rows[RS_STAT_RETRIEVED], 5);
	assert_int_equal(seen->rows[RS_STAT_SESSIONS], 0);
	assert_int_equal(seen->rows[RS_STAT_OPEN + RS_SERVICE_POP3S], 0);
	rs_stats_sum(&sum, seen);
	rs_stats_sum(&sum, seen);
	assert_int_equal(sum.rows[RS_STAT_RETRIEVED], 10);
	rs_stats_unmap(&seen);
	assert_null(seen);
	close(fd);
}

static void stats__what_could_shrink_is_no_page(void **state)
{
	int fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(ftruncate(fd, sizeof(struct rs_stats)), 0);
	assert_null(rs_stats_map(fd, false)); /* not sealed */
	fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
	assert_null(rs_stats_map(fd, false)); /* too short */
}

static void stats__times_fall_into_their_buckets(void **state)
{
	struct rs_stats *page;
	int fd;

	assert_int_equal(rs_stats_create(&fd, &page), 0);
	rs_stats_use(page);
	memset(page, 0, sizeof(*page));
	rs_stats_time(RS_STAT_LOGIN_TIME, 0);
	rs_stats_time(RS_STAT_LOGIN_TIME, 1000);
	rs_stats_time(RS_STAT_LOGIN_TIME, 1001);
	rs_stats_time(RS_STAT_LOGIN_TIME, 60000000);
	rs_stats_time(RS_STAT_LOGIN_TIME, 60000001);
	assert_int_equal(page->rows[RS_STAT_LOGIN_TIME], 2);
	assert_int_equal(page->rows[RS_STAT_LOGIN_TIME + 1], 1);
	assert_int_equal(page->rows[RS_STAT_LOGIN_TIME + RS_STATS_TIMES_N - 2], 1);
	assert_int_equal(page->rows[RS_STAT_LOGIN_TIME + RS_STATS_TIMES_N - 1], 1);
	assert_int_equal(page->rows[RS_STAT_LOGIN_TIME + RS_STATS_TIMES_N], 120002002);
	close(fd);
}

static void stats__mechanisms_have_names(void **state)
{
	assert_int_equal(rs_stats_mech_of(rs_slice_str("plain")), RS_STATS_PLAIN);
	assert_int_equal(
		rs_stats_mech_of(rs_slice_str("SCRAM-SHA-256-PLUS")), RS_STATS_SCRAM_SHA_256_PLUS);
	assert_int_equal(rs_stats_mech_of(rs_slice_str("SCRAM-SHA-256")), RS_STATS_SCRAM_SHA_256);
	assert_int_equal(rs_stats_mech_of(rs_slice_str("PLAI")), RS_STATS_OTHER_MECH);
	assert_int_equal(rs_stats_mech_of(rs_slice(NULL, 0)), RS_STATS_OTHER_MECH);
}

/* --- who may say what ---------------------------------------------------------------------- */

static void msg__only_the_admin_role_may_ask(void **state)
{
	static const enum rs_role others[] = {RS_ROLE_FRONT, RS_ROLE_AUTH, RS_ROLE_STORE};

	assert_true(rs_msg_may(RS_ROLE_ADMIN, RS_ROLE_MASTER, RS_MSG_RELOAD));
	assert_true(rs_msg_may(RS_ROLE_ADMIN, RS_ROLE_FRONT, RS_MSG_KICK));
	for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
		assert_false(rs_msg_may(others[i], RS_ROLE_MASTER, RS_MSG_RELOAD));
		assert_false(rs_msg_may(others[i], RS_ROLE_FRONT, RS_MSG_KICK));
		assert_false(rs_msg_may(RS_ROLE_MASTER, others[i], RS_MSG_PAGE));
		assert_true(rs_msg_may(RS_ROLE_MASTER, others[i], RS_MSG_DRAIN));
		for (int type = RS_MSG_START; type < RS_MSG_TYPE_N; type++) {
			/* it sees no mail and no password, and nobody is led to believe that it may */
			if (others[i] != RS_ROLE_FRONT)
				assert_false(rs_msg_may(
					RS_ROLE_ADMIN, others[i], (enum rs_msg_type)type));
			if (type != RS_MSG_ASK_SESSIONS && type != RS_MSG_KICK)
				assert_false(rs_msg_may(
					RS_ROLE_ADMIN, RS_ROLE_FRONT, (enum rs_msg_type)type));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(admin__requests_that_are_right),
		cmocka_unit_test(admin__requests_that_are_wrong_change_nothing),
		cmocka_unit_test(admin__a_request_has_a_ceiling),
		cmocka_unit_test(metrics__http_is_taken_at_its_end_and_not_before),
		cmocka_unit_test(metrics__a_request_has_a_ceiling),
		cmocka_unit_test(metrics__an_answer_says_its_length_and_type),
		cmocka_unit_test(metrics__every_row_is_told),
		cmocka_unit_test(stats__a_page_is_shared_and_outlives_its_process),
		cmocka_unit_test(stats__what_could_shrink_is_no_page),
		cmocka_unit_test(stats__times_fall_into_their_buckets),
		cmocka_unit_test(stats__mechanisms_have_names),
		cmocka_unit_test(msg__only_the_admin_role_may_ask),
	};

	return cmocka_run_group_tests_name("admin", tests, NULL, NULL);
}
