/* front_txn.c - a transaction of mail (front_mail.h), with a session number of its own towards auth and
 * stores:
 *   MAIL -> RCPT: auth says no, or tells a store, which says READY -> … -> DATA: octets to every
 *   store that has a recipient -> DATA_END -> one DELIVERED a recipient -> replies in order
 * Facts: `rcpts` has a row for each recipient the engine has accepted, in its order; a store that is
 *        in `used` hears DATA_END or DATA_DROP once; 250 is said only after DELIVERED ok (law 1). */
#include "server/front_mail.h"

#include "server/log.h"
#include "server/stats.h"

#define ANSWER_TIME_S 300 /* RFC 5321 section 4.5.3.2: what the sender waits at least */
#define RCPT_TIME_S   30  /* auth and store must have answered by then; else 421 */

static struct rs_proc *proc_of(const struct mail *p)
{
	return p->txn.conn->front->proc;
}

/* NULL: it is not there. */
static struct rs_link *link_of(const struct mail *p, uint32_t dest)
{
	return proc_of(p)->stores[dest];
}

/* --- a transaction ------------------------------------------------------------------------- */

void front_txn_begin(struct mail *p, struct rs_slice sender)
{
	p->txn.id = front_txn_id(p->txn.conn);
	front_sess_add(p->txn.conn->front, &p->txn);
	g_free(p->sender);
	p->sender = g_strndup((const char *)sender.p, sender.n);
	g_array_set_size(p->rcpts, 0);
	memset(p->used, 0, sizeof(p->used));
	memset(p->owed, 0, sizeof(p->owed));
	rs_buf_clear(&p->chunk);
	p->told_n = 0;
	p->octets = 0;
	p->begun = p->ending = false;
}

void front_txn_end(struct mail *p)
{
	for (uint32_t i = 0; i < MAIL_DESTS_MAX; i++) {
		struct rs_link *l = link_of(p, i);

		if (!p->used[i] || p->ending || !l)
			continue;
		rs_link_begin(l, RS_MSG_DATA_DROP);
		rs_link_u64(l, p->txn.id);
		rs_link_end(l);
	}
	memset(p->used, 0, sizeof(p->used));
	if (p->txn.id)
		front_sess_remove(p->txn.conn->front, &p->txn);
	p->txn.id = 0;
	p->ending = false;
	g_clear_pointer(&p->asked, g_free);
	rs_buf_clear(&p->chunk);
	rs_buf_shrink(&p->chunk);
}

void front_txn_rcpt(struct mail *p, struct rs_slice address)
{
	struct rs_link *l = proc_of(p)->auth;

	if (!l) {
		rs_lmtps_reply(p->engine, 451, "4.3.0", NULL);
		return;
	}
	g_free(p->asked);
	p->asked = g_strndup((const char *)address.p, address.n);
	rs_link_begin(l, RS_MSG_RCPT);
	rs_link_u64(l, p->txn.id);
	rs_link_u32(l, p->rcpts->len);
	rs_link_octets(l, address);
	rs_link_end(l);
	rs_conn_alive(p->txn.conn, RCPT_TIME_S);
}

/* --- octets -------------------------------------------------------------------------------- */

void front_txn_flush(struct mail *p)
{
	struct rs_slice s = rs_buf_slice(&p->chunk);

	for (uint32_t i = 0; s.n && i < MAIL_DESTS_MAX; i++) {
		struct rs_link *l = link_of(p, i);

		if (!p->used[i] || !l)
			continue;
		rs_link_begin(l, RS_MSG_DATA);
		rs_link_u64(l, p->txn.id);
		rs_link_octets(l, s);
		rs_link_end(l);
		p->owed[i] += (uint32_t)s.n;
	}
	rs_buf_clear(&p->chunk);
}

static void chunk_add(struct mail *p, const void *octets, size_t n)
{
	const uint8_t *at = octets;

	while (n) {
		size_t k = RS_MIN(n, rs_buf_room(&p->chunk));

		if (rs_buf_add(&p->chunk, at, k) < 0)
			g_error("out of memory"); /* the role ends and is started again */
		at += k;
		n -= k;
		if (rs_buf_room(&p->chunk) == 0)
			front_txn_flush(p);
	}
}

static void trace(struct mail *p)
{
	g_autofree char *fields = front_trace_fields(p);

	chunk_add(p, fields, strlen(fields));
	p->begun = true;
}

void front_txn_body(struct mail *p, struct rs_slice octets)
{
	if (!p->begun)
		trace(p);
	p->octets += octets.n;
	chunk_add(p, octets.p, octets.n);
}

bool front_txn_window_open(const struct mail *p)
{
	for (uint32_t i = 0; i < MAIL_DESTS_MAX; i++) {
		if (p->used[i] && p->owed[i] + RS_MSG_INLINE_MAX > RS_MSG_DATA_WINDOW)
			return false;
	}
	return true;
}

void front_txn_data_end(struct mail *p)
{
	if (!p->begun)
		trace(p);
	front_txn_flush(p);
	p->ending = true;
	p->ended_ns = uv_hrtime();
	for (uint32_t i = 0; i < MAIL_DESTS_MAX; i++) {
		struct rs_link *l = link_of(p, i);

		if (!p->used[i] || !l)
			continue;
		rs_link_begin(l, RS_MSG_DATA_END);
		rs_link_u64(l, p->txn.id);
		rs_link_end(l);
	}
	rs_conn_alive(p->txn.conn, ANSWER_TIME_S);
}

/* --- results ------------------------------------------------------------------------------- */

static void result_tell(struct mail *p, uint32_t i, int result)
{
	static const struct {
		unsigned code;
		const char *status;
		const char *text;
	} rows[RS_STORE_ERR_N] = {
		[RS_STORE_OK] = {250, "2.0.0", "Delivered"},
		[RS_STORE_NOBOX] = {550, "5.1.1", "No such mailbox here"},
		[RS_STORE_INUSE] = {451, "4.2.1", "The mailbox is busy"},
		[RS_STORE_FULL] = {452, "4.3.1", "No space left; try again later"},
		[RS_STORE_QUOTA] = {452, "4.2.2", "The mailbox is full; try again later"},
		[RS_STORE_TEMP] = {451, "4.3.0", "Temporary failure; try again later"},
		[RS_STORE_PERM] = {451, "4.3.5",
			"The mailbox cannot be written; the postmaster must mend it"},
		[RS_STORE_LOST] = {451, "4.3.0", "Temporary failure; try again later"},
		[RS_STORE_UNKNOWN] = {451, "4.3.0", "It may have been delivered; try again later"},
		[RS_STORE_CORRUPT] = {451, "4.3.5", "The mailbox is damaged"},
		[RS_STORE_GONE] = {451, "4.3.0", "Temporary failure; try again later"},
	};

	rs_stats_add(result == RS_STORE_OK ? RS_STAT_DELIVERED : RS_STAT_UNDELIVERED, 1);
	if (result == RS_STORE_QUOTA && proc_of(p)->conf->quota_permanent)
		rs_lmtps_result(p->engine, i, 552, "5.2.2", "The mailbox is full");
	else
		rs_lmtps_result(
			p->engine, i, rows[result].code, rows[result].status, rows[result].text);
}

void front_txn_results(struct mail *p)
{
	while (p->ending && p->told_n < p->rcpts->len &&
		front_txn_rcpt_at(p, p->told_n)->result != MAIL_NO_RESULT) {
		result_tell(p, p->told_n, front_txn_rcpt_at(p, p->told_n)->result);
		p->told_n++;
	}
	if (p->ending && p->told_n == p->rcpts->len) {
		rs_stats_add(RS_STAT_RECEIVED, 1);
		rs_stats_time(RS_STAT_DELIVERY_TIME, (uv_hrtime() - p->ended_ns) / 1000);
		rs_log(RS_LOG_INFO, "received", "id", rs_log_id(p->txn.id), "txn",
			rs_log_txn(p->txn.id), "peer", p->txn.conn->peer_text, "from", p->sender,
			"recipients", rs_log_num(p->rcpts->len), "octets", rs_log_num(p->octets),
			NULL);
		front_txn_end(p);
	}
}

/* --- messages ------------------------------------------------------------------------------ */

static bool on_rcpt_refused(struct mail *p, struct rs_msg_in *m)
{
	uint32_t rcpt = rs_msg_u32(m);
	uint16_t code = rs_msg_u16(m);
	struct rs_slice status = rs_msg_octets(m);
	struct rs_slice text = rs_msg_octets(m);
	char status_text[16];
	char words[256];

	if (!rs_msg_end(m) || !p->asked || rcpt != p->rcpts->len || code < 400 || code > 599 ||
		rs_slice_copy(status, status_text, sizeof(status_text)) < 0 ||
		rs_slice_copy(text, words, sizeof(words)) < 0)
		return false;
	g_clear_pointer(&p->asked, g_free);
	rs_lmtps_reply(p->engine, code, status_text, words);
	return true;
}

static bool on_rcpt_ready(struct mail *p, uint32_t dest, struct rs_msg_in *m)
{
	uint32_t rcpt = rs_msg_u32(m);
	uint8_t err = rs_msg_u8(m);
	struct mail_rcpt row = {.dest = dest, .result = MAIL_NO_RESULT};

	if (!rs_msg_end(m) || !p->asked || rcpt != p->rcpts->len || err != RS_STORE_OK)
		return false;
	row.address = g_steal_pointer(&p->asked);
	g_array_append_val(p->rcpts, row);
	p->used[dest] = true;
	rs_lmtps_reply(p->engine, 250, "2.1.5", NULL);
	return true;
}

static bool on_delivered(struct mail *p, uint32_t dest, struct rs_msg_in *m)
{
	uint32_t rcpt = rs_msg_u32(m);
	uint8_t err = rs_msg_u8(m);

	if (!rs_msg_end(m) || rcpt >= p->rcpts->len || err >= RS_STORE_ERR_N || !p->ending ||
		front_txn_rcpt_at(p, rcpt)->dest != dest)
		return false;
	front_txn_rcpt_at(p, rcpt)->result = err;
	return true;
}

static bool on_room(struct mail *p, uint32_t dest, struct rs_msg_in *m)
{
	uint32_t n = rs_msg_u32(m);

	if (!rs_msg_end(m) || n > p->owed[dest])
		return false;
	p->owed[dest] -= n;
	return true;
}

static bool txn_message(
	struct front_sess *s, enum rs_role peer, uint32_t index, struct rs_msg_in *m)
{
	struct mail *p = (struct mail *)s;
	bool ok = false;

	if (m->type == RS_MSG_RCPT_REFUSED)
		ok = on_rcpt_refused(p, m);
	else if (m->type == RS_MSG_RCPT_READY)
		ok = on_rcpt_ready(p, index, m);
	else if (m->type == RS_MSG_DATA_ROOM)
		ok = on_room(p, index, m);
	else if (m->type == RS_MSG_DELIVERED)
		ok = on_delivered(p, index, m);
	front_later(s->conn);
	return ok;
}

static void txn_peer_gone(struct front_sess *s, enum rs_role peer, uint32_t index)
{
	struct mail *p = (struct mail *)s;

	/* The answer may never come. If it does all the same it must find no second question that it
	 * could be taken for: the sender comes back with another connection. */
	if (p->asked) {
		front_txn_end(p);
		rs_lmtps_abort(p->engine, "A part of the service is being started again");
	}
	for (guint i = 0; peer == RS_ROLE_STORE && i < p->rcpts->len; i++) {
		struct mail_rcpt *r = front_txn_rcpt_at(p, i);

		if (r->dest == index && r->result == MAIL_NO_RESULT)
			r->result = p->ending ? RS_STORE_UNKNOWN : RS_STORE_TEMP;
	}
	if (peer == RS_ROLE_STORE) {
		p->used[index] = false;
		p->owed[index] = 0;
	}
	if (!s->conn->closing)
		front_mail_step(s->conn);
}

const struct front_sess_ops front_txn_ops = {.message = txn_message, .peer_gone = txn_peer_gone};
