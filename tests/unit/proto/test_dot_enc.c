/* the sending half of dot-stuffing: line ends, dots, TOP, counting; the same under every cut. */
#include "tests/unit/test.h"

#include "base/base.h"
#include "proto/dot.h"
#include "tests/unit/guard.h"

struct row {
	const char *in;
	int64_t top;
	const char *out; /* with the final dot */
};

static const struct row rows[] = {
	{"", -1, ".\r\n"}, {"\n", -1, "\r\n.\r\n"}, {"\r\n", -1, "\r\n.\r\n"},
	{"a", -1, "a\r\n.\r\n"}, {"a\n", -1, "a\r\n.\r\n"}, {"a\r\n", -1, "a\r\n.\r\n"},
	{"a\r", -1, "a\r\r\n.\r\n"}, /* a lone CR is data */
	{"\r", -1, "\r\r\n.\r\n"}, {"a\rb\r\rc\r\r\n", -1, "a\rb\r\rc\r\r\n.\r\n"},
	{".", -1, "..\r\n.\r\n"}, {".\n..\n", -1, "..\r\n...\r\n.\r\n"},
	{"a.\n.b\r\n.\r\n", -1, "a.\r\n..b\r\n..\r\n.\r\n"},
	{"\r.\n", -1, "\r.\r\n.\r\n"}, /* behind a lone CR no line begins */
	{"H: 1\n\nb\n", 0, "H: 1\r\n\r\n.\r\n"}, {"H: 1\r\n\r\nb\r\n", 0, "H: 1\r\n\r\n.\r\n"},
	{"H: 1\n\none\ntwo\n", 1, "H: 1\r\n\r\none\r\n.\r\n"},
	{"H: 1\n\n.one\n\ntwo", 2, "H: 1\r\n\r\n..one\r\n\r\n.\r\n"},
	{"H: 1\n\none\ntwo", 2, "H: 1\r\n\r\none\r\ntwo\r\n.\r\n"},
	{"H: 1\n\none\n", INT64_MAX, "H: 1\r\n\r\none\r\n.\r\n"},
	{"H: 1\nonly header\n", 0, "H: 1\r\nonly header\r\n.\r\n"},
	{"\nbody\n", 0, "\r\n.\r\n"}, /* no header at all */
	{"\r\rH\n\nb\n", 0, "\r\rH\r\n\r\n.\r\n"},
	{"\r\r\nx\n\nb\n", 0, "\r\r\nx\r\n\r\n.\r\n"}, /* CR CR LF is no empty line */
};

/* Encode `in` in chunks into a window of out_n octets; both against unreadable pages. */
static size_t encode(
	const struct row *r, size_t chunk, size_t out_n, uint8_t *out, uint64_t *octets)
{
	struct rs_dot_enc e;
	size_t n = strlen(r->in);
	size_t at = 0;
	size_t o = 0;
	uint64_t before_end;
	size_t end_n;

	rs_dot_enc_init(&e, r->top);
	while (at < n) {
		struct guard in;
		struct guard window;
		size_t used;
		size_t made;

		guard_init(&in, r->in + at, RS_MIN(chunk, n - at));
		guard_init(&window, out + o, out_n);
		made = rs_dot_enc(&e, in.p, in.n, &used, window.p, out_n);
		assert_true(used <= in.n && made <= out_n);
		assert_true(used > 0 || made > 0);
		memcpy(out + o, window.p, made);
		o += made;
		at += used;
		guard_finish(&window);
		guard_finish(&in);
	}
	before_end = rs_dot_enc_octets(&e);
	end_n = rs_dot_enc_end(&e, out + o);
	assert_true(end_n <= 5);
	*octets = e.octets;
	assert_int_equal(before_end, e.octets); /* "what it would be after the end" */
	return o + end_n;
}

static void dot_enc__rows_under_every_chunk_and_window(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		for (size_t chunk = 1; chunk <= strlen(rows[i].in) + 1; chunk++) {
			for (size_t out_n = 8; out_n < 20; out_n += 3) {
				uint8_t out[256] = {0};
				uint64_t octets;
				size_t n = encode(&rows[i], chunk, out_n, out, &octets);

				assert_int_equal(n, strlen(rows[i].out));
				assert_memory_equal(out, rows[i].out, n);
			}
		}
	}
}

/* What is counted is what is sent, without stuffing and without the final line. */
static void dot_enc__counts_octets_of_the_message(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint8_t out[256] = {0};
		uint64_t octets;
		size_t n = encode(&rows[i], 1000, 64, out, &octets);
		size_t stuffed = 0;
		struct rs_wire_count w;

		for (size_t at = 0; at + 3 < n; at++)
			stuffed += out[at] == '.' && (at == 0 || out[at - 1] == '\n');
		assert_int_equal(octets, n - 3 - stuffed);
		rs_wire_count_init(&w);
		rs_wire_count_add(&w, (const uint8_t *)rows[i].in, strlen(rows[i].in));
		if (rows[i].top < 0)
			assert_int_equal(rs_wire_count_end(&w), octets);
	}
}

static void wire_count__same_under_every_chunk(void **state)
{
	static const char text[] = "a\r\nb\n\r\r\n\n.\nlast\r";

	for (size_t chunk = 1; chunk < sizeof(text); chunk++) {
		struct rs_wire_count w;

		rs_wire_count_init(&w);
		for (size_t at = 0; at < sizeof(text) - 1; at += chunk) {
			struct guard g;

			guard_init(&g, text + at, RS_MIN(chunk, sizeof(text) - 1 - at));
			rs_wire_count_add(&w, g.p, g.n);
			guard_finish(&g);
		}
		/* 16 stored, 3 bare LF, CRLF behind the lone CR at the end */
		assert_int_equal(rs_wire_count_end(&w), sizeof(text) - 1 + 3 + 2);
	}
}

/* TOP: behind the lines asked for, input is taken and thrown away. */
static void dot_enc__done_takes_all_and_writes_nothing(void **state)
{
	struct rs_dot_enc e;
	uint8_t out[64];
	size_t used;

	rs_dot_enc_init(&e, 0);
	assert_int_equal(rs_dot_enc(&e, (const uint8_t *)"a\n\nbody", 7, &used, out, 64), 5);
	assert_true(e.done);
	assert_int_equal(used, 7);
	assert_int_equal(rs_dot_enc(&e, (const uint8_t *)"more\n", 5, &used, out, 64), 0);
	assert_int_equal(used, 5);
	assert_int_equal(rs_dot_enc_octets(&e), 5);
}

/* A run longer than the output, and one without any line end at all. */
static void dot_enc__long_lines(void **state)
{
	enum { N = 100000 };
	uint8_t *in = malloc(N);
	uint8_t *out = malloc(N + 16);
	struct rs_dot_enc e;
	size_t at = 0;
	size_t o = 0;

	assert_non_null(in);
	assert_non_null(out);
	memset(in, 'x', N);
	rs_dot_enc_init(&e, -1);
	while (at < N) {
		size_t used;

		o += rs_dot_enc(&e, in + at, N - at, &used, out + o, RS_MIN(997, N + 16 - o));
		at += used;
	}
	o += rs_dot_enc_end(&e, out + o);
	assert_int_equal(o, N + 5);
	assert_memory_equal(out, in, N);
	assert_memory_equal(out + N, "\r\n.\r\n", 5);
	free(in);
	free(out);
}

/* Chance that is the same every time. */
static size_t chance(size_t below)
{
	static uint32_t x = 2463534242u;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x % below;
}

/* Octets of what a message may hold, with runs longer than a block is. */
static size_t random_message(uint8_t *out, size_t max)
{
	static const char few[] = "a.\r\n\n";
	size_t n = chance(max);

	for (size_t i = 0; i < n;) {
		size_t run = chance(3) ? 1 : chance(150);
		uint8_t c = (uint8_t)few[chance(sizeof(few) - 1)];

		for (; run && i < n; run--)
			out[i++] = c;
	}
	return n;
}

static size_t encode_randomly(
	const uint8_t *in, size_t n, int64_t top, uint8_t *out, size_t out_n, uint64_t *octets)
{
	struct rs_dot_enc e;
	size_t o = 0;

	rs_dot_enc_init(&e, top);
	for (size_t at = 0; at < n;) {
		size_t chunk = 1 + chance(400);
		size_t window = 8 + chance(500);
		size_t used;

		o += rs_dot_enc(&e, in + at, RS_MIN(n - at, chunk), &used, out + o,
			RS_MIN(out_n - o, window));
		at += used;
	}
	*octets = rs_dot_enc_octets(&e);
	return o + rs_dot_enc_end(&e, out + o);
}

/* A whole message goes block by block, one whose lines are counted does not: the same comes of it. */
static void dot_enc__whole_is_as_line_by_line(void **state)
{
	enum { N = 2000 };
	static uint8_t in[N];
	static uint8_t fast[2 * N + 600];
	static uint8_t slow[2 * N + 600];

	for (int i = 0; i < 4000; i++) {
		size_t n = random_message(in, N);
		struct guard g;
		uint64_t fast_octets;
		uint64_t slow_octets;
		size_t a;
		size_t b;

		guard_init(&g, in, n);
		a = encode_randomly(g.p, n, -1, fast, sizeof(fast), &fast_octets);
		b = encode_randomly(g.p, n, INT64_MAX, slow, sizeof(slow), &slow_octets);
		guard_finish(&g);
		assert_int_equal(a, b);
		assert_memory_equal(fast, slow, a);
		assert_true(fast_octets == slow_octets);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dot_enc__rows_under_every_chunk_and_window),
		cmocka_unit_test(dot_enc__counts_octets_of_the_message),
		cmocka_unit_test(wire_count__same_under_every_chunk),
		cmocka_unit_test(dot_enc__done_takes_all_and_writes_nothing),
		cmocka_unit_test(dot_enc__long_lines),
		cmocka_unit_test(dot_enc__whole_is_as_line_by_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
