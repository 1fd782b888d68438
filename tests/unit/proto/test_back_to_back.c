/* both POP3 engines wired back to back: random maildrops, random cuts of both directions, everything
 * pipelined. What the client gets is what the server's owner has, octet by octet. */
#include "tests/unit/test.h"

#include "base/err.h"
#include "proto/dot.h"
#include "proto/pop3c.h"
#include "proto/pop3s.h"

#define SESSIONS   500u
#define MSGS_MAX   12u
#define OCTETS_MAX 3000u
#define JOBS_MAX   80u
#define ROUNDS_MAX 200000u

struct msg {
	uint8_t stored[OCTETS_MAX];
	size_t stored_n;
	uint8_t sent[2 * OCTETS_MAX + 2]; /* with CRLF line ends */
	size_t sent_n;
	bool marked; /* the client has told DELE */
};

struct job {
	enum rs_pop3_verb verb;
	char arg[16];
	unsigned msg;
	bool refused; /* what the answer must be */
};

struct queue {
	uint8_t p[1u << 17];
	size_t n;
};

struct world {
	struct rs_pop3c *client;
	struct rs_pop3s *server;
	struct rs_drop drop;
	struct msg msgs[MSGS_MAX];
	unsigned msgs_n;
	struct job jobs[JOBS_MAX];
	unsigned jobs_n;
	unsigned told;     /* jobs given to the client engine */
	unsigned answered; /* jobs whose answer is whole      */
	struct queue to_server;
	struct queue to_client;
	uint8_t body[2 * OCTETS_MAX + 2]; /* what came of the message under way */
	size_t body_n;
	unsigned row;
	int sending; /* message the server's owner is sending, -1: none */
	size_t sent;
	unsigned committed;
	uint32_t random;
};

static unsigned pick(struct world *w, unsigned below)
{
	w->random = w->random * 1664525u + 1013904223u;
	return (w->random >> 8) % below;
}

/* --- messages ------------------------------------------------------------------------------ */

static void message(struct world *w, struct msg *m)
{
	static const char octets[] = "..\n\n\r\rabc \0\xff";
	uint8_t last = '\n';

	m->stored_n = pick(w, 4) ? pick(w, 40) : pick(w, OCTETS_MAX);
	for (size_t i = 0; i < m->stored_n; i++) {
		uint8_t c = (uint8_t)octets[pick(w, sizeof(octets) - 1)];

		m->stored[i] = c;
		if (c == '\n' && (i == 0 || m->stored[i - 1] != '\r'))
			m->sent[m->sent_n++] = '\r';
		m->sent[m->sent_n++] = c;
		last = c;
	}
	if (last != '\n') {
		m->sent[m->sent_n++] = '\r';
		m->sent[m->sent_n++] = '\n';
	}
}

static uint8_t *build(struct world *w)
{
	struct rs_drop_builder b;
	uint8_t *image;
	char uid[16];

	rs_drop_builder_init(&b);
	for (unsigned i = 0; i < w->msgs_n; i++) {
		struct rs_wire_count count;

		message(w, &w->msgs[i]);
		rs_wire_count_init(&count);
		rs_wire_count_add(&count, w->msgs[i].stored, w->msgs[i].stored_n);
		(void)snprintf(uid, sizeof(uid), "u%u", i);
		assert_int_equal(
			rs_drop_builder_add(&b, rs_wire_count_end(&count), rs_slice_str(uid)), 0);
	}
	image = malloc(rs_drop_builder_image_n(&b));
	assert_non_null(image);
	rs_drop_builder_image(&b, image);
	assert_int_equal(rs_drop_open(rs_slice(image, rs_drop_builder_image_n(&b)), &w->drop), 0);
	rs_drop_builder_finish(&b);
	return image;
}

/* --- what the client is to do -------------------------------------------------------------- */

static void job(struct world *w, enum rs_pop3_verb verb, unsigned msg, bool refused)
{
	struct job *j = &w->jobs[w->jobs_n++];

	assert_true(w->jobs_n < JOBS_MAX);
	*j = (struct job){.verb = verb, .msg = msg, .refused = refused};
	if (verb == RS_POP3_USER || verb == RS_POP3_PASS)
		(void)snprintf(j->arg, sizeof(j->arg), "anna");
	else if (verb == RS_POP3_RETR || verb == RS_POP3_DELE)
		(void)snprintf(j->arg, sizeof(j->arg), "%u", msg + 1);
}

static void plan(struct world *w)
{
	job(w, RS_POP3_CAPA, 0, false);
	job(w, RS_POP3_USER, 0, false);
	job(w, RS_POP3_PASS, 0, false);
	job(w, RS_POP3_UIDL, 0, false);
	job(w, RS_POP3_LIST, 0, false);
	for (unsigned i = 0; i < w->msgs_n; i++) {
		job(w, RS_POP3_RETR, i, false);
		if (pick(w, 2))
			continue;
		job(w, RS_POP3_DELE, i, false);
		w->msgs[i].marked = true;
		if (pick(w, 2))
			job(w, RS_POP3_RETR, i, true);
	}
	job(w, RS_POP3_RETR, w->msgs_n, true);
	job(w, RS_POP3_STAT, 0, false);
	job(w, RS_POP3_QUIT, 0, false);
}

static void tell(struct world *w)
{
	while (w->told < w->jobs_n) {
		const struct job *j = &w->jobs[w->told];
		int rc = rs_pop3c_send(w->client, j->verb, w->told, j->arg);

		if (rc == -RS_EBUSY)
			return;
		assert_int_equal(rc, 0);
		w->told++;
	}
}

/* --- the client's owner -------------------------------------------------------------------- */

static void row(struct world *w, const struct job *j, const struct rs_pop3c_event *ev)
{
	char want[32];

	if (j->verb == RS_POP3_CAPA)
		return;
	assert_int_equal(ev->num, w->row + 1);
	if (j->verb == RS_POP3_LIST) {
		assert_int_equal(ev->size, w->msgs[w->row].sent_n);
	} else {
		(void)snprintf(want, sizeof(want), "u%u", w->row);
		assert_true(rs_slice_eq_str(ev->text, want));
	}
	w->row++;
}

static void end_of_answer(struct world *w, const struct job *j, const struct rs_pop3c_event *ev)
{
	if (j->verb == RS_POP3_RETR) {
		const struct msg *m = &w->msgs[j->msg];

		assert_int_equal(ev->octets, m->sent_n);
		assert_int_equal(w->body_n, m->sent_n);
		assert_memory_equal(w->body, m->sent, m->sent_n);
	} else if (j->verb != RS_POP3_CAPA) {
		assert_int_equal(w->row, w->msgs_n);
	} else {
		assert_true(rs_pop3c_caps(w->client) & RS_CAP_PIPELINING);
		rs_pop3c_pipelining(w->client, true);
	}
	w->answered++;
}

static void client_event(struct world *w, const struct rs_pop3c_event *ev)
{
	const struct job *j = &w->jobs[w->answered];

	if (ev->kind == RS_C_GREETING)
		return;
	assert_int_equal(ev->tag, w->answered); /* answers in order */
	assert_int_equal(ev->verb, j->verb);
	switch (ev->kind) {
	case RS_C_OK:
		assert_false(j->refused);
		w->body_n = 0;
		w->row = 0;
		w->answered +=
			!rs_pop3_verbs[j->verb].multi && !rs_pop3_verbs[j->verb].multi_if_no_arg;
		break;
	case RS_C_ERR:
		assert_true(j->refused);
		w->answered++;
		break;
	case RS_C_LINE:
		row(w, j, ev);
		break;
	case RS_C_BODY:
		assert_true(ev->text.n > 0 && w->body_n + ev->text.n <= sizeof(w->body));
		memcpy(w->body + w->body_n, ev->text.p, ev->text.n);
		w->body_n += ev->text.n;
		break;
	case RS_C_END:
		end_of_answer(w, j, ev);
		break;
	case RS_C_GREETING:
	case RS_C_CHALLENGE:
	case RS_C_START_TLS:
		fail();
	}
}

/* --- the server's owner -------------------------------------------------------------------- */

static void server_event(struct world *w, const struct rs_pop3s_event *ev)
{
	const uint8_t *marks;
	uint32_t marked;

	switch (ev->kind) {
	case RS_S_LOGIN:
		assert_true(rs_slice_eq_str(ev->user, "anna"));
		assert_true(rs_slice_eq_str(ev->secret, "anna"));
		assert_int_equal(rs_pop3s_login_ok(w->server, &w->drop), 0);
		break;
	case RS_S_OPEN:
		rs_pop3s_body_begin(w->server);
		w->sending = (int)ev->msg;
		w->sent = 0;
		break;
	case RS_S_COMMIT:
		marks = rs_pop3s_marks(w->server, &marked);
		for (unsigned i = 0; i < w->msgs_n; i++)
			assert_int_equal(rs_marks_get(marks, i), w->msgs[i].marked);
		rs_pop3s_committed(w->server, 0, RS_POP3_CODE_NONE);
		w->committed++;
		break;
	case RS_S_START_TLS:
		fail();
	}
}

static void server_body(struct world *w)
{
	const struct msg *m = &w->msgs[w->sending];
	size_t n = m->stored_n - w->sent;
	size_t some = 1 + pick(w, 500);

	n = RS_MIN(n, some);
	w->sent += rs_pop3s_body(w->server, m->stored + w->sent, n);
	if (w->sent == m->stored_n && rs_pop3s_body_end(w->server)) {
		assert_int_equal(rs_pop3s_body_octets(w->server), m->sent_n);
		w->sending = -1;
	}
}

/* --- the wire ------------------------------------------------------------------------------ */

static size_t move(struct world *w, struct rs_slice out, struct queue *to)
{
	size_t n = 1 + pick(w, pick(w, 3) ? 2000 : 5);

	n = RS_MIN(n, out.n);
	n = RS_MIN(n, sizeof(to->p) - to->n);
	if (n)
		memcpy(to->p + to->n, out.p, n);
	to->n += n;
	return n;
}

static void took(struct queue *q, size_t n)
{
	memmove(q->p, q->p + n, q->n - n);
	q->n -= n;
}

static void server_turn(struct world *w)
{
	struct rs_pop3s_event ev;
	size_t used;
	size_t n = 1 + pick(w, 200);
	enum rs_step step;

	if (w->sending >= 0)
		server_body(w);
	step = rs_pop3s_recv(w->server, w->to_server.p, RS_MIN(n, w->to_server.n), &used, &ev);
	took(&w->to_server, used);
	assert_int_not_equal(step, RS_FAILED);
	if (step == RS_EVENT)
		server_event(w, &ev);
	rs_pop3s_sent(w->server, move(w, rs_pop3s_out(w->server), &w->to_client));
}

static void client_turn(struct world *w)
{
	struct rs_pop3c_event ev;
	size_t used;
	size_t n = 1 + pick(w, 200);
	enum rs_step step;

	step = rs_pop3c_recv(w->client, w->to_client.p, RS_MIN(n, w->to_client.n), &used, &ev);
	assert_int_not_equal(step, RS_FAILED);
	if (step == RS_EVENT)
		client_event(w, &ev);
	took(&w->to_client, used);
	tell(w);
	rs_pop3c_sent(w->client, move(w, rs_pop3c_out(w->client), &w->to_server));
}

static void session(uint32_t seed)
{
	struct rs_pop3s_cfg cfg = {.flags = RS_POP3S_CLEARTEXT, .limits = rs_pop3s_limits_default};
	struct world *w = calloc(1, sizeof(*w));
	uint8_t *image;

	assert_non_null(w);
	w->random = seed;
	w->sending = -1;
	w->msgs_n = pick(w, MSGS_MAX + 1);
	cfg.limits.out_max = 1024 + pick(w, 3000);
	image = build(w);
	plan(w);
	assert_int_equal(rs_pop3s_create(&cfg, &w->server), 0);
	assert_int_equal(rs_pop3c_create(&rs_pop3c_limits_default, &w->client), 0);
	for (unsigned i = 0; i < ROUNDS_MAX && w->answered < w->jobs_n; i++) {
		server_turn(w);
		client_turn(w);
	}
	assert_int_equal(w->answered, w->jobs_n);
	assert_int_equal(w->committed, 1);
	assert_int_equal(rs_pop3c_pending(w->client), 0);
	rs_pop3c_destroy(&w->client);
	rs_pop3s_destroy(&w->server);
	free(image);
	free(w);
}

static void pop3__both_engines_agree_under_every_cut(void **state)
{
	for (uint32_t seed = 1; seed <= SESSIONS; seed++)
		session(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pop3__both_engines_agree_under_every_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
