/* fuzz_roles.c - each role against its peers: what a front, auth, a store, the administrator's role or any role
 * towards the master could say when it has been taken over. The messages go to the role's own handler, with
 * a client logging in, a mail coming in, a maildrop open, so that there is something to be harmed.
 *
 * Input: the role, then steps. A step is a row of `rows` and how its fields are made: as msg.h says, from a few
 * octets each (numbers small, or all bits set; sessions that are there), or any octets; with or without a
 * descriptor. A handler that refuses ends the link, as server/link.c does, and the peer comes anew. */
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/drop.h"
#include "server/admin_int.h"
#include "server/front.h"
#include "server/log.h"
#include "server/master_int.h"
#include "tests/fuzz/fuzz.h"

#define STEPS_MAX 64

/* s session, 1 2 4 8 numbers, i octets of the table (0: as many as it has), o octets, d descriptor where wanted */
static const struct row {
	enum rs_role to;
	enum rs_role from;
	enum rs_msg_type type;
	const char *fields;
} rows[] = {
	{RS_ROLE_FRONT, RS_ROLE_AUTH, RS_MSG_CHALLENGE, "so"},
	{RS_ROLE_FRONT, RS_ROLE_AUTH, RS_MSG_REFUSED, "s14o"},
	{RS_ROLE_FRONT, RS_ROLE_AUTH, RS_MSG_RCPT_REFUSED, "s42oo"},
	{RS_ROLE_FRONT, RS_ROLE_STORE, RS_MSG_OPENED, "s1i4ood"},
	{RS_ROLE_FRONT, RS_ROLE_STORE, RS_MSG_BODY, "s4118od"},
	{RS_ROLE_FRONT, RS_ROLE_STORE, RS_MSG_COMMITTED, "s14"},
	{RS_ROLE_FRONT, RS_ROLE_STORE, RS_MSG_LOST, "s"},
	{RS_ROLE_FRONT, RS_ROLE_STORE, RS_MSG_RCPT_READY, "s41"},
	{RS_ROLE_FRONT, RS_ROLE_STORE, RS_MSG_DATA_ROOM, "s4"},
	{RS_ROLE_FRONT, RS_ROLE_STORE, RS_MSG_DELIVERED, "s41"},
	{RS_ROLE_FRONT, RS_ROLE_ADMIN, RS_MSG_ASK_SESSIONS, "8"},
	{RS_ROLE_FRONT, RS_ROLE_ADMIN, RS_MSG_KICK, "8s"},
	{RS_ROLE_AUTH, RS_ROLE_FRONT, RS_MSG_LOGIN, "s11111ooooo"},
	{RS_ROLE_AUTH, RS_ROLE_FRONT, RS_MSG_LOGIN_GONE, "s"},
	{RS_ROLE_AUTH, RS_ROLE_FRONT, RS_MSG_RCPT, "s4o"},
	{RS_ROLE_STORE, RS_ROLE_AUTH, RS_MSG_OPEN, "4soo"},
	{RS_ROLE_STORE, RS_ROLE_AUTH, RS_MSG_RCPT_OPEN, "4s4oo"},
	{RS_ROLE_STORE, RS_ROLE_FRONT, RS_MSG_READ, "s44"},
	{RS_ROLE_STORE, RS_ROLE_FRONT, RS_MSG_COMMIT, "so"},
	{RS_ROLE_STORE, RS_ROLE_FRONT, RS_MSG_CLOSE, "s"},
	{RS_ROLE_STORE, RS_ROLE_FRONT, RS_MSG_DATA, "so"},
	{RS_ROLE_STORE, RS_ROLE_FRONT, RS_MSG_DATA_END, "s"},
	{RS_ROLE_STORE, RS_ROLE_FRONT, RS_MSG_DATA_DROP, "s"},
	{RS_ROLE_ADMIN, RS_ROLE_FRONT, RS_MSG_SESSION, "s8184884oooo"},
	{RS_ROLE_ADMIN, RS_ROLE_FRONT, RS_MSG_SESSIONS_END, "s"},
	{RS_ROLE_ADMIN, RS_ROLE_FRONT, RS_MSG_KICKED, "s1"},
	{RS_ROLE_MASTER, RS_ROLE_N, RS_MSG_READY, ""},
	{RS_ROLE_MASTER, RS_ROLE_N, RS_MSG_VIOLATION, "4"},
	{RS_ROLE_MASTER, RS_ROLE_N, RS_MSG_RELOAD, "8"},
	{RS_ROLE_FRONT, RS_ROLE_AUTH, RS_MSG_LOGGED_IN, "so"},
	{RS_ROLE_FRONT, RS_ROLE_AUTH, RS_MSG_MAIL_ANSWER, "s2oo"},
	{RS_ROLE_FRONT, RS_ROLE_RELAY, RS_MSG_RCPT_READY, "s41"},
	{RS_ROLE_FRONT, RS_ROLE_RELAY, RS_MSG_RCPT_REFUSED, "s42oo"},
	{RS_ROLE_FRONT, RS_ROLE_RELAY, RS_MSG_DATA_ROOM, "s4"},
	{RS_ROLE_FRONT, RS_ROLE_RELAY, RS_MSG_RELAYED, "s2oo"},
	{RS_ROLE_AUTH, RS_ROLE_FRONT, RS_MSG_CHANNEL, "s1ooo"},
	{RS_ROLE_AUTH, RS_ROLE_FRONT, RS_MSG_MAIL, "s18o"},
	{RS_ROLE_RELAY, RS_ROLE_AUTH, RS_MSG_RELAY_OPEN, "4s418oo"},
	{RS_ROLE_RELAY, RS_ROLE_FRONT, RS_MSG_DATA, "so"},
	{RS_ROLE_RELAY, RS_ROLE_FRONT, RS_MSG_DATA_END, "s"},
	{RS_ROLE_RELAY, RS_ROLE_FRONT, RS_MSG_DATA_DROP, "s"},
};

/* --- a role in its surroundings ------------------------------------------------------------- */

struct scene {
	struct rs_proc r;
	int ends[RS_ROLE_N]; /* of its links, where nobody reads with care */
	int listeners[3];
	int clients[3];
};

static struct scene scenes[RS_ROLE_N];
static char users_file[] = "/tmp/rs-fuzz-users-XXXXXX";

static bool no_message(void *arg, struct rs_link *l, struct rs_msg_in *m)
{
	return true;
}

static const struct rs_link_ops link_ops = {.message = no_message};

static struct rs_link **place_of(struct rs_proc *r, enum rs_role peer)
{
	if (r->kind == RS_ROLE_ADMIN && peer == RS_ROLE_FRONT)
		return &r->places[0];
	if (peer == RS_ROLE_FRONT)
		return &r->fronts[0];
	if (peer == RS_ROLE_STORE)
		return &r->stores[0];
	if (peer == RS_ROLE_ADMIN)
		return &r->admin;
	if (peer == RS_ROLE_RELAY)
		return &r->relay;
	return peer == RS_ROLE_AUTH ? &r->auth : &r->control;
}

static void link_up(struct scene *s, enum rs_role peer)
{
	int fds[2];

	FUZZ_LAW(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	FUZZ_LAW(rs_link_create(&s->r.loop, fds[0], s->r.kind, peer, &link_ops, NULL,
			 place_of(&s->r, peer)) == 0);
	if (s->ends[peer] > 0)
		close(s->ends[peer]);
	s->ends[peer] = fds[1];
}

/* What the role has said is read and thrown away, with its descriptors. */
static void drain(struct scene *s)
{
	static uint8_t octets[RS_MSG_PACKET_MAX];

	for (unsigned i = 0; i < RS_ROLE_N; i++) {
		while (s->ends[i] > 0 && read(s->ends[i], octets, sizeof(octets)) > 0)
			continue;
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(s->clients); i++) {
		while (s->clients[i] > 0 && read(s->clients[i], octets, sizeof(octets)) > 0)
			continue;
	}
}

/* --- the server that mail is relayed to ------------------------------------------------------ */

static int smtp_listener = -1;
static int smtp_conns[8];
static guint smtp_n;
static guint8 smtp_how; /* what it answers */

static void smtp_begin(guint16 *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(at);

	smtp_listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	FUZZ_LAW(bind(smtp_listener, (struct sockaddr *)&at, n) == 0);
	FUZZ_LAW(listen(smtp_listener, 64) == 0);
	FUZZ_LAW(getsockname(smtp_listener, (struct sockaddr *)&at, &n) == 0);
	*port = ntohs(at.sin_port);
}

static void smtp_say(int fd, const char *text)
{
	(void)send(fd, text, strlen(text), MSG_NOSIGNAL);
}

/* An answer for each line that came; which one is the input's choice. */
static void smtp_answer(int fd, const char *octets, gssize n)
{
	static const char *const answers[] = {
		"250 2.0.0 yes\r\n", "550 5.1.1 no\r\n", "451 later\r\n", "354 go on\r\n"};

	for (gssize i = 0; i < n; i++) {
		if (octets[i] != '\n')
			continue;
		if (i >= 5 && memcmp(octets + i - 5, "DATA\r", 5) == 0)
			smtp_say(fd, smtp_how & 4 ? answers[1] : answers[3]);
		else
			smtp_say(fd,
				answers[smtp_how & 3 && (smtp_how >> 3) % 8 == i % 8 ? smtp_how & 3
										     : 0]);
	}
}

static void smtp_turn(void)
{
	char octets[4096];
	int fd = smtp_listener < 0 ? -1 : accept4(smtp_listener, NULL, NULL, SOCK_NONBLOCK);

	if (fd >= 0 && smtp_n < G_N_ELEMENTS(smtp_conns)) {
		smtp_conns[smtp_n++] = fd;
		smtp_say(fd, smtp_how & 0x80 ? "554 no\r\n" : "220 here\r\n");
	} else if (fd >= 0) {
		close(fd);
	}
	for (guint i = 0; i < smtp_n; i++) {
		gssize n = recv(smtp_conns[i], octets, sizeof(octets), 0);

		if (n > 0)
			smtp_answer(smtp_conns[i], octets, n);
		if (n == 0 || (n > 0 && smtp_how & 0x40)) { /* it hangs up on the first word */
			close(smtp_conns[i]);
			smtp_conns[i--] = smtp_conns[--smtp_n];
		}
	}
}

static void turn(struct scene *s)
{
	for (int i = 0; i < 3; i++) {
		(void)uv_run(&s->r.loop, UV_RUN_NOWAIT);
		drain(s);
		if (s->r.kind == RS_ROLE_RELAY)
			smtp_turn();
	}
}

static struct rs_conf *conf(void)
{
	static struct rs_conf *c;
	g_autofree char *text = NULL;
	struct rs_err err;
	guint16 port;

	if (c)
		return c;
	smtp_begin(&port);
	FUZZ_LAW(g_file_set_contents(users_file,
		"anna@example.org:{PLAIN}secret::::::\nben@example.org:{PLAIN}x::::::pop3=no\n", -1,
		NULL));
	text = g_strdup_printf(
		"[server]\nhostname = h\nstate-dir = /s\nrun-dir = /r\nworkers = 1\nuser = "
		"0:0\n[listen]\nlmtp "
		"= "
		"unix:/l\n[submission]\nrelay = smtp://127.0.0.1:%u\nrelay-tls = "
		"none\n[auth]\nusers = passwd-file:%s\ncleartext = always\napop = on\n"
		"[store]\ntype = memory\npath = /m/%%u\n[limits]\nfailed-login-delay = "
		"off\n[log]\nlevel = error\n",
		port, users_file);
	FUZZ_LAW(rs_conf_parse("fuzz", rs_slice_str(text), &c, &err) == 0);
	return c;
}

/* A listener of its own, and what to connect to it with. */
static void listen_for(struct scene *s, enum rs_service service, int *listener)
{
	struct sockaddr_un any = {.sun_family = AF_UNIX};

	*listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	FUZZ_LAW(bind(*listener, (struct sockaddr *)&any, sizeof(any.sun_family)) == 0);
	FUZZ_LAW(listen(*listener, 8) == 0);
	s->r.ops->listener(&s->r, service, fcntl(*listener, F_DUPFD_CLOEXEC, 0));
}

static void client(struct scene *s, unsigned i, const char *says)
{
	struct sockaddr_storage at;
	socklen_t n = sizeof(at);

	if (s->clients[i] > 0)
		close(s->clients[i]);
	s->clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	FUZZ_LAW(getsockname(s->listeners[i], (struct sockaddr *)&at, &n) == 0);
	FUZZ_LAW(connect(s->clients[i], (struct sockaddr *)&at, n) == 0);
	FUZZ_LAW(send(s->clients[i], says, strlen(says), 0) == (ssize_t)strlen(says));
}

static void begin(struct scene *s, enum rs_role kind, const struct rs_role_ops *ops)
{
	static const enum rs_role peers[RS_ROLE_N][5] = {
		[RS_ROLE_FRONT] = {RS_ROLE_AUTH, RS_ROLE_STORE, RS_ROLE_ADMIN, RS_ROLE_RELAY},
		[RS_ROLE_AUTH] = {RS_ROLE_FRONT, RS_ROLE_STORE, RS_ROLE_RELAY},
		[RS_ROLE_STORE] = {RS_ROLE_FRONT, RS_ROLE_AUTH},
		[RS_ROLE_ADMIN] = {RS_ROLE_FRONT},
		[RS_ROLE_RELAY] = {RS_ROLE_FRONT, RS_ROLE_AUTH},
	};
	struct rs_err err;

	s->r.kind = kind;
	s->r.ops = ops;
	s->r.conf = conf();
	s->r.fronts_n = s->r.stores_n = 1;
	s->r.tls_fd = -1;
	FUZZ_LAW(uv_loop_init(&s->r.loop) == 0);
	for (unsigned i = 0; peers[kind][i]; i++)
		link_up(s, peers[kind][i]);
	link_up(s, RS_ROLE_MASTER);
	if (ops->prepare)
		FUZZ_LAW(ops->prepare(&s->r, &err) == 0);
	FUZZ_LAW(ops->start(&s->r));
	if (kind == RS_ROLE_FRONT) {
		listen_for(s, RS_SERVICE_POP3, &s->listeners[0]);
		listen_for(s, RS_SERVICE_LMTP, &s->listeners[1]);
		listen_for(s, RS_SERVICE_SUBMISSION, &s->listeners[2]);
	} else if (kind == RS_ROLE_ADMIN) {
		listen_for(s, RS_SERVICE_ADMIN, &s->listeners[0]);
	}
}

/* --- sessions that are there ---------------------------------------------------------------- */

/* Is `sess` one that such a message is for? */
static bool is_for(const struct front_sess *sess, guint64 id, const struct row *row)
{
	bool mail = row->type == RS_MSG_RCPT_REFUSED || row->type == RS_MSG_RCPT_READY ||
		    row->type == RS_MSG_DATA_ROOM || row->type == RS_MSG_DELIVERED ||
		    row->type == RS_MSG_MAIL_ANSWER || row->type == RS_MSG_RELAYED;

	if (mail != ((id & RS_MSG_TXN_MASK) != 0))
		return false;
	if (row->from == RS_ROLE_RELAY || row->type == RS_MSG_LOGGED_IN ||
		row->type == RS_MSG_MAIL_ANSWER)
		return sess->conn->service == RS_SERVICE_SUBMISSION;
	return row->from == RS_ROLE_AUTH || mail || sess->conn->service == RS_SERVICE_POP3;
}

/* One that is there; below 0xe0 one that such a message is for. */
static guint64 session_of(const struct scene *s, const struct row *row, guint8 choice)
{
	const struct front *f = s->r.arg;
	const struct admin *a = s->r.arg;
	guint64 found[8];
	guint n = 0;
	GHashTableIter i;
	gpointer key;
	gpointer value;

	if (choice >= 0xf0)
		return choice == 0xff ? G_MAXUINT64 : choice;
	if (s->r.kind == RS_ROLE_FRONT) {
		g_hash_table_iter_init(&i, f->sessions);
		while (n < 8 && g_hash_table_iter_next(&i, &key, &value)) {
			guint64 id = *(guint64 *)key;

			if (choice >= 0xe0 || is_for(value, id, row))
				found[n++] = id;
		}
	} else if (s->r.kind == RS_ROLE_ADMIN) {
		return a->next_ask;
	} else {
		return choice % 4 + 1u;
	}
	return n ? found[choice % n] : 1;
}

/* --- messages ------------------------------------------------------------------------------- */

static void put(GByteArray *b, guint64 v, guint n)
{
	g_byte_array_append(b, (const guint8 *)&v, n);
}

static guint64 number(struct rs_slice *in, guint octets)
{
	guint8 c = fuzz_choice(in);

	if (c == 0xff)
		return octets == 8 ? G_MAXUINT64 : (G_GUINT64_CONSTANT(1) << 8 * octets) - 1;
	if (c >= 0xe0 && octets >= 4)
		return (guint64)(c & 15) << (c < 0xf0 ? 12 : octets * 4);
	return c;
}

static void add_octets(GByteArray *b, struct rs_slice *in)
{
	struct rs_slice s = rs_slice_sub(*in, 1, fuzz_choice(&(struct rs_slice){in->p, in->n}));

	*in = rs_slice_sub(*in, 1 + s.n, in->n);
	put(b, s.n, 4);
	g_byte_array_append(b, s.p ? s.p : (const guint8 *)"", (guint)s.n);
}

/* The table of a maildrop of two messages, as a store would make it. */
static guint8 *image;
static gsize image_n;

static void image_make(void)
{
	struct rs_drop_builder b;

	rs_drop_builder_init(&b);
	FUZZ_LAW(rs_drop_builder_add(&b, 9, rs_slice_str("a")) == 0);
	FUZZ_LAW(rs_drop_builder_add(&b, 70000, rs_slice_str("b")) == 0);
	image_n = rs_drop_builder_image_n(&b);
	image = g_malloc(image_n);
	rs_drop_builder_image(&b, image);
	rs_drop_builder_finish(&b);
}

static void by_the_book(
	const struct scene *s, GByteArray *b, const struct row *row, struct rs_slice *in)
{
	for (const char *fields = row->fields; *fields; fields++) {
		if (*fields == 's')
			put(b, session_of(s, row, fuzz_choice(in)), 8);
		else if (*fields == 'o')
			add_octets(b, in);
		else if (*fields == 'i')
			put(b, in->n && in->p[0] ? number(in, 8) : (fuzz_choice(in), image_n), 8);
		else if (*fields != 'd')
			put(b, number(in, (guint)(*fields - '0')), (guint)(*fields - '0'));
	}
}

/* A table of a maildrop, right or made of the input; sealed or not; nothing at all like it. */
static int descriptor(guint8 how, struct rs_slice in)
{
	int fd;

	if (how % 4 == 3)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (how % 4 == 0)
		FUZZ_LAW(write(fd, image, image_n) == (gssize)image_n);
	else if (in.n)
		FUZZ_LAW(write(fd, in.p, in.n) > 0);
	if (how & 4)
		(void)fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW);
	return fd;
}

static const struct row *row_for(enum rs_role to, guint8 choice)
{
	const struct row *found[G_N_ELEMENTS(rows)];
	guint n = 0;

	for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
		FUZZ_LAW(rs_msg_may(rows[i].from, rows[i].to, rows[i].type));
		if (rows[i].to == to)
			found[n++] = &rows[i];
	}
	return found[choice % n];
}

static void close_rest(struct rs_msg_in *m)
{
	while (m->fds_used < m->fds_n)
		close(m->fds[m->fds_used++]);
}

/* Fill `m` from the input; `octets` keeps what it points to. */
static const struct row *message_from(
	const struct scene *s, struct rs_slice *in, GByteArray *octets, struct rs_msg_in *m)
{
	const struct row *row = row_for(s->r.kind, fuzz_choice(in));
	guint8 how = fuzz_choice(in);
	bool wanted = strchr(row->fields, 'd') != NULL;

	g_byte_array_set_size(octets, 0);
	if (how & 1) {
		struct rs_slice any = rs_slice_sub(*in, 0, how >> 1);

		*in = rs_slice_sub(*in, any.n, in->n);
		g_byte_array_append(octets, any.p ? any.p : (const guint8 *)"", (guint)any.n);
	} else {
		by_the_book(s, octets, row, in);
	}
	*m = (struct rs_msg_in){.type = row->type, .rest = rs_slice(octets->data, octets->len)};
	if (wanted ? (how & 0x40) == 0 : (how & 0x70) == 0x70)
		m->fds[m->fds_n++] = descriptor(how >> 3, *in);
	return row;
}

/* --- the roles ------------------------------------------------------------------------------ */

/* A body of a session that is there, of a row that no table from here can have: it has to end the link. */
static bool beyond_all_rows(const struct scene *s, const struct row *row, const GByteArray *octets)
{
	const struct front *f = s->r.arg;
	guint64 session;
	guint32 n;

	if (row->type != RS_MSG_BODY || octets->len < sizeof(session) + sizeof(n))
		return false;
	memcpy(&session, octets->data, sizeof(session));
	memcpy(&n, octets->data + sizeof(session), sizeof(n));
	return n > 0x100000 && g_hash_table_contains(f->sessions, &session);
}

static void say(struct scene *s, struct rs_slice *in, GByteArray *octets)
{
	struct rs_msg_in m;
	const struct row *row = message_from(s, in, octets, &m);
	struct rs_link **place = place_of(&s->r, row->from);
	bool no_row = beyond_all_rows(s, row, octets);
	bool ok = s->r.ops->message(&s->r, row->from, 0, &m);

	FUZZ_LAW(!ok || !no_row);
	close_rest(&m);
	if (ok)
		return;
	rs_link_destroy(place);
	s->r.ops->peer_gone(&s->r, row->from, 0);
	turn(s);
	link_up(s, row->from);
}

static void surround(struct scene *s, guint8 how)
{
	static const char *const pop3[] = {"USER anna\r\nPASS secret\r\n", "AUTH PLAIN\r\n",
		"USER anna\r\nPASS secret\r\nRETR 1\r\nRETR 2\r\nDELE 1\r\nQUIT\r\n",
		"AUTH LOGIN\r\nYQ==\r\nYg==\r\n"};
	static const char *const lmtp[] = {
		"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nRCPT TO:<c@b>\r\n",
		"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\nhello\r\n.\r\nMAIL "
		"FROM:<>\r\n"};

	static const char *const submission[] = {
		"EHLO x\r\nAUTH PLAIN AGEAYg==\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT "
		"TO:<e@f>\r\nDATA\r\nhello\r\n.\r\n",
		"EHLO x\r\nAUTH LOGIN\r\nYQ==\r\nYg==\r\nMAIL FROM:<a@b>\r\nRSET\r\nMAIL "
		"FROM:<a@b> SIZE=9\r\n"};

	smtp_how = s->r.kind == RS_ROLE_RELAY ? how : 0;
	if (s->r.kind == RS_ROLE_FRONT) {
		client(s, 0, pop3[how % 4]);
		client(s, 1, lmtp[how / 4 % 2]);
		client(s, 2, submission[how / 8 % 2]);
	} else if (s->r.kind == RS_ROLE_ADMIN) {
		client(s, 0,
			how % 2 ? "{\"do\":\"sessions\"}\n" : "{\"do\":\"kick\",\"id\":\"1\"}\n");
	}
	turn(s);
}

/* The clients go, and all peers: nothing is left over for the next input. */
static void forget(struct scene *s)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(s->clients); i++) {
		if (s->clients[i] > 0)
			close(s->clients[i]);
		s->clients[i] = -1;
	}
	turn(s);
	for (unsigned peer = RS_ROLE_FRONT; peer < RS_ROLE_N; peer++) {
		if (s->ends[peer] <= 0)
			continue;
		rs_link_destroy(place_of(&s->r, (enum rs_role)peer));
		s->r.ops->peer_gone(&s->r, (enum rs_role)peer, 0);
		link_up(s, (enum rs_role)peer);
	}
	turn(s);
}

static void against_role(enum rs_role kind, const struct rs_role_ops *ops, struct rs_slice in)
{
	struct scene *s = &scenes[kind];
	g_autoptr(GByteArray) octets = g_byte_array_new();

	if (!s->r.ops)
		begin(s, kind, ops);
	surround(s, fuzz_choice(&in));
	for (int i = 0; in.n && i < STEPS_MAX; i++) {
		say(s, &in, octets);
		if (i % 4 == 3)
			turn(s);
	}
	turn(s);
	forget(s);
}

/* A child without a process; our end of its control link. */
static int pretend(struct generation *g, enum rs_role role)
{
	struct child *c = &g->master->children[role - RS_ROLE_FRONT];
	int fds[2];

	c->gen = g;
	c->role = role;
	c->index = 0;
	c->state = CHILD_STARTING;
	if (!c->stats)
		FUZZ_LAW(rs_stats_create(&c->stats_fd, &c->stats) == 0);
	FUZZ_LAW(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	FUZZ_LAW(rs_link_create(&g->master->loop, fds[0], RS_ROLE_MASTER, role, &link_ops, c,
			 &c->control) == 0);
	return fds[1];
}

/* The master with one set of roles that are starting. */
static void against_master(struct rs_slice in)
{
	static struct master m;
	static struct scene *s = &scenes[RS_ROLE_MASTER];
	g_autoptr(GByteArray) octets = g_byte_array_new();
	struct generation *g = &m.gens[0];
	int ends[4];

	if (!s->r.ops) {
		s->r.ops = &rs_front_ops; /* not called */
		s->r.kind = RS_ROLE_MASTER;
		FUZZ_LAW(uv_loop_init(&m.loop) == 0);
		children_init(&m);
		m.stopping = true; /* a reload is refused */
	}
	*g = (struct generation){.master = &m, .state = GEN_STARTING, .number = 1, .conf = conf()};
	for (unsigned i = 0; i < G_N_ELEMENTS(ends); i++)
		ends[i] = pretend(g, (enum rs_role)(RS_ROLE_FRONT + i));
	for (int i = 0; in.n && i < STEPS_MAX; i++) {
		unsigned who = fuzz_choice(&in) % 4;
		struct rs_msg_in msg;

		(void)message_from(s, &in, octets, &msg);
		(void)children_message(&m.children[who], &msg);
		rs_log_init(
			"fuzz", false, -1); /* once ready it has said what its configuration says */
		close_rest(&msg);
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(ends); i++) {
		rs_link_destroy(&m.children[i].control);
		m.children[i].gen = NULL;
		close(ends[i]);
	}
	(void)uv_run(&m.loop, UV_RUN_NOWAIT);
}

static void remove_users(void)
{
	(void)unlink(users_file);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize n)
{
	static bool begun;
	struct rs_slice in = rs_slice(data, n);

	if (!begun) {
		int fd = mkstemp(users_file);

		FUZZ_LAW(fd >= 0);
		close(fd);
		image_make();
		(void)OPENSSL_init_crypto(
			OPENSSL_INIT_NO_ATEXIT, NULL); /* threads may still hash */
		atexit(remove_users);
		atexit(uv_library_shutdown);    /* threads end before what they use does */
		(void)signal(SIGPIPE, SIG_IGN); /* as roles do */
		rs_log_init("fuzz", false, -1); /* says nothing */
		begun = true;
	}
	switch (fuzz_choice(&in) % 6) {
	case 0:
		against_role(RS_ROLE_FRONT, &rs_front_ops, in);
		break;
	case 1:
		against_role(RS_ROLE_AUTH, &rs_auth_ops, in);
		break;
	case 2:
		against_role(RS_ROLE_STORE, &rs_store_ops_role, in);
		break;
	case 3:
		against_role(RS_ROLE_ADMIN, &rs_admin_ops, in);
		break;
	case 4:
		against_master(in);
		break;
	default:
		against_role(RS_ROLE_RELAY, &rs_relay_ops, in);
		break;
	}
	return 0;
}
