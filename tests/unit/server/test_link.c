/* link: descriptors that this process has no room for. */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <glib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/link.h"

#define FDS_MAX 64

struct scene {
	uv_loop_t loop;
	struct rs_link *master; /* sends */
	struct rs_link *front;  /* receives */
	struct rlimit before;
	int filled[FDS_MAX];
	int filled_n;
	int fds[8];   /* what came with each message, -1: none */
	bool lost[8]; /* and was said to be lost */
	int got;
	bool ended;
};

static bool on_message(void *arg, struct rs_link *l, struct rs_msg_in *m)
{
	struct scene *s = arg;

	assert_int_equal(m->type, RS_MSG_LISTENER);
	assert_int_equal(rs_msg_u8(m), s->got);
	s->lost[s->got] = m->fds_lost;
	s->fds[s->got] = m->fds_n ? rs_msg_fd(m) : -1;
	s->got++;
	return rs_msg_end(m);
}

static void on_closed(void *arg, struct rs_link *l, const char *why)
{
	struct scene *s = arg;

	s->ended = true;
	if (l == s->front)
		s->front = NULL;
	else
		s->master = NULL;
}

static const struct rs_link_ops ops = {.message = on_message, .closed = on_closed};

static int set_up(void **state)
{
	struct scene *s = g_new0(struct scene, 1);
	struct rlimit few = {.rlim_cur = FDS_MAX};
	int fds[2];

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &s->before), 0);
	few.rlim_max = s->before.rlim_max;
	assert_int_equal(uv_loop_init(&s->loop), 0);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(rs_link_create(&s->loop, fds[0], RS_ROLE_MASTER, RS_ROLE_FRONT, &ops, s,
				 &s->master),
		0);
	assert_int_equal(
		rs_link_create(&s->loop, fds[1], RS_ROLE_FRONT, RS_ROLE_MASTER, &ops, s, &s->front),
		0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	while (s->filled_n)
		close(s->filled[--s->filled_n]);
	for (int i = 0; i < s->got; i++) {
		if (s->fds[i] >= 0)
			close(s->fds[i]);
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &s->before), 0);
	rs_link_destroy(&s->master);
	rs_link_destroy(&s->front);
	uv_run(&s->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&s->loop), 0);
	g_free(s);
	return 0;
}

static void tell(struct scene *s, uint8_t number, bool with_fd)
{
	rs_link_begin(s->master, RS_MSG_LISTENER);
	rs_link_u8(s->master, number);
	if (with_fd)
		rs_link_fd(s->master, open("/dev/null", O_RDONLY | O_CLOEXEC));
	rs_link_end(s->master);
}

/* All descriptors but `room` are taken. */
static void fill(struct scene *s, int room)
{
	int fd;

	while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		s->filled[s->filled_n++] = fd;
	while (room--)
		close(s->filled[--s->filled_n]);
}

static void lost_descriptor__is_told_to_its_message_alone(void **state)
{
	struct scene *s = *state;

	tell(s, 0, true);
	tell(s, 1, false);
	tell(s, 2, true);
	tell(s, 3, true);
	tell(s, 4, false);
	rs_link_flush(s->master);
	fill(s, 1);
	rs_link_catch_up(s->front);
	assert_false(s->ended);
	assert_int_equal(s->got, 5);
	assert_true(s->fds[0] >= 0 && !s->lost[0]);
	assert_true(!s->lost[1] && !s->lost[4]);
	assert_true(s->fds[2] == -1 && s->lost[2]);
	assert_true(s->fds[3] == -1 && s->lost[3]);
}

static void lost_descriptor__of_all_of_them_and_then_none(void **state)
{
	struct scene *s = *state;

	tell(s, 0, true);
	rs_link_flush(s->master);
	fill(s, 0);
	rs_link_catch_up(s->front);
	assert_true(s->got == 1 && s->lost[0] && s->fds[0] == -1);
	close(s->filled[--s->filled_n]);
	close(s->filled[--s->filled_n]);
	tell(s, 1, true);
	rs_link_flush(s->master);
	rs_link_catch_up(s->front);
	assert_true(s->got == 2 && !s->lost[1] && s->fds[1] >= 0);
	assert_false(s->ended);
}

static void reserve__keeps_room_for_what_comes(void **state)
{
	struct scene *s = *state;

	rs_link_reserve(s->front, 2);
	tell(s, 0, true);
	tell(s, 1, true);
	tell(s, 2, true);
	rs_link_flush(s->master);
	fill(s, 0);
	rs_link_catch_up(s->front);
	assert_int_equal(s->got, 3);
	assert_true(!s->lost[0] && !s->lost[1] && s->lost[2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			lost_descriptor__is_told_to_its_message_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			lost_descriptor__of_all_of_them_and_then_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			reserve__keeps_room_for_what_comes, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
