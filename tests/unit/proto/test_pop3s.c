/* the POP3 server engine: its limits, its memory, its owner's side of the contract. What is said on the
 * wire is proved by the transcripts (tests/script). */
#include "tests/unit/test.h"

#include "base/buf.h"
#include "base/err.h"
#include "proto/pop3s.h"
#include "tests/unit/guard.h"

#define ROWS 100000u

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

/* --- a session and its owner --------------------------------------------------------------- */

struct session {
	struct rs_pop3s_cfg cfg;
	struct rs_pop3s *engine;
	struct rs_drop drop;
	uint8_t *image;
	char *said;
	size_t said_n;
	size_t held_max; /* most octets the engine ever held */
	size_t drain;    /* octets taken at a time, 0: all   */
	struct rs_pop3s_event ev;
};

static void build(struct session *t, uint32_t rows)
{
	struct rs_drop_builder b;
	char uid[32];

	rs_drop_builder_init(&b);
	for (uint32_t i = 0; i < rows; i++) {
		(void)snprintf(uid, sizeof(uid), "uid%u", i);
		assert_int_equal(rs_drop_builder_add(&b, i + 1, rs_slice_str(uid)), 0);
	}
	t->image = malloc(rs_drop_builder_image_n(&b));
	assert_non_null(t->image);
	rs_drop_builder_image(&b, t->image);
	assert_int_equal(
		rs_drop_open(rs_slice(t->image, rs_drop_builder_image_n(&b)), &t->drop), 0);
	rs_drop_builder_finish(&b);
}

static struct session *begin(uint32_t flags, uint32_t rows)
{
	struct session *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->cfg.flags = flags;
	t->cfg.mechs = t->cfg.mechs_plain = "PLAIN";
	t->cfg.expire_days = -2;
	t->cfg.login_delay_s = -1;
	t->cfg.limits = rs_pop3s_limits_default;
	t->said = calloc(1, 4u << 20);
	assert_non_null(t->said);
	build(t, rows);
	return t;
}

static void start(struct session *t)
{
	assert_int_equal(rs_pop3s_create(&t->cfg, &t->engine), 0);
}

static void end(struct session *t)
{
	rs_pop3s_destroy(&t->engine);
	free(t->image);
	free(t->said);
	free(t);
}

static void drain(struct session *t)
{
	struct rs_slice out = rs_pop3s_out(t->engine);
	size_t n = t->drain ? RS_MIN(t->drain, out.n) : out.n;

	t->held_max = RS_MAX(t->held_max, out.n);
	assert_true(t->said_n + n < 4u << 20);
	if (n)
		memcpy(t->said + t->said_n, out.p, n);
	t->said_n += n;
	t->said[t->said_n] = 0;
	rs_pop3s_sent(t->engine, n);
}

/* Feed one piece, against an unreadable page, up to the first event or the end of it. */
static enum rs_step feed(struct session *t, const char *text)
{
	struct guard g;
	size_t at = 0;
	enum rs_step step;

	guard_init(&g, text, strlen(text));
	do {
		size_t used;

		step = rs_pop3s_recv(t->engine, g.p + at, g.n - at, &used, &t->ev);
		at += used;
		drain(t);
	} while (step == RS_BLOCKED && rs_pop3s_out(t->engine).n);
	if (step == RS_MORE)
		assert_int_equal(at, g.n);
	while (step != RS_EVENT && rs_pop3s_out(t->engine).n)
		drain(t);
	guard_finish(&g);
	return step;
}

/* Feed, and the last line said must begin with `want`. */
static void says(struct session *t, const char *text, const char *want)
{
	size_t from = t->said_n;

	(void)feed(t, text);
	while (rs_pop3s_out(t->engine).n)
		drain(t);
	assert_true(t->said_n >= from + strlen(want));
	assert_memory_equal(t->said + from, want, strlen(want));
}

static void log_in(struct session *t)
{
	assert_int_equal(feed(t, "USER a\r\n"), RS_MORE);
	assert_int_equal(feed(t, "PASS b\r\n"), RS_EVENT);
	assert_int_equal(t->ev.kind, RS_S_LOGIN);
	assert_int_equal(rs_pop3s_login_ok(t->engine, &t->drop), 0);
	drain(t);
}

static void line(char *out, const char *verb, size_t n, const char *end_of_line)
{
	size_t verb_n = strlen(verb);
	size_t end_n = strlen(end_of_line);

	memcpy(out, verb, verb_n);
	memset(out + verb_n, 'A', n - verb_n - end_n);
	memcpy(out + n - end_n, end_of_line, end_n + 1);
}

/* --- limits -------------------------------------------------------------------------------- */

static void pop3s__command_line_of_254_255_256_octets(void **state)
{
	static const char *const ends[] = {"\r\n", "\n"};

	for (size_t e = 0; e < 2; e++) {
		for (size_t n = 254; n <= 256; n++) {
			struct session *t = begin(RS_POP3S_CLEARTEXT, 1);
			char text[300];

			start(t);
			drain(t);
			line(text, "USER ", n, ends[e]);
			says(t, text, n <= 255 ? "+OK" : "-ERR Line too long\r\n");
			says(t, "QUIT\r\n", "+OK"); /* the rest was swallowed */
			end(t);
		}
	}
}

static void pop3s__sasl_lines_at_their_ceiling(void **state)
{
	for (size_t n = 399; n <= 401; n++) {
		struct session *t = begin(RS_POP3S_CLEARTEXT, 1);
		char text[500];

		t->cfg.limits.sasl_max = 400;
		start(t);
		drain(t);
		/* without padding only a multiple of 4 is base64: what counts is which refusal */
		line(text, "AUTH PLAIN ", n, "\r\n");
		if (n == 401)
			says(t, text, "-ERR Line too long");
		else
			says(t, text, "-ERR Not base64");
		assert_int_equal(feed(t, "AUTH PLAIN\r\n"), RS_EVENT);
		assert_int_equal(rs_pop3s_challenge(t->engine, rs_slice_str("")), 0);
		drain(t);
		line(text, "", n, "\r\n");
		if (n == 401)
			says(t, text, "-ERR Line too long");
		else
			says(t, text, "-ERR Not base64");
		says(t, "QUIT\r\n", "+OK");
		end(t);
	}
}

static void pop3s__refused_commands_at_their_ceiling(void **state)
{
	struct session *t = begin(RS_POP3S_CLEARTEXT, 1);

	t->cfg.limits.bad_max = 3;
	start(t);
	drain(t);
	for (int i = 0; i < 3; i++)
		says(t, "XYZZY\r\n", "-ERR Unknown command\r\n");
	assert_int_equal(feed(t, "XYZZY\r\n"), RS_CLOSED);
	end(t);
}

static void pop3s__after_login_a_wrong_command_ends_nothing(void **state)
{
	struct session *t = begin(RS_POP3S_CLEARTEXT, 1);

	t->cfg.limits.bad_max = 3;
	start(t);
	log_in(t);
	for (int i = 0; i < 100; i++)
		says(t, "XYZZY\r\n", "-ERR");
	says(t, "NOOP\r\n", "+OK");
	end(t);
}

static void pop3s__configuration_that_cannot_work_is_refused(void **state)
{
	struct session *t = begin(RS_POP3S_CLEARTEXT, 1);
	char text[402];

	memset(text, 'm', sizeof(text));
	text[401] = 0;
	t->cfg.limits.out_max = 1023;
	assert_int_equal(rs_pop3s_create(&t->cfg, &t->engine), -RS_EINVAL);
	t->cfg.limits = rs_pop3s_limits_default;
	t->cfg.limits.sasl_max = 254;
	assert_int_equal(rs_pop3s_create(&t->cfg, &t->engine), -RS_EINVAL);
	t->cfg.limits = rs_pop3s_limits_default;
	t->cfg.flags = RS_POP3S_TLS | RS_POP3S_STLS;
	assert_int_equal(rs_pop3s_create(&t->cfg, &t->engine), -RS_EINVAL);
	t->cfg.flags = 0;
	t->cfg.mechs = text;
	assert_int_equal(rs_pop3s_create(&t->cfg, &t->engine), -RS_EINVAL);
	t->cfg.mechs = text + 1;
	t->cfg.greeting = text + 200;
	assert_int_equal(rs_pop3s_create(&t->cfg, &t->engine), -RS_EINVAL);
	t->cfg.greeting = "two\r\nlines";
	assert_int_equal(rs_pop3s_create(&t->cfg, &t->engine), -RS_EINVAL);
	t->cfg.greeting = NULL;
	start(t);
	end(t);
}

/* The longest CAPA there can be, out of the smallest output there can be. */
static void pop3s__longest_capa_fits_the_smallest_output(void **state)
{
	struct session *t = begin(RS_POP3S_CLEARTEXT | RS_POP3S_STLS | RS_POP3S_UTF8, 1);
	char mechs[401];
	char text[201];

	for (size_t i = 0; i < 400; i++)
		mechs[i] = i % 2 ? ' ' : 'M';
	mechs[400] = 0;
	memset(text, 'i', 200);
	text[200] = 0;
	t->cfg.mechs_plain = mechs;
	t->cfg.implementation = t->cfg.greeting = t->cfg.apop_timestamp = text;
	t->cfg.expire_days = INT32_MAX;
	t->cfg.login_delay_s = INT32_MAX;
	t->cfg.limits.out_max = 1024;
	start(t);
	drain(t);
	assert_memory_equal(t->said + t->said_n - 3, "i\r\n", 3); /* the banner is whole */
	assert_int_equal(feed(t, "CAPA\r\n"), RS_MORE);
	assert_string_equal(t->said + t->said_n - 7, "ii\r\n.\r\n");
	assert_int_equal(feed(t, "AUTH\r\n"), RS_MORE);
	assert_string_equal(t->said + t->said_n - 8, "\r\nM\r\n.\r\n");
	end(t);
}

static void pop3s__challenge_longer_than_the_output_is_told(void **state)
{
	struct session *t = begin(RS_POP3S_CLEARTEXT, 1);
	char text[1024];

	memset(text, 'c', sizeof(text));
	t->cfg.limits.out_max = 1024;
	start(t);
	drain(t);
	assert_int_equal(feed(t, "AUTH PLAIN\r\n"), RS_EVENT);
	assert_int_equal(rs_pop3s_challenge(t->engine, rs_slice(text, 1024)), -RS_ELIMIT);
	rs_pop3s_refuse(t->engine, RS_POP3_CODE_SYS_TEMP, NULL);
	drain(t);
	says(t, "CAPA\r\n", "+OK");
	end(t);
}

/* --- memory -------------------------------------------------------------------------------- */

static void listing(const char *verb, size_t drain_n)
{
	struct session *t = begin(RS_POP3S_CLEARTEXT, ROWS);
	size_t from;
	size_t lines = 0;

	t->cfg.limits.out_max = 2048;
	start(t);
	log_in(t);
	t->drain = drain_n;
	from = t->said_n;
	assert_int_equal(feed(t, verb), RS_MORE);
	assert_true(t->held_max <= 2048);
	for (const char *at = t->said + from; (at = strchr(at, '\n')); at++)
		lines++;
	assert_int_equal(lines, ROWS + 2);
	assert_string_equal(t->said + t->said_n - 5, "\r\n.\r\n");
	end(t);
}

static void pop3s__100000_rows_are_never_all_in_memory(void **state)
{
	listing("LIST\r\n", 0);
	listing("UIDL\r\n", 0);
	listing("UIDL\r\n", 1400);
}

/* One session with a login refused, one taken, a listing, a message, QUIT. Returns false when it
 * could not even begin. */
static bool whole_session(struct session *t)
{
	static const char *const lines[] = {"USER a\r\n", "PASS b\r\n", "AUTH PLAIN AGEAYg==\r\n",
		"CAPA\r\n", "UIDL\r\n", "RETR 1\r\n", "DELE 1\r\n", "QUIT\r\n"};
	unsigned logins = 0;

	if (rs_pop3s_create(&t->cfg, &t->engine) < 0)
		return false;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		size_t used;
		enum rs_step step;

		/* in two pieces, so that the first must be kept */
		(void)rs_pop3s_recv(t->engine, (const uint8_t *)lines[i], 3, &used, &t->ev);
		step = rs_pop3s_recv(t->engine, (const uint8_t *)lines[i] + used,
			strlen(lines[i]) - used, &used, &t->ev);
		if (step == RS_EVENT && t->ev.kind == RS_S_LOGIN && logins++ == 0)
			rs_pop3s_refuse(t->engine, RS_POP3_CODE_AUTH, NULL);
		else if (step == RS_EVENT && t->ev.kind == RS_S_LOGIN)
			(void)rs_pop3s_login_ok(t->engine, &t->drop);
		else if (step == RS_EVENT && t->ev.kind == RS_S_OPEN) {
			rs_pop3s_body_begin(t->engine);
			(void)rs_pop3s_body(t->engine, (const uint8_t *)"x: y\n\n.z\n", 9);
			(void)rs_pop3s_body_end(t->engine);
		} else if (step == RS_EVENT && t->ev.kind == RS_S_COMMIT) {
			rs_pop3s_committed(t->engine, 0, RS_POP3_CODE_NONE);
		}
		if (step == RS_FAILED)
			assert_int_not_equal(rs_pop3s_error(t->engine, NULL), RS_OK);
		rs_pop3s_sent(t->engine, rs_pop3s_out(t->engine).n);
	}
	return true;
}

static void pop3s__reply_line_has_at_most_512_octets(void **state)
{
	struct session *t = begin(RS_POP3S_CLEARTEXT, 1);
	char why[1000];
	size_t from;

	memset(why, 'w', sizeof(why));
	why[999] = 0;
	start(t);
	assert_int_equal(feed(t, "USER a\r\n"), RS_MORE);
	assert_int_equal(feed(t, "PASS b\r\n"), RS_EVENT);
	from = t->said_n;
	rs_pop3s_refuse(t->engine, RS_POP3_CODE_LOGIN_DELAY, why);
	drain(t);
	assert_in_range(t->said_n - from, 300, 512);
	assert_memory_equal(t->said + from, "-ERR [LOGIN-DELAY] w", 20);
	assert_string_equal(t->said + t->said_n - 3, "w\r\n");
	end(t);
}

/* Whichever allocation fails: nothing is used after it, nothing leaks, the session says so or ends. */
static void pop3s__every_allocation_may_fail(void **state)
{
	unsigned n = 0;
	bool reached = true;

	for (n = 1; reached && n < 1000; n++) {
		struct session *t = begin(RS_POP3S_CLEARTEXT, 3);

		fail_at = n;
		(void)whole_session(t);
		reached = fail_at == 0;
		fail_at = 0;
		end(t);
	}
	assert_true(n > 8 && n < 1000);
}

/* --- the owner's side ---------------------------------------------------------------------- */

static void pop3s__an_event_blocks_until_it_is_answered(void **state)
{
	struct session *t = begin(RS_POP3S_CLEARTEXT, 1);
	size_t used = 99;

	start(t);
	drain(t);
	assert_int_equal(feed(t, "USER a\r\n"), RS_MORE);
	assert_int_equal(feed(t, "PASS b\r\n"), RS_EVENT);
	assert_int_equal(rs_pop3s_recv(t->engine, (const uint8_t *)"NOOP\r\n", 6, &used, &t->ev),
		RS_BLOCKED);
	assert_int_equal(used, 0);
	assert_int_equal(rs_pop3s_login_ok(t->engine, &t->drop), 0);
	says(t, "NOOP\r\n", "+OK Logged in");
	end(t);
}

static void pop3s__no_command_is_taken_without_room_for_its_reply(void **state)
{
	struct session *t = begin(RS_POP3S_CLEARTEXT, 1);
	char text[4096] = "";
	size_t used;

	t->cfg.limits.out_max = 1024;
	start(t);
	log_in(t);
	for (size_t i = 0; i < 200; i++)
		memcpy(text + i * 6, "NOOP\r\n", 6);
	assert_int_equal(
		rs_pop3s_recv(t->engine, (const uint8_t *)text, strlen(text), &used, &t->ev),
		RS_BLOCKED);
	assert_true(used < strlen(text));
	assert_int_equal(used % 6, 0);
	assert_true(rs_pop3s_out_room(t->engine) < RS_POP3_REPLY_MAX);
	assert_true(rs_pop3s_out_room(t->engine) + strlen("+OK Done\r\n") >= RS_POP3_REPLY_MAX);
	assert_int_equal(rs_pop3s_out(t->engine).n, used / 6 * strlen("+OK Done\r\n"));
	end(t);
}

/* The client is gone, or the owner ended the session, while an answer was under way. */
static void pop3s__an_answer_after_the_end_does_nothing(void **state)
{
	static const char *const lines[] = {"PASS b\r\n", "RETR 1\r\n", "QUIT\r\n"};

	for (size_t i = 0; i < 6; i++) {
		struct session *t = begin(RS_POP3S_CLEARTEXT, 1);
		size_t held;

		start(t);
		if (i % 3)
			log_in(t);
		else
			assert_int_equal(feed(t, "USER a\r\n"), RS_MORE);
		assert_int_equal(feed(t, lines[i % 3]), RS_EVENT);
		if (i < 3)
			assert_int_equal(rs_pop3s_eof(t->engine), RS_CLOSED);
		else
			rs_pop3s_abort(t->engine, RS_POP3_CODE_SYS_TEMP, NULL);
		held = rs_pop3s_out(t->engine).n;
		rs_pop3s_refuse(t->engine, RS_POP3_CODE_AUTH, NULL);
		assert_int_equal(rs_pop3s_login_ok(t->engine, &t->drop), -RS_EBUSY);
		assert_int_equal(rs_pop3s_challenge(t->engine, rs_slice_str("c")), -RS_EBUSY);
		rs_pop3s_body_begin(t->engine);
		assert_int_equal(rs_pop3s_body(t->engine, (const uint8_t *)"x", 1), 1);
		assert_true(rs_pop3s_body_end(t->engine));
		rs_pop3s_committed(t->engine, 0, RS_POP3_CODE_NONE);
		assert_int_equal(rs_pop3s_out(t->engine).n, held);
		assert_int_equal(feed(t, "NOOP\r\n"), RS_CLOSED);
		end(t);
	}
}

static void pop3s__eof_in_transaction_commits_nothing(void **state)
{
	struct session *t = begin(RS_POP3S_CLEARTEXT, 2);

	start(t);
	log_in(t);
	says(t, "DELE 1\r\n", "+OK");
	assert_int_equal(rs_pop3s_eof(t->engine), RS_CLOSED);
	assert_int_equal(feed(t, "QUIT\r\n"), RS_CLOSED);
	end(t);
}

static void pop3s__abort_inside_a_message_says_nothing(void **state)
{
	struct session *t = begin(RS_POP3S_CLEARTEXT, 1);

	start(t);
	log_in(t);
	assert_int_equal(feed(t, "RETR 1\r\n"), RS_EVENT);
	rs_pop3s_body_begin(t->engine);
	assert_int_equal(rs_pop3s_body(t->engine, (const uint8_t *)"half", 4), 4);
	rs_pop3s_abort(t->engine, RS_POP3_CODE_SYS_TEMP, NULL);
	drain(t);
	assert_string_equal(t->said + t->said_n - 6, "\r\nhalf");
	end(t);
}

static void pop3s__abort_between_commands_says_why(void **state)
{
	struct session *t = begin(RS_POP3S_CLEARTEXT, 1);

	start(t);
	log_in(t);
	rs_pop3s_abort(t->engine, RS_POP3_CODE_SYS_TEMP, "Going down");
	drain(t);
	assert_non_null(strstr(t->said, "\r\n-ERR [SYS/TEMP] Going down\r\n"));
	assert_int_equal(feed(t, "NOOP\r\n"), RS_CLOSED);
	end(t);
}

static void pop3s__broken_body_fails_and_never_ends(void **state)
{
	struct session *t = begin(RS_POP3S_CLEARTEXT, 1);

	start(t);
	log_in(t);
	assert_int_equal(feed(t, "RETR 1\r\n"), RS_EVENT);
	rs_pop3s_body_begin(t->engine);
	rs_pop3s_body_broken(t->engine);
	assert_true(rs_pop3s_body_end(t->engine));
	drain(t);
	assert_null(strstr(t->said, "\r\n.\r\n"));
	assert_int_equal(feed(t, "NOOP\r\n"), RS_FAILED);
	assert_int_equal(rs_pop3s_error(t->engine, NULL), RS_EIO);
	end(t);
}

/* QUIT tells the truth: all, some, none, and why. */
static void pop3s__commit_is_told_as_it_was(void **state)
{
	static const struct {
		uint32_t left;
		enum rs_pop3_code code;
		const char *want;
	} rows[] = {
		{0, RS_POP3_CODE_NONE, "+OK"},
		{1, RS_POP3_CODE_NONE, "-ERR [SYS/TEMP] 1 "},
		{2, RS_POP3_CODE_NONE, "-ERR [SYS/TEMP] No message was removed"},
		{2, RS_POP3_CODE_SYS_PERM, "-ERR [SYS/PERM] No message was removed"},
		{2, RS_POP3_CODE_IN_USE, "-ERR [IN-USE] No message was removed"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct session *t = begin(RS_POP3S_CLEARTEXT, 3);
		uint32_t marked;
		const uint8_t *marks;
		size_t from;

		start(t);
		log_in(t);
		says(t, "DELE 1\r\n", "+OK");
		says(t, "DELE 3\r\n", "+OK");
		from = t->said_n;
		assert_int_equal(feed(t, "QUIT\r\n"), RS_EVENT);
		assert_int_equal(t->said_n, from); /* no +OK before the removal is decided */
		marks = rs_pop3s_marks(t->engine, &marked);
		assert_int_equal(marked, 2);
		assert_int_equal(marks[0], 5);
		rs_pop3s_committed(t->engine, rows[i].left, rows[i].code);
		drain(t);
		assert_memory_equal(t->said + from, rows[i].want, strlen(rows[i].want));
		assert_int_equal(feed(t, "NOOP\r\n"), RS_CLOSED);
		end(t);
	}
}

static void pop3s__body_stops_when_the_room_ends(void **state)
{
	struct session *t = begin(RS_POP3S_CLEARTEXT, 1);
	uint8_t text[3000];
	size_t taken;

	memset(text, '.', sizeof(text));
	t->cfg.limits.out_max = 1024;
	start(t);
	log_in(t);
	assert_int_equal(feed(t, "RETR 1\r\n"), RS_EVENT);
	rs_pop3s_body_begin(t->engine);
	taken = rs_pop3s_body(t->engine, text, sizeof(text));
	assert_true(taken > 900 && taken < 1024);
	while (taken < sizeof(text)) {
		drain(t);
		taken += rs_pop3s_body(t->engine, text + taken, sizeof(text) - taken);
	}
	assert_int_equal(rs_pop3s_body_octets(t->engine), sizeof(text) + 2);
	drain(t);
	assert_true(rs_pop3s_body_end(t->engine));
	assert_int_equal(rs_pop3s_body_octets(t->engine), sizeof(text) + 2);
	says(t, "NOOP\r\n", "\r\n.\r\n+OK");
	end(t);
}

static void pop3s__idle_time_is_longer_behind_the_login(void **state)
{
	struct session *t = begin(RS_POP3S_CLEARTEXT, 1);

	start(t);
	assert_int_equal(rs_pop3s_idle_s(t->engine), 60);
	assert_false(rs_pop3s_in_transaction(t->engine));
	log_in(t);
	assert_true(rs_pop3s_in_transaction(t->engine));
	assert_true(rs_pop3s_idle_s(t->engine) >= 600); /* RFC 1939 section 3 */
	end(t);
}

static void pop3s__held_octets_at_the_handshake_are_an_injection(void **state)
{
	for (size_t held = 0; held < 2; held++) {
		struct session *t = begin(RS_POP3S_STLS, 1);

		start(t);
		drain(t);
		assert_int_equal(feed(t, "STLS\r\n"), RS_EVENT);
		assert_int_equal(rs_pop3s_tls_up(t->engine, held), held ? RS_FAILED : RS_MORE);
		assert_int_equal(feed(t, "CAPA\r\n"), held ? RS_FAILED : RS_MORE);
		end(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pop3s__command_line_of_254_255_256_octets),
		cmocka_unit_test(pop3s__sasl_lines_at_their_ceiling),
		cmocka_unit_test(pop3s__refused_commands_at_their_ceiling),
		cmocka_unit_test(pop3s__after_login_a_wrong_command_ends_nothing),
		cmocka_unit_test(pop3s__configuration_that_cannot_work_is_refused),
		cmocka_unit_test(pop3s__longest_capa_fits_the_smallest_output),
		cmocka_unit_test(pop3s__challenge_longer_than_the_output_is_told),
		cmocka_unit_test(pop3s__100000_rows_are_never_all_in_memory),
		cmocka_unit_test(pop3s__every_allocation_may_fail),
		cmocka_unit_test(pop3s__reply_line_has_at_most_512_octets),
		cmocka_unit_test(pop3s__an_event_blocks_until_it_is_answered),
		cmocka_unit_test(pop3s__no_command_is_taken_without_room_for_its_reply),
		cmocka_unit_test(pop3s__an_answer_after_the_end_does_nothing),
		cmocka_unit_test(pop3s__eof_in_transaction_commits_nothing),
		cmocka_unit_test(pop3s__abort_inside_a_message_says_nothing),
		cmocka_unit_test(pop3s__abort_between_commands_says_why),
		cmocka_unit_test(pop3s__broken_body_fails_and_never_ends),
		cmocka_unit_test(pop3s__commit_is_told_as_it_was),
		cmocka_unit_test(pop3s__body_stops_when_the_room_ends),
		cmocka_unit_test(pop3s__idle_time_is_longer_behind_the_login),
		cmocka_unit_test(pop3s__held_octets_at_the_handshake_are_an_injection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
