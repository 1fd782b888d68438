/* the LMTP server engine: its limits, its memory, what must not outlive TLS. What is said on the wire
 * is proved by the transcripts (tests/script). */
#include "tests/unit/test.h"

#include "proto/lmtps.h"

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

/* --- a session whose owner accepts everything ---------------------------------------------- */

struct session {
	struct rs_lmtps_cfg cfg;
	struct rs_lmtps *engine;
	char said[65536];
	size_t said_n;
	char address[300]; /* of the last MAIL or RCPT */
	uint64_t body_n;
	unsigned ends;
	unsigned too_big;
	bool hold;       /* TLS was asked for */
	unsigned refuse; /* code for RCPT, 0: accept */
};

static struct session *begin(uint32_t flags)
{
	struct session *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->cfg = (struct rs_lmtps_cfg){.flags = flags,
		.hostname = "mx.example.org",
		.mechs = "PLAIN",
		.limits = rs_lmtps_limits_default};
	return t;
}

static void end(struct session *t)
{
	rs_lmtps_destroy(&t->engine);
	free(t);
}

static void drain(struct session *t)
{
	struct rs_slice out = rs_lmtps_out(t->engine);

	assert_true(t->said_n + out.n < sizeof(t->said));
	if (out.n)
		memcpy(t->said + t->said_n, out.p, out.n);
	t->said_n += out.n;
	t->said[t->said_n] = 0;
	rs_lmtps_sent(t->engine, out.n);
}

static void address_keep(struct session *t, const struct rs_lmtps_event *ev)
{
	assert_int_equal(rs_slice_copy(ev->text, t->address, sizeof(t->address)), 0);
}

static void answer(struct session *t, const struct rs_lmtps_event *ev)
{
	switch (ev->kind) {
	case RS_L_AUTH:
		rs_lmtps_auth_ok(t->engine);
		break;
	case RS_L_START_TLS:
		t->hold = true;
		break;
	case RS_L_MAIL:
		address_keep(t, ev);
		rs_lmtps_reply(t->engine, 250, "2.1.0", NULL);
		break;
	case RS_L_RCPT:
		address_keep(t, ev);
		rs_lmtps_reply(t->engine, t->refuse ? t->refuse : 250, "2.1.5", NULL);
		break;
	case RS_L_DATA:
		t->body_n = 0;
		rs_lmtps_reply(t->engine, 354, NULL, NULL);
		break;
	case RS_L_BODY:
		t->body_n += ev->text.n;
		break;
	case RS_L_END:
		t->ends++;
		for (uint32_t i = 0, n = rs_lmtps_rcpt_n(t->engine); i < n; i++)
			rs_lmtps_result(t->engine, i, 250, "2.0.0", NULL);
		break;
	case RS_L_TOO_BIG:
		t->too_big++;
		break;
	case RS_L_HELO:
	case RS_L_RESET:
		break;
	}
}

static enum rs_step feed_n(struct session *t, const char *text, size_t n)
{
	size_t at = 0;

	for (;;) {
		struct rs_lmtps_event ev;
		size_t used;
		enum rs_step step =
			rs_lmtps_recv(t->engine, (const uint8_t *)text + at, n - at, &used, &ev);

		assert_true(used <= n - at);
		at += used;
		if (step == RS_EVENT)
			answer(t, &ev);
		drain(t);
		if (step == RS_MORE)
			assert_int_equal(at, n);
		if (step != RS_EVENT || t->hold)
			return step;
	}
}

static enum rs_step feed(struct session *t, const char *text)
{
	t->said_n = 0;
	return feed_n(t, text, strlen(text));
}

static void says(struct session *t, const char *text, const char *want)
{
	(void)feed(t, text);
	if (strncmp(t->said, want, strlen(want)) != 0)
		print_error("to \"%.60s\": \"%s\"\n", text, t->said);
	assert_true(strncmp(t->said, want, strlen(want)) == 0);
}

static struct session *greeted(uint32_t flags)
{
	struct session *t = begin(flags);

	assert_int_equal(rs_lmtps_create(&t->cfg, &t->engine), 0);
	drain(t);
	says(t, flags & RS_LMTPS_SMTP ? "EHLO x\r\n" : "LHLO x\r\n", "250-");
	return t;
}

static void fill(char *out, const char *head, size_t n, const char *tail)
{
	size_t head_n = strlen(head);
	size_t tail_n = strlen(tail);

	memcpy(out, head, head_n);
	memset(out + head_n, 'a', n - head_n - tail_n);
	memcpy(out + n - tail_n, tail, tail_n + 1);
}

/* --- limits -------------------------------------------------------------------------------- */

static void lmtps__command_line_at_its_ceiling(void **state)
{
	for (size_t n = 2047; n <= 2049; n++) {
		struct session *t = greeted(0);
		char text[2100];

		fill(text, "NOOP ", n, "\r\n");
		says(t, text, n <= 2048 ? "250" : "500 5.5.2 Line too long");
		says(t, "NOOP\r\n", "250"); /* the rest was swallowed */
		end(t);
	}
}

static void lmtps__size_at_its_ceiling(void **state)
{
	for (uint64_t n = 99; n <= 101; n++) {
		struct session *t = greeted(0);
		char text[200];

		t->cfg.limits.size_max = 100;
		(void)snprintf(text, sizeof(text), "MAIL FROM:<a@b.org> SIZE=%u\r\n", (unsigned)n);
		says(t, text, n <= 100 ? "250" : "552");
		says(t,
			"RSET\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.org>\r\nRCPT "
			"TO:<c@b.org>\r\nDATA\r\n",
			"250");
		fill(text, "", n, "\r\n");
		t->said_n = 0;
		(void)feed_n(t, text, (size_t)n);
		says(t, ".\r\n", n <= 100 ? "250" : "552");
		assert_int_equal(t->ends, n <= 100);
		assert_int_equal(t->too_big, n > 100);
		assert_non_null(
			strstr(t->said + 5, n <= 100 ? "\r\n250" : "\r\n552")); /* one each */
		says(t, "MAIL FROM:<>\r\n", "250");
		end(t);
	}
}

static void lmtps__recipients_at_their_ceiling(void **state)
{
	struct session *t = greeted(0);

	t->cfg.limits.rcpt_max = 3;
	says(t, "MAIL FROM:<a@b.org>\r\n", "250");
	for (unsigned i = 0; i < 3; i++)
		says(t, "RCPT TO:<a@b.org>\r\n", "250");
	says(t, "RCPT TO:<a@b.org>\r\n", "452");
	assert_int_equal(rs_lmtps_rcpt_n(t->engine), 3);
	end(t);
}

static void lmtps__refused_commands_at_their_ceiling(void **state)
{
	struct session *t = greeted(0);

	t->cfg.limits.bad_max = 3;
	for (unsigned i = 0; i < 3; i++)
		says(t, "FOO\r\n", "500");
	says(t, "FOO\r\n", "421");
	assert_int_equal(feed(t, "NOOP\r\n"), RS_CLOSED);
	assert_int_equal(t->said_n, 0);
	end(t);
}

static void lmtps__parts_of_an_address_at_their_ceilings(void **state)
{
	for (size_t n = 63; n <= 65; n++) { /* local part, RFC 5321 section 4.5.3.1.1 */
		struct session *t = greeted(0);
		char text[400];

		fill(text, "MAIL FROM:<", n + 11 + 9, "@b.org>\r\n");
		says(t, text, n <= 64 ? "250" : "553");
		end(t);
	}
	for (size_t n = 255; n <= 257; n++) { /* path with its <>, section 4.5.3.1.3 */
		struct session *t = greeted(0);
		char text[400];

		fill(text, "MAIL FROM:<x@", n + 10 + 2, ">\r\n");
		says(t, text, n <= 256 ? "250" : "501");
		end(t);
	}
}

/* --- rules --------------------------------------------------------------------------------- */

static void lmtps__a_route_without_a_mailbox_is_not_the_null_sender(void **state)
{
	struct session *t = greeted(0);

	says(t, "MAIL FROM:<@host>\r\n", "501");
	says(t, "MAIL FROM:<@host:>\r\n", "501");
	says(t, "MAIL FROM:<@one,@two:a@b.org>\r\n", "250");
	assert_string_equal(t->address, "a@b.org");
	says(t, "RSET\r\nMAIL FROM:<>\r\n", "250");
	assert_string_equal(t->address, "");
	end(t);
}

static void lmtps__no_recipient_no_data(void **state)
{
	struct session *t = greeted(0);

	says(t, "DATA\r\n", "503");
	says(t, "MAIL FROM:<>\r\n", "250");
	t->refuse = 550;
	says(t, "RCPT TO:<a@b.org>\r\n", "550");
	says(t, "DATA\r\n", "503");
	end(t);
}

static void lmtps__a_login_does_not_outlive_starttls(void **state)
{
	struct session *t =
		greeted(RS_LMTPS_SMTP | RS_LMTPS_AUTH | RS_LMTPS_STARTTLS | RS_LMTPS_CLEARTEXT);

	says(t, "MAIL FROM:<>\r\n", "530");
	says(t, "AUTH PLAIN AGEAYg==\r\n", "235");
	says(t, "STARTTLS\r\n", "220");
	assert_int_equal(rs_lmtps_tls_up(t->engine, 0), RS_MORE);
	t->hold = false;
	says(t, "MAIL FROM:<>\r\n", "503"); /* nor does EHLO */
	says(t, "EHLO x\r\n", "250-");
	assert_non_null(strstr(t->said, "AUTH PLAIN"));
	assert_null(strstr(t->said, "STARTTLS"));
	says(t, "MAIL FROM:<>\r\n", "530");
	end(t);
}

static void lmtps__octets_behind_starttls_end_the_session(void **state)
{
	struct session *t = greeted(RS_LMTPS_STARTTLS);

	says(t, "STARTTLS\r\nRSET\r\n", "220");
	assert_int_equal(rs_lmtps_tls_up(t->engine, 6), RS_FAILED);
	t->hold = false;
	assert_int_equal(feed(t, "NOOP\r\n"), RS_FAILED);
	assert_int_equal(t->said_n, 0);
	end(t);
}

static void lmtps__eof_in_a_message_never_ends_it(void **state)
{
	struct session *t = greeted(0);

	(void)feed(t, "MAIL FROM:<>\r\nRCPT TO:<a@b.org>\r\nDATA\r\nhalf\r\n.\r");
	assert_int_equal(rs_lmtps_eof(t->engine), RS_CLOSED);
	assert_int_equal(t->ends, 0);
	assert_int_equal(feed(t, "\n"), RS_CLOSED);
	assert_int_equal(t->ends, 0);
	end(t);
}

/* --- memory -------------------------------------------------------------------------------- */

static const char whole_session[] = "LHLO x\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<c@d.org>\r\nDATA\r\n"
				    "H: 1\r\n\r\nbody\r\n.\r\nQUIT\r\n";

static void lmtps__each_allocation_may_fail(void **state)
{
	for (unsigned i = 1;; i++) {
		struct session *t = begin(0);
		enum rs_step step;
		bool hit;

		fail_at = i;
		if (rs_lmtps_create(&t->cfg, &t->engine) < 0) {
			fail_at = 0;
			assert_null(t->engine);
			free(t);
			continue;
		}
		step = feed(t, whole_session);
		hit = fail_at == 0;
		fail_at = 0;
		/* refused (500 for a line there was no memory for), failed, or never noticed */
		assert_true(step == RS_CLOSED || step == RS_FAILED || hit);
		if (!hit)
			assert_int_equal(t->ends, 1);
		end(t);
		if (!hit)
			break;
		assert_true(i < 1000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lmtps__command_line_at_its_ceiling),
		cmocka_unit_test(lmtps__size_at_its_ceiling),
		cmocka_unit_test(lmtps__recipients_at_their_ceiling),
		cmocka_unit_test(lmtps__refused_commands_at_their_ceiling),
		cmocka_unit_test(lmtps__parts_of_an_address_at_their_ceilings),
		cmocka_unit_test(lmtps__a_route_without_a_mailbox_is_not_the_null_sender),
		cmocka_unit_test(lmtps__no_recipient_no_data),
		cmocka_unit_test(lmtps__a_login_does_not_outlive_starttls),
		cmocka_unit_test(lmtps__octets_behind_starttls_end_the_session),
		cmocka_unit_test(lmtps__eof_in_a_message_never_ends_it),
		cmocka_unit_test(lmtps__each_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
