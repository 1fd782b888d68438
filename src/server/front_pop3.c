/* front_pop3.c - a POP3 session: the engine (proto/pop3s.h) between a connection and the roles.
 *
 *   NONE --LOGIN--> ASKED_AUTH --CHALLENGE--> NONE        --REFUSED--> (held back) --> NONE
 *                      '--OPENED ok--> IN --RETR--> WAIT_BODY --> SENDING --> IN
 *                                      IN --QUIT--> WAIT_COMMIT --COMMITTED--> LEAVING --turn's end--> end
 * Facts: `store` is set exactly from OPENED on, and the store hears CLOSE once for it; `drop` is a
 *        mapping of a sealed file that was checked; bodies are asked for in IN and WAIT_BODY only. */
#include <fcntl.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/secret.h"
#include "server/front.h"
#include "server/front_body.h"
#include "server/log.h"
#include "server/stats.h"

#define NO_STORE       UINT32_MAX
#define LOGIN_TIME_S   30 /* auth and store must have answered by then */
#define IMAGE_MAX      (1u << 30)
#define IN_ENOUGH      16384 /* octets of commands waiting; no more are read */
#define BODIES_KEPT_MS 5000  /* of a session that fetches nothing more */

enum pop3_wait {
	WAIT_NOTHING,
	WAIT_LOGIN,
	WAIT_HELD_BACK,
	WAIT_BODY,
	SENDING,
	WAIT_COMMIT,
	LEAVING /* the store is told of the end, QUIT is not answered yet */
};

struct pop3 {
	struct front_sess sess; /* first: the table hands out this */
	struct rs_pop3s_cfg cfg;
	char stamp[96]; /* APOP timestamp */
	struct rs_pop3s *engine;
	enum pop3_wait wait;
	uint32_t store;
	char *user;
	void *image; /* the table: a mapping, or (a small one) memory */
	size_t image_n;
	bool image_mapped;
	struct rs_drop drop;
	struct front_bodies bodies;
	uint64_t wanted_ms; /* when a body was wanted last */
	uint32_t row;       /* WAIT_BODY, SENDING */
	int64_t top;
	uint64_t refuse_at_ms; /* WAIT_HELD_BACK */
	uint32_t retrieved_n;
	uint32_t removed_n;
	enum rs_stats_mech mech; /* of the login under way */
	uint64_t asked_ns;       /* when auth was asked, or the store to delete */
	bool counted;            /* in RS_STAT_SESSIONS */
	bool told_commit;
	uint32_t left_store; /* LEAVING: who was told, and what QUIT is answered with */
	uint32_t left;
	enum rs_pop3_code left_code;
	bool starting_tls; /* STLS was accepted, its "+OK" is not with the kernel yet */
	bool stepping;
};

static void step(struct rs_conn *c);
static enum rs_step advance(struct pop3 *p);

static struct front *front_of(const struct pop3 *p)
{
	return p->sess.conn->front;
}

static struct rs_link *store_of(const struct pop3 *p)
{
	return p->store == NO_STORE ? NULL : front_of(p)->proc->stores[p->store];
}

/* --- questions ----------------------------------------------------------------------------- */

static void refuse(struct pop3 *p, enum rs_pop3_code code, const char *why)
{
	p->wait = WAIT_NOTHING;
	rs_pop3s_refuse(p->engine, code, why);
}

static void ask_login(struct pop3 *p, const struct rs_pop3s_event *ev)
{
	struct front_login ask = {.service = p->sess.conn->service,
		.tls = p->sess.conn->ssl != NULL,
		.channel = p->sess.conn,
		.kind = ev->login,
		.first = ev->first,
		.has_secret = ev->has_secret,
		.mech = ev->mech,
		.user = ev->user,
		.secret = ev->secret,
		.stamp = p->cfg.apop_timestamp,
		.peer = p->sess.conn->peer_text};

	if (!front_login_ask(front_of(p), p->sess.id, &ask)) {
		refuse(p, RS_POP3_CODE_SYS_TEMP, NULL);
		return;
	}
	g_free(p->user);
	p->user =
		ev->user.n ? g_utf8_make_valid((const char *)ev->user.p, (gssize)ev->user.n) : NULL;
	p->wait = WAIT_LOGIN;
	p->asked_ns = uv_hrtime();
	if (ev->login != RS_LOGIN_SASL)
		p->mech = ev->login == RS_LOGIN_APOP ? RS_STATS_APOP : RS_STATS_PASS;
	else if (ev->first)
		p->mech = rs_stats_mech_of(ev->mech);
	rs_conn_alive(p->sess.conn, LOGIN_TIME_S);
}

static void let_go(struct pop3 *p)
{
	struct rs_link *l = store_of(p);

	front_user_leave(p->sess.conn);
	if (l) {
		rs_link_begin(l, RS_MSG_CLOSE);
		rs_link_u64(l, p->sess.id);
		rs_link_end(l);
	}
	p->store = NO_STORE;
}

/* The same before QUIT is answered: whoever reads "+OK" may log in again at once, perhaps at another
 * front, and the store must have heard of the end by then. Answered at the end of this turn of the loop (`left`),
 * so that the ends of many sessions leave together. */
static void let_go_first(struct pop3 *p, uint32_t left, enum rs_pop3_code code)
{
	p->left_store = p->store;
	p->left = left;
	p->left_code = code;
	let_go(p);
	p->wait = LEAVING;
	front_later(p->sess.conn);
}

static void left(struct pop3 *p)
{
	struct rs_link *l =
		p->left_store == NO_STORE ? NULL : front_of(p)->proc->stores[p->left_store];

	if (l) /* the first of this turn sends for all */
		rs_link_flush(l);
	p->wait = WAIT_NOTHING;
	rs_pop3s_committed(p->engine, p->left, p->left_code);
}

static void ask_commit(struct pop3 *p)
{
	struct rs_link *l = store_of(p);
	uint32_t marked;
	const uint8_t *marks = rs_pop3s_marks(p->engine, &marked);

	p->removed_n = marked;
	if (marked == 0) {
		let_go_first(p, 0, RS_POP3_CODE_NONE);
		return;
	}
	rs_link_begin(l, RS_MSG_COMMIT);
	rs_link_u64(l, p->sess.id);
	rs_link_octets(l, rs_slice(marks, rs_marks_n(rs_drop_n(&p->drop))));
	rs_link_end(l);
	p->wait = WAIT_COMMIT;
	p->asked_ns = uv_hrtime();
	p->told_commit = true;
}

/* --- answers ------------------------------------------------------------------------------- */

static enum rs_pop3_code code_of(enum rs_store_err err)
{
	switch (err) {
	case RS_STORE_INUSE:
		return RS_POP3_CODE_IN_USE;
	case RS_STORE_PERM:
	case RS_STORE_CORRUPT:
	case RS_STORE_NOBOX:
		return RS_POP3_CODE_SYS_PERM;
	case RS_STORE_OK:
	case RS_STORE_FULL:
	case RS_STORE_QUOTA:
	case RS_STORE_TEMP:
	case RS_STORE_LOST:
	case RS_STORE_UNKNOWN:
	case RS_STORE_GONE:
	case RS_STORE_ERR_N:
		break;
	}
	return RS_POP3_CODE_SYS_TEMP;
}

/* Map the table; it is used only when sealed (nobody can change it under us) and right. */
static bool map_image(struct pop3 *p, int fd, uint64_t n)
{
	int seals = fcntl(fd, F_GET_SEALS);
	int want = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
	void *image;

	if (n == 0 || n > IMAGE_MAX || seals < 0 || (seals & want) != want)
		return false;
	if (lseek(fd, 0, SEEK_END) != (off_t)n)
		return false;
	image = mmap(NULL, (size_t)n, PROT_READ, MAP_SHARED, fd, 0);
	if (image == MAP_FAILED)
		return false;
	p->image = image;
	p->image_n = (size_t)n;
	p->image_mapped = true;
	return true;
}

/* The table, as it came. It is not believed: the store reads files that others wrote. */
static bool take_image(struct pop3 *p, int fd, uint64_t n, struct rs_slice octets)
{
	if (octets.n == 0) {
		if (!map_image(p, fd, n))
			return false;
	} else if (octets.n != n) {
		return false;
	} else {
		p->image = g_memdup2(octets.p, octets.n);
		p->image_n = octets.n;
	}
	return rs_drop_open(rs_slice(p->image, p->image_n), &p->drop) == 0;
}

static void count_login(struct pop3 *p)
{
	rs_stats_login(p->mech, RS_STATS_LOGIN_OK);
	rs_stats_time(RS_STAT_LOGIN_TIME, (uv_hrtime() - p->asked_ns) / 1000);
	rs_stats_add(RS_STAT_SESSIONS, 1);
	p->counted = true;
}

/* Days of retention as the engine has them. */
static int32_t expire_told(uint32_t days)
{
	return days ? (int32_t)days : -1;
}

static bool on_opened(struct pop3 *p, uint32_t store, struct rs_msg_in *m)
{
	enum rs_store_err err = (enum rs_store_err)rs_msg_u8(m);
	uint64_t n = rs_msg_u64(m);
	uint32_t days = rs_msg_u32(m);
	struct rs_slice user = rs_msg_octets(m);
	struct rs_slice image = rs_msg_octets(m);
	int fd = err == RS_STORE_OK && image.n == 0 ? rs_msg_fd(m) : -1;
	bool good;

	if (!rs_msg_end(m)) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	if (p->wait != WAIT_LOGIN) { /* too late: the session is ending */
		if (fd >= 0)
			close(fd);
		p->store = store;
		let_go(p);
		return true;
	}
	if (m->fds_lost) { /* it is open there, and we have no room for the table */
		p->store = store;
		let_go(p);
		err = RS_STORE_TEMP;
	}
	if (err != RS_STORE_OK) {
		rs_stats_add(RS_STAT_OPEN_FAILED, 1);
		rs_stats_login(p->mech, RS_STATS_LOGIN_FAILED);
		/* a mailbox that is not there is an empty one: what is told here needs a person */
		refuse(p, err == RS_STORE_GONE ? RS_POP3_CODE_SYS_PERM : code_of(err), NULL);
		return true;
	}
	p->store = store;
	p->wait = WAIT_NOTHING;
	good = take_image(p, fd, n, image);
	if (fd >= 0)
		close(fd);
	if (!good) {
		let_go(p);
		refuse(p, RS_POP3_CODE_SYS_TEMP, NULL);
		return false;
	}
	g_free(p->user);
	p->user = g_strndup((const char *)user.p, user.n);
	if (!front_user_admit(p->sess.conn, p->user)) {
		let_go(p);
		rs_stats_login(p->mech, RS_STATS_LOGIN_FAILED);
		refuse(p, RS_POP3_CODE_SYS_TEMP, "Too many connections of this user");
		return true;
	}
	p->cfg.expire_days = expire_told(MIN(days, G_MAXINT32));
	if (rs_pop3s_login_ok(p->engine, &p->drop) < 0) {
		let_go(p);
		return true;
	}
	count_login(p);
	rs_log(RS_LOG_INFO, "login", "id", rs_log_id(p->sess.id), "user", p->user, "messages",
		rs_log_num(rs_drop_n(&p->drop)), NULL);
	return true;
}

static bool on_refused(struct pop3 *p, struct rs_msg_in *m)
{
	struct rs_conn *c = p->sess.conn;
	const struct front_tried tried = {
		.session = p->sess.id, .mech = p->mech, .peer = c->peer_text, .user = p->user};
	struct front_refused no;

	if (p->wait != WAIT_LOGIN || !front_login_refused(m, &tried, &no))
		return false;
	if (no.delay_ms == 0) {
		refuse(p, no.code, NULL);
		return true;
	}
	c->held_back_ms += no.delay_ms;
	rs_conn_alive(c, no.delay_ms / 1000 + LOGIN_TIME_S);
	p->refuse_at_ms = uv_now(&front_of(p)->proc->loop) + no.delay_ms;
	p->wait = WAIT_HELD_BACK;
	return true;
}

static bool on_body(struct pop3 *p, struct rs_msg_in *m)
{
	uint32_t row = rs_msg_u32(m);
	enum rs_store_err err = (enum rs_store_err)rs_msg_u8(m);
	struct rs_slice octets;
	int fd;

	(void)rs_msg_u8(m);
	(void)rs_msg_u64(m);
	octets = rs_msg_octets(m);
	fd = m->fds_n ? rs_msg_fd(m) : -1;
	if (!rs_msg_end(m) || row >= rs_drop_n(&p->drop)) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	if (m->fds_lost)
		err = RS_STORE_TEMP;
	front_bodies_came(&p->bodies, row, err, octets, fd);
	/* The one that is waited for, and commands behind it: into the engine from where the octets are. */
	while (p->wait == WAIT_BODY && p->row == row && !p->sess.conn->closing && !p->stepping) {
		if (advance(p) != RS_EVENT)
			break;
	}
	front_bodies_keep(&p->bodies, row);
	return true;
}

static bool on_committed(struct pop3 *p, struct rs_msg_in *m)
{
	enum rs_store_err err = (enum rs_store_err)rs_msg_u8(m);
	uint32_t left = rs_msg_u32(m);

	if (!rs_msg_end(m) || p->wait != WAIT_COMMIT)
		return false;
	if (err != RS_STORE_OK) {
		left = p->removed_n;
		p->removed_n = 0;
	}
	rs_stats_add(RS_STAT_DELETED, p->removed_n - RS_MIN(left, p->removed_n));
	rs_stats_time(RS_STAT_COMMIT_TIME, (uv_hrtime() - p->asked_ns) / 1000);
	let_go_first(p, left, err == RS_STORE_OK ? RS_POP3_CODE_NONE : code_of(err));
	return true;
}

static bool on_challenge(struct pop3 *p, struct rs_msg_in *m)
{
	struct rs_slice octets = rs_msg_octets(m);

	if (!rs_msg_end(m) || p->wait != WAIT_LOGIN)
		return false;
	p->wait = WAIT_NOTHING;
	if (rs_pop3s_challenge(p->engine, octets) < 0)
		rs_pop3s_refuse(p->engine, RS_POP3_CODE_SYS_TEMP, NULL);
	return true;
}

static bool pop3_message(
	struct front_sess *s, enum rs_role peer, uint32_t index, struct rs_msg_in *m)
{
	struct pop3 *p = (struct pop3 *)s;
	bool ok = false;

	if (m->type == RS_MSG_OPENED)
		ok = on_opened(p, index, m);
	else if (m->type == RS_MSG_REFUSED)
		ok = on_refused(p, m);
	else if (m->type == RS_MSG_CHALLENGE)
		ok = on_challenge(p, m);
	else if (m->type == RS_MSG_BODY && index == p->store)
		ok = on_body(p, m);
	else if (m->type == RS_MSG_COMMITTED && index == p->store)
		ok = on_committed(p, m);
	front_later(s->conn);
	return ok;
}

/* No answer about a login. The session ends with it, so that an answer that comes all the same belongs to
 * nobody and cannot be taken for that of a second try. */
static void give_up_login(struct pop3 *p)
{
	refuse(p, RS_POP3_CODE_SYS_TEMP, NULL);
	(void)rs_pop3s_eof(p->engine);
}

static void pop3_peer_gone(struct front_sess *s, enum rs_role peer, uint32_t index)
{
	struct pop3 *p = (struct pop3 *)s;

	if (p->wait == WAIT_LOGIN) {
		give_up_login(p); /* whoever was asked, the answer may never come */
	} else if (peer == RS_ROLE_STORE && index == p->store) {
		p->store = NO_STORE;
		if (p->wait == WAIT_COMMIT) /* decided or not: nobody can say, so it is not a yes */
			rs_pop3s_committed(p->engine, p->removed_n, RS_POP3_CODE_SYS_TEMP);
		else
			rs_pop3s_abort(p->engine, RS_POP3_CODE_SYS_TEMP, NULL);
		p->wait = WAIT_NOTHING;
	}
	if (!s->conn->closing)
		step(s->conn);
}

static const struct front_sess_ops sess_ops = {
	.message = pop3_message, .peer_gone = pop3_peer_gone};

/* --- bodies -------------------------------------------------------------------------------- */

/* The body that was waited for is here. */
static void body_begin(struct pop3 *p)
{
	const struct body *b = front_bodies_get(&p->bodies, p->row);

	if (!b)
		return;
	if (b->err != RS_STORE_OK) {
		enum rs_store_err err = b->err;

		front_bodies_forget(&p->bodies, p->row);
		refuse(p, err == RS_STORE_GONE ? RS_POP3_CODE_SYS_PERM : code_of(err),
			err == RS_STORE_GONE ? "Another program has removed this message" : NULL);
		return;
	}
	rs_pop3s_body_begin(p->engine);
	p->wait = SENDING;
}

static void body_send(struct pop3 *p)
{
	enum front_send s = front_bodies_get(&p->bodies, p->row)
				    ? front_bodies_send(&p->bodies, p->row, p->engine)
				    : SEND_DONE;

	if (s == SEND_ROOM || (s == SEND_DONE && !rs_pop3s_body_last(p->engine)))
		return;
	/* Law 5: what LIST told is what is sent; else the final dot is not sent either. */
	if (s == SEND_BROKEN ||
		(p->top < 0 && rs_pop3s_body_octets(p->engine) != rs_pop3s_body_told(p->engine))) {
		rs_log(RS_LOG_ERROR, "message-broken", "id", rs_log_id(p->sess.id), "user", p->user,
			"message", rs_log_num(p->row + 1u), NULL);
		rs_pop3s_body_broken(p->engine);
		p->wait = WAIT_NOTHING;
		return;
	}
	if (!rs_pop3s_body_end(p->engine))
		return;
	p->wait = WAIT_NOTHING;
	p->retrieved_n += p->top < 0;
	rs_stats_add(RS_STAT_RETRIEVED, p->top < 0);
}

/* --- stepping ------------------------------------------------------------------------------ */

static void on_event(struct pop3 *p, const struct rs_pop3s_event *ev)
{
	switch (ev->kind) {
	case RS_S_LOGIN:
		ask_login(p, ev);
		break;
	case RS_S_START_TLS:
		break; /* when the "+OK" is out: see step */
	case RS_S_OPEN:
		p->row = ev->msg;
		p->top = ev->top;
		p->wait = WAIT_BODY;
		p->wanted_ms = uv_now(&front_of(p)->proc->loop);
		if (store_of(p))
			front_bodies_want(&p->bodies, p->row, &p->drop, store_of(p), p->sess.id);
		break;
	case RS_S_COMMIT:
		ask_commit(p);
		break;
	}
}

static bool flush(struct pop3 *p)
{
	struct rs_slice out = rs_pop3s_out(p->engine);
	size_t n = rs_conn_write(p->sess.conn, out);

	if (n) {
		rs_pop3s_sent(p->engine, n);
		rs_conn_alive(p->sess.conn, rs_pop3s_idle_s(p->engine));
	}
	return n > 0;
}

static void log_end(const struct pop3 *p)
{
	const struct rs_conn *c = p->sess.conn;

	rs_log(RS_LOG_INFO, "disconnect", "id", rs_log_id(c->id), "peer", c->peer_text, "user",
		p->user, "retrieved", rs_log_num(p->retrieved_n), "deleted",
		rs_log_num(p->removed_n), "in", rs_log_num(c->octets_in), "out",
		rs_log_num(c->octets_out), NULL);
}

/* STLS was accepted: once the "+OK" is with the kernel, the handshake begins. Octets that came
 * with the command are an injection, and the engine says so (RFC 2595 section 4). */
static void start_tls(struct pop3 *p)
{
	struct rs_conn *c = p->sess.conn;
	size_t held = rs_buf_n(&c->in);

	p->starting_tls = false;
	if (held) {
		rs_log(RS_LOG_WARNING, "injection", "id", rs_log_id(c->id), "peer", c->peer_text,
			"octets", rs_log_num(held), NULL);
		(void)rs_pop3s_tls_up(p->engine, held);
		rs_conn_close(c, true);
	} else if (!rs_conn_tls(c, front_of(p)->tls)) {
		rs_conn_close(c, false);
	}
}

/* A body, then the next command. Nothing is sent. */
static enum rs_step advance(struct pop3 *p)
{
	struct rs_conn *c = p->sess.conn;
	struct rs_slice in = rs_buf_slice(&c->in);
	struct rs_pop3s_event ev;
	enum rs_step s;
	size_t used;

	if (p->wait == WAIT_BODY)
		body_begin(p);
	if (p->wait == SENDING)
		body_send(p);
	if (p->wait == LEAVING && c->front->after_now)
		left(p);
	s = rs_pop3s_recv(p->engine, in.p, in.n, &used, &ev);
	if (s == RS_EVENT)
		on_event(p,
			&ev); /* before the input moves: the event's slices are the engine's own */
	if (used) {
		rs_wipe(c->in.p + c->in.head, used); /* passwords */
		rs_buf_consume(&c->in, used);
		rs_conn_alive(c, rs_pop3s_idle_s(p->engine));
	}
	p->starting_tls = s == RS_EVENT && ev.kind == RS_S_START_TLS;
	return s;
}

/* One round. False: nothing more can be done now. */
static bool round_once(struct pop3 *p)
{
	struct rs_conn *c = p->sess.conn;
	size_t before = rs_buf_n(&c->in);
	enum rs_step s = advance(p);

	if (s == RS_CLOSED || s == RS_FAILED) {
		(void)flush(p);
		/* what is still in the engine goes when the kernel takes it */
		if (rs_pop3s_out(p->engine).n == 0 || c->closing)
			rs_conn_close(c, true);
		return false;
	}
	if (s == RS_EVENT)
		return true;
	return flush(p) || rs_buf_n(&c->in) < before;
}

static void step(struct rs_conn *c)
{
	struct pop3 *p = c->driver;

	if (p->stepping || c->closing || c->shaking)
		return;
	p->stepping = true;
	do {
		while (!c->closing && !p->starting_tls && round_once(p))
			continue;
		if (!c->closing)
			(void)flush(p);
	} while (!p->starting_tls && rs_buf_n(&c->in) < IN_ENOUGH && rs_conn_more(c));
	if (p->starting_tls && !c->closing && rs_pop3s_out(p->engine).n == 0)
		start_tls(p);
	p->stepping = false;
	if (c->closing)
		return;
	if (c->eof && rs_buf_n(&c->in) == 0 && p->wait == WAIT_NOTHING && !c->writing)
		rs_conn_close(c, true);
	else
		rs_conn_read(c, rs_buf_n(&c->in) < IN_ENOUGH);
	rs_buf_shrink(&c->in);
}

/* --- the connection's calls ---------------------------------------------------------------- */

static void on_tls_up(struct rs_conn *c)
{
	struct pop3 *p = c->driver;

	p->cfg.mechs = front_mechs(c);
	/* POP3S begins with TLS; only STLS has to tell the engine */
	if (c->service == RS_SERVICE_POP3)
		(void)rs_pop3s_tls_up(p->engine, rs_buf_n(&c->in));
	step(c);
}

static void on_gone(struct rs_conn *c)
{
	struct pop3 *p = c->driver;

	(void)rs_pop3s_eof(p->engine);
}

static void on_free(struct rs_conn *c)
{
	struct pop3 *p = c->driver;

	log_end(p);
	rs_stats_sub(RS_STAT_SESSIONS, p->counted);
	if ((p->wait == WAIT_LOGIN || p->wait == WAIT_NOTHING) && p->store == NO_STORE)
		front_login_gone(c->front, p->sess.id);
	let_go(p);
	front_sess_remove(c->front, &p->sess);
	front_bodies_finish(&p->bodies);
	rs_pop3s_destroy(&p->engine);
	if (p->image_mapped)
		munmap(p->image, p->image_n);
	else
		g_free(p->image);
	g_free(p->user);
	g_free(p);
}

static void on_idle(struct rs_conn *c)
{
	struct pop3 *p = c->driver;

	if (c->shaking || c->writing) { /* a handshake or a reader that does not move on */
		rs_conn_close(c, false);
		return;
	}
	if (p->wait == WAIT_LOGIN) {
		give_up_login(p);
	} else if (p->wait == WAIT_BODY || p->wait == WAIT_COMMIT || p->wait == LEAVING) {
		rs_conn_alive(c,
			LOGIN_TIME_S); /* the store takes its time; it is not the client's fault */
		return;
	} else {
		rs_pop3s_abort(p->engine, RS_POP3_CODE_NONE, "Nothing happened for too long");
	}
	step(c);
}

static void on_stop(struct rs_conn *c)
{
	struct pop3 *p = c->driver;
	bool late = uv_now(&c->front->proc->loop) >= c->front->stop_by_ms;

	if (!late && rs_pop3s_in_transaction(p->engine))
		return;
	if (c->shaking || c->writing) {
		rs_conn_close(c, !late);
		return;
	}
	rs_pop3s_abort(p->engine, RS_POP3_CODE_SYS_TEMP, "The service is being stopped");
	p->wait = WAIT_NOTHING;
	step(c);
}

static void on_about(const struct rs_conn *c, struct rs_conn_about *out)
{
	const struct pop3 *p = c->driver;

	out->messages = p->retrieved_n;
	out->store = p->store;
	if (p->store == NO_STORE) {
		out->state = p->wait == WAIT_LOGIN ? "login" : "authorization";
		return;
	}
	out->user = p->user;
	if (p->wait == WAIT_COMMIT)
		out->state = "update";
	else
		out->state = p->wait == WAIT_NOTHING ? "transaction" : "retrieving";
}

static void on_kick(struct rs_conn *c, const char *why)
{
	struct pop3 *p = c->driver;

	/* the client has said QUIT: it ends by itself */
	if (p->wait == WAIT_COMMIT || p->wait == LEAVING)
		return;
	rs_log(RS_LOG_INFO, "kicked", "id", rs_log_id(c->id), "user", p->user, NULL);
	if (c->shaking || c->writing) {
		rs_conn_close(c, false);
		return;
	}
	rs_pop3s_abort(p->engine, RS_POP3_CODE_SYS_TEMP, why);
	p->wait = WAIT_NOTHING;
	step(c);
}

static void on_tick(struct rs_conn *c)
{
	struct pop3 *p = c->driver;
	uint64_t now = uv_now(&c->front->proc->loop);

	if (p->wait == WAIT_NOTHING && p->bodies.ring && now >= p->wanted_ms + BODIES_KEPT_MS)
		front_bodies_rest(&p->bodies);
	if (p->wait != WAIT_HELD_BACK || now < p->refuse_at_ms)
		return;
	refuse(p, RS_POP3_CODE_AUTH, NULL);
	step(c);
}

static const struct rs_conn_ops conn_ops = {
	.step = step,
	.tls_up = on_tls_up,
	.gone = on_gone,
	.free = on_free,
	.idle = on_idle,
	.stop = on_stop,
	.tick = on_tick,
	.about = on_about,
	.kick = on_kick,
};

static void configure(struct pop3 *p, const struct rs_conn *c)
{
	const struct rs_conf *conf = c->front->proc->conf;
	bool clear = conf->cleartext == RS_CLEARTEXT_ALWAYS ||
		     (conf->cleartext == RS_CLEARTEXT_LOOPBACK && c->loopback);
	uint32_t chance[2];

	p->cfg.limits = rs_pop3s_limits_default;
	p->cfg.limits.idle_s = conf->idle_timeout_s;
	p->cfg.limits.idle_pre_s = conf->pre_login_timeout_s;
	p->cfg.mechs = front_mechs(c);
	p->cfg.mechs_plain = clear ? p->cfg.mechs : "";
	p->cfg.implementation = conf->implementation ? "Restante" : NULL;
	p->cfg.expire_days = expire_told(conf->rules.expire_days);
	p->cfg.login_delay_s = conf->login_delay_s ? (int32_t)conf->login_delay_s : -1;
	p->cfg.flags = RS_POP3S_UTF8 | (clear ? RS_POP3S_CLEARTEXT : 0);
	if (c->service == RS_SERVICE_POP3S)
		p->cfg.flags |= RS_POP3S_TLS;
	else if (c->front->tls)
		p->cfg.flags |= RS_POP3S_STLS;
	/* without chance no APOP: an old answer must never fit a new stamp */
	if (conf->apop && RAND_bytes((unsigned char *)chance, sizeof(chance)) == 1) {
		g_snprintf(p->stamp, sizeof(p->stamp), "<%08x%08x.%" G_GUINT64_FORMAT "@%.40s>",
			chance[0], chance[1], c->id, conf->hostname);
		p->cfg.apop_timestamp = p->stamp;
	}
}

void front_pop3_begin(struct rs_conn *c)
{
	struct pop3 *p = g_new0(struct pop3, 1);

	p->sess = (struct front_sess){.id = c->id, .conn = c, .ops = &sess_ops};
	p->store = NO_STORE;
	front_bodies_init(&p->bodies);
	configure(p, c);
	if (rs_pop3s_create(&p->cfg, &p->engine) < 0) {
		g_free(p);
		rs_conn_close(c, false);
		return;
	}
	c->driver = p;
	c->ops = &conn_ops;
	front_sess_add(c->front, &p->sess);
	rs_conn_alive(c, rs_pop3s_idle_s(p->engine));
	if (c->service != RS_SERVICE_POP3S)
		step(c);
	else if (!rs_conn_tls_first(c, c->front->tls))
		rs_conn_close(c, false);
}
