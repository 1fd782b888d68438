/* random sessions against a model of the maildrop that is too small to be wrong: sizes, UIDs, one flag a
 * message. Whatever STAT, LIST, UIDL, DELE, RSET, NOOP, RETR, TOP and QUIT say must be what it says. */
#include "tests/unit/test.h"

#include "base/err.h"
#include "proto/pop3s.h"

#define SESSIONS 300u
#define COMMANDS 60u
#define ROWS_MAX 20u

/* --- the model ----------------------------------------------------------------------------- */

struct model {
	unsigned n;
	unsigned octets[ROWS_MAX];
	bool gone[ROWS_MAX];
};

static unsigned left(const struct model *m, unsigned *octets)
{
	unsigned n = 0;

	*octets = 0;
	for (unsigned i = 0; i < m->n; i++) {
		n += !m->gone[i];
		*octets += m->gone[i] ? 0 : m->octets[i];
	}
	return n;
}

static bool there(const struct model *m, unsigned number)
{
	return number >= 1 && number <= m->n && !m->gone[number - 1];
}

/* --- the session --------------------------------------------------------------------------- */

struct session {
	struct rs_pop3s *engine;
	struct rs_drop drop;
	struct model m;
	uint32_t random;
	char said[8192];
	size_t said_n;
	struct rs_pop3s_event ev;
};

/* Numerical Recipes' generator: the same sessions on every machine. */
static unsigned pick(struct session *t, unsigned below)
{
	t->random = t->random * 1664525u + 1013904223u;
	return (t->random >> 8) % below;
}

static enum rs_step ask(struct session *t, const char *text)
{
	size_t n = strlen(text);
	size_t used = 0;
	enum rs_step step = RS_MORE;

	t->said_n = 0;
	while (n && step != RS_EVENT) {
		size_t chunk = 1 + pick(t, 9);
		struct rs_slice out;

		chunk = RS_MIN(chunk, n);
		step = rs_pop3s_recv(t->engine, (const uint8_t *)text, chunk, &used, &t->ev);
		text += used;
		n -= used;
		while ((out = rs_pop3s_out(t->engine)).n) {
			assert_true(t->said_n + out.n < sizeof(t->said));
			memcpy(t->said + t->said_n, out.p, out.n);
			t->said_n += out.n;
			rs_pop3s_sent(t->engine, out.n);
		}
	}
	t->said[t->said_n] = 0;
	return step;
}

static void expect_err(struct session *t)
{
	assert_memory_equal(t->said, "-ERR ", 5);
	assert_ptr_equal(strchr(t->said, '\n'), t->said + t->said_n - 1); /* one line */
}

static void do_stat(struct session *t)
{
	char want[64];
	unsigned octets;
	unsigned n = left(&t->m, &octets);

	(void)ask(t, "STAT\r\n");
	(void)snprintf(want, sizeof(want), "+OK %u %u\r\n", n, octets);
	assert_string_equal(t->said, want);
}

static void row_text(const struct session *t, char *out, size_t out_n, bool uids, unsigned row)
{
	if (uids)
		(void)snprintf(out, out_n, "%u uid%u\r\n", row + 1, row);
	else
		(void)snprintf(out, out_n, "%u %u\r\n", row + 1, t->m.octets[row]);
}

static void do_all(struct session *t, bool uids)
{
	const char *at;

	(void)ask(t, uids ? "UIDL\r\n" : "LIST\r\n");
	assert_memory_equal(t->said, "+OK", 3);
	at = strchr(t->said, '\n') + 1;
	for (unsigned i = 0; i < t->m.n; i++) {
		char want[64];

		if (t->m.gone[i])
			continue;
		row_text(t, want, sizeof(want), uids, i);
		assert_memory_equal(at, want, strlen(want));
		at += strlen(want);
	}
	assert_string_equal(at, ".\r\n");
}

static void do_one(struct session *t, bool uids, unsigned number)
{
	char text[64];
	char want[80] = "+OK ";

	(void)snprintf(text, sizeof(text), "%s %u\r\n", uids ? "UIDL" : "LIST", number);
	(void)ask(t, text);
	if (!there(&t->m, number)) {
		expect_err(t);
		return;
	}
	row_text(t, want + 4, sizeof(want) - 4, uids, number - 1);
	assert_string_equal(t->said, want);
}

static void do_dele(struct session *t, unsigned number)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "dele %u\r\n", number);
	(void)ask(t, text);
	if (!there(&t->m, number)) {
		expect_err(t);
		return;
	}
	assert_memory_equal(t->said, "+OK", 3);
	t->m.gone[number - 1] = true;
}

static void do_retr(struct session *t, unsigned number, bool top)
{
	char text[64];

	(void)snprintf(text, sizeof(text), top ? "TOP %u 3\r\n" : "RETR %u\r\n", number);
	if (!there(&t->m, number)) {
		assert_int_equal(ask(t, text), RS_MORE);
		expect_err(t);
		return;
	}
	assert_int_equal(ask(t, text), RS_EVENT);
	assert_int_equal(t->ev.kind, RS_S_OPEN);
	assert_int_equal(t->ev.msg, number - 1);
	assert_int_equal(t->ev.top, top ? 3 : -1);
	rs_pop3s_body_begin(t->engine);
	assert_int_equal(rs_pop3s_body(t->engine, (const uint8_t *)"x\n", 2), 2);
	assert_true(rs_pop3s_body_end(t->engine));
	(void)ask(t, "NOOP\r\n");
	assert_non_null(strstr(t->said, "\r\nx\r\n.\r\n+OK"));
}

static void do_rset(struct session *t)
{
	(void)ask(t, "RSET\r\n");
	assert_memory_equal(t->said, "+OK", 3);
	memset(t->m.gone, 0, sizeof(t->m.gone));
}

static void do_quit(struct session *t)
{
	uint32_t marked;
	const uint8_t *marks;
	unsigned octets;

	assert_int_equal(ask(t, "QUIT\r\n"), RS_EVENT);
	assert_int_equal(t->ev.kind, RS_S_COMMIT);
	marks = rs_pop3s_marks(t->engine, &marked);
	assert_int_equal(marked, t->m.n - left(&t->m, &octets));
	for (unsigned i = 0; i < t->m.n; i++)
		assert_int_equal(rs_marks_get(marks, i), t->m.gone[i]);
	rs_pop3s_committed(t->engine, 0, RS_POP3_CODE_NONE);
}

static void step_once(struct session *t)
{
	unsigned number = pick(t, t->m.n + 3); /* 0, the rows, two behind them */

	switch (pick(t, 12)) {
	case 0:
		do_stat(t);
		break;
	case 1:
	case 2:
		do_all(t, pick(t, 2));
		break;
	case 3:
	case 4:
		do_one(t, pick(t, 2), number);
		break;
	case 5:
		do_retr(t, number, pick(t, 2));
		break;
	case 6:
		if (pick(t, 4) == 0)
			do_rset(t);
		break;
	default:
		do_dele(t, number);
		break;
	}
}

static uint8_t *build(struct session *t)
{
	struct rs_drop_builder b;
	uint8_t *image;
	char uid[16];

	t->m.n = pick(t, ROWS_MAX + 1);
	rs_drop_builder_init(&b);
	for (unsigned i = 0; i < t->m.n; i++) {
		t->m.octets[i] = pick(t, 100000);
		(void)snprintf(uid, sizeof(uid), "uid%u", i);
		assert_int_equal(rs_drop_builder_add(&b, t->m.octets[i], rs_slice_str(uid)), 0);
	}
	image = malloc(rs_drop_builder_image_n(&b));
	assert_non_null(image);
	rs_drop_builder_image(&b, image);
	assert_int_equal(rs_drop_open(rs_slice(image, rs_drop_builder_image_n(&b)), &t->drop), 0);
	rs_drop_builder_finish(&b);
	return image;
}

static void session(uint32_t seed)
{
	struct rs_pop3s_cfg cfg = {.flags = RS_POP3S_CLEARTEXT, .limits = rs_pop3s_limits_default};
	struct session t = {.random = seed};
	uint8_t *image = build(&t);

	assert_int_equal(rs_pop3s_create(&cfg, &t.engine), 0);
	(void)ask(&t, "USER a\r\n");
	assert_int_equal(ask(&t, "PASS b\r\n"), RS_EVENT);
	assert_int_equal(rs_pop3s_login_ok(t.engine, &t.drop), 0);
	(void)ask(&t, "NOOP\r\n");
	for (unsigned i = 0; i < COMMANDS; i++)
		step_once(&t);
	do_quit(&t);
	rs_pop3s_destroy(&t.engine);
	free(image);
}

static void pop3s__random_sessions_agree_with_the_model(void **state)
{
	for (uint32_t seed = 1; seed <= SESSIONS; seed++)
		session(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pop3s__random_sessions_agree_with_the_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
