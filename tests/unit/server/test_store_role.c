/* The store role between a front and auth that are played here, over real links. */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <glib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/drop.h"
#include "server/role.h"
#include "server/store.h"

#define SESSION 77u

struct scene {
	struct rs_proc r;
	struct rs_conf conf;
	struct rs_link *front; /* our ends */
	struct rs_link *auth;
	guint got[RS_MSG_TYPE_N];
	uint8_t err; /* of the last answer */
	uint32_t rows;
	int seals;
	GString *body;
};

static bool on_role_message(void *arg, struct rs_link *l, struct rs_msg_in *m)
{
	struct scene *s = arg;

	return rs_store_ops_role.message(
		&s->r, l == s->r.auth ? RS_ROLE_AUTH : RS_ROLE_FRONT, 0, m);
}

static void on_role_closed(void *arg, struct rs_link *l, const char *why)
{
	struct scene *s = arg;

	if (l == s->r.auth) {
		s->r.auth = NULL;
		return;
	}
	s->r.fronts[0] = NULL;
	rs_store_ops_role.peer_gone(&s->r, RS_ROLE_FRONT, 0);
}

static void opened(struct scene *s, struct rs_msg_in *m)
{
	struct rs_drop_head head;
	struct rs_slice table;
	int fd = -1;

	(void)rs_msg_u64(m);
	(void)rs_msg_u32(m);
	(void)rs_msg_octets(m);
	table = rs_msg_octets(m);
	if (s->err != RS_STORE_OK)
		return;
	if (table.n) {
		assert_true(table.n >= sizeof(head) && table.n <= RS_MSG_IMAGE_MAX);
		memcpy(&head, table.p, sizeof(head));
		s->rows = head.rows_n;
		return;
	}
	fd = rs_msg_fd(m);
	assert_int_equal(pread(fd, &head, sizeof(head), 0), sizeof(head));
	s->rows = head.rows_n;
	s->seals = fcntl(fd, F_GET_SEALS);
	close(fd);
}

static bool on_front_message(void *arg, struct rs_link *l, struct rs_msg_in *m)
{
	struct scene *s = arg;

	s->got[m->type]++;
	assert_int_equal(rs_msg_u64(m), SESSION);
	if (m->type == RS_MSG_DATA_ROOM)
		return true;
	if (m->type == RS_MSG_BODY || m->type == RS_MSG_DELIVERED || m->type == RS_MSG_RCPT_READY)
		(void)rs_msg_u32(m);
	s->err = rs_msg_u8(m);
	if (m->type == RS_MSG_OPENED)
		opened(s, m);
	if (m->type == RS_MSG_BODY) {
		struct rs_slice o;

		(void)rs_msg_u8(m);
		(void)rs_msg_u64(m);
		o = rs_msg_octets(m);
		g_string_append_len(s->body, (const char *)o.p, (gssize)o.n);
	}
	return true;
}

static void on_our_end_closed(void *arg, struct rs_link *l, const char *why)
{
	struct scene *s = arg;

	if (l == s->front)
		s->front = NULL;
	else
		s->auth = NULL;
}

static const struct rs_link_ops role_ops = {on_role_message, on_role_closed};
static const struct rs_link_ops our_ops = {on_front_message, on_our_end_closed};

static void pair(struct scene *s, enum rs_role us, struct rs_link **ours, struct rs_link **its)
{
	int fds[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(
		rs_link_create(&s->r.loop, fds[0], RS_ROLE_STORE, us, &role_ops, s, its), 0);
	assert_int_equal(
		rs_link_create(&s->r.loop, fds[1], us, RS_ROLE_STORE, &our_ops, s, ours), 0);
}

/* Scenes stay reachable to the end, like a role's own things: what the sanitizer then calls lost is
 * what a session has lost. */
static struct scene *scenes[8];
static size_t scenes_n;

static int set_up(void **state)
{
	struct scene *s = scenes[scenes_n++] = g_new0(struct scene, 1);

	s->conf.store_type = RS_STORE_MEMORY;
	s->r.kind = RS_ROLE_STORE;
	s->r.conf = &s->conf;
	s->r.ops = &rs_store_ops_role;
	s->body = g_string_new(NULL);
	assert_int_equal(uv_loop_init(&s->r.loop), 0);
	assert_true(rs_store_ops_role.start(&s->r));
	pair(s, RS_ROLE_FRONT, &s->front, &s->r.fronts[0]);
	pair(s, RS_ROLE_AUTH, &s->auth, &s->r.auth);
	*state = s;
	return 0;
}

static void turn(struct scene *s)
{
	for (int i = 0; i < 20; i++)
		uv_run(&s->r.loop, UV_RUN_NOWAIT);
}

static void begin(struct rs_link *l, enum rs_msg_type type)
{
	rs_link_begin(l, type);
	rs_link_u64(l, SESSION);
}

static void ask_open(struct scene *s)
{
	rs_link_begin(s->auth, RS_MSG_OPEN);
	rs_link_u32(s->auth, 0);
	rs_link_u64(s->auth, SESSION);
	rs_link_octets(s->auth, rs_slice_str("anna"));
	rs_link_octets(s->auth, rs_slice_str("/anna"));
	rs_link_end(s->auth);
}

static void ask_read(struct scene *s, uint32_t first, uint32_t n)
{
	begin(s->front, RS_MSG_READ);
	rs_link_u32(s->front, first);
	rs_link_u32(s->front, n);
	rs_link_end(s->front);
}

static void say(struct scene *s, enum rs_msg_type type)
{
	begin(s->front, type);
	rs_link_end(s->front);
}

static void ask_commit(struct scene *s, uint8_t marks)
{
	begin(s->front, RS_MSG_COMMIT);
	rs_link_octets(s->front, rs_slice(&marks, 1));
	rs_link_end(s->front);
}

static void bring(struct scene *s)
{
	rs_link_begin(s->auth, RS_MSG_RCPT_OPEN);
	rs_link_u32(s->auth, 0);
	rs_link_u64(s->auth, SESSION);
	rs_link_u32(s->auth, 5);
	rs_link_octets(s->auth, rs_slice_str("anna"));
	rs_link_octets(s->auth, rs_slice_str("/anna"));
	rs_link_end(s->auth);
	turn(s);
	begin(s->front, RS_MSG_DATA);
	rs_link_octets(s->front, rs_slice_str("A: 1\r\n\r\none\r\n"));
	rs_link_end(s->front);
	say(s, RS_MSG_DATA_END);
	turn(s);
	assert_int_equal(s->got[RS_MSG_RCPT_READY], 1);
	assert_int_equal(s->got[RS_MSG_DATA_ROOM], 1);
	assert_int_equal(s->got[RS_MSG_DELIVERED], 1);
	assert_int_equal(s->err, RS_STORE_OK);
	s->got[RS_MSG_RCPT_READY] = s->got[RS_MSG_DATA_ROOM] = s->got[RS_MSG_DELIVERED] = 0;
}

static void store_role__a_session_from_delivery_to_removal(void **state)
{
	struct scene *s = *state;

	bring(s);
	ask_open(s);
	turn(s);
	assert_int_equal(s->got[RS_MSG_OPENED], 1);
	assert_int_equal(s->rows, 1);
	assert_int_equal(s->seals, 0); /* a small table needs no file */
	ask_read(s, 0, 1);
	turn(s);
	assert_string_equal(s->body->str, "A: 1\r\n\r\none\r\n");
	ask_commit(s, 1);
	ask_read(s, 0, 1); /* after COMMIT nothing is asked of the store */
	ask_commit(s, 1);
	turn(s);
	assert_int_equal(s->got[RS_MSG_COMMITTED], 1);
	assert_int_equal(s->got[RS_MSG_BODY], 1);
	say(s, RS_MSG_CLOSE);
	turn(s);
	ask_open(s);
	turn(s);
	assert_int_equal(s->err, RS_STORE_OK);
	assert_int_equal(s->rows, 0);
	say(s, RS_MSG_CLOSE);
}

static void store_role__a_large_table_is_a_file_that_nobody_can_change(void **state)
{
	enum { N = 1000 };
	struct scene *s = *state;

	for (int i = 0; i < N; i++)
		bring(s);
	ask_open(s);
	turn(s);
	assert_int_equal(s->rows, N);
	assert_int_equal(s->seals, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
	say(s, RS_MSG_CLOSE);
	turn(s);
}

/* What was asked and not answered goes with the session (the sanitizer sees a leak). */
static void store_role__a_close_with_questions_open_unlocks_and_forgets_them(void **state)
{
	struct scene *s = *state;

	bring(s);
	ask_open(s);
	turn(s);
	ask_read(s, 0, 1);
	say(s, RS_MSG_CLOSE);
	turn(s);
	assert_int_equal(s->got[RS_MSG_BODY], 0);
	ask_open(s);
	turn(s);
	assert_int_equal(s->err, RS_STORE_OK);
	assert_int_equal(s->rows, 1);
	say(s, RS_MSG_CLOSE);
}

static void store_role__a_lost_front_frees_its_locks_and_removes_nothing(void **state)
{
	struct scene *s = *state;

	bring(s);
	ask_open(s);
	turn(s);
	rs_link_destroy(&s->front);
	turn(s);
	assert_null(s->r.fronts[0]);
	pair(s, RS_ROLE_FRONT, &s->front, &s->r.fronts[0]);
	ask_open(s);
	turn(s);
	assert_int_equal(s->err, RS_STORE_OK);
	assert_int_equal(s->rows, 1);
	say(s, RS_MSG_CLOSE);
}

static void store_role__rows_that_are_not_there_end_the_link(void **state)
{
	struct scene *s = *state;

	bring(s);
	ask_open(s);
	turn(s);
	ask_read(s, 1, 1);
	turn(s);
	assert_null(s->front);
	assert_null(s->r.fronts[0]);
}

static void store_role__unknown_sessions_are_left_alone(void **state)
{
	struct scene *s = *state;

	ask_read(s, 0, 1);
	ask_commit(s, 0);
	say(s, RS_MSG_DATA_END);
	say(s, RS_MSG_DATA_DROP);
	say(s, RS_MSG_CLOSE);
	turn(s);
	assert_non_null(s->front);
	for (size_t i = 0; i < RS_MSG_TYPE_N; i++)
		assert_int_equal(s->got[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(store_role__a_session_from_delivery_to_removal, set_up),
		cmocka_unit_test_setup(
			store_role__a_large_table_is_a_file_that_nobody_can_change, set_up),
		cmocka_unit_test_setup(
			store_role__a_close_with_questions_open_unlocks_and_forgets_them, set_up),
		cmocka_unit_test_setup(
			store_role__a_lost_front_frees_its_locks_and_removes_nothing, set_up),
		cmocka_unit_test_setup(store_role__rows_that_are_not_there_end_the_link, set_up),
		cmocka_unit_test_setup(store_role__unknown_sessions_are_left_alone, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
