/* auth_rcpt.c - does this address live here? See auth_int.h. A yes goes to the user's store. What a user who has
 * logged in sends to others goes to the relay.
 *
 * What is local: with [submission] local-domains the addresses in them; without, those of our users. */
#include "server/auth_int.h"

#include <string.h>

struct rcpt {
	uint32_t front;
	uint32_t front_age;
	uint64_t session;
	uint32_t rcpt;
	/* of a user's mail only; relay: it may go there when nobody is called so here */
	bool relay;
	uint8_t flags;
	uint64_t size;
	char *sender;
	char *address;
};

static void rcpt_free(struct rcpt *c)
{
	g_free(c->sender);
	g_free(c->address);
	g_free(c);
}

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

	if (!store || rs_mailbox_text(u, r->conf->store_path, folder, &mailbox, NULL) < 0)
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

/* To the relay, which answers the front. */
static void open_at_relay(struct rs_proc *r, const struct rcpt *c)
{
	struct rs_link *l = r->relay;

	if (!r->conf->relay.host) {
		refuse(r, c, 550, "5.7.1", "Mail to other places cannot be sent from here");
		return;
	}
	if (!l) {
		refuse(r, c, 451, "4.3.0", "Temporary failure, try again later");
		return;
	}
	rs_link_begin(l, RS_MSG_RELAY_OPEN);
	rs_link_u32(l, c->front);
	rs_link_u64(l, c->session);
	rs_link_u32(l, c->rcpt);
	rs_link_u8(l, c->flags);
	rs_link_u64(l, c->size);
	rs_link_octets(l, rs_slice_str(c->sender));
	rs_link_octets(l, rs_slice_str(c->address));
	rs_link_end(l);
}

static void on_user(struct rs_proc *r, void *arg, int rc, struct rs_user *u, const char *folder)
{
	struct auth *a = r->arg;
	struct rcpt *c = arg;
	bool asked = r->fronts[c->front] && a->front_age[c->front] == c->front_age;

	if (!asked)
		; /* the front that asked has gone */
	else if (rc == -RS_ENOENT && c->relay)
		open_at_relay(r, c);
	else if (rc == -RS_ENOENT)
		refuse(r, c, 550, "5.1.1", "No such mailbox here");
	else if (u && u->disabled)
		refuse(r, c, 550, "5.2.1", "This mailbox is disabled");
	else if (!u || !open_at_store(r, c, u, folder))
		refuse(r, c, 451, "4.3.0", "Temporary failure, try again later");
	rs_user_free(u);
	rcpt_free(c);
}

/* Of a user's mail: true where the answer is given already. False: ask for the user. */
static bool route(struct rs_proc *r, const struct auth_submitter *s, struct rcpt *c)
{
	const char *at = strrchr(c->address, '@');

	if (!auth_submit_rate(r, s->user)) {
		rs_log(RS_LOG_WARNING, "rate", "id", rs_log_id(c->session), "user", s->user,
			"limit", rs_log_num(r->conf->submission_rate), NULL);
		refuse(r, c, 450, "4.7.1", "Too many recipients within an hour; try again later");
		return true;
	}
	c->flags = s->flags;
	c->size = s->size;
	c->sender = g_strdup(s->sender);
	if (!at) /* the postmaster here */
		return false;
	c->relay = !r->conf->local_domains;
	if (c->relay || rs_conf_is_local_domain(r->conf, at + 1))
		return false;
	open_at_relay(r, c);
	return true;
}

bool auth_on_rcpt(struct rs_proc *r, uint32_t front, struct rs_msg_in *m)
{
	struct auth *a = r->arg;
	uint64_t session = rs_msg_u64(m);
	uint32_t rcpt = rs_msg_u32(m);
	struct rs_slice address = rs_msg_octets(m);
	const struct auth_submitter *s;
	struct rcpt *c;

	if (!rs_msg_end(m))
		return false;
	s = auth_submit_find(a, front, session);
	if (s && s->txn != session)
		return false; /* no sender was accepted */
	c = g_new0(struct rcpt, 1);
	*c = (struct rcpt){
		.front = front, .front_age = a->front_age[front], .session = session, .rcpt = rcpt};
	c->address = g_strndup((const char *)address.p, address.n);
	if (s && route(r, s, c))
		rcpt_free(c);
	else
		auth_find_user(r, address, true, on_user, c);
	return true;
}
