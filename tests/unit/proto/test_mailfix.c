/* Where the header of a message ends, and what it lacks. */
#include "tests/unit/test.h"

#include "proto/mailfix.h"

struct row {
	const char *message;
	size_t at; /* of the insertion */
	bool date;
	bool id;
	bool blank;
	bool cut;
};

static const struct row rows[] = {
	{"Subject: x\r\n\r\nDate: y\r\n", 12, false, false, false, false},
	{"date: x\r\nMESSAGE-ID:\r\n <a@b>\r\n\r\nx\r\n", 30, true, true, false, false},
	{"Date : x\r\n\r\n", 10, true, false, false, false},
	{"Dates: x\nX-Date: y\n\nx\n", 19, false, false, false, false},
	{"\r\nbody\r\n", 0, false, false, false, false},
	{"Hello,\r\nDate: x\r\n", 0, false, false, true, false},
	{"Subject: x\r\nHello you\r\n", 12, false, false, true, false},
	{" Date: x\r\n", 0, false, false, true, false},
	{": x\r\n", 0, false, false, true, false},
	{"Subject: x\r\n", 12, false, false, false, false},
	{"Subject: x", 10, false, false, false, true},
	{"Subject", 0, false, false, true, false},
	{"", 0, false, false, true, false},
	{"S\x80: x\r\n", 0, false, false, true, false},
	{"Da te: x\r\n", 0, false, false, true, false},
};

/* In pieces of `chunk`; checks that the spans are the message and there is one insertion. */
static void run(const struct row *row, size_t chunk)
{
	const uint8_t *in = (const uint8_t *)row->message;
	size_t n = strlen(row->message);
	struct rs_mailfix f;
	struct rs_slice span;
	enum rs_mailfix_step step;
	size_t out_n = 0;
	size_t at = 0;
	size_t inserted = SIZE_MAX;

	rs_mailfix_init(&f);
	for (;;) {
		size_t used = 0;

		step = at < n ? rs_mailfix(&f, in + at, RS_MIN(chunk, n - at), &used, &span)
			      : rs_mailfix_end(&f, &span);
		if (step == RS_MAILFIX_INSERT) {
			assert_int_equal(inserted, SIZE_MAX);
			inserted = out_n;
		} else if (step == RS_MAILFIX_SPAN) {
			assert_memory_equal(span.p, in + out_n, span.n);
			out_n += span.n;
		} else if (at == n) {
			break;
		}
		at += used;
	}
	assert_int_equal(out_n, n);
	assert_int_equal(inserted, row->at);
	assert_int_equal(f.has_date, row->date);
	assert_int_equal(f.has_id, row->id);
	assert_int_equal(f.blank, row->blank);
	assert_int_equal(f.cut, row->cut);
}

static void mailfix__rows_under_every_chunk(void **state)
{
	for (size_t i = 0; i < RS_ARRAY_N(rows); i++) {
		for (size_t chunk = 1; chunk <= strlen(rows[i].message) + 1; chunk++)
			run(&rows[i], chunk);
	}
}

/* A name of 77 octets is one; of 78 it is the body. */
static void mailfix__name_at_its_ceiling(void **state)
{
	for (size_t n = RS_MAILFIX_NAME_MAX - 1; n <= RS_MAILFIX_NAME_MAX + 1; n++) {
		char message[128];
		bool fits = n <= RS_MAILFIX_NAME_MAX;
		struct row row = {.message = message, .at = fits ? n + 5 : 0, .blank = !fits};

		memset(message, 'x', n);
		memcpy(message + n, ": y\r\n\r\n", 8);
		run(&row, 1);
		run(&row, 200);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mailfix__rows_under_every_chunk),
		cmocka_unit_test(mailfix__name_at_its_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
