/* auth_rcpt.c - does this address live here? See auth_int.h. A yes goes to the user's store. */
#include "server/auth_int.h"

struct rcpt {
	uint32_t front;
	uint32_t front_age;
	uint64_t session;
	uint32_t rcpt;
};

static void refuse(struct rs_proc *r, const struct rcpt *c, unsigned code, const char *status,
	const char *text)
{
	struct rs_link *l = r->fronts[c->front];

	rs_link_begin(l, RS_MSG_RCPT_REFUSED);
	rs_link_u64(l, c->session);
	rs_link_u32(l, c->rcpt);
	rs_link_u16(l, (uint16_t)code);
	rs_link_octets(l, rs_slice_str(status));
	rs_link_octets(l, rs_slice_str(text));
	rs_link_end(l);
}

/* To the store, which answers the front. False: it cannot be told. */
static bool open_at_store(
	struct rs_proc *r, const struct rcpt *c, const struct rs_user *u, const char *folder)
{
	struct rs_link *store = auth_store_of(r, u->name);
	g_autofree char *mailbox = NULL;

	if (!store || rs_mailbox_text(u, r->conf->store_path ? r->conf->store_path : "%u", folder,
			      &mailbox, NULL) < 0)
		return false;
	rs_link_begin(store, RS_MSG_RCPT_OPEN);
	rs_link_u32(store, c->front);
	rs_link_u64(store, c->session);
	rs_link_u32(store, c->rcpt);
	rs_link_octets(store, rs_slice_str(u->name));
	rs_link_octets(store, rs_slice_str(mailbox));
	rs_link_end(store);
	return true;
}

static void on_user(struct rs_proc *r, void *arg, int rc, struct rs_user *u, const char *folder)
{
	struct auth *a = r->arg;
	struct rcpt *c = arg;
	bool asked = r->fronts[c->front] && a->front_age[c->front] == c->front_age;

	if (!asked)
		; /* the front that asked has gone */
	else if (rc == -RS_ENOENT)
		refuse(r, c, 550, "5.1.1", "No such mailbox here");
	else if (u && u->disabled)
		refuse(r, c, 550, "5.2.1", "This mailbox is disabled");
	else if (!u || !open_at_store(r, c, u, folder))
		refuse(r, c, 451, "4.3.0", "Temporary failure, try again later");
	rs_user_free(u);
	g_free(c);
}

bool auth_on_rcpt(struct rs_proc *r, uint32_t front, struct rs_msg_in *m)
{
	struct auth *a = r->arg;
	uint64_t session = rs_msg_u64(m);
	uint32_t rcpt = rs_msg_u32(m);
	struct rs_slice address = rs_msg_octets(m);
	struct rcpt *c;

	if (!rs_msg_end(m))
		return false;
	c = g_new(struct rcpt, 1);
	*c = (struct rcpt){
		.front = front, .front_age = a->front_age[front], .session = session, .rcpt = rcpt};
	auth_find_user(r, address, true, on_user, c);
	return true;
}
