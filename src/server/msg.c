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
	};

	return names[r];
}

bool rs_msg_may(enum rs_role from, enum rs_role to, enum rs_msg_type type)
{
	/* RS_ROLE_N: a role towards the master, which knows it before it knows itself */
	if (from == RS_ROLE_MASTER)
		return type >= RS_MSG_START && type <= RS_MSG_STOP;
	if (to == RS_ROLE_MASTER)
		return type == RS_MSG_READY || type == RS_MSG_VIOLATION;
	if (from == RS_ROLE_FRONT && to == RS_ROLE_AUTH)
		return type >= RS_MSG_LOGIN && type <= RS_MSG_RCPT;
	if (from == RS_ROLE_AUTH && to == RS_ROLE_FRONT)
		return type >= RS_MSG_CHALLENGE && type <= RS_MSG_RCPT_REFUSED;
	if (from == RS_ROLE_AUTH && to == RS_ROLE_STORE)
		return type == RS_MSG_OPEN || type == RS_MSG_RCPT_OPEN;
	if (from == RS_ROLE_STORE && to == RS_ROLE_FRONT)
		return type >= RS_MSG_OPENED && type <= RS_MSG_DELIVERED;
	if (from == RS_ROLE_FRONT && to == RS_ROLE_STORE)
		return type >= RS_MSG_READ && type <= RS_MSG_DATA_DROP;
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
