/* the receiving half of dot-stuffing: what ends a message and what does not, under every cut. */
#include "tests/unit/test.h"

#include "base/base.h"
#include "proto/dot.h"
#include "tests/unit/guard.h"

#define NO_END SIZE_MAX

struct row {
	const char *in;
	const char *strict; /* the message; NULL: not ended by the octets of `in` */
	const char *lenient;
	size_t strict_rest; /* octets behind the end */
	size_t lenient_rest;
};

/* A server that takes mail in is strict: no LF or CR alone ever ends a message (smuggling). */
static const struct row rows[] = {
	{".\r\n", "", "", 0, 0},
	{".\r\nrest", "", "", 4, 4},
	{"a\r\n.\r\n", "a\r\n", "a\r\n", 0, 0},
	{"a\r\n..\r\n.\r\n", "a\r\n.\r\n", "a\r\n.\r\n", 0, 0},
	{"a\r\n..b\r\n...\r\n.\r\n", "a\r\n.b\r\n..\r\n", "a\r\n.b\r\n..\r\n", 0, 0},
	{"a.\r\n.\r\n", "a.\r\n", "a.\r\n", 0, 0},
	{"a\r\n.x\r\n.\r\n", "a\r\nx\r\n", "a\r\nx\r\n", 0, 0}, /* a dot that nobody stuffed */
	{"a\n.\nb\r\n.\r\n", "a\n.\nb\r\n", "a\n", 0, 6},
	{"a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n", "a\n", 0, 6},
	{"a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n", "a\r\n", 0, 6},
	{"a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n", "a\r\n\rb\r\n", 0, 0},
	{"a\r\n.\r\r\n.\r\n", "a\r\n\r\r\n", "a\r\n\r\r\n", 0, 0},
	{"a\r.\r\n.\r\n", "a\r.\r\n", "a\r.\r\n", 0, 0},
	{"\r\n.\r\n", "\r\n", "\r\n", 0, 0},
	{"a\n.\n", NULL, "a\n", 0, 0},
	{"a\r\n.\r", NULL, NULL, 0, 0},
	{"a\r\n.", NULL, NULL, 0, 0},
	{"", NULL, NULL, 0, 0},
};

/* Decode in chunks, each against an unreadable page; octets behind the end, or NO_END. */
static size_t decode(const char *in, size_t chunk, bool lenient, char *out, size_t *out_n)
{
	size_t n = strlen(in);
	struct rs_dot_dec d;
	size_t at = 0;

	rs_dot_dec_init(&d, lenient);
	*out_n = 0;
	while (at < n) {
		struct guard g;
		struct rs_slice span;
		enum rs_dot_step step;
		size_t used;

		guard_init(&g, in + at, RS_MIN(chunk, n - at));
		step = rs_dot_dec(&d, g.p, g.n, &used, &span);
		assert_true(used <= g.n);
		if (step == RS_DOT_MORE)
			assert_int_equal(used, g.n);
		if (step == RS_DOT_SPAN) {
			assert_true(span.n > 0);
			memcpy(out + *out_n, span.p, span.n);
			*out_n += span.n;
		}
		guard_finish(&g);
		at += used;
		assert_int_equal(d.octets, *out_n);
		if (step == RS_DOT_END)
			return n - at;
	}
	return NO_END;
}

static void both(const struct row *r, size_t chunk)
{
	for (unsigned lenient = 0; lenient < 2; lenient++) {
		const char *want = lenient ? r->lenient : r->strict;
		char out[64];
		size_t n;
		size_t rest = decode(r->in, chunk, lenient, out, &n);

		if (!want) {
			assert_int_equal(rest, NO_END);
			continue;
		}
		assert_int_equal(rest, lenient ? r->lenient_rest : r->strict_rest);
		assert_int_equal(n, strlen(want));
		assert_memory_equal(out, want, n);
	}
}

static void dot_dec__rows_under_every_chunk(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		for (size_t chunk = 1; chunk <= strlen(rows[i].in) + 1; chunk++)
			both(&rows[i], chunk);
	}
}

/* A message in one piece comes out in a few long spans, not octet by octet. */
static void dot_dec__whole_runs_are_one_span(void **state)
{
	enum { N = 60000 };
	uint8_t *in = malloc(N);
	struct rs_dot_dec d;
	struct rs_slice span;
	size_t used;

	assert_non_null(in);
	for (size_t i = 0; i < N; i++)
		in[i] = i % 80 == 79 ? '\n' : i % 80 == 78 ? '\r' : 'x';
	rs_dot_dec_init(&d, false);
	assert_int_equal(rs_dot_dec(&d, in, N, &used, &span), RS_DOT_SPAN);
	assert_int_equal(used, N);
	assert_int_equal(span.n, N);
	assert_ptr_equal(span.p, in); /* borrowed, not copied */
	free(in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dot_dec__rows_under_every_chunk),
		cmocka_unit_test(dot_dec__whole_runs_are_one_span),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
