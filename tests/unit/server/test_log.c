/* The log: one line an event, and a line is a line whatever the values are. */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <glib.h>
#include <json-glib/json-glib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/log.h"
#include "server/msg.h"

static const char *const hostile[] = {"plain", "", "two words", "a\"b", "back\\slash", "a=b",
	"line\nbreak", "\r\n{\"event\":\"login\"}", "\x01\x1b[31m", "\x7f", "\xff\xfe",
	"\xed\xa0\x80", "\xf0\x9f", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xe2\x80\xa8",
	"\"},{\""};

/* What is written to the log while `value` is logged. */
static char *logged(bool json, const char *value)
{
	int file = memfd_create("log", MFD_CLOEXEC);
	int real = dup(STDERR_FILENO);
	char *text = g_malloc0(65536);

	assert_true(dup2(file, STDERR_FILENO) >= 0);
	rs_log_init("front7", json, RS_LOG_INFO);
	rs_log(RS_LOG_DEBUG, "unseen", "x", value, NULL);
	rs_log(RS_LOG_WARNING, "event", "id", "1", "value", value, "none", NULL, "last", "z", NULL);
	assert_true(dup2(real, STDERR_FILENO) >= 0);
	close(real);
	assert_true(pread(file, text, 65535, 0) > 0);
	close(file);
	return text;
}

static void log__json_is_one_object_a_line(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(hostile); i++) {
		g_autofree char *line = logged(true, hostile[i]);
		g_autofree char *valid = g_utf8_make_valid(hostile[i], -1);
		g_autoptr(JsonParser) p = json_parser_new();
		JsonObject *o;

		assert_true(g_utf8_validate(line, -1, NULL));
		assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
		for (const char *c = line; c[1]; c++)
			assert_true((guchar)*c >= 0x20 && *c != 0x7f);
		assert_true(json_parser_load_from_data(p, line, -1, NULL));
		o = json_node_get_object(json_parser_get_root(p));
		assert_string_equal(json_object_get_string_member(o, "value"), valid);
		assert_string_equal(json_object_get_string_member(o, "last"), "z");
		assert_string_equal(json_object_get_string_member(o, "role"), "front7");
		assert_string_equal(json_object_get_string_member(o, "level"), "warning");
		assert_string_equal(json_object_get_string_member(o, "event"), "event");
		assert_int_equal(json_object_get_size(o),
			7); /* and time and id; no member of the stranger's */
	}
}

static void log__text_is_one_line_too(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(hostile); i++) {
		g_autofree char *line = logged(false, hostile[i]);

		assert_true(g_utf8_validate(line, -1, NULL));
		assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
		assert_true(g_str_has_suffix(line, " last=z\n"));
		assert_non_null(strstr(line, " warning front7 event id=1 value="));
	}
}

static void log__a_long_value_is_cut(void **state)
{
	for (size_t n = 511; n <= 513; n++) {
		g_autofree char *value = g_strnfill(n, 'x');
		g_autofree char *line = logged(true, value);
		const char *from = strstr(line, "\"value\":\"") + strlen("\"value\":\"");

		assert_int_equal(strspn(from, "x"), MIN(n, 512u));
		assert_int_equal(g_str_has_prefix(from + strspn(from, "x"), "..."), n > 512);
	}
}

/* The upper bits of a number are the connection's id, the lower count its transactions. */
static void log__an_id_is_that_of_the_connection(void **state)
{
	uint64_t conn = UINT64_C(0x0123456789a) << RS_MSG_TXN_BITS;

	assert_string_equal(rs_log_id(conn), "0123456789a");
	assert_string_equal(rs_log_id(conn + 7), "0123456789a");
	assert_null(rs_log_txn(conn));
	assert_string_equal(rs_log_txn(conn + 7), "7");
	assert_string_equal(rs_log_txn(conn + RS_MSG_TXN_MASK), "1048575");
}

/* What is in the file that stands in for the log. */
static char *so_far(int file)
{
	char *text = g_malloc0(65536);

	assert_true(pread(file, text, 65535, 0) >= 0);
	return text;
}

static unsigned lines_in(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void *in_a_thread(void *arg)
{
	rs_log(RS_LOG_INFO, "of-a-worker", NULL);
	return NULL;
}

/* Lines of one turn leave together, in order; nobody waits for what must be seen; no piece is longer than a
 * pipe takes whole; other threads are not concerned. */
static void log__lines_gather_until_flushed(void **state)
{
	int file = memfd_create("log", MFD_CLOEXEC);
	int real = dup(STDERR_FILENO);
	g_autofree char *value = g_strnfill(500, 'x');
	g_autofree char *none = NULL;
	g_autofree char *worker = NULL;
	g_autofree char *flushed = NULL;
	g_autofree char *warned = NULL;
	g_autofree char *much = NULL;

	rs_log_init("front7", false, RS_LOG_INFO);
	assert_true(dup2(file, STDERR_FILENO) >= 0);
	rs_log_gather();
	rs_log(RS_LOG_INFO, "first", NULL);
	rs_log(RS_LOG_INFO, "second", NULL);
	none = so_far(file);
	g_thread_join(g_thread_new("worker", in_a_thread, NULL));
	worker = so_far(file);
	rs_log_flush();
	rs_log_flush();
	flushed = so_far(file);
	rs_log(RS_LOG_INFO, "third", NULL);
	rs_log(RS_LOG_WARNING, "fourth", NULL);
	warned = so_far(file);
	for (int i = 0; i < 9; i++)
		rs_log(RS_LOG_INFO, "much", "x", value, NULL);
	much = so_far(file);
	rs_log_flush();
	assert_true(dup2(real, STDERR_FILENO) >= 0);
	close(real);
	close(file);
	assert_string_equal(none, "");
	assert_int_equal(lines_in(worker), 1);
	assert_int_equal(lines_in(flushed), 3);
	assert_true(strstr(flushed, "first") < strstr(flushed, "second"));
	assert_int_equal(lines_in(warned), 5);
	assert_true(strstr(warned, "third") < strstr(warned, "fourth"));
	assert_int_equal(lines_in(much), 5 + 7); /* 7 of 540 octets are a piece; the others wait */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(log__json_is_one_object_a_line),
		cmocka_unit_test(log__text_is_one_line_too),
		cmocka_unit_test(log__a_long_value_is_cut),
		cmocka_unit_test(log__an_id_is_that_of_the_connection),
		cmocka_unit_test(log__lines_gather_until_flushed),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
