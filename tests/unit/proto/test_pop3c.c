/* the POP3 client engine: its limits, its memory, its owner's side of the contract. What is said on the
 * wire is proved by the transcripts (tests/script). */
#include "tests/unit/test.h"

#include "base/base.h"
#include "base/err.h"
#include "proto/pop3c.h"
#include "tests/unit/guard.h"

/* --- allocation: the n-th fails ------------------------------------------------------------ */

static unsigned fail_at; /* 0: none */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t of);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t of);
void *__wrap_realloc(void *p, size_t n);

static bool now(void)
{
	return fail_at && --fail_at == 0;
}

void *__wrap_malloc(size_t n)
{
	return now() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t of)
{
	return now() ? NULL : __real_calloc(n, of);
}

void *__wrap_realloc(void *p, size_t n)
{
	return now() ? NULL : __real_realloc(p, n);
}

/* --- driving ------------------------------------------------------------------------------- */

static struct rs_pop3c *begin(const struct rs_pop3c_limits *lim)
{
	struct rs_pop3c *c;

	assert_int_equal(rs_pop3c_create(lim ? lim : &rs_pop3c_limits_default, &c), 0);
	return c;
}

/* Feed all, against an unreadable page; the last step, and how many events came. */
static enum rs_step feed(struct rs_pop3c *c, const char *text, unsigned *events)
{
	struct guard g;
	size_t at = 0;
	unsigned n = 0;
	enum rs_step step;

	guard_init(&g, text, strlen(text));
	do {
		struct rs_pop3c_event ev;
		size_t used;

		step = rs_pop3c_recv(c, g.p + at, g.n - at, &used, &ev);
		at += used;
		assert_true(at <= g.n);
		n += step == RS_EVENT;
	} while (step == RS_EVENT);
	guard_finish(&g);
	if (events)
		*events = n;
	return step;
}

static void flush(struct rs_pop3c *c)
{
	rs_pop3c_sent(c, rs_pop3c_out(c).n);
}

static struct rs_pop3c *greeted(const struct rs_pop3c_limits *lim)
{
	struct rs_pop3c *c = begin(lim);

	assert_int_equal(feed(c, "+OK\r\n", NULL), RS_MORE);
	return c;
}

/* --- limits -------------------------------------------------------------------------------- */

static void pop3c__reply_line_at_its_ceiling(void **state)
{
	for (size_t n = 99; n <= 101; n++) {
		struct rs_pop3c_limits lim = rs_pop3c_limits_default;
		struct rs_pop3c *c;
		char text[128];

		lim.line_max = 100;
		c = begin(&lim);
		memset(text, 'x', n);
		memcpy(text, "+OK ", 4);
		memcpy(text + n - 2, "\r\n", 3);
		assert_int_equal(feed(c, text, NULL), n <= 100 ? RS_MORE : RS_FAILED);
		rs_pop3c_destroy(&c);
	}
}

static void pop3c__listing_at_its_ceiling(void **state)
{
	static const char *const lines[] = {"1 1\r\n", "1 1\r\n2 1\r\n", "1 1\r\n2 1\r\n3 1\r\n"};

	for (unsigned n = 1; n <= 3; n++) {
		struct rs_pop3c_limits lim = rs_pop3c_limits_default;
		struct rs_pop3c *c;
		unsigned events;

		lim.lines_max = 2;
		c = greeted(&lim);
		assert_int_equal(rs_pop3c_send(c, RS_POP3_LIST, 1, NULL), 0);
		assert_int_equal(feed(c, "+OK\r\n", NULL), RS_MORE);
		assert_int_equal(feed(c, lines[n - 1], &events), n <= 2 ? RS_MORE : RS_FAILED);
		assert_int_equal(events, RS_MIN(n, 2));
		rs_pop3c_destroy(&c);
	}
}

static void pop3c__body_at_its_ceiling(void **state)
{
	static const char *const bodies[] = {"xx\r\n.\r\n", "xxx\r\n.\r\n", "xxxx\r\n.\r\n"};

	for (unsigned n = 0; n < 3; n++) { /* 4, 5, 6 octets */
		struct rs_pop3c_limits lim = rs_pop3c_limits_default;
		struct rs_pop3c *c;

		lim.body_max = 5;
		c = greeted(&lim);
		assert_int_equal(rs_pop3c_send(c, RS_POP3_RETR, 1, "1"), 0);
		assert_int_equal(feed(c, "+OK\r\n", NULL), RS_MORE);
		assert_int_equal(feed(c, bodies[n], NULL), n < 2 ? RS_MORE : RS_FAILED);
		if (n == 2)
			assert_int_equal(rs_pop3c_error(c)->kind, RS_ELIMIT);
		rs_pop3c_destroy(&c);
	}
}

static void pop3c__depth_at_its_ceiling(void **state)
{
	struct rs_pop3c_limits lim = rs_pop3c_limits_default;
	struct rs_pop3c *c;

	lim.depth_max = 3;
	c = greeted(&lim);
	assert_int_equal(rs_pop3c_send(c, RS_POP3_NOOP, 1, NULL), 0);
	assert_int_equal(rs_pop3c_send(c, RS_POP3_NOOP, 2, NULL), -RS_EBUSY); /* not pipelining */
	rs_pop3c_pipelining(c, true);
	assert_int_equal(rs_pop3c_send(c, RS_POP3_NOOP, 2, NULL), 0);
	assert_int_equal(rs_pop3c_send(c, RS_POP3_NOOP, 3, NULL), 0);
	assert_int_equal(rs_pop3c_send(c, RS_POP3_NOOP, 4, NULL), -RS_EBUSY);
	assert_int_equal(feed(c, "+OK\r\n", NULL), RS_MORE);
	assert_int_equal(rs_pop3c_pending(c), 2);
	assert_int_equal(rs_pop3c_send(c, RS_POP3_NOOP, 4, NULL), 0);
	rs_pop3c_destroy(&c);
}

static void pop3c__command_of_254_255_256_octets(void **state)
{
	for (size_t n = 254; n <= 256; n++) {
		struct rs_pop3c *c = greeted(NULL);
		char arg[260];

		memset(arg, 'u', sizeof(arg));
		arg[n - strlen("USER ") - 2] = 0;
		assert_int_equal(rs_pop3c_send(c, RS_POP3_USER, 1, arg), n <= 255 ? 0 : -RS_EINVAL);
		assert_int_equal(rs_pop3c_out(c).n, n <= 255 ? n : 0);
		rs_pop3c_destroy(&c);
	}
}

/* --- commands ------------------------------------------------------------------------------ */

static void pop3c__what_would_be_two_commands_is_refused(void **state)
{
	struct rs_pop3c *c = greeted(NULL);

	assert_int_equal(rs_pop3c_send(c, RS_POP3_USER, 1, "a\r\nQUIT"), -RS_EINVAL);
	assert_int_equal(rs_pop3c_send(c, RS_POP3_USER, 1, "a\nQUIT"), -RS_EINVAL);
	assert_int_equal(rs_pop3c_send(c, RS_POP3_USER, 1, "a\r"), -RS_EINVAL);
	assert_int_equal(rs_pop3c_send(c, RS_POP3_USER, 1, NULL), -RS_EINVAL);
	assert_int_equal(rs_pop3c_send(c, RS_POP3_NOOP, 1, "x"), -RS_EINVAL);
	assert_int_equal(rs_pop3c_send(c, RS_POP3_AUTH, 1, "PLAIN"), -RS_EINVAL);
	assert_int_equal(rs_pop3c_auth(c, 1, "PLAIN\r\nQUIT", rs_slice(NULL, 0)), -RS_EINVAL);
	assert_int_equal(rs_pop3c_out(c).n, 0);
	rs_pop3c_destroy(&c);
}

static void pop3c__nothing_is_sent_before_the_greeting_or_behind_a_barrier(void **state)
{
	struct rs_pop3c *c = begin(NULL);

	rs_pop3c_pipelining(c, true);
	assert_int_equal(rs_pop3c_send(c, RS_POP3_CAPA, 1, NULL), -RS_EBUSY);
	assert_int_equal(feed(c, "+OK\r\n", NULL), RS_MORE);
	assert_int_equal(rs_pop3c_send(c, RS_POP3_STLS, 1, NULL), 0);
	assert_int_equal(rs_pop3c_send(c, RS_POP3_USER, 2, "a"), -RS_EBUSY);
	assert_int_equal(feed(c, "-ERR\r\n", NULL), RS_MORE);
	assert_int_equal(rs_pop3c_send(c, RS_POP3_USER, 2, "a"), 0);
	rs_pop3c_destroy(&c);
}

static void pop3c__a_password_is_wiped_when_it_is_sent(void **state)
{
	struct rs_pop3c *c = greeted(NULL);
	struct rs_slice out;

	assert_int_equal(rs_pop3c_send(c, RS_POP3_PASS, 1, "hunter2"), 0);
	out = rs_pop3c_out(c);
	assert_int_equal(out.n, 14);
	flush(c);
	for (size_t i = 0; i < 14; i++)
		assert_int_equal(out.p[i], 0); /* the buffer keeps its memory */
	rs_pop3c_destroy(&c);
}

static void pop3c__stls_forgets_capabilities_and_refuses_held_octets(void **state)
{
	for (size_t held = 0; held < 2; held++) {
		struct rs_pop3c *c = greeted(NULL);

		assert_int_equal(rs_pop3c_send(c, RS_POP3_CAPA, 1, NULL), 0);
		assert_int_equal(
			feed(c, "+OK\r\nSTLS\r\nSASL PLAIN\r\nLOGIN-DELAY 9\r\n.\r\n", NULL),
			RS_MORE);
		assert_true(rs_pop3c_caps(c) & RS_CAP_STLS);
		assert_true(rs_pop3c_has_mech(c, "PLAIN"));
		assert_int_equal(rs_pop3c_login_delay_s(c), 9);
		assert_int_equal(rs_pop3c_send(c, RS_POP3_STLS, 2, NULL), 0);
		assert_int_equal(feed(c, "+OK\r\n", NULL), RS_BLOCKED);
		flush(c);
		assert_int_equal(rs_pop3c_tls_up(c, held), held ? RS_FAILED : RS_MORE);
		if (held == 0) {
			assert_int_equal(rs_pop3c_caps(c), 0);
			assert_false(rs_pop3c_has_mech(c, "PLAIN"));
			assert_int_equal(rs_pop3c_login_delay_s(c), 0);
		}
		rs_pop3c_destroy(&c);
	}
}

static void pop3c__eof_is_an_end_only_behind_quit(void **state)
{
	struct rs_pop3c *c = greeted(NULL);

	assert_int_equal(rs_pop3c_eof(c), RS_FAILED);
	assert_int_equal(rs_pop3c_error(c)->kind, RS_ECLOSED);
	assert_int_equal(rs_pop3c_send(c, RS_POP3_NOOP, 1, NULL), -RS_ECLOSED);
	rs_pop3c_destroy(&c);
	c = greeted(NULL);
	assert_int_equal(rs_pop3c_send(c, RS_POP3_QUIT, 1, NULL), 0);
	assert_int_equal(feed(c, "+OK\r\n", NULL), RS_CLOSED);
	assert_int_equal(rs_pop3c_eof(c), RS_CLOSED);
	rs_pop3c_destroy(&c);
}

/* --- memory -------------------------------------------------------------------------------- */

static void session(void)
{
	static const uint8_t secret[] = "\0anna\0secret";
	struct rs_pop3c *c;

	if (rs_pop3c_create(&rs_pop3c_limits_default, &c) < 0)
		return;
	(void)feed(c, "+OK <1@x>\r\n", NULL);
	if (rs_pop3c_send(c, RS_POP3_CAPA, 1, NULL) == 0)
		(void)feed(c, "+OK\r\nSASL PLAIN\r\nPIPELINING\r\n.\r\n", NULL);
	rs_pop3c_pipelining(c, true);
	if (rs_pop3c_auth(c, 2, "PLAIN", rs_slice(secret, sizeof(secret) - 1)) == 0)
		(void)feed(c, "-ERR\r\n", NULL);
	flush(c);
	if (rs_pop3c_auth(c, 2, "PLAIN", rs_slice(NULL, 0)) == 0 &&
		feed(c, "+ Zm9v\r\n", NULL) == RS_BLOCKED &&
		rs_pop3c_sasl(c, rs_slice(secret, sizeof(secret) - 1)) == 0)
		(void)feed(c, "+OK\r\n", NULL);
	if (rs_pop3c_send(c, RS_POP3_RETR, 3, "1") == 0)
		(void)feed(c, "+OK\r\nx: y\r\n\r\n..z\r\n.\r\n", NULL);
	rs_pop3c_destroy(&c);
}

/* Whichever allocation fails: nothing is used after it, nothing leaks. */
static void pop3c__every_allocation_may_fail(void **state)
{
	bool reached = true;
	unsigned n;

	for (n = 1; reached && n < 1000; n++) {
		fail_at = n;
		session();
		reached = fail_at == 0;
		fail_at = 0;
	}
	assert_true(n > 5 && n < 1000);
}

/* --- rules --------------------------------------------------------------------------------- */

static void pop3c__a_refused_auth_does_not_touch_the_one_under_way(void **state)
{
	struct rs_pop3c *c = greeted(NULL);
	char token[300];
	struct rs_slice out;

	memset(token, 'a', 299);
	token[299] = 0;
	assert_int_equal(rs_pop3c_auth(c, 1, "XOAUTH2", rs_slice_str(token)), 0);
	assert_int_equal(rs_pop3c_out(c).n, 14); /* "AUTH XOAUTH2", the token waits */
	flush(c);
	assert_int_equal(rs_pop3c_auth(c, 2, "PLAIN", rs_slice_str("other")), -RS_EBUSY);
	assert_int_equal(feed(c, "+ \r\n", NULL), RS_MORE);
	out = rs_pop3c_out(c);
	assert_int_equal(out.n, 400 + 2);
	assert_memory_equal(out.p, "YWFh", 4);
	rs_pop3c_destroy(&c);
}

static void pop3c__a_body_line_has_no_ceiling_and_may_hold_nul(void **state)
{
	struct rs_pop3c_limits lim = rs_pop3c_limits_default;
	static const uint8_t chunk[4096];
	struct rs_pop3c_event ev;
	struct rs_pop3c *c;
	size_t used;

	lim.line_max = 16;
	c = greeted(&lim);
	assert_int_equal(rs_pop3c_send(c, RS_POP3_RETR, 0, "1"), 0);
	assert_int_equal(feed(c, "+OK\r\n", NULL), RS_MORE);
	for (unsigned i = 0; i < 512; i++) {
		assert_int_equal(rs_pop3c_recv(c, chunk, sizeof(chunk), &used, &ev), RS_EVENT);
		assert_int_equal(ev.kind, RS_C_BODY);
		assert_int_equal(used, sizeof(chunk));
		assert_int_equal(ev.text.n, sizeof(chunk));
	}
	assert_int_equal(rs_pop3c_recv(c, (const uint8_t *)"\r\n.\r\n", 5, &used, &ev), RS_EVENT);
	assert_int_equal(ev.text.n, 2);
	assert_int_equal(rs_pop3c_recv(c, (const uint8_t *)".\r\n", 3, &used, &ev), RS_EVENT);
	assert_int_equal(ev.kind, RS_C_END);
	assert_int_equal(ev.octets, 512u * 4096u + 2);
	rs_pop3c_destroy(&c);
}

static void pop3c__a_known_server_gets_login_and_uidl_at_once(void **state)
{
	struct rs_pop3c *c = greeted(NULL);
	unsigned events;

	assert_int_equal(rs_pop3c_send(c, RS_POP3_USER, 1, "anna"), 0);
	assert_int_equal(rs_pop3c_send(c, RS_POP3_PASS, 2, "s"), -RS_EBUSY); /* nothing is known */
	assert_int_equal(feed(c, "+OK\r\n", NULL), RS_MORE);
	rs_pop3c_assume(c, RS_CAP_KNOWN | RS_CAP_PIPELINING);
	assert_int_equal(rs_pop3c_send(c, RS_POP3_UTF8, 3, NULL), 0);
	assert_int_equal(rs_pop3c_send(c, RS_POP3_USER, 4, "anna"), 0);
	assert_int_equal(rs_pop3c_send(c, RS_POP3_PASS, 5, "s"), 0);
	assert_int_equal(rs_pop3c_send(c, RS_POP3_UIDL, 6, NULL), 0);
	flush(c);
	assert_int_equal(feed(c, "-ERR\r\n+OK\r\n+OK\r\n+OK\r\n1 a\r\n.\r\n", &events), RS_MORE);
	assert_int_equal(events, 6);
	assert_int_equal(rs_pop3c_pending(c), 0);
	rs_pop3c_destroy(&c);
}

static void pop3c__a_known_server_that_asks_for_more_fails(void **state)
{
	struct rs_pop3c *c = greeted(NULL);

	rs_pop3c_assume(c, RS_CAP_KNOWN | RS_CAP_PIPELINING);
	assert_int_equal(rs_pop3c_auth(c, 1, "PLAIN", rs_slice("\0a\0b", 4)), 0);
	assert_int_equal(rs_pop3c_send(c, RS_POP3_UIDL, 2, NULL), 0);
	flush(c);
	assert_int_equal(feed(c, "+ more\r\n", NULL), RS_FAILED);
	rs_pop3c_destroy(&c);
}

static void pop3c__a_long_response_lets_nothing_go_behind_it(void **state)
{
	struct rs_pop3c *c = greeted(NULL);
	char initial[300];

	memset(initial, 'x', sizeof(initial));
	rs_pop3c_assume(c, RS_CAP_KNOWN | RS_CAP_PIPELINING);
	assert_int_equal(rs_pop3c_auth(c, 1, "PLAIN", rs_slice(initial, sizeof(initial))), 0);
	assert_int_equal(rs_pop3c_send(c, RS_POP3_UIDL, 2, NULL), -RS_EBUSY);
	rs_pop3c_destroy(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pop3c__a_known_server_gets_login_and_uidl_at_once),
		cmocka_unit_test(pop3c__a_known_server_that_asks_for_more_fails),
		cmocka_unit_test(pop3c__a_long_response_lets_nothing_go_behind_it),
		cmocka_unit_test(pop3c__reply_line_at_its_ceiling),
		cmocka_unit_test(pop3c__listing_at_its_ceiling),
		cmocka_unit_test(pop3c__body_at_its_ceiling),
		cmocka_unit_test(pop3c__depth_at_its_ceiling),
		cmocka_unit_test(pop3c__command_of_254_255_256_octets),
		cmocka_unit_test(pop3c__what_would_be_two_commands_is_refused),
		cmocka_unit_test(pop3c__nothing_is_sent_before_the_greeting_or_behind_a_barrier),
		cmocka_unit_test(pop3c__a_password_is_wiped_when_it_is_sent),
		cmocka_unit_test(pop3c__stls_forgets_capabilities_and_refuses_held_octets),
		cmocka_unit_test(pop3c__eof_is_an_end_only_behind_quit),
		cmocka_unit_test(pop3c__every_allocation_may_fail),
		cmocka_unit_test(pop3c__a_refused_auth_does_not_touch_the_one_under_way),
		cmocka_unit_test(pop3c__a_body_line_has_no_ceiling_and_may_hold_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
