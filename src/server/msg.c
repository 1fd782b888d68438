/* msg.c - see msg.h */
#include "server/msg.h"

#include <string.h>

const char *rs_role_name(enum rs_role r)
{
	static const char *const names[RS_ROLE_N] = {
		[RS_ROLE_MASTER] = "master",
		[RS_ROLE_FRONT] = "front",
		[RS_ROLE_AUTH] = "auth",
		[RS_ROLE_STORE] = "store",
		[RS_ROLE_ADMIN] = "admin",
		[RS_ROLE_RELAY] = "relay",
	};

	return names[r];
}

bool rs_msg_may(enum rs_role from, enum rs_role to, enum rs_msg_type type)
{
	/* RS_ROLE_N: a role towards the master, which knows it before it knows itself */
	static const struct {
		enum rs_role from;
		enum rs_role to;
		enum rs_msg_type first;
		enum rs_msg_type last;
	} rows[] = {
		{RS_ROLE_MASTER, RS_ROLE_N, RS_MSG_START, RS_MSG_COUNTS},
		{RS_ROLE_MASTER, RS_ROLE_FRONT, RS_MSG_START, RS_MSG_STOP},
		{RS_ROLE_MASTER, RS_ROLE_FRONT, RS_MSG_COUNTS, RS_MSG_COUNTS},
		{RS_ROLE_MASTER, RS_ROLE_AUTH, RS_MSG_START, RS_MSG_STOP},
		{RS_ROLE_MASTER, RS_ROLE_STORE, RS_MSG_START, RS_MSG_STOP},
		{RS_ROLE_MASTER, RS_ROLE_ADMIN, RS_MSG_START, RS_MSG_RELOADED},
		{RS_ROLE_N, RS_ROLE_MASTER, RS_MSG_READY, RS_MSG_RELOAD},
		{RS_ROLE_FRONT, RS_ROLE_MASTER, RS_MSG_READY, RS_MSG_VIOLATION},
		{RS_ROLE_AUTH, RS_ROLE_MASTER, RS_MSG_READY, RS_MSG_VIOLATION},
		{RS_ROLE_STORE, RS_ROLE_MASTER, RS_MSG_READY, RS_MSG_VIOLATION},
		{RS_ROLE_ADMIN, RS_ROLE_MASTER, RS_MSG_READY, RS_MSG_RELOAD},
		{RS_ROLE_FRONT, RS_ROLE_AUTH, RS_MSG_LOGIN, RS_MSG_RCPT},
		{RS_ROLE_AUTH, RS_ROLE_FRONT, RS_MSG_CHALLENGE, RS_MSG_RCPT_REFUSED},
		{RS_ROLE_AUTH, RS_ROLE_STORE, RS_MSG_OPEN, RS_MSG_RCPT_OPEN},
		{RS_ROLE_STORE, RS_ROLE_FRONT, RS_MSG_OPENED, RS_MSG_DELIVERED},
		{RS_ROLE_FRONT, RS_ROLE_STORE, RS_MSG_READ, RS_MSG_DATA_DROP},
		{RS_ROLE_MASTER, RS_ROLE_RELAY, RS_MSG_START, RS_MSG_STOP},
		{RS_ROLE_RELAY, RS_ROLE_MASTER, RS_MSG_READY, RS_MSG_VIOLATION},
		{RS_ROLE_FRONT, RS_ROLE_AUTH, RS_MSG_MAIL, RS_MSG_MAIL},
		{RS_ROLE_AUTH, RS_ROLE_FRONT, RS_MSG_LOGGED_IN, RS_MSG_MAIL_ANSWER},
		{RS_ROLE_AUTH, RS_ROLE_RELAY, RS_MSG_RELAY_OPEN, RS_MSG_RELAY_OPEN},
		{RS_ROLE_RELAY, RS_ROLE_FRONT, RS_MSG_RCPT_REFUSED, RS_MSG_RCPT_REFUSED},
		{RS_ROLE_RELAY, RS_ROLE_FRONT, RS_MSG_RCPT_READY, RS_MSG_DATA_ROOM},
		{RS_ROLE_RELAY, RS_ROLE_FRONT, RS_MSG_RELAYED, RS_MSG_RELAYED},
		{RS_ROLE_FRONT, RS_ROLE_RELAY, RS_MSG_DATA, RS_MSG_DATA_DROP},
		{RS_ROLE_ADMIN, RS_ROLE_FRONT, RS_MSG_ASK_SESSIONS, RS_MSG_KICK},
		{RS_ROLE_FRONT, RS_ROLE_ADMIN, RS_MSG_SESSION, RS_MSG_KICKED},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].from == from && rows[i].to == to && type >= rows[i].first &&
			type <= rows[i].last)
			return true;
	}
	return false;
}

/* The next `n` octets into `out`; bad and zeros when they are not there. */
static void take(struct rs_msg_in *m, void *out, size_t n)
{
	if (m->rest.n < n) {
		m->bad = true;
		memset(out, 0, n);
		return;
	}
	memcpy(out, m->rest.p, n);
	m->rest = rs_slice_sub(m->rest, n, m->rest.n);
}

uint8_t rs_msg_u8(struct rs_msg_in *m)
{
	uint8_t v;

	take(m, &v, sizeof(v));
	return v;
}

uint16_t rs_msg_u16(struct rs_msg_in *m)
{
	uint16_t v;

	take(m, &v, sizeof(v));
	return v;
}

uint32_t rs_msg_u32(struct rs_msg_in *m)
{
	uint32_t v;

	take(m, &v, sizeof(v));
	return v;
}

uint64_t rs_msg_u64(struct rs_msg_in *m)
{
	uint64_t v;

	take(m, &v, sizeof(v));
	return v;
}

struct rs_slice rs_msg_octets(struct rs_msg_in *m)
{
	uint32_t n = rs_msg_u32(m);
	struct rs_slice s = rs_slice_sub(m->rest, 0, n);

	if (s.n != n) {
		m->bad = true;
		return rs_slice(NULL, 0);
	}
	m->rest = rs_slice_sub(m->rest, n, m->rest.n);
	return s;
}

bool rs_msg_answer(struct rs_msg_in *m, unsigned code_min, struct rs_msg_answer *out)
{
	struct rs_slice status;
	struct rs_slice text;

	out->code = rs_msg_u16(m);
	status = rs_msg_octets(m);
	text = rs_msg_octets(m);
	return rs_msg_end(m) && out->code >= code_min && out->code <= 599 &&
	       rs_slice_copy(status, out->status, sizeof(out->status)) == 0 &&
	       rs_slice_copy(text, out->text, sizeof(out->text)) == 0;
}

int rs_msg_fd(struct rs_msg_in *m)
{
	if (m->fds_used == m->fds_n) {
		m->bad = true;
		return -1;
	}
	return m->fds[m->fds_used++];
}

bool rs_msg_end(const struct rs_msg_in *m)
{
	return !m->bad && m->rest.n == 0 && m->fds_used == m->fds_n;
}
