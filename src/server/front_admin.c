/* front_admin.c - what the administrator may ask of a front: who is there, and to end one of them. */
#include "server/front.h"

static const char *tls_text(const struct rs_conn *c)
{
	return c->ssl && !c->shaking ? SSL_get_version(c->ssl) : "";
}

static void tell_session(struct rs_link *l, uint64_t ask, const struct rs_conn *c)
{
	struct rs_conn_about a = {.state = "", .user = "", .store = UINT32_MAX};

	if (c->ops->about)
		c->ops->about(c, &a);
	rs_link_begin(l, RS_MSG_SESSION);
	rs_link_u64(l, ask);
	rs_link_u64(l, c->id);
	rs_link_u8(l, (uint8_t)c->service);
	rs_link_u64(l, uv_now(c->poll.loop) - c->began_ms);
	rs_link_u32(l, a.messages);
	rs_link_u64(l, c->octets_in);
	rs_link_u64(l, c->octets_out);
	rs_link_u32(l, a.store);
	rs_link_octets(l, rs_slice_str(a.user ? a.user : ""));
	rs_link_octets(l, rs_slice_str(c->peer_text));
	rs_link_octets(l, rs_slice_str(tls_text(c)));
	rs_link_octets(l, rs_slice_str(c->shaking ? "handshake" : a.state));
	rs_link_end(l);
}

static void tell_sessions(const struct front *f, uint64_t ask)
{
	struct rs_link *l = f->proc->admin;

	for (const struct rs_conn *c = f->conns; c; c = c->next) {
		if (!c->closing)
			tell_session(l, ask, c);
	}
	rs_link_begin(l, RS_MSG_SESSIONS_END);
	rs_link_u64(l, ask);
	rs_link_end(l);
}

static bool kick(struct front *f, uint64_t id)
{
	struct rs_conn *c = f->conns;

	while (c && (c->id != id || c->closing))
		c = c->next;
	if (!c)
		return false;
	if (c->ops->kick)
		c->ops->kick(c, "The administrator has ended this session");
	else
		rs_conn_close(c, false);
	return true;
}

bool front_admin_message(struct rs_proc *r, struct rs_msg_in *m)
{
	struct front *f = r->arg;
	uint64_t ask = rs_msg_u64(m);
	uint64_t id = m->type == RS_MSG_KICK ? rs_msg_u64(m) : 0;
	bool found;

	if (!rs_msg_end(m))
		return false;
	if (m->type != RS_MSG_KICK) {
		tell_sessions(f, ask);
		return true;
	}
	found = kick(f, id);
	rs_link_begin(r->admin, RS_MSG_KICKED);
	rs_link_u64(r->admin, ask);
	rs_link_u8(r->admin, found);
	rs_link_end(r->admin);
	return true;
}
