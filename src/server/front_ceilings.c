/* front_ceilings.c - who is one too many: the ceilings of the whole service (counts.h) and those of this
 * front, what the client is told, what is logged.
 * Facts: a connection is in the count of all from front_ceiling_enter on, in that of its source from
 *        front_admit on, in that of its user from front_user_admit on; all three end in
 *        front_ceiling_leave. Loopback and mail servers (LMTP) have no ceiling a source. */
#include <string.h>

#include "server/front.h"
#include "server/log.h"

#define TOLD_EVERY_MS 1000 /* of a flood one line a second is logged, with how many there were */

static const char *const reasons[RS_STATS_TURNED_N] = {
	[RS_STATS_TURNED_ALL] = "connections",
	[RS_STATS_TURNED_SOURCE] = "connections-per-address",
	[RS_STATS_TURNED_USER] = "connections-per-user",
	[RS_STATS_TURNED_SHAKING] = "handshakes",
	[RS_STATS_TURNED_FLOOD] = "pre-login-octets",
	[RS_STATS_TURNED_SLOW] = "slow-reader",
};

void front_ceiling_told(struct front *f, const struct rs_conn *c, enum rs_stats_turned why)
{
	uint64_t now = uv_now(&f->proc->loop);

	rs_stats_add(RS_STAT_TURNED_AWAY + (unsigned)why, 1);
	if (f->told_ms[why] && now < f->told_ms[why] + TOLD_EVERY_MS) {
		f->untold_n[why]++;
		return;
	}
	rs_log(RS_LOG_WARNING, "refused", "id", rs_log_id(c->id), "peer", c->peer_text, "service",
		rs_service_name(c->service), "ceiling", reasons[why], "more-like-it",
		f->untold_n[why] ? rs_log_num(f->untold_n[why]) : NULL, NULL);
	f->told_ms[why] = now;
	f->untold_n[why] = 0;
}

bool front_ceiling_enter(struct rs_conn *c)
{
	struct front *f = c->front;

	c->counted = rs_counts_enter(f->counts, f->others, f->others_n, f->proc->conf->connections);
	return c->counted;
}

bool front_ceiling_enter_source(struct rs_conn *c)
{
	struct front *f = c->front;
	struct rs_count_who who = {.what = RS_COUNT_SOURCE};
	uint32_t max = f->proc->conf->connections_per_address;
	struct rs_ip ip;
	bool of_mta = c->service == RS_SERVICE_LMTP || c->service == RS_SERVICE_SASL;

	if (max == 0 || c->loopback || of_mta || !rs_ip_of(&c->peer, &ip))
		return true;
	who.key = rs_ip_source(&ip);
	if (!rs_counts_enter_as(f->counts, f->others, f->others_n, who, max))
		return false;
	c->source = who.key;
	return true;
}

bool front_user_admit(struct rs_conn *c, const char *user)
{
	struct front *f = c->front;
	struct rs_count_who who = {.what = RS_COUNT_USER, .key = rs_counts_user(user)};
	uint32_t max = f->proc->conf->connections_per_user;

	if (max && !c->user) {
		if (!rs_counts_enter_as(f->counts, f->others, f->others_n, who, max)) {
			front_ceiling_told(f, c, RS_STATS_TURNED_USER);
			return false;
		}
		c->user = who.key;
	}
	c->known = true;
	return true;
}

void front_user_leave(struct rs_conn *c)
{
	if (c->user)
		rs_counts_leave_as(c->front->counts, (struct rs_count_who){RS_COUNT_USER, c->user});
	c->user = 0;
}

void front_ceiling_leave(struct rs_conn *c)
{
	struct front *f = c->front;

	if (c->source)
		rs_counts_leave_as(f->counts, (struct rs_count_who){RS_COUNT_SOURCE, c->source});
	if (c->counted)
		rs_counts_leave(f->counts);
	front_user_leave(c);
	c->source = 0;
	c->counted = false;
}

/* --- before the login ----------------------------------------------------------------------- */

static bool is_strange(const struct rs_conn *c)
{
	return !c->known && front_has_login(c->service);
}

bool front_shake_admit(struct rs_conn *c)
{
	struct front *f = c->front;
	uint32_t max = f->proc->conf->handshakes;

	if (max && f->shaking_n >= max) {
		front_ceiling_told(f, c, RS_STATS_TURNED_SHAKING);
		return false;
	}
	f->shaking_n++;
	return true;
}

void front_shake_over(struct rs_conn *c)
{
	c->front->shaking_n--;
}

bool front_octets_admit(struct rs_conn *c)
{
	if (c->octets_in <= FRONT_PRE_LOGIN_OCTETS || !is_strange(c))
		return true;
	front_ceiling_told(c->front, c, RS_STATS_TURNED_FLOOD);
	return false;
}

/* Who is not silent, but does not log in either. */
bool front_login_late(const struct rs_conn *c, uint64_t now_ms)
{
	uint64_t whole =
		(uint64_t)c->front->proc->conf->pre_login_timeout_s * 1000 * FRONT_PRE_LOGIN_TIMES;

	return is_strange(c) && now_ms >= c->began_ms + c->held_back_ms + whole;
}

/* --- the pages of the fronts ---------------------------------------------------------------- */

void front_ceilings_init(struct front *f)
{
	int fd = -1;

	/* alone until the master hands out the pages */
	if (rs_counts_create(f->proc->conf->connections, &fd, &f->counts) < 0)
		g_error("no memory for the ceilings");
	close(fd);
}

static bool take_own(struct front *f, struct rs_counts *page)
{
	if (!page || f->conns_n) {
		rs_counts_unmap(&page);
		return false;
	}
	rs_counts_unmap(&f->counts);
	f->counts = page;
	return true;
}

bool front_control(struct rs_proc *r, struct rs_msg_in *m)
{
	struct front *f = r->arg;
	uint32_t place = rs_msg_u32(m);
	bool own = rs_msg_u8(m) != 0;
	int fd = rs_msg_fd(m);
	struct rs_counts *page = fd < 0 ? NULL : rs_counts_map(fd, own);

	if (m->type != RS_MSG_COUNTS || !rs_msg_end(m) || place >= RS_ROLE_PLACES_MAX) {
		rs_counts_unmap(&page);
		return false;
	}
	if (own)
		return take_own(f, page);
	if (!page)
		return false;
	rs_counts_unmap(&f->others[place]);
	f->others[place] = page;
	f->others_n = MAX(f->others_n, place + 1);
	return true;
}
